"""Machines in, commons, overlays and questions out: a fleet is a line of data."""

import random
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_protocol.baseline import effective
from roosync_protocol.consolidation import Choice, Collected, Consolidation, NotEnoughError, consolidate
from roosync_protocol.entity import Entity, Kind, target_of
from roosync_protocol.placing import Placing
from roosync_protocol.portable import Places, to_portable
from roosync_protocol.special import host_like, only

T0 = datetime(2026, 1, 16, tzinfo=UTC)
KEY = "t/name"
NONE = object()  # the machine has the target and not the entity
NO_TARGET = object()


def package(number, values, kind=Kind.SETTING, **more):
    entities = {key: Entity(key=key, kind=kind, value=value) for key, value in values.items()}
    targets = frozenset({"t"} | {target_of(key) for key in values})
    moment = T0 + timedelta(hours=number)
    return Collected(machine=f"pc-{number}", collected_at=moment, targets=targets, entities=entities, **more)


def fleet(*values, key=KEY, kind=Kind.SETTING):
    """One machine for each value, pc-1, pc-2 ...; each was collected an hour after the one before."""
    found = [package(n, {} if v is NONE or v is NO_TARGET else {key: v}, kind) for n, v in enumerate(values, 1)]
    without = [value is NO_TARGET for value in values]
    return [
        Collected(
            machine=p.machine,
            collected_at=p.collected_at,
            targets=frozenset({"other"}) if none else p.targets | {"other"},
            entities=p.entities,
        )
        for p, none in zip(found, without, strict=True)
    ]


def own(result, key=KEY):
    return {machine: found[key].value for machine, found in result.overlays.items() if key in found}


COMMON = {  # values -> the common one, pending on
    "equal everywhere": ((1, 1, 1), 1, ()),
    "spelled in two ways": (({"a": 1, "b": 2}, {"b": 2.0, "a": 1}), {"a": 1, "b": 2}, ()),
    "missing on a minority": ((1, 1, NONE), 1, ("pc-3",)),
    "on one of two": ((NONE, 1), 1, ("pc-1",)),
    "where the target is": ((NO_TARGET, 1, NO_TARGET, 1, NONE), 1, ("pc-5",)),
    "only one machine has the target": ((1, NO_TARGET), 1, ()),
    "a place that all share": (("C:\\tools", "C:\\tools", NONE), "C:\\tools", ("pc-3",)),
}


@pytest.mark.parametrize(("values", "expected", "pending"), COMMON.values(), ids=COMMON)
def test_common(values, expected, pending):
    result = consolidate(fleet(*values), {})
    assert result.commons[KEY].value == expected
    assert result.missing.get(KEY, ()) == pending
    assert (result.arbitrations, result.overlays) == ((), {})
    assert result.provenance[KEY].source == "common"


SPECIAL = {  # values -> common, overlays
    "each its own path": (("/srv/a", "D:/b", "${home}/c"), None, {1: "/srv/a", 2: "D:/b", 3: "${home}/c"}),
    "a majority has one": (("/srv/a", "/srv/a", "D:/b"), "/srv/a", {3: "D:/b"}),
    "deep": (({"args": ["-r", "/srv/a"]}, {"args": ["-r", "/srv/b"]}), None,
        {1: {"args": ["-r", "/srv/a"]}, 2: {"args": ["-r", "/srv/b"]}}),
    "their names": (("I am pc-1", "I am pc-2"), None, {1: "I am pc-1", 2: "I am pc-2"}),
    "their own hosts": (("http://192.168.1.2/x", "http://localhost:80"), None,
        {1: "http://192.168.1.2/x", 2: "http://localhost:80"}),
    "a path on one of two": (({"command": "C:\\a\\b.exe"}, NONE), None, {1: {"command": "C:\\a\\b.exe"}}),
    "a path on one of five": ((NONE, NONE, NONE, "/home/u/x", NONE), None, {4: "/home/u/x"}),
    "a path on a minority": (("/home/u/x", "/home/u/x", NONE, NONE, NONE), None, {1: "/home/u/x", 2: "/home/u/x"}),
}  # fmt: skip


@pytest.mark.parametrize(("values", "common", "overlays"), SPECIAL.values(), ids=SPECIAL)
def test_special_without_a_question(values, common, overlays):
    result = consolidate(fleet(*values), {})
    assert own(result) == {f"pc-{n}": value for n, value in overlays.items()}
    assert (result.commons[KEY].value if KEY in result.commons else None) == common
    assert result.arbitrations == ()
    assert result.provenance[KEY].why


QUESTIONS = {  # values -> the suggestion, words of the reason
    "two values": ((1, 2), "pc-2", "no majority: pc-2 was collected last"),
    "a majority": ((1, 1, 2), "pc-1", "2 of 3 machines agree"),
    "a majority of those who have it": ((1, 1, 2, NONE, NONE), "pc-1", "2 of 3"),
    "no majority": ((1, 1, 2, 2), "pc-3", "no majority: pc-3"),
    "a truth and a number": ((1, True), "pc-2", "2 values"),
    "a path and more": (
        ({"a": "/srv/a", "n": 1}, {"a": "/srv/b", "n": 2}),
        "pc-2",
        "n: 2 (pc-2) rather than 1 (pc-1), pc-2 was",
    ),
    "a path and none": (("/srv/a", "npx"), "pc-2", "no majority"),
    "another shape": (({"a": "/srv/a"}, {"a": "/srv/b", "b": "/srv/b"}), "pc-2", 'a: "/srv/b" (pc-2) rather'),
    "on one of five": ((NONE, 1, NONE, NONE, NONE), None, "only 1 of 5 machines have it"),
    "on two of four": ((NONE, 1, 1, NONE), None, "only 2 of 4"),
}


@pytest.mark.parametrize(("values", "machine", "words"), QUESTIONS.values(), ids=QUESTIONS)
def test_questions_come_with_a_suggestion(values, machine, words):
    result = consolidate(fleet(*values), {})
    (question,) = result.arbitrations
    expected = Choice(take="special") if machine is None else Choice(take="machine", machine=machine)
    assert question.suggestion == expected
    assert words in question.reason
    assert KEY not in result.commons
    asked = sorted(machine for candidate in question.candidates for machine in candidate.machines)
    assert asked == [f"pc-{n}" for n in range(1, len(values) + 1)]


def test_sets_that_differ_say_what_they_share():
    (question,) = consolidate(fleet(["a", "b", "c"], ["d", "b", "a"], key="t/allowedCommands"), {}).arbitrations
    assert "share 2 elements (1 more on pc-2, 1 more on pc-1)" in question.reason
    assert not consolidate(fleet(["a", "b"], ["b", "a"], key="t/allowedCommands"), {}).arbitrations


QUORUM = {  # machines -> how many have to have it, for it to be common without a question
    2: 1,
    3: 2,
    4: 3,
    5: 3,
}


@pytest.mark.parametrize(("machines", "needed"), QUORUM.items())
def test_a_quorum_is_more_than_half_or_one_of_two(machines, needed):
    for have in range(1, machines + 1):
        result = consolidate(fleet(*[1] * have, *[NONE] * (machines - have)), {})
        assert (KEY in result.commons) is (have >= needed)
        assert bool(result.arbitrations) is (have < needed)
        if have >= needed:
            assert result.missing.get(KEY, ()) == tuple(f"pc-{n}" for n in range(have + 1, machines + 1))


@pytest.mark.parametrize("key", ["claude.settings/hooks", "claude.settings/apiKeyHelper"])
def test_what_is_critical_does_not_go_from_one_of_two_without_a_question(key):
    result = consolidate([package(1, {"claude.settings/model": "m"}), package(2, {key: "x"})], {})
    assert key not in result.commons
    (asked,) = result.arbitrations
    assert (asked.key, asked.suggestion.take) == (key, "special")
    alike = consolidate([package(n, {key: "x"}) for n in (1, 2)], {})
    assert key in alike.commons


EXPERIMENTS = "roo.profiles/experiments"
SETTLED = {  # values -> the common one, words
    "each has a part": (EXPERIMENTS, ({"a": 1, "c": 1}, {"b": 1, "c": 1}), {"b": 1, "c": 1, "a": 1}, "put together"),
    "no weight": ("roo.profiles/maxWorkspaceFiles", (105, 106), 106, "pc-2 was collected last; of low risk"),
    "no weight, by majority": ("roo.profiles/maxWorkspaceFiles", (105, 105, 106), 105, "2 of 3 machines agree"),
}


@pytest.mark.parametrize(("key", "values", "common", "words"), SETTLED.values(), ids=SETTLED)
def test_what_nobody_has_to_be_asked_about(key, values, common, words):
    result = consolidate(fleet(*values, key=key), {})
    assert (result.commons[key].value, result.arbitrations) == (common, ())
    told = result.provenance[key]
    assert told.source == "settled"
    assert words in told.why


def test_a_value_that_was_put_together_says_who_brought_each_leaf():
    result = consolidate(fleet({"a": 1, "c": 1}, {"b": 1, "c": 1}, key=EXPERIMENTS), {})
    told = {leaf.path: leaf.machines for leaf in result.provenance[EXPERIMENTS].leaves}
    assert told == {("a",): ("pc-1",), ("b",): ("pc-2",)}
    chosen = consolidate(fleet(["a"], ["b"], key="roo.profiles/deniedCommands"),
        {"roo.profiles/deniedCommands": Choice(take="union")})  # fmt: skip
    told = {leaf.path: leaf.machines for leaf in chosen.provenance["roo.profiles/deniedCommands"].leaves}
    assert told == {("a",): ("pc-1",), ("b",): ("pc-2",)}


def test_on_a_minority_nothing_is_put_together():
    values = [{"a": 1}, {"b": 1}, NONE, NONE, NONE]
    assert len(consolidate(fleet(*values), {}).arbitrations) == 1
    assert consolidate(fleet(*values[:3]), {}).commons[KEY].value == {"b": 1, "a": 1}


def test_a_baseline_in_force_is_not_settled_against():
    """Who has not applied it yet, or drifted, must not swing it to and fro; and what was taken out stays out."""
    key = "roo.profiles/maxWorkspaceFiles"
    first = consolidate(fleet(106, 105, key=key), {})
    assert first.commons[key].value == 105
    late = consolidate([package(1, {key: 105}), package(7, {key: 106})], {}, previous=first.baseline())
    assert (late.commons[key].value, late.arbitrations) == (105, ())
    (asked,) = consolidate(fleet(106, 107, key=key), {}, previous=first.baseline()).arbitrations
    assert asked.key == key
    without = consolidate(fleet({"a": 1}, {"a": 1}, key=EXPERIMENTS), {}).baseline()
    back = consolidate(fleet({"a": 1, "b": 1}, {"a": 1}, key=EXPERIMENTS), {}, previous=without)
    assert (back.arbitrations, back.commons[EXPERIMENTS].value) == ((), {"a": 1})  # its machine is asked about it


def test_before_everybody_applied_it_what_was_put_together_is_no_question():
    packages = fleet({"a": 1}, {"b": 1}, key=EXPERIMENTS)
    first = consolidate(packages, {})
    again = consolidate(packages, {}, previous=first.baseline())
    assert (again.arbitrations, again.baseline()) == ((), first.baseline())


ANSWERED = {  # what the machines had, and what a person answered
    "the value of one": ((1, 2), Choice(take="machine", machine="pc-1")),
    "the value of one of three": ((1, 2, 3), Choice(take="machine", machine="pc-1")),
    "all of them together": (({"allow": ["a"]}, {"allow": ["b"]}), Choice(take="union")),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_what_was_answered_and_signed_is_not_asked_again_before_everybody_applied_it(case):
    values, choice = ANSWERED[case]
    key = "claude.settings/permissions" if isinstance(values[0], dict) else "claude.settings/model"
    packages = fleet(*values, key=key)
    first = consolidate(packages, {key: choice})
    again = consolidate(packages, {}, previous=first.baseline())
    assert again.arbitrations == ()
    assert again.baseline()[0].entities == first.baseline()[0].entities


def test_a_majority_that_agrees_on_another_value_is_news():
    key = "claude.settings/model"
    first = consolidate(fleet(1, 1, 1, key=key), {})
    again = consolidate(fleet(1, 2, 2, key=key), {}, previous=first.baseline())
    assert [one.key for one in again.arbitrations] == [key]


WINDOWS = Places(os="windows", home=r"C:\Users\ana", workspaces={"roo": r"D:\dev\roo"})
LINUX = Places(os="posix", home="/home/ana", workspaces={"roo": "/home/ana/roo"})


def test_windows_and_posix_spellings_are_one_server():
    here = {"command": "cmd", "args": ["/c", "npx", "-y", r"D:\dev\roo\s.js", r"--dir=C:\Users\ana\x"]}
    there = {"command": "npx", "args": ["-y", "/home/ana/roo/s.js", "--dir=/home/ana/x"]}
    found = [Entity(key="roo.mcp/s", kind=Kind.MCP_SERVER, value=value) for value in (here, there)]
    public = [to_portable(entity, places).value for entity, places in zip(found, (WINDOWS, LINUX), strict=True)]
    result = consolidate(fleet(*public, key="roo.mcp/s", kind=Kind.MCP_SERVER), {})
    assert (result.arbitrations, result.overlays, result.missing) == ((), {}, {})


def test_two_servers_of_one_name_with_different_commands_are_asked_about_and_never_mixed():
    values = {"command": "a", "env": {"A": "1"}}, {"command": "b", "env": {"B": "1"}}
    for choice in (Choice(take="union"), Choice(take="machine", machine="pc-1")):
        result = consolidate(fleet(*values, key="roo.mcp/x", kind=Kind.MCP_SERVER), {"roo.mcp/x": choice})
        assert result.commons["roo.mcp/x"].value in values


NAMES = ["a.b.c", "a/b/c", "😀 🎉", "x" * 600, " ", "..", "profile:x", "${home}", '"', "é\u0301"]


def test_any_name_is_a_name():
    keys = [f"roo.modes/{name}" for name in NAMES]
    made = [package(n, {key: {"slug": key, "n": 1} for key in keys}, Kind.MODE) for n in (1, 2, 3)]
    result = consolidate(made, {})
    assert (sorted(result.commons), result.arbitrations) == (sorted(keys), ())
    assert msgspec.json.decode(result.report(), type=Consolidation).commons == result.commons


def test_an_mcp_server_is_asked_about_as_a_whole():
    values = {"command": "a", "env": {"A": "1"}}, {"command": "b", "env": {"A": "1"}}
    (question,) = consolidate(fleet(*values, kind=Kind.MCP_SERVER), {}).arbitrations
    assert {candidate.value["command"] for candidate in question.candidates} == {"a", "b"}


CHOICES = {  # values, choice -> common, overlays, without, removed
    "take one": ((1, 2, 3), Choice(take="machine", machine="pc-2"), 2, {}, {}, False),
    "each keeps its own": ((1, 2, NONE), Choice(take="special"), None, {1: 1, 2: 2}, {}, False),
    "the majority is common all the same": ((1, 1, 2), Choice(take="special"), 1, {3: 2}, {}, False),
    "who has none keeps none": ((1, 1, 1, 2, NONE), Choice(take="special"), 1, {4: 2}, {5}, False),
    "special to one of five": ((1, NONE, NONE, NONE, NONE), Choice(take="special"), None, {1: 1}, {}, False),
    "leave it alone": ((1, 2, NONE), Choice(take="omit"), None, {}, {1, 2}, False),
    "as the one that has none": ((1, NONE, NONE), Choice(take="machine", machine="pc-2"), None, {}, {}, True),
    "as the one that has it": ((1, NONE, NONE), Choice(take="machine", machine="pc-1"), 1, {}, {}, False),
    "put together": (
        ({"a": 1, "c": 1}, {"b": 1, "c": 2}),
        Choice(take="union"),
        {"b": 1, "c": 2, "a": 1},
        {},
        {},
        False,
    ),
    "put together what does not fit": ((1, 2), Choice(take="union"), 2, {}, {}, False),
}


@pytest.mark.parametrize(
    ("values", "choice", "common", "overlays", "without", "removed"), CHOICES.values(), ids=CHOICES
)
def test_choices(values, choice, common, overlays, without, removed):
    packages = fleet(*values)
    result = consolidate(packages, {KEY: choice})
    assert result.arbitrations == ()
    assert (result.commons[KEY].value if KEY in result.commons else None) == common
    assert own(result) == {f"pc-{n}": value for n, value in overlays.items()}
    assert result.without == {f"pc-{n}": {KEY} for n in without}
    assert result.removed == ({KEY} if removed else set())
    again = consolidate(applied(packages, result), {}, previous=result.baseline())
    assert (again.arbitrations, again.baseline()) == ((), result.baseline())


def test_a_choice_that_can_not_be_followed_is_asked_again():
    choice = Choice(take="machine", machine="pc-9")
    assert len(consolidate(fleet(1, 2), {KEY: choice}).arbitrations) == 1


# The degraded -----------------------------------------------------------------------------------------------


def many(number, count, **more):
    return package(number, {f"t/{n}": n for n in range(count)}, **more)


DEGRADED = {  # entities of each machine -> who has no vote
    "seven of eighty": ((80, 79, 7), "it has 7 entities where the others have 79.5"),
    "nothing beside three": ((3, 3, 0), "it is empty where the others have 3"),
    "nothing beside many": ((80, 0, 80, 80), "it is empty"),
    "a small machine": ((10, 10, 2), None),
    "nothing beside two": ((2, 2, 0), None),
    "a third": ((30, 30, 10), None),
}


@pytest.mark.parametrize(("counts", "words"), DEGRADED.values(), ids=DEGRADED)
def test_a_degraded_capture_is_seen_without_history(counts, words):
    result = consolidate([many(n, count) for n, count in enumerate(counts, 1)], {})
    if words is None:
        assert result.excluded == ()
    else:
        (silent,) = result.excluded
        assert words in silent.reason
        assert silent.machine == f"pc-{counts.index(min(counts)) + 1}"
        assert len(result.commons) == max(counts)
        assert result.removed == frozenset()


def test_a_person_can_vouch_for_a_small_machine():
    packages = [many(1, 80), many(2, 80), many(3, 7, vouched=frozenset({"t"}))]
    result = consolidate(packages, {})
    assert result.excluded == ()
    assert len(result.missing) == 73


def test_a_quarantined_target_has_no_vote_and_the_others_of_that_machine_have():
    values = {"t/a": 1, "u/a": 1}
    broken = package(3, {"u/a": 1}, quarantined={"t": "5 of 5 entities are gone"})
    result = consolidate([package(1, values), package(2, values), broken], {})
    assert [(e.machine, e.target) for e in result.excluded] == [("pc-3", "t")]
    assert "quarantined: 5 of 5" in result.excluded[0].reason
    assert (result.missing, result.provenance["u/a"].of) == ({}, 3)


@pytest.mark.parametrize("packages", [[], [many(1, 3)], [many(1, 3), many(1, 4)], [many(1, 80), many(2, 0)]])
def test_a_baseline_is_never_one_machines_inventory(packages):
    with pytest.raises(NotEnoughError, match="needs two machines"):
        consolidate(packages, {})


def test_only_the_latest_package_of_a_machine_counts():
    old = Collected(machine="pc-1", collected_at=T0, targets=frozenset({"t"}), entities=fleet("old")[0].entities)
    result = consolidate([*fleet(1, 1), old], {})
    assert result.commons[KEY].value == 1


# What the assistants make by themselves ---------------------------------------------------------------------


def profiles(*machines):
    return [package(n, {f"roo.profiles/{k}": v for k, v in values.items()}) for n, values in enumerate(machines, 1)]


def test_what_follows_the_profile_in_use_is_no_question():
    fast = {"currentApiConfigName": "fast", "openAiModelId": "a", "rateLimitSeconds": 1}
    deep = {"currentApiConfigName": "deep", "openAiModelId": "b"}
    result = consolidate(profiles(fast, fast, deep), {})
    assert result.arbitrations == ()
    assert result.commons["roo.profiles/openAiModelId"].value == "a"
    assert own(result, "roo.profiles/openAiModelId") == {"pc-3": "b"}
    assert result.without == {"pc-3": {"roo.profiles/rateLimitSeconds"}}


def test_one_profile_with_two_models_is_a_question():
    machines = (
        {"currentApiConfigName": "x", "openAiModelId": "a"},
        {"currentApiConfigName": "x", "openAiModelId": "b"},
    )
    (question,) = consolidate(profiles(*machines), {}).arbitrations
    assert question.key == "roo.profiles/openAiModelId"


def test_generated_ids_are_no_question_and_names_are():
    ids = {"profileThresholds": {"usl6gy8xkxg": 1}}, {"profileThresholds": {"tqjm5wi8gbm": 2}}
    assert consolidate(profiles(*ids), {}).arbitrations == ()
    named = {"profileThresholds": {"Claude 4": 1}}, {"profileThresholds": {"Claude 4": 2}}
    assert len(consolidate(profiles(*named), {}).arbitrations) == 1


# After an earlier baseline ----------------------------------------------------------------------------------


def applied(packages, result):
    """The fleet after everybody took what the baseline says; what is left alone stays."""
    commons, overlays = result.baseline()
    done = []
    for p in packages:
        wanted = effective(commons, overlays.get(p.machine), p.targets)
        alone = result.without.get(p.machine, frozenset())
        kept = {key: e for key, e in p.entities.items() if key in alone}
        done.append(
            Collected(machine=p.machine, collected_at=p.collected_at, targets=p.targets, entities=wanted | kept)
        )
    return done


def test_what_was_removed_does_not_come_back_with_a_late_machine():
    first = consolidate(fleet(1, NONE, NONE), {KEY: Choice(take="machine", machine="pc-2")})
    late = consolidate(fleet(1, NONE), {}, previous=first.baseline())
    assert (late.commons, late.removed, late.arbitrations) == ({}, {KEY}, ())
    wanted = consolidate(fleet(1, NONE), {KEY: Choice(take="machine", machine="pc-1")}, previous=first.baseline())
    assert (wanted.commons[KEY].value, wanted.removed) == (1, set())


def test_what_no_machine_has_yet_or_any_more_is_not_taken_away_by_itself():
    first = consolidate(fleet(1, 1), {})
    result = consolidate(fleet(NONE, NONE), {}, previous=first.baseline())
    assert (result.commons, result.removed) == (first.commons, set())
    assert result.missing == {KEY: ("pc-1", "pc-2")}


def test_agreeing_on_another_value_than_the_baseline_is_told():
    first = consolidate(fleet(1, 1), {})
    result = consolidate(fleet(2, 2), {}, previous=first.baseline())
    assert result.commons[KEY].value == 2
    assert result.provenance[KEY].why == "the baseline in force has another value"


def test_machines_and_targets_that_no_package_speaks_of_keep_what_they_have():
    first = consolidate([*fleet("/srv/a", "/srv/b", "/srv/c"), package(9, {"u/a": 1})], {})
    assert "u/a" in first.commons
    result = consolidate(fleet("/srv/a", "/srv/b2"), {}, previous=first.baseline())
    assert own(result) == {"pc-1": "/srv/a", "pc-2": "/srv/b2", "pc-3": "/srv/c"}
    assert result.commons["u/a"].value == 1
    assert result.provenance["u/a"].source == "kept"


def test_what_was_chosen_is_not_asked_again_by_who_says_the_same():
    """The proposal is made again, with more packages: the answers stay, and only what is new is asked."""
    choices = {KEY: Choice(take="machine", machine="pc-1")}
    first = consolidate(fleet(1, 2), choices)
    assert (first.commons[KEY].value, first.arbitrations) == (1, ())
    more = consolidate([*fleet(1, 2), package(3, {KEY: 3, "t/other": 1}), package(4, {"t/other": 2})], choices)
    assert more.commons[KEY].value == 1
    assert {question.key for question in more.arbitrations} == {"t/other"}


def test_an_older_baseline_that_was_restored_does_not_bring_back_what_was_removed():
    """The tombstone is in the baseline: whoever restores version 1 after version 2 restores what was there, no more."""
    gone = consolidate(fleet(1, NONE, NONE), {KEY: Choice(take="machine", machine="pc-2")})
    for values in ((1, 1, 1), (1, 2, NONE), (1, 1, NONE)):
        again = consolidate(fleet(*values), {}, previous=gone.baseline())
        assert (again.commons, again.removed, again.arbitrations) == ({}, {KEY}, ())


def test_a_thousand_packages_are_no_work_and_their_order_does_not_matter():
    values = {f"roo.profiles/max{n}": n for n in range(20)}
    packages = [
        package(n, values | {"roo.profiles/maxOwn": n % 7, "roo.profiles/experiments": {"a": n % 3, f"b{n % 5}": 1}})
        for n in range(1000)
    ]
    start = time.process_time()
    result = consolidate(packages, {})
    assert time.process_time() - start < 3
    assert len(result.commons) >= 20
    assert {question.key for question in result.arbitrations} >= {"roo.profiles/experiments"}
    assert consolidate(packages[::-1], {}).report() == result.report()


# Whatever comes ---------------------------------------------------------------------------------------------

VALUE = st.sampled_from(
    [NONE, 1, True, 1.0, "x", "/srv/a", "/srv/b", "I am pc-1", ["a", "b"], ["b", "a"], {"a": "/srv/a"}, {"a": "/srv/b"}]
)
PART = st.dictionaries(
    st.sampled_from(["max", "enableX", "profile:a", "/home/u"]), VALUE.filter(lambda v: v is not NONE)
)
KEYS = ["t/a", "t/allowedCommands", "u/a", "roo.profiles/experiments", "roo.profiles/deniedCommands"]
FLEETS = st.lists(st.tuples(VALUE, VALUE, VALUE, PART | VALUE, VALUE), min_size=2, max_size=6)


def packages_of(rows):
    return [
        package(n, {key: value for key, value in zip(KEYS, row, strict=True) if value is not NONE})
        for n, row in enumerate(rows, 1)
    ]


@settings(max_examples=150)
@given(FLEETS, st.randoms(use_true_random=False))
def test_the_order_of_packages_does_not_matter(rows, chance: random.Random):
    packages = packages_of(rows)
    report = consolidate(packages, {}).report()
    chance.shuffle(packages)
    turned = [
        Collected(
            machine=p.machine,
            collected_at=p.collected_at,
            targets=p.targets,
            entities=dict(chance.sample(list(p.entities.items()), len(p.entities))),
        )
        for p in packages
    ]
    assert consolidate(turned, {}).report() == report
    assert msgspec.json.decode(report, type=Consolidation).report() == report


@settings(max_examples=150)
@given(FLEETS, st.sampled_from(["suggestion", "special", "omit", "union"]))
def test_after_the_answers_were_applied_nothing_is_asked_and_nothing_changes(rows, answer):
    packages = packages_of(rows)
    questions = consolidate(packages, {}).arbitrations
    choices = {q.key: q.suggestion if answer == "suggestion" else Choice(take=answer) for q in questions}
    result = consolidate(packages, choices)
    assert result.arbitrations == ()
    done = applied(packages, result)
    for again in (
        consolidate(done, {}, previous=result.baseline()),
        consolidate(packages, choices),
    ):
        assert again.arbitrations == ()
        assert again.baseline() == result.baseline()


@settings(max_examples=100)
@given(FLEETS)
def test_nothing_is_lost_without_a_word(rows):
    """Each entity of each machine is common, its own, asked about, or pending; never silently dropped."""
    packages = packages_of(rows)
    result = consolidate(packages, {})
    asked = {q.key for q in result.arbitrations}
    for p in packages:
        for key in p.entities:
            assert key in result.commons or key in asked or key in result.overlays.get(p.machine, {})
    assert result.removed == frozenset()


PLACES = [
    "C:\\Users\\x",
    "d:/dev",
    "\\\\nas\\share",
    "/usr/bin/node",
    "~/x",
    "%APPDATA%\\x",
    "$HOME/x",
    "${home}",
    "--root=${home}/x",
    "file:///srv/x",
    "http://127.0.0.1:3000/mcp",
    "build.local",
    "u@10.0.0.7",
]
ELSEWHERE = [
    "npx",
    "@scope/package",
    "--verbose",
    "https://example.org/a",
    "http://10.example.org",
    "${env:TOKEN}",
    "a/b/c",
    "C:",
    "1/2",
    "text/plain",
]


@pytest.mark.parametrize("text", PLACES)
def test_what_looks_like_a_place(text):
    assert host_like(text)


@pytest.mark.parametrize("text", [*ELSEWHERE, "", "/think step", "/srv/a\nand more"])
def test_what_does_not(text):
    assert not host_like(text)


def test_one_ordinary_difference_is_enough_for_a_question():
    assert only([{"a": "/x/y", "b": [1]}, {"a": "/x/z", "b": [1]}], ["", ""])
    assert not only([{"a": "/x/y", "b": [1]}, {"a": "/x/z", "b": [True]}], ["", ""])
    assert not only([{"a": "/x/y"}, {"a": None}], ["", ""])


# -- places and comments


def placed(number, value, order, comment=(), **more):
    """A machine with the entities of `order`, `t/a` with this value."""
    values = {f"t/{name}": value if name == "a" else 1 for name in order}
    placing = Placing(order={"t": tuple(order)}, comments={"t/a": comment} if comment else {})
    return package(number, values, placing=placing, **more)


def test_the_comment_on_another_value_is_not_that_of_the_common_one():
    fleet = [placed(1, 7, "a", ("mine",)), placed(2, 8, "a"), placed(3, 8, "a", ("ours",)), placed(4, 8, "a")]
    made = consolidate(fleet, {"t/a": Choice(take="machine", machine="pc-2")})
    assert made.commons["t/a"].value == 8
    assert made.placing.comments == {"t/a": ("ours",)}
    made = consolidate(fleet[:2] + fleet[3:], {"t/a": Choice(take="machine", machine="pc-2")})
    assert made.placing.comments == {}


def test_a_comment_that_everybody_took_away_goes_and_the_order_that_is_there_stays():
    made = consolidate([placed(1, 1, "ab", ("why",)), placed(2, 1, "ab")], {})
    assert made.placing.comments == {"t/a": ("why",)}
    again = consolidate([placed(1, 1, "bxa"), placed(2, 1, "bxa")], {}, previous=made.baseline())
    assert again.placing == Placing(order={"t": ("a", "b", "x")})


def test_who_has_no_say_has_none_about_the_order():
    whole = [chr(ord("a") + n) for n in range(26)]
    broken = placed(1, 1, "ba")
    made = consolidate([broken, placed(2, 1, whole), placed(3, 1, whole)], {})
    assert [one.machine for one in made.excluded] == ["pc-1"]
    assert made.placing.order == {"t": tuple(whole)}


def test_a_report_without_places_is_what_it_was():
    assert b"placing" not in consolidate(fleet(1, 1), {}).report()
