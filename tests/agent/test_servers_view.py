"""What a person is shown of MCP servers, and the plans of sharing and removing, without a bus."""

import re

import msgspec
import pytest
from msgspec.structs import replace

from roosync_agent.cli.servers_text import WIDE, shown_text, table_text
from roosync_agent.columns import columns
from roosync_agent.operations.membership.lawmaking import NotYetError, RefusedRequestError
from roosync_agent.operations.servers import known as servers_known
from roosync_agent.operations.servers.known import Known
from roosync_agent.operations.servers.plans import plan_removal, plan_share, removed_baseline, shared_baseline
from roosync_agent.targets.base import Group, TargetSpec
from roosync_protocol.baseline import Commons, Overlay, effective, removed_for
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.servers import Dialect, Servers
from roosync_protocol.servers.table import Held


def spec(name, folder="{home}", **more):
    return TargetSpec(
        name=name, assistant=name, group=Group.MCP, kind=Kind.MCP_SERVER, folder=folder, file="x.json", **more
    )


SPECS = [spec(f"a{n:02d}.mcp") for n in range(14)]
SPECS += [
    spec("roo.mcp"),
    spec("claude.mcp"),
    spec("plain.mcp", form=Servers(Dialect(words={"http": "http"}, reference=""))),
    spec("roo.project-mcp", "{workspace}/.roo"),
]


@pytest.fixture(autouse=True)
def holders(monkeypatch):
    monkeypatch.setattr(servers_known, "HOLDERS", {one.name: one for one in SPECS})
    monkeypatch.setattr("roosync_agent.operations.servers.plans.HOLDERS", servers_known.HOLDERS)


def server(key, **value):
    return Entity(key=key, kind=Kind.MCP_SERVER, value=value or {"command": "npx", "args": [key.split("/", 1)[1]]})


def held(machine, *entities, targets=("roo.mcp", "claude.mcp")):
    return Held(machine=machine, entities={one.key: one for one in entities}, targets=frozenset(targets))


def known(*machines, commons=None, overlays=None, version="1.0.0", present=None, unknown=None):
    names = tuple(sorted([one.machine for one in machines] + list(unknown or {})))
    return Known(
        held=machines,
        commons=commons or Commons(),
        overlays=overlays or {},
        machines=names,
        present=present,
        unknown=unknown or {},
        version=version,
    )


def shown(found, name=None):
    answer = msgspec.to_builtins(found.table())
    if name is not None:
        answer["servers"] = [row for row in answer["servers"] if row["name"] == name]
    return answer


# -- the table


@pytest.mark.parametrize("machines", [1, 3, 12, 13, 200])
def test_wide_fleets_fit_on_80_columns(machines):
    fleet = [
        held(
            f"machine-{n:03d}",
            *(server(f"{one.name}/server-{k}", command="x" * (n % 3) + "y") for one in SPECS[:14] for k in range(3)),
            targets=[one.name for one in SPECS[:14]],
        )
        for n in range(machines)
    ]
    text = table_text(shown(known(*fleet)))
    assert max(map(columns, text.split("\n"))) <= WIDE
    for one in SPECS[:14]:
        assert one.name.removesuffix(".mcp") in text
    assert ("AAA" in text or "ABC" in text or "A" in text) if machines <= 12 else re.search(r"A\d+ B\d+", text)


HOSTILE = [
    "a.b/c",
    "🐙",
    "\x1b[31mred\x1b[0m",
    "x\u202ey",
    "line\nfeed",
    "名前" * 30,
    "$(touch x)",
    "w" * 300,
    "\u2028",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_and_no_command_plays_tricks(name):
    entity = server(f"roo.mcp/{name}", command=name, args=[name], env={name: {"$secret": f"roo.mcp/{name}/env/{name}"}})
    found = known(held("m", entity), commons=Commons(entities={entity.key: entity}))
    for text in (table_text(shown(found)), shown_text(shown(found, name))):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text)
    assert max(map(columns, table_text(shown(found)).split("\n"))) <= WIDE


def test_marks_of_a_cell():
    off = server("roo.mcp/x", command="x", disabled=True)
    found = known(
        held("a", server("roo.mcp/x", command="x")),
        held("b", off),
        held("c", server("roo.mcp/x", command="y")),
        held("d"),
        held("e", targets=["claude.mcp"]),
        unknown={"f": "no package"},
        commons=Commons(entities={"claude.mcp/x": server("claude.mcp/x", command="x")}),
    )
    text = table_text(shown(found))
    assert re.search(r"^x +-----\? +AaB-\.\?$", text, re.MULTILINE)
    assert "in baseline 1.0.0: claude.mcp" in text
    assert "not in the baseline" in text
    assert "! f: no package" in text


def test_an_empty_fleet_says_so():
    assert "No machine has published an MCP server." in table_text(shown(known(held("m"))))


# -- removing

X = {"command": "npx", "args": ["x"]}
FLEET = (
    held("m", server("roo.mcp/x", **X, alwaysAllow=["a"]), server("claude.mcp/x", **X), server("roo.mcp/y")),
    held("n", server("roo.mcp/x", command="other"), server("roo.mcp@insiders/x", **X)),
    held("o"),
)
BASE = Commons(entities={"roo.mcp/x": server("roo.mcp/x", **X), "roo.mcp/y": server("roo.mcp/y")})


def keys(commons, overlays, machine):
    overlay = overlays.get(machine)
    return {*effective(commons, overlay)}, removed_for(commons, overlay)


def test_everywhere_is_also_where_nobody_has_it_yet():
    found = known(*FLEET, commons=BASE, overlays={"n": Overlay(excluded=frozenset({"roo.mcp/x"}))})
    plan = plan_removal(found, "x", [], [], True)
    assert {(p.machine, p.key) for p in plan.places} == {
        ("m", "roo.mcp/x"),
        ("m", "claude.mcp/x"),
        ("n", "roo.mcp/x"),
        ("n", "roo.mcp@insiders/x"),
    }
    assert {"a00.mcp/x", "plain.mcp/x", "roo.mcp@insiders/x"} <= set(plan.keys)
    assert "roo.project-mcp/x" not in plan.keys
    commons, overlays = removed_baseline(found, plan)
    for machine in "mno":
        wanted, gone = keys(commons, overlays, machine)
        assert wanted == {"roo.mcp/y"}
        assert {"roo.mcp/x", "claude.mcp/x"} <= gone
    after = known(*FLEET, commons=commons, overlays=overlays)
    assert plan_removal(after, "x", [], [], True).changes_baseline is False


@pytest.mark.parametrize(
    ("assistants", "machines", "places"),
    [
        (["roo"], [], {"m roo.mcp", "n roo.mcp", "n roo.mcp@insiders"}),
        (["roo.mcp@insiders"], [], {"n roo.mcp@insiders"}),
        (["claude", "roo@insiders"], [], {"m claude.mcp", "n roo.mcp@insiders"}),
        ([], ["m"], {"m roo.mcp", "m claude.mcp"}),
        (["roo"], ["m"], {"m roo.mcp"}),
    ],
)
def test_only_from_there(assistants, machines, places):
    found = known(*FLEET, commons=BASE)
    plan = plan_removal(found, "x", assistants, machines, False)
    assert {f"{p.machine} {p.target}" for p in plan.places} == places
    commons, overlays = removed_baseline(found, plan)
    for machine in "mno":
        _, gone = keys(commons, overlays, machine)
        stays = machines and machine not in machines
        assert bool(gone) is not bool(stays)
    if machines:
        assert "roo.mcp/x" in effective(commons, overlays.get("n"))


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("x", ([], [], False), "say from where"),
        ("x", (["roo"], [], True), "say from where"),
        ("x", ([], ["zeta"], False), "'zeta' is no machine of this fleet; its machines are m, n, o"),
        ("x", (["emacs"], [], False), "'emacs' is no assistant"),
        ("xx", ([], [], True), "no MCP server 'xx'|has an MCP server 'xx'; did you mean x"),
        ("x", (["plain"], [], False), "does not stand in plain"),
    ],
)
def test_what_can_not_be_removed_is_said(name, words, says):
    with pytest.raises(RefusedRequestError, match=says):
        plan_removal(known(*FLEET), name, *words)


def test_a_target_that_somebody_declared_is_one_too():
    found = known(held("m", server("mine.servers/x", **X), targets=["mine.servers", "roo.mcp"]))
    assert [p.target for p in plan_removal(found, "x", ["mine"], [], False).places] == ["mine.servers"]
    assert [p.target for p in plan_removal(found, "x", [], [], True).places] == ["mine.servers"]
    assert plan_share(found, "x", "mine", ["roo"], []).runs == "npx x"
    assert re.search(r"^x +A$", table_text(shown(found)), re.MULTILINE)


def test_a_file_that_nobody_can_read_is_named():
    found = known(*FLEET, commons=BASE)
    found = replace(found, unread={"n": {"claude.mcp": "not JSON", "roo.mcp": "quarantined"}})
    assert "! n, claude.mcp: nobody can see what is there: not JSON" in table_text(shown(found))
    assert set(plan_removal(found, "x", [], [], True).unread) == {"claude.mcp on n", "roo.mcp on n"}
    assert set(plan_removal(found, "x", ["roo"], [], False).unread) == {"roo.mcp on n"}
    assert plan_removal(found, "x", [], ["m"], False).unread == {}


def test_a_setting_that_a_machine_calls_a_server_is_not_removed_with_it():
    """Its deny rules would go from every machine."""
    hostile = held("m", server("roo.mcp/permissions"), server("claude.settings/permissions", command="x"))
    rules = Entity(key="claude.settings/permissions", kind=Kind.SETTING, value={"deny": ["Read(.env)"]})
    found = known(hostile, held("n"), commons=Commons(entities={rules.key: rules}))
    plan = plan_removal(found, "permissions", [], [], True)
    assert rules.key not in plan.keys
    assert [place.key for place in plan.places] == ["roo.mcp/permissions"]
    commons, _ = removed_baseline(found, plan)
    assert commons.entities == {rules.key: rules}
    assert rules.key not in commons.removed


def test_without_a_baseline():
    found = known(*FLEET, version="")
    for plan in (
        lambda: plan_removal(found, "x", [], [], True),
        lambda: plan_share(found, "x", "claude", ["roo"], []),
    ):
        with pytest.raises(NotYetError, match="roosync baseline propose"):
            plan()


def test_the_plan_is_another_one_when_a_command_changed():
    before = plan_removal(known(*FLEET), "x", [], [], True)
    changed = held("n", server("roo.mcp/x", command="changed"), server("roo.mcp@insiders/x", **X))
    assert plan_removal(known(FLEET[0], changed, FLEET[2]), "x", [], [], True).seen != before.seen
    again = known(*FLEET, present=frozenset("m"), version="2.0.0", commons=Commons())
    assert plan_removal(again, "x", [], [], True).seen == before.seen


# -- sharing


def test_where_it_comes_and_where_it_is_left_alone():
    mine = server("claude.mcp/y", command="mine")
    same = server("claude.mcp/y", command="npx", args=["y"], alwaysAllow=["read"])
    found = known(
        held("m", server("roo.mcp/y", command="npx", args=["y"], alwaysAllow=["*"])),
        held("n", mine),
        held("o", same),
        held("p", mine),
        held("q", targets=["roo.mcp"]),
        held("r"),
        overlays={"p": Overlay(entities={mine.key: mine}), "r": Overlay(excluded=frozenset({mine.key}))},
        present=frozenset("mnopq"),
    )
    plan = plan_share(found, "y", "roo", ["claude"], [])
    assert [(p.machine, p.runs) for p in plan.places] == [("m", ""), ("n", "mine")]
    assert [p.machine for p in plan.has_it] == ["o"]
    assert set(plan.untouched) == {"claude.mcp on p", "claude.mcp on r"}
    assert plan.left_behind == ["alwaysAllow"]
    assert plan.entities == {"claude.mcp/y": {"command": "npx", "args": ["y"]}}
    commons, overlays = shared_baseline(found, plan)
    assert commons.entities["claude.mcp/y"].value == {"command": "npx", "args": ["y"]}
    assert effective(commons, overlays["o"])["claude.mcp/y"] == same
    assert effective(commons, overlays["p"])["claude.mcp/y"] == mine
    assert "claude.mcp/y" not in effective(commons, overlays["r"])


def test_only_one_machine_gets_it():
    found = known(*FLEET, commons=BASE)
    plan = plan_share(found, "y", "roo", ["claude"], ["o"])
    commons, overlays = shared_baseline(found, plan)
    assert commons == BASE
    assert {m for m in "mno" if "claude.mcp/y" in effective(commons, overlays.get(m))} == {"o"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("x", "roo", ["claude"], []), r"several variants \(A: npx x; B: other\): choose with --variant"),
        (("x", "roo", ["claude"], [], "Z"), "no variant 'Z' of 'x'; it has A, B"),
        (("y", "claude", ["roo"], []), "claude has no 'y' on any machine; it stands in roo.mcp"),
        (("y", "roo", ["roo"], []), "stands in roo.mcp already"),
        (("y", "roo", ["emacs"], []), "'emacs' is no assistant"),
        (("y", "roo", ["roo.project-mcp"], []), "no assistant"),
        (("y", "roo", ["plain"], []), "no machine has plain.mcp"),
        (("y", "roo", ["plain"], ["m"]), "plain.mcp is not on m"),
        (("sse", "roo", ["plain"], []), "plain.mcp can not have 'sse', and nothing was signed: .*type 'sse'"),
        (("var", "roo", ["plain"], []), "does not put one in there"),
        (("own", "roo", ["claude"], []), "has a path of one machine"),
    ],
)
def test_what_can_not_be_shared_is_said(words, says):
    more = held(
        "s",
        server("roo.mcp/sse", url="https://a.example", type="sse"),
        server("roo.mcp/var", command="x", env={"A": "${env:A}"}),
        server("roo.mcp/own", command="/home/ana/bin/x"),
    )
    with pytest.raises(RefusedRequestError, match=says):
        plan_share(known(*FLEET, more), *words)


def test_what_becomes_special_to_who_has_it_is_what_was_shown():
    """Its own fields are signed too: `alwaysAllow` of everything must not come in between."""

    def plan(**own):
        there = server("claude.mcp/x", command="npx", args=["x"], **own)
        found = known(held("m", server("roo.mcp/x"), there), held("n"), commons=Commons())
        return plan_share(found, "x", "roo", ["claude"], [])

    shown = plan(timeout=5)
    assert [(p.machine, p.key) for p in shown.has_it] == [("m", "claude.mcp/x")]
    assert plan(timeout=5).seen == shown.seen
    assert plan(timeout=5, alwaysAllow=["*"]).seen != shown.seen


def test_a_shared_server_is_not_shared_twice():
    commons = Commons(entities={"roo.mcp/y": server("roo.mcp/y"), "claude.mcp/y": server("claude.mcp/y")})
    machines = [held("m", *commons.entities.values())]
    with pytest.raises(RefusedRequestError, match=r"is shared with claude\.mcp already"):
        plan_share(known(*machines, commons=commons), "y", "roo", ["claude"], [])


def test_the_variant_that_is_named_or_that_the_baseline_has():
    found = known(*FLEET)
    assert plan_share(found, "x", "roo", ["claude"], ["o"], "B").runs == "other"
    assert plan_share(known(*FLEET, commons=BASE), "x", "roo", ["claude"], ["o"]).runs == "npx x"
