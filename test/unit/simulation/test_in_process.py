# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Perception and alert in lock-step with the renderer: deterministic, and late as on a robot."""

from __future__ import annotations

import json
import math
from pathlib import Path

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
import numpy as np
import pytest
import simulation
from simulation.drive import Drive, DriveOptions, PROXIMITY, STEP_S, STEPS_PER_FRAME
from simulation.drive_sample import DriveSample
from simulation.in_process import drives_in_process, InProcessBrain, make_brain
from simulation.scenarios import numbered_scenario
from simulation.simulate import main
from simulation.true_depth import oracle_pipeline, TrueDepth

pytestmark = pytest.mark.skipif(
    not simulation.CAN_RENDER, reason='rendering needs libegl1 or libosmesa6'
)

CAMERA = CameraIntrinsics(40.0, 40.0, 19.5, 14.5, 40, 30)
MOUNTING = CameraMounting(0.3, 5.0)
ORACLE = DriveOptions(seed=7, oracle=True, model='', out=Path('unused'), video=False)


def oracle_brain(latency_s: float) -> InProcessBrain:
    truth = TrueDepth()
    brain = InProcessBrain(oracle_pipeline(truth, PROXIMITY), latency_s, truth)
    brain.begin_drive(MOUNTING, CAMERA)
    return brain


def wall(distance_m: float) -> np.ndarray:
    return np.full((30, 40), distance_m, np.float32)


def drive_toward(brain: InProcessBrain, distances_m: list[float]) -> list[tuple[float, float]]:
    """Show one wall after the other at 10 Hz; return speed and distance after each step."""
    seen = []
    for distance_m in distances_m:
        for step in range(STEPS_PER_FRAME):
            brain.tick(STEP_S)
            brain.ask_to_drive(0.5)
            if step == 0:
                brain.see(None, wall(distance_m))
            brain.settle()
            seen.append((brain.command[0], brain.reported_nearest_m))
    return seen


def test_the_robot_starts_stopped_and_goes_once_the_way_is_free() -> None:
    speeds = [speed for speed, _ in drive_toward(oracle_brain(0.0), [3.0] * 10)]
    assert speeds[0] == 0.0
    assert speeds[-1] == 0.5


@pytest.mark.parametrize(('latency_s', 'late_steps'), [(0.0, 0), (0.02, 1), (0.06, 3)])
def test_a_distance_comes_as_late_as_it_is_told_to(latency_s: float, late_steps: int) -> None:
    brain = oracle_brain(latency_s)
    nearest = [nearest_m for _, nearest_m in drive_toward(brain, [3.0, 2.0])]
    before, after = (
        nearest[: STEPS_PER_FRAME + late_steps],
        nearest[STEPS_PER_FRAME + late_steps :],
    )
    assert all(math.isnan(value) or value == pytest.approx(3.0) for value in before)
    assert after == pytest.approx([2.0] * len(after))
    assert brain.reading_latencies_s == pytest.approx([latency_s] * 2)


def test_the_newest_picture_wins_while_one_is_in_work() -> None:
    brain = oracle_brain(0.25)  # two and a half pictures long
    drive_toward(brain, [float(distance) for distance in range(9, 1, -1)])
    latencies = brain.reading_latencies_s
    assert latencies[0] == pytest.approx(0.25)
    assert max(latencies) <= 0.35 + 1e-9  # waiting for the one before, then its own work
    assert len(latencies) == 3


def test_a_near_wall_stops_the_robot_and_a_silent_camera_too() -> None:
    brain = oracle_brain(0.01)
    drive_toward(brain, [3.0] * 10)
    assert not brain.stop
    drive_toward(brain, [0.3] * 3)
    assert brain.stop and brain.command == (0.0, 0.0)
    drive_toward(brain, [3.0] * 10)
    assert not brain.stop
    for _ in range(50):
        brain.tick(STEP_S)
        brain.ask_to_drive(0.5)
        brain.settle()
    assert brain.stop and brain.command[0] == 0.0
    assert brain.state.startswith('STALE')


def test_depth_that_is_unknown_stops_the_robot() -> None:
    brain = oracle_brain(0.01)
    drive_toward(brain, [3.0] * 10)
    drive_toward(brain, [math.nan])
    assert brain.stop and brain.is_unknown


def test_a_drive_leaves_nothing_to_the_next_one() -> None:
    brain = oracle_brain(0.06)
    first = drive_toward(brain, [3.0] * 8 + [0.3] * 4)
    brain.begin_drive(MOUNTING, CAMERA)
    assert repr(drive_toward(brain, [3.0] * 8 + [0.3] * 4)) == repr(first)


def driven() -> list[DriveSample]:
    brain = make_brain(ORACLE, None)
    with Drive(numbered_scenario(7, 2), brain, noise_seed=2) as drive:
        for _ in drive.run():
            pass
        return drive.samples


@pytest.mark.slow
def test_equal_seeds_give_equal_samples() -> None:
    first, second = driven(), driven()
    assert len(first) > 50
    assert repr(first) == repr(second)  # NaN equals itself in a text


@pytest.mark.slow
def test_the_number_of_workers_changes_no_result() -> None:
    one, two = (
        [drive.result for drive in drives_in_process(ORACLE, range(3), workers, None)]
        for workers in (1, 2)
    )
    assert one == two
    assert [result.outcome for result in one] == ['passed', 'passed', 'stopped']
    assert {result.lag_s for result in one} == {0.0}


@pytest.mark.slow
def test_the_command_leaves_its_figures(tmp_path: Path) -> None:
    figures = tmp_path / 'figures.json'
    status = main(
        ['--in-process', '--oracle', '--runs', '1', '--first', '2', '--seed', '7',
         '--latency-ms', '30', '--json', str(figures), '--out', str(tmp_path / 'out')]
    )  # fmt: skip
    assert status == 0
    found = json.loads(figures.read_text())
    assert found['in_process'] and found['not_judged'] == 0
    assert found['reading_latency_s']['median'] == pytest.approx(0.03)
    assert found['list'][0]['outcome'] == 'stopped'


@pytest.mark.parametrize(
    'arguments',
    [
        ['--workers', '2'],
        ['--latency-ms', '50'],
        ['--in-process', '--workers', '0'],
        ['--in-process', '--latency-ms', '-1'],
        ['--in-process', '--latency-ms', 'nan'],
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
