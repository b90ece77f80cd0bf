#!/usr/bin/env python3
"""Whole-process benchmarks of hubmirror against the tools people use today, on loopback, in the same run.

Each scenario runs hubmirror and each reference in turn (A B, A B, …), every run in an empty directory, and prints the medians and the
ratio pair by pair (time of hubmirror / time of the reference: below 1 is faster). Bytes are verified on both sides: hubmirror and git-lfs
check SHA-256 themselves, aria2c is given --checksum, curl and hf are followed by sha256sum.

hubmirror makes what it downloads durable (fdatasync before the rename); the references leave it in the page cache. So each scenario is
measured twice: as the tools are, and with `sync` of the same files after the reference, which is what the same promise costs there.

  tests/bench/compare.py --bin build/release/app/hubmirror [--dir DIR] [--pairs 5] [--only large,small,git,refs,unchanged,verify,memory] [--quick]
"""
import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from fake_hub import FakeHub, GITATTRIBUTES, LfsRandom, LfsZeros  # noqa: E402
from fake_hub import repos as builders  # noqa: E402


def clean_environment(home):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUBMIRROR_", "GIT_")) and not k.lower().endswith("_proxy")}
    env.update(HOME=str(home), GIT_CONFIG_NOSYSTEM="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", LC_ALL="C")
    return env


def run(argv, env, cwd=None):
    """Seconds and peak RSS in bytes of one process; a failure ends the benchmark with its output."""
    begin = time.perf_counter()
    child = subprocess.Popen([str(a) for a in argv], env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begin
    if child.returncode != 0:
        sys.exit(f"{argv[0]} failed with {child.returncode}:\n{output.decode(errors='replace')[-3000:]}")
    return seconds, usage.ru_maxrss * 1024, output.decode(errors="replace")


class Bench:
    def __init__(self, options, hub, work):
        self.o, self.hub, self.work = options, hub, work
        self.rows = []

    # One run each: returns seconds.
    def ours(self, directory, repo_text):
        argv = [self.o.bin, "--data-dir", directory / "data", "--upstream", self.hub.endpoint,
                "--allow-private", f"127.0.0.1:{self.hub.cdn_server.port}", "--quiet", "mirror", repo_text]
        return run(argv, clean_environment(directory))[0]

    def ours_git(self, directory, repo_text):
        """The git part alone, as hubmirror tells it: listing refs, fetching and examining objects, moving refs; all of it durable."""
        mirror = ["mirror", "--pull-requests", repo_text]  # all refs, as git does
        argv = [self.o.bin, "--data-dir", directory / "data", "--upstream", self.hub.endpoint, "--json", *mirror]
        output = run(argv, clean_environment(directory))[2]
        return int(re.search(r'"stages_ms":\s*{[^}]*"git":\s*(\d+)', output).group(1)) / 1000

    def curl(self, directory, files):
        seconds = 0.0
        for url, sha256, _ in files:
            target = directory / sha256
            seconds += run(["curl", "-fsS", "--max-redirs", "0", "-o", target, url], clean_environment(directory))[0]
            took, _, output = run(["sha256sum", target], clean_environment(directory))
            assert output.split()[0] == sha256
            seconds += took
        return seconds

    def aria2c(self, directory, files):
        seconds = 0.0
        for url, sha256, _ in files:
            argv = ["aria2c", "-q", "-x16", "-s16", "--no-conf", "--file-allocation=none", f"--checksum=sha-256={sha256}", "-d", directory, "-o", sha256, url]
            seconds += run(argv, clean_environment(directory))[0]
        return seconds

    def git_lfs(self, directory, repo_text):
        env = clean_environment(directory)
        env["GIT_LFS_SKIP_SMUDGE"] = "1"
        run(["git", "clone", "-q", f"{self.hub.endpoint}/{repo_text}", directory / "clone"], env)
        return run(["git", "-C", directory / "clone", "lfs", "fetch"], env)[0]

    def hf(self, directory, repo_text):
        env = clean_environment(directory)
        env.update(HF_ENDPOINT=self.hub.endpoint, HF_HOME=str(directory / "hf"))
        seconds = run([self.o.hf, "download", repo_text, "--local-dir", directory / "local"], env)[0]
        files = [p for p in (directory / "local").rglob("*") if p.is_file() and ".cache" not in p.parts]
        return seconds + run(["sha256sum", *files], env)[0]

    def git_clone(self, directory, repo_text):
        return run(["git", "clone", "-q", "--mirror", f"{self.hub.endpoint}/{repo_text}", directory / "clone.git"], clean_environment(directory))[0]

    def fresh(self, call, *args, durable=False):
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        seconds = call(directory, *args)
        if durable:
            few = self.count(directory) < 5000
            sync = ["sync", *[p for p in directory.rglob("*") if p.is_file()]] if few else ["sync", "-f", directory]
            seconds += run(sync, clean_environment(directory))[0]
        shutil.rmtree(directory)
        os.sync()  # the next run must not pay for this one's dirty pages
        return seconds

    @staticmethod
    def count(directory):
        return sum(1 for p in directory.rglob("*") if p.is_file())

    def pair(self, scenario, bytes_moved, ours, reference_name, reference, durable):
        self.fresh(*ours)  # warms the server's caches
        mine, theirs = [], []
        for _ in range(self.o.pairs):
            mine.append(self.fresh(*ours))
            theirs.append(self.fresh(*reference, durable=durable))
        ratios = [a / b for a, b in zip(mine, theirs)]
        name = reference_name + (" + sync" if durable else "")
        row = {"scenario": scenario, "reference": name, "hubmirror_s": statistics.median(mine), "reference_s": statistics.median(theirs),
               "ratio_median": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios)}
        if bytes_moved:
            row["hubmirror_mib_s"] = bytes_moved / row["hubmirror_s"] / (1 << 20)
        self.rows.append(row)
        rate = f"  {row['hubmirror_mib_s']:7.0f} MiB/s" if bytes_moved else ""
        print(f"{scenario:<18} {name:<24} hubmirror {row['hubmirror_s']:7.2f} s  reference {row['reference_s']:7.2f} s  ratio {row['ratio_median']:5.2f} "
              f"({row['ratio_min']:.2f}–{row['ratio_max']:.2f}){rate}", flush=True)

    def signed_urls(self, repo_text):
        """Where the CDN serves each large file: what curl and aria2c are given."""
        import urllib.request
        with urllib.request.urlopen(f"{self.hub.endpoint}/api/models/{repo_text}?blobs=true") as answer:
            siblings = json.load(answer)["siblings"]
        objects = [{"oid": s["lfs"]["sha256"], "size": s["size"]} for s in siblings if "lfs" in s]
        body = json.dumps({"operation": "download", "transfers": ["basic"], "objects": objects}).encode()
        request = urllib.request.Request(f"{self.hub.endpoint}/{repo_text}.git/info/lfs/objects/batch", body,
                                         {"Content-Type": "application/vnd.git-lfs+json", "Accept": "application/vnd.git-lfs+json"})
        with urllib.request.urlopen(request) as answer:
            return [(o["actions"]["download"]["href"], o["oid"], o["size"]) for o in json.load(answer)["objects"]]

    def large(self):
        size = (256 << 20) if self.o.quick else (2 << 30)
        repo = self.hub.store.create("model", "bench/large")
        repo.commit("one large file", {".gitattributes": GITATTRIBUTES, "model.safetensors": LfsRandom(size, seed=1)})
        for durable in (False, True):
            for name in ("curl+sha256sum", "aria2c -x16 -s16", "git lfs fetch", "hf download"):
                if name == "curl+sha256sum":
                    reference = (lambda d: self.curl(d, self.signed_urls("bench/large")),)
                elif name.startswith("aria2c"):
                    reference = (lambda d: self.aria2c(d, self.signed_urls("bench/large")),)
                elif name == "git lfs fetch":
                    reference = (self.git_lfs, "bench/large")
                elif self.o.hf:
                    reference = (self.hf, "bench/large")
                else:
                    continue
                self.pair("1 large file", size, (self.ours, "bench/large"), name, reference, durable)

    def small(self):
        count = 100 if self.o.quick else 1000
        repo = self.hub.store.create("model", "bench/small")
        builders.build_lfs_files(repo, count, 1 << 20)
        for durable in (False, True):
            self.pair(f"{count} x 1 MiB", count << 20, (self.ours, "bench/small"), "git lfs fetch", (self.git_lfs, "bench/small"), durable)
            if self.o.hf:
                self.pair(f"{count} x 1 MiB", count << 20, (self.ours, "bench/small"), "hf download", (self.hf, "bench/small"), durable)

    def git(self):
        builders.build_many_commits(self.hub.store.create("model", "bench/commits"), 2000)
        self.git_pairs("git 2,000 commits", "bench/commits")

    def refs(self):
        builders.build_many_refs(self.hub.store.create("model", "bench/refs"), 5000)
        self.git_pairs("git 5,000 refs", "bench/refs")

    def git_pairs(self, name, repo_text):
        reference = (self.git_clone, repo_text)
        self.pair(name, 0, (self.ours_git, repo_text), "git clone --mirror", reference, False)
        self.pair(name, 0, (self.ours_git, repo_text), "git clone --mirror", reference, True)
        self.pair(name + ", whole", 0, (self.ours, repo_text), "git clone --mirror", reference, True)

    def unchanged(self):
        repo = self.hub.store.create("model", "bench/unchanged")
        builders.build_lfs_files(repo, 20, 1 << 20)
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        self.ours(directory, "bench/unchanged")
        self.hub.wait_idle()
        before = len(self.hub.requests())
        self.ours(directory, "bench/unchanged")
        self.hub.wait_idle()
        count = len(self.hub.requests()) - before
        self.rows.append({"scenario": "unchanged rerun", "requests": count})
        print(f"unchanged rerun    requests {count}")
        shutil.rmtree(directory)

    def verify(self):
        files, size = (4, 64 << 20) if self.o.quick else (20, 512 << 20)
        repo = self.hub.store.create("model", "bench/verify")
        repo.commit("files", {".gitattributes": GITATTRIBUTES, **{f"part-{i}.safetensors": LfsRandom(size, seed=100 + i) for i in range(files)}})
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        self.ours(directory, "bench/verify")
        blobs = [str(p) for p in (directory / "data" / "blobs" / "sha256").rglob("*") if p.is_file()]
        total = files * size
        cores = len(os.sched_getaffinity(0))
        for where in ("disk", "page cache"):
            ratios, rates, limits = [], [], []
            for _ in range(self.o.pairs):
                single = self.sha256_rate()
                # Plain, verify, verify, plain: what the disk's rate drifts by within a pair counts for both sides.
                reading, seconds = [], []
                for plain in (True, False, False, True):
                    self.bring_to(blobs, where)
                    if plain:
                        reading.append(total / self.read_rate(blobs))
                    else:
                        seconds.append(run([self.o.bin, "--data-dir", directory / "data", "--quiet", "verify"], clean_environment(directory))[0])
                rates.append(2 * total / sum(seconds))
                limits.append(min(single * cores, 2 * total / sum(reading)))
                ratios.append(rates[-1] / limits[-1])
            row = {"scenario": f"verify {total >> 30} GiB from {where}", "mib_s": statistics.median(rates) / (1 << 20),
                   "limit_mib_s": statistics.median(limits) / (1 << 20), "of_limit_median": statistics.median(ratios), "cores": cores}
            self.rows.append(row)
            share = f"{100 * row['of_limit_median']:.0f} % ({100 * min(ratios):.0f}–{100 * max(ratios):.0f})"
            print(f"{row['scenario']:<30} {row['mib_s']:7.0f} MiB/s  {share} of min(plain reading, openssl sha256 x {cores} cores) = "
                  f"{row['limit_mib_s']:.0f} MiB/s", flush=True)
        shutil.rmtree(directory)

    def sha256_rate(self):
        """Bytes per second of one thread, 16 KiB blocks, by openssl speed."""
        output = run(["openssl", "speed", "-mr", "-seconds", "1", "-bytes", "16384", "-evp", "sha256"], clean_environment(self.work))[2]
        return float(re.search(r"^\+F:\d+:[^:]*:([\d.]+)", output, re.M).group(1))

    @staticmethod
    def bring_to(paths, where):
        """Where the bytes will be read from: what is clean leaves the page cache, or all of it is brought in."""
        for path in paths:
            with open(path, "rb", buffering=0) as f:
                if where == "disk":
                    os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                else:
                    while f.read(1 << 20):
                        pass

    @staticmethod
    def read_rate(paths):
        """Bytes per second of plain sequential reading by one thread, from where verify will find them too."""
        buffer = bytearray(1 << 20)
        total, begin = 0, time.perf_counter()
        for path in paths:
            with open(path, "rb", buffering=0) as f:
                while n := f.readinto(buffer):
                    total += n
        return total / (time.perf_counter() - begin)

    def memory(self):
        large = self.hub.store.create("model", "bench/huge")
        large.commit("8 GiB", {".gitattributes": GITATTRIBUTES, "huge.bin": LfsZeros((1 if self.o.quick else 8) << 30)})
        many = self.hub.store.create("dataset", "bench/many")
        builders.build_many_files(many, 10_000 if self.o.quick else 100_000)
        for repo_text in ("bench/huge", "datasets/bench/many"):
            directory = pathlib.Path(tempfile.mkdtemp(dir=self.work))
            argv = [self.o.bin, "--data-dir", directory / "data", "--upstream", self.hub.endpoint,
                    "--allow-private", f"127.0.0.1:{self.hub.cdn_server.port}", "--quiet", "mirror", repo_text]
            seconds, rss, _ = run(argv, clean_environment(directory))
            self.rows.append({"scenario": f"memory {repo_text}", "rss_mib": rss / (1 << 20), "seconds": seconds})
            print(f"memory             {repo_text:<24} peak RSS {rss / (1 << 20):.0f} MiB in {seconds:.1f} s", flush=True)
            shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--hf", help="path of the Hub's own client (default: hf of PATH; without it those pairs are left out, which is said)")
    parser.add_argument("--dir", default=tempfile.gettempdir(), help="where both sides write")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", default="unchanged,git,refs,small,large,memory,verify")
    parser.add_argument("--quick", action="store_true", help="an eighth of the size: shows that the benchmark runs")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows here too")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    options.hf = options.hf or shutil.which("hf")
    if not options.hf:
        print("note: no hf here, its pairs are left out; pip install huggingface_hub in an environment of its own and pass --hf")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if options.dir:
        os.makedirs(options.dir, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hubmirror-bench-", dir=options.dir) as work:
        with FakeHub(os.path.join(work, "hub"), xet=False) as hub:
            bench = Bench(options, hub, pathlib.Path(work))
            for name in options.only.split(","):
                getattr(bench, name)()
    if options.json:
        options.json.write_text(json.dumps(bench.rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
