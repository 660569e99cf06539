#!/usr/bin/env bash
# A base from nothing on the command line: killed at any moment and started again it is the base it would have been, byte for
# byte; data that it diverges on is left out, aloud.
. "$(dirname "$0")/lib.sh"

cd "$work"
words=(crane pump valve boiler lifts drives holds heats water steel oil load)
word=7
for i in $(seq 300); do
  line=
  for _ in 1 2 3 4 5 6; do
    word=$(((word * 5 + i) % 12))
    line+="${words[$word]} "
  done
  printf '%s%s.\n\n' "$line" "$i"
done > text.txt
cat > recipe.toml <<'T'
[model]
layers = 2
width = 32
heads = 2
kv_heads = 1
head_dim = 16
ffn = 48
context = 64
[tokenizer]
vocabulary = 290
[data]
heldout_mod = 10
[[data.source]]
path = "text.txt"
[train]
sequence = 32
batch_tokens = 256
micro_tokens = 128
steps = 120
lr = 5e-3
warmup_steps = 10
checkpoint_every = 7
eval_every = 20
T
losses() { sed -E 's/"(peak_bytes|seconds|tokens_per_s)":[^,}]*,?//g' "$1/metrics.jsonl"; }
same() {
  diff <(losses "$1") <(losses "$2") || fail "$2 has other losses than $1"
  cmp "$1/base.gguf" "$2/base.gguf" || fail "$2 is not $1"
}
expect_exit 0 "$PLINTH" pretrain recipe.toml --run whole
expect_text "$work/out" "whole/base.gguf: 120 steps"

kills=0
for lines in 3 30 31 64 100; do
  "$PLINTH" pretrain recipe.toml --run killed >"$work/out" 2>"$work/err" &
  run=$!
  for _ in $(seq 3000); do
    [ ! -s killed/metrics.jsonl ] || [ "$(wc -l < killed/metrics.jsonl)" -lt $lines ] || break
    kill -0 $run 2>/dev/null || break
    sleep 0.005
  done
  if kill -9 $run 2>/dev/null; then kills=$((kills + 1)); fi
  wait $run || true
done
[ $kills -gt 0 ] || fail "the run was over before it could be killed"
expect_exit 0 "$PLINTH" pretrain recipe.toml --run killed
same whole killed

# Noise among lines that are soon learnt.
sed 's/sequence = 32/sequence = 16/; s/batch_tokens = 256/batch_tokens = 16/; s/micro_tokens = 128/micro_tokens = 16/' recipe.toml |
  sed 's/steps = 120/steps = 700\ndivergences_max = 40/; s/text.txt/noisy.txt/; s/heldout_mod = 10/heldout_mod = 40/; s/vocabulary = 290/vocabulary = 262/' > noisy.toml
for i in $(seq 200); do printf 'abababababababababababababababababababababab %s\n\n' "$i"; done > noisy.txt
echo 'QZkWVxJ9!fKzYqLwXjVQ7pZ%KxWJYvQzLfXk&ZqVJwKYxPzQjXvWkLZfYqJ#VxKwZQpYLXjVkWzQf' >> noisy.txt
expect_exit 0 "$PLINTH" pretrain noisy.toml --run noisy
expect_text "$work/err" "leaving its data out (1 of 40 times)"
[ "$(wc -l < noisy/metrics.jsonl)" -eq 700 ] || fail "steps are missing from the metrics"
echo "pretrain: fine"
