"""The Tab key: real shells complete commands, options, and the names that the resident agent knows."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(sys.executable).parent  # where `roosync` was installed beside this Python
BASH = """
eval "$(roosync completion bash)"
COMP_WORDS=({words}) COMP_CWORD={at}
_roosync_completion roosync
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def two(fleets, waiting):
    fleet = fleets()
    a, b = fleet.site("lab-a"), fleet.site("lab-b")
    fleet.found(a)
    fleet.join(a, b)
    waiting("both are known", lambda: len(a.ask("machines")["machines"]) == 2)
    return a, b


def ran(site, command, **more):
    env = site.env | {"PATH": f"{TOOLS}:/usr/bin:/bin"} | more
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


def tab(site, *words):
    """What bash would offer for the last of these words."""
    script = BASH.format(words=" ".join(f"'{word}'" for word in words), at=len(words) - 1)
    done = ran(site, ["bash", "--norc", "-c", script])
    assert not done.stderr, done.stderr
    return sorted(done.stdout.split())


CASES = [
    (("roosync", "stat"), ["status"]),
    (("roosync", "decision", "ap"), ["apply", "approve"]),
    (("roosync", "status", "--js"), ["--json"]),
    (("roosync", "revoke", ""), ["lab-a", "lab-b"]),
    (("roosync", "compare", "--other", "lab-b"), ["lab-b"]),
    (("roosync", "machines", "lab"), ["lab-a", "lab-b"]),
    (("roosync", "approve", "--risk", "cri"), ["critical"]),
    (("roosync", "collect", "roo.mc"), ["roo.mcp"]),
    (("roosync", "decision", "show", ""), []),
    (("roosync", "explain", "roo.mc"), ["roo.mcp"]),
    (("roosync", "mcp", "config", "cl"), ["claude", "cline"]),
]


@pytest.mark.parametrize(("words", "offered"), CASES)
def test_bash_offers(two, words, offered):
    assert tab(two[0], *words) == offered


def test_without_an_agent_names_are_not_offered_and_commands_are(two, tmp_path):
    class Nowhere:
        env = two[0].env | {"ROOSYNC_STATE": str(tmp_path)}

    assert tab(Nowhere, "roosync", "revoke", "") == []
    assert tab(Nowhere, "roosync", "rev") == ["revoke"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh_takes_the_script(two):
    script = 'autoload -U compinit && compinit -u && eval "$(roosync completion zsh)" && print -r -- ${_comps[roosync]}'
    done = ran(two[0], ["zsh", "-f", "-c", script], ZDOTDIR=str(two[0].base))
    assert "_roosync_completion" in done.stdout, done


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish_offers(two):
    done = ran(two[0], ["fish", "-N", "-c", 'roosync completion fish | source; complete -C "roosync revoke "'])
    assert done.stdout.split() == ["lab-a", "lab-b"], done


def test_powershell_is_answered_line_by_line(two):
    """No PowerShell here: what its script would be told for `roosync revoke lab-b`, asked in the same way."""
    script = ran(two[0], ["roosync", "completion", "powershell"]).stdout
    assert "Register-ArgumentCompleter -Native -CommandName roosync" in script
    asked = {"_ROOSYNC_COMPLETE": "powershell_complete", "COMP_WORDS": "roosync revoke lab-", "COMP_WORD": "lab-"}
    assert ran(two[0], ["roosync"], **asked).stdout.splitlines() == ["plain\tlab-a\t", "plain\tlab-b\t"]


def test_a_shell_that_is_not_known_is_asked_for(two):
    done = ran(two[0], ["roosync", "completion"], SHELL="/bin/tcsh")
    assert done.returncode == 1
    assert "bash, zsh, fish, powershell" in done.stderr
