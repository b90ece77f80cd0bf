"""The Hub's HTTP surface as `hubmirror serve` has it: each answer against the origin's own."""

import hashlib
import json
import re
import urllib.parse

from harness import LfsRandom, main, wait_until
from serve_harness import ODD_NAMES, ServeTest, origin_files


def quoted(text):
    return urllib.parse.quote(text, safe="")


class ApiTest(ServeTest):
    def setUp(self):
        super().setUp()
        self.repo_ = self.odd_model(downloads=77, likes=5)
        self.mirror("--pull-requests", "--all-history", "org/model")
        self.serve()

    def both(self, path, **headers):
        return self.get(path, **headers), self.get(path, endpoint=self.hub.endpoint, **headers)

    def test_info_is_what_the_hub_says(self):
        ours, theirs = self.both("/api/models/org/model")
        self.assertEqual(ours.status, 200)
        theirs.json.pop("xetEnabled", None)
        for field in ("_id", "id", "modelId", "sha", "private", "gated", "disabled", "tags", "downloads", "likes", "createdAt", "lastModified", "author"):
            self.assertEqual(ours.json[field], theirs.json[field], field)
        self.assertEqual(sorted(s["rfilename"] for s in ours.json["siblings"]), sorted(s["rfilename"] for s in theirs.json["siblings"]))
        ours, theirs = self.both("/api/models/org/model?blobs=true")
        by_name = lambda a: sorted(a.json["siblings"], key=lambda s: s["rfilename"])
        self.assertEqual(by_name(ours), by_name(theirs))
        ours, theirs = self.both("/api/models/org/model/revision/HEAD?expand=likes&expand[]=sha")
        self.assertEqual(ours.json, {k: theirs.json[k] for k in ("_id", "id", "likes", "sha")})
        self.assertEqual(self.get("/api/models/org/model?expand=nonsense").status, 400)

    def test_every_kind_of_revision(self):
        head = self.repo_.head()
        for revision in ("main", "HEAD", "v1.0", "dev/next", "refs/pr/1", "refs/heads/main", head, head[:10]):
            for written in {quoted(revision), revision}:
                ours = self.get(f"/api/models/org/model/revision/{written}")
                self.assertEqual(ours.status, 200, written)
                name = revision if revision != "HEAD" else "main"
                self.assertEqual(ours.json["sha"], self.repo_.reader.resolve(name) or head, written)
        for name in ("nothing", "0" * 40, "refs/pr/9"):
            no = self.get(f"/api/models/org/model/revision/{quoted(name)}")
            self.assertEqual((no.status, no["X-Error-Code"]), (404, "RevisionNotFound"))

    def test_trees_are_the_hubs_but_for_xet(self):
        for revision in ("main", "refs%2Fpr%2F1", "dev/next"):
            for query in ("", "?recursive=true", "?recursive=True&expand=False"):
                ours, theirs = self.both(f"/api/models/org/model/tree/{revision}{query}")
                for entry in theirs.json:
                    entry.pop("xetHash", None)
                clean = [{k: v for k, v in e.items() if k != "xetHash"} for e in theirs.json]
                self.assertEqual(sorted(ours.json, key=lambda e: e["path"]), sorted(clean, key=lambda e: e["path"]))
        for sub in ("deep", "deep%2Fer", "deep/er/and", quoted("ünï")):
            ours, theirs = self.both(f"/api/models/org/model/tree/main/{sub}")
            self.assertEqual([e["path"] for e in ours.json], [e["path"] for e in theirs.json], sub)
        for missing in ("nothing", "config.json", "..", "%2e%2e%2fconfig.json"):
            no = self.get(f"/api/models/org/model/tree/main/{missing}")
            self.assertEqual((no.status, no["X-Error-Code"]), (404, "EntryNotFound"), missing)
            self.assertEqual(no["X-Repo-Commit"], self.repo_.head())

    def test_expanded_trees_tell_the_last_commit(self):
        ours, theirs = self.both("/api/models/org/model/tree/main?expand=true")
        self.assertEqual({e["path"]: e["lastCommit"]["id"] for e in ours.json}, {e["path"]: e["lastCommit"]["id"] for e in theirs.json})

    def test_a_large_tree_comes_in_pages(self):
        self.model("org/many", {f"d{i % 50}/f{i}.txt": str(i) for i in range(2500)})
        self.mirror("org/many")
        self.wait_for_status("/api/models/org/many/tree/main", 200)  # before its revision is published, the repository is known without one
        path, seen, pages = "/api/models/org/many/tree/main?recursive=true", [], 0
        while path:
            page = self.get(path)
            seen += [e["path"] for e in page.json if e["type"] == "file"]
            pages += 1
            link = page["Link"]
            path = None
            if link:
                url = re.fullmatch(r'<(http://[^>]+)>; rel="next"', link).group(1)
                self.assertTrue(url.startswith(self.endpoint + "/"), url)
                path = url.removeprefix(self.endpoint)
        self.assertGreaterEqual(pages, 3)
        self.assertEqual(len(seen), len(set(seen)))
        self.assertIn("d7/f2457.txt", seen)
        self.assertGreaterEqual(len(seen), 2500)

    def test_paths_info_takes_forms_and_json(self):
        paths = ["config.json", "weights.bin", "deep", "nothing", ODD_NAMES[2]]
        form = urllib.parse.urlencode([("paths", p) for p in paths] + [("expand", "false")])
        for body, kind in ((form, "application/x-www-form-urlencoded"), (json.dumps({"paths": paths}), "application/json")):
            ours = self.get("/api/models/org/model/paths-info/main", "POST", body, Content_Type=kind)
            theirs = self.get("/api/models/org/model/paths-info/main", "POST", body, endpoint=self.hub.endpoint, Content_Type=kind)
            self.assertEqual(ours.json, [{k: v for k, v in e.items() if k != "xetHash"} for e in theirs.json], kind)
        self.assertEqual(self.get("/api/models/org/model/paths-info/main", "POST", "{", Content_Type="application/json").status, 400)
        self.assertEqual(self.get("/api/models/org/model/paths-info/main").status, 405)

    def test_refs_and_commits(self):
        for path in ("refs", "refs?include_prs=1"):
            ours, theirs = self.both(f"/api/models/org/model/{path}")
            ordered = lambda answer: {k: sorted(v, key=lambda r: r["ref"]) for k, v in answer.json.items()}
            self.assertEqual(ordered(ours), ordered(theirs))
        ours, theirs = self.both("/api/models/org/model/commits/main?limit=1")
        self.assertEqual(ours["X-Total-Count"], theirs["X-Total-Count"])
        for field in ("id", "title", "message", "date"):
            self.assertEqual(ours.json[0][field], theirs.json[0][field], field)
        following = self.get(re.search("<([^>]+)>", ours["Link"]).group(1).removeprefix(self.endpoint))
        self.assertNotEqual(following.json[0]["id"], ours.json[0]["id"])

    def test_files_by_every_name(self):
        for revision in ("main", "v1.0", "refs%2Fpr%2F1", "dev%2Fnext", self.repo_.head()):
            commit = self.repo_.reader.resolve(urllib.parse.unquote(revision))
            for name, data in origin_files(self.repo_, commit).items():
                path = f"/org/model/resolve/{revision}/{urllib.parse.quote(name)}"
                answer = self.get(path)
                self.assertEqual((answer.status, answer.body), (200, data), name)
                self.assertEqual(answer["X-Repo-Commit"], commit)
                self.assertEqual(answer["Content-Length"], str(len(data)))
                self.assertIsNone(answer["X-Xet-Hash"])
                etag = answer["ETag"].strip('"')
                whole = hashlib.sha256(data) if len(etag) == 64 else hashlib.sha1(b"blob %d\0" % len(data) + data)
                self.assertEqual(etag, whole.hexdigest())
                head = self.get(path, "HEAD")
                self.assertEqual((head.status, head.body, head["Content-Length"], head["ETag"]), (200, b"", str(len(data)), answer["ETag"]))

    def test_ranges(self):
        data = origin_files(self.repo_, self.repo_.head())["weights.bin"]
        path = "/org/model/resolve/main/weights.bin"
        for text, part in (("bytes=0-0", data[:1]), ("bytes=100-199", data[100:200]), ("bytes=-7", data[-7:]), ("bytes=299990-", data[299990:]),
                           ("bytes=10-9999999", data[10:])):
            answer = self.get(path, Range=text)
            self.assertEqual((answer.status, answer.body), (206, part), text)
            self.assertRegex(answer["Content-Range"], rf"bytes \d+-\d+/{len(data)}")
        self.assertEqual(self.get(path, Range="bytes=300000-").status, 416)
        self.assertEqual(self.get(path, Range="bytes=300000-")["Content-Range"], "bytes */300000")
        for text in ("bytes=0-1,5-6", "lines=1-2", "bytes=5-2", "bytes=x-"):
            self.assertEqual((self.get(path, Range=text).status, self.get(path, Range=text).body), (200, data), text)
        etag = self.get(path, "HEAD")["ETag"]
        self.assertEqual(self.get(path, Range="bytes=0-9", If_Range=etag).status, 206)
        self.assertEqual(self.get(path, Range="bytes=0-9", If_Range='"other"').status, 200)
        same = self.get(path, If_None_Match=etag)
        self.assertEqual((same.status, same.body, same["ETag"]), (304, b"", etag))
        self.assertEqual(self.get("/org/model/resolve/main/config.json", Range="bytes=2-5").body, b"mode")

    def test_what_is_not_there(self):
        for path, status, code in (
            ("/api/models/org/nothing", 404, "RepoNotFound"),
            ("/api/datasets/org/model", 404, "RepoNotFound"),
            ("/org/nothing/resolve/main/config.json", 404, "RepoNotFound"),
            ("/org/model/resolve/main/nothing.json", 404, "EntryNotFound"),
            ("/org/model/resolve/nothing/config.json", 404, "RevisionNotFound"),
            ("/org/model/resolve/main/../../../../etc/passwd", 404, "EntryNotFound"),
            ("/org/model/resolve/main/%2e%2e/%2e%2e/VERSION", 404, "EntryNotFound"),
            ("/org/model/resolve/main/.git/config", 404, "EntryNotFound"),
            ("/api/kernels/org/model", 404, "RepoNotFound"),
            ("/api/nothing", 404, None),
        ):
            answer = self.get(path)
            self.assertEqual((answer.status, answer["X-Error-Code"]), (status, code), path)
        self.assertEqual(self.get("/org/model/resolve/main/nothing.json").body, b"Entry not found")
        self.assertEqual(self.get("/org/model/resolve/main/nothing.json")["X-Repo-Commit"], self.repo_.head())

    def test_names_are_found_without_case_and_after_a_rename(self):
        answer = self.get("/api/models/ORG/Model/tree/main?recursive=true")
        self.assertEqual((answer.status, answer["Location"]), (307, "/api/models/org/model/tree/main?recursive=true"))
        self.store.rename(self.repo_, "org/renamed")
        self.mirror("org/renamed")
        wanted = "/org/renamed/resolve/main/config.json"
        self.wait_for_status("/org/model/resolve/main/config.json", 307)
        self.assertEqual(self.get("/org/model/resolve/main/config.json")["Location"], wanted)
        self.assertEqual(self.get(wanted).status, 200)

    def wait_for_status(self, path, status):
        wait_until(lambda: self.get(path).status == status, f"{path} is answered {status}", self.server)

    def test_an_update_of_another_process_is_seen(self):
        commit = self.repo_.commit("third", {"new.txt": "new\n", "new.bin": LfsRandom(5000, "new")})
        self.mirror("org/model")
        self.wait_for_status("/org/model/resolve/main/new.txt", 200)
        self.assertEqual(self.get("/api/models/org/model").json["sha"], commit)
        self.assertEqual(self.get("/org/model/resolve/main/new.bin", "HEAD")["Content-Length"], "5000")

    def test_a_mirror_in_part_says_so(self):
        self.model("org/part", {"a.bin": LfsRandom(4000, "a"), "b.bin": LfsRandom(4000, "b")})
        self.mirror("--exclude", "b.bin", "org/part")
        self.wait_for_status("/api/models/org/part/tree/main", 200)
        info = self.get("/api/models/org/part")
        self.assertIn("1 files", info["X-Hubmirror-Partial"])
        names = {s["rfilename"] for s in info.json["siblings"]}
        tree = {e["path"] for e in self.get("/api/models/org/part/tree/main").json}
        self.assertEqual(names, tree)
        self.assertNotIn("b.bin", names)
        self.assertEqual(self.get("/org/part/resolve/main/b.bin")["X-Error-Code"], "EntryNotFound")

    def test_nothing_is_written_by_a_client(self):
        for method, path in (("POST", "/api/repos/create"), ("POST", "/api/models/org/model/commit/main"), ("PUT", "/api/models/org/model/settings"),
                             ("DELETE", "/org/model/resolve/main/config.json"), ("POST", "/org/model/git-receive-pack")):
            self.assertEqual(self.get(path, method, "").status, 403, path)
        self.assertEqual(self.get("/api/telemetry/x/y", "HEAD").status, 200)
        self.assertEqual(self.get("/api/whoami-v2").status, 401)
        self.assertEqual(self.get("/-/health").body, b"ok\n")
        self.assertIn(b"hubmirror_http_requests_total", self.get("/-/metrics").body)

    def test_listings(self):
        self.repo("dataset", "lab/data", {"README.md": "---\nlicense: mit\n---\n"})
        for i in range(7):
            self.model(f"many/m{i}", {"README.md": "---\nlicense: mit\n---\n"}, likes=i, downloads=100 - i)
        self.hm("crawl", "--once")
        self.wait_for_status("/api/datasets/lab/data", 200)
        ids = lambda answer: [m["id"] for m in answer.json]
        self.assertEqual(set(ids(self.get("/api/models?author=many"))), {f"many/m{i}" for i in range(7)})
        self.assertEqual(ids(self.get("/api/models?sort=likes&limit=2&author=many")), ["many/m6", "many/m5"])
        self.assertEqual(ids(self.get("/api/models?sort=likes&direction=1&limit=2&author=many")), ["many/m1", "many/m2"])
        self.assertEqual(ids(self.get("/api/models?search=m3")), ["many/m3"])
        self.assertEqual(len(ids(self.get("/api/models?filter=license:mit"))), 7)
        self.assertEqual(ids(self.get("/api/datasets?filter=license%3Amit")), ["lab/data"])
        seen, path = [], "/api/models?sort=downloads&limit=3&author=many"
        while path:
            page = self.get(path)
            seen += ids(page)
            path = re.search("<([^>]+)>", page["Link"]).group(1).removeprefix(self.endpoint) if page["Link"] else None
        self.assertEqual(seen, [f"many/m{i}" for i in range(7)])
        self.assertEqual(self.get("/api/models?sort=nonsense").status, 400)
        self.assertEqual(self.get("/api/models?limit=0").status, 400)
        known = self.get("/api/models/many/m1")
        self.assertEqual((known.status, known.json["id"]), (200, "many/m1"))
        self.assertIn("not mirrored", known["X-Hubmirror-Partial"])
        self.assertEqual(self.get("/many/m1/resolve/main/README.md")["X-Error-Code"], "RepoNotFound")


if __name__ == "__main__":
    main()
