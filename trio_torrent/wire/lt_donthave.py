"""A peer that has a piece no longer says so (BEP 54)."""

from __future__ import annotations

NAME = "lt_donthave"


def decode_donthave(payload: bytes) -> int | None:
    """The piece; None if that is not what the message says."""
    return int.from_bytes(payload) if len(payload) == 4 else None
