"""Two machines, one baseline, and the life of one divergence, told without bus, clock or disk.

Each machine has files (a dictionary), a base (what was last agreed), and a turn: compare, settle, and apply what
may be applied. What they say goes through real signatures into one log, in the order of the stream, and each of
them folds it for itself. The scripts are read by people: a line is what happens, then what is expected.

    pc-a sets 2          somebody edits the file on pc-a          base 3       the operators publish value 3
    pc-a turns           compare, settle, apply                   breaks       the next apply fails and is restored
    ann approves         op-ann signs what is pending             +31d         time passes
    => status attempt    what both machines read in the record    -- value     what the file of pc-a holds
"""

import pytest
from msgspec.structs import replace

from roosync_broker.keys import verify
from roosync_protocol import decision as d
from roosync_protocol import reconcile
from roosync_protocol.diff import RECORDED, compare
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.fleet import Fleet

KEY = "roo.mcp/github"
AUTOMATIC = dict.fromkeys(("none", "low", "medium", "high", "critical"), "automatic")


def entity(number):
    return Entity(key=KEY, kind=Kind.MCP_SERVER, value={"command": "npx", "args": ["-y", f"gh@{number}"]})


def entities(number):
    return {} if number is None else {KEY: entity(number)}


def number_in(files):
    return files[KEY].value["args"][1].partition("@")[2] if KEY in files else "-"


class Machine:
    def __init__(self, world, name, bus):
        self.world, self.name, self.bus = world, name, bus
        self.files = entities(1)
        self.base = entities(1)
        self.before = {}  # what was there before each apply, by attempt
        self.ended = {}  # the journal: the highest attempt that ended here
        self.broken = False
        self.fleet = Fleet(world.law, verify)

    def read(self):
        """Everything that is on the bus, in a muddled order and twice: it may not matter."""
        for heard in [*reversed(self.bus), *self.bus]:
            self.fleet.hear(heard)
        return self.fleet.decision(self.name, d.decision_id(self.name, KEY, "baseline")).state

    def post(self, state):
        self.bus.append(self.world.say(state))
        state_read = self.read()
        assert state_read == state, "what a machine says counts at once"

    def turn(self, baseline):
        self.read()
        found = compare(self.base, self.files, baseline, first_join=False, machine=self.name)
        for divergence in found:
            if divergence.verdict in RECORDED:
                self.base = dict(baseline)
        asked = reconcile.Asked(machine=self.name, reference="baseline", reference_revision=1, now=self.world.now)
        known = {state.id: state for state in self.fleet.decisions(self.name)}
        for steps in reconcile.settle(
            found,
            known,
            asked,
            self.fleet.law,
            self.world.new_operation,
            verify=verify,
            ended_attempts=self.ended,
        ):
            for state in steps:
                self.post(state)
        for state in list(self.fleet.decisions(self.name)):
            self.act(state, baseline)

    def act(self, state, baseline):
        world, ended = self.world, self.ended.get(state.id, 0)
        if d.rollback_due(state, self.fleet.law):
            self.files = self.before[state.attempt]
            self.post(world.step(state, self.name, "rolled_back", rollback_requested=False))
        if state.status != "approved":
            return
        if d.applicable(state, self.fleet.law, verify, world.now, ended_attempt=ended):
            return
        claimed = world.step(state, self.name, "applying")
        self.post(claimed)
        self.before[state.attempt] = dict(self.files)
        self.ended[state.id] = state.attempt
        if self.broken:
            self.broken = False
            failed = world.step(claimed, self.name, "failed", log=("the file could not be written",))
            self.post(failed)
            self.post(world.step(failed, self.name, "rolled_back"))
            return
        self.files = {} if state.wanted.digest is None else {KEY: replace(entity(0), value=state.wanted.value)}
        self.base = dict(baseline)
        self.post(world.step(claimed, self.name, "applied", snapshot="s-1"))


class Story:
    def __init__(self, world):
        self.world = world
        self.bus = []
        self.machines = {name: Machine(world, name, self.bus) for name in ("pc-a", "pc-b")}
        self.baseline = entities(1)

    def state(self):
        """The record of pc-a, as everybody folds it."""
        a, b = (m.read() for m in self.machines.values())
        id_ = d.decision_id("pc-a", KEY, "baseline")
        seen = self.machines["pc-b"].fleet.decision("pc-a", id_).state
        assert a == seen, "both machines read the same record"
        assert b is None or b.machine == "pc-b"
        return a

    def say(self, state):
        self.bus.append(self.world.say(state))

    def enact(self, message):
        self.world.enact(message)
        self.bus.append(self.world.say(message))

    def line(self, line):
        match line.split():
            case [name, "sets", number]:
                self.machines[name].files = entities(number)
            case [name, "removes"]:
                self.machines[name].files = {}
            case ["base", number]:
                self.baseline = entities(number)
            case [name, "turns"]:
                self.machines[name].turn(self.baseline)
            case [name, "breaks"]:
                self.machines[name].broken = True
            case ["policy", answer]:
                self.enact(self.world.policy(answers=dict.fromkeys(AUTOMATIC, answer)))
            case ["pause"]:
                self.enact(replace(self.world.policy(answers=AUTOMATIC), paused=True))
            case ["revoke", who]:
                self.enact(self.world.roster(revoked=[f"op-{who}"]))
            case [days] if days.startswith("+"):
                self.world.wait(days=int(days[1:-1]))
            case ["=>", status, attempt]:
                assert (self.state().status, self.state().attempt) == (status, int(attempt))
            case ["=>", "nothing"]:
                assert self.state() is None
            case ["--", number]:
                assert number_in(self.machines["pc-a"].files) == number
            case [who, what]:
                self.answer(f"op-{who}", what)

    def answer(self, who, what):
        state = self.state()
        match what:
            case "approves":
                self.say(self.world.approved(state, who))
            case "replays":  # an approval of an earlier attempt, by a broker that kept it
                self.say(self.world.step(state, "pc-a", "approved", approvals=self.kept))
            case "rejects":
                self.say(self.world.step(state, who, "rejected"))
            case "rolls-back":
                self.say(self.world.step(state, who, "applied", rollback_requested=True))
            case "reopens":
                again = {"approvals": (), "policy_proof": None, "rollback_requested": False, "reopened": True}
                self.say(self.world.step(state, who, "pending", attempt=state.attempt + 1, **again))
            case "remembers":
                self.kept = state.approvals
            case _:
                raise AssertionError(what)


STORIES = {
    "a new baseline is approved and applied, and nothing is left to say": """
        base 2 ; pc-a turns ; => pending 1 ; -- 1
        pc-a turns ; pc-b turns ; => pending 1
        ann approves ; => approved 1 ; pc-a turns ; => applied 1 ; -- 2
        pc-a turns ; pc-a turns ; => applied 1 ; -- 2
    """,
    "a drift is rejected, stays accepted, and drifts again": """
        pc-a sets 7 ; pc-a turns ; => pending 1
        ann rejects ; pc-a turns ; => rejected 1 ; -- 7
        pc-a sets 8 ; pc-a turns ; => pending 2
        ann approves ; pc-a turns ; => applied 2 ; -- 1
    """,
    "what moves while it waits is asked anew, and the old yes is void": """
        base 2 ; pc-a turns ; ann approves ; => approved 1
        base 3 ; pc-a turns ; => pending 2 ; -- 1
        ann approves ; pc-a turns ; => applied 2 ; -- 3
    """,
    "the machine edits what was approved before it is applied": """
        base 2 ; pc-a turns ; ann approves
        pc-a sets 9 ; pc-a turns ; => pending 2 ; -- 9
    """,
    "the baseline is taken back while it waits": """
        base 2 ; pc-a turns ; => pending 1
        base 1 ; pc-a turns ; => superseded 1
        base 2 ; pc-a turns ; => pending 2
    """,
    "a policy applies what the baseline brings, and asks about drift": """
        policy automatic
        base 2 ; pc-a turns ; => applied 1 ; -- 2
        pc-a sets 7 ; pc-a turns ; => pending 2 ; -- 7
        ann rejects
        base 3 ; pc-a turns ; => pending 3 ; -- 7
        ann approves ; pc-a turns ; => applied 3 ; -- 3
        base 4 ; pc-a turns ; => applied 4 ; -- 4
    """,
    "a change that failed waits for a person, whatever the policy": """
        policy automatic ; base 2
        pc-a breaks ; pc-a turns ; => rolled_back 1 ; -- 1
        pc-a turns ; pc-a turns ; => rolled_back 1
        ann reopens ; => pending 2 ; pc-a turns ; => pending 2 ; -- 1
        bob approves ; pc-a turns ; => applied 2 ; -- 2
    """,
    "a change that failed and comes back is not tried by itself; another one is": """
        policy automatic ; base 2
        pc-a breaks ; pc-a turns ; => rolled_back 1
        base 1 ; pc-a turns ; => rolled_back 1
        base 3 ; pc-a turns ; => applied 2 ; -- 3
        pc-a sets 1 ; pc-a turns ; => pending 3
        base 2 ; pc-a turns ; => pending 4 ; -- 1
    """,
    "a reopened attempt that fails again can be opened again": """
        base 2 ; pc-a turns ; ann approves
        pc-a breaks ; pc-a turns ; => rolled_back 1
        ann reopens ; ann approves ; pc-a breaks ; pc-a turns ; => rolled_back 2
        ann reopens ; ann approves ; pc-a turns ; => applied 3 ; -- 2
    """,
    "rolled back because an operator asks": """
        base 2 ; pc-a turns ; ann approves ; pc-a turns ; => applied 1 ; -- 2
        bob rolls-back ; pc-a turns ; => rolled_back 1 ; -- 1
        pc-a turns ; => rolled_back 1
    """,
    "a yes of an earlier attempt does nothing for a later one": """
        base 2 ; pc-a turns ; ann approves ; ann remembers
        pc-a breaks ; pc-a turns ; => rolled_back 1
        ann reopens ; => pending 2
        ann replays ; => pending 2 ; pc-a turns ; -- 1
    """,
    "an operator who left, and his yes with him": """
        base 2 ; pc-a turns ; bob approves ; => approved 1
        revoke bob ; pc-a turns ; => pending 1 ; -- 1
        ann approves ; pc-a turns ; => applied 1 ; -- 2
    """,
    "what waits too long expires and asks again": """
        base 2 ; pc-a turns ; => pending 1
        +31d ; pc-a turns ; => pending 1
        ann approves ; pc-a turns ; => applied 1 ; -- 2
    """,
    "a pause holds what a policy would do, and no person": """
        policy automatic ; pause
        base 2 ; pc-a turns ; => pending 1 ; -- 1
        ann approves ; pc-a turns ; => applied 1 ; -- 2
    """,
    "removed here: brought back when a person says so": """
        pc-a removes ; pc-a turns ; => pending 1 ; -- -
        ann approves ; pc-a turns ; => applied 1 ; -- 1
    """,
    "both come to the same by themselves": """
        base 2 ; pc-a turns ; => pending 1
        pc-a sets 2 ; pc-a turns ; => superseded 1
    """,
    "each machine has its own record and applies for itself": """
        base 2 ; pc-a turns ; pc-b turns ; ann approves
        pc-b turns ; => approved 1 ; -- 1
        pc-a turns ; => applied 1 ; -- 2
    """,
}


@pytest.mark.parametrize("script", STORIES.values(), ids=STORIES)
def test_story(world, script):
    world.enact(world.policy(answers={}))
    story = Story(world)
    for line in script.replace(";", "\n").strip().splitlines():
        story.line(line.strip())
        world.wait(seconds=1)
    assert not [one.fleet.refused for one in story.machines.values() if one.fleet.refused]


def test_what_was_applied_here_is_not_applied_twice_for_a_broker_that_forgot(world):
    """The broker is put back to a backup from before the apply; the machine's journal knows better."""
    world.enact(world.policy(answers={}))
    story = Story(world)
    for line in ("base 2", "pc-a turns", "ann approves"):
        story.line(line)
    backup = list(story.bus)
    for line in ("pc-a turns", "-- 2", "pc-a sets 1"):
        story.line(line)
    machine = story.machines["pc-a"]
    story.bus[:] = backup
    machine.fleet = Fleet(world.law, verify)
    machine.base = entities(1)  # as if its base had been lost too: the question looks the same
    assert machine.read().status == "approved"
    machine.turn(story.baseline)
    story.line("-- 1")
    assert (machine.read().status, machine.read().attempt) == ("pending", 2), "a person is asked again"
