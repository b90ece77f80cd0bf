"""digest: models that share weights are found by their tensors, whatever their files are called and however they are cut."""

import json
import os
import random
import signal
import struct

from harness import HubTest, main, wait_until

from fake_hub import Lfs

WEIGHTS = 10
COUNT = 4096  # floats of a weight: 16 KiB, enough to be evidence


def f32(seed):
    numbers = random.Random(seed)
    return struct.pack(f"<{COUNT}f", *(numbers.uniform(-1, 1) for _ in range(COUNT)))


def model(seed):
    """{name: bytes}: ten weights, and a norm of ones that every model of the architecture has."""
    return {f"layers.{i}.weight": f32(f"{seed}-{i}") for i in range(WEIGHTS)} | {"norm.weight": struct.pack(f"<{COUNT}f", *[1.0] * COUNT)}


def safetensors(tensors, metadata=None):
    header, at = ({"__metadata__": metadata} if metadata else {}), 0
    for name, data in tensors.items():
        header[name] = {"dtype": "F32", "shape": [len(data) // 256, 64], "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(tensors.values())


def gguf(tensors):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    out, at = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1) + text("general.architecture") + struct.pack("<I", 8) + text("llama"), 0
    for i, data in enumerate(tensors.values()):
        out += text(f"blk.{i}.weight") + struct.pack("<IQQIQ", 2, 64, len(data) // 256, 0, at)  # dims turned round, type F32
        at += len(data)
    return out + b"\0" * (-len(out) % 32) + b"".join(tensors.values())


def split(tensors, names):
    return {name: tensors[name] for name in names}


class DigestTest(HubTest):
    def digest(self, *args, **options):
        return self.hm("--json", "digest", *args, **options).json

    def kin(self, repo):
        """{name: kind} of those that share its weights."""
        (one,) = self.digest(repo)["repos"]
        return {k["repo"]: k["kinship"] for k in one["kin"]}

    def undeclared_parents(self, repo):
        (one,) = self.digest(repo)["repos"]
        return [k["repo"] for k in one["kin"] if k["undeclared_parent"]]

    def digested(self):
        return [e for e in self.hm("--json", "changes", "--since", "2020-01-01").json if e["t"] == "digests"]

    def family(self):
        base = model("base")
        self.model("org/base", {"model.safetensors": Lfs(safetensors(base, {"format": "pt"}))}, created_s=1_700_000_000)
        names = list(reversed(base))
        shards = {"a-00001-of-00002.safetensors": safetensors(split(base, names[:4])), "a-00002-of-00002.safetensors": safetensors(split(base, names[4:]))}
        self.model("org/resaved", {name: Lfs(data) for name, data in shards.items()}, created_s=1_710_000_000)
        tuned = base | {"layers.3.weight": f32("tuned")}
        self.model("org/tuned", {"model.safetensors": Lfs(safetensors(tuned))}, created_s=1_720_000_000)
        self.model("org/gguf", {"m-f32.gguf": Lfs(gguf(base))}, created_s=1_730_000_000)
        self.model("org/unrelated", {"model.safetensors": Lfs(safetensors(model("other")))}, created_s=1_740_000_000)
        self.mirror("org/base", "org/resaved", "org/tuned", "org/gguf", "org/unrelated")

    def test_kin_are_found_as_far_as_bytes_allow(self):
        self.family()
        first = self.digest()
        self.assertEqual({r["repo"]: (r["files"], r["tensors"]) for r in first["repos"]},
                         {"org/base": (1, 11), "org/resaved": (2, 11), "org/tuned": (1, 11), "org/gguf": (1, 11), "org/unrelated": (1, 11)})
        self.assertEqual(first["undigested"], [])
        self.assertEqual(self.kin("org/base"), {"org/resaved": "same", "org/tuned": "derived", "org/gguf": "same"})
        self.assertEqual(self.kin("org/unrelated"), {}, "a norm of ones is no evidence")
        self.assertEqual(self.undeclared_parents("org/resaved"), ["org/base"])
        self.assertIn("org/base", self.undeclared_parents("org/tuned"))
        self.assertIn("org/base", self.undeclared_parents("org/gguf"))
        self.assertEqual(self.undeclared_parents("org/base"), [], "it was there first")
        (tuned,) = (k for k in self.digest("org/tuned")["repos"][0]["kin"] if k["repo"] == "org/base")
        self.assertEqual((tuned["common_bytes"], tuned["smaller_bytes"], tuned["tensors"]), (9 * 4 * COUNT, 10 * 4 * COUNT, 9))
        self.assertIn("90.0 % of the smaller model's weights, 144.0 KiB, shared with org/base, an undeclared parent", self.hm("digest", "org/tuned").out)

    def test_the_audit_of_lineage_names_undeclared_parents(self):
        self.family()
        self.store.get("model", "org/gguf").commit("card", {"README.md": "---\nbase_model: org/base\n---\n"})
        self.mirror("org/gguf")
        self.assertEqual(self.strangers(), {}, "no file is equal to another")
        self.digest()
        self.assertEqual(set(self.strangers()), {"org/resaved", "org/tuned"}, "neither what names its base nor what is unrelated")
        self.assertIn("100.0 % of the smaller model's weights, 160.0 KiB, are tensors of org/base", self.strangers()["org/resaved"])

    def strangers(self):
        """{repo: finding} of undeclared parents."""
        report = self.hm("--json", "audit", "lineage").json
        return {f["subject"]: f["what"] for f in report["findings"] if f["rule"] == "undeclared-parent"}

    def test_what_has_digests_is_not_read_again(self):
        self.family()
        self.digest()
        entries = len(self.digested())
        again = self.digest()
        self.assertEqual([(r["files"], r["bytes"]) for r in again["repos"]], [(0, 0)] * 5)
        self.assertEqual(len(self.digested()), entries)
        self.store.get("model", "org/base").commit("words", {"README.md": "# other words\n"})
        self.mirror("org/base")
        self.assertEqual(self.digest("org/base")["repos"][0]["files"], 0, "another commit with the same weights")
        twice = self.digest("org/base", "org/base@main", "org/base")["repos"]
        self.assertEqual([(r["repo"], r["known_files"]) for r in twice], [("org/base", 1)], "however often it is named")

    def test_the_same_file_in_two_repositories_is_read_once(self):
        data = Lfs(safetensors(model("one")))
        self.model("org/a", {"x.safetensors": data})
        self.model("org/b", {"y.safetensors": data})
        self.mirror("org/a", "org/b")
        report = self.digest()
        self.assertEqual(sum(r["files"] for r in report["repos"]), 1)
        self.assertEqual(len(self.digested()), 2, "both are known to have it")
        self.assertEqual(self.kin("org/a"), {"org/b": "same"})

    def test_files_that_git_holds_and_files_that_are_none(self):
        weights = safetensors(model("small"))
        self.model("org/git", {".gitattributes": "", "small.safetensors": weights})
        self.model("org/lfs", {"small.safetensors": Lfs(weights)})
        self.model("org/broken", {"w.safetensors": Lfs(b"\xff" * 5000), "config.json": "{}"})
        self.model("org/none", {"config.json": "{}"})
        self.mirror("org/git", "org/lfs", "org/broken", "org/none")
        report = self.digest()
        self.assertEqual([(u["repo"], u["path"], u["bad"]) for u in report["undigested"]], [("org/broken", "w.safetensors", False)])
        self.assertEqual(self.kin("org/git"), {"org/lfs": "same"})
        self.assertIn("no safetensors or GGUF files", self.hm("digest", "org/none").out)
        self.assert_error(self.hm("digest", "org/nobody", code=1), "org/nobody", "mirror")

    def test_bytes_that_are_missing_are_said_to_be(self):
        repo = self.model("org/a", {"x.safetensors": Lfs(safetensors(model("a")))})
        self.mirror("org/a")
        ((digest, _),) = (v for k, v in self.pointers(repo).items() if k == "x.safetensors")
        os.remove(os.path.join(self.data, "blobs", "sha256", digest[:2], digest[2:4], digest))
        report = self.digest(code=1)
        self.assertTrue(report["undigested"][0]["bad"])
        self.assertIn("verify --repair", report["undigested"][0]["why"])
        self.hm("verify", "--repair")
        self.assertEqual(self.digest()["repos"][0]["files"], 1)

    def test_a_kill_between_reading_and_recording_loses_nothing_but_the_work(self):
        self.family()
        killed = self.start("digest", env={"HUBMIRROR_CRASH_AT": "digest.file_read:3"}).wait()
        self.assertEqual(killed.code, -signal.SIGKILL, killed)
        self.assertEqual(len(self.digested()), 2, "two were recorded; the third was read")
        report = self.digest()
        self.assertEqual(sum(r["files"] for r in report["repos"]), 4)
        self.assertEqual(self.kin("org/base"), {"org/resaved": "same", "org/tuned": "derived", "org/gguf": "same"})

    def test_the_daemon_digests_for_whoever_asks(self):
        self.family()
        daemon = self.start("daemon")
        self.addCleanup(daemon.signal, signal.SIGKILL)
        wait_until(self.daemon_answers, "the daemon answers", daemon)
        self.assertEqual(sum(r["files"] for r in self.digest()["repos"]), 6)
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait().code, 0)

    def test_rebuild_gives_the_same_kin(self):
        self.family()
        self.digest()
        before = self.hm("--json", "digest", "org/base", "org/tuned", "org/gguf").out
        self.hm("index", "rebuild")
        self.assertEqual(self.hm("--json", "digest", "org/base", "org/tuned", "org/gguf").out, before)


if __name__ == "__main__":
    main()
