#!/usr/bin/env bash
# One tuning run over several processes, started by mpirun: the same bits as in one, whatever their number; recipes and data
# that differ between them, a missing plugin and commands that run in one process are refused; a process that dies ends
# the run, which goes on with another number.
. "$(dirname "$0")/lib.sh"

command -v mpirun >/dev/null || skip "no mpirun"
[ -e "$(dirname "$PLINTH")/plinth_mpi.so" ] || skip "built without MPI"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PLINTH_THREADS=1
processes() { mpirun --oversubscribe --bind-to none -n "$@"; }

base=plinth-zh-base
cd "$work"
for i in $(seq 100); do
  echo "{\"instruction\": \"$((i % 10))+1?\", \"output\": \"it is $((i % 10 + 1)) #$i\"}"
done > rows.jsonl
recipe() {  # NAME STEPS
  printf '[data]\nfiles = ["rows.jsonl"]\nheldout_share = 0.1\n[lora]\nrank = 4\n[train]\nsequence = 64\nbatch_tokens = 512\nmicro_tokens = 128\n' > "$1.toml"
  printf 'steps = %s\neval_every = 3\ncheckpoint_every = 2\n' "$2" >> "$1.toml"
}
recipe law 6
recipe tax 4
losses() { sed -E 's/"(peak_bytes|seconds|tokens_per_s)":[^,}]*,?//g' "$1/metrics.jsonl"; }
same() {
  diff <(losses "$1") <(losses "$2") || fail "$2 has other losses than $1"
  cmp "$1/adapter/adapter_model.safetensors" "$2/adapter/adapter_model.safetensors" || fail "$2 is not $1"
}

expect_exit 0 "$PLINTH" tune law.toml --base "$base" --run one
for n in 2 4; do
  expect_exit 0 processes $n "$PLINTH" tune law.toml --base "$base" --run by-$n
  same one by-$n
done
# Several recipes over several processes.
expect_exit 0 processes 2 "$PLINTH" tune law.toml tax.toml --base "$base" --run both
same one both/law
[ -s both/tax/adapter.gguf ] || fail "no second adapter"

# What differs is named, and nothing is begun.
mkdir other && cp rows.jsonl law.toml other && sed -i 's/rank = 4/rank = 8/' other/law.toml
expect_exit 1 mpirun --oversubscribe -n 1 "$PLINTH" tune law.toml --base "$base" --run new : \
  -n 1 "$PLINTH" tune other/law.toml --base "$base" --run new
expect_text "$work/err" "rank 1 of 2: lora.rank is 8 there, 4 on rank 0"
cp law.toml other/law.toml && echo '{"text": "one row more"}' >> other/rows.jsonl
expect_exit 1 mpirun --oversubscribe -n 1 "$PLINTH" tune law.toml --base "$base" --run new : \
  -n 1 "$PLINTH" tune other/law.toml --base "$base" --run new
expect_text "$work/err" "rank 1 of 2: data.sha256 is"
[ ! -e new ] || fail "a refused run left a folder"
rm other/rows.jsonl
expect_exit 1 mpirun --oversubscribe -n 1 "$PLINTH" tune law.toml --base "$base" --run new : \
  -n 1 "$PLINTH" tune other/law.toml --base "$base" --run new
expect_text "$work/err" "rank 1 of 2: "
expect_exit 1 processes 2 "$PLINTH" tune find-lr law.toml --base "$base"
expect_text "$work/err" "tune find-lr runs in one process; a launcher started 2"
sed 's/^\[data\]/method = "full"\n[data]/' law.toml > full.toml
expect_exit 1 processes 2 "$PLINTH" tune full.toml --base "$base" --run new
expect_text "$work/err" 'method "full" runs in one process, not in 2'
mkdir alone && cp "$PLINTH" alone/plinth
expect_exit 1 processes 2 alone/plinth tune law.toml --base "$base" --run new
expect_text "$work/err" "started as 2 processes, which would each do the same work"
# The launcher of another MPI: its variables without it.
PMI_SIZE=3 expect_exit 1 "$PLINTH" tune law.toml --base "$base" --run new
expect_text "$work/err" "the launcher started 3 processes, MPI knows of 1"

# A process that helps is killed: the run ends, and goes on in three with the losses it would have had.
recipe long 30
expect_exit 0 "$PLINTH" tune long.toml --base "$base" --run whole
mpirun --oversubscribe --bind-to none -n 2 "$PLINTH" tune long.toml --base "$base" --run killed \
  >"$work/out" 2>"$work/err" &
launcher=$!
for _ in $(seq 600); do
  [ ! -s killed/metrics.jsonl ] || [ "$(wc -l < killed/metrics.jsonl)" -lt 5 ] || break
  sleep 0.05
done
kill -9 "$(pgrep -P $launcher -n plinth)"
if wait $launcher; then fail "a run with a dead process ended well"; fi
expect_text "$work/err" "exited on signal 9"
[ "$(wc -l < killed/metrics.jsonl)" -lt 30 ] || fail "the run was over before the process died"
expect_exit 0 processes 3 "$PLINTH" tune long.toml --base "$base" --run killed
same whole killed
