"""The words that a person reads, in their language: English in the code, other languages in catalogues beside it.

Two ways, because texts come from two places (docs/translating.md, ADR 13):

- what a face says itself goes through `tr` and `trn` where it is said, as gettext has it;
- what the rooms below say (an error, a reason in a record, a warning), or another machine wrote, is English when it
  arrives. `heard` finds the sentence it was made of and says it again. Values of a configuration never go through it.

The language is the one that gettext and click take: `LANGUAGE`, `LC_ALL`, `LC_MESSAGES`, `LANG`, the first that is set.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roosync_agent.catalogue_file import Catalogue
    from roosync_agent.heard_words import Sentences

FOLDER = Path(__file__).parent / "locale"
FACES, BELOW = "roosync", "below"  # the catalogues: what faces say; what the rooms below say
LANGUAGES = ("fr",)
STOPS = {"fr": {"; ": " ; ", ": ": " : "}}  # between two sentences that are heard, where they are not as in English
_ASKED = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
_asides: ContextVar[str] = ContextVar("_asides", default="")  # the language of what a person is asked beside `--json`


def language() -> str:
    """The language to speak: one of `LANGUAGES`, or "en", which programs (`--json`) always read."""
    return _asides.get() or ("en" if "--json" in sys.argv else language_of_person())


@contextmanager
def with_a_person(spoken: str) -> Iterator[None]:
    """Speaks that language within, also with `--json`: a program reads the answer, a person what is asked before it."""
    before = _asides.set(spoken)
    try:
        yield
    finally:
        _asides.reset(before)


def language_of_person() -> str:
    """What the environment asks for: one of `LANGUAGES`, or "en"."""
    wanted = next((os.environ[name] for name in _ASKED if os.environ.get(name)), "") or _of_the_desktop()
    for one in wanted.split(":"):
        word = one.replace("-", "_").partition(".")[0].partition("_")[0].lower()
        if word in LANGUAGES or word in ("en", "c", "posix"):
            return word if word in LANGUAGES else "en"
    return "en"


def tr(text: str, /, **values: Any) -> str:
    """`text` in the person's language, its `{names}` filled in with `values`.

    `text` is a literal, in English: `docs/make_catalogue.py` finds it there. A translation that
    lost a name is not used.
    """
    return _filled(text if language() == "en" else _faces().gettext(text), text, values)


def trn(one: str, several: str, count: int, /, **values: Any) -> str:
    """As `tr`, of which `count` there are: `{count}` is filled in too."""
    values = {"count": count, **values}
    text = one if count == 1 else several
    return _filled(text if language() == "en" else _faces().ngettext(one, several, count), text, values)


def mark(text: str) -> str:
    """A literal in a table, which `tr` says later: here it is only found for the catalogue."""
    return text


def heard(text: str) -> str:
    """A sentence of the rooms below, or of another machine, in the person's language; as it is when nobody knows it."""
    return text if not text or language() == "en" else _sentences(language()).said(text)


def speak_to_click() -> None:
    """Lets click say its own words (Usage, Options, Error) in the same language."""
    if language() != "en":
        import gettext

        gettext.bindtextdomain(FACES, str(FOLDER))
        gettext.textdomain(FACES)
        os.environ.setdefault("LANGUAGE", language())


def _filled(said: str, text: str, values: dict[str, Any]) -> str:
    if not values:
        return said
    try:
        return said.format(**values)
    except (KeyError, IndexError, ValueError):
        return text.format(**values)


def _faces() -> "Catalogue":
    return _catalogue(FACES, language())


@cache
def _catalogue(domain: str, spoken: str) -> "Catalogue":
    from roosync_agent.catalogue_file import Catalogue

    return Catalogue(FOLDER / spoken / "LC_MESSAGES" / f"{domain}.mo")


@cache
def _sentences(spoken: str) -> "Sentences":
    from roosync_agent.heard_words import Sentences

    return Sentences(_catalogue(BELOW, spoken), STOPS.get(spoken))


def _of_the_desktop() -> str:
    """Windows has no such variable: the language of its desktop."""
    if os.name != "nt":
        return ""
    import ctypes
    import locale

    return locale.windows_locale.get(getattr(ctypes, "windll").kernel32.GetUserDefaultUILanguage(), "")  # noqa: B009
