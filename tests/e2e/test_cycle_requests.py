"""A cycle asks the operators for each decision that waits at RESOLUTION, once, and closes what was settled."""

import json

import pytest

SETTINGS = ".claude/settings.json"


@pytest.fixture(scope="module")
def two(fleets):
    fleet = fleets()
    alpha, beta = fleet.site("alpha"), fleet.site("beta")
    for site in (alpha, beta):
        site.write(SETTINGS, json.dumps({"model": "opus", "cleanupPeriodDays": 30}) + "\n")
        site.write(".claude/CLAUDE.md", "# Memory\n")
    fleet.in_step(alpha, beta)
    return alpha, beta


def asked(site, **wanted):
    rows = site.ask("requests", everything=True)
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def test_each_pending_decision_makes_one_request_that_its_answer_closes(two, waiting):
    alpha, beta = two
    beta.write(SETTINGS, json.dumps({"model": "sonnet", "cleanupPeriodDays": 7}) + "\n")
    model = alpha.decision("pending", machine="beta", entity="claude.settings/model")
    days = alpha.decision("pending", machine="beta", entity="claude.settings/cleanupPeriodDays")
    cycle = alpha.json("cycle", "start", "--timeout", "2")["id"]
    found = waiting("two approvals are asked", lambda: len(rows := asked(alpha, cycle=cycle)) == 2 and rows)
    assert {row["target"] for row in found} == {model["id"], days["id"]}
    assert {(row["type"], row["to"], row["checkpoint"]) for row in found} == {("approval", "operators", "resolution")}
    assert {row["id"] for row in beta.json("requests", codes=(3,))} == {row["id"] for row in found}
    alpha.roosync("decision", "approve", model["id"], "--yes")
    answered = asked(alpha, target=model["id"])[0]
    assert (answered["status"], answered["answered_by"]) == ("done", "op-ana")
    alpha.roosync("decision", "reject", days["id"])
    assert asked(alpha, target=days["id"])[0]["status"] == "refused"
    waiting("the cycle ends", lambda: alpha.ask("cycle_show", id_=cycle)["status"] == "done")
    assert len(asked(alpha, cycle=cycle)) == 2
    assert not alpha.json("requests", codes=(0,))


def test_what_was_settled_in_another_way_is_closed(two, waiting):
    alpha, beta = two
    beta.write(SETTINGS, json.dumps({"model": "haiku", "cleanupPeriodDays": 7}) + "\n")
    alpha.decision("pending", machine="beta", entity="claude.settings/model")
    cycle = alpha.json("cycle", "start", "--timeout", "2")["id"]
    waiting("an approval is asked", lambda: asked(alpha, cycle=cycle))
    beta.write(SETTINGS, json.dumps({"model": "opus", "cleanupPeriodDays": 7}) + "\n")  # mended by hand
    waiting("the cycle ends", lambda: alpha.ask("cycle_show", id_=cycle)["status"] == "done")
    row = waiting("it is closed", lambda: next(iter(asked(alpha, cycle=cycle, status="expired")), None))
    assert "superseded" in row["outcome"]
