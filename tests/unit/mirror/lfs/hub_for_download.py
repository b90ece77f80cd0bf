#!/usr/bin/env python3
"""A fake Hub with one repository of large files, until standard input ends: hub_for_download.py ROOT FAULTS_JSON OPTIONS_JSON COUNT:SIZE…

The first line on standard output is {"endpoint", "cdn_port", "revision", "files": [[path, sha256, size]…]}. Then every line of standard input is
answered with one line: "log" with the downloads so far, as a list of [path, range header or null, status, body bytes sent].
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), *[".."] * 3))
from fake_hub import GITATTRIBUTES, FakeHub, LfsRandom  # noqa: E402


def main():
    root, faults, options = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
    with FakeHub(root, faults=faults, **options) as hub:
        repo = hub.store.create("model", "org/name")
        files = {".gitattributes": GITATTRIBUTES}
        for kind, spec in enumerate(sys.argv[4:]):
            count, size = map(int, spec.split(":"))
            files |= {f"file-{kind}-{i}.bin": LfsRandom(size, f"{kind}-{i}") for i in range(count)}
        revision = repo.commit("large files", files)
        facts = [[path, *file.store(hub.store.blobs)[:2]] for path, file in files.items() if path != ".gitattributes"]
        print(json.dumps({"endpoint": hub.endpoint, "cdn_port": hub.cdn_server.port, "revision": revision, "files": facts}), flush=True)
        for _ in sys.stdin:
            hub.wait_idle()
            print(json.dumps([[e["path"], e["range"], e["status"], e["bytes"]] for e in hub.requests("cdn")]), flush=True)


if __name__ == "__main__":
    main()
