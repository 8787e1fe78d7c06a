# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Run one trial: camera, node and listener, each a process, in a DDS domain of their own."""

from __future__ import annotations

from collections.abc import Sequence
import json
from pathlib import Path
import tempfile
import time

from fcrn_depth_ros.estimation.stopwatch import Stage
from fcrn_depth_ros.ros import diagnostic_keys as keys

from .pictures import INPUTS, mounting
from .plan import FLOOR, RECORDED, RELAY, Trial, TUTORIAL
from .summary import Measurement, percentiles, Sample
from ..processes import END_LIMIT_S, own_environment, running, START_LIMIT_S, TrialError

_WARM_UP_S = 2.0
# For the last frames, and for diagnostics that come once a second.
_DRAIN_S = 2.5
# What was just matched still loses pictures.
_SETTLE_S = 1.0
_SAMPLES = 600


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
    return own_environment(folder, trial.transport == 'tuned')


def node_command(trial: Trial, record: Path) -> list[str]:
    """Return module and arguments of the node."""
    is_compressed = INPUTS[trial.camera].is_compressed
    if trial.contestant == TUTORIAL:
        command = ['benchmark.tutorial_node', '--model', str(trial.model)]
        command += ['--threads', str(trial.threads)]
        return command + ['--compressed'] * is_compressed
    if trial.contestant == RELAY:
        return ['benchmark.relay_node', '--input', trial.camera]
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


def _run_node(trial: Trial, seconds: float, folder: Path) -> Measurement:
    variables = environment(trial, folder)
    record = folder / 'inference.json'
    camera_command = ['benchmark.node.camera', '--input', trial.camera]
    camera_command += ['--rate', str(trial.rate_hz), '--seconds', str(_WARM_UP_S + seconds)]
    with (
        running(['benchmark.node.listener'], variables, folder) as listener,
        running(node_command(trial, record), variables, folder) as node,
        running(camera_command, variables, folder) as camera,
    ):
        listener.await_start(node)
        camera.await_start(node)
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
        stamps_ns = json.loads(camera.answer(END_LIMIT_S))['stamps_ns']
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
        inference_s=_inference_s(trial, record, stamps_ns),
        stages_ms=_stages_of_diagnostics(values),
        samples=samples,
    )


def _inference_s(trial: Trial, record: Path, stamps_ns: Sequence[int]) -> dict[int, float]:
    if trial.contestant == RELAY:
        return dict.fromkeys(stamps_ns, 0.0)
    return dict(json.loads(record.read_text())) if record.is_file() else {}


def _run_floor(trial: Trial, seconds: float, folder: Path) -> Measurement:
    command = ['benchmark.node.floor', '--model', str(trial.model)]
    command += ['--threads', str(trial.threads), '--input', trial.camera]
    command += ['--rate', str(trial.rate_hz)]
    command += ['--warm-up', str(_WARM_UP_S), '--seconds', str(seconds)]
    with running(command, environment(trial, folder), folder) as floor:
        told = json.loads(floor.answer(START_LIMIT_S + _WARM_UP_S + seconds))
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
