#!/usr/bin/env bash
# The official Python client, unmodified, against a running server: models, whole and streamed chat,
# and the errors it knows by type. Skips where the client is not installed (build/clients, see .ci/run).
. "$(dirname "$0")/lib.sh"
python=build/clients/bin/python
[ -x $python ] && $python -c 'import openai' 2>/dev/null ||
  skip "no openai client; make it with: python3 -m venv build/clients && build/clients/bin/pip install openai"

key=$("$PLINTH" key create --tenant e2e --json 2>/dev/null | jq -r .key)
start_server

$python - "$address" "$key" <<'PY'
import json
import sys
import openai

address, key = sys.argv[1:]
client = openai.OpenAI(base_url=address, api_key=key, max_retries=0)
assert "plinth-zh-base" in [m.id for m in client.models.list()]
ask = dict(model="plinth-zh-base", messages=[{"role": "user", "content": "第一条是什么？"}], max_tokens=12, temperature=0)
whole = client.chat.completions.create(**ask)
assert whole.usage.completion_tokens > 0 and whole.choices[0].finish_reason in ("stop", "length")
parts = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
text = "".join(p.choices[0].delta.content or "" for p in parts if p.choices)
assert text == whole.choices[0].message.content, (text, whole)
assert parts[-1].usage.completion_tokens == whole.usage.completion_tokens
for wrong, error in ((dict(model="nobody"), openai.NotFoundError), (dict(n=1000), openai.BadRequestError)):
    try:
        client.chat.completions.create(**{**ask, **wrong})
        sys.exit(f"no error for {wrong}")
    except error:
        pass
choices = client.chat.completions.create(**{**ask, "temperature": 1, "seed": 1}, n=2).choices
assert [c.index for c in choices] == [0, 1], choices
schema = {"type": "object", "properties": {"台数": {"type": "integer", "minimum": 1, "maximum": 99}}, "required": ["台数"],
          "additionalProperties": False}
made = client.chat.completions.create(**{**ask, "max_tokens": 64}, response_format={
    "type": "json_schema", "json_schema": {"name": "lifts", "schema": schema, "strict": True}})
value = json.loads(made.choices[0].message.content)
assert list(value) == ["台数"] and 1 <= value["台数"] <= 99, value
told = client.completions.create(model="plinth-zh-base", prompt="第一条", max_tokens=6, temperature=0, echo=True, logprobs=2)
choice = told.choices[0]
assert choice.text.startswith("第一条") and len(choice.logprobs.tokens) == told.usage.total_tokens, told
parts = client.completions.create(model="plinth-zh-base", prompt="第一条", max_tokens=6, temperature=0, echo=True, stream=True)
assert "".join(p.choices[0].text for p in parts) == choice.text
try:
    client.completions.create(model="plinth-zh-base", prompt="a", suffix="b")
    sys.exit("a suffix was accepted")
except openai.BadRequestError as error:
    assert error.param == "suffix", error
vectors = client.embeddings.create(model="plinth-zh-base", input=["电梯维护", "电梯维修", "离婚登记"]).data  # base64 underneath
def similar(a, b):
    return sum(x * y for x, y in zip(vectors[a].embedding, vectors[b].embedding))
assert abs(similar(0, 0) - 1) < 1e-4 and similar(0, 1) > similar(0, 2), (similar(0, 1), similar(0, 2))
try:
    openai.OpenAI(base_url=address, api_key="wrong", max_retries=0).models.list()
    sys.exit("a wrong key was let in")
except openai.AuthenticationError:
    pass
PY
[ "$("$PLINTH" usage --json | jq '.usage[0].requests')" = 7 ] || fail "seven requests in the ledger: $("$PLINTH" usage --json)"
stop_server
echo "openai: fine"
