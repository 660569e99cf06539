# Sourced by the end-to-end tests: finds the binary, makes a home that goes away, small assertions.
# PLINTH names the binary under test (ctest sets it).
set -euo pipefail
: "${PLINTH:?set PLINTH to the binary under test}"
work=$(mktemp -d)
export PLINTH_HOME=$work/home
# Under tests/with_postgres the home's state is there.
if [ -n "${PLINTH_TEST_POSTGRES:-}" ]; then
  mkdir -p "$PLINTH_HOME"
  echo "database = \"$PLINTH_TEST_POSTGRES\"" >"$PLINTH_HOME/plinth.toml"
fi
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

# expect_exit CODE COMMAND...: the command ends with that code; its output lands in $work/out, $work/err.
expect_exit() {
  local want=$1 got=0
  shift
  "$@" >"$work/out" 2>"$work/err" || got=$?
  [ "$got" -eq "$want" ] || { cat "$work/out" "$work/err" >&2; fail "exit $got, not $want: $*"; }
}

expect_text() { grep -qF -- "$2" "$1" || { cat "$1" >&2; fail "no '$2' in $1"; }; }

# Starts `plinth serve ARGUMENTS...` on a free port; sets $server and $address (with /v1).
start_server() {
  : >"$work/server.log"
  "$PLINTH" serve --port 0 "$@" 2>"$work/server.log" &
  server=$!
  for _ in $(seq 100); do
    grep -q 'serving .* on http' "$work/server.log" && break
    sleep 0.1
  done
  address=$(sed -n 's/.* on \(http[^,]*\),.*/\1/p' "$work/server.log" | head -n 1)
  [ -n "$address" ] || { cat "$work/server.log" >&2; fail "the server did not start"; }
}

stop_server() {
  kill -TERM $server
  wait $server || fail "the server did not end cleanly"
  server=
}

skip() { echo "SKIPPED: $*"; exit 77; }
