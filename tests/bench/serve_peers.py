#!/usr/bin/env python3
"""`hubmirror serve` beside what people put in its place. Prints medians and ratios of turns on loopback.

    tests/bench/serve_peers.py --program build/release/app/hubmirror [--olah olah-cli] [--hf hf] [--rounds 3] [--seconds 10] [--gib 4]

--olah PROGRAM: requests per second against olah (pip install olah), its cache warm: a file of 4 KiB, a repository's info.
--hf PROGRAM: `hf download` of a large file from hubmirror, and from nginx that gives the same answers, recorded beforehand.
Both are left out when no program is named. Needs wrk and nginx.
"""
import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from serve_compare import free_port, wait_for, wrk

from fake_hub import FakeHub, GITATTRIBUTES, LfsRandom

CONNECTIONS_OF_OLAH = 8  # with 64 it answers none within seconds
KEPT_FIELDS = ("X-Repo-Commit", "ETag", "X-Linked-Etag", "X-Linked-Size", "Content-Type", "Content-Disposition", "Cache-Control")
NGINX = """
user {user}; worker_processes auto; pid {dir}/nginx.pid; error_log {dir}/error.log; daemon off;
events {{ worker_connections 1000; }}
http {{ access_log off; sendfile on; tcp_nopush on; etag off; types {{}}
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{port}; merge_slashes off; {locations} }} }}
"""


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.processes = args, folder, []

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, command, port, **options):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        self.processes.append(process)
        wait_for(port, process)
        return process

    def end(self):
        for process in self.processes:
            process.terminate()
            process.wait()

    def serve(self, hub, *settings):
        data, port = self.path("data"), free_port()
        base = [self.args.program, "--quiet", "--data-dir", data, "--upstream", hub.endpoint, "--allow-private", f"127.0.0.1:{hub.cdn_server.port}"]
        subprocess.run([*base, "mirror", "org/name"], check=True)
        config = self.path("hubmirror.toml")
        with open(config, "w", encoding="ascii") as f:
            f.write(f'[serve]\naccess_log = "{self.path("access.log")}"\n' if "log" in settings else "")
        self.start([self.args.program, "--quiet", "--config", config, "--data-dir", data, "serve", "--listen", f"127.0.0.1:{port}"], port)
        return port

    # olah

    def olah(self):
        files = {".gitattributes": GITATTRIBUTES, "small.txt": "x" * 4096, "config.json": "{}"} | {f"f{i}.txt": str(i) for i in range(16)}
        with FakeHub(self.path("hub")) as hub:
            hub.store.create("model", "org/name").commit("first", files)
            ours, theirs = self.serve(hub), free_port()
            command = [self.args.olah, "--host", "127.0.0.1", "--port", str(theirs), "--hf-scheme", "http", "--hf-netloc", hub.endpoint.split("//")[1],
                       "--hf-lfs-netloc", f"127.0.0.1:{hub.cdn_server.port}", "--mirror-netloc", f"127.0.0.1:{theirs}",
                       "--mirror-lfs-netloc", f"127.0.0.1:{theirs}", "--repos-path", self.path("olah"), "--log-path", self.path("olah-log"),
                       "--metadata-cache-ttl", "86400"]
            self.start(command, theirs, cwd=self.folder)
            for name, path in (("small", "/org/name/resolve/main/small.txt"), ("api", "/api/models/org/name/revision/main")):
                for port in (ours, theirs, theirs):  # the second one fills its cache
                    self.fetch(port, path)
                rates, asked = {ours: [], theirs: []}, {ours: 0, theirs: 0}
                for i in range(self.args.rounds):
                    for port in (ours, theirs) if i % 2 == 0 else (theirs, ours):
                        hub.wait_idle()
                        before = len(hub.requests())
                        rates[port].append(wrk(f"http://127.0.0.1:{port}{path}", self.args.seconds, CONNECTIONS_OF_OLAH)[0])
                        asked[port] += len(hub.requests()) - before
                mine, its = statistics.median(rates[ours]), statistics.median(rates[theirs])
                print(f"olah {name:6} hubmirror {mine:10.1f}/s, {asked[ours]} requests upstream | olah {its:8.1f}/s, {asked[theirs]} requests upstream | "
                      f"{mine / its:.0f} times", flush=True)

    @staticmethod
    def fetch(port, path, method="GET", limit=1 << 20):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read(limit)
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{method} {path} at port {port}: {answer.status}")
        return answer, body

    # hf download

    def hf(self):
        with FakeHub(self.path("hub")) as hub:
            repo = hub.store.create("model", "org/name")
            repo.commit("first", {".gitattributes": GITATTRIBUTES, "config.json": "{}", "w.bin": LfsRandom(self.args.gib << 30, 1)})
            ours = self.serve(hub, "log")
        self.download(ours)
        theirs = self.nginx(ours)
        seconds = {ours: [], theirs: []}
        for i in range(self.args.rounds):
            for port in (ours, theirs) if i % 2 == 0 else (theirs, ours):
                seconds[port].append(self.download(port))
        mine, its = statistics.median(seconds[ours]), statistics.median(seconds[theirs])
        print(f"hf download of {self.args.gib} GiB: hubmirror {mine:.2f} s {[f'{s:.2f}' for s in seconds[ours]]} | nginx {its:.2f} s "
              f"{[f'{s:.2f}' for s in seconds[theirs]]} | {mine / its:.3f} of its time", flush=True)

    def download(self, port):
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "HF_HOME": self.path("hf"), "HF_ENDPOINT": f"http://127.0.0.1:{port}",
                       "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        os.sync()
        began = time.monotonic()
        subprocess.run([self.args.hf, "download", "org/name"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        took = time.monotonic() - began
        shutil.rmtree(self.path("hf"))
        return took

    def nginx(self, ours):
        """What the client asked of us, answered by nginx from files, with our fields."""
        asked = set()
        with open(self.path("access.log"), encoding="utf-8") as f:
            for line in f:
                asked.add(json.loads(line)["path"])
        locations, port = "", free_port()
        blobs = self.path("data/blobs/sha256")
        for number, path in enumerate(sorted(asked)):
            answer, _ = self.fetch(ours, path, "HEAD")
            etag = (answer.getheader("ETag") or "").strip('"')
            if len(etag) == 64:
                file = os.path.join(blobs, etag[:2], etag[2:4], etag)
            else:
                file = self.path(f"answer-{number}")
                with open(file, "wb") as f:
                    f.write(self.fetch(ours, path, limit=16 << 20)[1])
            told = [(name, answer.getheader(name)) for name in KEPT_FIELDS if answer.getheader(name) and name != "Content-Type"]
            fields = "".join(f"add_header {name} {quoted(value)}; " for name, value in told)
            locations += f"location = {path} {{ alias {file}; default_type {quoted(answer.getheader('Content-Type'))}; {fields}}}\n"
        conf = self.path("nginx.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(NGINX.format(user="root" if os.getuid() == 0 else "nobody", dir=self.folder, port=port, locations=locations))
        self.start(["nginx", "-c", conf], port)
        if not any(path.endswith("/w.bin") for path in asked):
            raise SystemExit("the client asked for no large file; nothing was measured")
        return port


def quoted(text):
    return "'" + text.replace("'", "\\'") + "'"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--olah")
    parser.add_argument("--hf")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--gib", type=int, default=4)
    args = parser.parse_args()
    args.program = os.path.abspath(args.program)
    for name in ("olah", "hf"):
        if not getattr(args, name):
            continue
        bench = Bench(args, tempfile.mkdtemp(prefix="serve-peers-"))
        os.chmod(bench.folder, 0o755)
        try:
            getattr(bench, name)()
        finally:
            bench.end()
            shutil.rmtree(bench.folder, True)


if __name__ == "__main__":
    sys.exit(main())
