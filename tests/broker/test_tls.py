"""The pinned certificate: fetched only when it is the one that was named, and no other is trusted."""

import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509

from roosync_broker.errors import RefusedError, UnavailableError
from roosync_broker.jetstream import connect
from roosync_broker.server import EmbeddedServer, free_port
from roosync_broker.tls import fetch_pinned, fingerprint_of, make_certificate, pinned_context


@pytest.fixture
async def secure(tmp_path):
    async with EmbeddedServer(tmp_path / "broker", fleet="home", port=0, listen="0.0.0.0") as server:
        yield server


async def test_fetched_compared_and_then_trusted_alone(secure):
    pem = await fetch_pinned(secure.url, secure.certificate_fingerprint)
    assert fingerprint_of(pem) == secure.certificate_fingerprint
    link = await connect(secure.url, secure.keeper_keys, name="a", certificate=pem)
    assert link.connected
    await link.close()


async def test_another_certificate_is_refused(secure, caplog):
    other = make_certificate("home")
    with pytest.raises(RefusedError, match="not the one that made this code"):
        await fetch_pinned(secure.url, other.fingerprint)
    with pytest.raises(RefusedError, match="another certificate"):
        await connect(secure.url, secure.keeper_keys, name="a", certificate=other.pem, on_error=lambda _: None)
    with pytest.raises(RefusedError, match="certificate"):  # without a pin the system's authorities decide
        await connect(secure.url, secure.keeper_keys, name="a", on_error=lambda _: None)
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_broker_without_tls_and_none_at_all(broker):
    with pytest.raises(RefusedError, match="does not use TLS"):
        await fetch_pinned(broker.url, "0" * 64)
    with pytest.raises(UnavailableError):
        await fetch_pinned(f"nats://127.0.0.1:{free_port()}", "0" * 64, timeout=2)


def test_the_certificate():
    made = make_certificate("home", datetime(2026, 1, 16, tzinfo=UTC))
    certificate = x509.load_pem_x509_certificate(made.pem.encode())
    assert certificate.not_valid_after_utc.year == 2036
    assert certificate.fingerprint(certificate.signature_hash_algorithm).hex() == made.fingerprint
    assert "PRIVATE KEY" in made.key_pem
    assert "PRIVATE" not in made.pem
    context = pinned_context(made.pem)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1
