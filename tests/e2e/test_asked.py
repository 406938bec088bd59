"""Questions of real commands on a real terminal: the one who is asked sees what about, and each answer has its end."""

import json
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tests' terminal is a pty")
CTRL_C = "\x03"


@pytest.fixture(scope="module")
def two(fleets, homes):
    fleet = fleets()
    alpha, beta = homes.lay(fleet.site("alpha")), homes.lay(fleet.site("beta"))
    fleet.in_step(alpha, beta)
    return alpha, beta


@pytest.fixture
def id_(two, homes, waiting):
    """A decision that waits."""
    alpha, beta = two
    if not (found := alpha.decisions(machine="beta", status="pending")):
        beta.write(homes.mcp, beta.read(homes.mcp).decode().replace('server-github"', 'server-github@9"'))
        found = waiting("a decision", lambda: alpha.decisions(machine="beta", status="pending"))
    return found[0]["id"]


ENDS = {  # what is typed -> exit code, what is said of it
    "one Ctrl-C": (CTRL_C, 130, "Stopped; nothing further was done."),
    "no": ("n\n", 1, "You said no; nothing further was done."),
    "nothing": ("\n", 1, "You said no; nothing further was done."),
}
ASKS = {  # the command -> its question; those that are connected while they ask, and one that is not
    "label": (("label", "all", "role=dev"), "Sign this for 2 machines? [y/N]: "),
    "policy": (("policy", "set", "medium=automatic"), "Sign it for the whole fleet [y/N]: "),
    "revoke": (("revoke", "beta"), "with a new code [y/N]: "),
}


@pytest.mark.parametrize(("typing", "code", "said"), ENDS.values(), ids=ENDS)
@pytest.mark.parametrize(("words", "question"), ASKS.values(), ids=ASKS)
def test_a_question_ends_with_one_answer(two, typed, words, question, typing, code, said):
    alpha, _ = two
    one = typed(alpha, *words, columns=0, lines=0).until(question)
    assert one.read(0.3).endswith(question)  # it reads by now
    one.type(typing)
    assert one.ended(patience=10) == code
    assert said in one.said
    assert one.as_before


def test_who_waits_for_a_machine_is_stopped_by_one_ctrl_c(two, fleets, typed, tmp_path):
    alpha, _ = two
    inviting = typed(alpha, "invite", columns=0, lines=0).until("  roosync join ")
    code = inviting.until("\n").passed.strip()
    beginner = fleets().site("gamma")
    asking = beginner.begin("join", code, "--machine", "gamma")
    inviting.until("Is it the same there? Admit it [y/N]: ").read(0.3)
    inviting.type(CTRL_C)
    assert inviting.ended(patience=10) == 130
    asking.kill()


def piped(typed, site, out, *words, env=None):
    """The command on a terminal, with its standard output into a file."""
    code = (
        "import os, sys; os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 1); "
        "os.execv(sys.executable, [sys.executable, '-m', 'roosync_agent', *sys.argv[2:]])"
    )
    program = [sys.executable, "-c", code, str(out), *words]
    return typed(site, *words, columns=0, lines=0, env=env, program=program)


@pytest.mark.parametrize("words", [("decision", "approve"), ("approve",)], ids=["one", "several"])
def test_what_is_asked_into_a_pipe_is_seen(two, id_, typed, tmp_path, words):
    alpha, _ = two
    one = piped(typed, alpha, tmp_path / "out", *words, id_).until("[y/N]: ")
    assert "server-github@9" in one.said
    one.type("n\n")
    assert one.ended() == 1
    assert (tmp_path / "out").read_text() == ""


def test_beside_json_a_person_is_asked_in_their_language(two, id_, typed, tmp_path):
    alpha, _ = two
    one = piped(typed, alpha, tmp_path / "out", "approve", id_, "--json", env={"LANGUAGE": "fr"}).until("[o/N]: ")
    assert "server-github@9" in one.said
    one.type("o\n")
    assert one.ended() == 0
    assert [row["id"] for row in json.loads((tmp_path / "out").read_text())["decisions"]] == [id_]
