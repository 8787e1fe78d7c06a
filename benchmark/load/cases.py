# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The cases of `scripts/bench load`: what is done to the real processes, and what must hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
import json
from pathlib import Path
import shutil
import subprocess
import sys
import time
from typing import Any

from fcrn_depth_ros.estimation.onnx_model import embedded_model_path

from .limited import kills, memory_group
from .phases import PHASES
from .result import (
    all_actions_succeed,
    CaseResult,
    depth_comes_to_the_end,
    depth_is_whole,
    every_frame_has_a_fate,
    latency_does_not_pile_up,
    Must,
    no_frame_is_rejected,
    nothing_is_lost,
    nothing_piles_up,
    Watched,
)
from ..node.pictures import mounting
from ..node.plan import OURS, Trial
from ..node.summary import Sample, soak
from ..node.trial import run
from ..processes import own_environment, Process, ROOT, running, START_LIMIT_S

_CLIP = ROOT / 'fcrn_depth_ros' / 'demo_clip'
_RATE_HZ, _FAST_HZ = 30.0, 120.0
# Glibc's arenas; the soak has the stricter limit.
_MOST_GROWTH_MB, _MOST_SOAK_GROWTH_MB, _MOST_PEAK_MB = 15.0, 5.0, 250.0
_MOST_P99_RISE = 1.1
_MEMORY_LIMIT_MB = 300
_DISK_KB, _COMMAND_LIMIT_S = 64, 180.0
# Heartbeats come at 20 Hz; a busy machine holds them up.
_MOST_SILENCE_S = 1.0
_SETTLE_S, _DRAIN_S = 1.0, 2.5


@dataclass(frozen=True)
class Options:
    """How long and how often."""

    model: Path
    seconds: float
    cycles: int
    changes: int
    soak_minutes: float


class CannotRunError(Exception):
    """A case needs something that is not there."""


Course = dict[str, Sequence[float]]
Found = tuple[list[Must], Course]


def fast_camera(options: Options, folder: Path) -> Found:
    """Watch depth_node beside a camera that is faster than the network."""
    watched = _watch(folder, options.model, options.seconds, rate_hz=_FAST_HZ)
    return [
        nothing_is_lost(watched),
        every_frame_has_a_fate(watched),
        no_frame_is_rejected(watched),
        latency_does_not_pile_up(watched),
        depth_comes_to_the_end(watched),
        *nothing_piles_up(watched, _MOST_GROWTH_MB),
    ], watched.course()


def lifecycle(options: Options, folder: Path) -> Found:
    """Take depth_node down and up again, many times."""
    task = ['lifecycle', '--count', str(options.cycles)]
    watched = _watch(folder, options.model, task=task)
    return [
        all_actions_succeed(watched, options.cycles),
        depth_comes_to_the_end(watched),
        no_frame_is_rejected(watched),
        *nothing_piles_up(watched, _MOST_GROWTH_MB),
    ], watched.course()


def model_change(options: Options, folder: Path) -> Found:
    """Change the network by deactivate, cleanup, a new model_file, configure and activate."""
    models = [embedded_model_path('CUDA'), embedded_model_path('CPU')]
    task = ['models', '--count', str(options.changes), '--models', *map(str, models)]
    watched = _watch(folder, options.model, task=task)
    named = [name for name in watched.models if name != 'none']
    has_both = all(any(model.name in name for name in named) for model in models)
    return [
        all_actions_succeed(watched, options.changes),
        Must(
            '/diagnostics names each network', has_both,
            ', '.join(sorted(set(named))) or 'none',
        ),
        depth_is_whole(watched),
        depth_comes_to_the_end(watched),
        *nothing_piles_up(watched, _MOST_GROWTH_MB),
    ], watched.course()  # fmt: skip


def parameters(options: Options, folder: Path) -> Found:
    """Change a parameter ten times a second."""
    count = round(10.0 * options.seconds)
    task = ['parameters', '--count', str(count)]
    watched = _watch(folder, options.model, task=task)
    return [
        all_actions_succeed(watched, count),
        depth_is_whole(watched),
        no_frame_is_rejected(watched),
        every_frame_has_a_fate(watched),
        depth_comes_to_the_end(watched),
        *nothing_piles_up(watched, _MOST_GROWTH_MB),
    ], watched.course()


def full_disk(options: Options, folder: Path) -> Found:
    """Let everything that writes meet a disk with no room left."""
    with _small_disk(folder / 'disk') as disk:
        variables = own_environment(folder, True)
        clip = [str(_CLIP / '105.000000.jpg'), '--camera-file', str(_CLIP / 'camera.json')]
        commands = {
            'fcrn-depth image': ['fcrn_depth_ros', 'image', *clip, '--out', str(disk / 'image')],
            'the demo': [
                *('fcrn_depth_ros.nodes.demo', '--out', str(disk / 'demo')),
                *('--duration', '3', '--rate', '10'),
            ],
        }  # fmt: skip
        musts = []
        for name, command in commands.items():
            musts += _judge_command(name, command, variables, disk)
        logs = {**variables, 'ROS_LOG_DIR': str(disk / 'log'), 'ROS_HOME': str(disk / 'ros')}
        watched = _watch(folder, options.model, options.seconds / 2.0, variables=logs)
        comes = depth_comes_to_the_end(watched)
        musts.append(Must('depth_node goes on, though it cannot log', comes.held, comes.found))
    return musts, watched.course()


def clock(options: Options, folder: Path) -> Found:
    """Let /clock and the stamps of the camera step, stand still and disagree."""
    variables = own_environment(folder, True)
    place = mounting()
    common = ['--ros-args', '-p', 'use_sim_time:=true']
    depth = ['fcrn_depth_ros.nodes.depth_node', *common]
    for name, value in (
        ('model_file', options.model), ('camera_height_m', place.height_m),
        ('camera_pitch_deg', place.pitch_deg),
    ):  # fmt: skip
        depth += ['-p', f'{name}:={value}']
    alert = ['fcrn_depth_ros.nodes.alert_node', *common, '-p', 'assume_scale_verified:=true']
    # Distances do not matter here, nor how busy this machine is.
    for name, distance_m in (
        ('stop_distance_m', 0.1), ('release_distance_m', 0.15),
        ('caution_distance_m', 0.2), ('caution_release_distance_m', 0.25),
        ('margin_m', 0.05), ('unverified_margin_m', 0.05),
        ('source_timeout_s', 1.0), ('max_stamp_age_s', 2.0),
        # The camera shows one room after the other.
        ('ttc_stop_s', 0.0),
    ):  # fmt: skip
        alert += ['-p', f'{name}:={distance_m}']
    phase_s = max(3.0, options.seconds / 4.0)
    source = ['benchmark.load.clock_source', '--seconds', str(phase_s)]
    samples = []
    with (
        running(depth, variables, folder) as node,
        running(alert, variables, folder) as alerts,
        running(source, variables, folder) as player,
    ):
        player.await_start(node, alerts)
        player.go()
        start_s = time.monotonic()
        for index in range(round(phase_s * len(PHASES))):
            time.sleep(max(0.0, start_s + index + 1.0 - time.monotonic()))
            samples.append(_sample(node, time.monotonic() - start_s))
        heard = json.loads(player.answer(START_LIMIT_S))
        node.check()
        alerts.check()
    course: Course = {
        'time_s': [sample.time_s for sample in samples],
        'rss_mb': [sample.resident_mb for sample in samples],
        'descriptors': [sample.descriptors for sample in samples],
        'threads': [sample.threads for sample in samples],
    }
    return clock_musts(heard), course


def clock_musts(heard: Sequence[dict[str, Any]]) -> list[Must]:
    """Judge what came in each phase."""

    def of(key: str) -> str:
        return ', '.join(f'{values[key]}' for values in heard)

    held = [
        values['last_stop'] is True
        for values, phase in zip(heard, PHASES, strict=True)
        if phase.must_stop
    ]
    first, last = heard[0], heard[-1]
    longest_s = max(values['longest_silence_s'] for values in heard)
    return [
        Must('depth comes in every phase', all(v['frames'] for v in heard), of('frames')),
        Must('heartbeats come in every phase', all(v['stops'] for v in heard), of('stops')),
        Must(
            f'no heartbeat is missing for {_MOST_SILENCE_S:g} s',
            longest_s < _MOST_SILENCE_S, f'{longest_s:.2f} s',
        ),
        Must(
            'the robot is held while clock or stamps are wrong', all(held),
            f'{sum(held)} of {len(held)} phases',
        ),
        Must(
            'the robot may go at the beginning and at the end',
            first['last_stop'] is last['last_stop'] is False,
            f'levels {of("level")}; stop {of("last_stop")}',
        ),
    ]  # fmt: skip


def little_memory(options: Options, folder: Path) -> Found:
    """Let depth_node live on 300 MB."""
    limit = _MEMORY_LIMIT_MB * 2**20
    with memory_group(limit) as group:
        how = 'control group' if group else 'RLIMIT_DATA: heap and stacks'
        wrapper = ['benchmark.load.limited', str(group or limit)]
        watched = _watch(folder, options.model, options.seconds, wrapper=wrapper)
        killed = kills(group) if group else 0
    peak_mb = max(sample.resident_mb for sample in watched.samples)
    return [
        Must(
            f'it runs in {_MEMORY_LIMIT_MB} MB ({how})', killed == 0,
            f'resident up to {peak_mb:.0f} MB, shared pages included',
        ),
        depth_comes_to_the_end(watched),
        no_frame_is_rejected(watched),
        every_frame_has_a_fate(watched),
    ], watched.course()  # fmt: skip


def long_run(options: Options, folder: Path) -> Found:
    """Watch depth_node for minutes at 30 Hz, 640x480."""
    if not options.soak_minutes:
        raise CannotRunError('give --soak MIN')
    trial = Trial(OURS, options.model, 'vga_raw', _RATE_HZ, 1, 'tuned')
    measured = run(trial, 60.0 * options.soak_minutes)
    found: dict[str, Any] = soak(measured)
    course: Course = {key: found[key] for key in ('time_s', 'rss_mb', 'descriptors', 'threads')}
    start_ns = measured.window_ns[0]
    course['latency_s'] = [(stamp_ns - start_ns) * 1e-9 for stamp_ns, _ in measured.frames_ns]
    course['latency_ms'] = [(arrived - stamp) * 1e-6 for stamp, arrived in measured.frames_ns]
    return soak_musts(found, measured.peak_mb), course


def soak_musts(found: dict[str, Any], peak_mb: float) -> list[Must]:
    """Judge a long run."""
    growth_mb, first_ms, last_ms = (
        float('nan') if found[key] is None else found[key]
        for key in ('rss_growth_mb', 'p99_first_ms', 'p99_last_ms')
    )
    held = {}
    for key in ('descriptors', 'threads'):
        values = found[key][len(found[key]) // 10 :]
        held[key] = bool(values) and max(values) == min(values)
    return [
        Must(
            f'memory grows by less than {_MOST_SOAK_GROWTH_MB:g} MB',
            growth_mb < _MOST_SOAK_GROWTH_MB, f'{growth_mb:.2f} MB',
        ),
        Must(f'the peak is below {_MOST_PEAK_MB:g} MB', peak_mb < _MOST_PEAK_MB, f'{peak_mb:.0f}'),
        Must(
            'p99 of the latency in the last third is within 10 % of the first',
            last_ms <= _MOST_P99_RISE * first_ms, f'{first_ms:.1f} to {last_ms:.1f} ms',
        ),
        *(
            Must(f'{key} stay constant', value, f'{min(found[key])} to {max(found[key])}')
            for key, value in held.items()
        ),
        Must('no picture is lost', found['frames_lost'] == 0, f'{found["frames_lost"]}'),
    ]  # fmt: skip


CASES: dict[str, Callable[[Options, Path], Found]] = {
    'fast_camera': fast_camera,
    'lifecycle': lifecycle,
    'model_change': model_change,
    'parameters': parameters,
    'full_disk': full_disk,
    'clock': clock,
    'little_memory': little_memory,
    'soak': long_run,
}


def _watch(
    folder: Path,
    model: Path,
    seconds: float = 0.0,
    *,
    rate_hz: float = _RATE_HZ,
    task: Sequence[str] = (),
    wrapper: Sequence[str] = (),
    variables: dict[str, str] | None = None,
) -> Watched:
    """Run camera, depth_node and listener, for some seconds or until a task is done."""
    chosen = own_environment(folder, True) if variables is None else variables
    place = mounting()
    node_command = [*wrapper, 'fcrn_depth_ros.nodes.depth_node', '--ros-args']
    for name, value in (
        ('model_file', model), ('camera_height_m', place.height_m),
        ('camera_pitch_deg', place.pitch_deg),
    ):  # fmt: skip
        node_command += ['-p', f'{name}:={value}']
    camera_command = ['benchmark.node.camera', '--input', 'vga_raw', '--rate', str(rate_hz)]
    camera_command += ['--seconds', '86400']
    samples, actions = [], []
    with (
        running(['benchmark.node.listener'], chosen, folder) as listener,
        running(node_command, chosen, folder) as node,
        running(camera_command, chosen, folder) as camera,
        running(['benchmark.load.actions', *task], chosen, folder) if task else nullcontext() as (
            user
        ),
    ):
        for process in filter(None, (listener, camera, user)):
            process.await_start(node)
        time.sleep(_SETTLE_S)
        camera.go()
        start_ns, start_s = time.time_ns(), time.monotonic()
        if user is None:
            for index in range(max(1, round(2.0 * seconds))):
                time.sleep(max(0.0, start_s + 0.5 * (index + 1) - time.monotonic()))
                samples.append(_sample(node, time.monotonic() - start_s))
        else:
            user.go()
            while not (told := json.loads(user.answer(START_LIMIT_S))).get('done'):
                actions.append((told['action'], told['failure']))
                samples.append(_sample(node, time.monotonic() - start_s))
            # After the last action it goes on.
            time.sleep(_DRAIN_S)
        stamps_ns = camera.finish()['stamps_ns']
        time.sleep(_DRAIN_S)
        node.check()
        heard = listener.finish()
    frames_ns = [(stamp_ns, arrived_ns) for stamp_ns, arrived_ns in heard['frames_ns']]
    return Watched(
        samples,
        frames_ns,
        heard['broken'],
        heard['diagnostics'],
        heard['models'],
        actions,
        stamps_ns,
        start_ns,
    )


def _sample(node: Process, time_s: float) -> Sample:
    now = node.usage()
    return Sample(time_s, now.resident_mb, now.descriptors, now.threads)


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system that is full."""
    folder.mkdir()
    mount = shutil.which('mount')
    options = ['-t', 'tmpfs', '-o', f'size={_DISK_KB}k', 'tmpfs', str(folder)]
    done = subprocess.run([mount, *options], capture_output=True, text=True) if mount else None
    if done is None or done.returncode:
        reason = done.stderr.strip() if done else 'no program mount'
        raise CannotRunError(f'a small file system must be mounted here, got: {reason}')
    try:
        with (folder / 'fill').open('wb', buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        yield folder
    finally:
        subprocess.run(['umount', '--lazy', str(folder)], check=False)


def _judge_command(
    name: str, command: Sequence[str], variables: dict[str, str], disk: Path
) -> list[Must]:
    before = set(disk.rglob('*'))
    done = subprocess.run(
        [sys.executable, '-m', *command],
        env=variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_COMMAND_LIMIT_S,
    )
    errors = [line for line in done.stderr.splitlines() if 'error: ' in line]
    says = errors[-1].rpartition('error: ')[2] if errors else 'nothing'
    is_clear = 'No space left' in says and str(disk) in says and 'Traceback' not in done.stderr
    # The log of the demo's processes is written as it comes, and tells of its end itself.
    left = [path for path in set(disk.rglob('*')) - before if path.is_file()]
    cut = [path.name for path in left if path.suffix != '.log']
    return [
        Must(f'{name} fails', done.returncode == 2, f'exit status {done.returncode}'),
        Must(f'{name} names file and reason in one line', is_clear, says),
        Must(f'{name} leaves nothing half-written', not cut, ', '.join(cut) or 'nothing'),
    ]


def run_case(name: str, options: Options, folder: Path) -> CaseResult:
    """
    Run one case.

    Parameters
    ----------
    name : str
        Key of CASES.
    options : Options
        How long.
    folder : Path
        Empty; for logs.

    Returns
    -------
    CaseResult
        With `missing` where this machine lacks something.

    Raises
    ------
    TrialError
        A process that must live has ended, or does not answer.

    """
    case = CASES[name]
    what = (case.__doc__ or '').strip().rstrip('.')
    start_s = time.monotonic()
    try:
        musts, course = case(options, folder)
    except CannotRunError as error:
        return CaseResult(name, what, missing=str(error))
    return CaseResult(name, what, musts, time.monotonic() - start_s, course=course)
