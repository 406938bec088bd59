"""`roosync completion SHELL`: the script that completes commands, options and names with the Tab key.

Names (machines, decisions, targets ...) are those that the resident agent knows; without one, none are offered, and
nothing is worked out for it. Only names that are plain in every shell: what a machine calls itself must not run.
"""

import os
import re
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, ShellComplete, add_completion_class
from click.shell_completion import get_completion_class as class_of

from roosync_agent.wording import tr

PATIENCE = 1.0  # seconds for the agent's answer; who presses Tab does not wait longer
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+-]*\Z")
SHELLS = ("bash", "zsh", "fish", "powershell")
VARIABLE = "_ROOSYNC_COMPLETE"
INSTALL = {
    "bash": 'eval "$(roosync completion bash)"       # in ~/.bashrc',
    "zsh": 'eval "$(roosync completion zsh)"        # in ~/.zshrc, below compinit',
    "fish": "roosync completion fish > ~/.config/fish/completions/roosync.fish",
    "powershell": "roosync completion powershell | Out-String | Invoke-Expression    # in $PROFILE",
}

# what is asked of the agent, and where in its answer the names are; "" is the list itself; rows may be names
NAMES: dict[str, tuple[str, str, str]] = {
    "machine": ("machines", "machines", "machine"),
    "decision": ("decisions", "decisions", "id"),
    "cycle": ("cycle_list", "", "id"),
    "rollout": ("rollout_list", "", "id"),
    "request": ("requests", "", "id"),
    "message": ("message_inbox", "messages", "id"),
    "version": ("baseline_versions", "", "version"),
    "thing": ("baseline_show", "commons", ""),
}
# (command, parameter) -> which names; the first word of a command stands for all below it
WANTED: dict[tuple[str, str], str] = {
    ("decision", "id_"): "decision",
    ("approve", "ids"): "decision",
    ("rollout start", "ids"): "decision",
    ("rollout", "id_"): "rollout",
    ("cycle", "id_"): "cycle",
    ("request", "id_"): "request",
    ("message", "id_"): "message",
    ("message", "ids"): "message",
    ("message", "id_of"): "message",
    ("message send", "to"): "machine",
    ("machines", "names"): "machine",
    ("label", "words"): "machine",
    ("request", "to"): "machine",
    ("baseline restore", "version"): "version",
    ("targets", "names"): "target",
    ("collect", "targets"): "target",
    ("quarantine", "target"): "target",
    ("explain", "what"): "thing",
    ("mcp config", "assistant"): "assistant",
}
OR_A_FILE = ("thing",)
EVERYWHERE = {"machine": "machine", "machines": "machine", "other": "machine", "source": "machine", "on": "machine",
              "without": "machine"}  # fmt: skip


class PowerShellComplete(ShellComplete):
    """PowerShell, as click has the others: the words come in `COMP_WORDS`, the one under the cursor in `COMP_WORD`."""

    name = "powershell"
    source_template = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $line = $commandAst.ToString()
    if ($line.Length -gt $cursorPosition) { $line = $line.Substring(0, $cursorPosition) }
    $env:COMP_WORDS = $line
    $env:COMP_WORD = $wordToComplete
    $env:%(complete_var)s = "powershell_complete"
    %(prog_name)s | ForEach-Object {
        $type, $value, $help = $_ -split "\\t", 3
        if ($type -eq "plain") {
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new($value, $value, "ParameterValue", $help)
        }
    }
    $env:COMP_WORDS = $env:COMP_WORD = $env:%(complete_var)s = $null
}
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        from click.shell_completion import split_arg_string

        words = split_arg_string(os.environ.get("COMP_WORDS", ""))[1:]
        word = os.environ.get("COMP_WORD", "")
        return (words[:-1] if word and words else words), word

    def format_completion(self, item: CompletionItem) -> str:
        told = (item.help or "").replace("\t", " ").replace("\n", " ")
        return f"{item.type}\t{item.value}\t{told}"


class AnyBash(BashComplete):
    """click starts a second bash to ask its version; the script says by itself what it needs."""

    @staticmethod
    def _check_version() -> None:
        return


add_completion_class(PowerShellComplete)
add_completion_class(AnyBash)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def completion(shell: str | None) -> None:
    """Print the script that completes commands, options and names in your SHELL (default: the one of $SHELL).

    \b
    bash: in ~/.bashrc
      eval "$(roosync completion bash)"
    zsh: in ~/.zshrc, below compinit
      eval "$(roosync completion zsh)"
    fish:
      roosync completion fish > ~/.config/fish/completions/roosync.fish
    powershell: in $PROFILE
      roosync completion powershell | Out-String | Invoke-Expression
    """
    name = shell or os.path.basename(os.environ.get("SHELL", "")).removesuffix(".exe")  # noqa: PTH119 - no path of ours
    if name not in SHELLS:
        raise click.UsageError(tr("which shell? Name one of {shells}", shells=", ".join(SHELLS)))
    found = class_of(name)
    assert found is not None
    from roosync_agent.cli.app import roosync

    click.echo(found(roosync, {}, "roosync", VARIABLE).source())
    import sys

    if sys.stdout.isatty():
        click.echo(tr("Next: {command}", command=INSTALL[name]), err=True)


def completed(command: click.Command, path: str) -> click.Command:
    """`command` with names for its parameters, and for those of what is below it; `path` is how it is called."""
    for parameter in command.params:
        kind = _kind(path, parameter.name or "")
        if kind and isinstance(parameter.type, click.types.StringParamType):
            parameter._custom_shell_complete = _names_of(kind)
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            completed(below, f"{path} {name}")
    return command


def _kind(path: str, parameter: str) -> str:
    first = path.partition(" ")[0]
    return WANTED.get((path, parameter)) or WANTED.get((first, parameter)) or EVERYWHERE.get(parameter, "")


def _names_of(kind: str) -> Any:
    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names(kind) if name.startswith(incomplete)]
        return found or ([CompletionItem(incomplete, type="file")] if kind in OR_A_FILE else [])

    return complete


def names(kind: str) -> list[str]:
    """The names of this kind that the resident agent knows, sorted; none without one, never an error."""
    if kind == "assistant":
        from roosync_agent.mcp_server.snippets import assistants

        return assistants()
    targets = []
    if kind in ("target", "thing"):
        from roosync_agent.targets import TABLE

        targets = sorted(spec.name for spec in TABLE)
    return targets if kind == "target" else [*targets, *_asked_for(*NAMES[kind])]


def _asked_for(verb: str, where: str, field: str) -> list[str]:
    from roosync_agent.running.control import ask
    from roosync_agent.running.where import SettingsError, state_folder

    try:
        answer = ask(state_folder(os.environ), verb, {}, timeout=PATIENCE).get("result")
    except (OSError, SettingsError, ValueError):
        return []
    rows = answer.get(where, []) if where and isinstance(answer, dict) else answer
    named = (row.get(field) if isinstance(row, dict) else row for row in rows or ())
    found = {name for name in named if isinstance(name, str)}
    return sorted(name for name in found if _PLAIN.match(name))
