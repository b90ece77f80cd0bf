"""The Hub's own clients, unmodified, against `hubmirror serve`: what they download is what the origin has, byte for byte.

Each class runs the same tests: OnlineTest with the upstream up, StoppedTest with the upstream ended, and CutOffTest in a network namespace
that has nothing but its own loopback. scripts/clients installs the clients below build/clients (HUBMIRROR_CLIENTS names another place).
"""

import json
import os
import shutil
import subprocess
import sys
import unittest

from harness import HANG_S, LfsRandom, main
from serve_harness import ServeTest, digests, files_below, origin_files

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLIENTS = os.environ.get("HUBMIRROR_CLIENTS") or os.path.join(ROOT, "build", "clients")
HUBS = ("hub-newest", "hub-1.19", "hub-0.3x")
PERSON, STRANGER = "hf_" + "pErSoN" * 7, "hf_" + "sTrAnGe" * 6
REVISIONS = ("main", "v1.0", "dev/next", "refs/pr/1")

SNAPSHOTS = """
import json, sys
from huggingface_hub import snapshot_download
print(json.dumps([snapshot_download(repo_id=r, repo_type=k, revision=v) for r, k, v in json.loads(sys.argv[1])]))
"""
ONE_FILE = """
import json, sys
from huggingface_hub import hf_hub_download, HfApi, list_models
from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
out = {"file": open(hf_hub_download("org/model", "deep/er/and/deeper/file.json"), "rb").read().hex()}
for name, call in (("entry", lambda: hf_hub_download("org/model", "nothing.json")), ("repo", lambda: HfApi().model_info("org/nothing")),
                   ("revision", lambda: hf_hub_download("org/model", "config.json", revision="nothing"))):
    try:
        call()
        out[name] = "found"
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        out[name] = type(error).__name__
api = HfApi()
out["refs"] = sorted(b.name for b in api.list_repo_refs("org/model").branches)
out["files"] = sorted(api.list_repo_files("org/model"))
out["commits"] = [c.commit_id for c in api.list_repo_commits("org/model")]
out["exists"] = [api.repo_exists("org/model"), api.repo_exists("org/nothing"), api.file_exists("org/model", "config.json")]
out["paths"] = sorted(p.path for p in api.get_paths_info("org/model", ["weights.bin", "deep"]))
out["models"] = sorted(m.id for m in list_models(author="org"))
out["info"] = api.model_info("org/model", files_metadata=True).sha
print(json.dumps(out))
"""
FILE_SYSTEM = """
import json
from huggingface_hub import HfFileSystem
fs = HfFileSystem()
with fs.open("org/model/weights.bin", "rb", block_size=65536) as f:
    f.seek(123456)
    part = f.read(1000).hex()
print(json.dumps({"ls": sorted(fs.ls("org/model", detail=False)), "glob": sorted(fs.glob("org/model/**/*.json")), "part": part,
                  "text": fs.read_text("datasets/org/data/train.csv"), "size": fs.info("org/model/weights.bin")["size"]}))
"""
GATED = """
import json, sys
from huggingface_hub import hf_hub_download, snapshot_download
out = []
for repo in ("org/gated", "org/private"):
    try:
        out.append(open(hf_hub_download(repo, "config.json"), "rb").read().decode())
    except Exception as error:
        out.append(type(error).__name__)
print(json.dumps(out))
"""
TRANSFORMERS = """
import json
from transformers import AutoConfig, AutoTokenizer
config = AutoConfig.from_pretrained("org/bert")
tokenizer = AutoTokenizer.from_pretrained("org/bert")
print(json.dumps({"layers": config.num_hidden_layers, "ids": tokenizer("hello world").input_ids}))
"""
# It ends without the interpreter's own end, in which threads of pyarrow may still run and abort the process: apache/arrow#45214.
DATASETS = """
import json, os
from datasets import load_dataset
out = {}
for name in ("csv", "jsonl", "parquet"):
    loaded = load_dataset("org/" + name)
    out[name] = [loaded["train"].num_rows, loaded["train"][1]["text"]]
    streamed = load_dataset("org/" + name, split="train", streaming=True)
    out[name].append([row["text"] for row in streamed])
print(json.dumps(out), flush=True)
os._exit(0)
"""
PARQUET = """
import sys, pyarrow, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.table({"text": ["one", "two", "three"], "n": [1, 2, 3]}), sys.argv[1])
"""
JAVASCRIPT = """
import { downloadFile, listFiles, modelInfo, fileDownloadInfo, listModels, fileExists, listCommits } from "@huggingface/hub";
const hubUrl = process.env.HF_ENDPOINT, repo = "org/model", out = {};
out.id = (await modelInfo({ name: repo, hubUrl })).name;
out.files = [];
for await (const f of listFiles({ repo, recursive: true, hubUrl })) if (f.type === "file") out.files.push(f.path);
out.bytes = {};
for (const path of ["config.json", "weights.bin", "deep/er/and/deeper/file.json", "with blank.txt"])
  out.bytes[path] = Buffer.from(await (await downloadFile({ repo, path, hubUrl })).arrayBuffer()).toString("hex");
out.size = (await fileDownloadInfo({ repo, path: "weights.bin", hubUrl })).size;
out.exists = [await fileExists({ repo, path: "config.json", hubUrl }), await fileExists({ repo, path: "nothing", hubUrl })];
out.pull = Buffer.from(await (await downloadFile({ repo, path: "pr.txt", revision: "refs/pr/1", hubUrl })).arrayBuffer()).toString();
out.models = [];
for await (const m of listModels({ search: { owner: "org" }, hubUrl })) out.models.push(m.name);
out.commits = [];
for await (const c of listCommits({ repo, hubUrl })) out.commits.push(c.oid);
console.log(JSON.stringify(out));
"""
VOCABULARY = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n"
BERT = {
    "config.json": '{"model_type": "bert", "architectures": ["BertModel"], "num_hidden_layers": 3, "vocab_size": 7}',
    "tokenizer_config.json": '{"tokenizer_class": "BertTokenizer", "do_lower_case": true}',
    "vocab.txt": VOCABULARY,
}


class Clients(ServeTest):
    """Without a state of its own: the tests that each class below runs."""

    hub_options = {"tokens": {PERSON: {"name": "person", "gated": ["org/gated"], "private": ["org/private"]}, STRANGER: {"name": "stranger"},
                              "hf_" + "aLlOwEd" * 6: {"name": "mirror", "gated": ["*"], "private": ["*"]}}}
    upstream_up = True

    def setUp(self):
        super().setUp()
        self.model_ = self.odd_model()
        self.data_ = self.repo("dataset", "org/data", {"train.csv": "text,n\none,1\ntwo,2\n", "big.bin": LfsRandom(9000, "data")})
        self.space_ = self.repo("space", "org/app", {"app.py": "print('hello')\n", "assets/a.bin": LfsRandom(5000, "app")})

    def bring_here(self, *repos, **options):
        self.mirror("--pull-requests", "--all-history", *repos, **options)

    def open_mirror(self, *repos, **settings):
        self.bring_here("org/model", "datasets/org/data", "spaces/org/app", *repos)
        self.serve(settings={"access_log": os.path.join(self.dir, "access.jsonl")} | settings)
        if not self.upstream_up:
            self.hub.stop()

    def run_client(self, command, token=None, cwd=None, code=0, **env):
        cache = os.path.join(self.dir, "hf-home")
        full = {"PATH": os.environ["PATH"], "HOME": self.home, "LC_ALL": "C.UTF-8", "HF_ENDPOINT": self.endpoint, "HF_HOME": cache,
                "HF_HUB_DISABLE_TELEMETRY": "1", "NO_COLOR": "1", "GIT_TERMINAL_PROMPT": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1"} | env
        if token:
            full["HF_TOKEN"] = token
        done = subprocess.run(command, env=full, cwd=cwd or self.dir, capture_output=True, timeout=HANG_S, check=False)
        if code is not None:
            self.assertEqual(done.returncode, code, f"{command[:3]}\n{done.stdout.decode()[-3000:]}\n{done.stderr.decode()[-6000:]}")
        return done.stdout.decode()

    def python(self, venv, code, *args, **options):
        return json.loads(self.run_client([os.path.join(CLIENTS, venv, "bin", "python"), "-c", code, *args], **options).strip().splitlines()[-1])

    def bodies_sent(self):
        """Requests whose answer had a file's bytes in it, so far: a server that has ended has written all of its log. Another one serves then."""
        self.end_server(self.server)
        with open(os.path.join(self.dir, "access.jsonl"), encoding="utf-8") as f:
            rows = [json.loads(line) for line in f]
        self.serve()
        return [r for r in rows if r["method"] == "GET" and r.get("file") and r["bytes"] > 0]

    def fresh_cache(self):
        shutil.rmtree(os.path.join(self.dir, "hf-home"), True)

    def cases(self):
        head = self.model_.head()
        out = [("org/model", "model", revision, self.model_) for revision in (*REVISIONS, head)]
        return [*out, ("org/data", "dataset", "main", self.data_), ("org/app", "space", "main", self.space_)]

    # huggingface_hub

    def test_snapshots(self):
        self.open_mirror()
        for venv in HUBS:
            with self.subTest(venv):
                self.fresh_cache()
                cases = self.cases()
                wanted = json.dumps([case[:3] for case in cases])
                folders = self.python(venv, SNAPSHOTS, wanted)
                for (_, _, revision, repo), folder in zip(cases, folders, strict=True):
                    self.assertEqual(os.path.basename(folder), repo.reader.resolve(revision))
                    self.assertEqual(digests(files_below(folder)), digests(origin_files(repo, repo.reader.resolve(revision))), revision)

    def test_one_file_and_the_api(self):
        self.open_mirror()
        for venv in HUBS:
            with self.subTest(venv):
                self.fresh_cache()
                got = self.python(venv, ONE_FILE)
                theirs = origin_files(self.model_, self.model_.head())
                self.assertEqual(got["file"], theirs["deep/er/and/deeper/file.json"].hex())
                self.assertRegex(got["entry"], "EntryNotFound")
                self.assertRegex(got["repo"], "RepositoryNotFound")
                self.assertRegex(got["revision"], "RevisionNotFound")
                self.assertEqual(got["refs"], ["dev/next", "main"])
                self.assertEqual(got["files"], sorted(theirs))
                self.assertEqual(got["commits"][0], self.model_.head())
                self.assertEqual((got["exists"], got["paths"]), ([True, False, True], ["deep", "weights.bin"]))
                self.assertEqual((got["models"], got["info"]), (["org/model"], self.model_.head()))

    def test_the_second_run_downloads_nothing(self):
        self.open_mirror()
        for venv in HUBS:
            with self.subTest(venv):
                self.fresh_cache()
                wanted = json.dumps([case[:3] for case in self.cases()])
                self.python(venv, SNAPSHOTS, wanted)
                before = len(self.bodies_sent())
                self.assertGreater(before, 0)
                self.python(venv, SNAPSHOTS, wanted)
                self.assertEqual(self.bodies_sent()[before:], [])

    def test_a_tree_of_2500_files(self):
        many = self.model("org/many", {f"d{i % 50}/f{i}.txt": f"{i}\n" for i in range(2500)})
        self.open_mirror("org/many")
        folder = self.python("hub-newest", SNAPSHOTS, json.dumps([("org/many", "model", "main")]))[0]
        self.assertEqual(digests(files_below(folder)), digests(origin_files(many, many.head())))

    def test_the_file_system(self):
        self.open_mirror()
        data = origin_files(self.model_, self.model_.head())
        for venv in HUBS:
            with self.subTest(venv):
                got = self.python(venv, FILE_SYSTEM)
                self.assertEqual(got["part"], data["weights.bin"][123456:124456].hex())
                self.assertEqual(got["size"], 300_000)
                self.assertIn("org/model/deep/er/and/deeper/file.json", got["glob"])
                self.assertIn("org/model/deep", got["ls"])
                self.assertEqual(got["text"], "text,n\none,1\ntwo,2\n")

    def test_the_command_line(self):
        self.open_mirror()
        hf = os.path.join(CLIENTS, "hub-newest", "bin", "hf")
        self.run_client([hf, "download", "org/model", "--local-dir", os.path.join(self.dir, "local")])
        self.assertEqual(digests(files_below(os.path.join(self.dir, "local"))), digests(origin_files(self.model_, self.model_.head())))
        self.run_client([hf, "download", "org/model"])
        self.run_client([hf, "cache", "verify", "org/model"])
        self.run_client([hf, "download", "org/data", "--repo-type", "dataset", "--include", "*.csv"])

    def test_gated_and_private(self):
        gated = self.model("org/gated", {"config.json": '{"gated": true}', "w.bin": LfsRandom(4000, "g")}, gated="manual")
        self.model("org/private", {"config.json": '{"private": true}'}, private=True)
        self.bring_here("org/gated", "org/private", env={"HF_TOKEN": "hf_" + "aLlOwEd" * 6})
        granted = self.hm("token", "create", "reader", "--gated", "org/gated", "--private", "org/private").out.strip().splitlines()[-1]
        self.open_mirror()
        for venv in HUBS:
            with self.subTest(venv):
                self.fresh_cache()
                refused = self.python(venv, GATED)
                self.assertRegex(refused[0], "GatedRepo")
                self.assertRegex(refused[1], "RepositoryNotFound")
                self.fresh_cache()
                self.assertEqual(self.python(venv, GATED, token=granted), ['{"gated": true}', '{"private": true}'])
        self.assertIsNotNone(gated)

    # libraries

    def test_transformers(self):
        self.model("org/bert", BERT)
        self.open_mirror("org/bert")
        got = self.python("libraries", TRANSFORMERS)
        self.assertEqual(got["layers"], 3)
        self.assertEqual(got["ids"], [2, 5, 6, 3])

    def test_datasets(self):
        parquet = os.path.join(self.dir, "t.parquet")
        subprocess.run([os.path.join(CLIENTS, "libraries", "bin", "python"), "-c", PARQUET, parquet], check=True)
        with open(parquet, "rb") as f:
            table = f.read()
        self.repo("dataset", "org/csv", {"train.csv": "text,n\none,1\ntwo,2\nthree,3\n"})
        self.repo("dataset", "org/jsonl", {"train.jsonl": '{"text": "one"}\n{"text": "two"}\n{"text": "three"}\n'})
        self.repo("dataset", "org/parquet", {"data/train-00000-of-00001.parquet": table})
        self.open_mirror("datasets/org/csv", "datasets/org/jsonl", "datasets/org/parquet")
        got = self.python("libraries", DATASETS)
        for name in ("csv", "jsonl", "parquet"):
            self.assertEqual(got[name], [3, "two", ["one", "two", "three"]], name)

    def test_javascript(self):
        self.open_mirror()
        folder = os.path.join(CLIENTS, "javascript")
        script = os.path.join(folder, f"client-{os.getpid()}.mjs")
        with open(script, "w", encoding="utf-8") as f:
            f.write(JAVASCRIPT)
        self.addCleanup(os.remove, script)
        got = json.loads(self.run_client(["node", script], cwd=folder))
        data = origin_files(self.model_, self.model_.head())
        self.assertEqual((got["id"], got["size"], got["exists"], got["pull"]), ("org/model", 300_000, [True, False], "proposed\n"))
        self.assertEqual(sorted(got["files"]), sorted(data))
        for path, text in got["bytes"].items():
            self.assertEqual(text, data[path].hex(), path)
        self.assertEqual(got["models"], ["org/model"])
        self.assertEqual(got["commits"][0], self.model_.head())

    # git, curl, aria2

    def test_git_and_lfs(self):
        self.open_mirror()
        for spec, repo in (("org/model", self.model_), ("datasets/org/data", self.data_), ("spaces/org/app.git", self.space_)):
            clone = os.path.join(self.dir, spec.replace("/", "-"))
            env = {"GIT_CONFIG_GLOBAL": os.path.join(self.home, "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"}
            self.run_client(["git", "lfs", "install", "--skip-repo"], **env)
            self.run_client(["git", "clone", "--quiet", f"{self.endpoint}/{spec}", clone], **env)
            self.assertEqual(digests(files_below(clone)), digests(origin_files(repo, repo.head())), spec)

    def test_curl_and_aria2(self):
        large = self.model("org/large", {"weights.bin": LfsRandom(7_000_001, "large")})
        self.open_mirror("org/large")
        data = origin_files(large, large.head())["weights.bin"]
        url = f"{self.endpoint}/org/large/resolve/main/weights.bin"
        self.run_client(["curl", "-sfL", "-o", "curl.bin", url])
        self.run_client(["aria2c", "-q", "-x4", "-s4", "-k1M", "-o", "aria.bin", url])
        for name in ("curl.bin", "aria.bin"):
            with open(os.path.join(self.dir, name), "rb") as f:
                self.assertEqual(f.read(), data, name)

    # another mirror

    def test_a_mirror_of_the_mirror(self):
        self.open_mirror()
        second = os.path.join(self.dir, "second")
        repos = ("org/model", "datasets/org/data", "spaces/org/app")
        host = self.endpoint.removeprefix("http://")
        run = self.start("--config", self.config, "--data-dir", second, "--upstream", self.endpoint, "--allow-private", host, "mirror", "--pull-requests",
                         "--all-history", *repos, bare=True).wait()
        self.assert_sane(run)
        self.assertEqual(run.code, 0, f"\n{run}")
        data, self.data = self.data, second
        for repo in (self.model_, self.data_, self.space_):
            self.assert_equals_origin(repo, pull_requests=True, all_history=True)
        self.data = data


class OnlineTest(Clients):
    pass


class StoppedTest(Clients):
    upstream_up = False

    def tearDown(self):
        if self._outcome.success:
            self.check_store()


class CutOffTest(StoppedTest):
    """In a namespace of its own: `unshare --net` before Python starts, see CMakeLists.txt."""

    @classmethod
    def setUpClass(cls):
        with open("/proc/net/route", encoding="ascii") as f:
            if len(f.readlines()) > 1:
                raise unittest.SkipTest("there are routes here: run it by `unshare --net`")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


if __name__ == "__main__":
    if not os.path.isdir(CLIENTS):
        print("skipped: no clients; run scripts/clients")
        sys.exit(77)
    main()
