# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How far the angles of a camera are off that lines, or the floor's shape, say."""

from __future__ import annotations

from pathlib import Path

from fcrn_depth_ros.camera.mounting import CameraMounting
import numpy as np
from packed_frames import floor_frame
import pytest
from training import tilt
from training.checking import Answers
from training.pack import decode_depth, read_pack, write_pack


def test_angles_are_compared_where_something_is_said() -> None:
    true = CameraMounting(0.5, 20.0, 2.0).down_vector()
    said = [CameraMounting(1.0, 23.0, 1.0).down_vector(), None, true]
    errors = tilt.errors_deg(said, np.stack([true / 0.5] * 3))
    assert errors == pytest.approx(np.array([[3.0, -1.0], [0.0, 0.0]]), abs=1e-6)
    row = tilt.line('rooms', 'lines', 3, errors)
    assert row == '| rooms | lines | 2 of 3 | 1.5 | 2.7 | 0.00 | 0.5 |'
    assert tilt.line('rooms', 'lines', 3, errors[:0]) == '| rooms | lines | 0 of 3 | | | | |'


def test_a_true_depth_has_the_true_floor_and_a_plain_picture_no_lines(tmp_path: Path) -> None:
    write_pack(tmp_path / 'val.pack', [('floor', [floor_frame()])])
    frames = read_pack(tmp_path / 'val.pack')
    depth = decode_depth(frames.depth_codes)
    answers = Answers(np.where(depth > 0, depth, np.nan), None, None, np.zeros_like(depth))
    (down,) = tilt.by_shape(frames, answers)
    errors = tilt.errors_deg([down], frames.planes.astype(np.float64))
    assert np.abs(errors).max() < 2.0
    assert tilt.by_lines(frames) == [None]
