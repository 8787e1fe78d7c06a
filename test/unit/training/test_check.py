# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_runs import write_run
import torch
from training import check, train


@torch.no_grad()
def test_the_mean_of_a_network_that_says_far_and_one_that_says_near_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = tmp_path / 'data' / 'scene'
    for folder in ('rgb', 'depth'):
        (scene / folder).mkdir(parents=True)
    cv2.imwrite(str(scene / 'rgb' / '0.png'), np.zeros((240, 320, 3), np.uint8))
    cv2.imwrite(str(scene / 'depth' / '0.png'), np.full((240, 320), 2000, np.uint16))
    fx = train.read_config(train.DEFAULT_CONFIG)['training_fx_px'] * 320 / 256
    camera = {'fx': fx, 'fy': fx, 'cx': 159.5, 'cy': 119.5, 'width': 320, 'height': 240}
    (scene / 'camera.json').write_text(json.dumps(camera))
    config = train.read_config(train.DEFAULT_CONFIG) | {
        'encoder': 'lite0', 'checks': [{'name': 'wall', 'root': 0, 'split': None, 'prefix': ''}],
    }  # fmt: skip
    for run, depth_m in (('far', 3.0), ('near', 1.0)):
        network = train.build_network(config)
        network.head.weight.zero_()
        network.head.bias.fill_(np.log(depth_m))
        write_run(tmp_path / run, config, network)

    def printed(*runs: str) -> dict[str, str]:
        folders = [str(tmp_path / run) for run in runs]
        monkeypatch.setattr('sys.argv', ['check', *folders, '--data', str(tmp_path / 'data')])
        check.main()
        return dict(line.split() for line in capsys.readouterr().out.splitlines())

    assert printed('far')['wall_AbsRel'] == '0.5000'
    assert printed('far', 'near')['wall_AbsRel'] == '0.0000'
    assert printed('far', 'near')['wall_d1'] == '1.0000'
