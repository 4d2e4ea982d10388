"""Write tokens: who can show one has received a datagram at its address lately (BEP 5, "overview")."""

from __future__ import annotations

import hashlib
from random import Random

ROTATION = 300.0  # seconds that a secret is given out; it is accepted for as long again (BEP 5)
SECRET_LENGTH = 16  # bytes
TOKEN_LENGTH = 4  # bytes, as libtorrent: a guess costs a datagram, and every byte makes answers longer


class Tokens:
    """Bound to an address and to one info-hash or target, so that one cannot be used for everything near it.

    A secret is a hash's key, and is drawn from `random`: that must be a SystemRandom outside tests.
    """

    def __init__(self, random: Random, now: float) -> None:
        self._random = random
        self._secret = self._previous = random.randbytes(SECRET_LENGTH)
        self._since = now

    def make(self, ip: bytes, target: bytes, now: float) -> bytes:
        """A token that this address may show for 5 to 10 minutes."""
        self._rotate(now)
        return _token(self._secret, ip, target)

    def check(self, token: bytes, ip: bytes, target: bytes, now: float) -> bool:
        """Whether we gave this token to this address for this target, at most 10 minutes ago."""
        self._rotate(now)
        return token in (_token(self._secret, ip, target), _token(self._previous, ip, target))

    def _rotate(self, now: float) -> None:
        if now - self._since < ROTATION:
            return
        fresh = self._random.randbytes(SECRET_LENGTH)
        asleep = now - self._since >= 2 * ROTATION
        self._previous = self._random.randbytes(SECRET_LENGTH) if asleep else self._secret
        self._secret, self._since = fresh, now


def _token(secret: bytes, ip: bytes, target: bytes) -> bytes:
    return hashlib.sha1(secret + ip + target).digest()[:TOKEN_LENGTH]
