# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Which pictures arrive, and how late: on one machine, and over a link that delays and loses.

The receiver subscribes as depth_node does and does nothing else. The second machine is a network
namespace, joined to the first by a link of this command's own (root's right is needed).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
import datetime
import json
import os
from pathlib import Path
import re
import sys
import tempfile
import time
from typing import Any

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.report.output_files import (
    add_overwrite_argument,
    check_outputs,
    write_bytes,
    write_json,
)
from fcrn_depth_ros.ros.ros_version import ros_distro
from rclpy.utilities import get_rmw_implementation_identifier

from .far_link import LinkError, two_machines
from ..machine import processor
from ..node.pictures import INPUTS
from ..node.summary import percentiles
from ..processes import END_LIMIT_S, own_environment, running, TrialError

TRANSPORTS = ('default', 'tuned', 'large_data')
_LARGE_DATA = 'LARGE_DATA?max_msg_size=8MB&sockets_size=8MB'
_SETTLE_S, _DRAIN_S = 1.0, 2.0


@dataclass(frozen=True)
class Way:
    """
    One way of pictures from a camera to a node.

    Attributes
    ----------
    camera : str
        Key of INPUTS.
    transport : str
        One of TRANSPORTS; of both processes.
    is_far : bool
        Over the bad link.
    is_reliable : bool
        The subscription; depth_node's is best effort unless a user says otherwise.

    """

    camera: str
    transport: str
    is_far: bool = False
    is_reliable: bool = False


WAYS = (
    *(Way(camera, transport) for camera in ('vga_raw', 'hd_raw') for transport in TRANSPORTS),
    Way('vga_compressed', 'default'),
    *(
        Way(camera, 'tuned', is_far=True, is_reliable=is_reliable)
        for camera in ('qvga_compressed', 'vga_compressed', 'hd_compressed', 'vga_raw')
        for is_reliable in (False, True)
    ),
)  # fmt: skip


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog='scripts/bench transport', description=__doc__)
    add = parser.add_argument
    add('--rate', type=float, default=15.0, help='pictures a second')
    add('--seconds', type=float, default=8.0, help='of each way')
    add('--delay', type=float, default=20.0, help='of the far link, in ms and each direction')
    add('--loss', type=float, default=1.0, help='of its packets, in percent')
    add('--only', choices=('here', 'far'), help='one half of the ways')
    add(
        '--output',
        type=Path,
        default=Path('bench_out/transport'),
        help='the files are OUTPUT.md and .json (default: %(default)s)',
    )
    add_overwrite_argument(parser)
    arguments = parser.parse_args()
    table, data = (
        arguments.output.with_name(f'{arguments.output.name}{suffix}')
        for suffix in ('.md', '.json')
    )
    try:
        check_outputs([table, data], [], arguments.overwrite)
    except ToolInputError as error:
        parser.error(str(error))
    load_before = os.getloadavg()[0]
    rows, missing = [], []
    for way in WAYS:
        if arguments.only and way.is_far is not (arguments.only == 'far'):
            continue
        name = _name(way)
        print(name, file=sys.stderr, flush=True)
        try:
            rows.append(_measure(way, arguments))
        except (LinkError, TrialError) as error:
            missing.append(f'{name}: {error}')
    report = {
        'date': datetime.date.today().isoformat(),
        'machine': f'{processor()}, {os.cpu_count()} cores',
        'middleware': f'{get_rmw_implementation_identifier()}, ROS 2 {ros_distro()}',
        'rmem_max': _kernel('net/core/rmem_max'),
        'link': f'{arguments.delay:g} ms each way, {arguments.loss:g} % of the packets lost',
        'load_average': [load_before, os.getloadavg()[0]],
        'rate_hz': arguments.rate,
        'seconds': arguments.seconds,
        'rows': rows,
        'missing': missing,
    }
    write_json(data, report)
    text = format_markdown(report)
    write_bytes(table, text.encode())
    print(text)
    return 0 if rows else 1


def format_markdown(report: dict[str, Any]) -> str:
    """Return the measurements as tables."""
    before, after = report['load_average']
    lines = [
        f'{report["machine"]}; {report["middleware"]}; net.core.rmem_max {report["rmem_max"]}; '
        f'far: {report["link"]}; {report["rate_hz"]:g} Hz, {report["seconds"]:g} s each; '
        f'{report["date"]}; load average {before:.1f} before and {after:.1f} after',
        '',
        '| | pictures | transport | subscription | arrived | of | counted lost | p50 ms | p95 |',
        '|---|---|---|---|---|---|---|---|---|',
    ]
    for row in report['rows']:
        latency = row['latency_ms']
        cells = ('-' if latency[key] is None else f'{latency[key]:.1f}' for key in ('p50', 'p95'))
        lines.append(
            f'| {"far" if row["is_far"] else "here"} | {row["camera"]} | {row["transport"]} | '
            f'{"reliable" if row["is_reliable"] else "best effort"} | {row["arrived"]} | '
            f'{row["published"]} | {row["lost"]} | {" | ".join(cells)} |'
        )
    warnings = {row['warning']: None for row in report['rows'] if row['warning']}
    lines += ['', 'What depth_node would have warned of:', ''] if warnings else []
    lines += [f'- {text}' for text in warnings]
    lines += ['', *(f'Not measured: {text}' for text in report['missing'])]
    return '\n'.join(lines).rstrip() + '\n'


def _measure(way: Way, arguments: argparse.Namespace) -> dict[str, Any]:
    """Send pictures one way and return a row of the report."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='fcrn_transport_')))
        prefixes: Sequence[Sequence[str]] = ((), ())
        variables = own_environment(folder, way.transport == 'tuned')
        if way.transport == 'large_data':
            variables['FASTDDS_BUILTIN_TRANSPORTS'] = (
                'LARGE_DATA?max_msg_size=8MB&sockets_size=8MB'
            )
        if way.is_far:
            link = two_machines(arguments.delay / 1e3, arguments.loss / 1e2)
            prefixes = [['ip', 'netns', 'exec', name] for name in stack.enter_context(link)]
            variables['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'SUBNET'
        receiver_command = ['benchmark.transport.receiver']
        receiver_command += ['--compressed'] * INPUTS[way.camera].is_compressed
        receiver_command += ['--reliable'] * way.is_reliable
        camera_command = ['benchmark.node.camera', '--input', way.camera]
        camera_command += ['--rate', str(arguments.rate), '--seconds', str(arguments.seconds)]
        receiver = stack.enter_context(running(receiver_command, variables, folder, prefixes[1]))
        camera = stack.enter_context(running(camera_command, variables, folder, prefixes[0]))
        receiver.await_start(receiver)
        camera.await_start(receiver)
        time.sleep(_SETTLE_S)
        camera.go()
        stamps_ns = json.loads(camera.answer(arguments.seconds + END_LIMIT_S))['stamps_ns']
        time.sleep(_DRAIN_S)
        heard = receiver.finish()
    ages_ms = [(arrived_ns - stamp_ns) / 1e6 for stamp_ns, arrived_ns in heard['frames_ns']]
    # The last one knows most: at first nobody publishes. Numbers differ from second to second.
    problems = [text for text in heard['problems'] if not text.startswith('nobody')]
    warning = re.sub(r'\d+ (of the last|camera_info|pictures)', r'N \1', (problems or [''])[-1])
    return {
        **asdict(way),
        'published': len(stamps_ns),
        'arrived': len(ages_ms),
        'lost': heard['lost'],
        'latency_ms': percentiles(ages_ms, (50, 95)),
        'warning': warning,
    }


def _name(way: Way) -> str:
    place = 'far' if way.is_far else 'here'
    reliability = 'reliable' if way.is_reliable else 'best effort'
    return f'{place}, {way.camera}, {way.transport}, {reliability}'


def _kernel(name: str) -> int | None:
    try:
        return int(Path('/proc/sys', name).read_text(encoding='ascii'))
    except (OSError, ValueError):
        return None


if __name__ == '__main__':
    sys.exit(main())
