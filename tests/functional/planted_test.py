#!/usr/bin/env python3
"""The figures of a published report, planted in a generated Hub (tests/hub_at_scale/plant.hpp), are recovered exactly by the real program:
crawl, then `report ecosystem`, and `lineage --down` of each family. What is true is asked of the generator, row by row.

As a test a Hub of 20,000 models. At the size of the report, where the figures are its own (49.6 %, 41 %, 39 % and 37 %, 113,000, 1,145 and
26,991), by hand; 3.8 million repositories want 4 GB of disk:

  HUBMIRROR_BIN=build/release/app/hubmirror HUB_AT_SCALE_BIN=build/dev/tests/hub_at_scale/hub_at_scale \\
      tests/functional/planted_test.py --models 2300000 --datasets 500000 --spaces 1000000 [--dir DIR --keep]
"""

import argparse
import heapq
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter

KINDS = ("model", "dataset", "space")
HANG_S = 7200


def parse_arguments():
    parser = argparse.ArgumentParser(description="planted figures against report ecosystem")
    parser.add_argument("--models", type=int, default=20_000)
    parser.add_argument("--datasets", type=int, default=5_000)
    parser.add_argument("--spaces", type=int, default=2_000)
    parser.add_argument("--family", type=int, default=0, help="descendants of the largest family; 0: the report's share")
    parser.add_argument("--depth", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", help="where the data directory is made; default: a temporary folder")
    parser.add_argument("--keep", action="store_true", help="leave the data directory for other questions")
    return parser.parse_args()


class Hub:
    """The generator as a process."""

    def __init__(self, options):
        sizes = [f"--{name}={getattr(options, name)}" for name in ("models", "datasets", "spaces", "family", "depth", "seed")]
        self.process = subprocess.Popen([os.environ["HUB_AT_SCALE_BIN"], "--planted", *sizes], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().removeprefix("listening on ").strip()
        if not self.url:
            sys.exit(f"the generator ended with {self.process.wait()}")

    def get(self, path):
        return urllib.request.urlopen(self.url + path, timeout=HANG_S)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Truth:
    """What the generator says of each repository, added up."""

    def __init__(self, hub):
        self.planted = json.load(hub.get("/-/planted"))
        self.count, self.downloads, self.licences, self.gated = Counter(), Counter(), Counter(), Counter()
        models = []
        for kind in KINDS:
            for line in hub.get(f"/-/truth?kind={kind}"):
                row = json.loads(line)
                if not row["visible"]:
                    continue
                self.count[kind] += 1
                self.downloads[kind] += row["downloads"]
                if kind != "space":
                    self.licences[kind, row["licence"] or "(none)"] += 1
                    self.gated[kind] += row["gated"] is not False and row["gated"] != "false"
                if kind == "model":
                    models.append(row["downloads"])
        self.top_200 = sum(heapq.nlargest(200, models))
        self.first = max(1, (len(models) + 5_000) // 10_000)
        self.top_fraction = sum(heapq.nlargest(self.first, models))
        self.below_200 = sum(n < 200 for n in models)


class Check:
    def __init__(self, report, planted):
        self.planted = planted
        self.tables = {table["id"]: table["rows"] for table in report["tables"]}
        self.wrong, self.right = [], 0

    def row(self, table, **keys):
        found = [row for row in self.tables[table] if all(row[key] == value for key, value in keys.items())]
        return found[0] if len(found) == 1 else {}

    def equal(self, name, found, expected):
        if isinstance(found, dict) and isinstance(expected, tuple):
            found = (found["part"], found["of"])
        if found == expected:
            self.right += 1
        else:
            self.wrong.append(f"{name}: the report says {found}, planted is {expected}")

    def percent(self, name, found, expected):
        self.equal(name, found["percent"], expected)


def check_report(report, truth, options):
    check, planted = Check(report, truth.planted), truth.planted
    downloads = truth.downloads["model"]
    check.equal("all downloads", downloads, planted["downloads"])
    for kind in KINDS:
        check.equal(f"{kind}: repositories", check.row("repositories", kind=kind)["repositories"], truth.count[kind])

    row = check.row("concentration", kind="model")
    check.equal("share of the first 200", row["top_200"], (truth.top_200, downloads))
    check.equal("number of the first 0.01 %", row["top_fraction_count"], truth.first)
    check.equal("share of the first 0.01 %", row["top_fraction"], (truth.top_fraction, downloads))
    check.percent("share of the first 0.01 %", row["top_fraction"], "49.6")
    check.equal("below 200 downloads", row["below_200"], (planted["below_200"], truth.count["model"]))
    check.equal("below 200 downloads, counted", truth.below_200, planted["below_200"])

    by = {"jurisdiction": Counter(), "sector": Counter()}
    for owner in planted["owners"]:
        for what, sums in by.items():
            sums[owner[what] or "unknown"] += owner["downloads"]
    for what, sums in by.items():
        for value, expected in sums.items():
            row = check.row(f"downloads_by_{what}", kind="model", **{what: value})
            check.equal(f"downloads, {what} {value}", row["share_of_all"], (expected, downloads))
    check.percent("China", check.row("downloads_by_jurisdiction", kind="model", jurisdiction="CN")["share_of_all"], "41.0")
    check.percent("independents", check.row("downloads_by_sector", kind="model", sector="independent")["share_of_all"], "39.0")
    check.percent("industry", check.row("downloads_by_sector", kind="model", sector="industry")["share_of_all"], "37.0")

    check.equal("descendants", [row["descendants"] for row in check.tables["families"]], planted["descendants"])
    for year in ("2024", "2025"):
        row = check.row("datasets_by_task", task="robotics", year=year)
        check.equal(f"robotics datasets, {year}", row["by_end"], planted[f"robotics_{year}"])

    licences = {(row["kind"], row["licence"]): row["repositories"] for row in check.tables["licences"]}
    check.equal("licences", {k: part_of(v) for k, v in licences.items()}, dict(truth.licences))
    for kind in ("model", "dataset"):
        check.equal(f"{kind}: gated", part_of(check.row("gated", kind=kind)["gated"]), truth.gated[kind])

    if (options.models, options.datasets, options.family) == (2_300_000, 500_000, 0):  # the report's own figures
        check.equal("first 200", round(1000 * truth.top_200 / downloads, 9), 496)
        check.equal("largest family", planted["descendants"][0], 113_000)
        check.equal("robotics", (planted["robotics_2024"], planted["robotics_2025"]), (1_145, 26_991))
    return check


def part_of(figure):
    return figure["part"] if isinstance(figure, dict) else figure


def main():
    options = parse_arguments()
    if not (os.environ.get("HUBMIRROR_BIN") and os.environ.get("HUB_AT_SCALE_BIN")):
        sys.exit("HUBMIRROR_BIN and HUB_AT_SCALE_BIN: the programs under test")
    folder = options.dir or tempfile.mkdtemp(prefix="hm-planted-")
    os.makedirs(os.path.join(folder, "origins"), exist_ok=True)
    hub = Hub(options)
    try:
        with open(os.path.join(folder, "origins", "planted.csv"), "wb") as f:
            f.write(hub.get("/-/origins").read())
        config = os.path.join(folder, "hubmirror.toml")
        with open(config, "w", encoding="utf-8") as f:
            f.write("")
        command = [os.environ["HUBMIRROR_BIN"], "--json", "--config", config, "--data-dir", os.path.join(folder, "data"), "--upstream", hub.url]

        def run(*args):
            begin = time.monotonic()
            done = subprocess.run([*command, *args], stdout=subprocess.PIPE, timeout=HANG_S, check=False)
            if done.returncode != 0:
                sys.exit(f"{' '.join(args)} ended with {done.returncode}")
            print(f"{' '.join(args)}: {time.monotonic() - begin:.1f} s", flush=True)
            return done.stdout

        run("crawl", "--once")
        report = json.loads(run("report", "ecosystem"))
        check = check_report(report, Truth(hub), options)
        for family, row in enumerate(check.tables["families"]):
            edges = json.loads(run("lineage", row["root"], "--down"))["edges"]
            check.equal(f"{row['root']}: descendants by lineage", len({edge["id"] for edge in edges}), check.planted["descendants"][family])
            check.equal(f"{row['root']}: depth", max(edge["depth"] for edge in edges), check.planted["depth"][family])
    finally:
        hub.stop()
        if not options.keep:
            shutil.rmtree(os.path.join(folder, "data") if options.dir else folder, True)
    for wrong in check.wrong:
        print(wrong)
    print(f"{check.right} figures recovered, {len(check.wrong)} not")
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
