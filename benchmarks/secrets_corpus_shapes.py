"""The shapes of secrets that vendors give out, as templates: what is drawn is new for each seed and opens nothing.

Each line: vendor | what it is called | its usual variable | form | template. `{a36}` draws 36 signs of a class (the
table CLASSES), `{p}` a password, `{w4}` four words, `{g}` a UUID, `{j}` a JSON web token. What stands between «» is the
secret; without them it is the whole. The forms say where such a thing can stand (`secrets_corpus_places`):

    marked     a vendor's mark shows what it is          plain    only chance: no mark
    weak       a password, one word                      phrase   a password of several words
    web        a web address with a secret in it         url      another URL: a database, a broker
    pairs      Server=..;Password=..                      block    several lines: a private key, a JSON file
"""
# ruff: noqa: E501, SIM905 - tables that a person reads and extends, a line each

import base64
import json
import re
import string
from random import Random
from typing import NamedTuple

LETTERS = string.ascii_letters + string.digits
CLASSES = {
    "a": LETTERS,
    "l": string.ascii_lowercase + string.digits,
    "u": string.ascii_uppercase + string.digits,
    "x": "0123456789abcdef",
    "X": "0123456789ABCDEF",
    "d": string.digits,
    "n": string.digits[1:],
    "b": LETTERS + "+/",
    "s": LETTERS + "-_",
    "t": string.ascii_uppercase + "234567",
    "r": "!@#$%^&*?",
}
WORDS = (
    "amber anchor bamboo basil cactus canyon cedar clover comet copper coral cotton dragon ember falcon fjord garnet ginger harbor "
    "hazel indigo jasmine juniper kettle lagoon lantern maple marble meadow mango nectar nutmeg onyx orbit otter pepper pillow "
    "plum quartz raven river saffron shadow silver sparrow summer tiger tulip velvet walnut willow winter zephyr"
).split()

TABLE = """
GitHub classic | token | GITHUB_PERSONAL_ACCESS_TOKEN | marked | ghp_{a36}
GitHub fine-grained | token | GITHUB_TOKEN | marked | github_pat_{a22}_{a59}
GitHub app | installation token | GH_TOKEN | marked | ghs_{a36}
GitHub OAuth | token | GITHUB_OAUTH_TOKEN | marked | gho_{a36}
GitLab | token | GITLAB_PERSONAL_ACCESS_TOKEN | marked | glpat-{s20}
GitLab runner | token | CI_RUNNER_TOKEN | marked | glrt-{s20}
Slack bot | bot token | SLACK_BOT_TOKEN | marked | xoxb-{n12}-{n13}-{a24}
Slack user | token | SLACK_USER_TOKEN | marked | xoxp-{n12}-{n12}-{n13}-{x32}
Slack app | app token | SLACK_APP_TOKEN | marked | xapp-1-A{u10}-{n13}-{x64}
Slack webhook | webhook | SLACK_WEBHOOK_URL | web | https://hooks.slack.com/services/«T{u10}/B{u10}/{a24}»
AWS id | access key id | AWS_ACCESS_KEY_ID | marked | AKIA{t16}
AWS session id | access key id | AWS_ACCESS_KEY_ID | marked | ASIA{t16}
AWS | secret access key | AWS_SECRET_ACCESS_KEY | plain | {b40}
Google service account | credentials | GOOGLE_APPLICATION_CREDENTIALS_JSON | block | gcp
Google AI | API key | GEMINI_API_KEY | marked | AIza{s35}
Google Maps | API key | GOOGLE_MAPS_API_KEY | marked | AIzaSy{s33}
Google OAuth | client secret | GOOGLE_CLIENT_SECRET | marked | GOCSPX-{s28}
Google refresh | refresh token | GOOGLE_REFRESH_TOKEN | marked | 1//0{s60}
Azure storage | account key | AZURE_STORAGE_KEY | plain | {b86}==
Azure storage string | connection string | AZURE_STORAGE_CONNECTION_STRING | pairs | DefaultEndpointsProtocol=https;AccountName=app{l6};AccountKey=«{b86}==»;EndpointSuffix=core.windows.net
Azure AD | client secret | AZURE_CLIENT_SECRET | plain | {a3}8Q~{s34}
Azure DevOps | token | AZURE_DEVOPS_EXT_PAT | plain | {l52}
Azure SAS | signature | AZURE_SAS_URL | web | https://app{l5}.blob.core.windows.net/data?sv=2022-11-02&ss=b&srt=co&sp=rl&se=2027-01-01T00:00:00Z&spr=https&sig=«{a20}%2B{a21}%3D»
Azure service bus | connection string | SERVICEBUS_CONNECTION | pairs | Endpoint=sb://app{l5}.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=«{b43}=»
Azure OpenAI | key | AZURE_OPENAI_API_KEY | plain | {x32}
OpenAI old | API key | OPENAI_API_KEY | marked | sk-{a20}T3BlbkFJ{a20}
OpenAI project | API key | OPENAI_API_KEY | marked | sk-proj-{s74}T3BlbkFJ{s74}
OpenAI service | API key | OPENAI_API_KEY | marked | sk-svcacct-{s58}T3BlbkFJ{s58}
Anthropic | API key | ANTHROPIC_API_KEY | marked | sk-ant-api03-{s93}AA
Anthropic OAuth | token | CLAUDE_CODE_OAUTH_TOKEN | marked | sk-ant-oat01-{s93}AA
Mistral | API key | MISTRAL_API_KEY | plain | {a32}
Groq | API key | GROQ_API_KEY | marked | gsk_{a52}
DeepSeek | API key | DEEPSEEK_API_KEY | marked | sk-{x32}
Moonshot | API key | MOONSHOT_API_KEY | marked | sk-{a48}
xAI | API key | XAI_API_KEY | marked | xai-{a80}
HuggingFace | token | HF_TOKEN | marked | hf_{a34}
Replicate | token | REPLICATE_API_TOKEN | marked | r8_{a37}
Cohere | API key | COHERE_API_KEY | plain | {a40}
Perplexity | API key | PERPLEXITY_API_KEY | marked | pplx-{a48}
OpenRouter | API key | OPENROUTER_API_KEY | marked | sk-or-v1-{x64}
Fireworks | API key | FIREWORKS_API_KEY | marked | fw_{a24}
Cerebras | API key | CEREBRAS_API_KEY | marked | csk-{l48}
Together | API key | TOGETHER_API_KEY | plain | {x64}
Nvidia | API key | NVIDIA_API_KEY | marked | nvapi-{s64}
Voyage | API key | VOYAGE_API_KEY | marked | pa-{s43}
LiteLLM | key | LITELLM_MASTER_KEY | marked | sk-{s22}
Tavily | API key | TAVILY_API_KEY | marked | tvly-dev-{a32}
Brave | API key | BRAVE_API_KEY | marked | BSA{s28}
Exa | API key | EXA_API_KEY | plain | {g}
Firecrawl | API key | FIRECRAWL_API_KEY | marked | fc-{x32}
Serper | API key | SERPER_API_KEY | plain | {x40}
SerpApi | API key | SERPAPI_API_KEY | plain | {x64}
Jina | API key | JINA_API_KEY | marked | jina_{x32}{s28}
Context7 | API key | CONTEXT7_API_KEY | marked | ctx7sk-{g}
Apify | token | APIFY_TOKEN | marked | apify_api_{a36}
Browserbase | API key | BROWSERBASE_API_KEY | marked | bb_live_{s27}
E2B | API key | E2B_API_KEY | marked | e2b_{x40}
Smithery | API key | SMITHERY_API_KEY | plain | {g}
Composio | API key | COMPOSIO_API_KEY | marked | ak_{s20}
Zapier | address | ZAPIER_MCP_URL | web | https://mcp.zapier.com/api/mcp/s/«{a62}==»/mcp
n8n | address | N8N_URL | web | https://n8n.example.org/mcp/«{g}»/sse
Notion | token | NOTION_TOKEN | marked | ntn_{n11}{a35}
Notion old | integration secret | NOTION_API_KEY | marked | secret_{a43}
Linear | API key | LINEAR_API_KEY | marked | lin_api_{a40}
Atlassian | API token | CONFLUENCE_API_TOKEN | marked | ATATT3xFfGF0{s171}={X8}
Bitbucket | app password | BITBUCKET_APP_PASSWORD | marked | ATBB{a24}{X8}
Stripe | secret key | STRIPE_SECRET_KEY | marked | sk_live_{a24}
Stripe long | secret key | STRIPE_API_KEY | marked | rk_test_51{a97}
Stripe hook | signing secret | STRIPE_WEBHOOK_SECRET | marked | whsec_{a32}
Twilio | auth token | TWILIO_AUTH_TOKEN | plain | {x32}
Twilio API | API key | TWILIO_API_KEY | marked | SK{x32}
SendGrid | API key | SENDGRID_API_KEY | marked | SG.{s22}.{s43}
Mailgun | API key | MAILGUN_API_KEY | marked | {x32}-{x8}-{x8}
Mailgun old | API key | MAILGUN_PRIVATE_KEY | marked | key-{x32}
Mailchimp | API key | MAILCHIMP_API_KEY | marked | {x32}-us21
Resend | API key | RESEND_API_KEY | marked | re_{a8}_{a24}
Brevo | API key | BREVO_API_KEY | marked | xkeysib-{x64}-{a16}
Postmark | server token | POSTMARK_SERVER_TOKEN | plain | {g}
npm | token | NPM_TOKEN | marked | npm_{a36}
PyPI | token | TWINE_PASSWORD | marked | pypi-AgEIcHlwaS5vcmc{s120}
RubyGems | API key | GEM_HOST_API_KEY | marked | rubygems_{x48}
Docker Hub | token | DOCKERHUB_TOKEN | marked | dckr_pat_{s27}
DigitalOcean | token | DIGITALOCEAN_ACCESS_TOKEN | marked | dop_v1_{x64}
Heroku | API key | HEROKU_API_KEY | plain | {g}
Heroku new | API key | HEROKU_API_KEY | marked | HRKU-AA{s58}
Vercel | token | VERCEL_TOKEN | plain | {a24}
Netlify | token | NETLIFY_AUTH_TOKEN | marked | nfp_{a36}
Fly | token | FLY_API_TOKEN | marked | fo1_{s43}
Railway | token | RAILWAY_TOKEN | plain | {g}
Render | API key | RENDER_API_KEY | marked | rnd_{a28}
Cloudflare | token | CLOUDFLARE_API_TOKEN | plain | {s40}
Cloudflare global | global key | CLOUDFLARE_API_KEY | plain | {x37}
Supabase | service role key | SUPABASE_SERVICE_ROLE_KEY | marked | {j}
Supabase personal | access token | SUPABASE_ACCESS_TOKEN | marked | sbp_{x40}
Supabase new | secret key | SUPABASE_SECRET_KEY | marked | sb_secret_{s22}_{a8}
Firebase | token | FIREBASE_TOKEN | marked | 1//0{a3}{s60}
Databricks | token | DATABRICKS_TOKEN | marked | dapi{x32}
Snowflake | password | SNOWFLAKE_PASSWORD | weak | {p}
Neon | database | DATABASE_URL | url | postgresql://app:«npg_{a12}»@ep-{l8}.eu-central-1.aws.neon.tech/main?sslmode=require
Neon API | API key | NEON_API_KEY | marked | napi_{l64}
PlanetScale | password | PLANETSCALE_PASSWORD | marked | pscale_pw_{s43}
Turso | token | TURSO_AUTH_TOKEN | marked | {j}
Postgres | database | DATABASE_URL | url | postgresql://app:«{q}»@db.internal:5432/shop
MySQL | database | MYSQL_URL | url | mysql://root:«{q}»@127.0.0.1:3306/shop
Mongo | database | MDB_MCP_CONNECTION_STRING | url | mongodb+srv://app:«{a16}»@cluster0.{l6}.mongodb.net/?retryWrites=true
Redis | cache | REDIS_URL | url | redis://default:«{a20}»@cache.internal:6379/0
AMQP | broker | AMQP_URL | url | amqps://{l8}:«{s32}»@rabbit.internal:5671/main
SQL Server | connection string | MSSQL_CONNECTION | pairs | Server=tcp:db.example.net,1433;Database=shop;User ID=app;Password=«{q}»;Encrypt=True
libpq | connection string | PG_DSN | pairs | host=db.internal port=5432 user=app password=«{q}» dbname=shop
JWT | token | SERVICE_JWT | marked | {j}
JWT with a scheme | token | APP_BEARER | marked | {j}
RSA | private key | SIGNING_KEY | block | RSA 6
EC | private key | EC_PRIVATE_KEY | block | EC 3
PKCS8 | private key | PRIVATE_KEY | block | - 8
PKCS8 encrypted | private key | CLIENT_KEY | block | ENCRYPTED 8
OpenSSH | private key | SSH_PRIVATE_KEY | block | OPENSSH 6
PGP | private key | GPG_PRIVATE_KEY | block | PGP 7
Datadog | API key | DD_API_KEY | plain | {x32}
Datadog app | application key | DD_APP_KEY | plain | {x40}
New Relic | API key | NEW_RELIC_API_KEY | marked | NRAK-{u27}
New Relic ingest | license key | NEW_RELIC_LICENSE_KEY | plain | {x36}NRAL
Sentry | auth token | SENTRY_AUTH_TOKEN | marked | sntryu_{x64}
Sentry DSN | DSN | SENTRY_DSN | url | https://«{x32}»@o{n6}.ingest.sentry.io/{n7}
Grafana | token | GRAFANA_SERVICE_ACCOUNT_TOKEN | marked | glsa_{a32}_{x8}
Grafana cloud | token | GRAFANA_API_KEY | marked | glc_eyJ{b80}=
PagerDuty | API key | PAGERDUTY_API_KEY | plain | u+{s18}
Okta | token | OKTA_API_TOKEN | plain | 00{s40}
Auth0 | client secret | AUTH0_CLIENT_SECRET | plain | {s64}
Algolia | admin key | ALGOLIA_ADMIN_KEY | plain | {x32}
Airtable | token | AIRTABLE_API_KEY | marked | pat{a14}.{x64}
Asana | token | ASANA_ACCESS_TOKEN | plain | 1/{n16}:{x32}
Asana new | token | ASANA_ACCESS_TOKEN | plain | 2/{n16}/{n16}:{x32}
Figma | token | FIGMA_API_KEY | marked | figd_{s40}
Dropbox | token | DROPBOX_ACCESS_TOKEN | marked | sl.u.{s130}
Box | developer token | BOX_DEVELOPER_TOKEN | plain | {a32}
Telegram | bot token | TELEGRAM_BOT_TOKEN | marked | {n10}:AA{s33}
Discord | bot token | DISCORD_TOKEN | marked | MT{a24}.{s6}.{s38}
Discord webhook | webhook | DISCORD_WEBHOOK_URL | web | https://discord.com/api/webhooks/{n18}/«{s68}»
Shopify | token | SHOPIFY_ACCESS_TOKEN | marked | shpat_{x32}
Square | token | SQUARE_ACCESS_TOKEN | marked | EAAA{s60}
Square old | token | SQUARE_TOKEN | marked | sq0atp-{s22}
PayPal | secret | PAYPAL_CLIENT_SECRET | plain | E{s79}
Postman | API key | POSTMAN_API_KEY | marked | PMAK-{x24}-{x34}
Doppler | token | DOPPLER_TOKEN | marked | dp.st.prd.{a42}
Vault | token | VAULT_TOKEN | marked | hvs.{s90}
Vault old | token | VAULT_TOKEN | plain | s.{a24}
Terraform cloud | token | TFE_TOKEN | marked | {a14}.atlasv1.{s67}
Pulumi | token | PULUMI_ACCESS_TOKEN | marked | pul-{x40}
Fastly | API key | FASTLY_API_KEY | plain | {s32}
Sourcegraph | token | SRC_ACCESS_TOKEN | marked | sgp_{x16}_{x40}
LangSmith | API key | LANGSMITH_API_KEY | marked | lsv2_pt_{x32}_{x10}
Langfuse | secret key | LANGFUSE_SECRET_KEY | marked | sk-lf-{g}
Pinecone | API key | PINECONE_API_KEY | plain | {g}
Pinecone new | API key | PINECONE_API_KEY | marked | pcsk_{a6}_{a64}
Weaviate | API key | WEAVIATE_API_KEY | plain | {a36}
Qdrant | API key | QDRANT_API_KEY | plain | {s54}
Qdrant cloud | API key | QDRANT_API_KEY | marked | {j}
ElevenLabs | API key | ELEVENLABS_API_KEY | marked | sk_{x48}
Deepgram | API key | DEEPGRAM_API_KEY | plain | {x40}
AssemblyAI | API key | ASSEMBLYAI_API_KEY | plain | {x32}
Tailscale | auth key | TS_AUTHKEY | marked | tskey-auth-{a16}-{a32}
Cloudinary | address | CLOUDINARY_URL | url | cloudinary://{n15}:«{s27}»@demo-cloud
Contentful | token | CONTENTFUL_MANAGEMENT_TOKEN | marked | CFPAT-{s43}
Miro | token | MIRO_OAUTH_TOKEN | marked | eyJtaXJvLm9yaWdpbiI6{b7}_{s27}
ClickUp | API token | CLICKUP_API_TOKEN | marked | pk_{n8}_{u32}
HubSpot | private app token | HUBSPOT_ACCESS_TOKEN | marked | pat-eu1-{g}
Intercom | token | INTERCOM_ACCESS_TOKEN | plain | dG9rO{b51}==
Zendesk | token | ZENDESK_API_TOKEN | plain | {a40}
PostHog | API key | POSTHOG_API_KEY | marked | phx_{a43}
Home Assistant | token | HASS_TOKEN | marked | {j}
1Password | service token | OP_SERVICE_ACCOUNT_TOKEN | marked | ops_eyJ{s200}
Trello | token | TRELLO_TOKEN | marked | ATTA{x64}{X8}
YouTube | API key | YOUTUBE_API_KEY | marked | AIzaSy{s33}
none, hexadecimal | key | ENCRYPTION_KEY | plain | {x64}
none, short hexadecimal | API key | INTERNAL_API_KEY | plain | {x32}
none, base64 | secret | SESSION_SECRET | plain | {b43}=
none, url-safe | token | SERVICE_TOKEN | plain | {s43}
none, UUID | API key | BACKEND_API_KEY | plain | {g}
none, password | password | DB_PASSWORD | weak | {p}
none, admin | password | ADMIN_PASSWORD | weak | {p}
none, generated | password | MYSQL_PASSWORD | weak | {a3}{r1}{a5}{r1}{a4}
none, letters | password | SMTP_PASS | weak | {a12}
none, words | passphrase | WALLET_PASSPHRASE | phrase | {w4}
none, kebab | passphrase | KEYSTORE_PASSWORD | weak | {k4}
none, French | mot de passe | NAS_PASSWORD | weak | {p}
none, app password | app password | GMAIL_APP_PASSWORD | phrase | {c4} {c4} {c4} {c4}
"""


class Shape(NamedTuple):
    vendor: str
    label: str
    variable: str
    form: str
    template: str


class Drawn(NamedTuple):
    """What stands in the file, and the parts of it that are secret."""

    shape: Shape
    text: str
    secrets: tuple[str, ...]


SHAPES = tuple(Shape(*line.split(" | ", 4)) for line in TABLE.strip().splitlines())


def draw(shape: Shape, chance: Random) -> Drawn:
    if shape.form == "block":
        return _service_account(shape, chance) if shape.template == "gcp" else _private_key(shape, chance)
    text = filled(shape.template, chance)
    secrets = tuple(re.findall("«(.*?)»", text)) or (text,)
    return Drawn(shape, text.replace("«", "").replace("»", ""), secrets)


def filled(template: str, chance: Random) -> str:
    """The template with everything in it drawn."""
    return re.sub(r"\{(\w)(\d*)\}", lambda found: _piece(found[1], int(found[2] or 0), chance), template)


def _piece(sign: str, length: int, chance: Random) -> str:
    words = [chance.choice(WORDS) for _ in range(length or 2)]
    match sign:
        case "g":
            return "-".join(_signs("x", size, chance) for size in (8, 4, 4, 4, 12))
        case "j":
            return _web_token(chance)
        case "w":
            return " ".join(words)
        case "k":
            return "-".join(words)
        case "c":
            return "".join(chance.choice(string.ascii_lowercase) for _ in range(length))
        case "p":
            return _password(chance, "!@#$%&*?")
        case "q":  # in a URL or a connection string
            return _password(chance, "!_.~-")
    return _signs(sign, length, chance)


def _signs(sign: str, length: int, chance: Random) -> str:
    return "".join(chance.choice(CLASSES[sign]) for _ in range(length))


def _password(chance: Random, special: str) -> str:
    """As people make them: a word, a year, a sign; two words with figures; letters changed for figures."""
    one, two = chance.sample(WORDS, 2)
    sign = chance.choice(special)
    return chance.choice(
        [
            f"{one.title()}{chance.randrange(1970, 2027)}{sign}",
            f"{one.title()}{sign}{two}{chance.randrange(10, 99)}",
            f"{one}{chance.randrange(100, 999)}{two.title()}{sign}",
            "".join({"a": "4", "e": "3", "o": "0", "i": "1"}.get(c, c) for c in f"{one.title()}{two}") + sign + "7",
        ]
    )


def _web_token(chance: Random) -> str:
    head = {"alg": chance.choice(["HS256", "RS256"]), "typ": "JWT"}
    body = {
        "sub": _signs("n", 8, chance),
        "role": chance.choice(["service_role", "user"]),
        "iat": chance.randrange(10**9),
    }
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (head, body)]
    return ".".join([*coded, _signs("s", 43, chance)])


def _private_key(shape: Shape, chance: Random) -> Drawn:
    kind, lines = shape.template.split()
    body = [_signs("b", 64, chance) for _ in range(int(lines))] + [_signs("b", 22, chance) + "=="]
    name = {"-": "PRIVATE KEY", "PGP": "PGP PRIVATE KEY BLOCK"}.get(kind, f"{kind} PRIVATE KEY")
    gap = [""] if kind == "PGP" else []
    return Drawn(shape, "\n".join([f"-----BEGIN {name}-----", *gap, *body, f"-----END {name}-----"]), tuple(body))


def _service_account(shape: Shape, chance: Random) -> Drawn:
    key = _private_key(shape._replace(template="- 6"), chance)
    value = {
        "type": "service_account",
        "project_id": "demo-" + _signs("l", 6, chance),
        "private_key_id": _signs("x", 40, chance),
        "private_key": key.text + "\n",
        "client_email": "robot@demo.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return Drawn(shape, json.dumps(value), key.secrets)
