"""A chat server that is busy at every other request: fake_chat.py ANSWER. Prints its port; ANSWER is the body of the rest."""
import http.server
import itertools
import sys

asked = itertools.count()


class Chat(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        busy = next(asked) % 2 == 0
        body = b"slow down" if busy else sys.argv[1].encode()
        self.send_response(429 if busy else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Chat)
print(server.server_port, flush=True)
server.serve_forever()
