"""Reads a bare git repository the way the Hub's API shows it: refs, trees with LFS facts, history.

Trees are parsed from raw objects, so repositories that git itself refuses to walk can still be listed.
Threads: one GitReader may be used from many threads; what depends only on a commit is cached by commit.
"""

import collections
import os
import re
import subprocess
import threading
import time

TREE_ENTRIES_MAX = 400_000  # a tree made of shared subtrees may be exponentially large: listing stops here
TREES_CACHED_MAX = 32
BLOBS_CACHED_BYTES_MAX = 256 << 20
SHOWN_REFS = ("refs/heads/", "refs/tags/", "refs/convert/", "refs/pr/")
_POINTER = re.compile(
    rb"\Aversion https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n(?:.*\n)*?size (\d+)\n"
)

GIT_ENV = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "protocol.version",
    "GIT_CONFIG_VALUE_1": "2",
    "GIT_AUTHOR_NAME": "fake hub",
    "GIT_AUTHOR_EMAIL": "fake@hub.invalid",
    "GIT_COMMITTER_NAME": "fake hub",
    "GIT_COMMITTER_EMAIL": "fake@hub.invalid",
}


def run_git(git_dir, *args, stdin=None, check=True):
    """Runs git on a bare repository, free of user and system configuration; returns stdout as bytes."""
    done = subprocess.run(
        ["git", f"--git-dir={git_dir}", *args], input=stdin, env=GIT_ENV, capture_output=True, check=False
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"git {args[0]} failed in {git_dir}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def parse_pointer(data):
    """(sha256, size in bytes) of an LFS pointer, or None."""
    if len(data) >= 1024 or not data.startswith(b"version https://"):
        return None
    found = _POINTER.match(data)
    return (found.group(1).decode(), int(found.group(2))) if found else None


def parse_tree(data):
    """Yields (mode as bytes, name as bytes, oid as hex) without judging any of them."""
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        nul = data.index(b"\0", space)
        yield data[at:space], data[space + 1 : nul], data[nul + 1 : nul + 21].hex()
        at = nul + 21


Entry = collections.namedtuple("Entry", "path kind mode oid size lfs")  # lfs: None or (sha256, size, pointer size)


class Tree:
    """All entries of one commit. `entries` is depth first, `at` finds a path, `children` lists one directory."""

    def __init__(self, root_oid):
        self.root_oid = root_oid
        self.entries = []
        self.at = {}
        self.children = {"": []}
        self.rendered = {}  # a place for the API to keep JSON made from this tree

    def add(self, parent, entry):
        self.entries.append(entry)
        self.at[entry.path] = entry
        self.children[parent].append(entry)
        if entry.kind == "directory":
            self.children.setdefault(entry.path, [])


class GitReader:
    def __init__(self, git_dir):
        self.git_dir = str(git_dir)
        self._lock = threading.RLock()
        self._cat = None
        self._refs_key = None
        self._refs = {}
        self._blob_facts = {}
        self._trees = collections.OrderedDict()
        self._history = {}
        self._peeled = {}
        self._blobs = collections.OrderedDict()
        self._blobs_bytes = 0

    def close(self):
        with self._lock:
            if self._cat:
                self._cat.stdin.close()
                self._cat.stdout.close()
                self._cat.wait()
                self._cat = None

    # objects

    def object(self, oid):
        """(type, bytes) of one object; KeyError when it is missing."""
        with self._lock:
            if self._cat is None:
                self._cat = subprocess.Popen(
                    ["git", f"--git-dir={self.git_dir}", "cat-file", "--batch"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=GIT_ENV,
                )
            self._cat.stdin.write(oid.encode() + b"\n")
            self._cat.stdin.flush()
            head = self._cat.stdout.readline().split()
            if len(head) != 3:
                if not head:
                    self._cat = None
                raise KeyError(oid)
            data = self._cat.stdout.read(int(head[2]))
            self._cat.stdout.read(1)
            return head[1].decode(), data

    def blob(self, oid):
        """Bytes of a blob, from a bounded cache."""
        with self._lock:
            if oid in self._blobs:
                self._blobs.move_to_end(oid)
                return self._blobs[oid]
            data = self.object(oid)[1]
            self._blobs[oid] = data
            self._blobs_bytes += len(data)
            while self._blobs_bytes > BLOBS_CACHED_BYTES_MAX and len(self._blobs) > 1:
                self._blobs_bytes -= len(self._blobs.popitem(last=False)[1])
            return data

    # refs

    def refs(self):
        """{full ref name: object id} as the files say now, plus "HEAD" -> the name it points to."""
        loose = []
        refs_dir = os.path.join(self.git_dir, "refs")
        for folder, _, names in os.walk(refs_dir):
            for name in names:
                if not name.endswith(".lock"):
                    path = os.path.join(folder, name)
                    try:
                        loose.append((path, os.stat(path).st_mtime_ns))
                    except FileNotFoundError:
                        pass
        try:
            packed = os.stat(os.path.join(self.git_dir, "packed-refs"))
            key = (packed.st_mtime_ns, packed.st_size, packed.st_ino, tuple(loose))
        except FileNotFoundError:
            key = (0, 0, 0, tuple(loose))
        with self._lock:
            if key != self._refs_key:
                self._refs = self._read_refs(loose)
                self._refs_key = key
            return self._refs

    def _read_refs(self, loose):
        refs = {}
        try:
            with open(os.path.join(self.git_dir, "packed-refs"), encoding="utf-8", errors="surrogateescape") as f:
                for line in f:
                    if line[0] not in "#^":
                        oid, name = line.rstrip("\n").split(" ", 1)
                        refs[name] = oid
        except FileNotFoundError:
            pass
        for path, _ in loose:
            try:
                with open(path, encoding="ascii", errors="replace") as f:
                    value = f.read().strip()
            except FileNotFoundError:
                continue
            if re.fullmatch(r"[0-9a-f]{40}", value):
                refs[os.path.relpath(path, self.git_dir)] = value
        return dict(sorted(refs.items()))

    def head_ref(self):
        with open(os.path.join(self.git_dir, "HEAD"), encoding="utf-8") as f:
            text = f.read().strip()
        return text[5:] if text.startswith("ref: ") else "refs/heads/main"

    def peel(self, oid):
        """The commit behind an annotated tag, or the object itself."""
        known = self._peeled.get(oid)
        if known:
            return known
        start = oid
        for _ in range(8):
            try:
                kind, data = self.object(oid)
            except KeyError:
                break
            if kind != "tag":
                break
            oid = data[7:47].decode()
        self._peeled[start] = oid
        return oid

    def resolve(self, name):
        """Commit id (40 hex) of a branch, tag, full ref, HEAD, commit or abbreviated commit; None when there is none."""
        refs = self.refs()
        if name == "HEAD":
            name = self.head_ref()
        for candidate in ("refs/heads/" + name, "refs/tags/" + name, name):
            if candidate in refs and candidate.startswith(SHOWN_REFS):
                return self.peel(refs[candidate])
        if re.fullmatch(r"[0-9a-f]{40}", name):
            try:
                return name if self.object(name)[0] == "commit" else None
            except KeyError:
                return None
        if re.fullmatch(r"[0-9a-f]{7,39}", name):
            out = run_git(self.git_dir, "rev-parse", "--verify", "--quiet", name + "^{commit}", check=False)
            return out.decode().strip() or None
        return None

    # trees

    def tree(self, commit):
        with self._lock:
            if commit in self._trees:
                self._trees.move_to_end(commit)
                return self._trees[commit]
            tree = self._load_tree(commit)
            self._trees[commit] = tree
            while len(self._trees) > TREES_CACHED_MAX:
                self._trees.popitem(last=False)
            return tree

    def _load_tree(self, commit):
        root = self.object(commit)[1].split(b"\n", 1)[0].split()[1].decode()
        raw = []  # (parent path, path, mode, oid), depth first
        stack = [iter([(b"40000", b"", root)])]
        parents = [""]
        parsed = {}
        first = True
        while stack and len(raw) < TREE_ENTRIES_MAX:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                parents.pop()
                continue
            mode, name, oid = step
            text = name.decode("utf-8", "replace")
            parent = parents[-1]
            path = text if first or not parent else parent + "/" + text
            if not first:
                raw.append((parent, path, mode, oid))
            if mode.lstrip(b"0") == b"40000":
                if oid not in parsed:
                    try:
                        parsed[oid] = list(parse_tree(self.object(oid)[1]))
                    except (KeyError, ValueError):
                        parsed[oid] = []
                stack.append(iter(parsed[oid]))
                parents.append(path)
            first = False
        self._learn_blobs({oid for _, _, mode, oid in raw if mode[:2] == b"10" or mode == b"120000"})
        tree = Tree(root)
        for parent, path, mode, oid in raw:
            if mode.lstrip(b"0") == b"40000":
                tree.add(parent, Entry(path, "directory", mode, oid, 0, None))
            elif mode == b"160000":
                tree.add(parent, Entry(path, "unknown", mode, oid, 0, None))
            else:
                size, lfs = self._blob_facts.get(oid, (0, None))
                tree.add(parent, Entry(path, "file", mode, oid, lfs[1] if lfs else size, lfs))
        return tree

    def _learn_blobs(self, oids):
        unknown = sorted(oids - self._blob_facts.keys())
        if len(unknown) <= 256:
            for oid in unknown:
                try:
                    self._learn_blob(oid, self.object(oid)[1])
                except KeyError:
                    self._blob_facts[oid] = (0, None)
            return
        out = run_git(self.git_dir, "cat-file", "--batch-check=%(objectname) %(objectsize)", "--buffer",
                      stdin=("\n".join(unknown) + "\n").encode())
        small = []
        for line in out.decode().splitlines():
            oid, size = line.split()
            if size.isdigit():
                self._blob_facts[oid] = (int(size), None)
                if 100 <= int(size) < 1024:
                    small.append(oid)
        out = run_git(self.git_dir, "cat-file", "--batch", "--buffer", stdin=("\n".join(small) + "\n").encode())
        at = 0
        for oid in small:
            end = out.index(b"\n", at)
            size = int(out[at:end].split()[2])
            self._learn_blob(oid, out[end + 1 : end + 1 + size])
            at = end + size + 2

    def _learn_blob(self, oid, data):
        pointer = parse_pointer(data)
        self._blob_facts[oid] = (len(data), (*pointer, len(data)) if pointer else None)

    # history

    def history(self, commit):
        """Newest first: [{id, author, date (UTC, ISO with milliseconds), title, message}]."""
        known = self._history.get(commit)
        if known is None:
            out = run_git(self.git_dir, "log", "-z", "--format=%H%x1f%an%x1f%ct%x1f%B", commit, "--").decode("utf-8", "replace")
            known = []
            for record in filter(None, out.split("\0")):
                sha, author, seconds, body = record.split("\x1f", 3)
                title, _, message = body.strip("\n").partition("\n")
                known.append({"id": sha, "author": author, "date": iso_time(int(seconds)), "title": title,
                              "message": message.lstrip("\n")})
            self._history[commit] = known
        return known

    def commit_date(self, commit):
        for line in self.object(commit)[1].split(b"\n\n", 1)[0].split(b"\n"):
            if line.startswith(b"committer "):
                return iso_time(int(line.rsplit(b" ", 2)[1]))
        return iso_time(0)

    def last_commits(self, commit):
        """{path: {id, title, date}} of the commit that last touched each path; directories included."""
        out = run_git(self.git_dir, "log", "-z", "-m", "--first-parent", "--name-only", "--format=%x1e%H%x1f%ct%x1f%s%x1f", commit, "--")
        found = {}
        for record in out.decode("utf-8", "replace").split("\x1e")[1:]:
            sha, seconds, title, names = record.split("\x1f", 3)
            fact = {"id": sha, "title": title, "date": iso_time(int(seconds))}
            for name in filter(None, names.replace("\0\n", "\0").split("\0")):
                while name and name not in found:
                    found[name] = fact
                    name = name.rpartition("/")[0]
        return found


def iso_time(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))
