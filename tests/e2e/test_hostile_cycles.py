"""A member with a valid key that keeps to no rule: cycles, arrivals, requests and leases that lie, on real processes.

beta's machine key posts them beside beta's own agent. The broker stores what beta may say; the others must not believe
it, must go on with their own work, and must show it to a person without harm.
"""

import asyncio
import itertools
import json
import re
from datetime import UTC, datetime

import nats
import pytest
from msgspec.structs import replace

from roosync_broker.keys import KeyPair
from roosync_protocol import envelope
from roosync_protocol.fleet import AT_ONCE
from roosync_protocol.messages import Arrival, Cycle, Request, decode
from roosync_protocol.subjects import Subjects

SUBJECTS = Subjects("e2e")
SETTINGS = ".claude/settings.json"
ESCAPES = (
    "\x1b[2J\x1b]0;title\x07 \u202eevil\u2066 <img src=x onerror=alert(1)> **bold** [a](javascript:1)\r\n# heading"
)
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
IDS = itertools.count(1)


class Hostile:
    """Plain nats-py with one machine's key."""

    def __init__(self, site):
        self.keys = KeyPair.from_seed((site.state / "keys" / "machine.nk").read_text().strip())
        self.url = json.loads((site.state / "identity.json").read_text())["url"]
        self.name = site.name

    def run(self, work):
        async def connected():
            errors = []

            async def quiet(error):
                errors.append(str(error))

            inbox = f"_INBOX.{self.name}".encode()
            bus = await nats.connect(
                self.url, nkeys_seed_str=self.keys.seed, inbox_prefix=inbox, error_cb=quiet, allow_reconnect=False
            )
            try:
                return await work(bus)
            finally:
                await bus.close()

        return asyncio.run(connected())

    def post(self, *messages, timeout=5):
        """What the broker said to each: "" when it was stored."""

        async def work(bus):
            room = asyncio.Semaphore(100)

            async def one(message):
                operation = getattr(message, "operation_id", f"o-hostile{next(IDS)}")
                sealed = envelope.seal(SUBJECTS, message, operation, self.keys.public, self.keys.sign)
                async with room:
                    reply = await bus.request(sealed.subject, sealed.data, timeout=timeout, headers=sealed.headers)
                return json.loads(reply.data).get("error", {}).get("description", "")

            return await asyncio.gather(*map(one, messages))

        return self.run(work)


def cycle(**more):
    now = datetime.now(UTC)
    given = {
        "agent": "beta", "timestamp": now, "id": f"c-hostile{next(IDS)}", "revision": 1,
        "operation_id": f"o-hostile{next(IDS)}", "route": "coordination", "status": "running",
        "participants": ("alpha", "beta", "gamma"), "checkpoint": "init", "timeout_minutes": 5, "started": now,
        "entered": now,
    }  # fmt: skip
    return Cycle(**given | more)


def request(**more):
    now = datetime.now(UTC)
    given = {
        "agent": "beta", "timestamp": now, "id": f"r-hostile{next(IDS)}", "revision": 1,
        "operation_id": f"o-hostile{next(IDS)}", "to": "gamma", "kind": "execution", "target": "gamma",
        "action": "report", "status": "requested", "asker": "beta", "asked": now, "timeout_minutes": 5,
    }  # fmt: skip
    return Request(**given | more)


def settings(model):
    return json.dumps({"model": model, "cleanupPeriodDays": 30}, indent=2) + "\n"


@pytest.fixture(scope="module")
def three(fleets):
    fleet = fleets()
    sites = [fleet.site(name) for name in ("alpha", "beta", "gamma")]
    for site in sites:
        site.write(SETTINGS, settings("opus"))
        site.write(".claude/CLAUDE.md", "# Memory\n")
    fleet.in_step(*sites)
    return sites


@pytest.fixture
def beta(three):
    """beta's key; after the test everybody lives, and nobody stumbled."""
    yield Hostile(three[1])
    for site in three:
        assert site.process.poll() is None, site.told()
        assert "unexpected way" not in site.told()


LYING_CYCLES = {
    "of nobody there": {"participants": ("nobody", "none")},
    "of ten thousand": {"participants": tuple(f"m{number}" for number in range(10_000))},
    "of itself alone": {"participants": ("beta",)},
    "with no time": {"timeout_minutes": 5e-324},
    "with words that move": {"note": ESCAPES[:400], "required_version": "\u00b2" + ESCAPES[:90]},
    "under a lease of its own": {"token": 2**53},
    "of long ago": {"started": datetime(1000, 1, 2, tzinfo=UTC), "entered": datetime(1000, 1, 2, tzinfo=UTC)},
    "of long after": {"started": datetime(8999, 1, 2, tzinfo=UTC), "entered": datetime(8999, 1, 2, tzinfo=UTC)},
    "that waits for words": {"revision": 7, "status": "waiting", "waiting_for": ESCAPES[:300]},
    "that is at its end": {"revision": 7, "status": "done", "checkpoint": "final", "excused": {"alpha": ESCAPES[:99]}},
}


def harmless(site, *words):
    """What a command shows a person: no character that moves the cursor or turns the letters around."""
    shown = site.roosync(*words, codes=None)
    assert not RAW.search(shown.out + shown.err), shown
    assert "fault of roosync itself" not in shown.err, shown
    return shown.out


# name -> what it says, and what becomes of it
LYING_REQUESTS = {
    "a command": ({"action": "rm -rf ~"}, "refused"),
    "an approval": ({"kind": "approval", "action": "publish"}, "refused"),
    "words that move": ({"action": ESCAPES[:400], "target": ESCAPES[:90]}, "refused"),
    "a device": ({"id": "con", "to": "op-any", "kind": "approval", "action": ESCAPES[:400]}, "requested"),
    "to nobody": ({"to": "nobody", "action": ESCAPES[:400]}, "requested"),
    "for another": ({"asker": "alpha"}, None),
    "done by who asked": ({"status": "done", "outcome": "it is done"}, None),
    "answered for gamma": ({"status": "done", "revision": 2, "outcome": "it is done"}, None),
    "no time": ({"timeout_minutes": 5e-324}, "expired"),
}


def test_requests_that_lie_execute_nothing_and_are_shown_without_harm(three, beta, waiting, tmp_path):
    alpha, _, gamma = three
    before = gamma.read(SETTINGS)
    made = {name: request(**more) for name, (more, _) in LYING_REQUESTS.items()}
    assert set(beta.post(*made.values())) == {""}

    def states():
        known = {row["id"]: row["status"] for row in alpha.ask("requests", everything=True)}
        return {name: known.get(one.id) for name, one in made.items()}

    wanted = {name: status for name, (_, status) in LYING_REQUESTS.items()}
    waiting(lambda: f"each is answered as it should be: {states()}", lambda: states() == wanted)
    assert gamma.read(SETTINGS) == before
    for words in (("requests", "--all"), ("history",), ("status",), ("locks",)):
        harmless(alpha, *words)
    for name in ("words that move", "a device", "to nobody"):
        harmless(alpha, "request", "show", made[name].id)
        harmless(alpha, "report", "request", made[name].id)
    folder = tmp_path / "views"
    alpha.roosync("export", str(folder))
    for file in (one for one in folder.rglob("*") if one.is_file()):
        assert file.resolve().is_relative_to(folder.resolve())
        text = file.read_text("utf-8")
        assert not RAW.search(text), file
        assert "\n# heading" not in text
        assert file.suffix == ".json" or "<img" not in text


def test_many_requests_keep_nobody_from_their_own(three, beta, waiting):
    alpha, _, gamma = three
    assert set(beta.post(*(request() for _ in range(100)))) == {""}
    gamma.write(SETTINGS, settings("sonnet"))
    asked = alpha.decision("pending", machine="gamma", entity="claude.settings/model")
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    waiting("gamma applies", lambda: gamma.read(SETTINGS) == settings("opus").encode())
    waiting("all are answered", lambda: not [r for r in alpha.ask("requests") if r["to"] == "gamma"], 120)


def _moves(real):
    """What beta may not do to a cycle that stands at RESOLUTION."""
    following = {"revision": real.revision + 1, "agent": "beta"}
    return [
        replace(real, **following | more, operation_id=f"o-hostile{next(IDS)}")
        for more in (
            {"status": "aborted"},
            {"status": "done"},
            {"excused": {"gamma": "I say so"}, "status": "running"},
            {"checkpoint": "final"},
            {"participants": ("beta",)},
            {"token": 0},
            {"revision": real.revision},
            {"revision": 1},
            {"revision": real.revision + 9, "status": "aborted"},
            {"revision": real.revision + 9, "excused": {"gamma": "I say so"}},
        )
    ]


def _state(beta, id_):
    """The newest state of a cycle, as its speaker posted it."""

    async def work(bus):
        ask = json.dumps({"last_by_subj": f"post.e2e.cycle.{id_}.alpha"}).encode()
        return decode((await bus.request("$JS.API.DIRECT.GET.e2e-WORK", ask)).data)

    return beta.run(work)


def test_a_cycle_is_ended_excused_and_passed_by_nobody_who_may_not(three, beta, waiting):
    alpha, _, gamma = three
    waiting("alpha leads", lambda: [r["owner"] for r in alpha.ask("locks")["leases"]] == ["alpha"])
    gamma.write(SETTINGS, settings("haiku"))
    asked = alpha.decision("pending", machine="gamma", entity="claude.settings/model")
    started = alpha.json("cycle", "start", "--timeout", "2")
    waiting("it stands at RESOLUTION", lambda: alpha.ask("cycle_show", id_=started["id"])["checkpoint"] == "resolution")
    real = _state(beta, started["id"])
    assert set(beta.post(*_moves(real))) == {""}
    now = datetime.now(UTC)
    places = [("resolution", real.round), ("final", real.round), ("final", 9), ("made-up", 0)]
    lies = [
        Arrival(
            agent="beta", timestamp=now, cycle=real.id, checkpoint=at, round=r, status="synced", divergences="0" * 64
        )
        for at, r in places
    ]
    assert set(beta.post(*lies)) == {""}
    forged = replace(real, agent="beta", revision=real.revision + 1, token=2**53, operation_id="o-hostile-token")
    assert beta.post(forged) == [""]
    seen = waiting("the lies are named", lambda: len((c := gamma.ask("cycle_show", id_=real.id))["refused"]) >= 5 and c)
    assert (seen["status"], seen["checkpoint"], seen["excused"]) == ("running", "resolution", {})
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    done = waiting(
        "it ends all the same", lambda: (c := alpha.ask("cycle_show", id_=real.id))["status"] == "done" and c
    )
    assert [one["checkpoint"] for one in done["reached"]] == ["init", "status", "diffs", "resolution", "final"]
    assert gamma.read(SETTINGS) == settings("opus").encode()


def test_the_cycles_of_a_machine_are_few_and_end_with_its_membership(three, beta, waiting):
    alpha, _, gamma = three
    lying = [cycle(**more) for more in LYING_CYCLES.values()]
    assert set(beta.post(*lying, *(cycle() for _ in range(30)))) == {""}
    waiting("they are heard", lambda: len(alpha.status()["cycles"]) == AT_ONCE)
    assert not RAW.search(alpha.fails("cycle", "start", says=["begun by beta", "roosync cycle abort"]))
    for words in (("status",), ("cycle", "show"), ("locks",), ("history",), ("cycle", "report", lying[4].id)):
        harmless(gamma, *words)
    alpha.roosync("revoke", "beta", "--yes", codes=(0,))
    waiting("they are run no more", lambda: not alpha.status()["cycles"])
    started = alpha.json("cycle", "start", "--timeout", "2")
    assert started["participants"] == ["alpha", "gamma"]
    waiting("their own ends", lambda: alpha.ask("cycle_show", id_=started["id"])["status"] == "done")
