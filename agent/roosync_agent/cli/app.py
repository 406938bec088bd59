"""The commands as one table. A command's module is imported when the command is used.

The founding documents' tool names work as aliases: `roosync compare-config` is `roosync compare`.
"""

import importlib
import os

import click

from roosync_agent.cli.spoken import Formatter, spoken
from roosync_agent.columns import unbroken
from roosync_agent.wording import speak_to_click, tr
from roosync_protocol import __version__

# name -> (module, function, what it does in a line)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("look", "demo", "Show the whole story on three sample machines, in under a minute."),
    "init": ("founding", "init", "Create a fleet on this machine: keys, broker, first law."),
    "up": ("parts", "up", "Start broker and agent of this machine, and keep them running."),
    "broker": ("broker", "broker", "Run the embedded broker and its keeper alone; or keep a cluster of your own."),
    "agent": ("parts", "agent", "Run the agent alone."),
    "invite": ("fleet", "invite", "Print a one-time code, and admit the machine that joins with it."),
    "join": ("fleet", "join", "Join a fleet with a code."),
    "admit": ("fleet", "admit", "Admit machines that asked to join."),
    "revoke": ("fleet", "revoke", "End a machine's membership, and its connection, at once."),
    "renew": ("fleet", "renew", "Renew the roster and the memberships."),
    "pause": ("fleet", "pause", "Turn automatic application off, here or for the fleet."),
    "resume": ("fleet", "resume", "Turn automatic application on again."),
    "service": ("service", "service", "Run `roosync up` at login, by the system's own manager of services."),
    "unlock": ("unlock", "unlock", "Hold your key in this terminal: what others want signed is shown and asked here."),
    "policy": ("policy", "policy", "What applies by itself, by risk class; change it."),
    "observer": ("fleet", "observer", "Make a credential that reads everything and says nothing."),
    "status": ("look", "status", "The fleet at one look; the exit code says what waits."),
    "machines": ("machines", "machines", "The machines of the fleet, and which of them an expression means."),
    "label": ("label", "label", "What machines are called, so that they can be chosen by it: role=dev, site=paris."),
    "inventory": ("config", "inventory", "What a machine is and has."),
    "collect": ("config", "collect", "The package of this machine: files, hashes, what was skipped and why."),
    "publish": ("config", "publish", "Publish this machine's package."),
    "compare": ("config", "compare", "Compare with the baseline, or with another machine."),
    "diffs": ("config", "diffs", "Every open divergence, the same list on every machine."),
    "apply": ("config", "apply", "Apply what is approved, or lies within the policy."),
    "quarantine": ("quarantine", "quarantine", "What the wipe guard holds back; put it back, or believe it."),
    "secrets": ("secrets", "secrets", "Secrets by name and machine, never a value; keep one in the keyring."),
    "export": ("exports", "export", "Write dashboard, roadmap and baseline in the founding formats."),
    "import-share": ("importing", "import_share", "Take in the shared folder of RooSync 2: nothing of it is applied."),
    "imported": ("importing", "imported", "What was taken in: list it, compare with it, propose values of it."),
    "decisions": ("decision", "decisions", "The decisions that wait."),
    "decision": ("decision", "decision", "Show, approve, reject, apply or roll back one decision."),
    "approve": ("decision", "approve_many", "Approve several decisions at once."),
    "cycle": (
        "cycle",
        "cycle",
        "Take machines through checkpoints together: start, list, show, watch, excuse, abort, metrics.",
    ),
    "rollout": (
        "rollout",
        "rollout",
        "One change to many machines: start, watch, show, list, resume, approve, stop.",
    ),
    "update": ("update", "update", "Require a version of RooSync on many machines; who is where; withdraw it."),
    "report": ("reports", "report", "The founding protocol's reports: status, divergence, coordination request."),
    "request": ("requests", "request", "Ask a machine or a person for something; it waits until they are there."),
    "requests": ("requests", "requests", "What was asked of machines and people, and waits."),
    "message": ("messages", "message", "Mail between machines, operators and assistants."),
    "doctor": ("doctor", "doctor", "Find what is wrong, and say how it is mended; mend what is safe to mend."),
    "ping": ("ping", "ping", "Which machines are there at this moment, each asked directly."),
    "locks": ("locks", "locks", "What is held, by whom, and who of the holders is not there."),
    "edit": ("edit", "edit", "Edit any file in place: JSON, YAML, TOML, text. Needs no fleet."),
    "snapshots": ("snapshots", "snapshots", "The backups made before each write; put one back."),
    "mcp": ("mcp", "mcp", "Serve assistants over MCP; `mcp config` prints what they need to start it."),
    "mcp-servers": ("servers", "mcp_servers", "MCP servers by assistant and machine; share one, remove one."),
    "baseline": ("baseline", "baseline", "Propose, show, validate, publish, restore, export the baseline."),
    "history": ("history", "history", "What was done: who asked, who approved, what came of it."),
    "watch": ("watch.command", "watch", "The fleet live: machines, decisions, the cycle; keys that answer."),
    "tail": ("look", "tail", "Follow what happens on the bus, a line each."),
    "topology": ("look", "topology", "The streams of the broker and their bounds."),
    "targets": ("targets", "targets", "Which assistants' files were found here, and what is managed."),
    "completion": ("completion", "completion", "The script by which the Tab key completes words in your shell."),
    "explain": ("targets", "explain", "Where a value comes from, and why: of a file, or a thing in it."),
}
ALIASES = {
    "roosync-init": "init",
    "get-status": "status",
    "get-machine-inventory": "inventory",
    "collect-config": "collect",
    "publish-config": "publish",
    "compare-config": "compare",
    "list-diffs": "diffs",
    "apply-config": "apply",
    "get-decision-details": "decision show",
    "approve-decision": "decision approve",
    "reject-decision": "decision reject",
    "apply-decision": "decision apply",
    "rollback-decision": "decision rollback",
    "send": "message send",
    "inbox": "message inbox",
    "read": "message read",
    "reply": "message reply",
    "archive": "message archive",
    "mark": "message mark",
    "remove": "message remove",
    "send-message": "message send",
    "read-inbox": "message inbox",
    "get-message": "message read",
    "reply-message": "message reply",
    "archive-message": "message archive",
    "mark-message-read": "message mark-read",
}


class Commands(click.Group):
    """A group that knows its commands by name and loads them when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in ALIASES:
            group, _, sub = ALIASES[cmd_name].partition(" ")
            found = self.get_command(ctx, group)
            return found.get_command(ctx, sub) if sub and isinstance(found, click.Group) else found
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"roosync_agent.cli.{module}"), name)
        assert isinstance(command, click.Command)
        if os.environ.get("_ROOSYNC_COMPLETE"):
            from roosync_agent.cli.completion import completed

            completed(command, cmd_name)
        from roosync_agent.cli.signing import signing  # not for `--help`, which shows no command's own options

        return spoken(signing(cmd_name, command))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(tr("Commands")):
            formatter.write_dl([(name, unbroken(tr(text))) for name, (_, _, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and args[0] not in ALIASES:
            import difflib

            near = difflib.get_close_matches(args[0], [*COMMANDS, *ALIASES], 2)
            hint = tr("`roosync --help` lists the commands.")
            if near:
                hint = tr("Did you mean {near}?", near=" / ".join(near))
            raise click.UsageError(tr("there is no command {name}.", name=repr(args[0])) + f" {hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="roosync")
def roosync() -> None:
    """Keep the configuration of AI coding assistants in step across machines.

    \b
    First steps:  roosync demo              three sample machines, right here
                  roosync init; roosync up  your own fleet
    Exit codes:   0 in step, 1 error, 2 drift, 3 pending decision, 4 conflict,
                  quarantine or a failed apply, 5 a machine did not answer;
                  1 also after a question answered with no, 130 after Ctrl-C
    """


click.Context.formatter_class = Formatter  # of every command, which click asks nowhere else


def run() -> int:
    """Runs the command line; errors become one clear message, whose fault it is and what to do next."""
    from roosync_agent.cli.running import guarded

    if os.environ.get("_ROOSYNC_COMPLETE"):
        import roosync_agent.cli.completion  # noqa: F401 - it tells click of the shells
    speak_to_click()
    return guarded(spoken(roosync))
