"""What strangers do to us, case by case: each a script for one bad peer, and what must come of it.

`case` has the words in which a case is told, `villain` what a script can do, and `arena` the world that it is played
in: a torrent of ours and an honest peer beside the bad one. The tables are by theme: `handshakes`, `framing`, `haves`,
`asking`, `giving`, `choking`, `lies`, `extensions`, `visits`. `test_matrix` plays them all.

A new case is a line in one of the tables, and a small function where the line is not enough:

    Case("a long bitfield", says(wire.Bitfield(bytes(9))), Dropped("a bad bitfield: 9 bytes for 25 pieces")),

It is played with the bad peer dialled and incoming, with the fast extension and without. Whatever a case expects, this
is held besides: the honest peer gets or gives every byte in time and is neither dropped nor banned, nothing happened
that nobody foresaw, and a flood costs no more memory than one peer may.
"""
