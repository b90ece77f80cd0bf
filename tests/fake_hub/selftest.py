"""What the fake Hub says about itself: every endpoint and every fault does what README.md promises.

python3 tests/fake_hub/selftest.py
"""

import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import zlib

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from fake_hub import GITATTRIBUTES, FakeHub, Lfs, LfsPointer, Store, Submodule, Symlink, build_many_commits, build_many_files, build_many_refs
from fake_hub.formats import parquet
from fake_hub.gitread import GIT_ENV
from fake_hub.hostile import HOSTILE_NAMES, HOSTILE_PACKS, LEGAL_PATHS, make_hostile, make_hostile_pack, make_legal_names
from fake_hub.sample import SAMPLE_IDS, ensure_sample

WEIGHTS = hashlib.shake_128(b"weights").digest(100_000)
WEIGHTS_SHA = hashlib.sha256(WEIGHTS).hexdigest()
TOKEN = "hf_" + "a" * 34


class Answer:
    def __init__(self, status, headers, body, error=None):
        self.status, self.headers, self.body, self.error = status, headers, body, error

    def json(self):
        return json.loads(self.body)


def ask(url, method="GET", headers=None, body=None, timeout=20):
    """One request, redirects not followed; a transfer cut short comes back with `error` and what had arrived."""
    parts = urllib.parse.urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        link.request(method, url[url.index(parts.netloc) + len(parts.netloc) :] or "/", body=body, headers=headers or {})
        answer = link.getresponse()
        got = b""
        try:
            while chunk := answer.read1(65536):
                got += chunk
            short = answer.length not in (None, 0) and method != "HEAD"
            return Answer(answer.status, answer.headers, got, "short" if short else None)
        except (OSError, http.client.HTTPException) as error:
            return Answer(answer.status, answer.headers, got, error)
    finally:
        link.close()


def git(*args, cwd=None, config=()):
    settings = [part for c in config for part in ("-c", c)]
    return subprocess.run(["git", *settings, *args], cwd=cwd, capture_output=True, text=True, check=False,
                          env={**GIT_ENV, "GIT_TERMINAL_PROMPT": "0"})


class HubCase(unittest.TestCase):
    """A fresh Hub with one model, org/name, for each test."""

    options = {}

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fake-hub-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.hub = FakeHub(os.path.join(self.folder, "hub"), **self.options)
        self.repo = self.hub.store.create("model", "org/name")
        self.first = self.repo.commit("first", {".gitattributes": GITATTRIBUTES, "README.md": "---\nlicense: mit\ntags:\n- a\n- b\n---\n# x\n"})
        self.head = self.repo.commit("second\n\nwith a body", {"weights.bin": Lfs(WEIGHTS), "sub/deep/file.txt": "text\n", "sub/link": Symlink("x")})
        self.hub.start()
        self.addCleanup(self.hub.stop)

    def get(self, path, **more):
        return ask(self.hub.endpoint + path, **more)

    def faults(self, *rules, **more):
        self.hub.faults.load({"rules": list(rules), **more})

    def weights_url(self):
        return self.get("/org/name/resolve/main/weights.bin").headers["location"]


class Api(HubCase):
    def test_info(self):
        info = self.get("/api/models/org/name").json()
        self.assertEqual(info["sha"], self.head)
        self.assertRegex(info["_id"], "^[0-9a-f]{24}$")
        self.assertEqual(info["cardData"], {"license": "mit", "tags": ["a", "b"]})
        self.assertEqual([s["rfilename"] for s in info["siblings"]], [".gitattributes", "README.md", "sub/deep/file.txt", "sub/link", "weights.bin"])
        blobs = self.get("/api/models/org/name?blobs=true").json()["siblings"][-1]
        self.assertEqual(blobs["lfs"], {"sha256": WEIGHTS_SHA, "size": 100_000, "pointerSize": 131})
        self.assertEqual(blobs["size"], 100_000)
        self.assertEqual(self.get(f"/api/models/org/name/revision/{self.first}").json()["sha"], self.first)
        self.assertEqual(set(self.get("/api/models/org/name?expand[]=sha&expand=likes").json()), {"_id", "id", "sha", "likes"})
        self.assertEqual(self.get("/api/models/org/name?expand=nonsense").status, 400)

    def test_every_answer_carries_the_budget(self):
        answer = self.get("/api/models/org/name")
        self.assertRegex(answer.headers["ratelimit"], r'^"api";r=\d+;t=\d+$')
        self.assertRegex(answer.headers["ratelimit-policy"], r'^"fixed window";"api";q=\d+;w=300$')
        self.assertIn('"resolvers"', self.get("/org/name/resolve/main/README.md").headers["ratelimit"])

    def test_revisions_in_every_spelling(self):
        self.repo.set_ref("refs/pr/1", self.first)
        self.repo.set_ref("refs/heads/feature/x", self.first)
        self.repo.tag("v1", self.first, message="annotated")
        for spelling in ("refs%2Fpr%2F1", "refs/pr/1", "feature%2Fx", "feature/x", "v1", self.first, self.first[:8]):
            self.assertEqual(self.get(f"/api/models/org/name/revision/{spelling}").json()["sha"], self.first, spelling)
            self.assertEqual(len(self.get(f"/api/models/org/name/tree/{spelling}").json()), 2, spelling)
        self.assertEqual(self.get("/api/models/org/name/revision/HEAD").json()["sha"], self.head)
        missing = self.get("/api/models/org/name/revision/nowhere")
        self.assertEqual((missing.status, missing.headers["x-error-code"]), (404, "RevisionNotFound"))

    def test_tree_and_its_pages(self):
        top = self.get("/api/models/org/name/tree/main").json()
        self.assertEqual([(e["type"], e["path"]) for e in top],
                         [("file", ".gitattributes"), ("file", "README.md"), ("directory", "sub"), ("file", "weights.bin")])
        self.assertEqual(top[3]["lfs"]["oid"], WEIGHTS_SHA)
        self.assertEqual([e["path"] for e in self.get("/api/models/org/name/tree/main/sub%2Fdeep").json()], ["sub/deep/file.txt"])
        url, paths = self.hub.endpoint + "/api/models/org/name/tree/main?recursive=true&limit=3", []
        while url:
            page = ask(url)
            paths += [e["path"] for e in page.json()]
            link = page.headers["link"]
            url = link.split(">")[0][1:] if link else None
            self.assertIn(link and link.split("; ")[1], (None, 'rel="next"'))
        self.assertEqual(paths, [".gitattributes", "README.md", "sub", "sub/deep", "sub/deep/file.txt", "sub/link", "weights.bin"])
        missing = self.get("/api/models/org/name/tree/main/nope")
        self.assertEqual((missing.status, missing.headers["x-error-code"]), (404, "EntryNotFound"))
        expanded = self.get("/api/models/org/name/tree/main?expand=true").json()
        self.assertEqual([e["lastCommit"]["title"] for e in expanded], ["first", "first", "second", "second"])

    def test_paths_info_in_both_encodings(self):
        form = self.get("/api/models/org/name/paths-info/main", method="POST", body="paths=weights.bin&paths=sub&paths=nope&expand=false",
                        headers={"Content-Type": "application/x-www-form-urlencoded"}).json()
        as_json = self.get("/api/models/org/name/paths-info/main", method="POST", body=json.dumps({"paths": ["weights.bin", "sub", "nope"]}),
                           headers={"Content-Type": "application/json"}).json()
        self.assertEqual(form, as_json)
        self.assertEqual([(e["type"], e["path"]) for e in form], [("file", "weights.bin"), ("directory", "sub")])

    def test_refs_and_commits(self):
        self.repo.set_ref("refs/pr/1", self.first)
        self.repo.set_ref("refs/convert/parquet", self.first)
        self.repo.set_ref("refs/internal/secret", self.first)
        self.repo.tag("v1", self.first, message="annotated")
        refs = self.get("/api/models/org/name/refs").json()
        self.assertEqual(refs["branches"], [{"name": "main", "ref": "refs/heads/main", "targetCommit": self.head}])
        self.assertEqual(refs["converts"], [{"name": "parquet", "ref": "refs/convert/parquet", "targetCommit": self.first}])
        self.assertEqual(refs["tags"], [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": self.first}])
        self.assertNotIn("pullRequests", refs)
        self.assertEqual(len(self.get("/api/models/org/name/refs?include_prs=1").json()["pullRequests"]), 1)
        page = self.get("/api/models/org/name/commits/main?limit=1")
        self.assertEqual(page.headers["x-total-count"], "2")
        self.assertEqual((page.json()[0]["title"], page.json()[0]["message"]), ("second", "with a body"))
        following = ask(page.headers["link"].split(">")[0][1:])
        self.assertEqual(following.json()[0]["id"], self.first)
        self.assertIsNone(following.headers["link"])

    def test_lists_and_their_pages(self):
        for i in range(25):
            self.hub.store.create("model", f"org/m{i:02}")
        self.hub.store.create("dataset", "squad").commit("x", {"README.md": "x"})
        self.hub.store.create("model", "org/hidden", private=True)
        for sort in ("likes", "createdAt", "trendingScore"):
            url, seen = f"{self.hub.endpoint}/api/models?limit=4&sort={sort}", []
            while url:
                page = ask(url)
                seen += [r["id"] for r in page.json()]
                url = page.headers["link"] and page.headers["link"].split(">")[0][1:]
            self.assertEqual(len(seen), 26)
            self.assertEqual(len(set(seen)), 26)
            self.assertNotIn("org/hidden", seen)
        self.assertEqual([d["id"] for d in self.get("/api/datasets").json()], ["squad"])
        self.assertEqual(self.get("/api/datasets/squad").json()["id"], "squad")
        self.assertEqual([m["id"] for m in self.get("/api/models?filter=license:mit&expand[]=sha").json()], ["org/name"])
        self.assertEqual(self.get("/api/models?direction=3").status, 400)

    def test_errors(self):
        missing = self.get("/api/models/no/where")
        self.assertEqual((missing.status, missing.headers["x-error-message"]), (401, "Invalid username or password."))
        self.hub.options.tokens[TOKEN] = {"name": "alice", "private": ["org/name"]}
        me = {"Authorization": f"Bearer {TOKEN}"}
        missing = self.get("/api/models/no/where", headers=me)
        self.assertEqual((missing.status, missing.headers["x-error-code"]), (404, "RepoNotFound"))
        bad = self.get("/api/models/org/name", headers={"Authorization": "Bearer hf_wrong"})
        self.assertEqual((bad.status, bad.headers["x-error-message"]), (401, "Invalid credentials in Authorization header"))
        self.assertEqual(self.get("/api/whoami-v2", headers=me).json()["name"], "alice")
        self.assertEqual(self.get("/api/whoami-v2").status, 401)
        self.repo.set(private=True)
        self.assertEqual(self.get("/api/models/org/name").status, 401)
        self.assertEqual(self.get("/api/models/org/name", headers=me).status, 200)
        entry = self.get("/org/name/resolve/main/none.txt", headers=me)
        self.assertEqual((entry.status, entry.headers["x-error-code"], entry.body), (404, "EntryNotFound", b"Entry not found"))
        self.assertEqual(entry.headers["x-repo-commit"], self.head)

    def test_gated(self):
        self.repo.set(gated="manual")
        self.hub.options.tokens.update({TOKEN: {"gated": ["org/name"]}, "hf_other": {}})
        self.assertEqual(self.get("/api/models/org/name").json()["gated"], "manual")
        for token, status in ((None, 401), ("hf_other", 403), (TOKEN, 302)):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = self.get("/org/name/resolve/main/weights.bin", headers=headers)
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.headers["x-error-code"], None if status == 302 else "GatedRepo")
        self.assertEqual(git("ls-remote", self.hub.endpoint + "/org/name").returncode, 128)
        url = self.hub.endpoint.replace("://", f"://user:{TOKEN}@")
        self.assertEqual(git("ls-remote", url + "/org/name").returncode, 0)
        self.repo.set(gated=False, disabled=True)
        self.assertEqual(self.get("/api/models/org/name").headers["x-error-message"], "Access to this resource is disabled.")

    def test_renamed(self):
        self.hub.store.rename(self.repo, "new-org/new-name")
        for old, new in (("/api/models/org/name", "/api/models/new-org/new-name"),
                         ("/api/models/org/name/tree/main?limit=1", "/api/models/new-org/new-name/tree/main?limit=1"),
                         ("/org/name/resolve/main/README.md", "/new-org/new-name/resolve/main/README.md")):
            answer = self.get(old)
            self.assertEqual((answer.status, answer.headers["location"]), (307, new))
        self.assertEqual(git("ls-remote", self.hub.endpoint + "/org/name").returncode, 0)


class Files(HubCase):
    def test_git_file(self):
        first = self.get("/org/name/resolve/main/README.md", method="HEAD")
        self.assertEqual(first.status, 307)
        self.assertTrue(first.headers["location"].startswith(f"/api/resolve-cache/models/org/name/{self.head}/README.md?"))
        self.assertEqual(first.headers["x-repo-commit"], self.head)
        second = self.get(first.headers["location"])
        data = second.body
        oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        self.assertEqual(second.headers["etag"], f'"{oid}"')
        self.assertEqual(self.get(first.headers["location"], headers={"Range": "bytes=0-2"}).body, b"---")

    def test_large_file(self):
        first = self.get("/org/name/resolve/main/weights.bin", method="HEAD")
        self.assertEqual(first.status, 302)
        self.assertEqual(first.headers["x-linked-etag"], f'"{WEIGHTS_SHA}"')
        self.assertEqual(first.headers["x-linked-size"], "100000")
        self.assertIsNone(first.headers["etag"])
        url = first.headers["location"]
        self.assertTrue(url.startswith(self.hub.cdn_endpoint + "/"))
        whole = ask(url)
        self.assertEqual((whole.status, whole.body), (200, WEIGHTS))
        self.assertNotIn(WEIGHTS_SHA, whole.headers["etag"])
        part = ask(url, headers={"Range": "bytes=10-19"})
        self.assertEqual((part.status, part.body, part.headers["content-range"]), (206, WEIGHTS[10:20], "bytes 10-19/100000"))
        self.assertEqual(ask(url, headers={"Range": "bytes=-5"}).body, WEIGHTS[-5:])
        self.assertEqual(ask(url, headers={"Range": "bytes=99990-"}).body, WEIGHTS[-10:])
        over = ask(url, headers={"Range": "bytes=100000-"})
        self.assertEqual((over.status, over.headers["content-range"]), (416, "bytes */100000"))
        self.assertEqual(ask(url, headers={"Range": "bytes=1-2", "If-Range": whole.headers["etag"]}).status, 206)
        self.assertEqual(ask(url, headers={"Range": "bytes=1-2", "If-Range": '"other"'}).status, 200)
        self.assertEqual(ask(url + "0").status, 403)
        self.assertTrue(self.get("/org/name/raw/main/weights.bin").body.startswith(b"version https://git-lfs"))
        self.hub.wait_idle()
        self.assertEqual(self.hub.requests("cdn")[1]["range"], "bytes=10-19")

    def test_signed_urls_expire(self):
        url = self.weights_url()
        self.hub.expire_urls()
        self.assertEqual(ask(url).status, 403)
        self.assertEqual(ask(self.weights_url()).status, 200)
        self.hub.options.url_uses = 2
        self.assertEqual([ask(url).status for url in [self.weights_url()] * 3], [200, 200, 403])

    def batch(self, objects, operation="download"):
        body = json.dumps({"operation": operation, "transfers": ["basic"], "objects": objects, "hash_algo": "sha256"})
        return self.get("/org/name.git/info/lfs/objects/batch", method="POST", body=body, headers={"Content-Type": "application/vnd.git-lfs+json"})

    def test_lfs_batch(self):
        answer = self.batch([{"oid": WEIGHTS_SHA, "size": 100_000}, {"oid": "0" * 64, "size": 1}, {"oid": WEIGHTS_SHA, "size": 9}])
        good, missing, wrong = answer.json()["objects"]
        self.assertEqual(ask(good["actions"]["download"]["href"]).body, WEIGHTS)
        self.assertEqual((missing["error"]["code"], wrong["error"]["code"]), (404, 422))
        self.assertEqual(self.batch([], "upload").status, 403)
        self.hub.options.lfs_batch = False
        self.assertEqual(self.batch([{"oid": WEIGHTS_SHA, "size": 100_000}]).status, 404)

    def test_a_pointer_without_bytes(self):
        self.repo.commit("lost", {"lost.bin": LfsPointer("ab" * 32, 5)})
        self.assertEqual(ask(self.get("/org/name/resolve/main/lost.bin").headers["location"]).status, 404)

    def test_awkward_names(self):
        repo = self.hub.store.create("model", "org/awkward")
        files = make_legal_names(repo)
        listed = {e["path"]: e for e in self.get("/api/models/org/awkward/tree/main?recursive=true").json() if e["type"] != "directory"}
        self.assertEqual(set(listed), {*LEGAL_PATHS, "a-link", "a-module"})
        self.assertEqual(listed["a-module"]["type"], "unknown")
        for path, content in files.items():
            first = self.get("/org/awkward/resolve/main/" + urllib.parse.quote(path))
            self.assertEqual(first.status, 307, path)
            self.assertEqual(self.get(first.headers["location"]).body, content, path)


class Git(HubCase):
    def clone(self, name, *args, config=()):
        target = os.path.join(self.folder, "clone-" + os.urandom(4).hex())
        return git("clone", "-q", *args, self.hub.endpoint + "/" + name, target, config=config), target

    def test_clone_in_both_versions(self):
        self.repo.set_ref("refs/internal/secret", self.first)
        self.repo.set_ref("refs/pr/3", self.first)
        for v2 in (True, False):
            self.hub.options.git_v2 = v2
            for name in ("org/name", "org/name.git"):
                done, target = self.clone(name, "--mirror")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(git("rev-parse", "refs/heads/main", cwd=target).stdout.strip(), self.head)
                self.assertEqual(git("for-each-ref", "--format=%(refname)", cwd=target).stdout.split(), ["refs/heads/main", "refs/pr/3"])
        advert = [e for e in self.hub.requests("api", "info/refs")]
        self.assertEqual(dict(advert[0]["headers"]).get("Git-Protocol"), "version=2")
        self.hub.options.git_v2 = True
        self.assertIn(b"version 2", self.get("/org/name/info/refs?service=git-upload-pack", headers={"Git-Protocol": "version=2"}).body)
        self.assertNotIn(b"version 2", self.get("/org/name/info/refs?service=git-upload-pack").body)
        self.assertEqual(self.get("/org/name/info/refs?service=git-receive-pack").status, 403)

    @unittest.skipUnless(shutil.which("git-lfs"), "git-lfs is not installed")
    def test_git_lfs(self):
        target = os.path.join(self.folder, "with-lfs")
        settings = ["-c", "filter.lfs.smudge=git-lfs smudge -- %f", "-c", "filter.lfs.process=git-lfs filter-process", "-c", "filter.lfs.required=true"]
        done = subprocess.run(["git", *settings, "clone", "-q", self.hub.endpoint + "/org/name", target], capture_output=True, text=True,
                              env={**GIT_ENV, "HOME": self.folder}, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(target, "weights.bin"), "rb") as f:
            self.assertEqual(f.read(), WEIGHTS)
        self.hub.wait_idle()
        self.assertEqual(len(self.hub.requests("cdn")), 1)
        self.assertFalse([e for e in self.hub.requests("cdn") for n, _ in e["headers"] if n.lower() == "authorization"])

    def test_big_repositories_are_built_in_seconds(self):
        start = time.monotonic()
        many = {name: self.hub.store.create("model", f"big/{name}") for name in ("commits", "refs", "files")}
        build_many_commits(many["commits"], 2000)
        build_many_refs(many["refs"], 5000)
        build_many_files(many["files"], 100_000, lfs_every=1000)
        print(f"  built 2,000 commits, 5,000 refs, 100,000 files in {time.monotonic() - start:.1f} s", file=sys.stderr)
        done, target = self.clone("big/refs", "--mirror")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(git("for-each-ref", cwd=target).stdout.splitlines()), 5001)
        # That many wants are sent gzipped, so the CGI program has to be told of it.
        self.assertTrue([e for e in self.hub.requests(method="POST") if ("Content-Encoding", "gzip") in [tuple(h) for h in e["headers"]]])
        self.assertEqual(git("rev-list", "--count", "main", cwd=self.clone("big/commits", "--bare")[1]).stdout.strip(), "2000")
        url, count, pages = self.hub.endpoint + "/api/models/big/files/tree/main?recursive=true", 0, 0
        while url:
            page = ask(url)
            count += sum(e["type"] == "file" for e in page.json())
            pages += 1
            url = page.headers["link"] and page.headers["link"].split(">")[0][1:]
        self.assertEqual((count, pages), (100_000, 101))
        self.assertEqual(len(many["files"].lfs_oids()), 100)

    def test_every_hostile_tree_is_listed_and_sent(self):
        for name in HOSTILE_NAMES:
            with self.subTest(name):
                repo = self.hub.store.create("model", f"bad/{name}")
                bad = make_hostile(repo, name, depth=300)
                if name not in ("bad_commit", "tag_loop"):
                    self.assertEqual(repo.head(), bad)
                    self.assertEqual(self.get(f"/api/models/bad/{name}/tree/main?recursive=true").status, 200)
                self.assertLess(self.get(f"/api/models/bad/{name}").status, 500)
                # git fetches with checks off: what the server sends is what was built.
                target = os.path.join(self.folder, name)
                git("init", "-q", "--bare", target)
                args = ("fetch", "-q", self.hub.endpoint + f"/bad/{name}", "+refs/*:refs/*")
                for version in ("protocol.version=2", "protocol.version=0"):
                    done = git(*args, cwd=target, config=(version, "transfer.fsckObjects=false", "fetch.unpackLimit=1"))
                    self.assertNotIn("HTTP 5", done.stderr)
                    have = git("cat-file", "-t", bad, cwd=target).returncode == 0
                    self.assertTrue(have or done.returncode != 0, done.stderr)
        self.assertTrue(any(os.path.exists(os.path.join(r.git_dir, "canned.pack")) for r in self.hub.store.repos()))

    def test_every_hostile_pack_is_sent_and_refused_by_git(self):
        for name in HOSTILE_PACKS:
            with self.subTest(name):
                repo = self.hub.store.create("model", f"pack/{name}")
                if name in ("delta_bomb", "zlib_bomb"):
                    continue  # hundreds of MB each: for the reader under test, not for here
                make_hostile_pack(repo, name)
                done, _ = self.clone(f"pack/{name}", "--bare")
                self.assertNotEqual(done.returncode, 0, name)

    def test_a_canned_pack_arrives_whole(self):
        repo = self.hub.store.create("model", "bad/canned")
        make_hostile(repo, "empty_name")
        for version in (0, 2):
            done, _ = self.clone("bad/canned", "--bare", config=(f"protocol.version={version}",))
            self.assertIn("empty filename", done.stderr)


class Faults(HubCase):
    def test_status_and_when(self):
        self.faults({"match": {"path": "/api/models/org/name$"}, "when": {"first": 2}, "do": "status", "status": 503, "retry_after": 3})
        answers = [self.get("/api/models/org/name") for _ in range(3)]
        self.assertEqual([a.status for a in answers], [503, 503, 200])
        self.assertEqual(answers[0].headers["retry-after"], "3")
        self.faults({"when": {"nth": [2, 4]}, "do": "status", "status": 429})
        answers = [self.get("/api/models/org/name") for _ in range(4)]
        self.assertEqual([a.status for a in answers], [200, 429, 200, 429])
        self.assertRegex(answers[1].headers["ratelimit"], '"api";r=0;t=1')
        self.faults({"when": {"every": 2}, "do": "status", "status": 500})
        self.assertEqual([self.get("/api/models/org/name").status for _ in range(4)], [200, 500, 200, 500])
        self.faults({"when": {"first": 1, "per": "path"}, "do": "status", "status": 502})
        self.assertEqual([self.get(p).status for p in ("/api/models", "/api/models/org/name") * 2], [502, 502, 200, 200])
        self.faults({"when": {"after": 1, "times": 1}, "do": "status", "status": 408})
        self.assertEqual([self.get("/api/models").status for _ in range(3)], [200, 408, 200])

    def test_chance_follows_the_seed(self):
        def run(seed):
            self.faults({"when": {"probability": 0.5}, "do": "status", "status": 500}, seed=seed)
            return [self.get("/api/models").status for _ in range(24)]

        self.assertEqual(run(1), run(1))
        self.assertNotEqual(run(1), run(2))
        self.assertEqual(set(run(1)), {200, 500})

    def test_reset(self):
        self.faults({"match": {"port": "cdn"}, "do": "reset", "after_bytes": 5000})
        answer = ask(self.weights_url())
        self.assertIsInstance(answer.error, ConnectionResetError)
        self.assertEqual(answer.body, WEIGHTS[:5000])
        self.faults({"match": {"port": "cdn"}, "do": "reset"})
        with self.assertRaises((ConnectionResetError, http.client.RemoteDisconnected)):
            ask(self.weights_url())

    def test_short_long_and_lying_lengths(self):
        self.faults({"match": {"port": "cdn"}, "do": "close", "after_bytes": 0.5})
        answer = ask(self.weights_url())
        self.assertEqual((len(answer.body), answer.headers["content-length"]), (50_000, "100000"))
        self.assertIsNotNone(answer.error)
        self.faults({"match": {"port": "cdn"}, "do": "length", "delta": 10})
        answer = ask(self.weights_url())
        self.assertEqual((len(answer.body), answer.headers["content-length"]), (100_000, "100010"))
        self.faults({"match": {"port": "cdn"}, "do": "length", "delta": -10})
        self.assertEqual(ask(self.weights_url()).headers["content-length"], "99990")
        self.faults({"match": {"port": "cdn"}, "do": "extra", "bytes": 10})
        url = self.weights_url()
        with socket.create_connection(("127.0.0.1", self.hub.cdn_server.port)) as link:
            link.sendall(f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            data = b""
            while chunk := link.recv(65536):
                data += chunk
        self.assertIn(b"Content-Length: 100000\r\n", data)
        self.assertTrue(data.endswith(b"x" * 10))

    def test_one_flipped_byte(self):
        self.faults({"match": {"port": "cdn"}, "do": "flip_byte"})
        url = self.weights_url()
        whole = ask(url).body
        wrong = [i for i in range(len(WEIGHTS)) if whole[i] != WEIGHTS[i]]
        self.assertEqual((len(whole), len(wrong)), (100_000, 1))
        parts = b"".join(ask(url, headers={"Range": f"bytes={i}-{i + 9999}"}).body for i in range(0, 100_000, 10_000))
        self.assertEqual(parts, whole)  # the same byte, however the file is cut
        self.faults({"match": {"port": "cdn"}, "do": "flip_byte", "at": -1, "when": {"times": 1}})
        self.assertEqual(ask(url, headers={"Range": "bytes=0-9"}).body, WEIGHTS[:10])
        self.assertEqual(ask(url).body[-1], WEIGHTS[-1] ^ 1)
        self.assertEqual(ask(url).body, WEIGHTS)
        self.faults({"match": {"path": "resolve-cache"}, "do": "flip_byte", "at": 0})
        self.assertEqual(self.get(self.get("/org/name/resolve/main/README.md").headers["location"]).body[:1], b",")

    def test_ranges_gone_wrong(self):
        url = self.weights_url()
        ranged = {"headers": {"Range": "bytes=10-19"}}
        self.faults({"match": {"range": True}, "do": "ignore_range"})
        answer = ask(url, **ranged)
        self.assertEqual((answer.status, len(answer.body)), (200, 100_000))
        self.faults({"do": "content_range", "shift": 1})
        self.assertEqual(ask(url, **ranged).headers["content-range"], "bytes 11-20/100000")
        self.faults({"do": "content_range", "total": 5})
        self.assertEqual(ask(url, **ranged).headers["content-range"], "bytes 10-19/5")
        self.faults({"do": "content_range", "drop": True})
        self.assertIsNone(ask(url, **ranged).headers["content-range"])

    def test_etag_changes_mid_file(self):
        url = self.weights_url()
        self.faults({"match": {"port": "cdn"}, "do": "etag_change", "when": {"after": 1}})
        first = ask(url, headers={"Range": "bytes=0-9"})
        second = ask(url, headers={"Range": "bytes=10-19"})
        self.assertNotEqual(first.headers["etag"], second.headers["etag"])
        self.assertEqual(ask(url, headers={"Range": "bytes=10-19", "If-Range": first.headers["etag"]}).status, 200)

    def take(self, url, limit):
        """Reads raw bytes until `limit`, then leaves."""
        parts = urllib.parse.urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port)) as link:
            link.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            data = b""
            while len(data) < limit and (chunk := link.recv(1 << 20)):
                data += chunk
            return data

    def test_endless(self):
        self.faults({"match": {"port": "cdn"}, "do": "endless_body"}, {"match": {"path": "^/api/models$"}, "do": "endless_headers"})
        self.assertGreaterEqual(len(self.take(self.weights_url(), 20 << 20)), 20 << 20)
        data = self.take(self.hub.endpoint + "/api/models", 4 << 20)
        self.assertGreaterEqual(len(data), 4 << 20)
        self.assertNotIn(b"\r\n\r\n", data)

    def test_trickle(self):
        self.faults({"match": {"path": "^/api/models$"}, "do": "trickle", "bytes_per_s": 1})
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.hub.api_server.port)) as link:
            link.sendall(b"GET /api/models HTTP/1.1\r\nHost: x\r\n\r\n")
            data = b""
            while b"\r\n\r\n" not in data or len(data.split(b"\r\n\r\n", 1)[1]) < 2:
                data += link.recv(1)
        self.assertGreaterEqual(time.monotonic() - start, 0.9)

    def test_stall_until_released(self):
        self.faults({"match": {"path": "^/api/models$"}, "do": "stall"}, {"match": {"port": "cdn"}, "do": "stall", "after_bytes": 1000})
        answers = []
        url = self.weights_url()
        threads = [threading.Thread(target=lambda u=u: answers.append(ask(u))) for u in (self.hub.endpoint + "/api/models", url)]
        for thread in threads:
            thread.start()
        while self.hub.stalled() < 2:
            time.sleep(0.01)
        self.assertEqual(answers, [])
        self.hub.release()
        for thread in threads:
            thread.join()
        self.assertEqual(self.hub.stalled(), 0)
        self.assertEqual([a.status for a in answers], [200, 200])
        self.assertIn(WEIGHTS, [a.body for a in answers])

    def test_gzip_bombs(self):
        self.faults({"match": {"path": "^/api/models$|bridge"}, "do": "gzip_bomb", "size": 64 << 20})
        for url in (self.hub.endpoint + "/api/models", self.weights_url()):
            answer = ask(url)
            self.assertEqual(answer.headers["content-encoding"], "gzip")
            self.assertLess(len(answer.body), 1 << 20)
            self.assertEqual(len(zlib.decompress(answer.body, 31)), 64 << 20)

    def test_redirects(self):
        for location in ("http://10.0.0.1/", "http://169.254.169.254/latest", "file:///etc/passwd", "http://printer.local/{path}"):
            self.faults({"match": {"path": "/resolve/"}, "do": "redirect", "location": location})
            answer = self.get("/org/name/resolve/main/weights.bin")
            self.assertEqual((answer.status, answer.headers["location"].split("/{")[0][:14]), (302, location[:14]))
        self.faults({"match": {"path": "/resolve/"}, "do": "redirect_loop"})
        path = "/org/name/resolve/main/weights.bin"
        for hop in range(1, 4):
            answer = self.get(path)
            path = answer.headers["location"]
            self.assertEqual(path, f"/org/name/resolve/main/weights.bin?hop={hop}")

    def test_expired(self):
        self.faults({"match": {"port": "cdn"}, "do": "expired", "when": {"first": 1, "per": "path"}})
        url = self.weights_url()
        self.assertEqual([ask(url).status for _ in range(2)], [403, 200])
        self.faults({"match": {"port": "cdn"}, "do": "expire_urls", "when": {"nth": 1}})
        self.assertEqual([ask(url).status for _ in range(2)], [403, 403])
        self.assertEqual(ask(self.weights_url()).status, 200)

    def test_json_gone_wrong(self):
        for variant in ("invalid", "truncated", "nested", "html", "empty", "bad_utf8", "nul", "trailing", "nested_object"):
            self.faults({"match": {"path": "^/api/"}, "do": "json", "variant": variant})
            answer = self.get("/api/models/org/name")
            self.assertEqual(answer.status, 200)
            with self.assertRaises((ValueError, RecursionError), msg=variant):
                answer.json()
        self.faults({"do": "json", "variant": "wrong_types"})
        self.assertEqual(self.get("/api/models/org/name").json()["sha"], 40)
        self.faults({"do": "json", "variant": "big_number"})
        self.assertGreater(self.get("/api/models/org/name/tree/main").json()[0]["size"], 10**300)
        self.faults({"do": "headers", "set": {"X-Linked-Size": "7"}, "drop": ["X-Repo-Commit"]})
        answer = self.get("/org/name/resolve/main/weights.bin")
        self.assertEqual((answer.headers["x-linked-size"], answer.headers["x-repo-commit"]), ("7", None))

    def test_a_repository_that_moves(self):
        at_tree = {"match": {"path": "/tree/"}, "do": "update"}
        self.faults({**at_tree, "run": {"op": "commit", "repo": "models/org/name", "files": {"new.txt": "new", "new.bin": {"lfs": "bytes"}}}})
        paths = [e["path"] for e in self.get("/api/models/org/name/tree/main").json()]
        self.assertIn("new.bin", paths)
        moved = self.repo.head()
        self.assertNotEqual(moved, self.head)
        self.faults({**at_tree, "run": {"op": "force_push", "repo": "models/org/name", "back": 2, "files": {"other.txt": "x"}}})
        self.get("/api/models/org/name/tree/main")
        self.assertEqual([c["title"] for c in self.get("/api/models/org/name/commits/main").json()], ["update by force_push", "first"])
        self.assertEqual(self.get(f"/api/models/org/name/revision/{moved}").json()["sha"], moved)  # old commits stay readable
        self.repo.set_ref("refs/heads/gone", self.first)
        self.faults({**at_tree, "after_response": True, "run": {"op": "delete_ref", "repo": "models/org/name", "ref": "refs/heads/gone"}})
        self.assertEqual(self.get("/api/models/org/name/tree/gone").status, 200)
        self.hub.wait_idle()
        self.assertEqual(self.get("/api/models/org/name/tree/gone").status, 404)
        self.hub.updates["mine"] = lambda hub: hub.store.get("model", "org/name").force_push("orphan", {"a": "b"}, back=99)
        self.faults({**at_tree, "run": "mine"})
        self.get("/api/models/org/name/tree/main")
        self.assertEqual(len(self.get("/api/models/org/name/commits/main").json()), 1)

    def test_git_cut_and_corrupted(self):
        pack = {"match": {"path": "git-upload-pack$"}, "when": {"nth": 2}}
        url = self.hub.endpoint + "/org/name"
        self.repo.commit("noise", {f"f{i}": os.urandom(3000) for i in range(60)})
        for i, rule in enumerate(({"do": "reset", "after_bytes": 3000}, {"do": "close", "after_bytes": 3000}, {"do": "corrupt_pack"},
                                  {"do": "corrupt_pack", "at": 40})):
            self.faults({**pack, **rule})
            done = git("clone", "-q", "--bare", url, os.path.join(self.folder, f"cut{i}"))
            self.assertNotEqual(done.returncode, 0, rule)
            self.assertEqual(self.hub.faults.state()[0]["effects"], 1)
        self.assertEqual(git("clone", "-q", "--bare", url, os.path.join(self.folder, "whole")).returncode, 0)

    def test_chaos_and_bad_scripts(self):
        self.hub.faults.load({"seed": 3, "chaos": {"rate": 0.2, "kinds": ["503", "429", "reset"], "times": 4}})
        seen = set()
        for _ in range(60):
            try:
                answer = self.get("/api/models")
                seen.add("cut" if answer.error else answer.status)
            except OSError:
                seen.add("cut")
        self.assertEqual(seen, {200, 429, 503, "cut"})
        for bad in ([{"do": "nonsense"}], [{"do": "reset", "match": {"prot": "cdn"}}], {"rulez": []}):
            with self.assertRaises(ValueError):
                self.hub.faults.load(bad)


class Whole(unittest.TestCase):
    """The program as a process, the sample, TLS."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fake-hub-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def test_as_a_process(self):
        port_file = os.path.join(self.folder, "port.json")
        main = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
        log = os.path.join(self.folder, "log.jsonl")
        process = subprocess.Popen([sys.executable, main, "--root", os.path.join(self.folder, "hub"), "--sample", "--big-mib", "2",
                                    "--port-file", port_file, "--log", log, "--exit-with-parent", "--options", '{"git_v2": false}'],
                                   stdout=subprocess.PIPE, text=True)
        try:
            facts = json.loads(process.stdout.readline())
            with open(port_file, encoding="utf-8") as f:
                self.assertEqual(json.load(f), facts)
            door = facts["endpoint"] + "/-fake-hub/"
            self.assertEqual(len(ask(door + "state").json()["repos"]), len(SAMPLE_IDS))
            self.assertEqual(ask(door + "faults", method="PUT", body=json.dumps([{"do": "status", "status": 500}])).status, 200)
            self.assertEqual(ask(facts["endpoint"] + "/api/models").status, 500)
            self.assertEqual(ask(door + "faults", method="PUT", body="{}").status, 200)
            self.assertEqual(ask(door + "faults", method="PUT", body='[{"do": "x"}]').status, 400)
            self.assertEqual(len(ask(facts["endpoint"] + "/api/models").json()), 4)
            update = {"op": "rename", "repo": "models/open-lab/tiny-llama", "to": "open-lab/small-llama"}
            self.assertEqual(ask(door + "update", method="POST", body=json.dumps(update)).status, 200)
            self.assertEqual(ask(facts["endpoint"] + "/api/models/open-lab/tiny-llama").status, 307)
            logged = ask(door + "log").json()
            self.assertEqual([e["path"] for e in logged], ["/api/models", "/api/models", "/api/models/open-lab/tiny-llama"])
            with open(log, encoding="utf-8") as f:
                self.assertEqual(json.loads(f.readlines()[0])["port"], "control")
        finally:
            process.terminate()
            self.assertEqual(process.wait(), 0)
            process.stdout.close()

    def test_sample(self):
        store = ensure_sample(os.path.join(self.folder, "hub"), big_mib=3)
        self.addCleanup(store.close)
        heads = {f"{r.kind}s/{r.id}": r.head() for r in store.repos()}
        again = ensure_sample(os.path.join(self.folder, "hub"), big_mib=3)
        self.assertEqual(heads, {f"{r.kind}s/{r.id}": r.head() for r in again.repos()})
        base, tuned = store.get("model", "open-lab/tiny-llama"), store.get("model", "open-lab/tiny-llama-chat")
        shared = base.lfs_oids() & tuned.lfs_oids()
        self.assertGreaterEqual(len(shared), 2)
        for repo in store.repos():
            self.assertEqual(git(f"--git-dir={repo.git_dir}", "fsck", "--strict").returncode, 0)
            for sha256, size in repo.lfs_oids():
                with open(store.blobs.path(sha256), "rb") as f:
                    data = f.read()
                self.assertEqual((hashlib.sha256(data).hexdigest(), len(data)), (sha256, size))
                self.check_format(data)
        self.assertIn("refs/pr/1", base.reader.refs())
        self.assertIn("refs/convert/parquet", store.get("dataset", "open-lab/reviews").reader.refs())
        index = json.loads(base.reader.blob(base.reader.tree(base.head()).at["model.safetensors.index.json"].oid))
        self.assertEqual(len(index["weight_map"]), 66)

    def check_format(self, data):
        if data[:4] == b"GGUF":
            self.assertEqual(struct.unpack("<IQQ", data[4:24])[0], 3)
        elif data[:4] == b"PAR1":
            self.assertEqual(data[-4:], b"PAR1")
            self.assertLess(struct.unpack("<I", data[-8:-4])[0], len(data))
        elif data[8:9] == b"{":
            size = struct.unpack("<Q", data[:8])[0]
            header = json.loads(data[8 : 8 + size])
            ends = [t["data_offsets"][1] for n, t in header.items() if n != "__metadata__"]
            self.assertEqual(max(ends), len(data) - 8 - size)

    def test_parquet_is_read_by_others(self):
        try:
            import pyarrow.parquet
        except ImportError:
            self.skipTest("pyarrow is not installed")
        path = os.path.join(self.folder, "t.parquet")
        columns = {"n": [1, -2, 3], "x": [0.5, 1.5, 2.5], "s": ["a", "ä", ""]}
        with open(path, "wb") as f:
            f.write(parquet(columns))
        self.assertEqual(pyarrow.parquet.read_table(path).to_pydict(), columns)

    def test_tls(self):
        with FakeHub(os.path.join(self.folder, "hub"), tls=True) as hub:
            repo = hub.store.create("model", "org/name")
            repo.commit("x", {"w.bin": Lfs(WEIGHTS)})
            context = ssl.create_default_context(cafile=hub.ca_file)
            link = http.client.HTTPSConnection("127.0.0.1", hub.api_server.port, context=context)
            link.request("GET", "/org/name/resolve/main/w.bin")
            location = link.getresponse().headers["location"]
            link.close()
            self.assertTrue(location.startswith("https://"))
            link = http.client.HTTPSConnection("127.0.0.1", hub.cdn_server.port, context=context)
            link.request("GET", location.split(str(hub.cdn_server.port), 1)[1])
            self.assertEqual(link.getresponse().read(), WEIGHTS)
            link.close()

    def test_a_store_is_opened_again(self):
        store = Store(os.path.join(self.folder, "hub"))
        commit = store.create("space", "org/x", private=True).commit("x", {"a": "b", "m": Submodule()})
        again = Store(store.root)
        self.assertEqual(again.get("space", "org/x").head(), commit)
        self.assertTrue(again.get("space", "org/x").meta["private"])
        store.close()
        again.close()


if __name__ == "__main__":
    unittest.main()
