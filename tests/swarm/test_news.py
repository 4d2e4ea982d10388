"""What is told, to whom, and how often."""

from trio_torrent.swarm.news import LOT_SECONDS, News
from trio_torrent.wire.messages import Have

from .making import NOW, make_peer


def test_the_first_is_told_at_once_and_the_next_in_a_lot():
    news, peer = News(), make_peer()
    news.add(1, NOW)
    assert news.due == NOW
    assert news.lot([peer], NOW) == [(peer, (Have(1),))]
    assert news.due > NOW + 1000, "there is nothing more"
    news.add(2, NOW + 0.01)
    news.add(3, NOW + 0.02)
    assert news.due == NOW + LOT_SECONDS
    assert news.lot([peer], news.due) == [(peer, (Have(2), Have(3)))]


def test_long_after_the_last_lot_it_is_at_once_again():
    news = News()
    news.add(1, NOW)
    news.lot([], NOW)
    news.add(2, NOW + 5)
    assert news.due == NOW + 5


def test_who_has_it_or_came_later_is_not_told():
    news, has, late = News(), make_peer(1), make_peer(2)
    has.pieces.add(1)
    news.add(1, NOW)
    late.told = len(news)
    assert news.lot([has, late], NOW) == []
