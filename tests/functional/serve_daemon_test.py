"""The daemon as a server: what it brings is served at once, and neither a reload nor its end loses a request."""

import http.client
import os
import signal
import threading
import urllib.parse

from harness import HANG_S, LfsRandom, main, wait_until
from serve_harness import SERVING_LOG, ServeTest, origin_files


class Load:
    """Clients that ask again and again on connections they keep, until the server is no more."""

    def __init__(self, endpoint, path, body, count=8):
        self.host, self.path, self.body = urllib.parse.urlsplit(endpoint), path, body
        self.answered, self.lost, self.wrong = 0, [], 0
        self.ending = False  # the server was told to end: it closes connections that nobody uses
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        while not self._stop.is_set():
            connection = http.client.HTTPConnection(self.host.hostname, self.host.port, timeout=HANG_S)
            try:
                connection.connect()
            except OSError:
                return  # nobody listens any more: nothing was asked
            used = False
            try:
                while not self._stop.is_set():
                    try:
                        connection.request("GET", self.path)
                        answer = connection.getresponse()
                    except ConnectionError:
                        if self.ending and used:
                            break  # closed while nobody used it; that what was read is answered, tests/unit/server/http_server_test.cpp shows
                        raise
                    data, used = answer.read(), True
                    self.answered += 1
                    self.wrong += data != self.body or answer.status != 200
                    if answer.getheader("Connection") == "close":
                        break
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
            connection.close()

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


class DaemonServesTest(ServeTest):
    def setUp(self):
        super().setUp()
        self.repo_ = self.model("org/name", {"config.json": "{}\n", "w.bin": LfsRandom(900_000, "w")})

    def tearDown(self):
        if self.server is not None:
            self.end_server(self.server)  # what is checked now is what it left
        super().tearDown()

    def run_daemon(self, **settings):
        self.configure(log={"level": "info"}, **settings)
        daemon = self.start("daemon")
        self.addCleanup(self.end_server, daemon)
        said = lambda: SERVING_LOG.search(daemon.said())
        wait_until(said, "the daemon serves", daemon)
        self.server, self.endpoint = daemon, said().group(1)
        wait_until(lambda: self.get("/-/ready").status == 200, "the daemon is ready", daemon)
        return daemon

    def wait_for_status(self, path, status):
        wait_until(lambda: self.get(path).status == status, f"{path} is answered {status}", self.server)

    def test_what_a_policy_brings_is_served(self):
        os.mkdir(os.path.join(self.dir, "policies"))
        self.write("policies/ours.toml", '[select]\nkind = "model"\nrepos = ["org/name"]\n')
        self.run_daemon()
        self.wait_for_status("/org/name/resolve/main/w.bin", 200)
        self.assertEqual(self.get("/org/name/resolve/main/w.bin").body, origin_files(self.repo_, self.repo_.head())["w.bin"])
        self.assertEqual(self.get("/-/status").json["state"], "running")
        metrics = self.get("/-/metrics").body.decode()
        for name in ("hubmirror_http_requests_total", "hubmirror_process"):
            self.assertIn(name, metrics)
        commit = self.repo_.commit("second", {"new.txt": "new\n"})
        self.mirror("org/name")  # through the daemon
        self.wait_for_status("/org/name/resolve/main/new.txt", 200)
        self.assertEqual(self.get("/api/models/org/name").json["sha"], commit)

    def test_a_token_given_beside_it_is_known(self):
        self.mirror("org/name")
        self.run_daemon(serve={"access": "tokens"})
        self.assertEqual(self.get("/api/models/org/name").status, 401)
        token = self.hm("token", "create", "reader").out.strip().splitlines()[-1]
        wait_until(lambda: self.get("/api/models/org/name", token=token).status == 200, "the token is known", self.server)
        self.hm("token", "revoke", "reader")
        wait_until(lambda: self.get("/api/models/org/name", token=token).status == 401, "the token is no more", self.server)

    def test_reload_and_end_lose_no_request(self):
        self.mirror("org/name")
        daemon = self.run_daemon()
        load = Load(self.endpoint, "/org/name/resolve/main/w.bin", origin_files(self.repo_, self.repo_.head())["w.bin"])
        wait_until(lambda: load.answered > 200, "answers", daemon)
        for number in range(3):
            before = load.answered
            self.configure(log={"level": "info"}, serve={"gated": "granted" if number % 2 == 0 else "check"})
            daemon.signal(signal.SIGHUP)
            wait_until(lambda before=before: load.answered > before + 200, "answers after a reload", daemon)
        load.ending = True
        daemon.signal(signal.SIGTERM)
        run = daemon.wait()
        load.end()
        self.assertEqual((run.code, load.lost, load.wrong), (0, [], 0), f"\n{run}")


if __name__ == "__main__":
    main()
