"""What each field of a configuration can do to a machine, as tables. The judge over them is `risk`.

A rule is found by where the field is: first the kind of the entity or the target, then the dotted path below it (a
setting's own name first). A project's variant of a target (`claude.project-settings`) has the rules of the target.
The first line that fits counts; a field that no line knows is high. A new assistant adds a module of lines here.
Source: 4-configuration, "Risk", and each assistant's own reference, named in its module.
"""

import re
from functools import lru_cache

from roosync_protocol.entity import Kind, declared
from roosync_protocol.risk.rules.anywhere import ANYWHERE
from roosync_protocol.risk.rules.base import UNKNOWN, How, Risk, Rule
from roosync_protocol.risk.rules.claude import CLAUDE
from roosync_protocol.risk.rules.codex import CODEX
from roosync_protocol.risk.rules.continue_dev import CONTINUE
from roosync_protocol.risk.rules.gemini import GEMINI
from roosync_protocol.risk.rules.opencode import OPENCODE
from roosync_protocol.risk.rules.roo import ROO
from roosync_protocol.risk.rules.servers import MODES, SERVERS
from roosync_protocol.risk.rules.vscode import INPUTS, VSCODE
from roosync_protocol.risk.rules.zed import ZED

__all__ = ["RULES", "UNKNOWN", "How", "Risk", "Rule", "find"]

RULES: tuple[Rule, ...] = (
    *SERVERS, *MODES, *CLAUDE, *ROO, *CODEX, *GEMINI, *OPENCODE, *ZED, *CONTINUE, *VSCODE, *INPUTS, *ANYWHERE,
)  # fmt: skip


@lru_cache(4096)
def find(kind: Kind, target: str, path: str) -> Rule | None:
    """The rule for a dotted path. Servers and modes have the same fields in every assistant, settings have not.

    The flavour of a target (`roo.profiles@insiders`) does not matter.
    """
    by_kind = kind is not Kind.SETTING
    for rule, what in _in_scope(by_kind, kind.value if by_kind else declared(target)):
        if what.match(path):
            return rule
    return None


@lru_cache(256)
def _in_scope(by_kind: bool, scope: str) -> list[tuple[Rule, re.Pattern[str]]]:
    return [(rule, what) for rule, of_kind, where, what in _COMPILED if of_kind is by_kind and where.match(scope)]


def _compile(pattern: str) -> re.Pattern[str]:
    text = "".join(".*" if c == "*" else c if c in "[]" else re.escape(c) for c in pattern)
    return re.compile(text + r"\Z", re.DOTALL)


_KINDS = frozenset(kind.value for kind in Kind)
_COMPILED = [(rule, rule.scope in _KINDS, _compile(rule.scope), _compile(rule.path)) for rule in RULES]
