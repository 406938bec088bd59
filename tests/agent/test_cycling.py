"""What can not begin as a cycle, each with what to do instead."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from roosync_agent.cli.cycle import _code, _list, cycle
from roosync_agent.operations.coordination.cycling import LONGEST, _start_fault

FAULTS = {  # route, minutes, version -> what is said; None: it may begin
    "plain": ("coordination", 60.0, "", None),
    "the longest": ("coordination", float(LONGEST), "", None),
    "with a version": ("deployment", 60.0, "v2.1.0", None),
    "with a suffix": ("deployment", 60.0, "2.1.0-rc.1+build", None),
    "no time": ("coordination", 0.0, "", "0 minutes is none"),
    "less": ("coordination", -3.0, "", "-3 minutes is none"),
    "no number": ("coordination", float("nan"), "", "nan minutes is none"),
    "for ever": ("coordination", float("inf"), "", "at most 100,000"),
    "no route": ("sideways", 60.0, "", "there are coordination, deployment"),
    "a version on the wrong route": ("coordination", 60.0, "1.0", "--route deployment"),
    "no version": ("deployment", 60.0, "new", "such as v2.1.0"),
    "a version with more behind it": ("deployment", 60.0, "1.0\n", "such as v2.1.0"),
    "an empty part": ("deployment", 60.0, "v1..0", "such as v2.1.0"),
}


@pytest.mark.parametrize(("route", "minutes", "version", "says"), FAULTS.values(), ids=FAULTS)
def test_what_can_not_begin(route, minutes, version, says):
    law = SimpleNamespace(may_orchestrate=lambda name: True)
    found = _start_fault(SimpleNamespace(name="pc-a", fleet=SimpleNamespace(law=law)), route, minutes, version)
    assert found is None if says is None else says in (found or "")


def test_who_may_not_orchestrate_is_told_where_to_start_it():
    law = SimpleNamespace(may_orchestrate=lambda name: False)
    machine = SimpleNamespace(name="pc-a", fleet=SimpleNamespace(law=law))
    assert "start it on another machine" in (_start_fault(machine, "coordination", 60.0, "") or "")


CODES = {  # status, what a person is told to do, who is waited for -> exit code of `cycle show`
    "it ended": ("done", "", [], 0),
    "it was ended": ("aborted", "", [], 0),
    "a person is asked": ("waiting", "roosync cycle resume c-1", [], 3),
    "only a person can move it": ("running", "roosync decision show d-1", ["a"], 3),
    "a machine is waited for": ("running", "", ["a"], 5),
    "all are there, and its leader has not gone on yet": ("running", "", [], 5),
}


@pytest.mark.parametrize(("status", "next_step", "waits_for", "code"), CODES.values(), ids=CODES)
def test_a_cycle_that_runs_is_not_called_done(status, next_step, waits_for, code):
    assert _code({"status": status, "next_step": next_step, "waits_for": waits_for}) == code


ROW = {"id": "c-1", "route": "coordination", "checkpoint": "diffs", "started": "2026-01-16T12:00:00Z", "by": "pc-a"}
FOLLOWING = {  # the status of each cycle, the newest last -> the next command
    "none": ([], "Next: roosync cycle start"),
    "the last one ended": (["aborted", "done"], "Next: roosync cycle report c-2"),
    "an earlier one runs": (["running", "done"], "Next: roosync cycle watch c-1"),
    "one waits": (["done", "waiting"], "Next: roosync cycle show c-2"),
}


@pytest.mark.parametrize(("found", "last"), FOLLOWING.values(), ids=FOLLOWING)
def test_the_cycles_are_listed_and_the_open_one_is_named(found, last):
    lines = _list([ROW | {"id": f"c-{at}", "status": status} for at, status in enumerate(found, 1)]).split("\n")
    assert lines[-1] == last
    assert [line.split()[0] for line in lines[1:-2]] == [f"c-{at}" for at in range(1, len(found) + 1)]


WATCHED = {  # what is answered one after the other, arguments -> exit code
    "until it ends": (["running", "done"], ["watch"], 0),
    "until a person is asked": (["running", "waiting"], ["watch"], 3),
    "as long as it is told": (["running"] * 100, ["watch", "--timeout", "0.1"], 5),
    "from its start": (["running", "running", "done"], ["start", "--wait"], 0),
    "from its start, as JSON": (["running", "running", "done"], ["start", "--wait", "--json"], 0),
}


@pytest.mark.parametrize(("statuses", "words", "code"), WATCHED.values(), ids=WATCHED)
def test_a_cycle_is_followed_until_it_ends_is_stopped_or_the_time_is_over(statuses, words, code, monkeypatch):
    whole = ROW | {"round": 0, "strict": False, "participants": ["pc-a"], "excused": {}, "waits_for": [], "why": "",
                   "waiting_for": "", "stopped": 0, "reached": [], "escalations": []}  # fmt: skip
    told = iter(statuses)

    def ask(verb, **args):
        status = next(told)
        return whole | {"status": status, "next_step": "roosync cycle resume c-1" if status == "waiting" else ""}

    monkeypatch.setattr("roosync_agent.cli.cycle.ask_machine", ask)
    ran = CliRunner().invoke(cycle, words)
    assert ran.exit_code == code, ran.output
    if "--json" in words:
        assert json.loads(ran.output)["status"] == "done"
