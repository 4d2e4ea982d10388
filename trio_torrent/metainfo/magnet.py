"""Magnet links: what a torrent is called, and where to ask for the rest (BEP 9; BEP 52 for `btmh`, BEP 53 for `so`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote, unquote_to_bytes

import attrs

from trio_torrent.address import Address
from trio_torrent.errors import MagnetError

from .infohash import V1_LENGTH, InfoHashes, parse_info_hash
from .paths import safe_component
from .urls import MAX_TRACKERS, MAX_URL_LENGTH, MAX_WEB_SEEDS, clean_url

MAX_LINK = 1 << 18  # characters; 500 trackers have some 40,000
MAX_PARAMETERS = 2000  # of a link, of any kind
MAX_PEERS = 100  # addresses to try at once; trackers and the DHT find the rest
MAX_RANGES = 1000  # of selected files
MAX_FILE_NUMBER = 10_000_000  # in a selection; a torrent of 10 MiB cannot have as many files
MAX_SOURCES = 20  # `xs` and `as`, which nothing fetches

SHA256_MULTIHASH = "1220"  # the function's code and the digest's length, in hex

_PARAMETER = re.compile(r"(?:amp;)?([a-z.]+?)(?:\.\d+)?=(.*)", re.IGNORECASE | re.DOTALL)
_BTIH, _BTMH = "urn:btih:", "urn:btmh:"


@attrs.frozen
class Magnet:
    """A link to a torrent."""

    info_hashes: InfoHashes
    name: str = ""  # what it calls itself, safe as a file's name; may be empty
    trackers: tuple[str, ...] = ()
    web_seeds: tuple[str, ...] = ()
    peers: tuple[Address, ...] = ()
    select: tuple[range, ...] = ()  # numbers of the files to get, from 0; all if there is none
    exact_sources: tuple[str, ...] = ()  # where the .torrent might be: kept, never fetched

    @classmethod
    def parse(cls, text: str) -> Magnet:
        """Read a link, or a bare info-hash. What is of no use in it is left out. Raises MagnetError."""
        text = text.strip()
        scheme, question_mark, query = text.partition("?")
        try:
            if not question_mark and ":" not in text:
                return cls(parse_info_hash(text))
            if scheme.lower() not in ("magnet:", "magnet:/", "magnet://"):
                raise ValueError("it does not begin with magnet:?")
            return cls._from_parameters(_parameters(query))
        except ValueError as error:
            raise MagnetError(f"not a magnet link: {error}") from error

    @classmethod
    def _from_parameters(cls, values: dict[str, list[str]]) -> Magnet:
        names = [safe_component(unquote_to_bytes(name.replace("+", " "))) for name in values.get("dn", []) if name]
        return cls(
            info_hashes=_info_hashes(values.get("xt", [])),
            name=names[0] if names else "",
            trackers=_urls(values.get("tr", []), MAX_TRACKERS),
            web_seeds=_urls(values.get("ws", []), MAX_WEB_SEEDS),
            peers=_peers(values.get("x.pe", [])),
            select=_ranges(",".join(values.get("so", []))),
            exact_sources=_sources([*values.get("xs", []), *values.get("as", [])]),
        )

    def __str__(self) -> str:
        v1, v2 = self.info_hashes.v1, self.info_hashes.v2
        ranges = ",".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in self.select)
        parameters = [
            *([f"xt={_BTIH}{v1.hex()}"] if v1 else []),
            *([f"xt={_BTMH}{SHA256_MULTIHASH}{v2.hex()}"] if v2 else []),
            *([f"dn={quote(self.name, safe='')}"] if self.name else []),
            *[f"tr={quote(url, safe='')}" for url in self.trackers],
            *[f"ws={quote(url, safe='')}" for url in self.web_seeds],
            *[f"x.pe={quote(str(peer), safe=':[]')}" for peer in self.peers],
            *([f"so={ranges}"] if ranges else []),
            *[f"xs={quote(source, safe=':')}" for source in self.exact_sources],
        ]
        return "magnet:?" + "&".join(parameters)


def _parameters(query: str) -> dict[str, list[str]]:
    """Each parameter's values, still escaped. `tr.1` is `tr`, and `&amp;` from a web page is `&`."""
    if len(query) > MAX_LINK:
        raise ValueError(f"it has {len(query)} characters, more than {MAX_LINK}")
    values: dict[str, list[str]] = {}
    for part in query.split("&", MAX_PARAMETERS)[:MAX_PARAMETERS]:
        if match := _PARAMETER.fullmatch(part):
            values.setdefault(match[1].lower(), []).append(match[2])
    return values


def _info_hashes(topics: list[str]) -> InfoHashes:
    """From `xt`; topics of other networks are passed over. ValueError if there is none, or two of a kind."""
    v1: set[bytes] = set()
    v2: set[bytes] = set()
    for topic in map(unquote, topics):
        kind, digest = topic[: len(_BTIH)].lower(), topic[len(_BTIH) :]
        if kind == _BTIH:
            v1.add(_v1_digest(digest))
        elif kind == _BTMH and digest.startswith(SHA256_MULTIHASH):
            v2.add(_v2_digest(digest.removeprefix(SHA256_MULTIHASH)))
    if not v1 and not v2:
        raise ValueError("it has no info-hash (xt=urn:btih:… or xt=urn:btmh:1220…)")
    if len(v1) > 1 or len(v2) > 1:
        raise ValueError("it has two different info-hashes")
    return InfoHashes(next(iter(v1), None), next(iter(v2), None))


def _v1_digest(text: str) -> bytes:
    digest = parse_info_hash(text).v1
    if digest is None:
        raise ValueError(f"urn:btih: has {V1_LENGTH} bytes, not {text!r}")
    return digest


def _v2_digest(text: str) -> bytes:
    digest = parse_info_hash(text).v2
    if digest is None:
        raise ValueError(f"{_BTMH}{SHA256_MULTIHASH} has 64 hex digits after it, not {text!r:.80}")
    return digest


def _urls(values: Iterable[str], limit: int) -> tuple[str, ...]:
    urls = dict.fromkeys(clean_url(unquote(value)) for value in values)
    return tuple([url for url in urls if url is not None][:limit])


def _peers(values: Iterable[str]) -> tuple[Address, ...]:
    found: dict[Address, None] = {}
    for value in map(unquote, values):
        if value.isprintable() and " " not in value and len(value) <= MAX_URL_LENGTH:
            try:
                found[Address.parse(value)] = None
            except ValueError:
                continue  # one address that cannot be read leaves the link as good as it was
    return tuple(found)[:MAX_PEERS]


def _ranges(text: str) -> tuple[range, ...]:
    """BEP 53: `0,2,4-6`. Parts that cannot be read are left out."""
    found: dict[range, None] = {}
    for part in unquote(text).split(","):
        match = re.fullmatch(r"(\d{1,8})(?:-(\d{1,8}))?", part.strip(), re.ASCII)
        if match and int(match[1]) <= int(match[2] or match[1]) < MAX_FILE_NUMBER:
            found[range(int(match[1]), int(match[2] or match[1]) + 1)] = None
    return tuple(found)[:MAX_RANGES]


def _sources(values: Iterable[str]) -> tuple[str, ...]:
    texts = dict.fromkeys(unquote(value).strip() for value in values)
    return tuple([text for text in texts if text.isprintable() and 0 < len(text) <= MAX_URL_LENGTH][:MAX_SOURCES])
