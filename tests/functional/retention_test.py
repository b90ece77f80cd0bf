"""Retention by policy: what `gc` drops because no policy wants it any more, and everything that it must not drop."""

import os
import shutil
import signal

from harness import LfsRandom, main, stored_blobs, wait_until
from sync_test import SyncTest

SHORT = "[retention]\nunwanted_days = 0\n"


class RetentionTest(SyncTest):
    settings = {"retention": {"grace_hours": 0}}

    def select(self, policy, *names, retention=SHORT, more=""):
        listed = ", ".join(f'"{name}"' for name in names)
        self.policy(policy, f"[select]\nrepos = [{listed}]\n{more}{retention}")

    def gc(self, *args, **options):
        return self.hm("--json", "gc", *args, **options).json

    def dropped(self, *args):
        return sorted(item["subject"] for item in self.gc(*args)["items"] if item["kind"] == "unwanted")

    def unwanted(self):
        return {repo["repo"]: repo["unwanted"] for repo in self.hm("--json", "ls", "--unwanted").json["repos"]}

    def here(self):
        return [repo["repo"] for repo in self.hm("--json", "ls").json["repos"]]

    def test_gc_drops_exactly_what_no_policy_wants_any_more(self):
        names = ["both", "gone", "hand", "kept", "longer", "pinned", "renamed", "stays", "taken", "unwanted"]
        repos = {name: self.weights(f"org/{name}", 1000) for name in names}
        self.select("one", *(f"org/{name}" for name in names))
        self.select("two", "org/both", "org/longer", retention="[retention]\nunwanted_days = 30\n")
        self.sync()
        self.hm("pin", "org/pinned", "--reason", "cited")
        self.mirror("org/hand")
        self.store.rename(repos["renamed"], "org/another-name")
        self.mirror("org/renamed")  # the Hub still answers this name
        self.select("one", "org/stays")
        self.select("two", "org/both", retention="[retention]\nunwanted_days = 30\n")
        self.crawl()
        repos["gone"].set(hidden=True)
        self.mirror("org/gone", code=(1, 3))
        repos["taken"].set(hidden=True)
        self.store.rename(self.weights("org/other", 1000), "org/taken")
        self.mirror("org/taken")
        self.sync()

        before = stored_blobs(self.data)
        self.assertEqual(self.dropped("--dry-run"), ["org/kept", "org/unwanted"])
        run = self.hm("gc", "--dry-run")
        self.assertRegex(run.out, r"org/unwanted would go: brought by policy one; generation 1, begun 20\d\d-.*, was the last to want it")
        self.assertEqual(len(self.here()), len(names) + 1, "a dry run drops nothing")
        self.assertEqual(stored_blobs(self.data), before)
        told = self.unwanted()
        self.assertEqual(sorted(name for name, fate in told.items() if fate["goes"]), ["org/kept", "org/unwanted"])
        self.assertNotIn("org/both", told)
        self.assertEqual(told["org/pinned"]["why"], "pinned")
        self.assertEqual(told["org/hand"]["why"], "mirrored by hand")
        self.assertEqual(told["org/another-name"]["why"], "mirrored by hand")
        self.assertIn("upstream", told["org/gone"]["why"])
        self.assertIn("may go after", told["org/longer"]["why"])
        self.assertEqual((told["org/longer"]["brought_by"], told["org/longer"]["generation"]), (["one", "two"], 1))
        self.assertRegex(self.hm("ls", "--unwanted").out, r"org/unwanted +.* goes +brought by policy one")

        self.hm("pin", "org/kept")
        self.assertEqual(self.dropped(), ["org/unwanted"])
        self.assertEqual(len(self.here()), len(names))
        self.assertNotIn("org/unwanted", self.here())
        self.assert_nothing_of(repos["unwanted"])
        self.assertIn("remove", self.hm("--json", "history", "org/unwanted").out, "a decision in the journal, as of rm")
        self.assertEqual(self.dropped(), [])
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])
        for name in ("both", "hand", "kept", "longer", "pinned", "stays"):
            self.assert_equals_origin(repos[name])

        self.select("one", "org/stays", "org/unwanted")
        self.sync()
        self.assert_equals_origin(repos["unwanted"])

    def test_days_have_to_pass(self):
        self.weights("org/a"), self.weights("org/b")
        self.select("p", "org/a", "org/b", retention="")
        self.sync()
        self.select("p", "org/a", retention="")
        self.sync()
        for retention, expected in (("", []), ("[retention]\nunwanted_days = 1\n", []), (SHORT, ["org/b"])):
            self.select("p", "org/a", retention=retention)
            self.assertEqual(self.dropped("--dry-run"), expected, retention)

    def test_a_file_that_was_removed_deletes_nothing(self):
        self.weights("org/a"), self.weights("org/b")
        self.select("one", "org/a")
        self.select("two", "org/b")
        self.sync()
        os.unlink(os.path.join(self.dir, "policies/two.toml"))
        self.sync()
        self.assertEqual(self.dropped(), [])
        self.assertEqual(self.here(), ["org/a", "org/b"])
        self.assertIn("file is not there", self.unwanted()["org/b"]["why"])

    def test_policies_that_cannot_be_read_stop_gc(self):
        self.weights("org/a"), self.weights("org/b")
        self.select("p", "org/a", "org/b")
        self.sync()
        self.select("p", "org/a")
        self.sync()
        before = stored_blobs(self.data)
        policies = os.path.join(self.dir, "policies")
        self.policy("bad", "[select]\nnamse = ['x']\n")
        for command in (["gc"], ["gc", "--dry-run"], ["ls", "--unwanted"]):
            self.assert_error(self.hm(*command, code=2), r"bad\.toml:2:1: unknown key.*config check")
        os.unlink(os.path.join(policies, "bad.toml"))
        os.rename(policies, policies + ".aside")
        os.mkdir(policies)
        self.assert_error(self.hm("gc", code=2), "holds no policy.*gc removes nothing")
        os.rmdir(policies)
        self.configure(sync={"policies": os.path.join(self.dir, "nowhere")})
        self.assert_error(self.hm("gc", code=2), "nowhere.*gc removes nothing")
        self.configure()
        self.assertEqual(self.gc()["items"], [], "without policies: as ever")
        self.assert_error(self.hm("ls", "--unwanted", code=2), "there are no policies")
        self.assertEqual(stored_blobs(self.data), before)
        os.rename(policies + ".aside", policies)
        self.assertEqual(self.dropped(), ["org/b"])

    def test_what_upstream_does_not_give_when_it_is_asked_stays_wanted(self):
        self.weights("org/a")
        gone = self.weights("org/gone")
        excluded = self.weights("org/excluded")
        self.select("p", "org/a", "org/gone", "org/excluded")
        self.sync()
        gone.commit("more", {"x.txt": "x"})
        self.crawl()  # else what was told a moment ago is believed
        gone.set(hidden=True)
        self.select("p", "org/a", "org/gone", "org/excluded", more='[exclude]\nrepos = ["org/excluded"]\n')
        self.assertEqual(self.sync(code=1)["unanswered"], 1)
        self.assertEqual(self.dropped(), ["org/excluded"])
        self.assertEqual(self.here(), ["org/a", "org/gone"])
        self.assert_nothing_of(excluded)

    def test_nothing_goes_while_a_generation_is_at_work_on_it(self):
        self.weights("org/a")
        late = self.weights("org/late")
        self.select("p", "org/a", "org/late")
        self.sync()
        late.force_push("rewritten", {"w.bin": LfsRandom(1000, "rewritten")})
        self.crawl()
        self.sync()
        self.select("p", "org/a")
        self.sync()
        late.commit("more", {"more.bin": LfsRandom(5000, "more")})
        self.select("fresh", "org/late")
        self.crawl()
        self.faults({"do": "stall", "after_bytes": 1000, "match": {"port": "cdn"}})
        before = len(self.hub.requests("cdn"))
        process = self.start("sync", "fresh")
        wait_until(lambda: len(self.hub.requests("cdn")) > before, "it fetches", process)
        process.signal(signal.SIGKILL)
        process.wait()
        self.faults()
        os.unlink(os.path.join(self.dir, "policies/fresh.toml"))
        self.configure(retention={"grace_hours": 0, "superseded_days": 0})
        self.assertEqual([item for item in self.gc()["items"] if item["kind"] in ("unwanted", "revision")], [])
        self.sync("p")  # sets aside what is left of the other
        self.assertIn("org/late", self.here())
        self.select("fresh", "org/a")
        self.sync("fresh")
        self.assertEqual(self.dropped(), ["org/late"])

    def test_revisions_stay_as_long_as_the_policy_says(self):
        kept, let_go, nobodys = (self.model(f"org/{name}", {"w.bin": LfsRandom(1000, name)}) for name in ("kept", "let-go", "nobodys"))
        self.select("long", "org/kept", retention="[retention]\nsuperseded_days = -1\n")
        self.select("short", "org/kept", "org/let-go", retention="[retention]\nsuperseded_days = 0\n")
        self.sync()
        self.mirror("org/nobodys")
        old = {repo.id: repo.head() for repo in (kept, let_go, nobodys)}
        for repo in (kept, let_go, nobodys):
            repo.force_push("new", {"w.bin": LfsRandom(1000, repo.id + "new")})
        self.crawl()
        self.sync()
        self.mirror("org/nobodys")
        self.assertEqual([i["subject"] for i in self.gc()["items"] if i["kind"] == "revision"], [f"org/let-go@{old['org/let-go']}"])
        self.configure(retention={"grace_hours": 0, "superseded_days": 0})
        self.assertEqual([i["subject"] for i in self.gc()["items"] if i["kind"] == "revision"], [f"org/nobodys@{old['org/nobodys']}"])
        shutil.rmtree(os.path.join(self.dir, "policies"))
        self.assertEqual([i["subject"] for i in self.gc()["items"] if i["kind"] == "revision"], [f"org/kept@{old['org/kept']}"])

    def test_a_gc_that_was_killed_is_finished_by_the_next(self):
        kept = self.weights("org/kept", seed="shared")
        for point in ("index.before_commit:1", "index.after_commit:1", "index.before_commit:2", "index.after_commit:2"):
            with self.subTest(point):
                for name in ("b", "c"):
                    self.weights(f"org/{name}-{point[6:7]}{point[-1]}", seed="shared")
                names = [f"org/{name}-{point[6:7]}{point[-1]}" for name in ("b", "c")]
                self.select("p", "org/kept", *names)
                self.sync()
                self.select("p", "org/kept")
                self.sync()
                run = self.start("gc", env={"HUBMIRROR_CRASH_AT": point}).wait()
                self.assertEqual(run.code, -signal.SIGKILL, run)
                self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])
                self.gc()
                self.assertEqual(self.here(), ["org/kept"])
                self.gc()  # the directories
                self.assertEqual(self.gc()["items"], [])
                self.assertEqual(os.listdir(os.path.join(self.data, "git/model")), [os.path.basename(self.git_path(kept))])
                self.assert_equals_origin(kept)

    def test_bytes_of_what_was_dropped_have_their_grace(self):
        self.configure(retention={"grace_hours": 24})
        self.weights("org/a")
        repo = self.weights("org/b")
        self.select("p", "org/a", "org/b")
        self.sync()
        self.select("p", "org/a")
        self.sync()
        path, before = self.git_path(repo), stored_blobs(self.data)
        self.assertEqual(self.dropped(), ["org/b"])
        self.assertEqual(self.here(), ["org/a"])
        self.assertEqual(stored_blobs(self.data), before)
        self.assertTrue(os.path.isdir(path))
        self.configure(retention={"grace_hours": 0})
        self.gc()
        self.assertEqual(len(stored_blobs(self.data)), len(before) // 2)
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    main()
