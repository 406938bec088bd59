"""What a person does not see in a text, and what the head of a file of prose lets an assistant do. Data.

Characters: Unicode's format, default-ignorable and blank characters; variation selectors, tags and the joiner are
allowed where emoji and Indic or Arabic words are made with them, one at a time.
"""

import re

from roosync_protocol.risk.rules.base import CRITICAL, HIGH, How, Risk

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
    "|\r(?!\n)|[\u200c\u200d\ufe0f]{2}|(?<=[A-Za-z ])\ufe0f|\\A\ufe0f"
    "|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
# The flags of England, Scotland and Wales are written with tags.
FLAGS = re.compile("\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
                   "|\U000e0077\U000e006c\U000e0073)\U000e007f")  # fmt: skip
# Letters that pass for Latin ones, in this order, and the ones they pass for.
LOOKALIKES = dict(
    zip(
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u043a\u043c"
        "\u0442\u0432\u043d\u0433\u043f\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425"
        "\u0406\u0408\u0405\u03b1\u03bf\u03c1\u03b9\u03bd\u03c4\u03c5\u03ba\u03c7\u0391\u0392\u0395\u0396"
        "\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u0585\u057d\u0578\u0570\u0581\u0261"
        "\u0131\u217c\u2170\u04cf\u04c0\u0581",
        "aeopcyxijshdqwkmtbhrnABEKMHOPCTXIJSaopivtukxABEZHIKMNOPTYXounhggilillg",
        strict=True,
    )
)

# -- Markdown and HTML: what the page does not show
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)\Z", re.DOTALL)  # a line that begins or ends a block of code
CODE = re.compile(r"(?<!`)`[^`]+`(?!`)")
COMMENT = re.compile(r"<!--(.*?)(?:--!?>|\Z)", re.DOTALL)
LINK_COMMENT = re.compile(r"^ {0,3}\[[^\]\n]*\]:\s*(?:#|<>)\s+[\"'(](.*?)[\"')]\s*$", re.MULTILINE)
DIRECTIVE = re.compile(  # comments to tools
    r"(?i)\s*(?:/?toc\b|markdownlint|prettier|textlint|eslint|cspell|vale|remark|alex|linter|spell-?check|SPDX|doctoc"
    r"|(?:begin|start|end|stop|region|endregion)\b|copyright|licen[cs]e|all-contributors|vim:|\W*\Z)"
)
UNSHOWN = re.compile(
    r"(?i)<[a-z][^<>]{0,500}?(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0*\.?[01]?(?:px|pt|em|rem|%)?\s*[;\"']"
    r"|opacity\s*:\s*0?(?:\.0\d*)?\s*[;\"']|(?<![-\w])color\s*[:=]\s*[\"']?(?:white|transparent|#f{3}(?:f{3}){0,1}(?:0{2})?\b"
    r"|rgba?\(\s*255\s*,\s*255\s*,\s*255|rgba\([^)]*,\s*0(?:\.0+)?\s*\))"
    r"|(?:left|right|top|text-indent|margin-left)\s*:\s*-\d{3,}|clip\s*:\s*rect\(0|height\s*:\s*0(?:px)?\s*[;\"'])"
    r"|<[a-z][^<>]{0,500}?\shidden(?:[\s=>/])|\\color\{(?:white|transparent)\}"
)
DATA_URL = re.compile(r"(?i)\bdata:(?!image/(?:png|jpe?g|gif|webp|bmp)\b)[\w.+-]+/[\w.+-]+[;,]|\b(?:java|vb)script:")
# Possessive, and begun at the first blank only: a long run of blanks is looked at once.
FAR_RIGHT = re.compile(r"(?<![^\S\n])[^\S\n]{100,}+(?=[^\s|])")
FAR_DOWN = re.compile(r"(?:\A|(?<=\S))[^\S\n]*+\n(?:[^\S\n]*+\n){40,}+(?=[^\n]*\S)")
LONG_LINE = 2_000  # characters; nobody reads a line to there

# -- the head of an agent, command or skill file
HEAD_RULES: dict[str, tuple[How, Risk]] = {
    "hooks": (How.CHANGE, CRITICAL),
    "permissionmode": (How.CHANGE, CRITICAL),
    "permission": (How.CHANGE, HIGH),
    "mcpservers": (How.CHANGE, HIGH),
    "mcp-servers": (How.CHANGE, HIGH),
    "groups": (How.CHANGE, HIGH),
    "shell": (How.CHANGE, HIGH),
    "allowed-tools": (How.ALLOW, HIGH),
    "allowedtools": (How.ALLOW, HIGH),
    "tools": (How.ALLOW, HIGH),  # and without it all of them
    "disallowedtools": (How.DENY, HIGH),
    "disallowed-tools": (How.DENY, HIGH),
}
ALL_WITHOUT = frozenset({"tools"})  # fields that limit by being there
SCRIPTS = (
    ".sh", ".bash", ".zsh", ".fish", ".py", ".js", ".mjs", ".cjs", ".ts", ".ps1", ".bat", ".cmd", ".rb", ".pl", ".php",
    ".lua", ".vbs", ".psm1", ".command", ".jsx", ".tsx",
)  # fmt: skip
INLINE_COMMAND = re.compile(r"!`[^`\n]+`|^```!.*$", re.MULTILINE)
