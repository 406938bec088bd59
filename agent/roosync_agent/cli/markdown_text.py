"""Somebody else's Markdown on this terminal: read well, and never able to speak for us.

Every character that a person would not see, or that a terminal obeys, is spelled out before anything is rendered; HTML
is text; a link shows where it leads; and each line stands behind a bar, so nothing in it passes for an answer of ours.
"""

import shutil

from roosync_agent.characters import harmless
from roosync_agent.columns import columns

BAR = "\u2502 "
NARROWEST, WIDEST = 40, 100


def shown_markdown(text: str, *, colour: bool = False, width: int | None = None) -> str:
    """`text` for a terminal when `colour`, otherwise as its source; each line behind a bar."""
    source = harmless(text.replace("\r\n", "\n").rstrip("\n"), lines=True)
    if not source:
        return ""
    lines = _rendered(source, width or _width()) if colour else source.split("\n")
    return "\n".join((BAR + line).rstrip() for line in lines)


def _width() -> int:
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns)) - columns(BAR)


def _rendered(source: str, width: int) -> list[str]:
    from io import StringIO

    from markdown_it import MarkdownIt
    from rich.console import Console
    from rich.markdown import Markdown

    markdown = Markdown("", hyperlinks=False, code_theme="ansi_dark")
    parser = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").enable("table")
    markdown.parsed = parser.parse(source)
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system="standard", legacy_windows=False)
    console.print(markdown)
    return out.getvalue().rstrip("\n").split("\n")
