# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Bags of depth cameras as datasets."""

from __future__ import annotations

import json
from pathlib import Path

from bag_files import DEPTH_M, measured, SIZE, write_bag
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.tools.measure.bag_dataset import open_bag_dataset
import numpy as np
import pytest
from tiny_models import write_model


@pytest.mark.parametrize('kind', ['16UC1', '32FC1', 'png'])
def test_each_picture_has_the_depth_of_its_size(tmp_path: Path, kind: str) -> None:
    sources = open_bag_dataset(str(write_bag(tmp_path / 'drive', measured(kind))))
    assert len(sources) == 4
    sample = sources[2].load()
    assert sample.image_rgb.shape == (48, 64, 3)
    assert np.allclose(sample.depth_m, DEPTH_M, atol=5e-4, equal_nan=True)
    assert (sample.intrinsics.width_px, sample.intrinsics.height_px) == SIZE


def test_evaluate_takes_a_bag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_bag(tmp_path / 'drive', measured('16UC1'))
    model = write_model(tmp_path / 'tiny.onnx')
    words = ['--dataset', str(bag), '--model', str(model), '--json', str(tmp_path / 'report.json')]
    assert main(['evaluate', *words]) == 0
    assert '4 pictures' in capsys.readouterr().out
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['results']['auto']['overall']['pictures'] == 4


@pytest.mark.parametrize(
    ('late_ns', 'topics', 'message'),
    [
        (30_000_000, {}, 'within 20 ms of a picture, got none'),
        (0, {'depth_topic': '/nothing'}, 'depth topic must be in'),
        (0, {'image_topic': '/nothing'}, 'image topics of'),
    ],
)
def test_what_does_not_fit_is_one_error(
    tmp_path: Path, late_ns: int, topics: dict[str, str], message: str
) -> None:
    bag = write_bag(tmp_path / 'drive', measured('16UC1', late_ns, 2))
    with pytest.raises(ToolInputError, match=message):
        open_bag_dataset(str(bag), **topics)


def test_depth_that_is_late_by_the_most_still_belongs_to_its_picture(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'drive', measured('16UC1', 20_000_000, 2))
    assert len(open_bag_dataset(str(bag))) == 2


def test_depth_of_two_points_of_view_must_be_named(tmp_path: Path) -> None:
    content = list(measured('16UC1', count=2))
    content += [('/other/image_raw', *m[1:]) for m in content if m[0] == '/aligned/image_raw']
    content = [('/one/image_raw', *m[1:]) if m[0] == '/aligned/image_raw' else m for m in content]
    content.sort(key=lambda m: m[1])
    bag = str(write_bag(tmp_path / 'drive', content))
    with pytest.raises(ToolInputError, match='name it with --depth-topic'):
        open_bag_dataset(bag)
    assert len(open_bag_dataset(bag, depth_topic='/one/image_raw')) == 2
