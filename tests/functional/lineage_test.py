"""Who descends from whom: lineage, why, audit lineage, audit closure and impact over a Hub that was crawled and partly mirrored."""

import json
import os

from harness import HubTest, LfsRandom, main


def card(**fields):
    return "---\n" + "".join(f"{k}: {json.dumps(v)}\n" for k, v in fields.items()) + "---\ntext\n"


class LineageTest(HubTest):
    def family(self):
        """root <- child <- {adapter, quantized}; a loose one; only adapter and quantized are mirrored."""
        self.model("org/root", {"README.md": card(license="cc-by-nc-4.0"), "model.safetensors": LfsRandom(900, 1)})
        self.model("org/child", {"README.md": card(base_model="org/root", base_model_relation="finetune")})
        self.model(
            "org/adapter",
            {
                "README.md": card(base_model="org/child", base_model_relation="adapter", datasets=["org/data"]),
                "adapter_config.json": json.dumps({"base_model_name_or_path": "org/child", "peft_type": "LORA"}),
            },
        )
        self.model("org/quantized", {"README.md": card(base_model="org/child", base_model_relation="quantized"), "copy.safetensors": LfsRandom(900, 1)})
        self.model("org/loose", {"README.md": card(base_model=["org/deleted", 'ba"];d<-->'], base_model_relation="merge")})
        self.hm("crawl", "--once")
        self.mirror("org/adapter", "org/quantized")

    def test_trees_and_drawings(self):
        self.family()
        up = self.hm("lineage", "org/adapter").out.splitlines()
        self.assertEqual(up[0], "org/adapter  (mirrored)")
        self.assertIn("adapter  org/child  [files: ", up[1])
        self.assertIn("adapter_config.json /base_model_name_or_path", up[1])
        self.assertIn("listing baseModels; card base_model]", up[1])
        self.assertTrue(any("finetune  org/root" in line for line in up))
        self.assertTrue(any("trained-on  datasets/org/data" in line and "(not known here)" in line for line in up))
        self.assertRegex(up[-2], r"^Rests on \d+ journal entries; the last was observed ")
        down = self.hm("lineage", "org/root", "--down").out.splitlines()
        self.assertEqual(down[:2], ["org/root", "└─ finetune  org/child  [declared]"])
        self.assertRegex(down[2], r"^   ├─ adapter  org/adapter  \[files: .*listing baseModels; card base_model\]  \(mirrored\)$")
        self.assertEqual(down[3], "   └─ quantized  org/quantized  [declared: listing baseModels; card base_model]  (mirrored)")
        self.assertEqual(len(self.hm("lineage", "org/root", "--down", "--depth", "1").out.splitlines()), 5)
        self.assertIn("Nobody says", self.hm("lineage", "org/root").out)
        narrow = self.hm("lineage", "org/adapter", "--relation", "trained-on").out
        self.assertNotIn("org/child", narrow)
        proven = self.hm("lineage", "org/adapter", "--min-evidence", "files").out
        self.assertIn("org/child", proven)
        self.assertNotIn("org/root", proven)
        dot = self.hm("lineage", "org/loose", "--format", "dot").out
        self.assertIn(r'label="ba\\\"];d&lt;--&gt;"', dot)  # the fake Hub leaves the escape of the card in the name
        mermaid = self.hm("lineage", "org/loose", "--format", "mermaid").out
        self.assertIn('["ba#92;#34;#93;#59;d#60;--#62;"]', mermaid)
        page = os.path.join(self.dir, "page.html")
        self.hm("lineage", "org/root", "--down", "--html", page)
        self.assertTrue(os.path.exists(page))

    def test_json_is_a_document_in_both_directions(self):
        self.family()
        up = self.hm("--json", "lineage", "org/adapter").json
        self.assertEqual((up["direction"], up["repo"], up["total"]), ("up", "org/adapter", len(up["edges"])))
        edge = next(e for e in up["edges"] if e["relation"] == "adapter")
        self.assertEqual(edge["to"]["repo"], "org/child")
        self.assertEqual({(s["by"], s["evidence"]) for s in edge["statements"]}, {("listing", "declared"), ("card", "declared"), ("files", "files")})
        self.assertEqual({s["normalised"] for s in edge["statements"]} - {edge["to"]["id"]}, {"org/child"})
        down = self.hm("--json", "lineage", "org/root", "--down").json
        self.assertEqual([(e["from"], e["to"], e["depth"], e["mirrored"]) for e in down["edges"]][0], ("org/child", "org/root", 1, False))
        self.assertEqual({e["from"]: e["evidence"] for e in down["edges"] if e["mirrored"]}, {"org/adapter": "files", "org/quantized": "declared"})
        self.assertEqual(down["total"], 3)
        self.assertEqual(down["basis"], up["basis"])
        self.mirror("org/loose")
        gone = self.hm("--json", "lineage", "org/deleted", "--down").json
        self.assertEqual([e["from"] for e in gone["edges"]], ["org/loose"], "a base that nobody has is known by those who name it")

    def test_a_base_that_no_listing_ever_had_is_known_by_the_name_beside_its_id(self):
        self.model("org/hidden", {"README.md": "private"}, private=True)
        self.model("org/child", {"README.md": card(base_model="org/hidden")})
        self.hm("crawl", "--once")
        self.assertIn("org/hidden affects 1 repository", self.hm("impact", "org/hidden").out)
        self.assertEqual(self.hm("lineage", "Org/Hidden", "--down").out.splitlines()[1], "└─ finetune  org/child  [declared]")
        up = self.hm("--json", "lineage", "org/child").json["edges"][0]["to"]
        self.assertIn("1 repository", self.hm("impact", up["id"]).out)
        self.hm("audit", "licences", "org/hidden", code=1)

    def test_what_only_spaces_use_is_known_by_them(self):
        self.repo("space", "org/demo", {"README.md": card(models=["org/vanished"])})
        self.hm("crawl", "--once")
        self.mirror("spaces/org/demo")
        self.assertIn("org/vanished affects 1 repository, of which 1 is mirrored here.", self.hm("impact", "org/vanished").out)
        down = self.hm("--json", "lineage", "org/vanished", "--down", "--relation", "uses").json
        self.assertEqual([e["from"] for e in down["edges"]], ["spaces/org/demo"])
        self.hm("impact", "org/never-named", code=1)

    def test_what_would_be_an_answer_over_nothing_is_refused(self):
        self.family()
        for args in (
            ("lineage", "org/root@main"),
            ("why", "org/adapter", "https://huggingface.co/org/root/tree/main"),
            ("impact", "org/root@main"),
            ("audit", "licences", "org/adapter@main"),
        ):
            self.assertIn("leave the revision out", self.hm(*args, code=2).err, args)
        for what in ("licence: ", "license:", "origin: "):
            self.assertIn("nothing stands behind", self.hm("impact", what, code=2).err, what)
        for relation in ("shares-files", "shares-tensors", "distilled-from"):
            self.assertIn("hubmirror audit lineage", self.hm("lineage", "org/root", "--relation", relation, code=2).err)
        for level in ("signed", "identical"):
            self.assertIn("hubmirror audit lineage", self.hm("lineage", "org/root", "--min-evidence", level, code=2).err)
            self.assertIn("hubmirror audit lineage", self.hm("why", "org/adapter", "org/root", "--min-evidence", level, code=2).err)

    def test_why(self):
        self.family()
        run = self.hm("why", "org/adapter", "org/root")
        self.assertIn("org/adapter descends from org/root in 2 steps; the weakest evidence on the way: declared.", run.out)
        self.assertRegex(run.out, r"1\. org/adapter <-adapter- org/child  \(model:[0-9a-f]{24}\)")
        self.assertRegex(run.out, r'files: adapter_config\.json /base_model_name_or_path: "org/child", read as org/child')
        self.assertRegex(run.out, r"first seen \d{4}-.* at commit [0-9a-f]{12}")
        report = self.hm("--json", "why", "org/adapter", "org/root").json
        self.assertEqual({r["hop"] for t in report["tables"] for r in t["rows"]}, {1, 2})
        reverse = self.hm("why", "org/root", "org/adapter", code=1)
        self.assertIn("org/root is not said to descend from org/adapter.", reverse.out)
        self.assertIn("The other way round it is", reverse.out)
        self.assertIn("is not said to descend", self.hm("why", "org/adapter", "org/root", "--min-evidence", "files", code=1).out)

    def test_audit_lineage(self):
        self.family()
        run = self.hm("--json", "audit", "lineage", "--all")
        found = {(f["subject"], f["rule"]): f for f in run.json["findings"]}
        self.assertIn(("org/loose", "dangling-base"), found)
        self.assertNotIn("org/adapter", {s for s, r in found if r != "dangling-dataset"})
        self.hm("audit", "lineage", "--all", "--fail-on", "warning", code=1)
        one = self.hm("audit", "lineage", "org/quantized").out
        self.assertIn("Of 1 repository (org/quantized) 1 says what it is made from", one)
        contradicted = self.model(
            "org/contradicted",
            {
                "README.md": card(base_model="org/root", base_model_relation="adapter"),
                "adapter_config.json": json.dumps({"base_model_name_or_path": "org/loose"}),
            },
        )
        self.mirror(contradicted.id)
        bad = self.hm("audit", "lineage", code=1)
        self.assertIn("problem  org/contradicted  base-contradicted\n    its files name org/loose, declared is org/root", bad.out)

    def test_audit_closure(self):
        self.family()
        run = self.hm("--json", "audit", "closure", code=1)
        found = {f["subject"]: (f["severity"], f["rule"]) for f in run.json["findings"]}
        self.assertEqual(
            found,
            {
                "org/child": ("problem", "adapter-base-missing"),
                "org/root": ("warning", "base-missing"),
                "datasets/org/data": ("note", "data-missing"),
            },
        )
        self.mirror("org/child", "org/root")
        self.assertEqual([f["severity"] for f in self.hm("--json", "audit", "closure").json["findings"]], ["note"])

    def test_impact(self):
        self.family()
        run = self.hm("impact", "org/root")
        self.assertIn("org/root affects 3 repositories, of which 2 are mirrored here.", run.out)
        self.hm("impact", "org/root", "--fail-on", "warning", code=1)
        digest = self.pointers(self.store.get("model", "org/root"))["model.safetensors"][0]
        file = self.hm("--json", "impact", digest).json
        self.assertEqual({f["subject"]: f["what"] for f in file["findings"]}, {"org/quantized": "it has the file, as copy.safetensors"})
        licence = self.hm("--json", "impact", "licence:cc-by-nc-4.0").json
        self.assertEqual({f["subject"] for f in licence["findings"]}, {"org/adapter", "org/quantized"})
        self.assertTrue(all(f["path"] for f in licence["findings"]))
        owner = self.hm("--json", "impact", "origin:org").json
        self.assertEqual({f["subject"] for f in owner["findings"]}, {"org/adapter", "org/quantized"})
        self.assert_error(self.hm("impact", "origin:ZZ", code=(1, 2)), "ZZ")
        self.assert_error(self.hm("impact", "orgin:CN", code=2), "orgin:CN", "origin:<country or owner>")

    def test_answers_are_the_same_after_a_rebuild(self):
        self.family()

        def answers():
            asked = [("lineage", "org/adapter"), ("lineage", "org/root", "--down"), ("audit", "lineage", "--all")]
            asked += [("audit", "closure"), ("impact", "org/root"), ("why", "org/adapter", "org/root")]
            return [self.hm("--json", *a, code=(0, 1)).out_bytes for a in asked]

        before = answers()
        self.hm("index", "rebuild")
        self.assertEqual(answers(), before)

    def test_wrong_use_is_said(self):
        self.family()
        self.assert_error(self.hm("lineage", "org/nobody", code=1), "org/nobody is not known here")
        self.assert_error(self.hm("lineage", "org/root", "--relation", "cousin", code=2), "cousin", "finetune")
        for command in ("lineage", "impact"):
            self.assert_error(self.hm(command, "org/root", "--html", "-", code=2), "--html", "name of a file")
        self.assert_error(self.hm("why", "org/root", "org/child", "--min-evidence", "sure", code=2), "sure", "declared")
        self.assert_error(self.hm("--json", "lineage", "org/root", "--format", "dot", code=2), "dot", "--json")


if __name__ == "__main__":
    main()
