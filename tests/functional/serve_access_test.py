"""Who may read what `hubmirror serve` has: every route, state of a repository and caller, over real HTTP, with the fake Hub as upstream."""

import json

from harness import TOKEN, LfsRandom, main
from serve_harness import ServeTest

MEMBER, STRANGER, LATE = ("hf_" + word * 6 for word in ("member", "strngr", "latest"))
ANYBODY, MISSING = "org/public", "org/absent"
LFS = {"Content_Type": "application/vnd.git-lfs+json", "Accept": "application/vnd.git-lfs+json"}
# What one answer has that the next one has not: its number and its second.
OF_THE_ANSWER = {"date", "x-request-id"}


def batch_of(oid):
    return json.dumps({"operation": "download", "transfers": ["basic"], "objects": [{"oid": oid, "size": 3000}]})


class AccessTest(ServeTest):
    hub_options = {
        "tokens": {
            TOKEN: {"name": "mirror", "gated": ["*"], "private": ["*"]},
            MEMBER: {"name": "member", "gated": ["org/gated"], "private": ["org/secret"]},
            STRANGER: {"name": "stranger"},
            LATE: {"name": "late", "gated": ["org/gated"], "private": ["org/secret"]},
        }
    }

    def setUp(self):
        super().setUp()
        files = {"config.json": "{}\n", "w.bin": LfsRandom(3000, "w")}
        self.model(ANYBODY, files)
        self.model("org/gated", files, gated="manual")
        self.model("org/secret", files, private=True)
        self.mirror(ANYBODY, "org/gated", "org/secret", env={"HF_TOKEN": TOKEN})
        self.oid = next(f["sha256"] for f in self.show(ANYBODY, "--files")["files"] if f["path"] == "w.bin")
        self.secrets |= {MEMBER, STRANGER, LATE}
        self.callers = {"nobody": None, "member": MEMBER, "stranger": STRANGER}
        for name, options in {
            "plain": [],
            "granted": ["--gated", "org/gated"],
            "insider": ["--private", "ORG/Secret"],
            "elsewhere": ["--repos", "other/*"],
        }.items():
            self.callers[name] = self.hm("token", "create", name, *options).out.strip()
        self.serve(env={"HF_TOKEN": TOKEN})
        self.hub.wait_idle()
        self.asked_before = len(self.questions())

    def questions(self):
        """Path and Authorization of what the upstream was asked."""
        fields = lambda entry: {name.lower(): value for name, value in entry["headers"]}
        return [(e["path"], fields(e).get("authorization")) for e in self.hub.requests("api", path="/auth-check")]

    def routes(self, repo):
        """(what it wants, answer of a caller) for each route."""
        facts = ["", "/revision/main", "/tree/main", "/tree/main?recursive=true", "/refs", "/commits/main"]
        for path in facts:
            yield "facts", lambda token, path=path: self.get(f"/api/models/{repo}{path}", token=token)
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        yield "facts", lambda token: self.get(f"/api/models/{repo}/paths-info/main", "POST", "paths=config.json", token, **form)
        for method in ("GET", "HEAD"):
            files = [f"/{repo}/resolve/main/config.json", f"/{repo}/resolve/main/w.bin", f"/{repo}/raw/main/config.json"]
            for path in [*files, f"/api/models/{repo}/auth-check"]:
                yield "bytes", lambda token, path=path, method=method: self.get(path, method, token=token)
        yield "bytes", lambda token: self.get(f"/{repo}/info/refs?service=git-upload-pack", token=token)
        yield "bytes", lambda token: self.get(f"/{repo}.git/info/lfs/objects/batch", "POST", batch_of(self.oid), token, **LFS)
        yield "bytes", lambda token: self.get(f"/{repo}.git/info/lfs/objects/{self.oid}", token=token)

    def essence(self, answer):
        return answer.status, sorted((n, v) for n, v in answer.headers.items() if n.lower() not in OF_THE_ANSWER), answer.body

    def test_every_caller_gets_what_the_rules_say(self):
        def rights(gated_bytes, secret=None):
            """{(state, want): status}; what is not in it is answered like a missing repository."""
            out = {("public", "facts"): 200, ("public", "bytes"): 200, ("gated", "facts"): 200, ("gated", "bytes"): gated_bytes}
            return out | ({("secret", "facts"): secret, ("secret", "bytes"): secret} if secret else {})

        expected = {
            "nobody": rights(401),
            "member": rights(200, secret=200),
            "stranger": rights(403),
            "plain": rights(403),
            "granted": rights(200),
            "insider": rights(403, secret=200),
            "elsewhere": {},
        }
        for state in ("public", "gated", "secret"):
            for number, ((want, ask), (_, ask_missing)) in enumerate(zip(self.routes(f"org/{state}"), self.routes(MISSING))):
                for caller, token in self.callers.items():
                    with self.subTest(caller=caller, state=state, want=want, route=number):
                        answer, status = ask(token), expected[caller].get((state, want))
                        if status is not None:
                            self.assertEqual(answer.status, status, answer.body[:300])
                            self.assertEqual(answer["X-Error-Code"], "GatedRepo" if status in (401, 403) else None)
                            continue
                        self.assertIn(answer.status, (401, 404))
                        self.assertEqual(self.essence(answer), self.essence(ask_missing(token)))
        for path, authorization in self.questions():
            self.assertIn(authorization, {f"Bearer {MEMBER}", f"Bearer {STRANGER}"}, path)

    def test_a_page_of_a_listing_does_not_name_what_is_private(self):
        for caller in ("nobody", "member", "stranger", "plain", "granted", "elsewhere"):
            for query in ("", "?search=secret", "?author=org"):
                answer = self.get(f"/api/models{query}", token=self.callers[caller])
                self.assertNotIn(b"secret", answer.body, (caller, query))

    def test_the_upstream_is_asked_once_and_its_word_outlives_it(self):
        path = "/org/gated/resolve/main/config.json"
        for _ in range(5):
            self.assertEqual(self.get(path, token=MEMBER).status, 200)
        self.assertEqual(len(self.questions()) - self.asked_before, 1)
        self.hub.stop()
        self.assertEqual(self.get(path, token=MEMBER).status, 200)
        late = self.get(path, token=LATE)
        self.assertEqual(late.status, 503)
        self.assertGreaterEqual(int(late["Retry-After"]), 1)
        secret, missing = (self.get(f"/{repo}/resolve/main/config.json", token=LATE) for repo in ("org/secret", MISSING))
        self.assertEqual(self.essence(secret), self.essence(missing))
        self.assertEqual(self.get("/org/public/resolve/main/config.json", token=LATE).status, 200)
        self.assertEqual(self.get(path, token=self.callers["granted"]).status, 200)

    def test_a_name_that_means_nothing_costs_a_stranger_the_same_question(self):
        before = len(self.questions())
        self.get("/api/models/org/secret", token=STRANGER)
        self.assertEqual(len(self.questions()) - before, 1)
        self.get(f"/api/models/{MISSING}", token=STRANGER)
        self.assertEqual(len(self.questions()) - before, 2)

    def test_credentials_that_are_not_in_force_are_refused_everywhere(self):
        self.hm("token", "revoke", "granted")
        token, path = self.callers["granted"], "/api/models/org/public"
        while (answer := self.get(path, token=token)).status == 200:  # until the server has looked again
            pass
        self.assertEqual((answer.status, answer["X-Error-Code"]), (401, None))
        self.assertEqual(answer["X-Error-Message"], "Invalid credentials in Authorization header")
        self.assertEqual(self.get(path, token="hf_mirror" + "x" * 43).status, 401)
        self.assertEqual(self.get(path, Authorization="Digest x").status, 401)
        self.assertFalse([q for q in self.questions() if "hf_mirror" in (q[1] or "")])

    def test_whoami(self):
        self.assertEqual(self.get("/api/whoami-v2").status, 401)
        self.assertEqual(self.get("/api/whoami-v2", token=self.callers["plain"]).json["name"], "plain")
        self.assertEqual(self.get("/api/whoami-v2", token=MEMBER).json["type"], "user")


class TokensTest(AccessTest):
    """The same mirror, but nobody reads without a token of it."""

    settings = {"serve": {"access": "tokens"}}

    def test_every_caller_gets_what_the_rules_say(self):
        for repo in (ANYBODY, "org/gated", "org/secret", MISSING):
            for _, ask in self.routes(repo):
                self.assertEqual(ask(None).status, 401)
                self.assertEqual(ask(MEMBER).status, 401)
        self.assertEqual(self.get("/-/health").status, 200)
        self.assertEqual(self.get(f"/api/models/{ANYBODY}", token=self.callers["plain"]).status, 200)
        self.assertEqual(self.questions(), [])

    def test_the_upstream_is_asked_once_and_its_word_outlives_it(self):
        self.skipTest("nobody's Hub token counts here")

    test_a_name_that_means_nothing_costs_a_stranger_the_same_question = test_the_upstream_is_asked_once_and_its_word_outlives_it

    def test_a_page_of_a_listing_does_not_name_what_is_private(self):
        self.assertEqual(self.get("/api/models").status, 401)
        self.assertNotIn(b"secret", self.get("/api/models", token=self.callers["plain"]).body)

    def test_whoami(self):
        self.assertEqual(self.get("/api/whoami-v2", token=MEMBER).status, 401)
        self.assertEqual(self.get("/api/whoami-v2", token=self.callers["plain"]).json["name"], "plain")


if __name__ == "__main__":
    main()
