# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import csv
from pathlib import Path
from typing import Any

from packed_frames import floor_frame, plain_frame
import pytest
import torch
from training import checkpoints, pack, runs, train
from training.augment import SampleStore
import yaml

SCHEDULE = {'warm_up': 0.1, 'cool_down': 0.4}
TINY: dict[str, Any] = {
    'encoder': 'lite0', 'bottleneck': 16, 'widths': [12, 8, 8], 'branches': 1,
    'floor_widths': [8, 8, 8, 8], 'input_width': 96, 'input_height': 64, 'training_fx_px': 82.0,
    'batch_size': 2, 'steps': 6, 'check_every': 100, 'save_every': 100, 'drop_path': 0.5,
    'sources': [{'name': 'floors', 'weight': 0.5}, {'name': 'walls', 'weight': 0.5}],
}  # fmt: skip


@pytest.fixture(scope='module')
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('packs') / 'a.pack'
    pack.write_pack(path, [('floors', [floor_frame()]), ('walls', [plain_frame(1.7)])])
    return path


@pytest.fixture
def make(packed: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that begins a training of a tiny network."""
    frames = pack.read_pack(packed)
    # Encoder weights as they are drawn: no package of published ones is needed.
    monkeypatch.setattr('training.network.LiteEncoder.load_imagenet', lambda *_: None)

    def begin(**changes: Any) -> train.Trainer:
        config = runs.read_config() | TINY | changes
        machine = train.Machine(torch.device('cpu'), 'float32')
        return train.Trainer(config, SampleStore(frames, config), machine)

    return begin


def same(one: train.Trainer, other: train.Trainer) -> bool:
    states = [trainer.network.state_dict() | {
        f'average.{name}': value for name, value in trainer.average.state_dict().items()
    } for trainer in (one, other)]  # fmt: skip
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_teacher_sees_pictures_of_its_own_size(make: Any) -> None:
    taught, teacher = make(), make(input_width=128, input_height=96, training_fx_px=109.3)
    asked: list[torch.Size] = []
    teacher.network.eval().register_forward_pre_hook(
        lambda _, given: asked.extend(each.shape[-2:] for each in given)
    )
    taught.teacher = teacher.network
    answer = taught.ask_teacher(taught.store.batch(0))
    assert asked == [(96, 128)] * 2 and answer.log_depth.shape[-2:] == (32, 48)
    assert 'teacher' in taught.advance()


@pytest.mark.parametrize(
    ('done', 'share'),
    [(0.0, 0.0), (0.05, 0.5), (0.1, 1.0), (0.6, 1.0), (0.8, 0.5), (1.0, 0.0)],
)
def test_rate_rises_stays_and_falls(done: float, share: float) -> None:
    assert train.rate_share(done, SCHEDULE) == pytest.approx(share)


def test_an_interrupted_training_goes_on_exactly(make: Any, tmp_path: Path) -> None:
    whole = make()
    assert train.train(whole, None, tmp_path / 'whole')
    first = make()
    while first.step < 3:
        first.advance()
    (tmp_path / 'parted').mkdir()
    checkpoints.save_file(first.state(), tmp_path / 'parted' / 'checkpoint.pt')
    second = make()
    assert train.train(second, None, tmp_path / 'parted')
    assert second.step == 6 and same(whole, second)
    assert not same(whole, first)


def test_parts_go_on_exactly_from_what_they_hold(make: Any, tmp_path: Path) -> None:
    first = make()
    first.advance()
    checkpoints.save_parts(first.state(), tmp_path / 'a')
    results = []
    for _ in range(2):
        trainer = make()
        trainer.load(checkpoints.load_parts(tmp_path / 'a'))
        trainer.advance()
        results.append(trainer)
    assert same(*results)
    first.advance()
    for ours, theirs in zip(
        results[0].network.state_dict().values(), first.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.002)


def test_it_stops_in_time_and_leaves_a_checkpoint(make: Any, tmp_path: Path) -> None:
    trainer = make(steps=10_000)
    assert not train.train(trainer, None, tmp_path, minutes=1e-4, parts=True)
    assert trainer.step < 10_000
    found = checkpoints.find(tmp_path)
    assert found is not None and found['step'] == trainer.step
    assert {'checkpoint.0', 'checkpoint.json', 'checkpoint.pt', 'config.yaml', 'log.csv'} <= {
        path.name for path in tmp_path.iterdir()
    }


def test_the_steps_fill_the_minutes(make: Any, tmp_path: Path) -> None:
    trainer = make(steps=7)
    before = copy.deepcopy(trainer.network.state_dict())
    seconds = trainer.seconds_a_step()
    assert seconds > 0 and trainer.step == 0 and not trainer.optimiser.state
    assert all(torch.equal(value, before[name])
               for name, value in trainer.network.state_dict().items())  # fmt: skip
    train.train(trainer, None, tmp_path, minutes=0.1, fill=True)
    steps = yaml.safe_load((tmp_path / 'config.yaml').read_text())['steps']
    assert steps == trainer.config['steps'] != 7
    # Resumed, the schedule stays what it was.
    again = make(steps=7)
    train.train(again, None, tmp_path, minutes=1e-4, fill=True)
    assert again.config['steps'] == steps


def test_what_was_logged_after_the_checkpoint_is_dropped(make: Any, tmp_path: Path) -> None:
    train._append_row(tmp_path / 'log.csv', {'step': 1, 'loss': '0.5'})
    train._append_row(tmp_path / 'log.csv', {'step': 5, 'loss': '0.4', 'val_AbsRel': '0.2'})
    train._drop_rows(tmp_path / 'log.csv', 4)
    with (tmp_path / 'log.csv').open() as file:
        assert [(row['step'], row['loss']) for row in csv.DictReader(file)] == [('1', '0.5')]
    train._append_row(tmp_path / 'log.csv', {'step': 6, 'val_AbsRel': '0.3'})
    with (tmp_path / 'log.csv').open() as file:
        assert [row.get('val_AbsRel') for row in csv.DictReader(file)] == ['', '0.3']


def test_checks_are_logged_and_leave_weights(make: Any, packed: Path, tmp_path: Path) -> None:
    trainer = make(steps=4, check_every=2)
    train.LOG_EVERY, kept = 2, train.LOG_EVERY
    try:
        train.train(trainer, pack.read_pack(packed), tmp_path)
    finally:
        train.LOG_EVERY = kept
    with (tmp_path / 'log.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['step'] for row in rows] == ['2', '4']
    assert float(rows[1]['floors_mounted_AbsRel']) > 0 and float(rows[1]['walls_d1']) >= 0
    assert float(rows[0]['samples_per_s']) > 0
    weights = runs.averaged_weights(tmp_path / 'average_000004.pt')
    for name, value in trainer.average.state_dict().items():
        torch.testing.assert_close(weights[name], value, rtol=1e-3, atol=1e-4)
        assert weights[name].dtype == value.dtype


def test_a_teacher_that_is_right_pulls_where_nothing_was_measured(make: Any) -> None:
    class Far(torch.nn.Module):
        input_size = (TINY['input_height'], TINY['input_width'])

        def forward(self, image: Any, inverse_floor: Any) -> Any:
            asked.append(image)
            return Prediction(torch.full_like(inverse_floor[..., ::2, ::2], 3.0))

    from training.network import Prediction

    asked: list[Any] = []
    trainer = make(teacher_weight=1.0)
    assert 'teacher' not in trainer.advance()
    trainer.teacher = Far()
    parts = trainer.advance()
    assert parts['teacher'] > 0.5
    assert asked[0].shape == (2, 3, 64, 96)
    untaught = make(teacher_weight=1.0, taught=0)
    untaught.teacher = trainer.teacher
    assert 'teacher' not in untaught.advance()
    assert len(asked) == 1


def test_a_frozen_encoder_keeps_weights_and_statistics(make: Any) -> None:
    trainer = make(frozen_blocks=99)
    before = copy.deepcopy(trainer.network.encoder.state_dict())
    trainer.advance()
    after = trainer.network.encoder.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not same(trainer, make())


def test_a_configuration_says_only_what_differs(tmp_path: Path) -> None:
    whole = runs.read_config()
    (tmp_path / 'mine.yaml').write_text('steps: 7')
    assert runs.read_config(tmp_path / 'mine.yaml') == whole | {'steps': 7}
    (tmp_path / 'last.yaml').write_text('steps: 9')
    both = runs.read_config(tmp_path / 'mine.yaml', tmp_path / 'last.yaml')
    assert both == whole | {'steps': 9} and whole['steps'] != 7


@pytest.mark.parametrize('path', sorted(runs.DEFAULT_CONFIG.parent.glob('*.yaml')))
def test_configurations_know_every_setting_they_change(path: Path) -> None:
    if path.name in ('sources.yaml', 'piece.yaml'):
        return
    changes = yaml.safe_load(path.read_text())
    assert set(changes) <= set(runs.read_config())
    config = runs.read_config(path)
    # The picture has the canonical field of view; zooms are those of the sizes.
    assert config['training_fx_px'] / config['input_width'] == pytest.approx(218.5 / 256, rel=1e-3)
    assert config['input_width'] % 32 == 0 and config['input_height'] % 32 == 0


def test_every_source_of_the_configuration_can_be_packed() -> None:
    packable = {entry['name'] for entry in yaml.safe_load(pack.SOURCES.read_text())['train']}
    assert {entry['name'] for entry in runs.read_config()['sources']} <= packable


def test_a_training_goes_on_from_either_kind_of_file(tmp_path: Path) -> None:
    weights = {'weight': torch.tensor([1.0, 4.0])}
    torch.save(weights, tmp_path / 'average_000056.pt')
    torch.save({'average': weights, 'network': {}, 'step': 56}, tmp_path / 'checkpoint.pt')
    for name in ('average_000056.pt', 'checkpoint.pt'):
        found = runs.averaged_weights(tmp_path / name)
        assert list(found) == ['weight']
        assert torch.equal(found['weight'], weights['weight'])


def test_the_machine_is_chosen_and_a_missing_gpu_is_an_error(tmp_path: Path) -> None:
    machine = train.Machine.choose('cpu', 'bfloat16')
    assert machine.device.type == 'cpu'
    with machine.autocast():
        assert (torch.ones(4, 4) @ torch.ones(4, 4)).dtype == torch.bfloat16
    with train.Machine(torch.device('cpu'), 'float32').autocast():
        assert (torch.ones(4, 4) @ torch.ones(4, 4)).dtype == torch.float32
    if not torch.cuda.is_available():
        assert train.Machine.choose('auto').device.type == 'cpu'
        with pytest.raises(ValueError, match='got cuda without a GPU'):
            train.Machine.choose('cuda')
    for flags, fast in (('sse avx512_bf16', True), ('amx_bf16', True), ('avx2', False)):
        (tmp_path / 'cpuinfo').write_text(f'flags : {flags}\n')
        assert train.fast_bfloat16(tmp_path / 'cpuinfo') == fast
    assert not train.fast_bfloat16(tmp_path / 'none')


def test_the_command_begins_and_goes_on(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr('training.network.LiteEncoder.load_imagenet', lambda *_: None)
    (tmp_path / 'tiny.yaml').write_text(yaml.safe_dump(TINY | {'steps': 3}))
    command = [
        'train', '--pack', str(packed), '--out', str(tmp_path / 'run'), '--config',
        str(tmp_path / 'tiny.yaml'), '--device', 'cpu', '--seed', '5', '--encoder', 'lite0',
    ]  # fmt: skip
    monkeypatch.setattr('sys.argv', [*command, '--minutes', '0.00001'])
    train.main()
    assert 'to be continued' in capsys.readouterr().out
    monkeypatch.setattr('sys.argv', command)
    train.main()
    assert 'complete' in capsys.readouterr().out
    assert yaml.safe_load((tmp_path / 'run' / 'config.yaml').read_text())['seed'] == 5
    monkeypatch.setattr('sys.argv', [*command, '--fill'])
    with pytest.raises(SystemExit):
        train.main()
    assert '--fill needs --minutes' in capsys.readouterr().err
