"""Bytes at rest: pieces in memory, files on disk, and the threads that hash and write.

For a torrent that runs: `buffers` is where blocks become pieces; `files` is positioned reads and writes over all of its
files, by descriptors that are `opened` when they are needed, with `parts` for what comes of files that nobody wants,
`claims` to those that are the torrent's, and a `watch` for whoever else writes to them; `hashes` reads parts of hash
trees; `workers` is the standing threads; `store` puts them together. `space` makes room before, `moving` takes files
elsewhere. From one run to the next: a `record` of what is good, kept among `records`, is worth what `trust` makes of
how the files `look`, and a `survey` looks at many of them. `failures` are told in our words.

For torrents as such: `scan` finds what there is to share and `create` hashes it, `check` compares what is there with a
torrent, and both `sweep` over the pieces alike.
"""
