"""audit licences: verdicts with their paths, a licence policy that refuses, exit codes, what an operator's catalogue changes."""

import csv
import os

from harness import HubTest, main

COMMERCIAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config", "licences", "policies", "commercial.toml")


def card(licence, base=None, relation="finetune"):
    return "---\n" + (f"license: {licence}\n" if licence else "") + (f"base_model: {base}\nbase_model_relation: {relation}\n" if base else "") + "---\n"


class LicencesTest(HubTest):
    def setUp(self):
        super().setUp()
        self.model("org/base", {"README.md": card("cc-by-nc-4.0")})
        self.middle = self.model("org/middle", {"README.md": card(None, "org/base")})
        self.model("org/leaf", {"README.md": card("mit", "org/middle", "quantized")})
        self.model("org/free", {"README.md": card("apache-2.0")})

    def audit(self, *args, code=0):
        return self.hm("--json", "audit", "licences", *args, code=code).json

    @staticmethod
    def table(report, name):
        return next(t["rows"] for t in report["tables"] if t["id"] == name)

    @staticmethod
    def found(report, subject):
        return {f["rule"]: f for f in report["findings"] if f["subject"] == subject}

    def test_one_repository_with_its_path(self):
        self.hm("crawl", "--once")
        report = self.audit("org/leaf")
        self.assertIn("org/leaf: possible conflict. Its own licence: MIT", report["answer"][0])
        finding = self.found(report, "org/leaf")["non-commercial-dropped"]
        self.assertEqual(finding["severity"], "warning")
        hops = [hop.split(" (")[0] for hop in finding["path"]]
        self.assertEqual(hops, ["org/leaf <-quantized declared- org/middle", "org/middle <-finetune declared- org/base"])
        self.assertEqual(len(report["graphs"][0]["nodes"]), 3)
        self.assertEqual(report["basis"]["journal"]["entries"], 4)
        self.audit("org/leaf", "--fail-on", "warning", code=1)
        self.audit("org/free", "--fail-on", "note")
        text = self.hm("audit", "licences", "org/leaf").out
        self.assertIn("warning  org/leaf  non-commercial-dropped", text)
        self.assertIn("      org/middle <-finetune declared- org/base (", text)

    def test_a_policy_refuses(self):
        self.hm("crawl", "--once")
        refused = self.audit("org/base", "org/leaf", "org/free", "--accept", COMMERCIAL, code=1)
        self.assertEqual(self.found(refused, "org/leaf")["refused-by-policy"]["severity"], "problem")
        self.assertIn("non-commercial: CC-BY-NC-4.0 (inherited)", self.found(refused, "org/leaf")["refused-by-policy"]["what"])
        self.assertEqual(self.found(refused, "org/free"), {})
        decisions = {r["repository"]: r["decision"] for r in self.table(refused, "verdicts")}
        self.assertEqual(decisions, {"org/base": "refused", "org/free": "accepted", "org/leaf": "refused"})
        self.audit("org/base", "--accept", COMMERCIAL, "--fail-on", "never")
        self.audit("org/free", "--accept", COMMERCIAL)
        self.audit("--all", "--accept", COMMERCIAL, code=1)
        wrong = self.write("wrong.toml", '[policy]\nrefuse_restrictions = ["non-comercial"]\n')
        self.assert_error(self.hm("audit", "licences", "--all", "--accept", wrong, code=2), r"wrong.toml:2:.*non-comercial.*non-commercial")

    def test_everything_that_is_known(self):
        self.hm("crawl", "--once")
        report = self.audit("--all")
        outcomes = {r["outcome"]: r["repositories"] for r in self.table(report, "outcomes") if r["kind"] == "model"}
        self.assertEqual(outcomes, {"compatible": 1, "restricted": 1, "unknown": 0, "possible conflict": 2, "conflict": 0})
        rules = {r["rule"]: r["repositories"] for r in self.table(report, "findings_by_rule")}
        self.assertEqual(rules, {"base-licence-unknown": 1, "licence-unknown": 1, "non-commercial-dropped": 2})
        licences = {r["licence"]: r["repositories"] for r in self.table(report, "licences")}
        self.assertEqual(licences, {"Apache-2.0": 1, "CC-BY-NC-4.0": 1, "MIT": 1, "NOASSERTION": 1})
        rows = list(csv.DictReader(self.hm("audit", "licences", "--all", "--csv").out.splitlines()))
        self.assertTrue(any(r["table"] == "findings" for r in rows))

    def test_what_is_mirrored_is_read_whole(self):
        for name in ("org/middle", "org/leaf"):
            self.mirror(name)
        report = self.audit()
        self.assertEqual({r["repository"]: r["licence"] for r in self.table(report, "verdicts")}, {"org/leaf": "MIT", "org/middle": "NOASSERTION"})
        self.assertIn("base-missing", self.found(report, "org/middle"), "nobody told of org/base")
        self.middle.commit("a licence", {"README.md": card("mit", "org/base")})
        self.mirror("org/middle")
        report = self.audit("org/middle")
        self.assertIn("licence-changed", self.found(report, "org/middle"))
        before = self.hm("--json", "audit", "licences").out
        self.hm("index", "rebuild")
        self.assertEqual(self.hm("--json", "audit", "licences").out, before, "a rebuild changes no answer")

    def test_the_operators_catalogue_is_in_force(self):
        self.model("org/house", {"README.md": "---\nlicense: other\nlicense_name: house-terms\nlicense_link: LICENSE\n---\n"})
        self.mirror("org/house")
        self.assertEqual(self.table(self.audit("org/house"), "outcomes")[2]["repositories"], 1, "unknown")
        os.mkdir(os.path.join(self.dir, "licences"))
        section = '["LicenseRef-house-terms"]\nname = "House Terms"\nspellings = ["house-terms"]\nsource = "https://house.example"\n'
        self.write("licences/house.toml", section + 'demands = []\nclass = "permissive"\n')
        verdict = self.table(self.audit("org/house"), "verdicts")[0]
        self.assertEqual((verdict["licence"], verdict["outcome"]), ("LicenseRef-house-terms", "compatible"))
        self.write("licences/house.toml", section + 'demands = []\nclass = "permisive"\n')
        for command in (("audit", "licences", "--all"), ("config", "check")):
            self.assert_error(self.hm(*command, code=2), r'house.toml:6:.*"permisive"', "report.licences")

    def test_wrong_use_is_said(self):
        self.hm("crawl", "--once")
        self.assert_error(self.hm("audit", "licences", "org/nobody", code=1), "org/nobody is not known here")
        self.assert_error(self.hm("audit", "licences", "org/leaf", "--all", code=2), "exclude each other")
        self.assert_error(self.hm("--json", "audit", "licences", "--csv", code=2), "--csv and --json")


if __name__ == "__main__":
    main()
