"""Peak memory of the whole process while it mirrors the largest things there are: one huge file, a hundred thousand files.

HUBMIRROR_TEST_LARGE=1: 8 GiB instead of 1 GiB.
"""

import os
import unittest

from harness import SANITIZER, HubTest, main

from fake_hub import LfsZeros, build_many_files

LIMIT_KIB = 256 << 10
LARGE = os.environ.get("HUBMIRROR_TEST_LARGE", "") not in ("", "0")


@unittest.skipIf(SANITIZER, "an instrumented program needs several times the memory")
class MemoryTest(HubTest):
    check_rebuild = False

    def assert_small(self, run, what):
        print(f"peak memory: {run.rss_kib / 1024:.0f} MiB: {what}", flush=True)
        self.assertGreater(run.rss_kib, 1024, "nothing was measured")
        self.assertLess(run.rss_kib, LIMIT_KIB, f"{what}\n{run}")

    def test_one_huge_file(self):
        size = (8 if LARGE else 1) << 30
        repo = self.model("org/huge", {"model.safetensors": LfsZeros(size)})
        self.assert_small(self.mirror("org/huge", measure=True), f"mirror one file of {size >> 30} GiB")
        self.assert_equals_origin(repo)
        self.assert_small(self.hm("verify", measure=True), "verify it")
        self.assert_small(self.mirror("org/huge", measure=True), "mirror it again")

    def test_100000_files(self):
        repo = self.model("org/many")
        build_many_files(repo, 100_000)
        self.assert_small(self.mirror("org/many", measure=True), "mirror 100,000 files")
        self.assert_equals_origin(repo)
        self.assert_small(self.hm("--json", "show", "--files", "org/many", measure=True), "show 100,000 files")
        self.assert_small(self.hm("verify", "--deep", measure=True), "verify --deep of 100,000 files")
        self.assert_small(self.mirror("org/many", measure=True), "mirror them again")
        self.assert_small(self.hm("index", "rebuild", measure=True), "index rebuild")

    def test_many_large_files(self):
        repo = self.model("org/lfs")
        build_many_files(repo, 20_000, lfs_every=4)
        self.assert_small(self.mirror("org/lfs", measure=True), "mirror 5,000 large and 15,000 small files")
        self.assert_equals_origin(repo)


if __name__ == "__main__":
    main()
