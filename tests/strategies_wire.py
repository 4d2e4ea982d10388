"""Hypothesis strategies for what peers say."""

from hypothesis import strategies as st

from trio_torrent.wire import messages as wire

numbers = st.integers(0, 2**32 - 1)

# What an honest peer asks for and gets has as many digests as the numbers say.
parts = st.builds(wire.HashRequest, st.binary(min_size=32, max_size=32), numbers, numbers, numbers, numbers)
small_parts = st.builds(wire.HashRequest, st.just(b"r" * 32), numbers, numbers, st.integers(0, 9), st.integers(0, 9))

messages = st.one_of(
    st.sampled_from(
        [
            wire.KeepAlive(),
            wire.Choke(),
            wire.Unchoke(),
            wire.Interested(),
            wire.NotInterested(),
            wire.HaveAll(),
            wire.HaveNone(),
        ]
    ),
    st.builds(wire.Have, numbers),
    st.builds(wire.Bitfield, st.binary(max_size=30)),
    st.builds(wire.Request, numbers, numbers, numbers),
    st.builds(wire.Piece, numbers, numbers, st.binary(min_size=1, max_size=60)),
    st.builds(wire.Cancel, numbers, numbers, numbers),
    st.builds(wire.Port, st.integers(0, 65535)),
    st.builds(wire.Suggest, numbers),
    st.builds(wire.Reject, numbers, numbers, numbers),
    st.builds(wire.AllowedFast, numbers),
    st.builds(wire.Extended, st.integers(0, 255), st.binary(max_size=40)),
)

hash_messages = st.one_of(
    parts,
    st.builds(wire.HashReject, parts),
    small_parts.map(lambda part: wire.Hashes(part, bytes(32 * (part.length + part.uncles)))),
)
