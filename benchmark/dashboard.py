# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What the page costs: CPU time, the heartbeat and the latency of the nodes beside it.

    scripts/bench dashboard [--seconds 15] [--rate 15] [--fuzz]

Phases follow each other in one run: without a page, two pages, ten pages of which five never read,
and without a page again. Pages acknowledge frames as the real one does, and draw nothing. Then
Chromium, where it is installed, opens the page a few times: how soon it shows a picture, and what
it loads. `--fuzz` sends 5000 random messages and 500 random requests, and reports the memory.
Goals stand behind the figures; the exit status is 1 where one is missed. About two minutes.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, ExitStack
import json
import os
from pathlib import Path
import random
import subprocess
import sys
import tempfile
import threading
import time
from typing import NamedTuple, TYPE_CHECKING

import aiohttp
from fcrn_depth_ros.ros import quality_of_service as qos
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Range
from std_msgs.msg import Bool

from .node.usage import usage
from .page_nodes import address_of_page, chromium, running_node
from .processes import own_environment, ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Response

CLIP = ROOT / 'fcrn_depth_ros' / 'demo_clip'
PHASES = (('no page', 0, 0), ('two pages', 2, 0), ('ten, five silent', 5, 5), ('no page', 0, 0))
SETTLE_S = 4.0
OPENINGS = 5
# Below what the server refuses as too often.
REQUEST_PERIOD_S = 0.035
# Goals; the last two say what "left where it was" means.
MOST_CPU_OF_TWO_PAGES = 0.25
MOST_FIRST_PICTURE_S = 2.0
MOST_PAGE_BYTES = 300_000
MOST_GROWTH_MB = 5.0
MOST_GAP_RATIO, MOST_LATENCY_RATIO = 1.25, 1.15


class Phase(NamedTuple):
    """What was measured in one phase."""

    cpu: float
    gap_ms: float
    late_ms: float
    frames_hz: float


class Goals:
    """Print figures beside what they must stay below."""

    def __init__(self) -> None:
        self.missed = 0

    def check(self, what: str, value: float, most: float) -> None:
        """Print one."""
        is_missed = not value < most
        self.missed += is_missed
        print(
            f'{"MISSED" if is_missed else "ok":7} {what}: {value:.3g}, below {most:.3g}',
            flush=True,
        )


class Ear(Node):
    """Hears the heartbeat and the readings, as a robot would."""

    def __init__(self) -> None:
        super().__init__('ear')
        self.beats_s: list[float] = []
        self.latencies_ms: list[float] = []
        self.create_subscription(Bool, 'stop', self._on_stop, qos.signal())
        self.create_subscription(Range, 'proximity/range', self._on_range, qos.signal())

    def _on_stop(self, message: Bool) -> None:
        self.beats_s.append(time.monotonic())

    def _on_range(self, message: Range) -> None:
        stamp = message.header.stamp
        self.latencies_ms.append((time.time() - stamp.sec - stamp.nanosec * 1e-9) * 1e3)


class Pages:
    """Pages that read and acknowledge, and some that never read."""

    def __init__(self, url: str, reading: int, silent: int) -> None:
        self._url, self._reading, self._silent = url, reading, silent
        self.frames = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    @contextmanager
    def shown(self) -> Iterator[Pages]:
        """Hold them open."""
        self._thread.start()
        try:
            yield self
        finally:
            self._ends.set()
            self._thread.join()

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as session:
            tasks = [asyncio.create_task(self._read(session)) for _ in range(self._reading)]
            writers = [await self._never_read() for _ in range(self._silent)]
            while not self._ends.is_set():
                await asyncio.sleep(0.1)
            for task in tasks:
                task.cancel()
            for writer in writers:
                writer.close()

    async def _read(self, session: aiohttp.ClientSession) -> None:
        origin = self._url.rstrip('/')
        async with session.ws_connect(f'{origin}/ws', headers={'Origin': origin}) as socket:
            await socket.send_json({'type': 'watch', 'robot': '/'})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    self.frames += 1
                    await socket.send_json({'type': 'shown'})

    async def _never_read(self) -> asyncio.StreamWriter:
        origin = self._url.rstrip('/')
        host = origin.removeprefix('http://')
        _, writer = await asyncio.open_connection(*host.split(':'), limit=1)
        writer.write(
            f'GET /ws HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\n'
            'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
            'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'.encode()
        )
        # A masked text frame, the mask zero.
        said = json.dumps({'type': 'watch', 'robot': '/'}).encode()
        writer.write(bytes([0x81, 0x80 | len(said), 0, 0, 0, 0]) + said)
        await writer.drain()
        return writer


async def fuzz(url: str) -> None:
    """Send what no page sends."""
    chance = random.Random(5)
    origin = url.rstrip('/')
    async with aiohttp.ClientSession() as session:
        sent = 0
        while sent < 5000:
            try:
                headers = {'Origin': origin}
                async with session.ws_connect(f'{origin}/ws', headers=headers) as socket:
                    for _ in range(60):
                        sent += 1
                        data = chance.randbytes(chance.randrange(300))
                        if chance.random() < 0.5:
                            await socket.send_bytes(data)
                        else:
                            kind = chance.choice(
                                ['set', 'call', 'watch', 'phone', 'record', 'shown', '']
                            )
                            said = {'type': kind, 'id': chance.choice([1, 'x', None, -1])}
                            await socket.send_str(json.dumps(said)[: chance.randrange(60)])
            except (aiohttp.ClientError, ConnectionError):
                await asyncio.sleep(0.05)
        for _ in range(500):
            await asyncio.sleep(REQUEST_PERIOD_S)
            path = ''.join(chance.choices('/.%2eaZ?=&~\\', k=chance.randrange(40)))
            try:
                async with session.request(
                    chance.choice(['GET', 'POST', 'PUT', 'HEAD', 'TRACE']), f'{origin}/{path}'
                ) as response:
                    await response.read()
            except (aiohttp.ClientError, ValueError, ConnectionError):
                continue


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description='What the page costs.')
    parser.add_argument('--seconds', type=float, default=15.0, help='of each phase')
    parser.add_argument('--rate', type=float, default=15.0, help='pictures a second')
    parser.add_argument('--fuzz', action='store_true', help='and how it bears nonsense')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        environment = own_environment(Path(folder), is_tuned=True)
        os.environ.update(environment)
        nodes = {
            'image_source': [f'images:={CLIP}', 'loop:=true', f'rate_hz:={options.rate}'],
            'depth_node': ['camera_height_m:=0.5', 'camera_pitch_deg:=8.0'],
            'alert_node': [],
            'dashboard': ['port:=0'],
        }
        processes = {
            name: stack.enter_context(running_node(name, parameters, environment, Path(folder)))
            for name, parameters in nodes.items()
        }
        url = address_of_page(processes['dashboard'])
        rclpy.init()
        ear = Ear()
        executor = SingleThreadedExecutor()
        executor.add_node(ear)
        spinning = threading.Thread(target=executor.spin, daemon=True)
        spinning.start()
        while not ear.latencies_ms:
            time.sleep(0.1)
        print(
            'phase              frames/s  CPU of a core: ' + '  '.join(nodes) + '   beat gap p99'
        )
        goals = Goals()
        alone, two, ten, after = (
            _measure(name, Pages(url, reading, silent), processes, ear, options.seconds)
            for name, reading, silent in PHASES
        )
        goals.check('CPU of the dashboard, two pages', two.cpu, MOST_CPU_OF_TWO_PAGES)
        goals.check(
            'beat gap p99 of ten pages, ms',
            ten.gap_ms,
            MOST_GAP_RATIO * max(alone.gap_ms, after.gap_ms),
        )
        goals.check(
            'range p95 of ten pages, ms',
            ten.late_ms,
            MOST_LATENCY_RATIO * max(alone.late_ms, after.late_ms),
        )
        _open_page(url, goals)
        if options.fuzz:
            before_mb = usage(processes['dashboard'].pid).resident_mb
            asyncio.run(fuzz(url))
            after_mb = usage(processes['dashboard'].pid).resident_mb
            goals.check(f'growth of {before_mb:.1f} MB, MB', after_mb - before_mb, MOST_GROWTH_MB)
            logs = [path.read_text(errors='replace') for path in Path(folder).glob('*.log')]
            goals.check('tracebacks in all logs', sum(log.count('Traceback') for log in logs), 0.5)
            ended = sum(process.poll() is not None for process in processes.values())
            goals.check('nodes that ended', ended, 0.5)
            fuzzed = _measure('after the fuzz', Pages(url, 2, 0), processes, ear, options.seconds)
            goals.check('silent pages after the fuzz', float(not fuzzed.frames_hz), 0.5)
        executor.shutdown()
        spinning.join()
        ear.destroy_node()
        rclpy.shutdown()
    return goals.missed > 0


def _measure(
    name: str,
    pages: Pages,
    processes: dict[str, subprocess.Popen[bytes]],
    ear: Ear,
    seconds: float,
) -> Phase:
    with pages.shown():
        time.sleep(SETTLE_S)
        before = {node: usage(process.pid).cpu_s for node, process in processes.items()}
        beats, latencies, frames = len(ear.beats_s), len(ear.latencies_ms), pages.frames
        begun_s = time.monotonic()
        time.sleep(seconds)
        took_s = time.monotonic() - begun_s
        shares = {
            node: (usage(process.pid).cpu_s - before[node]) / took_s
            for node, process in processes.items()
        }
        gap_ms = float(np.percentile(np.diff(ear.beats_s[beats:]) * 1e3, 99))
        late_ms = np.percentile(ear.latencies_ms[latencies:], (50, 95))
        got = (pages.frames - frames) / took_s
    print(
        f'{name:18} {got:8.1f}  '
        + '  '.join(f'{node} {share:.1%}' for node, share in shares.items())
        + f'   {gap_ms:.0f} ms   range p50/p95 {late_ms[0]:.0f}/{late_ms[1]:.0f} ms',
        flush=True,
    )
    return Phase(shares['dashboard'], gap_ms, float(late_ms[1]), got)


def _open_page(url: str, goals: Goals) -> None:
    """Open the page in a browser that has never seen it."""
    executable = chromium()
    if executable is None:
        print('first picture: not measured, chromium is not installed')
        return
    from playwright.sync_api import sync_playwright

    times_s: list[float] = []
    loaded = 0
    with sync_playwright() as playwright:
        arguments = ['--no-sandbox'] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        for _ in range(OPENINGS):
            time.sleep(SETTLE_S)  # the dashboard unsubscribes meanwhile
            time_s, size = _open_once(browser, url)
            times_s.append(time_s)
            loaded = max(loaded, size)
        browser.close()
    print('first picture after ' + ', '.join(f'{time_s:.2f}' for time_s in times_s) + ' s')
    goals.check('first picture, slowest, s', max(times_s), MOST_FIRST_PICTURE_S)
    goals.check('page weight, bytes', loaded, MOST_PAGE_BYTES)


def _open_once(browser: Browser, url: str) -> tuple[float, int]:
    """Return the seconds until the first picture, and the bytes that came before it."""
    context = browser.new_context()
    page = context.new_page()
    sizes: list[int] = []

    def keep(response: Response) -> None:
        sizes.append(int(response.headers.get('content-length', 0)))

    page.on('response', keep)
    begun_s = time.monotonic()
    page.goto(url)
    page.wait_for_selector('body[data-frames]', state='attached')
    time_s = time.monotonic() - begun_s
    context.close()
    return time_s, sum(sizes)


if __name__ == '__main__':
    sys.exit(main())
