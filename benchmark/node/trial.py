# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Run one trial: camera, node and listener, each a process, in a DDS domain of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import json
import os
from pathlib import Path
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from fcrn_depth_ros.estimation.stopwatch import Stage
from fcrn_depth_ros.ros import diagnostic_keys as keys
from fcrn_depth_ros.ros.transport import tune_fast_dds

from .pictures import INPUTS, mounting
from .plan import FLOOR, RECORDED, Trial, TUTORIAL
from .summary import Measurement, percentiles, Sample
from .usage import Usage, usage

_ROOT = Path(__file__).resolve().parents[2]
_WARM_UP_S = 2.0
# For the last frames, and for diagnostics that come once a second.
_DRAIN_S = 2.5
# What was just matched still loses pictures.
_SETTLE_S = 1.0
_START_LIMIT_S = 120.0
_END_LIMIT_S = 30.0
_SAMPLES = 600


class TrialError(Exception):
    """A trial that could not be run to its end."""


def run(trial: Trial, seconds: float) -> Measurement:
    """
    Run a trial once.

    Parameters
    ----------
    trial : Trial
        What to run.
    seconds : float
        How long to measure.

    Returns
    -------
    Measurement
        See there.

    Raises
    ------
    TrialError
        If a process fails or does not answer.

    """
    measure = _run_floor if trial.contestant == FLOOR else _run_node
    with tempfile.TemporaryDirectory(prefix='fcrn_depth_bench_') as folder:
        try:
            return measure(trial, seconds, Path(folder))
        except (OSError, LookupError, ValueError) as error:
            # A process that ends while it is spoken to, or whose answer is cut short.
            raise TrialError(f'its processes must answer in full, got {error!r}') from error


def environment(trial: Trial, folder: Path) -> dict[str, str]:
    """Return the environment of a trial's processes: their domain, their transport."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('FASTDDS_', 'FASTRTPS_'))
    }
    variables |= {
        'PYTHONPATH': os.pathsep.join([str(_ROOT), variables.get('PYTHONPATH', '')]),
        # Domains above 101 meet Linux's ephemeral ports; 0 to 9 are left to users.
        'ROS_DOMAIN_ID': str(random.SystemRandom().randint(10, 101)),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_LOG_DIR': str(folder),
    }
    if trial.transport == 'tuned':
        tune_fast_dds(variables)
    return variables


def node_command(trial: Trial, record: Path) -> list[str]:
    """Return module and arguments of the node."""
    is_compressed = INPUTS[trial.camera].is_compressed
    if trial.contestant == TUTORIAL:
        command = ['benchmark.tutorial_node', '--model', str(trial.model)]
        command += ['--threads', str(trial.threads)]
        return command + ['--compressed'] * is_compressed
    place = mounting()
    parameters = {
        'model_file': trial.model,
        'intra_op_threads': trial.threads,
        'image_transport': 'compressed' if is_compressed else 'raw',
        'camera_height_m': place.height_m,
        'camera_pitch_deg': place.pitch_deg,
    }
    is_recorded = trial.contestant == RECORDED
    command = (
        ['benchmark.node.recorded_node', str(record)]
        if is_recorded
        else ['fcrn_depth_ros.nodes.depth_node']
    )
    command.append('--ros-args')
    for name, value in parameters.items():
        command += ['-p', f'{name}:={value}']
    return command


class _Process:
    """A process of the trial that answers in lines."""

    def __init__(self, command: Sequence[str], variables: dict[str, str], folder: Path) -> None:
        self.name = command[0]
        self._log = folder / f'{self.name}.log'
        with self._log.open('wb') as log:
            self._process = subprocess.Popen(
                [sys.executable, '-m', *command],
                env=variables,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.pid = self._process.pid

    def answer(self, limit_s: float) -> str:
        """Return the next line."""
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], limit_s)
        line = self._process.stdout.readline() if readable else b''
        if not line:
            raise TrialError(f'{self.name} must answer, got {self._failure()}')
        return line.decode()

    def go(self) -> None:
        """Send the line that it waits for."""
        assert self._process.stdin is not None
        self._process.stdin.write(b'go\n')
        self._process.stdin.flush()

    def finish(self) -> Any:
        """Close its input and return the JSON that it answers with."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return json.loads(self.answer(_END_LIMIT_S))

    def usage(self) -> Usage:
        """Return what it has used so far and holds now; fail where it has ended."""
        self.check()
        try:
            return usage(self.pid)
        except (KeyError, OSError) as error:
            # It ends at this moment; what is left of it holds no memory.
            raise TrialError(f'{self.name} must run, got {self._failure()}') from error

    def check(self) -> None:
        """Fail where it has ended."""
        if self._process.poll() is not None:
            raise TrialError(f'{self.name} must run, got {self._failure()}')

    def stop(self) -> None:
        """End it as a user would, and kill it where that does not help."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_END_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                stream.close()
        self._process.wait()

    def _failure(self) -> str:
        last = self._log.read_text(errors='replace').strip().splitlines()[-1:]
        return f'exit status {self._process.poll()}: {" ".join(last) or "nothing on stderr"}'


@contextmanager
def _running(
    command: Sequence[str], variables: dict[str, str], folder: Path
) -> Iterator[_Process]:
    process = _Process(command, variables, folder)
    try:
        yield process
    finally:
        process.stop()


def _run_node(trial: Trial, seconds: float, folder: Path) -> Measurement:
    variables = environment(trial, folder)
    record = folder / 'inference.json'
    camera_command = ['benchmark.node.camera', '--input', trial.camera]
    camera_command += ['--rate', str(trial.rate_hz), '--seconds', str(_WARM_UP_S + seconds)]
    with (
        _running(['benchmark.node.listener'], variables, folder) as listener,
        _running(node_command(trial, record), variables, folder) as node,
        _running(camera_command, variables, folder) as camera,
    ):
        _await_start(listener, node)
        _await_start(camera, node)
        time.sleep(_SETTLE_S)
        camera.go()
        time.sleep(_WARM_UP_S)
        start_ns, before = time.time_ns(), node.usage()
        samples = []
        for moment_s in _moments(seconds):
            time.sleep(max(0.0, moment_s - (time.time_ns() - start_ns) * 1e-9))
            now = node.usage()
            elapsed_s = (time.time_ns() - start_ns) * 1e-9
            samples.append(Sample(elapsed_s, now.resident_mb, now.descriptors, now.threads))
        end_ns = time.time_ns()
        stamps_ns = json.loads(camera.answer(_END_LIMIT_S))['stamps_ns']
        time.sleep(_DRAIN_S)
        peak_mb = node.usage().peak_mb
        heard = listener.finish()
        node.stop()
    values = heard['diagnostics']
    frames_ns = [(stamp_ns, arrived_ns) for stamp_ns, arrived_ns in heard['frames_ns']]
    # Every picture that reaches the callback of a tutorial node becomes a depth map.
    received = int(values[keys.FRAMES_RECEIVED]) if values else len(frames_ns)
    return Measurement(
        trial,
        (start_ns, end_ns),
        published=len(stamps_ns),
        lost=len(stamps_ns) - received,
        superseded=int(values.get(keys.FRAMES_SUPERSEDED, 0)),
        frames_ns=frames_ns,
        cpu_s=now.cpu_s - before.cpu_s,
        peak_mb=peak_mb,
        inference_s=dict(json.loads(record.read_text())) if record.is_file() else {},
        stages_ms=_stages_of_diagnostics(values),
        samples=samples,
    )


def _run_floor(trial: Trial, seconds: float, folder: Path) -> Measurement:
    command = ['benchmark.node.floor', '--model', str(trial.model)]
    command += ['--threads', str(trial.threads), '--input', trial.camera]
    command += ['--rate', str(trial.rate_hz)]
    command += ['--warm-up', str(_WARM_UP_S), '--seconds', str(seconds)]
    with _running(command, environment(trial, folder), folder) as floor:
        told = json.loads(floor.answer(_START_LIMIT_S + _WARM_UP_S + seconds))
    start_ns = told['start_ns'] + round(_WARM_UP_S * 1e9)
    published = round(trial.rate_hz * (_WARM_UP_S + seconds))
    frames_ns = [(stamp_ns, arrived_ns) for stamp_ns, arrived_ns in told['frames_ns']]
    return Measurement(
        trial,
        (start_ns, start_ns + round(seconds * 1e9)),
        published=published,
        lost=0,
        superseded=published - len(frames_ns),
        frames_ns=frames_ns,
        cpu_s=told['cpu_s'],
        peak_mb=told['peak_mb'],
        inference_s=dict(told['inference_s']),
        stages_ms=_stages_of_frames(told['times_s']),
    )


def _await_start(process: _Process, node: _Process) -> None:
    deadline_s = time.monotonic() + _START_LIMIT_S
    while True:
        node.check()
        try:
            process.answer(1.0)
            return
        except TrialError:
            process.check()
            if time.monotonic() > deadline_s:
                raise


def _moments(seconds: float) -> list[float]:
    """Return when to look at the process: each second, or more rarely in a long run."""
    count = max(1, min(_SAMPLES, round(seconds)))
    return [seconds * (index + 1) / count for index in range(count)]


def _stages_of_diagnostics(values: dict[str, str]) -> dict[str, tuple[float, float]]:
    if not values:
        return {}
    pairs = {stage.value: keys.stage_keys(stage) for stage in Stage}
    found = {
        name: (float(values[p50_key]), float(values[p95_key]))
        for name, (p50_key, p95_key) in pairs.items()
    }
    return {name: pair for name, pair in found.items() if pair[0] == pair[0]}


def _stages_of_frames(times_s: Sequence[dict[str, float]]) -> dict[str, tuple[float, float]]:
    stages = {}
    for name in (stage.value for stage in Stage):
        found = percentiles((1e3 * times[name] for times in times_s if name in times), (50, 95))
        if found['p50'] is not None and found['p95'] is not None:
            stages[name] = found['p50'], found['p95']
    return stages
