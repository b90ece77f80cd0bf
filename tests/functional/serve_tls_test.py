"""The server with TLS: what comes together with the end of a handshake, a certificate that is renewed; and its other addresses and reloads."""

import os
import signal
import socket
import ssl
import subprocess

from harness import HANG_S, main, wait_until
from serve_harness import ServeTest


class TlsTest(ServeTest):
    def setUp(self):
        super().setUp()
        self.sample("org/a")
        self.mirror("org/a")
        self.certificate("one")
        self.serve(settings={"tls_certificate": os.path.join(self.dir, "cert.pem"), "tls_key": os.path.join(self.dir, "key.pem")})
        self.port = int(self.endpoint.rpartition(":")[2])

    def certificate(self, name):
        new = [os.path.join(self.dir, f) for f in ("new-key.pem", "new-cert.pem")]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
             "-subj", f"/CN={name}", "-keyout", new[0], "-out", new[1]],
            check=True, capture_output=True,
        )
        os.replace(new[0], os.path.join(self.dir, "key.pem"))
        os.replace(new[1], os.path.join(self.dir, "cert.pem"))

    def common_name(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.port), timeout=HANG_S) as plain, context.wrap_socket(plain) as tls:
            der = tls.getpeercert(binary_form=True)
        command = ["openssl", "x509", "-inform", "der", "-noout", "-subject", "-nameopt", "multiline"]
        return subprocess.run(command, input=der, capture_output=True, check=True).stdout.decode()

    def in_one_segment(self, version, requests):
        """Sends the end of the handshake and all requests in one piece; returns what comes until the server closes."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing)
        with socket.create_connection(("127.0.0.1", self.port), timeout=HANG_S) as s:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    s.sendall(outgoing.read())
                    incoming.write(s.recv(65536))
            for request in requests:
                tls.write(request)
            s.sendall(outgoing.read())
            got = b""
            while True:
                try:
                    part = tls.read(65536)
                    if not part:
                        return got
                    got += part
                except ssl.SSLWantReadError:
                    data = s.recv(65536)
                    if not data:
                        return got
                    incoming.write(data)
                except ssl.SSLZeroReturnError:
                    return got

    def test_requests_that_come_with_the_end_of_the_handshake_are_answered(self):
        ask = b"GET /org/a/resolve/main/config.json HTTP/1.1\r\nHost: x\r\n"
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            for count in (1, 20, 400):  # the last are more than one buffer of the stream holds
                requests = [ask + b"\r\n"] * (count - 1) + [ask + b"Connection: close\r\n\r\n"]
                got = self.in_one_segment(version, requests)
                self.assertEqual(got.count(b"HTTP/1.1 200 OK\r\n"), count, version)

    def test_a_renewed_certificate_is_taken_by_itself(self):
        self.assertIn("one", self.common_name())
        self.certificate("two")
        wait_until(lambda: "two" in self.common_name(), "the new certificate is used", self.server)
        self.write("cert.pem", "no certificate\n")
        wait_until(lambda: "a new certificate is not right" in self.server.said(), "the bad one is complained of", self.server)
        self.assertIn("two", self.common_name())


class AddressTest(ServeTest):
    def setUp(self):
        super().setUp()
        self.sample("org/a")
        self.mirror("org/a")

    def test_a_file_in_the_place_of_a_socket_stays(self):
        path = self.write("precious.txt", "precious\n")
        link = os.path.join(self.dir, "link")
        os.symlink(path, link)
        for there in (path, link):
            self.assert_error(self.hm("serve", "--listen", f"unix:{there}", code=(2, 3)), there)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(f.read(), "precious\n")
        self.assertTrue(os.path.islink(link))

    def test_a_socket_that_nobody_listens_at_is_replaced(self):
        path = os.path.join(self.dir, "s")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        process = self.start("serve", "--listen", f"unix:{path}")
        self.addCleanup(self.end_server, process)
        wait_until(lambda: "serving at" in process.said(), "it serves", process)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"GET /-/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 200 OK"))

    def test_a_reload_takes_no_change_that_it_cannot_make(self):
        self.configure(log={"level": "info"})
        self.serve()
        said = lambda text: wait_until(lambda: text in self.server.said(), text, self.server)
        for settings, why in (({"serve": {"listen": ["127.0.0.1:1"]}}, "serve.listen cannot change while the server runs"),
                              ({"serve": {"on_demand": "files"}}, "serve.on_demand needs a process that may write"),
                              ({"storage": {"reserve_bytes": 2 << 20}}, "storage.reserve_bytes cannot change")):
            self.configure(log={"level": "info"}, **settings)
            self.server.signal(signal.SIGHUP)
            said(why)
        self.assertNotIn("the configuration was read again", self.server.said())
        self.configure(log={"level": "info"}, serve={"gated": "granted"})
        self.server.signal(signal.SIGHUP)
        said("the configuration was read again")


if __name__ == "__main__":
    main()
