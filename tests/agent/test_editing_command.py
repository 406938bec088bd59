"""`roosync edit` and `roosync snapshots restore` as they are typed: exit codes, answers, questions, no fleet at all."""

import contextlib
import json
import os
import subprocess
import sys

import pytest

TOKEN = "ghp_FAKEfakeFAKEfakeFAKEfakeFAKEfake1234"


@pytest.fixture
def command(tmp_path):
    """Runs a command in a state folder that does not exist yet; standard input is no terminal."""
    (tmp_path / "home").mkdir()
    env = {**os.environ, "ROOSYNC_STATE": str(tmp_path / "state"), "ROOSYNC_HOME": str(tmp_path / "home")}

    def run(*words, stdin=b"", program=("-m", "roosync_agent")):
        return subprocess.run(
            [sys.executable, *program, *map(str, words)],
            input=stdin,
            capture_output=True,
            env=env,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )

    run.env = env
    return run


def test_edit_and_back(command, tmp_path):
    path = tmp_path / "s.json"
    path.write_bytes(b'{\r\n  // mine\r\n  "b": {"x": 1}\r\n}\r\n')
    was = path.read_bytes()
    words = ("--set", "c", "--yes", "--string", "--comment", "a", "--comment", "b", "--set", "b.y", "-", "--first")
    done = command("edit", path, *words, "--yes", stdin=b"[true]")
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().decode() == (
        '{\r\n  // mine\r\n  "b": {"y": [true], "x": 1},\r\n  // a\r\n  // b\r\n  "c": "--yes"\r\n}\r\n'
    )
    assert b"Taken as jsonc" in done.stdout
    (listed,) = json.loads(command("snapshots", "--json").stdout)
    assert listed["files"] == [str(path)]
    shown = command("snapshots", "restore", listed["id"], "--dry-run")
    assert shown.returncode == 0
    assert b"Dry run" in shown.stdout
    back = command("snapshots", "restore", listed["id"], "--yes", "--json")
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout)["changed"]
    assert path.read_bytes() == was


def test_a_file_that_an_edit_made_is_removed_by_the_way_back(command, tmp_path):
    path = tmp_path / "new.txt"
    made = command("edit", path, "--set", ".", "hello", "--yes")
    assert f"Wrote {path}." in made.stdout.decode()
    assert path.read_bytes() == b"hello\n"
    back = command("snapshots", "restore", made.stdout.split()[-1].decode(), "--yes").stdout.decode()
    assert f"Removed {path}." in back
    assert "Wrote" not in back
    assert not path.exists()


def test_the_answer_for_programs(command, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(f"a: 1\nGITHUB_TOKEN: {TOKEN}\n")
    dry = json.loads(command("edit", path, "--set", "a", "2", "--dry-run", "--json").stdout)
    assert dry == {"path": str(path), "format": "yaml", "changed": True, "diff": dry["diff"], "snapshot": None}
    assert "-a: 1\n+a: 2\n" in dry["diff"]
    assert TOKEN not in dry["diff"]
    assert not (tmp_path / "state").exists()
    clear = command("edit", path, "--set", "a", "2", "--dry-run", "--show-secrets")
    assert TOKEN in clear.stdout.decode()
    none = json.loads(command("edit", path, "--set", "a", "1", "--json").stdout)
    assert (none["changed"], none["diff"], none["path"]) == (False, "", str(path))
    done = json.loads(command("edit", path, "--set", "a", "2", "--yes", "--json").stdout)
    assert done["snapshot"].startswith("s-")
    refused = command("edit", path, "--delete", "nothing", "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["kind"] == "request"


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_without_a_terminal_nothing_is_written_unasked(command, tmp_path, extra):
    path = tmp_path / "a.toml"
    path.write_text("a = 1\n")
    done = command("edit", path, "--set", "a", "2", *extra)
    assert done.returncode == 1
    assert b"--dry-run" in done.stdout + done.stderr
    assert path.read_text() == "a = 1\n"


def test_escapes_of_a_file_do_not_reach_the_terminal(command, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\x1b[2Jold\u202e\n")
    done = command("edit", path, "--set", ".", "new\u200b", "--dry-run")
    assert done.stdout.isascii()
    assert b"\x1b" not in done.stdout
    assert b"-<U+001B>[2Jold<U+202E>" in done.stdout


USAGE = {
    (): "say what to change",
    ("--first", "--set", "a", "1"): "says more about the edit before it",
    ("--set", "a", "-", "--set", "b", "-"): "one edit only",
    ("--set", "a"): "requires 2 arguments",
    ("--delete", "a", "--format", "xml"): "xml",
    ("--set", "a", "--yes"): "Next: say VALUE; if --yes itself is meant: --set a --yes --string",
    ("--insert", "a", "--format=yaml", "--yes"): "an option where VALUE belongs",
    ("--rename", "a", "--yes"): "an option where NAME belongs",
    ("--delete", "--yes"): """an option where PATH belongs; a member of that name is '["--yes"]'""",
    ("--set", "a", "1", "--comment", "--yes"): "an option where TEXT belongs",
    ("--delete", "file"): "'file'; it is empty",
}


@pytest.mark.parametrize("words", USAGE)
def test_what_is_typed_wrong(command, tmp_path, words):
    done = command("edit", tmp_path / "a.json", *words)
    assert done.returncode == 1
    assert USAGE[words] in done.stderr.decode()


def test_standard_input_has_to_be_text(command, tmp_path):
    done = command("edit", tmp_path / "a.txt", "--set", ".", "-", "--yes", stdin=b"a\xff")
    assert done.returncode == 1
    assert b"not UTF-8 at byte 1" in done.stderr


@pytest.mark.parametrize("path", ["a", "b..c"])
def test_nothing_of_the_bus_is_loaded(command, tmp_path, path):
    (tmp_path / "a.json").write_text("{}")
    program = (
        "import sys, roosync_agent.cli.main as m\n"
        "try: m.main()\n"
        "except SystemExit: print(*(n for n in ('nats', 'nkeys', 'pydantic', 'asyncio', 'yaml') if n in sys.modules))"
    )
    done = command("edit", "a.json", "--set", path, "1", "--yes", program=("-c", program))
    assert done.stdout.splitlines()[-1:] in ([b""], []), done.stdout


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
@pytest.mark.timeout(40)
@pytest.mark.parametrize(
    ("answer", "code", "text"), [("y\n", 0, "2"), ("n\n", 1, "1"), ("\n", 1, "1"), ("\x04", 130, "1")]
)
def test_a_person_is_asked(command, tmp_path, answer, code, text):
    import pty

    path = tmp_path / "a.json"
    path.write_text('{"a": 1}')
    child, handle = pty.fork()
    if child == 0:  # pragma: no cover
        os.execve(
            sys.executable,
            [sys.executable, "-m", "roosync_agent", "edit", str(path), "--set", "a", "2"],
            {**command.env, "TERM": "xterm", "NO_COLOR": ""},
        )
    shown = b""
    with contextlib.suppress(OSError):  # the end of a pseudo-terminal is an error
        while data := os.read(handle, 4096):
            shown += data
            if answer and b"[y/N]" in shown:
                os.write(handle, answer.encode())
                answer = ""
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
    os.close(handle)
    assert b"\x1b[31m-" in shown  # in colour
    assert path.read_text() == f'{{"a": {text}}}'
