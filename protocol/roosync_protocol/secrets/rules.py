"""What is a secret, as tables: names that say so, names that say the contrary, and where secrets stand.

A new public name is a line here; a new vendor one in `vendors`. The reasoning over these tables is in
`names`, `values`, `text`, `prose` and `shapes`. Source of the classes:
4-configuration, "Secrets never leave".
"""
# ruff: noqa: SIM905 - word lists that a person reads and extends

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
SECRET_FILES = frozenset("credential credentials creds cookie cookies".split())  # the thing, or the file with it
SECRET_PAIRS = frozenset(  # (.., "key") and other words that are harmless alone
    [(first, last) for last in ("key", "keys") for first in
     """api access secret private signing encryption auth account license service master deploy ssh shared
     subscription app consumer client session storage admin anon role publishable write write-only user vault bot
     project tenant hmac webhook cipher crypto pgp gpg rsa ai openai anthropic gemini mistral groq""".split()]
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
    arn arns param identifier percentage display visible mode method scheme algorithm version id ids count_limit
    issuer audience scope scopes label title description hint placeholder color colors
    colour customizations rules regex pattern length encoding cache indicator counter estimate
    """.split()
)
NOT_BEFORE = frozenset(
    "max min maximum minimum num number total count context input output cached prompt completion thinking no next "
    "per page continuation".split()
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
    header headers path paths file files dir dirs directory directories folder folders url uri prefix suffix types
    limit size count timeout interval scope scopes title label color pattern patterns glob globs regex schedule cron
    tools tags ports origins extensions deployment email mail description store connection option config priority
    backends currency
    """.split()
)
# Identifiers that are public by design: TENANT_ID, --workspace-id; and what names bytes that everybody may see.
PUBLIC_IDS = frozenset(
    """
    tenant client subscription account project workspace database org organization organisation team site zone app
    application chat channel guild server page folder drive sheet spreadsheet calendar repo repository deployment
    machine device install installation profile model cluster collection group parent view base node file list board
    """.split()
)
DIGESTS = frozenset("commit sha sha1 sha256 sha512 md5 rev revision ref digest checksum integrity fingerprint".split())
GIT_VERBS = frozenset(
    "checkout rev-parse cherry-pick show revert reset merge rebase log diff switch branch tag describe".split()
)
# Words of sentences and of documentation: no generator of passphrases puts them beside each other.
PHRASE_STOPS = frozenset(
    """
    the and for with this that must should have has was were are been not your our his her its from into when then
    than them they you who what where how why any all one two four eight least minimum maximum characters words random
    required optional string field enter choose change new old here see ask use used only read write stored hashed
    encrypted reset forgotten incorrect wrong missing invalid default example user name login email file variable
    environment set get access password passphrase token secret key manager vault database rotated expires
    without with via before after between while during current policy
    les des une est pas pour dans avec voir demander
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
ANSWERS = frozenset({"allow", "ask", "deny"})  # to a pattern of commands or files: {"gh secret*": "ask"}
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
    "token secret pwd credential authorization bearer basic cookie key shared_access sharedaccess signature webhook "
    "mdp pass mnemonic jwt hmac connstr connection_string _pat -pat _sas totp _otp salt".split()
)

# ... and of sentences in some more languages (`prose`).
SPOKEN_KEYWORDS = (*KEYWORDS, *"pw clé clave chave jeton contrase senha kennwort schlüssel wachtwoord recovery".split())

HEADER_SWITCHES = frozenset({"-H", "--header", "--headers", "--http-header", "--add-header", "--extra-header"})
VARIABLE_SWITCHES = frozenset({"-e", "--env", "-E", "--env-var", "--environment", "--set-env", "--build-arg", "--set"})
USER_SWITCHES = frozenset({"-u", "--user", "--userpass", "--creds", "--basic", "--basic-auth", "--proxy-user", "-U"})
SECRET_SWITCHES = frozenset(  # beside those whose name says it
    {"--auth", "--key", "--apikey", "--bearer", "--pat", "--sig", "--dsn", "--access", "-a", "--auth-header", "--oauth"}
)
