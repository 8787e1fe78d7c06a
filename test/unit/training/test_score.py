# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

import re
import sys

import pytest
from tiny_dataset import write_scene
from tiny_models import write_model
from training import score


@pytest.fixture
def folders(tmp_path):
    models = tmp_path / 'models'
    models.mkdir()
    for name in score.FILES.values():
        write_model(models / name.format('fcrn_lite'))
    data = tmp_path / 'data'
    # The tiny network says the brightness / 100: right, and 30 % too far.
    write_scene(data, 'seen', [1.0] * 7)
    write_scene(data, 'near', [1.2], picture_means=[156.0])
    write_scene(data, 'pcl/mosd_test', [0.8])
    (data / 'splits').mkdir()
    (data / 'splits/val.txt').write_text('seen\n')
    (data / 'splits/val_near.txt').write_text('near\n')
    # Scenes that are right, 30 % too far and 30 % too near.
    for name, mean in (('a', 100.0), ('b', 130.0), ('c', 70.0), ('d', 100.0)):
        write_scene(data, f'more/{name}', [1.0], picture_means=[mean])
    (data / 'splits/val_more.txt').write_text('more/a\nmore/b\nmore/c\nmore/d\n')
    for name in ('chair_boxes_cam1', 'chair_boxes_cam2'):
        write_scene(data, f'ist_piv/{name}', [1.1], height_m=1.0, pitch_deg=0.0)
    for name in ('rooms', 'close_ups'):
        write_scene(tmp_path / name, 'scene', [1.1], height_m=1.0, pitch_deg=0.0)
    return tmp_path


def run(folders, monkeypatch, *options):
    words = ['score', str(folders / 'models'), '--data', str(folders / 'data'), '--rooms',
             str(folders / 'rooms'), '--close-ups', str(folders / 'close_ups'), '--out',
             str(folders / 'scores'), *options]  # fmt: skip
    monkeypatch.setattr(sys, 'argv', words)
    score.main()
    return (folders / 'scores/tables.md').read_text().splitlines()


def test_tables_say_what_evaluate_measured(folders, monkeypatch, capsys):
    lines = run(folders, monkeypatch)
    errors = '| 0.300 | 0.360 | 0.114 | 0.000 | 1.000 | 1.000 | 0.000 |'
    assert f'| val_near: 1 boxes on a floor, low camera | unknown | float {errors}' in lines
    assert sum(line.startswith('| val: 7 NYU') for line in lines) == 4
    # 7 pictures of 64 x 48 pixels at 1 m; the sets of one picture are too small to count.
    near = [line for line in lines if line.endswith('| 21,504 |')]
    assert [line.split(' | ')[1] for line in near] == ['1.5 m', '2 m']
    assert not any(line.endswith('| 3,072 |') for line in lines)
    assert '| val_near | 0.300 | 0.300 | 0.300 | 0.300 | 0.300 |' in lines


def test_reports_are_made_anew_unless_resumed(folders, monkeypatch, capsys):
    run(folders, monkeypatch)
    report = folders / 'scores/val_near_none_float.json'
    text = report.read_text()
    report.write_text(re.sub(r'"abs_rel": 0\.\d+', '"abs_rel": 0.777', text))
    assert any('| 0.777 |' in line for line in run(folders, monkeypatch, '--resume'))
    assert not any('| 0.777 |' in line for line in run(folders, monkeypatch))


def test_intervals_are_over_scenes(folders, monkeypatch, capsys):
    lines = run(folders, monkeypatch)
    row = next(line for line in lines if line.startswith('| val_more: 4') and 'none' not in line)
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    assert cells[3].startswith('0.150 [0.0') and cells[6].startswith('0.500 [0.')
    nearest = next(line for line in lines if line.startswith('| val_more |'))
    assert '| 0.250 [0.000, 0.750] | 0.250 [0.000, 0.750] | 4 |' in nearest
