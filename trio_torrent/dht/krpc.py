"""KRPC: one bencoded dictionary a datagram (BEP 5, "KRPC protocol")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn

from trio_torrent.bencode import Value, decode_with_span, encode
from trio_torrent.bencode import decode as bdecode
from trio_torrent.errors import BencodeError, TorrentError

from .bloom import FILTER_LENGTH
from .endpoint import Endpoint, Family
from .messages import (
    AnnouncePeer,
    Ask,
    Failure,
    Fields,
    FindNode,
    Get,
    GetPeers,
    Item,
    Message,
    Ping,
    Put,
    Query,
    Reply,
    SampleInfohashes,
)
from .node_id import ID_LENGTH

MAX_DATAGRAM = 1500  # bytes that are read; BEP 32 asks for 1024, a stored value of 1000 needs more
MAX_DEPTH = 16  # a message is 3 deep; the rest is for the values of BEP 44
MAX_TOKENS = MAX_DATAGRAM  # values in one datagram: each takes a byte at least
MAX_TRANSACTION = 32  # bytes; others use 2 to 8, and we have to send them back
MAX_TEXT = 200  # characters of an error's text that are kept
MAX_SEQ = (1 << 63) - 1  # BEP 44
KEY_LENGTH = 32  # bytes, ed25519
SIGNATURE_LENGTH = 64

VERSION = b"TT\x00\x01"  # of our queries; answers are kept short

GENERIC, PROTOCOL_ERROR, METHOD_UNKNOWN = 201, 203, 204  # BEP 5
TOO_BIG, BAD_SIGNATURE, SALT_TOO_BIG, CAS_MISMATCH, OUTDATED = 205, 206, 207, 301, 302  # BEP 44

_WANTS = {b"n4": Family.IPV4, b"n6": Family.IPV6}


class KrpcError(TorrentError):
    """Not a message that we can use. `transaction` is set where it was a query, so that its sender can be told."""

    def __init__(self, text: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(text)
        self.code = code
        self.transaction: bytes | None = None


def decode(data: bytes) -> Message:
    """Read a datagram. Raises KrpcError."""
    if len(data) > MAX_DATAGRAM:
        raise KrpcError(f"{len(data)} bytes")
    try:
        top = bdecode(data, max_depth=MAX_DEPTH, max_tokens=MAX_TOKENS)
    except BencodeError as error:
        raise KrpcError(str(error)) from error
    if not isinstance(top, dict):
        raise KrpcError("not a dictionary")
    transaction = top.get(b"t")
    if not isinstance(transaction, bytes) or len(transaction) > MAX_TRANSACTION:
        raise KrpcError("no usable transaction id")
    kind = top.get(b"y")
    if not isinstance(kind, bytes) or kind not in _KINDS:
        raise KrpcError("neither query, reply nor error")
    return _KINDS[kind](top, transaction, data)


def _query(top: Fields, transaction: bytes, data: bytes) -> Query:
    try:
        arguments = _dictionary(top, b"a")
        return Query(transaction, _id(arguments, b"id"), _ask(top.get(b"q"), arguments, data), bool(_flag(top, b"ro")))
    except KrpcError as error:
        error.transaction = transaction
        raise


def _ask(method: object, arguments: Fields, data: bytes) -> Ask:
    if not isinstance(method, bytes):
        _wrong(b"q")
    read = _ASKS.get(method)
    if read is not None:
        return read(arguments, data)
    if b"target" in arguments or b"info_hash" in arguments:  # what nobody has invented yet leads to nodes, still
        return FindNode(_id(arguments, b"target" if b"target" in arguments else b"info_hash"), _want(arguments))
    raise KrpcError("method unknown", METHOD_UNKNOWN)


def _ping(arguments: Fields, data: bytes) -> Ping:
    return Ping()


def _find_node(arguments: Fields, data: bytes) -> FindNode:
    return FindNode(_id(arguments, b"target"), _want(arguments))


def _get_peers(arguments: Fields, data: bytes) -> GetPeers:
    info_hash = _id(arguments, b"info_hash")
    return GetPeers(info_hash, _want(arguments), _flag(arguments, b"noseed"), _flag(arguments, b"scrape"))


def _announce_peer(arguments: Fields, data: bytes) -> AnnouncePeer:
    implied = _flag(arguments, b"implied_port")
    port = 0 if implied else _integer(arguments, b"port")
    if not implied and not 0 < port < 65536:
        _wrong(b"port")
    token, seed = _bytes(arguments, b"token"), _flag(arguments, b"seed")
    return AnnouncePeer(_id(arguments, b"info_hash"), port, token, implied, seed)


def _get(arguments: Fields, data: bytes) -> Get:
    return Get(_id(arguments, b"target"), _optional_seq(arguments, b"seq"), _want(arguments))


def _put(arguments: Fields, data: bytes) -> Put:
    item = _item(arguments, data, b"a", _bytes(arguments, b"salt") if b"salt" in arguments else b"")
    if item is None:
        _wrong(b"v")
    return Put(item, _bytes(arguments, b"token"), _optional_seq(arguments, b"cas"))


def _sample_infohashes(arguments: Fields, data: bytes) -> SampleInfohashes:
    return SampleInfohashes(_id(arguments, b"target"), _want(arguments))


_ASKS: dict[bytes, Callable[[Fields, bytes], Ask]] = {
    b"ping": _ping,
    b"find_node": _find_node,
    b"get_peers": _get_peers,
    b"announce_peer": _announce_peer,
    b"get": _get,
    b"put": _put,
    b"sample_infohashes": _sample_infohashes,
}


def _reply(top: Fields, transaction: bytes, data: bytes) -> Reply:
    """A field that is wrong is taken as missing, but for the id: the rest is of use all the same."""
    r = _dictionary(top, b"r")
    samples = r.get(b"samples")
    return Reply(
        transaction=transaction,
        id=_id(r, b"id"),
        ours=_endpoint(top.get(b"ip")),
        nodes=_bytes_or_none(r.get(b"nodes")) or b"",
        nodes6=_bytes_or_none(r.get(b"nodes6")) or b"",
        values=_endpoints(r.get(b"values")),
        token=_bytes_or_none(r.get(b"token")),
        seeds=_filter(r.get(b"BFsd")),
        peers=_filter(r.get(b"BFpe")),
        item=_item_or_none(r, data),
        samples=_groups(samples) if isinstance(samples, bytes) else None,
        interval=_count(r.get(b"interval")),
        num=_count(r.get(b"num")),
    )


def _failure(top: Fields, transaction: bytes, data: bytes) -> Failure:
    match top.get(b"e"):
        case [int(code), bytes(text), *_]:
            return Failure(transaction, code, text[:MAX_TEXT].decode(errors="replace"))
        case _:
            return Failure(transaction, GENERIC, "")


_KINDS: dict[bytes, Callable[[Fields, bytes, bytes], Message]] = {b"q": _query, b"r": _reply, b"e": _failure}


# -- fields -----------------------------------------------------------------------------------------------------------


def _wrong(key: bytes) -> NoReturn:
    raise KrpcError(f"missing or unusable: {key.decode()}")


def _dictionary(fields: Fields, key: bytes) -> Fields:
    value = fields.get(key)
    return value if isinstance(value, dict) else _wrong(key)


def _bytes(fields: Fields, key: bytes) -> bytes:
    value = fields.get(key)
    return value if isinstance(value, bytes) else _wrong(key)


def _integer(fields: Fields, key: bytes) -> int:
    value = fields.get(key)
    return value if isinstance(value, int) else _wrong(key)


def _id(fields: Fields, key: bytes) -> bytes:
    value = fields.get(key)
    return value if isinstance(value, bytes) and len(value) == ID_LENGTH else _wrong(key)


def _flag(fields: Fields, key: bytes) -> bool:
    return fields.get(key) == 1


def _optional_seq(fields: Fields, key: bytes) -> int | None:
    if key not in fields:
        return None
    seq = _integer(fields, key)
    return seq if 0 <= seq <= MAX_SEQ else _wrong(key)


def _want(fields: Fields) -> frozenset[Family]:
    want = fields.get(b"want")
    if not isinstance(want, list):
        return frozenset()
    return frozenset(_WANTS[word] for word in want if isinstance(word, bytes) and word in _WANTS)


def _bytes_or_none(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _count(value: object) -> int:
    return min(value, MAX_SEQ) if isinstance(value, int) and value > 0 else 0


def _endpoint(value: object) -> Endpoint | None:
    return value if isinstance(value, bytes) and len(value) in (Family.IPV4, Family.IPV6) else None


def _endpoints(values: object) -> tuple[Endpoint, ...]:
    return tuple(filter(None, map(_endpoint, values))) if isinstance(values, list) else ()


def _filter(value: object) -> bytes | None:
    return value if isinstance(value, bytes) and len(value) == FILTER_LENGTH else None


def _groups(samples: bytes) -> tuple[bytes, ...]:
    return tuple(samples[at : at + ID_LENGTH] for at in range(0, len(samples) - ID_LENGTH + 1, ID_LENGTH))


def _item_or_none(r: Fields, data: bytes) -> Item | None:
    try:
        return _item(r, data, b"r", b"")
    except KrpcError:
        return None


def _item(fields: Fields, data: bytes, outer: bytes, salt: bytes) -> Item | None:
    """The value among these fields, which are those of the dictionary `outer` of the datagram; None without one."""
    if b"v" not in fields:
        return None
    raw = _verbatim(data, outer)
    if b"k" not in fields:
        return Item(raw)
    key, signature = _bytes(fields, b"k"), _bytes(fields, b"sig")
    seq = _optional_seq(fields, b"seq")
    if len(key) != KEY_LENGTH or len(signature) != SIGNATURE_LENGTH or seq is None:
        _wrong(b"k")
    return Item(raw, key, seq, signature, salt)


def _verbatim(data: bytes, outer: bytes) -> bytes:
    """The bytes of the value `v` as they came: encoding it again could change them (BEP 44, "messages")."""
    for key in (outer, b"v"):
        _, span = decode_with_span(data, key, max_depth=MAX_DEPTH, max_tokens=MAX_TOKENS)
        assert span is not None  # it was found when the datagram was decoded
        data = data[span]
    return data


# -- writing ----------------------------------------------------------------------------------------------------------


def encode_query(query: Query) -> bytes:
    """The datagram that asks."""
    method, arguments = _arguments(query.ask)
    arguments[b"id"] = query.id
    top: dict[bytes, Value] = {b"a": arguments, b"q": method, b"t": query.transaction, b"v": VERSION, b"y": b"q"}
    if query.read_only:
        top[b"ro"] = 1
    return encode(top)


def _arguments(ask: Ask) -> tuple[bytes, dict[bytes, Value]]:
    match ask:
        case Ping():
            return b"ping", {}
        case FindNode(target, want):
            return b"find_node", {b"target": target} | _wanted(want)
        case GetPeers(info_hash, want, noseed, scrape):
            flags = _flags(noseed=noseed, scrape=scrape)
            return b"get_peers", {b"info_hash": info_hash} | _wanted(want) | flags
        case AnnouncePeer(info_hash, port, token, implied, seed):
            said: dict[bytes, Value] = {b"info_hash": info_hash, b"port": port, b"token": token}
            return b"announce_peer", said | _flags(implied_port=implied, seed=seed)
        case Get(target, seq, want):
            return b"get", {b"target": target} | _wanted(want) | _numbers(seq=seq)
        case Put(item, token, cas):
            salt: dict[bytes, Value] = {b"salt": item.salt} if item.salt else {}
            return b"put", {b"token": token} | salt | _stored(item) | _numbers(cas=cas)
        case SampleInfohashes(target, want):
            return b"sample_infohashes", {b"target": target} | _wanted(want)


def encode_reply(reply: Reply) -> bytes:
    """The datagram that answers."""
    r: dict[bytes, Value] = {b"id": reply.id}
    if reply.nodes:
        r[b"nodes"] = reply.nodes
    if reply.nodes6:
        r[b"nodes6"] = reply.nodes6
    if reply.token is not None:
        r[b"token"] = reply.token
    if reply.values:
        r[b"values"] = list(reply.values)
    if reply.seeds is not None and reply.peers is not None:
        r |= {b"BFsd": reply.seeds, b"BFpe": reply.peers}
    if reply.item is not None:
        r |= _stored(reply.item)
    if reply.samples is not None:
        r |= {b"interval": reply.interval, b"num": reply.num, b"samples": b"".join(reply.samples)}
    top: dict[bytes, Value] = {b"r": r, b"t": reply.transaction, b"y": b"r"}
    if reply.ours is not None:
        top[b"ip"] = reply.ours
    return encode(top)


def encode_failure(failure: Failure) -> bytes:
    """The datagram that declines."""
    return encode({b"e": [failure.code, failure.text.encode()], b"t": failure.transaction, b"y": b"e"})


def _wanted(want: Iterable[Family]) -> dict[bytes, Value]:
    words: list[Value] = [word for word, family in _WANTS.items() if family in want]
    return {b"want": words} if words else {}


def _flags(**flags: bool) -> dict[bytes, Value]:
    return {name.encode(): 1 for name, is_set in flags.items() if is_set}


def _numbers(**numbers: int | None) -> dict[bytes, Value]:
    return {name.encode(): number for name, number in numbers.items() if number is not None}


def _stored(item: Item) -> dict[bytes, Value]:
    value = bdecode(item.raw, max_depth=MAX_DEPTH)
    if item.key is None:
        return {b"v": value}
    return {b"v": value, b"k": item.key, b"seq": item.seq, b"sig": item.signature}
