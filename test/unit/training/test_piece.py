# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

from packed_frames import floor_frame, plain_frame, write_scene
import pytest
import torch
from training import piece
from training.augment import SampleStore
from training.network import LiteEncoder
from training.pack import read_pack, write_pack
from training.runs import averaged_weights, read_config
from training.train import Machine
import yaml

ROOT = Path(__file__).resolve().parents[3]
TINY: dict[str, Any] = {
    'encoder': 'lite0', 'bottleneck': 16, 'widths': [12, 8, 8], 'branches': 1,
    'floor_widths': [8, 8, 8, 8], 'input_width': 96, 'input_height': 64, 'training_fx_px': 82.0,
    'batch_size': 2, 'steps': 3,
    'sources': [{'name': 'hard_floors', 'weight': 0.5}, {'name': 'nyuv2', 'weight': 0.5}],
}  # fmt: skip
STAGES: list[dict[str, Any]] = [
    {'name': 'teacher', 'minutes': 1.0, 'fill': False, 'settings': TINY | {'widths': [16, 12, 8]}},
    {'name': 'student', 'minutes': 1.0, 'fill': False, 'settings': TINY, 'teachers': ['teacher']},
]
CPU = Machine(torch.device('cpu'), 'float32')


@pytest.fixture
def carried(tmp_path: Path) -> Path:
    """Return what travels: packs and encoder weights."""
    folder = tmp_path / 'carried'
    folder.mkdir()
    frames = [('hard_floors', [floor_frame()]), ('nyuv2', [plain_frame(1.7)])]
    write_pack(folder / 'train.pack', frames)
    write_pack(folder / 'val.pack', frames)
    torch.manual_seed(0)
    torch.save(LiteEncoder('lite0').state_dict(), folder / 'encoder_lite0.pt')
    return folder


def test_the_script_does_a_piece_and_leaves_results(carried: Path, tmp_path: Path) -> None:
    (tmp_path / 'plan.yaml').write_text(yaml.safe_dump({'stages': STAGES}))
    done = subprocess.run(
        [ROOT / 'training' / 'gpu_piece', carried, '20', '--plan', tmp_path / 'plan.yaml',
         '--device', 'cpu', '--threads', '1', '--runs', tmp_path / 'runs'],
        env={**os.environ, 'OUT': str(tmp_path / 'out'), 'PYTHON': sys.executable},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == 'complete'
    assert '| nyuv2 |' in done.stdout
    names = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert names == ['logs.zip', 'student.average.pt.0', 'teacher.average.pt.0']
    # Back at home the results are runs, to be exported or to be learnt from.
    assert piece.unpack(tmp_path / 'out', tmp_path / 'home') == ['student', 'teacher']
    network = piece.teacher_of({'teachers': ['student']}, tmp_path / 'home')
    assert network is not None and network.input_size == (64, 96)


def test_a_piece_goes_on_where_another_machine_stopped(carried: Path, tmp_path: Path) -> None:
    frames = read_pack(carried / 'train.pack')

    def run(stage: dict[str, Any], runs: Path, minutes: float) -> bool:
        return piece.run_stage(stage, frames, None, carried, runs, CPU, minutes)

    stages = [{**stage, 'settings': {**stage['settings'], 'steps': 5}} for stage in STAGES]
    assert run(stages[0], tmp_path / 'a', 10)
    assert not run(stages[1], tmp_path / 'a', 0)  # one step
    assert piece.collect(stages, tmp_path / 'a', tmp_path / 'out') == []
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    assert {'logs.zip', 'student.checkpoint.0', 'student.checkpoint.json',
            'teacher.average.pt.0'} <= names and len(names) <= 8  # fmt: skip
    results = []
    for other in 'bc':
        assert piece.unpack(tmp_path / 'out', tmp_path / other) == ['student', 'teacher']
        manifest = json.loads((tmp_path / other / 'student' / 'checkpoint.json').read_text())
        assert manifest['step'] == 1
        assert piece.is_complete(tmp_path / other / 'teacher')
        assert run(stages[1], tmp_path / other, 10)
        results.append(averaged_weights(tmp_path / other / 'student' / 'average.pt'))
    for name, value in results[0].items():
        assert torch.equal(value, results[1][name])
    rows = (tmp_path / 'b' / 'student' / 'log.csv').read_text().splitlines()
    assert [row.split(',')[0] for row in rows] == ['step', '1', '5']
    assert 'teacher' in rows[0]


def test_a_stage_that_fails_leaves_the_others_their_time(
    carried: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {'name': 'broken', 'minutes': 1.0, 'settings': TINY | {'encoder': 'lite2'}}
    plan = {'stages': [broken, STAGES[1]]}
    complete = piece.do_piece(carried, tmp_path / 'out', tmp_path / 'runs', plan, 20, 'cpu')
    assert not complete
    assert piece.is_complete(tmp_path / 'runs' / 'student')
    assert 'encoder_lite2.pt' in (tmp_path / 'runs' / 'broken' / 'failure.log').read_text()
    # Without time nothing is begun, and what is there is handed back.
    assert not piece.do_piece(carried, tmp_path / 'again', tmp_path / 'runs', plan, 0, 'cpu')
    assert (tmp_path / 'again' / 'student.average.pt.0').exists()


def test_minutes_are_shared_by_what_is_left() -> None:
    stages = [{'minutes': 1.0}, {'minutes': 3.0}]
    assert piece.stage_minutes(stages, 0, 8.0) == 2.0
    assert piece.stage_minutes(stages, 1, 8.0) == 8.0


@pytest.mark.parametrize(('limit', 'kept'), [(10**9, ['a', 'b']), (2500, ['b']), (10, [])])
def test_what_comes_back_stays_within_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, kept: list[str]
) -> None:
    monkeypatch.setattr(piece, 'MOST_BYTES', limit)
    for name in 'ab':
        (tmp_path / name).mkdir()
        (tmp_path / name / 'config.yaml').write_text('x: 1\n')
        (tmp_path / name / piece.AVERAGE).write_bytes(bytes(2000))
    left_out = piece.collect([{'name': 'a'}, {'name': 'b'}], tmp_path, tmp_path / 'out')
    found = {path.name.split('.')[0] for path in (tmp_path / 'out').iterdir()} - {'logs'}
    assert sorted(found) == kept and sorted({'a', 'b'} - found) == sorted(left_out)


def test_rendered_scenes_are_taken_in_once(carried: Path, tmp_path: Path) -> None:
    mounting = {'height_m': 0.62, 'pitch_deg': 12, 'roll_deg': 2}
    write_scene(tmp_path, 'rooms/s1', floor_frame(), **mounting)
    write_scene(tmp_path, 'rooms/.s2', floor_frame(), **mounting)  # not complete yet
    reader = piece.SceneReader({'hard_floors': tmp_path})
    config = read_config() | TINY
    store = SampleStore(read_pack(carried / 'train.pack'), config)
    for _ in range(2):
        reader.read_new('hard_floors', tmp_path)
        reader.refill(store)
    assert reader.frames == 1 and len(store) == 3
    (tmp_path / 'rooms/.s2').rename(tmp_path / 'rooms/s2')
    reader.read_new('hard_floors', tmp_path)
    reader.refill(store)
    assert reader.frames == 2 and store.source.tolist() == [0, 1, 0, 0]
    store.batch(0)


@pytest.mark.parametrize('stage', yaml.safe_load(piece.PLAN.read_text())['stages'])
def test_stages_of_the_plan_have_a_configuration(stage: dict[str, Any]) -> None:
    config = piece.stage_config(stage)
    assert set(config) == set(read_config())
    assert config['batch_size'] == 64
    known = [each['name'] for each in yaml.safe_load(piece.PLAN.read_text())['stages']]
    assert all(known.index(teacher) < known.index(stage['name'])
               for teacher in stage.get('teachers', []))  # fmt: skip


def test_renders_of_the_plan_are_sources_and_have_options() -> None:
    plan = yaml.safe_load(piece.PLAN.read_text())
    named = {entry['name'] for entry in read_config()['sources']}
    assert {render['source'] for render in plan['renders']} <= named
    assert sum(render['workers'] for render in plan['renders']) <= 12
