# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
How near `fcrn-depth bag` comes to the speed of the bare network, and whether workers change a bit.

A bag of the bundled clip is made, and worked on by one process, by two, and, where asked for, by
a Ray cluster of two. Wants an idle machine; the results of every run must be the same files.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
import multiprocessing
import os
from pathlib import Path
import shutil
import sys
import tempfile
import time
from typing import Any

import cv2
from fcrn_depth_ros.archives.plan import BagOptions
from fcrn_depth_ros.archives.recording import COMPRESSED, IMAGE
from fcrn_depth_ros.archives.writing import BagWriter, with_arrays
from fcrn_depth_ros.camera.camera_file import read_camera_file
from fcrn_depth_ros.camera.picture_files import read_picture
from fcrn_depth_ros.estimation.onnx_model import load_onnx_model
from fcrn_depth_ros.estimation.preprocessing import prepare_image
from fcrn_depth_ros.wire.contents import camera_info_contents, image_contents
import numpy as np
from pyarrow import parquet

from .machine import processor

_CLIP = Path(__file__).parents[1] / 'fcrn_depth_ros' / 'demo_clip'
_START_NS = 100 * 10**9
_NETWORK_RUNS = 200
_MB = 1024.0


@dataclass(frozen=True)
class Run:
    """Time and memory of one command, with all of its processes."""

    name: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    folder: Path


def parser() -> argparse.ArgumentParser:
    """Return the reader of the command line."""
    made = argparse.ArgumentParser(prog='scripts/bench bags', description=__doc__)
    made.add_argument('--seconds', type=float, default=60.0, help='length of the bag (60)')
    made.add_argument('--rate', type=float, default=30.0, help='pictures a second (30)')
    made.add_argument('--raw', action='store_true', help='raw VGA pictures instead of JPEG')
    made.add_argument('--ray', action='store_true', help='also on a Ray cluster (needs ray)')
    made.add_argument('--one', action='store_true', help='one job only: for long bags')
    made.add_argument(
        '--model',
        metavar='FILE',
        help='another network for the command, such as one that costs nothing: for the memory of '
        'long bags',
    )
    made.add_argument('--work', type=Path, help='folder with room for the bag and its copies')
    return made


def write_bag(folder: Path, seconds: float, rate: float, raw: bool) -> int:
    """Write the bag; returns how many pictures it has."""
    files = sorted(_CLIP.glob('*.jpg'))
    info = with_arrays(camera_info_contents(read_camera_file(_CLIP / 'camera.json').intrinsics))
    count = max(1, round(seconds * rate))
    with BagWriter(folder) as writer:
        for index in range(count):
            stamp_ns = _START_NS + round(index / rate * 1e9)
            header = writer.header(stamp_ns, 'camera_optical_frame')
            writer.write(
                '/camera/camera_info',
                stamp_ns,
                'sensor_msgs/msg/CameraInfo',
                header=header,
                **info,
            )
            file = files[index % len(files)]
            # A picture that comes again after one round of the clip is no repeat of the last one.
            if raw:
                pixels = read_picture(file)
                writer.write(
                    '/camera/image_rect',
                    stamp_ns,
                    IMAGE,
                    header=header,
                    **image_contents(pixels, 'rgb8'),
                    data=pixels.ravel(),
                )
            else:
                writer.write(
                    '/camera/image_rect/compressed',
                    stamp_ns,
                    COMPRESSED,
                    header=header,
                    format='jpeg',
                    data=np.fromfile(file, np.uint8),
                )
    return count


def bare_network() -> tuple[float, float]:
    """Return wall and CPU seconds of one run of the network alone, on one core."""
    cv2.setNumThreads(1)
    options = BagOptions()
    model = load_onnx_model(options.model_path, options.session)
    tensor = prepare_image(read_picture(sorted(_CLIP.glob('*.jpg'))[0]), model.card)
    for _ in range(10):
        model.run(tensor, None)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for _ in range(_NETWORK_RUNS):
        model.run(tensor, None)
    return (
        (time.perf_counter() - wall_s) / _NETWORK_RUNS,
        (time.process_time() - cpu_s) / _NETWORK_RUNS,
    )


def bare_networks(processes: int) -> float:
    """
    Return how many pictures a second so many processes at once take through the bare network.

    Two processors of a virtual machine are often two threads of one core, and then two processes
    are not twice as fast, whatever they do.
    """
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(processes, spawn) as pool:
        times = [pool.submit(bare_network) for _ in range(processes)]
        return sum(1.0 / each.result()[0] for each in times)


def run(name: str, bag: Path, out: Path, words: Sequence[str]) -> Run:
    """Run the command in a process of its own."""
    command = [sys.executable, '-m', 'fcrn_depth_ros', 'bag', str(bag), '--out', str(out)]
    command += ['--camera-height', '0.3', '--camera-pitch', '10', *words]
    begun_s = time.perf_counter()
    child = os.spawnv(os.P_NOWAIT, sys.executable, command)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f'{" ".join(command)} ended with {status}')
    return Run(
        name,
        time.perf_counter() - begun_s,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / _MB,
        out / bag.name,
    )


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what must not depend on the workers: all but the times of inference."""
    for path in sorted(folder.iterdir()):
        if path.suffix == '.parquet':
            table: Any = parquet.read_table(path).drop_columns('inference_ms')
            yield path.name, repr(table.to_pydict()).encode()
        else:
            yield path.name, path.read_bytes()


def network_s(folder: Path) -> float:
    """Return for how long the network ran, by the command's own watch."""
    times: Any = parquet.read_table(folder / 'pictures.parquet')['inference_ms']
    return float(np.nansum(times.to_numpy())) / 1e3


def same(first: Path, second: Path) -> bool:
    """Return whether two results are the same, file by file."""
    return all(a == b for a, b in zip(contents(first), contents(second), strict=True))


def main() -> int:
    """Measure and print."""
    arguments = parser().parse_args()
    folder = Path(tempfile.mkdtemp(prefix='bench_bags_', dir=arguments.work))
    try:
        return _measure(arguments, folder)
    finally:
        shutil.rmtree(folder)


def _measure(arguments: argparse.Namespace, folder: Path) -> int:
    bag, short = folder / 'drive', folder / 'short'
    count = write_bag(bag, arguments.seconds, arguments.rate, arguments.raw)
    write_bag(short, 1.0, arguments.rate, arguments.raw)
    before = bare_network()
    network = ['--model', arguments.model] if arguments.model else []
    start = run('start', short, folder / 'start', ['--jobs', '1', *network])
    kinds = {'1 job': ['--jobs', '1']}
    if not arguments.one:
        kinds['2 jobs'] = ['--jobs', '2']
    if arguments.ray:
        kinds['Ray, 2 workers'] = ['--ray', '--jobs', '2']
    runs = [run(name, bag, folder / name, [*words, *network]) for name, words in kinds.items()]
    after = bare_network()
    two = bare_networks(2)
    wall_s, cpu_s = ((a + b) / 2 for a, b in zip(before, after, strict=True))
    pictures = 'raw' if arguments.raw else 'JPEG'
    print(f'{count} {pictures} pictures of 640x480 on {processor()}, {os.cpu_count()} cores')
    print(f'bare network: {1 / wall_s:.1f} pictures/s on one core, {1e3 * cpu_s:.1f} ms of CPU')
    print(f'two processes of it at once: {two:.1f} pictures/s, {two * wall_s:.2f} times one')
    print(f'start of the program, with a bag of one second: {start.wall_s:.1f} s')
    columns = (
        '',
        'pictures/s',
        'of the bare network, start left out',
        'of as many processes of it',
        'time in the network, start left out',
        'CPU of the bare network',
        'peak MB of a process',
        'same files as 1 job',
    )
    print(f'| {" | ".join(columns)} |\n|{"---|" * len(columns)}')
    more = count - round(arguments.rate)
    start_network_s = network_s(start.folder)
    for each in runs:
        rest_s, rest_cpu_s = each.wall_s - start.wall_s, each.cpu_s - start.cpu_s
        share = more * wall_s / rest_s if rest_s > 0 else float('nan')
        beside = share if each.name == '1 job' else share / (two * wall_s)
        # Whether the machine changes its speed between the runs does not matter to this.
        inside = (
            (network_s(each.folder) - start_network_s) / rest_s if rest_s > 0 else float('nan')
        )
        cpu = more * cpu_s / rest_cpu_s if rest_cpu_s > 0 else float('nan')
        print(
            f'| {each.name} | {count / each.wall_s:.1f} | {share:.2f} | {beside:.2f} | '
            f'{inside:.2f} | {cpu:.2f} | {each.peak_mb:.0f} | '
            f'{same(runs[0].folder, each.folder)} |'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
