"""What a person asks of updates: what can be required, what stands in force, who is where, and what is withdrawn."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from roosync_agent.cli.update import plan_text, update_text
from roosync_agent.operations.coordination import cycling
from roosync_agent.operations.membership import lawmaking
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.rollouts import answering, moving
from roosync_agent.operations.updates import requiring, showing
from roosync_agent.session import Session
from roosync_broker import topology
from roosync_broker.errors import UnavailableError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import InventoryReport, StatusReport, UpdateReport
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
NAMES = ("alpha", "beta", "gamma")
NEXT = "0.9.0"


@pytest.fixture
async def world():
    bus, keys = MemoryBus(), {name: KeyPair.generate() for name in ("op-ann", *NAMES)}
    await topology.ensure(bus.link("keeper"), "home")

    def session(name):
        law = Law(fleet="home", root=keys["op-ann"].public)
        made = Session(bus.link(name), Subjects("home"), keys[name], name, Fleet(law, verify))
        made.now = lambda: NOW
        return made

    async def present():
        return {"beta": NOW, "gamma": NOW}

    found = SimpleNamespace(ann=session("op-ann"), of={name: session(name) for name in NAMES})
    await lawmaking.found(found.ann, "alpha", keys["alpha"].public, None)
    for name in NAMES[1:]:
        await lawmaking.admit(found.ann, name, keys[name].public)
    alpha = found.of["alpha"]
    found.machine = SimpleNamespace(name="alpha", fleet=alpha.fleet, session=alpha, present=present)
    await read(found)
    for name in NAMES:
        await runs(found, name, "0.2.0")
    return found


async def read(world):
    for one in (world.ann, *world.of.values()):
        await one.refresh()


async def runs(world, name, version):
    """This machine says which version it runs."""
    told = StatusReport(agent=name, timestamp=NOW, machines_detected=3, status="synced", divergences_count=0,
                        roosync_version=version)  # fmt: skip
    await world.of[name].say(told)
    await read(world)


async def required(world, version=NEXT, **asked):
    answer = await requiring.require(world.ann, await requiring.plan(world.machine, version, **asked))
    await read(world)
    return answer


REFUSED = {  # what is asked -> what is said
    "a version without digits": ({"version": "latest"}, "'latest' is no version"),
    "a version with a path": ({"version": "../1.2.3"}, "is no version"),
    "a version of one number": ({"version": "3"}, "is no version"),
    "the version that runs": ({"version": "0.2.0"}, "every machine that is meant runs 0.2.0 already"),
    "an older one": ({"version": "0.1.9"}, r"0.1.9 or a newer version \(alpha 0.2.0, beta 0.2.0, gamma 0.2.0\)"),
    "an older one of one machine": ({"version": "v0.1", "on": "beta"}, r"beta runs v0.1 or a newer version"),
    "an option as a tag": ({"version": NEXT, "tag": "--upload-pack=x"}, "is no name of a tag"),
    "a path as a tag": ({"version": NEXT, "tag": "../x"}, "is no name of a tag"),
    "a range of commits": ({"version": NEXT, "tag": "a..b c"}, "is no name of a tag"),
    "half a commit": ({"version": NEXT, "commit": "abc"}, "is no commit"),
    "nobody": ({"version": NEXT, "on": "nobody-*"}, "means no machine"),
    "a splay backwards": ({"version": NEXT, "splay": -1}, "a splay of -1 seconds"),
    "a splay of no number": ({"version": NEXT, "splay": float("nan")}, "a splay of nan"),
    "a wave of nobody": ({"version": NEXT, "pace": {"waves": ["0"]}}, "0 is nobody"),
}


@pytest.mark.parametrize(("asked", "says"), REFUSED.values(), ids=REFUSED)
async def test_what_can_not_be_required(world, asked, says):
    with pytest.raises((RefusedRequestError, ValueError), match=says):
        await requiring.plan(world.machine, **asked)
    assert world.ann.fleet.law.campaign is None


RECIPES = {  # what machines told of their recipe -> who is said to refuse
    "none, one, and nothing": ({"alpha": "none", "beta": "git"}, ["alpha"]),
    "something else": ({"alpha": ["none"], "beta": ""}, []),
}


@pytest.mark.parametrize(("told", "refuse"), RECIPES.values(), ids=RECIPES)
async def test_who_has_no_recipe_is_named_before_anything_is_signed(world, told, refuse):
    for name, recipe in told.items():
        await world.of[name].say(InventoryReport(agent=name, timestamp=NOW, inventory={"update": recipe}))
    await read(world)
    plan = await requiring.plan(world.machine, NEXT)
    assert plan.without_recipe == refuse
    text = " ".join(plan_text(to_builtins(plan)).split())
    assert ("would refuse: alpha: no recipe is set up" in text) is bool(refuse)
    assert ("--on 'not recipe=none'" in text) is bool(refuse)


async def test_who_runs_a_newer_one_is_left_out_and_named(world):
    await runs(world, "gamma", "1.0.0")
    plan = await requiring.plan(world.machine, NEXT, tag="v0.9.0")
    assert (plan.waves, plan.newer) == ([["beta"], ["alpha"]], {"gamma": "1.0.0"})  # who is there begins
    answer = await requiring.require(world.ann, plan)
    campaign = world.ann.fleet.law.campaign
    assert (campaign.id, campaign.version, campaign.tag, campaign.machines) == (
        answer.id,
        NEXT,
        "v0.9.0",
        ("beta", "alpha"),
    )
    assert (answer.in_force, answer.rollout.status, answer.rollout.purpose) == (True, "running", "update")
    assert world.ann.fleet.rollout(answer.id).refused == ()


async def test_a_second_campaign_waits_for_the_first_or_replaces_it(world):
    first = await required(world)
    with pytest.raises(RefusedRequestError, match=r"is running.*--replace"):
        await requiring.plan(world.machine, "0.10.0")
    plan = await requiring.plan(world.machine, "0.10.0", replace_=True)
    assert plan.replaces == first.id
    second = await requiring.require(world.ann, plan)
    await read(world)
    assert world.ann.fleet.rollout(first.id).state.status == "stopped"
    assert [row.id for row in world.ann.fleet.rollouts() if row.status == "running"] == [second.id]
    assert (await showing.show(world.machine)).version == "0.10.0"
    older = await showing.show(world.machine, first.id)
    assert (older.in_force, older.rollout.status) == (False, "stopped")
    assert (older.version, older.rollout.note) == (NEXT, f"{NEXT}: replaced by 0.10.0"), "why it ended hides no version"


async def test_more_machines_than_a_message_holds_are_refused_before_anything_is_signed(world, monkeypatch):
    plan = await requiring.plan(world.machine, NEXT)
    many = [[f"machine-{number:05}" for number in range(20_000)]]
    monkeypatch.setattr(Law, "machines", lambda law: many[0])
    with pytest.raises(ValueError, match="too many for one rollout"):
        await requiring.require(world.ann, replace(plan, waves=many))
    assert world.ann.fleet.law.campaign is None


async def test_of_two_operators_at_once_one_is_told(world):
    plan = await requiring.plan(world.machine, NEXT)
    await required(world, "0.8.0")
    with pytest.raises(RefusedRequestError, match=r"requires 0\.8\.0"):
        await requiring.require(world.ann, plan)
    assert world.ann.fleet.law.campaign.version == "0.8.0"


async def test_what_another_operator_signs_at_the_same_moment_is_not_replaced_unseen(world, monkeypatch):
    plan, real = await requiring.plan(world.machine, NEXT), requiring.enact
    other = await requiring.plan(world.machine, "0.8.0")

    async def late(session, make):
        monkeypatch.setattr(requiring, "enact", real)
        await requiring.require(world.ann, other)
        return await real(session, make)

    monkeypatch.setattr(requiring, "enact", late)
    with pytest.raises(RefusedRequestError, match=r"requires 0\.8\.0"):
        await requiring.require(world.ann, plan)
    assert world.ann.fleet.law.campaign.version == "0.8.0"
    assert len(world.ann.fleet.rollouts()) == 1


async def test_a_command_that_died_between_its_two_messages_has_begun_nothing(world, monkeypatch):
    async def dies(session, rollout):
        raise UnavailableError("the broker does not answer")

    monkeypatch.setattr(requiring, "begin", dies)
    with pytest.raises(UnavailableError):
        await required(world)
    monkeypatch.setattr(requiring, "begin", moving.begin)
    await read(world)
    shown = await showing.show(world.machine)
    assert (shown.rollout, shown.counts) == (None, {"not_begun": 3})
    assert "withdraw" in shown.next_steps[0].command
    with pytest.raises(RefusedRequestError, match="its rollout was not posted"):
        await requiring.plan(world.machine, NEXT)
    with pytest.raises(RefusedRequestError, match="its rollout was not posted, so nobody begins"):
        await answering.resumption(world.machine, shown.id)
    again = await required(world, replace_=True)
    assert again.rollout.status == "running"


async def test_what_is_withdrawn_is_in_force_no_more(world):
    with pytest.raises(RefusedRequestError, match="nothing to withdraw"):
        await requiring.withdraw(world.ann)
    first = await required(world)
    done = await requiring.withdraw(world.ann, "not yet")
    assert (done.withdrawn, done.in_force, done.rollout.status, done.rollout.note) == (
        True,
        False,
        "stopped",
        f"{NEXT}: not yet",
    )
    await read(world)
    assert showing.in_force(world.machine.fleet) is None
    with pytest.raises(RefusedRequestError, match="nothing to withdraw"):
        await requiring.withdraw(world.ann)
    assert (await required(world)).id != first.id


@pytest.mark.parametrize("ends", ["withdraw", "replace"])
async def test_what_was_withdrawn_by_a_command_that_died_is_ended_by_the_next(world, monkeypatch, ends):
    """The law says that it is required no more, and its rollout still runs: nobody is left without a way on."""

    async def dies(*_):
        raise UnavailableError("killed")

    first = await required(world)
    with monkeypatch.context() as patched:
        patched.setattr(requiring, "stop", dies)
        with pytest.raises(UnavailableError):
            await requiring.withdraw(world.ann)
    await read(world)
    assert showing.in_force(world.machine.fleet) is None
    with pytest.raises(RefusedRequestError, match=r"a command died .*update withdraw.*--replace"):
        await requiring.plan(world.machine, NEXT)
    if ends == "withdraw":
        assert (await requiring.withdraw(world.ann)).rollout.status == "stopped"
    await read(world)
    again = await required(world, replace_=ends == "replace")
    assert (again.rollout.status, again.in_force) == ("running", True)
    assert world.machine.fleet.rollout(first.id).state.status == "stopped"


async def test_what_a_machine_was_at_when_it_was_withdrawn_is_no_news(world):
    answer = await required(world)
    for name, phase in (("alpha", "updating"), ("beta", "waiting")):
        await world.of[name].say(
            UpdateReport(agent=name, timestamp=NOW, campaign=answer.id, phase=phase, version="0.2.0", before="0.2.0")
        )
    await read(world)
    shown = await showing.show(world.machine)
    assert {row.machine: row.phase for row in shown.machines} | {"alpha": "updating", "beta": "waiting"} == {
        row.machine: row.phase for row in shown.machines
    }
    await requiring.withdraw(world.ann)
    await read(world)
    shown = await showing.show(world.machine, answer.id)
    assert {(row.state, row.phase, row.before) for row in shown.machines if row.before} == {("not_begun", "", "0.2.0")}


@pytest.mark.parametrize(("phase", "state"), [("confirmed", "changed"), ("returned", "failed")])
async def test_who_was_at_it_when_it_was_withdrawn_is_told_with_its_end(world, phase, state):
    """Only where its wave was open: what others say of it is no part of the account."""
    answer = await required(world)
    await requiring.withdraw(world.ann)
    for name in ("beta", "gamma"):
        await world.of[name].say(
            UpdateReport(agent=name, timestamp=NOW, campaign=answer.id, phase=phase, version=NEXT, before="0.2.0")
        )
    await read(world)
    rows = (await showing.show(world.machine, answer.id)).machines
    assert [(row.wave, row.state) for row in rows if row.before] == [(1, state), (2, "not_begun")]


async def test_who_went_back_is_told_with_its_last_lines_and_nothing_passes_for_ours(world, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    answer = await required(world, tag="v0.9.0")
    log = ("step one", "\x1b[2JNext: roosync approve --all", "boom " * 40)
    told = UpdateReport(agent="beta", timestamp=NOW, campaign=answer.id, phase="returned", version="0.2.0",
                        before="0.2.0", reason="it ended\nwith 1", log=log)  # fmt: skip
    await world.of["beta"].say(told)
    await read(world)
    shown = await showing.show(world.machine)
    rows = {row.machine: row for row in shown.machines}
    assert (rows["beta"].phase, rows["beta"].runs, rows["beta"].log) == ("returned", "0.2.0", list(log))
    from msgspec import to_builtins

    text = update_text(to_builtins(shown))
    assert "\x1b" not in text
    assert [line for line in text.splitlines() if line.startswith("Next:")] == [
        f"Next: roosync update watch {answer.id}"
    ]
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("boom") == 40
    assert all(line.startswith("  | ") for line in text.splitlines() if "boom" in line)
    plan = to_builtins(await requiring.plan(world.machine, "1.0.0", replace_=True, splay=60, commit="a" * 40))
    assert f"Withdraws   {answer.id}" in plan_text(plan)
    assert max(map(len, plan_text(plan).splitlines())) <= 80


async def test_a_deployment_takes_what_is_required_of_all_its_machines(world):
    assert cycling._required(world.machine.fleet, ["alpha"]) == ""
    await required(world, on="alpha or beta")
    assert cycling._required(world.machine.fleet, ["alpha", "beta"]) == NEXT
    assert cycling._required(world.machine.fleet, [*NAMES]) == ""
    await requiring.withdraw(world.ann)
    await read(world)
    assert cycling._required(world.machine.fleet, ["alpha"]) == ""
