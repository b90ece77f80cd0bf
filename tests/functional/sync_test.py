"""Policies, generations, status: what `sync` brings, what it says beforehand, and what it says when it could not."""

import os
import signal

from harness import SANITIZER, HubTest, LfsRandom, main, wait_until

MIB = 1 << 20


class SyncTest(HubTest):
    def setUp(self):
        super().setUp()
        os.mkdir(os.path.join(self.dir, "policies"))

    def policy(self, name, text):
        self.write(f"policies/{name}.toml", text)

    def crawl(self):
        return self.hm("--json", "crawl", "--once").json

    def sync(self, *args, **options):
        return self.hm("--json", "sync", *args, **options).json

    def plan(self, *args, **options):
        return self.sync("--plan", *args, **options)

    def status(self, **options):
        return self.hm("--json", "status", **options).json

    def weights(self, name, size=20_000, seed=None, **meta):
        return self.model(name, {"config.json": "{}\n", "model.safetensors": LfsRandom(size, seed or name), "model.bin": LfsRandom(size, name + "bin")}, **meta)

    @staticmethod
    def targets(plan):
        return [target["repo"] for target in plan["targets"]]


class PlanTest(SyncTest):
    def test_what_is_planned_is_what_is_done(self):
        repos = [self.weights(f"org/model{n}", 4 * MIB, seed="same" if n < 2 else None) for n in range(4)]
        self.policy("ours", '[select]\nnames = ["org/*"]\n[files]\nformats = ["safetensors"]\n')
        self.crawl()
        plan = self.plan()
        self.assertEqual(sorted(self.targets(plan)), [r.id for r in repos])
        total = plan["total"]
        self.assertEqual((total["revisions"], total["unchanged"], total["bytes_here"]), (4, 0, 0))
        self.assertEqual(plan["survey_calls"], 4)
        self.assertEqual(self.hm("--json", "ls").json["repos"], [], "a plan fetches nothing")
        done = self.sync()
        self.assertEqual((done["complete"], done["published"], done["failed"], done["pending"]), (True, 4, 0, 0))
        fetched = done["done"]["bytes_fetched"] + done["done"]["git_bytes"]
        self.assertAlmostEqual(fetched, total["bytes_to_fetch"], delta=0.05 * fetched)
        self.assertGreater(done["done"]["bytes_fetched"], 12 * MIB - 1, "three different blobs of 4 MiB")
        self.assertLess(done["done"]["bytes_fetched"], 13 * MIB, "one blob is shared, the .bin files are not wanted")
        for bucket in ("api_calls", "other_calls"):
            self.assertAlmostEqual(done["done"][bucket], done["planned"][bucket], delta=0.05 * done["planned"][bucket], msg=bucket)
        for repo in repos:
            self.assert_equals_origin(repo, blobs=False)
            self.assertTrue(self.revisions(repo.id)[0]["partial"])
        again = self.plan()
        self.assertEqual((again["total"]["unchanged"], again["total"]["bytes_to_fetch"], again["total"]["api_calls"]), (4, 0, 0))

    def test_policies_share_what_they_both_want(self):
        repo = self.weights("org/both")
        self.weights("org/one")
        self.policy("a", '[select]\nrepos = ["org/both"]\n[files]\nformats = ["safetensors"]\n')
        self.policy("b", '[select]\nrepos = ["org/both@main", "org/one"]\n[files]\nformats = ["pytorch"]\n')
        plan = self.plan()
        self.assertEqual([p["revisions"] for p in plan["policies"]], [1, 2])
        self.assertEqual(sorted(self.targets(plan)), ["org/both", "org/one"])
        done = self.sync()
        self.assertEqual(done["published"], 2)
        self.assert_equals_origin(repo)  # either policy's weights, and so all

    def test_a_list_names_repositories_that_no_crawl_knows(self):
        self.weights("org/model")
        self.repo("dataset", "org/data", {"train.parquet": LfsRandom(5000)})
        self.write("policies/our.tsv", "repo\trevision\tlicence\norg/model\tmain\n# a comment\ndatasets/org/data\norg/absent\n")
        self.policy("our", '[select]\nlists = ["our.tsv"]\n')
        plan = self.plan(code=1)
        self.assertEqual(self.targets(plan), ["org/model", "datasets/org/data"])
        skipped = plan["policies"][0]["skipped"]
        self.assertEqual([s["repo"] for s in skipped], ["org/absent"])
        done = self.sync(code=1)  # something named is not there
        self.assertEqual((done["complete"], done["published"], done["skipped"]), (True, 2, 1))

    def test_what_a_policy_forbids_counts_for_what_no_listing_knows(self):
        for name in ("org/right", "org/wrong", "org/tagged"):
            card = "---\nlicense: %s\ntags: [%s]\n---\n" % ("mit" if name == "org/wrong" else "apache-2.0", "gguf" if name == "org/tagged" else "x")
            self.model(name, {"README.md": card, "model.safetensors": LfsRandom(2000, name)})
        self.write("policies/our.tsv", "repo\trevision\tlicense\norg/right\t\tapache-2.0\norg/wrong\t\tapache-2.0\norg/tagged\n")
        self.policy("our", '[select]\nlists = ["our.tsv"]\n[exclude]\ntags = ["gguf"]\n')
        plan = self.plan()
        self.assertEqual(self.targets(plan), ["org/right"])
        why = {s["repo"]: s["why"] for s in plan["policies"][0]["skipped"]}
        self.assertRegex(why["org/wrong"], "takes it to be under apache-2.0; the Hub lists mit")
        self.assertRegex(why["org/tagged"], 'excluded: tag "gguf"')
        self.assertEqual([(c["repo"], c["why"][0].rpartition("/")[2]) for c in plan["policies"][0]["chosen"]], [("org/right", "our.tsv:2")])
        self.assertEqual(plan["survey_calls"], 3)
        self.assertEqual(self.plan()["survey_calls"], 0, "what was learnt is kept")

    def test_the_bases_of_what_no_listing_knows_are_found_by_asking(self):
        self.weights("org/base")
        self.crawl()
        self.model("org/late", {"README.md": "---\nbase_model: org/base\n---\n", "model.safetensors": LfsRandom(2000, 1)})
        self.policy("our", '[select]\nrepos = ["org/late"]\n[closure]\nbases = true\n')
        self.assertEqual(sorted(self.targets(self.plan())), ["org/base", "org/late"])

    def test_limits_are_told_before_a_byte_moves(self):
        for n in range(3):
            self.weights(f"org/m{n}", MIB)
        self.policy("small", '[select]\nnames = ["*"]\n[files]\nformats = ["safetensors"]\n[limits]\nbytes_max = "2.5MiB"\n')
        self.crawl()
        run = self.hm("sync", code=1)
        self.assertRegex(run.err, r"warning: policy small: 1 revision left out by its limits")
        self.assertRegex(self.hm("sync", "--plan", code=1).out, r"skipped +org/m\d: .*bytes_max")
        self.assertEqual(len(self.hm("--json", "ls").json["repos"]), 2)

    def test_offline_nobody_is_asked(self):
        self.weights("org/model")
        self.policy("all", '[select]\nnames = ["*"]\n')
        self.crawl()
        before = len(self.hub.requests())
        plan = self.plan("--offline", code=1)
        self.assertEqual(len(self.hub.requests()), before)
        self.assertEqual(plan["targets"], [])
        self.assertIn("not known here", plan["policies"][0]["skipped"][0]["why"])
        self.plan()
        self.assertEqual(self.targets(self.plan("--offline")), ["org/model"])

    def test_policies_that_are_wrong_are_said_to_be(self):
        self.policy("bad", "[select]\nnamse = ['x']\n")
        self.assert_error(self.hm("sync", code=2), r"bad\.toml:2:1: unknown key .*names")
        self.policy("bad", "[select]\nnames = ['x']\n")
        self.assert_error(self.hm("sync", "absent", code=2), 'no policy "absent".*there are: bad')
        self.assert_error(self.hm("sync", "--policies", os.path.join(self.dir, "nowhere"), code=2), "nowhere")
        self.assert_error(self.hm("sync", "--offline", code=2), "--plan")
        os.rename(os.path.join(self.dir, "policies"), os.path.join(self.dir, "elsewhere"))
        self.assert_error(self.hm("sync", code=2), "there are no policies", "--policies")


class GenerationTest(SyncTest):
    def test_two_generations_differ_in_repositories_and_files(self):
        repo = self.weights("org/changes")
        self.weights("org/leaves")
        self.policy("p", '[select]\nrepos = ["org/changes", "org/leaves"]\n')
        self.assertEqual(self.sync()["number"], 1)
        repo.commit("second", {"config.json": "{ }\n", "new.txt": "new\n"})
        self.weights("org/comes")
        self.policy("p", '[select]\nrepos = ["org/changes", "org/comes"]\n')
        self.crawl()  # else what was told a moment ago is believed
        self.assertEqual(self.sync()["number"], 2)
        diff = {change["repo"]: change for change in self.hm("--json", "status", "--diff", "1", "2").json}
        self.assertEqual(sorted(diff), ["org/changes", "org/comes", "org/leaves"])
        self.assertEqual((diff["org/changes"]["added"], diff["org/changes"]["changed"]), (["new.txt"], ["config.json"]))
        self.assertIsNone(diff["org/comes"]["before"])
        self.assertIn("model.safetensors", diff["org/comes"]["added"])
        self.assertIsNone(diff["org/leaves"]["after"])
        self.assertIn("model.safetensors", diff["org/leaves"]["removed"])
        self.assertRegex(self.hm("status", "--diff", "1", "2").out, r"org/leaves: [0-9a-f]{8} -> not in it")
        self.assertEqual(self.hm("--json", "status", "--diff", "2", "2").json, [])
        self.assert_error(self.hm("status", "--diff", "1", "9", code=1), "no generation 9")
        self.assertEqual([g["number"] for g in self.hm("--json", "status", "--all").json], [2, 1])

    def test_what_is_gated_or_gone_is_a_reason_and_not_a_failure_of_the_rest(self):
        good = self.weights("org/good")
        self.weights("org/gated", gated="manual")
        gone = self.weights("org/gone")
        self.policy("p", '[select]\nrepos = ["org/good", "org/gated", "org/gone"]\n')
        self.crawl()
        self.plan()
        gone.set(hidden=True)
        done = self.sync(code=1)
        self.assertEqual((done["complete"], done["published"], done["failed"]), (True, 1, 2))
        self.assertEqual({t["repo"]: t["failure"] for t in done["lacking"]}, {"org/gated": "gated", "org/gone": "gone"})
        self.assert_equals_origin(good)
        status = self.status(code=1)
        self.assertIsNone(status["current"])
        self.assertEqual(status["complete"]["failed"], 2)

    def test_what_the_hub_does_not_answer_for_is_lacking_and_soon_due_again(self):
        self.weights("org/good"), self.weights("org/bad")
        self.policy("p", '[select]\nrepos = ["org/good", "org/bad"]\n[schedule]\nevery = "1w"\n')
        self.configure(network={"retries_max": 0})
        self.faults({"match": {"path": r"/api/models/org/bad"}, "do": "status", "status": 500})
        run = self.hm("-q", "sync", code=1)
        self.assertRegex(run.err, r"generation 1 is not whole: 0 lacking, 1 that the Hub did not answer for")
        complete = self.status(code=1)["complete"]
        self.assertEqual((complete["published"], complete["unanswered"]), (1, 1))
        self.assertEqual([(s["repo"], s["unanswered"]) for s in complete["skipped_repos"]], [("org/bad", True)])
        self.assertRegex(self.hm("status", code=1).out, r"complete, with failures[\s\S]*skipped +org/bad: the Hub was asked for its files: ")
        self.faults()
        self.assertEqual(self.sync("--new")["published"], 2)
        self.assertEqual(self.status()["complete"]["unanswered"], 0)

    def test_status_tells_of_each_policy(self):
        self.weights("org/good"), self.weights("org/gated", gated="manual")
        self.policy("first", '[select]\nrepos = ["org/gated"]\n')
        self.policy("second", '[select]\nrepos = ["org/good"]\n')
        self.sync("first", code=1)
        self.sync("second")
        status = self.status(code=1)
        self.assertEqual((status["complete"]["policies"], [g["policies"] for g in status["older"]]), (["second"], [["first"]]))
        self.assertIn("lacking       org/gated", self.hm("status", code=1).out)
        os.unlink(os.path.join(self.dir, "policies/first.toml"))
        self.assertEqual(self.status()["older"], [], "nobody wants it any more")

    def test_when_the_hub_answers_for_nothing_there_is_no_generation(self):
        self.weights("org/a"), self.weights("org/b")
        self.policy("p", '[select]\nrepos = ["org/a", "org/b"]\n')
        self.faults({"match": {"path": r"/api/models/"}, "do": "status", "status": 403})
        self.assert_error(self.hm("sync", code=(1, 3)), "gave none of the 2 repositories")
        self.assertEqual(self.hm("--json", "status", "--all").json, [])

    def test_an_upstream_that_goes_away_is_waited_for_by_the_next_run(self):
        for n in range(4):
            self.weights(f"org/m{n}")
        self.policy("p", '[select]\nnames = ["*"]\n')
        self.crawl()
        self.plan()
        self.faults({"match": {"path": r"\.git/"}, "do": "status", "status": 503})
        run = self.hm("sync", code=3)
        self.assert_error(run, "go on with: hubmirror sync")
        current = self.status(code=1)["current"]
        self.assertEqual((current["number"], current["complete"], current["pending"]), (1, False, 4))
        self.faults()
        self.assertEqual(self.sync()["number"], 1)
        self.assertEqual(self.status()["complete"]["published"], 4)

    def test_what_crashes_the_program_twice_is_set_aside(self):
        self.weights("org/bad")
        self.policy("p", '[select]\nrepos = ["org/bad"]\n')
        self.crawl()
        self.plan()
        self.faults({"match": {"path": r"\.git/"}, "do": "stall", "after_bytes": 0})
        for _ in range(2):
            before = len(self.hub.requests(path=r"\.git/"))
            process = self.start("sync")
            wait_until(lambda n=before: len(self.hub.requests(path=r"\.git/")) > n, "it is at work", process)
            process.signal(signal.SIGSEGV)
            code = process.wait().code
            if not SANITIZER:  # which ends by itself after its report
                self.assertEqual(code, -signal.SIGSEGV)
        self.faults()
        done = self.sync(code=1)
        self.assertEqual((done["number"], done["complete"], done["failed"]), (1, True, 1))
        self.assertEqual((done["lacking"][0]["failure"], done["lacking"][0]["repo"]), ("poison", "org/bad"))
        self.assertEqual(self.sync()["published"], 1, "the next generation tries it again")

    def test_status_before_anything_was_synced(self):
        self.hm("init")
        self.assertIn("nothing was synced yet", self.hm("status").out)
        self.assertEqual(self.status(), {"complete": None, "current": None, "older": []})

    def test_only_policies_that_are_due(self):
        self.weights("org/model")
        self.policy("daily", '[select]\nrepos = ["org/model"]\n')
        self.assertEqual(self.sync("--due")["number"], 1)
        self.assertIn("no policy is due", self.hm("sync", "--due").out)
        self.assertEqual(self.sync()["number"], 2)

    def broken_off(self, policy):
        """A sync of that policy which was killed while its files stood still."""
        self.faults({"do": "stall", "after_bytes": 1000, "match": {"port": "cdn"}})
        before = len(self.hub.requests("cdn"))
        process = self.start("sync", policy)
        wait_until(lambda: len(self.hub.requests("cdn")) > before, "it fetches", process)
        process.signal(signal.SIGKILL)
        process.wait()
        self.faults()

    def test_what_was_broken_off_is_finished_and_then_what_was_asked_for_done(self):
        self.weights("org/one"), self.weights("org/two")
        self.policy("one", '[select]\nrepos = ["org/one"]\n')
        self.policy("two", '[select]\nrepos = ["org/two"]\n')
        self.broken_off("one")
        run = self.hm("sync", "two")
        self.assertRegex(run.err, r"going on with generation 1 \(one\), which was broken off")
        all_of_them = self.hm("--json", "status", "--all").json
        self.assertEqual([(g["policies"], g["published"], g["complete"]) for g in all_of_them], [(["two"], 1, True), (["one"], 1, True)])

    def test_what_no_policy_wants_any_more_is_set_aside(self):
        self.weights("org/one"), self.weights("org/two")
        self.policy("wrong", '[select]\nrepos = ["org/one"]\n')
        self.policy("right", '[select]\nrepos = ["org/two"]\n')
        self.broken_off("wrong")
        os.unlink(os.path.join(self.dir, "policies/wrong.toml"))
        run = self.hm("sync", "right")
        self.assertRegex(run.err, r"generation 1 \(wrong\), which was broken off: 1 revision set aside, no policy")
        self.assertEqual([r["repo"] for r in self.hm("--json", "ls").json["repos"] if r["revisions"]], ["org/two"])
        last, first = self.hm("--json", "status", "--all").json
        self.assertEqual((last["complete"], last["published"], first["complete"], first["failed"]), (True, 1, True, 1))

    def test_a_new_generation_may_be_begun_instead_of_the_one_that_was_broken_off(self):
        self.weights("org/one")
        self.policy("one", '[select]\nrepos = ["org/one"]\n')
        self.broken_off("one")
        run = self.hm("sync", "--new")
        self.assertRegex(run.err, r"1 revision set aside, another generation was begun instead")
        last, first = self.hm("--json", "status", "--all").json
        self.assertEqual((last["published"], first["failed"], first["lacking"][0]["failure"]), (1, 1, "set-aside"))

    def test_another_repository_under_the_name_is_not_taken_for_it(self):
        repo = self.weights("org/name")
        self.policy("p", '[select]\nrepos = ["org/name"]\n')
        self.crawl()
        self.plan()
        repo.set(hidden=True)
        self.store.rename(self.weights("org/other", 999), "org/name")
        done = self.sync(code=1)
        self.assertEqual(done["lacking"][0]["failure"], "gone")
        self.assertRegex(done["lacking"][0]["reason"], "belongs to another repository now")


if __name__ == "__main__":
    main()
