"""How a secret that is known may stand in a file: so that it is hidden from a diff in each of its spellings.

Rules and shapes find secrets that nobody knows; here is one that was found by its place, and is now looked for in a
text, where it may be spelled as JSON or TOML spell strings.
"""

import json

from roosync_protocol.secrets.hiding import NO_STRING


def spellings(stored: str) -> frozenset[str]:
    """`stored`: a value as `secrets.hide` gives it; one that is no string is spelled as the JSON that it is."""
    plain = stored.removeprefix(NO_STRING)
    return frozenset({plain, json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1]})
