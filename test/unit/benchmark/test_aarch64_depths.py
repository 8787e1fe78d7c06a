# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The comparison of depths of two machines."""

from __future__ import annotations

from pathlib import Path

from benchmark.aarch64.depths import compare, main
import cv2
import numpy as np
import pytest
from tiny_dataset import blocks
from tiny_models import write_model


def test_differences_of_two_maps() -> None:
    one = np.array([[1.0, 2.0, np.nan, 4.0]], np.float32)
    other = np.array([[1.0, 2.2, 3.0, np.nan]], np.float32)
    assert compare(one, other) == (pytest.approx(0.05), pytest.approx(0.1), 2)


@pytest.mark.parametrize(('factor', 'status'), [(1.0, 0), (1.0099, 0), (1.0101, 1), (0.98, 1)])
def test_depths_are_compared_picture_by_picture(
    tmp_path: Path, factor: float, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = []
    for index in range(2):
        pictures.append(tmp_path / f'{index}.png')
        cv2.imwrite(str(pictures[-1]), blocks(100.0 + 50 * index))
    model = write_model(tmp_path / 'tiny.onnx')
    here, there = tmp_path / 'here.npz', tmp_path / 'there.npz'
    assert main([str(here), str(model), *map(str, pictures)]) == 0
    with np.load(here) as depths:
        changed = {name: depths[name] for name in depths.files}
    assert len(changed) == 2
    changed[str(pictures[1])] = changed[str(pictures[1])] * np.float32(factor)
    np.savez(there, **changed)
    assert main(['--compare', str(here), str(there)]) == status
    assert ('NOT within' in capsys.readouterr().out) == bool(status)


def test_words_that_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['--compare']) == 2
    assert main(['out.npz', 'model.onnx']) == 2
    assert 'PICTURE' in capsys.readouterr().err
