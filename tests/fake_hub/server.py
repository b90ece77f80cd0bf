"""The fake Hub itself: two HTTP servers (API and CDN) over one Store, with a fault script and a request log.

    with FakeHub("/tmp/hub", faults={"rules": [...]}) as hub:
        run(["hubmirror", "--upstream", hub.endpoint, ...])
        hub.wait_idle()
        assert not [r for r in hub.requests("cdn") if header(r, "authorization")]
"""

import base64
import dataclasses
import os
import re
import ssl
import subprocess
import threading
import time
import urllib.parse
import uuid

from . import files, hub_api
from .control import control
from .faults import FaultScript
from .gitcgi import serve_git
from .httpd import Gate, RequestLog, Response, Server
from .hub_api import answer, failure
from .repos import Store
from .updates import apply_update

CONTROL_PREFIX = "/-fake-hub/"
_API = re.compile(r"/api/(model|dataset|space)s(?:/(.*))?\Z", re.S)
_CACHE = re.compile(r"/api/resolve-cache/(model|dataset|space)s/(.*)\Z", re.S)
_GIT = re.compile(r"/info/refs\Z|/git-upload-pack\Z|/info/lfs/objects/batch\Z")
_EXPOSED = "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash"


@dataclasses.dataclass
class Options:
    """How this Hub behaves when no fault strikes."""

    git_v2: bool = True  # False: git clients are answered with protocol v0
    lfs_batch: bool = True  # False: the batch call is 404, clients have to use resolve
    lfs_batch_max: int = 1000  # objects per batch call
    lfs_missing: tuple = ()  # sha256 of objects the batch call denies having
    xet: bool = True  # show xet hashes as the Hub does; there is no chunk store behind them
    tree_page_max: int = 0  # entries per tree page at most, 0: the Hub's own limits
    url_ttl_s: int = 3600  # life of signed URLs
    url_uses: int = 0  # requests a signed URL is good for, 0: any number
    cdn_host: str = "127.0.0.1"  # the name in signed URLs
    cdn_url: str = ""  # a whole other origin for signed URLs
    tokens: dict = dataclasses.field(default_factory=dict)  # token -> {"name", "gated": [ids], "private": [ids]}; "*" is all
    quotas: dict = dataclasses.field(default_factory=lambda: {"api": 100_000, "resolvers": 500_000, "pages": 10_000})
    window_s: int = 300
    enforce_quotas: bool = False  # True: 429 once a bucket is used up


class Caller:
    """Who a token belongs to."""

    def __init__(self, facts):
        self.name = facts.get("name", "user")
        self._gated, self._private = facts.get("gated", []), facts.get("private", [])

    def may_read(self, repo):
        return "*" in self._private or repo.id in self._private

    def accepted_gate(self, repo):
        return "*" in self._gated or repo.id in self._gated


class FakeHub:
    """`root` holds repositories and blobs (kept between runs); `faults` is a fault script; other arguments are Options."""

    def __init__(self, root, *, port=0, cdn_port=0, faults=None, seed=None, log_path=None, tls=False, **options):
        self.options = Options(**options)
        self.store = root if isinstance(root, Store) else Store(root)
        self.faults = FaultScript(faults, self, seed)
        self.log = RequestLog(log_path)
        self.gate = Gate()
        self.updates = {}  # name -> callable(hub) or update description, for the fault action "update"
        self.updates_done = []
        self.cdn = files.Cdn(self)
        self._windows = {}
        self._lock = threading.Lock()
        self.ca_file = None
        context = self._tls_context() if tls else None
        self.api_server = Server("api", self._handle_api, self.log, port=port, tls=context, gate=self.gate)
        self.cdn_server = Server("cdn", self._handle_cdn, self.log, port=cdn_port, tls=context, gate=self.gate)
        scheme = "https" if tls else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self.api_server.port}"
        self.cdn_endpoint = self.options.cdn_url or f"{scheme}://{self.options.cdn_host}:{self.cdn_server.port}"

    def start(self):
        self.api_server.start()
        self.cdn_server.start()
        return self

    def stop(self):
        self.api_server.stop()
        self.cdn_server.stop()
        self.log.wait_idle(5)
        self.store.close()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    # for tests

    def requests(self, port=None, path=None, method=None):
        """Log entries so far, filtered by port name, path regex and method."""
        return [e for e in list(self.log.entries) if port in (None, e["port"]) and method in (None, e["method"])
                and (path is None or re.search(path, e["path"]))]

    def wait_idle(self, timeout_s=300):
        """Until no request is being answered: the log is complete then. TimeoutError when that never comes."""
        if not self.log.wait_idle(timeout_s):
            raise TimeoutError(f"answers that do not end: {[e['path'] for e in self.requests() if not e['done']]}")

    def stalled(self):
        """How many answers stand still until release()."""
        return self.gate.stalled

    def release(self):
        """Lets every stalled answer go on."""
        self.gate.open()

    def expire_urls(self):
        """Every signed URL given out so far is refused from now on."""
        self.cdn.generation += 1

    def run_update(self, update):
        """Runs a prepared update by name, or one described as in README.md."""
        name = update if isinstance(update, str) else update.get("op")
        prepared = self.updates[update] if isinstance(update, str) else update
        result = prepared(self) if callable(prepared) else apply_update(self, prepared)
        self.updates_done.append({"name": name, "time": time.time(), "result": result})
        return result

    def xet_hash(self, sha256):
        return self.cdn.xet_hash(sha256)

    def signed_url(self, repo, sha256, path=""):
        return self.cdn.signed_url(repo, sha256, path)

    # answering

    def _handle_cdn(self, request, entry):
        return self.faults.handle(request, entry, self.cdn.handle)

    def _handle_api(self, request, entry):
        if request.path.startswith(CONTROL_PREFIX):
            return control(self, request, entry, request.path.removeprefix(CONTROL_PREFIX))
        response = self.faults.handle(request, entry, self._limited)
        if response.status == 401 and _GIT.search(request.path):
            response.set("WWW-Authenticate", 'Basic realm="Authentication required"')
            response.set("LFS-Authenticate", 'Basic realm="Authentication required"')
        self._dress(request, response)
        return response

    def bucket_of(self, request):
        return "resolvers" if "/resolve/" in request.path or "/resolve-cache/" in request.path else "api" if request.path.startswith("/api/") else "pages"

    def _limited(self, request):
        bucket = self.bucket_of(request)
        with self._lock:
            now = time.monotonic()
            start, used = self._windows.get(bucket, (now, 0))
            if now - start >= self.options.window_s:
                start, used = now, 0
            self._windows[bucket] = (start, used + 1)
        over = self.options.enforce_quotas and used + 1 > self.options.quotas[bucket]
        return failure(429, "Too Many Requests: you have reached your quota") if over else self._route(request)

    def _dress(self, request, response):
        """The headers the Hub puts on every answer."""
        bucket = self.bucket_of(request)
        if response.get("RateLimit") is None:
            start, used = self._windows.get(bucket, (time.monotonic(), 0))
            quota, window = self.options.quotas[bucket], self.options.window_s
            reset = max(0, int(start + window - time.monotonic()))
            response.headers.append(("RateLimit", f'"{bucket}";r={max(0, quota - used)};t={reset}'))
            response.headers.append(("RateLimit-Policy", f'"fixed window";"{bucket}";q={quota};w={window}'))
        response.headers += [("X-Powered-By", "huggingface-moon"), ("X-Request-Id", f"Root=1-{uuid.uuid4()}"),
                             ("Access-Control-Expose-Headers", _EXPOSED)]
        if response.get("Vary") is None:
            response.headers.append(("Vary", "Origin"))

    # access

    def _caller(self, request):
        """Caller, None for anonymous, or a failure for a bad token."""
        value = request.header("authorization")
        if not value:
            return None
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "basic":
            try:
                token = base64.b64decode(token).decode().partition(":")[2]
            except ValueError:
                token = ""
        if token in self.options.tokens:
            return Caller(self.options.tokens[token])
        return failure(401, "Invalid credentials in Authorization header")

    @staticmethod
    def _missing(caller):
        if caller:
            return failure(404, "Repository not found", "RepoNotFound")
        realm = [("WWW-Authenticate", 'Bearer realm="Authentication required", charset="UTF-8"')]
        return failure(401, "Invalid username or password.", headers=realm)

    def _refusal(self, request, repo, caller, content):
        """Why this caller may not have it, or None. Metadata of gated repositories stays readable."""
        if repo.meta["private"] and not (caller and caller.may_read(repo)):
            return self._missing(caller)
        if repo.meta["disabled"]:
            return failure(403, "Access to this resource is disabled.")
        if content and repo.meta["gated"]:
            if not caller:
                return failure(401, f"Access to {repo.kind} {repo.id} is restricted. You must have access to it and be authenticated to "
                                    "access it. Please log in.", "GatedRepo", text=True)
            if not caller.accepted_gate(repo):
                return failure(403, f"Access to {repo.kind} {repo.id} is restricted and you are not in the authorized list. Visit "
                                    f"{self.endpoint}/{repo.id} to ask for access.", "GatedRepo", text=True)
        return None

    # routes

    def _route(self, request):
        caller = self._caller(request)
        if isinstance(caller, Response):
            return caller
        path = request.path
        if found := _CACHE.match(path):
            return self._in_repo(request, caller, found.group(1), path[: found.start(2)], found.group(2), self._cached_file, True)
        if found := _API.match(path):
            kind, rest = found.groups()
            if not rest:
                if request.method not in ("GET", "HEAD"):
                    return failure(405, "Method not allowed")
                return hub_api.list_repos(self, request, kind, caller)
            return self._in_repo(request, caller, kind, path[: found.start(2)], rest, self._api_call, False)
        if path == "/api/whoami-v2":
            return hub_api.whoami(caller) if caller else self._missing(None)
        if path.startswith("/api/telemetry/"):
            return answer({})
        if path == "/api/agent-harnesses":
            return answer({"harnesses": {}})
        if path.startswith("/api/"):
            return failure(404, "Not Found")
        for kind, prefix in (("dataset", "/datasets/"), ("space", "/spaces/"), ("model", "/")):
            if path.startswith(prefix):
                return self._in_repo(request, caller, kind, prefix, path[len(prefix) :], self._file_call, True)
        return failure(404, "Not Found")

    def _in_repo(self, request, caller, kind, prefix, rest, call, content):
        """Finds the repository a path names, follows renames, checks access, then call(request, repo, raw rest)."""
        segments = rest.split("/")
        for count in (2, 1):
            name = urllib.parse.unquote("/".join(segments[:count]))
            if call == self._file_call:
                name = name.removesuffix(".git")
            repo = self.store.get(kind, name) if len(segments) >= count else None
            if repo:
                refusal = self._refusal(request, repo, caller, content)
                return refusal or call(request, repo, segments[count:], caller)
            moved = self.store.renamed(kind, name) if len(segments) >= count else None
            if moved and not self._refusal(request, moved, caller, False):
                tail = "/".join(segments[count:])
                query = f"?{request.query}" if request.query else ""
                location = f"{prefix}{moved.id}{'/' + tail if tail else ''}{query}"
                return Response(307, headers=[("Location", location), ("Content-Type", "text/plain; charset=utf-8")],
                                body=f"Temporary Redirect. Redirecting to {location}".encode())
        return self._missing(caller)

    @staticmethod
    def _revision_and_path(repo, segments):
        """(revision, path) decoded; an unencoded revision with slashes is found by longest match against refs."""
        parts = [urllib.parse.unquote(s, errors="surrogateescape") for s in segments]
        refs = repo.reader.refs()
        for count in range(min(len(parts), 8), 1, -1):
            name = "/".join(parts[:count])
            if name in refs or "refs/heads/" + name in refs or "refs/tags/" + name in refs:
                return name, "/".join(parts[count:])
        return (parts[0] if parts else ""), "/".join(parts[1:])

    def _api_call(self, request, repo, segments, caller):
        reads = request.method in ("GET", "HEAD")
        if not segments or segments == [""]:
            return hub_api.info(self, request, repo, None) if reads else failure(405, "Method not allowed")
        what, rest = segments[0], segments[1:]
        if what == "refs" and reads:
            return hub_api.refs(self, request, repo)
        if what == "auth-check":
            return self._refusal(request, repo, caller, True) or answer({})
        if what == "scan" and reads:
            return answer({"scansDone": False, "filesWithIssues": []})
        if what == "discussions" and reads:
            return answer({"discussions": [], "count": 0, "start": 0, "numClosedDiscussions": 0})
        if what == "xet-read-token":
            return files.xet_read_token(self, request, repo)
        revision, path = self._revision_and_path(repo, rest)
        if what == "paths-info" and request.method == "POST":
            return hub_api.paths_info(self, request, repo, revision)
        if not reads:
            return failure(403, "this Hub is read-only")
        if what == "revision":
            return hub_api.info(self, request, repo, revision)
        if what == "tree":
            return hub_api.tree(self, request, repo, revision, path.strip("/"))
        if what == "commits":
            return hub_api.commits(self, request, repo, revision)
        if what == "treesize":
            return hub_api.tree_size(self, request, repo, revision, path)
        return failure(404, "Not Found")

    def _cached_file(self, request, repo, segments, caller):
        revision, path = self._revision_and_path(repo, segments)
        return files.resolve_cache(self, request, repo, revision, path)

    def _file_call(self, request, repo, segments, caller):
        tail = "/" + "/".join(segments)
        if tail in ("/info/refs", "/git-upload-pack", "/git-receive-pack"):
            return serve_git(request, repo, tail, git_v2=self.options.git_v2)
        if tail == "/info/lfs/objects/batch" and request.method == "POST":
            return files.lfs_batch(self, request, repo)
        if request.method not in ("GET", "HEAD"):
            return failure(403, "this Hub is read-only")
        if segments and segments[0] in ("resolve", "raw"):
            revision, path = self._revision_and_path(repo, segments[1:])
            call = files.resolve if segments[0] == "resolve" else files.raw
            return call(self, request, repo, revision, path)
        return Response(200 if not segments else 404, headers=[("Content-Type", "text/html; charset=utf-8")],
                        body=f"<!doctype html><title>{repo.id}</title>".encode())

    # TLS

    def _tls_context(self):
        """A server context whose certificate is its own CA: root/tls/ca.pem, for 127.0.0.1 and localhost."""
        folder = os.path.join(self.store.root, "tls")
        os.makedirs(folder, exist_ok=True)
        self.ca_file, key = os.path.join(folder, "ca.pem"), os.path.join(folder, "key.pem")
        if not os.path.exists(self.ca_file):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                            "-subj", "/CN=fake hub", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key,
                            "-out", self.ca_file], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, key)
        return context
