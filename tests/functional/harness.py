"""What the functional and crash tests share: a fake Hub, the program under test as a process, and the checks that hold after every test.

    class MirrorTest(HubTest):
        def test_model(self):
            repo = self.model("org/name", {"config.json": "{}", "w.bin": LfsRandom(1000)})
            self.mirror("org/name")
            self.assert_equals_origin(repo)

The program is $HUBMIRROR_BIN. It gets a clean environment, a home of its own, and nothing but 127.0.0.1 to talk to.
After every test, whatever it did: each file below blobs/sha256 has the digest that is its name, no token was seen by the download port,
written to disk or printed, and `index rebuild` changes no answer.
HUBMIRROR_TEST_SCALE (0 to 1) makes tests with a number of rounds, or of cases of one kind, shorter; HUBMIRROR_TEST_SANITIZER says that the
program is instrumented.
"""

import glob
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from fake_hub import GITATTRIBUTES, FakeHub, LfsRandom, Store
from fake_hub.gitread import GIT_ENV

BINARY = os.environ.get("HUBMIRROR_BIN", "")
SANITIZER = os.environ.get("HUBMIRROR_TEST_SANITIZER", "") not in ("", "0")
SCALE = float(os.environ.get("HUBMIRROR_TEST_SCALE", "1"))
HANG_S = 600 if SANITIZER else 300  # a process that takes longer hangs; nothing is measured by it
TOKEN = "hf_" + "tEsT" * 8
SEGMENT = 16 << 20  # bytes; what a kill may cost per range in flight
ERROR = "hubmirror: error:"
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n\Z")
# Fast answers for tests: short pauses between tries, and a reserve that does not ask how full the machine's disk is.
SETTINGS = {"network": {"retry_wait_ms_max": 200}, "storage": {"reserve_bytes": 1 << 20}, "serve": {"listen": ["127.0.0.1:0"]}}


def scaled(count, least=1):
    return max(least, round(count * SCALE))


def some(cases, begin=0, least=1):
    """As many of these cases as HUBMIRROR_TEST_SCALE leaves, spread evenly from the one that `begin` counts to: callers that go through the same
    cases at several places begin each at another, so that the places together have most of them."""
    cases = list(cases)
    count = scaled(len(cases), least)
    return [cases[(begin + i * len(cases) // count) % len(cases)] for i in range(count)]


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def toml(settings):
    """{section: {key: value}} as TOML; JSON writes these values the same way."""
    return "".join(f"[{section}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items()) for section, keys in settings.items())


def merged(*settings):
    out = {}
    for one in settings:
        for section, keys in one.items():
            out.setdefault(section, {}).update(keys)
    return out


def git(path, *args, check=True, stdin=None):
    done = subprocess.run(["git", f"--git-dir={path}", *args], env=GIT_ENV, input=stdin, capture_output=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"git {' '.join(args)} in {path}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def refs_of(path, prefixes=("refs/",)):
    out = {}
    for line in git(path, "for-each-ref", "--format=%(objectname) %(refname)").decode().splitlines():
        oid, _, name = line.partition(" ")
        if name.startswith(tuple(prefixes)):
            out[name] = oid
    return out


def objects_of(path, tips):
    if not tips:
        return set()
    return set(git(path, "rev-list", "--objects", "--no-object-names", "--stdin", stdin="\n".join(sorted(set(tips))).encode() + b"\n").split())


def pointers_of(path, commit):
    """{path bytes: (sha256, size)} of the large files of a commit, read with git alone."""
    names = {}
    for row in git(path, "ls-tree", "-r", "-l", "-z", "--full-tree", commit).split(b"\0"):
        if row:
            facts, _, name = row.partition(b"\t")
            mode, kind, oid, size = facts.split()
            if kind == b"blob" and mode != b"120000" and int(size) < 1024:
                names.setdefault(oid, []).append(name)
    if not names:
        return {}
    found = {}
    data = git(path, "cat-file", "--batch", stdin=b"".join(oid + b"\n" for oid in names))
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        oid, _, size = data[at:end].split()
        body = data[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
        if match := _POINTER.match(body):
            for name in names[oid]:
                found[name] = (match.group(1).decode(), int(match.group(2)))
    return found


def blob_path(data_dir, sha256):
    return os.path.join(data_dir, "blobs", "sha256", sha256[:2], sha256[2:4], sha256)


def stored_blobs(data_dir):
    """Every file below blobs/sha256."""
    return [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(data_dir, "blobs", "sha256")) for name in names]


# Peak memory as wait4() tells it begins with that of the process that forked: a small one stands in between.
_MEASURED = """import os, sys
pid = os.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as f:
    f.write(str(usage.ru_maxrss))
code = os.waitstatus_to_exitcode(status)
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


class Run:
    """One finished process. `rss_kib`: its peak memory, where it was run with measure=True."""

    def __init__(self, command, code, out, err, rss_kib=0):
        self.command, self.code, self.out_bytes, self.err, self.rss_kib = command, code, out, err, rss_kib

    @property
    def out(self):
        return self.out_bytes.decode("utf-8", "surrogateescape")

    @property
    def json(self):
        try:
            return json.loads(self.out_bytes)
        except ValueError as error:
            raise AssertionError(f"not JSON ({error}):\n{self}") from None

    @property
    def errors(self):
        return [line for line in self.err.splitlines() if line.startswith(ERROR)]

    def __str__(self):
        return f"$ {shlex.join(self.command)}\nexit code {self.code}\n--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-6000:]}"


class Process:
    """One running process; the pipes are emptied all the time."""

    def __init__(self, command, env, stdin=None, measure=False, cwd=None):
        self.command = command
        self._rss_file = tempfile.NamedTemporaryFile() if measure else None
        self.popen = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _MEASURED, self._rss_file.name, *command] if measure else command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.pid = self.popen.pid
        self._out, self._err = [], []
        self._threads = [
            threading.Thread(target=self._drain, args=(pipe, into), daemon=True)
            for pipe, into in ((self.popen.stdout, self._out), (self.popen.stderr, self._err))
        ]
        for thread in self._threads:
            thread.start()
        if stdin is not None:
            self.popen.stdin.write(stdin)
            self.popen.stdin.close()

    @staticmethod
    def _drain(pipe, into):
        while block := pipe.read1(65536):  # not read(), which waits for all of it
            into.append(block)
        pipe.close()

    def said(self):
        """What came on its standard error so far."""
        return b"".join(self._err).decode("utf-8", "replace")

    def running(self):
        return self.popen.poll() is None

    def runs_for(self, seconds):
        """Lets it run so long, or until it ends, whatever comes first."""
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def wait(self, timeout=HANG_S):
        try:
            self.popen.wait(timeout)
            hung = False
        except subprocess.TimeoutExpired:
            hung = True
            self.popen.kill()
            self.popen.wait()
        for thread in self._threads:
            thread.join()
        rss_kib = int(self._rss_file.read() or 0) if self._rss_file else 0
        run = Run(self.command, self.popen.returncode, b"".join(self._out), self.said(), rss_kib)
        if hung:
            raise AssertionError(f"the process hung for {timeout} s and was killed\n{run}")
        return run


class HubTest(unittest.TestCase):
    """Each test has its own folder, fake Hub (attribute `hub`) and data directory (`data`)."""

    hub_options = {}  # of FakeHub
    settings = {}  # over SETTINGS
    allow_cdn = True  # --allow-private for the download port
    check_rebuild = True  # compare answers before and after `index rebuild` when the test is over
    maxDiff = 4000

    def setUp(self):
        if not BINARY:
            self.fail("HUBMIRROR_BIN is not set: the path of the program under test")
        self.dir = tempfile.mkdtemp(prefix="hm-test-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.home = os.path.join(self.dir, "home")
        os.mkdir(self.home)
        self.data = os.path.join(self.dir, "data")
        self.config = self.write("hubmirror.toml", toml(merged(SETTINGS, self.settings)))
        self.store = Store(os.path.join(self.dir, "hub"))
        self.hub = self.start_hub(**self.hub_options)
        self.secrets = {TOKEN}
        self.damaged = set()  # digests a test spoiled on purpose and left so

    def tearDown(self):
        self.hub.stop()
        if self._outcome.success:  # what failed already needs no second report
            self.check_store()
            self.check_secrets()
            if self.check_rebuild:
                self.check_index_rebuild()

    # the Hub

    def start_hub(self, **options):
        hub = FakeHub(options.pop("store", self.store), **options).start()
        self.addCleanup(hub.stop)
        return hub

    def restart_hub(self, **options):
        """The same repositories behind another server (another port, other options, an empty log)."""
        self.hub.stop()
        self.hub = self.start_hub(**options)

    def faults(self, *rules, **script):
        self.hub.faults.load({"rules": list(rules), **script})

    def repo(self, kind, name, files=None, **meta):
        repo = self.store.create(kind, name, **meta)
        if files is not None:
            repo.commit("first", {".gitattributes": GITATTRIBUTES, "README.md": "# readme\n", **files})
        return repo

    def model(self, name, files=None, **meta):
        return self.repo("model", name, files, **meta)

    def sample(self, name="org/sample", size=3000):
        """A model with two small and two large files."""
        return self.model(name, {"config.json": "{}\n", "a.bin": LfsRandom(size, name + "a"), "deep/b.bin": LfsRandom(size // 2, name + "b")})

    # the program

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def configure(self, **settings):
        """Settings of one test: configure(network={"stall_timeout_ms": 500})."""
        self.write("hubmirror.toml", toml(merged(SETTINGS, self.settings, settings)))

    def environment(self, extra=None):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.home, "LC_ALL": "C.UTF-8", "TMPDIR": self.dir}
        env |= {k: v for k, v in os.environ.items() if k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH")}
        return env | (extra or {})

    def command(self, args, *, hub=None, data=None, bare=False):
        if bare:
            return [BINARY, *args]
        hub = hub or self.hub
        command = [BINARY, "--config", self.config, "--data-dir", data or self.data, "--upstream", hub.endpoint]
        if self.allow_cdn:
            command += ["--allow-private", f"127.0.0.1:{hub.cdn_server.port}"]
        return [*command, *args]

    def start(self, *args, env=None, stdin=None, measure=False, cwd=None, **where):
        return Process(self.command(args, **where), self.environment(env), stdin, measure, cwd)

    def hm(self, *args, code=0, timeout=HANG_S, **options):
        """Runs the program to its end. `code`: the exit code it must have, or a tuple of them."""
        run = self.start(*args, **options).wait(timeout)
        self.assert_sane(run)
        codes = code if isinstance(code, tuple) else (code,)
        self.assertIn(run.code, codes, f"\n{run}")
        return run

    def mirror(self, *args, **options):
        return self.hm("mirror", *args, **options)

    def mirror_json(self, *args, **options):
        return self.hm("--json", "mirror", *args, **options).json

    def show(self, repo, *args, **options):
        return self.hm("--json", "show", repo, *args, **options).json

    def revisions(self, repo):
        """What is published of a repository; nothing of one that was never seen."""
        run = self.hm("--json", "show", repo, code=(0, 1))
        return run.json["revisions"] if run.code == 0 else []

    # what must hold

    def assert_sane(self, run, killed=False):
        """No crash, no sanitizer report, nothing on a pipe that moves a cursor, no token."""
        if not killed:
            self.assertGreaterEqual(run.code, 0, f"ended by signal {signal.Signals(-run.code).name if run.code < 0 else ''}\n{run}")
        self.assertNotRegex(run.err, r"Sanitizer|runtime error:|terminate called|internal error", f"\n{run}")
        strange = re.search(r"[\x00-\x08\x0b-\x1f\x7f]", run.err)
        self.assertIsNone(strange, f"control byte {strange} on stderr\n{run!s}")
        for secret in self.secrets:
            self.assertNotIn(secret, run.err, "a token was printed on stderr")
            self.assertNotIn(secret, run.out, "a token was printed on stdout")

    def assert_error(self, run, *patterns, count=1):
        """`count` lines on stderr begin with the error mark, and the first one that has them all matches all patterns."""
        self.assertEqual(len(run.errors), count, f"{count} error line(s) expected\n{run}")
        for pattern in patterns:
            self.assertTrue(any(re.search(pattern, line, re.I) for line in run.errors), f"no error line matches {pattern!r}\n{run}")
        for line in run.errors:
            self.assertGreater(len(line), len(ERROR) + 10, f"says nothing\n{run}")
            self.assertLess(len(line), 2000, f"too long to be read\n{run}")

    def spec_of(self, origin):
        return origin.id if origin.kind == "model" else f"{origin.kind}s/{origin.id}"

    def git_path(self, origin):
        path = self.hm("path", self.spec_of(origin)).out.rstrip("\n")
        self.assertTrue(os.path.isdir(path), path)
        return path

    def assert_equals_origin(self, origin, *, pull_requests=False, blobs=True, all_history=False, fsck=True):
        """The bare repository here is what `git clone --mirror` of the origin would be, and its large files are here, byte for byte."""
        path = self.git_path(origin)
        prefixes = ("refs/heads/", "refs/tags/", "refs/convert/") + (("refs/pr/",) if pull_requests else ())
        clone = tempfile.mkdtemp(prefix="clone-", dir=self.dir)
        done = subprocess.run(["git", "clone", "--quiet", "--mirror", path, clone], env=GIT_ENV, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        theirs = refs_of(origin.git_dir, prefixes)
        ours = {name: oid for name, oid in refs_of(clone).items() if not name.startswith("refs/hubmirror/")}
        self.assertEqual(ours, theirs, "refs of a clone and of the origin")
        self.assertEqual(objects_of(clone, ours.values()), objects_of(origin.git_dir, theirs.values()), "objects of a clone and of the origin")
        if theirs:
            self.assertEqual(git(path, "symbolic-ref", "HEAD"), git(origin.git_dir, "symbolic-ref", "HEAD"), "HEAD")
        if fsck:
            checked = subprocess.run(
                ["git", f"--git-dir={path}", "fsck", "--strict", "--no-progress", "--no-dangling"], env=GIT_ENV, capture_output=True, check=False
            )
            said = [line for line in checked.stderr.decode(errors="replace").splitlines() if not line.startswith("notice: ")]  # of an empty one
            self.assertEqual((checked.returncode, said), (0, []), "git fsck --strict")
        shutil.rmtree(clone)
        if blobs:
            tips = theirs.values() if all_history else (oid for name, oid in theirs.items() if name.startswith("refs/heads/"))
            commits = set(tips)
            if all_history:
                commits = set(git(origin.git_dir, "rev-list", *commits).decode().split())
            for commit in commits:
                self.assert_blobs(pointers_of(origin.git_dir, commit))

    def assert_blobs(self, pointers):
        for name, (digest, size) in pointers.items():
            file = blob_path(self.data, digest)
            self.assertTrue(os.path.exists(file), f"{name!r}: blob {digest} is not here")
            self.assertEqual(os.path.getsize(file), size, f"{name!r}: blob {digest}")
            self.assertEqual(sha256_of(file), digest, f"{name!r}")

    def connect_to_daemon(self):
        """A connection to its socket, through the open folder: its name may be longer than that of a socket."""
        directory = os.open(self.data, os.O_PATH)
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(f"/proc/self/fd/{directory}/daemon.sock")
        except BaseException:
            s.close()
            raise
        finally:
            os.close(directory)
        return s

    def daemon_answers(self):
        try:
            self.connect_to_daemon().close()
            return True
        except OSError:
            return False

    def recorded_segments(self):
        """How many segments the log of the one download under way says are complete (docs/formats/partial_blob.md)."""
        header, record = 96, 48
        for path in glob.glob(os.path.join(self.data, "blobs/partial/*.state")):
            try:
                with open(path, "rb") as f:
                    log = f.read()
            except FileNotFoundError:  # published meanwhile
                continue
            return len({log[i + 4 : i + 12] for i in range(header, len(log), record) if log[i : i + 1] == b"S"})
        return 0

    def check_store(self, data=None):
        """No name without its bytes."""
        for path in stored_blobs(data or self.data):
            name = os.path.basename(path)
            if name not in self.damaged:
                self.assertEqual(sha256_of(path), name, f"a wrong byte is visible: {path}")

    def check_secrets(self):
        """No token at the download port, none on disk."""
        for entry in self.hub.requests("cdn"):
            for name, value in entry["headers"]:
                self.assertNotIn(name.lower(), ("authorization", "cookie", "proxy-authorization"), f"the download port got {name}: {entry['path']}")
                for secret in self.secrets:
                    self.assertNotIn(secret, value, f"the download port got the token in {name}")
            for secret in self.secrets:
                self.assertNotIn(secret, entry["path"])
        for folder, _, names in os.walk(self.data):
            for name in names:
                path = os.path.join(folder, name)
                if "/blobs/" not in path and os.path.getsize(path) < 64 << 20:
                    with open(path, "rb") as f:
                        data = f.read()
                    for secret in self.secrets:
                        self.assertNotIn(secret.encode(), data, f"a token in {path}")

    def repos_here(self):
        return [self.spec_of_row(row) for row in self.hm("--json", "ls").json["repos"]]

    @staticmethod
    def spec_of_row(row):
        return row["repo"]

    def answers(self):
        return {spec: self.hm("--json", "show", "--files", spec, code=(0, 1)).json for spec in self.repos_here()}

    def check_index_rebuild(self):
        """Derived rows can be thrown away: every answer is the same after they were made again from the journal."""
        if not os.path.exists(os.path.join(self.data, "VERSION")):
            return
        before = self.answers()
        self.hm("index", "rebuild")
        self.assertEqual(self.answers(), before, "`index rebuild` changed an answer")

    def pointers(self, origin, ref="refs/heads/main"):
        """{path: (sha256, size)} of a branch of the origin."""
        return {name.decode("utf-8", "surrogateescape"): facts for name, facts in pointers_of(origin.git_dir, refs_of(origin.git_dir)[ref]).items()}

    def assert_nothing_of(self, origin):
        """No large file of this repository became visible."""
        for name, (digest, _) in self.pointers(origin).items():
            self.assertFalse(os.path.exists(blob_path(self.data, digest)), f"{name}: {digest} is visible")


def wait_for_stall(hub, process):
    """Until an answer of the Hub stands still, so that hub.release() lets it go."""
    wait_until(hub.stalled, "an answer of the Hub stands still", process)


def wait_until(condition, what, process=None):
    """Polls an event of another process; gives up when that process ends first."""
    pause = threading.Event()
    for _ in range(HANG_S * 200):
        if condition():
            return
        if process is not None and not process.running():
            if condition():
                return
            raise AssertionError(f"ended before: {what}\n{process.wait()}")
        pause.wait(0.005)
    raise AssertionError(f"never happened: {what}")


def main():
    unittest.main(module="__main__", verbosity=2, buffer=False)
