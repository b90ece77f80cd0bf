"""What must hold after a process was killed, whenever that was."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "functional"))

from harness import HubTest, blob_path, git, refs_of


class CrashCase(HubTest):
    settings = {"mirror": {"ranges_per_file": 2, "files_parallel": 4}}

    def published(self):
        """{repo: {commit: its files}} as the program tells it, {} before there is a data directory."""
        if not os.path.exists(os.path.join(self.data, "VERSION")):
            return {}
        run = self.hm("--json", "ls", code=(0, 1, 3))
        if run.code != 0:  # killed between the first files of the data directory: nothing was acknowledged yet
            self.assertEqual(self.acknowledged, {}, run)
            return {}
        out = {}
        for row in run.json["repos"]:
            spec = self.spec_of_row(row)
            revisions = self.show(spec, code=(0, 1))["revisions"]
            out[spec] = {r["commit"]: self.show(f"{spec}@{r['commit']}", "--files")["files"] for r in revisions}
        return out

    acknowledged = {}  # what published() said before: none of it may be lost

    def check_after_kill(self, *, may_lose=False):
        """Reading works, nothing told before is gone, and everything that is shown is whole and right."""
        self.check_store()
        here = self.published()
        for spec, revisions in self.acknowledged.items():
            if not may_lose:
                self.assertIn(spec, here, "an acknowledged repository was lost")
                for commit, files in revisions.items():
                    self.assertEqual(here[spec].get(commit), files, f"acknowledged {spec}@{commit} was lost or changed")
        for spec, revisions in here.items():
            path = self.hm("path", spec).out.rstrip("\n")
            for commit, files in revisions.items():
                for file in files:
                    if file["lfs"]:
                        self.assertTrue(os.path.exists(blob_path(self.data, file["sha256"])), f"{spec}@{commit} shows {file['path']}, whose bytes are not here")
                git(path, "rev-list", "--objects", "--quiet", commit)
            if os.path.isdir(path):
                for ref, oid in refs_of(path).items():
                    git(path, "rev-list", "--objects", "--quiet", oid)
        self.acknowledged = here

    def killed_or_done(self, process):
        """Waits; True when SIGKILL ended it."""
        run = process.wait()
        killed = run.code == -signal.SIGKILL
        self.assert_sane(run, killed=killed)
        return killed, run
