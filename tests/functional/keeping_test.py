"""What is kept and what goes: pin, rm, gc; and a data directory that somebody or something has damaged."""

import json
import os
import shutil

from harness import HubTest, git, main, pointers_of, refs_of, stored_blobs

from fake_hub import LfsRandom


class KeepingTest(HubTest):
    settings = {"retention": {"grace_hours": 0}}

    def blob_count(self):
        return len(stored_blobs(self.data))

    def test_rm_and_gc(self):
        shared = LfsRandom(5000, "shared")
        a = self.model("org/a", {"own-a.bin": LfsRandom(1000, "a"), "s.bin": shared})
        b = self.model("org/b", {"own-b.bin": LfsRandom(2000, "b"), "s.bin": shared})
        self.mirror("org/a", "org/b")
        self.hm("rm", "--yes", "org/b")
        self.assertEqual(self.repos_here(), ["org/a"])
        self.assertIn("org/b is known and not mirrored", self.hm("show", "org/b").out)
        self.assertEqual(self.blob_count(), 3, "rm itself removes no bytes")
        dry = self.hm("--json", "gc", "--dry-run").json
        self.assertEqual(self.blob_count(), 3, "a dry run removes nothing")
        self.assertEqual(sum(i["bytes"] for i in dry["items"] if i["kind"] == "blob"), 2000)
        self.hm("gc")
        self.assertEqual(self.blob_count(), 2)
        self.assertEqual(self.hm("--json", "gc").json["items"], [])
        self.assert_equals_origin(a)
        self.mirror("org/b")
        self.assert_equals_origin(b)

    def test_grace(self):
        self.configure(retention={"grace_hours": 1})
        repo = self.sample("org/a")
        self.mirror("org/a")
        self.hm("rm", "--yes", "org/a")
        self.hm("gc")
        self.assertEqual(self.blob_count(), 2, "younger than the grace period")
        self.configure(retention={"grace_hours": 0})
        self.hm("gc")
        self.assertEqual(self.blob_count(), 0)
        self.mirror("org/a")
        self.assert_equals_origin(repo)

    def test_rm_asks(self):
        self.sample("org/a")
        self.mirror("org/a")
        self.hm("rm", "org/a", code=(1, 2, 3))
        self.assertEqual(self.repos_here(), ["org/a"])

    def test_pin(self):
        self.configure(retention={"grace_hours": 0, "superseded_days": 0})
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        old = repo.head()
        self.mirror("org/a")
        self.hm("pin", f"org/a@{old}", "--reason", "cited")
        self.assertIn(old, json.dumps(self.show("org/a")))
        repo.force_push("new", {"w.bin": LfsRandom(1000, 2)})
        self.mirror("org/a")
        self.hm("gc")
        self.assertEqual(self.blob_count(), 2, "the pin holds it")
        self.assert_blobs(pointers_of(self.git_path(repo), old))
        self.hm("unpin", f"org/a@{old}")
        self.hm("gc")
        self.assertEqual(self.blob_count(), 1)
        self.assert_equals_origin(repo)

    def test_nothing_superseded_goes_by_default(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        repo.force_push("new", {"w.bin": LfsRandom(1000, 2)})
        self.mirror("org/a")
        self.hm("gc")
        self.assertEqual(self.blob_count(), 2)

    def test_rm_under_a_pin_is_refused(self):
        self.sample("org/a")
        self.mirror("org/a")
        self.hm("pin", "org/a")
        self.assert_error(self.hm("rm", "--yes", "org/a", code=1), "pin")
        self.hm("unpin", "org/a")
        self.hm("rm", "--yes", "org/a")

    def test_gc_and_rebuild_refuse_an_index_that_knows_less_than_is_stored(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.configure(retention={"grace_hours": 0})
        self.mirror("org/a")
        shutil.rmtree(os.path.join(self.data, "index"))
        blobs = list(stored_blobs(self.data))
        self.assertEqual(len(blobs), 1)
        self.assert_error(self.hm("index", "rebuild", code=(1, 3)), "journal")
        self.assert_error(self.hm("gc", code=(1, 3)), "index")
        self.assertEqual(list(stored_blobs(self.data)), blobs)
        self.assertIn("git/model/", self.hm("verify", code=1).out)
        self.mirror("org/a")
        self.hm("gc", "--trust-index")
        self.assertEqual(list(stored_blobs(self.data)), blobs)
        self.hm("gc")
        self.assert_equals_origin(repo)

    def test_gc_with_trust_works_beside_what_is_not_known(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.configure(retention={"grace_hours": 0})
        self.mirror("org/a")
        foreign = os.path.join(self.data, "git", "model", "notes")
        os.mkdir(foreign)
        self.assert_error(self.hm("gc", code=3), "git/model/notes", "--dry-run --trust-index")
        self.hm("gc", "--dry-run", "--trust-index")
        self.hm("gc", "--trust-index")
        self.assertTrue(os.path.isdir(foreign))
        self.assert_equals_origin(repo)
        os.rmdir(foreign)

    def test_gc_refuses_an_index_that_is_older_than_the_store(self):
        """It knows every repository, and not the newest revision: only the mark beside it tells."""
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.configure(retention={"grace_hours": 0})
        self.mirror("org/a")
        index, older, newer = (os.path.join(self.data, "index"), os.path.join(self.dir, "older"), os.path.join(self.dir, "newer"))
        shutil.copytree(index, older)
        repo.commit("more", {"v.bin": LfsRandom(2000, 2)})
        self.mirror("org/a")
        blobs = sorted(stored_blobs(self.data))
        self.assertEqual(len(blobs), 2)
        os.rename(index, newer)
        shutil.copytree(older, index)

        for when in ("put back", "grown another way"):
            with self.subTest(when):
                self.assert_error(self.hm("gc", code=3), "--trust-index")
                self.assertIn("JOURNAL", self.hm("verify", code=1).out)
                self.assertEqual(sorted(stored_blobs(self.data)), blobs)
                for _ in range(3):  # more entries than the mark counts
                    run = self.hm("pin", "org/a")
                    self.hm("unpin", "org/a")
                self.assertIn("older", run.err)
        self.assertIn("blob", self.hm("gc", "--dry-run", "--trust-index").out)

        shutil.rmtree(index)
        os.rename(newer, index)
        self.hm("gc")
        self.assertEqual(sorted(stored_blobs(self.data)), blobs)
        self.assertNotIn("JOURNAL", self.hm("verify").out)

        shutil.rmtree(index)
        shutil.copytree(older, index)
        self.hm("gc", "--trust-index")
        self.assertEqual(len(list(stored_blobs(self.data))), 1)
        self.hm("gc")

    def test_gc_grants_a_removed_repository_the_grace_period(self):
        self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.configure(retention={"grace_hours": 24})
        self.mirror("org/a")
        path = self.hm("path", "org/a").out.strip()
        self.hm("rm", "--yes", "org/a")
        self.hm("gc")
        self.assertTrue(os.path.isdir(path))
        self.configure(retention={"grace_hours": 0})
        self.hm("gc")
        self.assertFalse(os.path.exists(path))

    def test_gc_removes_what_is_unfinished_and_quarantined(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1), "x.bin": LfsRandom(40 << 20, 2)})
        self.faults(
            {"do": "flip_byte", "match": {"port": "cdn", "path": self.hub.xet_hash(self.pointers(repo)["w.bin"][0])}},
            {"do": "reset", "after_bytes": 17 << 20, "match": {"port": "cdn", "path": self.hub.xet_hash(self.pointers(repo)["x.bin"][0])}},
        )
        self.configure(network={"retries_max": 0}, retention={"grace_hours": 0, "quarantine_days": 0})
        self.mirror("org/a", code=(1, 3))
        self.faults()
        self.hm("gc")
        left = [os.path.join(f, n) for sub in ("blobs/partial", "quarantine") for f, _, names in os.walk(os.path.join(self.data, sub)) for n in names]
        self.assertEqual(left, [])
        self.mirror("org/a")
        self.assert_equals_origin(repo)


class DamageTest(HubTest):
    """Each is found, told with what to do, and put right by that."""

    def test_an_index_without_its_head_is_left_alone(self):
        self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        index = os.path.join(self.data, "index")
        self.hm("index", "rebuild")  # enough to make it write tables
        tables = sorted(n for n in os.listdir(index) if n.endswith(".sst"))
        self.assertNotEqual(tables, [])
        os.rename(os.path.join(index, "CURRENT"), os.path.join(self.dir, "CURRENT"))
        for command in (["ls"], ["mirror", "org/a"], ["mirror", "org/a"], ["gc"], ["index", "rebuild"]):
            self.assert_error(self.hm(*command, code=3), "CURRENT")
        self.assertEqual(sorted(n for n in os.listdir(index) if n.endswith(".sst")), tables)
        os.rename(os.path.join(self.dir, "CURRENT"), os.path.join(index, "CURRENT"))
        self.assertIn("org/a", self.hm("ls").out)

    def test_a_young_index_without_its_head_is_left_alone(self):
        """All it holds lies in its log yet."""
        self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        index = os.path.join(self.data, "index")
        os.remove(os.path.join(index, "CURRENT"))
        before = {n: os.path.getsize(os.path.join(index, n)) for n in os.listdir(index)}
        for command in (["ls"], ["mirror", "org/a"], ["pin", "org/a"], ["gc"], ["index", "rebuild"]):
            self.assert_error(self.hm(*command, code=3), "CURRENT")
        self.assertEqual({n: os.path.getsize(os.path.join(index, n)) for n in os.listdir(index)}, before)
        with open(os.path.join(index, "CURRENT"), "w", encoding="ascii") as f:  # what the message advises
            f.write(max(n for n in before if n.startswith("MANIFEST")) + "\n")
        self.assertIn("org/a", self.hm("ls").out)
        self.mirror("org/a")

    def test_verify_sees_what_git_would_stumble_over(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        repo.commit("second", {"v.bin": LfsRandom(1000, 2)})
        self.mirror("org/a")
        path = self.hm("path", "org/a").out.strip()
        parent = git(path, "rev-parse", "main~1").decode().strip()

        def write(name, text):
            os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
            with open(os.path.join(path, name), "w", encoding="ascii") as f:
                f.write(text)

        for what, text, word in (
            ("packed-refs", None, "refs/heads/main"),
            ("packed-refs", "garbage\n", "packed-refs"),
            ("refs/heads/main", parent + "\n", parent),
            ("HEAD", "x\n", "HEAD"),
            ("HEAD", "ref: refs/heads/nope\n", "refs/heads/nope"),
            ("config", "[[[\n", "config"),
            ("config", None, "config"),
        ):
            with self.subTest(what, text=text):
                if text is None:
                    os.remove(os.path.join(path, what))
                else:
                    write(what, text)
                for deep in ((), ("--deep",)):
                    findings = self.hm("--json", "verify", *deep, code=1).json["findings"]
                    self.assertTrue(any(word in finding["detail"] for finding in findings), findings)
                self.mirror("org/a")
                self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])
                self.assert_equals_origin(repo)
        write("objects/info/alternates", "/tmp\n")
        self.assertIn("alternates", self.hm("verify", code=1).out)
        os.remove(os.path.join(path, "objects/info/alternates"))

    def test_lost_kept_refs_are_told_and_come_back(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        repo.force_push("rewritten", {"w.bin": LfsRandom(1000, 2)})
        self.mirror("org/a")
        path = self.hm("path", "org/a").out.strip()
        kept = refs_of(path, ("refs/hubmirror/",))
        self.assertEqual(len(kept), 1)
        for name in kept:
            git(path, "update-ref", "-d", name)
        (finding,) = self.hm("--json", "verify", "--deep", code=1).json["findings"]
        self.assertIn("git gc would take it", finding["detail"])
        repo.commit("more", {"v.bin": LfsRandom(1000, 3)})
        self.mirror("org/a")
        self.assertEqual(refs_of(path, ("refs/hubmirror/",)), kept)
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])

    def test_verify_deep_reads_the_whole_index(self):
        self.model("org/a", {"w.bin": LfsRandom(1000, 1), **{f"dir/file-{i}-{os.urandom(8).hex()}": f"{i}" for i in range(300)}})
        self.mirror("org/a")
        for _ in range(2):  # an open writes tables of what the log held
            self.hm("pin", "org/a")
            self.hm("unpin", "org/a")
        index = os.path.join(self.data, "index")
        # What upstream answered, which nothing but a rebuild reads, and the manifest.
        values = [os.path.join(index, name) for name in os.listdir(index) if name.endswith(".blob")]
        self.assertGreater(len(values), 1)
        for path in values:
            with open(path, "r+b") as f:
                f.seek(1000)
                good = f.read(16)
                f.seek(1000)
                f.write(bytes(b ^ 0xFF for b in good))
            self.assertIn("index/", self.hm("verify", "--deep", code=1).out)
            self.assert_error(self.hm("index", "rebuild", code=3), "left as it is")
            with open(path, "r+b") as f:
                f.seek(1000)
                f.write(good)
        self.hm("verify", "--deep")
        self.hm("index", "rebuild")

    def test_what_lies_beside_is_told_and_no_fault(self):
        self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        for name in ("thesis.tex", "blobs/note", "git/other"):
            self.write(os.path.join("data", name), "x")
        findings = self.hm("--json", "verify").json["findings"]
        self.assertEqual([f["subject"] for f in findings if not f["bad"]], ["thesis.tex", "blobs/note", "git/other"])
        self.assertEqual([f for f in findings if f["bad"]], [])

    def test_a_mark_of_any_length_counts_as_none(self):
        self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        for text in ("x", "x" * 1000):
            self.write("data/JOURNAL", text)
            self.hm("verify")
            self.hm("pin", "org/a")
            self.hm("unpin", "org/a")
            self.hm("gc")
            with open(os.path.join(self.data, "JOURNAL"), encoding="ascii") as f:
                self.assertRegex(f.read(), r"\Ahubmirror-journal \d{20} [0-9a-f]{64}\n\Z")

    def test_a_pipe_in_a_files_place_is_told(self):
        self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        for name in ("JOURNAL", "VERSION"):
            with self.subTest(name):
                path = os.path.join(self.data, name)
                os.rename(path, path + ".kept")
                os.mkfifo(path)
                self.assert_error(self.hm("verify", code=(2, 3)), name, "pipe")
                self.assert_error(self.hm("gc", code=(2, 3)), name, "pipe")
                os.remove(path)
                os.rename(path + ".kept", path)

    def test_lost_folders_come_back(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        shutil.rmtree(os.path.join(self.data, "blobs"))
        shutil.rmtree(os.path.join(self.data, "quarantine"))
        self.assertIn("repaired 1", self.hm("verify", "--repair", code=(0, 1)).out)
        self.mirror("org/a")
        self.assert_equals_origin(repo)

    def test_a_repository_without_refs_is_made_whole(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        path = self.hm("path", "org/a").out.strip()
        for lost in ("refs", "packed-refs"):
            with self.subTest(lost):
                lost = os.path.join(path, lost)
                shutil.rmtree(lost) if os.path.isdir(lost) else os.remove(lost)
                if lost.endswith("/refs"):
                    self.assertIn("run mirror for it again", self.hm("verify", code=1).out)
                self.mirror("org/a")
                self.assert_equals_origin(repo)

    def test_an_index_that_lost_a_file_is_damaged(self):
        self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        index = os.path.join(self.data, "index")
        manifest = next(n for n in os.listdir(index) if n.startswith("MANIFEST"))
        os.rename(os.path.join(index, manifest), os.path.join(self.dir, manifest))
        for command in (["ls"], ["gc"], ["mirror", "org/a"]):
            self.assert_error(self.hm(*command, code=3), "backup")
        os.rename(os.path.join(self.dir, manifest), os.path.join(index, manifest))
        self.assertIn("org/a", self.hm("ls").out)

    def test_version_lost_and_found(self):
        self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        version = os.path.join(self.data, "VERSION")
        os.rename(version, version + ".aside")
        for command in (["ls"], ["mirror", "org/a"]):
            run = self.hm(*command, code=2)
            self.assert_error(run, "VERSION")
            self.assertNotIn("init`", run.err)
        os.rename(version + ".aside", version)
        self.assertIn("org/a", self.hm("ls").out)

    def test_lost_git_objects_come_back(self):
        repo = self.model("org/a", {"README.md": "x", "w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        path = self.hm("path", "org/a").out.strip()
        shutil.rmtree(os.path.join(path, "objects", "pack"))
        os.mkdir(os.path.join(path, "objects", "pack"))
        self.mirror("org/a")
        shutil.rmtree(path)
        self.assertIn("git-object", self.hm("verify", code=1).out)
        self.mirror("org/a")
        self.assert_equals_origin(repo)


if __name__ == "__main__":
    main()
