"""Edits of JSONC beside the library that VS Code itself edits with: who touches more, who loses comments?

    npm install --prefix FOLDER   with tests/clients/package.json in it
    ROOSYNC_TEST_CLIENTS=FOLDER python benchmarks/documents_peers.py [--edits 3000] [--seed 1]

The same random edits of the same random documents go to both. `..._characters_touched` counts what lies between
the common beginning and the common end of the texts before and after, in both; `..._comments_lost` the comments
that were there, are gone, and belonged to no deleted or replaced entry in either's result.
"""

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import fuzz_documents as fuzz
from figures import tell
from peers import Clients, as_javascript, modify

from roosync_protocol import documents
from roosync_protocol.documents import Delete, Document, Edit, EditRefused, Rename

_COMMENT = re.compile(r"c[0-9]+c")


class Case(NamedTuple):
    document: Document
    edit: Edit
    text: str  # after our edit
    wanted: Any


def cases(name: str, count: int, seed: int) -> list[Case]:
    """Random edits that our editor made (it refuses very few)."""
    rng, run = random.Random(f"peers/{seed}/{name}"), fuzz.Run(seed, name)
    found: list[Case] = []
    while len(found) < count:
        doc = fuzz.write(rng, name)
        document = documents.parse(doc.text.encode(), name)
        for _ in range(6):
            if edit := run.choose(rng, doc.value):
                try:
                    after = documents.edit(document, [edit])
                except EditRefused:
                    continue
                found.append(Case(document, edit, after.text, fuzz.wanted(doc.value, edit)))
    return found


class Compared(NamedTuple):
    case: Case
    theirs: str  # "" when they gave an error or another value
    ours_lost: set[str]  # comments that only we lost
    theirs_lost: set[str]


def compare(clients: Clients, count: int, seed: int) -> Iterator[Compared]:
    asked = [one for one in cases("jsonc", count, seed) if one.edit.path and not isinstance(one.edit, Rename)]
    answers = clients.ask([modify(one.document, one.edit) for one in asked])
    for one, answer in zip(asked, answers, strict=True):
        if "error" in answer or as_javascript(answer["value"]) != as_javascript(one.wanted):
            yield Compared(one, "", set(), set())
            continue
        ours, theirs = set(_COMMENT.findall(one.text)), set(_COMMENT.findall(answer["text"]))
        yield Compared(one, answer["text"], theirs - ours, ours - theirs - {"c0c"})  # c0c: one that came with the edit


def touched(before: str, after: str) -> int:
    short = min(len(before), len(after))
    head = next((at for at in range(short) if before[at] != after[at]), short)
    tail = next((at for at in range(short - head) if before[-1 - at] != after[-1 - at]), short - head)
    return len(before) + len(after) - 2 * (head + tail)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    counts: Counter[str] = Counter()
    for one in compare(Clients(), given.edits, given.seed):
        counts["compared"] += 1
        if not one.theirs:
            counts["theirs_wrong"] += 1
            continue
        counts["same_text"] += one.theirs == one.case.text
        counts["ours_characters_touched"] += touched(one.case.document.text, one.case.text)
        counts["theirs_characters_touched"] += touched(one.case.document.text, one.theirs)
        counts["theirs_comments_lost"] += len(one.theirs_lost)
        if not isinstance(one.case.edit, Delete):  # with an entry its comments go
            counts["ours_comments_lost"] += len(one.ours_lost)
    for name in ("compared", "theirs_wrong", "same_text", "ours_comments_lost", "theirs_comments_lost"):
        tell(f"jsonc_edits_{name}", counts[name])
    for who in ("ours", "theirs"):
        tell(f"jsonc_edits_{who}_characters_touched", counts[f"{who}_characters_touched"])
    tell("jsonc_edits_touched_ratio", counts["ours_characters_touched"] / counts["theirs_characters_touched"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
