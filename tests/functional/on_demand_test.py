"""What is not here and is fetched for whoever asks: the daemon with [serve] on_demand, the fake Hub as upstream."""

import hashlib
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.parse

from harness import HANG_S, LfsRandom, main, wait_for_stall, wait_until
from serve_harness import ServeTest, origin_files

MIB = 1 << 20
SERVING = re.compile(r"serving\b[^\n]*?(http://[^\s\"]+)")


class OnDemandTest(ServeTest):
    settings = {
        "crawl": {"visits_per_day_max": 0},
        "log": {"level": "info"},
        "serve": {"listen": ["127.0.0.1:0"], "on_demand": "files"},
        "network": {"retries_max": 1, "retry_wait_ms_max": 1000, "stall_timeout_ms": HANG_S * 1000},  # what stands still does so until it is let go
    }

    daemon = None

    def begin(self, **options):
        """The daemon, serving."""
        process = self.start("daemon", **options)
        self.addCleanup(self.end_server, process)
        wait_until(lambda: SERVING.search(process.said()), "the daemon serves", process)
        self.daemon = process
        self.endpoint = SERVING.search(process.said()).group(1)
        return process

    def tearDown(self):
        if self._outcome.success and self.daemon is not None:
            self.end_server(self.daemon)
        super().tearDown()

    def kill(self):
        self.daemon.signal(signal.SIGKILL)
        self.daemon.wait()

    def asked(self):
        """Everything that clients' requests can cause upstream."""
        return [e["path"] for e in self.hub.requests() if not re.match(r"/api/(models|datasets|spaces)(\?|$)", e["path"])]

    def downloads(self):
        """There is one large file in each test."""
        return self.hub.requests("cdn", method="GET")

    def connect(self, path, first=None, last=None):
        """A request by hand: (socket, head, the bytes of the body that came with it)."""
        host = urllib.parse.urlsplit(self.endpoint)
        s = socket.create_connection((host.hostname, host.port), timeout=HANG_S)
        self.addCleanup(s.close)
        wanted = f"Range: bytes={first}-{last}\r\n" if first is not None else ""
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{wanted}\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got:
            part = s.recv(65536)
            self.assertTrue(part, got)
            got += part
        head, _, body = got.partition(b"\r\n\r\n")
        return s, head.decode(), body

    def receive(self, s, body, size):
        """`body` and what follows it, until there are `size` bytes at least."""
        while len(body) < size:
            part = s.recv(1 << 20)
            self.assertTrue(part)
            body += part
        return body

    def large(self, name, size, **meta):
        repo = self.model(name, {"config.json": "{}\n", "w.bin": LfsRandom(size, name)}, **meta)
        data = origin_files(repo, repo.head())["w.bin"]
        return data, hashlib.sha256(data).hexdigest()


class UnknownTest(OnDemandTest):
    def test_an_unknown_repository_is_answered_as_the_hub_does_and_asked_for_once(self):
        data, oid = self.large("org/new", 300_000)
        self.begin()
        info = self.get("/api/models/org/new?blobs=true")
        self.assertEqual(info.status, 200, info.body)
        siblings = {s["rfilename"]: s for s in info.json["siblings"]}
        self.assertEqual(set(siblings), {".gitattributes", "README.md", "config.json", "w.bin"})
        self.assertEqual(siblings["w.bin"]["lfs"]["sha256"], oid)
        tree = {e["path"]: e for e in self.get("/api/models/org/new/tree/main").json}
        self.assertEqual(tree["w.bin"]["size"], len(data))
        head = self.get("/org/new/resolve/main/w.bin", "HEAD")
        self.assertEqual((head.status, head["Content-Length"], head["ETag"]), (200, str(len(data)), f'"{oid}"'))
        self.assertEqual(self.downloads(), [], "nothing large was fetched for questions")
        self.assertEqual(self.get("/org/new/resolve/main/config.json").body, b"{}\n")
        self.assertEqual(self.get("/org/new/resolve/main/w.bin").body, data)
        self.hub.wait_idle()
        warm = len(self.asked())
        for _ in range(3):
            self.assertEqual(self.get("/api/models/org/new").status, 200)
            self.assertEqual(self.get("/org/new/resolve/main/w.bin").body, data)
            self.assertEqual(self.get(f"/api/models/org/new/tree/{info.json['sha']}").status, 200)
        self.hub.wait_idle()
        self.assertEqual(self.asked()[warm:], [])
        self.hub.stop()
        self.assertEqual(self.get("/org/new/resolve/main/w.bin").body, data)
        late = self.get("/api/models/org/other")
        self.assertEqual((late.status, late["Retry-After"]), (503, "10"), late.body)

    def test_what_came_is_in_the_revision_afterwards(self):
        data, oid = self.large("org/new", 300_000)
        self.begin()
        self.assertEqual(self.get("/org/new/resolve/main/w.bin").body, data)
        paths = lambda: {f["path"] for f in self.show("org/new", "--files")["files"]}
        self.daemon.signal(signal.SIGTERM)  # what was not taken in yet is, at the end
        self.assertEqual(self.daemon.wait().code, 0)
        self.assertIn("w.bin", paths())
        self.hm("gc")
        self.assertEqual(self.hm("--json", "show", "org/new", "--files").json["files"][-1]["path"], "w.bin")

    def test_an_unknown_name_is_not_found_and_a_denial_is_not_remembered(self):
        self.begin()
        first = self.get("/api/models/org/later")
        self.assertEqual((first.status, first["X-Error-Code"]), (404, "RepoNotFound"))
        repo = self.model("org/later", {"config.json": "{}\n"})
        self.assertEqual(self.get("/api/models/org/later").status, 200)
        self.assertEqual(self.get("/api/models/org/later/revision/v1").status, 404)
        repo.tag("v1", message="first")
        self.assertEqual(self.get("/api/models/org/later/revision/v1").status, 200)

    def test_git_lfs_is_given_what_only_its_pointer_is_here_of(self):
        data, oid = self.large("org/new", 300_000)
        self.begin()
        asked = json.dumps({"operation": "download", "objects": [{"oid": oid, "size": len(data)}, {"oid": "0" * 64, "size": 1}]})
        answer = self.get("/org/new.git/info/lfs/objects/batch", "POST", asked, Content_Type="application/vnd.git-lfs+json").json
        there, nowhere = answer["objects"]
        self.assertEqual(nowhere["error"]["code"], 404)
        path = urllib.parse.urlsplit(there["actions"]["download"]["href"]).path
        self.assertEqual(self.get(path, "HEAD")["Content-Length"], str(len(data)))
        self.assertEqual(self.downloads(), [])
        part = self.get(path, Range="bytes=1000-1999")
        self.assertEqual((part.status, part.body), (206, data[1000:2000]))
        self.assertEqual(self.get(path).body, data)
        self.assertEqual(self.get(path.replace(oid, "0" * 64)).status, 404)

    def test_nothing_is_fetched_for_a_caller_who_would_not_be_told(self):
        self.model("org/new", {"config.json": "{}\n"})
        self.hm("init")
        token = self.hm("token", "create", "elsewhere", "--repos", "other/*").out.strip()
        self.secrets.add(token)
        self.begin()
        self.assertEqual(self.get("/api/models/org/new", token=token).status, 404)
        self.assertEqual(self.asked(), [])
        self.assertEqual(self.get("/api/models/org/new").status, 200)

    def test_only_facts_with_metadata(self):
        self.configure(serve={**self.settings["serve"], "on_demand": "metadata"})
        _, oid = self.large("org/new", 300_000)
        self.begin()
        self.assertEqual(self.get("/org/new/resolve/main/config.json").body, b"{}\n")
        for method in ("HEAD", "GET"):
            refused = self.get("/org/new/resolve/main/w.bin", method)
            self.assertEqual((refused.status, refused["X-Error-Code"]), (404, "EntryNotFound"))
        self.assertEqual(self.downloads(), [])


class AgeTest(OnDemandTest):
    def test_a_branch_is_compared_again_when_it_is_too_old(self):
        self.configure(serve={**self.settings["serve"], "max_age_seconds": 0})
        repo = self.model("org/moves", {"config.json": "1\n"})
        self.begin()
        self.assertEqual(self.get("/org/moves/resolve/main/config.json").body, b"1\n")
        old = self.get("/api/models/org/moves").json["sha"]
        repo.commit("second", {"config.json": "2\n"})
        began = time.monotonic()
        while self.get("/org/moves/resolve/main/config.json").body != b"2\n":  # what is at hand is served after 8 s, not before
            self.assertGreaterEqual(time.monotonic() - began, 7.9)
            began = time.monotonic()
        before = len(self.asked())
        self.assertEqual(self.get(f"/org/moves/resolve/{old}/config.json").body, b"1\n")
        self.assertEqual(len(self.asked()), before, "a commit does not age")
        self.hub.stop()
        self.assertEqual(self.get("/org/moves/resolve/main/config.json").body, b"2\n", "what is here is served")

    def test_a_branch_is_believed_for_as_long_as_it_may_be(self):
        repo = self.model("org/moves", {"config.json": "1\n"})
        self.begin()
        self.assertEqual(self.get("/org/moves/resolve/main/config.json").body, b"1\n")
        repo.commit("second", {"config.json": "2\n"})
        self.assertEqual(self.get("/org/moves/resolve/main/config.json").body, b"1\n")


class StreamTest(OnDemandTest):
    PATH = "/org/big/resolve/main/w.bin"
    FLIPPED = 1_000_000
    FLIP = {"match": {"port": "cdn"}, "do": "flip_byte", "at": FLIPPED}
    STALL = {"match": {"port": "cdn"}, "do": "stall", "after_bytes": 2 * MIB, "when": {"first": 1}}

    def test_many_clients_one_download(self):
        data, oid = self.large("org/big", 64 * MIB)
        self.configure(mirror={"ranges_per_file": 1})  # where one connection takes over from another, the Hub has sent a bit more
        self.begin()
        digest, answers = hashlib.sha256(data).hexdigest(), []

        def ask():
            answer = self.get(self.PATH)
            answers.append((answer.status, hashlib.sha256(answer.body).hexdigest()))

        threads = [threading.Thread(target=ask) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [(200, digest)] * 50)
        self.hub.wait_idle()
        self.assertEqual(sum(e["bytes"] for e in self.downloads()), len(data))

    def test_the_first_bytes_come_before_the_last_are_fetched(self):
        data, oid = self.large("org/big", 8 * MIB)
        self.faults({"match": {"port": "cdn"}, "do": "stall", "after_bytes": 3 * MIB + 1000})
        self.begin()
        s, head, body = self.connect(self.PATH)
        self.assertTrue(head.startswith("HTTP/1.1 200"), head)
        body = self.receive(s, body, 3 * MIB)
        wait_for_stall(self.hub, self.daemon)
        other, head, part = self.connect(self.PATH, MIB, MIB + 999)
        self.assertTrue(head.startswith("HTTP/1.1 206"), head)
        while more := other.recv(1 << 20):
            part += more
        self.assertEqual(part, data[MIB : MIB + 1000])
        self.assertEqual(len(self.downloads()), 1)
        self.assertFalse(self.downloads()[0]["done"])
        self.hub.release()
        while more := s.recv(1 << 20):
            body += more
        self.assertEqual(hashlib.sha256(body).hexdigest(), oid)

    def until_cut_off(self):
        """A request whose client has the byte that is wrong before the download host sends the rest: what it was given."""
        s, head, body = self.connect(self.PATH)
        self.assertTrue(head.startswith("HTTP/1.1 200"), head)
        body = self.receive(s, body, self.FLIPPED + 1)
        wait_for_stall(self.hub, self.daemon)
        self.hub.release()
        try:
            while more := s.recv(1 << 20):
                body += more
        except ConnectionResetError:
            pass
        return body

    def test_whoever_was_given_wrong_bytes_is_cut_off_though_the_second_try_brings_the_right_ones(self):
        data, oid = self.large("org/big", 3 * MIB)
        self.faults({**self.FLIP, "when": {"times": 1}}, self.STALL)
        self.begin()
        self.assertLess(len(self.until_cut_off()), len(data))
        again = self.get(self.PATH)
        self.assertEqual((again.status, hashlib.sha256(again.body).hexdigest()), (200, oid))

    def test_wrong_bytes_never_end_well(self):
        data, oid = self.large("org/big", 3 * MIB)
        self.faults(self.FLIP, self.STALL)
        self.begin()
        self.assertLess(len(self.until_cut_off()), len(data), "the last byte is not given out before the digest was checked")
        # It is cut off when the second try begins. Whoever asks before that one has ended is given its bytes, wrong ones too.
        wait_until(lambda: "not fetched on demand" in self.daemon.said(), "the second try ends", self.daemon)
        self.assertEqual(len(self.downloads()), 2)
        blob = os.path.join(self.data, "blobs", "sha256", oid[:2], oid[2:4], oid)
        self.assertFalse(os.path.exists(blob))
        self.faults()
        again = self.get(self.PATH)
        self.assertEqual((again.status, hashlib.sha256(again.body).hexdigest()), (200, oid))

    def test_a_download_that_was_killed_is_gone_on_with(self):
        data, oid = self.large("org/big", 80 * MIB)
        self.configure(mirror={"ranges_per_file": 1})
        self.faults({"match": {"port": "cdn"}, "do": "stall", "after_bytes": 40 * MIB, "when": {"first": 1}})
        self.begin()
        s, _, body = self.connect(self.PATH)
        body = self.receive(s, body, 39 * MIB)  # then its first two segments, of 16 MiB, are recorded
        self.kill()
        self.hub.release()
        self.faults()
        self.hub.wait_idle()
        before = sum(e["bytes"] for e in self.downloads())
        self.begin()
        again = self.get(self.PATH)
        self.assertEqual((again.status, hashlib.sha256(again.body).hexdigest()), (200, oid))
        self.hub.wait_idle()
        self.assertLessEqual(sum(e["bytes"] for e in self.downloads()) - before, len(data) - 32 * MIB)

    def test_an_upstream_that_refuses_a_file_is_said_so_before_the_first_byte(self):
        self.large("org/big", 3 * MIB)
        self.faults({"match": {"port": "cdn"}, "do": "status", "status": 404})
        self.begin()
        self.assertIn(self.get(self.PATH).status, (404, 502, 503))
        self.faults()
        self.assertEqual(self.get(self.PATH).status, 200)


class GatedTest(OnDemandTest):
    def test_a_gate_that_opens_lets_the_next_request_in(self):
        self.model("org/gated", {"config.json": "{}\n"}, gated="manual")
        self.begin()
        self.assertIn(self.get("/org/gated/resolve/main/config.json").status, (401, 403))
        self.hub.run_update({"op": "set", "repo": "models/org/gated", "meta": {"gated": False}})
        self.assertEqual(self.get("/org/gated/resolve/main/config.json").body, b"{}\n")


if __name__ == "__main__":
    main()
