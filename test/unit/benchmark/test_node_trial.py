# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
import os
from pathlib import Path
from types import SimpleNamespace

from benchmark.node.pictures import INPUTS, intrinsics, number, picture_data
from benchmark.node.plan import RECORDED, RELAY, TUTORIAL
from benchmark.node.trial import environment, node_command, run
from benchmark.node.usage import usage
from benchmark.processes import TrialError
from fcrn_depth_ros.camera.image_messages import compressed_image_to_rgb
from node_measurements import TRIAL
import numpy as np
import pytest


def test_a_compressed_camera_reaches_either_node(tmp_path: Path) -> None:
    trial = replace(TRIAL, camera='hd_compressed', threads=2)
    ours = node_command(trial, tmp_path / 'record')
    assert ours[0] == 'fcrn_depth_ros.nodes.depth_node'
    assert {'image_transport:=compressed', 'intra_op_threads:=2'} <= set(ours)
    tutorial = node_command(replace(trial, contestant=TUTORIAL), tmp_path / 'record')
    assert tutorial[-1] == '--compressed' and tutorial[-2] == '2'
    assert '--compressed' not in node_command(replace(TRIAL, contestant=TUTORIAL), tmp_path)


def test_the_recorded_node_gets_its_file(tmp_path: Path) -> None:
    command = node_command(replace(TRIAL, contestant=RECORDED), tmp_path / 'record')
    assert command[:3] == ['benchmark.node.recorded_node', str(tmp_path / 'record'), '--ros-args']


def test_the_relay_gets_the_camera(tmp_path: Path) -> None:
    trial = replace(TRIAL, contestant=RELAY, camera='hd_raw')
    assert node_command(trial, tmp_path) == ['benchmark.relay_node', '--input', 'hd_raw']


def test_a_transport_of_the_shell_does_not_reach_the_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')
    tuned = environment(TRIAL, tmp_path)
    default = environment(replace(TRIAL, transport='default'), tmp_path)
    assert 'FASTDDS_BUILTIN_TRANSPORTS' not in tuned | default
    assert any('PROFILES_FILE' in name for name in tuned)
    assert not any('PROFILES_FILE' in name for name in default)
    assert 10 <= int(tuned['ROS_DOMAIN_ID']) <= 101


def test_the_use_of_this_process() -> None:
    used = usage(os.getpid())
    assert used.peak_mb >= used.resident_mb > 1.0
    assert used.cpu_s > 0.0 and used.descriptors > 2 and used.threads >= 1


@pytest.mark.parametrize('name', INPUTS)
def test_pictures_have_the_size_of_the_input_and_no_two_are_alike(name: str) -> None:
    camera = INPUTS[name]
    size = camera.height_px, camera.width_px, 3
    first, *others = picture_data(camera)
    assert all(other != first for other in others)
    before = bytes(first)
    number(first, camera, 7)
    assert bytes(first) != before
    if camera.is_compressed:
        pixels = compressed_image_to_rgb(SimpleNamespace(data=first, format='jpeg'))
    else:
        pixels = np.frombuffer(first, np.uint8).reshape(size)
    assert pixels.shape == size


def test_the_wide_picture_has_square_pixels() -> None:
    camera = intrinsics(INPUTS['hd_raw'])
    assert camera.fx_px == pytest.approx(camera.fy_px)
    assert (camera.width_px, camera.height_px) == (1920, 1080)
    assert camera.cy_px == pytest.approx(539.5)


@pytest.mark.parametrize('error', [BrokenPipeError(), KeyError('frames received'), ValueError()])
def test_a_process_that_answers_nonsense_ends_its_trial_only(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr('benchmark.node.trial._run_node', fail)
    with pytest.raises(TrialError, match=type(error).__name__):
        run(TRIAL, 1.0)
