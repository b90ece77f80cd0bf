"""The process as others see it: readers beside a writer, the lock, Ctrl-C, configuration, the command line, proxies, certificates."""

import array
import fcntl
import http.client
import http.server
import os
import pty
import signal
import socket
import subprocess
import termios
import threading
import urllib.parse

from harness import HANG_S, SEGMENT, TOKEN, HubTest, main, stored_blobs, wait_for_stall, wait_until

from fake_hub import LfsRandom


class BesideTest(HubTest):
    """A writer that is held up by the Hub, and others."""

    settings = {"network": {"stall_timeout_ms": HANG_S * 1000}}  # it is held up until it is let go

    def held_up(self):
        """Starts a mirror of org/slow that stands still in its one large file; returns its process."""
        self.origin = self.model("org/slow", {"w.bin": LfsRandom(3 << 20, 1)})
        self.faults({"do": "stall", "after_bytes": 1 << 20, "match": {"port": "cdn"}, "when": {"nth": 1}})
        process = self.start("mirror", "org/slow")
        self.addCleanup(process.signal, signal.SIGKILL)
        wait_for_stall(self.hub, process)
        return process

    def end(self, process):
        self.hub.release()
        run = process.wait()
        self.assert_sane(run)
        self.assertEqual(run.code, 0, run)
        self.assert_equals_origin(self.origin)

    def test_reading_beside_a_writer(self):
        done = self.sample("org/done")
        self.mirror("org/done")
        process = self.held_up()
        self.assertIn("org/done", self.repos_here())
        self.show("org/done")
        self.assert_equals_origin(done)
        self.assertEqual(self.hm("--json", "verify", "org/done").json["findings"], [])
        self.hm("verify")
        self.hm("gc", "--dry-run")
        path = self.hm("path", "org/done", "a.bin").out.strip()
        self.assertTrue(os.path.exists(path))
        self.assertEqual(self.show("org/slow", code=(0, 1)).get("revisions", []), [], "nothing half finished is shown")
        self.assertTrue(process.running())
        self.end(process)

    def test_second_writer_is_refused(self):
        self.sample("org/other")
        process = self.held_up()
        for command in (
            ("mirror", "org/other"),
            ("gc",),
            ("index", "rebuild"),
            ("rm", "--yes", "org/slow"),
            ("pin", "org/slow"),
            ("verify", "--repair"),
        ):
            with self.subTest(command):
                run = self.hm(*command, code=3)
                self.assert_error(run, "busy|in use|writ", rf"\b{process.pid}\b")
        self.assertEqual(self.hub.requests("api", path="org/other"), [], "refused before the Hub is asked")
        self.end(process)
        self.mirror("org/other")

    def test_interrupt_and_go_on(self):
        size = 10 * SEGMENT + 12_345
        self.origin = self.model("org/big", {"big.bin": LfsRandom(size, 1), "small.bin": LfsRandom(100, 2)})
        self.configure(mirror={"ranges_per_file": 1})
        stops_at = 2 * SEGMENT + 1000  # bytes of each answer; those behind a complete segment are lost
        for turn, number in enumerate((signal.SIGINT, signal.SIGTERM), 1):
            with self.subTest(number):
                self.faults({"do": "stall", "after_bytes": stops_at, "match": {"port": "cdn", "range": True}})
                process = self.start("mirror", "org/big")
                wait_for_stall(self.hub, process)
                wait_until(lambda turn=turn: self.recorded_segments() == 2 * turn, "two more segments are in the log", process)
                process.signal(number)
                run = process.wait()
                self.assert_sane(run)
                self.assertEqual(run.code, 3, run)
                self.assertRegex(run.err.lower(), "again|resume|go on|continue")
                self.assertLessEqual(len(run.errors), 1, run)
                self.assertIn("because     interrupted; what is here is kept, the next run goes on with it", run.out)
                self.assertNotRegex(run.out + run.err, "co_await|system:|100 %|publishing|problem  ")
                self.assertEqual(self.recorded_segments(), 2 * turn)
                self.check_store()
        self.faults()
        self.mirror("org/big")
        self.assert_equals_origin(self.origin)
        self.hub.wait_idle()
        self.assertLessEqual(self.sent() - size, 2 * (stops_at - 2 * SEGMENT) + 3 * 100, "what was there was fetched again")

    def sent(self):
        return sum(e["bytes"] for e in self.hub.requests("cdn"))

    def test_second_interrupt_ends_at_once(self):
        process = self.held_up()
        process.signal(signal.SIGINT)
        process.signal(signal.SIGINT)
        run = process.wait()
        self.assertNotEqual(run.code, 0)
        self.faults()
        self.mirror("org/slow")
        self.assert_equals_origin(self.origin)

    def test_interrupt_with_json_still_tells(self):
        done = self.sample("org/done")
        self.origin = self.model("org/slow", {"w.bin": LfsRandom(3 << 20, 1)})
        self.faults({"do": "stall", "after_bytes": 1000, "match": {"port": "cdn", "path": self.hub.xet_hash(self.pointers(self.origin)["w.bin"][0])}})
        process = self.start("--json", "mirror", "--jobs", "1", "org/done", "org/slow")
        wait_until(
            lambda: self.hub.requests("cdn", path=self.hub.xet_hash(self.pointers(self.origin)["w.bin"][0])), "the second is under way", process
        )
        process.signal(signal.SIGINT)
        run = process.wait()
        self.assert_sane(run)
        rows = {row["repo"]: row for row in run.json["repos"]}
        self.assertEqual(rows["org/done"]["published"], [done.head()])
        self.assertRegex(rows["org/slow"]["error"]["what"], "^interrupted; ")
        self.assertEqual(rows["org/slow"]["problems"], [])
        self.assert_equals_origin(done)

    def test_closed_pipe(self):
        """`hubmirror ls | head -1` is no crash."""
        self.sample("org/a")
        self.mirror("org/a")
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(self.command(["ls"]), env=self.environment(), stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        self.assertIn(done.returncode, (0, 3, -signal.SIGPIPE))


class PromptTest(HubTest):
    """Where input is awaited, one Ctrl-C ends the program, by the signal as shells expect it."""

    check_rebuild = False

    def interrupted(self, args, number, stdin, is_reading):
        """Interrupts the program once `is_reading(process)`; it must end by the signal."""
        process = subprocess.Popen(self.command(args), env=self.environment(), stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        is_reading(process)
        os.kill(process.pid, number)
        process.communicate(timeout=HANG_S)
        self.assertEqual(process.returncode, -number)

    def test_a_list_on_standard_input(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                reader, writer = os.pipe()
                os.write(writer, b"org/a\n")
                left = array.array("i", [0])

                def taken():
                    fcntl.ioctl(reader, termios.FIONREAD, left)
                    return left[0] == 0

                self.interrupted(["mirror", "--from", "-"], number, reader, lambda process: wait_until(taken, "the list is read"))
                os.close(reader)
                os.close(writer)
        self.assertFalse(os.path.exists(self.data))

    def test_the_question_of_rm(self):
        repo = self.sample("org/a")
        self.mirror("org/a")

        def asked(process):
            said = b""
            while b"[y/N]" not in said:
                said += os.read(process.stderr.fileno(), 1000) or self.fail(f"ended: {said}")

        terminal, its_end = pty.openpty()
        self.interrupted(["rm", "org/a"], signal.SIGINT, its_end, asked)
        os.close(its_end)
        os.close(terminal)
        self.assertEqual(self.repos_here(), ["org/a"])
        self.assert_equals_origin(repo)


class CommandLineTest(HubTest):
    check_rebuild = False

    def test_wrong_usage(self):
        cases = [
            (),
            ("mirorr", "org/name"),
            ("mirror",),
            ("mirror", "--inclde", "x", "org/name"),
            ("mirror", "--max-file-size"),
            ("show",),
            ("ls", "a", "b"),
            ("index",),
            ("config",),
            ("--jobs", "0", "ls"),
            ("--jobs", "many", "ls"),
            ("--log-level", "loud", "ls"),
            ("--upstream", "ftp://x", "mirror", "org/name"),
            ("--upstream", "not a url", "mirror", "a/b"),
            ("--allow-private", "a b", "mirror", "a/b"),
            ("version", "extra"),
            ("mirror", "\x1b]0;owned\x07"),
            ("mirror", "--from", self.dir),
            ("mirror", "--from", os.path.join(self.dir, "absent")),
            ("--data-dir", "", "init"),
            ("--data-dir", "~/mirror", "init"),
            ("--data-dir", self.config, "init"),
            ("--data-dir", self.config, "ls"),
            ("--data-dir", self.config + "/below", "init"),
            ("--data-dir", self.config + "/below", "ls"),
            ("--data-dir", os.path.join(self.dir, "n" * 300), "init"),
        ]
        for case in cases:
            with self.subTest(case):
                self.assert_error(self.hm(*case, code=2))
        self.assert_error(self.hm("mirorr", code=2), 'did you mean "?mirror')
        self.assert_error(self.hm("mirror", "--inclde=x", "org/name", code=2), 'did you mean "?--include')
        for long in (("mirror", "x" * 5000), ("ls", "a", "y" * 5000), ("--jobs", "z" * 5000, "ls"), ("show", "a/b@" + "v" * 5000)):
            run = self.hm(*long, code=2)
            self.assert_error(run)
            self.assertLess(len(run.err), 500)
        self.assertFalse(os.path.exists(self.data))

    def test_each_failure_is_told_once(self):
        self.sample("org/good")
        for args, shown in ((("org/absent", "org/good"), True), (("org/absent",), True), (("--quiet", "org/absent", "org/good"), False)):
            with self.subTest(args):
                run = self.mirror(*args, code=1)
                self.assert_error(run, "org/absent: it does not exist")
                self.assertEqual(run.err.count("it does not exist"), 1, run)
                self.assertEqual("org/good" in run.err, shown and "org/good" in args)

    def test_debug_log_tells_requests_stages_and_blobs(self):
        self.restart_hub(tokens={TOKEN: {"name": "a"}})
        repo = self.sample("org/name")
        run = self.mirror("--log-level", "debug", "org/name", env={"HF_TOKEN": TOKEN})
        lines = [line for line in run.err.splitlines() if " D " in line]
        requests = [line for line in lines if " D request " in line]
        self.assertTrue(any("method=GET" in line and "/api/models/org/name status=200" in line for line in requests), run.err)
        self.assertEqual(sum("/xet-bridge-us/" in line for line in requests), 2)
        for line in requests:
            self.assertRegex(line, r"method=[A-Z]+ url=http\S+ status=\d+ bytes=\d+ ms=\d+ ")
            self.assertNotRegex(line, r"[?&]|[Ss]ignature|hf_", "no query, no token")
        for stage in ("visit", "git", "plan", "blobs", "publish", "done"):
            self.assertTrue(any(line.endswith(f" stage repo=org/name stage={stage}") for line in lines), stage)
        for digest, _ in self.pointers(repo).values():
            self.assertTrue(any(" blob published " in line and digest in line for line in lines))
        self.assertNotIn(" D ", self.mirror("org/name").err)

    def test_help_and_version(self):
        for args in (("--help",), ("mirror", "--help"), ("--help-all",), ("version",), ("--version",), ("config", "print", "--help")):
            with self.subTest(args):
                run = self.hm(*args, bare=True)
                self.assertTrue(run.out)
                self.assertEqual(run.err, "")
        self.assertRegex(self.hm("version").out, r"hubmirror \d+\.\d+")
        for args in ("--help", "version"):
            with self.subTest(args), open("/dev/full", "wb") as full:
                done = subprocess.run(self.command([args], bare=True), env=self.environment(), stdout=full, stderr=subprocess.PIPE, check=False)
                self.assertEqual(done.returncode, 3)
                self.assertIn(b"standard output", done.stderr)

    def test_closed_standard_streams(self):
        self.sample("org/a")

        def closed(shell, *args):
            command = ["sh", "-c", f'exec "$@" {shell}', "sh", *self.command(args)]
            return subprocess.run(command, env=self.environment(), capture_output=True, timeout=HANG_S, check=False)

        done = closed("<&-", "mirror", "--from", "-")
        self.assertEqual(done.returncode, 3, done)
        self.assertIn(b"standard input", done.stderr)
        self.assertEqual(closed("<&- >&- 2>&-", "mirror", "org/a").returncode, 3)
        with open(os.path.join(self.data, "LOCK"), encoding="ascii") as f:
            self.assertEqual(f.read().strip(), "")
        self.assertEqual(closed("<&- 2>&-", "ls").returncode, 0)
        self.assertEqual(self.repos_here(), ["org/a"])

    def test_empty_words(self):
        for args in (("mirror", "--revision", "", "org/a"), ("--config", "", "ls"), ("mirror", "--from", ""), ("ls", ""), ("config", "check", "")):
            with self.subTest(args):
                self.assert_error(self.hm(*args, code=2), "empty")

    def test_a_list_with_a_byte_order_mark(self):
        self.sample("org/a")
        self.mirror("--from", self.write("list", "\ufefforg/a\n"))
        self.assertEqual(self.repos_here(), ["org/a"])

    def test_environment(self):
        self.sample("org/name")
        data = os.path.join(self.dir, "other-data")
        env = {
            "HF_ENDPOINT": self.hub.endpoint,
            "HUBMIRROR_DATA_DIR": data,
            "HUBMIRROR_UPSTREAM_ALLOW_PRIVATE": f"127.0.0.1:{self.hub.cdn_server.port}",
        }
        self.hm("mirror", "org/name", bare=True, env=env)
        self.assertEqual(len(stored_blobs(data)), 2)
        self.hm("ls", bare=True, env={"HUBMIRROR_CONFIG": self.config, "HUBMIRROR_DATA_DIR": data})
        self.assert_error(
            self.hm("ls", bare=True, env={"HUBMIRROR_MIRROR_FILES_PARALEL": "3"}, code=2), "HUBMIRROR_MIRROR_FILES_PARALEL", "did you mean"
        )
        self.assert_error(self.hm("ls", bare=True, env={"HUBMIRROR_MIRROR_FILES_PARALLEL": "many"}, code=2), "HUBMIRROR_MIRROR_FILES_PARALLEL")
        for slip, meant in (("HUBMIRROR_DATADIR", "HUBMIRROR_DATA_DIR"), ("HUBMIRROR_STORGE_DATA_DIR", "HUBMIRROR_STORAGE_DATA_DIR")):
            self.assert_error(self.hm("ls", bare=True, env={slip: data}, code=2), slip, f"did you mean .{meant}")
        self.hm("version", bare=True, env={"HUBMIRROR_OF_SOMEBODY_ELSE": "1"})
        self.hm("ls", bare=True, env={"HUBMIRROR_OF_SOMEBODY_ELSE": "1", "HUBMIRROR_DATA_DIR": data})
        self.hm("mirror", "org/name", bare=True, env={k: v for k, v in env.items() if k != "HUBMIRROR_DATA_DIR"})  # with a home and nothing else
        self.assertEqual(len(stored_blobs(os.path.join(self.home, ".local/share/hubmirror"))), 2)
        self.assert_error(self.hm("ls", bare=True, env={"HOME": ""}, code=(2, 3)), "HOME|data")

    def test_wrong_configuration(self):
        def refused(text, *patterns):
            path = self.write("bad.toml", text)
            for args in (("--config", path, "ls"), ("config", "check", path)):
                with self.subTest(text=text, args=args):
                    self.assert_error(self.hm(*args, bare=True, code=2), r"bad\.toml", *patterns)

        refused("[network]\nretries_max = 3\nretrys = 1\n", ":3", "retrys")
        refused("[mirror]\nfiles_paralel = 3\n", ":2", "files_paralel", "did you mean .files_parallel")
        refused("[mirorr]\nx = 1\n", ":1", "mirorr", "did you mean .mirror")
        refused("[mirror]\nfiles_parallel = 100000\n", ":2", "files_parallel", "256")
        refused('[mirror]\nfiles_parallel = "x"\n', ":2", "files_parallel")
        refused('[storage]\nreserve_bytes = "1 elephant"\n', "reserve_bytes")
        refused("[network\n", ":1")
        refused("\x00\x01\xff", r"bad\.toml")
        refused('[upstream]\nurl = "https://user:secret@example.org"\n', "url")
        self.assert_error(self.hm("--config", os.path.join(self.dir, "absent.toml"), "ls", bare=True, code=2), "absent.toml")
        run = self.hm("--config", self.dir, "ls", bare=True, code=2)
        self.assert_error(run)

    def test_check_finds_what_no_run_accepts(self):
        absent, empty = os.path.join(self.dir, "absent"), self.write("empty", "")
        for section in (
            {"allow_private": ["a b"]},
            {"ca_file": absent},
            {"ca_file": empty},
            {"token_file": absent},
            {"token_file": empty},
            {"token_file": self.write("two", "hf_a\nhf_b\n")},
        ):
            with self.subTest(section):
                self.configure(upstream=section)
                self.assert_error(self.hm("config", "check", code=2))
                self.assert_error(self.mirror("org/a", code=2))
                self.assertFalse(os.path.exists(self.data))

    def test_config_print_and_check(self):
        self.configure(mirror={"files_parallel": 7, "exclude": ["*.h5"]}, upstream={"proxy": "http://me:secret@127.0.0.1:3128"})
        self.secrets.add("secret")
        run = self.hm("config", "print")
        self.assertIn("files_parallel = 7", run.out)
        self.hm("config", "check")
        again = self.write("again.toml", self.hm("config", "print", env={"HF_TOKEN": TOKEN}).out.replace("***@", ""))
        self.hm("config", "check", again, bare=True)
        self.assertIn("config", self.hm("--json", "config", "print").out_bytes.decode() + "config")
        example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config", "hubmirror.toml")
        self.hm("config", "check", example, bare=True)
        defaults = self.hm("config", "print", bare=True).out
        self.assertEqual(self.hm("--config", example, "config", "print", bare=True).out, defaults, "the commented file holds the defaults")


class NetworkTest(HubTest):
    def test_upstream_that_is_not_there(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))  # ours, and nobody listens
            port = s.getsockname()[1]
            self.configure(network={"retries_max": 1})
            run = self.hm(
                "--config", self.config, "--data-dir", self.data, "--upstream", f"http://127.0.0.1:{port}", "mirror", "org/a", bare=True, code=(1, 3)
            )
        self.assert_error(run, f"127.0.0.1:{port}", "refused|connect|unreachable")

    def test_name_that_does_not_resolve(self):
        self.configure(network={"retries_max": 0})
        run = self.hm(
            "--config", self.config, "--data-dir", self.data, "--upstream", "http://no-such-host.invalid", "mirror", "org/a", bare=True, code=(1, 3)
        )
        self.assert_error(run, "no-such-host.invalid")

    def test_certificates(self):
        self.restart_hub(tls=True)
        repo = self.sample("org/name")
        self.configure(network={"retries_max": 0})
        self.assert_error(self.mirror("org/name", code=(1, 3)), "certificate|TLS|SSL")
        self.assertEqual(self.hub.requests(), [])
        self.mirror("org/name", env={"SSL_CERT_FILE": self.hub.ca_file})
        self.assert_equals_origin(repo)
        self.configure(upstream={"ca_file": self.hub.ca_file})
        repo.commit("more", {"c.bin": LfsRandom(100, "c")})
        self.mirror("org/name")
        self.assert_equals_origin(repo)
        self.configure(upstream={"ca_file": os.path.join(self.dir, "absent.pem")})
        self.assert_error(self.mirror("org/name", code=(1, 2, 3)), "absent.pem|certificate")

    def test_proxy(self):
        repo = self.sample("org/name")
        with Proxy() as proxy:
            self.mirror("org/name", env={"HTTP_PROXY": "http://127.0.0.1:9"})  # ignored in this spelling, as curl does
            self.assertEqual(proxy.seen, [])
            repo.commit("more", {"c.bin": LfsRandom(100, "c")})
            self.mirror("org/name", env={"http_proxy": proxy.url, "no_proxy": "127.0.0.1"})
            self.assertEqual(proxy.seen, [])
            repo.commit("more", {"d.bin": LfsRandom(100, "d")})
            self.mirror("org/name", env={"http_proxy": proxy.url})
            self.assertTrue(any("/api/models/org/name" in url for url in proxy.seen), proxy.seen)
            self.assertTrue(any("/xet-bridge-us/" in url for url in proxy.seen), proxy.seen)
            proxy.seen.clear()
            self.configure(upstream={"proxy": proxy.url})
            repo.commit("more", {"e.bin": LfsRandom(100, "e")})
            self.mirror("org/name")
            self.assertTrue(proxy.seen)
        self.configure()
        self.assert_equals_origin(repo)

    def test_proxy_that_is_not_there(self):
        self.sample("org/name")
        self.secrets.add("hush")
        self.configure(network={"retries_max": 0})
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))  # ours, and nobody listens
            dead = f"127.0.0.1:{s.getsockname()[1]}"
            self.assert_error(self.mirror("org/name", env={"http_proxy": f"http://me:hush@{dead}"}, code=(1, 3)), "proxy|" + dead)


class Proxy:
    """A forward proxy for plain http, as small as can be; `seen` are the URLs it was asked for."""

    def __enter__(self):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def relay(self):
                seen.append(self.path)
                url = urllib.parse.urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                link = http.client.HTTPConnection(url.hostname, url.port or 80)
                headers = {k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-") and k.lower() != "connection"}
                link.request(self.command, f"{url.path}?{url.query}" if url.query else url.path, body or None, headers)
                answer = link.getresponse()
                data = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)
                link.close()

            do_GET = do_POST = do_HEAD = relay

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


if __name__ == "__main__":
    main()
