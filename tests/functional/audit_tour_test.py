"""The audits over a small Hub: the six questions of docs/audits.md, and the same bytes for the same state, also after `index rebuild`."""

import os

from harness import HubTest, main  # before audit_world: it makes the fake Hub known

import audit_world


COMMERCIAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../config/licences/policies/commercial.toml")


class AuditTourTest(HubTest):
    def setUp(self):
        super().setUp()
        self.made = audit_world.build(self)
        self.hm("crawl", "--once")
        self.mirror(*audit_world.MIRRORED)
        fitting = audit_world.card(license="llama3.2", base_model="meta-llama/Llama-3.2-1B")
        self.made["hospital/summariser"].commit("a licence that fits", {"README.md": fitting})
        self.store.rename(self.made["lab/nc-base"], "lab/nc-base-renamed")
        self.hm("crawl", "--once")
        self.mirror("hospital/summariser")

    def ask(self, *args, code=0):
        return self.hm(*args, code=code).out

    def test_the_six_questions(self):
        answer = self.ask("audit", "licences", "--accept", COMMERCIAL, code=1)
        self.assertIn("The policy commercial.toml accepts 4, refuses 2, and cannot decide 2.", answer)
        self.assertIn("refuses it: non-commercial: CC-BY-NC-4.0 (inherited)", answer)
        self.assertIn("bank/scorer <-finetune declared- lab/nc-base-renamed (listing baseModels: lab/nc-base), CC-BY-NC-4.0", answer)
        self.assertIn("no licence declared: 1; neither listing nor card nor files say one", answer)
        self.assertIn("ancestors without a known licence: 1", answer)
        self.ask("audit", "licences", "--accept", COMMERCIAL, "Qwen/Qwen2.5-0.5B")
        self.hm("audit", "licences", "--accept", os.path.join(self.dir, "not-there.toml"), code=2)
        answer = self.ask("impact", "Qwen/Qwen2.5-0.5B")
        self.assertIn("affects 3 repositories, of which 2 are mirrored here", answer)
        answer = self.ask("audit", "origins", "--refuse", "CN", code=1)
        self.assertIn("3 of 8 repositories have a publisher or a root base from CN.", answer)
        answer = self.ask("audit", "history", "--since", "2026-03-01", code=1)
        self.assertIn("and was mit (stricter)", answer)
        self.assertIn("Nothing that matters changed upstream since 2999-01-01", self.ask("audit", "history", "--since", "2999-01-01"))
        digest = self.pointers(self.made["shadow/renamed-weights"])["model.safetensors"][0]
        answer = self.ask("--json", "impact", digest)
        self.assertIn("shadow/renamed-weights", answer)
        self.assertIn("Qwen/Qwen2.5-0.5B", answer)
        self.assertIn("undeclared-parent", self.ask("audit", "lineage", "--fail-on", "warning", code=1))
        answer = self.ask("audit", "closure")
        self.assertIn("someone/deleted-model", answer)

    def test_pages_need_nothing_else(self):
        for args in (("audit", "licences"), ("impact", "Qwen/Qwen2.5-0.5B"), ("report", "ecosystem"), ("lineage", "hospital/triage-gguf")):
            path = os.path.join(self.dir, "page.html")
            self.hm(*args, "--html", path, code=(0, 1))
            with open(path, encoding="utf-8") as f:
                text = f.read()
            self.assertIn("default-src 'none'", text, args)
            self.assertNotRegex(text, r"<(script|link|img|iframe)\b", args)
        run = self.hm("audit", "licences", "--html", os.path.join(self.dir, "no/such/folder.html"), code=2)
        self.assertIn("make the folder", run.err)
        for target in (self.dir, "/dev/full"):
            run = self.hm("audit", "licences", "--html", target, code=2)
            self.assertIn("name a new file", run.err)
        theirs, link = path + ".new", os.path.join(self.dir, "link.html")
        with open(theirs, "w", encoding="utf-8") as f:
            f.write("theirs")
        os.symlink("page.html", link)
        self.hm("audit", "closure", "--html", link, code=(0, 1))
        self.assertTrue(os.path.islink(link))
        with open(theirs, encoding="utf-8") as f:
            self.assertEqual(f.read(), "theirs")

    def test_every_answer_is_the_same_after_a_rebuild(self):
        before = audit_world.answers(self)
        self.assertEqual(audit_world.answers(self), before, "the same state gave another answer")
        self.hm("index", "rebuild")
        after = audit_world.answers(self)
        for key, answer in before.items():
            self.assertEqual(after[key].decode(), answer.decode(), f"{key} after a rebuild")
        self.assertIn(b"NC", before["licences", "json"])


if __name__ == "__main__":
    main()
