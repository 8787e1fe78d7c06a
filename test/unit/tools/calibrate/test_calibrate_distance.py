# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The scale from a wall at known distances: what is measured, warned about, and written."""

from __future__ import annotations

from collections.abc import Callable
import json
import math
from pathlib import Path

from bag_files import IMAGE, INFO, Messages, write_bag
import cv2
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.tools.calibrate.distance import (
    fit_wall_scale,
    measure_wall,
    MOST_OFF,
    MOST_SPREAD,
    WallSample,
)
import numpy as np
import pytest
from tiny_dataset import blocks, CAMERA
from tiny_models import write_model
import yaml


def wall(distance_m: float, depth_m: float, spread: float = 0.01) -> WallSample:
    return WallSample('wall', distance_m, depth_m, spread)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lay down a network that says mean / 100 m, a camera, and walls."""
    write_model(tmp_path / 'tiny.onnx')
    (tmp_path / 'camera.json').write_text(json.dumps(CAMERA))
    for name, means in (('near', (80, 84)), ('far', (160,))):
        (tmp_path / name).mkdir()
        for index, mean in enumerate(means):
            cv2.imwrite(str(tmp_path / name / f'{index}.png'), blocks(mean))
    return tmp_path


@pytest.fixture
def calibrate(folder: Path) -> Callable[..., int]:
    def run(*arguments: object, camera: bool = True) -> int:
        common = ['--out', folder / 'out', '--model', folder / 'tiny.onnx']
        common += ['--camera-info', folder / 'camera.json'] if camera else []
        return main([str(argument) for argument in ('calibrate', *arguments, *common)])

    return run


def parameters(folder: Path) -> dict[str, float]:
    content = yaml.safe_load((folder / 'out' / 'calibration.yaml').read_text())
    values: dict[str, float] = content['/**']['ros__parameters']
    return values


def test_each_distance_counts_once() -> None:
    samples = [wall(1.0, 1.0)] + 9 * [wall(2.0, 1.6)] + [wall(3.0, 2.0)]
    assert fit_wall_scale(samples).factor == pytest.approx(1.25)


@pytest.mark.parametrize(
    ('share', 'warned'), [(MOST_SPREAD - 0.01, False), (MOST_SPREAD + 0.01, True)]
)
def test_a_box_that_spreads_is_warned_about(share: float, warned: bool) -> None:
    samples = [wall(1.0, 1.0), wall(2.0, 2.0, share)]
    assert any('spreads' in text for text in fit_wall_scale(samples).warnings) == warned


@pytest.mark.parametrize(('off', 'warned'), [(MOST_OFF - 0.01, False), (MOST_OFF + 0.01, True)])
@pytest.mark.parametrize('sign', [-1, 1])
def test_a_sample_that_is_off_is_warned_about(off: float, sign: int, warned: bool) -> None:
    samples = [wall(1.0, 1.0), wall(2.0, 2.0), wall(3.0, 3.0 / (1 + sign * off))]
    scale = fit_wall_scale(samples)
    assert any('off what' in text for text in scale.warnings) == warned
    assert scale.factor == pytest.approx(1.0)


def test_sigma_is_that_of_the_samples_and_never_that_of_walls_alone() -> None:
    assert fit_wall_scale([wall(1.0, 1.0), wall(2.0, 2.0)]).sigma == 0.05
    assert fit_wall_scale([wall(1.0, 1.0)]).sigma == 0.10
    differing = fit_wall_scale([wall(1.0, math.exp(0.2)), wall(2.0, 2 * math.exp(-0.2))])
    assert differing.factor == pytest.approx(1.0)
    assert differing.sigma == pytest.approx(0.2)


def test_the_box_is_the_middle_and_half_of_it_must_be_known() -> None:
    depth = np.full((40, 40), 9.0, np.float32)
    depth[14:26, 14:26] = 2.0
    sample = measure_wall('wall', 1.0, depth, 0.3)
    assert sample is not None and (sample.depth_m, sample.spread) == (2.0, 0.0)
    depth[14:20, 14:26] = np.nan
    assert measure_wall('wall', 1.0, depth, 0.3) is not None
    depth[20, 14:26] = np.nan
    assert measure_wall('wall', 1.0, depth, 0.3) is None


def test_the_file_holds_factor_sigma_date_and_how(
    folder: Path, calibrate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    walls = '--distance', '1.64', '--images', folder / 'near', '--distance', '3.2', '--images'
    assert calibrate(*walls, folder / 'far') == 0
    # 0.8 and 0.84 m for 1.64 m, 1.6 m for 3.2 m.
    assert parameters(folder) == {
        'scale_factor': pytest.approx(2.0, rel=0.01),
        'scale_factor_sigma': 0.05,
    }
    text = (folder / 'out' / 'calibration.yaml').read_text()
    assert 'calibrate --distance 1.64 3.2, 20' in text and 'UTC' in text
    assert 'spread' in text and 'mounting was unknown' in text
    sheet = cv2.imread(str(folder / 'out' / 'calibration.png'))
    assert sheet is not None and sheet.shape[1] > 1000
    output = capsys.readouterr().out
    assert 'factor 2.00' in output and '3 pictures at 2 distances' in output


def test_the_mounting_of_the_measurement_goes_into_the_file(
    folder: Path, calibrate: Callable[..., int]
) -> None:
    mounting = '--camera-height', '0.3', '--camera-pitch', '-2'
    assert calibrate('--distance', '1', '--images', folder / 'near', *mounting) == 0
    assert parameters(folder)['camera_height_m'] == 0.3
    assert parameters(folder)['camera_pitch_deg'] == -2.0


def test_bags_are_taken_like_folders_with_their_own_camera_info(
    folder: Path, calibrate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    messages = Messages()
    stamp_ns = 10**9
    content = [
        ('/camera/camera_info', 1, INFO, messages.camera_info(stamp_ns, (64, 48))),
        ('/camera/image_rect', 2, IMAGE, messages.image(stamp_ns, blocks(100))),
    ]
    bag = write_bag(folder / 'bag', content)
    assert calibrate('--distance', '2', '--images', bag, camera=False) == 0
    factor = parameters(folder)['scale_factor']
    assert 'no --camera-info' not in capsys.readouterr().out
    # The focal ratio of the clip's camera is in the depth before the factor is measured.
    focal = messages.camera_info(stamp_ns, (64, 48)).k[0] / 64.0
    assert factor == pytest.approx(2.0 / focal, rel=0.01)


def test_without_camera_info_it_says_so(
    folder: Path, calibrate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate('--distance', '1', '--images', folder / 'near', camera=False) == 0
    assert 'no --camera-info' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), 'must be given'),
        (('--distance', '1'), 'once for each'),
        (('--distance', '0', '--images', 'near'), '0.05..100'),
        (('--distance', '50', '--images', 'near'), 'factor must be in'),
        (('--distance', '1', '--images', 'nowhere'), 'nowhere'),
        (('--distance', '1', '--images', 'near', '--box', '0'), '--box'),
    ],
)
def test_what_cannot_be_is_one_line(
    folder: Path,
    calibrate: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    assert calibrate(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
    assert not (folder / 'out' / 'calibration.yaml').exists()
