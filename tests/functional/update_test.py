"""What changes upstream, and what does not: updates, rewritten history, deleted branches, moving repositories, filters."""

import os

from harness import HubTest, blob_path, git, main, objects_of, pointers_of, refs_of

from fake_hub import LfsRandom


class UpdateTest(HubTest):
    def requests_of(self, *args, **options):
        self.hub.wait_idle()
        self.hub.log.clear()
        run = self.mirror(*args, **options)
        self.hub.wait_idle()
        return run, self.hub.requests()

    def test_unchanged_makes_three_requests(self):
        repo = self.sample("org/name")
        repo.tag("v1", message="x")
        repo.commit("dev", {"d.bin": LfsRandom(100, "d")}, ref="refs/heads/dev")
        self.mirror("org/name")
        _, requests = self.requests_of("org/name")
        self.assertLessEqual(len(requests), 3, [e["path"] for e in requests])
        before = self.answers()
        run, requests = self.requests_of("--json", "org/name@main")
        self.assertLessEqual(len(requests), 3)
        self.assertTrue(run.json["repos"][0]["unchanged"])
        self.assertEqual(self.answers(), before, "a visit that saw nothing new changes no answer")

    def test_update_fetches_only_the_new(self):
        repo = self.sample("org/name", size=300_000)
        self.mirror("org/name")
        repo.commit("second", {"c.bin": LfsRandom(5000, "c"), "config.json": '{"a": 1}\n'}, delete=["a.bin"])
        _, requests = self.requests_of("org/name")
        self.assert_equals_origin(repo)
        self.assertEqual(sum(e["bytes"] for e in requests if e["port"] == "cdn"), 5000)
        self.assertEqual(len(self.show("org/name")["revisions"]), 2, "the old revision stays")

    def test_force_push_keeps_the_old_commit(self):
        repo = self.model("org/name", {"w.bin": LfsRandom(900, 1)})
        repo.commit("second", {"w.bin": LfsRandom(900, 2)})
        old = repo.head()
        self.mirror("org/name")
        repo.force_push("rewritten", {"w.bin": LfsRandom(900, 3)})
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        kept = refs_of(self.git_path(repo), ["refs/hubmirror/kept/"])
        self.assertEqual(list(kept.values()), [old])
        self.assert_blobs(pointers_of(self.git_path(repo), old))
        self.assertIn(old, [r["commit"] for r in self.show("org/name")["revisions"]])
        self.assertEqual(self.show(f"org/name@{old}")["revisions"][0]["commit"], old)

    def test_squashed_history(self):
        repo = self.model("org/name", {"w.bin": LfsRandom(900, 1)})
        for i in range(4):
            repo.commit(f"c{i}", {f"{i}.txt": str(i)})
        old = repo.head()
        before = objects_of(repo.git_dir, [old])
        self.mirror("org/name")
        repo.force_push("Super-squash", {"only.txt": "x"}, back=100)
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        self.assertLessEqual(before, objects_of(self.git_path(repo), refs_of(self.git_path(repo)).values()))

    def test_deleted_branch_and_tag(self):
        repo = self.model("org/name", {"w.bin": LfsRandom(900, 1)})
        side = repo.commit("side", {"s.bin": LfsRandom(900, 2)}, ref="refs/heads/side")
        repo.tag("gone", side)
        self.mirror("org/name")
        repo.delete_ref("refs/heads/side")
        repo.delete_ref("refs/tags/gone")
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        self.assertIn(side, refs_of(self.git_path(repo), ["refs/hubmirror/"]).values())
        self.show(f"org/name@{side}")

    def test_branch_becomes_a_folder(self):
        """refs/heads/a and refs/heads/a/b cannot stand side by side in git's loose refs."""
        repo = self.model("org/name", {"w.txt": "w"})
        repo.commit("x", {"x.txt": "x"}, ref="refs/heads/a")
        self.mirror("org/name")
        repo.delete_ref("refs/heads/a")
        repo.commit("y", {"y.txt": "y"}, ref="refs/heads/a/b")
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        repo.delete_ref("refs/heads/a/b")
        repo.commit("z", {"z.txt": "z"}, ref="refs/heads/a")
        self.mirror("org/name")
        self.assert_equals_origin(repo)

    def test_tag_that_moved(self):
        repo = self.model("org/name", {"w.bin": LfsRandom(900, 1)})
        repo.tag("v1", message="first")
        repo.commit("second", {"w.bin": LfsRandom(900, 2)})
        self.mirror("org/name")
        repo.delete_ref("refs/tags/v1")
        repo.tag("v1", message="second")
        self.mirror("org/name")
        self.assert_equals_origin(repo)

    def test_many_updates(self):
        repo = self.sample("org/name")
        for i in range(6):
            repo.commit(f"u{i}", {f"u{i}.bin": LfsRandom(1000, i), "x.txt": str(i)})
            if i % 2:
                repo.commit(f"b{i}", {"b.txt": str(i)}, ref=f"refs/heads/b{i}")
            self.mirror("org/name")
        self.assert_equals_origin(repo)
        self.assertEqual(len([e for e in self.hub.requests("cdn")]), 2 + 6)

    def test_shared_blob_is_fetched_once(self):
        shared = LfsRandom(400_000, "shared")
        a = self.model("org/a", {"w.bin": shared, "copy/w2.bin": shared})
        b = self.model("org/b", {"other.bin": shared, "own.bin": LfsRandom(100, "own")})
        self.mirror("--jobs", "2", "org/a", "org/b")
        for repo in (a, b):
            self.assert_equals_origin(repo)
        digest = self.pointers(a)["w.bin"][0]
        xet = self.hub.xet_hash(digest)
        self.hub.wait_idle()
        self.assertEqual(sum(e["bytes"] for e in self.hub.requests("cdn", path=xet)), 400_000)
        self.model("org/c", {"again.bin": shared})
        _, requests = self.requests_of("org/c")
        self.assertEqual([e for e in requests if e["port"] == "cdn"], [])

    def test_all_history(self):
        repo = self.model("org/name", {"w.bin": LfsRandom(900, 1)})
        repo.commit("second", {"w.bin": LfsRandom(900, 2)})
        repo.tag("t")
        repo.commit("third", {"w.bin": LfsRandom(900, 3)})
        repo.commit("side", {"s.bin": LfsRandom(900, 4)}, ref="refs/heads/side")
        self.mirror("org/name")
        self.assertEqual(len(self.hub.requests("cdn")), 2)
        self.mirror("--all-history", "org/name")
        self.assert_equals_origin(repo, all_history=True)
        self.assertEqual(len(self.hub.requests("cdn")), 4)
        self.assertEqual(len(self.show("org/name")["revisions"]), 4)

    def test_unfinished_takes_up_what_was_asked(self):
        repo = self.model("org/name", {"keep.bin": LfsRandom(2000, 1), "skip.txt": "x", "skip.bin": LfsRandom(2000, 2)})
        done = self.sample("org/done")
        self.mirror("org/done")
        self.faults({"do": "status", "status": 404, "match": {"port": "cdn"}})
        self.mirror("--exclude", "skip*", "org/name", code=1)
        self.faults()
        self.hub.log.clear()
        self.mirror("--unfinished")
        self.hub.wait_idle()
        self.assertEqual([e for e in self.hub.requests("api") if "done" in e["path"]], [], "finished ones are not visited")
        self.assert_blobs({"keep.bin": self.pointers(repo)["keep.bin"]})
        self.assertFalse(os.path.exists(blob_path(self.data, self.pointers(repo)["skip.bin"][0])))
        self.assert_equals_origin(done)
        self.assertEqual(self.mirror("--unfinished").out, "nothing is unfinished\n")
        self.assertEqual(self.mirror_json("--unfinished")["repos"], [])

    def test_a_name_waits_for_the_bytes_of_its_revision(self):
        repo = self.model("org/name", {"w.bin": LfsRandom(900, 1)})
        fresh = self.model("org/fresh", {"w.bin": LfsRandom(900, 3)})
        old = repo.head()
        self.mirror("org/name")
        side = repo.commit("side", {"README.md": "x"}, ref="refs/heads/side")
        repo.commit("second", {"w.bin": LfsRandom(900, 2)})
        self.faults({"do": "status", "status": 404, "match": {"port": "cdn"}})
        self.mirror("org/name", "org/fresh", code=1)
        refs = refs_of(self.git_path(repo))
        self.assertEqual((refs["refs/heads/main"], refs["refs/heads/side"]), (old, side))
        self.assertEqual(refs_of(self.git_path(fresh)), {})
        self.assertIn("nothing wrong", self.hm("verify", "--deep").out)
        self.faults()
        self.mirror("org/name", "org/fresh")
        self.assert_equals_origin(repo)
        self.assert_equals_origin(fresh)


class MovingTest(HubTest):
    """The repository changes while it is read: what is published is one revision that existed."""

    def moving(self, when, git_v2=True, **update):
        self.restart_hub(git_v2=git_v2)
        repo = self.sample("org/name")
        first = repo.head()
        self.faults({"name": "moves", "do": "update", "after_response": True, **when, "run": update})
        self.mirror("org/name", code=(0, 1))
        self.hub.wait_idle()  # the repository has moved
        self.faults()
        published = self.show("org/name", code=(0, 1))["revisions"]
        for revision in published:
            git(repo.git_dir, "cat-file", "-e", revision["commit"])
            self.assert_blobs(pointers_of(self.git_path(repo), revision["commit"]))
        self.assertLessEqual(len(published), 1, "one consistent revision")
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        return repo, first

    def commit(self):
        return {"op": "commit", "repo": "models/org/name", "files": {"new.bin": {"lfs_random": 4000, "seed": 9}, "config.json": "changed"}}

    def push(self):
        return {**self.commit(), "op": "force_push"}

    def test_commit_after_info(self):
        self.moving({"match": {"path": "^/api/models/"}, "when": {"nth": 1}}, **self.commit())

    def test_commit_after_discovery(self):
        self.moving({"match": {"path": "/info/refs"}, "when": {"nth": 1}}, **self.commit())

    def test_commit_after_refs(self):
        self.moving({"match": {"path": "/git-upload-pack"}, "when": {"nth": 1}}, **self.commit())

    def test_commit_after_refs_v0(self):
        self.moving({"match": {"path": "/info/refs"}, "when": {"nth": 1}}, git_v2=False, **self.commit())

    def test_force_push_after_refs(self):
        self.moving({"match": {"path": "/git-upload-pack"}, "when": {"nth": 1}}, **self.push())

    def test_force_push_before_blobs(self):
        self.moving({"match": {"path": "objects/batch"}, "when": {"nth": 1}}, **self.push())

    def test_branch_deleted_after_refs(self):
        self.moving(
            {"match": {"path": "/git-upload-pack"}, "when": {"nth": 1}}, op="commit", repo="models/org/name", files={"x": "y"}, ref="refs/heads/new"
        )

    def test_renamed_on_the_way(self):
        repo = self.sample("org/name")
        self.faults(
            {
                "do": "update",
                "after_response": True,
                "match": {"path": "^/api/models/"},
                "when": {"nth": 1},
                "run": {"op": "rename", "repo": "models/org/name", "to": "org/renamed"},
            }
        )
        self.mirror("org/name", code=(0, 1))
        self.faults()
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        self.assertEqual(self.repos_here(), ["org/renamed"])

    def test_deleted_on_the_way(self):
        repo = self.sample("org/name")
        self.faults(
            {
                "do": "update",
                "after_response": True,
                "match": {"path": "/info/refs"},
                "when": {"nth": 1},
                "run": {"op": "delete_repo", "repo": "models/org/name"},
            }
        )
        self.assert_error(self.mirror("org/name", code=1), "org/name")
        self.faults()
        repo.set(hidden=False)
        self.mirror("org/name")
        self.assert_equals_origin(repo)


class FilterTest(HubTest):
    def setUp(self):
        super().setUp()
        self.origin = self.model(
            "org/name",
            {
                "config.json": "{}\n",
                "LICENSE": "free\n",
                "model.safetensors": LfsRandom(5000, 1),
                "model.gguf": LfsRandom(6000, 2),
                "pytorch_model.bin": LfsRandom(7000, 3),
                "onnx/model.onnx": LfsRandom(20_000, 4),
                "data/x.csv": "a,b\n",
                "data/big.csv": "x" * 50_000,
            },
        )

    def stored(self):
        return {name for name, (digest, _) in self.pointers(self.origin).items() if os.path.exists(blob_path(self.data, digest))}

    def partial(self, *options):
        self.mirror(*options, "org/name")
        show = self.show("org/name")
        revision = show["revisions"][0]
        self.assertTrue(revision["partial"])
        self.assertGreater(revision["left_out_files"], 0)
        self.assertIn("partial", self.hm("show", "org/name").out)
        self.assertIn("partial", self.hm("ls").out)
        return {f["path"] for f in self.show("org/name", "--files")["files"]}

    def test_include(self):
        files = self.partial("--include", "*.safetensors", "--include", "config.json")
        self.assertEqual(files, {".gitattributes", "README.md", "LICENSE", "model.safetensors", "config.json"})
        self.assertEqual(self.stored(), {"model.safetensors"})

    def test_exclude_wins(self):
        files = self.partial("--include", "*model*", "--exclude", "*.bin", "--exclude=onnx/*")
        self.assertEqual(self.stored(), {"model.safetensors", "model.gguf"})
        self.assertNotIn("config.json", files)
        self.assertIn("README.md", files)

    def test_max_file_size(self):
        files = self.partial("--max-file-size", "6k")
        self.assertEqual(self.stored(), {"model.safetensors", "model.gguf"})
        self.assertNotIn("data/big.csv", files)

    def test_formats(self):
        self.partial("--formats", "safetensors,gguf")
        self.assertEqual(self.stored(), {"model.safetensors", "model.gguf"})

    def test_from_the_configuration(self):
        self.configure(mirror={"formats": ["gguf"], "exclude": ["data/*"]})
        files = self.partial()
        self.assertEqual(self.stored(), {"model.gguf"})
        self.assertNotIn("data/x.csv", files)

    def test_whole_later(self):
        self.partial("--formats", "gguf")
        self.mirror("org/name")
        self.assert_equals_origin(self.origin)
        revision = self.show("org/name")["revisions"][0]
        self.assertFalse(revision["partial"])
        self.assertEqual(revision["left_out_files"], 0)
        self.assertNotIn("partial", self.hm("show", "org/name").out)
        self.mirror("--formats", "gguf", "org/name")  # asking for less than is here takes nothing away
        self.assertFalse(self.show("org/name")["revisions"][0]["partial"])

    def test_another_filter_adds(self):
        self.partial("--formats", "gguf")
        files = self.partial("--formats", "onnx")
        self.assertLessEqual({"model.gguf", "onnx/model.onnx"}, files)
        self.assertEqual(self.stored(), {"model.gguf", "onnx/model.onnx"})

    def notes(self, *options):
        run = self.mirror(*options, "org/name")
        warned = [line.removeprefix("hubmirror: warning: ") for line in run.err.splitlines() if line.startswith("hubmirror: warning: ")]
        return sorted(warned)

    def test_filters_without_a_match_are_told(self):
        options = ("--include", "*.safetensor", "--include", "*.gguf", "--exclude", "*.h5", "--formats", "gguf", "--formats", "mlx")
        expected = ['--exclude "*.h5" matches no file', '--formats "mlx" matches no file', '--include "*.safetensor" matches no file']
        self.assertEqual(self.notes(*options), expected)
        self.model("org/other", {"a.h5": LfsRandom(100, 9)})
        run = self.hm("--json", "mirror", "--exclude", "*.h5", "--exclude", "*.pkl", "org/other")
        self.assertEqual(run.json["repos"][0]["notes"], ['--exclude "*.pkl" matches no file'])
        self.assertEqual(run.err, "")
        self.configure(mirror={"exclude": ["*.never"]})
        self.assertEqual(self.notes(), [], "a standing rule need not match everywhere")

    def test_filters_beside_a_whole_copy_are_told(self):
        self.mirror("org/name")
        whole = "what is here is kept whole already; the filters leave nothing of it out"
        self.assertEqual(self.notes("--formats", "gguf"), [whole])
        self.assertEqual(self.notes("--exclude", "*.never"), ['--exclude "*.never" matches no file'])
        self.origin.commit("branch", {"x.txt": "x"}, ref="refs/heads/side")
        self.assertEqual(self.notes("--formats", "gguf"), [whole])

    def test_bad_filters(self):
        for options in (["--formats", "safetenors"], ["--max-file-size", "many"], ["--max-file-size", "-1"], ["--include", ""]):
            with self.subTest(options):
                self.assert_error(self.mirror(*options, "org/name", code=2))
        self.assertEqual(self.hub.requests(), [])


if __name__ == "__main__":
    main()
