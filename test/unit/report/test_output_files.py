# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Files are written whole or not at all, and progress is only drawn on a terminal."""

from __future__ import annotations

import math
from pathlib import Path

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.report.output_files import check_outputs, check_target, write_bytes, write_json
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
    with pytest.raises(ToolInputError, match='no space'):
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


def test_outputs_that_exist_need_a_word(tmp_path):
    old, new = tmp_path / 'old.png', tmp_path / 'sub/new.png'
    old.write_text('old')
    check_outputs([new], [])
    assert new.parent.is_dir()
    with pytest.raises(ToolInputError, match=r'new file, got .*old\.png, which exists; .*--overw'):
        check_outputs([new, old], [])
    new.write_text('new')
    with pytest.raises(ToolInputError, match=r'old\.png and 1 more, which exist; '):
        check_outputs([old, new], [])
    check_outputs([old, new], [], overwrite=True)


@pytest.mark.parametrize('overwrite', [False, True])
@pytest.mark.parametrize('how', ['same', 'dots', 'symlink', 'hard link', 'in a folder', 'absent'])
def test_an_input_is_never_an_output(tmp_path, how, overwrite):
    folder = tmp_path / 'data'
    folder.mkdir()
    source = folder / 'camera.json'
    source.write_text('{}')
    output, read = source, source
    if how == 'dots':
        output = folder / '..' / 'data' / 'camera.json'
    elif how == 'symlink':
        output = tmp_path / 'link.json'
        output.symlink_to(source)
    elif how == 'hard link':
        output = tmp_path / 'link.json'
        output.hardlink_to(source)
    elif how == 'in a folder':
        read = folder
    elif how == 'absent':
        output = read = tmp_path / 'model.ckpt'
    with pytest.raises(ToolInputError, match='must not replace an input'):
        check_outputs([output], [tmp_path / 'none', read], overwrite)


def test_a_new_file_in_an_input_folder_is_no_input(tmp_path):
    (tmp_path / 'rgb').mkdir()
    check_outputs([tmp_path / 'report.json'], [tmp_path])


def test_two_outputs_are_two_files(tmp_path):
    with pytest.raises(ToolInputError, match='different files'):
        check_outputs([tmp_path / 'a.png', tmp_path / 'b' / '..' / 'a.png'], [])
