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

# Prompts of a seed are the server's from then on; those of another are new to it.
hits() { curl -s "${address%/v1}/metrics" | awk '$1 == "plinth_engine_prefix_hits_tokens" { print $2 }'; }
load --prompt-tokens 200 --seed 2 >/dev/null
before=$(hits)
load --prompt-tokens 200 --seed 3 >/dev/null
[ "$(hits)" = "$before" ] || fail "prompts of another seed were known: $before, $(hits)"
load --prompt-tokens 200 --seed 3 >/dev/null
[ "$(hits)" -gt "$before" ] || fail "prompts of a seed came twice, and were not known"

echo '[{"max_tokens": 3}, {"max_tokens": 2}]' >"$work/fields.json"
load --fields "$work/fields.json" >"$work/fields"
jq -e '[.requests[].answer_tokens] == [3, 2, 3, 2, 3, 2]' "$work/fields" >/dev/null || fail "fields in turn: $(cat "$work/fields")"
echo '{"max_tokens": 3}' >"$work/fields.json"
expect_exit 1 load --fields "$work/fields.json"
expect_text "$work/err" "fields.json: not a JSON array of objects"

models=nobody expect_exit 1 load
expect_text "$work/err" "6 of 6 requests failed"
expect_text "$work/err" "nobody"
expect_exit 1 "$PLINTH" bench serve --url http://127.0.0.1:9/v1 --models x --requests 1
stop_server
echo "bench serve: fine"
