"""libtorrent, by its Python bindings, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from trio_torrent import Address, Metainfo

from .programs import Job

if TYPE_CHECKING:
    import libtorrent

PLAIN_TEXT_ONLY = 2


@asynccontextmanager
async def open_libtorrent(job: Job, *, upload_limit: int = 0) -> AsyncIterator[libtorrent.torrent_handle]:
    """A session with one torrent; `upload_limit` is in bytes a second, 0 for none."""
    import libtorrent  # here, as the tests that need it are skipped where it is missing

    link = libtorrent.parse_magnet_uri(job.link) if job.link else None
    parameters = link or libtorrent.load_torrent_file(str(job.torrent))
    parameters.upload_limit = upload_limit
    async with _open(job, parameters) as handle:
        yield handle


@asynccontextmanager
async def open_libtorrent_by_link(job: Job, metainfo: Metainfo) -> AsyncIterator[libtorrent.torrent_handle]:
    """A session that came by a link with nothing but the v2 info-hash, and got the info dictionary from somewhere."""
    import libtorrent

    v2 = metainfo.info_hashes.v2
    assert v2 is not None
    async with _open(job, libtorrent.parse_magnet_uri(f"magnet:?xt=urn:btmh:1220{v2.hex()}")) as handle:
        handle.set_metadata(metainfo.info_bytes)
        yield handle


@asynccontextmanager
async def _open(job: Job, parameters: libtorrent.add_torrent_params) -> AsyncIterator[libtorrent.torrent_handle]:
    import libtorrent

    session = libtorrent.session(_settings(job))
    parameters.save_path = str(job.folder)
    parameters.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
    try:
        yield session.add_torrent(parameters)
    finally:
        del session  # waits for its threads, and they for the tracker to hear of it


def _settings(job: Job) -> libtorrent.settings_pack:
    return {
        "listen_interfaces": str(Address(job.host, job.port)),
        "outgoing_interfaces": job.host,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "in_enc_policy": PLAIN_TEXT_ONLY,
        "out_enc_policy": PLAIN_TEXT_ONLY,
        "allow_multiple_connections_per_ip": True,
        "ssrf_mitigation": False,  # which distrusts trackers on this machine
        "stop_tracker_timeout": 2,
    }
