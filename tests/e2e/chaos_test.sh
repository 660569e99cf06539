#!/usr/bin/env bash
# A bad day in half a minute: clients that hang up and clients that read slowly, the server killed (-9) at random moments and
# started again, a disk that is full for a while, a clock that jumps by days (where libfaketime is), a batch running through it all.
# Then a quiet stretch. Afterwards: every answer that a client got to its end stands in the ledger with the same tokens, no request
# stands there twice, each line of the batch has one answer or says that its day was over, the audit log is whole, and neither KV blocks
# nor memory are lost.
# CHAOS_SECONDS=N makes it longer; CHAOS_SEED=N another day; CHAOS_USERS=N a busier one (8).
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3"
key=$("$PLINTH" key create --tenant chaos --json 2>/dev/null | jq -r .key)
brief=$("$PLINTH" key create --tenant chaos --expires-days 1 --json 2>/dev/null | jq -r .key)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

PLINTH_KEY=$key PLINTH_BRIEF_KEY=$brief python3 - "$PLINTH" "$port" "${CHAOS_SECONDS:-20}" "${CHAOS_SEED:-1}" <<'PY'
import http.client
import json
import glob
import os
import random
import resource
import sqlite3
import subprocess
import sys
import threading
import time

binary, port, seconds, seed = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
headers = {"authorization": "Bearer " + os.environ["PLINTH_KEY"], "content-type": "application/json"}
rng = random.Random(seed)
acknowledged = {}  # request id -> (prompt tokens, answer tokens)
lock = threading.Lock()
over = threading.Event()
problems = []
full = threading.Event()  # the disk
home, clock = os.environ["PLINTH_HOME"], os.environ["PLINTH_HOME"] + ".clock"

# The wall clock of the server is what a file says, and its other clocks are left alone.
with open(clock, "w") as file:
    file.write("+0")
faked = {}
for library in glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"):
    faked = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    if subprocess.run([binary, "--version"], env={**os.environ, **faked}, capture_output=True).returncode != 0:
        faked = {}  # a sanitizer wants to be loaded first


def no_room():
    size = max(os.path.getsize(name) for name in glob.glob(home + "/plinth.db*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 16384,) * 2)


# Files end where they are when the disk is full. (Python ignores SIGXFSZ, and the server inherits that: writing fails, as on a
# full disk.)
def start():
    server = subprocess.Popen([binary, "serve", "--port", str(port), "--kv-mib", "8"], stderr=subprocess.DEVNULL,
                              env={**os.environ, **faked}, restore_signals=False, preexec_fn=no_room if full.is_set() else None)
    for _ in range(200):
        try:
            if call("GET", "/healthz")[0] in (200, 503):  # 503: with a full disk it is not ready
                return server
        except OSError:
            time.sleep(0.05)
    sys.exit("the server did not start")


def call(method, path, body=None, key=os.environ["PLINTH_KEY"]):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body if body is None or isinstance(body, bytes) else json.dumps(body), {**headers, "authorization": "Bearer " + key})
    response = connection.getresponse()
    return response.status, response.read()


def client(number):
    mine = random.Random(seed * 1000 + number)
    while not over.is_set():
        body = {"model": "plinth-zh-base", "messages": [{"role": "user", "content": "第" + "一" * mine.randint(1, 200)}],
                "max_tokens": mine.randint(1, 60), "ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}}
        manner = mine.choice(["whole", "whole", "cut", "slow"])
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            response = connection.getresponse()
            if response.status != 200:
                if response.status not in (429, 503) and not full.is_set():
                    problems.append(f"status {response.status}: {response.read()[:200]}")
                continue
            usage = None
            for n, line in enumerate(response):
                if manner == "cut" and n > mine.randint(1, 40):
                    connection.close()
                    break
                if manner == "slow":
                    time.sleep(0.01)
                if line.startswith(b"data: {"):
                    event = json.loads(line[6:])
                    usage = event.get("usage") or usage
                if line.startswith(b"data: [DONE]"):
                    with lock:
                        acknowledged[response.getheader("x-request-id")] = (usage["prompt_tokens"], usage["completion_tokens"])
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.05)  # the server is gone for a moment


server = start()
lines = "".join(json.dumps({"custom_id": f"r{i}", "method": "POST", "url": "/v1/completions",
                            "body": {"model": "plinth-zh-base", "prompt": f"第{i}条", "max_tokens": 8}}) + "\n" for i in range(60))
boundary = "x"
form = "".join(f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"{extra}\r\n\r\n{value}\r\n' for name, extra, value in (
    ("purpose", "", "batch"), ("file", '; filename="in.jsonl"', lines))) + f"--{boundary}--\r\n"
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
connection.request("POST", "/v1/files", form.encode(), {**headers, "content-type": f"multipart/form-data; boundary={boundary}"})
uploaded = json.loads(connection.getresponse().read())["id"]
batch = json.loads(call("POST", "/v1/batches", {"input_file_id": uploaded, "endpoint": "/v1/completions", "completion_window": "24h"})[1])["id"]

threads = [threading.Thread(target=client, args=(i,)) for i in range(int(os.environ.get("CHAOS_USERS", "8")))]
for thread in threads:
    thread.start()
kills, fulls, jumps, end = 0, 0, 0, time.monotonic() + seconds
while time.monotonic() < end:
    time.sleep(rng.uniform(0.5, 3))
    if faked and rng.random() < 0.5:
        jumps += 1
        with open(clock, "w") as file:
            file.write(rng.choice(["+0", "+3d", "-2d", "+40d", "-400d", "+30", "-30"]))
    if rng.random() < 0.3 and not full.is_set():
        fulls += 1
        full.set()
    elif full.is_set():
        full.clear()
    server.kill()
    server.wait()
    kills += 1
    server = start()
full.clear()
server.kill()
server.wait()
server = start()


def resident_mib():
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def metric(name):
    return next(float(line.split()[-1]) for line in call("GET", "/metrics")[1].decode().splitlines() if line.startswith(name + " "))


# A key that ends tomorrow, by the clock of the moment: forward and back.
for jump, status in (("+0", 200), ("+3d", 401), ("+0", 200)) if faked else ():
    with open(clock, "w") as file:
        file.write(jump)
    time.sleep(2.5)  # the file is looked at once a second
    found = call("GET", "/v1/models", key=os.environ["PLINTH_BRIEF_KEY"])[0]
    assert found == status, f"a key for a day, the clock at {jump}: {found}"

# The quiet stretch: nothing dies, clients still do what they like.
time.sleep(min(seconds / 4, 60))
warm = resident_mib()
time.sleep(min(seconds / 2, 120))
grown = resident_mib() - warm
over.set()
for thread in threads:
    thread.join()
for _ in range(200):
    if metric("plinth_engine_running") == 0 and metric("plinth_engine_kv_blocks_free") == metric("plinth_engine_kv_blocks"):
        break
    time.sleep(0.1)
assert metric("plinth_engine_kv_blocks_free") == metric("plinth_engine_kv_blocks"), "KV blocks are lost"
assert metric("plinth_engine_waiting") == 0
blocks = int(metric("plinth_engine_kv_blocks"))
assert grown < 32, f"{grown:.0f} MiB more after a while of the same"
for _ in range(600):
    state = json.loads(call("GET", f"/v1/batches/{batch}")[1])
    if state["status"] in ("completed", "expired"):
        break
    time.sleep(0.1)


def batch_lines(file):
    return [json.loads(line) for line in call("GET", f"/v1/files/{file}/content")[1].decode().splitlines()] if file else []


# A clock that jumps by days may end its 24 hours: then the lines that had no answer say so.
answered, unanswered = batch_lines(state["output_file_id"]), batch_lines(state["error_file_id"])
assert state["status"] == "completed" or faked and state["status"] == "expired", state
assert state["request_counts"] == {"total": 60, "completed": len(answered), "failed": 0}, state
assert all(line["error"]["code"] == "batch_expired" for line in unanswered) and (unanswered == [] or state["status"] == "expired"), unanswered[:3]
assert sorted(line["custom_id"] for line in answered + unanswered) == sorted(f"r{i}" for i in range(60)), "lines of the batch"
server.terminate()
assert server.wait(timeout=30) == 0, "the server did not end cleanly"

ledger, months = {}, set()
for row in sqlite3.connect(os.environ["PLINTH_HOME"] + "/plinth.db").execute("SELECT request_id, prompt_tokens, completion_tokens, at_ms FROM usage"):
    assert row[0] not in ledger, f"{row[0]} stands there twice"
    ledger[row[0]] = (row[1], row[2])
    months.add(time.strftime("%Y-%m", time.gmtime(row[3] / 1000)))
# Clocks that jumped have dated rows into other months: the statements of all of them are the ledger.
billed = [row for month in months for row in json.loads(subprocess.run(
    [binary, "usage", "--month", month, "--json"], capture_output=True, check=True).stdout)["usage"]]
assert sum(row["requests"] for row in billed) == len(ledger), "requests in the months' statements"
assert sum(row["prompt_tokens"] + row["completion_tokens"] for row in billed) == sum(map(sum, ledger.values())), "tokens in the months' statements"
lost = [id for id, tokens in acknowledged.items() if ledger.get(id) != tokens]
assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged answers are not in the ledger as they were: {lost[:3]}"
assert not problems, problems[:3]
assert acknowledged and kills >= 3, (len(acknowledged), kills)
print(f"{kills} kills, {fulls} full disks, {jumps} jumps of the clock{'' if faked else ' (no libfaketime)'}, "
      f"{warm:.0f}{grown:+.0f} MiB, {blocks} KV blocks all free, {len(acknowledged)} answers to their end, "
      f"{len(ledger)} rows of {sum(map(sum, ledger.values()))} tokens in {len(months)} months of the ledger")
PY
expect_exit 0 "$PLINTH" audit verify
echo "chaos: fine"
