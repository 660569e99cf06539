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
import time
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
tools = [{"type": "function", "function": {"name": "count_lifts", "parameters": {
    "type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 99}}, "required": ["n"],
    "additionalProperties": False}}}]
for choice in ("required", {"type": "function", "function": {"name": "count_lifts"}}):
    made = client.chat.completions.create(**{**ask, "max_tokens": 100}, tools=tools, tool_choice=choice, parallel_tool_calls=False)
    call = made.choices[0].message.tool_calls[0]
    assert made.choices[0].finish_reason == "tool_calls" and call.function.name == "count_lifts", made
    assert 1 <= json.loads(call.function.arguments)["n"] <= 99, call
    streamed = ""
    for part in client.chat.completions.create(**{**ask, "max_tokens": 100}, tools=tools, tool_choice=choice,
                                               parallel_tool_calls=False, stream=True):
        for piece in part.choices[0].delta.tool_calls or []:
            assert piece.index == 0
            streamed += piece.function.arguments
    assert streamed == call.function.arguments, (streamed, call)
after = [*ask["messages"], {"role": "assistant", "tool_calls": [call.model_dump()]}, {"role": "tool", "tool_call_id": call.id, "content": "7"}]
assert client.chat.completions.create(**{**ask, "messages": after}).choices[0].message.role == "assistant"
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
lines = "".join(json.dumps(dict(custom_id=f"r{i}", method="POST", url="/v1/chat/completions", body={**ask, "max_tokens": 3})) + "\n"
                for i in range(5))
uploaded = client.files.create(file=("in.jsonl", lines.encode()), purpose="batch")
assert client.files.content(uploaded.id).read().decode() == lines and client.files.list().data[0].id == uploaded.id
batch = client.batches.create(input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h")
for _ in range(300):
    batch = client.batches.retrieve(batch.id)
    if batch.status == "completed":
        break
    time.sleep(0.1)
assert batch.status == "completed" and batch.request_counts.completed == 5, batch
answers = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
assert [a["custom_id"] for a in answers] == [f"r{i}" for i in range(5)], answers
assert client.files.delete(uploaded.id).deleted and [b.id for b in client.batches.list()] == [batch.id]
made = client.responses.create(model="plinth-zh-base", input="第一条是什么？", max_output_tokens=12, temperature=0)
assert made.output_text == whole.choices[0].message.content and made.status in ("completed", "incomplete"), made
streamed, last = "", None
for event in client.responses.create(model="plinth-zh-base", input="第一条是什么？", max_output_tokens=12, temperature=0, stream=True):
    streamed += event.delta if event.type == "response.output_text.delta" else ""
    last = event
assert streamed == made.output_text and last.response.usage.output_tokens == made.usage.output_tokens, last
flat = [{"type": "function", **tools[0]["function"]}]
made = client.responses.create(model="plinth-zh-base", input="第一条是什么？", max_output_tokens=100, tools=flat, tool_choice="required",
                               parallel_tool_calls=False)
assert made.output[0].type == "function_call" and 1 <= json.loads(made.output[0].arguments)["n"] <= 99, made
try:
    client.responses.create(model="plinth-zh-base", input="a", previous_response_id="resp_1")
    sys.exit("a response from before was accepted")
except openai.BadRequestError as error:
    assert error.param == "previous_response_id", error

rows = "".join(json.dumps({"messages": [{"role": "user", "content": f"第{i}条是什么？"}, {"role": "assistant", "content": "电梯维护。"}]}) + "\n"
               for i in range(24))
uploaded = client.files.create(file=("rows.jsonl", rows.encode()), purpose="fine-tune")
job = client.fine_tuning.jobs.create(model="plinth-zh-base", training_file=uploaded.id, suffix="e2e", method={
    "type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4}}})
assert job.status in ("validating_files", "queued", "running") and job.id in [j.id for j in client.fine_tuning.jobs.list()], job
for _ in range(900):
    job = client.fine_tuning.jobs.retrieve(job.id)
    if job.status not in ("validating_files", "queued", "running"):
        break
    time.sleep(0.1)
assert job.status == "succeeded" and job.trained_tokens > 0, job
events = list(client.fine_tuning.jobs.list_events(job.id))
assert any(e.type == "metrics" for e in events) and len({e.id for e in events}) == len(events), events
assert [c.fine_tuned_model_checkpoint for c in client.fine_tuning.jobs.checkpoints.list(job.id)] == [job.fine_tuned_model]
tuned = client.chat.completions.create(**{**ask, "model": job.fine_tuned_model})
assert tuned.model == job.fine_tuned_model and tuned.system_fingerprint != whole.system_fingerprint, tuned
long = client.fine_tuning.jobs.create(model="plinth-zh-base", training_file=uploaded.id, method={
    "type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1000}}})
assert client.fine_tuning.jobs.pause(long.id).status == "paused"
# It may have begun by the time that the answer is made.
assert client.fine_tuning.jobs.resume(long.id).status in ("queued", "running")
assert client.fine_tuning.jobs.cancel(long.id).status == "cancelled"
try:
    openai.OpenAI(base_url=address, api_key="wrong", max_retries=0).models.list()
    sys.exit("a wrong key was let in")
except openai.AuthenticationError:
    pass
PY
[ "$("$PLINTH" usage --json | jq '[.usage[].requests] | add')" = 22 ] || fail "twenty-one requests and a tuning job in the ledger: $("$PLINTH" usage --json)"
stop_server
echo "openai: fine"
