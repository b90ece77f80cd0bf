"""python3 tests/fake_hub/__main__.py --root DIR [--sample] …: a fake Hub as a process, until SIGTERM or Ctrl-C."""

import argparse
import ctypes
import json
import os
import signal
import sys
import threading

if __package__ in (None, ""):  # run by path
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from fake_hub.sample import BIG_MIB, SAMPLE_IDS, ensure_sample
from fake_hub.server import FakeHub


def main():
    parser = argparse.ArgumentParser(prog="fake_hub", description="A Hugging Face Hub in miniature on 127.0.0.1.")
    parser.add_argument("--root", help="where repositories and blobs are kept")
    parser.add_argument("--sample", action="store_true", help="put the sample repositories there if they are not yet")
    parser.add_argument("--big-mib", type=int, default=BIG_MIB, help=f"size of the sample's largest file (default {BIG_MIB})")
    parser.add_argument("--list-sample", action="store_true", help="print the names of the sample repositories and end")
    parser.add_argument("--build-only", action="store_true", help="build the sample and end")
    parser.add_argument("--port", type=int, default=0, help="port of the API (default: any free one)")
    parser.add_argument("--cdn-port", type=int, default=0, help="port of the CDN (default: any free one)")
    parser.add_argument("--port-file", help="write {endpoint, cdn, api_port, cdn_port, pid, ca_file} there once listening")
    parser.add_argument("--faults", help="fault script, a JSON file")
    parser.add_argument("--seed", type=int, help="seed of the fault script, over the one in the file")
    parser.add_argument("--options", default="{}", help='behaviour as JSON, e.g. \'{"git_v2": false}\' (README.md)')
    parser.add_argument("--log", help="append every request to this file, one JSON object a line")
    parser.add_argument("--tls", action="store_true", help="speak https with a certificate made for the occasion")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when the process that started this one ends")
    args = parser.parse_args()
    if args.list_sample:
        print("\n".join(SAMPLE_IDS))
        return 0
    if not args.root:
        parser.error("--root is needed")
    if args.exit_with_parent:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    store = ensure_sample(args.root, args.big_mib) if args.sample else args.root
    if args.build_only:
        return 0
    faults = None
    if args.faults:
        with open(args.faults, encoding="utf-8") as f:
            faults = json.load(f)
    hub = FakeHub(store, port=args.port, cdn_port=args.cdn_port, faults=faults, seed=args.seed, log_path=args.log, tls=args.tls,
                  **json.loads(args.options))
    with hub:
        facts = {"endpoint": hub.endpoint, "cdn": hub.cdn_endpoint, "api_port": hub.api_server.port, "cdn_port": hub.cdn_server.port,
                 "pid": os.getpid(), "ca_file": hub.ca_file}
        if args.port_file:
            with open(args.port_file + ".tmp", "w", encoding="utf-8") as f:
                json.dump(facts, f)
            os.replace(args.port_file + ".tmp", args.port_file)
        print(json.dumps(facts), flush=True)
        done.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
