import pytest

from trio_torrent.bitfield import Bitfield
from trio_torrent.errors import ProtocolError
from trio_torrent.swarm.hearsay import MOST_PIECES, Hearsay
from trio_torrent.wire import messages as wire

BITS = wire.Bitfield(bytes(Bitfield(10, [1, 2])))


def again(*said: wire.Message, pieces: int = 10) -> tuple[wire.Message, ...]:
    hearsay = Hearsay()
    for message in said:
        hearsay.hear(message)
    return hearsay.messages(pieces)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ([], []),
        ([BITS, wire.Have(3), wire.Have(3)], [BITS, wire.Have(3)]),
        ([wire.HaveNone(), wire.Have(3)], [wire.HaveNone(), wire.Have(3)]),
        ([wire.Have(3), wire.HaveAll()], [wire.HaveAll()]),  # as aria2 says it
        ([wire.AllowedFast(4), BITS, wire.HaveAll()], [wire.HaveAll(), wire.AllowedFast(4)]),
        ([wire.Unchoke(), wire.Choke(), wire.Unchoke()], [wire.Unchoke()]),
        ([wire.Interested(), BITS, wire.NotInterested()], [BITS, wire.NotInterested()]),
        ([wire.Port(1), wire.Port(2)], [wire.Port(2)]),
        ([wire.KeepAlive(), wire.Request(0, 0, 1), wire.Suggest(3), wire.Unknown(99, 5)], []),
    ],
)
def test_what_matters_later_is_kept(said, kept):
    assert list(again(*said)) == kept


@pytest.mark.parametrize(
    "said",
    [
        wire.Have(10),
        wire.AllowedFast(10),
        wire.Bitfield(bytes(1)),
        wire.Bitfield(bytes(3)),
        wire.Bitfield(b"\x00\x01"),  # a spare bit
    ],
)
def test_what_does_not_fit_is_an_error_in_the_end(said: wire.Message):
    with pytest.raises(ProtocolError):
        again(said)


def test_there_is_an_end_to_it():
    hearsay = Hearsay()
    for piece in range(MOST_PIECES):
        hearsay.hear(wire.Have(piece))
    with pytest.raises(ProtocolError, match="too many"):
        hearsay.hear(wire.Have(MOST_PIECES))
