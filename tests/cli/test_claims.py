"""Torrents that would write the same file."""

import pytest

from tests.payload import multi, single
from trio_torrent.cli.claims import Claims
from trio_torrent.cli.exits import CommandError, Exit


def test_one_file_has_one_torrent():
    claims = Claims()
    claims.claim(single(b"a", name="x"), "1.torrent")
    claims.claim(single(b"b", name="y"), "2.torrent")
    with pytest.raises(CommandError, match=r"3\.torrent: x is in 1\.torrent, too; use another -o") as caught:
        claims.claim(single(b"c", name="x"), "3.torrent")
    assert caught.value.code is Exit.USAGE


def test_a_folder_can_have_several():
    claims = Claims()
    claims.claim(multi({"a": b"1", "b": b"2"}), "1.torrent")
    claims.claim(multi({"c": b"3"}), "2.torrent")
    with pytest.raises(CommandError, match=r"folder/b is in 1\.torrent"):
        claims.claim(multi({"d": b"4", "b": b"5"}), "3.torrent")
    claims.claim(multi({"d": b"4"}), "4.torrent")  # a claim that failed is none
