# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

import re
import sys

import pytest
from tiny_dataset import write_scene
from tiny_models import write_model
from training import score
from training.goals import figures_of, Goal, goal_table


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


def test_a_network_that_is_published_as_int8_alone_is_scored(folders, monkeypatch, capsys):
    (folders / 'models/fcrn_lite.onnx').unlink()
    lines = run(folders, monkeypatch)
    assert sum(line.startswith('| val: 7 NYU') for line in lines) == 2
    (folders / 'models/fcrn_lite_int8.onnx').unlink()
    with pytest.raises(SystemExit):
        run(folders, monkeypatch)


def test_intervals_are_over_scenes(folders, monkeypatch, capsys):
    lines = run(folders, monkeypatch)
    row = next(line for line in lines if line.startswith('| val_more: 4') and 'none' not in line)
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    assert cells[3].startswith('0.150 [0.0') and cells[6].startswith('0.500 [0.')
    nearest = next(line for line in lines if line.startswith('| val_more | 0.150 |'))
    assert '| 0.250 [0.000, 0.750] | 0.250 [0.000, 0.750] | 4 |' in nearest


@pytest.mark.parametrize(
    ('goal', 'value', 'text'),
    [
        (Goal(0.15), 0.15, '<= 0.15'),
        (Goal(0.15), 0.1501, '> 0.15'),
        (Goal(0.97, True), 0.97, '>= 0.97'),
        (Goal(0.97, True), 0.9699, '< 0.97'),
    ],
)
def test_a_goal_on_both_sides_of_its_bound(goal, value, text):
    assert goal.beside(value) == text
    assert goal.is_met(value) == ('=' in text)


def picture(scene='a', near=(9, 1, 0), nearest=(1.0, 1.0), obstacles=None, abs_rel=0.1):
    return {
        'scene': scene,
        'near': {'1': dict(zip(('hits', 'misses', 'false_alarms'), near, strict=True))},
        'nearest_predicted_m': nearest[0],
        'nearest_true_m': nearest[1],
        'errors': {'abs_rel': abs_rel, 'd1': 0.9, 'abs_rel_scaled': 0.08},
        **({} if obstacles is None else {'obstacles': obstacles}),
    }


def report(*pictures):
    return {'pictures': {'auto': list(pictures)}}


OBSTACLES = {'obstacle': 100, 'found': 98, 'floor': 1000, 'lost': 10, 'seen': 1, 'missed': 0}


def test_figures_of_a_report():
    figures = figures_of(
        report(
            picture('a', (9, 1, 0), (1.3, 1.0), OBSTACLES),
            picture('b', (8, 2, 8), (0.7, 1.0), OBSTACLES | {'found': 96, 'missed': 1}),
            picture('c', (0, 0, 0), (None, 1.0), OBSTACLES | {'obstacle': 0, 'found': 0}),
        )
    )
    values = {key: figure.value for key, figure in figures.items()}
    assert values == pytest.approx(
        {
            'AbsRel': 0.1,
            'd1': 0.9,
            'shape': 0.08,
            'recall 1 m': 17 / 20,
            'precision 1 m': 17 / 25,
            'too far': 1 / 2,
            'too near': 1 / 2,
            'found': 194 / 200,
            'floor lost': 30 / 3000,
            'missed': 1 / 3,
        }
    )


def test_a_report_without_obstacles_has_no_figures_of_them():
    assert not {'found', 'floor lost', 'missed'} & set(figures_of(report(picture())))


def test_the_table_of_goals_names_what_is_missed():
    rows = [
        ('low', 'camera', report(picture(abs_rel=0.101, obstacles=OBSTACLES))),
        ('val', 'none', report(picture(abs_rel=0.150))),
        ('robot', 'camera', report(picture(obstacles=OBSTACLES | {'missed': 1}))),
        ('robot', 'none', report(picture(nearest=(2.0, 1.0)))),
    ]
    text = goal_table(rows)
    assert '| low | camera | 1 | 0.101 > 0.1 | 0.900 >= 0.88 |' in text
    assert '| 0.980 >= 0.97 | 0.010 <= 0.015 | 0.000 <= 0 |' in text
    assert '| val | none | 1 | 0.150 <= 0.15 | 0.900 >= 0.785 |' in text
    # Sets that are held back have the goals of robots, where the mounting is given.
    assert '| robot | none | 1 | 0.100 | 0.900 | 0.080 |' in text
    assert 'Goals missed: 2 of 17.' in text
    assert '- low (camera): AbsRel 0.101 > 0.1' in text
    assert '- robot (camera): missed 1.000 > 0' in text
    tiny = goal_table([('low', 'camera', report(picture(abs_rel=0.14)))], 'fcrn_lite_tiny')
    assert 'Goals missed: 0 of 1.' in tiny


def test_sets_that_are_held_back_are_scored_too(folders, monkeypatch, capsys):
    write_scene(folders / 'robot', 'one', [1.0], height_m=1.0, pitch_deg=0.0)
    write_scene(folders / 'robot', 'two', [1.0])
    (folders / 'robot/some.txt').write_text('one\n')
    lines = run(folders, monkeypatch, '--set', f'robot={folders}/robot:some.txt')
    rows = [line for line in lines if line.startswith('| robot |')]
    assert any(line.startswith('| robot | camera | 1 |') for line in rows)
    assert any(line.startswith('| robot: 1 held back |') for line in lines)
    with pytest.raises(SystemExit, match='NAME=FOLDER'):
        run(folders, monkeypatch, '--set', 'robot')
