"""A disk that fills up, before and in the middle of a download: said clearly, nothing spoiled, reading goes on, and with room again it finishes.

A small tmpfs is the disk; without the right to mount one those tests are skipped.
"""

import glob
import os
import resource
import subprocess

from crash_case import CrashCase
from harness import SEGMENT, main, scaled, stored_blobs, wait_for_stall, wait_until

from fake_hub import LfsRandom


class ReserveTest(CrashCase):
    def test_reserve_is_kept_before_the_download(self):
        done = self.sample("org/done")
        self.mirror("org/done")
        repo = self.model("org/name", {"w.bin": LfsRandom(100_000, 1)})
        self.hub.log.clear()
        self.configure(storage={"reserve_bytes": 1 << 49})
        run = self.mirror("org/name", code=3)
        self.assert_error(run, "space", "reserve", r"[KMGT]iB|bytes")
        self.hub.wait_idle()
        self.assertEqual(self.hub.requests("cdn"), [], "not one byte was asked for")
        self.assertEqual(self.repos_here()[:1], ["org/done"])
        self.assert_equals_origin(done)
        self.hm("verify")
        self.configure()
        self.mirror("org/name")
        self.assert_equals_origin(repo)

    def limited(self, bytes_max, *args, **options):
        """Runs it as under a shell's ulimit -f: a file that would be larger is an error of that write."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, hard))
        try:
            process = self.start(*args, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        return process.wait()

    def test_limit_on_file_sizes(self):
        repo = self.model("org/name", {"w.bin": LfsRandom(2 * SEGMENT, 1)})
        run = self.limited(SEGMENT, "mirror", "org/name")
        self.assertEqual(run.code, 3, run)
        self.assert_error(run, "File too large")
        self.check_store()
        self.mirror("org/name")
        self.assert_equals_origin(repo)

    def test_limit_on_file_sizes_that_no_index_fits_in(self):
        data = os.path.join(self.dir, "other")
        run = self.limited(1024, "init", data=data)
        self.assertEqual(run.code, 3, run)
        self.assert_error(run, "index", "File too large")
        self.assertIn(" W rocksdb says=", run.err)
        self.hm("init", data=data)
        self.hm("ls", data=data)


class DiskFullTest(CrashCase):
    check_rebuild = False  # the disk is gone by then

    def setUp(self):
        super().setUp()
        self.disk = os.path.join(self.dir, "disk")
        os.mkdir(self.disk)
        self.data = os.path.join(self.disk, "data")
        self.configure(storage={"reserve_bytes": 0})

    def mount(self, size_kib, *options):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size_kib}k", "nr_inodes=100k", *options]), "tmpfs", self.disk],
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            self.skipTest(f"no right to mount a tmpfs: {done.stderr.decode(errors='replace').strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=False, capture_output=True)

    def resize(self, size_kib):
        subprocess.run(["mount", "-o", f"remount,size={size_kib}k", self.disk], check=True)

    def fill(self):
        """Takes what is left of the disk; returns the file that holds it."""
        filler = os.path.join(self.disk, "filler")
        with open(filler, "wb", buffering=0) as f:
            try:
                while f.write(b"\0" * 65536):
                    pass
            except OSError:
                pass
        return filler

    def test_space_is_checked_first(self):
        self.mount(64 << 10)
        repo = self.model("org/name", {"w.bin": LfsRandom(100 << 20, 1)})
        run = self.mirror("org/name", code=3)
        self.assert_error(run, "space")
        self.assertEqual(self.hub.requests("cdn"), [])
        self.resize(256 << 10)
        self.mirror("org/name")
        self.assert_equals_origin(repo)

    def test_full_in_the_middle(self):
        """Somebody else fills the disk while the first of two files comes: that one has its space, the second finds none."""
        self.configure(storage={"reserve_bytes": 0}, mirror={"files_parallel": 1, "ranges_per_file": 1})
        self.mount(256 << 10)
        done = self.sample("org/done")
        self.mirror("org/done")
        repo = self.model("org/name", {"a.bin": LfsRandom(3 * SEGMENT, 1), "b.bin": LfsRandom(3 * SEGMENT + 1, 2)})
        self.faults({"do": "stall", "after_bytes": SEGMENT + 1000, "match": {"port": "cdn", "path": repo.oid}, "when": {"nth": 1}})
        process = self.start("mirror", "org/name")
        partial = os.path.join(self.data, "blobs/partial")
        blocks = lambda: [os.stat(f).st_blocks * 512 for f in glob.glob(os.path.join(partial, "*"))]
        wait_until(lambda: any(size >= 3 * SEGMENT for size in blocks()), "the first has its space", process)
        wait_for_stall(self.hub, process)
        filler = self.fill()
        self.faults()
        self.hub.release()
        run = process.wait()
        self.assert_sane(run)
        self.assertEqual(run.code, 3, run)
        self.assertTrue(run.errors and all("space" in line for line in run.errors), run)  # the file, and the note that it is unfinished
        self.check_store()
        self.assert_equals_origin(done)
        self.show("org/done")
        self.assert_error(self.mirror("org/name", code=3), "space")  # still full: the same clear answer
        os.unlink(filler)
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])

    def test_full_at_any_moment(self):
        """The disk grows a little after each failure: every step of the first run meets a full disk once."""
        size_kib = 64
        self.mount(size_kib)
        repo = self.model(
            "org/name", {"config.json": "{}\n", **{f"f{i}.bin": LfsRandom(90_000 + i, i) for i in range(20)}, "text.txt": os.urandom(200_000).hex()}
        )
        repo.commit("dev", {"d.bin": LfsRandom(50_000, "d")}, ref="refs/heads/dev")
        failures = 0
        while True:
            run = self.mirror("org/name", code=(0, 3))
            self.check_store()
            if run.code == 0:
                break
            failures += 1
            self.assertRegex(" ".join(run.errors), "(?i)space", f"{run}")
            size_kib += max(96, size_kib // scaled(16, least=4))
            self.assertLess(size_kib, 1 << 20, "it never fits")
            self.resize(size_kib)
        print(f"{failures} times full, finished with {size_kib} KiB", flush=True)
        self.assertGreater(failures, 2)
        self.assert_equals_origin(repo)
        self.resize(size_kib + (64 << 10))
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])
        before = self.answers()
        self.hm("index", "rebuild")
        self.assertEqual(self.answers(), before)

    def test_gc_makes_room_on_a_full_disk(self):
        self.mount(256 << 10)
        self.configure(storage={"reserve_bytes": 0}, retention={"grace_hours": 0})
        self.sample("org/old")
        kept = self.sample("org/kept")
        self.mirror("org/old", "org/kept")
        self.hm("rm", "--yes", "org/old")
        filler = self.fill()
        blobs = len(stored_blobs(self.data))
        dry = self.hm("--json", "gc", "--dry-run").json
        self.assertEqual(sum(item["kind"] == "blob" for item in dry["items"]), 2)
        self.assertIn("blob", self.hm("gc").out)
        self.assertEqual(len(stored_blobs(self.data)), blobs - 2)
        self.assert_equals_origin(kept)
        os.unlink(filler)
        self.hm("gc")
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])

    def test_gc_says_what_stays_for_want_of_room(self):
        self.mount(256 << 10)
        self.configure(storage={"reserve_bytes": 0}, retention={"grace_hours": 0, "superseded_days": 0})
        repo = self.sample("org/a")
        self.mirror("org/a")
        repo.force_push("new", {"a.bin": LfsRandom(3000, "new")})
        self.mirror("org/a")
        filler = self.fill()
        self.assertIn("1 superseded revision stay", self.hm("gc", code=1).out)
        os.unlink(filler)
        self.assertIn("revision", self.hm("gc").out)
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])
        self.assert_equals_origin(repo)

    def test_gc_says_which_decisions_wait_for_room(self):
        self.mount(256 << 10)
        self.configure(storage={"reserve_bytes": 0}, retention={"grace_hours": 0})
        kept = self.sample("org/kept")
        self.sample("org/unwanted")
        os.mkdir(os.path.join(self.dir, "policies"))
        for wanted in ('"org/kept", "org/unwanted"', '"org/kept"'):
            self.write("policies/p.toml", f"[select]\nrepos = [{wanted}]\n[retention]\nunwanted_days = 0\n")
            self.hm("sync")
        filler = self.fill()
        self.assertIn("1 unwanted repository stay", self.hm("gc", code=1).out)
        self.assertEqual(self.hm("--json", "gc", code=1).json["unwanted_kept_for_room"], 1)
        self.assertEqual(self.repos_here(), ["org/kept", "org/unwanted"])
        os.unlink(filler)
        self.assertIn("org/unwanted", self.hm("gc").out)
        self.assertEqual(self.repos_here(), ["org/kept"])
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])
        self.assert_equals_origin(kept)

    def test_read_only_disk(self):
        self.mount(256 << 10)
        done = self.sample("org/done")
        self.mirror("org/done")
        subprocess.run(["mount", "-o", "remount,ro", self.disk], check=True)
        self.assert_equals_origin(done)
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])
        run = self.mirror("org/done", code=3)
        self.assert_error(run, "read-only|permission")
        subprocess.run(["mount", "-o", "remount,rw", self.disk], check=True)
        self.mirror("org/done")


if __name__ == "__main__":
    main()
