"""How a torrent's trackers are, for people and programs."""

from __future__ import annotations

import attrs


@attrs.frozen
class TrackerStatus:
    """One tracker of a torrent, as of one moment."""

    url: str
    tier: int  # from 0
    state: str  # in words
    error: str | None  # of the last announce, if that failed
    warning: str | None  # of the last answer
    peers: int  # how many the last answer gave
    seeders: int | None  # by its last count, in an announce or a scrape
    leechers: int | None
    downloaded: int | None  # how many have ever completed the torrent; few trackers say so unless they are scraped
    next_announce: float | None  # seconds from now; None if none is planned
    external_ip: str | None  # our own address as it saw us (BEP 24)

    def __str__(self) -> str:
        """One line for people: what it is doing, what it said, and when it hears of us again."""
        said = [self.error or self.warning or "", *self._figures()]
        if self.next_announce is not None:
            said.append(f"next announce in {self.next_announce:.0f} s")
        return ": ".join(part for part in (self.state, ", ".join(filter(None, said))) if part)

    def _figures(self) -> list[str]:
        figures = [(self.peers or None, "given"), (self.seeders, "seeding"), (self.leechers, "downloading")]
        return [f"{number} {what}" for number, what in figures if number is not None]
