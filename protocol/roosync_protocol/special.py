"""What makes a difference between machines legitimate, so that nobody has to be asked about it.

Machine specifics are learned, not declared: values that are one but for a path or the name of a host
are special to their machine. The test is conservative. The values must have one shape, and at each leaf
where they differ every one of them must look like a place or a host; one ordinary difference makes a
question for a person. A table adds the settings that an assistant fills by itself (4-configuration).
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from roosync_protocol.names import Value

_PATH = re.compile(
    r"""
      [A-Za-z]:[\\/]                       # C:\x  C:/x
    | \\\\[^\\/]+[\\/]                     # \\server\share
    | /[^/\s]+/[^\s] | /(?:home|Users|mnt|opt|usr|root|tmp|var|srv|etc|[a-z])(?:/|$)
    | ~(?:[\\/]|$)
    | %[A-Za-z_]\w*%(?:[\\/]|$)            # %USERPROFILE%\x
    | \$(?:HOME|USERPROFILE|APPDATA)(?:[\\/]|$)
    | \$\{(?:home|appdata|vscode_user|python|node|(?:workspace|place):[^}]*)\}
    """,
    re.VERBOSE,
)
_SWITCH = re.compile(r"(--?[\w-]+=|file://)")  # --root=/x: the place is behind the switch
_HOST = re.compile(
    r"""
    (?:[a-z][a-z0-9+.-]*://)?(?:[^@/\s]*@)?
    (?: localhost | \[::1\] | 127(?:\.\d{1,3}){3} | 10(?:\.\d{1,3}){3} | 192\.168(?:\.\d{1,3}){2}
      | 172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2} | 169\.254(?:\.\d{1,3}){2}
      | [a-z0-9-]+\.(?:local|lan|home|internal) )
    (?::\d{1,5})?(?:/\S*)?\Z
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Absolute, and of one user or one disk: what should not stand in a baseline for everybody.
_OWN_PATH = re.compile(
    r"(?:^|[=\s\"'])(?:[A-Za-z]:[\\/]|\\\\[^\\/\s]+[\\/]|/(?:home|Users|mnt/[a-z]|[a-z])/[^\s/]|/root/|~[\\/])"
)

# Settings that Roo and Zoo Code copy from the profile in use into the top level of their state.
PROFILE_IN_USE = "currentApiConfigName"
FROM_PROFILE = frozenset(
    {
        "apiProvider", "apiModelId", "openAiBaseUrl", "openAiModelId", "openAiCustomModelInfo", "openAiLegacyFormat",
        "openAiHeaders", "openAiR1FormatEnabled", "openAiStreamingEnabled", "openAiUseAzure", "openRouterModelId",
        "openRouterBaseUrl", "anthropicBaseUrl", "ollamaModelId", "ollamaBaseUrl", "lmStudioModelId", "lmStudioBaseUrl",
        "modelTemperature", "modelMaxTokens", "modelMaxThinkingTokens", "rateLimitSeconds", "reasoningEffort",
        "enableReasoningEffort", "includeMaxTokens", "verbosity",
    }
)  # fmt: skip
# Made anew by the assistant from the profiles it has; to write it changes nothing.
DERIVED = frozenset({"listApiConfigMeta"})
# Ids that no profile has any more; those that one has are spelled by its name (`profiles`).
GENERATED = frozenset({"condensingApiConfigId", "enhancementApiConfigId", "profileThresholds"})
_GENERATED_ID = re.compile(r"[a-z0-9]{8,13}\Z")  # Math.random().toString(36), as the assistants make them


def only(values: Sequence[Value], machines: Sequence[str]) -> bool:
    """Do these values differ only in paths and names of hosts? `machines` has whose each one is, "" if nobody's."""
    first = values[0]
    if isinstance(first, dict):
        maps = [v for v in values if isinstance(v, dict) and v.keys() == first.keys()]
        return len(maps) == len(values) and all(_columns(([m[key] for m in maps] for key in first), machines))
    if isinstance(first, list):
        lists = [v for v in values if isinstance(v, list) and len(v) == len(first)]
        return len(lists) == len(values) and all(_columns(map(list, zip(*lists, strict=True)), machines))
    if any(isinstance(v, dict | list) or type(v) is not type(first) for v in values):
        return False
    if all(v == first for v in values):
        return True
    return all(isinstance(v, str) and host_like(v, m) for v, m in zip(values, machines, strict=True)) and (
        len({_switch(v) for v in values if isinstance(v, str)}) == 1
    )


def _columns(columns: Iterable[list[Value]], machines: Sequence[str]) -> Iterator[bool]:
    for column in columns:
        text = column[0]
        if not (isinstance(text, str) and column.count(text) == len(column)):  # nearly always
            yield only(column, machines)


def host_like(text: str, machine: str = "") -> bool:
    """Is the text a path, an address in the local network, or does it have this machine's name in it?"""
    if "\n" in text or len(text) > 2_000:
        return False  # prose
    place = text[len(_switch(text)) :]
    if _PATH.match(place) or _HOST.match(place):
        return True
    return bool(machine) and _names(text, machine)


def bound(value: Value, machine: str = "") -> bool:
    """Is there a path of one user or one disk, or the name of this machine, anywhere in the value?"""
    if isinstance(value, dict):
        return any(bound(v, machine) for v in value.values())
    if isinstance(value, list):
        return any(bound(v, machine) for v in value)
    return isinstance(value, str) and (
        own_path(value) or (bool(machine) and "\n" not in value and _names(value, machine))
    )


def own_path(text: str) -> bool:
    """Does the text have a path in it that belongs to one user or one disk (not /usr/bin)?"""
    return "\n" not in text and bool(_OWN_PATH.search(text))


def generated_ids(value: Value) -> bool:
    """Is the value made of ids that an assistant generated on its machine, and of nothing else?"""
    if isinstance(value, dict):
        return all(_GENERATED_ID.match(key) for key in value)
    return isinstance(value, str) and (not value or bool(_GENERATED_ID.match(value)))


def _switch(text: str) -> str:
    found = _SWITCH.match(text)
    return found.group() if found else ""


def _names(text: str, machine: str) -> bool:
    return re.search(rf"(?<![a-z0-9]){re.escape(machine)}(?![a-z0-9])", text, re.IGNORECASE) is not None
