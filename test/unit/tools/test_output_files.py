# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Files are written whole or not at all, and progress is only drawn on a terminal."""

from __future__ import annotations

import io
import math
from pathlib import Path
import sys

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.tools.output_files import check_target, write_bytes, write_json
from fcrn_depth_ros.tools.progress import track
import pytest


def test_folders_are_made_and_old_content_is_replaced(tmp_path):
    target = tmp_path / 'a/b/file.bin'
    for content in (b'first', b'second'):
        write_bytes(target, content)
        assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ['file.bin']
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / 'file.bin'
    write_bytes(target, b'old')

    def full(self, other):
        raise OSError('no space left')

    monkeypatch.setattr(Path, 'replace', full)
    with pytest.raises(OSError, match='no space'):
        write_bytes(target, b'new')
    assert target.read_bytes() == b'old'
    assert len(list(tmp_path.iterdir())) == 1


def test_a_report_that_is_no_json_is_not_written(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / 'report.json', {'value': math.nan})
    assert not list(tmp_path.iterdir())


def test_targets_that_cannot_be(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ToolInputError, match='folder'):
        check_target(tmp_path / 'file' / 'below')
    with pytest.raises(ToolInputError, match='must be a file'):
        check_target(tmp_path)


@pytest.mark.parametrize('terminal', [True, False])
def test_progress(monkeypatch, terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, 'stderr', stream)
    assert list(track(['a', 'b'], 'work')) == ['a', 'b']
    assert ('work [###############...............] 1/2' in stream.getvalue()) == terminal
    assert stream.getvalue().endswith('\n') == terminal
