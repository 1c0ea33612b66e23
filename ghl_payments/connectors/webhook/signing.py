"""Standard Webhooks signatures: HMAC-SHA256 over the event's id, the time of the attempt and the bytes sent.

A further scheme of signatures belongs here; what is signed belongs to `events.py`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from pydantic import SecretStr

from ghl_payments.connections import SettingsError

PREFIX = "whsec_"
MIN_BYTES, MAX_BYTES = 24, 64


def read_secret(secret: SecretStr, role: str, connection: str) -> bytes:
    """The key of a signing secret, `whsec_` and base64 of 24 to 64 bytes; SettingsError says what is wrong with it."""
    text = secret.get_secret_value().strip().removeprefix(PREFIX)
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not MIN_BYTES <= len(key) <= MAX_BYTES:
        msg = (
            f"connection {connection}: the credential {role!r} is no signing secret; it is {PREFIX} followed by base64 "
            f"of {MIN_BYTES} to {MAX_BYTES} random bytes, as the receiver's operator gives it"
        )
        raise SettingsError(msg)
    return key


def signatures(keys: Sequence[bytes], event_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature a key, so that a receiver may know either while keys change."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii") for key in keys
    )
