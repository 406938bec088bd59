"""`roosync watch` on a real terminal and a real fleet: it shows what changes, answers with keys, gives all back."""

import json
import shutil
import signal
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tests' terminal is a pty")
ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"


@pytest.fixture(scope="module")
def two(fleets, homes):
    fleet = fleets()
    alpha, beta = fleet.site("alpha"), fleet.site("beta")
    for site in (alpha, beta):
        homes.lay(site)
    fleet.in_step(alpha, beta)
    return alpha, beta


@pytest.fixture
def differ(two, homes, waiting):
    """Changes something on beta that waits for a person; its decision."""
    alpha, beta = two

    def change(version):
        text = beta.read(homes.mcp).decode()
        beta.write(homes.mcp, text.replace('server-github"', f'server-github@{version}"'))
        return waiting("a decision", lambda: alpha.decisions(machine="beta", status="pending"))[0]

    return change


def gave_back(found):
    assert found.read().count(ENTERED) == found.said.count(LEFT) > 0
    assert found.as_before, "the terminal is as it was"


def test_a_change_is_shown_a_card_read_and_the_decision_approved(two, typed, differ, waiting):
    alpha, _beta = two
    found = typed(alpha, "watch")
    found.until("Fleet").until("No decision waits.")
    id_ = differ(7)["id"]
    found.until("DECISIONS 1: 1 high")
    found.type("\r").until(id_).until("Risk").until("q back")
    found.type("q").until("DECISIONS 1")
    found.type("a").until("Approve this [y/N]: ").type("y\n").until("Enter goes back").type("\n")
    found.until("No decision waits.")
    waiting("everybody is in step", lambda: set(alpha.states()) == {"synced"})
    found.type("q")
    assert found.ended() == 0
    gave_back(found)


def test_a_rejected_one_is_asked_about_and_what_was_typed_before_answers_nothing(two, typed, differ):
    alpha, _beta = two
    differ(9)
    found = typed(alpha, "watch").until("DECISIONS 1")
    found.type("ryyyyy\n").until("Reject this [y/N]: ").type("n\n").until("DECISIONS 1")
    assert alpha.decisions(machine="beta", status="pending")
    found.type("r").until("Reject this [y/N]: ").interrupt("DECISIONS 1")
    assert alpha.decisions(machine="beta", status="pending")
    found.type("r").until("Reject this [y/N]: ").type("y\n").until("Enter goes back").type("\n").until(
        "No decision waits."
    )
    found.type("q")
    assert found.ended() == 0
    gave_back(found)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)],
    ids=lambda n: str(n),
)
def test_whatever_ends_it_gives_the_terminal_back(two, typed, number, code):
    found = typed(two[0], "watch").until("DECISIONS")
    if number == signal.SIGINT:
        found.type("\x03")
    else:
        found.process.send_signal(number)
    assert found.ended() == code
    assert "Traceback" not in found.said
    gave_back(found)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell with jobs")
def test_stopped_and_gone_on_with(two, typed):
    found = typed(two[0], "watch", program=["bash", "--norc", "--noediting", "-i"], env={"PS1": "ready> "})
    found.until("ready> ").type(f"{sys.executable} -m roosync_agent watch\n")
    found.until(ENTERED).until("DECISIONS").type("\x1a").until(LEFT).until("Stopped").until("ready> ")
    found.type("fg\n").until(ENTERED).until("DECISIONS").type("q").until(LEFT).until("ready> ")
    found.type("exit 7\n")
    assert found.ended() == 7
    gave_back(found)


@pytest.mark.parametrize(("columns", "lines"), [(1, 1), (1, 24), (5, 2), (20, 5), (80, 1), (500, 3)])
def test_a_terminal_of_any_size_and_another_size_meanwhile(two, typed, columns, lines):
    found = typed(two[0], "watch", columns=columns, lines=lines).until(ENTERED).until("\x1b[J")
    found.resize(80, 24)
    found.until("MACHINES 2")
    found.type("?").until("Ctrl-L").type("q").until("MACHINES 2").type("q")
    assert found.ended() == 0
    gave_back(found)


def test_the_agent_ends_meanwhile_and_comes_back(two, typed):
    _alpha, beta = two
    found = typed(beta, "watch").until("MACHINES 2")
    beta.stop()
    found.until("ended; waiting for it")
    beta.up("agent")
    found.until("? help").type("q")
    assert found.ended() == 0
    gave_back(found)


@pytest.mark.parametrize(
    "env", [{"NO_COLOR": "1"}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}], ids=str
)
def test_without_colour_nothing_is_coloured(two, typed, env):
    found = typed(two[0], "watch", env=env).until("DECISIONS")
    found.type("q")
    assert found.ended() == 0
    assert "\x1b[3" not in found.said.replace("\x1b[?", "")
    assert "\x1b[1m" not in found.said
    assert "\x1b[7m" not in found.said


def test_a_plain_terminal_gets_the_status_again(two, typed):
    found = typed(two[0], "watch", "--count", "1", env={"TERM": "dumb", "COLUMNS": "80"})
    assert found.ended() == 0
    assert "MACHINE" in found.said
    assert "\x1b" not in found.said


def test_into_a_pipe_each_change_is_a_line(two):
    alpha, _beta = two
    process = alpha.talk("watch", "--count", "2")
    assert "Fleet e2e" in process.stdout.readline()
    alpha.roosync("pause")
    line = process.stdout.readline()
    assert "alpha: paused" in line
    assert process.wait(40) == 0
    alpha.roosync("resume")
    for text in alpha.roosync("watch", "--json", "--count", "1").out.splitlines():
        assert json.loads(text)["fleet"] == "e2e"


def test_without_an_agent_the_status_once_and_what_would_make_it_live(two):
    alpha, beta = two
    beta.stop()
    for words in ((), ("--count", "1")):
        ran = beta.roosync("watch", *words, codes=(0, 2, 3, 4, 5))
        assert "MACHINE" in ran.out
        assert "`roosync up` starts it" in ran.err
    alpha.stop()
    ran = beta.roosync("watch", "--count", "1", codes=(1,))
    assert "start it with `roosync up` on the machine that runs it" in ran.err
    alpha.up()
    beta.up("agent")
