"""How deeply is a JSON text nested? Asked of foreign bytes before anybody walks the tree that is in them.

msgspec reads nests that Python code can no longer recurse into, and how deep that is depends on who calls. So
a fixed bound is applied to the text itself, in one pass, whatever the text is.
"""

import re

MAX_DEPTH = 256  # containers inside each other; a managed file may have 200 (`documents.Limits`), messages add a few

# A string, closed or cut off, is one token; so the search never starts twice inside of one and stays linear.
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{\]}]', re.DOTALL)


def too_deep(data: bytes, limit: int = MAX_DEPTH) -> bool:
    """Are more than `limit` objects and arrays open at once anywhere in this JSON text?"""
    if data.count(b"[") + data.count(b"{") <= limit:
        return False  # nearly always
    depth = 0
    for found in _TOKENS.finditer(data):
        match found.group():
            case b"[" | b"{":
                depth += 1
                if depth > limit:
                    return True
            case b"]" | b"}":
                depth -= 1
    return False
