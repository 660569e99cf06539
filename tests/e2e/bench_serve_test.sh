#!/usr/bin/env bash
# The load generator against a running server: closed and open loop, completions and chats, and what it says of failures.
. "$(dirname "$0")/lib.sh"

key=$("$PLINTH" key create --tenant e2e --json 2>/dev/null | jq -r .key)
start_server
load() { "$PLINTH" bench serve --url "$address/" --models "${models:-plinth-zh-base}" --key "$key" --requests 6 --answer-tokens 5 --json "$@"; }

load --users 3 --prompt-tokens 20 --shared-tokens 10 >"$work/closed"
jq -e '.failed == 0 and (.requests | length) == 6 and ([.requests[].answer_tokens] | add) == 30' "$work/closed" >/dev/null ||
  fail "closed loop: $(cat "$work/closed")"
jq -e '.requests[0].prompt_tokens == 20 and (.rows | map(select(.name == "output" and .value > 0)) | length) == 1' "$work/closed" >/dev/null ||
  fail "closed loop: $(cat "$work/closed")"
load --rate 50 --chat >"$work/open"
jq -e '.failed == 0 and .load.rate == 50 and .load.users == null' "$work/open" >/dev/null || fail "open loop: $(cat "$work/open")"
[ "$("$PLINTH" usage --json | jq '.usage[0].requests')" = 12 ] || fail "twelve requests in the ledger"

models=nobody expect_exit 1 load
expect_text "$work/err" "6 of 6 requests failed"
expect_text "$work/err" "nobody"
expect_exit 1 "$PLINTH" bench serve --url http://127.0.0.1:9/v1 --models x --requests 1
stop_server
echo "bench serve: fine"
