"""Real faults while a rollout, an update or mail is under way: a bus that was put back, disks, clocks, cut links.

What nobody may ever see: a wave that opens twice, a change that is applied twice, a stop that is forgotten.
"""

import contextlib
import json
import shutil
import signal

import pytest

MEMORY = ".claude/CLAUDE.md"
ENDED = ("done", "stopped")
CHECK = 'echo ran >> "$0/begun"; while [ ! -e "$0/go" ]; do sleep 0.05; done; exit "$(cat "$0/go")"'
WORDS = iter(("German", "Spanish", "Dutch", "Latin", "Greek"))


@pytest.fixture(scope="module")
def fleet(fleets, homes):
    made = fleets()
    host = homes.lay(made.site("host"))
    others = [homes.lay(made.site(name)) for name in ("one", "two")]
    made.in_step(host, *others)
    return host, others


@contextlib.contextmanager
def away(host):
    """The broker's server is killed, and is started again when this ends."""
    server = host.process_of("nats-server.conf")
    keeper = server.parent()
    keeper.send_signal(signal.SIGSTOP)
    try:
        server.kill()
        yield
    finally:
        keeper.send_signal(signal.SIGCONT)


def diverge(host, others, waiting):
    waiting("everybody is in step", lambda: set(host.states()) == {"synced"})
    word = next(WORDS)
    for site in others:
        site.write(MEMORY, f"# Memory\n\nAnswer in {word}.\n")
    waiting("a decision of each", lambda: len(host.decisions(status="pending")) == len(others))


def start(host, *words):
    every = ("--all", "--risk", "critical", "--canary", "1", "--waves", "1", "--yes", "--no-watch")
    return host.json("rollout", "start", *every, *words)["id"]


def states(site, *id_):
    return {row["machine"]: row["state"] for row in site.json("rollout", "show", *id_)["machines"]}


def put_back(host, backup):
    with away(host):
        shutil.rmtree(host.state / "broker" / "streams")
        shutil.copytree(backup, host.state / "broker" / "streams")


def test_a_stop_outlives_a_broker_that_is_put_back(fleet, waiting, tmp_path):
    """Nobody goes on with it, also when all who heard the stop were started again; and who can is told to say it."""
    host, others = fleet
    diverge(host, others, waiting)
    id_ = start(host, "--pause", "3")
    waiting("the canary ended", lambda: states(host) == {"one": "changed", "two": "not_begun"})
    with away(host):
        shutil.copytree(host.state / "broker" / "streams", tmp_path / "backup")
    waiting("the broker is back", lambda: host.row("two"))
    host.roosync("rollout", "stop", id_, codes=(0, 2))
    kept = [site.state / "stopped.json" for site in (host, *others)]
    waiting("the stop is on every disk", lambda: all(path.exists() and id_ in path.read_text() for path in kept))
    host.stop()
    shutil.rmtree(host.state / "broker" / "streams")
    shutil.copytree(tmp_path / "backup", host.state / "broker" / "streams")
    host.up()
    told = f"{id_} was stopped, and the broker lost that"
    waiting(
        "it is told", lambda: told in str([row["notes"] for row in (host.status() or {"machines": []})["machines"]])
    )
    assert host.json("rollout", "show", id_)["status"] == "stopped"
    assert b"French" not in others[1].read(MEMORY)
    host.roosync("rollout", "stop", id_, codes=(0, 2))
    waiting("it is known again", lambda: told not in str([row["notes"] for row in host.status()["machines"]]))
    assert states(host) == {"one": "changed", "two": "not_begun"}
    assert b"French" not in others[1].read(MEMORY)
    host.roosync("rollout", "start", "--all", "--risk", "critical", "--yes")
    assert b"French" in others[1].read(MEMORY)


@pytest.fixture(scope="module")
def checked(fleet):
    """one judges what it wrote by a check of its own, which waits until it is let go."""
    one = fleet[1][0]
    check = json.dumps(["sh", "-c", CHECK, str(one.base)])
    one.settings(f"[apply]\ncheck = {check}\ncheck_timeout = 60\n")
    one.stop()
    return one.up("agent")


def held(host, others, one, waiting):
    """A rollout whose canary has written, and waits for its check."""
    for name in ("go", "begun"):
        (one.base / name).unlink(missing_ok=True)
    waiting("nothing is under way", lambda: all(row["status"] in ENDED for row in host.json("rollout", "list")))
    diverge(host, others, waiting)
    id_ = start(host)
    waiting("the canary writes", (one.base / "begun").exists)
    return id_


def go(one, code):
    (one.base / "part").write_text(code)
    (one.base / "part").rename(one.base / "go")


def test_who_writes_while_it_is_stopped_is_told_with_its_end(fleet, checked, waiting):
    host, others = fleet
    id_ = held(host, others, checked, waiting)
    host.roosync("rollout", "stop", id_, codes=None)
    go(checked, "0")
    wanted = {"one": "changed", "two": "not_begun"}
    waiting("its end is told", lambda: states(host, id_) == wanted)
    host.roosync("rollout", "start", "--all", "--risk", "critical", "--yes")


def test_what_halted_stays_so_when_the_broker_forgets_why(fleet, checked, waiting, tmp_path):
    """The broker is put back to before the canary failed: nothing is applied a second time, and nobody else begins."""
    host, others = fleet
    id_ = held(host, others, checked, waiting)
    with away(host):
        shutil.copytree(host.state / "broker" / "streams", tmp_path / "backup")
    waiting("the broker is back", lambda: host.row("two"))
    go(checked, "1")
    waiting("it halts", lambda: states(host, id_)["one"] == "failed")
    put_back(host, tmp_path / "backup")
    waiting("it halts again", lambda: host.ask("rollout_show", id_=id_)["machines"][0]["state"] == "refused")
    assert states(host, id_) == {"one": "refused", "two": "not_begun"}
    assert host.json("rollout", "show", id_)["status"] == "waiting"
    assert (checked.base / "begun").read_text() == "ran\n"
    assert b"French" not in others[1].read(MEMORY)
