# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""``fetch-weights``: download the published weights of FCRN, checked and resumable."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
import errno
import hashlib
import http.client
import json
from pathlib import Path
import re
import shutil
import sys
import time
from typing import Any, BinaryIO
import urllib.error
import urllib.parse
import urllib.request

from ...errors import ToolInputError
from ...report.output_files import check_target, write_bytes

PUBLISHED_URL = 'http://campar.in.tum.de/files/rupprecht/depthpred/NYU_FCRN-checkpoint.zip'
# Of the files of the authors, only this one's checksum is public (Open Model Zoo states it).
KNOWN_SHA256 = {
    PUBLISHED_URL: '9d97ed165c4a5b3f085eb83b8814de1e883c6348da60da4b2568ddd64bb2d5c4',
}
_TIMEOUT_S = 30.0
_CHUNK = 1 << 18
_MAX_FRUITLESS_ATTEMPTS = 3
_PAUSE_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        '--to', type=Path, default=Path(), metavar='DIR', help='folder (default: this one)'
    )
    parser.add_argument(
        '--url',
        default=PUBLISHED_URL,
        help="another file, for example the authors' NYU_ResNet-UpProj.npy beside the default or "
        'a mirror (default: %(default)s, 473 MB)',
    )
    parser.add_argument(
        '--sha256',
        metavar='HEX',
        help='checksum that the file must have (default: the published one, or the one recorded '
        'beside the file when it was first fetched)',
    )


def run(arguments: argparse.Namespace) -> None:
    """Download, check and say what the file is."""
    address = urllib.parse.urlsplit(arguments.url)
    name = Path(urllib.parse.unquote(address.path)).name
    if address.scheme not in ('http', 'https') or not address.netloc or not name:
        raise ToolInputError(
            f'url must be http or https and name a file, got {arguments.url!r}; correct --url'
        )
    target = check_target(arguments.to / name)
    record = target.with_name(f'{name}.sha256')
    published = _checked_digest(arguments.sha256) or KNOWN_SHA256.get(arguments.url)
    expected = published or _recorded_digest(record)
    if target.exists():
        digest = _digest_of(target)
        if expected and digest != expected:
            raise ToolInputError(
                f'{target} must have the SHA-256 {expected}, got {digest}; move it away and '
                'fetch it again'
            )
        print(f'{target} is already there')
    else:
        digest = fetch(Download(arguments.url, target, expected))
        print(f'fetched {target} ({target.stat().st_size / 1e6:.1f} MB)')
    if expected:
        origin = 'as published or given' if published else 'as when it was first fetched'
        print(f'SHA-256 {digest}, {origin}')
    else:
        print(
            f'SHA-256 {digest}: nobody has published one for this file, so it is trusted on first '
            f'use and recorded in {record}; compare it with a copy that you trust'
        )
    write_bytes(record, f'{digest}  {name}\n'.encode())


@dataclass(frozen=True)
class Download:
    """
    A file to be fetched.

    Attributes
    ----------
    url : str
        Where it is.
    target : Path
        Where it goes. Until it is whole and checked it is ``<target>.part``, with a note beside
        it on which version of the file that is a part of.
    sha256 : str or None
        What it must be; None takes whatever comes.

    """

    url: str
    target: Path
    sha256: str | None = None

    @property
    def partial(self) -> Path:
        """The file while it is incomplete."""
        return self.target.with_name(f'{self.target.name}.part')

    @property
    def note(self) -> Path:
        """What the server said about the file that the partial one belongs to."""
        return self.target.with_name(f'{self.target.name}.part.json')


def fetch(download: Download, pause_s: float = _PAUSE_S) -> str:
    """
    Download a file, continuing after cut connections and earlier runs.

    Parameters
    ----------
    download : Download
        What and where to.
    pause_s : float
        Wait after an attempt that brought nothing.

    Returns
    -------
    str
        SHA-256 of the file, in hex.

    Raises
    ------
    ToolInputError
        The server refuses or stays away, the disk is full (what has come is kept for the next
        run), or the checksum is wrong (what has come is deleted).

    """
    most, fruitless = _size_of(download.partial), 0
    while True:
        try:
            _transfer(download)
            break
        except (_ConnectionCutError, http.client.HTTPException, OSError) as err:
            _refuse_what_waiting_cannot_mend(err, download)
            size = _size_of(download.partial)
            fruitless = 0 if size > most else fruitless + 1
            most = max(size, most)
            if fruitless >= _MAX_FRUITLESS_ATTEMPTS:
                raise ToolInputError(
                    f'{download.url} must be reachable, got {_reason(err)} {fruitless} times; '
                    f'{_kept(download)}'
                ) from err
            if fruitless:
                time.sleep(pause_s)
    digest = _digest_of(download.partial)
    if download.sha256 and digest != download.sha256:
        download.partial.unlink()
        download.note.unlink(missing_ok=True)
        raise ToolInputError(
            f'{download.url} must have the SHA-256 {download.sha256}, got {digest}; the download '
            'was deleted: try again, or another mirror with --url'
        )
    download.partial.replace(download.target)
    download.note.unlink(missing_ok=True)
    return digest


class _ConnectionCutError(Exception):
    """The server closed before the end of the file."""


def _transfer(download: Download) -> None:
    offset, validator = _resume_point(download)
    headers = {'User-Agent': 'fcrn_depth_ros', 'Accept-Encoding': 'identity'}
    if offset:
        headers['Range'] = f'bytes={offset}-'
        if validator:
            headers['If-Range'] = validator
    request = urllib.request.Request(download.url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as err:
        err.close()
        if err.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            if err.headers.get('Content-Range', '').strip() == f'bytes */{offset}':
                return
            download.partial.unlink()
            raise _ConnectionCutError(
                'a partial file that does not fit the one on the server'
            ) from err
        raise
    with response:
        if response.status == http.HTTPStatus.PARTIAL_CONTENT:
            start, total = _content_range(response.headers.get('Content-Range', ''))
            if start != offset:
                raise _ConnectionCutError(f'bytes from {start} on instead of {offset}')
        else:
            length = response.headers.get('Content-Length')
            offset, total = 0, int(length) if length else None
        _check_space(download, total, offset)
        with download.partial.open('ab' if offset else 'wb') as file:
            _write_note(download, response.headers)
            received = offset + _copy(response, file, offset, total)
    if total is not None and received != total:
        raise _ConnectionCutError(f'a connection cut at {received} of {total} bytes')


def _copy(response: Any, file: BinaryIO, offset: int, total: int | None) -> int:
    bar = _Bar(offset, total)
    received = 0
    try:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            received += len(chunk)
            bar.show(offset + received)
    finally:
        bar.end()
    file.flush()
    return received


def _resume_point(download: Download) -> tuple[int, str]:
    """Say how much of the file is there, and of which version; 0 where that is not certain."""
    try:
        note = json.loads(download.note.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return 0, ''
    validator = str(note.get('validator', ''))
    # Without a checksum, only the server can say that both parts are of one file.
    if note.get('url') != download.url or not (validator or download.sha256):
        return 0, ''
    return _size_of(download.partial), validator


def _write_note(download: Download, headers: Any) -> None:
    etag = headers.get('ETag', '')
    # A weak validator does not promise that the bytes are the same.
    validator = etag if etag and not etag.startswith('W/') else headers.get('Last-Modified', '')
    note = {'url': download.url, 'validator': validator}
    download.note.write_text(json.dumps(note) + '\n', encoding='utf-8')


def _content_range(text: str) -> tuple[int, int | None]:
    match = re.fullmatch(r'bytes (\d+)-\d+/(\d+|\*)', text.strip())
    if not match:
        raise _ConnectionCutError(f'an answer without a range ({text!r})')
    return int(match[1]), None if match[2] == '*' else int(match[2])


def _check_space(download: Download, total: int | None, offset: int) -> None:
    free = shutil.disk_usage(download.target.parent).free
    if total is not None and total - offset > free:
        raise OSError(
            errno.ENOSPC, f'{(total - offset) / 1e6:.0f} MB to come, {free / 1e6:.0f} MB free'
        )


def _refuse_what_waiting_cannot_mend(err: Exception, download: Download) -> None:
    if isinstance(err, urllib.error.HTTPError):
        if err.code < 500:
            raise ToolInputError(
                f'{download.url} must be there, got HTTP {err.code} {err.reason}; correct --url'
            ) from err
    elif isinstance(err, OSError) and err.errno in (errno.ENOSPC, errno.EDQUOT):
        raise ToolInputError(
            f'disk of {download.target.parent} must have room for the file, got {err}; free some '
            f'space: {_kept(download)}'
        ) from err
    elif isinstance(err, (PermissionError, IsADirectoryError)):
        raise ToolInputError(
            f'{download.partial} must be writable, got {err}; choose another folder with --to'
        ) from err


def _kept(download: Download) -> str:
    return f'{_size_of(download.partial)} bytes are kept, run again to continue'


def _reason(err: Exception) -> str:
    if isinstance(err, urllib.error.HTTPError):
        return f'HTTP {err.code} {err.reason}'
    return str(getattr(err, 'reason', err)) or type(err).__name__


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _checked_digest(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r'[0-9a-fA-F]{64}', text):
        raise ToolInputError(f'sha256 must be 64 hex digits, got {text!r}; correct --sha256')
    return text.lower() if text else None


def _recorded_digest(record: Path) -> str | None:
    if not record.is_file():
        return None
    words = record.read_text(encoding='utf-8', errors='replace').split()
    if not words or not re.fullmatch(r'[0-9a-f]{64}', words[0]):
        raise ToolInputError(
            f'{record} must start with a SHA-256, got {" ".join(words)[:80]!r}; delete it to '
            'trust the next download'
        )
    return words[0]


class _Bar:
    """Bytes received, on stderr where that is a terminal."""

    _WIDTH = 30

    def __init__(self, offset: int, total: int | None) -> None:
        self._offset = offset
        self._total = total
        self._start = self._shown = time.monotonic()
        self._shows = sys.stderr.isatty()

    def show(self, done: int) -> None:
        now = time.monotonic()
        if not self._shows or (now - self._shown < 0.2 and done != self._total):
            return
        self._shown = now
        rate = (done - self._offset) / max(now - self._start, 1e-3)
        text = f'{done / 1e6:.1f} MB, {rate / 1e6:.1f} MB/s'
        if self._total:
            bar = ('#' * round(done / self._total * self._WIDTH)).ljust(self._WIDTH, '.')
            left_s = (self._total - done) / max(rate, 1.0)
            text = f'[{bar}] {text} of {self._total / 1e6:.1f} MB, {left_s:.0f} s left'
        sys.stderr.write(f'\r{text}  ')
        sys.stderr.flush()

    def end(self) -> None:
        if self._shows:
            sys.stderr.write('\n')
