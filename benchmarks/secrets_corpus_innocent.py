"""What looks like a secret and is none, where it stands in the files of coding assistants.

Each line: place | name | text. The places are those of `secrets_corpus`; the name is the variable, the header, the field,
the command or the heading. `[model]` and the like draw from LISTS, `{x40}` as in `secrets_corpus_shapes`.
"""
# ruff: noqa: E501, SIM905 - tables that a person reads and extends, a line each

import re
from random import Random

from secrets_corpus_shapes import WORDS, filled

LISTS = {
    "model": "gpt-4o-mini claude-sonnet-4-5-20250929 claude-3-5-haiku-20241022 gemini-2.5-pro-preview-06-05 qwen3-coder-480b-a35b-instruct "
             "deepseek-r1-distill-llama-70b mistral-large-2411 text-embedding-3-small llama-3.3-70b-versatile "
             "Qwen/Qwen2.5-Coder-32B-Instruct-GPTQ-Int4 anthropic/claude-opus-4.1 us.anthropic.claude-sonnet-4-20250514-v1:0".split(),
    "version": "1.2.3 0.14.0-beta.2 2025.11.18 v3.1.0 latest ^4.0.1 ~0.9 10.2.1-rc.1 next".split(),
    "pinned": "1.2.3 0.14.0 2025.11.18 3.1.0 10.2.1 0.6.2".split(),
    "package": "@modelcontextprotocol/server-filesystem @playwright/mcp mcp-remote @upstash/context7-mcp firecrawl-mcp "
               "@simonb97/server-win-cli markitdown-mcp @notionhq/notion-mcp-server tavily-mcp @supabase/mcp-server-supabase".split(),
    "image": "ghcr.io/github/github-mcp-server mcp/sqlite docker.io/library/postgres registry.example.com:5000/tools/mcp-bridge".split(),
    "path": "/home/ana/.config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json|"
            "C:\\Users\\Ana Doe\\AppData\\Roaming\\npm\\node_modules\\@playwright\\mcp\\cli.js|~/.ssh/id_ed25519.pub|"
            "/opt/homebrew/Cellar/python@3.12/3.12.7_1/bin/python3.12|./node_modules/.bin/tsx|D:\\dev\\roo-extensions\\mcps\\internal|"
            "/nix/store/abcd-python3-3.12.7/bin|/Users/ana/Library/Application Support/Claude/claude_desktop_config.json|"
            "${workspaceFolder}/scripts/run-server.mjs|/mnt/c/Users/ana/dev/token-counter/index.ts|/var/run/docker.sock".split("|"),
    "name": "Jane Doe|Ana García|Jean-Sébastien Beaulieu|O'Connor, Pat|jsboige|Zoë van der Berg|李小龍".split("|"),
    "locale": "fr_FR.UTF-8 en-US de_CH.UTF-8 pt-BR zh-Hans C.UTF-8 en".split(),
    "zone": "Europe/Paris America/Argentina/Buenos_Aires UTC Asia/Tokyo".split(),
    "layout": "fr-azerty us de-latin1-nodeadkeys qwerty bepo".split(),
    "url": "https://api.openai.com/v1|http://localhost:11434|https://api.z.ai/api/coding/paas/v4|https://my-resource.openai.azure.com/|"
           "https://generativelanguage.googleapis.com/v1beta|http://host.docker.internal:8080/mcp|https://mcp.context7.com/mcp|"
           "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens|"
           "https://api.medium.text-generation-webui.example.org/v1|wss://stream.example.com/v2/realtime|"
           "https://raw.githubusercontent.com/example/tools/refs/heads/main/schema.json".split("|"),
    "reference": "${env:GITHUB_TOKEN}|${GITHUB_TOKEN}|$OPENAI_API_KEY|%API_KEY%|op://Private/GitHub/credential|{{SECRET:VLLM_API_KEY_MEDIUM}}|"
                 "<your-key>|<YOUR_API_KEY>|${input:github-token}|{env:API_KEY}|{file:~/.secrets/key}|${{ secrets.GH_TOKEN }}|"
                 "vault://kv/data/app#token|keyring://roosync/github|${TOKEN:-}".split("|"),
    "placeholder": "YOUR_API_KEY_HERE your-api-key your_token_here xxxxxxxxxxxxxxxxxxxx sk-xxxxxxxxxxxxxxxxxxxxxxxx ghp_xxxxxxxxxxxxxxxxxxxx "
                   "<insert-token> ***** REDACTED ... YOUR-TOKEN replace-me TODO insert_your_key_here".split(),
    "french": "N'écris jamais le mot de passe dans un fichier : demande-le à l'utilisateur.|Le jeton est lu depuis la variable d'environnement.|"
              "Mot de passe oublié ? Voir la page d'aide.|La clé API se trouve dans le coffre de l'équipe.|"
              "Le secret d'une bonne soupe : du temps, de l'ail et beaucoup de patience.|"
              "Réponds toujours en français, même si la question est posée dans une autre langue.|"
              "Clé : valeur, séparées par deux-points ; jeton : unité de texte du modèle.".split("|"),
    "english": "The token: ask Ana. The password: see 1Password, vault Engineering.|Password: required, at least 12 characters, one digit.|"
               "Set api_key=your_key in the file; the token is optional.|Each token costs 0.003 cents; maxTokens: 8192 by default.|"
               "Never print a secret, a token, a cookie or an authorization header.|The secret to a good test: it can fail.|"
               "Use Bearer authentication, then Basic authentication as a fallback.|The password is stored in the keychain, the token in memory.|"
               "API key: optional | token: string | secret: string (required).|Press any key to continue; the primary key is user_id.|"
               "If the password is incorrect, try again; the access token expires after 3600 seconds.|"
               "The key insight is `useEffect`, the secret sauce is `useMemo`.|A passphrase should have four words, e.g. separated by spaces.|"
               "Passphrase: choose some random words.|The passphrase is never stored anywhere.|password = \"enter the old password\"|"
               "Pass the API key `process.env.API_KEY` to the constructor.|The session token `next-auth.session-token` is a cookie.".split("|"),
    "emoji": "🚀 Deploy, 🔑 keys are in the vault, 🔒 locked|✅ tests ✅ types ✅ lint|👩‍💻 pair programming 🧪|🔐 password manager: 1Password".split("|"),
    "regex": "^(?:src|tests)/.*\\.(?:ts|tsx)$|[A-Za-z0-9+/]{40,}={0,2}|\\.md$|^ghp_[A-Za-z0-9]{36}$|(sk|pk)_(live|test)_[0-9a-zA-Z]{24}|"
             "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}$".split("|"),
    "mime": "application/json text/event-stream application/vnd.github+json text/plain;charset=utf-8 */*".split(),
    "tools": "read_file,list_directory,search_files get_token,set_secret repos,issues,pull_requests browser_click,browser_snapshot".split(),
    "region": "eu-west-3 us-east-1 northeurope europe-west9 ap-southeast-2 us-gov-west-1".split(),
    "bool": "true false 1 0 yes no".split(),
    "level": "debug info warn ERROR trace".split(),
    "number": "4096 8192 128000 0.7 1000000 3600 65535 30".split(),
    "ports": "3000,3001,8080 5432:5432 8000-8100 127.0.0.1:9222:9222".split(),
    "slug": "orchestrator-complex code-simple test-manager-for-windows-11 sk-agent task-sk-learn-2 documentation-writer-fr".split(),
}  # fmt: skip

TABLE = """
env | MAX_TOKENS | [number]
env | DEFAULT_MINIMUM_TOKENS | [number]
env | MAX_MCP_OUTPUT_TOKENS | [number]
env | TOKEN_LIMIT | [number]
env | TOKENIZERS_PARALLELISM | [bool]
env | TOKENIZER_MODEL | [model]
env | TOKEN_CACHE_ENABLED | [bool]
env | TOKEN_PATH | [path]
env | PASSWORD_FILE | /run/secrets/db_password
env | SSH_KEY_PATH | ~/.ssh/id_ed25519
env | SECRET_NAME | [slug]
env | API_KEY_HEADER | X-Api-Key
env | AUTHOR | [name]
env | GIT_AUTHOR_NAME | [name]
env | GIT_AUTHOR_EMAIL | ana.doe@example.com
env | USER_EMAIL | ana+bots@example.org
env | KEYBOARD_LAYOUT | [layout]
env | XKB_DEFAULT_LAYOUT | [layout]
env | LANG | [locale]
env | TZ | [zone]
env | OPENAI_MODEL | [model]
env | EMBEDDING_MODEL | [model]
env | OPENAI_BASE_URL | [url]
env | OLLAMA_HOST | [url]
env | QDRANT_URL | [url]
env | QDRANT_COLLECTION | [slug]
env | COLLECTION_NAME | memory-of-project-[slug]
env | AZURE_TENANT_ID | {g}
env | AZURE_CLIENT_ID | {g}
env | AZURE_SUBSCRIPTION_ID | {g}
env | AZURE_OPENAI_DEPLOYMENT | [model]
env | AZURE_OPENAI_API_VERSION | 2025-01-01-preview
env | AWS_REGION | [region]
env | AWS_PROFILE | [slug]
env | AWS_ACCOUNT_ID | {n12}
env | GOOGLE_CLOUD_PROJECT | demo-project-{n6}
env | CLOUDFLARE_ACCOUNT_ID | {x32}
env | NOTION_DATABASE_ID | {x32}
env | GIT_COMMIT | {x40}
env | SOURCE_VERSION | {x40}
env | IMAGE_DIGEST | sha256:{x64}
env | GITHUB_SHA | {x40}
env | NODE_OPTIONS | --max-old-space-size=4096 --enable-source-maps
env | JAVA_OPTS | -Xmx2g -Dfile.encoding=UTF-8
env | PYTHONPATH | /home/ana/dev/tools:/home/ana/dev/lib
env | PATH | /usr/local/bin:/usr/bin:/home/ana/.local/bin
env | ALLOWED_DIRECTORIES | /home/ana/dev,/home/ana/notes
env | ALLOWED_TOOLS | [tools]
env | GITHUB_TOOLSETS | [tools]
env | PORTS | [ports]
env | PORT | 3000
env | TIMEOUT | 30000
env | REQUEST_TIMEOUT_MS | [number]
env | LOG_LEVEL | [level]
env | LOG_FILE | [path]
env | DEBUG | [bool]
env | NODE_ENV | production
env | MCP_SERVER_NAME | [slug]
env | SERVER_VERSION | [pinned]
env | USER_AGENT | roosync/0.1 (+https://example.org; {l6})
env | GITHUB_TOKEN | [reference]
env | API_KEY | [reference]
env | SLACK_WORKSPACE | [placeholder]
env | OPENAI_API_KEY | [reference]
env | DATABASE_URL | postgresql://localhost:5432/[kebab]
env | REDIS_URL | redis://localhost:6379/0
env | NO_PROXY | localhost,127.0.0.1,.example.com
env | DISPLAY | :0
env | CHROME_PATH | [path]
env | BROWSER | firefox
env | SESSION_NAME | [slug]
env | DISABLE_TELEMETRY | [bool]
env | FILE_PATTERN | **/*.{{ts,tsx}}
env | MEMORY_FILE_PATH | [path]
env | SCHEDULE | */15 * * * *
header | Content-Type | [mime]
header | Accept | [mime]
header | Accept-Language | fr-FR,fr;q=0.9,en;q=0.8
header | User-Agent | roo-code/3.28.1 node/20.11.1
header | Authorization | Bearer [reference]
header | X-Api-Key | [reference]
header | Authorization | Bearer [reference]
header | anthropic-version | 2023-06-01
header | Notion-Version | 2022-06-28
header | X-MCP-Toolsets | [tools]
header | X-GitHub-Api-Version | 2022-11-28
header | Cache-Control | no-cache, max-age=0
header | HTTP-Referer | [url]
header | anthropic-beta | prompt-caching-2024-07-31,context-1m-2025-08-07
field | alwaysAllow | ["get_token", "set_secret", "read_file"]
field | env_http_headers | {{"X-Api-Key": "MY_SERVICE_API_KEY"}}
field | bearer_token_env_var | "GITHUB_PAT_TOKEN"
field | timeout | 3600
field | watchPaths | ["/home/ana/dev/server/build/index.js"]
field | description | "Counts tokens; needs an API key (see README)."
field | maxTokens | 8192
field | cwd | "/home/ana/dev/secret-santa"
field | envFile | "${{workspaceFolder}}/.env"
field | disabledTools | ["get_api_key", "rotate-secret"]
field | tool_timeout_sec | 120
args | npx | -y [package]@[version]
args | npx | -y [package]@[version] --max-tokens [number]
args | npx | -y [package] --tokenizer cl100k_base --token-limit [number]
args | npx | -y mcp-remote [url] --transport http-only
args | npx | -y mcp-remote [url] 3334 --allow-http
args | npx | -y mcp-remote [url] --header "Authorization: Bearer ${{AUTH_TOKEN}}"
args | npx | -y [package]@[version] --api-key [reference]
args | npx | -y [package]@[version] --token=[placeholder]
args | npx | -y @scope/[kebab]-server@[pinned] --profile [slug]
args | uvx | --from git+https://github.com/example/[kebab]@{x40} serve
args | uvx | --from git+https://github.com/example/tools.git@v[pinned]#subdirectory=mcp serve
args | uvx | mcp-server-git==[pinned] --repository /home/ana/dev/[kebab]
args | uvx | workspace-mcp --tool-tier core --port 8000
args | docker | run -i --rm [image]@sha256:{x64}
args | docker | run -i --rm -e GITHUB_TOKEN -e LOG_LEVEL=info [image]:[pinned]
args | docker | run --rm -p [ports] -v /home/ana/dev:/work:ro [image]
args | docker | run --mount type=bind,src=/home/ana/dev,dst=/projects [image]
args | docker | run --name [kebab]-{n3} --network host [image]
args | node | /home/ana/dev/token-counter/build/index.js --stdio
args | node | --max-old-space-size=4096 dist/index.js --key-file /etc/ssl/private/server.key
args | node | build/index.js --password-file /run/secrets/pg --cert /etc/ssl/cert.pem
args | python | -m mcp_server_[snake] --db-path ./data/[kebab].sqlite
args | python | -c "import secrets; print(len(secrets.__doc__))"
args | cmd | /c npx -y [package]@[version]
args | powershell | -NoProfile -ExecutionPolicy Bypass -File C:/tools/start-[kebab].ps1
args | wsl | bash -lc "cd ~/dev && node index.js"
args | git | checkout {x40}
args | server | --model [model] --temperature 0.2
args | server | --commit {x40} --branch feature/[kebab]
args | server | --sha256 {x64}
args | server | --locale [locale] --timezone [zone]
args | server | --ports [ports] --host 0.0.0.0
args | server | --include "src/**/*.ts" --exclude "**/node_modules/**"
args | server | --pattern [regex]
args | server | --key name --sort-key created_at --primary-key id
args | server | --auth none --no-token --password-stdin
args | server | --keyboard fr-azerty --monkey-patch --keyword search
args | server | --allowed-origins https://example.com,https://app.example.org
args | server | --tenant-id {g} --client-id {g}
args | server | --workspace-id {g}
args | server | --project-ref {c20} --read-only
args | server | --public-key ssh-ed25519
args | server | --tools=[tools]
args | server | --features=account,docs,database
args | server | --config [path]
args | server | postgresql://localhost/[kebab]
args | server | git@github.com:example/[kebab].git
args | server | --author "[name]" --license MIT
command | cmdline | npx -y [package]@[version] --max-tokens [number]
command | cmdline | docker run -i --rm [image]@sha256:{x64}
command | cmdline | uvx --from git+https://github.com/example/[kebab]@{x40} serve
command | cmdline | node /home/ana/dev/[kebab]/index.js --token-limit [number]
url | url | [url]
url | url | https://mcp.example.com/sse?model=[model]&region=[region]
url | url | https://mcp.example.com/mcp?project_ref={c20}&read_only=true
url | url | https://mcp.example.com/v1/[kebab]/mcp?version=2025-06-18
url | url | https://raw.githubusercontent.com/example/tools/{x40}/file.json
url | url | https://server.smithery.ai/@example/[kebab]/mcp?profile=[slug]
setting | maxTokens | [number]
setting | modelMaxThinkingTokens | [number]
setting | modelTemperature | 0.2
setting | tokenizer | cl100k_base
setting | condensingApiConfigId | {l11}
setting | currentApiConfigName | [slug]
setting | modeApiConfigs | {{"code": "{l11}", "ask": "{l11}"}}
setting | listApiConfigMeta | [{{"id": "{l11}", "name": "default", "apiProvider": "openai", "modelId": "[model]"}}]
setting | profileThresholds | {{"{l11}": 75}}
setting | apiModelId | [model]
setting | openAiBaseUrl | [url]
setting | openAiApiKey | [reference]
setting | apiKeyHelper | /usr/local/bin/key-helper --quiet
setting | vertexKeyFile | [path]
setting | language | fr
setting | codebaseIndexConfig | {{"codebaseIndexEnabled": true, "codebaseIndexQdrantUrl": "http://localhost:6333", "codebaseIndexEmbedderModelId": "[model]"}}
setting | allowedCommands | ["git log", "npm run test:unit", "pwsh -File ./scripts/get-token-usage.ps1"]
setting | deniedCommands | ["rm -rf", "cat ~/.ssh/id_rsa", "printenv API_KEY"]
setting | permissions | {{"allow": ["Bash(git show {x40}:*)", "Read(~/.config/**)", "WebFetch(domain:docs.example.com)"]}}
setting | editor.tokenColorCustomizations | {{"comments": "#229977"}}
setting | workbench.settings.applyToAllProfiles | ["editor.fontSize", "git.autofetch"]
setting | cleanupPeriodDays | 30
setting | fallbackModel | [model]
setting | telemetry.machineId | {x64}
setting | installId | {g}
setting | enabledPlugins | {{"[kebab]@claude-plugins-official": true}}
setting | extensionVersion | [pinned]
setting | lastShownAnnouncementId | sep-2025-roo-code-{l7}
setting | customSupportPrompts | {{"ENHANCE": "Rewrite the prompt; keep every token budget and never print a secret."}}
setting | spellcheck.words | ["tokenizer", "monkeypatch", "keystore", "passwordless"]
setting | vsicons.projectDetection.autoReload | true
setting | python.defaultInterpreterPath | [path]
setting | remote.SSH.remotePlatform | {{"build-host-01.example.org": "linux"}}
setting | checksum | sha512-{b86}==
hook | command | npx prettier --write "$CLAUDE_FILE_PATHS"
hook | command | jq -r '.tool_input.command' >> ~/.claude/bash-command-log.txt
hook | command | curl -s -H "Authorization: Bearer $SLACK_TOKEN" [url]
hook | command | git rev-parse {x40} && npm test -- --reporter=dot
hook | command | python3 ~/.claude/hooks/count_tokens.py --limit=[number] --model [model]
hook | command | export API_KEY=$(op read op://Private/GitHub/credential) && ./notify.sh
hook | command | pwsh -NoProfile -File "$env:USERPROFILE/hooks/[kebab].ps1"
mode | roleDefinition | You are [slug]. [french]
mode | customInstructions | [english]
mode | customInstructions | [french]
mode | whenToUse | When tokens, keys or passwords are discussed; never to read them.
mode | description | [emoji]
mode | groups | ["read", ["edit", {{"fileRegex": "\\\\.(md|txt)$", "description": "Markdown"}}], "mcp"]
mode | source | global
mode | customInstructions | Look at commit {x40} and at issue {n4} first.
mode | customInstructions | Use the model [model] through [url] with maxTokens [number].
text | Notes | [english]
text | Consignes | [french]
text | Emoji | [emoji]
text | Last state | Deployed commit {x40} (tag v[pinned]) on [region].
text | Short commits | Fixed by {x7} and {x10}; reverted in {x8}.
text | Lock | "integrity": "sha512-{b86}=="
text | Lock | "resolved": "https://registry.npmjs.org/[kebab]/-/[kebab]-[pinned].tgz", "shasum": "{x40}"
text | Requirements | [kebab]==[pinned] --hash=sha256:{x64}
text | Go sum | github.com/example/[kebab] v[pinned] h1:{b43}=
text | Cargo | checksum = "{x64}"
text | Image | FROM [image]@sha256:{x64}
text | Checksums | {x64}  [kebab]-[pinned].tar.gz
text | Checksums | md5: {x32}
text | Logo | ![logo](data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA{b400}==)
text | Font | url(data:font/woff2;base64,d09GMgAB{b300}=)
text | Task ids | The task {g} continues the task {g}.
text | Conversation | conversation-id: {g}
text | Links | See https://github.com/example/tools/commit/{x40} and https://github.com/example/tools/pull/{n3}.
text | Links | See https://www.notion.so/example/Page-{x32} for the plan.
text | Links | https://docs.google.com/document/d/{a33}{s11}/edit
text | Links | https://www.youtube.com/watch?v={s11}
text | Links | [guide](https://learn.example.com/en/authentication/api-keys#create-a-new-api-key-for-your-service)
text | Environment | Set `OPENAI_API_KEY` and `GITHUB_TOKEN` in the environment: `export GITHUB_TOKEN=<your-token>`.
text | Environment | ```bash\\nexport API_KEY=[placeholder]\\nexport TOKEN=[reference]\\n```
text | Environment | ```env\\nAPI_KEY=\\nMAX_TOKENS=[number]\\nTOKEN_URL=https://login.example.com/oauth2/token\\n```
text | Config | ```json\\n{{"env": {{"API_KEY": "[reference]", "LOG_LEVEL": "[level]"}}}}\\n```
text | Config | ```yaml\\nmodel: [model]\\nmax_tokens: [number]\\napi_key: [reference]\\n```
text | Code | ```python\\ntoken = os.environ["GITHUB_TOKEN"]\\npassword = getpass.getpass()\\n```
text | Code | ```ts\\nconst apiKey = process.env.API_KEY ?? "";\\nconst token = await getAccessToken(scopes);\\n```
text | Code | ```ts\\nconst secretKey = config.get("secretKey");\\nauth: { token: options.token, password: undefined }\\n```
text | Code | ```sql\\nALTER TABLE users ADD COLUMN password_hash TEXT NOT NULL, ADD PRIMARY KEY (id);\\n```
text | Code | `const MAX_TOKENS_PER_MINUTE = [number]` and `getUserAccessTokenFromCookieStore()`
text | Table | Field, type: apiKey (string), secretName (string), tokenCount (number), passwordHash (bytes)
text | Paths | [path]
text | Command | npx -y [package]@[version] --token-limit [number]
text | Command | docker pull [image]@sha256:{x64}
text | Command | git cherry-pick {x40} && git push origin feature/[kebab]
text | Command | curl -H "Authorization: Bearer $GITHUB_TOKEN" https://api.github.com/user
text | Regex | The pattern `[regex]` finds keys.
text | Model | [model], then [model]; never [model].
text | Ports | [ports]
text | Branch | feature/[kebab]-[kebab]-{n4}, bugfix/ABC-{n4}-[kebab]
text | Time | 2026-01-16T10:53:42.123456Z, build 20260116.{n2}, trace 00-{x32}-{x16}-01
text | Key binding | `ctrl+k ctrl+s` opens the keyboard shortcuts; `alt+key` is free.
text | Address | 2001:0db8:85a3:0000:0000:8a2e:0370:7334, 52:54:00:ab:cd:ef, 10.0.0.0/8
text | Camel | getServerSideAuthenticationTokenProviderFactory, MAX_CONCURRENT_TOKEN_REQUESTS_PER_ORGANIZATION
text | Hosts | ep-cool-darkness-123456.eu-central-1.aws.neon.tech, {l8}.cloudfront.net
text | Public key | ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{b43} ana@laptop
text | Public key | -----BEGIN PUBLIC KEY-----\\n{b64}\\n{b64}\\n-----END PUBLIC KEY-----
text | Certificate | -----BEGIN CERTIFICATE-----\\n{b64}\\n{b64}\\n-----END CERTIFICATE-----
text | Fingerprint | SHA256:{b43} ana@laptop (ED25519)
text | Example | Use `postgres://user:password@host:5432/db` and `https://username:pass@proxy.example.com` as the form.
text | Advisory | Fixed by https://github.com/example/tools/security/advisories/GHSA-{l4}-{l4}-{l4} and CVE-2025-{n5}.
text | Cloud | Launch ami-0{x16} in subnet-0{x16}; the route table is tgw-rtb-0{x16}.
text | Cloud | arn:aws:secretsmanager:eu-west-3:{n12}:secret:prod/db-{a6}
env | DB_SECRET_ARN | arn:aws:secretsmanager:eu-west-3:{n12}:secret:prod/db-{a6}
text | Pin | public-key-pins: pin-sha256="{b43}="; the client speaks basic HTTP/1.1.
text | Chat | https://example.slack.com/archives/C0{u9}/p{n16}
setting | nextPageToken | 20
text | German | Das Passwort: bitte beim Team erfragen. Der Schlüssel liegt im Tresor.
text | Login | Login: use SSO, the user name is [name], the password is yours.
"""


def fill(template: str, chance: Random) -> str:
    """The text with everything drawn: first the lists, then `{x40}`; `{{` and `}}` are braces."""

    def one(found: re.Match[str]) -> str:
        word = "-".join(chance.sample(WORDS, 2))
        own = {"kebab": word, "snake": word.replace("-", "_")}
        return (
            own[found[1]] if found[1] in own else chance.choice(LISTS[found[1]]).replace("{", "\0").replace("}", "\1")
        )

    names = "|".join([*LISTS, "kebab", "snake"])
    text = re.sub(rf"\[({names})\]", one, template.replace("{{", "\0").replace("}}", "\1"))
    return filled(text, chance).replace("\0", "{").replace("\1", "}")


def _rows() -> tuple[tuple[str, str, str], ...]:
    rows = []
    for line in TABLE.strip().splitlines():
        place, name, text = line.split(" | ", 2)
        rows.append((place, name, text))
    return tuple(rows)


INNOCENT = _rows()
