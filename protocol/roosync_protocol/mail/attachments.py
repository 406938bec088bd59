"""What may come with a letter. A name that came from somebody else is only a name: never a place.

The same rule for who sends and who saves, so that no file is sent that its recipient could not save.
"""

import re
import unicodedata

MAX_FILE = 8 * 1024 * 1024  # bytes
MAX_FILES = 10  # of one letter
MAX_TOGETHER = 16 * 1024 * 1024  # bytes of all files of one letter
MAX_NAME = 120  # characters

_PLACE = re.compile(r"[/\\:\x00]")
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # Unicode categories of what a line for a person does not hold


def attachment_fault(files: list[tuple[str, int]]) -> str:
    """Why these (name, size in bytes) can not come with one letter; "" when they can."""
    if len(files) > MAX_FILES:
        return f"{len(files)} files are too many for one letter: at most {MAX_FILES}"
    for name, size in files:
        if fault := name_fault(name):
            return fault
        if size > MAX_FILE:
            return f"{name!r} has {size} bytes, and at most {MAX_FILE} can be attached: share it in another way"
    if (together := sum(size for _, size in files)) > MAX_TOGETHER:
        return f"the files have {together} bytes together, and at most {MAX_TOGETHER} come with one letter"
    folded = [name.casefold() for name, _ in files]
    if twice := next((name for name, _ in files if folded.count(name.casefold()) > 1), None):
        return f"two files are called {twice!r}: who saves them would keep one; rename one, or write two letters"
    return ""


def name_fault(name: str) -> str:
    """Why a file can not be called so by a letter; "" when it can."""
    if not name or len(name) > MAX_NAME:
        return f"the name of an attached file has 1 to {MAX_NAME} characters, this one {len(name)}"
    if name.strip(". ") == "" or _PLACE.search(name) or any(unicodedata.category(char) in UNSEEN for char in name):
        return f"{name!r} is no name of a file alone: no folder, no drive, no invisible character may be in it"
    return ""
