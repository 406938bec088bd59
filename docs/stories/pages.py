"""Pages that show what a story's terminals showed, between `<!-- shown: NAME -->` and `<!-- end -->`."""

import re

MASKS = (
    (r"\b([a-z]{1,2})-[0-9a-f]{12}\b", r"\1-ID"),
    (r"\b(?:[0-9a-f]{4}-){4}[0-9a-f]{4}\b", "FINGERPRINT"),
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"roosync1-\S+", "CODE"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", "MOMENT"),
    (r"\b\d\d:\d\d(:\d\d)?\b", "HOUR"),
    (r"\(pid \d+|process \d+", "PROCESS"),
    (r"\([^()]*, (Linux|Darwin|Windows)[^()]*\)", "(HOST)"),
    (r"\b\d+\.\d+ (ms|s)\b", "TIME"),
    (r"\s+", " "),  # how a line is folded hangs on the length of the above
)


BLOCK = re.compile(r"<!-- shown: (?P<name>[^>]*?) -->\n(?:```console\n(?P<shown>.*?)\n```\n)?<!-- end -->", re.DOTALL)


def blocks(page: str) -> dict[str, str]:
    """What the page shows, by name."""
    return {found["name"]: found["shown"] or "" for found in BLOCK.finditer(page)}


def filled(page: str, shown: dict[str, str]) -> str:
    def block(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- shown: {name} -->\n```console\n{shown[name]}\n```\n<!-- end -->"

    return BLOCK.sub(block, page)


def masked(text: str) -> str:
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text)
    return text.strip()
