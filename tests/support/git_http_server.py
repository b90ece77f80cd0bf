#!/usr/bin/env python3
"""A small git server for unit tests: the real `git http-backend` behind an HTTP server on 127.0.0.1.

    git_http_server.py ROOT [--no-v2]

Prints its port on the first line and ends when standard input closes. Each request is appended to ROOT/requests.log
("METHOD path bytes-of-request-body"). Paths: /<repo.git>/info/refs and /<repo.git>/git-upload-pack, and for faults:
/redirect/<rest>   302 to /<rest>                 /cut/<n>/<rest>   closes the connection after n bytes of a POST's answer
/flip/<n>/<rest>   inverts byte n of a pack             /stall/<rest>  a POST sends one byte of its answer and then nothing
--no-v2 drops the Git-Protocol header, as servers without protocol 2 do.
"""
import http.server
import os
import subprocess
import sys
import threading

BACKEND = os.path.join(subprocess.check_output(["git", "--exec-path"], text=True).strip(), "git-http-backend")
ROOT, HIDE_V2 = sys.argv[1], "--no-v2" in sys.argv[2:]
STOP = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def answer(self, body):
        path, _, query = self.path.partition("?")
        with open(os.path.join(ROOT, "requests.log"), "a", encoding="ascii") as log:
            log.write(f"{self.command} {path} {len(body)}\n")
        parts = path.strip("/").split("/")
        cut = flip = None
        stall = False
        if parts[0] == "redirect":
            self.send_response(302)
            self.send_header("Location", "/" + "/".join(parts[1:]) + ("?" + query if query else ""))
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if parts[0] in ("cut", "flip"):
            number, fault, parts = int(parts[1]), parts[0], parts[2:]
            if self.command == "POST" and b"command=ls-refs" not in body:
                cut, flip = (number, None) if fault == "cut" else (None, number)
        elif parts[0] == "stall":
            parts, stall = parts[1:], self.command == "POST" and b"command=ls-refs" not in body
        environment = {
            "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent", "GIT_PROJECT_ROOT": ROOT,
            "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": "/" + "/".join(parts), "REQUEST_METHOD": self.command, "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)), "REMOTE_ADDR": "127.0.0.1",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "SERVER_PROTOCOL": "HTTP/1.1", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }
        if self.headers.get("Git-Protocol") and not HIDE_V2:
            environment["GIT_PROTOCOL"] = self.headers["Git-Protocol"]
        done = subprocess.run([BACKEND], input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line]
        status = next((int(v.split()[0]) for k, v in fields if k == "Status"), 200)
        self.send_response(status)
        for name, value in fields:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if flip is not None and b"PACK" in content:
            at = content.index(b"PACK") + flip
            content = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        if stall:
            self.wfile.write(content[:1])
            self.wfile.flush()
            STOP.wait()
        elif cut is not None:
            self.wfile.write(content[:cut])
            self.close_connection = True
        else:
            self.wfile.write(content)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that goes away in the middle is what some tests are about


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    STOP.set()
