"""The settings of real machines become one baseline with a handful of questions that a person finds sensible."""

import itertools
import json
from datetime import UTC, datetime

import pytest

from roosync_protocol.baseline import decode_commons, effective, encode, validate
from roosync_protocol.consolidation import Choice, Collected, NotEnoughError, consolidate
from roosync_protocol.diff import DIVERGENT, compare
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.wipe import degraded

MACHINES = ["myia-ai-01", "myia-po-2023", "myia-po-2025"]
TARGET = "plain.settings"


@pytest.fixture(scope="module")
def packages(real):
    return [collected(real, machine) for machine in MACHINES]


def collected(real, machine):
    content = json.loads((real / "settings" / f"{machine}-settings-baseline.json").read_text("utf-8"))
    keys = {f"{TARGET}/{name}": value for name, value in content["settings"].items()}
    return Collected(
        machine=machine,
        collected_at=datetime.fromisoformat(content["metadata"]["timestamp"]).replace(tzinfo=UTC),
        targets=frozenset({TARGET}),
        entities={key: Entity(key=key, kind=Kind.SETTING, value=value) for key, value in keys.items()},
    )


def names(keys):
    return {key.removeprefix(f"{TARGET}/") for key in keys}


def test_the_questions_are_few_and_sensible(packages):
    result = consolidate(packages, {})
    assert names(question.key for question in result.arbitrations) == {
        "allowedCommands",
        "alwaysAllowWriteOutsideWorkspace",
        "autoCondenseContextPercent",
        "codebaseIndexConfig",
        "deniedCommands",
        "enableMcpServerCreation",
        "experiments",
        "listApiConfigMeta",
        "maxReadFileLine",
        "maxWorkspaceFiles",
        "terminalPowershellCounter",
    }
    reasons = {question.key.split("/")[1]: question.reason for question in result.arbitrations}
    assert "share 119 elements (257 more on myia-po-2023, 56 more on myia-ai-01)" in reasons["allowedCommands"]
    assert "codebaseIndexQdrantUrl" in reasons["codebaseIndexConfig"]
    assert all(question.suggestion.machine == "myia-po-2023" for question in result.arbitrations)  # collected last
    assert len(result.commons) == 60
    assert names(result.missing) == {"customInstructions"}


def test_what_belongs_to_the_profile_in_use_stays_with_its_machine(packages):
    result = consolidate(packages, {})
    own = {machine: names(found) for machine, found in result.overlays.items()}
    assert own["myia-ai-01"] - own["myia-po-2023"] == {"openAiLegacyFormat"}
    assert own["myia-po-2023"] - own["myia-ai-01"] == {"rateLimitSeconds"}
    assert own["myia-ai-01"] & own["myia-po-2023"] == {
        "condensingApiConfigId",
        "currentApiConfigName",
        "modelTemperature",
        "openAiBaseUrl",
        "openAiCustomModelInfo",
        "openAiModelId",
        "profileThresholds",
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
    choices[f"{TARGET}/allowedCommands"] = Choice(take="special")
    agreed = consolidate(packages, choices)
    assert agreed.arbitrations == ()
    commons, overlays = agreed.baseline()
    assert decode_commons(encode(commons)) == commons
    assert validate(commons, overlays) == []
    applied = []
    for package in packages[:2]:
        wanted = effective(commons, overlays.get(package.machine), package.targets)
        found = compare({}, package.entities, wanted, first_join=True, machine=package.machine)
        assert {d.key for d in found if d.verdict in DIVERGENT} <= choices.keys() | first.missing.keys()
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
