#!/usr/bin/env bash
# The loop over HTTP: a folder that the settings lend is refined, the corpus tuned on, the model proven; the server is killed (-9) in
# each of them, and the next one goes on. What was read is billed once, other tenants see nothing, the audit log is whole.
. "$(dirname "$0")/lib.sh"
mkdir -p "$work/docs"
for i in $(seq 400); do
  printf '# 第%s号电梯维护记录\n\n第%s号电梯在二〇二五年%s月检查了钢丝绳、制动器和限速器，编号%s，由第%s组完成，结果合格，记录在案。\n' \
    "$i" "$i" "$((i % 12 + 1))" "$((i * 7919 % 10007))" "$((i % 17))" >"$work/docs/lift-$i.md"
done
printf '[[folder]]\ntenant = "law"\npath = "docs"\n' >"$work/settings.toml"
key=$("$PLINTH" key create --tenant law --json 2>/dev/null | jq -r .key)
other=$("$PLINTH" key create --tenant other --json 2>/dev/null | jq -r .key)
"$PLINTH" price set plinth-zh-base --trained 1000 >/dev/null
start_server --settings "$work/settings.toml"
call() { # METHOD PATH [BODY]
  curl -s -m 30 -X "$1" -H "authorization: Bearer $key" -H 'content-type: application/json' ${3:+-d "$3"} "${address%/v1}$2"
}
upload() { # PURPOSE FILE
  curl -s -m 30 -H "authorization: Bearer $key" -F purpose="$1" -F "file=@$2" "$address/files" | jq -r .id
}
restart() {
  kill -9 $server
  wait $server 2>/dev/null || true
  start_server --settings "$work/settings.toml"
}
until_done() { # PATH
  for _ in $(seq 1200); do
    call GET "$1" >"$work/job"
    case $(jq -r .status "$work/job") in queued | running) sleep 0.1 ;; *) break ;; esac
  done
  [ "$(jq -r .status "$work/job")" = succeeded ] || { cat "$work/job" "$work/server.log" >&2; fail "$1"; }
}

[ "$(call POST /plinth/v1/corpora '{"name":"x","folder":"/etc"}' | jq -r .error.param)" = folder ] || fail "a folder that nobody lent"
corpus=$(call POST /plinth/v1/corpora "{\"name\":\"lifts\",\"folder\":\"$work/docs\"}" | jq -r .id)
sleep 0.1
restart
until_done "/plinth/v1/corpora/$corpus"
[ "$(jq '.documents + .rejects' "$work/job")" = 400 ] || fail "400 documents: $(cat "$work/job")"
call GET "/plinth/v1/corpora/$corpus/report" | jq -e '.documents_in == 400' >/dev/null || fail "the report"

job=$(call POST /v1/fine_tuning/jobs "{\"model\":\"plinth-zh-base\",\"training_file\":\"$corpus\",
  \"hyperparameters\":{\"n_epochs\":0.3,\"sequence\":128,\"rank\":4}}" | jq -r .id)
for _ in $(seq 300); do
  [ "$(call GET "/plinth/v1/runs/$job" | jq '.metrics | length')" -gt 0 ] && break
  sleep 0.1
done
restart
until_done "/plinth/v1/runs/$job"
model=$(jq -r .model "$work/job")
jq -e '.lineage.base_sha256 and (.metrics | length) == .result.steps' "$work/job" >/dev/null || fail "the run: $(head -c 2000 "$work/job")"
trained=$(jq .result.trained_tokens "$work/job")

for i in $(seq 20); do
  printf '{"question":"第%s号电梯检查了什么？","choices":["钢丝绳","天气"],"answer":0}\n' "$i" >>"$work/exam.jsonl"
done
printf '今天天气很好。\n\n我们去公园散步。\n\n他在学校读书。\n' >"$work/general.txt"
domain=$(upload suite "$work/exam.jsonl") general=$(upload suite "$work/general.txt")
proof=$(call POST /plinth/v1/proofs "{\"model\":\"$model\",\"domain\":\"$domain\",\"general\":\"$general\",\"tolerance\":5}" | jq -r .id)
restart
until_done "/plinth/v1/proofs/$proof"
jq -e '.verdict.domain.items == 20 and (.passed | type) == "boolean"' "$work/job" >/dev/null || fail "the proof: $(cat "$work/job")"

key=$other
for path in "corpora/$corpus" "corpora/$corpus/report" "runs/$job" "proofs/$proof" "suites/$domain"; do
  [ "$(call GET "/plinth/v1/$path" | jq -r .error.type)" = not_found_error ] || fail "another tenant sees $path"
done
stop_server
"$PLINTH" usage --tenant law --json | jq -e --argjson t "$trained" \
  '[.usage[] | select(.trained_tokens > 0)] | length == 1 and .[0].trained_tokens == $t and (.[0].cost - $t / 1000 | fabs) < 1e-6' >/dev/null ||
  fail "trained tokens: $("$PLINTH" usage --json)"
expect_exit 0 "$PLINTH" audit verify
echo "jobs: fine"
