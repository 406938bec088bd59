"""Planted secrets: none may be left in what is published, and nothing that is none may be taken away.

The secrets are made up when the tests run, so that no scanner takes this file for a leak.
"""

import base64
import json
import re
import string
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_protocol.digest import canonical
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.portable import Places, to_local, to_portable
from roosync_protocol.secrets import (
    ForeignSecretError,
    MissingSecretError,
    addresses,
    find_secrets,
    hide,
    reveal,
    scrub,
)
from roosync_protocol.secrets.text import text_spans

CHANCE = Random(20260116)
LETTERS = string.ascii_letters + string.digits
HEXADECIMAL = "0123456789abcdef"
LINUX = Places(os="posix", home="/home/ana", workspaces={"w": "/home/ana/dev"})


def drawn(length, alphabet=LETTERS):
    return "".join(CHANCE.choice(alphabet) for _ in range(length))


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


JWT = ".".join([encoded('{"alg":"HS256","typ":"JWT"}'), encoded('{"sub":"1234567890","name":"A"}'), drawn(43)])
PEM = "-----BEGIN {0}PRIVATE KEY-----\n" + drawn(64) + "\n" + drawn(30) + "==\n-----END {0}PRIVATE KEY-----"
MARKED = {  # these are seen wherever they stand
    "github": "ghp_" + drawn(36),
    "github fine": "github_pat_" + drawn(22) + "_" + drawn(40),
    "gitlab": "glpat-" + drawn(20),
    "openai": "sk-" + drawn(48),
    "openai project": "sk-proj-" + drawn(40) + "-" + drawn(20) + "7",
    "anthropic": "sk-ant-api03-" + drawn(60),
    "openrouter": "sk-or-v1-" + drawn(64, HEXADECIMAL),
    "aws id": "AKIA" + drawn(16, string.ascii_uppercase + string.digits),
    "google": "AIza" + drawn(35),
    "slack": "xoxb-" + drawn(11, string.digits) + "-" + drawn(24),
    "huggingface": "hf_" + drawn(34),
    "npm": "npm_" + drawn(36),
    "stripe": "sk_live_" + drawn(24),
    "notion": "ntn_" + drawn(40),
    "tavily": "tvly-dev-" + drawn(28),
    "jwt": JWT,
    "pem": PEM.format("RSA "),
    "openssh": PEM.format("OPENSSH "),
    "random": drawn(40),
    "random base64": base64.b64encode(bytes(CHANCE.randrange(256) for _ in range(36))).decode(),
    "nats seed": "SUA" + drawn(55, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    "telegram": drawn(10, "123456789") + ":AA" + drawn(33),
}
LOOSE = {  # these in arguments too, where ordinary words pass
    "hexadecimal": drawn(32, HEXADECIMAL),
    "uuid": "-".join(drawn(n, HEXADECIMAL) for n in (8, 4, 4, 4, 12)),
    "password": "P@ssw0rd!" + drawn(3),
}
WEAK = {  # only the place shows that these are secrets
    "word": "hunterzwei",
    "short": "s3cr",
    "number": "99887766554433221100",
    "slashes": "ab/cd+Zq9",
    "phrase": "correct horse battery staple",
    "sharp": "p#ss%20w?rd",
}
STRICT_PLACES = {  # a place -> a server with a secret there
    "env": lambda s: {"env": {"GITHUB_TOKEN": s}},
    "env, password": lambda s: {"env": {"PGPASSWORD": s}},
    "env, unknown name": lambda s: {"env": {"FOO_BAR": s}},
    "env, key with a suffix": lambda s: {"env": {"VLLM_API_KEY_MEDIUM": s}},
    "environment": lambda s: {"environment": {"X": s}},
    "env as a list": lambda s: {"env": [f"FOO={s}"]},
    "headers": lambda s: {"headers": {"Authorization": f"Bearer {s}"}},
    "headers, own": lambda s: {"headers": {"X-Custom": s}},
    "headers, basic": lambda s: {"headers": {"authorization": f"Basic {s}"}},
    "json in env": lambda s: {"env": {"H": json.dumps({"Authorization": f"Bearer {s}", "V": "2022-06-28"})}},
    "json in env, deep": lambda s: {"env": {"CONFIG": json.dumps({"a": [{"db": {"password": s, "port": 5}}]})}},
    "argument": lambda s: {"args": ["--token", s]},
    "argument with a sign": lambda s: {"args": [f"--api-key={s}"]},
    "argument, key": lambda s: {"args": ["-y", "x@1.0.0", "--access-key", s, "--verbose"]},
    "argument, header": lambda s: {"args": ["-H", f"Authorization: Bearer {s}"]},
    "argument, header tight": lambda s: {"args": ["mcp-remote", "https://x.example/sse", "--header", f"X-Api-Key:{s}"]},
    "argument, variable": lambda s: {"args": ["run", "-e", f"DB_PASS={s}", "image"]},
    "argument, environment": lambda s: {"args": ["env", f"SECRET_KEY={s}", "node"]},
    "argument, json": lambda s: {"args": ["--config", json.dumps({"apiKey": s, "port": 8080})]},
    "client secret": lambda s: {"oauth": {"clientId": "x", "clientSecret": s}},
    "unknown field": lambda s: {"apiKey": s},
    "list": lambda s: {"tokens": [s, "other-one"]},
}
WORD_PLACES = {  # where the form has no room for blanks and slashes
    "command line": lambda s: {"command": f"npx -y server --token {s} --verbose"},
    "command line with a sign": lambda s: {"command": f"npx -y server --password={s}"},
    "user": lambda s: {"args": ["-u", f"admin:{s}"]},
    "postgres": lambda s: {"args": [f"postgres://user:{s}@db.example:5432/app"]},
    "postgres in env": lambda s: {"env": {"DATABASE_URL": f"postgresql://user:{s}@db.example/app"}},
    "redis in env": lambda s: {"env": {"REDIS": f"redis://:{s}@localhost:6379/0"}},
    "mongo": lambda s: {"env": {"MDB_MCP_CONNECTION_STRING": f"mongodb+srv://u:{s}@cluster.example/?w=majority"}},
    "odbc": lambda s: {"env": {"SQL": f"Server=tcp:h.example,1433;Database=d;User ID=u;Password={s};Encrypt=True"}},
    "libpq": lambda s: {"env": {"DSN_TEXT": f"host=h.example user=u password={s} dbname=d"}},
    "query": lambda s: {"url": f"https://mcp.example.com/sse?token={s}"},
    "query, key": lambda s: {"url": f"https://mcp.example.com/sse?model=gpt&api_key={s}&x=1"},
    "query, signature": lambda s: {"url": f"https://a.blob.core.windows.net/c/b?sv=2022-11-02&se=2026-01-01&sig={s}"},
    "query in an argument": lambda s: {"args": [f"https://mcp.example.com/sse?tavilyApiKey={s}"]},
    "fragment": lambda s: {"url": f"https://mcp.example.com/#access_token={s}"},
    "user of a URL": lambda s: {"url": f"https://u:{s}@mcp.example.com/"},
    "shell code": lambda s: {"args": ["-c", f'curl -H "Authorization: Bearer {s}" https://x.example']},
    "shell variable": lambda s: {"args": ["-c", f"API_TOKEN={s} node a.js"]},
}
OPEN_PLACES = {  # nothing but the look of the value
    "argument": lambda s: {"args": ["server", s]},
    "argument after a switch": lambda s: {"args": ["--workspace", s]},
    "argument in quotes": lambda s: {"args": ["-c", f"run '{s}'"]},
    "path of a URL": lambda s: {"url": f"https://mcp.example.com/s/{s}/mcp"},
    "public name": lambda s: {"env": {"LOG_LEVEL": s}},
    "url in env": lambda s: {"env": {"ENDPOINT": f"https://x.example/{s}"}},
}
TEXT_PLACES = {
    "description": lambda s: {"description": f"use {s} for it"},
    "unknown field": lambda s: {"note": [{"a": s}]},
    "a name": lambda s: {"users": {s: "admin"}},
}
LINED = {"pem", "openssh"}


def plantings():
    everything = {**MARKED, **LOOSE, **WEAK}
    for places, secrets in (
        (STRICT_PLACES, everything),
        (WORD_PLACES, {n: s for n, s in everything.items() if not set(s) & set(" /\n#%?&")}),
        (OPEN_PLACES, {n: s for n, s in {**MARKED, **LOOSE}.items() if n not in LINED and "/" not in s}),
        (TEXT_PLACES, MARKED),
    ):
        for place, make in places.items():
            for name, secret in secrets.items():
                yield pytest.param(make(secret), secret, id=f"{place}: {name}")


PLANTINGS = list(plantings())


def server(value):
    return Entity(key="roo.mcp/x", kind=Kind.MCP_SERVER, value=value)


def published(value):
    return json.dumps(value, ensure_ascii=False)


def test_there_are_enough_of_them():
    assert len(PLANTINGS) > 800


@pytest.mark.parametrize(("value", "secret"), PLANTINGS)
def test_a_planted_secret_is_not_published(value, secret):
    entity = server(value)
    public, secrets = hide(entity)
    shown = published(public.value)
    assert secret not in shown
    assert secret.split("\n")[0] not in shown
    assert json.dumps(secret)[1:-1] not in shown
    assert not find_secrets(public.value)
    assert not any(secret in address for address in secrets)
    assert addresses(public.value) == list(secrets)
    assert reveal(public, secrets) == entity
    assert all(secret not in piece for address in secrets for piece in [scrub(address)])


ORDINARY = [
    {"env": {"maxTokens": "4096", "MAX_TOKENS": "8000", "AUTHOR": "Jane Doe", "KEYBOARD_LAYOUT": "fr-azerty"}},
    {"env": {"TOKENIZERS_PARALLELISM": "false", "NODE_ENV": "production", "LOG_LEVEL": "debug", "monkey": "true"}},
    {"env": {"PORT": "8080", "HOST": "localhost", "URL": "https://search.example.io/", "DEBUG": "1", "EMPTY": ""}},
    {"env": {"LANG": "fr_FR.UTF-8", "TZ": "Europe/Paris", "REGION": "eu-west-3", "MODEL": "gpt-4o-mini", "TTL": "10m"}},
    {"env": {"ROOT": "/home/ana/data", "WIN": "C:\\Users\\Ana Doe\\x", "REL": "./a/b.js", "PATHS": "/a/bin:/b/bin"}},
    {"env": {"PASSWORD_FILE": "/run/secrets/pg", "TOKEN_PATH": "~/.x/token", "GITHUB_TOOLSETS": "repos,issues"}},
    {"env": {"T": "${env:T}", "U": "$TOKEN", "V": "%TOKEN%", "W": "op://v/i/f", "X": "{{SECRET:A_KEY}}", "Y": "<key>"}},
    {"env": {"A_TOKEN": "${input:token}", "B_KEY": "Bearer ${env:B}", "C_KEY": "${{ secrets.C }}", "D": "{env:D}"}},
    {"env": {"H": '{"Authorization": "Bearer ${T}", "Notion-Version": "2022-06-28"}', "P": "${process.env.P}"}},
    {
        "headers": {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Authorization": "Bearer ${env:T}",
        }
    },
    {
        "env_http_headers": {"X-Api-Key": "MY_API_KEY"},
        "bearer_token_env_var": "GITHUB_TOKEN",
        "env_vars": ["API_TOKEN"],
    },
    {"command": "npx", "args": ["-y", "@playwright/mcp@latest", "--browser", "firefox", "--tokenizer", "x"]},
    {"command": "cmd /c npx -y @simonb97/server-win-cli --config ./roo-config/settings/win-cli-config.json"},
    {"command": "uvx", "args": ["workspace-mcp==1.2.3", "--tool-tier", "core", "--transport", "stdio", "--port=8000"]},
    {
        "command": "docker",
        "args": ["run", "-i", "--rm", "-v", "/var/run/docker.sock:/var/run/docker.sock", "mcp-server:local"],
    },
    {"command": "docker", "args": ["run", "ghcr.io/github/github-mcp-server@sha256:" + "0af1" * 16]},
    {
        "command": "docker",
        "args": ["-e", "LOG_LEVEL=info", "-e", "GITHUB_TOKEN", "--mount", "type=bind,src=/a/b,dst=/c"],
    },
    {
        "args": [
            "--from",
            "git+https://github.com/a/b@v1.2.3",
            "--max-tokens",
            "4096",
            "--no-token",
            "--key-file",
            "/a/key.pem",
        ]
    },
    {"args": ["-m", "mcp_server_git", "--repository", "/home/ana/dev/x", "--token-limit", "100", "--password-stdin"]},
    {"args": ["C:\\dev\\roo-extensions\\mcps\\internal\\servers\\sk-agent\\sk_agent.py", "--think", "/think step"]},
    {"args": ["https://mcp.example.com/sse?model=gpt-4o&region=eu", "http://127.0.0.1:3000/mcp", "3000", "true", ""]},
    {
        "args": [
            "postgresql://localhost/mydb",
            "redis://localhost:6379",
            "git@github.com:a/b.git",
            "--token",
            "${TOKEN}",
        ]
    },
    {
        "url": "https://mcp.context7.com/mcp",
        "type": "streamable-http",
        "timeout": 60,
        "alwaysAllow": ["get_token", "set_secret"],
    },
    {
        "description": "Needs an API key; the token: see 1Password. Password: required. api_key=your_key",
        "disabled": False,
    },
    {
        "maxTokens": 4096,
        "tokens": 12,
        "passwordRequired": True,
        "secretName": "x",
        "apiKeyHelper": "/usr/bin/key-helper",
    },
    {
        "password": True,
        "token": "",
        "apiKey": None,
        "inputs": [{"id": "api-key", "type": "promptString", "password": True}],
    },
    {"env": {"CACHE_STORE": "file", "QUEUE_CONNECTION": "sync", "DEFAULT_PRIORITY": "medium", "DUPLICATE_OK": "TRUE"}},
    {"env": {"GOOGLE_APPLICATION_CREDENTIALS": "/home/ana/keys/gcp.json", "YT_COOKIES": "~/media/cookies.txt"}},
    {"bash": {"pwd": "allow", "cat *credentials*": "deny", "gh secret*": "ask"}},
    {"models": {"Qwen3-235B-A22B-Instruct-2507": {"limit": 1}, "gemma-4-26B-A4B-it-qat-4bit": {}}},
    {"models": ["mlx-community/Qwen3-Next-80B-A3B-Instruct-4bit", "gpt-oss-120b-MXFP4-Q8", "qwen3:30b-a3b-q4_K_M"]},
    {"models": {"hf:MiniMaxAI/MiniMax-M2.1": {"id": "hf:MiniMaxAI/MiniMax-M2.1"}}, "per_token_in": 0.0000002},
]


@pytest.mark.parametrize("value", ORDINARY, ids=range(len(ORDINARY)))
def test_what_is_no_secret_stays(value):
    public, secrets = hide(server(value))
    assert public.value == value
    assert not secrets
    assert not find_secrets(value)


def test_credentials_themselves_are_no_file():
    for value in ("gcp.json", "hunter2/x", "{}", "/hunter!2", "~/.ssh/id", "/a/b.json?k=" + drawn(24)):
        assert hide(server({"env": {"GOOGLE_APPLICATION_CREDENTIALS": value, "A": "b.json"}}))[1], value
    assert hide(server({"env": {"GCP_PASSWORD": "/home/ana/gcp.json"}}))[1]
    assert hide(server({"env": {"PASSWORD": "allow"}}))[1]
    assert hide(server({"env": {"A_KEY": "Qwen3-235B-A22B-Instruct-2507"}}))[1]


DOCUMENTED = [  # what instructions say, and no secret is in
    "The project is `PVT_kwHOAAAA1c4BLw3w`, its field `PVTSSF_lAHOAAAA1c4BLw3wzg7PQRS`, the repository R_kgDOJx1AbC.",
    "| DRL-2026-03-18-xtask | done |, message ic-2026-04-17T0809-3lmh of the day",
    "export CONTEXT9_API_KEY=your_key",
    "mcp-client.py call -u http://localhost:8808 -t list",
    "Reset user password without knowing current, check the password policy before trying, password sent via channel",
    "const a = { password: iniConfig.database?.password, sessionSecret: conf.server?.sessionSecret }",
    "- CORS `*` + credentials = **High**",
    "**Token 节约规则**\uff08Agent 内部\uff09",
]


@pytest.mark.parametrize("text", DOCUMENTED)
def test_what_instructions_say_is_no_secret(text):
    assert text_spans(text, prose=True) == []


def test_what_is_beside_a_name_or_a_date_is_still_seen():
    for kept in (f"export A_B={drawn(32)}", f"run-2026-03-18-{drawn(32)}", f"Qwen3-30B-{drawn(32)}", f"{drawn(30)}-7B"):
        assert text_spans(kept, prose=True), kept


def test_addresses_are_names_and_no_places():
    value = {
        "args": ["--token=a1", "-H", "X-Key: b2", "postgres://u:c3@h/d", "-e", "K_TOKEN=d4", "--token", "e5"],
        "env": {"A/B": "f6", "URL": "https://u:g7@h.example"},
        "headers": {"Authorization": "Bearer h8"},
    }
    public, secrets = hide(server(value))
    assert secrets == {
        "roo.mcp/x/args/--token": "a1",
        "roo.mcp/x/args/-H/X-Key": "b2",
        "roo.mcp/x/args/password": "c3",
        "roo.mcp/x/args/-e/K_TOKEN": "d4",
        "roo.mcp/x/args/--token#2": "e5",
        "roo.mcp/x/env/A~1B": "f6",
        "roo.mcp/x/env/URL/password": "g7",
        "roo.mcp/x/headers/Authorization": "h8",
    }
    elsewhere = {**value, "command": "cmd", "args": ["/c", "npx", "--verbose", *value["args"]]}
    assert hide(server(elsewhere))[1] == secrets
    assert public.value["env"]["URL"] == {
        "$parts": ["https://u:", {"$secret": "roo.mcp/x/env/URL/password"}, "@h.example"]
    }


def test_the_order_of_a_list_does_not_change_addresses():
    one, two = "Bash(A_TOKEN=weak1 a:*)", "Bash(B_TOKEN=weak2 b:*)"
    found = []
    for allow in ([one, "Read", two], [two, one]):
        entity = Entity(key="claude.settings/permissions", kind=Kind.SETTING, value={"allow": allow, "tokens": ["x1"]})
        found.append(hide(entity)[1])
    assert found[0] == found[1]
    assert set(found[0]) == {
        "claude.settings/permissions/allow/A_TOKEN",
        "claude.settings/permissions/allow/B_TOKEN",
        "claude.settings/permissions/tokens",
    }


def test_the_users_own_list_of_public_names():
    value = {"env": {"TEAM_COLOUR": "ultramarine", "OTHER": "ultramarine", "GIT": MARKED["github"]}}
    public, secrets = hide(server(value), frozenset({"team-colour", "GIT"}))
    assert public.value["env"]["TEAM_COLOUR"] == "ultramarine"
    assert set(secrets) == {"roo.mcp/x/env/OTHER", "roo.mcp/x/env/GIT"}  # a vendor's mark wins


def test_what_is_no_string_can_be_secret_too():
    value = {
        "env": {"PIN": 1234, "PORT": 80},
        "args": ["--password", 99, "--port", 80],
        "users": {MARKED["github"]: [1.5]},
    }
    public, secrets = hide(server(value))
    assert public.value["env"]["PORT"] == 80
    assert public.value["args"][2:] == ["--port", 80]
    assert len(secrets) == 3
    assert reveal(public, secrets).value == value


WILD = [  # forms that were met, with one secret each
    ({"args": ["--connection-string", "Endpoint=sb://x.example/;SharedAccessKeyName=Root;SharedAccessKey=hunter2="]}),
    ({"args": ["AccountName=foo;AccountKey=hunter2hunter2;EndpointSuffix=core.windows.net"]}),
    ({"args": ["mysql", "-uroot", "-phunter2"]}),
    ({"args": ["/password:hunter2"]}),
    ({"args": ["--password:hunter2"]}),
    ({"args": ["--auth", "user:hunter2"]}),
    ({"args": ["--key", "hunter2abc"]}),
    ({"args": ["user:hunter2@db.example.com:5432/x"]}),
    ({"args": ["jdbc:postgresql://h/db?user=u&password=hunter2"]}),
    ({"args": ["jdbc:sqlserver://h:1433;databaseName=d;user=sa;password=hunter2"]}),
    ({"args": ["mongodb://admin:hunter2@h1:27017,h2:27017/?authSource=admin"]}),
    ({"args": ["--verbose", "--token=hunter2"]}),
    ({"args": ["-eFOO=hunter2"]}),
    ({"args": ["--set", "auth.password=hunter2"]}),
    ({"args": ["--openai.api_key", "hunter2"]}),
    ({"args": [["--token", "hunter2"]]}),
    ({"args": ["--headers", '{"Authorization":"hunter2"}']}),
    ({"args": ["/c", "set TOKEN=hunter2&& npx x"]}),
    ({"args": ["-Command", "$env:API_TOKEN='hunter2'; npx x"]}),
    ({"args": ["-c", "import os; os.environ['API_TOKEN']='hunter2'"]}),
    ({"command": "GITHUB_TOKEN=hunter2 npx x"}),
    ({"command": ["npx", "--token", "hunter2"]}),
    ({"env": {"DB": "user:hunter2@tcp(127.0.0.1:3306)/db"}}),
    ({"env": {"X": "postgres://u:p@ss/hunter2@h/db"}}),
    ({"env": {"LIST": "hunter2,hunter3"}}),
    ({"env": {"CFG": "token: hunter2\nurl: x"}}),
    ({"env": {"CFG": "{'token': 'hunter2'}"}}),
    ({"env": {"CFG": '[{"k":"hunter\\u0032"}]'}}),
    ({"env": {"USER": "admin:hunter2"}}),
    ({"env": {"X": {"y": ["hunter2"]}}}),
    ({"headers": {"Cookie": "session=hunter2"}}),
    ({"requestInit": {"headers": {"X": "hunter2"}}}),
    ({"apiKeys": {"a": "hunter2"}}),
]


@pytest.mark.parametrize("value", WILD, ids=range(len(WILD)))
def test_forms_that_were_met(value):
    public, secrets = hide(server(value))
    assert "hunter" not in published(public.value)
    assert reveal(public, secrets).value == value


LITERALS = [
    {"$secret": "roo.mcp/x/env/A"},
    {"$secret": "x", "a": 1},
    {"$parts": ["a", {"$secret": "x"}]},
    {"$$secret": {"$parts": []}},
    {"env": {"$parts": "a", "$secretary": "b"}},
    {"env": {"A": '\x00json:{"a": 1}'}},
]


@pytest.mark.parametrize("value", LITERALS, ids=range(len(LITERALS)))
def test_a_users_own_map_is_no_reference(value):
    public, secrets = hide(server(value))
    assert set(addresses(public.value)) == set(secrets)
    assert reveal(public, secrets).value == value


def test_what_is_missing_is_named():
    public, _secrets = hide(server({"env": {"A_TOKEN": "a", "B_TOKEN": "b"}}))
    with pytest.raises(MissingSecretError) as caught:
        reveal(public, {"roo.mcp/x/env/A_TOKEN": "a"})
    assert caught.value.addresses == ["roo.mcp/x/env/B_TOKEN"]
    assert "roo.mcp/x/env/B_TOKEN" in str(caught.value)


FORGED = [
    {"env": {"A": {"$secret": "roo.mcp/github/env/GITHUB_TOKEN"}}},
    {"args": [{"$parts": ["https://evil.example/", {"$secret": "roo.mcp/github/env/GITHUB_TOKEN"}]}]},
    {"env": {"A": {"$secret": "roo.mcp/x/env/A", "more": 1}}},
    {"env": {"A": {"$secret": 5}}},
    {"env": {"A": {"$parts": "text"}}},
    {"env": {"A": {"$parts": [["a"], 1]}}},
    {"env": {"A": {"$secret": "roo.mcp/xyz/env/A"}}},
]


@pytest.mark.parametrize("value", FORGED, ids=range(len(FORGED)))
def test_a_forged_reference_is_refused(value):
    known = {"roo.mcp/github/env/GITHUB_TOKEN": "t", "roo.mcp/x/env/A": "a", "roo.mcp/xyz/env/A": "b"}
    with pytest.raises(ForeignSecretError):
        reveal(server(value), known)


def test_prose_keeps_all_but_the_secret():
    token = MARKED["github"]
    text = f"# Rules\n\nThe token: ask Ana. Use {token} for CI.\npassword: Tr0ub4dor&3\n\n{MARKED['pem']}\nEnd.\n"
    entity = Entity(key="roo.rules/rules/a.md", kind=Kind.TEXT, value=text)
    public, secrets = hide(entity)
    assert sorted(secrets) == [
        "roo.rules/rules/a.md/github-token",
        "roo.rules/rules/a.md/password",
        "roo.rules/rules/a.md/private-key",
    ]
    parts = public.value["$parts"]
    assert parts[0] == "# Rules\n\nThe token: ask Ana. Use "
    assert parts[-1] == "\nEnd.\n"
    assert reveal(public, secrets) == entity


SPOKEN = "Blue!Horse" + drawn(2, string.digits)
TOLD = [  # how people tell a password (P) or a key (K) to each other
    *(
        "The DB password is P",
        "pw: P",
        "user: admin / password: P",
        "login admin:P",
        "creds: admin / P",
        "(password P)",
    ),
    *("Mot de passe : P", "mot de passe du NAS = P", "Le mot de passe wifi est P.", "Das Passwort lautet `P`"),
    *(
        "la contraseña es P",
        "Clé API Météo : K",
        "clé d'API : `K`",
        "Jeton d'accès : K",
        "- **API key:** K",
        "| key | K |",
    ),
    *(
        "API-Key K",
        "with the key K",
        "`WEATHER_KEY`: `K`",
        "WEATHER_KEY → K",
        "Token:\n\n```\nK\n```",
        "secret = '''P'''",
    ),
    *("sshpass -p P ssh h", "mysql -u root -pP shop", "machine h login ana password P", "<password>P</password>"),
    *(
        'setx DB_PASSWORD "P"',
        "ENV DB_PASSWORD P",
        "- name: DB_PASSWORD\n  value: P",
        "curl -u admin:P https://h",
        "x-api-key: K",
    ),
    *("<!-- token: K -->", "https://h.example/mcp/K/sse", "passphrase: amber falcon tulip river", "API key (prod): K"),
]


@pytest.mark.parametrize("line", TOLD)
@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.MODE])
def test_a_secret_that_is_told_in_prose(line, kind):
    text = (
        "# Notes\n\n"
        + re.sub(r"\b[PK]\b|(?<=-p)P", lambda m: {"P": SPOKEN, "K": LOOSE["uuid"]}[m[0]], line)
        + "\n\nEnd.\n"
    )
    entity = Entity(key="roo.rules/a.md", kind=kind, value=text if kind is Kind.TEXT else {"customInstructions": text})
    public, secrets = hide(entity)
    shown = published(public.value)
    assert not any(piece in shown for piece in (SPOKEN, "Horse", LOOSE["uuid"], LOOSE["uuid"][-12:], "falcon"))
    assert "# Notes" in shown
    assert "End." in shown
    assert reveal(public, secrets) == entity
    assert not find_secrets(public.value)


def test_settings_of_an_assistant():
    cases = {
        "claude.settings/env": {"ANTHROPIC_API_KEY": "weak", "MAX_THINKING_TOKENS": "1000", "X": "unknown value"},
        "claude.settings/permissions": {"allow": ["Bash(PGPASSWORD=weak psql:*)", "Read(~/.ssh/**)", "WebFetch"]},
        "vscode.settings/terminal.integrated.env.linux": {"FOO": "weak"},
        "roo.profiles/openAiApiKey": "weak",
        "roo.profiles/apiConfigs": {"simple": {"openAiApiKey": "weak", "openAiBaseUrl": "https://a.example/v1"}},
    }
    for key, value in cases.items():
        entity = Entity(key=key, kind=Kind.SETTING, value=value)
        public, secrets = hide(entity)
        assert "weak" not in published(public.value), key
        assert reveal(public, secrets) == entity
    kept = {
        "claude.settings/apiKeyHelper": "/usr/local/bin/key-helper --quiet",
        "roo.profiles/openAiBaseUrl": "https://api.medium.example.io/v1",
        "roo.profiles/openAiApiKey": "{{SECRET:VLLM_API_KEY_MEDIUM}}",
        "vscode.settings/editor.tokenColorCustomizations": {"comments": "#229977"},
    }
    for key, value in kept.items():
        assert hide(Entity(key=key, kind=Kind.SETTING, value=value)) == (
            Entity(key=key, kind=Kind.SETTING, value=value),
            {},
        )


def test_the_gate_sees_by_itself():
    assert find_secrets({"a": [{"b": MARKED["github"]}]}) == ["a/0/b"]
    assert find_secrets({"password": "hunterzwei"}) == ["password"]
    assert find_secrets({MARKED["slack"]: 1}) == ["(a name)"]
    assert find_secrets({"x": {"$parts": ["a", MARKED["openai"]]}}) == ["x"]
    assert find_secrets({"password": {"$secret": "a/b"}, "x": {"$parts": ["u:", {"$secret": "a/b"}]}}) == []
    assert find_secrets(MARKED["jwt"]) == [""]


LINES = {
    "a URL": ("GET https://u:hunter2@h.example/x -> 401", "GET https://u:[hidden]@h.example/x -> 401"),
    "a query": ("GET /x?api_key=abc123&y=1", "GET /x?api_key=[hidden]&y=1"),
    "one that is hidden already": (
        "contacts https://h/mcp?api_key=[secret]",
        "contacts https://h/mcp?api_key=[hidden]",
    ),
    "a header": ("Authorization: Bearer abc123def", "Authorization: Bearer [hidden]"),
    "a variable": ("PGPASSWORD=abc psql", "PGPASSWORD=[hidden] psql"),
    "a switch": ("run --token abc --port 80", "run --token [hidden] --port 80"),
    "a repr": ("{'password': 'x y z', 'port': 80}", "{'password': '[hidden]', 'port': 80}"),
    "escaped JSON": ('"{\\"apiKey\\": \\"abc def\\"}"', '"{\\"apiKey\\": \\"[hidden]\\"}"'),
    "an ordinary line": ("12 ms, token count: 300, Basic authentication, no secret found", None),
    "a digest": ("sha256:" + "0af1" * 16 + " and " + "0af1" * 16, None),
    "a public key": ("U" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" * 2, None),
    "a path": ("/home/ana/.config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json", None),
}


@pytest.mark.parametrize(("line", "scrubbed"), LINES.values(), ids=LINES)
def test_a_line_is_scrubbed(line, scrubbed):
    assert scrub(line) == (line if scrubbed is None else scrubbed)


@pytest.mark.parametrize("secret", MARKED.values(), ids=MARKED)
def test_no_marked_secret_survives_scrubbing(secret):
    for line in (
        secret,
        f"error: {secret!r} is wrong",
        f"x={secret}",
        f'{{"a":"{secret}"}}',
        f"({secret})",
        f"é{secret}é",
    ):
        assert secret.split("\n")[-2 if "\n" in secret else 0] not in scrub(line)


# ------------------------------------------------------------------------------------- properties
PIECES = st.sampled_from(
    [
        "token",
        "api_key",
        "password",
        "Authorization",
        "Bearer ",
        "Basic ",
        "--token",
        "-H",
        "--header",
        "-e",
        "=",
        ":",
        ": ",
        '"',
        "'",
        "\\",
        " ",
        "\n",
        "://",
        "https://",
        "postgres://u:",
        "@",
        "@h/db",
        "?",
        "&sig=",
        "/",
        ";",
        ",",
        "{",
        "}",
        "[",
        "]",
        "$",
        "${env:X}",
        "{{X}}",
        "<x>",
        "%X%",
        "[hidden]",
        "x",
        "hunter2",
        "Abc123!x",
        "é",
        "İ",
        "\x00json:",
        "a.b",
        "npx",
        "/c",
        "=>",
        "xxxx",
        "sha256:",
        '{"a": "b"}',
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "home",
        MARKED["github"],
        MARKED["random"],
        MARKED["jwt"],
        MARKED["openai"],
        LOOSE["hexadecimal"],
        LOOSE["uuid"],
    ]
)
TEXTS = st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=12)
NAMES = st.sampled_from(
    [
        "env",
        "headers",
        "args",
        "command",
        "url",
        "token",
        "maxTokens",
        "a",
        "$secret",
        "$parts",
        "$$secret",
        "users",
        "note",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | TEXTS, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(Kind), st.sampled_from(["roo.mcp/x", "claude.settings/env", "a.b/apiKey", "t/x/y"]), JSON)
def test_hiding_and_revealing_invert_each_other(kind, key, value):
    entity = Entity(key=key, kind=kind, value=value)
    public, secrets = hide(entity)
    assert not find_secrets(public.value)
    assert set(addresses(public.value)) == set(secrets)
    assert repr(reveal(public, secrets).value) == repr(value)
    assert hide(entity) == (public, secrets)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_paths_and_secrets_do_not_get_into_each_others_way(value):
    entity = server(value)
    public, secrets = hide(entity)
    travelled = to_portable(public, LINUX)
    assert set(addresses(travelled.value)) == set(secrets)
    back = to_local(travelled, LINUX)
    again, same_secrets = hide(reveal(back, secrets))
    if canonical(back.value) == canonical(public.value):
        assert (again, same_secrets) == (public, secrets)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_scrubbing_twice_is_scrubbing_once(text):
    once = scrub(text)
    assert scrub(once) == once


def test_scrubbing_is_fast_on_hostile_text():
    for text in (
        "://a:b" * 20_000,
        "sk-" * 30_000,
        "eyJ" * 30_000,
        "token=" * 20_000,
        "-----BEGIN PRIVATE KEY-----" * 2_000,
    ):
        scrub(text)  # the time-out of the test run is the limit


STYLES = st.one_of(
    st.text(LETTERS, min_size=24, max_size=40),
    st.text(HEXADECIMAL, min_size=32, max_size=32),
    st.binary(min_size=24, max_size=33).map(lambda data: base64.b64encode(data).decode()),
    st.text(LETTERS, min_size=36, max_size=36).map(lambda tail: f"ghp_{tail}"),
)
CONTEXTS = {  # place -> the value there, and the one address that it has whatever the secret is
    "env": (lambda v: {"env": {"API_TOKEN": v}}, "env/API_TOKEN"),
    "env, connection string": (
        lambda v: {"env": {"DB": f"Server=h.example;User Id=a;Password={v}"}},
        "env/DB/Password",
    ),
    "env, user:pass@": (lambda v: {"env": {"U": f"postgres://ana:{v}@h.example:5432/main"}}, "env/U/password"),
    "env, JSON": (lambda v: {"env": {"J": json.dumps({"Authorization": f"Bearer {v}"})}}, "env/J/Authorization"),
    "?token=": (lambda v: {"url": f"https://a.example/mcp?a=1&token={v}"}, "url/token"),
    "?api_key=": (lambda v: {"args": [f"https://a.example/sse?api_key={v}#top"]}, "args/api_key"),
    "user:pass@": (lambda v: {"args": [f"postgres://ana:{v}@h.example/main"]}, "args/password"),
    "--token=": (lambda v: {"args": ["x", f"--token={v}"]}, "args/--token"),
    "--api-key": (lambda v: {"args": ["x", "--api-key", v]}, "args/--api-key"),
    "-H": (lambda v: {"args": ["-H", f"Authorization: Bearer {v}"]}, "args/-H/Authorization"),
    "args, JSON": (lambda v: {"args": ["--config", json.dumps({"apiKey": v})]}, "args/--config/apiKey"),
}


@pytest.mark.parametrize(("place", "address"), CONTEXTS.values(), ids=CONTEXTS)
def test_an_address_does_not_depend_on_the_value(place, address):
    @settings(max_examples=60, deadline=None)
    @given(STYLES.filter(lambda value: len(set(value)) > 9 and not re.match(r"\d+/", value)))  # u:80/x@h is a port
    def holds(value):
        public, secrets = hide(server(place(value)))
        assert secrets == {f"roo.mcp/x/{address}": value}
        assert reveal(public, secrets).value == place(value)

    holds()


@pytest.mark.parametrize("text", ["YOUR_API_KEY", "xxxxxxxx", "sk-xxxx", "Bearer YOUR_TOKEN", "none", "not-needed"])
@pytest.mark.parametrize(("field", "name"), [("env", "API_KEY"), ("headers", "Authorization")])
def test_a_placeholder_under_a_name_that_says_secret_stays_here_and_its_server_is_read(field, name, text):
    public, secrets = hide(Entity(key="roo.mcp/x", kind=Kind.MCP_SERVER, value={"command": "npx", field: {name: text}}))
    assert find_secrets(public.value) == []
    assert "".join(secrets.values()) in text and secrets


@pytest.mark.parametrize("last", ["env/DATABASE_URI/password", "headers/API_KEY", "env/TOKEN", "secret"])
def test_what_to_do_about_a_secret_that_is_missing_is_not_taken_for_one(last):
    told = str(MissingSecretError([f"claude.project-mcp@shop/db/{last}"]))
    assert scrub(told) == told
    assert "roosync secrets set" in told
