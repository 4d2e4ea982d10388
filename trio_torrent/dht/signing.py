"""The signatures of mutable items: ed25519, by the `cryptography` package (BEP 44).

The package is an extra: nobody who only downloads needs it. Without it nothing mutable can be stored, fetched or kept
for others, and whoever asks for that is told what to install. It is loaded when the first mutable item comes along,
which in most programs is never: it takes as long to load as all the rest of the DHT.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from trio_torrent.errors import DhtError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

available: bool = find_spec("cryptography") is not None


def require() -> None:
    """Raises DhtError if signatures cannot be made or checked here."""
    if not available:
        raise DhtError("mutable DHT items need the extra `dht-items`: pip install 'trio-torrent[dht-items]'")


def verify(key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the owner of the public key signed this. False, too, if that cannot be known here."""
    if not available:
        return False
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except (ImportError, OSError):  # broken, or there is no descriptor left to load it with
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key(seed: bytes) -> bytes:
    """The public key, 32 bytes, that belongs to a private one. Raises DhtError; ValueError for a wrong length."""
    key: bytes = _private_key(seed).public_key().public_bytes_raw()
    return key


def sign(seed: bytes, data: bytes) -> bytes:
    """A signature of 64 bytes. Raises DhtError; ValueError for a private key that is not 32 bytes."""
    signature: bytes = _private_key(seed).sign(data)
    return signature


def _private_key(seed: bytes) -> Ed25519PrivateKey:
    require()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)
