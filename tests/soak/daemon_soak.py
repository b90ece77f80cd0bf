#!/usr/bin/env python3
"""The daemon for an hour: a Hub that changes every few seconds, a policy synced every minute, clients that never stop. Its memory,
descriptors and threads must stay flat, no request may be lost at a reload or at the end, and every answer must be the origin's bytes.

    tests/soak/daemon_soak.py --program build/release/app/hubmirror [--minutes 60] [--hf build/clients/hub-newest/bin/hf] [--samples FILE]

All on loopback. Needs wrk, git, git-lfs. Exit code 0: everything held.
"""
import argparse
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from fake_hub import GITATTRIBUTES, FakeHub, LfsRandom

REPOS = [f"org/model-{i}" for i in range(8)]
COMMIT_EVERY_S, SAMPLE_EVERY_S, RELOAD_EVERY_S, WRK_S = 3, 10, 120, 20
FIRST_SHARE = 1 / 6  # of the time, in which caches fill
CONFIG = """
[storage]
reserve_bytes = 1048576
[serve]
listen = ["127.0.0.1:0"]
gated = "{gated}"
access_log = "{log}"
cache_bytes = 67108864
[crawl]
tail_every_seconds = 10
[log]
level = "info"
"""


class Soak:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.end = threading.Event()
        self.problems, self.samples = [], []
        self.counts = {"answers": 0, "clones": 0, "downloads": 0, "commands": 0, "commits": 0, "reloads": 0, "wrk": 0}
        self.latest = {}  # repo: {commit: sha256 of w.bin}
        self.environment = {"PATH": os.environ["PATH"], "HOME": folder, "LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}

    def path(self, name):
        return os.path.join(self.folder, name)

    def configure(self, gated="granted"):
        with open(self.path("new.toml"), "w", encoding="utf-8") as f:
            f.write(CONFIG.format(gated=gated, log=self.path("access.log")))
        os.replace(self.path("new.toml"), self.path("hubmirror.toml"))

    def command(self, *args):
        return [self.args.program, "--config", self.path("hubmirror.toml"), "--data-dir", self.path("data"), "--upstream", self.hub.endpoint,
                "--allow-private", f"127.0.0.1:{self.hub.cdn_server.port}", *args]

    def problem(self, text):
        self.problems.append(text)
        print(f"PROBLEM {text}", flush=True)

    # the Hub

    def commit(self, name, number):
        repo = self.origins[name]
        seed = f"{name} {number}"
        files = {".gitattributes": GITATTRIBUTES, "config.json": json.dumps({"n": number}), "w.bin": LfsRandom(200_000 + 1000 * (number % 300), seed)}
        commit = repo.commit(f"change {number}", files)
        with open(next(repo.store.blobs.path(e.lfs[0]) for e in repo.reader.tree(commit).entries if e.path == "w.bin"), "rb") as f:
            self.latest.setdefault(name, {})[commit] = hashlib.sha256(f.read()).hexdigest()
        self.counts["commits"] += 1

    def change(self):
        for number in range(1, 1 << 30):
            if self.end.wait(COMMIT_EVERY_S):
                return
            self.commit(random.choice(REPOS), number)

    # clients

    def get(self, connection, path):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer, answer.read()

    def read(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.end.is_set():
            name = random.choice(REPOS)
            try:
                answer, body = self.get(connection, f"/{name}/resolve/main/w.bin")
                commit = answer.getheader("X-Repo-Commit")
                if answer.status != 200 or hashlib.sha256(body).hexdigest() != self.latest[name][commit]:
                    self.problem(f"{name}: {answer.status}, {len(body)} bytes at {commit}")
                pages = (f"/api/models/{name}", f"/api/models/{name}/tree/main?recursive=true", "/api/models?limit=5",
                         f"/{name}/resolve/{commit}/config.json")
                for page in pages:
                    answer, body = self.get(connection, page)
                    if answer.status != 200 or not json.loads(body):
                        self.problem(f"{page}: {answer.status}")
                self.counts["answers"] += 5
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.problem(f"a request was lost: {error!r}")
                connection.close()
            self.end.wait(0.02)

    def run(self, what, *command, cwd=None, codes=(0,)):
        done = subprocess.run(command, env=self.environment, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode not in codes:
            self.problem(f"{what}: exit code {done.returncode}: {(done.stdout + done.stderr)[-1200:]}")
        return done

    def clone(self):
        while not self.end.wait(10):
            target = self.path("clone")
            self.run("git clone", "git", "clone", "-q", "--depth", "1", f"http://127.0.0.1:{self.port}/{random.choice(REPOS)}", target)
            shutil.rmtree(target, True)
            self.counts["clones"] += 1
            if self.args.hf:
                target = self.path("download")
                environment = self.environment
                self.environment = environment | {"HF_ENDPOINT": f"http://127.0.0.1:{self.port}", "HF_HOME": self.path("hf")}
                self.run("hf download", self.args.hf, "download", random.choice(REPOS), "--local-dir", target)
                self.environment = environment
                shutil.rmtree(target, True)
                shutil.rmtree(self.path("hf"), True)
                self.counts["downloads"] += 1

    def command_beside(self):
        while not self.end.wait(30):
            for args in (("status",), ("mirror", random.choice(REPOS)), ("verify", random.choice(REPOS)), ("gc",)):
                # While a generation is under way, `status` ends with 1: something is lacking.
                self.run(" ".join(args), *self.command("--quiet", *args), codes=(0, 1) if args == ("status",) else (0,))
                self.counts["commands"] += 1

    def reload(self):
        number = 0
        while not self.end.wait(max(1, RELOAD_EVERY_S - WRK_S)):
            load = self.wrk(WRK_S)
            for _ in range(4):
                number += 1
                self.configure("check" if number % 2 else "granted")
                os.kill(self.daemon.pid, signal.SIGHUP)
                self.end.wait(WRK_S / 5)
                self.counts["reloads"] += 1
            self.check_wrk(load, "at a reload")

    def wrk(self, seconds):
        url = f"http://127.0.0.1:{self.port}/{REPOS[0]}/resolve/main/config.json"
        return subprocess.Popen(["wrk", "-t1", "-c16", f"-d{seconds}s", url], stdout=subprocess.PIPE, text=True)

    def check_wrk(self, load, when, ending=False):
        out = load.communicate(timeout=120)[0]
        self.counts["wrk"] += int(re.search(r"(\d+) requests in", out).group(1))
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
        lost = [int(n) for n in errors.groups()] if errors else [0, 0, 0, 0]
        if ending:
            lost[0] = lost[2] = 0  # nobody listens any more: wrk finds out when it writes
        if any(lost) or "Non-2xx" in out:
            self.problem(f"wrk {when}: {out}")

    # the daemon

    def sample(self):
        pid = self.daemon.pid
        while not self.end.wait(SAMPLE_EVERY_S):
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                text = f.read()
            figure = lambda name: int(re.search(rf"{name}:\s+(\d+)", text).group(1))
            row = {"s": round(time.monotonic() - self.began), "rss_kib": figure("VmRSS"), "anon_kib": figure("RssAnon"),
                   "log_kib": self.log_bytes() // 1024, "threads": figure("Threads"), "fds": len(os.listdir(f"/proc/{pid}/fd"))}
            self.samples.append(row)
            if self.args.samples:
                with open(self.args.samples, "a", encoding="ascii") as f:
                    f.write(json.dumps(row | self.counts) + "\n")

    def log_bytes(self):
        """What the index's tables in memory hold; RocksDB bounds them."""
        index = self.path("data/index")
        return sum(os.path.getsize(os.path.join(index, name)) for name in os.listdir(index) if name.endswith(".log"))

    def start(self):
        os.mkdir(self.path("policies"))
        with open(self.path("policies/all.toml"), "w", encoding="ascii") as f:
            f.write('[select]\nkind = "model"\nnames = ["*"]\n[schedule]\nevery = "1min"\n')
        self.configure()
        self.log = open(self.path("daemon.log"), "w+", encoding="utf-8")
        self.daemon = subprocess.Popen(self.command("daemon"), env=self.environment, stderr=self.log, stdout=subprocess.DEVNULL)
        self.port = int(self.said(r"serving at=\"?http://127.0.0.1:(\d+)"))
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            if all(self.get(connection, f"/{name}/resolve/main/w.bin")[0].status == 200 for name in REPOS):
                return
            time.sleep(0.5)

    def said(self, pattern):
        while self.daemon.poll() is None:
            with open(self.log.name, encoding="utf-8") as f:
                if match := re.search(pattern, f.read()):
                    return match.group(1)
            time.sleep(0.1)
        raise SystemExit("the daemon ended; see its log")

    def stop(self):
        load = self.wrk(8)
        time.sleep(3)
        self.daemon.send_signal(signal.SIGTERM)
        code = self.daemon.wait(120)
        if code != 0:
            self.problem(f"the daemon ended with {code}")
        self.check_wrk(load, "at the end", ending=True)

    def judge(self):
        settled = [s for s in self.samples if s["s"] > FIRST_SHARE * self.args.minutes * 60]
        third = max(1, len(settled) // 3)
        for sample in self.samples:
            sample["own_kib"] = sample["anon_kib"] - sample["log_kib"]
        for name, slack in (("rss_kib", 1.10), ("own_kib", 1.10), ("fds", 1.25), ("threads", 1.25)):
            before, after = (statistics.median(s[name] for s in part) for part in (settled[:third], settled[-third:]))
            print(f"{name:8} median of the first third {before:.0f}, of the last {after:.0f}, ratio {after / before:.3f}, "
                  f"maximum {max(s[name] for s in self.samples)}")
            if after > before * slack:
                self.problem(f"{name} grows")
        print(json.dumps(self.counts))

    def whole(self):
        with FakeHub(self.path("hub")) as self.hub:
            self.origins = {name: self.hub.store.create("model", name) for name in REPOS}
            for name in REPOS:
                self.commit(name, 0)
            self.start()
            self.began = time.monotonic()
            workers = [self.change, self.read, self.read, self.clone, self.command_beside, self.reload, self.sample]
            threads = [threading.Thread(target=worker) for worker in workers]
            for thread in threads:
                thread.start()
            time.sleep(self.args.minutes * 60)
            self.end.set()
            for thread in threads:
                thread.join()
            self.stop()
        self.judge()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--hf", help="the program hf of huggingface_hub, to download with as well")
    parser.add_argument("--samples", help="write each sample to this file")
    args = parser.parse_args()
    args.program = os.path.abspath(args.program)
    args.hf = args.hf and os.path.abspath(args.hf)
    folder = tempfile.mkdtemp(prefix="hm-soak-")
    soak = Soak(args, folder)
    try:
        soak.whole()
    finally:
        soak.end.set()
        if getattr(soak, "daemon", None) and soak.daemon.poll() is None:
            soak.daemon.kill()
        if soak.problems:
            print(f"What it left is in {folder}")
        else:
            shutil.rmtree(folder, True)
    print(f"{len(soak.problems)} problems")
    sys.exit(1 if soak.problems else 0)


if __name__ == "__main__":
    main()
