# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path
import sys
from typing import Any

import pytest
from training import compare


def report(errors: dict[str, float], told_m: float = 1.0) -> dict[str, Any]:
    pictures = [
        {
            'scene': scene,
            'nearest_predicted_m': told_m,
            'nearest_true_m': 1.0,
            'near': {'1': {'hits': 1, 'misses': 0, 'false_alarms': 0}},
            'errors': {'abs_rel': error, 'd1': 0.5, 'abs_rel_scaled': 0.1},
        }
        for scene, error in errors.items()
    ]
    return {'pictures': {'auto': pictures}}


def test_scenes_are_drawn_for_both_networks_at_once() -> None:
    # The scenes differ by far more than the networks do.
    before = report({'a': 0.1, 'b': 0.2, 'c': 0.3, 'd': 0.4})
    after = report({'a': 0.09, 'b': 0.19, 'c': 0.29, 'd': 0.39}, told_m=1.26)
    told = compare.differences(before, after)
    figure = told['AbsRel']
    assert figure.value == pytest.approx(-0.01)
    assert (figure.low, figure.high) == pytest.approx((-0.01, -0.01))
    assert told['too far'].value == 1.0 and told['d1'].value == 0.0
    assert 'found' not in told


def test_other_pictures_are_no_comparison() -> None:
    with pytest.raises(ValueError, match='of the same pictures'):
        compare.differences(report({'a': 0.1}), report({'b': 0.1}))


def test_the_table_has_what_both_folders_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, error in (('before', 0.2), ('after', 0.3)):
        (tmp_path / folder).mkdir()
        content = report({'a': error, 'b': error, 'c': error})
        (tmp_path / folder / 'val_near_none_INT8.json').write_text(json.dumps(content))
        (tmp_path / folder / f'{folder}_none_INT8.json').write_text('{}')
    monkeypatch.setattr(sys, 'argv', ['', str(tmp_path / 'before'), str(tmp_path / 'after')])
    compare.main()
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(' | ')[:3] for row in rows] == [
        ['| val_near', 'none', '**+0.100 [+0.100, +0.100]**']
    ]
    (tmp_path / 'after/val_near_none_INT8.json').unlink()
    with pytest.raises(SystemExit):
        compare.main()
    assert 'must hold *_INT8.json of training.score' in capsys.readouterr().err
