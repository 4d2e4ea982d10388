"""Hypothesis strategies for what nodes say."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.strategies import digests_v1 as ids
from tests.strategies import ports, values
from trio_torrent.bencode import encode
from trio_torrent.dht import messages as dht
from trio_torrent.dht.endpoint import Endpoint, Family

endpoints_v4: st.SearchStrategy[Endpoint] = st.binary(min_size=6, max_size=6)
endpoints_v6: st.SearchStrategy[Endpoint] = st.binary(min_size=18, max_size=18)
endpoints = endpoints_v4 | endpoints_v6
tokens = st.binary(max_size=20)
transactions = st.binary(max_size=8)
wants = st.frozensets(st.sampled_from(Family))
seqs = st.integers(0, (1 << 63) - 1)
filters = st.binary(min_size=256, max_size=256)
raw_values = values(8).map(encode).filter(lambda raw: len(raw) < 300)

immutable_items = st.builds(dht.Item, raw_values)
mutable_items = st.builds(
    dht.Item,
    raw_values,
    key=st.binary(min_size=32, max_size=32),
    seq=seqs,
    signature=st.binary(min_size=64, max_size=64),
    salt=st.binary(max_size=64),
)

asks: st.SearchStrategy[dht.Ask] = st.one_of(
    st.builds(dht.Ping),
    st.builds(dht.FindNode, ids, wants),
    st.builds(dht.GetPeers, ids, wants, st.booleans(), st.booleans()),
    st.builds(dht.AnnouncePeer, ids, ports, tokens, st.just(False), st.booleans()),
    st.builds(dht.AnnouncePeer, ids, st.just(0), tokens, st.just(True), st.booleans()),
    st.builds(dht.Get, ids, st.none() | seqs, wants),
    st.builds(dht.Put, immutable_items | mutable_items, tokens, st.none() | seqs),
    st.builds(dht.SampleInfohashes, ids, wants),
)
queries = st.builds(dht.Query, transactions, ids, asks, st.booleans())


@st.composite
def replies(draw: st.DrawFn) -> dht.Reply:
    """Whatever can be in one, all at once."""
    has_filters, has_samples = draw(st.booleans()), draw(st.booleans())
    item = draw(st.none() | immutable_items | mutable_items.map(_without_salt))
    return dht.Reply(
        transaction=draw(transactions),
        id=draw(ids),
        ours=draw(st.none() | endpoints),
        nodes=draw(st.binary(max_size=100)),
        nodes6=draw(st.binary(max_size=100)),
        values=tuple(draw(st.lists(endpoints, max_size=5))),
        token=draw(st.none() | tokens),
        seeds=draw(filters) if has_filters else None,
        peers=draw(filters) if has_filters else None,
        item=item,
        samples=tuple(draw(st.lists(ids, max_size=5))) if has_samples else None,
        interval=draw(st.integers(0, 21600)) if has_samples else 0,
        num=draw(st.integers(0, 2000)) if has_samples else 0,
    )


def _without_salt(item: dht.Item) -> dht.Item:
    return dht.Item(item.raw, item.key, item.seq, item.signature)


failures = st.builds(dht.Failure, transactions, st.integers(201, 302), st.text("abc äöü", max_size=60))
