"""The command line. It uses what `trio_torrent` exports and nothing else of it, as any other program would.

`app` declares the commands with click and turns errors into exit codes; a command's own module is imported only when
it runs, so that `--help` waits for neither trio nor rich. `run` is where trio is started and where signals arrive.
`get` and `seed` are two ways to `follow` torrents; what people see of that is made in `lines` and `display`.
"""

from .app import main

__all__ = ["main"]
