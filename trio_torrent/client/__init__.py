"""Tying it together: the API. `client` owns what torrents share, `torrent` is one torrent's task and handle.

A torrent lives in `sessions`: it finds out what there is of its `content`, takes part in the swarm, and is still when
the disk fails or somebody moves its files.
"""
