"""Asking trackers, and being one: what is said, to whom and when, without a socket or a clock.

`announce` holds the values; `http` turns them into a URL and an answer back into values; `tiers` decides which of a
torrent's trackers hears what next. On the other side of the wire, `query` reads what a client asked and `registry`
knows who is in which swarm. The tasks are in `trio_torrent.net.tracker` and `trio_torrent.net.tracker_server`.
"""
