"""The text of the server's configuration: one pure function for the embedded broker, Docker and clusters.

An included file, which the keeper writes and reloads, has two accounts: FLEET with the streams and the keeper, MEMBERS
with everybody else. The keeper has a second key in SYS to ask for reloads (6-trust, "Broker permissions").
"""

from msgspec import Struct

from roosync_broker.wire import is_loopback

MAX_PAYLOAD = 1024 * 1024  # bytes


class Cluster(Struct, frozen=True, kw_only=True):
    """One server's place among several that hold the streams together.

    Routes always speak TLS, on loopback too, and each side shows the certificate that all of them share: whoever
    reaches a route without it would be a server of the cluster, and above every permission.
    """

    name: str
    listen: str
    port: int
    routes: tuple[str, ...]  # host:port of the others
    certificate: str  # path
    certificate_key: str


class ServerSettings(Struct, frozen=True, kw_only=True):
    name: str
    listen: str = "127.0.0.1"
    port: int = 4222
    store: str  # folder of the streams
    users: str = "users.conf"  # beside the configuration file
    system_key: str  # public nkey of account SYS
    certificate: str | None = None  # path; with it the listener speaks TLS
    certificate_key: str | None = None
    max_file: str = "8GB"
    max_memory: str = "256MB"
    monitor_port: int | None = None  # on loopback only; None: no monitoring
    cluster: Cluster | None = None


def config_text(settings: ServerSettings) -> str:
    """The configuration file. ValueError when it would listen beyond loopback without TLS."""
    loopback = is_loopback(f"nats://{_bracketed(settings.listen)}:{settings.port}")
    if not loopback and not settings.certificate:
        raise ValueError(f"listening on {settings.listen} needs a certificate; plain text stays on loopback")
    lines = [
        f"server_name: {quoted(settings.name)}",
        f"listen: {quoted(f'{_bracketed(settings.listen)}:{settings.port}')}",
        f"max_payload: {MAX_PAYLOAD}",
        'write_deadline: "10s"',
        'ping_interval: "20s"',
        "ping_max: 2",
        "jetstream {",
        f"  store_dir: {quoted(settings.store)}",
        "  sync_interval: always  # an acknowledgement means: on disk",
        f"  max_file_store: {settings.max_file}",
        f"  max_memory_store: {settings.max_memory}",
        "}",
        "accounts {",
        f"  include {quoted(settings.users)}",
        f"  SYS: {{ users: [ {{ nkey: {settings.system_key} }} ] }}",
        "}",
        "system_account: SYS",
    ]
    if settings.certificate:
        lines += [
            "tls {",
            f"  cert_file: {quoted(settings.certificate)}",
            f"  key_file: {quoted(settings.certificate_key or '')}",
            '  min_version: "1.2"',
            "  timeout: 5",
            "}",
        ]
    if settings.cluster is not None:
        lines += _cluster_lines(settings.cluster)
    if settings.monitor_port is not None:
        lines.append(f'http: "127.0.0.1:{settings.monitor_port}"')
    return "\n".join(lines) + "\n"


def _cluster_lines(cluster: Cluster) -> list[str]:
    routes = ", ".join(quoted(f"nats://{route}") for route in cluster.routes)
    return [
        "cluster {",
        f"  name: {quoted(cluster.name)}",
        f"  listen: {quoted(f'{_bracketed(cluster.listen)}:{cluster.port}')}",
        f"  routes: [{routes}]",
        "  tls {",
        f"    cert_file: {quoted(cluster.certificate)}",
        f"    key_file: {quoted(cluster.certificate_key)}",
        f"    ca_file: {quoted(cluster.certificate)}",
        "    verify: true",
        "    timeout: 5",
        "  }",
        "}",
    ]


def quoted(text: str) -> str:
    """A string of the configuration's language (backslashes of Windows paths doubled)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
