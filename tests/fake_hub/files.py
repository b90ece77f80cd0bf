"""File bytes: resolve and raw, the LFS batch call, and the CDN that signed URLs point to."""

import hashlib
import hmac
import json
import re
import time
import urllib.parse

from .faults import expired_answer
from .gitread import iso_time
from .httpd import FileBody, Response
from .hub_api import answer, failure, no_revision

_TEXT = (".md", ".txt", ".json", ".py", ".csv", ".yaml", ".yml", ".jinja", ".gitattributes")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


def disposition(path):
    name = path.rpartition("/")[2]
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "?", name)
    return "Content-Disposition", f"inline; filename*=UTF-8''{urllib.parse.quote(name)}; filename=\"{plain}\";"


def content_type(path):
    return "text/plain; charset=utf-8" if path.endswith(_TEXT) else "application/octet-stream"


def ranged(request, size, etag, make_body, headers):
    """200, 206 or 416 for a body of `size` bytes; make_body(offset, length) gives the piece."""
    etag = f'"{etag}{request.etag_suffix}"'
    headers = [("ETag", etag), ("Accept-Ranges", "bytes"), *headers]
    asked = request.header("range")
    found = _RANGE.match(asked) if asked and not request.ignore_range else None
    if found and request.header("if-range") not in (None, etag):
        found = None
    if not found or found.groups() == ("", ""):
        return Response(200, headers=headers, body=make_body(0, size))
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start >= size or end < start:
        return Response(416, headers=[("Content-Range", f"bytes */{size}")])
    return Response(206, headers=[*headers, ("Content-Range", f"bytes {start}-{end}/{size}")], body=make_body(start, end - start + 1))


# On the API port.


def _entry(repo, revision, path):
    """(commit, entry) or a failure, with X-Repo-Commit where a commit is known."""
    commit = repo.reader.resolve(revision)
    if commit is None:
        return no_revision(revision, text=True)
    entry = repo.reader.tree(commit).at.get(path)
    if entry is None or entry.kind != "file":
        return failure(404, "Entry not found", "EntryNotFound", [("X-Repo-Commit", commit)], text=True)
    return commit, entry


def resolve(hub, request, repo, revision, path):
    found = _entry(repo, revision, path)
    if isinstance(found, Response):
        return found
    commit, entry = found
    shared = [("X-Repo-Commit", commit), ("Accept-Ranges", "bytes"), disposition(path)]
    if entry.lfs:
        sha256, size, _ = entry.lfs
        headers = [*shared, ("X-Linked-Size", str(size)), ("X-Linked-Etag", f'"{sha256}"'), ("Cache-Control", "no-store")]
        if hub.options.xet:
            xet = hub.xet_hash(sha256)
            headers += [("X-Xet-Hash", xet),
                        ("Link", f'<{request.base_url}/api/{repo.kind}s/{repo.id}/xet-read-token/{commit}>; rel="xet-auth", '
                                 f'<https://cas-server.invalid/v1/reconstructions/{xet}>; rel="xet-reconstruction-info"')]
        if request.header("if-none-match") == f'"{sha256}"':
            return Response(304, headers=[*headers, ("ETag", f'"{sha256}"')])
        location = hub.signed_url(repo, sha256, path)
        body = f"Found. Redirecting to {location}".encode()
        return Response(302, headers=[*headers, ("Location", location), ("Content-Type", "text/plain; charset=utf-8")], body=body)
    headers = [*shared, ("X-Linked-Etag", f'"{entry.oid}"'), ("Vary", "Origin, Accept")]
    if request.header("if-none-match") == f'"{entry.oid}"':
        return Response(304, headers=[*headers, ("ETag", f'"{entry.oid}"')])
    quoted = urllib.parse.quote(path, safe="")
    location = (f"/api/resolve-cache/{repo.kind}s/{repo.id}/{commit}/{quoted}"
                f"?{urllib.parse.quote(request.path, safe='')}=&etag=%22{entry.oid}%22")
    body = f"Temporary Redirect. Redirecting to {location}".encode()
    return Response(307, headers=[*headers, ("Location", location), ("Content-Type", "text/plain; charset=utf-8")], body=body)


def resolve_cache(hub, request, repo, revision, path):
    found = _entry(repo, revision, path)
    if isinstance(found, Response):
        return found
    commit, entry = found
    data = repo.reader.blob(entry.oid)
    headers = [("X-Repo-Commit", commit), disposition(path), ("Content-Type", content_type(path))]
    if request.header("if-none-match") == f'"{entry.oid}"':
        return Response(304, headers=[*headers, ("ETag", f'"{entry.oid}"')])
    return ranged(request, len(data), entry.oid, lambda at, n: data[at : at + n], headers)


def raw(hub, request, repo, revision, path):
    found = _entry(repo, revision, path)
    if isinstance(found, Response):
        return found
    commit, entry = found
    data = repo.reader.blob(entry.oid)
    return ranged(request, len(data), entry.oid, lambda at, n: data[at : at + n],
                  [("X-Repo-Commit", commit), disposition(path), ("Content-Type", "text/plain; charset=utf-8")])


def lfs_batch(hub, request, repo):
    kind = [("Content-Type", "application/vnd.git-lfs+json")]

    def refuse(status, message):
        return Response(status, headers=[*kind, ("X-Error-Message", message)], body=json.dumps({"message": message}).encode())

    if not hub.options.lfs_batch:
        return refuse(404, "Not Found")
    if "application/vnd.git-lfs+json" not in (request.header("content-type") or ""):
        return refuse(415, "Content-Type must be application/vnd.git-lfs+json")
    try:
        asked = json.loads(request.body)
        wanted = [(str(o["oid"]), int(o["size"])) for o in asked["objects"]]
    except (ValueError, KeyError, TypeError):
        return refuse(422, "the body is not a batch request")
    if asked.get("operation") != "download":
        return refuse(403, "this Hub is read-only")
    if len(wanted) > hub.options.lfs_batch_max:
        return refuse(413, f"at most {hub.options.lfs_batch_max} objects")
    if asked.get("hash_algo", "sha256") != "sha256":
        return refuse(409, "hash_algo is sha256")
    rows = []
    for oid, size in wanted:
        have = hub.store.blobs.size(oid) if re.fullmatch("[0-9a-f]{64}", oid) else None
        if oid in hub.options.lfs_missing:
            have = None
        if have is None:
            error = {"code": 404, "message": "Object does not exist on the server"}
            rows.append({"oid": oid, "size": size, "error": error})
        elif have != size:
            rows.append({"oid": oid, "size": size, "error": {"code": 422, "message": f"size is {have}"}})
        else:
            download = {"href": hub.signed_url(repo, oid), "expires_at": iso_time(int(time.time()) + hub.options.url_ttl_s).replace(".000Z", "Z")}
            rows.append({"oid": oid, "size": size, "authenticated": True, "actions": {"download": download}})
    body = json.dumps({"transfer": "basic", "objects": rows, "hash_algo": "sha256"}).encode()
    return Response(200, headers=kind, body=body)


def xet_read_token(hub, request, repo):
    return answer({"error": "the fake Hub has no chunk store"}, status=501)


# On the CDN port.


class Cdn:
    """Signed URLs and the bytes behind them. A URL names a hash that is not the SHA-256 of the content, as on the Hub."""

    def __init__(self, hub):
        self._hub = hub
        self._secret = hashlib.sha256(b"fake-hub-cdn:%d" % time.time_ns()).digest()
        self._sha256_of = {}
        self._uses = {}
        self.generation = 0

    def xet_hash(self, sha256):
        made = hashlib.sha256(b"xet:" + sha256.encode()).hexdigest()
        self._sha256_of[made] = sha256
        return made

    def signed_url(self, repo, sha256, path=""):
        options = self._hub.options
        url_path = f"/xet-bridge-us/{repo.oid}/{self.xet_hash(sha256)}"
        now = int(time.time())
        query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)),
                 "X-Amz-Expires": str(options.url_ttl_s), "Expires": str(now + options.url_ttl_s), "X-Generation": str(self.generation),
                 "response-content-disposition": disposition(path)[1] if path else "inline"}
        text = urllib.parse.urlencode(query)
        return f"{self._hub.cdn_endpoint}{url_path}?{text}&X-Amz-Signature={self._sign(url_path, text)}"

    def _sign(self, path, text):
        return hmac.new(self._secret, f"{path}?{text}".encode(), hashlib.sha256).hexdigest()

    def handle(self, request):
        if request.method not in ("GET", "HEAD"):
            return Response(405, headers=[("Allow", "GET, HEAD")])
        text, mark, signature = request.query.rpartition("&X-Amz-Signature=")
        if not mark or not hmac.compare_digest(signature, self._sign(request.path, text)):
            return expired_answer("The request signature does not match")
        query = dict(urllib.parse.parse_qsl(text))
        if int(query["Expires"]) < time.time() or int(query["X-Generation"]) != self.generation:
            return expired_answer()
        if self._hub.options.url_uses:
            uses = self._uses[signature] = self._uses.get(signature, 0) + 1
            if uses > self._hub.options.url_uses:
                return expired_answer()
        xet = request.path.rpartition("/")[2]
        sha256 = self._sha256_of.get(xet)
        size = self._hub.store.blobs.size(sha256) if sha256 else None
        if size is None:
            return Response(404, body=b"NoSuchKey")
        path = self._hub.store.blobs.path(sha256)
        headers = [("Content-Type", "application/octet-stream"), ("Last-Modified", "Mon, 24 Feb 2025 21:20:00 GMT"),
                   ("Cache-Control", "public, max-age=31536000"), ("Content-Disposition", query["response-content-disposition"]),
                   ("Access-Control-Allow-Origin", "*"), ("X-Cache", "Hit from cloudfront")]
        return ranged(request, size, xet, lambda at, n: FileBody(path, at, n), headers)
