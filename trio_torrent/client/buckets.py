"""How fast a torrent may be, or all torrents of a client together."""

from __future__ import annotations

from types import EllipsisType

import attrs

from trio_torrent.swarm.rates import Bucket


@attrs.frozen(eq=False)
class Buckets:
    """One for each direction; everyone who moves bytes in it takes from the same."""

    down: Bucket
    up: Bucket

    @classmethod
    def of(cls, down: int | None, up: int | None, now: float) -> Buckets:
        """By their rates, in bytes a second; None is no limit. ValueError below 1."""
        return cls(Bucket(down, now), Bucket(up, now))

    def change(self, down: int | EllipsisType | None, up: int | EllipsisType | None, now: float) -> None:
        """To other rates, at once; `...` leaves one as it is. ValueError below 1, and then nothing has changed."""
        changes = [(bucket, rate) for bucket, rate in ((self.down, down), (self.up, up)) if rate is not ...]
        for _, rate in changes:
            Bucket(rate, now)
        for bucket, rate in changes:
            bucket.set_rate(rate, now)
