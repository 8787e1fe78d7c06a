# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Downloads from a server on this machine that cuts, changes and refuses."""

from __future__ import annotations

import hashlib
import http.server
import json
from pathlib import Path
import threading

from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.tools.fcrn.fetch_weights import Download, fetch, KNOWN_SHA256, PUBLISHED_URL
import numpy as np
import pytest

CONTENT = np.random.default_rng(0).bytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.content = CONTENT
        self.etag = '"one"'
        self.knows_ranges = True
        self.cuts = []  # bytes after which each coming answer ends
        self.status = None  # answers with this error
        self.asked = []  # (Range, If-Range) of every request

    @property
    def url(self):
        return f'http://127.0.0.1:{self.server_port}/files/weights.npy'


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted, condition = self.headers.get('Range'), self.headers.get('If-Range')
        server.asked.append((wanted, condition))
        if server.status:
            self.send_error(server.status)
            return
        start, size = 0, len(server.content)
        if wanted and server.knows_ranges and condition in (None, server.etag):
            start = int(wanted.removeprefix('bytes=').removesuffix('-'))
            if start >= size:
                self.send_response(416)
                self.send_header('Content-Range', f'bytes */{size}')
                self.end_headers()
                return
            self.send_response(206)
            self.send_header('Content-Range', f'bytes {start}-{size - 1}/{size}')
        else:
            self.send_response(200)
        if server.etag:
            self.send_header('ETag', server.etag)
        self.send_header('Content-Length', str(size - start))
        self.end_headers()
        end = start + server.cuts.pop(0) if server.cuts else size
        self.wfile.write(server.content[start:end])

    def log_message(self, *_):
        pass


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


def leave_part(server, folder, size, url=None, validator='"one"'):
    folder.mkdir(exist_ok=True)
    (folder / 'weights.npy.part').write_bytes(CONTENT[:size])
    note = {'url': url or server.url, 'validator': validator}
    (folder / 'weights.npy.part.json').write_text(json.dumps(note))


def test_first_use_is_trusted_aloud_and_remembered(server, tmp_path, capsys):
    folder = tmp_path / 'new/folder'
    assert command(server, folder) == 0
    assert f'{SHA256}: nobody has published one' in capsys.readouterr().out
    assert names_in(folder) == ['weights.npy', 'weights.npy.sha256']
    assert (folder / 'weights.npy').read_bytes() == CONTENT
    assert (folder / 'weights.npy.sha256').read_text() == f'{SHA256}  weights.npy\n'
    assert server.asked == [(None, None)]

    assert command(server, folder) == 0
    assert 'already there' in capsys.readouterr().out
    assert len(server.asked) == 1

    (folder / 'weights.npy').unlink()
    server.content = CONTENT[::-1]
    assert f'must have the SHA-256 {SHA256}' in refused(capsys, server, folder)
    assert names_in(folder) == ['weights.npy.sha256']


def test_given_checksum(server, tmp_path, capsys):
    assert command(server, tmp_path, '--sha256', SHA256.upper()) == 0
    assert 'as published or given' in capsys.readouterr().out
    other = hashlib.sha256(b'other').hexdigest()
    assert 'move it away' in refused(capsys, server, tmp_path, '--sha256', other)
    assert (tmp_path / 'weights.npy').read_bytes() == CONTENT
    (tmp_path / 'weights.npy').unlink()
    assert 'the download was deleted' in refused(capsys, server, tmp_path, '--sha256', other)
    assert names_in(tmp_path) == ['weights.npy.sha256']


def test_the_published_file_is_checked_by_default():
    assert KNOWN_SHA256[PUBLISHED_URL].startswith('9d97ed165c4a5b3f')


def test_a_cut_connection_is_continued(server, tmp_path, capsys):
    server.cuts = [300_000, 1, 0, 200_000]
    assert fetch(Download(server.url, tmp_path / 'weights.npy'), pause_s=0.0) == SHA256
    starts = [int(wanted[6:-1]) if wanted else 0 for wanted, _ in server.asked]
    assert starts == [0, 300_000, 300_001, 300_001, 500_001]
    assert names_in(tmp_path) == ['weights.npy']


def test_a_server_that_stays_away_leaves_what_came_for_the_next_run(server, tmp_path):
    download = Download(server.url, tmp_path / 'weights.npy')
    server.cuts = [300_000, 0, 0, 0]
    with pytest.raises(ToolInputError, match='300000 bytes are kept, run again') as caught:
        fetch(download, pause_s=0.0)
    assert 'cut at 300000 of 1000000' in str(caught.value)
    assert download.partial.read_bytes() == CONTENT[:300_000]
    server.asked.clear()
    assert fetch(download) == SHA256
    assert server.asked == [('bytes=300000-', '"one"')]
    assert names_in(tmp_path) == ['weights.npy']


@pytest.mark.parametrize(
    ('change', 'first_range'),
    [
        ({}, 'bytes=400000-'),
        # The file has changed: its parts do not fit together.
        ({'etag': '"two"', 'content': CONTENT[::-1]}, 'bytes=400000-'),
        ({'knows_ranges': False}, 'bytes=400000-'),
    ],
)
def test_continuing_never_mixes_two_files(server, tmp_path, change, first_range):
    leave_part(server, tmp_path, 400_000)
    for name, value in change.items():
        setattr(server, name, value)
    fetch(Download(server.url, tmp_path / 'weights.npy'))
    assert (tmp_path / 'weights.npy').read_bytes() == server.content
    assert server.asked[0][0] == first_range


@pytest.mark.parametrize('part', [{'url': 'http://elsewhere/weights.npy'}, {'validator': ''}])
def test_a_part_of_uncertain_origin_is_fetched_anew(server, tmp_path, part):
    leave_part(server, tmp_path, 400_000, **part)
    fetch(Download(server.url, tmp_path / 'weights.npy'))
    assert server.asked == [(None, None)]


def test_a_checksum_allows_continuing_without_validator(server, tmp_path):
    server.etag = None
    leave_part(server, tmp_path, 400_000, validator='')
    assert fetch(Download(server.url, tmp_path / 'weights.npy', SHA256)) == SHA256
    assert server.asked == [('bytes=400000-', None)]


@pytest.mark.parametrize(('size', 'requests'), [(1_000_000, 1), (999_999, 1)])
def test_a_part_that_is_all_but_renamed(server, tmp_path, size, requests):
    leave_part(server, tmp_path, size)
    assert fetch(Download(server.url, tmp_path / 'weights.npy')) == SHA256
    assert len(server.asked) == requests


def test_a_part_longer_than_the_file_is_fetched_anew(server, tmp_path):
    leave_part(server, tmp_path, 1_000_000)
    server.content = CONTENT[:10]
    fetch(Download(server.url, tmp_path / 'weights.npy'), pause_s=0.0)
    assert (tmp_path / 'weights.npy').read_bytes() == CONTENT[:10]


def test_full_disk(server, tmp_path, capsys):
    # Every write to this device fails as on a full disk.
    (tmp_path / 'weights.npy.part').symlink_to('/dev/full')
    line = refused(capsys, server, tmp_path)
    assert 'No space left' in line and 'run again to continue' in line
    assert not (tmp_path / 'weights.npy').exists()


def test_no_room_is_noticed_before_the_transfer(server, tmp_path, capsys, monkeypatch):
    usage = type('Usage', (), {'free': 999_999})
    monkeypatch.setattr('shutil.disk_usage', lambda _: usage)
    assert '1 MB to come' in refused(capsys, server, tmp_path)
    assert names_in(tmp_path) == []
    usage.free = 1_000_000
    assert command(server, tmp_path) == 0


@pytest.mark.parametrize(
    ('status', 'expected'), [(404, 'HTTP 404 Not Found; correct --url'), (403, 'HTTP 403')]
)
def test_refusals_are_not_repeated(server, tmp_path, capsys, status, expected):
    server.status = status
    assert expected in refused(capsys, server, tmp_path)
    assert len(server.asked) == 1


def test_a_server_in_trouble_is_asked_again(server, tmp_path):
    server.status = 503
    with pytest.raises(ToolInputError, match='HTTP 503 .* 3 times; 0 bytes are kept'):
        fetch(Download(server.url, tmp_path / 'weights.npy'), pause_s=0.0)
    assert len(server.asked) == 3


def test_nobody_there(tmp_path):
    with Server() as server:
        url = server.url
    with pytest.raises(ToolInputError, match='refused 3 times'):
        fetch(Download(url, tmp_path / 'weights.npy'), pause_s=0.0)


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
    assert server.asked == []
    assert names_in(tmp_path) == []


def test_bad_folders_and_records(server, tmp_path, capsys):
    file = tmp_path / 'file'
    file.write_text('')
    assert 'output must lie in a folder' in refused(capsys, server, file)
    (tmp_path / 'weights.npy.sha256').write_text('hello')
    assert 'must start with a SHA-256' in refused(capsys, server, tmp_path)
    assert Path(tmp_path / 'weights.npy.sha256').read_text() == 'hello'
    assert server.asked == []
