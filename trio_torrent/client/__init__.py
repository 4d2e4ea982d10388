"""Tying it together: the API. `client` owns what torrents share, `torrent` is one torrent's task and handle."""
