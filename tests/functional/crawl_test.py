"""Knowing the whole Hub: crawl, and what search, history, changes and show tell of what was never mirrored."""

import csv
import os
import signal

from harness import HubTest, LfsRandom, main, wait_until


class CrawlTest(HubTest):
    def setUp(self):
        super().setUp()
        os.mkdir(os.path.join(self.dir, "policies"))

    def crawl(self, *args, **options):
        return self.hm("--json", "crawl", "--once", *args, **options).json

    def history(self, repo):
        return [e["t"] for e in self.hm("--json", "history", repo).json]

    def search(self, *args):
        return [f["repo"] for f in self.hm("--json", "search", *args).json]

    def test_everything_is_known_and_asked_for(self):
        self.model("org/small", {"README.md": "---\nlicense: mit\n---\n"})
        self.model("org/other", {"README.md": "---\nlicense: apache-2.0\n---\n"}, gated="manual")
        self.repo("dataset", "org/data", {})
        self.repo("space", "lab/app", {})
        first = self.crawl()
        self.assertEqual(first["new"], 4)
        self.assertEqual(first["bad_items"], 0)
        again = self.crawl()
        self.assertEqual((again["new"], again["changed"]), (0, 0))
        self.assertEqual(sorted(self.search()), ["datasets/org/data", "org/other", "org/small", "spaces/lab/app"])
        self.assertEqual(self.search("SMALL"), ["org/small"])
        self.assertEqual(self.search("--licence", "MIT,bsd"), ["org/small"])
        self.assertEqual(self.search("--gated", "yes"), ["org/other"])
        self.assertEqual(self.search("--kind", "spaces"), ["spaces/lab/app"])
        self.assertEqual(self.search("--owner", "lab", "--kind", "models"), [])
        shown = self.show("org/other")
        self.assertEqual((shown["visibility"], shown["licences"]), ("gated-manual", ["apache-2.0"]))
        self.assertIn("is known and not mirrored", self.hm("show", "datasets/org/data").out)
        self.assertEqual(self.hm("--json", "ls").json["repos"], [], "known is not mirrored")

    def test_what_happens_is_journalled(self):
        repo = self.model("org/name", {"README.md": "x"})
        self.crawl()
        repo.commit("second", {"a.txt": "a"})
        self.crawl("--kinds", "models")
        self.store.rename(repo, "org/renamed")
        self.crawl("--kinds", "models")
        repo.set(gated="auto")
        self.crawl("--kinds", "models")
        self.store.rename(self.model("org/fresh", {"README.md": "another"}), "org/name")
        self.crawl("--kinds", "models")
        self.assertEqual(self.history("org/renamed"), ["listed", "listed", "moved", "listed"])
        self.assertEqual(self.history("org/name"), ["replaced", "listed"])
        changes = self.hm("--json", "changes", "--since", "2020-01-01").json
        self.assertEqual([e["sequence"] for e in changes], list(range(6)))
        self.assertEqual(self.hm("--json", "changes", "--since", "2099-01-01").json, [])
        self.assertRegex(self.hm("history", "org/renamed").out, r"renamed +org/name +is now org/renamed")

    def test_a_mirrored_repository_is_one_with_its_listing(self):
        repo = self.sample("org/name")
        self.crawl()
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        self.crawl()
        self.assertEqual(self.history("org/name"), ["listed", "refs", "snapshot"])
        self.assertEqual(len(self.show("org/name")["revisions"]), 1)

    def test_a_crawl_that_goes_on_visits_what_it_knows(self):
        repo = self.model("org/name", {"README.md": "x", "w.bin": LfsRandom(900, 1)})
        self.model("org/other", {"README.md": "y"})
        self.repo("space", "lab/app", {})
        self.assertNotIn("files", self.known_after_crawl("org/other"))
        process = self.start("crawl", "--kinds", "models")
        wait_until(lambda: all("files" in self.show(name) for name in ("org/name", "org/other")), "both were visited", process)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait().code, 3)
        files = self.show("org/name")["files"]
        self.assertEqual(files["commit"], repo.head())
        told = {f["path"]: (f["size_bytes"], f.get("sha256")) for f in files["files"]}
        self.assertEqual(told["w.bin"], (900, self.pointers(repo)["w.bin"][0]))
        self.assertEqual(told["README.md"], (1, None))
        self.assertNotIn("files", self.show("spaces/lab/app"))
        self.assertRegex(self.hm("show", "org/name").out, r"files +3 files, .* at commit ")
        self.write("policies/all.toml", '[select]\nnames = ["*"]\n')
        plan = self.hm("--json", "sync", "--plan", "--policies", os.path.join(self.dir, "policies")).json
        self.assertEqual((len(plan["targets"]), plan["survey_calls"]), (2, 0), "what visits told is not asked for again")

    def known_after_crawl(self, name):
        self.crawl()
        return self.show(name)

    def test_what_is_cut_short_is_said(self):
        for n in range(3):
            self.model(f"org/m{n}", {"README.md": str(n)})
        self.crawl()
        run = self.hm("--json", "search", "--limit", "2")
        self.assertEqual(len(run.json), 2)
        self.assertIn("the first 2 are shown, there are more", run.err)
        self.assertEqual(self.hm("search", "--limit", "3").err, "")
        self.assertIn("there are more", self.hm("changes", "--since", "2020-01-01", "--limit", "2").err)

    def test_the_ecosystem_is_reported_with_the_operators_origins(self):
        self.model("org/base", {"README.md": "---\nlicense: mit\n---\n"})
        self.model("Qwen/other", {"README.md": "y"}, gated="manual")
        self.repo("dataset", "org/data", {})
        self.crawl()
        origins = os.path.join(self.dir, "origins")
        os.mkdir(origins)
        head = "owner,entity,jurisdiction,sector,source,read,note\n"
        self.write("origins/ours.csv", head + "org,Our Lab,DE,public,https://lab.example,2026-11-28,\n")
        self.configure(report={"origins": origins})
        report = self.hm("--json", "report", "ecosystem").json
        tables = {t["id"]: t for t in report["tables"]}
        kinds = {r["kind"]: r["repositories"] for r in tables["repositories"]["rows"]}
        self.assertEqual(kinds, {"model": 2, "dataset": 1, "space": 0})
        owners = {(r["kind"], r["jurisdiction"]): r["owners"] for r in tables["downloads_by_jurisdiction"]["rows"]}
        self.assertEqual(owners, {("model", "CN"): 1, ("model", "DE"): 1, ("model", "unknown"): None, ("dataset", "DE"): 1, ("dataset", "unknown"): None})
        self.assertEqual(report["basis"]["journal"]["entries"], 3)
        self.assertTrue(all(c["meaning"] for t in report["tables"] for c in t["columns"]))
        text = self.hm("report", "ecosystem").out
        self.assertIn("Repositories by kind\n  over public repositories", text)
        rows = list(csv.DictReader(self.hm("report", "ecosystem", "--csv").out.splitlines()))
        gated = [r for r in rows if (r["table"], r["row"], r["figure"]) == ("gated", "model", "gated")]
        self.assertEqual([(r["value"], r["part"], r["of"]) for r in gated], [("50.0", "1", "2")])
        self.assert_error(self.hm("--json", "report", "ecosystem", "--csv", code=2), "--csv and --json")
        self.write("policies/all.toml", '[select]\nnames = ["*"]\n')  # or config check has no policy to read
        self.write("origins/ours.csv", head + "org,Our Lab,Germany,public,https://lab.example,2026-11-28,\n")
        for command in (("report", "ecosystem"), ("config", "check")):
            self.assert_error(self.hm(*command, code=2), 'ours.csv:2: jurisdiction "Germany"', "report.origins")

    def test_wrong_use_is_said(self):
        self.assert_error(self.hm("crawl", "--kinds", "modles", code=2), "none of models, datasets, spaces")
        self.assert_error(self.hm("search", "--sort", "size", code=(2, 3)), "--sort")
        self.crawl()
        self.assert_error(self.hm("search", "--min-params", "7x", code=2), "write e.g. 7B")
        self.assert_error(self.hm("search", "--created-since", "yesterday", code=2), "2026-11-20")
        self.assert_error(self.hm("history", "org/none", code=1), "org/none")
        self.assertIn("nothing that is known matches", self.hm("search", "zzz").err)

    def test_an_upstream_that_is_no_hub(self):
        self.faults({"match": {"path": "^/api/models"}, "do": "status", "status": 404})
        run = self.hm("crawl", "--once", code=(1, 3))
        self.assert_error(run, "404")


if __name__ == "__main__":
    main()
