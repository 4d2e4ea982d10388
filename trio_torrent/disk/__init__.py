"""Bytes at rest: pieces in memory, files on disk, and the threads that hash and write.

`buffers` is where blocks become pieces; `files` is positioned reads and writes over a torrent's files; `workers` is the
standing threads; `store` puts them together for one torrent; `check` finds out what is there already.
"""
