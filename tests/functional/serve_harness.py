"""What the tests of the server share: `hubmirror serve` as a process, and what the origin's files are, byte for byte."""

import hashlib
import http.client
import json
import os
import re
import signal
import sys
import urllib.parse

from harness import BINARY, HANG_S, HubTest, LfsRandom, Process, wait_until

ODD_NAMES = ("with blank.txt", "ünï/ço dé.txt", "a+b%20c#d?.txt", "deep/er/and/deeper/file.json", ".hidden", "quo\"te.txt", "semi;colon&amp.txt")
SERVING = re.compile(r"serving at (\S+)")
SERVING_LOG = re.compile(r"serving at=\"?(http://[^\s\"]+)")


def origin_files(repo, commit):
    """{path: bytes} of a revision of the fake Hub's repository, large files in full."""
    out = {}
    for entry in repo.reader.tree(commit).entries:
        if entry.kind == "directory":
            continue
        if entry.lfs:
            with open(repo.store.blobs.path(entry.lfs[0]), "rb") as f:
                out[entry.path] = f.read()
        else:
            out[entry.path] = repo.reader.blob(entry.oid)
    return out


def files_below(root, skip=(".git", ".cache")):
    out = {}
    for folder, names, files in os.walk(root):
        names[:] = [n for n in names if n not in skip]
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                out[os.path.relpath(path, root)] = f.read()
    return out


def digests(files):
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __getitem__(self, name):
        return self.headers.get(name)


class ServeTest(HubTest):
    """`self.serve()` starts a server; `self.get(path)` asks it; it ends with the test."""

    server = None

    def serve(self, *args, settings=None, **options):
        if settings:
            self.configure(serve=settings)
        process = self.start("serve", "--listen", "127.0.0.1:0", *args, **options)
        self.addCleanup(self.end_server, process)
        wait_until(lambda: SERVING.search(process.said()), "the server listens", process)
        self.server = process
        self.endpoint = SERVING.search(process.said()).group(1)
        return self.endpoint

    def end_server(self, process):
        if not process.running():
            return
        process.signal(signal.SIGTERM)
        run = process.wait()
        self.assert_sane(run)
        self.assertEqual(run.code, 0, f"\n{run}")

    def get(self, path, method="GET", body=None, token=None, endpoint=None, **headers):
        host = urllib.parse.urlsplit(endpoint or self.endpoint)
        connection = http.client.HTTPConnection(host.hostname, host.port, timeout=HANG_S)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            fields["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body, fields)
        response = connection.getresponse()
        answer = Answer(response, response.read())
        connection.close()
        return answer

    def odd_model(self, name="org/model", **meta):
        """A model with nested paths, unusual names, two branches, a tag and a pull request."""
        files = {"config.json": '{"model_type": "bert"}\n', "weights.bin": LfsRandom(300_000, name), "empty.txt": ""}
        files["deep/w2.bin"] = LfsRandom(70_000, name + "2")
        files |= {odd: f"text of {odd}\n" for odd in ODD_NAMES}
        repo = self.model(name, files, **meta)
        repo.tag("v1.0", message="first")
        repo.set_ref("refs/heads/dev/next", repo.commit("dev", {"dev.txt": "only here\n"}, ref="refs/heads/dev/next", parent="refs/heads/main"))
        repo.set_ref("refs/pr/1", repo.commit("pr", {"pr.txt": "proposed\n"}, ref="refs/pr/1", parent="refs/heads/main"))
        repo.commit("second", {"config.json": '{"model_type": "bert", "x": 1}\n'})
        return repo

    def assert_same_files(self, folder, repo, commit, only=None):
        theirs = origin_files(repo, commit)
        if only is not None:
            theirs = {name: data for name, data in theirs.items() if only(name)}
        self.assertEqual(digests(files_below(folder)), digests(theirs))


__all__ = ["BINARY", "ODD_NAMES", "SERVING_LOG", "Process", "ServeTest", "digests", "files_below", "origin_files", "sys"]
