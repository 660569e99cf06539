#!/usr/bin/env bash
# A base pulled from a hub: killed in the middle, gone on with, imported, shown, removed; the token
# reaches the hub and nobody else. The hub is a script on this machine, the base a tiny golden one.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3 for the hub"

cp -r tests/golden/model/llama "$work/repository"
rm -rf "$work/repository/adapter"
python3 tests/e2e/fake_hub.py "$work/repository" "$work/hub.log" >"$work/address" &
server=$!
for _ in $(seq 100); do
  [ -s "$work/address" ] && break
  sleep 0.1
done
hub=$(cat "$work/address")
[ -n "$hub" ] || fail "the hub did not start"
export no_proxy=127.0.0.1 HF_TOKEN=hf_e2e_secret
unset HF_ENDPOINT
pull=("$PLINTH" model import hf://tiny/base --hub "$hub" --as tiny)
folder=$PLINTH_HOME/hub/huggingface/tiny/base/0123456789abcdef0123456789abcdef01234567
part=$folder/model.safetensors.part

# Starts a pull and waits until the large file was asked for and stands still at 40,000 bytes.
start_pull() {
  local asked
  asked=$(grep -c '^cdn' "$work/hub.log" || true)
  touch "$work/repository/.stall"
  "${pull[@]}" >"$work/out" 2>"$work/err" &
  puller=$!
  for _ in $(seq 200); do
    [ "$(grep -c '^cdn' "$work/hub.log" || true)" -gt "$asked" ] &&
      [ "$(stat -c %s "$part" 2>/dev/null || echo 0)" -ge 40000 ] && return
    sleep 0.05
  done
  cat "$work/err" >&2
  fail "the large file did not begin to arrive"
}

start_pull
kill -9 $puller
wait $puller 2>/dev/null || true
[ "$(stat -c %s "$part")" -eq 40000 ] || fail "the part is not what had arrived"
[ ! -e "$folder/model.safetensors" ] || fail "half a file has the name of a whole one"
expect_exit 1 "$PLINTH" model show tiny

# Ctrl-C: exit code 130, and the part stays, too. (A shell starts background jobs deaf to SIGINT.)
start_pull
kill -TERM $puller
got=0
wait $puller || got=$?
[ $got -eq 130 ] || fail "exit $got, not 130, when interrupted"
[ "$(stat -c %s "$part")" -eq 40000 ] || fail "the part did not survive an interrupt"

rm "$work/repository/.stall"
expect_exit 0 "${pull[@]}" --json
[ "$(jq -r .name "$work/out")" = tiny ] || fail "the result names the base"
grep -q 'cdn .*range=bytes=40000-' "$work/hub.log" || fail "the download began anew"
cmp "$folder/model.safetensors" tests/golden/model/llama/model.safetensors
[ ! -e "$part" ] || fail "the part is still there"
[ ! -e "$folder/expected.json" ] || fail "a file that no base needs was fetched"

expect_exit 0 "$PLINTH" model show tiny
expect_text "$work/out" "$hub/tiny/base 0123456789abcdef"
expect_exit 0 "$PLINTH" logits tiny --ids 1,2,3
requests=$(wc -l <"$work/hub.log")
expect_exit 0 "${pull[@]}"
[ "$(wc -l <"$work/hub.log")" -eq $((requests + 2)) ] || fail "a second pull fetched files"

grep -q '^hub .*token=Bearer hf_e2e_secret' "$work/hub.log" || fail "the hub did not get the token"
! grep '^cdn' "$work/hub.log" | grep -v 'token=None' || fail "another server got the token"
! grep -r hf_e2e_secret "$PLINTH_HOME" "$work/out" "$work/err" || fail "the token was written down"

expect_exit 1 "$PLINTH" model import hf://tiny/missing --hub "$hub" --as none
expect_text "$work/err" "hf://tiny/missing"
expect_exit 1 "$PLINTH" model import https://example.com/tiny/base --as none
expect_text "$work/err" "hf://ORG/NAME"

expect_exit 0 "$PLINTH" model rm tiny
expect_exit 1 "$PLINTH" model rm tiny
[ ! -e "$PLINTH_HOME/hub/huggingface/tiny" ] || fail "the removed base left its files"
cp -r tests/golden/model/llama "$work/local"
expect_exit 0 "$PLINTH" model import "$work/local" --as local
expect_exit 0 "$PLINTH" model rm local
[ -e "$work/local/model.safetensors" ] || fail "an imported folder is not ours to remove"
echo "hub: fine"
