"""Who sent a delivery: GHL's signatures over the raw body, or a secret that only we and the sender know.

Extend it for a sender with another way to sign. What is done with a delivery belongs to `app.py`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ghl_payments.connections import Connection, SettingsError
from ghl_payments.settings import Settings

SIGNATURE = "X-GHL-Signature"
LEGACY_SIGNATURE = "X-WH-Signature"
SECRET = "X-Webhook-Secret"  # noqa: S105 - the header's name
SECRET_ROLE = "webhook_secret"  # noqa: S105 - the role's name
SIGNING_ROLE = "webhook_signing_key"

Verified = Literal["ed25519", "rsa", "secret"]

# GHL's own keys as its webhook guides publish them: the current one, and the one of the legacy header.
GHL_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=
-----END PUBLIC KEY-----
"""
GHL_LEGACY_KEY = """-----BEGIN PUBLIC KEY-----
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAokvo/r9tVgcfZ5DysOSC
Frm602qYV0MaAiNnX9O8KxMbiyRKWeL9JpCpVpt4XHIcBOK4u3cLSqJGOLaPuXw6
dO0t6Q/ZVdAV5Phz+ZtzPL16iCGeK9po6D6JHBpbi989mmzMryUnQJezlYJ3DVfB
csedpinheNnyYeFXolrJvcsjDtfAeRx5ByHQmTnSdFUzuAnC9/GepgLT9SM4nCpv
uxmZMxrJt5Rw+VUaQ9B8JSvbMPpez4peKaJPZHBbU3OdeCVx5klVXXZQGNHOs8gF
3kvoV5rTnXV0IknLBXlcKKAQLZcY/Q9rG6Ifi9c+5vqlvHPCUJFT5XUGG5RKgOKU
J062fRtN+rLYZUV+BjafxQauvC8wSWeYja63VSUruvmNj8xkx2zE/Juc+yjLjTXp
IocmaiFeAO6fUtNjDeFVkhf5LNb59vECyrHD2SQIrhgXpO4Q3dVNA5rw576PwTzN
h/AMfHKIjE4xQA1SZuYJmNnmVZLIZBlQAF9Ntd03rfadZ+yDiOXCCs9FkHibELhC
HULgCsnuDJHcrGNd5/Ddm5hxGQ0ASitgHeMZ0kcIOwKDOzOU53lDza6/Y09T7sYJ
PQe7z0cvj7aE4B+Ax1ZoZGPzpJlZtGXCsu9aTEGEnKzmsFqwcSsnw3JB31IGKAyk
T1hhTiaCeIY/OwwwNUY2yvcCAwEAAQ==
-----END PUBLIC KEY-----
"""


@dataclass(frozen=True, slots=True)
class GhlKeys:
    """The public keys that GHL's events may be signed with; several while a key is being changed."""

    current: tuple[Ed25519PublicKey, ...]
    legacy: tuple[RSAPublicKey, ...]

    def verify(self, headers: Mapping[str, str], body: bytes) -> Verified | None:
        """How the raw body is signed, or None. The legacy header counts only where the current one is absent."""
        signature = _signature(headers.get(SIGNATURE))
        if signature is not None:
            return "ed25519" if any(_ed25519(key, signature, body) for key in self.current) else None
        signature = _signature(headers.get(LEGACY_SIGNATURE))
        if signature is not None and any(_rsa(key, signature, body) for key in self.legacy):
            return "rsa"
        return None


@dataclass(frozen=True, slots=True)
class Sender:
    """A connection whose hooks are hints: guarded by a secret, and by an HMAC over the body where one is set up.

    `hmac_header` and `signing_key` stand for a scheme that no public document of the vendor confirms.
    """

    connection: str
    system: str
    secret: bytes = field(repr=False)
    hmac_header: str | None = None
    signing_key: bytes | None = field(default=None, repr=False)

    def knows_secret(self, given: str) -> bool:
        """Whether that is the secret, in a time that does not depend on how much of it is right."""
        digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
        return hmac.compare_digest(digest, hashlib.sha256(self.secret).digest())

    def verify(self, headers: Mapping[str, str], body: bytes) -> Verified | None:
        """ "secret", unless a signature is set up for this sender and this body has no right one."""
        if self.signing_key is None or self.hmac_header is None:
            return "secret"
        expected = hmac.new(self.signing_key, body, hashlib.sha256).digest()
        return "secret" if hmac.compare_digest(_digest(headers.get(self.hmac_header)), expected) else None


def ghl_keys(settings: Settings) -> GhlKeys:
    """GHL's published keys, or those that the environment names instead; SettingsError says what is wrong with one."""
    current = _keys("GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY", settings.webhooks.public_key or GHL_KEY)
    if not all(isinstance(key, Ed25519PublicKey) for key in current):
        raise SettingsError("GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY holds a key that is not Ed25519; give GHL's current one")
    if settings.webhooks.legacy_key == "off":
        legacy: tuple[object, ...] = ()
    else:
        legacy = _keys("GHL_PAYMENTS_WEBHOOK_LEGACY_KEY", settings.webhooks.legacy_key or GHL_LEGACY_KEY)
    if not all(isinstance(key, RSAPublicKey) for key in legacy):
        raise SettingsError(
            "GHL_PAYMENTS_WEBHOOK_LEGACY_KEY holds a key that is not RSA; give GHL's legacy one, or off"
        )
    return GhlKeys(current, legacy)  # type: ignore[arg-type]


def senders(settings: Settings) -> dict[str, Sender]:
    """The connections that have a secret for hooks, by name; SettingsError if one of those secrets will not do."""
    named = (c for c in settings.connections.values() if SECRET_ROLE in c.credentials)
    return {connection.name: _sender(settings, connection) for connection in named}


def _sender(settings: Settings, connection: Connection) -> Sender:
    variable = connection.credentials[SECRET_ROLE]
    secret = settings.secret(variable).get_secret_value()
    if not re.fullmatch(r"[A-Za-z0-9._~-]{24,256}", secret):
        msg = (
            f"{variable} ({connection.place('credentials', SECRET_ROLE)}) must have 24 to 256 letters, digits, - . "
            "_ or ~, as it stands in an address; make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
        raise SettingsError(msg)
    header, role = settings.webhooks.hmac_header, connection.credentials.get(SIGNING_ROLE)
    if role is None:
        return Sender(connection.name, connection.system, secret.encode())
    if header is None:
        msg = (
            f"{connection.place('credentials', SIGNING_ROLE)}: a signing key needs the name of the header that carries "
            "the signature: set GHL_PAYMENTS_WEBHOOK_HMAC_HEADER, or leave the key out"
        )
        raise SettingsError(msg)
    key = settings.secret(role).get_secret_value().encode()
    return Sender(connection.name, connection.system, secret.encode(), header, key)


def _signature(value: str | None) -> str | None:
    """GHL sends the text N/A where there is none."""
    text = (value or "").strip()
    return None if text in {"", "N/A"} else text


def _ed25519(key: Ed25519PublicKey, signature: str, body: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), body)
    except (InvalidSignature, ValueError):
        return False
    return True


def _rsa(key: RSAPublicKey, signature: str, body: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), body, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _digest(value: str | None) -> bytes:
    """The bytes of a SHA-256 signature in hexadecimal or base64, with or without `sha256=`; empty if it is none."""
    text = (value or "").strip().removeprefix("sha256=")
    try:
        return bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _keys(variable: str, text: str) -> tuple[object, ...]:
    pem = text.replace("\\n", "\n") if "-----BEGIN" in text else _file(variable, text)
    blocks = re.findall(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", pem, flags=re.DOTALL)
    try:
        keys = tuple(load_pem_public_key(block.encode()) for block in blocks)
    except ValueError:
        keys = ()
    if not keys:
        msg = f"{variable} holds no public key: give PEM text (\\n between its lines) or the path of a PEM file"
        raise SettingsError(msg)
    return keys


def _file(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        msg = f"{variable} names a file that cannot be read ({reason}): give PEM text or the path of a PEM file"
        raise SettingsError(msg) from None
