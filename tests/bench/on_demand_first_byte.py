#!/usr/bin/env python3
"""How long a client waits for the first byte of a large file that is not here: from the daemon that fetches it on demand, and from
the upstream itself, in turns, each file once. Prints medians and their ratio.

    tests/bench/on_demand_first_byte.py --program build/release/app/hubmirror [--delay-ms 60] [--files 15] [--mib 64]

--delay-ms: how long the fake Hub takes for each answer, as a Hub at a distance does; 0: loopback alone.
"""
import argparse
import http.client
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from fake_hub import FakeHub, GITATTRIBUTES, LfsRandom


def first_byte_s(url):
    """Follows redirects on connections of its own, as a client that comes for the first time."""
    began = time.monotonic()
    while True:
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
        connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""))
        answer = connection.getresponse()
        if answer.status not in (301, 302, 307):
            break
        url = urllib.parse.urljoin(url, answer.getheader("Location"))
        connection.close()
    if answer.status != 200 or len(answer.read(1)) != 1:
        raise SystemExit(f"{url}: {answer.status}")
    took = time.monotonic() - began
    while answer.read(1 << 20):
        pass
    connection.close()
    return took


def serving(log):
    for _ in range(600):
        with open(log, encoding="utf-8") as f:
            if match := re.search(r"serving at=\"?(http://127.0.0.1:\d+)", f.read()):
                return match.group(1)
        time.sleep(0.1)
    raise SystemExit("the daemon does not serve")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--delay-ms", type=int, default=60)
    parser.add_argument("--files", type=int, default=15)
    parser.add_argument("--mib", type=int, default=64)
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="first-byte-")
    daemon = None
    try:
        with FakeHub(os.path.join(folder, "hub")) as hub:
            repo = hub.store.create("model", "org/name")
            names = [f"w{i}.bin" for i in range(args.files)]
            repo.commit("first", {".gitattributes": GITATTRIBUTES} | {name: LfsRandom(args.mib << 20, name) for name in names})
            config = os.path.join(folder, "hubmirror.toml")
            with open(config, "w", encoding="ascii") as f:
                f.write('[storage]\nreserve_bytes = 1048576\n[serve]\nlisten = ["127.0.0.1:0"]\non_demand = "files"\n[log]\nlevel = "info"\n')
            log = os.path.join(folder, "log")
            command = [args.program, "--config", config, "--data-dir", os.path.join(folder, "data"), "--upstream", hub.endpoint,
                       "--allow-private", f"127.0.0.1:{hub.cdn_server.port}", "daemon"]
            daemon = subprocess.Popen(command, stderr=open(log, "w", encoding="utf-8"), stdout=subprocess.DEVNULL)
            ours = serving(log)
            http.client.HTTPConnection(ours.split("//")[1]).request("GET", "/api/models/org/name")
            first_byte_s(f"{ours}/org/name/resolve/main/.gitattributes")
            if args.delay_ms:
                hub.faults.load({"rules": [{"do": "delay", "ms": args.delay_ms}]})
            took = {ours: [], hub.endpoint: []}
            for i, name in enumerate(names):
                for endpoint in (ours, hub.endpoint) if i % 2 == 0 else (hub.endpoint, ours):
                    took[endpoint].append(first_byte_s(f"{endpoint}/org/name/resolve/main/{name}") * 1000)
        mine, its = statistics.median(took[ours]), statistics.median(took[hub.endpoint])
        print(f"first byte, upstream {args.delay_ms} ms away: through hubmirror {mine:.1f} ms ({min(took[ours]):.1f}-{max(took[ours]):.1f}), "
              f"upstream itself {its:.1f} ms ({min(took[hub.endpoint]):.1f}-{max(took[hub.endpoint]):.1f}), ratio {mine / its:.2f}")
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait()
        shutil.rmtree(folder, True)


if __name__ == "__main__":
    main()
