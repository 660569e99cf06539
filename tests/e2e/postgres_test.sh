#!/usr/bin/env bash
# A server whose state is in PostgreSQL: the command line and the API on one database; the database restarted in mid-answer, killed,
# and started again; the server killed (-9). Requests meet 503 and then answers again, never a server that is gone.
[ -n "${PLINTH_TEST_POSTGRES:-}" ] || exec "$(dirname "$0")/../with_postgres" "$0"
. "$(dirname "$0")/lib.sh"
ctl=$PLINTH_TEST_POSTGRES_CTL

mkdir -p "$PLINTH_HOME"
echo 'databse = "x"' >"$PLINTH_HOME/plinth.toml"
expect_exit 1 "$PLINTH" tenant list
expect_text "$work/err" databse
PLINTH_DATABASE=mysql://x expect_exit 1 "$PLINTH" tenant list
expect_text "$work/err" "postgresql:// is known"
echo "database = \"$PLINTH_TEST_POSTGRES\"" >"$PLINTH_HOME/plinth.toml"

key=$("$PLINTH" key create --tenant law --json 2>/dev/null | jq -r .key)
[ ! -e "$PLINTH_HOME/plinth.db" ] || fail "there is an SQLite file"
start_server
body='{"model":"plinth-zh-base","messages":[{"role":"user","content":"第一条"}],"max_tokens":8,"ignore_eos":true}'
ask() { curl -s -m 30 -o "$work/answer" -w '%{http_code}' -H "authorization: Bearer $key" -H 'content-type: application/json' \
  "$address/chat/completions" -d "$1"; }
until_status() {
  for _ in $(seq 100); do
    [ "$(ask "$body")" != "$1" ] || return 0
    sleep 0.1
  done
  fail "no $1: $(cat "$work/answer")"
}
[ "$(ask "$body")" = 200 ] || fail "$(cat "$work/answer")"

# A restart under a running answer, of so many choices that it runs for seconds: the answer ends as if nothing had been.
long=${body/\"max_tokens\":8/\"max_tokens\":400,\"n\":32,\"stream\":true}
curl -sN -m 60 -H "authorization: Bearer $key" -H 'content-type: application/json' "$address/chat/completions" -d "$long" >"$work/stream" &
stream=$!
for _ in $(seq 100); do grep -q data: "$work/stream" && break; sleep 0.02; done
grep -q DONE "$work/stream" && fail "the answer was over before the restart"
"$ctl" stop
"$ctl" start
wait $stream || fail "the stream was cut"
expect_text "$work/stream" '[DONE]'

"$ctl" kill
until_status 503
jq -e '.error.message | contains("database")' "$work/answer" >/dev/null || fail "$(cat "$work/answer")"
[ "$(curl -s -o /dev/null -w '%{http_code}' "${address%/v1}/healthz")" = 503 ] || fail "the server is gone, or takes work without its database"
expect_exit 1 "$PLINTH" usage
expect_text "$work/err" "database"
"$ctl" start
until_status 200

# The server's own death, and another one after it.
kill -9 $server
wait $server 2>/dev/null || true
start_server
[ "$(ask "$body")" = 200 ] || fail "$(cat "$work/answer")"
stop_server
requests=$("$PLINTH" usage --json | jq '.usage[0].requests')
[ "$requests" -ge 4 ] || fail "$requests requests in the ledger"
expect_exit 0 "$PLINTH" audit verify
expect_exit 0 "$PLINTH" tenant quota law --requests-per-minute 5
"$PLINTH" tenant quota law --json | jq -e '.quota.requests_per_minute == 5' >/dev/null || fail "the quota"
echo "postgres: fine"
