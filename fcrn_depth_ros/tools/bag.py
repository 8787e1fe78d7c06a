# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""``bag``: recordings to recordings with depth, proximity and alert."""

from __future__ import annotations

import argparse
from dataclasses import fields
import os
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .mounting_arguments import add_mounting_arguments, mounting_of
from .parameter_file import configured, read_parameters
from ..alert.machine import AlertConfig
from ..archives.cost import measure
from ..archives.plan import BagOptions, plan_bag
from ..archives.recording import find_bags, require_rosbags
from ..archives.running import ArchiveRun, InProcess, ProcessPool, RunResult, Workers
from ..errors import FcrnDepthError, ToolInputError
from ..estimation.onnx_model import PROVIDERS, SessionConfig
from ..perception.pipeline import PerceptionConfig
from ..perception.scan import ScanConfig
from ..scale.range_hint import RangeHintConfig
from ..scale.scan_hint import ScanHintConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        'bags',
        nargs='+',
        metavar='IN',
        help='bag (.mcap, .db3, ROS 1 .bag, or a folder with metadata.yaml), folder of bags, or '
        'URL of one (s3://...)',
    )
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='folder or URL; receives a folder for each bag, with an MCAP bag, pictures.parquet '
        'and contact_sheet.png. The same command again goes on where it was stopped',
    )
    parser.add_argument(
        '--image-topic',
        action='append',
        default=[],
        metavar='TOPIC',
        help='pictures to use; may be given several times (default: one topic for each '
        'namespace with pictures)',
    )
    parser.add_argument(
        '--no-copy', action='store_true', help='write the new messages only, not the original ones'
    )
    parser.add_argument(
        '--compress',
        action='store_true',
        help='write depth as compressedDepth (PNG of 16-bit millimetres) instead of 32FC1',
    )
    parser.add_argument(
        '--prefix',
        default='',
        metavar='/NAME',
        help='namespace in front of every new topic (default: none)',
    )
    parser.add_argument(
        '--params-file',
        type=Path,
        metavar='YAML',
        help='parameters of depth_node and alert_node, as the nodes take them',
    )
    parser.add_argument('--model', metavar='FILE', help='ONNX file (default: as the parameters)')
    parser.add_argument(
        '--provider', help=f'execution provider: {", ".join(PROVIDERS)} (default: CPU)'
    )
    parser.add_argument(
        '--rectify',
        choices=('auto', 'yes', 'no'),
        help='remove lens distortion as camera_info describes it; auto (default): unless the '
        'topic has "rect" in its name',
    )
    add_mounting_arguments(parser)
    parser.add_argument(
        '--floor-frame',
        metavar='FRAME',
        help='frame on the floor: the mounting comes from /tf and /tf_static in the bag',
    )
    parser.add_argument(
        '--odom-topic',
        default='',
        metavar='TOPIC',
        help='nav_msgs/Odometry of the robot: a witness of scale, as for depth_node. The bag is '
        'then one segment, because the scale of a picture depends on all before it',
    )
    parser.add_argument(
        '--range-hint-topic',
        default='',
        metavar='TOPIC',
        help='sensor_msgs/Range of a sensor beside the camera: another witness, of which the '
        'same holds',
    )
    parser.add_argument(
        '--scan-hint-topic',
        default='',
        metavar='TOPIC',
        help='sensor_msgs/LaserScan of a scanner beside the camera: another witness, of which '
        'the same holds',
    )
    parser.add_argument(
        '--mounting-topic',
        default='',
        metavar='TOPIC',
        help='geometry_msgs/PoseStamped of the camera above the floor, as the topic `mounting` '
        'of depth_node: a camera that knows how it is held',
    )
    parser.add_argument(
        '--clock',
        choices=('recorded', 'stamp'),
        default='recorded',
        help='time in which the alert judges: when messages were recorded (default), or the '
        'stamps of the pictures',
    )
    parser.add_argument(
        '--segment-seconds',
        type=float,
        default=30.0,
        metavar='S',
        help='greatest length of the equal stretches that are worked on, and stored, as a whole '
        '(default: 30)',
    )
    parser.add_argument(
        '--jobs', type=int, default=1, metavar='N', help='processes on this machine (default: 1)'
    )
    parser.add_argument(
        '--ray',
        nargs='?',
        const='local',
        metavar='ADDRESS',
        help='use a Ray cluster instead: its address, auto, or (default) one started here with '
        '--jobs workers',
    )
    parser.add_argument(
        '--estimate',
        action='store_true',
        help='write nothing: try some pictures, and print how long all of them will take',
    )
    parser.add_argument(
        '--price',
        type=float,
        default=0.0,
        metavar='X',
        help='with --estimate: price of a core-hour',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace results that were made with other options',
    )


def run(arguments: argparse.Namespace) -> int:
    """Work through the bags; returns 1 where one of them failed."""
    require_rosbags()
    for name, value, least in (
        ('--jobs', arguments.jobs, 1),
        ('--segment-seconds', arguments.segment_seconds, 0.1),
    ):
        if not value >= least:
            raise ToolInputError(f'{name} must be at least {least}, got {value}; correct it')
    options = read_options(arguments)
    bags = find_bags(arguments.bags)
    if arguments.estimate:
        return _estimate(arguments, options, bags)
    if not arguments.out:
        raise ToolInputError('--out must be given, got none; name a folder or a URL')
    run = ArchiveRun(options, arguments.out, arguments.overwrite)
    run.prepare(bags)
    with tqdm(
        total=run.pictures, initial=run.pictures_done, unit='picture', disable=None, smoothing=0.1
    ) as bar:
        workers = _workers(arguments, options, bar)
        try:
            result = run.work(workers, bar)
        except KeyboardInterrupt:
            print('stopped; the same command goes on from here')
            return 130
        finally:
            workers.close()
    return _report(result, bags, arguments.out)


def read_options(arguments: argparse.Namespace) -> BagOptions:
    """Return the options of the command line and the file of parameters together."""
    depth = read_parameters(arguments.params_file, 'depth_node')
    alert = read_parameters(arguments.params_file, 'alert_node')
    if arguments.provider:
        depth['provider'] = arguments.provider
    rectify = arguments.rectify or {True: 'yes', False: 'auto'}[bool(depth.get('rectify'))]
    floor_frame, mounting = arguments.floor_frame, mounting_of(arguments, depth)
    if arguments.mounting_topic:
        if floor_frame or arguments.camera_height is not None:
            raise ToolInputError(
                'the mounting must come from one place, got --mounting-topic and another; leave '
                'one out'
            )
        # As in depth_node, it comes before the parameters.
        floor_frame, mounting = '', None
    elif depth.get('use_mounting_topic'):
        raise ToolInputError(
            '--mounting-topic must be given where use_mounting_topic is true in --params-file, '
            'got none; name the topic in the bag'
        )
    else:
        floor_frame = floor_frame or str(depth.get('floor_frame', ''))
    options = BagOptions(
        model_file=arguments.model or str(depth.get('model_file', '')),
        session=configured(SessionConfig, depth),
        perception=PerceptionConfig(
            **{
                part.name: configured(part.default_factory, depth)
                for part in fields(PerceptionConfig)
            }
        ),
        scan=configured(ScanConfig, depth).checked(),
        alert=configured(AlertConfig, alert).checked(),
        mounting=mounting,
        floor_frame=floor_frame,
        image_topics=tuple(arguments.image_topic),
        rectify=rectify,
        depth_encoding=str(depth.get('depth_encoding', '32FC1')),
        compress=arguments.compress,
        copy=not arguments.no_copy,
        prefix=_prefix(arguments.prefix),
        scan_frame_id=str(depth.get('scan_frame_id', '')),
        clock=arguments.clock,
        segment_s=arguments.segment_seconds,
        odom_topic=arguments.odom_topic,
        range_hint_topic=arguments.range_hint_topic,
        range_hint=configured(RangeHintConfig, depth).checked(),
        scan_hint_topic=arguments.scan_hint_topic,
        scan_hint=configured(ScanHintConfig, depth).checked(),
        mounting_topic=arguments.mounting_topic,
        camera_x_m=float(depth.get('camera_x_m', 0.0)),
        camera_y_m=float(depth.get('camera_y_m', 0.0)),
        camera_yaw_deg=float(depth.get('camera_yaw_deg', 0.0)),
    )
    if options.floor_frame and options.mounting is not None:
        raise ToolInputError(
            'the mounting must come from one place, got both a floor frame '
            f'({options.floor_frame}) and a camera height; leave one out'
        )
    return options


def _prefix(prefix: str) -> str:
    return f'/{prefix.strip("/")}' if prefix.strip('/') else ''


def _workers(arguments: argparse.Namespace, options: BagOptions, bar: Any) -> Workers:
    if arguments.ray is not None:
        from ..archives.ray_cluster import RayWorkers

        return RayWorkers(options, arguments.out, arguments.ray, arguments.jobs)
    if arguments.jobs == 1:
        return InProcess(options, arguments.out, lambda: bar.update(1))
    return ProcessPool(options, arguments.out, arguments.jobs)


def _report(result: RunResult, bags: list[str], out: str) -> int:
    for bag in bags:
        if bag in result.finished:
            summary = result.finished[bag]
            states = ', '.join(f'{name} {count}' for name, count in summary.states.items())
            rejected = (
                f', {summary.rejected} rejected ({summary.first_rejection})'
                if summary.rejected
                else ''
            )
            print(
                f'{bag}: {summary.pictures} pictures, {summary.unknown} without a distance'
                f'{rejected}; alert: {states}'
            )
    for bag, reason in result.failed.items():
        print(f'failed: {bag}: {reason}')
    print(f'{len(result.finished)} of {len(bags)} bags are in {out}')
    return int(bool(result.failed))


def _estimate(arguments: argparse.Namespace, options: BagOptions, bags: list[str]) -> int:
    plans, failed = [], {}
    for bag in bags:
        try:
            plans.append(plan_bag(bag, options))
        except FcrnDepthError as err:
            failed[bag] = str(err)
    model = measure(options, plans)
    jobs = arguments.jobs if arguments.jobs > 1 else len(os.sched_getaffinity(0))
    print('\n'.join(model.lines(jobs, arguments.price)))
    for bag, reason in failed.items():
        print(f'failed: {bag}: {reason}')
    return int(bool(failed))
