"""Every named case: what is refused, with a message that names the field, and what is taken, as which files."""

import pytest

from tests.metainfo.cases import BAD, ODD
from trio_torrent.errors import MetainfoError
from trio_torrent.metainfo import Metainfo


@pytest.mark.parametrize("name", BAD)
def test_bad(name):
    data, message = BAD[name]
    with pytest.raises(MetainfoError) as caught:
        Metainfo.from_bytes(data)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ODD)
def test_odd(name):
    data, paths, warning = ODD[name]
    metainfo = Metainfo.from_bytes(data)
    shown = ["/".join(file.path) for file in metainfo.files if not file.padding]
    links = [" -> " + "/".join(file.symlink) if file.symlink else "" for file in metainfo.files if not file.padding]
    assert [path + link for path, link in zip(shown, links, strict=True)] == paths
    assert warning in "\n".join(metainfo.warnings)
    assert bool(warning) == bool(metainfo.warnings)
    assert metainfo.to_bytes() == data
