#!/usr/bin/env bash
# Traces against a collector on this machine: spans of a request with its queue, prefill and decode, in the client's trace; nothing of what
# was asked or answered; a client that doesn't record is left alone; a collector that is away or slow holds nobody up.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3"
key=$("$PLINTH" key create --tenant e2e --json 2>/dev/null | jq -r .key)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
expect_exit 1 "$PLINTH" serve --port 0 --otlp 127.0.0.1:4318
expect_text "$work/err" "no http:// or https:// address"
OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$port start_server
python3 - "$address" "$key" "$port" <<'PY'
import http.client
import http.server
import json
import sys
import threading
import time
import urllib.parse

address, key, port = urllib.parse.urlparse(sys.argv[1]), sys.argv[2], int(sys.argv[3])
spans, slow = [], threading.Event()


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.path == "/v1/traces" and self.headers["content-type"] == "application/json", self.path
        if slow.is_set():
            time.sleep(30)
        resource = json.loads(body)["resourceSpans"][0]
        assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "plinth"}}], resource
        spans.extend(resource["scopeSpans"][0]["spans"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def ask(body, **more):
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"authorization": "Bearer " + key, **more})
    response = connection.getresponse()
    return response, response.read()


def attributes(span):
    return {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}


def metric(name):
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.request("GET", "/metrics")
    return sum(float(line.split()[-1]) for line in connection.getresponse().read().decode().splitlines() if line.startswith(name))


def collected(n):
    for _ in range(100):
        if len(spans) >= n:
            return
        time.sleep(0.1)
    sys.exit(f"{len(spans)} of {n} spans came: {spans}")


secret = "第一条秘密"
body = {"model": "plinth-zh-base", "messages": [{"role": "user", "content": secret}], "max_tokens": 8, "ignore_eos": True}
# Nobody collects: the answer comes all the same, and what was not delivered is counted.
assert ask(body)[0].status == 200
for _ in range(100):
    if metric("plinth_spans_dropped_total") >= 4:
        break
    time.sleep(0.1)
assert metric("plinth_spans_dropped_total") >= 4

server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
trace, above = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
for stream in (False, True):
    spans.clear()
    response, text = ask({**body, "stream": stream}, traceparent=f"00-{trace}-{above}-01")
    assert response.status == 200
    collected(4)
    named = {s["name"]: s for s in spans}
    assert set(named) == {"POST /v1/chat/completions", "queue", "prefill", "decode"}, named
    root = named["POST /v1/chat/completions"]
    assert root["parentSpanId"] == above and root["kind"] == 2, root
    assert response.getheader("traceparent") == f"00-{trace}-{root['spanId']}-01"
    assert {s["traceId"] for s in spans} == {trace} and len({s["spanId"] for s in spans}) == 4, spans
    parts = [named[n] for n in ("queue", "prefill", "decode")]
    assert all(p["parentSpanId"] == root["spanId"] for p in parts), parts
    times = [int(p[t]) for p in parts for t in ("startTimeUnixNano", "endTimeUnixNano")]
    assert times == sorted(times) and int(root["startTimeUnixNano"]) <= times[0], times
    assert abs(times[0] / 1e9 - time.time()) < 60, times
    assert attributes(root)["http.response.status_code"] == "200" and attributes(root)["plinth.request_id"] == response.getheader("x-request-id")
    assert attributes(named["decode"])["gen_ai.usage.output_tokens"] == "8", named["decode"]
    answer = text.decode()
    assert secret not in json.dumps(spans, ensure_ascii=False)
# A refusal is a span too, a client that doesn't record makes none, one with a broken header begins a trace of its own.
spans.clear()
assert ask({**body, "model": "nobody"}, traceparent="00-broken")[0].status == 404
assert ask(body, traceparent=f"00-{trace}-{above}-00")[0].getheader("traceparent") is None
collected(1)
time.sleep(1.5)
assert len(spans) == 1 and "parentSpanId" not in spans[0] and spans[0]["traceId"] != trace, spans
# A collector that hangs holds nobody up.
slow.set()
before = metric("plinth_spans_dropped_total")
for _ in range(20):
    assert ask({**body, "max_tokens": 1})[0].status == 200
for _ in range(200):
    if metric("plinth_spans_dropped_total") > before:
        break
    time.sleep(0.1)
assert metric("plinth_spans_dropped_total") > before
PY
stop_server
echo "otel: fine"
