#!/usr/bin/env bash
# Bytes survive tokenize -> detokenize through the real base's tokenizer, broken UTF-8 included.
. "$(dirname "$0")/lib.sh"

{ cat README.md; printf '电梯维保：限速器每两年校验一次。🛗\n'; printf '\xff\xfe broken \xe4\xb8'; } >"$work/text"
"$PLINTH" tokenize plinth-zh-base --file "$work/text" --json >"$work/ids.json"
"$PLINTH" detokenize plinth-zh-base --file "$work/ids.json" >"$work/back"
cmp "$work/text" "$work/back" || fail "bytes changed"
"$PLINTH" logits plinth-zh-base --ids 300,301,302 --greedy 4 --json >"$work/logits.json"
[ "$(jq '.logits | length' "$work/logits.json")" = 3 ] || fail "three rows of logits"
[ "$(jq '.greedy | length' "$work/logits.json")" = 4 ] || fail "four greedy ids"
echo "tokenize: fine"
