#!/usr/bin/env bash
# From a file to an adapter on the command line: what is learnt is shown, a recipe is chosen, a rate found, runs compared,
# adapters merged and added, wrong data refused by name.
. "$(dirname "$0")/lib.sh"

base=plinth-zh-base
cd "$work"
for i in $(seq 60); do
  echo "{\"instruction\": \"$((i % 10))+1?\", \"output\": \"it is $((i % 10 + 1)) #$i\"}"
done > rows.jsonl

expect_exit 0 "$PLINTH" data show rows.jsonl --base "$base" --rows 1
expect_text "$work/out" "--- rows.jsonl:1"
expect_text "$work/out" "[[it is 2 #1"
expect_exit 0 "$PLINTH" data show rows.jsonl --base "$base" --rows 1 --json
expect_text "$work/out" '"learned":true'
echo '{"prompt": "1+1?", "chosen": "two", "rejected": "three"}' > pairs.jsonl
expect_exit 0 "$PLINTH" data show pairs.jsonl --base "$base" --pairs
expect_text "$work/out" "[[two"
expect_text "$work/out" "[[three"

expect_exit 0 "$PLINTH" tune --base "$base" --data rows.jsonl --json
expect_text "$work/err" "no recipe, so chosen from the data: 60 samples"
expect_text "$work/out" '"adapter":"run-rows/adapter"'
for file in metrics.jsonl metrics.prom report.html lineage.json adapter.gguf adapter/adapter_model.safetensors; do
  [ -s "run-rows/$file" ] || fail "no run-rows/$file"
done
expect_exit 0 "$PLINTH" adapter show run-rows/adapter.gguf --base "$base" --json
expect_text "$work/out" '"plinth.dataset_sha256"'

cat > recipe.toml <<'T'
[data]
files = ["rows.jsonl"]
[lora]
rank = 2
[train]
sequence = 64
batch_tokens = 128
micro_tokens = 128
steps = 4
T
expect_exit 0 "$PLINTH" tune recipe.toml --base "$base" --run run
# Rows that are only measured: these and no others are held out.
for i in 1 2 3; do echo "{\"instruction\": \"$i-1?\", \"output\": \"less: $i\"}"; done > heldout.jsonl
sed 's/^files.*/&\nheldout = ["heldout.jsonl"]/' recipe.toml > measured.toml
expect_exit 0 "$PLINTH" tune measured.toml --base "$base" --run measured
expect_text "$work/err" "data: 60 rows"
expect_text "$work/err" "3 held out"
expect_exit 0 "$PLINTH" tune recipe.toml --base "$base" --run run --resume
expect_exit 1 "$PLINTH" tune recipe.toml --base "$base" --run fresh --resume
expect_text "$work/err" "fresh: no checkpoint to go on from"
[ ! -e fresh ] || fail "a refused run left a folder"
sed -i 's/rank = 2/rank = 4/' recipe.toml
expect_exit 1 "$PLINTH" tune recipe.toml --base "$base" --run run
expect_text "$work/err" "was made with lora.rank = 2, the recipe says 4"
echo '{"instruction": "no answer"}' >> rows.jsonl
expect_exit 1 "$PLINTH" tune recipe.toml --base "$base" --run other
expect_text "$work/err" "rows.jsonl:61: 'output' is missing"
sed -i '$d' rows.jsonl

expect_exit 0 "$PLINTH" tune find-lr recipe.toml --base "$base" --steps 30 --high 1
expect_text "$work/out" "train.lr = "
expect_exit 0 "$PLINTH" tune sweep recipe.toml --base "$base" --run sweep --rank 2,4 --lr 1e-3,1e-2
expect_text "$work/out" "<- best"
expect_exit 1 "$PLINTH" tune sweep recipe.toml --base "$base" --run sweep --lr fast
expect_text "$work/err" "'fast' is not a number above 0"
expect_exit 1 "$PLINTH" tune sweep recipe.toml --base "$base" --run sweep --rank 1.5
expect_text "$work/err" "'1.5' is not a whole number"

# Several recipes in one batch: each as alone, byte for byte; what cannot be together is refused by name.
sed 's/steps = 4/steps = 7\nseed = 2/; s/rank = 4/rank = 3/' recipe.toml > second.toml
expect_exit 0 "$PLINTH" tune recipe.toml second.toml --base "$base" --run both --json
expect_text "$work/out" '"recipe":"second.toml"'
expect_exit 0 "$PLINTH" tune recipe.toml --base "$base" --run alone
expect_exit 0 "$PLINTH" tune second.toml --base "$base" --run alone-2
for pair in both/recipe=alone both/second=alone-2; do
  cmp "${pair%=*}/adapter/adapter_model.safetensors" "${pair#*=}/adapter/adapter_model.safetensors" || fail "$pair differ"
done
sed 's/^\[data\]/method = "full"\n[data]/' recipe.toml > full.toml
expect_exit 1 "$PLINTH" tune second.toml full.toml --base "$base" --run refused
expect_text "$work/err" 'full.toml: method "full" changes the base itself'
expect_exit 1 "$PLINTH" tune recipe.toml recipe.toml --base "$base" --run refused
expect_text "$work/err" "have one run folder, refused/recipe"
expect_exit 1 "$PLINTH" tune recipe.toml second.toml --data rows.jsonl --base "$base" --run refused
expect_text "$work/err" "--data, --replay and --replay-share go with one recipe; 2 were given"
expect_exit 1 "$PLINTH" tune find-lr recipe.toml second.toml --base "$base"
expect_text "$work/err" "one recipe is enough; 2 were given"

# Deltas of the tables: served they are what the merged model says, and they survive both formats.
sed 's/rank = 4/rank = 4\ntargets = ["q_proj", "embed_tokens", "lm_head"]/; s/steps = 4/steps = 12\nlr = 1e-2/' recipe.toml > tables.toml
expect_exit 0 "$PLINTH" tune tables.toml --base "$base" --run tables
greedy() { "$PLINTH" logits "$1" --ids 1,5,9 --greedy 16 --json | sed 's/"logits".*//'; }
[ "$(greedy "$base+tables/adapter")" != "$(greedy "$base")" ] || fail "deltas of the tables do nothing"
[ "$(greedy "$base+tables/adapter")" = "$(greedy "$base+tables/adapter.gguf")" ] || fail "the formats differ"
expect_exit 0 "$PLINTH" adapter merge "$base" tables/adapter --type f32 --out tables.gguf
[ "$(greedy tables.gguf)" = "$(greedy "$base+tables/adapter")" ] || fail "the merged model answers otherwise"
expect_exit 0 "$PLINTH" adapter show tables/adapter --base "$base" --json
expect_text "$work/out" '"embed_tokens","lm_head","q_proj"'

expect_exit 0 "$PLINTH" adapter add run/adapter=0.5 run-rows/adapter --base "$base" --data rows.jsonl -o sum
expect_text "$work/out" "nats/token  sum"
expect_exit 0 "$PLINTH" adapter add run/adapter=0.5 run-rows/adapter --base "$base" --rank 3 -o low --json
expect_text "$work/out" '"kept":'
expect_exit 0 "$PLINTH" adapter merge "$base" run-rows/adapter --type f32 --out whole.gguf
[ "$(greedy whole.gguf)" = "$(greedy "$base+run-rows/adapter")" ] || fail "the merged model answers otherwise"

# Whether general text is forgotten is measured with general rows, and said to be unknown without.
expect_exit 0 "$PLINTH" tune recipe.toml --base "$base" --run unseen
expect_text "$work/out" "what it forgot of general text was not measured"
for i in $(seq 200); do echo "{\"text\": \"general words, number $((i * 7))\"}"; done > general.jsonl
expect_exit 0 "$PLINTH" tune --base "$base" --data rows.jsonl --replay general.jsonl --run seen
expect_text "$work/err" "general rows, whose loss may rise by"
expect_text "$work/out" "general rows not trained on: "
grep -q '"general":[0-9]' seen/metrics.jsonl || fail "the general loss is not in the metrics"

# An adapter is not published over a base that asks in another template's form.
"$PLINTH" model export "$base" -o other.gguf >"$work/out"
sed -i 's/{%- for message in messages -%}/{%- for message in messages %} /' other.gguf
mkdir proof && echo '{}' > proof/verdict.json
expect_exit 1 "$PLINTH" publish model --base other.gguf --adapter run-rows/adapter --proof proof
expect_text "$work/err" "was tuned with the chat template"
