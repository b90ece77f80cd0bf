"""Every way a Hub, its download host or the network between can misbehave: survived, or one clear error and nothing half done.

Transient trouble (it goes away) must be survived within one run. Permanent trouble ends this repository with exit code 1, while the repository
beside it is finished, and the next run, once the trouble is over, finishes the rest.
"""

import os
import re

from harness import SANITIZER, TOKEN, HubTest, blob_path, main, scaled, some, stored_blobs

from fake_hub import Lfs, LfsRandom

# Of one request that was told to wait, and of all that are then refused beside it: which of them ends first is not decided.
OUT_OF_BUDGET = r"org/bad: .*(asks to wait|wants no .* for another|is used up for another)"
INFO, DISCOVERY, UPLOAD_PACK, BATCH = "^/api/models/", "/info/refs", "/git-upload-pack", "/objects/batch"


class FaultTest(HubTest):
    settings = {"network": {"stall_timeout_ms": 5000, "retries_max": 3}}
    size = 300_000

    def setUp(self):
        super().setUp()
        self.bad = self.model("org/bad", {"config.json": "{}\n", "w.bin": LfsRandom(self.size, "w"), "v.bin": LfsRandom(2000, "v")})
        self.good = self.model("org/good", {"g.bin": LfsRandom(2000, "g")})
        self.cdn = {"port": "cdn", "path": self.bad.oid}

    def of_bad(self, path):
        """A match for requests of this kind that are about org/bad."""
        return {"port": "api", "path": f"(?=.*{path})(?=.*org/bad)" if not path.startswith("^") else path + "org/bad"}

    def rules(self, match, rule, **when):
        return {"match": match, **({"when": when} if when else {}), **rule}

    def survives(self, *rules, **options):
        self.faults(*rules)
        self.mirror("org/bad", "org/good", **options)
        self.assert_struck()
        self.check_store()
        self.assert_equals_origin(self.bad)
        self.assert_equals_origin(self.good)

    def assert_struck(self):
        for rule in self.hub.faults.state():
            self.assertGreater(rule["effects"], 0, f"the fault {rule['name']} never took effect: the test tests nothing")

    def fails(self, *patterns, rules, recovers=True, blobs_here=()):
        self.faults(*rules)
        run = self.mirror("org/bad", "org/good", code=1, measure=True)
        self.assert_struck()
        self.assert_error(run, "org/bad", *patterns)
        self.assert_equals_origin(self.good)
        self.assertEqual(self.revisions("org/bad"), [], "nothing unproven is published")
        self.check_store()
        if recovers:
            self.faults()
            self.hub.release()
            self.mirror("org/bad")
            self.assert_equals_origin(self.bad)
        return run


class StatusTest(FaultTest):
    def test_transient_statuses_everywhere(self):
        places = {
            "info": (self.of_bad(INFO), {"first": 2}),
            "discovery": (self.of_bad(DISCOVERY), {"first": 2}),
            "refs": (self.of_bad(UPLOAD_PACK), {"first": 2}),
            "pack": (self.of_bad(UPLOAD_PACK), {"nth": [2, 3]}),  # a new attempt of the fetch alone
            "batch": (self.of_bad(BATCH), {"first": 2}),
            "cdn": (self.cdn, {"first": 2}),
        }
        for number, (place, (match, when)) in enumerate(places.items()):
            for status in some((408, 500, 502, 503, 504), begin=number):
                with self.subTest(place=place, status=status):
                    self.data = os.path.join(self.dir, f"data-{place}-{status}")
                    self.survives(self.rules(match, {"do": "status", "status": status}, **when))
        self.configure(network={"retry_wait_ms_max": 5000})  # a 429 says when to come back
        for place, (match, when) in places.items():
            with self.subTest(place=place, status=429):
                self.data = os.path.join(self.dir, f"data-{place}-429")
                self.survives(self.rules(match, {"do": "status", "status": 429, "reset_s": 0}, **when))

    def test_retry_after_is_honoured(self):
        self.configure(network={"retry_wait_ms_max": 5000})
        self.survives(
            self.rules(self.cdn, {"do": "status", "status": 429, "retry_after": 1}, first=1),
            self.rules(self.of_bad(INFO), {"do": "status", "status": 503, "retry_after": 1}, first=1),
        )
        for path in ("/api/models/org/bad", self.bad.oid):
            entries = [e for e in self.hub.requests(path=path)]
            asked = next(i for i, e in enumerate(entries) if e["faults"])
            after = next(e for e in entries[asked + 1 :] if e["path"].split("?")[0] == entries[asked]["path"].split("?")[0])
            self.assertGreaterEqual(after["time"] - entries[asked]["time"], 0.95, "came back before it was asked to")

    def test_retry_after_too_long(self):
        """Who asks to be left alone for a day means every request that it counts together, so the repository beside it may end with the same words."""
        for match in (self.of_bad(INFO), self.cdn):
            with self.subTest(match):
                self.data = os.path.join(self.dir, "data-" + match["port"])
                self.faults(self.rules(match, {"do": "status", "status": 429, "retry_after": 86400}))
                run = self.mirror("org/bad", "org/good", code=(1, 3))
                self.assert_struck()
                self.assertRegex("\n".join(run.errors), OUT_OF_BUDGET)
                self.assertEqual(self.revisions("org/bad"), [], "nothing unproven is published")
                self.faults()
                self.mirror("org/bad", "org/good")
                self.assert_equals_origin(self.bad)

    def test_permanent_statuses(self):
        expected = {
            403: "403|access denied|forbidden",
            418: "418",
            404: "404|not found",
            401: "401|access denied|token",
            503: "503",
            408: "408",
            500: "500",
        }
        places = {"info": self.of_bad(INFO), "discovery": self.of_bad(DISCOVERY), "pack": self.of_bad(UPLOAD_PACK), "cdn": self.cdn}
        for number, (place, match) in enumerate(places.items()):
            for status, pattern in some(expected.items(), begin=2 * number, least=2):
                with self.subTest(place=place, status=status):
                    self.data = os.path.join(self.dir, f"data-{place}-{status}")
                    self.fails(
                        pattern, rules=[self.rules(match, {"do": "status", "status": status, "message": "because I say so"})], recovers=status == 503
                    )

    def test_rate_limited_for_good(self):
        """Being out of budget is everybody's trouble, so the repository beside it may end with the same words."""
        for place, match in {
            "info": self.of_bad(INFO),
            "discovery": self.of_bad(DISCOVERY),
            "pack": self.of_bad(UPLOAD_PACK),
            "cdn": self.cdn,
        }.items():
            with self.subTest(place):
                self.data = os.path.join(self.dir, f"data-{place}")
                self.faults(self.rules(match, {"do": "status", "status": 429, "reset_s": 100}))
                run = self.mirror("org/bad", "org/good", code=(1, 3))
                self.assertRegex("\n".join(run.errors), OUT_OF_BUDGET)
                self.faults()
                self.mirror("org/bad", "org/good")
                self.assert_equals_origin(self.bad)

    def test_batch_that_fails_leaves_resolve(self):
        for status in (404, 500, 501):
            with self.subTest(status):
                self.data = os.path.join(self.dir, f"data-{status}")
                self.survives(self.rules(self.of_bad(BATCH), {"do": "status", "status": status}))

    def test_expired_signed_urls(self):
        self.survives(self.rules(self.cdn, {"do": "expired"}, first=2))

    def test_urls_expire_in_the_middle(self):
        self.configure(mirror={"files_parallel": 1, "ranges_per_file": 1})
        self.survives(self.rules(self.cdn, {"do": "expire_urls"}, nth=1), self.rules(self.cdn, {"do": "reset", "after_bytes": 1000}, nth=2))

    def test_urls_good_for_one_request(self):
        self.restart_hub(url_uses=1)
        big = self.model("org/big", {"big.bin": LfsRandom(40 << 20, "big")})
        self.mirror("org/big")
        self.assert_equals_origin(big)

    def test_urls_never_good(self):
        self.fails("403|expired|denied", rules=[self.rules(self.cdn, {"do": "expired"})])

    def test_gated_while_mirroring(self):
        self.fails(
            "access denied|403|gated",
            rules=[
                self.rules(self.of_bad(BATCH), {"do": "status", "status": 403, "code": "GatedRepo"}),
                self.rules(self.of_bad("/resolve/"), {"do": "status", "status": 403, "code": "GatedRepo"}),
            ],
        )

    def test_quota_of_the_hub(self):
        """The Hub's own limits are kept without ever being told off: not one 429."""
        self.restart_hub(enforce_quotas=True, quotas={"api": 20, "resolvers": 20, "pages": 20}, window_s=2)
        self.configure(network={"retry_wait_ms_max": 10_000})
        repos = [self.model(f"org/q{i}", {"q.bin": LfsRandom(100 + i, i)}) for i in range(12)]
        self.mirror(*[r.id for r in repos])
        for repo in repos:
            self.assert_equals_origin(repo)
        self.assertEqual([e["path"] for e in self.hub.requests() if e["status"] == 429], [])


class ConnectionTest(FaultTest):
    def test_resets_and_closes_everywhere(self):
        places = {
            "info": self.of_bad(INFO),
            "discovery": self.of_bad(DISCOVERY),
            "refs": self.of_bad(UPLOAD_PACK),
            "batch": self.of_bad(BATCH),
            "cdn": self.cdn,
        }
        for number, (place, match) in enumerate(places.items()):
            for do, after in some((("reset", None), ("reset", 0), ("reset", 0.5), ("close", 0), ("close", 0.5)), begin=number):
                with self.subTest(place=place, do=do, after=after):
                    self.data = os.path.join(self.dir, f"data-{place}-{do}-{after}")
                    rule = {"do": do} | ({} if after is None else {"after_bytes": after})
                    self.survives(self.rules(match, rule, first=2))

    def test_cut_in_the_pack(self):
        for do in ("reset", "close"):
            for at in (10, 60, 300):
                with self.subTest(do=do, at=at):
                    self.data = os.path.join(self.dir, f"data-{do}-{at}")
                    self.survives(self.rules(self.of_bad(UPLOAD_PACK), {"do": do, "after_bytes": at}, nth=2))

    def test_pack_that_never_comes_whole(self):
        self.fails("org/bad", rules=[self.rules(self.of_bad(UPLOAD_PACK), {"do": "close", "after_bytes": 300}, after=1)])

    def test_reset_after_each_piece(self):
        """Progress counts: the file arrives although no single answer does, in more attempts than there are for one without progress."""
        self.configure(mirror={"files_parallel": 1, "ranges_per_file": 1})
        size = 1_000_000
        big = self.model("org/big", {"big.bin": LfsRandom(size, "big")})
        self.faults(self.rules({"port": "cdn"}, {"do": "reset", "after_bytes": 80_000}, first=9))
        self.mirror("org/big")
        self.assert_struck()
        self.assert_equals_origin(big)
        self.assertLess(sum(e["bytes"] for e in self.hub.requests("cdn")), size + 9 * 80_000, "what came before a reset is kept")

    def test_never_a_whole_file(self):
        self.fails("w.bin|v.bin", rules=[self.rules(self.cdn, {"do": "reset", "after_bytes": 0})])

    def test_stalls_everywhere(self):
        self.configure(network={"stall_timeout_ms": 1500})
        places = {
            "info": self.of_bad(INFO),
            "discovery": self.of_bad(DISCOVERY),
            "refs": self.of_bad(UPLOAD_PACK),
            "batch": self.of_bad(BATCH),
            "cdn": self.cdn,
        }
        for place, match in places.items():
            for after in (None, 10):
                with self.subTest(place=place, after=after):
                    self.data = os.path.join(self.dir, f"data-{place}-{after}")
                    self.survives(self.rules(match, {"do": "stall"} | ({} if after is None else {"after_bytes": after}), nth=1))

    def test_stalls_for_ever(self):
        self.configure(network={"stall_timeout_ms": 1500})
        for match in (self.of_bad(INFO), self.of_bad(UPLOAD_PACK), self.cdn):
            with self.subTest(match):
                self.data = os.path.join(self.dir, "data-" + re.sub(r"\W", "", str(match)))
                self.fails("stall|no byte|silent|timed? ?out|unreachable", rules=[self.rules(match, {"do": "stall"})])

    def test_trickle_on_small_answers(self):
        """A byte now and then keeps a stall clock quiet, also when the whole takes longer than a stall may."""
        self.configure(network={"stall_timeout_ms": 5000})
        self.survives(self.rules(self.cdn, {"do": "trickle", "bytes_per_s": 50_000}))
        self.assertEqual(len(self.hub.requests("cdn", path=self.bad.oid)), 2, "none was taken for stalled")

    def test_delays_are_no_fault(self):
        self.survives(self.rules({}, {"do": "delay", "ms": 150}))

    def test_endless_headers(self):
        for match in (self.of_bad(INFO), self.of_bad(DISCOVERY), self.of_bad(UPLOAD_PACK), self.cdn):
            with self.subTest(match):
                self.data = os.path.join(self.dir, "data-" + re.sub(r"\W", "", str(match)))
                self.fails("header|limit|larger", rules=[self.rules(match, {"do": "endless_headers"})], recovers=False)
                self.assertLess(max(e["bytes"] for e in self.hub.requests()), 64 << 20, "read far beyond any sensible head")

    def test_endless_bodies(self):
        self.configure(mirror={"git_pack_bytes_max": 8 << 20}, network={"retries_max": 1})
        for match in (self.of_bad(INFO), self.of_bad(DISCOVERY), self.of_bad(UPLOAD_PACK)):
            with self.subTest(match):
                self.data = os.path.join(self.dir, "data-" + re.sub(r"\W", "", str(match)))
                self.fails(rules=[self.rules(match, {"do": "endless_body"})], recovers=False)
                self.hub.wait_idle()
                self.assertLess(max(e["bytes"] for e in self.hub.requests()), 512 << 20, "read far beyond any limit")

    def test_endless_file(self):
        """The bytes that were asked for are taken, what follows is not."""
        self.survives(self.rules(self.cdn, {"do": "endless_body"}))
        self.hub.wait_idle()
        self.assertLess(sum(e["bytes"] for e in self.hub.requests("cdn")), 64 << 20)

    def test_endless_batch_leaves_resolve(self):
        self.survives(self.rules(self.of_bad(BATCH), {"do": "endless_body"}))

    def test_endless_error_pages(self):
        """Only the beginning of an error's body is read."""
        self.fails("500", rules=[self.rules(self.of_bad(INFO), {"do": "status", "status": 500, "body": "x" * (8 << 20)})])

    def test_chaos(self):
        for seed in range(scaled(6)):
            with self.subTest(seed):
                self.data = os.path.join(self.dir, f"data-{seed}")
                self.faults(seed=seed, chaos={"rate": 0.06, "times": 3})
                for _ in range(6):
                    run = self.mirror("org/bad", "org/good", code=(0, 1, 3))
                    self.check_store()
                    if run.code == 0:
                        break
                self.faults()
                self.mirror("org/bad", "org/good")
                self.assert_equals_origin(self.bad)
                self.assert_equals_origin(self.good)


class BodyTest(FaultTest):
    def test_length_that_lies_once(self):
        for delta in (-1000, -1, 1, 1000):
            for match in (self.cdn, self.of_bad(BATCH)):
                with self.subTest(delta=delta, match=match):
                    self.data = os.path.join(self.dir, f"data-{delta}-" + re.sub(r"\W", "", str(match)))
                    self.survives(self.rules(match, {"do": "length", "delta": delta}, first=1))
            with self.subTest(delta=delta, match="info"):
                self.data = os.path.join(self.dir, f"data-{delta}-info")
                rule = self.rules(self.of_bad(INFO), {"do": "length", "delta": delta}, first=1)
                if delta > 0:
                    self.survives(rule)
                else:  # whole by its length, cut off as JSON: an answer like any other that makes no sense
                    self.fails("JSON", rules=[rule])

    def test_length_that_always_lies(self):
        for delta in (-1, 1):
            with self.subTest(delta):
                self.data = os.path.join(self.dir, f"data-{delta}")
                self.fails("w.bin|v.bin", rules=[self.rules(self.cdn, {"do": "length", "delta": delta})])

    def test_bytes_beyond_the_end(self):
        self.survives(self.rules(self.cdn, {"do": "extra", "bytes": 100}, first=2))

    def test_range_ignored(self):
        big = self.model("org/big", {"big.bin": LfsRandom(40 << 20, "big")})
        self.faults(self.rules({"port": "cdn"}, {"do": "ignore_range"}))
        self.mirror("org/big")
        self.assert_equals_origin(big)

    def test_range_ignored_once_in_the_middle(self):
        big = self.model("org/big", {"big.bin": LfsRandom(70 << 20, "big")})
        self.faults(
            self.rules({"port": "cdn"}, {"do": "reset", "after_bytes": 17 << 20}, nth=1),
            self.rules({"port": "cdn"}, {"do": "ignore_range"}, nth=[2, 3]),
        )
        self.mirror("org/big")
        self.assert_equals_origin(big)

    def test_content_range_that_lies(self):
        big = self.model("org/bad2", {"big.bin": LfsRandom(40 << 20, "big")})
        rules = (
            {"shift": 1},
            {"shift": -1},
            {"total": 7},
            {"value": "bytes 0-0/1"},
            {"value": "lines 1-2"},
            {"value": "bytes */*"},
            {"value": "bytes 9-1/5"},
            {"drop": True},
            {"value": f"bytes 0-{2**64}/{2**65}"},
        )
        for rule in some(rules, least=3):
            with self.subTest(rule):
                self.data = os.path.join(self.dir, "data-" + re.sub(r"\W", "", str(rule)))
                self.faults(self.rules({"port": "cdn", "range": True}, {"do": "content_range", **rule}, first=2))
                run = self.mirror("org/bad2", code=(0, 1))
                if run.code == 1:  # "the whole file has one byte" contradicts the pointer: no reason to ask again and again
                    self.assert_error(run, "big.bin", "size|range")
                self.check_store()
                self.mirror("org/bad2")
                self.assert_equals_origin(big)

    def test_content_range_that_always_lies(self):
        big = self.model("org/bad2", {"big.bin": LfsRandom(40 << 20, "big")})
        self.faults(self.rules({"port": "cdn", "range": True}, {"do": "content_range", "shift": 16}))
        self.assert_error(self.mirror("org/bad2", code=(1, 3)), "range", "big.bin")
        self.assert_nothing_of(big)

    def test_etag_changes_mid_file(self):
        big = self.model("org/bad2", {"big.bin": LfsRandom(70 << 20, "big")})
        self.faults(
            self.rules({"port": "cdn"}, {"do": "reset", "after_bytes": 17 << 20}, nth=1), self.rules({"port": "cdn"}, {"do": "etag_change"}, after=1)
        )
        self.mirror("org/bad2")
        self.assert_equals_origin(big)

    def test_transfer_encodings_nobody_asked_for(self):
        self.survives(self.rules(self.cdn, {"do": "headers", "set": {"Content-Encoding": "identity"}}))
        self.data = os.path.join(self.dir, "data2")
        self.fails(rules=[self.rules(self.cdn, {"do": "headers", "set": {"Content-Encoding": "gzip"}})])

    def test_gzip_bombs(self):
        for match in (self.of_bad(INFO), self.of_bad(DISCOVERY), self.of_bad(UPLOAD_PACK), self.cdn):
            with self.subTest(match):
                self.data = os.path.join(self.dir, "data-" + re.sub(r"\W", "", str(match)))
                run = self.fails(rules=[self.rules(match, {"do": "gzip_bomb", "size": 4 << 30})], recovers=False)
                if not SANITIZER:
                    self.assertLess(run.rss_kib, 256 << 10, "unpacked into memory")

    def test_json_of_every_wrong_kind(self):
        variants = (
            "invalid",
            "truncated",
            "wrong_types",
            "array_items_wrong",
            "nested",
            "nested_object",
            "html",
            "empty",
            "null",
            "bad_utf8",
            "nul",
            "trailing",
        )
        for variant in some(variants):
            with self.subTest(place="info", variant=variant):
                self.data = os.path.join(self.dir, f"data-info-{variant}")
                self.fails(rules=[self.rules(self.of_bad(INFO), {"do": "json", "variant": variant})], recovers=variant == "html")
        for variant in some(variants, begin=1):
            with self.subTest(place="batch", variant=variant):
                self.data = os.path.join(self.dir, f"data-batch-{variant}")
                self.faults(self.rules(self.of_bad(BATCH), {"do": "json", "variant": variant}))
                run = self.mirror("org/bad", "org/good", code=(0, 1))  # resolve is the way round; a clear error would do as well
                if run.code == 1:
                    self.assert_error(run, "org/bad")
                self.check_store()
                self.assert_equals_origin(self.good)

    def test_huge_json(self):
        self.configure(network={"stall_timeout_ms": 60_000})
        self.fails(
            "larger|limit|MiB|bytes",
            rules=[self.rules(self.of_bad(INFO), {"do": "body", "text": '{"id": "org/bad", "pad": "' + "x" * (80 << 20) + '"}'})],
            recovers=False,
        )

    def test_names_that_would_act_on_a_terminal(self):
        run = self.fails(
            rules=[self.rules(self.of_bad(INFO), {"do": "body", "text": '{"id": "org/\\u001b]0;owned\\u0007", "_id": "' + "a" * 24 + '"}'})]
        )
        self.assertNotIn("\x1b", run.err)

    def test_error_messages_that_would_act_on_a_terminal(self):
        self.fails(
            "404",
            rules=[
                self.rules(
                    self.of_bad(INFO),
                    {
                        "do": "status",
                        "status": 404,
                        "message": "x",
                        "body": '{"error": "\\u001b[2Jhubmirror: all is well\\nhubmirror: error: forged"}',
                    },
                )
            ],
        )

    def test_another_repository_answers(self):
        """The info of one repository under the name of another must not mix their copies."""
        self.faults(
            self.rules(self.of_bad(INFO), {"do": "body", "text": '{"id": "../../etc", "_id": "../../../../etc/passwd", "sha": "' + "0" * 40 + '"}'})
        )
        self.assert_error(self.mirror("org/bad", code=1), "org/bad")
        self.assertEqual(sorted(os.listdir(self.dir)), sorted({"home", "data", "hub", "hubmirror.toml"}))

    def test_corrupt_packs(self):
        """A byte of the pack is flipped: found by the pack's own digest, at whatever place."""
        for at in (4, 8, 12, 14, 40, 100, -1):
            with self.subTest(at):
                self.data = os.path.join(self.dir, f"data-{at}")
                self.faults(self.rules(self.of_bad(UPLOAD_PACK), {"do": "corrupt_pack", "at": at if at >= 0 else "random"}, after=1))
                run = self.mirror("org/bad", "org/good", code=1)
                self.assert_error(run, "org/bad")
                self.assert_struck()
                self.assert_equals_origin(self.good)
                self.faults()
                self.mirror("org/bad")
                self.assert_equals_origin(self.bad)

    def test_corrupt_pack_once(self):
        self.faults(self.rules(self.of_bad(UPLOAD_PACK), {"do": "corrupt_pack", "at": 100}, nth=2))
        self.mirror("org/bad", "org/good", code=(0, 1))
        self.faults()
        self.mirror("org/bad")
        self.assert_equals_origin(self.bad)

    def test_nonsense_from_git(self):
        texts = (
            "",
            "0000",
            "zzzz",
            "ffff",
            "001e# service=git-upload-pack\n",
            "001e# service=git-upload-pack\n0000",
            "003f" + "0" * 40 + " refs/heads/main\n0000",
            "0004",
            "0003",
            "<html>login</html>",
            "001e# service=git-upload-pack\n0000" + "0032" + "1" * 40 + " refs/../x\n0000",
            "0000" * 100_000,
        )
        for number, path in enumerate((DISCOVERY, UPLOAD_PACK)):
            for text in some(texts, begin=number):
                with self.subTest(path=path, text=text[:40]):
                    self.data = os.path.join(self.dir, "data-" + re.sub(r"\W", "", path) + str(texts.index(text)))
                    self.faults(self.rules(self.of_bad(path), {"do": "body", "text": text}))
                    run = self.mirror("org/bad", "org/good", code=(0, 1))
                    if run.code == 0:  # an empty repository is a legal answer to the question which refs there are
                        self.assertEqual(self.show("org/bad")["revisions"], [])
                    else:
                        self.assert_error(run, "org/bad")
                    self.assert_equals_origin(self.good)


class FlipTest(HubTest):
    """Right length, one byte wrong, in a hundred files."""

    def setUp(self):
        super().setUp()
        self.origin = self.model("org/flips", {f"f{i:03}.bin": LfsRandom(1 + i * 911, f"flip{i}") for i in range(100)})

    def quarantined(self):
        return [os.path.join(f, n) for f, _, names in os.walk(os.path.join(self.data, "quarantine")) for n in names]

    def test_permanent_flips_100_of_100(self):
        self.faults({"name": "flip", "do": "flip_byte", "match": {"port": "cdn"}})
        run = self.hm("--json", "mirror", "org/flips", code=1)
        problems = run.json["repos"][0]["problems"]
        self.assertEqual(len(problems), 100, "each of them is named")
        self.assertEqual(stored_blobs(self.data), [], "none of them got a name")
        pointers = self.pointers(self.origin)
        for problem in problems:
            wanted, size = pointers[problem["path"]]
            digests = set(re.findall(r"\b[0-9a-f]{64}\b", problem["what"]))
            self.assertIn(wanted, digests)
            self.assertGreaterEqual(len(digests), 2, f"both digests are told: {problem}")
        self.assertEqual(self.show("org/flips")["revisions"], [])
        text = self.mirror("org/flips", code=1)
        self.assert_error(text, "org/flips", r"[0-9a-f]{64}.*[0-9a-f]{64}")
        self.faults()
        self.mirror("org/flips")
        self.assert_equals_origin(self.origin)

    def test_transient_flips_are_survived(self):
        self.faults({"name": "flip", "do": "flip_byte", "match": {"port": "cdn"}, "when": {"first": 1, "per": "path"}})
        self.mirror("org/flips")
        self.assertEqual(self.hub.faults.state()[0]["effects"], 100)
        self.assert_equals_origin(self.origin)

    def test_flip_in_a_large_file(self):
        repo = self.model("org/big", {"big.bin": LfsRandom(50 << 20, "big")})
        for at in (0, 16 << 20, (50 << 20) - 1):
            with self.subTest(at):
                self.data = os.path.join(self.dir, f"data-{at}")
                self.faults({"do": "flip_byte", "at": at, "match": {"port": "cdn"}})
                self.assert_error(self.mirror("org/big", code=1), r"[0-9a-f]{64}.*[0-9a-f]{64}")
                self.assertEqual(stored_blobs(self.data), [])
                self.faults()
                self.mirror("org/big")
                self.assert_equals_origin(repo)

    def test_swapped_files(self):
        """The bytes of another file of the same size under this digest."""
        repo = self.model("org/two", {"a.bin": Lfs(b"a" * 5000), "b.bin": Lfs(b"b" * 5000)})
        a, b = (self.pointers(repo)[n][0] for n in ("a.bin", "b.bin"))
        self.hub.xet_hash(a), self.hub.xet_hash(b)
        table = self.hub.cdn._sha256_of
        table[self.hub.xet_hash(a)] = b
        original = self.hub.cdn.xet_hash
        self.hub.cdn.xet_hash = lambda sha256: original(b if sha256 == a else sha256)
        run = self.mirror("org/two", code=1)
        self.assert_error(run, a, b)
        self.assertFalse(os.path.exists(blob_path(self.data, a)))
        self.hub.cdn.xet_hash = original
        table[original(a)] = a
        self.mirror("org/two")
        self.assert_equals_origin(repo)


class RedirectTest(HubTest):
    """Where an answer may lead, and what goes along."""

    def setUp(self):
        super().setUp()
        self.origin = self.sample("org/name")
        self.good = self.model("org/good", {"README.md": "x"})

    def refused(self, location, match, *patterns, **rule):
        self.faults({"do": "redirect", "location": location, "match": match, **rule})
        run = self.mirror("org/name", "org/good", code=1)
        self.assert_error(run, "org/name", *patterns)
        self.assertTrue(self.hub.faults.state()[0]["effects"])
        self.assert_equals_origin(self.good)
        self.assert_nothing_of(self.origin)

    def places(self):
        return {
            "info": {"path": "^/api/models/org/name"},
            "git": {"path": "org/name(.git)?/info/refs"},
            "cdn": {"port": "cdn", "path": self.origin.oid},
        }

    def test_forbidden_targets(self):
        targets = {
            "http://10.0.0.1/x": "10.0.0.1",
            "http://192.168.1.1/": "192.168.1.1",
            "http://172.16.5.4:8080/": "172.16.5.4",
            "http://169.254.169.254/latest/meta-data/": "169.254.169.254",
            "http://127.0.0.2/": "127.0.0.2",
            "http://[::1]/": "::1",
            "http://[fe80::1]/": "fe80",
            "http://[fd00::1]/": "fd00",
            "http://[::ffff:127.0.0.1]/": "127.0.0.1|::ffff",
            "http://0.0.0.0/": "0.0.0.0",
            "http://2130706433/": "2130706433|127",
            "http://0x7f.1/": "0x7f|127",
            "http://127.1/": "127",
            "http://100.64.0.1/": "100.64",
            "http://localhost:1/": "localhost",
            "file:///etc/passwd": "file",
            "ftp://127.0.0.1/x": "ftp",
            "gopher://127.0.0.1/x": "gopher",
            "javascript:alert(1)": "",
            "data:text/plain,x": "",
            "http://user:password@10.0.0.1/": "",
            "//10.0.0.1/x": "10.0.0.1",
            "http://": "",
            "http://[": "",
            "": "",
            "http://a b/": "",
        }
        for number, (place, match) in enumerate(self.places().items()):
            for location, pattern in some(targets.items(), begin=2 * number):
                with self.subTest(place=place, location=location):
                    self.data = os.path.join(self.dir, "data-" + re.sub(r"\W", "_", place + location))
                    self.refused(location, match, *([pattern] if pattern else []))

    def test_no_connection_was_made(self):
        """A listener on another loopback address sees nobody."""
        import socket

        with socket.socket() as listener:
            listener.bind(("127.0.0.7", 0))
            listener.listen(8)
            listener.setblocking(False)
            port = listener.getsockname()[1]
            for place, match in self.places().items():
                for host in ("127.0.0.7", "[::ffff:127.0.0.7]", "2130706439"):
                    with self.subTest(place=place, host=host):
                        self.data = os.path.join(self.dir, "data-" + re.sub(r"\W", "_", place + host))
                        self.refused(f"http://{host}:{port}/x", match)
            with self.assertRaises(BlockingIOError):
                listener.accept()

    def test_names_of_private_addresses(self):
        """The download host has a name; what it resolves to decides."""
        self.restart_hub(cdn_host="localhost")
        run = self.mirror("org/name", "org/good", code=1)  # 127.0.0.1:port is allowed, localhost:port is not
        self.assert_error(run, "localhost", "private|loopback|allow-private")
        self.assertEqual(self.hub.requests("cdn"), [])
        self.hm("--allow-private", f"localhost:{self.hub.cdn_server.port}", "mirror", "org/name")
        self.assert_equals_origin(self.origin)

    def test_download_host_that_nobody_allowed(self):
        self.allow_cdn = False
        self.assert_error(self.mirror("org/name", "org/good", code=1), "127.0.0.1", "private|loopback", "--allow-private")
        self.assertEqual(self.hub.requests("cdn"), [])
        self.assert_equals_origin(self.good)
        self.hm("--allow-private", "127.0.0.1", "mirror", "org/name")  # any port of that host
        self.assert_equals_origin(self.origin)

    def test_loops(self):
        for place, match in self.places().items():
            for absolute in (False, True):
                with self.subTest(place=place, absolute=absolute):
                    self.data = os.path.join(self.dir, f"data-{place}-{absolute}")
                    self.hub.log.clear()
                    self.faults({"do": "redirect_loop", "absolute": absolute, "match": match})
                    self.assert_error(self.mirror("org/name", code=1), "redirect")
                    hops = [e for e in self.hub.requests() if "hop=" in e["path"]]
                    self.assertLessEqual(len(hops), 5 * 8, "at most five per request")
                    self.assertLessEqual(max(int(re.search(r"hop=(\d+)", e["path"])[1]) for e in hops), 5)

    def test_https_to_http(self):
        other = self.start_hub(store=self.store)
        self.restart_hub(tls=True)
        self.configure(
            upstream={"ca_file": self.hub.ca_file, "allow_private": [f"127.0.0.1:{other.api_server.port}", f"127.0.0.1:{other.cdn_server.port}"]}
        )
        for place, match in {"info": {"path": "^/api/models/org/name"}, "git": {"path": "org/name(.git)?/info/refs"}}.items():
            with self.subTest(place):
                self.data = os.path.join(self.dir, "data-" + place)
                self.refused(other.endpoint + "/api/models/org/name", match, "http")
        self.assertEqual(other.requests(), [])

    def test_token_does_not_follow_to_another_origin(self):
        other = self.start_hub(store=self.store)
        self.hub.options.tokens[TOKEN] = {"name": "a", "private": ["*"]}
        self.configure(upstream={"allow_private": [f"127.0.0.1:{other.api_server.port}", f"127.0.0.1:{other.cdn_server.port}"]})
        self.faults({"do": "redirect", "location": other.endpoint + "{target}", "match": {"path": "/info/refs"}})
        self.mirror("org/name", env={"HF_TOKEN": TOKEN}, code=(0, 1))
        self.assertTrue(any(n.lower() == "authorization" for e in self.hub.requests("api") for n, _ in e["headers"]), "the origin itself gets it")
        self.assertTrue(other.requests())
        for entry in other.requests():
            for name, value in entry["headers"]:
                self.assertNotIn(TOKEN, value)
                self.assertNotEqual(name.lower(), "authorization")

    def test_harmless_redirects_are_followed(self):
        self.faults(
            {
                "do": "redirect",
                "location": "/api/models/org/name?again=1",
                "status": 307,
                "match": {"path": "^/api/models/org/name$"},
                "when": {"first": 1},
            },
            {
                "do": "redirect",
                "location": "{api}/org/name/info/refs?service=git-upload-pack",
                "status": 302,
                "match": {"path": "/info/refs"},
                "when": {"first": 1},
            },
            {"do": "redirect", "location": "{cdn}{target}", "status": 302, "match": {"port": "cdn"}, "when": {"first": 1}},
        )
        self.mirror("org/name")
        self.assert_equals_origin(self.origin)


if __name__ == "__main__":
    main()
