"""The lines of an approval card that are not a value: a title and a text behind it, never wider than the terminal.

Texts come from other machines. A word that is longer than a line would be broken by the terminal itself, and what
follows would stand where the card's own titles stand.
"""

from roosync_agent.characters import harmless
from roosync_agent.cli.changes import chopped
from roosync_agent.columns import columns, hanging, width
from roosync_agent.wording import heard

PLACE = 14  # column at which texts begin


def titled(title: str, text: str, *, further: int = 0) -> list[str]:
    """A line of the card; what does not fit goes on below its text, `further` columns more to the right."""
    head = f"  {title:<12}" if columns(title) < 12 else f"  {title}  "
    return within(f"{head}{text}", PLACE + further)


def within(text: str, place: int) -> list[str]:
    """A text in lines of the terminal, of which all but the first begin at `place`; long words are broken too."""
    room = width()
    found = []
    for line in hanging(text, room, place):
        first, *rest = chopped(line, max(room, 20), max(room - place, 10)) if room else [line]
        found += [first, *(" " * place + part for part in rest)]
    return found


def said(text: str) -> str:
    """What a machine said, in the person's language where it is a sentence of ours; harmless in any case."""
    return harmless(heard(text))


def moment(text: str) -> str:
    """A moment as JSON has it, to the minute."""
    return f"{text[:16].replace('T', ' ')} UTC"
