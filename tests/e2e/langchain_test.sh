#!/usr/bin/env bash
# LangChain's OpenAI classes, unmodified: chat, streaming, tools, structured output, embeddings; what they do when they are told to
# come again (429 with retry-after), when a stream is cut, and when an answer takes longer than they wait.
. "$(dirname "$0")/lib.sh"
python=build/clients/bin/python
[ -x $python ] && $python -c 'import langchain_openai' 2>/dev/null ||
  skip "no langchain-openai; make it with: python3 -m venv build/clients && build/clients/bin/pip install langchain-openai"

key=$("$PLINTH" key create --tenant e2e --json 2>/dev/null | jq -r .key)
start_server

$python - "$address" "$key" "$PLINTH" "$server" <<'PY'
import concurrent.futures
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request

import openai
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

address, key, plinth, server = sys.argv[1:]
common = dict(base_url=address, api_key=key, model="plinth-zh-base")
chat = ChatOpenAI(**common, temperature=0, max_tokens=12)
question = [SystemMessage("你是电梯维保助手。"), HumanMessage("第一条是什么？")]
whole = chat.invoke(question)
assert isinstance(whole, AIMessage) and whole.usage_metadata["output_tokens"] > 0, whole
assert whole.response_metadata["finish_reason"] in ("stop", "length"), whole
pieces = list(chat.stream(question, stream_usage=True))
assert "".join(p.content for p in pieces) == whole.content, pieces
assert sum(p.usage_metadata["output_tokens"] for p in pieces if p.usage_metadata) == whole.usage_metadata["output_tokens"], pieces
assert [a.content for a in chat.batch([question, question])] == [whole.content] * 2
assert OpenAI(**common, temperature=0, max_tokens=6).invoke("第一条")


@tool
def count_lifts(n: int) -> str:
    """数电梯的台数。"""
    return str(n)


calling = ChatOpenAI(**common, temperature=0, max_tokens=200).bind_tools([count_lifts], tool_choice="count_lifts", parallel_tool_calls=False)
asked = calling.invoke("有几台电梯？")
assert [c["name"] for c in asked.tool_calls] == ["count_lifts"] and isinstance(asked.tool_calls[0]["args"]["n"], int), asked
gathered = None
for piece in calling.stream("有几台电梯？"):
    gathered = piece if gathered is None else gathered + piece
assert gathered.tool_calls[0]["args"] == asked.tool_calls[0]["args"], gathered
result = count_lifts.invoke(asked.tool_calls[0])
assert isinstance(result, ToolMessage)
assert isinstance(chat.invoke([HumanMessage("有几台电梯？"), asked, result]), AIMessage)


class Lift(BaseModel):
    """一台电梯"""

    floors: int = Field(ge=1, le=99)
    brand: str = Field(max_length=12)


class Count(BaseModel):  # small: tools are explained in the prompt, and the base has 512 tokens for everything
    n: int


structured = ChatOpenAI(**common, temperature=0, max_tokens=200).with_structured_output
made = structured(Lift, method="json_schema").invoke("描述一台电梯。")
assert isinstance(made, Lift) and 1 <= made.floors <= 99, made
made = structured(Count, method="function_calling").invoke("几台？")
assert isinstance(made, Count), made

# Without this LangChain cuts texts by a tokenizer that it downloads.
vectors = OpenAIEmbeddings(**common, check_embedding_ctx_length=False).embed_documents(["电梯维护", "离婚登记"])
assert len(vectors) == 2 and abs(sum(x * x for x in vectors[0]) - 1) < 1e-4, len(vectors)

# Told to come again, it comes again: all answers arrive, though only one may run at a time.
def quota(limit):
    subprocess.run([plinth, "tenant", "quota", "e2e", "--concurrent", str(limit)], check=True, stdout=subprocess.DEVNULL)
def ask(_):
    return ChatOpenAI(**common, temperature=0, max_tokens=24, max_retries=10).invoke(question).content
def try_once(_):
    try:
        ChatOpenAI(**common, temperature=0, max_tokens=200, max_retries=0, extra_body={"ignore_eos": True}).invoke(question)
    except openai.RateLimitError as error:
        assert int(error.response.headers["retry-after-ms"]) > 0, error.response.headers
        return True
quota(1)
with concurrent.futures.ThreadPoolExecutor(6) as pool:
    assert len(set(pool.map(ask, range(6)))) == 1
    assert any(pool.map(try_once, range(6))), "six at once were let in where one may be"
quota(0)

# An answer that takes longer than the client waits: the client gives up, the server stops working for it.
def metric(name):
    text = urllib.request.urlopen(address.removesuffix("/v1") + "/metrics").read().decode()
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(name)))
def running():
    return metric("plinth_engine_running")
endless = dict(extra_body={"ignore_eos": True}, max_tokens=8000, max_retries=0)
try:
    ChatOpenAI(**common, timeout=0.3, n=64, **endless).invoke("说")
    sys.exit("an endless answer ended")
except openai.APITimeoutError:
    pass
for _ in range(100):
    if running() == 0:
        break
    time.sleep(0.05)
assert running() == 0, "the server still works for a client that has gone"

# A stream that is cut is an error, not a short answer.
def busy():  # so that the stream is not over before it is cut
    try:
        ChatOpenAI(**common, n=64, **endless).invoke("说")
    except openai.APIError:
        pass
threading.Thread(target=busy).start()
while running() == 0:
    time.sleep(0.01)
stream = ChatOpenAI(**common, **endless).stream("说")
for _ in range(5):
    next(stream)
os.kill(int(server), 9)
try:
    for _ in stream:
        pass
    sys.exit("a stream that was cut ended like a whole one")
except Exception as error:  # httpx's or openai's, by version
    assert not isinstance(error, (AssertionError, StopIteration)), error
PY
wait $server 2>/dev/null || true
server=
echo "langchain: fine"
