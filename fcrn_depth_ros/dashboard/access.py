# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Who may open the page: the rules for Host, Origin and token, apart from the server.

A page of another site can make a browser send requests here. It cannot forge Host and Origin:
Host must be an address or a name of this machine (else a name that an attacker points here would
be let in), and the Origin of a WebSocket must be the very page that this server gave out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import hmac
import ipaddress
from pathlib import Path
import secrets
import socket

COOKIE = 'fcrn_depth_dashboard'
_TOKEN_BYTES = 24


def is_loopback(address: str) -> bool:
    """Tell whether an address to bind to is reached from this machine only."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == 'localhost'


def own_names() -> frozenset[str]:
    """List the names under which this machine is reached, in lower case."""
    name = socket.gethostname().lower()
    return frozenset({'localhost', name, f'{name.partition(".")[0]}.local'})


def token_from_file(path: Path) -> str:
    """
    Read the token, or make one that only this user may read.

    Parameters
    ----------
    path : Path
        Kept from run to run, so that a phone need not scan again. Deleting it revokes the token.

    Returns
    -------
    str
        Safe in a URL.

    """
    try:
        token = path.read_text(encoding='ascii').strip()
        if len(token) >= _TOKEN_BYTES:
            return token
    except FileNotFoundError:
        pass
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(f'{token}\n', encoding='ascii')
    return token


@dataclass(frozen=True)
class AccessRules:
    """
    What a request must bring.

    Attributes
    ----------
    is_https : bool
        Whether the server speaks HTTPS.
    token : str
        Empty where none is asked for: on the loopback address.
    names : frozenset of str
        Host names that are this machine, in lower case. Addresses are always accepted: no
        attacker can point one elsewhere.

    """

    is_https: bool
    token: str
    names: frozenset[str]

    def knows_host(self, host: str) -> bool:
        """Tell whether the Host of a request means this server."""
        name = _without_port(host).lower()
        if self.token:
            try:
                ipaddress.ip_address(name.strip('[]'))
            except ValueError:
                return name in self.names
            return True
        # Without a token only what can be nothing else than this machine.
        return is_loopback(name.strip('[]'))

    def is_own_page(self, host: str, origin: str) -> bool:
        """Tell whether a request comes from a page of this server; it must say so."""
        return origin == f'{"https" if self.is_https else "http"}://{host}'

    def is_token(self, text: str) -> bool:
        """Compare a token, in a time that does not tell how much of it is right."""
        return not self.token or hmac.compare_digest(text.encode(), self.token.encode())

    def has_token(self, cookies: Mapping[str, str]) -> bool:
        """Tell whether a request brings the cookie that the token was traded for."""
        return self.is_token(cookies.get(COOKIE, ''))


def _without_port(host: str) -> str:
    if host.startswith('['):
        return host.partition(']')[0] + ']'
    return host.partition(':')[0]


SECURITY_HEADERS = {
    'Content-Security-Policy': (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(self), accelerometer=(self), gyroscope=(self), microphone=(), '
    'geolocation=()',
    'Cache-Control': 'no-store',
}
