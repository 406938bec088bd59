"""Labels: what may be one, what is signed for which machine, and what keeps them or takes them away."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from roosync_agent.operations.membership import lawmaking
from roosync_agent.operations.membership.labelling import MOST, label, planned, read_changes
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.session import Session
from roosync_broker import topology
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import Audit
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEYS = {name: KeyPair.generate() for name in ("op-ann", "alpha", "beta", "new")}


def session(bus, name="op-ann"):
    law = Law(fleet="home", root=KEYS["op-ann"].public)
    made = Session(bus.link(name), Subjects("home"), KEYS[name], name, Fleet(law, verify))
    made.now = lambda: NOW
    return made


@pytest.fixture
async def bus():
    made = MemoryBus()
    await topology.ensure(made.link("keeper"), "home")
    operator = session(made)
    await lawmaking.found(operator, "alpha", KEYS["alpha"].public, None)
    await lawmaking.admit(operator, "beta", KEYS["beta"].public)
    return made


async def labelled(bus, *machines, **labels):
    """Signed as a person does it: looked at, and then signed."""
    operator = session(bus)
    await operator.refresh()
    changes = {key: value or None for key, value in labels.items()}
    return await label(operator, planned(operator.fleet.law, machines, changes))


async def labels_of(bus, machine):
    fresh = session(bus)
    await fresh.refresh_law()
    return fresh.fleet.law.members[machine].labels


GIVEN = {
    "one": (["role=dev"], {"role": "dev"}),
    "several, and one less": (["role=dev", "site=P_2.b", "old-"], {"role": "dev", "site": "P_2.b", "old": None}),
    "a dash inside": (["data-center=a"], {"data-center": "a"}),
    "a dash at the end is taken away": (["data-center-"], {"data-center": None}),
    "none": ([], {}),
}  # fmt: skip


@pytest.mark.parametrize(("words", "changes"), GIVEN.values(), ids=GIVEN)
def test_what_is_given(words, changes):
    assert read_changes(words) == changes


REFUSED = {
    "no value": (["role="], "the value|'' of 'role' can be no label"),
    "no key": (["=dev"], "can name no label"),
    "neither": (["role"], "write KEY=VALUE, or KEY-"),
    "a large letter": (["Role=dev"], "lower-case"),
    "a blank": (["role=a b"], "can be no label"),
    "a path": (["role=../../etc"], "can be no label"),
    "a line feed": (["role=a\n"], "can be no label"),
    "a pattern": (["role=*"], "can be no label"),
    "long": (["role=" + "x" * 64], "1 to 63"),
    "a fact": (["os=linux"], "means something else"),
    "a word of expressions": (["not=x"], "means something else"),
    "one that names its kind": (["label.role=x"], "means something else"),
    "twice": (["role=a", "role-"], "given twice"),
    "a secret": (["key=ghp_" + "FAKEfake" * 4 + "1234"], "looks like a secret"),
}


@pytest.mark.parametrize(("words", "says"), REFUSED.values(), ids=REFUSED)
def test_what_can_be_no_label(words, says):
    with pytest.raises(RefusedRequestError, match=says) as told:
        read_changes(words)
    assert "FAKEfake" not in str(told.value)


async def test_given_changed_and_taken_away(bus):
    done = await labelled(bus, "alpha", "beta", role="dev", site="paris")
    assert [change.machine for change in done.changed] == ["alpha", "beta"]
    done = await labelled(bus, "alpha", "beta", role="dev", site="")
    assert not done.failed
    done = await labelled(bus, "alpha", role="dev")
    assert done.unchanged == ["alpha"]
    assert await labels_of(bus, "alpha") == await labels_of(bus, "beta") == {"role": "dev"}


async def test_they_are_told_in_the_audit(bus):
    await labelled(bus, "alpha", role="dev", site="paris")
    await labelled(bus, "alpha", role="prod", site="")
    reader = session(bus)
    await reader.refresh()
    read = [reader.open(stored) async for stored in reader.link.read("home-AUDIT", "post.home.audit.>", 0)]
    told = [heard.message for heard in read if heard is not None and isinstance(heard.message, Audit)]
    done = [one.action for one in told if one.about == "alpha" and one.phase == "after"]
    assert done[-2:] == ["label role=dev site=paris", "label role=prod site-"]


async def test_a_machine_gives_itself_no_label(bus):
    """A broker keeps it from posting law; and where it can, its word is none."""
    machine = session(bus, "alpha")
    await machine.refresh()
    await label(machine, planned(machine.fleet.law, ["alpha"], {"role": "prod"}))
    assert machine.fleet.law.members["alpha"].labels == {}
    assert await labels_of(bus, "alpha") == {}


async def test_who_is_renewed_or_admitted_again_keeps_them_and_who_comes_back_has_none(bus):
    await labelled(bus, "beta", role="dev")
    operator = session(bus)
    await operator.refresh()
    await lawmaking.renew(operator, always=True)
    assert await labels_of(bus, "beta") == {"role": "dev"}
    await lawmaking.admit(operator, "beta", KEYS["beta"].public)
    assert await labels_of(bus, "beta") == {"role": "dev"}
    await lawmaking.revoke(operator, "beta")
    await lawmaking.admit(operator, "beta", KEYS["new"].public)
    assert await labels_of(bus, "beta") == {}


async def test_what_was_shown_is_what_is_signed(bus):
    """Another operator was faster: nothing of theirs is overwritten, and the others are signed all the same."""
    operator = session(bus)
    await operator.refresh()
    plan = planned(operator.fleet.law, ["alpha", "beta"], {"role": "dev"})
    await labelled(bus, "alpha", site="paris")
    done = await label(operator, plan)
    assert [change.machine for change in done.changed] == ["beta"]
    assert "were changed meanwhile" in done.failed["alpha"]
    assert await labels_of(bus, "alpha") == {"site": "paris"}


async def test_who_was_revoked_meanwhile_is_named(bus):
    operator = session(bus)
    await operator.refresh()
    plan = planned(operator.fleet.law, ["beta"], {"role": "dev"})
    await lawmaking.revoke(session(bus), "beta")
    done = await label(operator, plan)
    assert "was revoked meanwhile" in done.failed["beta"]
    with pytest.raises(RefusedRequestError, match="no machine of this fleet"):
        planned(operator.fleet.law, ["beta"], {"role": "dev"})


async def test_a_renewal_takes_back_nothing_that_was_signed_meanwhile(bus):
    """Renewed in passing at the end of a long command, from a view that is minutes old."""
    slow = session(bus)
    await slow.refresh()
    await labelled(bus, "alpha", role="dev")
    await lawmaking.revoke(session(bus), "beta")
    assert await lawmaking.renew(slow, always=True) == ["roster", "alpha"]
    fresh = session(bus)
    await fresh.refresh_law()
    assert fresh.fleet.law.members["alpha"].labels == {"role": "dev"}
    assert fresh.fleet.law.members["beta"].revoked


async def test_two_operators_at_once_lose_no_label(bus):
    done = await asyncio.gather(
        labelled(bus, "alpha", role="dev"), labelled(bus, "alpha", site="paris"), return_exceptions=True
    )
    signed = sum(len(one.changed) for one in done)
    assert signed >= 1
    assert len(await labels_of(bus, "alpha")) == signed, "what was told as signed is there"


async def test_more_than_may_be(bus):
    law = SimpleNamespace(members={"alpha": SimpleNamespace(revoked=False, labels={f"l{i}": "x" for i in range(MOST)})})
    assert planned(law, ["alpha"], {"l1": "y"})
    with pytest.raises(RefusedRequestError, match="51 labels; 50 is the most"):
        planned(law, ["alpha"], {"one-more": "x"})


async def test_law_that_counts_for_nobody_is_not_told_as_done(bus):
    machine = session(bus, "beta")  # on a broker that refuses nobody: only the fold does
    await machine.refresh()
    with pytest.raises(RefusedRequestError, match="no law for anybody"):
        await lawmaking.revoke(machine, "alpha")
    assert await labels_of(bus, "alpha") == {}


async def test_law_is_read_back_from_a_copy_that_is_behind(bus, monkeypatch):
    """The node of a cluster that answers a read may not have yet what another one acknowledged."""
    operator = session(bus)
    await operator.refresh()
    told, behind = operator.link.read, [0]
    posted = operator.say

    async def say(*args, **options):
        behind[0] = 3  # the next reads
        return await posted(*args, **options)

    async def read(*args, **options):
        hidden, last = behind[0] > 0, None
        behind[0] -= 1
        async for stored in told(*args, **options):
            if last is not None:
                yield last
            last = stored
        if last is not None and not hidden:
            yield last

    monkeypatch.setattr(operator, "say", say)
    monkeypatch.setattr(operator.link, "read", read)
    assert (await lawmaking.revoke(operator, "alpha")).revoked
    assert behind[0] <= 0
