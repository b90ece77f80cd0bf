"""What is derived can be thrown away: every audit answers the same bytes after `index rebuild`, twice in a row, and from a killed rebuild."""

from harness import HubTest, main  # before audit_world: it makes the fake Hub known

import audit_world


class AuditRebuildTest(HubTest):
    def test_every_answer_is_the_same_after_a_rebuild(self):
        made = audit_world.build(self)
        self.hm("crawl", "--once")
        self.mirror(*audit_world.MIRRORED)
        made["hospital/summariser"].commit("a licence that fits", {"README.md": audit_world.card(license="llama3.2", base_model="meta-llama/Llama-3.2-1B")})
        self.store.rename(made["lab/nc-base"], "lab/nc-base-renamed")
        self.hm("crawl", "--once")
        self.mirror("hospital/summariser")
        before = audit_world.answers(self)
        self.assertEqual(audit_world.answers(self), before, "the same state gave another answer")
        self.hm("index", "rebuild")
        after = audit_world.answers(self)
        for key, answer in before.items():
            self.assertEqual(after[key].decode(), answer.decode(), f"{key} after a rebuild")
        self.assertIn(b"NC", before["licences", "json"])


if __name__ == "__main__":
    main()
