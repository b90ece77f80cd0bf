"""SIGKILL at random moments of `sync`: every run goes on with the same generation, and it ends complete."""

import os
import random
import signal

from crash_case import CrashCase
from harness import main, scaled

from fake_hub import LfsRandom

KILLS = scaled(20, least=4)
MODELS = scaled(30, least=8)


class SyncKillsTest(CrashCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(7)
        self.origins = [
            self.model(f"org/m{n}", {"config.json": f"{n}\n", "own.safetensors": LfsRandom(200_000 + n, f"own{n}"), "shared.bin": LfsRandom(300_000, "shared")})
            for n in range(MODELS)
        ]
        self.origins.append(self.repo("dataset", "org/data", {"x.parquet": LfsRandom((17 << 20) + 5, "x")}))
        # Stands still while there are faults: no run comes to the end of the generation.
        self.origins.append(self.model("org/last", {"w.bin": LfsRandom(2 << 20, "last")}))
        os.mkdir(os.path.join(self.dir, "policies"))
        self.write("policies/models.toml", '[select]\nnames = ["org/*"]\n')
        self.write("policies/data.toml", '[select]\nrepos = ["datasets/org/data", "org/m0"]\n')
        self.hm("crawl", "--once")
        self.faults(
            {"do": "delay", "ms": 60, "match": {"port": "api"}},
            {"do": "delay", "ms": 30, "match": {"port": "cdn"}},
            {"do": "stall", "after_bytes": 1 << 20, "match": {"port": "cdn", "path": self.origins[-1].oid}},
        )

    def generations(self):
        return self.hm("--json", "status", "--all").json

    def test_twenty_kills_make_one_generation(self):
        plan = self.hm("--json", "sync", "--plan").json
        self.assertEqual(plan["total"]["revisions"], len(self.origins))
        targets = None
        for _ in range(KILLS):
            process = self.start("sync")
            process.runs_for(self.random.uniform(0.05, 0.9))
            process.signal(signal.SIGKILL)
            killed, run = self.killed_or_done(process)
            self.assertTrue(killed, f"it ended, though one target stands still\n{run}")
            self.check_after_kill()
            here = self.generations()
            self.assertLessEqual(len(here), 1, "a second generation was begun")
            if here:
                self.assertFalse(here[0]["complete"])
                fixed = (here[0]["targets"], here[0]["planned"])
                self.assertEqual(targets or fixed, fixed, "the targets were fixed before the first was begun")
                targets = fixed
        self.faults()
        done = self.hm("--json", "sync").json
        self.assertEqual((done["number"], done["complete"], done["published"], done["failed"]), (1, True, len(self.origins), 0))
        self.assertEqual(len(self.generations()), 1)
        for origin in self.origins:
            self.assert_equals_origin(origin)
        self.assertEqual(self.hm("--json", "verify", "--deep").json["findings"], [])
        print(f"{KILLS} kills, {len(self.origins)} repositories", flush=True)


if __name__ == "__main__":
    main()
