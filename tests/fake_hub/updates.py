"""Changes to a repository while somebody reads it, described as JSON (README.md, "Updates")."""

from .repos import Lfs, LfsRandom


def _content(value):
    """A file in an update: text, {"lfs": text}, or {"lfs_random": bytes, "seed": ...}."""
    if isinstance(value, dict) and "lfs" in value:
        return Lfs(value["lfs"].encode())
    if isinstance(value, dict) and "lfs_random" in value:
        return LfsRandom(value["lfs_random"], value.get("seed", 0))
    return value


def apply_update(hub, update):
    """Runs one update, or each of a list in order; returns what the operation returns (a commit id for commits)."""
    if isinstance(update, list):
        return [apply_update(hub, one) for one in update]
    update = dict(update)
    op = update.pop("op")
    kind, _, repo_id = update.pop("repo").partition("s/")
    repo = hub.store.get(kind, repo_id)
    if repo is None:
        raise ValueError(f"update {op}: there is no {kind} {repo_id}")
    if op in ("commit", "force_push"):
        contents = {path: _content(value) for path, value in update.pop("files", {}).items()}
        message = update.pop("message", f"update by {op}")
        return getattr(repo, op)(message, contents, **update)
    if op == "delete_ref":
        return repo.delete_ref(update["ref"])
    if op == "set_ref":
        return repo.set_ref(update["ref"], update["commit"])
    if op == "tag":
        return repo.tag(update["name"], update.get("commit", "refs/heads/main"), update.get("message"))
    if op == "rename":
        return hub.store.rename(repo, update["to"])
    if op == "set":
        return repo.set(**update["meta"])
    if op == "delete_repo":
        return repo.set(hidden=True)
    raise ValueError(f"no update operation is called {op!r}")
