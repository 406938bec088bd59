"""`roosync decisions`: a change whose apply failed waits for a person like one that was never tried."""

import pytest
from click.testing import CliRunner

from roosync_agent.cli import decision
from roosync_agent.cli.decision import _code
from roosync_agent.cli.decisions_text import listed_text as _listed


def row(id_="d-1", status="pending", failed=False, log=()):
    return {
        "id": id_, "machine": "pc-b", "entity": "claude.settings/model", "reference": "baseline", "risk": "medium",
        "status": status, "action": "override_local", "attempt": 1, "failed": failed, "log": list(log),
    }  # fmt: skip


FAILED = row("d-2", "rolled_back", True, ["the check refuses it"])
LISTS = {  # rows -> exit code, what is counted, the next command
    "one is pending": ([row()], 3, "1 pending.", "Next: roosync decision show d-1"),
    "one failed": ([FAILED], 4, "0 pending, 1 failed.", "Next: roosync decision show d-2"),
    "both": ([row(), FAILED], 4, "1 pending, 1 failed.", "Next: roosync decision show ID"),
    "one was taken back by a person": ([row(status="rolled_back")], 0, "0 pending.", "Next: roosync decision show ID"),
}


@pytest.mark.parametrize(("rows", "code", "counted", "following"), LISTS.values(), ids=LISTS)
def test_what_waits_is_counted_and_the_next_command_named(rows, code, counted, following, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    pending, failed = sum(d["status"] == "pending" for d in rows), sum(d["failed"] for d in rows)
    answer = {"decisions": rows, "pending": pending, "failed": failed}
    lines = _listed(answer).split("\n")
    assert (_code(answer), *lines[-2:]) == (code, counted, following)
    told = [line.strip() for line in lines if "failed:" in line]
    assert told == ["failed: approve again or reject (the check refuses it)"] * failed
    assert max(map(len, lines)) <= 80


# -- many of them


def test_of_many_the_first_are_shown_and_all_are_counted(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    answer = {"decisions": [row(f"d-{n}") for n in range(40)], "pending": 10_000, "failed": 0, "total": 10_000}
    lines = _listed(answer | {"risks": {"critical": 3, "low": 9_997}}).split("\n")
    assert len(lines) < 50
    assert "Shown: 40 of 10000 (3 critical, 9997 low)." in lines
    assert lines[-1].strip().startswith("roosync decisions --limit 0")


@pytest.fixture
def many(monkeypatch):
    """An agent with 120 changes of low risk, each on two machines, and one that is critical when it is looked at."""
    asked, signed = [], []

    def ask_machine(verb, **args):
        asked.append((verb, args))
        if verb == "decisions":
            return {"decisions": [{"id": f"d-{n}", "status": "pending"} for n in range(240)]}
        pairs = list(zip(args["ids"][::2], args["ids"][1::2], strict=True))[: args["most"] or None]
        return [
            {
                "card": {"risk": "critical" if number == 7 else "low", "id": one},
                "decisions": [{"id": id_, "seen": f"seen {id_}", "machine": "pc-a"} for id_ in (one, two)],
            }
            for number, (one, two) in enumerate(pairs)
        ]

    monkeypatch.setattr(decision, "ask_machine", ask_machine)
    monkeypatch.setattr(decision, "card_text", lambda card, **_: f"card of {card['id']}")
    monkeypatch.setattr(decision, "_signed", lambda seen, wait: (signed.append(seen), ({"decisions": []}, []))[1])
    return asked, signed


APPROVING = {  # more words, what is typed -> cards shown, decisions signed, decisions that are told to be left
    "as it is": ((), "y", 50 - 1, 98, 140),
    "fewer": (("--most", "3"), "y", 3, 6, 234),
    "all at once": (("--most", "0"), "y", 119, 238, 0),
    "no": ((), "n", 49, None, 140),
    "without a question": (("--yes",), "", 50, 238, 0),
}


@pytest.mark.parametrize(("words", "typed", "cards", "count", "left"), APPROVING.values(), ids=APPROVING)
def test_only_what_was_shown_is_asked_about(many, words, typed, cards, count, left):
    asked, signed = many
    ran = CliRunner().invoke(decision.approve_many, ["--all", "--risk", "low", *words], input=f"{typed}\n")
    assert ran.output.count("card of") == cards
    assert [len(one) for one in signed] == ([count] if count else [])
    assert (f"{left} more decisions fit and are not shown" in ran.output) == bool(left)
    assert asked[1][1]["ask"] is ("--yes" not in words), "nobody is asked for a card that nobody reads"


def test_the_list_is_bounded_on_a_screen_and_whole_for_programs(monkeypatch):
    asked = []

    def ask_machine(verb, **args):
        asked.append(args["limit"])
        return {"decisions": [], "pending": 0, "failed": 0}

    monkeypatch.setattr(decision, "ask_machine", ask_machine)
    for words in ((), ("--json",), ("--all",), ("--limit", "7"), ("--json", "--limit", "7")):
        CliRunner().invoke(decision.decisions, words)
    assert asked == [decision.ROWS, 0, 0, 7, 7]


NAMED = {  # words -> ids that are chosen, or what is refused
    "one": (("d-1",), ["d-1"]),
    "by its beginning": (("e",), ["e-1"]),
    "beyond the risk": (("d-1", "--risk", "low"), []),
    "of another machine": (("d-1", "--machine", "pc-z"), []),
    "several by one beginning": (("d-",), "means 2 of the decisions that wait"),
    "nobody's": (("x",), "means 0 of the decisions that wait"),
}


@pytest.mark.parametrize(("words", "chosen"), NAMED.values(), ids=NAMED)
def test_a_named_decision_is_the_one_that_is_meant(monkeypatch, words, chosen):
    asked = []

    def ask_machine(verb, **args):
        rows = [row(id_) for id_ in ("d-1", "d-2", "e-1")]
        if verb == "decisions":
            return {"decisions": [one for one in rows if one["id"].startswith(tuple(args["named"]))]}
        asked.extend(args["ids"])
        return []

    monkeypatch.setattr(decision, "ask_machine", ask_machine)
    ran = CliRunner().invoke(decision.approve_many, list(words), input="n\n")
    assert asked == (chosen if isinstance(chosen, list) else [])
    assert isinstance(chosen, list) or chosen in ran.output
