"""The proxy that a user may give: a URL, read into a value."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import attrs

MAX_CREDENTIAL = 255  # bytes of a user name or a password: what SOCKS can say (RFC 1929)

_PORTS = {"http": 8080, "socks5": 1080, "socks5h": 1080}  # where such proxies are by habit


@attrs.frozen
class Proxy:
    """Where it is, what it speaks, and who we are to it."""

    scheme: str  # "http" or "socks5"
    host: str
    port: int
    user: str | None = None
    password: str = attrs.field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """Read http://HOST:PORT or socks5://HOST:PORT, each with USER:PASSWORD@ before the host if need be.

        Raises ValueError that says what is wrong and holds no password. `socks5h` is the same as `socks5`: a name is
        always left to the proxy to look up.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("proxy is not a URL") from None
        if parts.scheme not in _PORTS or not host:
            raise ValueError("proxy must be http://HOST:PORT or socks5://HOST:PORT")
        user, password = (None if text is None else unquote(text) for text in (parts.username, parts.password))
        if any(len(text.encode()) > MAX_CREDENTIAL for text in (user, password) if text):
            raise ValueError(f"proxy has a user name or a password of more than {MAX_CREDENTIAL} bytes")
        scheme = "http" if parts.scheme == "http" else "socks5"
        return cls(scheme, host, port or _PORTS[parts.scheme], user, password or "")
