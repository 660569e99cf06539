#!/usr/bin/env bash
# The command line as a stranger meets it: help, wrong usage, wrong input, missing files.
. "$(dirname "$0")/lib.sh"

expect_exit 0 "$PLINTH" --help
expect_text "$work/out" "COMMAND --help"
for verb in doctor model adapter refine data pretrain tune eval publish release key tenant price usage serve chat tokenize logits bench; do
  expect_exit 0 "$PLINTH" $verb --help
  expect_text "$work/out" "Example:"
done
expect_exit 2 "$PLINTH"
expect_exit 2 "$PLINTH" no-such-verb
expect_exit 2 "$PLINTH" model
expect_exit 2 "$PLINTH" serve --port 70000
expect_exit 2 "$PLINTH" tokenize plinth-zh-base

expect_exit 1 "$PLINTH" model show no-such-base
expect_text "$work/err" "no-such-base"
expect_exit 1 "$PLINTH" refine /no/such/folder -o "$work/corpus"
expect_text "$work/err" "/no/such/folder"
[ ! -e "$work/corpus" ] || fail "a failed refine left an output folder"
head -c 5000 /dev/urandom >"$work/noise.gguf"
expect_exit 1 "$PLINTH" model import "$work/noise.gguf" --as noise
expect_text "$work/err" "noise.gguf"
expect_exit 1 "$PLINTH" logits plinth-zh-base --ids 1,99999999
expect_text "$work/err" "99999999"
printf '[model]\nlayer = 3\n' >"$work/recipe.toml"
expect_exit 1 "$PLINTH" pretrain "$work/recipe.toml" --run "$work/run"
expect_text "$work/err" "recipe.toml:2"
expect_exit 1 "$PLINTH" publish nobody --base plinth-zh-base --adapter /none --proof /none
# What keeps nothing ends at the first signal (143), without being killed for it (137).
expect_exit 143 timeout --preserve-status --kill-after 60 2 "$PLINTH" bench prefill --repeats 1000
PLINTH_SIMD=AVX9 expect_exit 0 "$PLINTH" --version
expect_text "$work/err" 'PLINTH_SIMD: AVX9 is none of'
echo "usage: fine"
