"""The JSON side of the Hub: lists, repo info, trees, paths-info, refs, commits, whoami.

Each function takes the hub (server.FakeHub) and a Request and returns a Response. What depends only on a commit is
rendered once and kept in repo.rendered, so that many clients measure the network and not this file.
"""

import base64
import hashlib
import json
import urllib.parse

from .cards import derived
from .gitread import iso_time
from .httpd import Response

LIST_LIMIT_MAX = 1000
TREE_LIMIT, TREE_LIMIT_EXPANDED = 1000, 100
PATHS_MAX = 2000
_COMMON = "author cardData createdAt disabled gated lastModified likes private resourceGroup sha siblings tags trendingScore usedStorage xetEnabled"
EXPAND = {
    "model": f"{_COMMON} baseModels childrenModelCount config downloads downloadsAllTime evalResults gguf inference "
             "inferenceProviderMapping library_name mask_token model-index pipeline_tag safetensors spaces transformersInfo widgetData gitalyUid",
    "dataset": f"{_COMMON} citation description downloads downloadsAllTime mainSize paperswithcode_id",
    "space": f"{_COMMON} datasets models region runtime sdk subdomain",
}
EXPAND = {kind: tuple(sorted(set(names.split()))) for kind, names in EXPAND.items()}
_LIST_DEFAULT = {
    "model": "private downloads likes trendingScore tags pipeline_tag library_name createdAt",
    "dataset": "author private downloads likes tags createdAt lastModified sha gated disabled description paperswithcode_id trendingScore",
    "space": "private likes tags createdAt sdk trendingScore",
}
_LIST_FULL = {"model": "author sha lastModified siblings gated", "dataset": "cardData", "space": "author sha lastModified siblings cardData"}
_INFO_DEFAULT = {
    "model": "private pipeline_tag library_name tags downloads likes author sha lastModified gated disabled model-index config cardData "
             "siblings spaces createdAt safetensors usedStorage",
    "dataset": "author private gated disabled tags citation description downloads likes cardData siblings sha lastModified createdAt usedStorage",
    "space": "author private disabled gated likes tags sha lastModified createdAt cardData siblings sdk runtime subdomain usedStorage",
}
_SORTS = ("createdAt", "lastModified", "downloads", "likes", "likes30d", "trendingScore", "num_parameters", "mainSize", "id")


def dumps(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def answer(value, headers=(), status=200):
    body = value if isinstance(value, bytes) else dumps(value)
    etag = f'W/"{len(body):x}-{hashlib.md5(body).hexdigest()[:27]}"'
    return Response(status, body=body, headers=[("Content-Type", "application/json; charset=utf-8"), ("ETag", etag), *headers])


def failure(status, message, code=None, headers=(), text=False):
    """The error contract: headers decide, the body repeats."""
    kind = "text/plain; charset=utf-8" if text else "application/json; charset=utf-8"
    made = [("Content-Type", kind), ("X-Error-Message", message.replace("\n", " "))]
    if code:
        made.append(("X-Error-Code", code))
    return Response(status, body=message.encode() if text else dumps({"error": message}), headers=[*made, *headers])


def truth(params, name):
    return params.get(name, ["false"])[-1].lower() in ("true", "1")


def no_revision(name, text=False):
    return failure(404, f"Invalid rev id: {name}", "RevisionNotFound", text=text)


# Facts of one repository.


def facts(repo, commit):
    """Every field the Hub could say about a repository at a commit (None: it has no commits yet)."""
    key = ("facts", commit, repo.head())
    if key in repo.rendered:
        return repo.rendered[key]
    meta, head = repo.meta, repo.head() or commit
    author = repo.id.partition("/")[0] if "/" in repo.id else None
    made = {
        "_id": repo.oid, "id": repo.id, "author": author, "private": meta["private"], "gated": meta["gated"], "disabled": meta["disabled"],
        "downloads": meta["downloads"], "downloadsAllTime": meta["downloads"] * 11, "likes": meta["likes"],
        "trendingScore": meta["likes"] % 10, "createdAt": iso_time(meta["created_s"]), "model-index": None, "spaces": [],
        "citation": None, "description": "", "paperswithcode_id": None, "sha": commit, "xetEnabled": True, "tags": [],
        "lastModified": iso_time(meta["created_s"]), "siblings": [],
    }
    if repo.kind == "model":
        made["modelId"] = repo.id
    if repo.kind == "space":
        made |= {"sdk": "static", "subdomain": repo.id.replace("/", "-"), "models": [], "datasets": [], "region": "us",
                 "runtime": {"stage": "RUNNING", "hardware": {"current": None, "requested": None}, "replicas": {"requested": 1, "current": 1}}}
    if commit:
        made["lastModified"] = repo.reader.commit_date(head)
        made |= {name: value for name, value in derived(repo, commit).items() if value is not None}
        made["siblings"] = [{"rfilename": e.path} for e in repo.reader.tree(commit).entries if e.kind != "directory"]
        made["mainSize"] = made["usedStorage"]
    made |= meta["extra"]
    repo.rendered[key] = made
    return made


def _picked(repo, commit, names, sort=None):
    known = facts(repo, commit)
    always = ("_id", "id", "modelId") if "modelId" in known and sort is None else ("_id", "id")
    return {n: known[n] for n in (*always, *names) if n in known}


def _wanted(kind, params):
    """Field names the caller asked for with expand, or a failure; None when it did not."""
    if "expand" not in params:
        return None
    for name in params["expand"]:
        if name not in EXPAND[kind]:
            allowed = "|".join(f'"{n}"' for n in EXPAND[kind])
            return failure(400, f'Invalid option "{name}", expected one of {allowed}')
    return params["expand"]


def info(hub, request, repo, revision):
    params = request.params()
    commit = repo.head() if revision is None else repo.reader.resolve(revision)
    if commit is None and (revision is not None and (revision not in ("main", "HEAD") or repo.head())):
        return no_revision(revision)
    wanted = _wanted(repo.kind, params)
    if isinstance(wanted, Response):
        return wanted
    blobs = truth(params, "blobs")
    key = ("info", commit, repo.head(), tuple(wanted) if wanted else None, blobs, truth(params, "securityStatus"))
    body = repo.rendered.get(key)
    if body is None:
        names = wanted if wanted is not None else _INFO_DEFAULT[repo.kind].split() + list(repo.meta["extra"])
        value = _picked(repo, commit, names, sort="" if wanted else None)
        if blobs and commit:
            value["siblings"] = [_sibling(e) for e in repo.reader.tree(commit).entries if e.kind != "directory"]
        if truth(params, "securityStatus"):
            value["securityRepoStatus"] = {"scansDone": False, "filesWithIssues": []}
        body = repo.rendered[key] = dumps(value)
    return answer(body)


def _sibling(entry):
    made = {"rfilename": entry.path, "size": entry.size, "blobId": entry.oid}
    if entry.lfs:
        made["lfs"] = {"sha256": entry.lfs[0], "size": entry.lfs[1], "pointerSize": entry.lfs[2]}
    return made


# Lists.


def list_repos(hub, request, kind, caller):
    params = request.params()
    one = {name: values[-1] for name, values in params.items()}
    try:
        limit = int(one.get("limit", LIST_LIMIT_MAX))
        direction = int(one.get("direction", -1))
        sort = one.get("sort", "trendingScore")
        if limit < 1 or direction not in (1, -1) or sort not in _SORTS:
            raise ValueError
        cursor = json.loads(base64.urlsafe_b64decode(one["cursor"])) if "cursor" in one else None
    except ValueError:
        return failure(400, "Invalid value for limit, direction, sort or cursor")
    wanted = _wanted(kind, params)
    if isinstance(wanted, Response):
        return wanted
    if wanted is None:
        wanted = _LIST_DEFAULT[kind].split()
        wanted += _LIST_FULL[kind].split() if truth(params, "full") else []
        wanted += [name for name in ("cardData", "config") if truth(params, name)]
    rows = []
    for repo in hub.store.repos(kind):
        if repo.meta["private"] and not (caller and caller.may_read(repo)):
            continue
        known = facts(repo, repo.head())
        if "author" in one and known["author"] != one["author"]:
            continue
        if any(text.lower() not in repo.id.lower() for text in params.get("search", ())):
            continue
        if any(tag not in known["tags"] for tag in params.get("filter", ())):
            continue
        if "gated" in one and bool(known["gated"]) != truth(params, "gated"):
            continue
        if "pipeline_tag" in one and known.get("pipeline_tag") != one["pipeline_tag"]:
            continue
        rows.append((known.get(sort), repo))
    # Sort key first (absent values last), then _id ascending: the order the Hub's own cursors spell out.
    rows.sort(key=lambda row: row[1].oid)
    present = sorted((r for r in rows if r[0] is not None), key=lambda row: row[0], reverse=direction < 0)
    rows = present + [r for r in rows if r[0] is None]
    if cursor is not None:
        position = next((i for i, r in enumerate(rows) if r[1].oid == cursor["_id"]), None)
        rows = rows[position + 1 :] if position is not None else _after(rows, cursor, direction)
    page = rows[: min(limit, LIST_LIMIT_MAX)]
    headers = []
    if len(rows) > len(page):
        headers.append(next_link(request, {"sort": sort, "value": page[-1][0], "_id": page[-1][1].oid}))
    return answer([_picked(repo, repo.head(), wanted, sort=None if "expand" not in params else sort) for _, repo in page], headers)


def _after(rows, cursor, direction):
    """Rows behind a cursor whose own repository is gone."""
    value, oid = cursor["value"], cursor["_id"]
    if value is None:
        return [r for r in rows if r[0] is None and r[1].oid > oid]
    return [r for r in rows if r[0] is None or (r[0] > value if direction > 0 else r[0] < value) or (r[0] == value and r[1].oid > oid)]


def next_link(request, cursor):
    """The Link header of the next page: absolute, with every parameter of this request."""
    pairs = [(n, v) for n, v in urllib.parse.parse_qsl(request.query, keep_blank_values=True) if n != "cursor"]
    token = base64.urlsafe_b64encode(dumps(cursor)).decode()
    return "Link", f'<{request.base_url}{request.path}?{urllib.parse.urlencode([*pairs, ("cursor", token)])}>; rel="next"'


# Trees.


def entry_json(hub, entry):
    made = {"type": entry.kind, "oid": entry.oid, "size": entry.size, "path": entry.path}
    if entry.lfs:
        made["lfs"] = {"oid": entry.lfs[0], "size": entry.lfs[1], "pointerSize": entry.lfs[2]}
        if hub.options.xet:
            made["xetHash"] = hub.xet_hash(entry.lfs[0])
    return made


def _rendered_entries(hub, tree, entries, key):
    """JSON of each entry, kept with the tree."""
    known = tree.rendered.get(key)
    if known is None:
        known = tree.rendered[key] = [dumps(entry_json(hub, e)) for e in entries]
    return known


def _expanded(repo, commit, entry, made):
    last = repo.rendered.get(("last", commit))
    if last is None:
        last = repo.rendered["last", commit] = repo.reader.last_commits(commit)
    made["lastCommit"] = last.get(entry.path)
    if entry.kind == "file":
        made["securityFileStatus"] = {"status": "unscanned", "avScan": None, "pickleImportScan": None}
    return made


def tree(hub, request, repo, revision, path):
    params = request.params()
    commit = repo.reader.resolve(revision)
    if commit is None:
        return no_revision(revision)
    expand, recursive = truth(params, "expand"), truth(params, "recursive")
    whole = repo.reader.tree(commit)
    if path and (path not in whole.at or whole.at[path].kind != "directory"):
        return failure(404, f'{path} does not exist on "{revision}"', "EntryNotFound", [("X-Repo-Commit", commit)])
    if not recursive:
        entries = whole.children[path]
    elif path:
        entries = [e for e in whole.entries if e.path.startswith(path + "/")]
    else:
        entries = whole.entries
    most = TREE_LIMIT_EXPANDED if expand else TREE_LIMIT
    try:
        limit = max(1, min(int(params.get("limit", [most])[-1]), hub.options.tree_page_max or most))
        start = json.loads(base64.urlsafe_b64decode(params["cursor"][-1]))["at"] if "cursor" in params else 0
    except (ValueError, KeyError, TypeError):
        return failure(400, "Invalid value for limit or cursor")
    page = entries[start : start + limit]
    if expand:
        rows = [dumps(_expanded(repo, commit, e, entry_json(hub, e))) for e in page]
    else:
        rows = _rendered_entries(hub, whole, entries, (path, recursive, hub.options.xet))[start : start + limit]
    headers = [("X-Repo-Commit", commit)]
    if start + limit < len(entries):
        headers.append(next_link(request, {"at": start + limit, "sha": commit}))
    return answer(b"[" + b",".join(rows) + b"]", headers)


def paths_info(hub, request, repo, revision):
    if "json" in (request.header("content-type") or ""):
        try:
            asked = json.loads(request.body)
            paths, expand = asked.get("paths", []), bool(asked.get("expand"))
        except (ValueError, AttributeError):
            return failure(400, "Invalid JSON body")
        paths = [paths] if isinstance(paths, str) else paths
    else:
        form = urllib.parse.parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        paths, expand = form.get("paths", form.get("paths[]", [])), form.get("expand", ["false"])[-1].lower() in ("true", "1")
    if not isinstance(paths, list) or len(paths) > PATHS_MAX or not all(isinstance(p, str) for p in paths):
        return failure(400, f"paths: at most {PATHS_MAX} strings")
    commit = repo.reader.resolve(revision)
    if commit is None:
        return no_revision(revision)
    at = repo.reader.tree(commit).at
    found = [at[p.strip("/")] for p in paths if p.strip("/") in at]
    rows = [entry_json(hub, e) for e in found]
    if expand:
        rows = [_expanded(repo, commit, e, row) for e, row in zip(found, rows, strict=True)]
    return answer(rows)


# Refs and history.


def refs(hub, request, repo):
    include_prs = truth(request.params(), "include_prs")
    known = repo.reader.refs()
    key = ("refs", include_prs)
    body = repo.rendered.get(key)
    if body is not None and body[0] is known:
        return answer(body[1])
    made = {"branches": [], "converts": [], "tags": []}
    if include_prs:
        made["pullRequests"] = []
    for prefix, group in (("refs/heads/", "branches"), ("refs/tags/", "tags"), ("refs/convert/", "converts"), ("refs/pr/", "pullRequests")):
        if group in made:
            made[group] = [{"name": name.removeprefix(prefix), "ref": name, "targetCommit": repo.reader.peel(oid)}
                           for name, oid in known.items() if name.startswith(prefix)]
    repo.rendered[key] = (known, dumps(made))
    return answer(repo.rendered[key][1])


def commits(hub, request, repo, revision):
    params = request.params()
    commit = repo.reader.resolve(revision)
    if commit is None:
        return no_revision(revision)
    try:
        page, limit = int(params.get("p", [0])[-1]), min(int(params.get("limit", [50])[-1]), 1000)
        if page < 0 or limit < 1:
            raise ValueError
    except ValueError:
        return failure(400, "Invalid value for p or limit")
    history = repo.reader.history(commit)
    part = history[page * limit : (page + 1) * limit]
    rows = [{"id": c["id"], "title": c["title"], "message": c["message"], "date": c["date"],
             "authors": [{"user": c["author"].split()[0].lower(), "avatar": "/avatars/0.svg"}]} for c in part]
    if "formatted" in params.get("expand", ()):
        rows = [{**row, "formatted": {"title": row["title"], "message": row["message"]}} for row in rows]
    headers = [("X-Total-Count", str(len(history)))]
    if (page + 1) * limit < len(history):
        pairs = [(n, v) for n, v in urllib.parse.parse_qsl(request.query) if n != "p"]
        query = urllib.parse.urlencode([*pairs, ("p", page + 1)])
        headers.append(("Link", f'<{request.base_url}{request.path}?{query}>; rel="next"'))
    return answer(rows, headers)


def tree_size(hub, request, repo, revision, path):
    commit = repo.reader.resolve(revision)
    if commit is None:
        return no_revision(revision)
    entries = repo.reader.tree(commit).entries
    size = sum(e.size for e in entries if e.kind == "file" and (not path or e.path == path or e.path.startswith(path + "/")))
    return answer({"path": "/" + path, "size": size})


def whoami(caller):
    return answer({
        "type": "user", "id": hashlib.sha256(caller.name.encode()).hexdigest()[:24], "name": caller.name, "fullname": caller.name.title(),
        "email": f"{caller.name}@example.invalid", "emailVerified": True, "isPro": False, "canPay": False, "periodEnd": None,
        "avatarUrl": "/avatars/0.svg", "orgs": [],
        "auth": {"type": "access_token", "accessToken": {"displayName": "test", "role": "read", "createdAt": "2025-01-01T00:00:00.000Z"}},
    })
