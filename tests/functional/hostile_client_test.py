"""Clients that mean harm, or do not know better, against `hubmirror serve`: each gets one answer or a closed connection, and the next one is served.

Whatever a client does ends by the server's own deadlines, which are small here; the test waits for the end and measures no time.
"""

import gzip
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import unittest
import urllib.parse

from harness import HANG_S, LfsRandom, main, scaled, wait_until
from serve_harness import ServeTest

CRLF = b"\r\n"
HOST = b"Host: mirror\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BATCH = "/org/model.git/info/lfs/objects/batch"
PATHS = "/api/models/org/model/paths-info/main"
PACK = "/org/model.git/git-upload-pack"
FILE = "/org/model/resolve/main/"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]+\r\n")
# Deadlines of the server in these tests, milliseconds.
QUICK = {"header_timeout_ms": 1500, "stall_timeout_ms": 1500, "idle_timeout_ms": 4000, "drain_timeout_ms": 5000}


def get(target, fields=b"", method=b"GET", version=b"HTTP/1.1"):
    target = target if isinstance(target, bytes) else target.encode()
    return method + b" " + target + b" " + version + CRLF + HOST + fields + CRLF


def post(target, body=b"", fields=b"", length=True):
    body = body if isinstance(body, bytes) else body.encode()
    return get(target, fields + (b"Content-Length: %d\r\n" % len(body) if length else b""), b"POST") + body


def js(value):
    return json.dumps(value).encode()


LFS = b"Content-Type: application/vnd.git-lfs+json\r\nAccept: application/vnd.git-lfs+json\r\n"
JSON = b"Content-Type: application/json\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
GIT = b"Content-Type: application/x-git-upload-pack-request\r\n"
REFUSED = (400,)
ANY_NO = (400, 403, 404, 405, 413, 414, 415, 422, 431, 501, 505)


def corpus():
    """(name, bytes, statuses that are right). An empty status list: closed without an answer is right too."""
    yes = (200,)
    raw = lambda *parts: b"".join(parts)
    # where a body ends
    for name, fields, body in (
        ("CL.TE", b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\nGET /-/health HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("TE.CL", CHUNKED + b"Content-Length: 4\r\n", b"5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n"),
        ("CL.CL equal", b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
        ("CL.CL unequal", b"Content-Length: 3\r\nContent-Length: 0\r\n", b"abc"),
        ("CL list", b"Content-Length: 3, 3\r\n", b"abc"),
        ("CL plus", b"Content-Length: +3\r\n", b"abc"),
        ("CL minus", b"Content-Length: -1\r\n", b""),
        ("CL hex", b"Content-Length: 0x3\r\n", b"abc"),
        ("CL point", b"Content-Length: 3.0\r\n", b"abc"),
        ("CL huge", b"Content-Length: 18446744073709551616\r\n", b""),
        ("CL words", b"Content-Length: three\r\n", b"abc"),
        ("CL none", b"Content-Length:\r\n", b""),
        ("CL blank before colon", b"Content-Length : 3\r\n", b"abc"),
        ("TE blank before colon", b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
        ("TE tab before colon", b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n"),
        ("TE twice", CHUNKED + CHUNKED, b"0\r\n\r\n"),
        ("TE and x", CHUNKED + b"Transfer-Encoding: x\r\n", b"0\r\n\r\n"),
        ("TE x and chunked", b"Transfer-Encoding: x\r\n" + CHUNKED, b"0\r\n\r\n"),
        ("TE folded", b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
        ("TE newline", b"Transfer-Encoding\n: chunked\r\n", b"0\r\n\r\n"),
        ("TE vertical tab", b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
        ("TE in a value", b"X: y\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        ("TE behind a CR", b"X: y\rTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        ("TE with NUL", b"Transfer-Encoding: chunked\0\r\n", b"0\r\n\r\n"),
        ("TE lists identity", b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n"),
        ("TE xchunked", b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
        ("TE gzip", b"Transfer-Encoding: gzip\r\n", b""),
        ("TE quoted", b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n"),
    ):
        yield name, post(PATHS, body, fields, length=False), (400, 501)
    yield "TE of HTTP/1.0", raw(b"POST / HTTP/1.0\r\n", HOST, CHUNKED, CRLF, b"0\r\n\r\n"), REFUSED
    for name, body in (
        ("size is no number", b"xyz\r\n"), ("size has a sign", b"-5\r\nhello\r\n"), ("size has 0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
        ("size overflows", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("size is blank", b"\r\nhello"), ("size begins with a blank", b" 5\r\nhello\r\n0\r\n\r\n"), ("data is longer", b"5\r\nhello!\r\n0\r\n\r\n"),
        ("data ends in LF", b"5\r\nhello\n0\r\n\r\n"),
        ("line ends in LF", b"5\nhello\r\n0\r\n\r\n"), ("LF in an extension", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("extension never ends", b"5;" + b"e" * 80_000), ("last chunk 0x0", b"0x0\r\n\r\n"),
        ("trailer without a colon", b"0\r\nabc\r\n\r\n"), ("trailer never ends", b"0\r\n" + b"X: y\r\n" * 40_000),
    ):
        yield "chunk: " + name, post(PATHS, body, FORM + CHUNKED, length=False), (400, 413, 431)
    yield "chunk: huge", post(PATHS, b"ffffffffffffffff\r\n", FORM + CHUNKED, length=False), (413,)
    yield "chunk: extensions", post(PATHS, b'7;a=b;c="d;e"\r\npaths=x\r\n0\r\nTrailer: x\r\n\r\n', FORM + CHUNKED, length=False), yes
    yield "chunk: mostly extensions", post("/api/telemetry/x", (b"1;" + b"e" * 5000 + b"\r\nx\r\n") * 200 + b"0\r\n\r\n", CHUNKED, length=False), (413,)
    # heads
    yield "folded field", get("/", b"X: a\r\n b\r\n"), REFUSED
    yield "lines end in LF", b"GET / HTTP/1.1\nHost: m\n\n", REFUSED
    yield "lines end in CR", b"GET / HTTP/1.1\rHost: m\r\r", REFUSED
    yield "last line ends in LF", b"GET / HTTP/1.1\r\nHost: m\r\n\n", REFUSED
    yield "NUL in a field", get("/", b"X: a\0b\r\n"), REFUSED
    yield "NUL in the address", get(b"/a\0b"), REFUSED
    yield "a blank in a name", get("/", b"X Y: a\r\n"), REFUSED
    yield "no name", get("/", b": a\r\n"), REFUSED
    yield "no colon", get("/", b"nothing\r\n"), REFUSED
    yield "umlaut in a name", get("/", b"X\xc3\xa4: a\r\n"), REFUSED
    yield "umlaut in a value", get("/-/health", b"X: \xc3\xa4\xff\r\n"), yes
    yield "no host", b"GET / HTTP/1.1\r\n\r\n", REFUSED
    yield "two hosts", get("/", HOST), REFUSED
    yield "host with a path", b"GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n", REFUSED
    yield "host with a line end in %", b"GET / HTTP/1.1\r\nHost: a%0d%0ab\r\n\r\n", REFUSED
    yield "host is empty", b"GET / HTTP/1.1\r\nHost: \r\n\r\n", REFUSED
    yield "host is long", b"GET / HTTP/1.1\r\nHost: " + b"a" * 300 + b"\r\n\r\n", REFUSED
    yield "101 fields", get("/", b"".join(b"F%d: v\r\n" % i for i in range(100))), (431,)
    yield "100 fields", get("/-/health", b"".join(b"F%d: v\r\n" % i for i in range(99))), yes
    yield "64 KiB and a byte", get("/", b"X: " + b"x" * (65536 - len(get("/", b"X: \r\n")) + 1) + CRLF), (431,)
    yield "64 KiB", get("/-/health", b"X: " + b"x" * (65536 - len(get("/-/health", b"X: \r\n"))) + CRLF), yes
    yield "a head without an end", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, (431,)
    yield "a line without an end", b"G" * 70_000, (431,)
    yield "17 KiB of address", get("/" + "a" * 17_000), (414,)
    yield "16 KiB of address", get("/" + "a" * 16_000), (404,)
    yield "16 KiB of query", get("/api/models?" + "&".join(f"filter={i}" for i in range(1500))), (200, 400, 414)
    yield "HTTP/0.9", b"GET /\r\n\r\n", REFUSED
    yield "HTTP/0.9 that waits", b"GET /\r\n", (400, 408)
    yield "HTTP/1.2", get("/", version=b"HTTP/1.2"), (505,)
    yield "HTTP/3", get("/", version=b"HTTP/3"), (400, 505)
    yield "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0", (400, 505)
    yield "h2c upgrade", get("/-/health", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), yes
    yield "websocket", get("/-/health", b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"), yes
    yield "TLS to the plain port", bytes.fromhex("16030100c8010000c40303") + bytes(200), REFUSED
    yield "SSH", b"SSH-2.0-OpenSSH_9.2\r\n", (400, 408)
    yield "SOCKS", b"\x05\x01\x00", (400, 408)
    yield "blank lines first", b"\r\n\r\n" + get("/"), REFUSED
    yield "blanks first", b"  " + get("/"), REFUSED
    yield "two blanks", b"GET  / HTTP/1.1\r\n" + HOST + CRLF, REFUSED
    yield "lower case method", get("/-/health", method=b"get"), ANY_NO
    yield "unknown method", get("/org/model", method=b"BREW"), ANY_NO
    yield "long method", get("/", method=b"A" * 20_000), ANY_NO
    yield "method of signs", get("/", method=b"<script>"), REFUSED
    yield "CONNECT", b"CONNECT example.com:443 HTTP/1.1\r\n" + HOST + CRLF, REFUSED
    yield "TRACE", get("/-/health", method=b"TRACE"), ANY_NO
    yield "GET *", get("*"), REFUSED
    yield "OPTIONS *", get("*", method=b"OPTIONS"), (200, 204)
    yield "proxy request", get("http://169.254.169.254/latest/meta-data/"), (404,)
    yield "address with a user", get("http://user:secret@mirror/-/health"), yes
    yield "address without a slash", get("org/model"), REFUSED
    yield "address of another scheme", get("file:///etc/passwd"), REFUSED
    yield "raw umlaut", get(b"/org/m\xc3\xb6del"), REFUSED
    yield "expectation of nonsense", post("/api/telemetry/x", b"a", b"Expect: 200-maybe\r\n"), (200, 417)
    yield "X-Forwarded-For of a stranger", get("/-/health", b"X-Forwarded-For: " + b"1," * 5000 + b"\r\n"), yes
    yield "broken credentials", get("/api/models/org/model", b"Authorization: Basic !!!!\r\n"), (401,)
    yield "long credentials", get("/api/models/org/model", b"Authorization: Bearer " + b"x" * 30_000 + CRLF), (200, 401)
    # paths
    climbing = (
        "../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "%252e%252e%252fetc/passwd", "..%c0%af..%c0%afetc/passwd",
        "%c0%ae%c0%ae/x", "%00", "a%00.txt", "..%5c..%5cetc",
        "//etc/passwd", "./config.json", "config.json/..", "config.json/", ".git/config", "%2fetc%2fpasswd", "a%0d%0aX-Bad:%20yes", "%ff%fe", "%",
        "%zz", "%u002e", "CON", "a" * 5000,
    )  # fmt: skip
    for sub in climbing:
        for before in (FILE, "/org/model/raw/main/", "/api/models/org/model/tree/main/", "/datasets/org/model/resolve/main/",
                "/api/resolve-cache/models/org/model/" + "0" * 40 + "/"):
            yield f"path {before}{sub[:40]}", get(before + sub), (404, 307, 400, 200) if sub == "config.json/" else (404, 400)
    for before in ("/org/model.git/info/lfs/objects/", "/-/", "/api/models/", "/api/", "/", "/org/model.git/",
            "/api/models/org/model/treesize/main/", "/org/model/resolve/"):
        for sub in climbing[:15]:
            yield f"path {before}{sub[:40]}", get(before + sub), (404, 400, 403, 405, 422, *yes) if sub == "config.json/" else (404, 400, 403, 405, 422)
    yield "revision that climbs", get("/org/model/resolve/..%2f..%2f/config.json"), (404,)
    yield "revision that is an option", get("/api/models/org/model/commits/--output=x"), (404,)
    yield "cursor of nonsense", get("/api/models/org/model/tree/main?cursor=99999999999999999999-x"), (400, 404)
    yield "limit of nonsense", get("/api/models?limit=-1"), (400,)
    yield "limit that is huge", get("/api/models?limit=99999999999999999999"), (200, 400)
    yield "search for nothing readable", get("/api/models?search=%ff%fe%00"), (200, 400)
    # ranges
    for value in (b"bytes=" + b",".join(b"%d-%d" % (i, i) for i in range(1000)), b"bytes=0-18446744073709551616", b"bytes=-", b"bytes=9-1",
            b"bytes=" + b"9" * 1000 + b"-"):
        yield f"range {value[:30].decode()}", get(FILE + "weights.bin", b"Range: " + value + CRLF, method=b"HEAD"), (200, 206, 416)
    yield "range beyond the end", get(FILE + "config.json", b"Range: bytes=18446744073709551615-\r\n"), (416,)
    yield "many ETags", get(FILE + "config.json", b"If-None-Match: " + b'"x",' * 10_000 + CRLF), yes
    # bodies
    yield "body of a GET", get("/-/health", b"Content-Length: 3\r\n") + b"abc", yes
    yield "body of a GET that is long", get("/-/health", b"Content-Length: 1000000\r\n") + b"a" * 70_000, (413,)
    yield "body of a HEAD that is long", get("/-/health", b"Content-Length: 1000000\r\n", b"HEAD"), (413,)
    yield "body for a route without one", post("/api/models/org/model/commit/main", b"x" * 100_000), (403, 413)
    yield "paths-info: deep JSON", post(PATHS, b"[" * 500_000, JSON), REFUSED
    yield "paths-info: deep object", post(PATHS, b'{"paths":' * 100_000, JSON), REFUSED
    yield "paths-info: 2001 paths", post(PATHS, js({"paths": [f"p{i}" for i in range(2001)]}), JSON), (400, 413, 422)
    yield "paths-info: 2000 paths", post(PATHS, js({"paths": [f"p{i}" for i in range(2000)]}), JSON), yes
    yield "paths-info: million ampersands", post(PATHS, b"&" * 1_000_000, FORM), (200, 400)
    yield "paths-info: million paths", post(PATHS, b"paths=a&" * 250_000, FORM), (400, 413, 422)
    yield "paths-info: no UTF-8", post(PATHS, b'{"paths":["\xff\xfe"]}', JSON), (200, 400)
    yield "paths-info: no UTF-8 in a form", post(PATHS, b"paths=%ff%fe&paths=%00&paths=..%2f..", FORM), yes
    yield "paths-info: NUL", post(PATHS, b'{"paths":["a\\u0000b"]}', JSON), (200, 400)
    yield "paths-info: a number", post(PATHS, b'{"paths":1e999999}', JSON), REFUSED
    yield "paths-info: long number", post(PATHS, b'{"paths":[' + b"1" * 1_000_000 + b"]}", JSON), REFUSED
    yield "paths-info: wrong type", post(PATHS, b"<xml/>", b"Content-Type: text/xml\r\n"), (200, 400, 415)
    yield "paths-info: no type", post(PATHS, b"paths=config.json"), (200, 400, 415)
    yield "paths-info: empty", post(PATHS, b"", JSON), (200, 400)
    yield "paths-info: too long", post(PATHS, b"x" * 3_000_000, JSON), (413,)
    yield "batch: deep JSON", post(BATCH, b"[" * 500_000, LFS), (400, 422)
    yield "batch: number", post(BATCH, b"1", LFS), (400, 422)
    yield "batch: no JSON", post(BATCH, b"\xff" * 100, LFS), (400, 422)
    yield "batch: negative size", post(BATCH, js({"operation": "download", "objects": [{"oid": "0" * 64, "size": -1}]}), LFS), (200, 400, 422)
    yield "batch: oid that climbs", post(BATCH, js({"operation": "download", "objects": [{"oid": "../../../etc/passwd", "size": 1}]}), LFS), (200, 400, 422)
    yield "batch: thousands of objects", post(BATCH, js({"operation": "download", "objects": [{"oid": "0" * 64, "size": 1}] * 9000}), LFS), (400, 413, 422)
    yield "batch: upload", post(BATCH, js({"operation": "upload", "objects": [{"oid": "0" * 64, "size": 1}]}), LFS), (403,)
    yield "batch: too long", post(BATCH, b"x" * 2_000_000, LFS), (413,)
    yield "batch: wrong type", post(BATCH, b"{}", JSON), (400, 415, 422)
    for name, body in (("no packets", b"hello world"), ("a packet too long", b"ffffxxxx"), ("a packet of length 3", b"0003"),
            ("a packet that is cut", b"0032want"), ("nothing", b"")):
        yield "git: " + name, post(PACK, body, GIT), REFUSED
        yield "git 2: " + name, post(PACK, body, GIT + b"Git-Protocol: version=2\r\n"), REFUSED
    for name, body in (
        ("zeros", b"0000"), ("a want of nonsense", b"0032want " + b"z" * 40 + b"\n00000009done\n"),
        ("a want of what is not there", b"0032want " + b"1" * 40 + b"\n00000009done\n"),
        ("a million flushes", b"0000" * 250_000),
    ):  # fmt: skip
        # git judges these, and ends without a word that would tell a bad request from a damaged repository
        yield "git: " + name, post(PACK, body, GIT), (200, 400, 500)
        yield "git 2: " + name, post(PACK, body, GIT + b"Git-Protocol: version=2\r\n"), (200, 400, 500)
    bomb = gzip.compress(bytes(200 << 20), 9)
    yield "git: gzip bomb", post(PACK, bomb, GIT + b"Content-Encoding: gzip\r\n"), (413,)
    yield "git: no gzip", post(PACK, b"\x1f\x8b nonsense", GIT + b"Content-Encoding: gzip\r\n"), REFUSED
    yield "git: gzip twice", post(PACK, gzip.compress(b"0000") * 2, GIT + b"Content-Encoding: gzip\r\n"), REFUSED
    yield "git: unknown encoding", post(PACK, b"0000", GIT + b"Content-Encoding: br\r\n"), (415,)
    yield "git: wrong type", post(PACK, b"0000", JSON), (415,)
    yield "git: service that is an option", get("/org/model.git/info/refs?service=--upload-pack=x"), (403,)
    yield "git: protocol of nonsense", get("/org/model.git/info/refs?service=git-upload-pack", b"Git-Protocol: version=2:$(id)\r\n"), yes


class HostileCase(ServeTest):
    check_rebuild = False

    def begin(self, **settings):
        self.model("org/model", {"config.json": '{"a": 1}\n', "weights.bin": LfsRandom(8 << 20, "w")})
        self.mirror("org/model")
        self.serve(settings={**QUICK, **settings})
        at = urllib.parse.urlsplit(self.endpoint)
        self.address = (at.hostname, at.port)

    def connect(self, receive_buffer=None):
        s = socket.socket()
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(HANG_S)  # only a hang is ended by it
        s.connect(self.address)
        self.addCleanup(s.close)
        return s

    @staticmethod
    def until_closed(s):
        """What comes until the server closes; a reset ends it too."""
        got = []
        try:
            while piece := s.recv(1 << 16):
                got.append(piece)
        except ConnectionError:
            pass
        return b"".join(got)

    def send_and_read(self, data):
        """Everything is sent while the answer is read: a server that refuses need not read the rest. Once an answer has begun, nothing more follows."""
        s = self.connect()
        answered = threading.Event()

        def push():
            try:
                s.sendall(data)
                answered.wait()
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        pushing = threading.Thread(target=push)
        pushing.start()
        got = b""
        try:
            while piece := s.recv(1 << 16):
                got += piece
                answered.set()
        except OSError:
            pass
        answered.set()
        pushing.join()
        s.close()
        return got

    def assert_serves(self, why=""):
        answer = self.get("/org/model/resolve/main/config.json")
        self.assertEqual((answer.status, answer.body), (200, b'{"a": 1}\n'), why)

    def counted(self, name):
        text = self.get("/-/metrics").body.decode()
        found = re.search(rf"^{name}(?:{{[^}}]*}})? (\d+)", text, re.M)
        self.assertIsNotNone(found, f"no {name} in\n{text[:3000]}")
        return int(found.group(1))


def split_answer(data, head_only):
    """(status, bytes behind the first answer)"""
    head, mark, rest = data.partition(b"\r\n\r\n")
    first = STATUS.match(head + CRLF)
    if not mark or not first:
        raise AssertionError(f"no answer: {data[:300]!r}")
    status = int(first.group(1))
    if head_only or status in (204, 304):
        return status, rest
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    if length:
        if len(rest) < int(length.group(1)):
            raise AssertionError(f"an answer that is cut: {data[:300]!r}")
        return status, rest[int(length.group(1)) :]
    if b"Transfer-Encoding: chunked" in head:
        while True:
            size, _, rest = rest.partition(CRLF)
            n = int(size, 16)
            if rest[n : n + 2] != CRLF:
                raise AssertionError(f"a chunk that is cut: {rest[:100]!r}")
            rest = rest[n + 2 :]
            if n == 0:
                return status, rest
    return status, b""


class CorpusTest(HostileCase):
    def test_each_gets_one_answer_and_the_next_client_is_served(self):
        self.begin()
        cases = list(corpus())
        self.assertGreater(len(cases), 250)
        wrong = []
        for name, data, statuses in cases:
            got = self.send_and_read(data)
            try:
                status, more = split_answer(got, data.startswith(b"HEAD "))
                if status not in statuses:
                    wrong.append(f"{name}: {status}, not in {statuses}: {got[:300]!r}")
                if STATUS.search(more):
                    wrong.append(f"{name}: a second answer: {more[:200]!r}")
                if b"\r\nX-Bad" in got or b"root:" in got:
                    wrong.append(f"{name}: {got[:300]!r}")
            except AssertionError as error:
                wrong.append(f"{name}: {error}")
            try:
                self.assert_serves(name)
            except OSError as error:
                self.fail(f"nobody is served any more ({error}) since {name}\n{self.server.wait()}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_a_request_in_pieces_is_the_same_request(self):
        self.begin()
        body = b"paths=config.json"
        request = post(PATHS, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), FORM + CHUNKED + b"Connection: close\r\n", length=False)
        whole = self.send_and_read(request).partition(b"\r\n\r\n")[2]
        self.assertIn(b'"config.json"', whole)
        for size in (1, 7, 40):
            s = self.connect()
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(request), size):
                s.sendall(request[at : at + size])
            self.assertEqual(self.until_closed(s).partition(b"\r\n\r\n")[2], whole, size)

    def test_pipelined_requests_are_answered_in_order(self):
        self.begin()
        s = self.connect()
        names = ["config.json", "README.md", "nothing", "config.json"] * 25
        s.sendall(b"".join(get(FILE + name) for name in names) + get("/-/health", b"Connection: close\r\n"))
        got, statuses = self.until_closed(s), []
        while got:
            status, got = split_answer(got, False)
            statuses.append(status)
        self.assertEqual(statuses, [404 if name == "nothing" else 200 for name in names] + [200])


class HandedOverTest(HostileCase):
    def test_a_socket_of_systemd_is_served_and_outlives_the_process(self):
        """LISTEN_FDS: clients connect before the program runs, and between two runs of it."""
        self.begin()
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        command = self.command(["serve"])
        script = 'import os, sys; fd = int(sys.argv[1]); os.dup2(fd, 3); '
        script += 'os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])'
        self.address = listening.getsockname()
        for _ in range(2):
            early = self.connect()
            early.sendall(get(FILE + "config.json", b"Connection: close\r\n"))
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", script, str(listening.fileno()), *command], pass_fds=[listening.fileno()], env=self.environment(),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )  # fmt: skip
            try:
                self.assertTrue(self.until_closed(early).endswith(b'\r\n\r\n{"a": 1}\n'))
            finally:
                process.send_signal(signal.SIGTERM)
                told = process.communicate()[1].decode()
            self.assertEqual(process.returncode, 0, told)
            self.assertIn(f"serving at http://127.0.0.1:{self.address[1]}", told)


class SlowTest(HostileCase):
    def test_a_head_that_does_not_end_is_answered_408(self):
        self.begin()
        s = self.connect()
        stop = threading.Event()

        def drip():
            try:
                for byte in get("/", b"X: " + b"y" * 100_000):
                    s.sendall(bytes([byte]))
                    if stop.wait(0.1):  # the pace of a client that is slow on purpose
                        return
            except OSError:
                pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        got = self.until_closed(s)
        stop.set()
        dripping.join()
        self.assertEqual(split_answer(got, False)[0], 408)
        self.assert_serves()

    def test_a_connection_without_a_request_is_closed(self):
        self.begin()
        self.assertEqual(self.until_closed(self.connect()), b"")
        s = self.connect()
        s.sendall(get("/-/health"))
        self.assertEqual(split_answer(self.until_closed(s), False), (200, b""))

    def test_a_body_that_stalls_is_answered_408(self):
        self.begin()
        s = self.connect()
        s.sendall(post(PATHS, b"paths=", FORM + b"Content-Length: 1000\r\n", length=False))
        self.assertEqual(split_answer(self.until_closed(s), False)[0], 408)
        s = self.connect()
        s.sendall(get(PATHS, FORM + b"Content-Length: 1000\r\nExpect: 100-continue\r\n", b"POST"))
        got = self.until_closed(s)
        self.assertTrue(got.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 "), got)

    def test_a_reader_that_does_not_read_is_cut_off(self):
        self.begin()
        s = self.connect(receive_buffer=4096)
        s.sendall(get(FILE + "weights.bin"))
        wait_until(lambda: self.counted("hubmirror_http_connections") <= 1, "the reader was cut off", self.server)
        self.assertLess(len(self.until_closed(s)), 8 << 20)
        self.assert_serves()

    def test_a_thousand_idle_connections_keep_nobody_out(self):
        self.begin(idle_timeout_ms=600_000)
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        idle = [self.connect() for _ in range(1000)]
        self.assert_serves()
        wait_until(lambda: self.counted("hubmirror_http_connections") > 1000, "all are there", self.server)
        self.assert_serves()
        for s in idle:
            s.close()

    def test_one_address_gets_its_share_of_connections(self):
        self.begin(connections_per_address_max=10, idle_timeout_ms=HANG_S * 1000)
        held = [self.connect() for _ in range(10)]
        for s in held[:-1]:
            s.sendall(get("/-/health"))
            self.assertTrue(s.recv(10_000).startswith(b"HTTP/1.1 200 "))
        held[-1].sendall(get("/-/health"))
        self.assertTrue(held[-1].recv(10_000).startswith(b"HTTP/1.1 200 "))
        got = self.until_closed(self.connect())
        self.assertTrue(got.startswith(b"HTTP/1.1 503 ") and b"Retry-After" in got, got)
        for s in held:
            s.close()

        def served():
            s = self.connect()
            s.settimeout(HANG_S)
            try:
                s.sendall(get("/-/health", b"Connection: close\r\n"))
                return self.until_closed(s).startswith(b"HTTP/1.1 200 ")
            except OSError:
                return False

        wait_until(served, "their places are free again", self.server)

    def test_running_out_of_descriptors_is_passing(self):
        self.begin()
        pid = self.server.pid
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 20, used + 20))
        held = [self.connect() for _ in range(60)]  # those that are not accepted wait in the kernel
        held[0].sendall(get("/-/health"))
        self.assertTrue(held[0].recv(10_000).startswith(b"HTTP/1.1 200 "))
        for s in held:
            s.close()
        self.assert_serves()

    def test_many_who_announce_bodies_and_send_none_keep_nobody_out(self):
        self.begin(stall_timeout_ms=600_000)
        for _ in range(200):
            self.connect().sendall(post(PATHS, b"p", FORM + b"Content-Length: 2000000\r\n", length=False))
        self.assertEqual(self.get(PATHS, "POST", "paths=config.json", Content_Type="application/x-www-form-urlencoded").status, 200)


@unittest.skipUnless(shutil.which("slowhttptest"), "slowhttptest is not installed (Debian package slowhttptest)")
class SlowToolTest(HostileCase):
    """slowhttptest in its four modes: the service answers others all the time."""

    def attack(self, *args):
        self.begin(connections_per_address_max=100_000)
        seconds = scaled(12, 6)
        url = self.endpoint + FILE + "weights.bin"
        command = ["slowhttptest", "-c", "500", "-r", "200", "-l", str(seconds), "-p", "3", "-u", url, *args]
        tool = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd=self.dir)
        served = 0
        try:
            while tool.poll() is None:
                self.assert_serves()
                served += 1
        finally:
            if tool.poll() is None:
                tool.kill()
            tool.wait()
        self.assertGreater(served, 0)
        self.assert_serves()

    def test_slow_heads(self):
        self.attack("-H", "-i", "1")

    def test_slow_bodies(self):
        self.attack("-B", "-i", "1", "-s", "8192")

    def test_many_ranges(self):
        self.attack("-R", "-a", "5", "-b", "3000")

    def test_slow_readers(self):
        self.attack("-X", "-w", "10", "-y", "20", "-n", "1", "-z", "32", "-k", "3")


if __name__ == "__main__":
    main()
