#!/usr/bin/env bash
# A crowd: a thousand streams at once, all to their end; more connections than are allowed, and more than there are descriptors: those in
# excess are refused, those inside go on, and when the crowd has gone all is as before.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3"
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 4096 ] || skip "1,000 streams need 4,096 descriptors, the limit is $(ulimit -Hn)"
ulimit -Sn 4096
key=$("$PLINTH" key create --tenant e2e --json 2>/dev/null | jq -r .key)
start_server
python3 - "$address" "$key" <<'PY'
import asyncio
import json
import sys
import urllib.parse

address, key = urllib.parse.urlparse(sys.argv[1]), sys.argv[2]
body = json.dumps({"model": "plinth-zh-base", "messages": [{"role": "user", "content": "第一条"}], "max_tokens": 8, "ignore_eos": True,
                   "stream": True, "stream_options": {"include_usage": True}}).encode()
head = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n").encode()


async def one(open_to_all, gate):
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    open_to_all.append(1)
    await gate.wait()  # all are connected before the first asks
    writer.write(head + body)
    answer = await asyncio.wait_for(reader.read(), 100)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    assert answer.count(b"data: [DONE]") == 1 and b'"completion_tokens":8' in answer and b'"error"' not in answer, answer[-300:]


async def crowd(n):
    connected, gate = [], asyncio.Event()
    tasks = [asyncio.create_task(one(connected, gate)) for _ in range(n)]
    while len(connected) < n:
        await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(*tasks)


asyncio.run(crowd(1000))
PY
[ "$("$PLINTH" usage --json | jq '.usage[0].requests')" = 1000 ] || fail "a thousand requests in the ledger: $("$PLINTH" usage --json)"
[ "$("$PLINTH" usage --json | jq '.usage[0].completion_tokens')" = 8000 ] || fail "eight tokens each"
stop_server

# Outside the limit: by its own, then by the system's.
crowd_of() {
  python3 - "$address" "$1" "$2" <<'PY'
import socket
import sys
import time
import urllib.parse

address, wanted, inside = urllib.parse.urlparse(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


def healthy(one, seconds):
    try:
        one.settimeout(seconds)
        one.sendall(request)
        answer = b""
        while not answer.endswith(b"}"):
            piece = one.recv(4096)
            if not piece:
                return False
            answer += piece
        return answer.startswith(b"HTTP/1.1 200")
    except OSError:
        return False


first = socket.create_connection((address.hostname, address.port), timeout=10)
assert healthy(first, 10)
crowd = []
for _ in range(wanted):
    try:
        crowd.append(socket.create_connection((address.hostname, address.port), timeout=2))
    except OSError:
        pass
answered = sum(healthy(one, 10 if i < inside // 2 else 0.02) for i, one in enumerate(crowd))
assert inside // 2 <= answered < wanted, f"{answered} of {wanted} were answered"
assert healthy(first, 10), "who was inside was thrown out"
for one in crowd:
    one.close()
first.close()
for _ in range(100):
    one = socket.create_connection((address.hostname, address.port), timeout=10)
    if healthy(one, 2):
        break
    time.sleep(0.1)
else:
    sys.exit("the crowd has gone, and still nobody is let in")
PY
}
start_server --connections 100
crowd_of 1000 100 || fail "more connections than --connections: $(tail -n 5 "$work/server.log")"
kill -0 $server || fail "the server is gone"
stop_server
(ulimit -n 150 && exec "$PLINTH" serve --port 0) 2>"$work/server.log" &
server=$!
for _ in $(seq 100); do grep -q 'serving .* on http' "$work/server.log" && break; sleep 0.1; done
address=$(sed -n 's/.* on \(http[^,]*\),.*/\1/p' "$work/server.log" | head -n 1)
crowd_of 600 60 || fail "more connections than descriptors: $(tail -n 5 "$work/server.log")"
kill -0 $server || fail "the server is gone"
[ "$("$PLINTH" key list --json | jq '.keys | length')" = 1 ] || fail "the keys"
stop_server
echo "connections: fine"
