"""Every command on the terminals that people have: absurd widths, no terminal, closed streams, few letters, Ctrl-C.

The commands are found by walking the command line itself; one that is not in the table below fails the first test.
"""

import itertools
import json
import random
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import click
import pytest

from roosync_agent.cli.app import COMMANDS, roosync
from roosync_agent.columns import columns

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pty and signals as POSIX has them")
OUTSIDE = {"service install", "service uninstall"}  # they write into the person's own session
STAYS = {"demo", "up", "broker", "broker keep", "agent", "mcp", "watch", "tail", "unlock", "invite", "admit"}
# What is given to each command, so that it does as much as it can without changing who is in the fleet: ID is a
# decision that waits, FOLDER a folder of the test's own. `None`: it is run only to be stopped (STAYS), or below.
GIVEN = {
    "init": "", "join": "CODE", "revoke": "nobody", "renew": "", "pause": "", "resume": "", "policy set": "low=one",
    "policy show": "", "observer create": "watcher --force", "status": "", "machines": "--facts", "label": "",
    "inventory": "", "collect": "--dry-run", "publish": "", "compare": "--other beta", "diffs": "",
    "apply": "--dry-run", "quarantine release": "roo.mcp", "quarantine repair": "roo.mcp", "quarantine show": "",
    "secrets": "", "secrets forget": "roo.mcp/none/env/X", "secrets set": "roo.mcp/none/env/X", "export": "FOLDER",
    "import-share": "FOLDER", "imported": "", "imported compare": "nobody", "imported list": "",
    "imported propose": "nobody", "decisions": "--all", "decision apply": "ID", "decision approve": "ID",
    "decision reject": "d-none", "decision rollback": "d-none", "decision show": "ID", "approve": "ID",
    "cycle abort": "c-none", "cycle excuse": "nobody", "cycle list": "", "cycle metrics": "", "cycle report": "",
    "cycle resume": "c-none", "cycle show": "", "cycle start": "--preview", "cycle watch": "c-none",
    "rollout approve": "r-none", "rollout list": "", "rollout resume": "", "rollout show": "",
    "rollout start": "--all --risk high --preview", "rollout stop": "", "rollout watch": "",
    "update require": "9.9.9 --preview", "update resume": "", "update show": "", "update watch": "",
    "update withdraw": "", "report divergence": "ID", "report request": "r-none", "report status": "",
    "request ask": "beta --action verify", "request done": "r-none", "request ready": "r-none",
    "request refuse": "r-none", "request show": "r-none", "requests": "--all", "message archive": "m-none",
    "message inbox": "", "message mark": "read m-none", "message mark-read": "m-none", "message read": "m-none",
    "message remove": "m-none", "message reply": "m-none", "message send": "beta --body hello --subject hello",
    "doctor": "", "ping": "", "locks": "", "edit": "FOLDER/none.json --set a 1", "snapshots": "",
    "snapshots restore": "s-none", "mcp-servers": "", "mcp-servers list": "", "mcp-servers remove": "github --preview",
    "mcp-servers share": "github --preview", "mcp-servers show": "github", "baseline choose": "--suggested",
    "baseline export": "FOLDER/baseline.json", "baseline propose": "", "baseline publish": "", "baseline restore": "",
    "baseline show": "", "baseline validate": "", "baseline versions": "", "history": "", "topology": "",
    "targets": "", "completion": "bash", "explain": "roo.mcp/github", "broker nodes": "FOLDER/nodes",
    "watch": "--count 1", "mcp config": "", "service status": "",
}  # fmt: skip
CODES = {0, 1, 2, 3, 4, 5}
CLOSED = "closed"
WAYS = [
    *({"COLUMNS": str(wide)} for wide in (1, 5, 20, 80, 10_000)),
    {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "LANGUAGE": "fr"},
    {CLOSED: "stdin stdout"},
]  # each command gets one of them, in turn; these get all
LOOKS = ("status", "decision show", "mcp-servers")


def leaves(command, words, context):
    """The words of each command that does something by itself."""
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield words
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), f"{words} {name}", context)
    else:
        yield words


def all_commands():
    context = click.Context(roosync)
    return [found for name in COMMANDS for found in leaves(roosync.get_command(context, name), name, context)]


@pytest.fixture(scope="module")
def alpha(fleets, homes, waiting):
    """A machine that sees a decision of another one wait, with names of other letters in it."""
    fleet = fleets()
    alpha, beta = fleet.site("alpha"), fleet.site("beta")
    for site in (alpha, beta):
        homes.lay(site)
        site.write(".roo/rules/été-日本.md", "# Règles\n")
    fleet.in_step(alpha, beta)
    beta.write(".roo/rules/été-日本.md", "# Règles d'été\n")
    alpha.given = waiting("a decision", lambda: alpha.decisions(machine="beta", status="pending"))[0]["id"]
    return alpha


def words_of(alpha, command):
    folder = str(alpha.base / "given")
    given = GIVEN.get(command, "").replace("FOLDER", folder).split()
    return [*command.split(), *(alpha.given if word == "ID" else word for word in given)]


def run(alpha, command, way):
    closed = way.get(CLOSED, "")
    done = subprocess.run(
        ["sh", "-c", '"$@"' + " <&-" * ("stdin" in closed) + " >&-" * ("stdout" in closed), "sh",
         sys.executable, "-m", "roosync_agent", *words_of(alpha, command)],
        env=alpha.env | {name: value for name, value in way.items() if name != CLOSED},
        stdin=subprocess.DEVNULL, capture_output=True, timeout=90, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_every_command_is_in_the_table():
    found = set(all_commands())
    assert found - STAYS - OUTSIDE - set(GIVEN) == set()
    assert set(GIVEN) - found == set()


def test_each_command_on_a_terminal_of_absurd_width_or_of_few_letters_or_with_nothing_to_write_to(alpha):
    once = list(zip([one for one in GIVEN if one not in LOOKS], itertools.cycle(WAYS)))
    cases = [*once, *itertools.product(LOOKS, WAYS)]
    with ThreadPoolExecutor(3) as pool:
        for (command, way), (code, out, err) in zip(
            cases, pool.map(lambda case: run(alpha, *case), cases), strict=True
        ):
            told = f"roosync {command} {way} -> {code}\n{out}{err}"
            assert code in CODES, told
            for fault in ("Traceback", "fault of roosync itself", "Exception ignored", "Error in"):
                assert fault not in out + err, told


@pytest.mark.parametrize("wide", [40, 80])
def test_no_line_of_a_table_is_wider_than_the_terminal(alpha, wide):
    for command in (
        "status",
        "machines",
        "decisions",
        "mcp-servers",
        "topology",
        "snapshots",
        "ping",
        "locks",
    ):
        _code, out, _err = run(alpha, command, {"COLUMNS": str(wide)})
        for line in out.split("\n"):
            one_word = max(map(columns, line.split()), default=0) + 16 > wide  # that is copied, and so not broken
            assert columns(line) <= wide or one_word or line.startswith("Next: "), f"{command}\n{out}"


@pytest.mark.parametrize("command", ["status", "decisions", "topology", "history"])
def test_a_reader_that_goes_away_early_is_no_error_of_ours(alpha, command):
    words = " ".join([sys.executable, "-m", "roosync_agent", command])
    done = subprocess.run(
        ["sh", "-c", f"{words} | head -n 1"], env=alpha.env, capture_output=True, timeout=60, check=False
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["status", "topology"])
def test_a_full_disk_behind_the_answer_is_an_error_in_a_line(alpha, command):
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m roosync_agent {command} > /dev/full"], env=alpha.env, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ")
    assert done.stderr.count(b"\n") == 1


def test_json_is_json_where_letters_are_few(alpha):
    done = subprocess.run(
        [sys.executable, "-m", "roosync_agent", "decisions", "--json"], env=alpha.env | {"PYTHONIOENCODING": "ascii"},
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert any("été-日本" in one["entity"] for one in json.loads(done.stdout.decode("ascii"))["decisions"])


def interrupted(alpha, command, after):
    """Ctrl-C so many seconds after the start: the exit code, and what was written."""
    process = subprocess.Popen(
        [sys.executable, "-m", "roosync_agent", *words_of(alpha, command)],
        env=alpha.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return process.returncode, out.decode(), err.decode()


def test_ctrl_c_at_any_moment_of_any_command_ends_it_in_a_line(alpha):
    chance = random.Random(8)
    cases = [(one, chance.uniform(0.04, 0.5)) for one in sorted({*GIVEN, "tail", "unlock", "invite", "admit"})]
    before = alpha.decisions()
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(lambda case: interrupted(alpha, *case), cases)
        for (command, after), (code, out, err) in zip(cases, found, strict=True):
            told = f"roosync {command}, Ctrl-C after {after:.3f} s -> {code}\n{out}{err}"
            assert code in CODES | {130, -2}, told
            assert "fault of roosync itself" not in err, told
            if "Traceback" in err:  # before any of our code runs Python answers by itself
                assert not re.search(r'cli/main\.py", line \d+, in main', err), told
            elif code == 130:
                assert len(err.split("\n")) - err.count("\n\n") <= 3, told  # it may come after an error was told
    assert {one["id"] for one in alpha.decisions()} >= {one["id"] for one in before}
    alpha.roosync("status", codes=None)
