"""libtorrent as a process.

`make PATH TORRENT PIECE [TRACKER]`, `seed TORRENT FOLDER PORT [RATE]`, `swarm TORRENT FOLDER COUNT RATE`,
`leech TORRENT OUT [PEER]`, `first LINK OUT PEER`, `check TORRENT FOLDER`, `idle FOLDER`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import libtorrent as lt


def start(port: int, host: str = "127.0.0.1", settings: lt.settings_pack | None = None) -> lt.session:
    """A session that speaks plain TCP on loopback."""
    parameters = lt.session_params()
    plain: lt.settings_pack = {
        "listen_interfaces": f"{host}:{port}",
        "alert_mask": lt.alert_category.status | lt.alert_category.storage,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_outgoing_utp": False,
        "enable_incoming_utp": False,
        "in_enc_policy": 2,
        "out_enc_policy": 2,
        "allow_multiple_connections_per_ip": True,
    }
    parameters.settings = plain
    session = lt.session(parameters)
    session.apply_settings(settings or {})
    return session


def make(path: str, torrent: str, piece_length: str, tracker: str = "") -> None:
    """The v1 torrent of a file, or of a folder."""
    creator = lt.create_torrent(lt.list_files(path), int(piece_length), lt.create_torrent.v1_only)
    if tracker:
        creator.add_tracker(tracker)
    lt.set_piece_hashes(creator, str(Path(path).parent))
    Path(torrent).write_bytes(lt.bencode(creator.generate()))


def seed(torrent: str, folder: str, port: str, rate: str = "-1") -> None:
    """Serve until terminated, at most so many bytes a second."""
    session = start(int(port))
    parameters = complete(torrent, folder)
    parameters.upload_limit = int(rate)  # of the torrent: that of a session does not count on loopback
    session.add_torrent(parameters)
    while True:
        time.sleep(3600)


def complete(torrent: str, folder: str) -> lt.add_torrent_params:
    """A torrent of which everything is there, and nothing is checked."""
    parameters = lt.load_torrent_file(torrent)
    parameters.save_path = folder
    parameters.flags |= lt.torrent_flags.seed_mode
    return parameters


def swarm(torrent: str, folder: str, count: str, rate: str) -> None:
    """Serve from so many addresses, so many bytes a second each, until standard input ends; they are printed."""
    sessions = []
    for number in range(int(count)):
        session = start(0, f"127.0.1.{number + 1}", {"aio_threads": 1, "hashing_threads": 1})
        parameters = complete(torrent, folder)
        parameters.upload_limit = int(rate)
        session.add_torrent(parameters)
        sessions.append(session)
    for number, session in enumerate(sessions):
        while not session.listen_port():
            time.sleep(0.01)
        print(f"127.0.1.{number + 1}:{session.listen_port()}", flush=True)
    sys.stdin.read()
    os._exit(0)


def leech(torrent: str, out: str, peer: str = "") -> None:
    """Download, and end when everything is written. How long its threads take to end is not held against it."""
    parameters = lt.load_torrent_file(torrent)
    parameters.save_path = out
    if peer:
        host, port = peer.split(":")
        parameters.peers = [(host, int(port))]
    session = start(0)
    handle = session.add_torrent(parameters)
    for alert in alerts(session):
        if isinstance(alert, lt.torrent_finished_alert):
            handle.flush_cache()
        elif isinstance(alert, lt.cache_flushed_alert):
            os._exit(0)


def first(link: str, out: str, peer: str) -> None:
    """Get the metadata and a piece."""
    parameters = lt.parse_magnet_uri(link)
    parameters.save_path = out
    host, port = peer.split(":")
    parameters.peers = [(host, int(port))]
    session = start(0, settings={"alert_mask": lt.alert_category.piece_progress})
    session.add_torrent(parameters)
    for alert in alerts(session):
        if isinstance(alert, lt.piece_finished_alert):
            os._exit(0)


def check(torrent: str, folder: str) -> None:
    """Compare all data with the torrent."""
    parameters = lt.load_torrent_file(torrent)
    parameters.save_path = folder
    session = start(0)
    session.add_torrent(parameters)
    for alert in alerts(session):
        if isinstance(alert, lt.torrent_checked_alert):
            os._exit(0)


def idle(folder: str) -> None:
    """Have every torrent of `torrents/`, with its data in `data/`; print a line when all are seeding, and wait."""
    session = start(0, settings={"active_limit": -1, "active_seeds": -1, "active_checking": -1})
    paths = sorted((Path(folder) / "torrents").iterdir())
    handles = [session.add_torrent(complete(str(path), f"{folder}/data")) for path in paths]
    while not all(handle.status().is_seeding for handle in handles):
        time.sleep(0.05)
    print("seeding", flush=True)
    sys.stdin.read()
    os._exit(0)


def alerts(session: lt.session) -> Iterator[lt.alert]:
    """As they come, for ever."""
    while True:
        session.wait_for_alert(1000)
        yield from session.pop_alerts()


JOBS = {job.__name__: job for job in (make, seed, swarm, leech, first, check, idle)}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
