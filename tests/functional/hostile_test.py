"""Repositories made to harm whoever copies them: refused with a clear message and no trace, or kept and reported where they are merely strange."""

import os

from harness import HubTest, SANITIZER, main, refs_of, some

from fake_hub import LfsRandom
from fake_hub.hostile import HOSTILE_NAMES, HOSTILE_PACKS, make_hostile, make_hostile_pack

# Strange, but nothing that git itself would refuse to keep: these are mirrored, and `show` or the report says what is strange.
KEPT = {
    "backslash",
    "invalid_utf8",
    "control_characters",
    "gitlink_without_gitmodules",
    "link_absolute",
    "link_upwards",
    "tree_bomb",
    "tag_loop",
    "gitmodules",
    "zero_padded_mode",
}


class HostileTest(HubTest):
    def files_below(self, path):
        return {os.path.relpath(os.path.join(f, n), path) for f, _, names in os.walk(path) for n in names}

    def refused(self, name, make, git_v2):
        with self.subTest(name=name, git_v2=git_v2):
            repo = self.model(f"org/{name.replace('_', '-')}-{git_v2}")
            make(repo, name)
            run = self.mirror(repo.id, "org/good", code=1, measure=True)
            self.assert_error(run, repo.id, "refused|corrupt|object|tree|pack|entry|commit|did not send")
            if not SANITIZER:
                self.assertGreater(run.rss_kib, 0, "nothing was measured")
                self.assertLess(run.rss_kib, 400 << 10, "memory for the attacker's asking")
            here = self.hm("--json", "show", repo.id, code=(0, 1)).json
            self.assertEqual(here.get("revisions", []), [])
            path = os.path.join(self.data, "git", "model", repo.oid + ".git")
            if os.path.exists(path):
                self.assertEqual(refs_of(path), {}, "no ref moved")
                self.assertEqual(self.objects_in(path), [], "no object of it entered the store")
            return run

    def objects_in(self, path):
        return [
            n for n in self.files_below(os.path.join(path, "objects")) if n.endswith((".pack", ".idx", ".keep")) or len(os.path.basename(n)) == 38
        ]

    def setUp(self):
        super().setUp()
        self.good = self.model("org/good", {"g.bin": LfsRandom(100, "g")})

    def run_trees(self, git_v2, names):
        if not git_v2:
            self.restart_hub(git_v2=False)
        for name in names:
            if name in KEPT:
                continue
            self.refused(name, make_hostile, git_v2)
        self.assert_equals_origin(self.good)
        self.assertFalse(os.path.exists("/tmp/owned"))
        self.assertEqual(set(os.listdir(self.dir)) - {"home", "data", "hub", "hubmirror.toml"}, set(), "nothing was written elsewhere")

    def test_trees(self):
        self.run_trees(True, HOSTILE_NAMES)

    def test_trees_v0(self):
        self.run_trees(False, some(HOSTILE_NAMES))

    def test_zlib_bomb_within_the_limits_is_an_object_like_any_other(self):
        repo = self.model("org/bomb")
        make_hostile_pack(repo, "zlib_bomb")
        run = self.mirror("org/bomb", code=(0, 1), measure=True)
        if not SANITIZER:
            self.assertLess(run.rss_kib, 640 << 10, "256 MiB of zeros, twice in memory")

    def test_packs(self):
        self.configure(mirror={"git_object_bytes_max": 64 << 20})
        for name in HOSTILE_PACKS:
            self.refused(name, make_hostile_pack, True)
        self.assert_equals_origin(self.good)

    def test_packs_v0(self):
        self.restart_hub(git_v2=False)
        self.configure(mirror={"git_object_bytes_max": 64 << 20})
        for name in some(HOSTILE_PACKS):
            self.refused(name, make_hostile_pack, False)
        self.assert_equals_origin(self.good)

    def test_strange_ones_are_kept(self):
        self.configure(mirror={"git_tree_depth_max": 256})
        for name in sorted(KEPT - {"tree_bomb"}):
            with self.subTest(name):
                repo = self.model(f"org/{name.replace('_', '-')}")
                make_hostile(repo, name)
                run = self.mirror(repo.id, code=(0, 1))
                if run.code == 0:
                    self.assert_equals_origin(repo, fsck=False)
                    out = self.hm("show", "--files", repo.id).out + self.hm("ls", repo.id).out
                    self.assertNotRegex(out, r"[\x00-\x08\x0b-\x1f\x7f]")
                else:  # stricter than needed is allowed, silence is not
                    self.assert_error(run, repo.id)
        self.assertFalse(os.path.exists("/tmp/owned"))

    def test_tree_bomb_ends(self):
        """Ten to the tenth paths out of twelve objects: a clear refusal, soon, in little memory."""
        repo = self.model("org/tree-bomb")
        make_hostile(repo, "tree_bomb")
        run = self.mirror(repo.id, "org/good", code=1, measure=True)
        self.assert_error(run, repo.id, "files|entries|limit|paths")
        if not SANITIZER:
            self.assertLess(run.rss_kib, 400 << 10)

    def test_good_history_then_hostile(self):
        """What was good stays as it was; the hostile update leaves no trace."""
        repo = self.model("org/turns", {"w.bin": LfsRandom(100, "w")})
        self.mirror("org/turns")
        before = self.answers()
        path = self.git_path(repo)
        refs, files = refs_of(path), self.objects_in(path)
        tree = repo.raw_tree([("40000", "..", repo.raw_tree([("100644", "x", repo.raw_object("blob", b"x"))]))])
        good = repo.head()
        repo.raw_commit(tree, parent=good)
        from fake_hub.hostile import _git_can_serve

        self.assertTrue(_git_can_serve(repo.git_dir))
        self.assert_error(self.mirror("org/turns", code=1), "org/turns", r"\.\.")
        self.assertEqual((refs_of(path), self.objects_in(path)), (refs, files))
        self.assertEqual({s: a["revisions"] for s, a in self.answers().items()}, {s: a["revisions"] for s, a in before.items()})
        repo.set_ref("refs/heads/main", good)
        self.mirror("org/turns")
        self.assert_equals_origin(repo)

    def test_limits(self):
        limits = {
            "git_pack_bytes_max": (20_000, "pack"),
            "git_objects_max": (3, "object"),
            "git_object_bytes_max": (20_000, "object"),
            "git_refs_max": (2, "ref"),
            "git_tree_depth_max": (2, "depth|deep|level"),
        }
        repo = self.model("org/large", {"a/b/c/d/e.txt": "x", "big.txt": os.urandom(60_000).hex()})
        for i in range(3):
            repo.set_ref(f"refs/heads/b{i}", repo.head())
        for key, (value, pattern) in limits.items():
            with self.subTest(key):
                self.data = os.path.join(self.dir, "data-" + key)
                self.configure(mirror={key: value})
                self.assert_error(self.mirror("org/large", code=1), pattern, "limit|most|more than|larger|deeper|max")
                path = os.path.join(self.data, "git", "model", repo.oid + ".git")
                if os.path.exists(path):
                    self.assertEqual((refs_of(path), self.objects_in(path)), ({}, []))
                self.configure()
                self.mirror("org/large")
                self.assert_equals_origin(repo)

    def test_no_hook_no_user_configuration(self):
        """Neither hooks, nor templates, nor the user's git configuration have a say."""
        owned = os.path.join(self.dir, "owned")
        hooks = os.path.join(self.dir, "hooks")
        os.mkdir(hooks)
        for hook in ("post-checkout", "reference-transaction", "post-update", "pre-receive", "update", "post-receive", "post-index-change"):
            with open(os.path.join(hooks, hook), "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\ntouch {owned}\n")
            os.chmod(os.path.join(hooks, hook), 0o755)
        with open(os.path.join(self.home, ".gitconfig"), "w", encoding="utf-8") as f:
            f.write(
                f'[core]\n\thooksPath = {hooks}\n[init]\n\ttemplateDir = {self.dir}/hooks\n[url "http://127.0.0.1:9/"]\n\tinsteadOf = {self.hub.endpoint}\n'
                "[http]\n\tproxy = http://127.0.0.1:9\n[core]\n\tfsmonitor = touch " + owned + "\n"
            )
        self.mirror(
            "org/good",
            env={
                "GIT_DIR": self.dir,
                "GIT_SSL_NO_VERIFY": "1",
                "GIT_TEMPLATE_DIR": hooks,
                "GIT_OBJECT_DIRECTORY": self.dir,
                "XDG_CONFIG_HOME": self.home,
            },
        )
        self.assert_equals_origin(self.good)
        self.assertFalse(os.path.exists(owned))
        self.assertEqual([n for n in os.listdir(self.git_path(self.good)) if n == "hooks"], [])


if __name__ == "__main__":
    main()
