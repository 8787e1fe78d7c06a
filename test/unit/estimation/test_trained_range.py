# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.errors import ModelFileError
from fcrn_depth_ros.estimation.onnx_model import embedded_model_path, load_onnx_model
from fcrn_depth_ros.estimation.trained_range import (
    horizontal_field_of_view_deg,
    load_trained_range,
    TrainedRange,
)
import pytest

RANGE = TrainedRange((0.1, 2.0), (-10.0, 35.0), (-10.0, 10.0), (40.0, 95.0))
CAMERA = CameraIntrinsics(320.0, 320.0, 319.5, 239.5, 640, 480)  # 90 degrees wide
TEXTS = {
    'trained_height_m': '0.1,2.0',
    'trained_pitch_deg': '-10,35',
    'trained_roll_deg': '-10,10',
    'trained_hfov_deg': '40,95',
}


@pytest.mark.parametrize(
    ('mounting', 'name'),
    [
        (CameraMounting(0.1, -10.0, -10.0), ''),
        (CameraMounting(2.0, 35.0, 10.0), ''),
        (CameraMounting(0.09), 'camera height'),
        (CameraMounting(2.1), 'camera height'),
        (CameraMounting(1.0, -10.1), 'camera pitch'),
        (CameraMounting(1.0, 35.1), 'camera pitch'),
        (CameraMounting(1.0, 0.0, 10.1), 'camera roll'),
        (CameraMounting(1.0, 0.0, -10.1), 'camera roll'),
    ],
)
def test_each_limit_of_the_mounting(mounting: CameraMounting, name: str) -> None:
    doubts = RANGE.doubts(mounting, None)
    assert [doubt.partition(' 0')[0][: len(name)] for doubt in doubts] == ([name] if name else [])


@pytest.mark.parametrize(('fx_px', 'doubts'), [(295.0, 0), (290.0, 1), (870.0, 0), (890.0, 1)])
def test_the_field_of_view(fx_px: float, doubts: int) -> None:
    camera = CameraIntrinsics(fx_px, fx_px, 319.5, 239.5, 640, 480)
    assert len(RANGE.doubts(CameraMounting(1.0), camera)) == doubts


def test_field_of_view_is_from_edge_to_edge() -> None:
    assert horizontal_field_of_view_deg(CAMERA) == pytest.approx(90.0)


def test_the_metadata_come_before_the_file_beside_the_model(tmp_path: Path) -> None:
    model = tmp_path / 'a.onnx'
    assert load_trained_range(model, {}) is None
    beside = {'a.onnx': {**TEXTS, 'trained_roll_deg': '-1,1'}}
    (tmp_path / 'trained_range.json').write_text(json.dumps(beside))
    found = load_trained_range(model, {})
    assert found is not None and found.roll_deg == (-1.0, 1.0)
    assert load_trained_range(model, TEXTS) == RANGE
    assert load_trained_range(tmp_path / 'b.onnx', {}) is None


@pytest.mark.parametrize(
    'content',
    [
        'nonsense',
        '[]',
        '{"a.onnx": {}}',
        '{"a.onnx": {"trained_height_m": "2,1"}}',
        '{"a.onnx": 3}',
    ],
)
def test_bad_limits_name_the_file(tmp_path: Path, content: str) -> None:
    (tmp_path / 'trained_range.json').write_text(content)
    with pytest.raises(ModelFileError, match=r'a\.onnx must be pairs of numbers'):
        load_trained_range(tmp_path / 'a.onnx', {})


@pytest.mark.parametrize('provider', ['CPU', 'CUDA'])
def test_the_embedded_models_state_their_range(provider: str) -> None:
    trained = load_onnx_model(embedded_model_path(provider)).trained_range
    assert trained == TrainedRange((0.1, 1.7), (-30.0, 60.0), (-15.0, 15.0), (40.0, 110.0))
