#!/usr/bin/env bash
# The main job, from raw documents to a served answer, twice: once interrupted, then whole.
. "$(dirname "$0")/lib.sh"

port=$((20000 + $$ % 20000))
# Interrupted in the middle (a group of its own, so that the signal reaches every child, as Ctrl-C does).
setsid ./quickstart --once --port $port --home "$PLINTH_HOME" >"$work/first.log" 2>&1 &
first=$!
for _ in $(seq 1200); do
  [ -e "$PLINTH_HOME/quickstart/run/metrics.jsonl" ] && break
  kill -0 $first 2>/dev/null || break
  sleep 0.1
done
sleep 5
kill -INT -- -$first 2>/dev/null || true
wait $first 2>/dev/null || true

./quickstart --once --port $port --home "$PLINTH_HOME" >"$work/second.log" 2>&1 ||
  { cat "$work/first.log" "$work/second.log" >&2; fail "quickstart"; }
cat "$work/second.log"
result=$PLINTH_HOME/quickstart.json
jq -e '.domain.lo > 0 and .domain.items >= 80' "$result" >/dev/null || fail "no domain gain: $(jq -c .domain "$result")"
jq -e '.general.delta <= .general.tolerance' "$result" >/dev/null || fail "general loss: $(jq -c .general "$result")"
jq -e '[.planted[] | .planted == .found] | all' "$result" >/dev/null || fail "planted faults: $(jq -c .planted "$result")"
jq -e '(.answers.domain | length > 0) and (.citation.source | length > 0)' "$result" >/dev/null ||
  fail "no answer with a citation: $(jq -c '{answers, citation}' "$result")"
expect=$(jq -r .expect examples/firm/demo.json)
jq -e --arg e "$expect" '.citation.text | contains($e)' "$result" >/dev/null ||
  fail "the source cited does not say $expect: $(jq -c '{answers, citation}' "$result")"
echo "quickstart: fine"
