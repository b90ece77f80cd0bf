"""What must hold after a process was killed, whenever that was."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "functional"))

from harness import HubTest, blob_path, git, refs_of


class CrashCase(HubTest):
    settings = {"mirror": {"ranges_per_file": 2, "files_parallel": 4}}

    def setUp(self):
        super().setUp()
        self.acknowledged = {}  # {repo: {commit: manifest}}: what the program told before; none of it may be lost
        self.files = {}  # manifest -> its files, asked for once

    def published(self):
        """{repo: {commit: manifest}} as the program tells it, {} before there is a data directory."""
        if not os.path.exists(os.path.join(self.data, "VERSION")):
            return {}
        run = self.hm("--json", "ls", code=(0, 1, 3))
        if "rebuild was interrupted" in run.err:  # the facts are in the journal; the program says what to do, and it is done
            self.assert_error(run, "index rebuild")
            self.hm("index", "rebuild")
            run = self.hm("--json", "ls")
        if run.code != 0:  # killed between the first files of the data directory: nothing was acknowledged yet
            self.assertEqual(self.acknowledged, {}, run)
            return {}
        out = {}
        for row in run.json["repos"]:
            spec = self.spec_of_row(row)
            out[spec] = {}
            for revision in self.show(spec)["revisions"]:
                self.assertEqual(revision["missing"], [], f"{spec}@{revision['commit']} is shown with files missing")
                out[spec][revision["commit"]] = revision["manifest"]
                if revision["manifest"] not in self.files:
                    self.files[revision["manifest"]] = self.show(f"{spec}@{revision['commit']}", "--files")["files"]
        return out

    def check_after_kill(self, *, may_lose=False):
        """Reading works, nothing told before is gone, and everything that is shown is whole and right."""
        self.check_store()
        here = self.published()
        if not may_lose:
            for spec, revisions in self.acknowledged.items():
                self.assertIn(spec, here, "an acknowledged repository was lost")
                for commit, manifest in revisions.items():
                    self.assertEqual(here[spec].get(commit), manifest, f"acknowledged {spec}@{commit} was lost or changed")
        for spec, revisions in here.items():
            for commit, manifest in revisions.items():
                for file in self.files[manifest]:
                    if file["lfs"]:
                        path = blob_path(self.data, file["sha256"])
                        self.assertTrue(os.path.exists(path), f"{spec}@{commit} shows {file['path']}, whose bytes are not here")
            located = self.hm("path", spec, code=(0, 1))
            path = located.out.rstrip("\n")
            if located.code == 0:
                self.assertTrue(os.path.exists(os.path.join(path, "HEAD")), "a path of nothing")
                tips = [*revisions, *refs_of(path).values()]
                git(path, "rev-list", "--objects", "--quiet", "--stdin", stdin="".join(f"{oid}\n" for oid in tips).encode())
            else:
                self.assert_error(located, "mirror")
                self.assertEqual(revisions, {}, f"{spec} is shown and has no git repository")
        self.acknowledged = here

    def killed_or_done(self, process):
        """Waits; whether SIGKILL ended it, and the run."""
        run = process.wait()
        killed = run.code == -signal.SIGKILL
        self.assert_sane(run, killed=killed)
        return killed, run
