"""README's programs, one after the other in one folder, as they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.elsewhere import PAYLOAD, Elsewhere, elsewhere, with_trackers
from tests.payload import write
from trio_torrent import Magnet, Metainfo

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PIECES = -(-len(PAYLOAD) // 32768)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Elsewhere]:
    with elsewhere(tmp_path / "there") as there:
        yield there


@pytest.mark.slow
def test_its_programs(there: Elsewhere, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    write(tmp_path, {"debian.torrent": with_trackers(PAYLOAD, there.tracker)})
    monkeypatch.chdir(tmp_path)
    said = []
    for program in PROGRAMS:
        exec(compile(program, README, "exec"), {"__name__": "__main__"})
        said.append(capsys.readouterr().out.splitlines())
    download, reading, events, (magnet, verified) = said
    assert download == [f"payload.bin: {len(PAYLOAD)} bytes in downloads"]
    assert reading == [f"1000 bytes, {len(PAYLOAD)} of {len(PAYLOAD)}"]
    assert events == ["payload.bin"]
    assert Magnet.parse(magnet).info_hashes == Metainfo.from_file("debian.torrent").info_hashes
    assert verified == f"{PIECES} pieces are good, 0 bad, 0 missing"
    assert {(tmp_path / folder / "payload.bin").read_bytes() for folder in ("downloads", "some")} == {PAYLOAD}
    assert list(tmp_path.glob("state/*"))


def test_every_example_is_linked_and_every_link_leads_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT)
    assert [link for link in links if not (README.parent / link).exists()] == []
    examples = {path.name for path in Path(__file__).parent.glob("[a-z]*.py")} - {"conftest.py"}
    assert {Path(link).name for link in links if link.startswith("tests/examples/")} == {
        name for name in examples if not name.startswith("test_")
    }
