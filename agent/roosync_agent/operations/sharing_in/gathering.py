"""What is in a shared folder, where RooSync 2 kept it: packages, a baseline, decisions, messages."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from roosync_agent.operations.sharing_in.folder import Share, shown
from roosync_agent.operations.sharing_in.packages import Foreign, from_values, machine_name, read
from roosync_protocol import baseline_file, old_share
from roosync_protocol.baseline import MalformedContent
from roosync_protocol.entity import Entities, Entity
from roosync_protocol.names import propose as slug
from roosync_protocol.secrets import scrub

MACHINES = 500  # of one share
MESSAGES = 2_000
MESSAGE_LIMIT = 256 * 1024  # bytes of one message
BASELINES = ("configs/baseline.json", "baseline.json", "sync-config.ref.json", "sync-config.json")
BOXES = ("inbox", "sent", "archive")
SAID = ("id", "from", "to", "subject", "body", "priority", "timestamp", "status", "thread_id", "reply_to")


class Gathered(Struct, frozen=True, kw_only=True):
    packages: tuple[Foreign, ...]
    baseline: tuple[str, Entities] | None  # where it stood, and what it holds
    decisions: tuple[old_share.OldDecision, ...]
    messages: dict[str, dict[str, Any]]
    scrubbed: tuple[str, ...]


def gather(share: Share, home: Path) -> Gathered:
    packages = _packages(share, home)
    baseline = _baseline(share, home)
    roadmap = share.text("sync-roadmap.md") or ""
    messages, scrubbed = _messages(share)
    return Gathered(
        packages=tuple(packages),
        baseline=baseline,
        decisions=tuple(old_share.decisions(roadmap)),
        messages=messages,
        scrubbed=tuple(scrubbed),
    )


def _packages(share: Share, home: Path) -> list[Foreign]:
    """The newest package of each machine that the folder names; where it may lie is what RooSync 2 tried in turn."""
    places: list[tuple[str, str]] = []  # machine, folder
    for machine in share.names("configs/incoming")[:MACHINES]:
        places += _manifests(share, f"configs/incoming/{machine}", machine)
    for name in share.names("configs")[:MACHINES]:
        if name != "incoming":
            places += _manifests(share, f"configs/{name}", name)
    newest: dict[str, Foreign] = {}
    for name, folder in places:
        found = read(share, folder, machine_name(name), home)
        if found is None:
            continue
        known = newest.get(found.machine)
        if known is None or known.timestamp <= found.timestamp:
            newest[found.machine], found = found, known
        if found is not None:
            share.skip(found.path, f"there is a newer package of {found.machine}")
    for machine, one in list(newest.items()):
        if not one.files:
            share.skip(one.path, "nothing of it can be managed here")
            del newest[machine]
    return [newest[machine] for machine in sorted(newest)]


def _manifests(share: Share, folder: str, machine: str) -> list[tuple[str, str]]:
    if share.has(f"{folder}/manifest.json"):
        return [(machine, folder)]
    if not share.is_folder(folder):
        return []
    below = [f"{folder}/{name}" for name in share.names(folder)[:100]]
    return [(machine, one) for one in below if share.has(f"{one}/manifest.json")]


def _baseline(share: Share, home: Path) -> tuple[str, Entities] | None:
    """The first of the places where RooSync 2 kept one that holds configuration."""
    for place in BASELINES:
        value = share.json(place)
        if value is None:
            continue
        if isinstance(value, dict) and value.get("format") == baseline_file.FORMAT:
            try:
                file = baseline_file.read(msgspec.json.encode(value))
            except MalformedContent as error:
                share.skip(place, str(error))
                continue
            for machine in file.overlays:
                share.skip(f"{place} ({machine})", "what is special to one machine is that machine's to say")
            return place, dict(file.commons.entities)
        files, told = old_share.servers_and_modes(value)
        for line in told:
            share.skip(place, line)
        contents = from_values(share, files, home)
        entities: Entities = {}
        for content in contents:
            for name, one in content.entities.items():
                key = f"{content.target}/{name}"
                entities.setdefault(key, Entity(key=key, kind=content.kind, value=one))
        if entities:
            return place, entities
        share.skip(place, "no configuration is in it that can be managed here")
    return None


def _messages(share: Share) -> tuple[dict[str, dict[str, Any]], list[str]]:
    found: dict[str, dict[str, Any]] = {}
    scrubbed = []
    for box in BOXES:
        for file in share.names(f"messages/{box}"):
            place = f"messages/{box}/{file}"
            if not file.endswith(".json") or len(found) >= MESSAGES:
                share.skip(place, "no message" if len(found) < MESSAGES else f"more than {MESSAGES} messages")
                continue
            value = share.json(place)
            if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not value["id"]:
                if value is not None:
                    share.skip(place, "no message: it has no id")
                continue
            said = {name: value[name] for name in SAID if isinstance(value.get(name), str)}
            text = msgspec.json.encode(said)
            if len(text) > MESSAGE_LIMIT:
                share.skip(place, f"it has {len(text)} bytes; {MESSAGE_LIMIT} are kept")
                continue
            clean: dict[str, Any] = {name: scrub(part) for name, part in said.items()}
            name = slug(shown(value["id"]))
            if clean != said:
                scrubbed.append(name)
            if isinstance(tags := value.get("tags"), list):
                clean["tags"] = [shown(tag) for tag in tags[:50] if isinstance(tag, str)]
            found.setdefault(name, {**clean, "box": box})
    return found, scrubbed
