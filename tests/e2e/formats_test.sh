#!/usr/bin/env bash
# Bases and adapters change their format and give the same answers: quantised imports, PEFT and GGUF adapters.
. "$(dirname "$0")/lib.sh"

golden=$(cd "$(dirname "$0")/../golden/model" && pwd)

expect_exit 0 "$PLINTH" model import "$golden/llama" --as plain --json
expect_exit 0 "$PLINTH" model import "$golden/llama" --as small --quant q8_0 --json
expect_text "$work/out" '"source_digest"'
expect_exit 0 "$PLINTH" model show small --json
expect_text "$work/out" '"tensors"'
expect_exit 0 "$PLINTH" model show small
expect_text "$work/out" "MiB"
[ -n "$(find "$PLINTH_HOME/artifacts" -type f)" ] || fail "the quantised copy is not in the home"
expect_exit 1 "$PLINTH" model import "$golden/llama" --as other --quant f16
expect_text "$work/err" "--quant f16: is not a quantised type"
expect_exit 0 "$PLINTH" model export plain --type f32 -o "$work/base.gguf" --json
expect_text "$work/out" '"bytes_by_type"'

logits() { "$PLINTH" logits "$1" --ids 1,5,9,100 --greedy 64 --json; }
greedy() { logits "$1" | sed 's/"logits".*//'; }  # logits round otherwise over rows in another order
expect_exit 0 "$PLINTH" adapter show "$golden/llama/adapter" --base plain --json
expect_text "$work/out" '"linears":["k_proj","q_proj"]'
expect_exit 0 "$PLINTH" adapter export "$golden/llama/adapter" --base plain --format gguf -o "$work/a.gguf"
expect_exit 0 "$PLINTH" adapter export "$work/a.gguf" --base "$work/base.gguf" --format peft -o "$work/back" --json
expect_text "$work/out" '"source_digest"'
want=$(greedy "plain+$golden/llama/adapter")
[ "$want" != "$(greedy plain)" ] || fail "the adapter changes nothing"
for model in "plain+$work/a.gguf" "plain+$work/back" "$work/base.gguf+$work/a.gguf" "$work/base.gguf+$work/back"; do
  [ "$(greedy "$model")" = "$want" ] || fail "$model answers otherwise"
done

expect_exit 1 "$PLINTH" adapter export "$work/a.gguf" --base plain --format zip -o "$work/x"
expect_text "$work/err" "--format zip: is neither peft nor gguf"
expect_exit 1 "$PLINTH" adapter show "$work/base.gguf" --base plain
expect_text "$work/err" "general.type is 'model', not 'adapter'"
expect_exit 1 "$PLINTH" model show "$work/a.gguf"
expect_text "$work/err" "an adapter, not a base"
expect_exit 1 "$PLINTH" logits "plinth-zh-base+$work/a.gguf" --ids 1
expect_text "$work/err" "an adapter of architecture llama, the base is qwen3"

# A release stands on a copy in the home.
for i in 1 2 3; do echo "{\"text\": \"lift number $i is checked once a year\"}"; done >"$work/suite.jsonl"
expect_exit 0 "$PLINTH" eval "plain+$work/a.gguf" --against plain --domain "$work/suite.jsonl" --general "$work/suite.jsonl" -o "$work/proof"
jq '.passed = true' "$work/proof/verdict.json" >"$work/passed" && mv "$work/passed" "$work/proof/verdict.json"
expect_exit 1 "$PLINTH" publish tuned --base plain --proof "$work/proof"
expect_text "$work/err" "the proof is another model's: its adapter is"
expect_exit 0 "$PLINTH" publish tuned --base plain --adapter "$work/a.gguf" --proof "$work/proof" --json
expect_text "$work/out" '"adapter"'
echo "formats: fine"
