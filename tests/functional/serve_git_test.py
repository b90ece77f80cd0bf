"""git and git-lfs, unmodified, against `hubmirror serve`: what a clone gets is what the origin has."""

import os
import signal
import subprocess

from harness import GIT_ENV, LfsRandom, git, main, objects_of, pointers_of, refs_of, wait_until
from serve_harness import ServeTest

PUBLIC = ("refs/heads/", "refs/tags/", "refs/convert/")
BYTES_OF_LARGE = 40 << 20  # more than the sockets of this machine hold


class GitServeTest(ServeTest):
    hub_options = {}

    def setUp(self):
        super().setUp()
        # A file of its own: `git lfs install` writes it by renaming, which would put a plain file in the place of /dev/null.
        self.git_env = GIT_ENV | {"HOME": self.home, "GIT_CONFIG_GLOBAL": os.path.join(self.home, "gitconfig"), "GIT_TERMINAL_PROMPT": "0"}

    def run_git(self, *args, cwd=None, ok=True, env=None):
        done = subprocess.run(["git", *args], cwd=cwd or self.dir, env=self.git_env | (env or {}), capture_output=True, text=True, check=False)
        if ok:
            self.assertEqual(done.returncode, 0, f"git {' '.join(args)}: {done.stderr}")
        else:
            self.assertNotEqual(done.returncode, 0, f"git {' '.join(args)} succeeded")
        return done.stdout.strip() if ok else done.stderr

    def clone(self, url, name, *options, config=()):
        path = os.path.join(self.dir, name)
        self.run_git(*(word for setting in config for word in ("-c", setting)), "clone", "--quiet", *options, url, path)
        return path

    def git_children(self):
        """Processes of git that the server started and that are not gone."""
        out = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                    parent = int(f.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            if parent == self.server.pid:
                out.append(int(pid))
        return out


class CloneTest(GitServeTest):
    def test_every_protocol_gives_what_the_origin_has(self):
        repo = self.odd_model()
        self.mirror("--all-history", "org/model")
        self.serve()
        theirs = refs_of(repo.git_dir, PUBLIC)
        for version in "012":
            clone = self.clone(f"{self.endpoint}/org/model", f"v{version}", "--mirror", config=(f"protocol.version={version}",))
            self.assertEqual(refs_of(clone), theirs)
            self.assertEqual(objects_of(clone, theirs.values()), objects_of(repo.git_dir, theirs.values()))
            git(clone, "fsck", "--strict")

    def test_every_kind_and_both_forms_of_the_address(self):
        repos = {"": self.sample("org/a"), "datasets/": self.repo("dataset", "org/a", {"d.txt": "d"}), "spaces/": self.repo("space", "org/a", {"s.txt": "s"})}
        self.mirror(*(f"{prefix}org/a" for prefix in repos))
        self.serve()
        for prefix, repo in repos.items():
            for suffix in ("", ".git"):
                said = self.run_git("ls-remote", f"{self.endpoint}/{prefix}org/a{suffix}", "refs/heads/main")
                self.assertEqual(said.split()[0], repo.head())

    def test_shallow_partial_and_single_commits(self):
        repo = self.model("org/a", {"one.txt": "1"})
        first = repo.head()
        for n in range(2, 9):
            repo.commit(f"commit {n}", {"one.txt": str(n), f"dir/{n}.txt": str(n)})
        self.mirror("org/a")
        self.serve()
        url = f"{self.endpoint}/org/a"
        shallow = self.clone(url, "shallow", "--depth", "1")
        self.assertEqual(self.run_git("rev-list", "--count", "HEAD", cwd=shallow), "1")
        self.run_git("fetch", "--quiet", "--unshallow", cwd=shallow)
        self.assertEqual(self.run_git("rev-list", "--count", "HEAD", cwd=shallow), "8")
        partial = self.clone(url, "partial", "--filter=blob:none", "--no-checkout")
        self.assertIn("?", self.run_git("rev-list", "--objects", "--missing=print", "HEAD", cwd=partial))
        self.run_git("checkout", "--quiet", "main", cwd=partial)
        with open(os.path.join(partial, "dir", "8.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "8")
        for version in "02":
            single = os.path.join(self.dir, f"single{version}")
            self.run_git("init", "--quiet", single)
            self.run_git("-c", f"protocol.version={version}", "fetch", "--quiet", "--depth", "1", url, first, cwd=single)
            self.assertEqual(self.run_git("rev-parse", "FETCH_HEAD", cwd=single), first)

    def test_an_empty_repository(self):
        self.repo("dataset", "org/empty")
        self.mirror("datasets/org/empty")
        self.serve()
        self.clone(f"{self.endpoint}/datasets/org/empty", "empty")

    def test_many_refs_make_a_compressed_request(self):
        repo = self.model("org/a", {"one.txt": "1"})
        for n in range(150):
            repo.set_ref(f"refs/tags/t{n}", repo.commit(f"commit {n}", {"one.txt": str(n)}))
        self.mirror("--all-history", "org/a")
        self.serve()
        for version in "02":
            clone = self.clone(f"{self.endpoint}/org/a", f"many{version}", "--mirror", config=(f"protocol.version={version}",))
            self.assertEqual(refs_of(clone), refs_of(repo.git_dir, PUBLIC))


class UpdateServeTest(GitServeTest):
    def test_a_clone_follows_the_mirror_and_dropped_commits_stay_by_their_ids(self):
        repo = self.model("org/a", {"one.txt": "1"})
        repo.commit("second", {"one.txt": "2"})
        dropped = repo.head()
        self.mirror("org/a")
        self.serve()
        url = f"{self.endpoint}/org/a"
        clone = self.clone(url, "clone")
        repo.force_push("rewritten", {"one.txt": "3"}, back=1)
        self.mirror("org/a")
        self.run_git("fetch", "--quiet", cwd=clone)
        self.assertEqual(self.run_git("rev-parse", "origin/main", cwd=clone), repo.head())
        self.assertIn("refs/hubmirror/", "".join(refs_of(self.git_path(repo))), "the mirror keeps what upstream dropped")
        for version in "02":
            said = self.run_git("-c", f"protocol.version={version}", "ls-remote", url)
            self.assertNotIn("hubmirror", said)
            self.assertNotIn(dropped, said)
            by_id = os.path.join(self.dir, f"by-id{version}")
            self.run_git("init", "--quiet", by_id)
            self.run_git("-c", f"protocol.version={version}", "fetch", "--quiet", url, dropped, cwd=by_id)
            self.assertEqual(self.run_git("rev-parse", "FETCH_HEAD", cwd=by_id), dropped)


class PublishedRefsTest(GitServeTest):
    def listed(self, version):
        said = self.run_git("-c", f"protocol.version={version}", "ls-remote", "--symref", f"{self.endpoint}/org/a")
        return {line.split()[-1]: line.split()[0] for line in said.splitlines() if not line.startswith("ref:")}

    def test_a_name_whose_revision_is_not_published_is_not_listed(self):
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, "old")})
        repo.set_ref("refs/tags/old", repo.head())
        repo.commit("second", {"w.bin": LfsRandom(1000, "new")})
        self.mirror("org/a")
        self.assertIn("refs/tags/old", refs_of(self.git_path(repo)), "git has it, its large file is not here")
        self.serve()
        for version in "02":
            self.assertEqual(self.listed(version), {"HEAD": repo.head(), "refs/heads/main": repo.head()})
        self.mirror("org/a@old")
        wait_until(lambda: self.get("/org/a/resolve/old/w.bin").status == 200, "the tag is published", self.server)
        self.assertEqual(set(self.listed("2")), {"HEAD", "refs/heads/main", "refs/tags/old"})

    def test_a_branch_is_listed_where_it_is_published(self):
        """Upstream's branch moves on between the choice of a commit and the visit, as it does under a sync."""
        repo = self.model("org/a", {"w.bin": LfsRandom(1000, 1)})
        first = repo.head()
        self.mirror("org/a")
        chosen = repo.commit("second", {"w.bin": LfsRandom(1000, 2)})
        repo.commit("third", {"w.bin": LfsRandom(1000, 3)})
        self.mirror(f"org/a@{chosen}")
        self.serve()
        self.run_git("lfs", "install")
        self.assertEqual(self.get("/api/models/org/a").json["sha"], first)
        for version in "02":
            self.assertEqual(self.listed(version), {"HEAD": first, "refs/heads/main": first})
        self.assert_same_files(self.clone(f"{self.endpoint}/org/a", "first"), repo, first)
        self.hm("verify", "org/a")
        self.mirror("org/a")
        wait_until(lambda: self.get("/api/models/org/a").json["sha"] == repo.head(), "the branch is published", self.server)
        self.assertEqual(self.listed("2"), {"HEAD": repo.head(), "refs/heads/main": repo.head()})
        self.assert_same_files(self.clone(f"{self.endpoint}/org/a", "third"), repo, repo.head())


class LfsServeTest(GitServeTest):
    def test_clone_and_pull_bring_the_large_files(self):
        repo = self.sample("org/a", size=300_000)
        self.mirror("org/a")
        self.serve()
        self.run_git("lfs", "install")
        clone = self.clone(f"{self.endpoint}/org/a", "smudged")
        self.assert_same_files(clone, repo, repo.head())
        pulled = os.path.join(self.dir, "pulled")
        self.run_git("clone", "--quiet", f"{self.endpoint}/org/a", pulled, env={"GIT_LFS_SKIP_SMUDGE": "1"})
        self.run_git("lfs", "pull", cwd=pulled)
        self.assert_same_files(pulled, repo, repo.head())
        self.run_git("lfs", "fsck", cwd=pulled)

    def test_a_blob_is_given_only_through_a_repository_that_has_it(self):
        repo = self.sample("org/a")
        self.model("org/b", {"other.bin": LfsRandom(2000, "other")})
        self.mirror("org/a", "org/b")
        self.serve()
        digest, size = pointers_of(repo.git_dir, repo.head())[b"a.bin"]
        self.assertEqual(len(self.get(f"/org/a.git/info/lfs/objects/{digest}").body), size)
        self.assertEqual(self.get(f"/org/b.git/info/lfs/objects/{digest}").status, 404)
        part = self.get(f"/org/a.git/info/lfs/objects/{digest}", range="bytes=10-19")
        self.assertEqual((part.status, len(part.body), part["Content-Range"]), (206, 10, f"bytes 10-19/{size}"))


class RefusalTest(GitServeTest):
    def test_nothing_is_written(self):
        self.sample("org/a")
        self.mirror("org/a")
        self.serve()
        clone = self.clone(f"{self.endpoint}/org/a", "clone", config=("filter.lfs.smudge=", "filter.lfs.required=false"))
        said = self.run_git("push", "origin", "HEAD:refs/heads/new", cwd=clone, ok=False)
        self.assertIn("read-only", said)
        self.assertEqual(self.get("/org/a/info/refs?service=git-receive-pack").status, 403)
        self.assertEqual(self.get("/org/a.git/git-receive-pack", "POST", b"0000").status, 403)
        upload = self.get("/org/a.git/info/lfs/objects/batch", "POST", b'{"operation":"upload","objects":[]}')
        self.assertEqual((upload.status, upload["Content-Type"]), (403, "application/vnd.git-lfs+json"))
        old = self.get("/org/a/info/refs")
        self.assertEqual(old.status, 403)
        self.assertIn(b"smart HTTP", old.body)

    def test_a_client_that_is_killed_leaves_no_process(self):
        repo = self.model("org/a", {"one.txt": "1"})
        repo.commit("large in git", {f"part{n}.bin": os.urandom(BYTES_OF_LARGE // 8) for n in range(8)})
        self.mirror("org/a")
        self.serve()
        target = os.path.join(self.dir, "killed")
        client = subprocess.Popen(["git", "clone", "--quiet", f"{self.endpoint}/org/a", target], env=self.git_env, start_new_session=True)
        wait_until(self.git_children, "git works for the client", self.server)
        os.killpg(client.pid, signal.SIGKILL)
        client.wait()
        wait_until(lambda: not self.git_children(), "git has ended", self.server)
        self.clone(f"{self.endpoint}/org/a", "after", "--mirror")


if __name__ == "__main__":
    main()
