"""The fault script: which requests are answered badly, and how. README.md has the schema and examples.

    {"seed": 7, "rules": [{"name": "busy", "match": {"port": "api", "path": "/tree/"}, "when": {"first": 2},
                           "do": "status", "status": 503, "retry_after": 1}]}

Random choices depend only on (seed, rule, key, how many matching requests came before), never on the clock.
Threads: counting is under one lock; actions run on the thread of the connection.
"""

import hashlib
import json
import os
import re
import threading
import zlib

from .httpd import FileBody, Response

_MATCH_KEYS = {"port", "method", "path", "query", "headers", "range"}
_WHEN_KEYS = {"nth", "every", "first", "after", "probability", "times", "per"}


class Rule:
    def __init__(self, spec, index, seed):
        self.spec = spec
        self.do = spec.get("do")
        if self.do not in ACTIONS:
            raise ValueError(f"rule {index}: no action is called {self.do!r}; there are {sorted(ACTIONS)}")
        self.name = spec.get("name", f"{index}:{self.do}")
        match, when = spec.get("match", {}), spec.get("when", {})
        if unknown := (match.keys() - _MATCH_KEYS) | (when.keys() - _WHEN_KEYS):
            raise ValueError(f"rule {self.name}: unknown keys {sorted(unknown)}")
        self._port, self._range = match.get("port", "any"), match.get("range")
        self._method = re.compile(match.get("method", ""))
        self._path = re.compile(match.get("path", ""))
        self._query = re.compile(match.get("query", ""))
        self._headers = {n.lower(): re.compile(p) for n, p in match.get("headers", {}).items()}
        self._when = when
        self._nth = {when["nth"]} if isinstance(when.get("nth"), int) else set(when.get("nth", ()))
        self._seed = f"{seed}:{index}"
        self._counts = {}
        self.effects = 0  # how often it did something

    def matches(self, request):
        if self._port not in ("any", request.port):
            return False
        if self._range is not None and self._range != (request.header("range") is not None):
            return False
        return bool(self._method.match(request.method) and self._path.search(request.path) and self._query.search(request.query)
                    and all(p.search(request.header(n, "")) for n, p in self._headers.items()))

    def due(self, request):
        """Counts this matching request and says whether the rule strikes. Call under the script's lock."""
        when = self._when
        key = request.path if when.get("per") == "path" else ""
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if "times" in when and self.effects >= when["times"]:
            return False
        if self._nth and count not in self._nth:
            return False
        if "every" in when and count % when["every"]:
            return False
        if "first" in when and count > when["first"]:
            return False
        if count <= when.get("after", 0):
            return False
        return "probability" not in when or self.chance(key, count) < when["probability"]

    def chance(self, *key):
        """A number in [0, 1) that is the same on every run."""
        text = ":".join(map(str, (self._seed, *key))).encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:6], "big") / 2**48

    def get(self, name, default=None):
        return self.spec.get(name, default)


class FaultScript:
    def __init__(self, script=None, hub=None, seed=None):
        self._hub = hub
        self._lock = threading.Lock()
        self.load(script or {}, seed)

    def load(self, script, seed=None):
        """Replaces all rules; `script` is the JSON object, or just its list of rules."""
        if isinstance(script, list):
            script = {"rules": script}
        if unknown := script.keys() - {"seed", "rules", "chaos"}:
            raise ValueError(f"fault script: unknown keys {sorted(unknown)}")
        seed = script.get("seed", 0) if seed is None else seed
        specs = list(script.get("rules", ())) + chaos_rules(**script.get("chaos", {"rate": 0}))
        self.rules = [Rule(spec, i, seed) for i, spec in enumerate(specs)]

    def state(self):
        return [{"name": r.name, "effects": r.effects, "matched": sum(r._counts.values())} for r in self.rules]

    def handle(self, request, entry, route):
        """route(request), bent by every rule that strikes."""
        if not self.rules:
            return route(request)
        with self._lock:
            struck = [r for r in self.rules if r.matches(request) and r.due(request)]
        response = None
        for rule in struck:
            before = ACTIONS[rule.do][0]
            if before and response is None:
                response = before(self._hub, rule, request)
                self._count(rule, entry)
        if response is None:
            response = route(request)
        for rule in struck:
            after = ACTIONS[rule.do][1]
            if after and after(self._hub, rule, request, response) is not False:
                self._count(rule, entry)
        return response

    def _count(self, rule, entry):
        with self._lock:
            rule.effects += 1
        entry["faults"].append(rule.name)


def chaos_rules(rate, kinds=("500", "503", "429", "reset", "close", "flip_byte", "ignore_range", "expired"), times=None):
    """Survivable trouble with probability `rate` per request and kind; flips and expiry only on the CDN port."""
    made = []
    for kind in kinds if rate else ():
        when = {"probability": rate} | ({"times": times} if times else {})
        if kind.isdigit():
            rule = {"do": "status", "status": int(kind), "retry_after": 0}
        elif kind in ("reset", "close"):
            rule = {"do": kind, "after_bytes": 0.5}
        else:
            rule = {"do": kind, "match": {"port": "cdn"}}
        made.append({**rule, "name": f"chaos-{kind}", "when": when})
    return made


# Before the answer is made: fn(hub, rule, request) -> Response or None.


def _status(hub, rule, request):
    status = rule.get("status", 500)
    message = rule.get("message", f"fault {rule.name}")
    headers = [("Content-Type", "application/json; charset=utf-8"), ("X-Error-Message", message)]
    if "retry_after" in rule.spec:
        headers.append(("Retry-After", str(rule.get("retry_after"))))
    if status == 429:
        bucket = hub.bucket_of(request) if hub else "api"
        headers.append(("RateLimit", f'"{bucket}";r=0;t={rule.get("reset_s", 1)}'))
        quota, window = (hub.options.quotas[bucket], hub.options.window_s) if hub else (500, 300)
        headers.append(("RateLimit-Policy", f'"fixed window";"{bucket}";q={quota};w={window}'))
    if "code" in rule.spec:
        headers.append(("X-Error-Code", rule.get("code")))
    headers += list(rule.get("headers", {}).items())
    return Response(status, headers=headers, body=rule.get("body", json.dumps({"error": message})).encode())


def _redirect(hub, rule, request):
    places = {"{api}": hub.endpoint, "{cdn}": hub.cdn_endpoint, "{path}": request.path, "{target}": request.target} if hub else {}
    location = rule.get("location")
    for place, value in places.items():
        location = location.replace(place, value)
    return Response(rule.get("status", 302), headers=[("Location", location), *rule.get("headers", {}).items()])


def _redirect_loop(hub, rule, request):
    hop = int(request.query.rpartition("hop=")[2] or 0) if "hop=" in request.query else 0
    base = request.base_url if rule.get("absolute") else ""
    return Response(rule.get("status", 307), headers=[("Location", f"{base}{request.path}?hop={hop + 1}")])


def _expired(hub, rule, request):
    return expired_answer()


def expired_answer(reason="Request has expired"):
    """What a CDN says to a signed URL that is no longer good."""
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>{reason}</Message></Error>'
    return Response(403, headers=[("Content-Type", "application/xml")], body=text.encode())


def _expire_urls(hub, rule, request):
    hub.expire_urls()


def _update(hub, rule, request):
    if rule.get("after_response"):
        request.after.append(lambda: hub.run_update(rule.get("run")))
    else:
        hub.run_update(rule.get("run"))


def _ignore_range(hub, rule, request):
    request.ignore_range = True


def _etag_change(hub, rule, request):
    request.etag_suffix = rule.get("suffix", "-changed")


# After the answer is made: fn(hub, rule, request, response) -> False when there was nothing to bend.


def _bytes_at(rule, response):
    """`after_bytes` as a count: None is before the head, a fraction is that part of the body."""
    count = rule.get("after_bytes")
    if isinstance(count, float):
        size = len(response.body) if isinstance(response.body, (bytes, FileBody)) else 65536
        count = int(size * count)
    return count


def _reset(hub, rule, request, response):
    count = _bytes_at(rule, response)
    if count is None:
        response.bent().reset_before_head = True
    else:
        response.bent().reset_after = count


def _close(hub, rule, request, response):
    response.bent().close_after = _bytes_at(rule, response) or 0


def _stall(hub, rule, request, response):
    count = _bytes_at(rule, response)
    if count is None:
        response.bent().stall_before_head = True
    else:
        response.bent().stall_after = count


def _delay(hub, rule, request, response):
    response.bent().delay_s = rule.get("ms", 100) / 1000


def _trickle(hub, rule, request, response):
    response.bent().trickle_bytes_per_s = rule.get("bytes_per_s", 1)


def _endless_body(hub, rule, request, response):
    response.bent().endless_body = True


def _endless_headers(hub, rule, request, response):
    response.bent().endless_headers = True


def _length(hub, rule, request, response):
    if not isinstance(response.body, (bytes, FileBody)):
        response.body = joined(response)
    response.bent().declared_length = max(0, len(response.body) + rule.get("delta", 1))


def _extra(hub, rule, request, response):
    response.bent().extra = rule.get("bytes", 1)


def joined(response):
    """The whole body as bytes; an open stream is read and closed."""
    body = response.body
    if isinstance(body, bytes):
        return body
    data = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return data


def _flip_byte(hub, rule, request, response):
    if response.status not in (200, 206):
        return False
    body, at, mask = response.body, rule.get("at", "random"), rule.get("mask", 1)
    if isinstance(body, FileBody):
        size = os.stat(body.path).st_size
        at = int(rule.chance("at", request.path) * size) if at == "random" else at + size if at < 0 else at
        if not body.offset <= at < body.offset + body.length:
            return False
        body.flips = {**body.flips, at: mask}
        return True
    data = bytearray(joined(response))
    response.body = bytes(data)
    if not data:
        return False
    at = int(rule.chance("at", request.path) * len(data)) if at == "random" else at
    if not -len(data) <= at < len(data):
        return False
    data[at] ^= mask
    response.body = bytes(data)
    return True


def _corrupt_pack(hub, rule, request, response):
    """Flips one byte of the pack inside a git-upload-pack answer, leaving the framing whole."""
    data = bytearray(joined(response))
    response.body = bytes(data)
    places = []  # offsets of the pack's bytes
    at = 0
    started = False
    while at + 4 <= len(data):
        size = int(data[at : at + 4], 16)
        if size > 5 and data[at + 4] == 1 and (started or data[at + 5 : at + 9] == b"PACK"):
            started = True
            places.append(range(at + 5, at + size))
        at += max(size, 4)
    total = sum(map(len, places))
    where = rule.get("at", "random")
    where = 12 + int(rule.chance("pack", rule.effects) * (total - 12)) if where == "random" else where
    for place in places:
        if where < len(place):
            data[place[where]] ^= rule.get("mask", 1)
            response.body = bytes(data)
            return True
        where -= len(place)
    return False


def _content_range(hub, rule, request, response):
    value = response.get("Content-Range")
    if value is None:
        return False
    start, end, total = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", value).groups())
    shift = rule.get("shift", 0)
    value = rule.get("value", f"bytes {start + shift}-{end + shift}/{rule.get('total', total)}")
    response.set("Content-Range", None if rule.get("drop") else value)
    return True


def _headers(hub, rule, request, response):
    for name in rule.get("drop", ()):
        response.set(name, None)
    for name, value in rule.get("set", {}).items():
        response.set(name, value)


def _body(hub, rule, request, response):
    joined(response)
    response.body = rule.get("text", "").encode()


def _gzip_bomb(hub, rule, request, response):
    if response.status not in (200, 206):
        return False
    joined(response)
    json_like = "json" in (response.get("Content-Type") or "")
    response.status = 200
    response.set("Content-Encoding", "gzip")
    response.set("Content-Range", None)
    response.body = gzip_stream(b" " if json_like else b"\0", rule.get("size", 1 << 30))
    return True


def gzip_stream(byte, size):
    """A valid gzip stream of `size` times one byte, made as it is sent: about 1,000 times smaller than it unpacks to."""
    block = byte * (1 << 20)
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = press.compress(block) + press.flush(zlib.Z_FULL_FLUSH)
    yield b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    crc = 0
    blocks = max(1, size >> 20)
    for _ in range(blocks):
        crc = zlib.crc32(block, crc)
        yield piece
    yield b"\x03\0" + crc.to_bytes(4, "little") + (blocks * len(block) & 0xFFFFFFFF).to_bytes(4, "little")


def _wrong_types(value):
    if isinstance(value, dict):
        return {k: _wrong_types(v) for k, v in value.items()}
    if isinstance(value, list):
        return {"0": value[0]} if value else "empty"
    if isinstance(value, str):
        return len(value)
    return str(value)


def _json(hub, rule, request, response):
    if response.status != 200:
        return False
    data, kind = joined(response), rule.get("variant", "invalid")
    depth = rule.get("depth", 100_000)
    made = {
        "invalid": lambda: b'{"id": "x", "sha": }',
        "truncated": lambda: data[: len(data) * 2 // 3],
        "wrong_types": lambda: json.dumps(_wrong_types(json.loads(data))).encode(),
        "array_items_wrong": lambda: json.dumps([1, None, "text", []]).encode(),
        "nested": lambda: b"[" * depth + b"]" * depth,
        "nested_object": lambda: b'{"a":' * depth + b"1" + b"}" * depth,
        "html": lambda: b"<!doctype html><html><body>Service is busy</body></html>",
        "empty": lambda: b"",
        "null": lambda: b"null",
        "bad_utf8": lambda: data.replace(b'"', b'"\xff\xfe', 1),
        "nul": lambda: data[:-1] + b"\0" + data[-1:],
        "big_number": lambda: re.sub(rb'"size":\s*\d+', b'"size":' + b"9" * 400, data),
        "trailing": lambda: data + b"trailing",
    }
    if kind not in made:
        raise ValueError(f"rule {rule.name}: no JSON variant is called {kind!r}; there are {sorted(made)}")
    response.body = made[kind]()
    return True


ACTIONS = {
    "status": (_status, None),
    "redirect": (_redirect, None),
    "redirect_loop": (_redirect_loop, None),
    "expired": (_expired, None),
    "expire_urls": (_expire_urls, None),
    "update": (_update, None),
    "ignore_range": (_ignore_range, None),
    "etag_change": (_etag_change, None),
    "reset": (None, _reset),
    "close": (None, _close),
    "stall": (None, _stall),
    "delay": (None, _delay),
    "trickle": (None, _trickle),
    "endless_body": (None, _endless_body),
    "endless_headers": (None, _endless_headers),
    "length": (None, _length),
    "extra": (None, _extra),
    "flip_byte": (None, _flip_byte),
    "corrupt_pack": (None, _corrupt_pack),
    "content_range": (None, _content_range),
    "headers": (None, _headers),
    "body": (None, _body),
    "gzip_bomb": (None, _gzip_bomb),
    "json": (None, _json),
}
