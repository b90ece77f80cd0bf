"""Builds the repositories a fake Hub serves: real bare git repositories plus large files kept by SHA-256.

    store = Store("/tmp/hub")
    repo = store.create("model", "org/name")
    repo.commit("first", {"config.json": b"{}", "model.safetensors": Lfs(b"...")})

Histories go through one `git fast-import`, so 2,000 commits, 5,000 refs or 100,000 files take seconds.
What git would refuse to write (hostile names, broken trees) is in hostile.py.
Layout: root/git/<_id>.git (bare, with hub.json beside HEAD), root/blobs/ab/<sha256>.
Threads: a Store may be shared; one repository is changed by one thread at a time.
"""

import hashlib
import json
import os
import subprocess
import threading
import zlib

from .blobs import BlobStore
from .gitread import GIT_ENV, GitReader, run_git

KINDS = ("model", "dataset", "space")
BASE_TIME = 1_740_000_000  # commit times count up from here, so ids never depend on the clock
READERS_OPEN_MAX = 64  # each holds one `git cat-file` process

_MODEL_PATTERNS = (
    "*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack *.npy *.npz "
    "*.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* *.tar "
    "*.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*"
).split()
# The file every new Hub model repository starts with: 1,519 bytes, blob a6344aac8c09253b3b630fb776ae94478aa0275b.
GITATTRIBUTES = "".join(f"{p} filter=lfs diff=lfs merge=lfs -text\n" for p in _MODEL_PATTERNS).encode()


# What a file may be, besides plain bytes or str (a git blob).


class Lfs:
    """A large file given as bytes."""

    def __init__(self, data):
        self.data = data

    def store(self, blobs):
        return blobs.add_bytes(self.data)


class LfsFile(Lfs):
    """A large file copied from a path."""

    def store(self, blobs):
        return blobs.add_file(self.data)


class LfsRandom(Lfs):
    """A large file of deterministic bytes that do not compress."""

    def __init__(self, size, seed=0):
        self.size, self.seed = size, seed

    def store(self, blobs):
        return blobs.random(self.size, self.seed)


class LfsZeros(LfsRandom):
    """A large sparse file of zeros: size without disk."""

    def store(self, blobs):
        return blobs.zeros(self.size)


class LfsMade(Lfs):
    """A large file from `chunks()`, made once per recipe string."""

    def __init__(self, recipe, chunks):
        self.recipe, self.chunks = recipe, chunks

    def store(self, blobs):
        return blobs.make(self.recipe, self.chunks)


class LfsPointer(Lfs):
    """A pointer to bytes the Hub does not have."""

    def __init__(self, sha256, size):
        self.sha256, self.size = sha256, size

    def store(self, blobs):
        return self.sha256, self.size


class Symlink:
    def __init__(self, target):
        self.target = target


class Executable:
    def __init__(self, data):
        self.data = data


class Submodule:
    """A gitlink to a commit of some other repository."""

    def __init__(self, commit="1" * 40):
        self.commit = commit


def pointer_bytes(sha256, size):
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def _quoted(path):
    raw = path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'


class Importer:
    """One `git fast-import` run; ids of the commits are known after the `with` block, through `sha(mark)`."""

    def __init__(self, repo):
        self._repo = repo
        self._marks_path = os.path.join(repo.git_dir, f"marks-{os.getpid()}-{threading.get_ident()}")
        self._process = subprocess.Popen(
            ["git", f"--git-dir={repo.git_dir}", "-c", "core.deltaBaseCacheLimit=64m", "fast-import", "--quiet",
             "--force", f"--export-marks={self._marks_path}"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=GIT_ENV,
        )
        self._out = self._process.stdin
        self._tips = {}
        self._mark = 0
        self._shas = {}

    def commit(self, message, files, *, ref="refs/heads/main", parent=None, merge=(), delete=(), clear=False,
               orphan=False, seconds=None, author="Ada Sample"):
        """Adds one commit; `parent` and `merge` are marks or ids, `clear` drops all files first. Returns its mark."""
        self._mark += 1
        mark = self._mark
        if seconds is None:
            seconds = self._repo.next_second()
        if parent is None and not orphan:
            parent = self._tips.get(ref) or self._repo.reader.refs().get(ref)
        text = message.encode()
        who = f"{author} <{author.split()[0].lower()}@example.invalid> {seconds} +0000".encode()
        write = self._out.write
        if orphan:
            write(b"reset %s\n\n" % ref.encode())
        write(b"commit %s\nmark :%d\nauthor %s\ncommitter %s\ndata %d\n%s\n" % (ref.encode(), mark, who, who, len(text), text))
        if parent:
            write(b"from %s\n" % _committish(parent))
        for other in merge:
            write(b"merge %s\n" % _committish(other))
        if clear:
            write(b"deleteall\n")
        for path in delete:
            write(b"D %s\n" % _quoted(path))
        for path, content in files.items():
            self._file(path, content)
        write(b"\n")
        self._tips[ref] = mark
        return mark

    def _file(self, path, content):
        mode = b"100644"
        if isinstance(content, Submodule):
            self._out.write(b"M 160000 %s %s\n" % (content.commit.encode(), _quoted(path)))
            return
        if isinstance(content, Lfs):
            content = pointer_bytes(*content.store(self._repo.store.blobs))
        elif isinstance(content, Symlink):
            mode, content = b"120000", content.target
        elif isinstance(content, Executable):
            mode, content = b"100755", content.data
        if isinstance(content, str):
            content = content.encode()
        self._out.write(b"M %s inline %s\ndata %d\n%s\n" % (mode, _quoted(path), len(content), content))

    def tag(self, name, mark, message=None):
        """A lightweight tag, or an annotated one when there is a message."""
        if message is None:
            self._out.write(b"reset refs/tags/%s\nfrom %s\n\n" % (name.encode(), _committish(mark)))
        else:
            text = message.encode()
            self._out.write(b"tag %s\nfrom %s\ntagger Ada Sample <ada@example.invalid> %d +0000\ndata %d\n%s\n"
                            % (name.encode(), _committish(mark), self._repo.next_second(), len(text), text))

    def sha(self, mark):
        return self._shas[mark]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self._out.close()
        except BrokenPipeError:
            pass
        errors = self._process.stderr.read().decode(errors="replace")
        self._process.stderr.close()
        if self._process.wait() != 0 and kind is None:
            raise RuntimeError(f"git fast-import failed in {self._repo.git_dir}: {errors.strip()}")
        if os.path.exists(self._marks_path):
            with open(self._marks_path, encoding="ascii") as f:
                for line in f:
                    mark, sha = line.split()
                    self._shas[int(mark[1:])] = sha
            os.unlink(self._marks_path)
        return False


def _committish(value):
    return b":%d" % value if isinstance(value, int) else str(value).encode()


class Repo:
    """One repository. `meta` is what only the Hub knows of it and is kept in hub.json."""

    def __init__(self, store, git_dir, meta):
        self.store = store
        self.git_dir = git_dir
        self.meta = meta
        self.reader = GitReader(git_dir)
        self.rendered = {}  # a place for the API to keep JSON made from (commit, options)
        self._seconds = None

    kind = property(lambda self: self.meta["kind"])
    id = property(lambda self: self.meta["id"])
    oid = property(lambda self: self.meta["_id"])

    def save(self):
        temp = os.path.join(self.git_dir, "hub.json.tmp")
        with open(temp, "w", encoding="utf-8") as f:
            json.dump(self.meta, f, indent=1, ensure_ascii=False)
        os.replace(temp, os.path.join(self.git_dir, "hub.json"))

    def set(self, **meta):
        """Changes Hub facts: private, gated (False, "auto", "manual"), disabled, downloads, likes, extra, hidden."""
        self.meta.update(meta)
        self.rendered = {}
        self.save()

    def next_second(self):
        if self._seconds is None:
            commits = run_git(self.git_dir, "rev-list", "--all", "--count", check=False).decode().strip()
            self._seconds = self.meta["created_s"] + 60 * int(commits or 0)
        self._seconds += 60
        return self._seconds

    def importer(self):
        return Importer(self)

    def commit(self, message, files, **options):
        """One commit (see Importer.commit); returns its id."""
        with self.importer() as run:
            mark = run.commit(message, files, **options)
        return run.sha(mark)

    def tag(self, name, commit="refs/heads/main", message=None):
        commit = self.reader.refs().get(commit, commit)
        with self.importer() as run:
            run.tag(name, commit, message)

    def set_ref(self, ref, commit):
        run_git(self.git_dir, "update-ref", ref, self.reader.refs().get(commit, commit))

    def delete_ref(self, ref):
        run_git(self.git_dir, "update-ref", "-d", ref)

    def force_push(self, message, files, *, ref="refs/heads/main", back=1):
        """Rewrites `ref`: its last `back` commits are replaced by one new commit (all of them: an orphan)."""
        history = self.reader.history(self.reader.resolve(ref))
        if back >= len(history):
            return self.commit(message, files, ref=ref, orphan=True)
        return self.commit(message, files, ref=ref, parent=history[back]["id"])

    def write_refs(self, refs):
        """Sets many refs at once by writing packed-refs; {name: commit id}."""
        known = self.reader.refs()
        for name in refs:
            loose = os.path.join(self.git_dir, name)
            if os.path.exists(loose):
                os.unlink(loose)
        merged = dict(sorted({**known, **refs}.items()))
        temp = os.path.join(self.git_dir, "packed-refs.new")
        with open(temp, "w", encoding="utf-8") as f:
            f.write("# pack-refs with: sorted \n")
            f.writelines(f"{oid} {name}\n" for name, oid in merged.items())
        os.replace(temp, os.path.join(self.git_dir, "packed-refs"))

    def settle(self, repack=False):
        """Packs refs (and objects, with a bitmap) as a hosted repository would be."""
        run_git(self.git_dir, "pack-refs", "--all")
        if repack:
            run_git(self.git_dir, "-c", "pack.threads=2", "repack", "-adq", "--write-bitmap-index")

    def head(self, ref="refs/heads/main"):
        """Commit id of a ref, or None."""
        return self.reader.resolve(ref)

    def raw_object(self, kind, data):
        """Writes any bytes as a loose object of any kind, unchecked; returns its id."""
        whole = b"%s %d\0" % (kind.encode(), len(data)) + data
        oid = hashlib.sha1(whole).hexdigest()
        folder = os.path.join(self.git_dir, "objects", oid[:2])
        path = os.path.join(folder, oid[2:])
        if not os.path.exists(path):
            os.makedirs(folder, exist_ok=True)
            with open(path + ".tmp", "wb") as f:
                f.write(zlib.compress(whole, 1))
            os.replace(path + ".tmp", path)
        return oid

    def raw_tree(self, entries):
        """A tree of (mode, name, oid) exactly as given: not sorted, not checked."""
        data = b""
        for mode, name, oid in entries:
            mode = mode if isinstance(mode, bytes) else mode.encode()
            name = name if isinstance(name, bytes) else name.encode()
            data += mode + b" " + name + b"\0" + bytes.fromhex(oid)
        return self.raw_object("tree", data)

    def raw_commit(self, tree, *, ref="refs/heads/main", message="raw", parent=None):
        parents = b"parent %s\n" % parent.encode() if parent else b""
        who = b"Eve Sample <eve@example.invalid> %d +0000" % self.next_second()
        oid = self.raw_object("commit", b"tree %s\n%sauthor %s\ncommitter %s\n\n%s\n"
                              % (tree.encode(), parents, who, who, message.encode()))
        path = os.path.join(self.git_dir, ref)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".lock", "w", encoding="ascii") as f:
            f.write(oid + "\n")
        os.replace(path + ".lock", path)
        return oid

    def lfs_oids(self):
        """Every (sha256, size) any pointer of any reachable commit names."""
        out = run_git(self.git_dir, "rev-list", "--objects", "--all", "--filter=object:type=blob",
                      "--filter-provided-objects", "--no-object-names").decode()
        oids = {line for line in out.split() if len(line) == 40}
        self.reader._learn_blobs(oids)
        return {facts[1][:2] for oid, facts in self.reader._blob_facts.items() if oid in oids and facts[1]}


class Store:
    """All repositories and blobs under one root; opens again what an earlier process built there."""

    def __init__(self, root):
        self.root = os.path.abspath(str(root))
        os.makedirs(os.path.join(self.root, "git"), exist_ok=True)
        self.blobs = BlobStore(os.path.join(self.root, "blobs"))
        self._lock = threading.RLock()
        self._by_name = {}
        self._aliases = {}
        self._open = []
        self.load()

    def load(self):
        """Reads hub.json of every repository anew."""
        with self._lock:
            self._by_name.clear()
            self._aliases.clear()
            for name in sorted(os.listdir(os.path.join(self.root, "git"))):
                git_dir = os.path.join(self.root, "git", name)
                if os.path.exists(os.path.join(git_dir, "hub.json")):
                    with open(os.path.join(git_dir, "hub.json"), encoding="utf-8") as f:
                        self._register(Repo(self, git_dir, json.load(f)))

    def _register(self, repo):
        self._by_name[repo.kind, repo.id] = repo
        for old in repo.meta["aliases"]:
            self._aliases[repo.kind, old] = repo

    def create(self, kind, repo_id, **meta):
        """A new empty repository; `meta` as in Repo.set, `created_s` moves its creation time."""
        if kind not in KINDS:
            raise ValueError(f"kind is one of {KINDS}, not {kind!r}")
        with self._lock:
            if (kind, repo_id) in self._by_name:
                raise ValueError(f"{kind} {repo_id} exists already")
            spread = int(hashlib.sha256(f"{kind}/{repo_id}".encode()).hexdigest()[:6], 16)
            created = meta.get("created_s", BASE_TIME + spread % 10_000_000)
            number = hashlib.sha256(f"{kind}/{repo_id}/{created}".encode()).hexdigest()[:16]
            facts = {
                "_id": f"{created:08x}{number}", "kind": kind, "id": repo_id, "aliases": [], "created_s": created,
                "private": False, "gated": False, "disabled": False, "downloads": spread % 50_000,
                "likes": spread % 700, "extra": {}, **meta,
            }
            git_dir = os.path.join(self.root, "git", facts["_id"] + ".git")
            self._init_bare(git_dir)
            repo = Repo(self, git_dir, facts)
            repo.save()
            self._register(repo)
            return repo

    @staticmethod
    def _init_bare(git_dir):
        """What `git init --bare` writes, without the process: tests create thousands of these."""
        for folder in ("objects/pack", "objects/info", "refs/heads", "refs/tags"):
            os.makedirs(os.path.join(git_dir, folder))
        hidden = "".join(f"\thideRefs = {r}\n" for r in ("refs", "!refs/heads", "!refs/tags", "!refs/convert", "!refs/pr"))
        with open(os.path.join(git_dir, "config"), "w", encoding="utf-8") as f:
            f.write("[core]\n\trepositoryformatversion = 0\n\tbare = true\n[gc]\n\tauto = 0\n[transfer]\n" + hidden
                    + "[uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n[http]\n\treceivepack = false\n")
        with open(os.path.join(git_dir, "HEAD"), "w", encoding="utf-8") as f:
            f.write("ref: refs/heads/main\n")

    def get(self, kind, repo_id):
        """The repository of that name, or None. Old names are not followed."""
        repo = self._by_name.get((kind, repo_id))
        return None if repo is None or repo.meta.get("hidden") else self._opened(repo)

    def renamed(self, kind, repo_id):
        """The repository that once had this name, or None."""
        return self._aliases.get((kind, repo_id))

    def repos(self, kind=None):
        with self._lock:
            return [r for (k, _), r in self._by_name.items() if kind in (None, k) and not r.meta.get("hidden")]

    def rename(self, repo, new_id):
        with self._lock:
            del self._by_name[repo.kind, repo.id]
            repo.meta["aliases"].append(repo.id)
            repo.meta["id"] = new_id
            repo.set()
            self._register(repo)

    def _opened(self, repo):
        with self._lock:
            if not self._open or self._open[-1] is not repo:
                if repo in self._open:
                    self._open.remove(repo)
                self._open.append(repo)
                if len(self._open) > READERS_OPEN_MAX:
                    self._open.pop(0).reader.close()
        return repo

    def close(self):
        with self._lock:
            for repo in self._by_name.values():
                repo.reader.close()


# Bulk builders for tests and benchmarks.


def build_many_commits(repo, count, files=50, file_bytes=400):
    """`count` commits on main, each changing one of `files` text files and adding nothing large."""
    with repo.importer() as run:
        run.commit("initial commit", {".gitattributes": GITATTRIBUTES, "README.md": "# many commits\n"})
        for i in range(1, count):
            line = hashlib.sha256(b"%d" % i).hexdigest()
            text = (f"{i} {line}\n" * (file_bytes // 70 + 1))[:file_bytes]
            run.commit(f"change {i}", {f"dir{i % 7}/file{i % files}.txt": text})
    repo.settle(repack=True)


def build_many_refs(repo, count, commits=200):
    """`count` refs besides main: a third branches, a third tags, a third refs/pr, over `commits` commits."""
    with repo.importer() as run:
        marks = [run.commit(f"change {i}", {"README.md": f"# many refs\n\n{i}\n"}) for i in range(commits)]
    shas = [run.sha(mark) for mark in marks]
    refs = {}
    for i in range(count):
        name = (f"refs/heads/topic/{i:05}", f"refs/tags/v0.{i}", f"refs/pr/{i}")[i % 3]
        refs[name] = shas[i % commits]
    repo.write_refs(refs)
    repo.settle(repack=True)


def build_many_files(repo, count, lfs_every=0, lfs_bytes=256, folders=100):
    """One commit of `count` small files; with `lfs_every` = k each k-th one is a large file of its own."""
    files = {"README.md": "# many files\n"}
    for i in range(count - 1):
        path = f"data/part-{i % folders:04}/item-{i:07}" + (".bin" if lfs_every and i % lfs_every == 0 else ".json")
        if lfs_every and i % lfs_every == 0:
            files[path] = Lfs(hashlib.shake_128(b"item %d" % i).digest(lfs_bytes))
        else:
            files[path] = '{"item": %d}\n' % i
    commit = repo.commit("many files", files)
    repo.settle()
    return commit


def build_lfs_files(repo, count, size, seed="set"):
    """One commit of `count` large files of `size` bytes each, all different."""
    files = {".gitattributes": GITATTRIBUTES, "README.md": "# large files\n"}
    files.update({f"shards/shard-{i:05}-of-{count:05}.bin": LfsRandom(size, f"{seed}-{i}") for i in range(count)})
    return repo.commit("large files", files)
