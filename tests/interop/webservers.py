"""Real web servers: nginx, and Python's own, which knows nothing of ranges."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from .programs import LOOPBACK, running, until

CONFIGURATION = """
daemon off;
master_process off;
pid {work}/pid;
error_log {work}/errors;
{user}
events {{ worker_connections 64; }}
http {{
    access_log {work}/accesses;
    {temporary}
    server {{ listen {host}:{port}; root {root}; {more} }}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@asynccontextmanager
async def open_nginx(root: Path, work: Path, port: int, *, rate: str = "") -> AsyncIterator[None]:
    """nginx, serving a folder; `rate` is that of each connection, as nginx has it: `500k`."""
    await trio.Path(work).mkdir(exist_ok=True)
    configuration = CONFIGURATION.format(
        work=work,
        user="user root;" if os.geteuid() == 0 else "",  # else it changes to one who cannot read our folders
        temporary=" ".join(f"{name}_temp_path {work}/{name};" for name in TEMPORARY),
        host=LOOPBACK,
        port=port,
        root=root,
        more=f"limit_rate {rate};" if rate else "",
    )
    await trio.Path(work, "nginx.conf").write_text(configuration)
    async with running("nginx", "-p", work, "-e", work / "errors", "-c", work / "nginx.conf", log=work / "log"):
        await until(lambda: _answers(port), "nginx answers")
        yield


@asynccontextmanager
async def open_python(root: Path, work: Path, port: int) -> AsyncIterator[None]:
    """`python -m http.server`."""
    await trio.Path(work).mkdir(exist_ok=True)
    where = ["--directory", str(root), "--bind", LOOPBACK, str(port)]
    async with running(sys.executable, "-m", "http.server", *where, log=work / "log"):
        await until(lambda: _answers(port), "the server answers")
        yield


async def _answers(port: int) -> bool:
    try:
        stream = await trio.open_tcp_stream(LOOPBACK, port)
    except OSError:
        return False
    await stream.aclose()
    return True
