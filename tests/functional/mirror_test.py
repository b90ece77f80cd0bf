"""Whole repositories: kinds, names, refs, histories, access. The copy equals its origin."""

import hashlib
import json
import os

from harness import TOKEN, HubTest, blob_path, git, main, pointers_of, refs_of

from fake_hub import Executable, Lfs, LfsPointer, LfsRandom, Submodule, Symlink, build_many_commits, build_many_files, build_many_refs
from fake_hub.hostile import make_legal_names
from fake_hub.sample import ensure_sample


class KindsTest(HubTest):
    def test_model_dataset_space_and_one_segment(self):
        repos = [
            self.repo(kind, name, {"w.bin": LfsRandom(5000, kind + name), "dir/x.json": "{}"})
            for kind, name in (("model", "org/name"), ("dataset", "org/name"), ("space", "org/app"), ("model", "gpt2"), ("dataset", "squad"))
        ]
        self.mirror(*[self.spec_of(r) for r in repos])
        for repo in repos:
            self.assert_equals_origin(repo)
        self.assertEqual(sorted(self.repos_here()), sorted(self.spec_of(r) for r in repos))

    def test_ways_to_write_a_repository(self):
        model = self.sample("org/model")
        data = self.repo("dataset", "org/data", {"x.parquet": LfsRandom(900)})
        head = model.head()
        for spec in (
            "org/model",
            f"{self.hub.endpoint}/org/model",
            "models/org/model",
            f"org/model@{head}",
            "org/model@main",
            f"{self.hub.endpoint}/org/model/tree/main",
        ):
            with self.subTest(spec):
                self.mirror(spec, data=os.path.join(self.dir, "of-" + str(abs(hash(spec)))))
        for spec in ("datasets/org/data", f"{self.hub.endpoint}/datasets/org/data", "datasets/org/data@refs/heads/main"):
            with self.subTest(spec):
                self.mirror(spec)
                self.assert_equals_origin(data)

    def test_names_that_are_none(self):
        for spec in (
            "a/b/c/d",
            "../etc",
            "org/..",
            "",
            "org/na me",
            "org/name@",
            "-org/name",
            "https://elsewhere.example/org/name",
            "org/" + "x" * 300,
            "org/na\x1b[31mme",
        ):
            with self.subTest(spec):
                run = self.mirror("--", spec, code=2)
                self.assert_error(run)
        self.assertEqual(self.hub.requests(), [], "a name that is none must not reach the Hub")

    def test_sample_hub(self):
        store = ensure_sample(os.path.join(self.dir, "sample"), big_mib=40)
        self.restart_hub(store=store)
        specs = [self.spec_of(r) for r in store.repos()]
        self.mirror("--pull-requests", *specs)
        for repo in store.repos():
            self.assert_equals_origin(repo, pull_requests=True)
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])

    def test_revision_limits_the_blobs(self):
        repo = self.model("org/name", {"w.bin": LfsRandom(4000, 1)})
        first = repo.head()
        repo.tag("v1")
        repo.commit("second", {"w.bin": LfsRandom(4000, 2)})
        repo.commit("side", {"side.bin": LfsRandom(4000, 3)}, ref="refs/heads/side", parent=first)
        self.mirror("org/name@v1")
        self.assert_equals_origin(repo, blobs=False)  # git still brings every ref
        self.assertEqual(len(self.hub.requests("cdn")), 1)
        self.assert_blobs(pointers_of(repo.git_dir, first))
        revisions = self.show("org/name")["revisions"]
        self.assertEqual([r["commit"] for r in revisions], [first])
        self.mirror("--revision", "side", "org/name")
        self.assert_blobs(pointers_of(repo.git_dir, repo.head("refs/heads/side")))
        self.assertFalse(os.path.exists(blob_path(self.data, self.pointers(repo)["w.bin"][0])), "nobody asked for main's file")
        run = self.mirror("org/name@no-such-branch", code=1)
        self.assert_error(run, "no-such-branch")

    def test_several_and_one_fails(self):
        good = [self.sample(f"org/good{i}") for i in range(3)]
        run = self.mirror("org/good0", "org/missing", "org/good1", "org/good2", code=1)
        self.assert_error(run, "org/missing")
        for repo in good:
            self.assert_equals_origin(repo)

    def test_list_from_file_and_stdin(self):
        repos = [self.sample(f"org/r{i}") for i in range(3)]
        data = self.repo("dataset", "org/d", {"d.bin": LfsRandom(100)})
        listed = self.write("list.txt", "# what we depend on\norg/r0\n\n  org/r1@main  \ndatasets/org/d\n")
        self.mirror("--from", listed)
        for repo in (repos[0], repos[1], data):
            self.assert_equals_origin(repo)
        self.mirror("--from", "-", stdin=b"org/r2\n")
        self.assert_equals_origin(repos[2])
        run = self.mirror("--from", self.write("bad.txt", "org/r0\nno such thing!\n"), code=2)
        self.assert_error(run, "bad.txt:2")
        self.assert_error(self.mirror("--from", os.path.join(self.dir, "absent"), code=2), "absent")

    def test_rename(self):
        repo = self.sample("org/old-name")
        self.mirror("org/old-name")
        self.store.rename(repo, "org/new-name")
        repo.commit("after", {"more.bin": LfsRandom(500, 9)})
        self.mirror("org/old-name")
        self.assert_equals_origin(repo)
        self.assertEqual(self.repos_here(), ["org/new-name"])
        self.assertEqual(self.hm("path", "org/old-name").out, self.hm("path", "org/new-name").out)
        self.assertIn("org/old-name", json.dumps(self.show("org/new-name")))

    def test_rename_before_the_first_visit(self):
        repo = self.sample("org/old-name")
        self.store.rename(repo, "org/new-name")
        self.mirror("org/old-name")
        self.assert_equals_origin(repo)

    def test_url_of_another_host(self):
        self.sample("org/name")
        self.assert_error(self.mirror("https://elsewhere.example/org/name", code=2), "upstream")
        self.assertEqual(self.hub.requests(), [])
        self.mirror("https://huggingface.co/org/name")

    def test_one_repository_given_twice(self):
        repo = self.sample("org/name")
        self.mirror("org/name", "org/name", "org/name@main")
        self.assert_equals_origin(repo)
        self.assertEqual(len(self.hub.requests("cdn")), 2)

    def test_deleted_upstream_stays_here(self):
        self.restart_hub(tokens={TOKEN: {"name": "a"}})
        repo = self.sample("org/name")
        self.mirror("org/name")
        repo.set(hidden=True)
        run = self.mirror("org/name", code=1)
        self.assert_error(run, "gone|not found", "stays")
        self.assert_equals_origin(repo)
        self.assertEqual(self.show("org/name")["gone_status"], 401, "as it was answered")
        self.assertIn("GONE or private (HTTP 401)", self.hm("show", "org/name").out)
        self.mirror("org/name", code=1, env={"HF_TOKEN": TOKEN})
        self.assertEqual(self.show("org/name")["gone_status"], 404)
        self.assertIn("GONE (HTTP 404)", self.hm("show", "org/name").out)


class AccessTest(HubTest):
    hub_options = {"tokens": {TOKEN: {"name": "a", "gated": ["org/gated"], "private": ["org/private"]}, "hf_" + "other" * 6: {"name": "b"}}}

    def setUp(self):
        super().setUp()
        self.secrets.add("hf_" + "other" * 6)

    def test_private(self):
        repo = self.model("org/private", {"w.bin": LfsRandom(700)}, private=True)
        self.assert_error(self.mirror("org/private", code=1), "org/private", "HF_TOKEN|token")
        self.assert_error(self.mirror("org/private", code=1, env={"HF_TOKEN": "hf_" + "other" * 6}), "org/private")
        self.mirror("org/private", env={"HF_TOKEN": TOKEN})
        self.assert_equals_origin(repo)
        self.assertEqual(self.show("org/private")["visibility"], "private")

    def test_gated(self):
        repo = self.model("org/gated", {"w.bin": LfsRandom(700)}, gated="manual")
        other = self.sample("org/open")
        run = self.mirror("org/gated", "org/open", code=1)
        self.assert_error(run, "org/gated", "access denied|gated|restricted", "HF_TOKEN")
        self.assert_equals_origin(other)
        self.assert_error(self.mirror("org/gated", code=1, env={"HF_TOKEN": "hf_" + "other" * 6}), "org/gated", "access")
        self.mirror("org/gated", env={"HF_TOKEN": TOKEN})
        self.assert_equals_origin(repo)

    def test_token_file_and_bad_tokens(self):
        repo = self.model("org/private", {"w.bin": LfsRandom(700)}, private=True)
        path = self.write("token", TOKEN + "\n")
        os.chmod(path, 0o600)
        self.configure(upstream={"token_file": path})
        self.mirror("org/private")
        self.assert_equals_origin(repo)
        run = self.mirror("org/private", env={"HF_TOKEN": "hf_not known here"}, code=2)
        self.assert_error(run, "token")
        self.assertNotIn("not known here", run.err)
        self.configure(upstream={"token_file": os.path.join(self.dir, "absent")})
        self.assert_error(self.mirror("org/private", code=2), "absent")

    def test_unknown_token(self):
        self.sample("org/open")
        self.secrets.add("hf_" + "bad" * 8)
        self.assert_error(self.mirror("org/open", env={"HF_TOKEN": "hf_" + "bad" * 8}, code=1), "token|access denied|credentials")

    def test_disabled(self):
        self.sample("org/name").set(disabled=True)
        self.assert_error(self.mirror("org/name", code=1), "disabled")


class ServersTest(HubTest):
    """Servers that offer less."""

    def test_without_lfs_batch(self):
        self.restart_hub(lfs_batch=False)
        repo = self.sample("org/name", size=20_000)
        awkward = self.model("org/awkward", {"dir #1/süß %41.bin": LfsRandom(300, 5), "-x.bin": LfsRandom(301, 6), "q?&a=b.bin": LfsRandom(302, 7)})
        self.mirror("org/name", "org/awkward", env={"HF_TOKEN": TOKEN} if self.hub.options.tokens else None)
        self.assert_equals_origin(repo)
        self.assert_equals_origin(awkward)
        self.assertTrue(self.hub.requests("api", path="/resolve/"))

    def test_without_protocol_v2(self):
        self.restart_hub(git_v2=False)
        repo = self.sample("org/name")
        repo.tag("v1", message="first")
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        repo.commit("second", {"c.bin": LfsRandom(100, 8)})
        repo.commit("other", {"d.txt": "d"}, ref="refs/heads/other")
        self.mirror("org/name")
        self.assert_equals_origin(repo)

    def test_without_protocol_v2_many(self):
        self.restart_hub(git_v2=False)
        repo = self.model("org/name")
        build_many_commits(repo, 300)
        build_refs = {f"refs/heads/b{i}": repo.head() for i in range(300)}
        repo.write_refs(build_refs)
        self.mirror("org/name")
        self.assert_equals_origin(repo)

    def test_lfs_object_missing_upstream(self):
        repo = self.model("org/name", {"here.bin": LfsRandom(900, 1), "gone.bin": LfsPointer("ab" * 32, 12345)})
        other = self.sample("org/other")
        run = self.mirror("org/name", "org/other", code=1)
        self.assert_error(run, "gone.bin", "org/name")
        self.assert_equals_origin(other)
        self.assert_blobs({"here.bin": self.pointers(repo)["here.bin"]})
        show = self.show("org/name", code=(0, 1))
        self.assertEqual(show["revisions"], [], "a revision with a missing file is not published")

    def test_two_sizes_for_one_digest(self):
        """A pointer that lies about the size of bytes that exist: the lie is told, the truth is kept."""
        lfs = LfsRandom(900, 1)
        repo = self.model("org/name", {"true.bin": lfs})
        digest = self.pointers(repo)["true.bin"][0]
        repo.commit("lie", {"lie.bin": LfsPointer(digest, 901)})
        self.assert_error(self.mirror("org/name", code=1), "901|size|lie.bin")


class RefsTest(HubTest):
    def test_branches_tags_convert(self):
        repo = self.model("org/name", {"w.bin": LfsRandom(800, 0)})
        base = repo.head()
        repo.tag("light")
        repo.tag("v1.0", message="annotated\n\nwith text")
        repo.commit("dev", {"dev.bin": LfsRandom(800, 1)}, ref="refs/heads/dev/feature-é", parent=base)
        repo.commit("parquet", {"0.parquet": LfsRandom(800, 2)}, ref="refs/convert/parquet", orphan=True)
        repo.commit("pr", {"pr.bin": LfsRandom(800, 3)}, ref="refs/pr/1", parent=base)
        with repo.importer() as run:
            a = run.commit("a", {"a": "a"}, ref="refs/heads/merge", parent=base)
            b = run.commit("b", {"b": "b"}, ref="refs/heads/other", parent=base)
            run.commit("m", {"m": "m"}, ref="refs/heads/merge", parent=a, merge=(b,))
        repo.commit(
            "special", {"run.sh": Executable("#!/bin/sh\n"), "link": Symlink("run.sh"), "module": Submodule()}, ref="refs/heads/special", parent=base
        )
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        self.assertFalse(refs_of(self.git_path(repo), ["refs/pr/"]))
        self.mirror("--pull-requests", "org/name")
        self.assert_equals_origin(repo, pull_requests=True)
        self.mirror("org/name")  # what an earlier run fetched stays
        self.assert_equals_origin(repo, pull_requests=True)
        for revision in ("light", "v1.0", "dev/feature-é", "refs/heads/other", base, base[:9]):
            with self.subTest(revision):
                if revision not in ("light", "v1.0"):
                    self.show(f"org/name@{revision}")

    def test_annotated_tag_is_a_revision(self):
        repo = self.model("org/name", {"w.bin": LfsRandom(800, 0)})
        repo.tag("v1", message="annotated")
        tagged = repo.head()
        repo.commit("later", {"w.bin": LfsRandom(800, 1)})
        self.mirror("org/name@v1")
        self.assertEqual([r["commit"] for r in self.show("org/name")["revisions"]], [tagged])
        self.assertEqual(self.show("org/name@v1")["revisions"][0]["commit"], tagged)

    def test_5000_refs(self):
        repo = self.model("org/name")
        build_many_refs(repo, 5000)
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        self.hub.log.clear()
        self.mirror("org/name")
        self.hub.wait_idle()
        self.assertLessEqual(len(self.hub.requests()), 3, [e["path"] for e in self.hub.requests()])
        self.mirror("--pull-requests", "org/name")
        self.assert_equals_origin(repo, pull_requests=True)

    def test_2000_commits(self):
        repo = self.model("org/name")
        build_many_commits(repo, 2000)
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        build_many_commits_more(repo)
        self.mirror("org/name")
        self.assert_equals_origin(repo)

    def test_empty_repository(self):
        repo = self.model("org/empty")
        self.mirror("org/empty")
        self.assert_equals_origin(repo)
        self.assertEqual(self.repos_here(), ["org/empty"])
        repo.commit("first", {"a.bin": LfsRandom(10), "b.txt": "b"})
        self.mirror("org/empty")
        self.assert_equals_origin(repo)

    def test_without_large_files(self):
        repo = self.model("org/small", {"a.txt": "a", "empty.txt": "", "dir/b.txt": "b" * 100_000})
        self.mirror("org/small")
        self.assert_equals_origin(repo)
        self.assertEqual(self.hub.requests("cdn"), [])
        self.assertEqual(self.hub.requests(path="objects/batch"), [])

    def test_head_is_another_branch(self):
        repo = self.model("org/name")
        repo.commit("first", {"a.bin": LfsRandom(10)}, ref="refs/heads/trunk")
        git(repo.git_dir, "symbolic-ref", "HEAD", "refs/heads/trunk")
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        self.show("org/name@trunk")

    def test_awkward_names(self):
        repo = self.model("org/names")
        files = make_legal_names(repo)
        repo.commit(
            "large ones",
            {
                name + suffix: LfsRandom(50 + i, i)
                for i, (name, suffix) in enumerate(
                    (n, ".bin")
                    for n in (
                        "with space",
                        "-dash",
                        "--help",
                        "per%20cent%",
                        "hash#x",
                        "new\nline",
                        "tab\tx",
                        "模型/权重",
                        'quo"te',
                        "back\\slash",
                        "café",
                        "question?x&y=z",
                    )
                )
            },
        )
        self.mirror("org/names")
        self.assert_equals_origin(repo)
        shown = {f["path"] for f in self.show("org/names", "--files")["files"]}
        self.assertLessEqual(set(files), shown)
        for name in ("with space.bin", "-dash.bin", "--help.bin", "new\nline.bin", "模型/权重.bin", "per%20cent%.bin", "hash#x.bin"):
            path = self.hm("path", "org/names", "--", name).out.removesuffix("\n")
            self.assertEqual(os.path.basename(path), self.pointers(repo)[name][0])
        for command in (("ls", "org/names"), ("show", "--files", "org/names"), ("ls",), ("show", "org/names")):
            run = self.hm(*command)
            self.assertNotRegex(run.out, r"[\x00-\x08\x0b-\x1f\x7f]", "control bytes on stdout")

    def test_files_of_every_size_around_the_segment(self):
        sizes = [0, 1, 15, 4096, (1 << 20) - 1, 1 << 20, (16 << 20) - 1, 16 << 20, (16 << 20) + 1, (33 << 20) + 7]
        repo = self.model("org/sizes", {f"f{size}.bin": LfsRandom(size, f"s{size}") for size in sizes})
        self.mirror("org/sizes")
        self.assert_equals_origin(repo)

    def test_many_small_large_files(self):
        repo = self.model("org/many")
        build_many_files(repo, 1500, lfs_every=2)
        self.mirror("org/many")
        self.assert_equals_origin(repo)

    def test_pointer_look_alikes(self):
        """A pointer that git-lfs reads stands for a large file, also if git-lfs would not write it so; everything else is the file it is."""
        lfs = Lfs(b"large")
        digest = "9" * 64
        odd = f"version https://git-lfs.github.com/spec/v1\r\noid sha256:{hashlib.sha256(b'large').hexdigest()}\r\nsize 5"
        texts = {
            "md5.bin": f"version https://git-lfs.github.com/spec/v1\noid md5:{'0' * 32}\nsize 5\n",
            "short.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 5\n",
            "negative.bin": f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize -5\n",
            "text.bin": "version https://git-lfs.github.com/spec/v1\nhello\n",
        }
        repo = self.model("org/name", {**texts, "real.bin": lfs, "odd.bin": odd})
        self.mirror("org/name")
        self.assert_equals_origin(repo, blobs=False)
        self.assert_blobs({"real.bin": self.pointers(repo)["real.bin"]})
        files = {f["path"]: f for f in self.show("org/name", "--files")["files"]}
        for name in texts:
            self.assertFalse(files[name]["lfs"], name)
        self.assertTrue(files["real.bin"]["lfs"])
        self.assertTrue(files["odd.bin"]["lfs"])
        self.assertEqual(files["odd.bin"]["sha256"], files["real.bin"]["sha256"])


def build_many_commits_more(repo):
    with repo.importer() as run:
        for i in range(50):
            run.commit(f"more {i}", {f"dir1/file{i}.txt": f"more {i}\n"})


if __name__ == "__main__":
    main()
