"""The tables on disk: who we were, and whom we knew. A node that begins with that finds its first peers at once.

    {"v": 1, "4": {"id": 20 bytes, "nodes": groups of 26 bytes}, "6": {"id": ..., "nodes": groups of 38 bytes}}

A file may be old, torn or somebody else's, so it is read as what a stranger sends: what does not fit is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from trio_torrent.bencode import Value, decode, encode
from trio_torrent.errors import BencodeError

from .endpoint import Family
from .messages import Contact, Reply
from .node import Node
from .node_id import ID_LENGTH

VERSION = 1
MAX_NODES = 400  # of one family: a full table has about as many
MAX_SAVED = 64 << 10  # bytes; two full tables take 26 KiB
_MAX_DEPTH = 3
_KEYS = {Family.IPV4: b"4", Family.IPV6: b"6"}


@attrs.frozen
class Saved:
    """One family's id, and its nodes."""

    id: bytes
    contacts: tuple[Contact, ...]


def save(nodes: Iterable[Node]) -> bytes:
    """The tables of these nodes, those who answered last first."""
    kept: dict[bytes, Value] = {b"v": VERSION}
    for node in nodes:
        known = sorted(node.table.entries, key=lambda entry: (entry.fails, -entry.heard))
        kept[_KEYS[node.family]] = {b"id": node.id, b"nodes": b"".join(entry.packed for entry in known[:MAX_NODES])}
    return encode(kept)


def load(data: bytes) -> dict[Family, Saved]:
    """What can be used of it; nothing raises."""
    if len(data) > MAX_SAVED:
        return {}
    try:
        kept = decode(data, max_depth=_MAX_DEPTH)
    except BencodeError:
        return {}
    if not isinstance(kept, dict) or kept.get(b"v") != VERSION:
        return {}
    found = {family: _saved(kept.get(key), family) for family, key in _KEYS.items()}
    return {family: saved for family, saved in found.items() if saved is not None}


def _saved(value: object, family: Family) -> Saved | None:
    match value:
        case {b"id": bytes(node_id), b"nodes": bytes(packed)} if len(node_id) == ID_LENGTH:
            reply = Reply(transaction=b"", id=node_id, nodes=packed, nodes6=packed)
            return Saved(node_id, tuple(reply.contacts(family)[:MAX_NODES]))
        case _:
            return None
