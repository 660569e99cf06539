#!/usr/bin/env bash
# curl as people use it: bodies from files, of unknown length, announced with Expect; one connection for several requests; HTTP/1.0;
# HEAD; streams read line by line; protocols that the server does not speak.
. "$(dirname "$0")/lib.sh"
command -v curl >/dev/null || skip "no curl"
key=$("$PLINTH" key create --tenant e2e --json 2>/dev/null | jq -r .key)
start_server
root=${address%/v1}
cat >"$work/body" <<'END'
{"model": "plinth-zh-base", "messages": [{"role": "user", "content": "第一条是什么？"}], "max_tokens": 12, "temperature": 0}
END
ask() { curl -sS -m 30 -H "Authorization: Bearer $key" -H 'Content-Type: application/json' --data-binary @"$work/body" "$@" "$address/chat/completions"; }
text() { jq -r '.choices[0].message.content' "$1"; }

ask -o "$work/whole" || fail "curl"
answer=$(text "$work/whole")
[ -n "$answer" ] || fail "no answer: $(cat "$work/whole")"
ask -o "$work/chunked" -H 'Transfer-Encoding: chunked'
[ "$(text "$work/chunked")" = "$answer" ] || fail "a body of unknown length: $(cat "$work/chunked")"
ask -o "$work/expect" -H 'Expect: 100-continue'
[ "$(text "$work/expect")" = "$answer" ] || fail "Expect: $(cat "$work/expect")"
ask -o "$work/old" --http1.0
[ "$(text "$work/old")" = "$answer" ] || fail "HTTP/1.0: $(cat "$work/old")"
ask -o "$work/compressed" --compressed
[ "$(text "$work/compressed")" = "$answer" ] || fail "--compressed"

sed 's/"max_tokens"/"stream": true, "max_tokens"/' "$work/body" >"$work/streamed" && mv "$work/streamed" "$work/body"
ask -N >"$work/stream"
grep -q '^data: \[DONE\]' "$work/stream" || fail "the stream does not end: $(cat "$work/stream")"
joined=$(sed -n 's/^data: {/{/p' "$work/stream" | jq -rj '.choices[0].delta.content // empty')
[ "$joined" = "$answer" ] || fail "streamed: $joined, whole: $answer"
ask -N --http1.0 >"$work/stream"
grep -q '^data: \[DONE\]' "$work/stream" || fail "a stream over HTTP/1.0"

curl -sSv -m 10 -H "Authorization: Bearer $key" "$address/models" "$address/models" -o /dev/null -o /dev/null 2>"$work/verbose"
grep -q 'Re-using existing connection' "$work/verbose" || fail "two requests took two connections"
[ "$(curl -sS -m 10 -o /dev/null -w '%{http_code} %{size_download}' -I -H "Authorization: Bearer $key" "$address/models")" = '200 0' ] || fail HEAD
status=$(curl -sS -m 10 -o /dev/null -w '%{http_code}' --http2 -H "Authorization: Bearer $key" "$address/models")
[ "$status" = 200 ] || fail "an upgrade to HTTP/2 that is declined: $status"
if curl -sS -m 5 -o /dev/null --http2-prior-knowledge "$address/models" 2>"$work/err"; then fail "HTTP/2 without asking was answered"; fi
curl -sf -m 5 -o /dev/null "$root/healthz" || fail "the server is gone"
head -c 40000000 /dev/zero | tr '\0' ' ' >"$work/large"
status=$(curl -sS -m 30 -o "$work/answer" -w '%{http_code}' -H "Authorization: Bearer $key" --data-binary @"$work/large" "$address/chat/completions")
[ "$status" = 413 ] || fail "forty megabytes: $status"
jq -e .error.message "$work/answer" >/dev/null || fail "no error body: $(head -c 300 "$work/answer")"
stop_server
echo "curl: fine"
