"""SIGKILL at random moments: 200 of them in all, in four histories that go on from one kill to the next.

Arguments: the history, 1 to 4; HUBMIRROR_TEST_SCALE makes each shorter. The seed is the history's number: what fails can be run again.
"""

import os
import random
import signal
import sys
import time

from crash_case import CrashCase
from harness import HANG_S, SEGMENT, main, scaled, wait_until

from fake_hub import GITATTRIBUTES, LfsRandom

HISTORY = int(sys.argv.pop(1)) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 1
KILLS = scaled(50, least=5)


class KillsTest(CrashCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(HISTORY)
        self.number = 0
        self.slow_down()

    def slow_down(self):
        """A run that takes about a second, so that there are many moments to die in."""
        self.faults(
            {"name": "api", "do": "delay", "ms": 40, "match": {"port": "api"}}, {"name": "cdn", "do": "delay", "ms": 25, "match": {"port": "cdn"}}
        )

    def build(self):
        big = {"big.bin": LfsRandom((34 << 20) + 77, f"big{HISTORY}"), "two.bin": LfsRandom(SEGMENT + 1, f"two{HISTORY}")}
        many = {f"dir{i % 5}/s{i}.bin": LfsRandom(200 + i * 31, f"s{HISTORY}-{i}") for i in range(60)}
        small = {f"text/{i}.txt": f"{i}\n" * 50 for i in range(40)}
        self.origins = [
            self.model("org/big", {**big, "config.json": "{}\n"}),
            self.model("org/many", {**many, **small}),
            self.repo("dataset", "org/data", {"x.parquet": LfsRandom(40_000, "x"), **small}),
        ]
        self.origins[1].tag("v1", message="one")
        self.origins[1].commit("dev", {"dev.bin": LfsRandom(5000, "dev")}, ref="refs/heads/dev")
        self.specs = [self.spec_of(o) for o in self.origins]

    def change_upstream(self):
        """Something new to fetch, so that the next run has work."""
        self.number += 1
        n, origin = self.number, self.random.choice(self.origins)
        new = {f"new{n}-{i}.bin": LfsRandom(self.random.randrange(1, 60_000), f"n{HISTORY}-{n}-{i}") for i in range(self.random.randrange(1, 12))}
        what = self.random.randrange(5)
        if what == 0:
            origin.force_push(f"rewrite {n}", {"README.md": f"# {n}\n", ".gitattributes": GITATTRIBUTES, **new})
        elif what == 1:
            origin.commit(f"branch {n}", new, ref=f"refs/heads/b{n % 4}")
        elif what == 2:
            origin.commit(f"large {n}", {f"large{n % 2}.bin": LfsRandom(SEGMENT + self.random.randrange(1, 1 << 20), f"l{HISTORY}-{n}")})
        else:
            origin.commit(f"more {n}", new)
        if n % 7 == 3 and "refs/heads/b1" in origin.reader.refs():
            origin.delete_ref("refs/heads/b1")
        if n % 5 == 0:
            origin.tag(f"t{n}", message="tagged" if n % 2 else None)

    def test_random_kills(self):
        self.build()
        begin = time.monotonic()
        self.mirror(*self.specs, data=os.path.join(self.dir, "undisturbed"))
        whole_s = time.monotonic() - begin
        self.check_store(os.path.join(self.dir, "undisturbed"))
        self.hub.wait_idle()
        self.hub.log.clear()
        kills = runs = finished = 0
        while kills < KILLS:
            runs += 1
            self.assertLess(runs, 20 * KILLS, "hardly any kill hits: the runs are too short")
            args, may_lose = ("mirror", *self.specs), False
            chance = self.random.random()
            if self.acknowledged and chance < 0.06:
                args = ("index", "rebuild")
            elif self.acknowledged and chance < 0.12:
                args = ("gc",)
            elif chance < 0.3:
                args = ("mirror", "--all-history", *self.specs)
            moment_s = self.random.random() * (whole_s if args[0] == "mirror" and finished == 0 else whole_s / 2 if args[0] == "mirror" else 0.15)
            process, begin = self.start(*args), time.monotonic()
            process.runs_for(moment_s)
            process.signal(signal.SIGKILL)
            killed, run = self.killed_or_done(process)
            kills += killed
            if not killed:
                self.assertEqual(run.code, 0, run)
                if args[0] == "mirror":
                    finished += 1
                    whole_s = min(whole_s, time.monotonic() - begin)  # a machine that was busy then may be quick now
            self.check_after_kill(may_lose=may_lose)
            if not killed or self.random.random() < 0.25:
                self.change_upstream()
        self.faults()
        self.mirror("--all-history", *self.specs)
        for origin in self.origins:
            self.assert_equals_origin(origin, all_history=True)
        self.check_after_kill()
        bad = [f for f in self.hm("--json", "verify", "--deep").json["findings"] if f["bad"]]  # what was rewritten upstream may stay unfinished
        self.assertEqual(bad, [])
        self.hub.wait_idle()
        sent = sum(e["bytes"] for e in self.hub.requests("cdn"))
        needed = sum(os.path.getsize(os.path.join(f, n)) for f, _, names in os.walk(os.path.join(self.data, "blobs/sha256")) for n in names)
        lost = sent - needed
        print(
            f"history {HISTORY}: {kills} kills in {runs} runs, {finished} finished; {needed >> 20} MiB needed, {lost >> 20} MiB fetched again",
            flush=True,
        )
        # A kill may cost what was in flight: one unfinished segment per range of the large files, and what sockets held.
        self.assertLess(lost, kills * 2 * 2 * (SEGMENT + (4 << 20)))


class ResumeTest(CrashCase):
    """What a kill costs, with figures: one connection, one file of many segments."""

    settings = {"mirror": {"ranges_per_file": 1, "files_parallel": 1}}

    def test_the_log_of_a_download_that_was_published_is_no_finding(self):
        self.model("org/name", {"big.bin": LfsRandom((17 << 20) + 5, "big")})
        killed, _ = self.killed_or_done(self.start("mirror", "org/name", env={"HUBMIRROR_CRASH_AT": "blob.directory_synced"}))
        self.assertTrue(killed)
        self.assertNotEqual(os.listdir(os.path.join(self.data, "blobs", "partial")), [])
        self.assertEqual([f for f in self.hm("--json", "verify", code=(0, 1)).json["findings"] if f["kind"] == "unfinished"], [])

    def test_verify_tells_of_an_interrupted_run(self):
        """Published, and the names not moved yet: true, said, and put right by the next run."""
        repo = self.model("org/name", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/name")
        repo.commit("more", {"v.bin": LfsRandom(1000, 2)})
        killed, _ = self.killed_or_done(self.start("mirror", "org/name", env={"HUBMIRROR_CRASH_AT": "pipeline.published"}))
        self.assertTrue(killed, "the build has no crash points")
        findings = self.hm("--json", "verify", code=1).json["findings"]
        self.assertEqual([(f["kind"], f["bad"]) for f in findings], [("git-object", True)])
        self.assertRegex(findings[0]["detail"], "refs/heads/main .*interrupted.*run mirror")
        self.mirror("org/name")
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])
        self.assert_equals_origin(repo)

    def test_at_most_the_range_in_flight_is_fetched_again(self):
        self.configure(network={"stall_timeout_ms": HANG_S * 1000})
        size = 24 * SEGMENT + 999
        origin = self.model("org/big", {"big.bin": LfsRandom(size, "resume")})
        kills = 0
        under_way = SEGMENT // 2
        step = 3 * SEGMENT + under_way
        while True:
            # Stands still in the middle of the fourth segment: the kill hits a known state, once the log has the three before it.
            self.faults({"do": "stall", "after_bytes": step, "match": {"port": "cdn"}})
            before = self.sent()
            process = self.start("mirror", "org/big")
            wait_until(lambda: self.sent() - before >= step or not process.running(), "three segments and a half, or the end")
            wait_until(lambda: self.recorded_segments() >= (kills + 1) * 3 or not process.running(), "three more are in the log")
            process.signal(signal.SIGKILL)
            killed, run = self.killed_or_done(process)
            if not killed:
                self.assertEqual(run.code, 0, run)
                break
            kills += 1
            self.assertLess(kills, 20, "it does not get on")
            self.check_store()
        self.faults()
        self.mirror("org/big")
        self.assert_equals_origin(origin)
        self.hub.wait_idle()
        print(f"{kills} kills; {(self.sent() - size) >> 20} MiB of {size >> 20} MiB fetched again", flush=True)
        self.assertGreaterEqual(kills, 5)
        self.assertLessEqual(self.sent() - size, kills * under_way)

    def sent(self):
        return sum(e["bytes"] for e in self.hub.requests("cdn"))


if __name__ == "__main__":
    main()
