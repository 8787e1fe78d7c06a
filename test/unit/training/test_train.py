# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
from pathlib import Path
import time

import numpy as np
import pytest
import torch
from training import train

SCHEDULE = {'warm_up': 0.1, 'cool_down': 0.4, 'cool_down_minutes': 10}


@pytest.mark.parametrize(
    ('done', 'share'),
    [(0.0, 0.0), (0.05, 0.5), (0.1, 1.0), (0.6, 1.0), (0.8, 0.5), (1.0, 0.0)],
)
def test_rate_rises_stays_and_falls(done: float, share: float) -> None:
    assert train.rate_share(done, SCHEDULE) == pytest.approx(share)


def test_rate_is_down_when_the_time_is_up() -> None:
    now = time.time()
    assert train.rate_share(0.3, SCHEDULE, now - 1) == 0.0
    assert train.rate_share(0.3, SCHEDULE, now + 300) == pytest.approx(0.5, abs=0.01)
    assert train.rate_share(0.3, SCHEDULE, now + 3600) == 1.0


def test_a_source_has_its_share_however_many_pictures_it_has() -> None:
    sources = [({'weight': 0.75, 'jpeg_share': 0.5}, ['a']), ({'weight': 0.25}, ['b', 'c'])]
    frames, weights = train.weighted_frames(sources, {'jpeg_share': 0.1})
    np.testing.assert_allclose(weights, [0.75, 0.125, 0.125])
    assert [(frame, config['jpeg_share']) for frame, config in frames] == [
        ('a', 0.5), ('b', 0.1), ('c', 0.1)
    ]  # fmt: skip


def test_what_was_logged_before_a_new_column_is_kept(tmp_path: Path) -> None:
    train._append_row(tmp_path / 'log.csv', {'epoch': 1, 'loss': '0.5'})
    train._append_row(tmp_path / 'log.csv', {'epoch': 2, 'loss': '0.4', 'val_AbsRel': '0.2'})
    with (tmp_path / 'log.csv').open() as file:
        assert [(row['loss'], row['val_AbsRel']) for row in csv.DictReader(file)] == [
            ('0.5', ''), ('0.4', '0.2')
        ]  # fmt: skip


def test_a_configuration_says_only_what_differs(tmp_path: Path) -> None:
    whole = train.read_config(train.DEFAULT_CONFIG)
    (tmp_path / 'mine.yaml').write_text('epochs: 7')
    assert train.read_config(tmp_path / 'mine.yaml') == whole | {'epochs': 7}
    (tmp_path / 'last.yaml').write_text('epochs: 9')
    both = train.read_config(tmp_path / 'mine.yaml', tmp_path / 'last.yaml')
    assert both == whole | {'epochs': 9}
    assert whole['epochs'] != 7


def test_encoder_and_seed_of_the_command_line_come_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(train, 'train', lambda config, *_: seen.append(config))
    command = ['train', '--data', str(tmp_path), '--out', str(tmp_path)]
    for options in ([], ['--encoder', 'lite0', '--seed', '0']):
        monkeypatch.setattr('sys.argv', [*command, *options])
        train.main()
    assert [(config['encoder'], config['seed']) for config in seen] == [('lite2', 1), ('lite0', 0)]


def test_the_second_part_of_a_training_shows_the_same_field_larger() -> None:
    first = train.read_config(train.DEFAULT_CONFIG)
    second = train.read_config(train.DEFAULT_CONFIG.with_name('larger.yaml'))
    for side, zoom in (('input_width', 'zoom_x'), ('input_height', 'zoom_y')):
        assert second[side] > first[side]
        assert second[zoom] == pytest.approx(second[side] / first[side])
    assert second['training_fx_px'] == pytest.approx(first['training_fx_px'] * second['zoom_x'])


def test_a_training_goes_on_from_either_kind_of_file(tmp_path: Path) -> None:
    weights = {'weight': torch.tensor([1.0, 4.0])}
    torch.save(weights, tmp_path / 'average_056.pt')
    torch.save({'average': weights, 'network': {}, 'epoch': 56}, tmp_path / 'checkpoint.pt')
    for name in ('average_056.pt', 'checkpoint.pt'):
        found = train.averaged_weights(tmp_path / name)
        assert list(found) == ['weight']
        assert torch.equal(found['weight'], weights['weight'])
