"""The fleet's certificate: made once, pinned by its SHA-256 in the join code, trusted alone (6-trust, "TLS").

There is no public authority in this: a client that knows the certificate trusts it and nothing else, by
whatever address it reaches the broker, so host names are not compared.
"""

import asyncio
import contextlib
import hashlib
import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from msgspec import Struct

from roosync_broker.errors import RefusedError, UnavailableError

LIFETIME = timedelta(days=3653)


class Certificate(Struct, frozen=True):
    pem: str
    key_pem: str  # private
    fingerprint: str


def make_certificate(fleet: str, now: datetime | None = None, hosts: Sequence[str] = ()) -> Certificate:
    """A self-signed EC P-256 certificate for the broker of a fleet, valid for ten years.

    `hosts`: names and addresses of the servers of a cluster, which compare them among themselves.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = now or datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName(f"{fleet}.roosync.internal")]
    for host in dict.fromkeys(hosts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"roosync fleet {fleet}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of a fleet differ
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return Certificate(pem, key_pem, fingerprint_of(pem))


def fingerprint_of(pem: str) -> str:
    """SHA-256 of the certificate's DER bytes, as 64 hex digits."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def pinned_context(pem: str) -> ssl.SSLContext:
    """A client context that accepts this one certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.load_verify_locations(cadata=pem)
    return context


async def fetch_pinned(url: str, fingerprint: str, timeout: float = 8.0) -> str:
    """The certificate (PEM) that the broker at `url` shows, when it is the one the join code names.

    Of several addresses, separated by commas, the first that answers counts.
    RefusedError when it is another one, or when the broker has none; UnavailableError when nobody answers.
    """
    *others, last = url.split(",")
    for other in others:
        with contextlib.suppress(UnavailableError):
            return await _fetch_pinned(other, fingerprint, timeout)
    return await _fetch_pinned(last, fingerprint, timeout)


async def _fetch_pinned(url: str, fingerprint: str, timeout: float) -> str:
    """NATS begins in clear (INFO) and then becomes TLS, so `ssl.get_server_certificate` does not work here."""
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 4222
    look = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    look.check_hostname = False
    look.verify_mode = ssl.CERT_NONE  # only to look at it; nothing is said before the comparison below
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port)
            info = await reader.readline()
            if b'"tls_required":true' not in info:
                raise RefusedError(f"the broker at {host}:{port} does not use TLS; nothing was sent to it")
            await writer.start_tls(look, server_hostname=host)
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    except (OSError, TimeoutError, ValueError) as error:
        told = str(error) or "no answer in time"
        raise UnavailableError(
            f"no broker answers at {host}:{port} ({told}); is the address of the code right?"
        ) from None
    finally:
        if writer is not None:
            writer.transport.abort()
    if hashlib.sha256(der).hexdigest() != fingerprint.lower():
        raise RefusedError(
            f"the broker at {host}:{port} is not the one that made this code: its certificate is another. "
            "Nothing was sent; ask for a new code and compare the address"
        )
    return ssl.DER_cert_to_PEM_cert(der)
