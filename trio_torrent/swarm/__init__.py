"""Deciding: whom to connect to, what to ask of whom, whom to serve. No I/O, no clock, no global randomness.

`events` says all that can happen to a torrent, `commands` all that it can ask for. `Scheduler.handle(event, now)` turns
one into the other; it never awaits, and nobody else decides. What it knows of each peer is in `peers`; its judgement
is in `picker` and `availability` (which blocks; `urgent` those that somebody waits to read, as far as `readahead`
says), `pipeline` (how many, and when one is late), `choker` (whom to serve), and `bans` (who lied). `contacts` has to
do with who is there at all: `candidates` (whom to dial, out of the `pool` of addresses, by `priority`) and `admission`
(who may come in, and who goes for it). `shares` is what all torrents of a client have in common. `hashing` is v2's own:
`layers` that a torrent lacks and `blame` for wrong pieces are `questions` to peers.

A torrent that begins as a link has a `gathering` first, which hears the same events: it gets the info dictionary by
`metadata`, keeps what peers say meanwhile (`hearsay`), and leaves all to the scheduler. `extensions` is the extension
protocol's part of both, with `metadata_serving` and `pex`. `lsd` is about the local network, for all torrents at once.
"""
