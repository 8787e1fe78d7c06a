# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Run the whole package on a recording or a webcam, and leave a report.

image_source, bringup (which starts depth_node and alert_node) and demo_recorder are processes that
talk over DDS like any others. This one starts them, watches them and takes them down.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import json
import os
from pathlib import Path
import random
import signal
import socket
import sys
import time

from ..camera.mounting import CameraMounting
from ..camera.playback import FrameSourceConfig, load_camera_file, open_source
from ..errors import FcrnDepthError, ToolInputError
from ..report.output_files import add_overwrite_argument, check_outputs, write_bytes
from ..report.run_record import REPORT_NAMES
from ..ros.child_processes import Processes
from ..ros.transport import tune_fast_dds

CLIP = Path(__file__).resolve().parent.parent / 'demo_clip'
_LOG_NAME = 'nodes.log'
# By it a later run knows the folder for one of its own, whose report it may replace.
_LOG_HEADER = b'# What depth_node and alert_node logged in a demo of fcrn_depth_ros\n'
_POLL_S = 0.1
# The recorder ends by itself once the camera is gone and depth_node has counted what it dropped.
_LAST_WORDS_S = 8.0
_REPORT_S = 60.0
# depth_node, once its network is loaded, and demo_recorder, twice once all of it is connected.
_SUBSCRIBERS = 3
# DDS domains up to 101 keep their ports below Linux's ephemeral range; 0 to 9 are left to users.
_DOMAINS = range(10, 102)


def parse_command_line(arguments: Sequence[str] | None) -> argparse.Namespace:
    """
    Read the options.

    Parameters
    ----------
    arguments : sequence of str or None
        Without the program's name; None takes those of the process.

    Returns
    -------
    argparse.Namespace
        `source` is the FrameSourceConfig.

    """
    parser = argparse.ArgumentParser(
        prog='demo',
        description='Depth, proximity and alert of a recording or a webcam. Plays '
        'the bundled clip when no source is given; Ctrl-C ends the run and writes the report.',
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--images', metavar='DIR', default='', help='folder of pictures')
    source.add_argument('--video', metavar='FILE', default='', help='video file')
    source.add_argument('--camera', metavar='N', type=int, default=-1, help='number of a webcam')
    parser.add_argument(
        '--rate',
        metavar='HZ',
        type=float,
        default=0.0,
        help='pictures a second (default: as recorded)',
    )
    parser.add_argument(
        '--duration',
        metavar='S',
        type=float,
        default=0.0,
        help='end after this many seconds (default: play to the end)',
    )
    parser.add_argument(
        '--out',
        metavar='DIR',
        default='demo_out',
        help='folder of the report (default: %(default)s)',
    )
    parser.add_argument(
        '--camera-file',
        metavar='FILE',
        default='',
        help='calibration (default: camera.json beside the pictures)',
    )
    parser.add_argument(
        '--camera-height',
        metavar='M',
        type=float,
        help='metres of the lens above the floor (default: as the camera file says, else unknown)',
    )
    parser.add_argument(
        '--camera-pitch',
        metavar='DEG',
        type=float,
        default=0.0,
        help='pitch of the camera, down positive (with --camera-height)',
    )
    parser.add_argument(
        '--camera-roll',
        metavar='DEG',
        type=float,
        default=0.0,
        help='roll of the camera, clockwise positive, seen from behind (with --camera-height)',
    )
    parser.add_argument(
        '--model',
        metavar='FILE',
        default='',
        help='ONNX file with a model card (default: the embedded fcrn_lite)',
    )
    parser.add_argument(
        '--dashboard',
        action='store_true',
        help='serve a page that shows everything, at http://127.0.0.1:8731/, and play the '
        'recording again and again until Ctrl-C',
    )
    add_overwrite_argument(parser)
    options = parser.parse_args(arguments)
    bundled = not (options.images or options.video or options.camera >= 0)
    options.source = FrameSourceConfig(
        images=str(CLIP) if bundled else options.images,
        video=options.video,
        camera=options.camera,
        rate_hz=options.rate,
        duration_s=options.duration,
        loop=options.dashboard and options.camera < 0,
        camera_file=options.camera_file,
    )
    return options


def check_report_folder(options: argparse.Namespace) -> Path:
    """
    Return the folder of the report, made if missing, unless something else would be lost in it.

    Parameters
    ----------
    options : argparse.Namespace
        As :func:`parse_command_line` returns it.

    Returns
    -------
    Path
        Holds nothing of the report's names, or an earlier report.

    Raises
    ------
    ToolInputError
        If a file of the report would replace the recording, or a file of another origin.

    """
    out = Path(options.out).expanduser()
    source: FrameSourceConfig = options.source
    names = (source.images, source.video, source.camera_file, options.model)
    log = out / _LOG_NAME
    check_outputs(
        [log, *(out / name for name in REPORT_NAMES)],
        [Path(name).expanduser() for name in names if name],
        options.overwrite or (log.is_file() and log.read_bytes().startswith(_LOG_HEADER)),
    )
    return out


def free_domain_id() -> int:
    """Choose a DDS domain in which nobody on this machine talks."""
    for domain in random.SystemRandom().sample(_DOMAINS, len(_DOMAINS)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                # Every participant of a domain listens for discovery on this port.
                probe.bind(('', 7400 + 250 * domain))
            except OSError:
                continue
            return domain
    raise ToolInputError(
        'a DDS domain must be free, got none from 10 to 101; set ROS_DOMAIN_ID to share one'
    )


def _ros_arguments(parameters: dict[str, object]) -> list[str]:
    # Values are read as YAML, of which JSON is a part: quoted, a folder named 7 stays a text.
    values = (
        f'{name}:={json.dumps(value, ensure_ascii=False)}' for name, value in parameters.items()
    )
    return ['--ros-args', *(word for value in values for word in ('-p', value))]


def _start(
    processes: Processes, options: argparse.Namespace, mounting: CameraMounting | None, log: int
) -> None:
    source: FrameSourceConfig = options.source
    camera = (
        {}
        if mounting is None
        else {
            'camera_height_m': mounting.height_m,
            'camera_pitch_deg': mounting.pitch_deg,
            'camera_roll_deg': mounting.roll_deg,
        }
    )
    processes.start(
        'image_source',
        _ros_arguments(
            {
                'images': source.images,
                'video': source.video,
                'camera': source.camera,
                'rate_hz': source.rate_hz,
                'duration_s': source.duration_s,
                'loop': source.loop,
                'camera_file': source.camera_file,
                'reliable': True,
                'wait_for_subscribers': _SUBSCRIBERS,
                'wait_timeout_s': 60.0,
            }
        ),
    )
    processes.start(
        'bringup',
        [
            # A node that dies ends the demo, which then shows its log.
            '--restarts',
            '0',
            *_ros_arguments(
                {
                    f'depth_node:{name}': value
                    for name, value in {'model_file': options.model, **camera}.items()
                }
            ),
        ],
        log,
    )
    if options.dashboard:
        # Whoever runs the demo sits at this machine: the page may change things.
        processes.start('dashboard', ['--control'])
    processes.start('demo_recorder', _ros_arguments({'out': options.out}))


def _watch(processes: Processes, log: Path) -> int:
    """Wait for the recorder; return the exit status of the demo."""
    interrupted_s: float | None = None
    while (recorded := processes.status('demo_recorder')) is None:
        try:
            time.sleep(_POLL_S)
            played = processes.status('image_source')
            if played and played != 1:  # 1: it stopped on the way, what came is reported
                return 2 if played == 2 else 1
            if processes.status('bringup') is not None:
                print(
                    f'error: bringup must run to the end, got exit status '
                    f'{processes.status("bringup")}; see {log}',
                    file=sys.stderr,
                )
                print(_tail(log), file=sys.stderr)
                return 1
            waited_s = 0.0 if interrupted_s is None else time.monotonic() - interrupted_s
            if waited_s > _REPORT_S:
                return 1
            if waited_s > _LAST_WORDS_S:
                processes.interrupt('demo_recorder')
        except KeyboardInterrupt:
            if interrupted_s is not None:
                return 130
            interrupted_s = time.monotonic()
            print('ending the run; Ctrl-C again to leave without a report', flush=True)
            processes.interrupt('image_source')
    return recorded or processes.status('image_source') or 0


def _tail(log: Path, lines: int = 15) -> str:
    return '\n'.join(log.read_text(errors='replace').splitlines()[-lines:])


def _interrupt(signal_number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _run(options: argparse.Namespace) -> int:
    # Unusable input is reported before anything starts; a webcam is opened by its node only.
    if options.source.camera < 0:
        open_source(options.source)
    camera_file = load_camera_file(options.source)
    mounting = camera_file.mounting if camera_file else None
    if options.camera_height is not None:
        mounting = CameraMounting(options.camera_height, options.camera_pitch, options.camera_roll)
    out = check_report_folder(options)
    os.environ.setdefault('ROS_DOMAIN_ID', str(free_domain_id()))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    os.environ.setdefault('RCUTILS_CONSOLE_OUTPUT_FORMAT', '[{severity}] {name}: {message}')
    tune_fast_dds()
    log = out / _LOG_NAME
    print(
        f'starting image_source, bringup and demo_recorder in ROS_DOMAIN_ID '
        f'{os.environ["ROS_DOMAIN_ID"]}; camera mounting '
        + (
            'unknown'
            if mounting is None
            else f'{mounting.height_m:g} m, pitch {mounting.pitch_deg:g} deg, '
            f'roll {mounting.roll_deg:g} deg'
        ),
        flush=True,
    )
    write_bytes(log, _LOG_HEADER)
    processes = Processes()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with log.open('ab', buffering=0) as log_file:
            _start(processes, options, mounting, log_file.fileno())
        return _watch(processes, log)
    except KeyboardInterrupt:
        return 130
    finally:
        processes.stop_all()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when depth came, 1 when none did, 2 for input that cannot be used."""
    try:
        return _run(parse_command_line(arguments))
    except FcrnDepthError as error:
        print(f'error: {error}', file=sys.stderr)
    except OSError as error:
        print(
            f'error: out must be a folder that can be written to, got {error}; choose another',
            file=sys.stderr,
        )
    return 2


if __name__ == '__main__':
    sys.exit(main())
