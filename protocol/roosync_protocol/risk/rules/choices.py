"""Words that open or close: the answers of settings that are a word out of a few, and names that mean everything."""

import re

# A word that ends all asking, or takes the sandbox away.
DANGEROUS = frozenset(
    {"bypassPermissions", "never", "danger-full-access", "yolo", "autopilot", "autoApprove", "allow", "always"}
)
# A word that asks, forbids, or does nothing beyond reading.
HARMLESS = frozenset(
    {
        "default", "manual", "plan", "dontAsk", "untrusted", "read-only", "ask", "deny", "confirm", "on-request",
        "prompt", "disabled", "off",
    }
)  # fmt: skip
YES = frozenset({"allow", "always", "auto", "approve", "trusted", "on"})  # of GRANTS
NO = frozenset({"ask", "deny", "confirm", "prompt", "never", "off", "untrusted"})

EVERYTHING = re.compile(
    r"""["'\s]*(?:\*+|\.[*+]|/\^?\.[*+]?\$?/[a-z]*|(?:Bash|PowerShell|run_shell_command|ShellTool|shell)"""
    r"""(?:\(\s*(?:\*|:\*|\*:\*|\.\*)?\s*\))?|mcp__\*|mcp__\w+__\*|/|/\*\*|~/?(?:\*\*)?|[A-Za-z]:[\\/])?["'\s]*\Z"""
)
# Bash(python:*): a command line behind a tool's name
SHELL_TOOL = re.compile(r"\s*(?:Bash|PowerShell|run_shell_command|ShellTool|shell)\((?P<line>.*)\)\s*\Z", re.DOTALL)
