#!/usr/bin/env bash
# LiteLLM's proxy in front of plinth, unmodified: what its clients see is what plinth answered, whole and streamed, refusals included.
. "$(dirname "$0")/lib.sh"
bin=$PWD/build/clients/bin
[ -x "$bin/litellm" ] && "$bin/python" -c 'import litellm.proxy.proxy_cli, openai' 2>/dev/null ||
  skip "no litellm; make it with: python3 -m venv build/clients && build/clients/bin/pip install openai 'litellm[proxy]'"

key=$("$PLINTH" key create --tenant e2e --json 2>/dev/null | jq -r .key)
start_server
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/config.yaml" <<END
model_list:
  - model_name: law
    litellm_params: {model: openai/plinth-zh-base, api_base: "$address", api_key: "$key"}
  - model_name: nobody
    litellm_params: {model: openai/nobody, api_base: "$address", api_key: "$key"}
litellm_settings: {num_retries: 0, telemetry: false}
general_settings: {master_key: sk-e2e}
END
# Its own files stay in the test's folder; its list of prices is the one that it came with.
(cd "$work" && exec env HOME="$work" LITELLM_LOCAL_MODEL_COST_MAP=True "$bin/litellm" --config "$work/config.yaml" --host 127.0.0.1 --port "$port") \
  >"$work/proxy.log" 2>&1 &
proxy=$!
trap 'kill $proxy 2>/dev/null || true; cleanup' EXIT
for _ in $(seq 300); do
  curl -sf -o /dev/null "http://127.0.0.1:$port/health/liveliness" && break
  kill -0 $proxy 2>/dev/null || { cat "$work/proxy.log" >&2; fail "the proxy ended"; }
  sleep 0.2
done

"$bin/python" - "$address" "$key" "http://127.0.0.1:$port/v1" <<'PY' || { tail -n 40 "$work/proxy.log" >&2; fail "see above"; }
import sys
import openai

address, key, proxied = sys.argv[1:]
direct = openai.OpenAI(base_url=address, api_key=key, max_retries=0)
proxy = openai.OpenAI(base_url=proxied, api_key="sk-e2e", max_retries=0)
ask = dict(messages=[{"role": "user", "content": "第一条是什么？"}], max_tokens=12, temperature=0)
whole = direct.chat.completions.create(model="plinth-zh-base", **ask)
seen = proxy.chat.completions.create(model="law", **ask)
assert seen.choices[0].message.content == whole.choices[0].message.content, (seen, whole)
assert seen.usage.total_tokens == whole.usage.total_tokens, (seen, whole)
parts = list(proxy.chat.completions.create(model="law", **ask, stream=True, stream_options={"include_usage": True}))
assert "".join(p.choices[0].delta.content or "" for p in parts if p.choices) == whole.choices[0].message.content, parts
assert [p.usage.completion_tokens for p in parts if p.usage] == [whole.usage.completion_tokens], parts
tools = [{"type": "function", "function": {"name": "count_lifts", "parameters": {
    "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}}}]
made = proxy.chat.completions.create(model="law", **{**ask, "max_tokens": 100}, tools=tools, tool_choice="required")
assert made.choices[0].message.tool_calls[0].function.name == "count_lifts", made
assert len(proxy.embeddings.create(model="law", input=["电梯"]).data[0].embedding) > 100
for model, error in (("nobody", openai.NotFoundError), ("law", openai.BadRequestError)):
    try:
        proxy.chat.completions.create(model=model, **{**ask, "max_tokens": -1 if model == "law" else 3})
        sys.exit(f"no error from {model}")
    except error:
        pass
PY
kill $proxy
wait $proxy 2>/dev/null || true
stop_server
echo "litellm: fine"
