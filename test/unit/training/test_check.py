# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from packed_frames import plain_frame
import pytest
from tiny_runs import write_run
import torch
from training import check, runs
from training.export import make_card, write_float
from training.pack import write_pack

SMALL = {'encoder': 'lite0', 'bottleneck': 16, 'widths': [12, 8, 8], 'floor_widths': [8, 8, 8, 8],
         'input_width': 96, 'input_height': 64, 'training_fx_px': 273 * 96 / 320}  # fmt: skip


@torch.no_grad()
def test_the_mean_of_a_network_that_says_far_and_one_that_says_near_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pack(tmp_path / 'val.pack', [('wall', [plain_frame(2.0)])])
    config = runs.read_config() | SMALL
    for run, depth_m in (('far', 3.0), ('near', 1.0)):
        network = runs.build_network(config)
        network.head.weight.zero_()
        network.head.bias[:4] = np.log(depth_m)
        write_run(tmp_path / run, config, network)

    def printed(*names: str) -> dict[str, list[str]]:
        folders = [str(tmp_path / run) for run in names]
        monkeypatch.setattr(
            'sys.argv',
            ['check', *folders, '--validation', str(tmp_path / 'val.pack'),
             '--json', str(tmp_path / 'figures.json')],
        )  # fmt: skip
        check.main()
        rows = [
            line.strip('| ').split(' | ')
            for line in capsys.readouterr().out.split('\n\n')[0].splitlines()
        ]
        return {row[0]: row[1:] for row in rows}

    far = printed('far')
    assert far['set'][:2] == ['AbsRel', 'd1']
    assert float(far['wall'][0].split()[0]) == pytest.approx(0.5, abs=0.003)
    both = printed('far', 'near')
    assert float(both['wall'][0].split()[0]) == pytest.approx(0, abs=0.003)
    assert both['wall'][1] == '1.000'
    figures = json.loads((tmp_path / 'figures.json').read_text())
    assert figures['wall']['AbsRel']['value'] == pytest.approx(0, abs=0.002)


@pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::UserWarning')
@torch.no_grad()
def test_an_exported_file_is_checked_as_its_run_is(tmp_path: Path) -> None:
    config = runs.read_config() | SMALL
    torch.manual_seed(0)
    network = runs.build_network(config)
    image, floor = torch.randn(3, 3, 64, 96), torch.rand(3, 1, 64, 96)
    network.train()(image, floor)
    network.eval()
    write_float(network, config, tmp_path / 'model.onnx', make_card(config, ''))
    exported, found = check.load([str(tmp_path / 'model.onnx')])
    assert found == {key: pytest.approx(config[key]) for key in found} and len(found) == 3
    for ours, theirs in zip(exported(image, floor), network(image, floor), strict=True):
        torch.testing.assert_close(ours, theirs, atol=0.02, rtol=0.02)
