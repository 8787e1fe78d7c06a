# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Drivers with a plan, wheels that lie, and things that move by themselves."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from fcrn_depth_ros.errors import ToolInputError
import numpy as np
import pytest
from simulation.drive import believed_mounting, FinishedDrive
from simulation.drive_log import DriveLog, result_of
from simulation.drive_result import judge_drive
from simulation.drive_sample import DriveSample
from simulation.manoeuvres import Arc, TurnAway, TurnRoundAndReverse
from simulation.movers import Door, mover_xml, Person
from simulation.odometry import beam, BEAM_MAX_M, MOST_BIAS, Sensors, WheelOdometry
from simulation.room_builder import RoomBuilder
from simulation.scenarios import Scenario
from simulation.simulate import main
from simulation.world import DriveWorld, Mounting, robot_xml

MOUNTING = Mounting(height_m=0.4, pitch_deg=10.0, roll_deg=0.0, horizontal_view_deg=70.0)


def sample(time_s: float, **fields: float | bool) -> DriveSample:
    values = {
        'x_m': 0.0, 'y_m': 0.0, 'heading_rad': 0.0, 'speed_mps': 0.0, 'commanded_mps': 0.0,
        'stop': False, 'state': '', 'clearance_m': 1.0, 'free_path_m': 2.0,
        'true_nearest_m': 2.0, 'reported_nearest_m': 2.0,
    }  # fmt: skip
    return DriveSample(time_s, **{**values, **fields})  # type: ignore[arg-type]


def world(kind: str) -> DriveWorld:
    builder = RoomBuilder(np.random.default_rng(0), 8.0, 6.0, 2.5, max_texture_px=16)
    plain = builder.paint(np.array([200.0, 180.0, 160.0]))
    builder.geom('box', (4.0, 3.0, 0.05), (0, 0, -0.05), plain, name='floor')
    builder.box((0.2, 6.0, 1.0), (2.1, 0.0, 0.5), plain)  # its front is at x = 2
    builder.end_body()
    mover = mover_xml(kind, np.random.default_rng(0))
    return DriveWorld(builder.finish(robot_xml(MOUNTING) + mover), MOUNTING, 64, 48)


def test_odometry_is_wrong_by_its_bias_and_its_slips_only() -> None:
    factors = []
    for seed in range(40):
        wheels = WheelOdometry(np.random.default_rng(seed))
        assert abs(wheels.distance_bias) <= MOST_BIAS and abs(wheels.angle_bias) <= MOST_BIAS
        for _ in range(200):
            wheels.move(0.01, 0.0)
        x_m, y_m, _ = wheels.reading(1).position_m
        factors.append(math.hypot(x_m, y_m) / 2.0)
    assert min(factors) > 0.96 and max(factors) < 1.1
    assert sum(factor > 1.035 for factor in factors) > 0  # some slipped


def test_odometry_follows_turns_and_repeats_itself() -> None:
    first, second = (WheelOdometry(np.random.default_rng(3)) for _ in range(2))
    for wheels in (first, second):
        for _ in range(100):
            wheels.move(0.0, 0.01)
    assert first.reading(5) == second.reading(5)
    assert first.reading(5).stamp_ns == 5
    assert first.reading(5).heading_rad == pytest.approx(1.0, rel=0.04)
    assert first.reading(5).position_m == pytest.approx((0.0, 0.0, 0.0))


def test_a_beam_ends_at_its_reach() -> None:
    rng = np.random.default_rng(0)
    assert beam(2.0, rng) == pytest.approx(2.0, abs=0.12)
    assert beam(BEAM_MAX_M + 1.0, rng) == math.inf
    assert beam(math.inf, rng) == math.inf
    assert beam(0.0, rng) >= 0.0


def test_the_beam_meets_what_is_ahead() -> None:
    room = world('door')
    room.place(0.0, 0.0, 0.0)
    assert room.beam_m() == pytest.approx(2.0 - 0.17, abs=1e-3)
    room.place(0.0, 0.0, math.pi)
    assert room.beam_m() == math.inf


@pytest.mark.parametrize('radius_m', [0.8, -0.8])
def test_an_arc_ends_where_the_body_touches(radius_m: float) -> None:
    room = world('arc')
    room.place(1.4, 0.0, 0.0)
    # The centre may come to within its radius of the wall: 0.43 m ahead of the start.
    expected_m = 0.8 * math.asin(0.43 / 0.8)
    assert room.free_arc_m(radius_m, 2.0) == pytest.approx(expected_m, abs=0.05)
    assert (room.x_m, room.y_m, room.heading_rad) == (1.4, 0.0, 0.0)
    room.place(0.0, 0.0, 0.0)
    assert room.free_arc_m(radius_m, 2.0) == 2.0


def test_a_person_walks_across_and_waits_for_the_robot() -> None:
    room = world('person')
    room.place(0.0, 0.0, 0.0)
    person = Person(0.0, 0.0, 0.0, np.random.default_rng(1))
    across_m, clearances_m = [], []
    for step in range(500):
        person.step(room, 0.02 * step, 0.02)
        place = room.renderer.data.mocap_pos[room.renderer.model.body('mover').mocapid[0]]
        across_m.append(float(place[1]))
    assert across_m[0] * across_m[-1] < 0.0  # from one side to the other
    person = Person(0.0, 0.0, 0.0, np.random.default_rng(1))
    room.place(1.3, 0.0, 0.0)  # in the person's way
    for step in range(1000):
        person.step(room, 0.02 * step, 0.02)
        clearances_m.append(room.clearance_m())
    assert min(clearances_m[1:]) > 0.0


def test_a_door_opens_into_the_way() -> None:
    room = world('door')
    room.place(-2.0, 0.0, 0.0)
    door = Door(-2.0, 0.0, 0.0, np.random.default_rng(0))
    door.step(room, 0.0, 0.02)
    before_m = room.free_path_m()
    door.step(room, 10.0, 0.02)
    assert room.free_path_m() < 2.4 < before_m


def test_turning_away_waits_for_the_stop_and_gives_up_where_it_is_held() -> None:
    driver = TurnAway(1.0)
    assert driver.command(None)[0] > 0.0
    assert driver.command(sample(0.5, stop=True))[0] > 0.0  # it has not driven yet
    driver.command(sample(1.0, speed_mps=0.4))
    assert driver.command(sample(2.0, stop=True)) == (0.0, 0.0)
    assert driver.command(sample(2.5, stop=True)) == (0.0, 0.9)
    assert driver.command(sample(8.0, stop=True)) == (0.0, 0.9)
    assert not driver.is_done
    driver.command(sample(9.0, stop=True))
    assert driver.is_done and driver.is_stuck


def test_turning_away_goes_on_after_the_turn() -> None:
    driver = TurnAway(-1.0)
    driver.command(sample(1.0, speed_mps=0.4))
    driver.command(sample(2.0, stop=True))
    assert driver.command(sample(2.5, stop=True)) == (0.0, -0.9)
    assert driver.command(sample(4.5, heading_rad=-1.8)) == (0.5, 0.0)
    assert not driver.is_done
    driver.command(sample(6.0, heading_rad=-1.8, x_m=0.7))
    assert driver.is_done and not driver.is_stuck


def test_reversing_comes_after_half_a_turn() -> None:
    driver = TurnRoundAndReverse(1.0)
    assert driver.command(sample(1.0, free_path_m=1.0))[0] > 0.0
    assert driver.command(sample(2.0, free_path_m=0.9)) == (0.0, 0.9)
    assert driver.command(sample(3.0, heading_rad=2.9)) == (0.0, 0.9)
    assert driver.command(sample(4.0, heading_rad=3.0)) == (-0.3, 0.0)
    driver.command(sample(10.5, heading_rad=3.0, stop=True))
    assert driver.is_done


def test_who_reverses_is_done_where_the_robot_stands_and_not_while_it_creeps() -> None:
    driver = TurnRoundAndReverse(1.0)
    assert driver.command(sample(0.0))[0] > 0.0
    assert driver.command(sample(1.0, free_path_m=0.9))[0] == 0.0
    turned: dict[str, float] = {'free_path_m': 0.9, 'heading_rad': math.pi}
    assert driver.command(sample(5.0, **turned))[0] < 0.0
    driver.command(sample(10.0, **turned))
    assert not driver.is_done
    driver.command(sample(12.0, speed_mps=-0.1, **turned))
    assert not driver.is_done
    # It stands, and is about to move.
    driver.command(sample(12.5, **turned))
    assert not driver.is_done
    driver.command(sample(13.0, stop=True, **turned))
    assert driver.is_done


def test_an_arc_keeps_its_radius() -> None:
    speed_mps, turn_radps = Arc(-0.8).command(None)
    assert speed_mps / turn_radps == pytest.approx(-0.8)


def scenario(kind: str) -> Scenario:
    return Scenario(kind, 1, None, MOUNTING, 0.0, 0.0, 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ('kind', 'last', 'is_stuck', 'outcome'),
    [
        ('turn', {'clearance_m': 1.5}, False, 'false_stop'),
        ('turn', {'clearance_m': 0.3}, False, 'passed'),
        ('turn', {'clearance_m': 0.3}, True, 'stuck'),
        ('turn', {'clearance_m': 0.0}, True, 'collision'),
        ('reverse', {'clearance_m': 0.3, 'free_path_m': 3.0}, False, 'stopped'),
        ('reverse', {'clearance_m': 0.3, 'speed_mps': -0.3}, False, 'never_stopped'),
        ('person', {'free_path_m': 3.0, 'true_nearest_m': 3.0}, False, 'false_stop'),
        ('person', {'free_path_m': 0.5}, False, 'passed'),
        ('person', {'speed_mps': 0.5}, False, 'passed'),
    ],
)
def test_verdicts_of_drives_that_are_not_straight(
    kind: str, last: dict[str, float], is_stuck: bool, outcome: str
) -> None:
    samples = [sample(0.0), sample(1.0, speed_mps=0.4), sample(2.0, **last)]
    result = judge_drive(scenario(kind), samples, 0.5, 0.0, (), is_stuck)
    assert result.outcome == outcome


def record(run: int) -> dict[str, object]:
    result = judge_drive(scenario('free'), [sample(0.0), sample(1.0, speed_mps=0.4)], 0.5, 0.0)
    return {'run': run, **vars(result)}


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / 'drives.jsonl'
    log = DriveLog(path, {'seed': 1})
    log.add(record(0))
    log.add(record(3))
    with path.open('a') as file:
        file.write('{"run": 4, "outc')  # killed in the middle of a line
    again = DriveLog(path, {'seed': 1})
    assert sorted(again.records) == [0, 3]
    again.add(record(4))
    assert sorted(DriveLog(path, {'seed': 1}).records) == [0, 3, 4]
    assert result_of(again.records[3]).outcome == 'passed'
    with pytest.raises(ToolInputError):
        DriveLog(path, {'seed': 2})


def test_a_finished_series_is_reported_from_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ['--in-process', '--oracle', '--runs', '1', '--out', str(tmp_path),
                 '--log', str(tmp_path / 'log'), '--json', str(tmp_path / 'json')]  # fmt: skip
    facts = {
        'oracle': True, 'model': 'embedded', 'in_process': True, 'seed': 0, 'speed_mps': 0.5,
        'kinds': 'straight', 'mounting': 'given', 'mounting_error': 0.0,
        'pitch_error_deg': 0.0, 'odometry': False, 'range_hint': False, 'memory': True,
        'looming': False,
    }  # fmt: skip
    DriveLog(tmp_path / 'log', facts).add(record(0))
    assert main(arguments) == 0
    assert json.loads((tmp_path / 'json').read_text())['runs'] == 1
    assert main([*arguments, '--overwrite', '--seed', '1']) == 2  # another series
    assert 'name another file' in capsys.readouterr().err


def finished(run: int, outcome: str, latency_s: float | None = None) -> FinishedDrive:
    result = judge_drive(scenario('free'), [sample(0.0), sample(1.0, speed_mps=0.4)], 0.5, 0.0)
    result = dataclasses.replace(result, outcome=outcome, reading_latency_s=latency_s)
    return FinishedDrive(run, scenario('free'), result)


@pytest.mark.parametrize(
    ('over_dds', 'status', 'agreement'),
    [
        (['passed'] * 20, 0, 1.0),
        (['passed'] * 19 + ['collision'], 0, 0.95),
        (['passed'] * 18 + ['collision'] * 2, 1, 0.9),
        (['passed'] * 17 + ['collision'] + ['not_judged'] * 2, 1, 17 / 18),
        (['not_judged'] * 20, 1, None),
    ],
)
def test_both_ways_to_drive_are_compared(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    over_dds: list[str],
    status: int,
    agreement: float | None,
) -> None:
    latencies_ms = []

    def drives(
        options: object, runs: list[int], parsed: Any, in_process: bool
    ) -> list[FinishedDrive]:
        if not in_process:
            return [finished(run, over_dds[run], 0.08) for run in runs]
        latencies_ms.append(parsed.latency_ms)
        return [finished(run, 'passed') for run in runs]

    monkeypatch.setattr('simulation.simulate._drives', drives)
    figures = tmp_path / 'figures.json'
    arguments = ['--compare', '--runs', '20', '--out', str(tmp_path), '--json', str(figures)]
    assert main(arguments) == status
    found = json.loads(figures.read_text())
    assert found['agreement'] == (None if agreement is None else pytest.approx(agreement))
    assert len(found['different']) == over_dds.count('collision')
    assert latencies_ms == [pytest.approx(80.0) if agreement is not None else None]


@pytest.mark.parametrize(
    'arguments',
    [
        ['--compare', '--in-process'],
        ['--mounting', 'other'],
        ['--mounting-error', '0.6'],
        ['--mounting-error', 'nan'],
        ['--pitch-error', '31'],
        ['--pitch-error', '-1'],
        ['--looming', '--oracle'],
        ['--kinds', 'none'],
    ],
)
def test_options_of_the_drives_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ('knows', 'height_m'), [('given', 0.4), ('wrong', None), ('unknown', math.nan)]
)
def test_what_the_robot_believes_of_its_camera(knows: str, height_m: float | None) -> None:
    for seed in (2, 3):
        driven = dataclasses.replace(scenario('free'), room_seed=seed)
        believed = believed_mounting(driven, Sensors(knows, 0.25))
        if knows == 'unknown':
            assert believed is None
        else:
            assert believed is not None and believed.pitch_deg == MOUNTING.pitch_deg
            expected_m = height_m or (0.3 if seed == 2 else 0.5)
            assert believed.height_m == pytest.approx(expected_m)


def test_a_wrong_pitch_is_up_or_down_whatever_the_height_is() -> None:
    errors = set()
    for seed in range(4):
        driven = dataclasses.replace(scenario('free'), room_seed=seed)
        believed = believed_mounting(driven, Sensors('wrong', 0.25, pitch_error_deg=10.0))
        assert believed is not None
        errors.add((believed.height_m > 0.4, believed.pitch_deg - MOUNTING.pitch_deg))
    assert errors == {(higher, off) for higher in (False, True) for off in (-10.0, 10.0)}
