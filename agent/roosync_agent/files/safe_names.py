"""File names that came from others: what may become a file here, and can never leave its folder.

A name is refused on every system when any system could take it for something else: a parent folder, a drive, a
device, an alternate stream, or a name that looks like another one to a person.
"""

import re
import unicodedata

PART_LIMIT = 120  # characters; 255 bytes is the usual limit of a name, and ours may get a suffix
NAME_LIMIT = 400
DEPTH_LIMIT = 12

_DEVICE = re.compile(
    r"^(con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(\.|$)", re.I
)
_FOREIGN = re.compile(r'[<>:"|?*\\]')


def safe_relative(name: str) -> str:
    """`name` itself, in NFC, when it is a relative file name with `/` that is harmless everywhere; else ValueError."""
    name = unicodedata.normalize("NFC", name)
    if not name or len(name) > NAME_LIMIT:
        raise ValueError(f"a file name has 1 to {NAME_LIMIT} characters, this one {len(name)}")
    parts = name.split("/")
    if len(parts) > DEPTH_LIMIT:
        raise ValueError(f"{name!r} can not be used here: more than {DEPTH_LIMIT} folders")
    for part in parts:
        fault = _fault(part)
        if fault:
            raise ValueError(f"{name!r} can not be used here: {fault}")
    return name


def _fault(part: str) -> str:
    if part in ("", ".", ".."):
        return "it leaves its folder, or names none"
    if _FOREIGN.search(part):
        return "drive letters, streams, backslashes and wildcards are not allowed"
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for character in part):
        return "it has invisible characters"
    if part != part.rstrip(". ") or part != part.lstrip(" "):
        return "Windows drops spaces and dots at the end of a name"
    if _DEVICE.match(part):
        return "it names a device on Windows"
    if len(part) > PART_LIMIT or len(part.encode()) > 255 - 40:
        return f"a part of it is longer than {PART_LIMIT} characters"
    return ""
