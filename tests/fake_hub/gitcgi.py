"""git over HTTP: the real `git http-backend` as a CGI program, or a canned pack for repositories git refuses.

Threads: each call runs on the thread of its connection.
"""

import fcntl
import gzip
import os
import subprocess

from .gitread import GIT_ENV, SHOWN_REFS
from .httpd import Response

_BACKEND = os.path.join(subprocess.run(["git", "--exec-path"], capture_output=True, check=True, text=True).stdout.strip(),
                        "git-http-backend")
PIPE_BYTES = 1 << 20


def serve_git(request, repo, service_path, *, git_v2=True):
    """Answers /info/refs, /git-upload-pack (service_path) of one repository."""
    query = request.query
    if service_path == "/git-receive-pack" or "service=git-receive-pack" in query:
        return Response(403, body=b"read-only\n", headers=[("X-Error-Message", "this Hub is read-only")])
    if service_path == "/info/refs" and "service=git-upload-pack" not in query:
        return Response(403, body=b"Please upgrade your git client.\n")
    if os.path.exists(os.path.join(repo.git_dir, "canned.pack")):
        return _serve_canned(request, repo, service_path, git_v2)
    environment = {
        **GIT_ENV,
        "GIT_PROJECT_ROOT": repo.git_dir, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": service_path,
        "REQUEST_METHOD": request.method, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": request.header("content-type", ""), "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.header("content-encoding", ""), "SERVER_PROTOCOL": "HTTP/1.1",
    }
    if git_v2 and request.header("git-protocol"):
        environment["GIT_PROTOCOL"] = request.header("git-protocol")
    body_fd = os.memfd_create("request")
    try:
        with os.fdopen(os.dup(body_fd), "wb") as f:
            f.write(request.body)
        os.lseek(body_fd, 0, os.SEEK_SET)
        process = subprocess.Popen([_BACKEND], stdin=body_fd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   env=environment, bufsize=0)
    finally:
        os.close(body_fd)
    return _answer(process)


def _answer(process):
    fd = process.stdout.fileno()
    try:
        fcntl.fcntl(fd, 1031, PIPE_BYTES)  # F_SETPIPE_SZ
    except OSError:
        pass
    data = b""
    while b"\r\n\r\n" not in data:
        more = os.read(fd, 65536)
        if not more:
            break
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    status, headers = 200, []
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        elif name:
            headers.append((name, value.strip()))
    if not head:
        status = 500

    return Response(status, headers=headers, body=_CgiBody(process, rest))


class _CgiBody:
    """The rest of the program's output; closing it early ends the program by a broken pipe."""

    def __init__(self, process, start):
        self._process, self._start = process, start

    def __iter__(self):
        if self._start:
            yield self._start
        fd = self._process.stdout.fileno()
        while chunk := os.read(fd, PIPE_BYTES):
            yield chunk

    def close(self):
        self._process.stdout.close()
        self._process.wait()


# Canned packs: just enough of both protocol versions to hand any bytes to any client.


def _pkt(data):
    data = data if isinstance(data, bytes) else data.encode()
    return b"%04x" % (len(data) + 4) + data


def _shown(repo):
    refs = {name: oid for name, oid in repo.reader.refs().items() if name.startswith(SHOWN_REFS)}
    head = repo.reader.head_ref()
    return ({"HEAD": refs[head]} if head in refs else {}) | refs


def _serve_canned(request, repo, service_path, git_v2):
    v2 = git_v2 and "version=2" in request.header("git-protocol", "")
    plain = [("Cache-Control", "no-cache")]
    if service_path == "/info/refs":
        kind = [("Content-Type", "application/x-git-upload-pack-advertisement")]
        start = _pkt("# service=git-upload-pack\n") + b"0000"
        if v2:
            lines = ("version 2\n", "agent=git/fake-hub\n", "ls-refs=unborn\n", "fetch=shallow\n", "object-format=sha1\n")
            return Response(200, headers=kind + plain, body=start + b"".join(map(_pkt, lines)) + b"0000")
        out = b""
        for i, (name, oid) in enumerate(_shown(repo).items()):
            features = f"\0side-band-64k ofs-delta symref=HEAD:{repo.reader.head_ref()} agent=git/fake-hub" if i == 0 else ""
            out += _pkt(f"{oid} {name}{features}\n")
        return Response(200, headers=kind + plain, body=start + out + b"0000")
    body = gzip.decompress(request.body) if request.header("content-encoding") == "gzip" else request.body
    kind = [("Content-Type", "application/x-git-upload-pack-result")]
    if v2 and b"command=ls-refs" in body:
        out = b""
        for name, oid in _shown(repo).items():
            target = f" symref-target:{repo.reader.head_ref()}" if name == "HEAD" and b"symrefs" in body else ""
            peeled = repo.reader.peel(oid)
            target += f" peeled:{peeled}" if peeled != oid and b"peel" in body else ""
            out += _pkt(f"{oid} {name}{target}\n")
        return Response(200, headers=kind + plain, body=out + b"0000")
    if v2 and b"done" not in body:
        return Response(200, headers=kind + plain, body=_pkt("acknowledgments\n") + _pkt("NAK\n") + b"0000")
    with open(os.path.join(repo.git_dir, "canned.pack"), "rb") as f:
        pack = f.read()

    def stream():
        yield _pkt("packfile\n") if v2 else _pkt("NAK\n")
        for at in range(0, len(pack), 65000):
            yield _pkt(b"\1" + pack[at : at + 65000])
        yield b"0000"

    return Response(200, headers=kind + plain, body=stream())
