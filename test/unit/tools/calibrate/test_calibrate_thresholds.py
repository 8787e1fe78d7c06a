# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Thresholds from labelled moments: the least that reach the recall, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
import json
import math
from pathlib import Path

import cv2
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.alert.machine import AlertConfig
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.perception.proximity import ProximityConfig
from fcrn_depth_ros.settings import describe_settings
from fcrn_depth_ros.tools.calibrate.thresholds import (
    area_under,
    choose_thresholds,
    Moment,
    read_labels,
    roc,
)
import pytest
from tiny_dataset import blocks, CAMERA
from tiny_models import write_model
import yaml


def moment(is_near: bool, nearest_m: float, share: float = 0.2) -> Moment:
    shares = tuple(share if is_near else 0.1 for _ in range(24))
    return Moment('moment', is_near, nearest_m, shares)


def moments(near: list[float], far: list[float]) -> list[Moment]:
    return [moment(True, m) for m in near] + [moment(False, m) for m in far]


@pytest.mark.parametrize(
    ('recall', 'stop_m', 'alarms'), [(1.0, 0.91, 0.5), (0.75, 0.61, 0.0), (0.74, 0.61, 0.0)]
)
def test_the_least_distance_that_reaches_the_recall(
    recall: float, stop_m: float, alarms: float
) -> None:
    chosen = choose_thresholds(moments([0.3, 0.5, 0.6, 0.9], [0.8, 2.0]), recall)
    assert chosen.stop_distance_m == stop_m
    assert chosen.stop_recall >= recall
    assert chosen.stop_alarms == alarms


def test_stop_is_below_the_distance_even_where_a_moment_lies_on_it() -> None:
    chosen = choose_thresholds(moments([0.50], [2.0]), 1.0)
    assert chosen.stop_distance_m > 0.50 and chosen.stop_recall == 1.0


@pytest.mark.parametrize(('nearest_m', 'stop_m'), [(0.1, 0.25), (0.249, 0.25), (0.25, 0.26)])
def test_alert_node_takes_the_distance_whatever_its_margin(
    nearest_m: float, stop_m: float
) -> None:
    chosen = choose_thresholds(moments([nearest_m], [0.2]), 1.0)
    assert chosen.stop_distance_m == stop_m
    assert chosen.stop_alarms == 1.0
    AlertConfig(stop_distance_m=stop_m).checked()


def test_what_is_unknown_stops_whatever_was_chosen() -> None:
    chosen = choose_thresholds(moments([0.4, -math.inf], [-math.inf, 3.0]), 1.0)
    assert chosen.stop_distance_m == 0.41
    assert (chosen.stop_recall, chosen.stop_alarms) == (1.0, 0.5)


def test_the_threshold_lies_between_near_and_far_shares() -> None:
    chosen = choose_thresholds(moments([0.4], [3.0]), 1.0)
    assert 0.1 <= chosen.near_threshold < 0.2
    assert (chosen.near_recall, chosen.near_alarms) == (1.0, 0.0)


def test_near_moments_that_show_nothing_near_are_refused() -> None:
    with pytest.raises(ToolInputError, match='must show something near'):
        choose_thresholds(moments([0.4, math.inf], [3.0]), 1.0)
    assert choose_thresholds(moments([0.4, math.inf], [3.0]), 0.5).stop_distance_m == 0.41


@pytest.mark.parametrize('only', [True, False])
def test_moments_of_one_kind_are_refused(only: bool) -> None:
    with pytest.raises(ToolInputError, match='near and far'):
        choose_thresholds([moment(only, 0.5)], 0.9)


def test_the_area_is_one_for_what_is_told_apart_and_a_half_for_what_is_not() -> None:
    assert area_under(roc([3.0, 4.0], [1.0, 2.0])) == 1.0
    assert area_under(roc([1.0, 2.0], [1.0, 2.0])) == 0.5
    assert area_under(roc([1.0], [2.0])) == 0.0


def test_labels_name_pictures_or_times(tmp_path: Path) -> None:
    file = tmp_path / 'labels.txt'
    file.write_text('a.png near\nb far\n\n10.5, 12, near # comment\n105.100000 far\n')
    labels = read_labels(file)
    assert [label.name for label in labels] == ['a', 'b', '', '105.100000']
    assert [label.is_near for label in labels] == [True, False, True, False]
    assert (labels[2].begin_s, labels[2].end_s) == (10.5, 12.0)


@pytest.mark.parametrize('line', ['a', 'a perhaps', '3 2 near', 'x y near', '1 2 3 near'])
def test_lines_that_are_no_label_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / 'labels.txt').write_text(f'a near\n{line}\n')
    with pytest.raises(ToolInputError, match='line 2'):
        read_labels(tmp_path / 'labels.txt')


@pytest.fixture
def calibrate(tmp_path: Path) -> Callable[..., int]:
    """Lay down pictures at 0.4 to 2.2 m, and run the command there."""
    write_model(tmp_path / 'tiny.onnx')
    (tmp_path / 'camera.json').write_text(json.dumps(CAMERA))
    (tmp_path / 'pictures').mkdir()
    for mean in (60, 70, 90, 120, 180, 200):
        cv2.imwrite(str(tmp_path / 'pictures' / f'{mean}.png'), blocks(mean))

    def run(labels: str, *arguments: object) -> int:
        (tmp_path / 'labels.txt').write_text(labels)
        common = ['--labels', tmp_path / 'labels.txt', '--images', tmp_path / 'pictures']
        common += ['--out', tmp_path / 'out', '--model', tmp_path / 'tiny.onnx']
        common += ['--camera-info', tmp_path / 'camera.json']
        return main([str(argument) for argument in ('calibrate', *common, *arguments)])

    return run


LABELS = '60 near\n70.png near\n90 near\n180 far\n200 far\n'


def values_of(folder: Path) -> dict[str, float]:
    content = yaml.safe_load((folder / 'out' / 'calibration.yaml').read_text())
    values: dict[str, float] = content['/**']['ros__parameters']
    return values


def test_the_file_suits_both_nodes_and_the_picture_shows_the_curve(
    tmp_path: Path, calibrate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(LABELS, '--recall', '0.9') == 0
    values = values_of(tmp_path)
    alert, near = describe_settings(AlertConfig), describe_settings(ProximityConfig)
    assert set(values) <= {*alert, *near}
    AlertConfig(**{name: v for name, v in values.items() if name in alert}).checked()
    # Light blocks of the picture of 90 look 1.3 m far, dark ones 0.5 m.
    assert 0.5 <= values['stop_distance_m'] < 1.0
    assert values['release_distance_m'] == pytest.approx(1.3 * values['stop_distance_m'], 0.01)
    sheet = cv2.imread(str(tmp_path / 'out' / 'calibration.png'))
    assert sheet is not None and sheet.shape[0] > 400
    output = capsys.readouterr().out
    assert 'stops at 100.0% of 3 near moments and 0.0% of 2 far ones' in output
    assert 'cannot tell a recall of 90.0%' in output


def test_a_calibrated_scale_is_in_the_distances(
    tmp_path: Path, calibrate: Callable[..., int]
) -> None:
    assert calibrate(LABELS) == 0
    plain_m = values_of(tmp_path)['stop_distance_m']
    scale = {'scale_factor': 0.5, 'scale_factor_sigma': 0.05}
    (tmp_path / 'scale.yaml').write_text(yaml.dump({'/**': {'ros__parameters': scale}}))
    assert calibrate(LABELS, '--params-file', tmp_path / 'scale.yaml', '--overwrite') == 0
    assert values_of(tmp_path)['stop_distance_m'] == pytest.approx(0.5 * plain_m, abs=0.011)


@pytest.mark.parametrize(
    ('labels', 'arguments', 'message'),
    [
        (LABELS + 'missing far\n', (), 'missing'),
        ('60 near\n60 far\n', (), 'got both'),
        ('60 near\n', (), 'near and far'),
        (LABELS, ('--recall', '0'), '--recall'),
        (LABELS, ('--recall', '1.1'), '--recall'),
        (LABELS, ('--motion',), 'one of'),
    ],
)
def test_what_cannot_be_is_one_line_of_error(
    calibrate: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    labels: str,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert calibrate(labels, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
