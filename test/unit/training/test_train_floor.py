# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import sys
from typing import Any

from packed_frames import floor_frame, plain_frame
import pytest
import torch
from training import pack, runs, train_floor
import yaml

TINY: dict[str, Any] = {
    'encoder': 'lite0', 'bottleneck': 16, 'widths': [12, 8, 8], 'branches': 1, 'seed': 3,
    'floor_widths': [8, 8, 8, 8], 'input_width': 96, 'input_height': 64, 'training_fx_px': 82.0,
}  # fmt: skip


def test_only_the_floor_decoder_learns_from_features_that_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = [replace(floor_frame(), scene=f'scene{number}') for number in range(6)]
    pack.write_pack(tmp_path / 'a.pack', [('floors', scenes), ('walls', [plain_frame(1.7)])])
    config = runs.read_config() | TINY
    torch.manual_seed(0)
    before = runs.build_network(config).eval()
    runs.save_run(tmp_path / 'run', config, before)
    (tmp_path / 'floor.yaml').write_text(yaml.safe_dump({
        'floor_widths': [12, 8, 8, 8], 'batch_size': 4, 'steps': 40, 'check_every': 20,
        'decoder_rate': 0.01, 'warm_up': 0.1, 'cool_down': 0.5, 'ema': 0.9,
        'sources': [{'name': 'floors', 'weight': 1.0}],
    }))  # fmt: skip
    words = ['train_floor', str(tmp_path / 'run'), '--pack', str(tmp_path / 'a.pack'),
             '--config', str(tmp_path / 'floor.yaml'), '--out', str(tmp_path / 'out'),
             '--samples', '8', '--held-share', '2',
             '--features', str(tmp_path / 'features.pt')]  # fmt: skip
    monkeypatch.setattr(sys, 'argv', words)
    train_floor.main()
    first = capsys.readouterr().out
    assert '0 samples' in first
    after, kept = runs.load_trained(str(tmp_path / 'out'))
    assert kept['floor_widths'] == [12, 8, 8, 8] and kept['steps'] == config['steps']
    state = before.state_dict()
    for name, value in after.state_dict().items():
        if not name.startswith(('floor.', 'decoder.')):
            assert torch.equal(value, state[name]), name
    losses = [float(line.split()[-1]) for line in first.splitlines() if line[:1].isdigit()
              and '%' in line]  # fmt: skip
    assert losses[-1] < 0.8 * losses[0]

    monkeypatch.setattr('training.train_floor.augmented', None)  # the features are found
    train_floor.main()
    again, _ = runs.load_trained(str(tmp_path / 'out'))
    assert all(map(torch.equal, again.state_dict().values(), after.state_dict().values()))


def test_scenes_that_are_held_back_are_not_learnt_from(tmp_path: Path) -> None:
    scenes = [replace(floor_frame(), scene=f'scene{number // 2}') for number in range(40)]
    pack.write_pack(tmp_path / 'a.pack', [('floors', scenes), ('walls', [plain_frame(1.7)])])
    learnt, held = train_floor.split_scenes(pack.read_pack(tmp_path / 'a.pack'), 4)
    assert len(learnt) + len(held) == 40 and len(held) > 0
    assert not set(learnt.scenes) & set(held.scenes)
