"""500 secrets and 500 innocent look-alikes in the files of coding assistants, drawn from a seed; none was ever real.

The tables are `secrets_corpus_shapes`, `_places` and `_innocent`. Every shape comes at least once, with places
dealt out in turn among those where it is seen, so that another seed gives other secrets in other places.
"""

import json
import re
import shlex
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

import tomlkit
import yaml
from secrets_corpus_innocent import INNOCENT, fill
from secrets_corpus_places import PLACES, hook, remote, server
from secrets_corpus_shapes import SHAPES, draw

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import Value


@dataclass(frozen=True, kw_only=True)
class Case:
    """One secret, or one look-alike, where it stands."""

    name: str
    place: str
    entity: Entity
    secrets: tuple[str, ...]  # of a look-alike: the text that only looks like one
    around: str = ""  # the strings of the entity without the secret, the vendor's mark: their pieces give nothing away

    @property
    def file(self) -> tuple[str, str]:
        """The end of its file's name, and the file's text, as an assistant would have it."""
        value: Any = self.entity.value
        name = self.entity.name
        match self.entity.kind:
            case Kind.TEXT:
                return ".md", value
            case Kind.MODE:
                return ".yaml", yaml.safe_dump(
                    {"customModes": [value]}, allow_unicode=True, width=4000, sort_keys=False
                )
            case Kind.SETTING:
                return ".json", json.dumps({name: value}, indent=2, ensure_ascii=False)
        if "http_headers" in value:
            return ".toml", tomlkit.dumps({"mcp_servers": {name: value}})
        return ".json", json.dumps({"mcpServers": {name: value}}, indent=2, ensure_ascii=False)


def strings(value: Value) -> list[str]:
    """Every string and every name in a value."""
    match value:
        case str():
            return [value]
        case list():
            return [text for inner in value for text in strings(inner)]
        case dict():
            return [text for key, inner in value.items() for text in (key, *strings(inner))]
    return [] if value is None or isinstance(value, bool) else [str(value)]


def secret_cases(seed: int, count: int = 500) -> list[Case]:
    chance = Random(seed)
    shapes = chance.sample(SHAPES, len(SHAPES))
    used: Counter[str] = Counter()
    cases = []
    for number in range(count):
        shape = shapes[number % len(shapes)]
        fitting = [place for place in PLACES if shape.form in place.forms]
        least = min(used[place.name] for place in fitting)
        place = chance.choice([place for place in fitting if used[place.name] == least])
        used[place.name] += 1
        drawn = draw(shape, chance)
        dice = chance.random()
        value = place.make(drawn, Random(dice))
        empty = drawn.text
        for secret in drawn.secrets:
            empty = empty.replace(secret, "")
        around = place.make(drawn._replace(text=empty), Random(dice))
        cases.append(
            Case(
                name=f"{number} {shape.vendor} ({shape.label}) in {place.name}",
                place=place.name,
                entity=Entity(key=place.key, kind=place.kind, value=value),
                secrets=tuple({*drawn.secrets, *(quote(secret, safe="") for secret in drawn.secrets)}),
                around="\n".join([*strings(around), re.sub(r"\{\w+\}", "\n", shape.template)]),
            )
        )
    return cases


def innocent_cases(seed: int, count: int = 500) -> list[Case]:
    chance = Random(seed + 1)
    rows = chance.sample(INNOCENT, len(INNOCENT))
    cases = []
    for number in range(count):
        place, name, template = rows[number % len(rows)]
        words = [fill(word, chance) for word in (shlex.split(template) if place == "args" else [template])]
        text = " ".join(words)
        cases.append(
            Case(
                name=f"{number} {name}: {text[:60]!r} in {place}",
                place=place,
                entity=_innocent_entity(place, name, text, words),
                secrets=(text,),
            )
        )
    return cases


def _innocent_entity(place: str, name: str, text: str, words: list[str]) -> Entity:
    kind, key, value = Kind.MCP_SERVER, "roo.mcp/demo", server()
    match place:
        case "env":
            value = server(env={name: text, "LOG_LEVEL": "info"})
        case "header":
            value = remote(headers={name: text})
        case "field":
            value = server(**{name: json.loads(text)})
        case "args":
            value = {"command": name, "args": list(words)}
        case "command":
            value = {"command": text}
        case "url":
            value = remote(url=text)
        case "setting":
            kind, key, value = Kind.SETTING, "roo.settings/general", {name: _typed(text), "enabled": True}
        case "hook":
            kind, key, value = Kind.SETTING, "claude.settings/hooks", hook(text)
        case "mode":
            kind, key = Kind.MODE, "roo.modes/ops"
            value = {"slug": "ops", "name": "Ops", "groups": ["read"], name: _typed(text)}
        case "text":
            kind, key = Kind.TEXT, "roo.rules/rules/notes.md"
            value = f"# {name}\n\n" + text.replace("\\n", "\n") + "\n\nThe end.\n"
        case _:
            raise ValueError(f"no such place: {place}")
    return Entity(key=key, kind=kind, value=value)


def _typed(text: str) -> Value:
    """JSON where the table wrote JSON; otherwise the text."""
    try:
        value: Value = json.loads(text)
    except ValueError:
        return text
    return value
