"""Where an item of a YAML container is in the text: its first character, its colon or dash, its end, its comments."""

import re

from roosync_protocol.documents import flow
from roosync_protocol.documents.yaml_tree import Node
from roosync_protocol.documents.yaml_write import dash_of

SYNTAX = flow.Syntax(
    gap=re.compile(r"(?:[ \t\r\n]|(?<=[ \t\r\n])#[^\r\n]*)*"),
    trail=re.compile(r"(?:[ \t]+#[^\r\n]*)?"),
    line_comment=re.compile(r"[ \t]*#[^\r\n]*\r?\n"),
    aside=re.compile(r"(?!)"),
    apart=re.compile(rf"[ \t]*#(?:[ \t]*{flow.RULE}|!|:schema\b|[ \t]*(?:yaml-language-server:|vim?:|-\*-))"),
)
_COLON = re.compile(r"(?:[ \t\r\n]|(?<=[ \t\r\n])#[^\r\n]*)*:(?=[\s,\]}]|\Z|(?<=[\"']:))")


class Spot:
    """Item `index` of `parent`. `inside`: is it between brackets?"""

    def __init__(self, text: str, parent: Node, index: int, inside: bool) -> None:
        self.parent, self.index, self.inside = parent, index, inside  # inside brackets?
        self.item = parent.items[index]
        before = parent.items[index - 1].value.end if index else parent.start
        self.floor = before if index else -1  # what is above it is not ours
        self.mark: int | None = None  # behind its colon or dash; None when there is none (flow)
        if self.item.key is not None:
            self.start = self.item.key.start
            colon = _COLON.match(text, self.item.key.end)
            self.mark = colon.end() if colon else None
        elif parent.style == "block":
            at = flow.end_of(SYNTAX.gap, text, before) if index else dash_of(text, parent)
            if text[at : at + 1] != "-":
                at = text.index("-", before)
            self.start, self.mark = at, at + 1
        else:
            self.start = self.item.value.start
        self.empty = self.item.value.start == self.item.value.end
        end = self.item.value.end if not self.empty else self.mark
        self.end = end if end is not None else (self.item.key or self.item.value).end

    def above(self, text: str) -> int:
        """Where its own comment lines start."""
        return flow.own_comments(text, SYNTAX, self.start, self.floor, flow.indent_at(text, self.start))
