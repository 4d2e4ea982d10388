"""`python -m trio_torrent` is `trio-torrent`."""

from trio_torrent.cli import main

main()
