# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What `scripts/bench node` runs: which contestant with which model, camera and transport."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from fcrn_depth_ros.estimation.onnx_model import embedded_model_path
from fcrn_depth_ros.report.output_files import add_overwrite_argument

from .pictures import INPUTS, USUAL_INPUTS

OURS, TUTORIAL, FLOOR = 'depth_node', 'tutorial node', 'without ROS'
# depth_node with a record of each inference, for the overhead.
RECORDED = 'depth_node (recorded)'
# No work at all: what is left is the way of the messages.
RELAY = 'relay'
TRANSPORTS = ('tuned', 'default')
_BASE_RATE_HZ = 30.0
# Slow enough that no picture waits for the one before.
_OVERHEAD_RATE_HZ = 5.0
_QUICK_SECONDS, _QUICK_ROUNDS = 7.5, 1


@dataclass(frozen=True)
class Trial:
    """
    One contestant under one load.

    Attributes
    ----------
    contestant : str
        OURS, TUTORIAL, FLOOR, RECORDED or RELAY.
    model : Path
        ONNX file.
    camera : str
        Key of INPUTS.
    rate_hz : float
        Of the camera.
    threads : int
        Of one inference; 0 leaves the session of ONNX Runtime as it is by default.
    transport : str
        Of every process of the trial: 'tuned' or 'default'; empty without ROS.

    """

    contestant: str
    model: Path
    camera: str
    rate_hz: float
    threads: int
    transport: str


@dataclass(frozen=True)
class Plan:
    """
    All trials of a run.

    Attributes
    ----------
    overhead : tuple of Trial
        RECORDED, RELAY and FLOOR for each input.
    compared : tuple of Trial
        OURS, TUTORIAL and FLOOR under each load; the first two are those that
        `against_tutorial` compares. The last is the second with the session's own defaults.
    seconds, rounds : float, int
        How long each trial is measured, and how often.
    soak_minutes : float
        0 for none.

    """

    overhead: tuple[Trial, ...]
    compared: tuple[Trial, ...]
    seconds: float
    rounds: int
    soak_minutes: float

    @property
    def ours(self) -> Trial:
        """depth_node under the basic load."""
        return self.compared[0]

    @property
    def tutorial(self) -> Trial:
        """The tutorial node under the basic load."""
        return self.compared[1]

    @property
    def tutorial_by_default(self) -> Trial:
        """The tutorial node with ONNX Runtime's own defaults: every core, spinning."""
        return replace(self.tutorial, threads=0)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    arguments = argparse.ArgumentParser(
        prog='scripts/bench node',
        description='Latency, losses and cost of depth_node, of a tutorial node and without ROS.',
        epilog='One axis (rate, threads, input, transport, model) is varied at a time around '
        'the first value of each; --all runs every combination.',
    )
    add = arguments.add_argument
    add(
        '--models',
        type=Path,
        nargs='+',
        default=[embedded_model_path('CPU')],
        help='ONNX files (default: the embedded INT8 network)',
    )
    add('--rates', type=float, nargs='+', default=[_BASE_RATE_HZ, 15.0, 60.0, 120.0], help='Hz')
    add('--threads', type=int, nargs='+', default=[1, 2], help='of one inference')
    add('--inputs', nargs='+', choices=INPUTS, default=list(USUAL_INPUTS))
    add('--transports', nargs='+', choices=TRANSPORTS, default=list(TRANSPORTS))
    add('--seconds', type=float, default=12.0, help='that each trial is measured')
    add('--rounds', type=int, default=3, help='of all trials, one after the other')
    add('--all', action='store_true', help='every combination')
    add(
        '--quick',
        action='store_true',
        help='the overhead of each input and the comparison under one load: under four minutes',
    )
    add('--soak', type=float, default=0.0, metavar='MIN', help='depth_node alone, MIN minutes')
    add(
        '--output',
        type=Path,
        default=Path('bench_out/node'),
        help='the files are OUTPUT.md, .json and .png (default: %(default)s)',
    )
    add_overwrite_argument(arguments)
    return arguments


def plan(arguments: argparse.Namespace) -> Plan:
    """
    Choose the trials.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of :func:`parser`.

    Returns
    -------
    Plan
        Without a trial twice.

    Raises
    ------
    ValueError
        A number is not positive, or a model file is missing.

    """
    for name in ('rates', 'threads', 'seconds', 'rounds'):
        value = getattr(arguments, name)
        if min(value if isinstance(value, list) else [value]) <= 0:
            raise ValueError(f'--{name} must be positive, got {value}; leave it out')
    if arguments.soak < 0:
        raise ValueError(f'--soak must be positive, got {arguments.soak:g}; give minutes')
    for model in arguments.models:
        if not model.is_file():
            raise ValueError(f'--models must be files, got {model}; check the path')
    axes: list[list[Any]] = [
        [model.resolve() for model in arguments.models],
        arguments.inputs,
        arguments.rates,
        arguments.threads,
        arguments.transports,
    ]
    base = [axis[0] for axis in axes]
    if arguments.quick:
        loads = [base]
    elif arguments.all:
        loads = [list(load) for load in product(*axes)]
    else:
        loads = [base]
        for index, axis in enumerate(axes):
            loads += [[*base[:index], value, *base[index + 1 :]] for value in axis[1:]]
    compared = [trial for load in loads for trial in _contestants(load, base[4])]
    compared.append(replace(compared[1], threads=0))
    overhead = [
        Trial(contestant, base[0], camera, _OVERHEAD_RATE_HZ, base[3], transport)
        for camera in arguments.inputs
        for contestant, transport in ((RECORDED, base[4]), (RELAY, base[4]), (FLOOR, ''))
    ]
    return Plan(
        tuple(overhead),
        tuple(dict.fromkeys(compared)),
        _QUICK_SECONDS if arguments.quick else arguments.seconds,
        _QUICK_ROUNDS if arguments.quick else arguments.rounds,
        arguments.soak,
    )


def _contestants(load: Sequence[Any], usual_transport: str) -> tuple[Trial, ...]:
    """Return the trials of one load; a tutorial knows no tuning, so its usual is the default."""
    ours = Trial(OURS, *load)
    transport = 'default' if ours.transport == usual_transport else usual_transport
    return (
        ours,
        replace(ours, contestant=TUTORIAL, transport=transport),
        replace(ours, contestant=FLOOR, transport=''),
    )
