#!/usr/bin/env python3
"""`hubmirror serve` beside nginx: the same bytes, the same client (wrk), in turns, on loopback. Prints medians and ratios.

    tests/bench/serve_compare.py --program build/release/app/hubmirror [--rounds 5] [--seconds 4] [--only small,api,16m,1g,idle]

small: a file of 4 KiB from git. api: a repository's info of some 1.6 KB. 16m, 1g: large files by sendfile(2). idle: memory of 10,000 connections.
nginx: sendfile, one worker per core, no access log, files of the same sizes. Needs wrk and nginx.
"""
import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from fake_hub import FakeHub, GITATTRIBUTES, LfsRandom

NGINX = """
worker_processes auto; pid {dir}/nginx.pid; error_log {dir}/error.log; daemon off;
events {{ worker_connections 20000; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }} }}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process):
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("a server ended before it listened")


def wrk(url, seconds, connections, threads=2):
    command = ["wrk", "--latency", "--timeout", "60s", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    ms = float(p99.group(1)) * {"us": 0.001, "ms": 1, "s": 1000}[p99.group(2)]
    if re.search(r"Non-2xx|Socket errors", out):
        print(out)
        raise SystemExit("errors under wrk: nothing was measured")
    return rate, ms


def compare(name, ours, theirs, rounds, seconds, connections):
    results = {"hubmirror": [], "nginx": []}
    for i in range(rounds):
        pairs = [("hubmirror", ours), ("nginx", theirs)]
        for who, url in pairs if i % 2 == 0 else pairs[::-1]:
            results[who].append(wrk(url, seconds, connections))
    rate = {who: statistics.median(r for r, _ in all_) for who, all_ in results.items()}
    p99 = {who: statistics.median(p for _, p in all_) for who, all_ in results.items()}
    ratios = sorted(a[0] / b[0] for a, b in zip(results["hubmirror"], results["nginx"], strict=True))
    print(f"{name:6} hubmirror {rate['hubmirror']:10.1f}/s p99 {p99['hubmirror']:8.3f} ms | nginx {rate['nginx']:10.1f}/s p99 {p99['nginx']:8.3f} ms | "
          f"ratio of medians {rate['hubmirror'] / rate['nginx']:.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}), p99 {p99['hubmirror'] / p99['nginx']:.2f}", flush=True)


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def idle(pid, port, count=10_000):
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    before = rss_kib(pid)
    held = []
    for i in range(count):
        s = socket.socket()
        s.bind((f"127.0.{1 + i // 1000}.1", 0))  # the limit is per address
        s.connect(("127.0.0.1", port))
        s.sendall(b"GET /-/health HTTP/1.1\r\nHost: x\r\n\r\n")
        held.append(s)
    for s in held:
        s.recv(4096)
    time.sleep(1)
    after = rss_kib(pid)
    print(f"idle   {count} connections: {after / 1024:.1f} MiB, {(after - before) / count:.2f} KiB each", flush=True)
    for s in held:
        s.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", default="small,api,16m,1g,idle")
    args = parser.parse_args()
    wanted = set(args.only.split(","))
    folder = tempfile.mkdtemp(prefix="serve-bench-")
    processes = []
    try:
        with FakeHub(os.path.join(folder, "hub")) as hub:
            repo = hub.store.create("model", "org/name")
            files = {".gitattributes": GITATTRIBUTES, "small.txt": "x" * 4096, "config.json": "{}"} | {f"f{i}.txt": str(i) for i in range(44)}
            if "16m" in wanted:
                files["m.bin"] = LfsRandom(16 << 20, 1)
            if "1g" in wanted:
                files["g.bin"] = LfsRandom(1 << 30, 2)
            repo.commit("first", files)
            data = os.path.join(folder, "data")
            base = [args.program, "--data-dir", data, "--upstream", hub.endpoint, "--allow-private", f"127.0.0.1:{hub.cdn_server.port}"]
            subprocess.run([*base, "--quiet", "mirror", "org/name"], check=True)
        port, other = free_port(), free_port()
        mine = subprocess.Popen([args.program, "--quiet", "--data-dir", data, "serve", "--listen", f"127.0.0.1:{port}"])
        processes.append(mine)
        wait_for(port, mine)
        root = os.path.join(folder, "root")
        os.mkdir(root)
        os.chmod(folder, 0o755)
        info = subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/api/models/org/name"], capture_output=True, check=True).stdout
        with open(os.path.join(root, "api"), "wb") as f:
            f.write(info)
        print(f"api answer: {len(info)} bytes; load {os.getloadavg()[0]:.1f}")
        for name, size in (("small", 4096), ("m.bin", 16 << 20), ("g.bin", 1 << 30)):
            if name in ("small", *files):
                with open(os.path.join(root, name), "wb") as f:
                    for _ in range(max(1, size >> 20)):
                        f.write(os.urandom(min(size, 1 << 20)))
        conf = os.path.join(folder, "nginx.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(("user root;\n" if os.getuid() == 0 else "") + NGINX.format(dir=folder, port=other, root=root))
        nginx = subprocess.Popen(["nginx", "-c", conf], stderr=subprocess.DEVNULL)
        processes.append(nginx)
        wait_for(other, nginx)
        at, there = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{other}"
        if "small" in wanted:
            compare("small", f"{at}/org/name/resolve/main/small.txt", f"{there}/small", args.rounds, args.seconds, 64)
        if "api" in wanted:
            compare("api", f"{at}/api/models/org/name", f"{there}/api", args.rounds, args.seconds, 64)
        if "16m" in wanted:
            compare("16m", f"{at}/org/name/resolve/main/m.bin", f"{there}/m.bin", args.rounds, args.seconds, 8)
        if "1g" in wanted:
            compare("1g", f"{at}/org/name/resolve/main/g.bin", f"{there}/g.bin", args.rounds, args.seconds * 2, 2)
        if "idle" in wanted:
            idle(mine.pid, port)
    finally:
        for process in processes:
            process.terminate()
            process.wait()
        shutil.rmtree(folder, True)


if __name__ == "__main__":
    main()
