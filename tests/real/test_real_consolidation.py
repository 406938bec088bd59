"""The settings of real machines become one baseline with a handful of questions that a person finds sensible."""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from roosync_protocol.baseline import decode_commons, effective, encode, validate
from roosync_protocol.consolidation import Collected, NotEnoughError, consolidate
from roosync_protocol.diff import DIVERGENT, compare
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.profiles import Profiles
from roosync_protocol.wipe import degraded

MACHINES = ["myia-ai-01", "myia-po-2023", "myia-po-2025"]
TARGET = "roo.profiles"


@pytest.fixture(scope="module")
def packages(real):
    return [collected(real, machine) for machine in MACHINES]


def collected(real, machine):
    content = json.loads((real / "settings" / f"{machine}-settings-baseline.json").read_text("utf-8"))
    by_name = Profiles.of(content)
    keys = {f"{TARGET}/{name}": by_name.named(name, value) for name, value in content["settings"].items()}
    return Collected(
        machine=machine,
        collected_at=datetime.fromisoformat(content["metadata"]["timestamp"]).replace(tzinfo=UTC),
        targets=frozenset({TARGET}),
        entities={key: Entity(key=key, kind=Kind.SETTING, value=value) for key, value in keys.items()},
    )


def names(keys):
    return {key.removeprefix(f"{TARGET}/") for key in keys}


QUESTIONS = {  # the setting -> what is suggested, words of the reason
    "allowedCommands": ("special", "the lists share 119 elements (257 more on myia-po-2023, 56 more on myia-ai-01)"),
    "alwaysAllowWriteOutsideWorkspace": ("myia-po-2023", "the careful one"),  # false
    "codebaseIndexConfig": (
        "union",
        'codebaseIndexQdrantUrl: "https://qdrant.myia.io" (myia-ai-01) rather than "http:',
    ),
    "condensingApiConfigId": ("myia-po-2023", "collected last"),
    "deniedCommands": ("union", "the lists share 1 element (3 more on myia-po-2023, 5 more on myia-ai-01)"),
    "enableMcpServerCreation": ("myia-ai-01", "the careful one"),  # false
    "experiments": ("union", "disableCompletionCommand: true (myia-po-2023) rather than false (myia-ai-01)"),
    "profileThresholds": ("union", "profile:Open-router gemini 2.5-pro: 25 (myia-po-2023) rather than 38 (myia-ai-01)"),
}


def test_the_questions_are_few_and_sensible(packages):
    result = consolidate(packages, {})
    asked = {question.key.split("/", 1)[1]: question for question in result.arbitrations}
    assert asked.keys() == QUESTIONS.keys()
    for name, (suggested, words) in QUESTIONS.items():
        assert (asked[name].suggestion.machine or asked[name].suggestion.take) == suggested
        assert words in asked[name].reason
    assert len(result.commons) == 64
    assert names(result.missing) == {"customInstructions"}


def test_the_page_shows_the_questions_as_they_are(packages):
    page = (Path(__file__).parents[2] / "docs" / "consolidation.md").read_text("utf-8")
    shown = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `") and " | `--" in row}
    asked = {question.key.split("/", 1)[1]: question for question in consolidate(packages, {}).arbitrations}
    assert shown.keys() == asked.keys()
    for name, question in asked.items():
        take = f"take {question.suggestion.machine}" if question.suggestion.machine else question.suggestion.take
        assert question.reason.removeprefix("2 values and no majority: ") in shown[name]
        assert shown[name].endswith(f"| `--{take}` |")


def test_what_is_of_no_weight_is_settled_and_says_so(packages):
    result = consolidate(packages, {})
    settled = {key: found for key, found in result.provenance.items() if found.source == "settled"}
    assert names(settled) == {
        "autoCondenseContextPercent",
        "maxReadFileLine",
        "maxWorkspaceFiles",
        "terminalPowershellCounter",
    }
    assert all("of low risk, so nobody is asked" in found.why for found in settled.values())


def test_the_suggestions_lose_nothing_and_take_the_careful_side(packages):
    choices = {question.key: question.suggestion for question in consolidate(packages, {}).arbitrations}
    result = consolidate(packages, choices)
    common = {name: result.commons[f"{TARGET}/{name}"].value for name in QUESTIONS if name != "allowedCommands"}
    assert len(common["deniedCommands"]) == 9
    assert common["codebaseIndexConfig"]["codebaseIndexQdrantUrl"] == "https://qdrant.myia.io"
    assert common["codebaseIndexConfig"]["codebaseIndexSearchMaxResults"] == 50
    assert len(common["profileThresholds"]) == 6
    assert common["experiments"].keys() >= {"assistantMessageParser", "marketplace"}
    assert common["alwaysAllowWriteOutsideWorkspace"] is common["enableMcpServerCreation"] is False


def test_the_answers_fit_each_machine_with_its_own_ids(real, packages):
    choices = {question.key: question.suggestion for question in consolidate(packages, {}).arbitrations}
    wanted = consolidate(packages, choices).commons[f"{TARGET}/profileThresholds"].value
    for package in packages[:2]:
        document = json.loads((real / "settings" / f"{package.machine}-settings-baseline.json").read_text("utf-8"))
        here = Profiles.of(document)
        written = here.with_ids("profileThresholds", wanted)
        assert written["tqjm5wi8gbm"] == 25
        document["settings"]["profileThresholds"] = written
        assert Profiles.of(document).named("profileThresholds", written) == wanted


def test_what_belongs_to_the_profile_in_use_stays_with_its_machine(packages):
    result = consolidate(packages, {})
    own = {machine: names(found) for machine, found in result.overlays.items()}
    assert own["myia-ai-01"] - own["myia-po-2023"] == {"openAiLegacyFormat"}
    assert own["myia-po-2023"] - own["myia-ai-01"] == {"rateLimitSeconds"}
    assert own["myia-ai-01"] & own["myia-po-2023"] == {
        "currentApiConfigName",
        "listApiConfigMeta",
        "modelTemperature",
        "openAiBaseUrl",
        "openAiCustomModelInfo",
        "openAiModelId",
    }


def test_the_degraded_capture_has_no_vote_and_deletes_nothing(packages):
    result = consolidate(packages, {})
    (silent,) = result.excluded
    assert (silent.machine, silent.reason) == ("myia-po-2025", "it has 7 entities where the others have 78.5")
    without = consolidate(packages[:2], {})
    assert (result.commons, result.overlays, result.removed) == (without.commons, without.overlays, frozenset())
    with pytest.raises(NotEnoughError, match="myia-po-2025 has no vote"):
        consolidate(packages[1:], {})


def test_the_same_packages_in_any_order_give_the_same_bytes(packages):
    reports = {consolidate(order, {}).report() for order in itertools.permutations(packages)}
    assert len(reports) == 1


def test_after_the_answers_the_machines_come_into_step(packages):
    first = consolidate(packages, {})
    choices = {question.key: question.suggestion for question in first.arbitrations}
    settled = {key for key, found in first.provenance.items() if found.source == "settled"}
    agreed = consolidate(packages, choices)
    assert agreed.arbitrations == ()
    commons, overlays = agreed.baseline()
    assert decode_commons(encode(commons)) == commons
    assert validate(commons, overlays) == []
    applied = []
    for package in packages[:2]:
        wanted = effective(commons, overlays.get(package.machine), package.targets)
        found = compare({}, package.entities, wanted, first_join=True, machine=package.machine)
        assert {d.key for d in found if d.verdict in DIVERGENT} <= choices.keys() | first.missing.keys() | settled
        applied.append(
            Collected(
                machine=package.machine,
                collected_at=package.collected_at,
                targets=package.targets,
                entities=wanted,
            )
        )
    again = consolidate(applied, {}, previous=(commons, overlays))
    assert again.arbitrations == ()
    assert again.baseline() == (commons, overlays)
    assert again.missing == {}


def test_the_wipe_guard_would_have_seen_it(packages):
    full, _, emptied = (package.entities for package in packages)
    assert "entities are gone at once" in degraded(full, {}, emptied, {})[TARGET]
