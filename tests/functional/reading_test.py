"""What is here, as told: ls, show, path, verify and repair, index rebuild, --json."""

import json
import os
import re
import shutil
import subprocess

from harness import HubTest, blob_path, git, main, refs_of, sha256_of

from fake_hub import LfsRandom, Store
from fake_hub.cards import card_text


class FactsTest(HubTest):
    def setUp(self):
        super().setUp()
        card = {"license": "apache-2.0", "base_model": ["org/base", "org/other"], "datasets": ["org/data"], "language": ["en"]}
        self.origin = self.model(
            "org/name", {"README.md": card_text(card, "# hello\n"), "config.json": "{}\n", "w.safetensors": LfsRandom(70_000, 1)}
        )
        self.origin.tag("v1", message="one")

    def test_show_says_it_all(self):
        self.mirror("org/name")
        show = self.show("org/name", "--files")
        revision = show["revisions"][0]
        self.assertEqual(revision["commit"], self.origin.head())
        self.assertEqual(show["rid"], self.origin.oid)
        self.assertEqual(revision["card"]["licences"], ["apache-2.0"])
        self.assertEqual(revision["card"]["base_models"], ["org/base", "org/other"])
        self.assertIn("refs/heads/main", revision["refs"])
        self.assertIn(self.hub.endpoint.split("//")[1], json.dumps(show))
        digest, size = self.pointers(self.origin)["w.safetensors"]
        file = next(f for f in show["files"] if f["path"] == "w.safetensors")
        self.assertEqual((file["sha256"], file["size_bytes"]), (digest, size))
        small = next(f for f in show["files"] if f["path"] == "config.json")
        self.assertEqual(small["oid"], git(self.origin.git_dir, "rev-parse", "main:config.json").decode().strip())
        self.assertEqual(small["sha256"], "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356")
        text = self.hm("show", "org/name").out
        for word in ("apache-2.0", "org/base", self.origin.head()[:8], "v1", "main"):
            self.assertIn(word, text)

    def test_commands_before_anything_is_here(self):
        for command in (
            ("ls",),
            ("show", "org/name"),
            ("path", "org/name"),
            ("verify",),
            ("gc",),
            ("pin", "org/name"),
            ("rm", "--yes", "org/name"),
            ("index", "rebuild"),
        ):
            with self.subTest(command):
                self.assert_error(self.hm(*command, code=2), "init|mirror")
        self.assertFalse(os.path.exists(self.data), "looking makes nothing")
        self.hm("init")
        self.assertEqual(self.hm("--json", "ls").json["repos"], [])
        self.hm("init")  # again is no error
        for command in (("show", "org/name"), ("path", "org/name"), ("pin", "org/name"), ("rm", "--yes", "org/name")):
            with self.subTest(command):
                self.assert_error(self.hm(*command, code=1), "org/name")

    def test_init_refuses_a_folder_of_somebody_else(self):
        os.makedirs(self.data)
        with open(os.path.join(self.data, "thesis.txt"), "w", encoding="utf-8") as f:
            f.write("precious")
        self.assert_error(self.hm("init", code=(2, 3)), "data|empty")
        self.assert_error(self.mirror("org/name", code=(2, 3)), "data|empty")
        self.assertEqual(os.listdir(self.data), ["thesis.txt"])

    def test_init_refuses_a_folder_whose_names_are_like_ours(self):
        self.check_rebuild = False
        os.makedirs(os.path.join(self.data, "git"))
        with open(os.path.join(self.data, "git", "config"), "w", encoding="utf-8") as f:
            f.write("precious")
        self.assert_error(self.hm("init", code=2), "git/config", "empty")
        self.assertEqual(os.listdir(self.data), ["git"])
        os.unlink(os.path.join(self.data, "git", "config"))
        os.mkdir(os.path.join(self.data, "lost+found"))
        self.hm("init")

    def test_unknown_version_is_refused(self):
        self.hm("init")
        self.check_rebuild = False
        with open(os.path.join(self.data, "VERSION"), "r+", encoding="utf-8") as f:
            text = f.read()
            f.seek(0)
            f.truncate()
            f.write(text.replace("1", "99"))
        for command in (("ls",), ("mirror", "org/name"), ("gc",)):
            with self.subTest(command):
                self.assert_error(self.hm(*command, code=3), "99", "made by a newer version of hubmirror")

    def test_what_may_not_be_read_is_not_absent(self):
        self.check_rebuild = False
        self.mirror("org/name")
        if os.geteuid() == 0:  # root reads everything: be somebody else who may run the program and reach the folder
            for path in (self.dir, self.home):
                os.chmod(path, 0o755)
        os.chmod(os.path.join(self.data, "index"), 0)
        command = self.command(["ls"])
        if os.geteuid() == 0:
            if not shutil.which("setpriv"):
                self.skipTest("no setpriv")
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
            probe = subprocess.run([*command[:4], command[4], "version"], env=self.environment(), capture_output=True, check=False)
            if probe.returncode != 0:
                self.skipTest("nobody may not run the program where it lies")
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        os.chmod(os.path.join(self.data, "index"), 0o755)
        self.assertEqual(done.returncode, 3, done.stderr)
        for words in ("index: Permission denied", "the user who owns the data directory"):
            self.assertIn(words, done.stderr)

    def test_ls_tells_what_is_missing(self):
        self.mirror("org/name")
        row = self.hm("--json", "ls").json["repos"][0]
        self.assertEqual((row["missing_files"], row["incomplete"], row["damaged"]), (0, False, False))
        digest, _ = self.pointers(self.origin)["w.safetensors"]
        os.rename(blob_path(self.data, digest), os.path.join(self.dir, "aside"))
        self.assertIn("MISSING 1 file", self.hm("ls").out)
        self.assertEqual(self.hm("--json", "ls").json["repos"][0]["missing_files"], 1)
        self.assertRegex(self.hm("ls", "org/name").out, r"MISSING +w\.safetensors")
        self.assertEqual([f["path"] for f in self.hm("--json", "ls", "org/name").json["files"] if f["missing"]], ["w.safetensors"])
        os.rename(os.path.join(self.dir, "aside"), blob_path(self.data, digest))
        self.origin.commit("more", {"new.bin": LfsRandom(3000, "new")})
        self.faults({"do": "status", "status": 404, "match": {"port": "cdn"}})
        self.mirror("org/name", code=1)
        self.assertIn("INCOMPLETE", self.hm("ls").out)
        self.faults()
        self.mirror("org/name")
        self.assertNotRegex(self.hm("ls").out, "INCOMPLETE|MISSING")

    def test_a_name_of_another_kind_is_suggested(self):
        self.repo("dataset", "org/data", {"x.csv": "a\n"})
        self.mirror("datasets/org/data")
        for command in (("show", "org/data"), ("path", "org/data"), ("pin", "org/data"), ("verify", "spaces/org/data")):
            with self.subTest(command):
                self.assert_error(self.hm(*command, code=1), "datasets/org/data is")

    def test_refs_that_are_not_published_say_why(self):
        old = self.origin.head()
        self.origin.commit("newer", {"w.safetensors": LfsRandom(900, 7)})
        self.origin.tag("old", old)
        self.mirror("org/name")
        refs = {ref["ref"]: ref for ref in self.show("org/name")["refs_not_published"]}
        self.assertIn("hubmirror mirror org/name@refs/tags/old", refs["refs/tags/old"]["reason"])
        self.assertIn("only branches", self.hm("show", "org/name").out)
        self.mirror("org/name@refs/tags/old")
        self.assertNotIn("refs/tags/old", {ref["ref"] for ref in self.show("org/name")["refs_not_published"]})

    def test_ls(self):
        self.mirror("org/name")
        self.repo("dataset", "org/data", {"x.csv": "a\n"})
        self.mirror("datasets/org/data")
        out = self.hm("ls").out
        self.assertIn("org/name", out)
        self.assertIn("datasets/org/data", out)
        self.assertEqual(sorted(self.repos_here()), ["datasets/org/data", "org/name"])
        self.assertIn("w.safetensors", self.hm("ls", "org/name").out)
        self.assertNotIn("datasets/org/data", self.hm("ls", "org/na*").out)

    def test_path(self):
        self.mirror("org/name")
        path = self.hm("path", "org/name").out.strip()
        self.assertEqual(refs_of(path), refs_of(self.origin.git_dir))
        digest, _ = self.pointers(self.origin)["w.safetensors"]
        file = self.hm("path", "org/name", "w.safetensors").out.strip()
        self.assertEqual(os.path.realpath(file), os.path.realpath(blob_path(self.data, digest)))
        self.assertEqual(sha256_of(file), digest)
        self.assertFalse(os.stat(file).st_mode & 0o222, "a blob is read-only")
        self.assert_error(self.hm("path", "org/name", "absent.bin", code=1), "absent.bin")
        self.assert_error(self.hm("path", "org/name@nowhere", "w.safetensors", code=1), "nowhere")
        command = self.hm("path", "--git", "org/name", "config.json").out
        self.assertEqual(subprocess.run(command, shell=True, capture_output=True, check=True).stdout, b"{}\n")

    def test_json_of_every_command(self):
        for args in (
            ("init",),
            ("mirror", "org/name"),
            ("mirror", "org/name"),
            ("ls",),
            ("ls", "org/name"),
            ("show", "org/name"),
            ("show", "--files", "org/name"),
            ("path", "org/name"),
            ("verify",),
            ("verify", "--deep"),
            ("pin", "org/name"),
            ("unpin", "org/name"),
            ("gc", "--dry-run"),
            ("gc",),
            ("index", "rebuild"),
            ("config", "print"),
            ("config", "check"),
            ("version",),
            ("rm", "--yes", "org/name"),
        ):
            with self.subTest(args):
                run = self.hm("--json", *args)
                self.assertIsInstance(run.json, dict)
                self.assertEqual(run.err, "", "nothing to say beside the facts")

    def test_json_of_failures(self):
        run = self.hm("--json", "mirror", "org/name", "org/absent", code=1)
        rows = {row["repo"]: row for row in run.json["repos"]}
        self.assertFalse(rows["org/name"].get("error"))
        self.assertTrue(rows["org/absent"]["error"])
        self.assertEqual(rows["org/name"]["published"], [self.origin.head()])
        self.assertEqual(rows["org/name"]["bytes_fetched"], 70_000)

    def test_json_of_errors_is_one_object(self):
        self.mirror("org/name")
        self.hm("pin", "org/name")
        for args, code, name in (
            (("show", "org/absent"), 1, "not found"),
            (("ls", "nothing*"), 1, "not found"),
            (("rm", "--yes", "org/name"), 1, "refused"),
            (("rm", "org/name"), 2, "bad input"),
            (("mirror",), 2, "bad input"),
            (("shwo", "org/name"), 2, "bad input"),
            (("--data-dir", "", "ls"), 2, "bad input"),
            (("--data-dir", os.path.join(self.dir, "absent"), "verify"), 2, "bad input"),
        ):
            with self.subTest(args):
                run = self.hm("--json", *args, code=code)
                self.assertEqual((list(run.json), run.json["error"]["code"]), (["error"], name))
                self.assert_error(run, "^hubmirror: error: ")
                self.assertTrue(run.json["error"]["message"])
        self.hm("unpin", "org/name")

    def test_quiet(self):
        run = self.hm("--quiet", "mirror", "org/name")
        self.assertEqual((run.out, run.err), ("", ""))

    def test_progress_in_a_pipe_is_plain_lines(self):
        run = self.mirror("org/name")
        self.assertNotIn("\r", run.err)
        self.assertIn("org/name", run.err + run.out)

    def test_index_rebuild_after_much(self):
        for i in range(3):
            self.sample(f"org/r{i}")
        self.mirror("org/name", *[f"org/r{i}" for i in range(3)])
        self.origin.force_push("again", {"w.safetensors": LfsRandom(100, 2), "README.md": "x"})
        self.mirror("--formats", "gguf", "org/name")
        self.hm("pin", "org/r1", "--reason", "paper")
        self.hm("rm", "--yes", "org/r2")
        self.store.get("model", "org/r0").set(hidden=True)
        self.mirror("org/r0", code=1)
        listed = self.hm("--json", "ls").json
        before = self.answers()
        self.hm("index", "rebuild")
        self.assertEqual(self.answers(), before)
        self.assertEqual(self.hm("--json", "ls").json, listed)
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])


class VerifyTest(HubTest):
    def setUp(self):
        super().setUp()
        self.origin = self.model("org/name", {f"{name}.bin": LfsRandom(50_000 + i, name) for i, name in enumerate(("flip", "short", "gone", "good"))})
        self.mirror("org/name")
        self.blobs = {name[:-4]: blob_path(self.data, digest) for name, (digest, _) in self.pointers(self.origin).items()}

    def spoil(self, which):
        path = self.blobs[which]
        os.chmod(path, 0o644)
        return path

    def flip(self, at=12_345):
        with open(self.spoil("flip"), "r+b") as f:
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes([byte[0] ^ 1]))

    def findings(self, *args, code=1):
        return {(f["kind"], f["subject"]): f for f in self.hm("--json", "verify", *args, code=code).json["findings"] if f["bad"]}

    def test_clean(self):
        report = self.hm("--json", "verify", "--deep").json
        self.assertEqual(report["findings"], [])
        self.assertEqual((report["blobs"], report["bytes"]), (4, sum(50_000 + i for i in range(4))))
        self.assertIn("4", self.hm("verify").out)

    def test_each_damage_is_found_named_and_repaired(self):
        self.flip()
        with open(self.spoil("short"), "r+b") as f:
            f.truncate(100)
        os.unlink(self.blobs["gone"])
        foreign = os.path.join(os.path.dirname(self.blobs["good"]), "notes.txt")
        with open(foreign, "w", encoding="utf-8") as f:
            f.write("mine")
        name = {key: os.path.basename(path) for key, path in self.blobs.items()}
        found = self.findings()
        self.assertEqual({kind for kind, _ in found}, {"flipped", "wrong-size", "missing", "foreign"})
        self.assertIn(("flipped", name["flip"]), found)
        self.assertIn(("wrong-size", name["short"]), found)
        self.assertIn(("missing", name["gone"]), found)
        self.assertTrue(any(kind == "foreign" and "notes.txt" in subject for kind, subject in found))
        self.assertIn("flip.bin", json.dumps(found["flipped", name["flip"]]), "who uses it")
        text = self.hm("verify", code=1).out
        for digest in (name["flip"], name["short"], name["gone"]):
            self.assertIn(digest, text)
        self.hub.log.clear()
        self.hm("verify", "--repair", code=(0, 1))
        self.hub.wait_idle()
        self.assertEqual(len(self.hub.requests("cdn")), 3, "fetched by digest, the bad ones only")
        os.unlink(foreign)
        self.assertEqual(self.findings(code=0), {})
        self.assert_equals_origin(self.origin)

    def test_first_and_last_byte(self):
        for at in (0, 49_999):
            with self.subTest(at):
                self.flip(at)
                self.assertEqual([kind for kind, _ in self.findings()], ["flipped"])
                self.hm("verify", "--repair")
                self.assertEqual(self.findings(code=0), {})

    def test_repair_when_upstream_has_it_no_more(self):
        self.flip()
        digest = os.path.basename(self.blobs["flip"])
        self.origin.set(hidden=True)
        run = self.hm("verify", "--repair", code=1)
        self.assertIn(digest, run.out + run.err)
        self.assertFalse(os.path.exists(self.blobs["flip"]), "wrong bytes do not keep the name")
        self.assertEqual([kind for kind, _ in self.findings()], ["missing"])

    def test_mirror_fetches_what_is_missing(self):
        os.unlink(self.blobs["gone"])
        self.mirror("org/name")
        self.assert_equals_origin(self.origin)

    def test_deep_finds_a_git_object(self):
        git_path = self.git_path(self.origin)
        packs = [os.path.join(git_path, "objects/pack", n) for n in os.listdir(os.path.join(git_path, "objects/pack")) if n.endswith(".pack")]
        os.chmod(packs[0], 0o644)
        with open(packs[0], "r+b") as f:
            f.seek(-60, os.SEEK_END)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 0x10]))
        self.assertEqual(self.findings(code=0), {}, "the quick way looks at blobs")
        found = self.hm("--json", "verify", "--deep", code=1).json["findings"]
        self.assertEqual({f["kind"] for f in found}, {"git-object"})
        ids = [oid for f in found for oid in set(re.findall(r"\b[0-9a-f]{40}\b(?!\.pack)", f["detail"]))]
        self.assertTrue(ids)
        self.assertEqual(len(ids), len(set(ids)), f"each object once: {found}")
        self.assertNotIn("0" * 40, ids)
        self.assertNotIn("--repair", self.hm("verify", "--deep", code=1).out.splitlines()[-1], "it repairs no git object")

    def test_something_else_in_a_blobs_place_is_moved_aside(self):
        os.unlink(self.blobs["flip"])
        os.symlink(self.blobs["good"], self.blobs["flip"])
        os.unlink(self.blobs["gone"])
        os.mkdir(self.blobs["gone"])
        self.assertEqual({kind for kind, _ in self.findings()}, {"foreign", "missing"})
        self.assertEqual({kind for kind, _ in self.findings("org/name")}, {"missing"})
        out = self.hm("verify", code=1).out
        self.assertIn("--repair moves it to quarantine", out)
        self.hm("show", "org/name")
        self.hm("verify", "--repair")
        self.assertEqual(self.findings(code=0), {})
        self.assert_equals_origin(self.origin)

    def test_only_one_repository(self):
        self.sample("org/other")
        self.mirror("org/other")
        self.flip()
        self.assertEqual(self.findings("org/other", code=0), {})
        self.assertEqual(len(self.findings("org/name")), 1)
        os.unlink(self.blobs["flip"])

    def test_rate(self):
        self.assert_error(self.hm("verify", "--rate", "fast", code=2), "rate")
        self.hm("verify", "--rate", "100M")


class NamesTest(HubTest):
    """Under which name, of which Hub, at which place."""

    def test_a_name_that_upstream_gave_away(self):
        first = self.model("org/m", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/m")
        old = self.show("org/m")["rid"]
        self.store.rename(first, "org/old")
        second = self.model("org/m", {"w.bin": LfsRandom(1000, 2)}, created_s=1_700_000_000)
        self.mirror("org/m")
        new = self.show("org/m")["rid"]
        self.assertNotEqual(old, new)
        rows = {row["rid"]: row for row in self.hm("--json", "ls").json["repos"]}
        self.assertEqual({rid: row["has_its_name"] for rid, row in rows.items()}, {old: False, new: True})
        self.assertIn(f"model:{old}", self.hm("ls").out)
        self.assertEqual(self.show(f"model:{old}")["rid"], old)
        self.assertIn(old, self.hm("path", f"model:{old}").out)
        self.hm("pin", "org/m")
        self.assertIn(f"pinned model:{old}", self.hm("pin", f"model:{old}").out)
        self.assert_error(self.hm("rm", "--yes", f"model:{old}", code=1), f"hubmirror unpin model:{old}$")
        self.hm("unpin", f"model:{old}")
        self.assertEqual(self.show("org/m")["pins"], ["*"], "the other one's pin stays")
        self.hm("unpin", "org/m")
        self.assert_error(self.hm("path", f"model:{old}", "absent", code=1), f"hubmirror ls model:{old}")
        self.assertEqual(self.hm("--json", "verify", f"model:{old}").json["findings"], [])
        self.assert_error(self.mirror(f"model:{old}", code=2), "by name")
        self.hm("rm", "--yes", "org/m")
        self.assertEqual(self.show("org/m")["rid"], old, "the name is its former holder's again")
        self.mirror("org/old")
        self.assert_equals_origin(first)
        self.mirror("org/m")
        self.assert_equals_origin(second)

    def test_another_hub_does_not_say_what_is_gone(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        other = self.start_hub(store=Store(os.path.join(self.dir, "other-hub")))
        self.assert_error(self.mirror("org/a", hub=other, code=(1, 3)))
        self.assertEqual(self.show("org/a")["gone_status"], 0)
        self.assert_equals_origin(repo)

    def test_path_names_only_what_is_here(self):
        self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.mirror("org/a")
        path = self.hm("path", "org/a").out.strip()
        for args in (("--revision", "main", "org/a"), ("org/a@main",), ("org/a", "")):
            self.assert_error(self.hm("path", *args, code=2))
        os.rename(path, path + ".aside")
        self.assert_error(self.hm("path", "org/a", code=1), "mirror")
        os.rename(path + ".aside", path)

    def test_ls_says_when_the_default_branch_is_not_here(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        repo.commit("side", {"s.bin": LfsRandom(1000, 2)}, ref="refs/heads/side")
        self.mirror("org/a@side")
        self.assertIn("without its default branch", self.hm("ls").out)
        self.assertFalse(self.hm("--json", "ls").json["repos"][0]["default_branch"])
        self.mirror("org/a")
        self.assertTrue(self.hm("--json", "ls").json["repos"][0]["default_branch"])

    def test_configuration_behind_a_link(self):
        os.rename(self.config, self.config + ".real")
        os.symlink(self.config + ".real", self.config)
        self.hm("config", "check")

    def test_no_room_accuses_no_pointer(self):
        self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        self.configure(storage={"reserve_bytes": 1 << 49})
        run = self.mirror("org/a", code=(1, 3))
        self.assertRegex(run.err, "space|reserve|free")
        self.assertNotIn("pointer", run.out + run.err)


if __name__ == "__main__":
    main()
