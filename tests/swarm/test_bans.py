"""Who is convicted, and who never is."""

from trio_torrent.address import Address
from trio_torrent.swarm.bans import MOST_LIARS, MOST_SUSPICIONS, Bans

from .making import BLOCK, address

HONEST, LIAR, OTHER = address(1), address(2), address(3)
RIGHT = (b"right 0", b"right 1", b"right 2")


def test_a_sole_giver_is_convicted_at_once():
    bans = Bans()
    assert bans.wrong(0, {0: LIAR, BLOCK: LIAR}, (b"x", b"y")) == {LIAR}
    assert bans.banned == {LIAR}


def test_of_several_nobody_is_until_the_piece_is_right():
    bans = Bans()
    givers = {0: HONEST, BLOCK: LIAR, 2 * BLOCK: OTHER}
    assert bans.wrong(0, givers, (b"right 0", b"wrong", b"right 2")) == frozenset()
    assert bans.banned == set()
    assert bans.right(0, RIGHT) == {LIAR}
    assert bans.banned == {LIAR}


def test_a_piece_that_comes_out_wrong_twice_convicts_by_both():
    bans = Bans()
    bans.wrong(0, {0: HONEST, BLOCK: LIAR}, (b"right 0", b"wrong"))
    assert bans.wrong(0, {0: OTHER, BLOCK: OTHER}, (b"wrong", b"right 1")) == {OTHER}
    assert bans.right(0, RIGHT[:2]) == {LIAR}


def test_the_same_address_may_have_sent_right_and_wrong():
    bans = Bans()
    bans.wrong(0, {0: LIAR, BLOCK: LIAR, 2 * BLOCK: HONEST}, (b"right 0", b"wrong", b"right 2"))
    assert bans.right(0, RIGHT) == {LIAR}


def test_one_conviction_is_enough():
    bans = Bans()
    bans.wrong(0, {0: HONEST, BLOCK: LIAR}, (b"right 0", b"wrong"))
    bans.right(0, RIGHT)
    assert bans.right(0, (b"other", b"digests")) == frozenset(), "what is settled is forgotten"


def test_a_piece_that_was_always_right_convicts_nobody():
    assert Bans().right(3, RIGHT) == frozenset()


def test_a_port_is_not_a_host():
    bans = Bans()
    bans.wrong(0, {0: LIAR}, (b"x",))
    assert type(LIAR)(LIAR.host, LIAR.port + 1) not in bans.banned


def test_suspicions_are_bounded():
    """Past the bound a piece convicts nobody by comparison; known suspicions still grow."""
    bans = Bans()
    for piece in range(MOST_SUSPICIONS + 1):
        bans.wrong(piece, {0: HONEST, BLOCK: LIAR}, (b"right 0", b"wrong"))
    assert bans.right(MOST_SUSPICIONS, RIGHT) == frozenset()
    bans.wrong(0, {0: OTHER, BLOCK: HONEST}, (b"wrong", b"right 1"))
    assert bans.right(0, RIGHT) == {LIAR, OTHER}


def test_who_comes_back_from_a_public_host_that_lied_often_is_not_let_in():
    """But those whom we dial there are judged by themselves."""
    bans = Bans()
    for number in range(MOST_LIARS):
        assert not bans.refuses(Address("9.9.9.9", 1000))
        liar = Address("9.9.9.9", number)
        for _ in range(2):
            bans.wrong(0, {0: liar}, (b"x",))
        assert bans.refuses(liar)
    assert bans.refuses(Address("9.9.9.9", 1000))
    assert not bans.refuses(Address("9.9.9.8", 1000))
    assert Address("9.9.9.9", 1000) not in bans.banned


def test_on_a_local_network_each_is_judged_by_itself():
    bans = Bans()
    for number in range(10 * MOST_LIARS):
        bans.wrong(0, {0: Address("127.0.0.1", number)}, (b"x",))
    assert not bans.refuses(Address("127.0.0.1", 1000))
