"""What was asked for on the command line, as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

import attrs

from trio_torrent import Address, Settings

from .options import DEFAULT_PEERS, DEFAULT_PORT, DEFAULT_SLOTS, user_state_folder

T = TypeVar("T")

# Leaving takes at most this long: someone who pressed Ctrl-C is waiting, and a tracker that does not answer within
# a second or two will have to forget us by itself.
STOP_SECONDS = 1.5


@attrs.frozen(kw_only=True)
class Network:
    """How to reach peers, as asked for."""

    peers: tuple[Address, ...] = ()
    port: int = DEFAULT_PORT
    interface: str | None = None
    max_peers: int = DEFAULT_PEERS
    max_peers_in_all: int | None = None  # None: the client's default, or `max_peers` if that is more
    upload_slots: int = DEFAULT_SLOTS
    trackers: bool = True
    strict_tiers: bool = False
    web_seeds: bool = True
    dht: bool = True
    dht_routers: tuple[Address, ...] = ()  # none: those that everybody asks
    lsd: bool = True
    pex: bool = True
    allow_local: bool = False
    limit_down: int | None = None  # bytes a second, for all torrents together
    limit_up: int | None = None
    proxy: str | None = None
    threads: int | None = None  # None: by the number of cores

    def settings(self) -> Settings:
        """The same for a client."""
        usual = Settings()
        return Settings(
            port=self.port,
            interface=self.interface,
            connections=self.max_peers,
            connections_in_all=self.max_peers_in_all or max(self.max_peers, usual.connections_in_all),
            upload_slots=self.upload_slots,
            trackers=self.trackers,
            strict_tiers=self.strict_tiers,
            web_seeds=self.web_seeds,
            dht=self.dht,
            dht_routers=self.dht_routers or usual.dht_routers,
            state_folder=user_state_folder(),
            lsd=self.lsd,
            pex=self.pex,
            allow_local=self.allow_local,
            limit_down=self.limit_down,
            limit_up=self.limit_up,
            proxy=self.proxy,
            threads=self.threads or usual.threads,
            stop_seconds=STOP_SECONDS,
        )


@attrs.frozen(kw_only=True)
class Data:
    """How the data is treated. The names are those of `Client.add` and `Settings`."""

    select: tuple[str, ...] = ()  # nothing is all
    sequential: bool = False
    overwrite: bool = False
    trust_record: bool = True
    allocation: Literal["sparse", "full"] = "sparse"
    state_folder: Path | None = None


@attrs.frozen(kw_only=True)
class SeedLimits:
    """When to stop seeding: at the first limit that is reached, or never."""

    ratio: float | None = None  # bytes uploaded to bytes of the torrent
    seconds: float | None = None

    def __bool__(self) -> bool:
        return self.ratio is not None or self.seconds is not None

    def reached(self, *, uploaded: int, size: int, seconds: float) -> bool:
        """Whether it is enough, after so many bytes and seconds of seeding."""
        enough = self.ratio is not None and uploaded >= self.ratio * size
        return enough or (self.seconds is not None and seconds >= self.seconds)


@attrs.frozen(kw_only=True)
class Recipe:
    """What makes a torrent, besides the files. The names are those of `Metainfo.create`."""

    version: Literal["1", "2", "hybrid"] = "hybrid"
    piece_length: int | None = None  # bytes; None to choose by size
    trackers: tuple[tuple[str, ...], ...] = ()
    web_seeds: tuple[str, ...] = ()
    private: bool = False
    comment: str = ""
    source: str = ""
    creation_date: int | None = None  # seconds since 1970


def gather(kind: type[T], named: dict[str, Any]) -> T:
    """A value of the options that are called like its fields, or `no_` and the field; they are taken out of `named`."""
    found = {}
    for field in attrs.fields(kind):  # type: ignore[arg-type]  # it is one of the classes here
        if field.name in named:
            found[field.name] = named.pop(field.name)
        elif f"no_{field.name}" in named:
            found[field.name] = not named.pop(f"no_{field.name}")
    return kind(**found)
