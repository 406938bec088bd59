"""What is a secret, as tables: names that say so, names that say the contrary, and how vendors mark their keys.

A new vendor or a new public name is a line here. The reasoning over these tables is in `secret_names`,
`secret_values`, `secret_text` and `secret_shapes`. Source of the classes: 4-configuration, "Secrets never leave".
"""
# ruff: noqa: SIM905 - word lists that a person reads and extends

import re
from typing import NamedTuple

# ------------------------------------------------------------------------------------------- names
# Names are read as words: GITHUB_TOKEN, githubToken and github-token are all ("github", "token").

SECRET_WORDS = frozenset(
    """
    token secret password passwd passphrase passcode passwort motdepasse mdp pwd pass credential credentials creds
    apikey authtoken accesstoken privatekey secretkey accesskey jwt bearer cookie cookies authorization pin otp totp
    mnemonic salt webhook hmac pat sas connstr
    """.split()
)
SECRET_ENDS = ("password", "passwd", "secret", "apikey", "token", "passphrase", "pwd")  # PGPASSWORD, accesstoken
SECRET_PLURALS = frozenset("tokens secrets passwords apikeys passphrases".split())  # counts, unless they hold text
SECRET_PAIRS = frozenset(  # (.., "key") and other words that are harmless alone
    [(first, last) for last in ("key", "keys") for first in
     """api access secret private signing encryption auth account license service master deploy ssh shared
     subscription app consumer client session storage admin anon role publishable write write-only user vault bot
     project tenant hmac webhook cipher crypto pgp gpg rsa openai anthropic gemini mistral groq""".split()]
    + [("connection", "string"), ("conn", "string"), ("session", "id"), ("client", "assertion"), ("pass", "word"),
       ("proxy", "authorization"), ("recovery", "code"), ("auth", "code"), ("shared", "access")]
)  # fmt: skip
# A word after the secret one that turns it into something else: a token limit, a password file, a key's name.
NOT_AFTER = frozenset(
    """
    limit limits count counts size max min maximum minimum length usage budget window path paths file files dir
    directory folder url uri urls endpoint endpoints host hostname port name names type types ttl timeout expiry
    expires expiration expire header headers prefix suffix var vars variable field format enabled disabled enable
    disable required optional provider providers storage store manager helper command cmd policy policies threshold
    izer parallelism stdin prompt source location rotation interval cost costs price prices per rate ratio percent
    percentage display visible mode method scheme algorithm version id ids count_limit issuer audience scope scopes
    label title description hint placeholder color colors
    colour customizations rules regex pattern length encoding cache indicator counter estimate
    """.split()
)
NOT_BEFORE = frozenset(
    "max min num number total count context input output cached prompt completion thinking no".split()
)

# Of environment variables and headers whose value is otherwise not proven public: these are, unless it looks random.
PUBLIC_NAMES = frozenset(
    name.lower().replace("-", "_") for name in
    """
    AUTHOR AUTHORS KEYBOARD_LAYOUT TOKENIZERS_PARALLELISM NODE_ENV LOG_LEVEL LOGLEVEL RUST_LOG DEBUG LANG LANGUAGE
    LC_ALL LC_CTYPE TZ TERM SHELL PATH HOME USERPROFILE APPDATA LOCALAPPDATA TEMP TMP TMPDIR SYSTEMROOT WINDIR PATHEXT
    PYTHONPATH PYTHONUNBUFFERED PYTHONIOENCODING PYTHONUTF8 PYTHONDONTWRITEBYTECODE VIRTUAL_ENV CONDA_DEFAULT_ENV
    CONDA_PREFIX NODE_OPTIONS NODE_PATH NODE_NO_WARNINGS NPM_CONFIG_LOGLEVEL NPM_CONFIG_REGISTRY UV_INDEX_URL
    JAVA_HOME JAVA_OPTS GOPATH GOFLAGS CARGO_HOME RUSTFLAGS NO_COLOR FORCE_COLOR CI EDITOR PAGER DISPLAY
    TRANSPORT MCP_TRANSPORT MCP_MODE MCP_LOG_LEVEL FASTMCP_LOG_LEVEL NO_PROXY HTTP_PROXY HTTPS_PROXY ALL_PROXY
    AWS_REGION AWS_DEFAULT_REGION AWS_PROFILE GOOGLE_CLOUD_PROJECT GOOGLE_CLOUD_LOCATION GCLOUD_PROJECT
    CLOUDSDK_CORE_PROJECT CONTENT_TYPE ACCEPT ACCEPT_LANGUAGE ACCEPT_ENCODING USER_AGENT CACHE_CONTROL
    CONNECTION ORIGIN REFERER HTTP_REFERER X_TITLE NOTION_VERSION ANTHROPIC_VERSION ANTHROPIC_BETA OPENAI_BETA
    X_GITHUB_API_VERSION MCP_PROTOCOL_VERSION
    X_MCP_TOOLSETS X_MCP_READONLY GITHUB_TOOLSETS
    """.split()
)  # fmt: skip
# ... and these, by their last word.
PUBLIC_LAST = frozenset(
    """
    model models region zone env environment level mode lang language locale layout parallelism author timezone
    encoding charset provider format type transport theme version editor shell browser engine backend driver
    platform arch workers threads device dimension dimensions protocol toolsets toolset features prompt_style
    collection index database db schema table bucket namespace cluster project workspace org organization owner repo
    repository branch host hostname server servers domain endpoint port user username profile name machine strategy
    style variant
    """.split()
)
# Keys of connection strings (Server=..;Password=..) whose value is public unless it looks random.
PUBLIC_CONNECTION = frozenset(
    """
    server host hostname hostaddr data source datasource address addr database dbname initial catalog port user id
    userid uid username endpoint accountname defaultendpointsprotocol endpointsuffix encrypt trustservercertificate
    sslmode ssl mode pooling timeout connection connect application name applicationname integrated security driver
    protocol blobendpoint queueendpoint tableendpoint fileendpoint entitypath sharedaccesskeyname type src dst
    target readonly bind multipleactiveresultsets persist info min max pool size charset
    """.split()
)
QUERY_SECRETS = frozenset("sig signature key k code auth sid sas hash hmac access t tk st session".split())

# ------------------------------------------------------------------------------------------ places
STRUCTURAL = frozenset(  # maps whose every value is secret unless proven public
    """env environment headers httpheaders requestheaders http_headers extraheaders extra_headers openaiheaders
    customheaders default_headers""".split()
)
ARGUMENTS = frozenset({"args", "arguments", "argv", "runtimeargs"})
COMMANDS = frozenset({"command", "cmd", "commandline", "statusline", "apikeyhelper", "notify"})
NAMES_OF_VARIABLES = frozenset({"env_http_headers", "env_vars", "envvars"})  # codex: header -> name of a variable
# Places that the loader of an assistant knows; TEXT and these are prose, where only what is plainly a secret is hidden.
PROSE_FIELDS = frozenset(
    {"roledefinition", "custominstructions", "whentouse", "description", "instructions", "prompt", "taskinstructions"}
)

# One of these is in every name that says secret and is looked for in running text.
KEYWORDS = tuple(
    "token secret passw passphrase passcode pwd api_key api-key apikey credential authorization bearer basic cookie "
    "private_key private-key privatekey access_key access-key accesskey account_key accountkey shared_access "
    "sharedaccess signature webhook mdp".split()
)

HEADER_SWITCHES = frozenset({"-H", "--header", "--headers", "--http-header", "--add-header", "--extra-header"})
VARIABLE_SWITCHES = frozenset({"-e", "--env", "-E", "--env-var", "--environment", "--set-env", "--build-arg", "--set"})
USER_SWITCHES = frozenset({"-u", "--user", "--userpass", "--creds", "--basic", "--basic-auth", "--proxy-user", "-U"})
SECRET_SWITCHES = frozenset(  # beside those whose name says it
    {"--auth", "--key", "--apikey", "--bearer", "--pat", "--sig", "--dsn", "--access", "-a", "--auth-header", "--oauth"}
)

# ------------------------------------------------------------------------------------------ vendors
_T = "[A-Za-z0-9_-]"


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
    _vendor("newrelic-key", "NRAK-", r"NRAK-[A-Z0-9]{20,}"),
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
    _vendor("brave-key", "BSA", rf"BSA(?=[A-Za-z_-]{{0,80}}[0-9]){_T}{{20,100}}", bounded=True),
    _vendor("mailgun-key", "key-", r"key-[a-f0-9]{32}", bounded=True),
    _vendor("twilio-key", "SK AC", r"(?:SK|AC)[a-f0-9]{32}", bounded=True),
    _vendor("airtable-token", "pat", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{32,}", bounded=True),
    _vendor("discord-token", ".", r"[MNO][A-Za-z\d]{22,28}\.[\w-]{6}\.[\w-]{25,}", bounded=True),
    _vendor("nats-seed", "SA SC SN SO SU SX", r"S[ACNOUX][A-Z2-7]{56}", bounded=True),
)  # fmt: skip
PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-(?!----BEGIN)){0,20000}?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:\s|\\+[nr])*(?:[A-Za-z0-9+/=]{16,}(?:\s|\\+[nr])*)*)"
    r"|PuTTY-User-Key-File-\d:(?:[^P]|P(?!uTTY-User)){0,20000}?Private-MAC: [0-9a-f]+"
)
