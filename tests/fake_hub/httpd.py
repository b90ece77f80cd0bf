"""A small HTTP/1.1 server with its hands on the socket: keep-alive, sendfile, and every way to answer badly.

One thread per connection. A `Handler` gets a Request and returns a Response; `Response.wire` says how the bytes
leave (see Wire), which is where most faults of faults.py take effect. Requests are recorded by RequestLog.
"""

import contextlib
import email.utils
import fcntl
import http
import json
import os
import select
import socket
import struct
import termios
import threading
import time
import traceback
import urllib.parse

HEAD_BYTES_MAX = 1 << 20  # 5,000 refs in a query are far less; more is a client gone wrong
BODY_BYTES_MAX = 256 << 20
CHUNK = 256 << 10
TRICKLES_PER_S = 20
SENDFILE_MAX = 256 << 20


def _reason(status):
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class FileBody:
    """A piece of a file; `flips` maps absolute offsets to a bit mask XORed into that byte."""

    def __init__(self, path, offset, length, flips=None):
        self.path, self.offset, self.length, self.flips = path, offset, length, flips or {}

    def __len__(self):
        return self.length

    def __iter__(self):
        with open(self.path, "rb", buffering=0) as f:
            f.seek(self.offset)
            at, left = self.offset, self.length
            while left > 0:
                chunk = f.read(min(CHUNK, left))
                if not chunk:
                    return
                hits = [o for o in self.flips if at <= o < at + len(chunk)]
                if hits:
                    chunk = bytearray(chunk)
                    for o in hits:
                        chunk[o - at] ^= self.flips[o]
                yield chunk
                at += len(chunk)
                left -= len(chunk)


class Wire:
    """How a response is put on the wire. All None or 0: properly."""

    reset_before_head = False
    reset_after = None  # body bytes, then RST
    close_after = None  # body bytes, then FIN: a short body
    stall_after = None  # body bytes, then silence until released
    stall_before_head = False
    declared_length = None  # a lie for Content-Length
    extra = 0  # bytes sent beyond the declared length
    trickle_bytes_per_s = 0
    endless_body = False
    endless_headers = False
    delay_s = 0.0


class Response:
    """`body`: bytes, FileBody, or any iterable of bytes (sent chunked; its close() is called at the end)."""

    def __init__(self, status, body=b"", headers=(), reason=None):
        self.status, self.body, self.headers, self.reason = status, body, list(headers), reason
        self.wire = None

    def set(self, name, value):
        """Replaces a header, or removes it when value is None."""
        self.headers = [h for h in self.headers if h[0].lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    def get(self, name):
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def bent(self):
        """The Wire of this response, made when first needed."""
        if self.wire is None:
            self.wire = Wire()
        return self.wire


class Request:
    """`target` is the raw request target, `path` its raw path, `query` its raw query; nothing is decoded."""

    def __init__(self, port, method, target, version, headers):
        self.port, self.method, self.target, self.version, self.headers = port, method, target, version, headers
        if "://" in target[:12]:  # absolute form
            target = "/" + target.split("://", 1)[1].partition("/")[2]
        self.path, _, self.query = target.partition("?")
        self.body = b""
        self.base_url = ""
        self.ignore_range = False
        self.etag_suffix = ""
        self.after = []  # called when the response is out
        self._by_name = {}
        for name, value in headers:
            self._by_name.setdefault(name.lower(), value)

    def header(self, name, default=None):
        return self._by_name.get(name, default)

    def params(self):
        """{name: [values]}; `expand[]` is folded into `expand`."""
        found = {}
        for name, value in urllib.parse.parse_qsl(self.query, keep_blank_values=True, encoding="utf-8", errors="surrogateescape"):
            found.setdefault(name.removesuffix("[]"), []).append(value)
        return found


class RequestLog:
    """Every request of every port, in order of arrival. An entry is complete once its "done" is true."""

    def __init__(self, path=None):
        self.entries = []
        self._lock = threading.Condition()
        self._open = 0
        self._file = open(path, "a", encoding="utf-8") if path else None  # noqa: SIM115 (lives as long as the log)

    def begin(self, request, connection):
        entry = {
            "seq": 0, "time": time.time(), "port": request.port, "connection": connection, "method": request.method,
            "path": request.target, "headers": request.headers, "range": request.header("range"), "body_bytes": len(request.body),
            "status": None, "bytes": 0, "faults": [], "aborted": False, "done": False,
        }
        with self._lock:
            entry["seq"] = len(self.entries)
            self.entries.append(entry)
            self._open += 1
        return entry

    def end(self, entry):
        with self._lock:
            entry["done"] = True
            self._open -= 1
            if self._file:
                self._file.write(json.dumps(entry) + "\n")
                self._file.flush()
            self._lock.notify_all()

    def wait_idle(self, timeout_s):
        """True once no request is being answered."""
        with self._lock:
            return self._lock.wait_for(lambda: self._open == 0, timeout_s)

    def clear(self):
        with self._lock:
            self.entries = []


class Gate:
    """Lets go of what is stalled now; what stalls later waits for the next opening."""

    def __init__(self):
        self.openings = 0
        self._stalled = 0
        self._lock = threading.Lock()

    def open(self):
        self.openings += 1

    @property
    def stalled(self):
        """How many answers stand still; each of these is let go by the next opening."""
        with self._lock:
            return self._stalled

    @contextlib.contextmanager
    def closed(self):
        """Counts an answer that stands still; gives a question that is answered True once the gate was opened."""
        openings = self.openings  # before it counts: whoever sees it stalled can let it go
        with self._lock:
            self._stalled += 1
        try:
            yield lambda: self.openings != openings
        finally:
            with self._lock:
                self._stalled -= 1


class Server:
    """Listens on `host`:`port` (0: any free one) and answers with handler(request, entry) -> Response.

    `tls` is an ssl.SSLContext; `gate` is shared by servers whose stalls are released together.
    """

    def __init__(self, name, handler, log, *, host="127.0.0.1", port=0, tls=None, gate=None):
        self.name, self._handler, self._log, self._tls = name, handler, log, tls
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(1024)
        self.host, self.port = self._listener.getsockname()
        self.stopping = threading.Event()
        self.gate = gate or Gate()
        self.connections_accepted = 0
        self._connections = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, name=f"accept-{name}", daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self.stopping.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        with self._lock:
            open_now = list(self._connections)
        for connection in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if self._thread.is_alive():
            self._thread.join()

    def _accept(self):
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections_accepted += 1
                number = self.connections_accepted
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, plain, number):
        connection = plain
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._connections.discard(plain)
                    self._connections.add(connection)
            _Connection(self, connection, f"{self.name}-{number}").run()
        except (OSError, _Gone):
            pass
        except Exception:  # a bug here must be seen by whoever runs the tests, and must not end the server
            traceback.print_exc()
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()


class _Gone(Exception):
    """The connection is over, as intended or because the peer went away."""


class _Connection:
    def __init__(self, server, sock, name):
        self._server, self._sock, self._name = server, sock, name
        self._buffer = b""
        self._secure = server._tls is not None

    def run(self):
        while not self._server.stopping.is_set():
            request = self._read_request()
            if request is None:
                return
            entry = self._server._log.begin(request, self._name)
            response = None
            try:
                try:
                    response = self._server._handler(request, entry)
                except Exception as error:
                    traceback.print_exc()
                    response = Response(500, body=f"fake hub: {error!r}\n".encode())
                entry["status"] = response.status
                keep = self._send(request, response, entry)
            except (OSError, _Gone):
                entry["aborted"] = True
                raise
            finally:
                close = getattr(response and response.body, "close", None)
                if close:
                    close()
                for call in request.after:
                    call()
                self._server._log.end(entry)
            if not keep:
                return

    # reading

    def _more(self):
        data = self._sock.recv(65536)
        self._buffer += data
        return bool(data)

    def _read_request(self):
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > HEAD_BYTES_MAX:
                self._sock.sendall(b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return None
            if not self._more():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lstrip("\r\n").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            self._sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return None
        headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.append((name.strip(), value.strip()))
        request = Request(self._server.name, words[0], words[1], words[2], headers)
        scheme = "https" if self._secure else "http"
        request.base_url = f"{scheme}://{request.header('host') or f'{self._server.host}:{self._server.port}'}"
        if (request.header("expect") or "").lower() == "100-continue":
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.body = self._read_body(request)
        return request

    def _read_body(self, request):
        if "chunked" in (request.header("transfer-encoding") or "").lower():
            parts = []
            while True:
                while b"\r\n" not in self._buffer:
                    self._need()
                line, _, self._buffer = self._buffer.partition(b"\r\n")
                size = int(line.split(b";")[0], 16)
                while len(self._buffer) < size + 2:
                    self._need()
                parts.append(self._buffer[:size])
                self._buffer = self._buffer[size + 2 :]
                if size == 0 or sum(map(len, parts)) > BODY_BYTES_MAX:
                    return b"".join(parts)
        size = int(request.header("content-length") or 0)
        if size > BODY_BYTES_MAX:
            raise _Gone
        while len(self._buffer) < size:
            self._need()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return body

    def _need(self):
        if not self._more():
            raise _Gone

    # writing

    def _send(self, request, response, entry):
        """Writes one response; True when the connection may be used again."""
        body, wire = response.body, response.wire
        sized = isinstance(body, (bytes, FileBody))
        bare = request.method == "HEAD" or response.status in (204, 304)
        old = request.version == "HTTP/1.0"
        keep = not old and (request.header("connection") or "").lower() != "close"
        reason = response.reason or _reason(response.status)
        lines = [f"HTTP/1.1 {response.status} {reason}", "Date: " + email.utils.formatdate(usegmt=True)]
        lines += [f"{name}: {value}" for name, value in response.headers]
        chunked = False
        if response.status == 304:
            pass
        elif wire is not None and wire.declared_length is not None:
            lines.append(f"Content-Length: {wire.declared_length}")
        elif wire is not None and wire.endless_body:
            lines.append("Transfer-Encoding: chunked")
            chunked = True
        elif sized:
            lines.append(f"Content-Length: {len(body)}")
        elif old:
            keep = False
        else:
            lines.append("Transfer-Encoding: chunked")
            chunked = True
        if not keep:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        if wire is not None:
            return self._send_bent(head, body, bare, chunked, wire, entry) and keep
        if bare:
            self._sock.sendall(head)
        elif isinstance(body, bytes):
            self._sock.sendall(head + body)
            entry["bytes"] = len(body)
        elif isinstance(body, FileBody) and not body.flips and not self._secure:
            self._send_file(head, body, entry)
        else:
            if isinstance(body, FileBody):
                self._sock.sendall(head)
                head = b""
            for chunk in body:
                self._sock.sendall(head + (b"%x\r\n" % len(chunk) + chunk + b"\r\n" if chunked else bytes(chunk)))
                head = b""
                entry["bytes"] += len(chunk)
            if chunked:
                self._sock.sendall(head + b"0\r\n\r\n")
        return keep

    def _send_file(self, head, body, entry):
        self._sock.sendall(head, socket.MSG_MORE if body.length else 0)
        fd = os.open(body.path, os.O_RDONLY)
        try:
            at, end = body.offset, body.offset + body.length
            while at < end:
                sent = os.sendfile(self._sock.fileno(), fd, at, min(end - at, SENDFILE_MAX))
                if sent == 0:
                    raise _Gone
                at += sent
                entry["bytes"] += sent
        finally:
            os.close(fd)

    def _send_bent(self, head, body, bare, chunked, wire, entry):
        if wire.delay_s:
            self._server.stopping.wait(wire.delay_s)
        if wire.stall_before_head:
            self._stall()
        if wire.reset_before_head:
            self._reset()
        if wire.endless_headers:
            self._sock.sendall(head[:-2])
            line = b"X-Endless: " + b"e" * 4000 + b"\r\n"
            while not self._server.stopping.is_set():
                self._sock.sendall(line)
                entry["bytes"] += len(line)
            raise _Gone
        self._sock.sendall(head)
        if bare:
            return True
        pieces = iter(body if not isinstance(body, bytes) else ([body] if body else []))
        sent = 0
        for piece in pieces:
            piece = memoryview(piece)
            while piece:
                stop = min((n for n in (wire.reset_after, wire.close_after, wire.stall_after) if n is not None), default=None)
                room = len(piece) if stop is None else stop - sent
                if room <= 0:
                    self._at_stop(wire)
                    continue
                step = max(1, wire.trickle_bytes_per_s // TRICKLES_PER_S) if wire.trickle_bytes_per_s else room
                part = piece[: min(room, step)]
                data = bytes(part)
                self._sock.sendall(b"%x\r\n" % len(data) + data + b"\r\n" if chunked else data)
                sent += len(data)
                entry["bytes"] = sent
                piece = piece[len(data) :]
                if wire.trickle_bytes_per_s and self._server.stopping.wait(len(data) / wire.trickle_bytes_per_s):
                    raise _Gone
        if any(n is not None and sent >= n for n in (wire.reset_after, wire.close_after, wire.stall_after)):
            self._at_stop(wire)
        if wire.endless_body:
            block = b"endless " * (CHUNK // 8)
            while not self._server.stopping.is_set():
                self._sock.sendall(b"%x\r\n" % len(block) + block + b"\r\n" if chunked else block)
                entry["bytes"] += len(block)
            raise _Gone
        if wire.extra:
            self._sock.sendall(b"x" * wire.extra)
            entry["bytes"] += wire.extra
        if chunked:
            self._sock.sendall(b"0\r\n\r\n")
        return wire.declared_length is None and not wire.extra

    def _at_stop(self, wire):
        """The byte count of a fault is reached: stall once, or end the connection."""
        if wire.stall_after is not None:
            wire.stall_after = None
            self._stall()
        elif wire.reset_after is not None:
            self._reset()
        else:
            raise _Gone

    def _reset(self):
        """Ends with RST, after the peer's kernel has what was sent."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            unsent = struct.unpack("i", fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
            if unsent == 0:
                break
            time.sleep(0.001)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Gone

    def _stall(self):
        """Silence until the test releases it, the server stops, or the peer leaves."""
        with self._server.gate.closed() as opened:
            while not opened():
                if self._server.stopping.wait(0.05):
                    raise _Gone
                readable, _, _ = select.select([self._sock], [], [], 0)
                if readable and not self._secure and not self._sock.recv(1, socket.MSG_PEEK):
                    raise _Gone
