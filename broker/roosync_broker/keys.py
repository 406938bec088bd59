"""Ed25519 key pairs in the form of NATS nkeys: a member's name card on the bus and its signature.

The seed ("SU...") is the private half. It is written 0600 and never leaves the machine; an operator's is sealed
with a passphrase first (argon2id, then XSalsa20-Poly1305: RFC 9106, NaCl secretbox). Design page "6-trust".
"""

import base64
import binascii
import hashlib
import secrets
from pathlib import Path

from msgspec import DecodeError, Struct, ValidationError, json
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey
from nacl.signing import SigningKey, VerifyKey

from roosync_broker.errors import KeyFileError, WrongPassphraseError
from roosync_broker.private_files import read_private, write_private

_USER = 20 << 3  # the nkeys prefix byte of users: public keys start with "U"
_MAX_KEY_FILE = 16 * 1024
# argon2id at libsodium's "moderate" level: 256 MiB and 3 passes, about half a second for a person, dear to a thief.
_OPS, _MEMORY = 3, 256 * 1024 * 1024


class KeyPair:
    """`public` is safe to show; `seed` is not, and repr() hides it."""

    __slots__ = ("_signing", "public", "seed")

    def __init__(self, raw_seed: bytes) -> None:
        import nkeys  # its import pulls nothing heavy, but only makers of keys need it

        self._signing = SigningKey(raw_seed)
        self.seed: str = nkeys.encode_seed(raw_seed, nkeys.PREFIX_BYTE_USER).decode()
        self.public: str = _encode_public(bytes(self._signing.verify_key))

    @classmethod
    def generate(cls) -> "KeyPair":
        return cls(secrets.token_bytes(32))

    @classmethod
    def from_seed(cls, seed: str) -> "KeyPair":
        """KeyFileError when the text is no seed of a user; the message never repeats it."""
        import nkeys

        try:
            prefix, raw = nkeys.decode_seed(seed.strip().encode("ascii"))
        except Exception:  # noqa: BLE001 (nkeys lets several kinds through; the text may be a secret)
            raise KeyFileError("this is no nkey seed (56 or more letters and digits starting with SU)") from None
        pair = None if prefix != _USER or len(raw) != 32 else cls(bytes(raw))
        if pair is None or pair.seed != seed.strip():  # nkeys does not check the checksum
            raise KeyFileError("this nkey seed is damaged, or is not a user's (it should start with SU)")
        return pair

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the Ed25519 signature over `data`."""
        return bytes(self._signing.sign(data).signature)

    def exchange_key(self) -> PrivateKey:
        """The same secret as a key that opens boxes (X25519). Never shown, never stored."""
        return self._signing.to_curve25519_private_key()

    def __repr__(self) -> str:
        return f"KeyPair({self.public})"


def verify(public: str, data: bytes, signature: bytes) -> bool:
    """Whether `signature` over `data` is by the owner of `public`. False for garbage; never raises."""
    raw = _decode_public(public)
    if raw is None or not isinstance(signature, bytes) or len(signature) != 64:
        return False
    try:
        VerifyKey(raw).verify(data, signature)
    except (CryptoError, ValueError, TypeError):
        return False
    return True


def verify_key(public: str) -> VerifyKey | None:
    """The public key itself, out of its text; None when the text is none."""
    raw = _decode_public(public)
    return VerifyKey(raw) if raw is not None else None


def is_public(text: str) -> bool:
    return _decode_public(text) is not None


def fingerprint(public: str) -> str:
    """Twenty hex digits (80 bits) in groups of four, for two people to compare aloud."""
    digest = hashlib.sha256(public.encode()).hexdigest()[:20]
    return "-".join(digest[i : i + 4] for i in range(0, 20, 4))


class _Sealed(Struct, frozen=True, kw_only=True):
    format: str
    public: str
    operations: int
    memory: int
    salt: str
    box: str


def seal(seed: str, passphrase: str) -> str:
    """The seed as JSON text that only the passphrase opens. An empty passphrase is refused with KeyFileError."""
    from nacl import pwhash, secret, utils

    if not passphrase:
        raise KeyFileError("an empty passphrase protects nothing; keep the plain seed on purpose instead")
    pair = KeyPair.from_seed(seed)
    salt = utils.random(pwhash.argon2id.SALTBYTES)
    key = pwhash.argon2id.kdf(secret.SecretBox.KEY_SIZE, passphrase.encode(), salt, opslimit=_OPS, memlimit=_MEMORY)
    box = bytes(secret.SecretBox(key).encrypt(pair.seed.encode()))
    sealed = _Sealed(
        format="roosync-sealed-key-v1",
        public=pair.public,
        operations=_OPS,
        memory=_MEMORY,
        salt=base64.b64encode(salt).decode(),
        box=base64.b64encode(box).decode(),
    )
    return json.format(json.encode(sealed), indent=2).decode() + "\n"


def unseal(text: str, passphrase: str) -> str:
    """The seed. WrongPassphraseError when the box does not open (a damaged one looks the same), else KeyFileError."""
    from nacl import pwhash, secret

    try:
        sealed = json.decode(text.encode(), type=_Sealed)
        # A file must not make us spend more than the writer of this module would.
        if sealed.format != "roosync-sealed-key-v1" or sealed.operations > 16 or sealed.memory > 2**30:
            raise KeyFileError("this sealed key is of a format that this version does not read; update roosync")
        salt = base64.b64decode(sealed.salt, validate=True)
        key = pwhash.argon2id.kdf(
            secret.SecretBox.KEY_SIZE, passphrase.encode(), salt, opslimit=sealed.operations, memlimit=sealed.memory
        )
        opened = secret.SecretBox(key).decrypt(base64.b64decode(sealed.box, validate=True))
    except (DecodeError, ValidationError, UnicodeError, binascii.Error, ValueError, TypeError):
        raise KeyFileError("the key file is damaged: bring it back from a backup") from None
    except CryptoError:
        raise WrongPassphraseError("the passphrase is wrong, or the key file is damaged") from None
    pair = KeyPair.from_seed(opened.decode("ascii", "replace"))
    if pair.public != sealed.public:
        raise KeyFileError("the key file is damaged: it holds another key than it says")
    return pair.seed


def sealed_public(text: str) -> str | None:
    """The public key that a sealed text says it holds, without opening it; None when it is not sealed."""
    try:
        return json.decode(text.encode(), type=_Sealed).public
    except (DecodeError, ValidationError, UnicodeError):
        return None


def save(path: Path, text: str) -> None:
    """Write a seed or a sealed seed: readable by the owner only, whole or not at all."""
    write_private(path, text.encode())


def load(path: Path) -> str:
    """The text of a key file. KeyFileError says what is wrong with it and what to do."""
    try:
        data = read_private(path, _MAX_KEY_FILE)
        return data.decode("ascii").strip()
    except FileNotFoundError:
        raise KeyFileError(f"there is no key at {path}: run 'roosync init' or 'roosync join' first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"the key {path} can not be read: {error}") from None


def _encode_public(raw: bytes) -> str:
    body = bytes([_USER]) + raw
    return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little")).decode().rstrip("=")


def _decode_public(public: str) -> bytes | None:
    """The 32 raw bytes, or None. CRC-16/XMODEM little-endian at the end, as nkeys has it."""
    try:
        data = base64.b32decode(public)
    except (ValueError, TypeError, AttributeError):
        return None
    if len(public) != 56 or len(data) != 35 or data[0] != _USER:
        return None
    return data[1:33] if binascii.crc_hqx(data[:33], 0).to_bytes(2, "little") == data[33:] else None
