"""Writes what the commands of docs/guide.md and docs/guide-mcp.md print, by running them: two homes, real processes.

    python docs/make_guide.py [PAGE...]     runs the stories, and writes their commands and output into the pages

Between `<!-- shown: NAME -->` and `<!-- end -->` of a page stands what the story showed under NAME.
tests/e2e/test_guide.py runs the same stories again, and fails when a page shows something else than they do now
(`masked` takes out what is another each time: ids, keys, hours).
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from stories.assistant import with_an_assistant
from stories.pages import filled
from stories.terminal import Story
from stories.two_homes import terminals_only

HERE = Path(__file__).parent
PAGES: dict[str, Callable[[Story], None]] = {"guide.md": terminals_only, "guide-mcp.md": with_an_assistant}


def told(page: str, base: Path) -> dict[str, str]:
    """The whole story of this page, run in `base`: name -> what was shown."""
    story = Story(base)
    try:
        PAGES[page](story)
    finally:
        story.close()
    return story.shown


def main(pages: list[str]) -> None:
    for name in pages or PAGES:
        with tempfile.TemporaryDirectory(prefix="guide-") as folder:
            shown = told(name, Path(os.path.realpath(folder)))
        page = HERE / name
        page.write_text(filled(page.read_text("utf-8"), shown), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
