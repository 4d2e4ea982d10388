"""The command line. It uses what `trio_torrent` exports and nothing else of it, as any other program would.

`commands` declares them with click, `options` what they share, and `app` turns errors into exit codes. A command's own
module is imported only when it runs, so that `--help` waits for neither trio nor rich. `run` is where trio is started
and where signals arrive. `get` and `seed` are two ways to `follow` torrents; what programs see of that is in `fields`,
what people see in `lines`, `origins` and `drawing`, and `display` puts it where it belongs, by `live` on a terminal.
"""

from .app import main

__all__ = ["main"]
