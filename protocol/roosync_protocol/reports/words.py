"""What all reports share: two languages, the founding documents' layout, values in public form.

Labels and headings are those of seed 004; its words `merge`, `override_local`, `low` ... are not translated.
"""

from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import UNSET, json

from roosync_protocol.markdown import code, plain
from roosync_protocol.messages import Side
from roosync_protocol.secrets import scrub

Language = Literal["en", "fr"]
VALUE_SHOWN = 400  # characters of a value in a report

Section = tuple[str | tuple[str, str], ...]  # a heading, then label and text of each line; no label: a bare line


def say(language: Language, english: str, french: str) -> str:
    return french if language == "fr" else english


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC to the second, as the founding documents write it: 2025-10-13T22:00:00Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def checkpoint_name(name: str) -> str:
    return f"CHECKPOINT-{plain(name).upper()}" if name else ""


def report(title: str, *sections: Section, language: Language) -> str:
    colon = say(language, ":", " :")  # French typography sets a space before it, as seed 004 does
    lines = [f"## {title}"]
    for section in sections:
        for part in section:
            if isinstance(part, str):
                lines += ["", f"### {part}"]
            else:
                lines.append(f"- {part[0]}{colon} {part[1]}" if part[0] else f"- {part[1]}")
    return "\n".join(lines) + "\n"


def value_text(side: Side, language: Language) -> str:
    if side.digest is None:
        return say(language, "absent", "absente")
    if side.value is UNSET:
        return f"{side.size} {say(language, 'bytes', 'octets')}, SHA-256 {side.digest[:12]}"
    text = json.encode(_named_secrets(side.value), order="deterministic").decode()
    return code(scrub(text), VALUE_SHOWN)


def _named_secrets(value: Any) -> Any:
    """Public values with their secrets told in words: where each stands is in the fields' own names."""
    if isinstance(value, dict):
        if isinstance(value.get("$secret"), str):
            return "[hidden]"  # as scrub says it
        parts = value.get("$parts")
        if isinstance(parts, list) and len(value) == 1:
            return "".join(str(_named_secrets(part)) for part in parts)
        return {key: _named_secrets(one) for key, one in value.items()}
    return [_named_secrets(one) for one in value] if isinstance(value, list) else value
