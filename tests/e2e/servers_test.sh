#!/usr/bin/env bash
# Two servers on one PostgreSQL. Each job and each batch has one of them at a time; when that one is killed (-9) the other goes on,
# and when it is only stopped for a while (SIGSTOP) it finds out that it has lost the job and ends nothing.
[ -n "${PLINTH_TEST_POSTGRES:-}" ] || exec "$(dirname "$0")/../with_postgres" "$0"
. "$(dirname "$0")/lib.sh"
export PLINTH_LOG=info
key=$("$PLINTH" key create --tenant law --json 2>/dev/null | jq -r .key)
servers=()
trap 'for one in "${servers[@]}"; do kill -CONT $one 2>/dev/null || true; kill -9 $one 2>/dev/null || true; done; cleanup' EXIT

# begin NAME: a server, its log in $work/NAME.log, its process and address in pid[NAME] and at[NAME]. Each has a home of its own, as
# on two machines that share the folders of artifacts and jobs.
declare -A pid at
mkdir -p "$work/shared/artifacts" "$work/shared/jobs"
begin() {
  mkdir -p "$work/home-$1"
  ln -sfn "$work/shared/artifacts" "$work/home-$1/artifacts"
  ln -sfn "$work/shared/jobs" "$work/home-$1/jobs"
  cp "$PLINTH_HOME/plinth.toml" "$work/home-$1/"
  : >"$work/$1.log"
  PLINTH_HOME=$work/home-$1 "$PLINTH" serve --port 0 2>"$work/$1.log" &
  pid[$1]=$!
  servers+=($!)
  for _ in $(seq 100); do
    grep -q 'serving .* on http' "$work/$1.log" && break
    sleep 0.1
  done
  at[$1]=$(sed -n 's/.* on \(http[^,]*\),.*/\1/p' "$work/$1.log" | head -n 1)
  [ -n "${at[$1]}" ] || { cat "$work/$1.log" >&2; fail "server $1 did not start"; }
}
call() { # SERVER METHOD PATH [BODY]
  curl -s -m 30 -X "$2" -H "authorization: Bearer $key" -H 'content-type: application/json' ${4:+-d "$4"} "${at[$1]}$3"
}
upload() { # SERVER PURPOSE FILE
  curl -s -m 30 -H "authorization: Bearer $key" -F purpose="$2" -F "file=@$3" "${at[$1]}/files" | jq -r .id
}
runner_of() { # JOB
  for _ in $(seq 300); do
    for name in a b; do
      ! grep -q "$1 runs here" "$work/$name.log" || { echo $name; return; }
    done
    sleep 0.1
  done
  fail "nobody runs $1"
}
for i in $(seq 300); do
  printf '{"messages":[{"role":"user","content":"第%s条？"},{"role":"assistant","content":"电梯维护保养规则。"}]}\n' "$i" >>"$work/rows.jsonl"
  printf '{"custom_id":"r%s","method":"POST","url":"/v1/completions","body":{"model":"plinth-zh-base","prompt":"第%s条","max_tokens":40,"ignore_eos":true}}\n' \
    "$i" "$i" >>"$work/batch.jsonl"
done
begin a
begin b
file=$(upload a fine-tune "$work/rows.jsonl")
job=$(call a POST /fine_tuning/jobs "{\"model\":\"plinth-zh-base\",\"training_file\":\"$file\",
  \"hyperparameters\":{\"n_epochs\":20,\"sequence\":64,\"rank\":4,\"batch_size\":4}}" | jq -r .id)
lines=$(upload a batch "$work/batch.jsonl")
batch=$(call a POST /batches "{\"input_file_id\":\"$lines\",\"endpoint\":\"/v1/completions\",\"completion_window\":\"24h\"}" | jq -r .id)
steps() { call "$1" GET "/fine_tuning/jobs/$job/events?limit=10000" | jq '[.data[] | select(.type == "metrics") | .data.step]'; }
first=$(runner_of "$job")
other=b
[ "$first" = a ] || other=a
for _ in $(seq 300); do [ "$(steps "$other" | jq length)" -gt 2 ] && break; sleep 0.1; done

# Stopped, as a machine that hangs: after a while the job is the other one's, which begins when the first has let go of its folder.
kill -STOP "${pid[$first]}"
for _ in $(seq 400); do grep -q "$job waits" "$work/$other.log" && break; sleep 0.1; done
expect_text "$work/$other.log" "$job waits"
kill -CONT "${pid[$first]}"
for _ in $(seq 200); do grep -q "$job runs here" "$work/$other.log" && break; sleep 0.1; done
expect_text "$work/$first.log" "was taken for dead"
expect_text "$work/$other.log" "$job runs here"

# Killed: the one that has slept takes it.
kill -9 "${pid[$other]}"
wait "${pid[$other]}" 2>/dev/null || true
for _ in $(seq 1500); do
  status=$(call "$first" GET "/fine_tuning/jobs/$job" | jq -r .status)
  [ "$status" = running ] || break
  sleep 0.1
done
[ "$status" = succeeded ] || fail "the job is $status: $(call "$first" GET "/fine_tuning/jobs/$job")"
[ "$(grep -c "$job runs here" "$work/$first.log")" -eq 2 ] || fail "who ran it? $(grep 'runs here' "$work"/?.log)"
done_events=$(call "$first" GET "/fine_tuning/jobs/$job/events?limit=10000" | jq '[.data[] | select(.message | startswith("The job has succeeded"))] | length')
[ "$done_events" -eq 1 ] || fail "it ended $done_events times"
for _ in $(seq 1500); do
  call "$first" GET "/batches/$batch" >"$work/batch"
  [ "$(jq -r .status "$work/batch")" = in_progress ] || break
  sleep 0.1
done
jq -e '.status == "completed" and .request_counts == {total: 300, completed: 300, failed: 0}' "$work/batch" >/dev/null || fail "the batch: $(cat "$work/batch")"
curl -s -m 30 -H "authorization: Bearer $key" "${at[$first]}/files/$(jq -r .output_file_id "$work/batch")/content" >"$work/answers"
[ "$(jq -r .custom_id "$work/answers" | sort -u | wc -l)" -eq 300 ] || fail "lines of the batch"
kill -TERM "${pid[$first]}"
wait "${pid[$first]}" || fail "the server did not end cleanly"
servers=()
# Paid once: by the job, and by each line.
"$PLINTH" usage --tenant law --json | jq -e '([.usage[] | select(.trained_tokens > 0)] | length == 1 and .[0].requests <= 301) and
  ([.usage[].completion_tokens] | add) == 12000' >/dev/null || fail "the ledger: $("$PLINTH" usage --json)"
expect_exit 0 "$PLINTH" audit verify
echo "servers: fine"
