"""What we ask of whom, and what comes of it."""

import pytest

from trio_torrent.bitfield import Bitfield
from trio_torrent.swarm.asking import ENDGAME_WINDOW, FAIR_SHARE, REST_SECONDS
from trio_torrent.swarm.availability import HIGH, SKIP
from trio_torrent.swarm.commands import Ask, Discard, Keep, Send, Verify, Withdraw
from trio_torrent.swarm.fetching import MOST_REJECTS
from trio_torrent.swarm.peers import MOST_CANCELLED, Peer
from trio_torrent.swarm.pipeline import FIRST_BLOCK_SECONDS, FIRST_WINDOW
from trio_torrent.swarm.rates import Bucket
from trio_torrent.swarm.suspects import ALONE_SECONDS
from trio_torrent.wire import messages as wire

from .making import BLOCK, GEOMETRY, NOW, PIECES, Swarm, address, every_block, landed, make_peer, make_swarm, own

ALL = range(PIECES)


def asked_of(swarm: Swarm, peer: Peer) -> list[wire.Request]:
    """What was asked of the peer since one last looked."""
    return [request for ask in swarm.commands.of(Ask) if ask.peer == peer.id for request in ask.requests]


def fetch(swarm: Swarm, peer: Peer, piece: int) -> None:
    """Every block of a piece that was asked of the peer comes."""
    for request in every_block(piece):
        swarm.gives(peer, landed(request))


# -- interest --------------------------------------------------------------------------------------------------------


def test_we_are_interested_in_who_has_what_we_lack():
    swarm = make_swarm(have=[0, 1])
    rich, poor = swarm.join(make_peer(1), [0, 4]), swarm.join(make_peer(2), [0, 1])
    assert swarm.commands.take() == [Send(rich.id, (wire.Interested(),))]
    swarm.fetching.gained(poor, 3)
    swarm.fetching.gained(poor, 3)
    swarm.fetching.gained(poor, 2)
    assert swarm.commands.take() == [Send(poor.id, (wire.Interested(),))]
    assert rich.we_are_interested
    assert poor.we_are_interested


def test_and_no_longer_when_we_have_it():
    swarm = make_swarm(have=[0, 1, 2, 3])
    peer, bystander = swarm.join(make_peer(1), [4], unchokes=True), swarm.join(make_peer(2), [0])
    fetch(swarm, peer, 4)
    swarm.commands.take()
    swarm.fetching.verified(4, (), NOW)
    swarm.fetching.tell_news(NOW)
    assert swarm.commands.take() == [
        Send(peer.id, (wire.NotInterested(),)),
        Send(bystander.id, (wire.Have(4),)),
    ]


# -- asking ----------------------------------------------------------------------------------------------------------


def test_a_peer_is_asked_when_it_unchokes_and_for_places_of_their_own():
    swarm = make_swarm()
    peer = swarm.join(make_peer(), ALL)
    assert asked_of(swarm, peer) == []
    swarm.unchoke(peer)
    asks = swarm.commands.of(Ask)
    assert [ask.lend for ask in asks] == [True]
    assert len(asks[0].requests) == 9
    assert peer.id in swarm.fetching.asking.hungry, "it could take more"


def test_it_is_not_asked_for_more_than_its_window():
    swarm = make_swarm()
    peer = make_peer()
    peer.queue = 3
    swarm.join(peer, ALL, unchokes=True)
    assert len(asked_of(swarm, peer)) == 3
    assert peer.id not in swarm.fetching.asking.hungry
    swarm.fetching.asking.fill(peer, NOW)
    assert asked_of(swarm, peer) == []


def test_a_block_makes_room_for_the_next():
    swarm = make_swarm()
    peer = make_peer()
    peer.queue = 2
    swarm.join(peer, ALL, unchokes=True)
    first, second = asked_of(swarm, peer)
    swarm.gives(peer, landed(first))
    swarm.fetching.count(peer, BLOCK, NOW)
    swarm.fetching.asking.fill(peer, NOW)
    assert len(asked_of(swarm, peer)) == 1
    assert (second.piece, second.offset) in peer.asked
    assert (peer.from_them.total, swarm.fetching.meter.total) == (BLOCK, BLOCK)


def test_who_has_nothing_that_we_lack_is_not_asked():
    swarm = make_swarm(have=[0])
    peer = swarm.join(make_peer(), [0], unchokes=True)
    assert asked_of(swarm, peer) == []


def test_a_new_have_is_asked_for():
    swarm = make_swarm()
    peer = swarm.join(make_peer(), [], unchokes=True)
    swarm.fetching.gained(peer, 4)
    swarm.fetching.asking.fill(peer, NOW)
    assert asked_of(swarm, peer) == every_block(4)


# -- blocks ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def one() -> tuple[Swarm, Peer]:
    """One peer that was asked for everything there is."""
    swarm = make_swarm()
    peer = swarm.join(make_peer(), ALL, unchokes=True)
    swarm.commands.take()
    return swarm, peer


def test_a_whole_piece_is_verified(one):
    swarm, peer = one
    fetch(swarm, peer, 1)
    assert swarm.commands.take() == [Verify(1)]


def test_a_block_with_data_of_its_own_is_kept_before_its_piece_is_verified(one):
    swarm, peer = one
    (block,) = map(own, every_block(4))
    swarm.gives(peer, block)
    assert swarm.commands.take() == [Keep(4, 0, block.data), Verify(4)]


def test_a_block_that_was_read_before_it_was_asked_for_answers_an_older_request(one):
    """Its place may have been somebody else's in between. The answer to this request is still to come."""
    swarm, peer = one
    (request,) = every_block(4)
    swarm.fetching.block(peer, own(request), peer.asks - 1, NOW)
    assert (swarm.commands.take(), swarm.fetching.wasted) == ([], 1000)
    assert (4, 0) in peer.asked
    swarm.gives(peer, landed(request))
    assert swarm.commands.take() == [Verify(4)]


def test_what_nobody_asked_for_is_wasted(one):
    swarm, peer = one
    swarm.gives(peer, wire.Piece(0, 5, bytes(100)))
    fetch(swarm, peer, 4)
    fetch(swarm, peer, 4)
    assert swarm.fetching.wasted == 100 + 1000
    assert swarm.commands.take() == [Verify(4)]


def test_a_block_of_another_length_loses_its_place(one):
    """Its connection would still write there, when somebody else has been lent the place."""
    swarm, peer = one
    swarm.gives(peer, wire.Piece(1, 0, b"short"))
    (request,) = [request for request in every_block(1) if request.offset == 0]
    assert swarm.commands.take() == [Withdraw(peer.id, (request,))]
    assert (swarm.fetching.wasted, peer.rejects) == (5, 1)
    swarm.fetching.asking.fill(peer, NOW + REST_SECONDS)
    assert asked_of(swarm, peer) == [request]


def test_a_block_of_another_length_does_not_mix_the_givers_of_a_suspect_piece(one):
    swarm, peer = one
    fetch(swarm, peer, 1)
    swarm.fetching.failed(1, (b"x", b"y"))
    swarm.fetching.asking.fill(peer, NOW)
    swarm.commands.take()
    swarm.gives(peer, wire.Piece(1, 0, b"short"))
    assert swarm.commands.take() == [Withdraw(peer.id, tuple(every_block(1))), Discard(1)]
    swarm.gives(peer, own(every_block(1)[1]))
    assert swarm.commands.take() == [], "that one was withdrawn, too"
    swarm.fetching.asking.fill(peer, NOW + REST_SECONDS)
    assert asked_of(swarm, peer) == every_block(1)


def test_a_right_piece_is_told_to_those_who_lack_it(one):
    swarm, peer = one
    other = swarm.join(make_peer(2))
    fetch(swarm, peer, 1)
    swarm.commands.take()
    assert swarm.fetching.verified(1, (), NOW) == frozenset()
    assert swarm.fetching.news.due == NOW
    swarm.fetching.tell_news(NOW)
    assert swarm.commands.of(Send) == [Send(other.id, (wire.Have(1),))]
    assert 1 in swarm.have
    swarm.fetching.tell_news(NOW)
    assert swarm.commands.take() == [], "they know"


def test_a_wrong_piece_is_wasted_and_convicts_its_only_giver(one):
    swarm, peer = one
    fetch(swarm, peer, 1)
    swarm.commands.take()
    assert swarm.fetching.failed(1, (b"x", b"y")) == {peer.address}
    assert swarm.fetching.wasted == 2 * BLOCK
    assert 1 not in swarm.have


def test_the_second_time_digests_are_asked_for_and_they_convict():
    swarm = make_swarm(have=[0, 2, 3, 4])
    liar, honest = make_peer(1), make_peer(2)
    liar.queue = 1
    swarm.join(liar, ALL, unchokes=True)
    swarm.join(honest, ALL, unchokes=True)
    one, two = every_block(1)
    swarm.gives(liar, landed(one))
    swarm.gives(honest, landed(two))
    assert Verify(1, digests=False) in swarm.commands.take()
    assert swarm.fetching.failed(1, (b"wrong", b"right 1")) == frozenset()
    swarm.fetching.asking.fill(honest, NOW)
    assert asked_of(swarm, honest) == [one, two]
    fetch(swarm, honest, 1)
    assert swarm.commands.take() == [Verify(1, digests=True)]
    assert swarm.fetching.verified(1, (b"right 0", b"right 1"), NOW) == {liar.address}
    assert swarm.bans.banned == {address(1)}


# -- the endgame -----------------------------------------------------------------------------------------------------


@pytest.fixture
def endgame() -> tuple[Swarm, Peer, Peer]:
    """Everything is asked of the slow peer, and some of it of the quick one, too."""
    swarm = make_swarm()
    slow, quick = swarm.join(make_peer(1), ALL, unchokes=True), swarm.join(make_peer(2), ALL)
    swarm.commands.take()
    swarm.unchoke(quick, NOW)
    (ask,) = swarm.commands.of(Ask)
    assert (ask.peer, ask.lend, len(ask.requests)) == (quick.id, False, ENDGAME_WINDOW)
    return swarm, slow, quick


def test_the_first_copy_is_withdrawn_from_the_others_before_it_is_used(endgame):
    swarm, slow, quick = endgame
    piece, offset = next(iter(quick.asked))
    (request,) = [block for block in every_block(piece) if block.offset == offset]
    swarm.gives(quick, own(request))
    first, *others = swarm.commands.take()
    assert first == Withdraw(slow.id, (request,))
    assert Keep(piece, offset, bytes(request.length)) in others
    assert (piece, offset) not in slow.asked


def test_the_copy_that_comes_second_is_wasted(endgame):
    swarm, slow, quick = endgame
    for request in [block for piece in ALL for block in every_block(piece)]:
        swarm.gives(slow, landed(request))
    assert quick.asked == {}
    swarm.gives(quick, own(every_block(4)[0]))
    assert swarm.fetching.wasted == 1000


def test_who_asked_last_of_all_may_leave_without_harm(endgame):
    swarm, slow, quick = endgame
    shared = list(quick.asked)
    swarm.leave(slow)
    assert set(shared) <= set(quick.asked)
    assert len(asked_of(swarm, quick)) == 1, "the one that was not shared"
    assert len(quick.asked) == 9


def test_the_late_are_not_asked_to_help_out():
    swarm = make_swarm()
    swarm.join(make_peer(1), ALL, unchokes=True)
    late = make_peer(2)
    late.snubbed = True
    swarm.join(late, ALL, unchokes=True)
    assert asked_of(swarm, late) == []


# -- what does not come ----------------------------------------------------------------------------------------------


def test_a_choke_gives_all_back_for_others(one):
    swarm, peer = one
    other = swarm.join(make_peer(2), ALL, unchokes=True)
    swarm.commands.take()
    swarm.fetching.choked(peer, NOW)
    assert peer.asked == {}
    assert len(other.asked) == 9
    withdrawn, *_ = swarm.commands.take()
    assert isinstance(withdrawn, Withdraw)
    assert (withdrawn.peer, len(withdrawn.requests), withdrawn.tell) == (peer.id, 9, False)


def test_with_the_fast_extension_a_choke_alone_takes_nothing_away():
    """Each request is answered or rejected (BEP 6)."""
    swarm = make_swarm()
    peer = swarm.join(make_peer(fast=True), ALL, unchokes=True)
    asked = dict(peer.asked)
    swarm.fetching.choked(peer, NOW)
    assert peer.asked == asked
    fetch(swarm, peer, 1)
    assert Verify(1) in swarm.commands.take()
    swarm.fetching.rejected(peer, wire.Reject(0, 0, BLOCK), NOW)
    assert (peer.rejects, peer.rests_until) == (0, NOW)


def test_who_refuses_unchoked_rests_for_a_second():
    swarm = make_swarm()
    peer = swarm.join(make_peer(fast=True), [4], unchokes=True)
    swarm.commands.take()
    swarm.fetching.rejected(peer, wire.Reject(4, 0, 1000), NOW)
    swarm.fetching.asking.fill(peer, NOW)
    swarm.fetching.tick(NOW + 0.5)
    assert (peer.rejects, asked_of(swarm, peer)) == (1, [])
    swarm.fetching.tick(NOW + 1)
    assert asked_of(swarm, peer) == every_block(4)


def refuse(swarm: Swarm, peer: Peer, now: float) -> None:
    """The peer refuses the first block that it was asked for."""
    piece, offset = next(iter(peer.asked))
    swarm.fetching.rejected(peer, wire.Reject(piece, offset, GEOMETRY.block_size(piece, offset // BLOCK)), now)


def test_rejects_are_counted_between_blocks():
    swarm = make_swarm()
    peer = swarm.join(make_peer(fast=True), ALL, unchokes=True)
    for second in range(MOST_REJECTS + 1):
        refuse(swarm, peer, NOW + second)
        peer.waited = 0.0  # or else it would be thought late, and what it was asked for cancelled
        swarm.fetching.tick(NOW + second + 1)
    assert peer.rejects == MOST_REJECTS + 1
    piece, offset = next(iter(peer.asked))
    swarm.gives(peer, landed(wire.Request(piece, offset, GEOMETRY.block_size(piece, offset // BLOCK))))
    assert peer.rejects == 0


def test_a_reject_of_what_was_not_asked_is_nothing(one):
    swarm, peer = one
    swarm.fetching.rejected(peer, wire.Reject(4, 7, 1000), NOW)
    assert (peer.rejects, swarm.commands.take()) == (0, [])


def test_a_reject_in_a_suspect_piece_takes_back_the_rest_of_it():
    swarm = make_swarm(have=[0, 2, 3, 4])
    peer, other = swarm.join(make_peer(1, fast=True), ALL, unchokes=True), swarm.join(make_peer(2), ALL)
    fetch(swarm, peer, 1)
    swarm.fetching.failed(1, (b"x", b"y"))
    swarm.fetching.asking.fill(peer, NOW)
    swarm.unchoke(other, NOW)
    swarm.commands.take()
    swarm.fetching.rejected(peer, wire.Reject(1, 0, BLOCK), NOW)
    assert swarm.commands.take() == [
        Withdraw(peer.id, (wire.Request(1, BLOCK, BLOCK),)),
        Withdraw(peer.id, (wire.Request(1, 0, BLOCK),), tell=False),
        Discard(1),
        Ask(other.id, tuple(every_block(1)), lend=True),
    ]


def test_what_the_departed_owed_is_asked_of_the_hungry(one):
    swarm, peer = one
    other = swarm.join(make_peer(2), ALL, unchokes=True)
    swarm.commands.take()
    swarm.leave(peer)
    assert len(other.asked) == 9
    assert swarm.fetching.picker.availability.count(0) == 1


LATE = NOW + FIRST_BLOCK_SECONDS + 0.1


def test_who_is_late_loses_everything_and_is_asked_for_one_block_at_a_time():
    swarm = make_swarm()
    late = swarm.join(make_peer(1), ALL, unchokes=True)
    keys = list(late.asked)
    swarm.commands.take()
    swarm.wait(NOW + FIRST_BLOCK_SECONDS)
    assert swarm.commands.take() == []
    swarm.wait(LATE)
    withdrawn, ask = swarm.commands.take()
    assert isinstance(withdrawn, Withdraw)
    assert isinstance(ask, Ask)
    assert [(request.piece, request.offset) for request in withdrawn.requests] == keys
    (request,) = ask.requests
    swarm.gives(late, landed(request), LATE + 2)
    swarm.fetching.asking.fill(late, LATE + 2)
    assert len(late.asked) == 8, "it has made up for it"


def test_who_was_silent_while_we_were_stopped_is_not_late():
    """What he sent meanwhile has yet to be read."""
    swarm = make_swarm()
    peer = swarm.join(make_peer(1), ALL, unchokes=True)
    owes = list(peer.asked)
    swarm.commands.take()
    swarm.fetching.tick(NOW + 3600)
    assert swarm.commands.take() == []
    assert (list(peer.asked), peer.snubbed) == (owes, False)


def test_what_the_late_one_owed_goes_to_another():
    swarm = make_swarm()
    late, other = swarm.join(make_peer(1), ALL, unchokes=True), swarm.join(make_peer(2), ALL)
    swarm.wait(LATE)
    swarm.unchoke(other, LATE)
    assert len(late.asked) == 1
    assert len(set(other.asked) - set(late.asked)) == 8


def test_patience_begins_with_the_first_request():
    swarm = make_swarm()
    peer = swarm.join(make_peer(joined=NOW - 1000), ALL)
    swarm.unchoke(peer)
    swarm.wait(NOW + FIRST_BLOCK_SECONDS - 1)
    assert not peer.snubbed


def test_a_window_opens_with_the_rate():
    swarm = make_swarm()
    swarm.fetching.picker.lacking = Bitfield(1000, range(1000))  # there is more than enough
    peer = swarm.join(make_peer(), ALL)
    swarm.fetching.count(peer, 5 * BLOCK, NOW)
    assert swarm.fetching.asking._window(peer) == FIRST_WINDOW + 5


def test_nobody_is_asked_for_much_more_than_a_fair_share_of_what_is_left():
    swarm = make_swarm(have=[0])
    peers = [swarm.join(make_peer(number), ALL, unchokes=True) for number in (1, 2)]
    assert [swarm.fetching.asking._window(peer) for peer in peers] == [FAIR_SHARE * 4 * 2 // 2] * 2


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("leaves", [False, True])
def test_a_suspect_piece_does_not_wait_for_a_giver_of_whom_nothing_is_asked(fast: bool, leaves: bool):
    """The giver has delivered all that it was asked for, but not the whole piece, and then chokes us or goes."""
    swarm = make_swarm(have=[0, 2, 3, 4])
    giver, other = swarm.join(make_peer(1, fast=fast), ALL, unchokes=True), swarm.join(make_peer(2), ALL)
    fetch(swarm, giver, 1)
    swarm.fetching.failed(1, (b"x", b"y"))
    giver.snubbed = True  # so that it is asked for one block at a time
    swarm.commands.take()
    swarm.fetching.asking.fill(giver, NOW)
    swarm.unchoke(other, NOW)
    (first,) = asked_of(swarm, giver)
    swarm.gives(giver, landed(first))
    swarm.commands.take()
    if leaves:
        del swarm.peers[giver.id]
        swarm.fetching.left(giver, NOW)
    else:
        swarm.fetching.choked(giver, NOW)
    commands = swarm.commands.take()
    assert commands.index(Discard(1)) < commands.index(Ask(other.id, tuple(every_block(1))))


# -- what is wanted --------------------------------------------------------------------------------------------------


def test_what_is_no_longer_wanted_is_taken_back_and_thrown_away():
    swarm = make_swarm(have=[0, 2, 3])
    peer = swarm.join(make_peer(), [1, 4], unchokes=True)
    swarm.commands.take()
    swarm.fetching.prioritize([(1, SKIP)], NOW)
    (taken,) = [command for command in swarm.commands.all if isinstance(command, Withdraw)]
    assert set(taken.requests) == set(every_block(1))
    assert Discard(1) in swarm.commands.take()
    swarm.fetching.prioritize([(4, SKIP)], NOW)
    assert Send(peer.id, (wire.NotInterested(),)) in swarm.commands.take()
    swarm.fetching.prioritize([(1, HIGH)], NOW)
    assert Send(peer.id, (wire.Interested(),)) in swarm.commands.all
    assert asked_of(swarm, peer) == every_block(1)


def test_a_suspect_piece_that_is_no_longer_wanted_goes_with_its_only_giver():
    swarm = make_swarm(have=[0, 2, 3, 4])
    one = swarm.join(make_peer(1), [1], unchokes=True)
    fetch(swarm, one, 1)
    swarm.fetching.failed(1, (b"a", b"b"))
    swarm.fetching.asking.fill_hungry(NOW)
    assert swarm.fetching.picker.exclusive(1)
    swarm.commands.take()
    swarm.fetching.prioritize([(1, SKIP)], NOW)
    assert swarm.commands.of(Discard) == [Discard(1)]
    assert not one.asked


def test_while_somebody_reads_queues_are_short():
    geometry_blocks = [block for piece in ALL for block in every_block(piece)]
    swarm = make_swarm()
    swarm.fetching.urgent([(3, NOW)], NOW, reading=True)
    peer = swarm.join(make_peer(), ALL, unchokes=True)
    asked = asked_of(swarm, peer)
    assert asked[:2] == every_block(3)
    assert len(asked) < len(geometry_blocks)


def test_what_nobody_waits_for_makes_way_but_for_what_is_about_to_come():
    swarm = make_swarm()
    peer = swarm.join(make_peer(), ALL, unchokes=True)
    peer.from_them.add(20 * BLOCK, NOW)  # in a quarter of a second, the least that is counted: 4 in a twentieth
    before = asked_of(swarm, peer)
    assert len(before) == 9, "all there is"
    last = before[-1].piece
    swarm.commands.take()
    swarm.fetching.urgent([(last, NOW)], NOW, reading=True)
    withdrawn = [
        request for command in swarm.commands.all if isinstance(command, Withdraw) for request in command.requests
    ]
    assert withdrawn == [request for request in before[4:] if request.piece != last]
    assert list(peer.asked)[:4] == [(request.piece, request.offset) for request in before[:4]]


def test_what_was_cancelled_too_late_is_of_use_as_long_as_nobody_else_was_asked():
    swarm = make_swarm(have=[0, 2, 3, 4])
    peer = swarm.join(make_peer(), [1], unchokes=True)
    swarm.fetching.asking.withdraw(peer, list(peer.asked), NOW)
    first, second = every_block(1)
    assert swarm.fetching.block(peer, own(first), peer.asks, NOW) == BLOCK
    assert swarm.commands.of(Keep) == [Keep(1, 0, bytes(BLOCK))]
    assert swarm.fetching.block(peer, own(first), peer.asks, NOW) == 0, "once"
    other = swarm.join(make_peer(2), [1], unchokes=True)
    assert asked_of(swarm, other) == [second]
    assert swarm.fetching.block(peer, own(second), peer.asks, NOW) == 0
    assert swarm.fetching.wasted == 2 * BLOCK
    swarm.gives(other, landed(second))
    assert swarm.commands.of(Verify) == [Verify(1, digests=False)]


def test_a_reader_who_is_ahead_of_himself_disturbs_nobody():
    swarm = make_swarm()
    peer = swarm.join(make_peer(), ALL, unchokes=True)
    last = asked_of(swarm, peer)[-1].piece
    swarm.commands.take()
    swarm.fetching.urgent([(last, NOW + 5)], NOW, reading=True)
    assert not swarm.commands.of(Withdraw)


def test_who_has_what_a_reader_alone_wants_is_of_interest():
    swarm = make_swarm(have=[0, 1, 2, 3])
    swarm.fetching.prioritize([(4, SKIP)], NOW)
    peer = swarm.join(make_peer(), [4], unchokes=True)
    assert not peer.we_are_interested
    swarm.fetching.urgent([(4, NOW)], NOW, reading=True)
    assert asked_of(swarm, peer) == every_block(4)
    swarm.fetching.asking.withdraw(peer, list(peer.asked), NOW)
    swarm.fetching.picker.give_up(4)
    swarm.fetching.urgent([], NOW, reading=False)
    assert not peer.we_are_interested


# -- the fast extension ----------------------------------------------------------------------------------------------


def test_what_a_choking_peer_allows_is_asked_for_and_nothing_else():
    swarm = make_swarm()
    peer = swarm.join(make_peer(fast=True), [1, 2])
    assert not swarm.fetching.allowed_fast(peer, 4), "it has not got it"
    assert swarm.fetching.allowed_fast(peer, 1)
    swarm.fetching.asking.fill(peer, NOW)
    assert asked_of(swarm, peer) == every_block(1)
    for block in every_block(1):
        swarm.fetching.rejected(peer, wire.Reject(block.piece, block.offset, block.length), NOW)
    assert asked_of(swarm, peer) == [], "it has thought better of it"
    assert peer.rejects == 0


def test_what_a_peer_suggests_is_begun_first():
    swarm = make_swarm()
    peer = swarm.join(make_peer(fast=True), ALL)
    peer.suggested.extend([3, 2])
    swarm.unchoke(peer)
    assert [request.piece for request in asked_of(swarm, peer)][:4] == [3, 3, 2, 2]


def test_a_peer_that_is_good_at_runs_goes_on_where_it_was():
    swarm = make_swarm()
    peer = swarm.join(make_peer(), ALL)
    peer.web = True
    peer.queue = 4
    swarm.fetching.picker.sequential = True
    swarm.unchoke(peer)
    swarm.fetching.picker.sequential = False
    swarm.commands.take()
    for block in every_block(0):
        swarm.gives(peer, landed(block))
    swarm.fetching.asking.fill(peer, NOW)
    assert [request.piece for request in asked_of(swarm, peer)] == [2, 2]


# -- what a peer no longer has ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [True, False])
def test_what_a_peer_lost_is_taken_back_and_asked_of_another(seed: bool):
    swarm = make_swarm(have=[0, 2, 3, 4])
    one = swarm.join(make_peer(1), ALL if seed else [0, 1], unchokes=True)
    two = swarm.join(make_peer(2), [1], unchokes=True)
    swarm.commands.take()
    swarm.fetching.lost(one, 1, NOW)
    assert (one.asked, one.we_are_interested) == ({}, False)
    assert set(two.asked) == {(1, 0), (1, BLOCK)}
    assert swarm.fetching.picker.availability.count(1) == 1
    assert swarm.fetching.picker.availability.count(0) == 1
    swarm.fetching.lost(one, 1, NOW)
    swarm.leave(one)
    assert swarm.fetching.picker.availability.count(0) == 0


# -- limits ----------------------------------------------------------------------------------------------------------


def limited(rate: int) -> tuple[Swarm, Bucket]:
    bucket = Bucket(rate, NOW)
    return make_swarm(have=[4], down=(bucket,)), bucket


def test_no_more_is_asked_for_than_the_limit_lets_come():
    swarm, bucket = limited(4 * BLOCK)
    peer = swarm.join(make_peer(), ALL, unchokes=True)
    assert asked_of(swarm, peer) == []
    assert swarm.fetching.asking.is_limited(NOW)
    asked = 0
    for tenth in range(1, 16):
        swarm.fetching.tick(NOW + tenth / 10)
        asked += len(asked_of(swarm, peer))
        assert asked <= 4 * tenth / 10 + 1
    assert asked >= 6
    bucket.set_rate(None, NOW + 2)
    swarm.fetching.tick(NOW + 2)
    assert asked + len(asked_of(swarm, peer)) == 8, "every block"
    assert not swarm.fetching.asking.is_limited(NOW + 2)


def test_peers_take_turns_under_a_limit():
    swarm, _ = limited(BLOCK)
    peers = [swarm.join(make_peer(number), ALL, unchokes=True) for number in (1, 2, 3)]
    for second in range(1, 7):
        swarm.fetching.tick(NOW + second)
    assert [len(peer.asked) for peer in peers] == [2, 2, 2]


def test_what_does_not_come_is_not_counted():
    swarm, bucket = limited(BLOCK)
    peer = swarm.join(make_peer(), ALL, unchokes=True)
    swarm.fetching.tick(NOW + 1)
    assert len(peer.asked) == 1
    before = bucket.available(NOW + 1)
    swarm.leave(peer, NOW + 1)
    assert bucket.available(NOW + 1) == before + BLOCK


# -- cancelled requests ----------------------------------------------------------------------------------------------


def late(swarm: Swarm, peer: Peer) -> None:
    """The peer is late with everything; it is cancelled, and one block is asked for again."""
    swarm.wait(NOW + FIRST_BLOCK_SECONDS + 1)
    assert peer.snubbed
    assert len(peer.asked) == 1


def test_the_reject_for_a_cancelled_request_is_not_taken_for_the_next_one():
    swarm = make_swarm(have=[0, 1, 2, 3])
    peer = swarm.join(make_peer(fast=True), [4], unchokes=True)
    late(swarm, peer)
    refusal = wire.Reject(4, 0, 1000)
    swarm.fetching.rejected(peer, refusal, NOW)
    assert (len(peer.asked), peer.rejects) == (1, 0)
    swarm.fetching.rejected(peer, refusal, NOW)
    assert (len(peer.asked), peer.rejects) == (0, 1)


def test_a_late_block_is_a_sign_of_life_and_one_that_was_never_asked_for_is_not():
    swarm = make_swarm()
    peer = swarm.join(make_peer(), ALL, unchokes=True)
    late(swarm, peer)
    peer.waited = 3.0
    gone = next(block for piece in ALL for block in every_block(piece) if (piece, block.offset) not in peer.asked)
    swarm.gives(peer, own(gone))
    assert (peer.waited, peer.useless) == (0.0, 0)
    swarm.gives(peer, own(gone))
    assert peer.useless == gone.length


def test_few_cancelled_requests_are_remembered():
    peer = make_peer()
    for number in range(MOST_CANCELLED + 5):
        peer.cancel([(number, 0)])
    assert (len(peer.cancelled), (5, 0) in peer.cancelled, (4, 0) in peer.cancelled) == (MOST_CANCELLED, True, False)


def test_patience_is_not_renewed_by_others_who_help_out():
    swarm = make_swarm(have=[0, 1, 2, 3])
    silent = swarm.join(make_peer(1), [4], unchokes=True)
    for second in range(1, 31):
        swarm.fetching.tick(NOW + second)
        if silent.asked and second < FIRST_BLOCK_SECONDS:  # somebody else has brought it, and then it was wanted again
            swarm.fetching.asking.withdraw(silent, list(silent.asked), NOW + second)
            swarm.fetching.asking.fill_hungry(NOW + second)
    assert silent.snubbed


# -- suspects --------------------------------------------------------------------------------------------------------


def test_a_suspect_piece_is_taken_from_a_giver_that_trickles():
    """Or else a liar could hold it for hours, a block at a time."""
    swarm = make_swarm(have=[0, 2, 3, 4])
    liar = swarm.join(make_peer(1), [1], unchokes=True)
    fetch(swarm, liar, 1)
    swarm.fetching.failed(1, (b"a", b"b"))
    swarm.fetching.asking.fill_hungry(NOW)
    other = swarm.join(make_peer(2), [1], unchokes=True)
    swarm.gives(liar, landed(every_block(1)[0]))
    liar.waited = -1000.0  # it is always in time with the next block
    swarm.wait(NOW + ALONE_SECONDS)
    assert not other.asked
    swarm.commands.take()
    swarm.wait(NOW + 2 * ALONE_SECONDS)
    assert swarm.commands.of(Discard) == [Discard(1)]
    assert {piece for piece, _ in other.asked} == {1}


def test_those_who_lose_a_suspect_piece_each_are_asked_again():
    """There may be nobody else."""
    swarm, one, other = make_swarm(have=[0, 2, 3]), make_peer(1), make_peer(2)
    one.queue, other.queue = len(every_block(1)), len(every_block(4))
    for peer in (one, other):
        swarm.join(peer, [1, 4])
    for piece in (1, 4):
        swarm.unchoke(one)
        fetch(swarm, one, piece)
        swarm.fetching.failed(piece, (b"a", b"b"))
    swarm.fetching.asking.fill(one, NOW)
    swarm.unchoke(other)
    assert len(one.asked) == one.queue
    assert len(other.asked) == other.queue
    assert not swarm.fetching.asking.hungry, "they could take no more"
    one.waited = other.waited = -1000.0
    swarm.wait(NOW + ALONE_SECONDS + 1)
    assert not one.asked
    assert not other.asked
    swarm.wait(NOW + ALONE_SECONDS + 1 + REST_SECONDS)
    assert one.asked
    assert other.asked
