"""audit origins, audit history and audit hashes over what the program itself crawled and mirrored, in every form of output."""

import csv
import io
import os

from harness import HubTest, LfsRandom, main


class AuditsTest(HubTest):
    def audit(self, *args, **options):
        return self.hm("--json", "audit", *args, **options).json

    def found(self, *args, **options):
        return [(f["severity"], f["rule"], f["subject"]) for f in self.audit(*args, **options)["findings"]]

    def card(self, **fields):
        return {"README.md": "---\n" + "".join(f"{k}: {v}\n" for k, v in fields.items()) + "---\n"}

    def test_origins(self):
        os.mkdir(os.path.join(self.dir, "origins"))
        head = "owner,entity,jurisdiction,sector,source,read,note\n"
        self.write("origins/ours.csv", head + "lab,Our Lab,DE,public,https://lab.example,2026-11-28,\n")
        self.configure(report={"origins": os.path.join(self.dir, "origins")})
        self.model("lab/base", self.card(license="mit"))
        self.model("who/child", self.card(base_model="lab/base"))
        self.mirror("lab/base", "who/child")
        self.assertEqual(self.found("origins"), [])
        report = self.audit("origins", "--refuse", "DE", code=1)
        self.assertEqual([f["rule"] for f in report["findings"]], ["publisher-refused", "root-refused"])
        self.assertIn("who/child <-", report["findings"][1]["path"][0])
        self.assertIn("2 of 2 repositories", report["answer"][0])
        self.assertEqual(self.found("origins", "who/child", "--refuse", "FR,US"), [])
        self.assertEqual(self.found("origins", "--all"), [])
        wrong = self.hm("audit", "origins", "--refuse", "UK", code=2)
        self.assertIn('"UK" is no jurisdiction', wrong.err)

    def test_history(self):
        repo = self.model("org/name", {**self.card(license="apache-2.0"), "w.bin": LfsRandom(900, 1)})
        repo.commit("second", {"w.bin": LfsRandom(900, 2)})
        self.mirror("org/name")
        self.assertEqual(self.found("history"), [])
        repo.commit("third", self.card(license="cc-by-nc-4.0"))
        self.mirror("org/name")
        self.assertEqual(self.found("history", code=1), [("problem", "licence-changed", "org/name")])
        repo.force_push("rewritten", {"w.bin": LfsRandom(900, 3)})
        self.mirror("org/name")
        rules = [rule for _, rule, _ in self.found("history", "--fail-on", "never")]
        self.assertIn("history-rewritten", rules)
        self.assertEqual(self.found("history", "--since", "2099-01-01"), [])
        self.assertIn("reading --since", self.hm("audit", "history", "--since", "spring", code=2).err)

    def test_hashes(self):
        shared = LfsRandom(5000, "shared")
        first = self.model("org/base", {"model.safetensors": shared})
        self.model("else/copy", {"renamed.safetensors": shared})
        self.mirror("org/base", "else/copy")
        expected = [("warning", "undeclared-copy", "org/base")]  # of the pair, the one with the smaller id
        self.assertEqual(self.found("hashes"), expected)
        self.assertEqual(self.found("hashes", "--all"), expected)
        self.assertEqual(self.found("hashes", "else/copy"), [("warning", "undeclared-copy", "else/copy")])
        self.assertEqual(self.hm("audit", "hashes", "--fail-on", "warning", code=1).code, 1)
        first.commit("new", {"model.safetensors": LfsRandom(5000, "other")})
        self.mirror("org/base")
        self.assertIn(("warning", "weights-changed", "org/base"), self.found("hashes", "org/base"))

    def test_every_form(self):
        self.model("org/a", self.card(license="mit"))
        self.model("org/b", self.card(base_model="org/a"))
        self.mirror("org/a", "org/b")
        for what in ("origins", "history", "hashes"):
            page = os.path.join(self.dir, what + ".html")
            text = self.hm("audit", what, "--html", page).out
            self.assertIn("Rests on", text)
            with open(page, encoding="utf-8") as f:
                html = f.read()
            self.assertTrue(html.startswith("<!doctype html>") and html.rstrip().endswith("</html>"))
            self.assertNotIn("<script", html)
            rows = list(csv.reader(io.StringIO(self.hm("audit", what, "--csv").out)))
            self.assertGreater(len(rows), 3)
            self.assertEqual("<bdi>org/b</bdi> ← <bdi>org/a</bdi>" in html, what == "origins", what)


if __name__ == "__main__":
    main()
