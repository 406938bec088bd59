"""One environment variable or header that changed; and paths that only got a name that every machine understands."""

import re

from roosync_protocol.names import Value
from roosync_protocol.risk.dangers.addresses import READS_FILE
from roosync_protocol.risk.dangers.characters import posing
from roosync_protocol.risk.dangers.strings import flat
from roosync_protocol.risk.rules import Risk
from roosync_protocol.risk.rules import variables as rules

_TOKEN_PATH = re.compile(r"\$\{(?P<token>home|appdata|vscode_user|(?:workspace|place):[^{}]+)\}(?P<tail>[\\/].*)?\Z")
_HOME = r"(?:/home/[^/]+|/Users/[^/]+|(?:/mnt)?/?[A-Za-z]:?/Users/[^/]+|/root|\$\{home\})"
_WAS = {  # token -> what stood there before, when it is the same place; a workspace is wherever its owner says
    "home": re.compile(_HOME),
    "appdata": re.compile(_HOME + "/AppData/Roaming"),
    "vscode_user": re.compile(_HOME + "/.{1,100}/User"),
}


def of_variable(name: str, before: Value | None, after: Value) -> tuple[Risk | None, str]:
    """The class of one changed variable; None when the rule of its map decides."""
    text = flat(after)
    if rules.LOADS_CODE.match(name) or (name.upper() == "NODE_OPTIONS" and rules.NODE_LOADS.search(text)):
        return Risk.CRITICAL, "it makes programs load or trust something else"
    if rules.REDIRECTS.match(name):
        return Risk.CRITICAL, "it decides where prompts and data are sent"
    if READS_FILE.search(text):
        return Risk.CRITICAL, "the content of a file is put in"
    if plain := posing(name):
        return Risk.CRITICAL, f"its letters pass for {plain}"
    if isinstance(before, str) and isinstance(after, str) and same_place(before, after):
        return Risk.LOW, "the same place, named for every machine"
    return None, ""


def same_place(before: str, after: str) -> bool:
    """Is `after` a path of tokens that ends as the path `before` does: ${home}/a for C:\\Users\\x\\a?"""
    found = _TOKEN_PATH.match(after)
    if not found or not found["tail"]:
        return False
    tail, known = found["tail"].replace("\\", "/"), before.replace("\\", "/")
    if len(tail) < 2 or ".." in tail or not known.endswith(tail):
        return False
    was = _WAS.get(found["token"])  # /opt/app/run is not ${home}/run: it would be another program
    return bool(was and was.fullmatch(known.removesuffix(tail)))
