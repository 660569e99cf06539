#!/usr/bin/env bash
# Refining as a user does it: any number of threads, kills, a full disk, several machines, a folder of anything.
. "$(dirname "$0")/lib.sh"

raw=$(cd "$(dirname "$0")/../../examples/firm/raw" && pwd)
same() { diff -rq -x report.json "$1" "$2" >"$work/diff" || { cat "$work/diff" >&2; fail "$1 and $2 differ"; }; }

mkdir "$work/in"
for i in 1 2 3 4 5 6; do cp -r "$raw" "$work/in/$i"; done  # several units of work; copies are duplicates
for i in 2 4 6; do find "$work/in/$i" -name '*.txt' -exec sh -c 'echo "第 $2 次修订的附注。" >>"$1"' _ {} $i \; ; done
for threads in 1 2 3 5; do
  PLINTH_THREADS=$threads expect_exit 0 "$PLINTH" refine "$work/in" -o "$work/out-$threads" --quiet
done
for threads in 2 3 5; do same "$work/out-1" "$work/out-$threads"; done

# Killed at many moments, the same command finishes and nothing is lost or doubled.
kills=0
for i in $(seq 1 40); do
  rm -rf "$work/cut" "$work/cut.work"
  for _ in 1 2; do
    "$PLINTH" refine "$work/in" -o "$work/cut" --quiet >/dev/null 2>&1 &
    pid=$!
    sleep "0.$(printf %03d $((i * 23 % 400)))"
    kill -9 $pid 2>/dev/null && kills=$((kills + 1))
    wait $pid 2>/dev/null || true
  done
  expect_exit 0 "$PLINTH" refine "$work/in" -o "$work/cut" --quiet
  same "$work/out-1" "$work/cut"
  [ ! -e "$work/cut.work" ] || fail "work was left behind"
done
[ "$kills" -gt 10 ] || fail "only $kills runs were killed"

# Three processes, one corpus.
for rank in 0 1 2; do
  "$PLINTH" refine "$work/in" -o "$work/part-$rank" --rank $rank --world 3 --quiet >/dev/null &
  parts[rank]=$!
done
for rank in 0 1 2; do wait "${parts[rank]}" || fail "rank $rank failed"; done
expect_exit 0 "$PLINTH" refine merge "$work/part-1" "$work/part-0" "$work/part-2" -o "$work/merged"
same "$work/out-1" "$work/merged"
expect_exit 1 "$PLINTH" refine merge "$work/part-0" "$work/part-1" -o "$work/merged"
expect_text "$work/err" "rank 2 of 3 is missing"
expect_exit 1 "$PLINTH" refine "$work/in" -o "$work/p" --rank 3 --world 3
expect_exit 2 "$PLINTH" refine "$work/in"

# A full disk: a clean stop that says so, and the same command goes on once there is room.
small=$work/small
mkdir "$small"
if mount -t tmpfs -o size=200k none "$small" 2>/dev/null; then
  expect_exit 1 "$PLINTH" refine "$work/in" -o "$small/out" --quiet
  expect_text "$work/err" "No space left on device"
  expect_text "$work/err" "the same command goes on from"
  mount -o remount,size=64m "$small"
  expect_exit 0 "$PLINTH" refine "$work/in" -o "$small/out" --quiet
  same "$work/out-1" "$small/out"
  umount "$small"
else
  echo "no full disk tried: may not mount"
fi

# What the rules would do, and nothing written.
expect_exit 0 "$PLINTH" refine "$raw" --dry-run
expect_text "$work/out" "mask:phone"
expect_text "$work/out" "near_duplicate"
expect_text "$work/out" "Nothing was written"
expect_exit 2 "$PLINTH" refine "$raw"

# Headers and footers of a site's pages go, by any number of processes.
mkdir -p "$work/site"
for i in $(seq 40); do
  { echo "晨光门户 首页 新闻 服务大厅"
    head -c 3000 /dev/urandom | od -An -tx1 -w16 | tr -d ' \n' | fold -w 60 | sed "s/^/巡检记录 $i /"
    echo "版权所有 晨光门户 未经许可不得转载"; } >"$work/site/$i.txt"
done
cat >"$work/site.toml" <<'T'
[refine]
symbol_share_max = 1
T
expect_exit 0 "$PLINTH" refine "$work/site" --recipe "$work/site.toml" -o "$work/pages" --json
expect_text "$work/out" '"boilerplate_lines": 40'
zstd -dc "$work/pages/documents-00000.jsonl.zst" | grep -q 晨光门户 && fail "a header stayed"
for rank in 0 1; do
  expect_exit 0 "$PLINTH" refine "$work/site" --recipe "$work/site.toml" -o "$work/pages-$rank" --rank $rank --world 2
done
expect_exit 0 "$PLINTH" refine merge "$work/pages-0" "$work/pages-1" -o "$work/pages-merged"
same "$work/pages" "$work/pages-merged"

# A folder of anything: devices' output, broken archives, names in no encoding, loops of links.
odd=$work/odd
mkdir -p "$odd/a/b" "$odd/.git"
head -c 300000 /dev/urandom >"$odd/noise.pdf"
head -c 100000 /dev/zero >"$odd/zeros.txt"
printf 'PK\003\004nonsense' >"$odd/broken.zip"
printf '\377\376a\000b' >"$odd/utf16.txt"
printf 'x' >"$odd/$(printf 'name\377\376')"
ln -s .. "$odd/a/b/loop"
ln -s /nonexistent "$odd/dangling"
mkfifo "$odd/pipe"
: >"$odd/empty"
cp "$PLINTH" "$odd/program.html"
printf '%s\n' '第一条 为了规范电梯的维护保养工作，保障乘客的人身安全，制定本规程。' >"$odd/good.txt"
tar -C "$odd" -czf "$work/all.tar.gz" good.txt noise.pdf
mv "$work/all.tar.gz" "$odd/zz.tar.gz"
expect_exit 0 "$PLINTH" refine "$odd" -o "$work/oddities"
expect_text "$work/out" "1 kept"
for reason in "a link to nothing" "a link to a folder is not followed" "a pipe is no file"; do
  zstd -dc "$work/oddities/rejects-00000.jsonl.zst" >"$work/rejects"
  expect_text "$work/rejects" "$reason"
done

# From a byte of the output to the bytes of the input; review sheets; the quality model.
id=$(zstd -dc "$work/oddities/documents-00000.jsonl.zst" | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p' | head -n 1)
expect_exit 0 "$PLINTH" refine trace "$work/oddities" "$id"
expect_text "$work/out" "good.txt"
cp -r "$work/oddities" "$work/corpus"
(cd "$work" && expect_exit 0 "$PLINTH" refine trace "$id")
expect_exit 0 "$PLINTH" refine diff "$work/oddities" "$work/out-1"
expect_text "$work/out" "gone, now:"
expect_exit 0 "$PLINTH" refine report "$work/out-1"
expect_text "$work/out" "near_duplicate"
expect_exit 0 "$PLINTH" trace "$work/oddities" "$id:9" --input "$odd"
expect_text "$work/out" '"exact": true'
expect_exit 1 "$PLINTH" trace "$work/oddities" "$id:99999"
expect_text "$work/err" "there is no byte 99999"
expect_exit 0 "$PLINTH" refine review "$work/out-1" -o "$work/sheets" --sample 20 --seed 7
sed '2s/,,,$/,pass,,/; 2,$s/,,,$/,合格,,/' "$work/sheets/sheet.csv" >"$work/filled.csv"
expect_exit 0 "$PLINTH" refine verdicts "$work/filled.csv"
expect_text "$work/out" "100.00 %"
expect_exit 1 "$PLINTH" refine train-quality "$odd" "$odd" --out "$work/q.bin"
expect_text "$work/err" "at least 20 of each are needed"
echo "refine: fine"
