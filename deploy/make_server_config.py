"""Writes deploy/nats-server.conf: what the broker of docker-compose.yml runs with, once it listens to others.

    python deploy/make_server_config.py

The broker writes the same text by itself (`roosync_broker.server`), with the installation's own system key; here
the environment gives the key. tests/test_deploy.py fails while the file is not what this writes.
"""

from pathlib import Path

from roosync_broker.server_config import ServerSettings, config_text

HERE = Path(__file__).parent
FOLDER = "/state/broker"  # in the container
HEAD = """\
# nats-server for a fleet named "home", as the broker of docker-compose.yml runs it once it listens to others.
# Written by `python deploy/make_server_config.py`; changes by hand are lost. `roosync broker` writes its own.
# users.conf lies beside this file: the keeper writes it from the signed memberships.
# ROOSYNC_SYSTEM_KEY: the public key of the seed in /state/broker/system.seed.
"""
SETTINGS = ServerSettings(
    name="home-broker",
    listen="0.0.0.0",  # noqa: S104 (with TLS; every user has a key)
    port=4222,
    store=f"{FOLDER}/streams",
    system_key="$ROOSYNC_SYSTEM_KEY",
    certificate=f"{FOLDER}/certificate.pem",
    certificate_key=f"{FOLDER}/certificate.key",
)


def text() -> str:
    return HEAD + config_text(SETTINGS)


if __name__ == "__main__":
    (HERE / "nats-server.conf").write_text(text(), "utf-8", newline="\n")
