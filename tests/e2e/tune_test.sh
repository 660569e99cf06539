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

expect_exit 0 "$PLINTH" adapter add run/adapter=0.5 run-rows/adapter --base "$base" --data rows.jsonl -o sum
expect_text "$work/out" "nats/token  sum"
expect_exit 0 "$PLINTH" adapter add run/adapter=0.5 run-rows/adapter --base "$base" --rank 3 -o low --json
expect_text "$work/out" '"kept":'
expect_exit 0 "$PLINTH" adapter merge "$base" run-rows/adapter --type f32 --out whole.gguf
greedy() { "$PLINTH" logits "$1" --ids 1,5,9 --greedy 16 --json | sed 's/"logits".*//'; }
[ "$(greedy whole.gguf)" = "$(greedy "$base+run-rows/adapter")" ] || fail "the merged model answers otherwise"
