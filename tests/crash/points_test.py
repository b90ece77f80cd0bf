"""SIGKILL at every named point of the program: nothing acknowledged is lost, no wrong byte is visible, the next run finishes the work.

The names are read from the sources, so a new point is tested without anybody remembering it. Arguments: part/parts, e.g. 1/3.
"""

import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys

from crash_case import CrashCase
from harness import BINARY, Process, blob_path, main, scaled

from fake_hub import Lfs, LfsRandom, Store

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRODUCT = ("base", "config", "net", "hub", "storage", "mirror", "provenance", "crawler", "app")
_HEADER = b'{"w":{"dtype":"U8","shape":[8192],"data_offsets":[0,8192]}}'
TENSORS = len(_HEADER).to_bytes(8, "little") + _HEADER + bytes(i * i % 251 for i in range(8192))
PASSAGES = (1, 2, 5)  # a point within a loop is another place at its second and fifth passage
PART, PARTS = (int(n) for n in (sys.argv.pop(1) if len(sys.argv) > 1 and re.fullmatch(r"\d+/\d+", sys.argv[1]) else "1/1").split("/"))


def crash_points():
    names = set()
    for folder in PRODUCT:
        for path in (ROOT / folder).rglob("*.[ch]pp"):
            names |= set(re.findall(r'\bHM_CRASH_POINT\(\s*"([^"]+)"\s*\)', path.read_text(encoding="utf-8")))
    return sorted(names)


class PointsTest(CrashCase):
    settings = {"mirror": {"ranges_per_file": 2, "files_parallel": 4}, "retention": {"grace_hours": 0, "superseded_days": 0}}
    check_rebuild = False  # part of the story

    def steps(self, repo):
        """A life in steps: (what to do before, command, whether it may drop what was there)."""
        yield None, ("mirror", "org/a", "org/b"), False
        repo.commit("tensors", {"t.safetensors": Lfs(TENSORS)})
        yield None, ("mirror", "org/a"), False
        yield None, ("digest",), False
        repo.commit("second", {"w.bin": LfsRandom(3000, "w2"), "x.txt": "x"})
        repo.commit("side", {"side.bin": LfsRandom(900, "side")}, ref="refs/heads/side")
        yield None, ("mirror", "org/a"), False
        repo.force_push("rewritten", {"w.bin": LfsRandom(3000, "w3")}, back=1)
        repo.delete_ref("refs/heads/side")
        yield None, ("mirror", "--all-history", "org/a"), False
        yield None, ("pin", "org/a", "--reason", "story"), False
        yield self.spoil, ("verify", "--repair"), False
        yield None, ("unpin", "org/a"), False
        yield None, ("index", "rebuild"), False
        yield None, ("gc",), True
        yield None, ("crawl", "--once"), False
        yield None, ("rm", "--yes", "org/b"), True
        yield None, ("gc",), True
        self.restart_hub(git_v2=False, lfs_batch=False)
        repo.commit("third", {"y.bin": LfsRandom(3000, "y")})
        yield self.scatter, ("mirror", "org/a", "org/b"), False
        repo.commit("fourth", {"z.bin": LfsRandom(3000, "z")})
        yield self.choose, ("sync", "--policies", os.path.join(self.dir, "policies")), False

    def scatter(self):
        """So many packs that mirroring makes one of them."""
        git = ["git", "-C", self.hm("path", "org/a").out.strip()]
        for i in range(21):
            blob = subprocess.run([*git, "hash-object", "-w", "--stdin"], input=f"scattered {i}".encode(), check=True, capture_output=True).stdout
            subprocess.run([*git, "pack-objects", "-q", "objects/pack/pack"], input=blob, check=True, capture_output=True)
            oid = blob.decode().strip()
            os.remove(os.path.join(git[2], "objects", oid[:2], oid[2:]))

    def choose(self):
        os.makedirs(os.path.join(self.dir, "policies"), exist_ok=True)
        self.write("policies/both.toml", '[select]\nrepos = ["org/a", "org/b"]\n')

    def spoil(self):
        digest = self.pointers(self.store.get("model", "org/a"))["w.bin"][0]
        path = blob_path(self.data, digest)
        os.chmod(path, 0o644)
        with open(path, "r+b") as f:
            f.write(b"\xff\x00")
        self.damaged.add(digest)

    def origins(self, name):
        """A Hub of its own for each story, because stories change it."""
        self.store = Store(os.path.join(self.dir, "hub-" + name))
        self.restart_hub()
        many = {f"s{i}.bin": LfsRandom(500 + i, f"s{i}") for i in range(8)}
        repo = self.model("org/a", {"w.bin": LfsRandom(3000, "w"), "big.bin": LfsRandom((34 << 20) + 5, "big"), **many})
        repo.tag("v1", message="first")
        return repo, self.model("org/b", {"b.bin": LfsRandom(2000, "b"), "w.bin": LfsRandom(3000, "w")})

    def passages(self):
        """How often each step passes each point, from a story in which nothing is killed."""
        self.data = os.path.join(self.dir, "data-log")
        repo, _ = self.origins("log")
        out = []
        for n, (before, command, _) in enumerate(self.steps(repo)):
            if before:
                before()
            log = os.path.join(self.dir, f"log-{n}")
            self.assertEqual(self.start(*command, env={"HUBMIRROR_CRASH_LOG": log}).wait().code, 0, command)
            passed = pathlib.Path(log).read_text(encoding="ascii") if os.path.exists(log) else ""
            out.append(collections.Counter(passed.split()))
            if command[0] == "verify":
                self.damaged.clear()
        shutil.rmtree(self.data)
        return out

    def step(self, armed, command, may_lose):
        """One command that is to be killed; then the same again, unarmed. Returns whether it was killed."""
        self.acknowledged = self.published()
        killed, run = self.killed_or_done(self.start(*command, env={"HUBMIRROR_CRASH_AT": armed}))
        if killed:
            self.damaged_by_spoil_may_be_gone(command)
            self.check_after_kill(may_lose=may_lose)
            # What was done before the kill may make the second time an error that says so.
            self.hm(*command, code=(0, 1) if command[0] in ("rm", "pin", "unpin") else 0)
        else:
            self.assertEqual(run.code, 0, run)
        if command[0] == "verify":
            self.damaged.clear()
        self.check_after_kill(may_lose=may_lose)
        return killed

    def damaged_by_spoil_may_be_gone(self, command):
        """A repair that was killed has moved the bad blob away, or not yet: then a revision shows a missing file, truthfully."""
        if command[0] == "verify":
            self.hm("verify", "--repair")
            self.damaged.clear()

    def tell(self, name, passage, steps):
        """Runs the story with this point armed in these steps; the number of kills."""
        self.data = os.path.join(self.dir, f"data-{name}-{passage}")
        self.acknowledged = {}
        repo, other = self.origins(f"{name}-{passage}")
        kills = 0
        for n, (before, command, may_lose) in enumerate(self.steps(repo)):
            if before:
                before()
            if n in steps:
                kills += self.step(f"{name}:{passage}", command, may_lose)
                continue
            self.hm(*command)
            if command[0] == "verify":
                self.damaged.clear()
        for origin in (repo, other):
            self.assert_equals_origin(origin)
        before = self.answers()
        self.hm("index", "rebuild")
        self.assertEqual(self.answers(), before)
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])
        shutil.rmtree(self.data)
        return kills

    def test_points(self):
        names = crash_points()
        self.assertGreater(len(names), 5, "hardly any point was found: is the path right?")
        armed = Process([BINARY, "--data-dir", os.path.join(self.dir, "probe"), "version"], self.environment({"HUBMIRROR_CRASH_AT": names[0]}))
        self.assert_sane(armed.wait())
        passages = self.passages()
        mine = names[PART - 1 :: PARTS]
        for name in mine[: scaled(len(mine))]:
            reached = 0
            for passage in PASSAGES[: scaled(len(PASSAGES))]:
                steps = {n for n, passed in enumerate(passages) if passed[name] >= passage}
                if not steps:  # a later passage is not reached either
                    break
                with self.subTest(point=name, passage=passage):
                    kills = self.tell(name, passage, steps)
                    reached += kills
                    print(f"{name}:{passage}: killed {kills} times of {len(steps)}", flush=True)
            with self.subTest(point=name):
                self.assertGreater(reached, 0, "no command of the story passes this point, or the build has no crash points")


if __name__ == "__main__":
    main()
