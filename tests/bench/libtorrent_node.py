"""libtorrent as a process: `make PATH TORRENT PIECE`, `seed TORRENT FOLDER PORT [RATE]`, `leech TORRENT OUT PEER`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import libtorrent as lt


def start(port: int) -> lt.session:
    """A session that speaks plain TCP on loopback."""
    parameters = lt.session_params()
    parameters.settings = {
        "listen_interfaces": f"127.0.0.1:{port}",
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
    return lt.session(parameters)


def make(path: str, torrent: str, piece_length: str) -> None:
    """The v1 torrent of a file."""
    creator = lt.create_torrent(lt.list_files(path), int(piece_length), lt.create_torrent.v1_only)
    lt.set_piece_hashes(creator, str(Path(path).parent))
    Path(torrent).write_bytes(lt.bencode(creator.generate()))


def seed(torrent: str, folder: str, port: str, rate: str = "0") -> None:
    """Serve until terminated, at so many bytes a second; 0 is no limit."""
    parameters = lt.load_torrent_file(torrent)
    parameters.save_path = folder
    parameters.flags |= lt.torrent_flags.seed_mode
    session = start(int(port))
    session.add_torrent(parameters).set_upload_limit(int(rate))  # a session's own is not for peers nearby
    while True:
        time.sleep(3600)


def leech(torrent: str, out: str, peer: str) -> None:
    """Download, and end when everything is written."""
    parameters = lt.load_torrent_file(torrent)
    parameters.save_path = out
    host, port = peer.split(":")
    parameters.peers = [(host, int(port))]
    session = start(0)
    handle = session.add_torrent(parameters)
    while True:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.torrent_finished_alert):
                handle.flush_cache()
            elif isinstance(alert, lt.cache_flushed_alert):
                return


COMMANDS: dict[str, Callable[..., None]] = {"make": make, "seed": seed, "leech": leech}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
