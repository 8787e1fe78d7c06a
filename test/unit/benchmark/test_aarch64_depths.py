# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The comparison of depths of two machines."""

from __future__ import annotations

from pathlib import Path

from benchmark.aarch64 import depths
from benchmark.aarch64.depths import compare, main, nudged
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
    with np.load(here) as written:
        changed = {name: written[name] for name in written.files}
    assert len(changed) == 2
    changed[str(pictures[1])] = changed[str(pictures[1])] * np.float32(factor)
    np.savez(there, **changed)
    assert main(['--compare', str(here), str(there)]) == status
    assert ('NOT within' in capsys.readouterr().out) == bool(status)


def test_a_nudge_is_a_grey_level_in_a_hundredth() -> None:
    picture = np.full((480, 640, 3), 128, np.uint8)
    picture[:50] = 255
    picture[50:60] = 0
    change = nudged(picture).astype(int) - picture
    assert set(np.unique(change)) == {-1, 0, 1}
    assert np.mean(change[60:] != 0) == pytest.approx(0.01, abs=0.001)


def test_depths_of_pictures_that_are_nudged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), blocks(100.0))
    model, found = write_model(tmp_path / 'tiny.onnx'), []
    monkeypatch.setattr(depths, 'nudged', lambda picture: picture + np.uint8(50))
    for words in ([], ['--nudged']):
        out = tmp_path / f'{len(words)}.npz'
        assert main([*words, str(out), str(model), str(tmp_path / 'a.png')]) == 0
        with np.load(out) as written:
            found.append(written[written.files[0]])
    assert compare(*found)[0] > 0.3


def test_words_that_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['--compare']) == 2
    assert main(['out.npz', 'model.onnx']) == 2
    assert 'PICTURE' in capsys.readouterr().err
