"""How vendors mark their keys, how private keys look, and which long runs of signs are public by their form.

A new vendor is a line here. The mark alone shows what it is, so these are found wherever they stand.
"""

import re
from typing import NamedTuple

_T = "[A-Za-z0-9_-]"
_MIXED = "(?=[A-Z_-]{0,80}[a-z0-9])(?=[a-z_-]{0,80}[A-Z0-9])"  # small letters and capitals, or digits


class Vendor(NamedTuple):
    """How a vendor marks its keys. `marks` are texts of which one is in every such key: a cheap first look."""

    name: str
    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    bounded: bool = False  # the mark is also the end of ordinary words: "task-", "disk-"


def _vendor(name: str, marks: str, pattern: str, *, bounded: bool = False) -> Vendor:
    return Vendor(name, tuple(marks.split()), re.compile(pattern), bounded)


VENDORS: tuple[Vendor, ...] = (
    _vendor("github-token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{10,}"),
    _vendor("gitlab-token", "glpat- glptt- gldt- glrt- glcbt- glagent- glsoat- glft- glimt-",
            rf"gl(?:pat|ptt|dt|rt|cbt|agent|soat|ft|imt)-{_T}{{10,}}"),
    _vendor("slack-token", "xox xapp-", r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"),
    _vendor("aws-key", "AKIA ASIA ABIA ACCA", r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{12,}"),
    _vendor("google-key", "AIza ya29. GOCSPX- 1//0",
            rf"AIza{_T}{{20,}}|ya29\.{_T}{{10,}}|GOCSPX-{_T}{{10,}}|1//0{_T}{{20,}}"),
    _vendor("json-web-token", "eyJ", rf"eyJ{_T}{{8,4000}}\.(?:eyJ)?{_T}{{4,}}(?:\.{_T}*)?"),
    _vendor("encoded-json", "eyJ", r"eyJ[A-Za-z0-9+/_-]{24,}={0,2}"),
    _vendor("anthropic-key", "sk-ant-", rf"sk-ant-{_T}{{8,}}"),
    _vendor("api-key", "sk-", rf"sk-(?=[A-Za-z_-]{{0,80}}[0-9]){_T}{{16,300}}", bounded=True),
    _vendor("age-key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{20,}"),
    _vendor("onepassword-token", "ops_eyJ A3-",
            rf"ops_eyJ{_T}{{10,}}|A3-[A-Z0-9]{{6}}-(?:[A-Z0-9]{{5,6}}-){{3,}}[A-Z0-9]{{5}}"),
    _vendor("telegram-token", ":AA", rf"\d{{7,11}}:AA{_T}{{28,}}"),
    _vendor("slack-webhook", "hooks.slack.com/", r"(?<=hooks\.slack\.com/)[a-z]+/[A-Za-z0-9/_-]{8,}"),
    _vendor("discord-webhook", "/api/webhooks/", rf"(?<=/api/webhooks/)\d+/{_T}{{20,}}"),
    _vendor("npm-token", "npm_", r"npm_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{20,}"),
    _vendor("pypi-token", "pypi-", rf"pypi-(?=[A-Za-z_-]*[0-9]){_T}{{20,}}"),
    _vendor("docker-token", "dckr_", rf"dckr_(?:pat|oat)_{_T}{{10,}}"),
    _vendor("digitalocean-token", "_v1_", r"do[opr]_v1_[a-f0-9]{20,}"),
    _vendor("shopify-token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{16,}"),
    _vendor("sendgrid-key", "SG.", rf"SG\.{_T}{{10,}}\.{_T}{{10,}}"),
    _vendor("stripe-key", "_live_ _test_ whsec_", r"[srp]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{10,}"),
    _vendor("notion-token", "ntn_ secret_", r"ntn_[A-Za-z0-9]{20,}|secret_[A-Za-z0-9]{40,}"),
    _vendor("linear-key", "lin_", r"lin_(?:api|oauth)_[A-Za-z0-9]{10,}"),
    _vendor("figma-token", "figd_ figo_ figu_", rf"fig[dou]r?_{_T}{{20,}}"),
    _vendor("postman-key", "PMAK-", r"PMAK-[A-Za-z0-9-]{20,}"),
    _vendor("grafana-token", "glsa_ glc_", r"gl(?:sa|c)_[A-Za-z0-9_+/=]{20,}"),
    _vendor("supabase-token", "sbp_ sb_", rf"sbp_[a-f0-9]{{20,}}|sb_(?:secret|publishable)_{_T}{{16,}}"),
    _vendor("atlassian-token", "ATATT3 ATCTT3", r"AT[AC]TT3[A-Za-z0-9_=-]{20,}"),
    _vendor("sentry-token", "sntry", r"sntry[su]_[A-Za-z0-9_+/=-]{20,}"),
    _vendor("langsmith-key", "lsv2_", r"lsv2_(?:pt|sk)_[a-z0-9_]{20,}"),
    _vendor("langfuse-key", "pk-lf-", r"pk-lf-[a-f0-9-]{20,}", bounded=True),
    _vendor("huggingface-token", "hf_", r"hf_(?=[a-z]*[0-9A-Z])[A-Za-z0-9]{16,}"),
    _vendor("replicate-token", "r8_", r"r8_[A-Za-z0-9]{20,300}", bounded=True),
    _vendor("perplexity-key", "pplx-", r"pplx-(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16,}"),
    _vendor("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{16,300}", bounded=True),
    _vendor("xai-key", "xai-", r"xai-[A-Za-z0-9]{20,300}", bounded=True),
    _vendor("nvidia-key", "nvapi-", rf"nvapi-{_T}{{20,}}"),
    _vendor("tavily-key", "tvly-", rf"tvly-{_T}{{12,}}"),
    _vendor("tailscale-key", "tskey-", r"tskey-[a-z]+-[A-Za-z0-9-]{10,}"),
    _vendor("apify-token", "apify_api_", r"apify_api_[A-Za-z0-9]{16,}"),
    _vendor("jina-key", "jina_", r"jina_[A-Za-z0-9]{20,}"),
    _vendor("render-key", "rnd_", r"rnd_[A-Za-z0-9]{20,300}", bounded=True),
    _vendor("context7-key", "ctx7sk-", r"ctx7sk-[A-Za-z0-9-]{16,}"),
    _vendor("posthog-key", "phc_ phx_", r"ph[cx]_[A-Za-z0-9]{20,300}", bounded=True),
    _vendor("newrelic-key", "NRAK- NRAL", r"NRAK-[A-Z0-9]{20,}|[a-f0-9]{36}NRAL"),
    _vendor("databricks-token", "dapi", r"dapi[a-f0-9]{32}"),
    _vendor("pulumi-token", "pul-", r"pul-[a-f0-9]{40}"),
    _vendor("vault-token", "hvs. hvb. hvr.", rf"hv[sbr]\.{_T}{{20,}}"),
    _vendor("heroku-key", "HRKU-", rf"HRKU-{_T}{{20,}}"),
    _vendor("square-token", "sq0", rf"sq0(?:atp|csp|idp)-{_T}{{20,}}"),
    _vendor("azure-key", "AccountKey= SharedAccessKey=",
            r"(?:(?<=AccountKey=)|(?<=SharedAccessKey=))[A-Za-z0-9+/]{8,}={0,2}"),
    _vendor("azure-signature", "sig=", r"(?<=[?&;]sig=)[A-Za-z0-9%+/_-]{8,}={0,2}"),
    _vendor("bcrypt-hash", "$2a$ $2b$ $2y$", r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}"),
    _vendor("firecrawl-key", "fc-", r"fc-[a-f0-9]{24,}", bounded=True),
    _vendor("brave-key", "BSA", rf"BSA{_MIXED}{_T}{{20,100}}", bounded=True),
    _vendor("mailgun-key", "key-", r"key-[a-f0-9]{32}", bounded=True),
    _vendor("twilio-key", "SK AC", r"(?:SK|AC)[a-f0-9]{32}", bounded=True),
    _vendor("airtable-token", "pat", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{32,}", bounded=True),
    _vendor("discord-token", ".", r"[MNO][A-Za-z\d]{22,28}\.[\w-]{6}\.[\w-]{25,}", bounded=True),
    _vendor("azure-secret", "Q~", r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,40}"),
    _vendor("doppler-token", "dp.",
            r"dp\.(?:st|pt|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}", bounded=True),
    _vendor("asana-token", "1/ 2/", r"[12]/\d{14,18}(?:/\d{14,18})?:[0-9a-f]{32}", bounded=True),
    _vendor("fireworks-key", "fw_", r"fw_[A-Za-z0-9]{22,300}", bounded=True),
    _vendor("cerebras-key", "csk-", r"csk-[a-z0-9]{40,300}", bounded=True),
    _vendor("voyage-key", "pa-", rf"pa-{_MIXED}{_T}{{40,100}}", bounded=True),
    _vendor("browserbase-key", "bb_live_", rf"bb_live_{_T}{{20,}}"),
    _vendor("e2b-key", "e2b_", r"e2b_[a-f0-9]{32,}"),
    _vendor("composio-key", "ak_", rf"ak_{_MIXED}{_T}{{18,100}}", bounded=True),
    _vendor("bitbucket-password", "ATBB", r"ATBB[A-Za-z0-9_=-]{24,}"),
    _vendor("trello-token", "ATTA", r"ATTA[A-Za-z0-9]{60,}"),
    _vendor("mailgun-key-2", "-", r"[a-f0-9]{32}-[a-f0-9]{8}-[a-f0-9]{8}(?![\w-])", bounded=True),
    _vendor("mailchimp-key", "-us", r"[a-f0-9]{32}-us\d{1,2}(?!\w)", bounded=True),
    _vendor("resend-key", "re_", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}", bounded=True),
    _vendor("brevo-key", "xkeysib-", r"xkeysib-[a-f0-9]{40,}-[A-Za-z0-9]{8,}"),
    _vendor("rubygems-key", "rubygems_", r"rubygems_[a-f0-9]{40,}"),
    _vendor("netlify-token", "nfp_", r"nfp_[A-Za-z0-9]{30,}"),
    _vendor("fly-token", "fo1_ FlyV1", rf"fo1_{_T}{{30,}}|FlyV1 fm\d_[A-Za-z0-9+/=_,-]{{40,}}"),
    _vendor("neon-key", "napi_ npg_", r"napi_[a-z0-9]{40,}|npg_[A-Za-z0-9]{12,}"),
    _vendor("planetscale-key", "pscale_", rf"pscale_(?:pw|tkn|oauth)_{_T}{{30,}}"),
    _vendor("square-token-2", "EAAA", rf"EAAA{_T}{{56,}}", bounded=True),
    _vendor("terraform-token", ".atlasv1.", rf"[A-Za-z0-9]{{14}}\.atlasv1\.{_T}{{50,}}"),
    _vendor("sourcegraph-token", "sgp_", r"sgp_(?:(?:local|[a-f0-9]{16})_)?[a-f0-9]{40}"),
    _vendor("pinecone-key", "pcsk_", r"pcsk_[A-Za-z0-9]{4,8}_[A-Za-z0-9]{40,}"),
    _vendor("dropbox-token", "sl.", rf"sl\.(?:u\.)?{_T}{{60,}}", bounded=True),
    _vendor("contentful-token", "CFPAT-", rf"CFPAT-{_T}{{40,}}"),
    _vendor("clickup-token", "pk_", r"pk_\d{6,10}_[A-Z0-9]{30,}", bounded=True),
    _vendor("hubspot-token", "pat-", r"pat-[a-z]{2}\d-[0-9a-f]{8}-[0-9a-f-]{27}", bounded=True),
    _vendor("elevenlabs-key", "sk_", r"sk_[a-f0-9]{40,}", bounded=True),
    _vendor("langfuse-secret", "sk-lf-", r"sk-lf-[a-f0-9-]{20,}", bounded=True),
    _vendor("nats-seed", "SA SC SN SO SU SX", r"S[ACNOUX][A-Z2-7]{56}", bounded=True),
)  # fmt: skip
PUBLIC_BLOB = re.compile(
    r"data:(?:image|font|audio|video)/[\w.+-]{1,40};base64,[A-Za-z0-9+/=]+"
    r"|-----BEGIN (?:[A-Z0-9]{1,8} )?(?:PUBLIC KEY(?: BLOCK)?|CERTIFICATE(?: REQUEST)?)-----"
    r"[A-Za-z0-9+/=\s\\]{1,20000}"
    r"|(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d{3}|sk-ssh-ed25519@openssh\.com)\s+AAAA[A-Za-z0-9+/=]+"
    r"|\b(?:SHA256:|h1:|sha(?:1|256|384|512)[-:/=]\s?[\"']?)[A-Za-z0-9+/]{20,}={0,2}"
    r"|(?:docs|drive)\.google\.com/[\w/-]{0,40}/(?:d|folders)/[\w-]{20,80}"
    r"|/(?:[A-Z][A-Za-z]{0,30}-){1,12}[0-9a-f]{32}(?![\w-])"  # the title of a page, and its number
)
PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-(?!----BEGIN)){0,20000}?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:\s|\\+[nr])*(?:[A-Za-z0-9+/=]{16,}(?:\s|\\+[nr])*)*)"
    r"|PuTTY-User-Key-File-\d:(?:[^P]|P(?!uTTY-User)){0,20000}?Private-MAC: [0-9a-f]+"
)


def vendor_spans(text: str) -> list[tuple[int, int, str]]:
    """Start, end and name of each thing that a vendor's mark shows to be a key."""
    found: list[tuple[int, int, str]] = []
    for vendor in VENDORS:
        for mark in vendor.marks:
            if mark in text:
                break
        else:  # no `any`: this is asked of every string, and a generator costs more than the search
            continue
        at = 0
        while match := vendor.pattern.search(text, at):
            at = match.end()
            if (vendor.bounded and _inside_word(text, match.start())) or is_crossed_out(match.group()):
                at = match.start() + 1
            else:
                found.append((match.start(), match.end(), vendor.name))
    return found


def _inside_word(text: str, start: int) -> bool:
    before = text[start - 1 : start]
    if not (before.isascii() and before.isalnum()):
        return False
    return not (text[start - 2 : start - 1] == "\\" and before in "nrt") and text[start - 3 : start - 2] != "%"


def is_crossed_out(text: str) -> bool:
    """ghp_xxxxxxxx, sk-ant-...: the tail has no two different letters, as documentation writes it."""
    tail = re.split(r"[_-]", text)[-1].lower()
    return len(tail) >= 4 and len(set(tail)) == 1 and not tail[0].isdigit()
