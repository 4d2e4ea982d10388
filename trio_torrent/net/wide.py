"""Larger reads for httpcore, which asks for 64 KiB at a time and would take more.

Each read costs a wake-up, and each chunk its way through h11, httpcore and httpx. With reads of 256 KiB a gigabyte
costs half the CPU; beyond that the chunks no longer fit the processor's cache, and it is more again.
"""

from __future__ import annotations

import ssl
from typing import Any

import httpcore

READ = 256 * 1024  # bytes


class WideStream(httpcore.AsyncNetworkStream):
    """Reads more than it is asked for."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._stream.read(max(max_bytes, READ), timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return WideStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401
        return self._stream.get_extra_info(info)
