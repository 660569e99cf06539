#!/usr/bin/env bash
# Training data as a user makes it: from a corpus by templates, cloze and a model behind our own server; and checked in every
# shape that tune reads.
. "$(dirname "$0")/lib.sh"

raw=$(cd "$(dirname "$0")/../../examples/firm/raw" && pwd)
expect_exit 0 "$PLINTH" refine "$raw" -o "$work/corpus" --quiet
expect_exit 0 "$PLINTH" data build "$work/corpus" -o "$work/plain.jsonl" --rows questions
for generator in faq heading table statement; do expect_text "$work/out" "  $generator "; done
expect_exit 0 "$PLINTH" data build "$work/corpus" -o "$work/cloze.jsonl" --rows questions --cloze
expect_text "$work/out" "  cloze "
expect_text "$work/cloze.jsonl" "____。"

# A small model says little that stands in its passage: what it says is counted, none of it is lost silently.
key=$("$PLINTH" key create --tenant e2e --json 2>/dev/null | jq -r .key)
start_server
expect_exit 0 "$PLINTH" data build "$work/corpus" -o "$work/model.jsonl" --rows questions --model plinth-zh-base \
  --model-url "$address" --key "$key" --passages 3 --json
jq -e '(.by_generator.model // 0) + .unusable + .ungrounded >= 3' "$work/out" >/dev/null || fail "passages are missing"
expect_exit 1 "$PLINTH" data build "$work/corpus" -o "$work/none.jsonl" --model nobody --model-url "$address" --key "$key"
expect_text "$work/err" "nobody"
expect_exit 1 "$PLINTH" data build "$work/corpus" -o "$work/none.jsonl" --model x --model-url ftp://127.0.0.1
[ ! -e "$work/none.jsonl" ] || fail "rows of a build that failed"
stop_server
expect_exit 1 "$PLINTH" data build "$work/corpus" -o "$work/none.jsonl" --model x --model-url "$address" --passages 1
expect_exit 0 "$PLINTH" data check "$work/model.jsonl"

# A server that is busy is asked again; one that answers something else is no chat server.
fake_chat() {
  : >"$work/port"
  python3 "$(dirname "$0")/fake_chat.py" "$1" >>"$work/port" &
  server=$!
  for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
  address=http://127.0.0.1:$(cat "$work/port")/v1
}
if command -v python3 >/dev/null; then
  fake_chat '{"choices":[{"message":{"content":"[{\"question\":\"电梯困人怎么办？\",\"answer\":\"电梯\"}]"}}]}'
  expect_exit 0 "$PLINTH" data build "$work/corpus" -o "$work/busy.jsonl" --model x --model-url "$address" --passages 2 --json
  jq -e '(.by_generator.model // 0) + .ungrounded == 2 and .unusable == 0' "$work/out" >/dev/null || fail "a busy server: $(cat "$work/out")"
  kill $server
  fake_chat '<html>log in</html>'
  expect_exit 1 "$PLINTH" data build "$work/corpus" -o "$work/none.jsonl" --model x --model-url "$address" --passages 1
  expect_text "$work/err" "answers with no chat completion: <html>log in</html>"
  kill $server
  server=
fi

cat >"$work/rows.jsonl" <<'T'
{"instruction": "写一句话", "input": "关于电梯", "output": "电梯应当定期维护。"}
{"conversations": [{"from": "human", "value": "你好"}, {"from": "gpt", "value": "你好，请讲。"}], "system": "你是助手"}
{"messages": [{"role": "user", "content": "几点？"}, {"role": "assistant", "content": "九点。"}]}
{"query": "去哪里？", "response": "去机房。"}
{"text": "正文一段，用来继续预训练。"}
T
expect_exit 0 "$PLINTH" data check "$work/rows.jsonl" --json
jq -e '.by_shape == {"alpaca":1,"messages":1,"query":1,"sharegpt":1,"text":1} and .learned_chars.most == 13' "$work/out" >/dev/null ||
  fail "shapes: $(cat "$work/out")"
cat >>"$work/rows.jsonl" <<'T'
{"query": "去哪里？", "response": "去机房。"}
{"instruction": "没有答案"}
{"conversations": [{"from": "robot", "value": "?"}]}
[
T
expect_exit 1 "$PLINTH" data check "$work/rows.jsonl"
expect_text "$work/out" "line 6: the same as an earlier row"
expect_text "$work/out" "line 7:"
expect_text "$work/out" "line 8: message 0: role robot"
expect_text "$work/out" "line 9: a JSON list over several lines"
echo "data: fine"
