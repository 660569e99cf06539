#!/usr/bin/env bash
# HTTPS with a certificate of one's own, and both it and the settings read anew on SIGHUP.
. "$(dirname "$0")/lib.sh"
command -v openssl >/dev/null || skip "no openssl"

new_certificate() { # NAME: into $work/cert.pem, $work/key.pem
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -addext "subjectAltName=IP:127.0.0.1" \
    -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
}
subject() { openssl s_client -connect "${address#https://}" </dev/null 2>/dev/null | openssl x509 -noout -subject; }

new_certificate first
cp "$work/cert.pem" "$work/ca.pem"
echo 'log_requests = true' >"$work/settings.toml"
key=$("$PLINTH" key create --tenant e2e --json 2>/dev/null | jq -r .key)
expect_exit 1 "$PLINTH" serve --port 0 --tls-cert "$work/cert.pem" --tls-key "$work/nothing.pem"
expect_exit 1 "$PLINTH" serve --port 0 --tls-cert "$work/cert.pem"
start_server --tls-cert "$work/cert.pem" --tls-key "$work/key.pem" --settings "$work/settings.toml"
address=${address%/v1}
[ "${address%%:*}" = https ] || fail "no https: $address"

chat='{"model":"plinth-zh-base","messages":[{"role":"user","content":"电梯"}],"max_tokens":8,"stream":true}'
ask() { curl -sS --cacert "$work/ca.pem" "$address/v1/chat/completions" -H "authorization: Bearer $key" -d "$chat"; }
ask >"$work/out"
expect_text "$work/out" 'data: [DONE]'
curl -s "http://${address#https://}/healthz" && fail "plain HTTP was answered"
for _ in $(seq 50); do grep -q '"tenant":"e2e"' "$work/server.log" && break; sleep 0.1; done
expect_text "$work/server.log" '"tenant":"e2e"'
grep -q '电梯' "$work/server.log" && fail "the log has texts of requests"

new_certificate second
echo '电梯' >"$work/words.txt"
printf '[[filter]]\ncategory = "lifts"\nwords = "words.txt"\ninput = "block"\n' >"$work/settings.toml"
kill -HUP $server
for _ in $(seq 50); do subject | grep -q second && break; sleep 0.1; done
subject | grep -q second || fail "the certificate is still the first: $(subject)"
cp "$work/cert.pem" "$work/ca.pem"
ask >"$work/out"
expect_text "$work/out" '"code":"content_filter"'

echo 'nonsense = 1' >"$work/settings.toml"
kill -HUP $server
for _ in $(seq 50); do grep -q 'nothing was changed' "$work/server.log" && break; sleep 0.1; done
expect_text "$work/server.log" 'nonsense'
ask >"$work/out"
expect_text "$work/out" '"code":"content_filter"'

# Good settings beside a broken certificate: nothing is changed means neither.
echo 'log_requests = true' >"$work/settings.toml"
echo junk >"$work/cert.pem"
kill -HUP $server
for _ in $(seq 50); do grep -q 'nothing was changed: TLS' "$work/server.log" && break; sleep 0.1; done
expect_text "$work/server.log" 'nothing was changed: TLS'
subject | grep -q second || fail "another certificate: $(subject)"
ask >"$work/out"
expect_text "$work/out" '"code":"content_filter"'
stop_server
echo "tls: fine"
