"""Errors of the network as one line for people, whatever libraries wrapped them in."""

from __future__ import annotations

import os
import socket
import ssl

from trio_torrent.tracker.limits import readable


def in_one_line(error: BaseException) -> str:
    """What lies at the bottom: httpx wraps httpcore's errors, and those wrap trio's and the system's."""
    while cause := _cause(error):
        error = cause
    match error:
        case ssl.SSLCertVerificationError():
            text = f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError(reason=str(reason)):
            text = f"TLS failed: {reason.lower().replace('_', ' ')}"
        case OSError(errno=int(code)) if not isinstance(error, socket.gaierror):  # whose numbers are its own
            text = os.strerror(code)
        case OSError(strerror=str(text)):
            pass
        case _:
            text = str(error)
    return clean(text) or type(error).__name__


def clean(text: str) -> str:
    """A stranger's text without what a terminal would trip over."""
    return readable(text.encode(errors="replace"))


def _cause(error: BaseException) -> BaseException | None:
    """The context where there is no cause: httpcore raises `from None` what it has wrapped before."""
    return error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
