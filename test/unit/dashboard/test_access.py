# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Who may open the page."""

from __future__ import annotations

import datetime
from pathlib import Path
import ssl
import stat

from fcrn_depth_ros.dashboard.access import AccessRules, COOKIE, is_loopback, token_from_file
from fcrn_depth_ros.dashboard.certificate import load_certificate, own_certificate
from fcrn_depth_ros.errors import ConfigurationError
import pytest

LOCAL = AccessRules(False, '', frozenset({'localhost', 'robot', 'robot.local'}))
ABROAD = AccessRules(True, 'a-token', LOCAL.names)
NOW = datetime.datetime(2026, 5, 1, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ('address', 'expected'),
    [
        ('127.0.0.1', True),
        ('127.8.0.1', True),
        ('::1', True),
        ('localhost', True),
        ('0.0.0.0', False),
        ('::', False),
        ('192.168.1.2', False),
        ('', False),
        ('localhost.example.org', False),
    ],
)
def test_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


@pytest.mark.parametrize(
    ('host', 'local', 'abroad'),
    [
        ('127.0.0.1:8731', True, True),
        ('[::1]:8731', True, True),
        ('LOCALHOST:8731', True, True),
        ('192.168.1.2:8731', False, True),
        ('robot.local', False, True),
        ('evil.example.org', False, False),
        ('127.0.0.1.example.org', False, False),
        ('', False, False),
    ],
)
def test_a_name_that_somebody_points_here_is_refused(host: str, local: bool, abroad: bool) -> None:
    assert LOCAL.knows_host(host) is local
    assert ABROAD.knows_host(host) is abroad


def test_only_the_own_page_may_connect() -> None:
    assert LOCAL.is_own_page('127.0.0.1:1', 'http://127.0.0.1:1')
    for origin in ('', 'null', 'http://127.0.0.1:2', 'https://127.0.0.1:1', 'http://evil.org'):
        assert not LOCAL.is_own_page('127.0.0.1:1', origin)
    assert ABROAD.is_own_page('robot:1', 'https://robot:1')
    assert not ABROAD.is_own_page('robot:1', 'http://robot:1')


def test_the_token() -> None:
    assert LOCAL.has_token({})
    assert ABROAD.has_token({COOKIE: 'a-token'})
    for wrong in ({}, {COOKIE: ''}, {COOKIE: 'a-toke'}, {COOKIE: 'ä'}, {'other': 'a-token'}):
        assert not ABROAD.has_token(wrong)


def test_a_token_is_kept_and_private(tmp_path: Path) -> None:
    path = tmp_path / 'folder' / 'token'
    token = token_from_file(path)
    assert len(token) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token_from_file(path) == token
    path.write_text('short')
    assert token_from_file(path) not in ('short', token)


def test_a_certificate_is_made_once_and_renewed_before_it_expires(tmp_path: Path) -> None:
    pytest.importorskip('cryptography', reason='needs cryptography')
    files = own_certificate(tmp_path, NOW)
    first = [path.read_bytes() for path in files]
    assert stat.S_IMODE(files[1].stat().st_mode) == 0o600
    own_certificate(tmp_path, NOW + datetime.timedelta(days=381))
    assert [path.read_bytes() for path in files] == first
    own_certificate(tmp_path, NOW + datetime.timedelta(days=383))
    assert [path.read_bytes() for path in files] != first
    context, fingerprint = load_certificate(*files)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert len(fingerprint.split(':')) == 32


@pytest.mark.parametrize('broken', ['', 'rubbish', '-----BEGIN CERTIFICATE-----\nMIIB'])
def test_a_certificate_that_was_cut_off_is_made_anew(tmp_path: Path, broken: str) -> None:
    pytest.importorskip('cryptography', reason='needs cryptography')
    files = own_certificate(tmp_path, NOW)
    files[0].write_text(broken)
    load_certificate(*own_certificate(tmp_path, NOW))
    # A key without its certificate, as after an interruption between the two.
    files[0].unlink()
    load_certificate(*own_certificate(tmp_path, NOW))


def test_unusable_certificates_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match='must be PEM files that belong together'):
        load_certificate(tmp_path / 'none.pem', tmp_path / 'none.key')
