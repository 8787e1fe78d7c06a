# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from benchmark.node.pictures import USUAL_INPUTS
from benchmark.node.plan import FLOOR, OURS, parser, Plan, plan, RECORDED, RELAY, Trial, TUTORIAL
import pytest


def planned(*arguments: str) -> Plan:
    return plan(parser().parse_args(arguments))


def loads(found: Plan, contestant: str) -> list[tuple[object, ...]]:
    return [
        (trial.camera, trial.rate_hz, trial.threads, trial.transport)
        for trial in found.compared
        if trial.contestant == contestant
    ]


def test_one_axis_is_varied_at_a_time() -> None:
    found = planned('--rates', '30', '15', '--threads', '1', '2', '--inputs', 'vga_raw', 'hd_raw')
    assert loads(found, OURS) == [
        ('vga_raw', 30.0, 1, 'tuned'),
        ('hd_raw', 30.0, 1, 'tuned'),
        ('vga_raw', 15.0, 1, 'tuned'),
        ('vga_raw', 30.0, 2, 'tuned'),
        ('vga_raw', 30.0, 1, 'default'),
    ]


def test_every_combination_is_run_on_demand() -> None:
    found = planned('--all', '--rates', '30', '15', '--threads', '1', '--transports', 'tuned')
    assert len(loads(found, OURS)) == 2 * len(USUAL_INPUTS) == len(set(loads(found, OURS)))


def test_nothing_is_run_twice() -> None:
    trials = planned().compared
    assert len(set(trials)) == len(trials)


def test_each_node_is_compared_with_its_usual_transport() -> None:
    found = planned()
    ours, tutorial = found.ours, found.tutorial
    assert (ours.contestant, ours.transport) == (OURS, 'tuned')
    assert (tutorial.contestant, tutorial.transport) == (TUTORIAL, 'default')
    assert set(loads(found, TUTORIAL)) > {('vga_raw', 30.0, 1, 'tuned')}
    assert {transport for *_, transport in loads(found, FLOOR)} == {''}


def test_the_overhead_of_every_input_is_measured() -> None:
    found = planned('--quick')
    assert [(trial.camera, trial.contestant) for trial in found.overhead] == [
        (camera, contestant) for camera in USUAL_INPUTS for contestant in (RECORDED, RELAY, FLOOR)
    ]
    assert len(found.compared) == 4
    assert found.tutorial_by_default == found.compared[-1] != found.tutorial


def test_a_quick_run_takes_under_four_minutes() -> None:
    found = planned('--quick', '--rounds', '9', '--seconds', '60')
    # Starting, settling, warming up and ending take less than this on an idle machine.
    beside_s = 7.0
    trials = len(found.overhead) + len(found.compared)
    assert found.rounds * trials * (found.seconds + beside_s) < 240.0


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['--rates', '30', '0'], '--rates must be positive'),
        (['--threads', '-1'], '--threads must be positive'),
        (['--seconds', '0'], '--seconds must be positive'),
        (['--rounds', '0'], '--rounds must be positive'),
        (['--soak', '-1'], '--soak must be positive'),
        (['--models', '/no/such.onnx'], '--models must be files, got /no/such.onnx'),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        planned(*arguments)


def test_a_model_may_be_given_by_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'm.onnx').touch()
    monkeypatch.chdir(tmp_path)
    assert planned('--models', 'm.onnx').ours.model == tmp_path.resolve() / 'm.onnx'


def test_an_unknown_input_ends_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        planned('--inputs', '8k')
    assert 'vga_compressed' in capsys.readouterr().err


def test_a_trial_is_a_key() -> None:
    trial = Trial(OURS, Path('m'), 'vga_raw', 30.0, 1, 'tuned')
    assert {trial: 1}[Trial(OURS, Path('m'), 'vga_raw', 30.0, 1, 'tuned')] == 1
