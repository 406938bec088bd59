"""What the person looks at: which pane, which row, which text; and what each key does. Nothing is drawn here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from roosync_agent.characters import harmless
from roosync_agent.cli.watch.following import Seen
from roosync_agent.wording import mark, tr

HELP = (
    ("j k", mark("down and up; also arrows, Page Up and Down, Home and End (g and G)")),
    ("Tab", mark("between decisions and machines")),
    (mark("Enter s"), mark("show the card of the decision, or the machine; q goes back")),
    ("a", mark("approve: the card, a question, and the passphrase where one is set")),
    ("r", mark("reject: the same")),
    ("/", mark("only decisions with these words; Enter keeps them, Esc forgets them")),
    ("Ctrl-L", mark("draw everything again")),
    ("? q", mark("this help; quit")),
)
DOWN, UP, PAGES = {"j": 1, "down": 1}, {"k": 1, "up": 1}, {"page down": 1, "page up": -1, " ": 1}
WORST = ("rollback_failed", "conflict", "quarantined", "unreachable", "diverged", "no_report", "unknown", "synced")


@dataclass
class View:
    """`asks` is what a key wants done that takes a command or the agent: ("approve", id), ("quit", "")."""

    pane: str = "decisions"
    chosen: dict[str, str] = field(default_factory=lambda: {"decisions": "", "machines": ""})  # by id: rows come and go
    places: dict[str, int] = field(default_factory=lambda: {"decisions": 0, "machines": 0})  # where that was last
    tops: dict[str, int] = field(default_factory=lambda: {"decisions": 0, "machines": 0})
    page: int = 10  # rows of the pane as it was drawn last
    words: str = ""  # the filter
    typing: bool = False
    text: Callable[[], Sequence[str]] | None = None  # instead of the fleet: a card, a machine, the help
    top: int = 0  # the first line of it that is shown
    notice: str = ""
    asks: tuple[str, str] = ("", "")
    _kept: tuple[Any, str, list[dict[str, Any]]] = (None, "", [])

    # -- rows

    def decisions(self, seen: Seen) -> list[dict[str, Any]]:
        """Those that the filter lets through; worked out once for each list."""
        if self._kept[0] is not seen.decisions or self._kept[1] != self.words:
            words = self.words.casefold().split()
            self._kept = (seen.decisions, self.words, [d for d in seen.decisions if _has(d, words)])
        return self._kept[2]

    def machines(self, seen: Seen) -> list[dict[str, Any]]:
        return sorted(seen.overview.get("machines", ()), key=_severity)

    def rows(self, seen: Seen, pane: str) -> list[dict[str, Any]]:
        return self.decisions(seen) if pane == "decisions" else self.machines(seen)

    def place(self, seen: Seen, pane: str) -> int:
        """The row that is chosen; when it is gone, the one that stands there now."""
        rows, name = self.rows(seen, pane), "id" if pane == "decisions" else "machine"
        at = min(self.places[pane], max(0, len(rows) - 1))
        if rows and rows[at][name] != self.chosen[pane]:
            at = next((number for number, row in enumerate(rows) if row[name] == self.chosen[pane]), at)
        self.places[pane], self.chosen[pane] = at, rows[at][name] if rows else ""
        return at

    def show(self, text: Callable[[], Sequence[str]]) -> None:
        self.text, self.top = text, 0

    # -- keys

    def press(self, key: str, seen: Seen) -> None:
        self.notice, self.asks = "", ("", "")
        if self.typing:
            self._typed(key)
        elif self.text is not None:
            self._read(key)
        else:
            self._moved(key, seen)

    def _typed(self, key: str) -> None:
        match key:
            case "enter":
                self.typing = False
            case "escape":
                self.typing, self.words = False, ""
            case "erase" if not self.words:
                self.typing = False
            case "erase":
                self.words = self.words[:-1]
            case "erase all":
                self.words = ""
            case _ if len(key) == 1 and len(self.words) < 200:
                self.words += harmless(key)

    def _read(self, key: str) -> None:
        assert self.text is not None
        last = max(0, len(self.text()) - self.page)
        step = DOWN.get(key, 0) - UP.get(key, 0) + PAGES.get(key, 0) * max(1, self.page - 1)
        self.top = min(last, max(0, self.top + step))
        match key:
            case "home" | "g":
                self.top = 0
            case "end" | "G":
                self.top = last
            case "q" | "escape" | "enter" | "s" | "left" | "?":
                self.text = None
            case "a" | "r" if self.pane == "decisions" and self.chosen["decisions"]:
                self.asks = ("approve" if key == "a" else "reject", self.chosen["decisions"])

    def _moved(self, key: str, seen: Seen) -> None:
        at, rows = self.place(seen, self.pane), self.rows(seen, self.pane)
        step = DOWN.get(key, 0) - UP.get(key, 0) + PAGES.get(key, 0) * max(1, self.page - 1)
        if key in ("home", "g", "end", "G"):
            step = -at if key in ("home", "g") else len(rows)
        if step and rows:
            at = min(len(rows) - 1, max(0, at + step))
            self.places[self.pane], self.chosen[self.pane] = (
                at,
                rows[at]["id" if self.pane == "decisions" else "machine"],
            )
            return
        match key:
            case "q":
                self.asks = ("quit", "")
            case "tab" | "left" | "right":
                self.pane = "machines" if self.pane == "decisions" else "decisions"
            case "?":
                self.show(help_lines)
            case "/":
                self.pane, self.typing = "decisions", True
            case "escape":
                self.words = ""
            case "enter" | "s" | "a" | "r" if not rows:
                self.notice = tr("There is nothing to show here.")
            case "enter" | "s":
                self.asks = ("card" if self.pane == "decisions" else "machine", self.chosen[self.pane])
            case "a" | "r" if self.pane == "decisions":
                self.asks = ("approve" if key == "a" else "reject", self.chosen["decisions"])


def help_lines() -> list[str]:
    return [tr("Keys"), "", *(f"  {tr(keys):<8} {tr(does)}" for keys, does in HELP)]


def _has(decision: dict[str, Any], words: Sequence[str]) -> bool:
    if not words:
        return True
    text = " ".join(str(decision[name]) for name in ("id", "machine", "entity", "risk", "status")).casefold()
    return all(word in text for word in words)


def _severity(row: dict[str, Any]) -> tuple[int, str]:
    """What a person has to see comes first, when there is no room for all."""
    if row["seen"] == "silent":
        return -1, row["machine"]
    return WORST.index(row["state"]) if row["state"] in WORST else 0, row["machine"]
