#!/usr/bin/env bash
# Tenants from the command line and over HTTP: roles, quotas, prices, statements, and a batch that outlives kill -9.
. "$(dirname "$0")/lib.sh"
command -v curl >/dev/null || skip "no curl"

expect_exit 0 "$PLINTH" tenant create law
expect_exit 1 "$PLINTH" tenant create law
expect_exit 1 "$PLINTH" key create --tenant law --role king
expect_text "$work/err" "king"
key() { "$PLINTH" key create --json "$@" 2>/dev/null | jq -r .key; }
admin=$(key --tenant plant --role operator)
user=$(key --tenant law --models plinth-zh-base --expires-days 1)
billing=$(key --tenant law --role billing)
start_server
root=${address%/v1}
# call KEY METHOD PATH [BODY]: prints the status; the answer is in $work/answer.
call() {
  curl -s -o "$work/answer" -w '%{http_code}' -X "$2" -H "authorization: Bearer $1" -H 'content-type: application/json' \
    ${4:+-d "$4"} "$root$3"
}
expect_status() {
  local want=$1 got
  shift
  got=$(call "$@")
  [ "$got" = "$want" ] || { cat "$work/answer" >&2; fail "status $got, not $want: $2 $3"; }
}

chat='{"model":"plinth-zh-base","messages":[{"role":"user","content":"第一条"}],"max_tokens":4}'
expect_status 200 "$user" POST /v1/chat/completions "$chat"
expect_status 403 "$billing" POST /v1/chat/completions "$chat"
expect_status 403 "$user" GET /plinth/v1/usage
expect_status 200 "$billing" GET /plinth/v1/usage
expect_status 403 "$user" GET /plinth/v1/tenants
expect_status 200 "$admin" GET /plinth/v1/tenants

expect_exit 0 "$PLINTH" tenant quota law --requests-per-minute 1
expect_status 200 "$user" POST /v1/chat/completions "$chat"
expect_status 429 "$user" POST /v1/chat/completions "$chat"
expect_status 200 "$admin" PUT /plinth/v1/quotas/law '{"requests_per_minute":0}'
expect_status 200 "$user" POST /v1/chat/completions "$chat"

expect_exit 0 "$PLINTH" price set plinth-zh-base --prompt 1 --completion 1000000
expect_exit 0 "$PLINTH" usage --csv
[ "$(cut -d, -f4 "$work/out" | tail -n 1)" = 3 ] || fail "three requests in the statement: $(cat "$work/out")"
expect_exit 1 "$PLINTH" usage --month May

for i in $(seq 40); do
  jq -cn --arg id "$i" --argjson body "$chat" \
    '{custom_id: $id, method: "POST", url: "/v1/chat/completions", body: ($body + {max_tokens: 200, ignore_eos: true})}'
done >"$work/in.jsonl"
file=$(curl -s -H "authorization: Bearer $user" -F purpose=batch -F "file=@$work/in.jsonl" "$address/files" | jq -r .id)
expect_status 200 "$user" POST /v1/batches "{\"input_file_id\":\"$file\",\"endpoint\":\"/v1/chat/completions\",\"completion_window\":\"24h\"}"
batch=$(jq -r .id "$work/answer")
for _ in $(seq 200); do
  expect_status 200 "$user" GET "/v1/batches/$batch"
  [ "$(jq .request_counts.completed "$work/answer")" -ge 3 ] && break
  sleep 0.02
done
kill -9 $server
wait $server 2>/dev/null || true
start_server
root=${address%/v1}
for _ in $(seq 300); do
  expect_status 200 "$user" GET "/v1/batches/$batch"
  [ "$(jq -r .status "$work/answer")" = completed ] && break
  sleep 0.1
done
[ "$(jq -c .request_counts "$work/answer")" = '{"completed":40,"failed":0,"total":40}' ] || fail "the batch: $(cat "$work/answer")"
output=$(jq -r .output_file_id "$work/answer")
expect_status 200 "$user" GET "/v1/files/$output/content"
[ "$(jq -s 'map(.custom_id) | unique | length' "$work/answer")" = 40 ] || fail "forty answers"
expect_status 404 "$admin" GET "/v1/files/$output"
[ "$("$PLINTH" usage --tenant law --json | jq '.usage[0].requests')" = 43 ] || fail "43 requests: $("$PLINTH" usage --json)"
stop_server
echo "tenants: fine"
