"""The verb `decisions`: a page of many, the gravest first, with counts of all; thousands stay quick."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from roosync_agent.operations import machine_side
from roosync_agent.operations.decisions import seen
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_protocol.diff import ABSENT, Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.reconcile import Asked, decide

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
RULE, SERVER = ("roo.rules/rules/{}.md", Kind.TEXT, "Be kind."), ("roo.mcp/s{}", Kind.MCP_SERVER, {"command": "npx"})


def made(number, what, machine):
    key, kind, value = what
    local = ABSENT if kind is Kind.MCP_SERVER else "Be brief."
    verdict = Verdict.JOIN_ADD if local is ABSENT else Verdict.TAKE
    divergence = Divergence(key=key.format(number), kind=kind, verdict=verdict, local=local, wanted=value)
    return decide(divergence, Asked(machine=machine, reference="baseline", reference_revision=1, now=NOW), "o-1")


def machine(decisions):
    fleet = SimpleNamespace(
        decisions=lambda of=None: [d for d in decisions if of in (None, d.machine)], status=lambda name: None
    )
    return SimpleNamespace(fleet=fleet)


@pytest.fixture
def some():
    return machine([made(n, SERVER if n % 5 == 0 else RULE, "pc-a" if n % 2 else "pc-b") for n in range(20)])


PAGES = {  # arguments -> rows, all there are
    "all": ({}, 20, 20),
    "the first": ({"limit": 3}, 3, 20),
    "the last page": ({"limit": 8, "offset": 16}, 4, 20),
    "beyond": ({"limit": 8, "offset": 100}, 0, 20),
    "of one machine": ({"of": "pc-a"}, 10, 10),
    "of nobody": ({"of": "pc-z"}, 0, 0),
    "named": ({"named": ["d-"]}, 20, 20),
    "named otherwise": ({"named": ["x"]}, 0, 0),
}


@pytest.mark.parametrize(("args", "rows", "total"), PAGES.values(), ids=PAGES)
async def test_a_page_and_what_there_is(some, args, rows, total):
    found = await machine_side.decisions(some, **args)
    assert (len(found.decisions), found.total, found.pending) == (rows, total, total)
    assert sum(found.risks.values()) == total


async def test_the_gravest_come_first_where_not_all_are_shown(some):
    found = await machine_side.decisions(some, limit=5)
    assert [row.risk for row in found.decisions] == ["high"] * 4 + ["medium"]
    assert list(found.risks) == sorted(found.risks, key=["critical", "high", "medium", "low", "none"].index)
    assert {row.risk for row in (await machine_side.decisions(some, risk="medium")).decisions} == {"medium"}


@pytest.mark.parametrize("args", [{"limit": -1}, {"offset": -1}, {"risk": "dire"}])
async def test_what_is_no_page(some, args):
    with pytest.raises(RefusedRequestError, match="limit and offset are counts"):
        await machine_side.decisions(some, **args)


async def test_ten_thousand_are_judged_once():
    many = machine([made(n, SERVER if n % 5 == 0 else RULE, f"pc-{n % 20}") for n in range(10_000)])
    await machine_side.decisions(many)
    began = time.monotonic()
    assert len((await machine_side.decisions(many, limit=40)).decisions) == 40
    assert time.monotonic() - began < 1.5, "0.1 s on a machine that does nothing else"


def test_what_is_remembered_of_judgements_is_bounded(monkeypatch):
    monkeypatch.setattr(seen, "REMEMBERED", 10)
    seen._judged.clear()
    for number in range(100):
        seen.judged(made(number, RULE, "pc-a"))
    assert len(seen._judged) <= 10


def test_a_judgement_is_of_one_value_alone():
    plain, hiding = made(1, RULE, "pc-a"), made(1, (RULE[0], RULE[1], "Be kind.\u202e"), "pc-a")
    assert (seen.judged(plain)[0], seen.judged(hiding)[0]) == ("medium", "critical")
