# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""``fetch-weights``: download the published weights of FCRN, checked."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
import re
import sys
import time
import urllib.parse

import pooch
import requests

from ...errors import ToolInputError
from ...report.output_files import check_target, write_bytes

PUBLISHED_URL = 'http://campar.in.tum.de/files/rupprecht/depthpred/NYU_FCRN-checkpoint.zip'
# Of the files of the authors, only this one's checksum is public (Open Model Zoo states it).
KNOWN_SHA256 = {
    PUBLISHED_URL: '9d97ed165c4a5b3f085eb83b8814de1e883c6348da60da4b2568ddd64bb2d5c4',
}
_TIMEOUT_S = 30.0
_ATTEMPTS = 3
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
    recorded = _recorded_digest(record)
    if published and recorded and published != recorded:
        raise ToolInputError(
            f'{record} must hold the SHA-256 {published}, as published or given, got {recorded}; '
            'correct --sha256, or delete that file'
        )
    expected = published or recorded
    if target.exists():
        digest = _digest_of(target)
        if expected and digest != expected:
            raise ToolInputError(
                f'{target} must have the SHA-256 {expected}, got {digest}; move it away and '
                'fetch it again'
            )
        print(f'{target} is already there')
    else:
        digest = fetch(arguments.url, target, expected)
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


def fetch(url: str, target: Path, sha256: str | None = None) -> str:
    """
    Download a file whole, or leave nothing.

    Parameters
    ----------
    url : str
        Where it is.
    target : Path
        Where it goes; it appears there once it is complete and checked.
    sha256 : str, optional
        What it must be; anything by default.

    Returns
    -------
    str
        SHA-256 of the file, in hex.

    Raises
    ------
    ToolInputError
        The server refuses or stays away, the disk is full, or the checksum is wrong.

    """
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=_TIMEOUT_S)
    # What it would say is said here, or on the progress bar.
    pooch.get_logger().setLevel('WARNING')
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            pooch.retrieve(url, sha256, target.name, target.parent, downloader=downloader)
            break
        except requests.HTTPError as err:
            answer = f'HTTP {err.response.status_code} {err.response.reason}'
            if err.response.status_code < 500:
                raise ToolInputError(f'{url} must be there, got {answer}; correct --url') from err
            failure, cause = answer, err
        except requests.RequestException as err:
            failure, cause = _innermost(err), err
        except ValueError as err:
            raise ToolInputError(
                f'{url} must have the SHA-256 {sha256}, got another file; the download was '
                'deleted: try again, or another mirror with --url'
            ) from err
        except OSError as err:
            raise ToolInputError(
                f'{target} must be writable, got {err.strerror or err}; free some space, or '
                'choose another folder with --to'
            ) from err
        if attempt == _ATTEMPTS:
            raise ToolInputError(
                f'{url} must be reachable, got {failure}, {attempt} times; run again later, or '
                'try another mirror with --url'
            ) from cause
        time.sleep(_PAUSE_S)
    # The temporary file was private; what a user asked for is readable as usual.
    target.chmod(0o644)
    return _digest_of(target)


def _innermost(err: BaseException) -> str:
    # requests wraps what happened in several errors, each with the text of the others.
    while err.__context__ is not None:
        err = err.__context__
    return ' '.join(str(err).split()) or type(err).__name__


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
