#!/usr/bin/env python3
"""usage: fake_hub.py FOLDER LOG

Serves FOLDER as the repository tiny/base in the way of Hugging Face (API, resolve, Range), on a free
port of 127.0.0.1; prints the address. Large files live on a second port, as on a content delivery
network, behind a redirect. Every request becomes a line of LOG. While FOLDER/.stall exists, a large
file stops after 40,000 bytes and the connection stays open.
"""
import hashlib
import json
import pathlib
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FOLDER, LOG = pathlib.Path(sys.argv[1]), open(sys.argv[2], "a", buffering=1)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
STALL_BYTES = 40000


def entry(path):
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        lfs = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return {"type": "file", "path": path.name, "oid": "0" * 40, "size": len(data), "lfs": lfs}
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return {"type": "file", "path": path.name, "oid": blob, "size": len(data)}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def note(self, server):
        LOG.write(f"{server} {self.path} range={self.headers.get('Range')} "
                  f"token={self.headers.get('Authorization')}\n")

    def file(self, path):
        data, begin = path.read_bytes(), 0
        if self.headers.get("Range"):
            begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        stall = FOLDER / ".stall"
        if path.suffix == ".safetensors" and stall.exists():
            self.wfile.write(data[begin:STALL_BYTES])
            self.wfile.flush()
            while stall.exists():
                time.sleep(0.05)
            return
        self.wfile.write(data[begin:])


class Hub(Handler):
    def do_GET(self):
        self.note("hub")
        api, resolve = "/api/models/tiny/base/", f"/tiny/base/resolve/{COMMIT}/"
        if self.path == api + "revision/main":
            return self.reply(200, json.dumps({"sha": COMMIT}).encode())
        if self.path == api + f"tree/{COMMIT}?recursive=true":
            files = [entry(p) for p in sorted(FOLDER.iterdir()) if p.is_file() and p.name[0] != "."]
            return self.reply(200, json.dumps(files).encode())
        if not self.path.startswith(resolve):
            return self.reply(404)
        path = FOLDER / self.path.removeprefix(resolve)
        if path.suffix == ".safetensors":
            return self.reply(302, Location=f"http://127.0.0.1:{cdn.server_port}/{path.name}?sig=x")
        return self.file(path)


class Cdn(Handler):
    def do_GET(self):
        self.note("cdn")
        self.file(FOLDER / self.path.strip("/").split("?")[0])


cdn = ThreadingHTTPServer(("127.0.0.1", 0), Cdn)
hub = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=cdn.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{hub.server_port}", flush=True)
hub.serve_forever()
