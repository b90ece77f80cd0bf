"""One process that crawls and syncs, and what commands beside it can do."""

import json
import os
import pty
import signal
import socket
import stat
import subprocess
import time

from harness import HANG_S, HubTest, LfsRandom, Process, main, wait_for_stall, wait_until

MIB = 1 << 20


class DaemonTest(HubTest):
    """`daemon` is begun by each test, with the policies it needs."""

    settings = {
        "crawl": {"visits_per_day_max": 0},
        "log": {"level": "info"},
        "network": {"stall_timeout_ms": HANG_S * 1000},  # what is held up is so until it is let go
    }

    def setUp(self):
        super().setUp()
        self.policies = os.path.join(self.dir, "policies")
        self.daemon = None
        self.path = os.path.join(self.data, "daemon.sock")

    def tearDown(self):
        if self.daemon is not None and self.daemon.running() and self._outcome.success:
            self.end()
        super().tearDown()

    def policy(self, name, text):
        os.makedirs(self.policies, exist_ok=True)
        self.write(f"policies/{name}.toml", text)

    def begin(self, **options):
        self.daemon = self.start("daemon", **options)
        self.addCleanup(self.daemon.signal, signal.SIGKILL)
        wait_until(self.daemon_answers, "the daemon answers", self.daemon)

    def end(self, code=0):
        self.daemon.signal(signal.SIGTERM)
        run = self.daemon.wait()
        self.assert_sane(run)
        self.assertEqual(run.code, code, f"\n{run}")
        self.assertFalse(os.path.exists(self.path), "the socket is removed")
        with open(os.path.join(self.data, "LOCK"), encoding="utf-8") as lock:
            self.assertEqual(lock.read().strip(), "", "the lock was given back")
        return run

    def ask(self, **request):
        """What the daemon says, frame by frame: [(kind, payload)]."""
        text = json.dumps({"arguments": [], **request}).encode()
        with self.connect_to_daemon() as s:
            s.sendall(len(text).to_bytes(4, "big") + b"r" + text)
            answer = b""
            while part := s.recv(65536):
                answer += part
        frames = []
        while answer:
            size = int.from_bytes(answer[:4], "big")
            frames.append((answer[4:5].decode(), answer[5 : 5 + size].decode()))
            answer = answer[5 + size :]
        return frames

    def status(self):
        return json.loads(self.ask(what="status")[0][1])

    def metrics(self):
        lines = self.ask(what="metrics")[0][1].splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    def published(self, name):
        return any(row["repo"] == name and row.get("revisions", 1) for row in self.hm("--json", "ls").json["repos"])

    def held_up(self, name="org/slow"):
        """A repository whose large file stands still in the middle of its first download."""
        origin = self.model(name, {"w.bin": LfsRandom(3 * MIB, name)})
        self.faults({"do": "stall", "after_bytes": MIB, "match": {"port": "cdn"}, "when": {"nth": 1}})
        return origin

    def wait_for_stall(self, process=None):
        wait_for_stall(self.hub, process or self.daemon)


class AloneTest(DaemonTest):
    def test_it_crawls_and_syncs_by_itself(self):
        repo = self.sample("org/wanted")
        self.sample("org/other")
        self.policy("ours", '[select]\nrepos = ["org/wanted"]\n')
        self.begin()
        wait_until(lambda: self.published("org/wanted"), "the policy is synced", self.daemon)
        wait_until(lambda: "org/other" in [f["repo"] for f in self.hm("--json", "search").json], "the Hub is known", self.daemon)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        wait_until(lambda: self.status()["sync"]["state"] == "waiting", "the sync has ended", self.daemon)
        self.assertIn("hubmirror_sync_generation 1\n", self.hm("daemon", "--metrics").out)
        status = self.hm("daemon", "--status").json
        self.assertEqual((status["state"], status["pid"], status["configuration"]["policies"]), ("running", self.daemon.pid, 1))
        self.assertEqual(status["crawl"]["state"], "working")
        metrics = self.metrics()
        self.assertEqual(metrics['hubmirror_sync_targets{state="published"}'], 1)
        self.assertEqual(metrics["hubmirror_sync_generation"], 1)
        self.assertGreaterEqual(metrics['hubmirror_crawl_changes_total{kind="models",change="new"}'], 1)
        self.assertGreater(metrics['hubmirror_crawl_last_tail_timestamp_seconds{kind="models"}'], 1_600_000_000)
        for name in ("hubmirror_process_resident_bytes", "hubmirror_process_open_fds", "hubmirror_process_threads", "hubmirror_store_free_bytes"):
            self.assertGreater(metrics[name], 1, name)
        self.end()
        self.assert_equals_origin(repo)

    def test_killed_it_goes_on_when_it_is_begun_again(self):
        origin = self.held_up()
        self.policy("ours", '[select]\nrepos = ["org/slow"]\n')
        self.begin()
        self.wait_for_stall()
        self.daemon.signal(signal.SIGKILL)
        self.daemon.wait()
        self.assertTrue(os.path.exists(self.path), "nobody was left to remove it")
        self.hub.release()
        self.begin()
        wait_until(lambda: self.published("org/slow"), "the sync goes on", self.daemon)
        self.end()
        self.assert_equals_origin(origin)

    def test_told_to_end_it_cancels_what_is_under_way(self):
        origin = self.held_up()
        self.policy("ours", '[select]\nrepos = ["org/slow"]\n')
        self.begin()
        self.wait_for_stall()
        self.end()
        self.hub.release()
        self.hm("sync")
        self.assert_equals_origin(origin)

    def test_there_is_one_for_a_data_directory(self):
        self.begin()
        run = self.hm("daemon", code=3)
        self.assert_error(run, "writes to", rf"\b{self.daemon.pid}\b", "daemon")
        self.assertTrue(self.daemon.running())

    def test_without_one_nobody_answers(self):
        self.hm("init")
        self.assert_error(self.hm("daemon", "--status", code=1), "no daemon")
        self.policy("bad", "[select]\nnamse = ['x']\n")
        self.assert_error(self.hm("daemon", code=2), r"bad\.toml:2:1: unknown key")

    def test_an_upstream_that_is_away_does_not_end_it(self):
        self.sample("org/wanted")
        self.policy("ours", '[select]\nrepos = ["org/wanted"]\n')
        self.configure(network={"retries_max": 0})
        self.faults({"do": "status", "status": 503, "match": {"port": "api"}})
        self.begin()
        wait_until(lambda: "last_run_ended" in self.status()["sync"], "the sync has tried", self.daemon)
        wait_until(lambda: self.status()["crawl"]["state"] == "working", "the crawl goes on", self.daemon)
        self.assertEqual(self.hm("--json", "status", code=1).json["complete"]["skipped"], 1)
        self.faults()
        self.hm("sync")
        self.assertTrue(self.published("org/wanted"))

    def test_a_full_disk_does_not_end_it(self):
        self.sample("org/wanted")
        self.policy("ours", '[select]\nrepos = ["org/wanted"]\n')
        self.configure(storage={"reserve_bytes": 1 << 49})
        self.begin()
        wait_until(lambda: self.status()["sync"]["state"] == "failed", "the sync fails", self.daemon)
        self.assertRegex(self.status()["sync"]["problem"], "space")
        failures = lambda: self.metrics()['hubmirror_daemon_job_failures_total{job="sync"}']
        self.assertGreaterEqual(failures(), 1)
        wait_until(lambda: "org/wanted" in [f["repo"] for f in self.hm("--json", "search").json], "it goes on crawling", self.daemon)
        before = failures()
        self.daemon.signal(signal.SIGHUP)  # ends the pause
        wait_until(lambda: failures() > before, "the sync is tried again", self.daemon)
        self.assertRegex(self.end().err, "sync failed and is tried again later")
        self.configure()
        self.begin()
        wait_until(lambda: self.published("org/wanted"), "there is room", self.daemon)


class ReloadTest(DaemonTest):
    def reloads(self, outcome):
        return self.metrics().get(f'hubmirror_daemon_reloads_total{{outcome="{outcome}"}}', 0)

    def hang_up(self, outcome):
        before = self.reloads(outcome)
        self.daemon.signal(signal.SIGHUP)
        wait_until(lambda: self.reloads(outcome) > before, f"a reload is {outcome}", self.daemon)
        return self.status()["configuration"]

    def test_policies_are_taken_as_a_whole_or_not_at_all(self):
        self.sample("org/one")
        self.sample("org/two")
        self.begin()
        wait_until(lambda: self.status()["sync"]["state"] == "not wanted", "no sync is wanted", self.daemon)
        self.policy("one", '[select]\nrepos = ["org/one"]\n')
        self.policy("bad", "[select]\nnamse = ['x']\n")
        refused = self.hang_up("refused")
        self.assertRegex(refused["refused"], r"bad\.toml:2:1: unknown key")
        self.assertEqual(refused["policies"], 0)
        self.policy("bad", '[select]\nrepos = ["org/two"]\n')
        taken = self.hang_up("taken")
        self.assertNotIn("refused", taken)
        self.assertEqual(taken["policies"], 2)
        wait_until(lambda: self.published("org/one") and self.published("org/two"), "the new policies are synced", self.daemon)
        run = self.end()
        self.assertRegex(run.err, r"those before stay in force.*bad\.toml")

    def test_what_cannot_change_is_refused_in_words(self):
        self.begin()
        self.configure(storage={"reserve_bytes": 2 << 20}, crawl={"tail_every_seconds": 77})
        self.assertRegex(self.hang_up("refused")["refused"], "storage.reserve_bytes cannot change while the daemon runs")
        self.configure(crawl={"tail_every_seconds": 5})
        self.assertRegex(self.hang_up("refused")["refused"], r"hubmirror\.toml:.*tail_every_seconds")
        self.configure(crawl={"tail_every_seconds": 77}, budget={"requests_per_second_max": 1000}, mirror={"files_parallel": 3}, log={"level": "debug"})
        self.assertNotIn("refused", self.hang_up("taken"))
        self.sample("org/name")
        self.mirror("org/name")
        self.assertRegex(self.end().err, "GET", "the new level of the log holds")


class BesideTest(DaemonTest):
    def test_every_command_works_beside_it(self):
        repo = self.sample("org/name")
        self.begin()
        self.hm("init")
        done = self.mirror_json("org/name", "org/absent", code=1)
        self.assertEqual([r["repo"] for r in done["repos"]], ["org/name", "org/absent"])
        self.assertIn("org/name", self.repos_here())
        self.assertEqual(self.show("org/name")["repo"], "org/name")
        self.hm("pin", "org/name", "--reason", "ours")
        self.assert_error(self.hm("rm", "--yes", "org/name", code=1), "pinned")
        self.hm("unpin", "org/name")
        self.assertEqual(self.hm("--json", "gc").json["items"], [])
        self.hm("gc", "--dry-run")
        self.hm("verify")
        self.hm("verify", "--repair", "--deep")
        self.hm("index", "rebuild")
        self.assert_equals_origin(repo)
        self.policy("late", '[select]\nrepos = ["org/name"]\n')
        self.hm("sync", "--policies", "policies", code=0, cwd=self.dir)
        self.assertEqual(self.hm("--json", "status").json["complete"]["published"], 1)
        self.assertEqual(self.hm("--json", "crawl", "--once").json["bad_items"], 0)
        self.assertIn("dropped org/name", self.hm("rm", "--yes", "org/name").out)
        self.assertEqual(self.repos_here(), [])
        self.assertTrue(self.daemon.running())

    def test_it_rests_when_commands_are_over(self):
        self.sample("org/a")
        self.begin()
        self.mirror("org/a")

        def cpu_s():
            with open(f"/proc/{self.daemon.pid}/stat", encoding="ascii") as f:
                fields = f.read().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        def rests():
            before, began = cpu_s(), time.monotonic()
            time.sleep(1)
            return cpu_s() - before < (time.monotonic() - began) / 4

        wait_until(rests, "the daemon uses no processor", self.daemon)

    def test_lists_and_questions_go_through_the_socket(self):
        for n in range(3):
            self.sample(f"org/m{n}")
        self.begin()
        self.write("list.txt", "org/m0\norg/m1\n")
        self.hm("mirror", "--from", "list.txt", cwd=self.dir)
        self.hm("mirror", "--from", "-", stdin=b"# late\norg/m2\n")
        self.assertEqual(self.repos_here(), ["org/m0", "org/m1", "org/m2"])
        self.write("list.txt", "org/m0\n/////\n")
        self.assert_error(self.hm("mirror", "--from", os.path.join(self.dir, "list.txt"), code=2), r"list\.txt:2")
        self.assert_error(self.hm("mirror", "--from", "nowhere.txt", code=2), "nowhere.txt")
        self.assert_error(self.hm("rm", "org/m0", code=2), "--yes")
        for answer, left in ((b"n\n", 3), (b"y\n", 2)):
            terminal, its_end = pty.openpty()
            process = subprocess.Popen(
                self.command(["rm", "org/m0"]), env=self.environment(), stdin=its_end, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            self.addCleanup(process.kill)
            said = b""
            while b"[y/N]" not in said:
                said += os.read(process.stderr.fileno(), 1000) or self.fail(f"ended: {said}")
            self.hm("pin", "org/m1")  # nobody waits for the one who thinks
            os.write(terminal, answer)
            process.communicate(timeout=HANG_S)
            os.close(its_end)
            os.close(terminal)
            self.assertEqual(len(self.repos_here()), left)

    def test_options_that_say_otherwise_are_refused(self):
        self.sample("org/name")
        self.begin()
        other = self.write("other.toml", "")
        for options, words in (
            (["--upstream", "http://127.0.0.1:1"], "--upstream"),
            (["--config", other], "--config"),
            (["--allow-private", "10.0.0.1"], "--allow-private 10.0.0.1"),
        ):
            with self.subTest(words):
                command = self.command(["pin", "org/name"])
                for name in options[:1]:
                    if name != "--allow-private":
                        at = command.index(name)
                        del command[at : at + 2]
                run = Process([*command, *options], self.environment()).wait()
                self.assertEqual(run.code, 2, run)
                self.assert_error(run, words, "a daemon holds this data directory")

    def test_ctrl_c_ends_the_command_and_not_the_daemon(self):
        self.held_up()
        other = self.sample("org/other")
        self.begin()
        process = self.start("mirror", "org/slow")
        self.addCleanup(process.signal, signal.SIGKILL)
        self.wait_for_stall(process)
        self.mirror("org/other")  # another one beside it
        process.signal(signal.SIGINT)
        run = process.wait()
        self.assertEqual(run.code, 3, run)
        self.assertIn("hubmirror mirror --unfinished", run.err)
        wait_until(lambda: self.status()["commands"] == [], "the command is over", self.daemon)
        self.hub.release()
        self.assertIn("org/slow", self.mirror("--unfinished").out)
        self.assert_equals_origin(other)

    def test_a_client_that_is_killed_ends_its_command(self):
        self.held_up()
        self.begin()
        process = self.start("mirror", "org/slow")
        self.wait_for_stall(process)
        process.signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: self.status()["at_work"] == [w for w in self.status()["at_work"] if "by hand" not in w["who"]], "the command ends", self.daemon)
        self.hub.release()
        self.mirror("--unfinished")

    def test_one_repository_is_mirrored_by_one_at_a_time(self):
        origin = self.held_up()
        self.begin()
        first = self.start("mirror", "org/slow")
        self.addCleanup(first.signal, signal.SIGKILL)
        self.wait_for_stall(first)
        second = self.start("mirror", "org/slow")
        self.addCleanup(second.signal, signal.SIGKILL)
        wait_until(lambda: len(self.status()["commands"]) == 2, "both are at work", second)
        self.hub.release()
        for process in (first, second):
            run = process.wait()
            self.assert_sane(run)
            self.assertEqual(run.code, 0, run)
        self.assert_equals_origin(origin)
        self.assertIn("nothing is unfinished", self.mirror("--unfinished").out)

    def test_gc_stops_the_sync_and_the_sync_goes_on_after_it(self):
        origin = self.held_up()
        self.policy("ours", '[select]\nrepos = ["org/slow"]\n')
        self.begin()
        self.wait_for_stall()
        run = self.hm("gc")
        self.assertRegex(run.err, r"waits for (crawl|sync) \(the daemon's own\)")
        self.hub.release()
        wait_until(lambda: self.published("org/slow"), "the sync goes on", self.daemon)
        self.end()
        self.assert_equals_origin(origin)

    def test_sync_by_hand_takes_the_place_of_the_daemons(self):
        origin = self.held_up()
        self.policy("ours", '[select]\nrepos = ["org/slow"]\n')
        self.begin()
        self.wait_for_stall()
        done = self.hm("--json", "sync").json
        self.assertEqual((done["number"], done["published"]), (1, 1), "it finishes what the daemon had begun")
        self.hub.release()
        self.end()
        self.assert_equals_origin(origin)

    def test_gc_waits_for_a_mirror_by_hand(self):
        origin = self.held_up()
        self.begin()
        process = self.start("mirror", "org/slow")
        self.addCleanup(process.signal, signal.SIGKILL)
        self.wait_for_stall(process)
        gc = self.start("gc")
        self.addCleanup(gc.signal, signal.SIGKILL)
        wait_until(lambda: {"who": "gc (by hand)", "waits": True} in self.status()["at_work"], "gc waits", gc)
        self.assertTrue(process.running())
        self.hub.release()
        self.assertEqual(process.wait().code, 0)
        self.assertEqual(gc.wait().code, 0)
        self.assert_equals_origin(origin)

    def test_nobody_else_is_heard(self):
        self.begin()
        with self.connect_to_daemon() as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(s.recv(1), b"", "it hangs up")
        frames = self.ask(what="command", arguments=["hubmirror", "ls"])
        self.assertEqual([kind for kind, _ in frames], ["e", "x"])
        self.assertIn("the daemon does not know this command", frames[0][1])
        self.assertEqual(frames[1][1], "2")


class ManagerTest(DaemonTest):
    """As a service manager sees it."""

    def test_it_tells_the_service_manager(self):
        path = os.path.join(self.dir, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(HANG_S)
            self.begin(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "3000000"})
            heard = []

            def hear(word):
                while word not in heard:
                    heard.extend(manager.recv(4096).decode().split("\n"))

            hear("READY=1")
            hear("WATCHDOG=1")
            heard.clear()
            self.daemon.signal(signal.SIGHUP)
            hear("RELOADING=1")
            self.assertTrue(any(line.startswith("MONOTONIC_USEC=") for line in heard), heard)
            hear("READY=1")
            self.daemon.signal(signal.SIGTERM)
            hear("STOPPING=1")
            self.assertEqual(self.daemon.wait().code, 0)


if __name__ == "__main__":
    main()
