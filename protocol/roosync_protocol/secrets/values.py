"""What a value looks like, whatever its name: a reference, something proven public, or something drawn by chance.

"Proven public" is the rule of the structural places (4-configuration): there a value is hidden unless its
shape shows that it can be no secret. "Looks random" is the rule of last resort everywhere else: it
measures how much of a run of letters and digits reads like words.
"""

import re
from bisect import bisect_right

from roosync_protocol.secrets.vendors import PRIVATE_KEY, PUBLIC_BLOB, is_crossed_out, vendor_spans

HIDDEN = "[hidden]"  # what `scrub` leaves behind
_REFERENCE = re.compile(
    r"""
      \$\{\{ [^{}\n]{1,100} \}\}                                      # ${{ secrets.X }}
    | \$\{ [A-Za-z_][\w.-]{0,60} (?::[A-Za-z_][\w. /-]{0,80})? (?: :-)? \}  # ${X} ${env:X} ${process.env.X}
    | \{\{ [^{}\n]{1,100} \}\}                                        # {{SECRET:X}}
    | \{ (?:env|file): [\w./~ -]{1,80} \}                             # opencode
    | %[A-Z_][A-Z0-9_()]{0,60}%                                       # %USERPROFILE%
    | \$env:[A-Za-z_]\w{0,60} | \$[A-Z_][A-Z0-9_]{1,60}\b(?![a-z!@#%^&*])
    | (?:op|vault|bws|keyring|keychain|secretref|awssm|gcpsm|azurekv)://[\w ./?=&%@\#-]{1,200}
    | arn:aws[a-z-]{0,12}:[\w:/.@+=,*-]{5,200}                         # of AWS: a name, no secret
    | <[A-Za-z][A-Za-z0-9 _.:'-]{0,60}>                               # <your token>
    | \[hidden\]
    """,
    re.VERBOSE,
)
_PLACEHOLDER = re.compile(
    r"""
      (?:your|insert|enter|paste|replace|put|add)(?:[-_ ]?[a-z]{1,12}){0,3}
      [-_ ]?(?:key|token|secret|password|me|here|it|value|id)(?:[-_ ]here)?
    | redacted | placeholder | todo | tbd | fixme | \.{3} | … | [*•]{3,} | [x]{3,}
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BETWEEN_REFERENCES = re.compile(r"(?:Bearer|Basic|Token|token|bearer)?[\s:@/.,;|=_-]*\Z")
_ORDINARY = re.compile(  # of these shapes no secret is
    r"""
      (?i:true|false|yes|no|on|off|null|none)|undefined|default|auto
    | [+-]?\d{1,16}(?:[.,]\d{1,10})?(?:[eE][+-]?\d{1,3})?
    | trace|debug|info|information|notice|warn|warning|error|critical|fatal|silent|verbose|quiet
    | production|development|staging|test|testing|local|prod|dev
    | [a-z]{2}(?:[-_](?:[A-Z][a-z]{3}|[A-Z]{2}|419))?(?:\.(?:UTF-?8|utf-?8|ISO-?8859-?\d+))?
    | (?:Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc)/[A-Za-z_/+-]{1,40}\d{0,2}
    | UTC | GMT
    | [uU][tT][fF]-?(?:8|16|32) | ISO-8859-\d+ | (?:us-)?ascii | cp\d{3,4}
    | \d{4}-\d\d-\d\d(?:[T ][\d:.]{4,15}(?:Z|[+-]\d\d:?\d\d)?)?
    | v?\d{1,4}(?:\.(?:\d{1,5}|x|\*)){1,3}(?:-(?:alpha|beta|rc|preview|next|dev)[.-]?\d{0,4})?
    | \d{1,9}\s?(?:ms|s|m|h|d|min|sec|[kKmMgGtT]i?[bB]?|%|px|rem)
    | (?:us|eu|ap|sa|ca|me|af|il|mx|cn)-(?:gov-)?(?:north|south|east|west|central){1,2}\w{0,2}-?\d?[a-d]?
    | \d{2,5}x\d{2,5} | (?:\d{1,5}:){1,2}\d{1,5} | stdio | sse | http | https | streamable-?http | websocket
    | (?:application|text|image|audio)/[a-z0-9.+*-]{1,40}(?:;\s?charset=[\w-]{1,12})? | \*/\*
    """,
    re.VERBOSE,
)
_HOST = re.compile(
    r"""(?: localhost | host\.docker\.internal | \[[0-9a-fA-F:]{2,39}\] | \d{1,3}(?:\.\d{1,3}){3} | \*
      | (?:[a-z0-9](?:[a-z0-9-]{0,40})\.){1,5}
        (?:com|org|net|io|dev|ai|app|fr|de|eu|uk|us|ch|be|es|it|nl|ca|co|cloud|so|sh|me|tech
          |local|lan|internal|home|test|example|invalid) )
        (?::\d{1,5})?\Z""",
    re.VERBOSE | re.IGNORECASE,
)
_PATH_START = re.compile(
    r"(?:[A-Za-z]:[\\/]|\\\\[\w.$-]+[\\/]|~[\\/]|\.{1,2}[\\/]"
    r"|/(?=[A-Za-z._-])|%[A-Z_()]+%[\\/]|\$HOME/|\$\{[A-Za-z_]\w*(?::[^{}\n]{1,60})?\}[\\/])"
)
_SEGMENT = re.compile(r"[\w .@+()&,~{}$%*\[\]#'!-]{0,100}\Z")
_FILE_END = re.compile(r"[\w-]+\.(?:[A-Za-z][A-Za-z0-9]{0,5})\Z")
_PACKAGE = re.compile(
    r"(?:npm:|jsr:|git\+)?(?:@[a-z0-9~][\w.-]*/)?[a-z0-9~][\w.-]{0,80}(?:\[[\w,-]+\])?(?:(?:@|==|>=|<=|~=|:)[\w.^~*<>=-]{1,30})?\Z"
)
_IMAGE = re.compile(r"[a-z0-9.:-]+(?:/[a-z0-9._-]+)*(?::[\w.-]{1,60})?(?:@sha256:[0-9a-f]{64})?\Z")
_CHUNK = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"(?<![0-9a-zA-Z])(?:[0-9a-f]{24,}|[0-9A-F]{24,})(?![0-9a-zA-Z])")
_ADDRESS_BEFORE = re.compile(r"://[^\s\"'<>?#@]*\Z")
_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_NAMED_BYTES = re.compile(  # the integrity of a package, an advisory, a symbol of C++, a resource of a cloud, a node
    r"sha(?:1|256|384|512)-|(?:GHSA|CVE)-|_Z[A-Z0-9]|(?:[a-z]{2,16}-){1,6}[0-9a-f]{8,17}\Z"
    r"|[A-Z]{1,8}_(?:k[gw]|lA)[DHLM]O[A-Za-z0-9_-]{4,40}\Z"  # of GitHub: PVT_kwHO..., R_kgDO...
)
_SIZE = r"[AE]?\d{1,4}(?:[bBmM]|bit)"
_PIECE = rf"(?:{_SIZE}|[A-Za-z]{{1,12}}\d{{0,4}}|\d{{1,8}})"
_MODEL = re.compile(rf"(?=(?:[A-Za-z0-9]*[-_/])*{_SIZE}(?:[-_/]|\Z)){_PIECE}(?:[-_/]{_PIECE})*\Z")  # Qwen3-30B-A3B-2507
_CODE = re.compile(r"[A-Za-z_]\w*(?:\??\.[A-Za-z_]\w*)+(?<!\d\d)")  # process.env.X, config.db?.password
_KEY_FILE = re.compile(r"[\\/][\w .-]{1,80}\.(?:json|ya?ml|toml|ini|txt|env|pem|key|crt|cer|p12|pfx|jks)\Z")
_TWICE = re.compile(r"([A-Za-z]{5,}).*?\1")
_DATE = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d(?:T\d{4,6})?")
_VOWEL = re.compile(r"[aeiouyAEIOUY]")
_UNLIKELY = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}|[aeiouy]{4}|q[^u]|[jvxz][bcdfgkpqtvxz]", re.IGNORECASE)


# ---------------------------------------------------------------------------------- references
def is_reference(text: str) -> bool:
    """Is the text made of references to where a secret is kept, and nothing else? `Bearer ${env:X}` is one."""
    text = text.strip()
    rest, count = _REFERENCE.subn("", text)
    if not count or not _BETWEEN_REFERENCES.match(rest):
        return False
    return not any(marked(found.group()) for found in _REFERENCE.finditer(text))


def marked(text: str) -> bool:
    """Has a vendor's mark or a private key in it, or a random run: then it is no reference, whatever is around it."""
    return bool(vendor_spans(text)) or bool(PRIVATE_KEY.search(text)) or any(random_runs(text))


def is_placeholder(text: str) -> bool:
    """`your-api-key`, `xxxx`, `REDACTED`, `...`: what documentation writes in the place of a value.

    Not `changeme`, which is in use as a password.
    """
    return bool(_PLACEHOLDER.fullmatch(text.strip())) or is_crossed_out(text.strip())


# ---------------------------------------------------------------------------------- public shapes
def proven_public(text: str) -> bool:
    """A boolean, number, log level, locale, date, version, duration, host, path, list of paths: no secret."""
    text = text.strip()
    if not text or len(text) > 2000 or "\n" in text:
        return not text
    if _ORDINARY.fullmatch(text) or is_host(text) or is_path(text) or is_scoped_package(text):
        return True
    for separator in (";", ":", ","):
        parts = text.split(separator)
        if 1 < len(parts) <= 100 and all(_list_part(part.strip()) for part in parts):
            return True
    return False


def _list_part(text: str) -> bool:
    return not text or bool(_ORDINARY.fullmatch(text)) or is_path(text) or is_host(text)


def is_host(text: str) -> bool:
    return bool(_HOST.match(text)) and not any(random_runs(text)) and not _HEX.search(text)


def is_path(text: str) -> bool:
    """A path by its shape: a start that only paths have (or a file's ending), and no segment drawn by chance."""
    if len(text) > 1000 or "://" in text or "=" in text:
        return False
    start = _PATH_START.match(text)
    segments = [part for part in re.split(r"[\\/]", text[start.end() if start else 0 :]) if part]
    if not start and not (len(segments) > 1 and _FILE_END.match(segments[-1])):
        return False
    if start and text[0] == "/" and len(segments) == 1 and re.search(r"[^\w.-]|\d", segments[0]):
        return False  # "/hunter!2" is rather a password
    if any(not _SEGMENT.match(part) or suspicious(part, least=14) for part in segments):
        return False
    return not marked(text) and not any(random_runs(text.replace("\\", "/"), 20))


def is_key_file(text: str) -> bool:
    """`~/.config/gcloud/key.json`: where credentials are kept, by a path that nothing else looks like."""
    return bool(_PATH_START.match(text) and _KEY_FILE.search(text)) and is_path(text)


def is_scoped_package(text: str) -> bool:
    return text.startswith("@") and "/" in text and is_package(text)


def is_package(text: str) -> bool:
    """An npm, PyPI or image name, with or without a version."""
    return bool(_PACKAGE.match(text) or (_IMAGE.match(text) and ("/" in text or "@sha256:" in text)))


# ---------------------------------------------------------------------------------- chance
def _blobs(text: str) -> list[tuple[int, int]]:
    """Where bytes stand that are public by their form: images, certificates, public keys, digests of packages."""
    return [match.span() for match in PUBLIC_BLOB.finditer(text)]


def random_runs(text: str, least: int = 20) -> list[tuple[int, int]]:
    """Start and end of the runs in the text, of at least so many characters, that look drawn by chance."""
    found = []
    blobs: list[tuple[int, int]] | None = None
    for match in _TOKEN.finditer(text):
        run = match.group()
        if len(run) >= least and looks_random(run, least):
            blobs = _blobs(text) if blobs is None else blobs
            if not _is_walk(text, match.start(), run, least) and not _is_public_blob(text, *match.span(), blobs, least):
                found.append(match.span())
    return found


def _is_walk(text: str, start: int, run: str, least: int) -> bool:
    """Is the run a piece of a URL's path with plain words in it? Then its segments are judged one by one."""
    parts = run.split("/")
    if len(parts) < 2 or not any(re.fullmatch("[a-z-]{3,}[0-9]?", part) and _VOWEL.search(part) for part in parts):
        return False
    in_path = _ADDRESS_BEFORE.search(text[max(0, start - 200) : start])
    return bool(in_path) and not any(looks_random(part, least) for part in parts)


def _is_public_blob(text: str, start: int, end: int, blobs: list[tuple[int, int]], least: int) -> bool:
    """Does the run lie in a blob, but for what looks ordinary before and after it?"""
    at = bisect_right(blobs, start, key=lambda blob: blob[1])
    if at == len(blobs) or blobs[at][0] >= end:
        return False
    rests = text[start : max(start, blobs[at][0])], text[min(end, blobs[at][1]) : end]
    return not any(looks_random(rest, least) for rest in rests)


def looks_random(run: str, least: int = 20) -> bool:
    """Is the run of [A-Za-z0-9+/=_-] rather a key than a name, path or number? Hexadecimal is not judged here.

    Words make long chunks of one case with vowels; chance changes between capitals, letters and digits all
    the time. A run is random when less than a good third of it reads like words and it changes often.
    """
    if _NAMED_BYTES.match(run) or _MODEL.match(run):
        return False
    if "/" in run and any(looks_random(part, least) for part in run.split("/")):
        return True
    core = _DATE.sub("", run.rstrip("="))
    if len(core) < 50 and (twice := _TWICE.search(core)) and len(twice[1]) * 3 > len(core):
        return False  # chance says nothing twice: MiniMaxAI/MiniMax-M2
    if "=" in core:  # within a run it is an assignment, and each side is judged
        return any(looks_random(part, least) for part in core.split("="))
    letters = re.sub(r"[^A-Za-z0-9]", "", core)
    if len(letters) < least - 4 or len(letters) < 12 or _is_hexadecimal(letters) or _UUID.search(run):
        return False
    has_digit, has_upper, has_lower = (bool(re.search(c, letters)) for c in ("[0-9]", "[A-Z]", "[a-z]"))
    if has_digit + has_upper + has_lower < 2 or not (has_lower or has_digit):
        return False
    chunks = _CHUNK.findall(core)
    worded = sum(len(chunk) for chunk in chunks if _reads_like_a_word(chunk))
    turns = len(chunks) / len(letters)  # words: 0.1 to 0.2; chance over 62 signs: about 0.5
    if "/" in run:  # a path has short segments, which turn often: it must be chance through and through
        turns -= 0.1
    if has_digit + has_upper + has_lower == 3:
        return turns > 0.28 and worded / len(letters) < (0.6 if len(run) == 40 else 0.5)  # 40: an AWS secret key
    if "/" in run:
        return False  # judged by its segments above
    if not has_digit:  # base64 without one digit is rare: only long and very mixed runs
        return len(letters) >= 24 and turns > 0.38 and worded / len(letters) < 0.4
    if max(map(len, re.split(r"[-_+]", core))) < 16:
        return False  # kebab-names-2 with-3-numbers-4
    return len(letters) >= max(least, 20) and turns > 0.25 and worded / len(letters) < 0.5


def _reads_like_a_word(chunk: str) -> bool:
    if chunk.isdigit():
        return len(chunk) in (4, 6, 8, 14) and chunk[:2] in ("19", "20")  # a date
    return len(chunk) >= 4 and bool(_VOWEL.search(chunk)) and not _UNLIKELY.search(chunk)


def _is_hexadecimal(letters: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", letters))


def suspicious(text: str, least: int = 16) -> bool:
    """For a bare argument or a segment of a URL: random, long hexadecimal, a UUID, or mixed like a password."""
    if random_runs(text, least) or _UUID.search(text):
        return True
    for found in _HEX.finditer(text):
        if not text[: found.start()].endswith(("sha256:", "@", "#", "sha1:", "sha512:")):
            return True
    return like_password(text)


def drawn_word(text: str) -> bool:
    """Ten or more letters of both cases and digits that read like no words: `aB3dE5fG7hI9`, not `useOAuth2Token`."""
    if (
        not re.fullmatch(r"[A-Za-z0-9_~-]{10,200}", text)
        or not re.search("[A-Z]", text)
        or not re.search("[a-z]", text)
    ):
        return False
    chunks = _CHUNK.findall(text)
    worded = sum(len(chunk) for chunk in chunks if _reads_like_a_word(chunk))
    if re.search(r"\d[A-Za-z]", text):
        return len(chunks) >= 4 and worded * 2 < len(text)
    return len(text) >= 16 and not worded and len(chunks) > len(text) / 3


def credential_like(text: str) -> bool:
    """In prose after `password:`: is this a credential and not a word of the sentence?"""
    text = text.strip("*") if text.startswith("**") else text  # **High**
    if len(text) < 6 or _ORDINARY.fullmatch(text) or re.search(r"[()\[\]{}<>]|\.\.\.|^\*+$|^[xX]+$", text):
        return False
    if _CODE.fullmatch(text) or re.match(r"(?i)your|example|my[-_]|the[-_]", text):
        return False  # os.environ.TOKEN; your-key-here
    return (
        bool(re.search(r"\d", text) and re.search(r"[A-Za-z]", text))
        or like_password(text)
        or drawn_word(text)
        or looks_random(text, 16)
    )


def like_password(text: str) -> bool:
    if not 8 <= len(text) <= 64 or re.search(r"[\s\\/\u3000-\u9fff\uff00-\uffef]", text) or is_package(text):
        return False
    if _CODE.fullmatch(text):
        return False
    kinds = [bool(re.search(c, text)) for c in ("[a-z]", "[A-Z]", "[0-9]", r"[!@#$%^&*?+~]")]
    return sum(kinds) >= 3 and kinds[3] and kinds[0] | kinds[1] and not re.search(r"[(){}<>|;\"'`=,]", text)
