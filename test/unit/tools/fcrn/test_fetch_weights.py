# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Downloads from a server on this machine that cuts and refuses."""

from __future__ import annotations

import errno
import gc
import hashlib
import http.server
from pathlib import Path
import threading
from typing import Any

from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.tools.fcrn import fetch_weights
from fcrn_depth_ros.tools.fcrn.fetch_weights import fetch, KNOWN_SHA256, PUBLISHED_URL
import numpy as np
import pytest

CONTENT = np.random.default_rng(0).bytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.content = CONTENT
        self.cuts = []  # bytes after which each coming answer ends
        self.status = None  # answers with this error
        self.asked = 0

    @property
    def url(self):
        return f'http://127.0.0.1:{self.server_port}/files/weights.npy'


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server: Any = self.server
        server.asked += 1
        if server.status:
            self.send_error(server.status)
            return
        self.send_response(200)
        self.send_header('Content-Length', str(len(server.content)))
        self.end_headers()
        end = server.cuts.pop(0) if server.cuts else len(server.content)
        self.wfile.write(server.content[:end])

    def log_message(self, *_):
        pass


# pooch leaves the socket of a failed transfer to the garbage collector.
pytestmark = pytest.mark.filterwarnings('ignore:unclosed:ResourceWarning')


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(fetch_weights, '_PAUSE_S', 0.0)
    yield
    gc.collect()


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def command(server, folder, *options):
    return main(['fetch-weights', '--url', server.url, '--to', str(folder), *options])


def refused(capsys, *arguments):
    assert command(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    return error


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_first_use_is_trusted_aloud_and_remembered(server, tmp_path, capsys):
    folder = tmp_path / 'new/folder'
    assert command(server, folder) == 0
    assert f'{SHA256}: nobody has published one' in capsys.readouterr().out
    assert names_in(folder) == ['weights.npy', 'weights.npy.sha256']
    assert (folder / 'weights.npy').read_bytes() == CONTENT
    assert (folder / 'weights.npy.sha256').read_text() == f'{SHA256}  weights.npy\n'
    assert server.asked == 1
    assert (folder / 'weights.npy').stat().st_mode & 0o777 == 0o644

    assert command(server, folder) == 0
    assert 'already there' in capsys.readouterr().out
    assert server.asked == 1

    (folder / 'weights.npy').unlink()
    server.content = CONTENT[::-1]
    assert f'must have the SHA-256 {SHA256}' in refused(capsys, server, folder)
    assert names_in(folder) == ['weights.npy.sha256']


def test_given_checksum(server, tmp_path, capsys):
    assert command(server, tmp_path, '--sha256', SHA256.upper()) == 0
    assert 'as published or given' in capsys.readouterr().out
    other = hashlib.sha256(b'other').hexdigest()
    record = tmp_path / 'weights.npy.sha256'
    assert f'got {SHA256}; correct --sha256' in refused(
        capsys, server, tmp_path, '--sha256', other
    )
    record.unlink()
    assert 'move it away' in refused(capsys, server, tmp_path, '--sha256', other)
    assert (tmp_path / 'weights.npy').read_bytes() == CONTENT
    (tmp_path / 'weights.npy').unlink()
    assert 'the download was deleted' in refused(capsys, server, tmp_path, '--sha256', other)
    assert names_in(tmp_path) == []


def test_the_published_file_is_checked_by_default():
    assert KNOWN_SHA256[PUBLISHED_URL].startswith('9d97ed165c4a5b3f')


def test_a_cut_connection_is_tried_again(server, tmp_path):
    server.cuts = [300_000, 0]
    assert fetch(server.url, tmp_path / 'weights.npy') == SHA256
    assert server.asked == 3
    assert names_in(tmp_path) == ['weights.npy']


def test_a_server_that_stays_away_leaves_nothing(server, tmp_path, capsys):
    server.cuts = [300_000, 0, 999_999]
    line = refused(capsys, server, tmp_path)
    assert 'must be reachable, got' in line and '3 times' in line
    assert server.asked == 3
    assert names_in(tmp_path) == []


def test_full_disk(server, tmp_path, capsys, monkeypatch):
    def full(self, url, output_file, pooch, check_only=False):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('pooch.HTTPDownloader.__call__', full)
    line = refused(capsys, server, tmp_path)
    assert 'No space left' in line and 'free some space' in line
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ('status', 'expected'), [(404, 'HTTP 404 Not Found; correct --url'), (403, 'HTTP 403')]
)
def test_refusals_are_not_repeated(server, tmp_path, capsys, status, expected):
    server.status = status
    assert expected in refused(capsys, server, tmp_path)
    assert server.asked == 1


def test_a_server_in_trouble_is_asked_again(server, tmp_path):
    server.status = 503
    with pytest.raises(ToolInputError, match='HTTP 503 .*, 3 times'):
        fetch(server.url, tmp_path / 'weights.npy')
    assert server.asked == 3


def test_nobody_there(tmp_path):
    with Server() as server:
        url = server.url
    with pytest.raises(ToolInputError, match='refused.*, 3 times'):
        fetch(url, tmp_path / 'weights.npy')


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (['--url', 'file:///etc/passwd'], 'url must be http'),
        (['--url', 'http://host/'], 'name a file'),
        (['--url', 'weights.npy'], 'url must be http'),
        (['--sha256', 'abc'], '64 hex digits'),
    ],
)
def test_bad_options(server, tmp_path, capsys, options, expected):
    assert expected in refused(capsys, server, tmp_path, *options)
    assert server.asked == 0
    assert names_in(tmp_path) == []


def test_bad_folders_and_records(server, tmp_path, capsys):
    file = tmp_path / 'file'
    file.write_text('')
    assert 'output must lie in a folder' in refused(capsys, server, file)
    (tmp_path / 'weights.npy.sha256').write_text('hello')
    assert 'must start with a SHA-256' in refused(capsys, server, tmp_path)
    assert Path(tmp_path / 'weights.npy.sha256').read_text() == 'hello'
    assert server.asked == 0
