# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Where the demo may write: over its own earlier report, and over nothing else unasked."""

from __future__ import annotations

from pathlib import Path

import cv2
from fcrn_depth_ros.nodes.demo import check_report_folder, main, parse_command_line
import numpy as np
import pytest


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    folder = tmp_path / 'recording'
    folder.mkdir()
    cv2.imwrite(str(folder / 'contact_sheet.png'), np.zeros((48, 64, 3), np.uint8))
    return folder


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == '' and captured.err.count('\n') == 1
    return captured.err


@pytest.mark.parametrize('options', [[], ['--overwrite']])
def test_a_report_never_replaces_the_recording(
    recording: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    before = (recording / 'contact_sheet.png').read_bytes()
    line = refused(capsys, '--images', recording, '--out', recording, *options)
    assert 'must not replace an input' in line
    assert (recording / 'contact_sheet.png').read_bytes() == before
    video = recording / 'demo.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*'MJPG'), 20.0, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    line = refused(capsys, '--video', video, '--out', recording, *options)
    assert 'must not replace an input, got' in line and 'demo.avi' in line


def test_files_of_another_origin_are_kept_unless_told(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'summary.json').write_text('{}')
    (out / 'nodes.log').write_text('of other nodes')
    line = refused(capsys, '--images', recording, '--out', out)
    assert 'nodes.log and 1 more, which exist; ' in line and '--overwrite' in line
    arguments = ['--images', str(recording), '--out', str(out)]
    assert check_report_folder(parse_command_line([*arguments, '--overwrite'])) == out


def test_a_second_run_replaces_the_report_of_the_first(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    options = parse_command_line(['--images', str(recording), '--out', str(out)])
    assert check_report_folder(options) == out and out.is_dir()
    (out / 'nodes.log').write_text(
        '# What depth_node and alert_node logged in a demo of fcrn_depth_ros\n[INFO] depth\n'
    )
    (out / 'summary.json').write_text('{}')
    check_report_folder(options)
