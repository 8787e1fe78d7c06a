# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
How soon a phone lets its owner feel what its camera sees: the whole chain, in a real Chromium.

    scripts/bench phone [--cycles 12]

The camera of the browser is a file made from the bundled clip: far pictures and near ones, in
turn, the near ones with a mark in a corner. The page takes them as it takes those of a phone, and
its calls of `navigator.vibrate` are recorded. A time is from the moment when the page can take the
first near picture to the first call that says so, and then by stages, as topics show them. The
first reading that asks for caution is felt; alert_node, which wants more of them, comes
later. Needs chromium.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
import itertools
import json
import os
from pathlib import Path
import sys
import tempfile

import cv2
import numpy as np
from playwright.sync_api import BrowserContext, CDPSession, expect, Page, sync_playwright

from .page_nodes import address_of_page, chromium, running_node
from .phone_stages import listening, report, stages_of, until_alert
from .processes import own_environment, ROOT, TrialError

CLIP = ROOT / 'fcrn_depth_ros' / 'demo_clip'
NAMESPACE = '/phone'
FAR, NEAR = range(20), range(62, 80)
FILE_RATE_HZ = 30  # Chromium plays an MJPEG file so
GOAL_INFERENCES, GOAL_MS = 3.0, 150.0
_MARK_PX, _MARK_BGR = 28, (255, 0, 255)
_PATIENCE_MS = 120_000
_STILL_MS = 500.0
_LOOK_MS = 1000  # each look takes time from what is measured
# Records when near pictures begin and end in the video, and each vibration.
RECORDER = """
const log = { seen: [], felt: [] };
const now = () => performance.timeOrigin + performance.now();
const tell = () => { document.documentElement.dataset.phoneLog = JSON.stringify(log); };
navigator.vibrate = (pattern) => {
  log.felt.push([now(), pattern]);
  tell();
  return true;
};
let isNear = false;
const canvas = new OffscreenCanvas(1, 1);
const pen = canvas.getContext('2d', { willReadFrequently: true });
const look = (video) => {
  pen.drawImage(video, 4, 4, 12, 12, 0, 0, 1, 1);
  const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
  const marked = red > 170 && blue > 170 && green < 100;
  if (marked !== isNear) { isNear = marked; log.seen.push([now(), marked]); tell(); }
  video.requestVideoFrameCallback(() => look(video));
};
addEventListener('DOMContentLoaded', () => {
  const wait = setInterval(() => {
    const video = document.getElementById('phone-video');
    if (!video) return;
    clearInterval(wait);
    video.requestVideoFrameCallback(() => look(video));
  }, 50);
});
"""


def write_camera_file(path: Path, phase_s: float) -> None:
    """
    Write what the browser's camera sees, for `--use-file-for-fake-video-capture`.

    Parameters
    ----------
    path : Path
        Ends with .mjpeg.
    phase_s : float
        Seconds of far pictures, and then of near ones; the file is played again and again.

    """
    pictures = sorted(CLIP.glob('*.jpg'))
    count = round(phase_s * FILE_RATE_HZ)
    with path.open('wb') as file:
        for numbers, is_near in ((FAR, False), (NEAR, True)):
            # There and back, so that no picture is the one before.
            turn = itertools.cycle([*numbers, *reversed(numbers[1:-1])])
            for number in itertools.islice(turn, count):
                pixels = cv2.imread(str(pictures[number]))
                if is_near:
                    pixels[:_MARK_PX, :_MARK_PX] = _MARK_BGR
                file.write(cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])[1])


@dataclass
class PhonePage:
    """The page in the browser of a phone."""

    page: Page
    complaints: list[str]
    _devices: CDPSession | None = None

    def begin(self, height_m: float, sheet_cm: float) -> None:
        """Give what the page asks for, and start the camera."""
        page = self.page
        page.get_by_role('button', name='Use this camera').click()
        page.get_by_label('Height of the lens').fill(str(height_m))
        page.get_by_label('Distance to a sheet').fill(str(sheet_cm))
        page.get_by_role('button', name='Start').click()
        expect(page.locator('#phone-says')).to_have_text(f'Pictures go to {NAMESPACE}.')

    def tilt(self, pitch_deg: float) -> None:
        """Hold the phone upright, and let its camera look down by some degrees."""
        if self._devices is None:
            self._devices = self.page.context.new_cdp_session(self.page)
        angles = {'alpha': 0, 'beta': 90.0 - pitch_deg, 'gamma': 0}
        self._devices.send('DeviceOrientation.setDeviceOrientationOverride', angles)

    def await_mounting(self, text: str) -> None:
        """Wait until depth_node reports how its camera is mounted."""
        self.page.wait_for_selector(
            f'#diagnostics tr:has(th:text-is("mounting")):has(td:text-matches("{text}"))',
            state='attached',
        )

    def diagnostic(self, key: str) -> str:
        """Return what depth_node reports under a key."""
        row = self.page.locator(f'#diagnostics tr:has(th:text-is("{key}")) td')
        return row.first.text_content() or ''

    def log(self) -> tuple[list[tuple[float, bool]], list[tuple[float, object]]]:
        """Return when near pictures began and ended, and what was felt when; ms since 1970."""
        text = self.page.locator('html').get_attribute('data-phone-log') or '{}'
        found = json.loads(text)
        return found.get('seen', []), found.get('felt', [])

    def await_near(self, count: int) -> None:
        """Wait until the near pictures have begun and ended so often."""
        before, waited_ms = 0, 0
        while waited_ms < _PATIENCE_MS:
            ended = sum(not is_near for _, is_near in self.log()[0])
            if ended >= count:
                return
            waited_ms = 0 if ended > before else waited_ms + _LOOK_MS
            before = ended
            self.page.wait_for_timeout(_LOOK_MS)
        raise TrialError('near pictures must come and go, got none in time')


@contextmanager
def phone_page(
    folder: Path,
    phase_s: float,
    environment: dict[str, str],
    depth: Sequence[str] = (),
    alert: Sequence[str] = (),
) -> Iterator[PhonePage]:
    """
    Start depth_node, alert_node and dashboard, and open the page.

    Parameters
    ----------
    folder : Path
        For logs and the camera file.
    phase_s : float
        As for :func:`write_camera_file`.
    environment : dict
        Of the nodes.
    depth, alert : sequence of str
        More parameters of the nodes.

    Yields
    ------
    PhonePage
        Not begun.

    """
    executable = chromium()
    if executable is None:
        raise TrialError('chromium must be installed, got none; apt install chromium')
    camera = folder / 'camera.mjpeg'
    write_camera_file(camera, phase_s)
    wanted = ['image_transport:=compressed', 'use_mounting_topic:=true', 'publish_tf:=false']
    with ExitStack() as stack:

        def start(name: str, parameters: Sequence[str], namespace: str) -> str:
            node = running_node(name, parameters, environment, folder, namespace)
            process = stack.enter_context(node)
            return address_of_page(process) if name == 'dashboard' else ''

        start('depth_node', [*wanted, *depth], NAMESPACE)
        start('alert_node', alert, NAMESPACE)
        url = start('dashboard', ['port:=0', 'control:=true'], '/')
        expect.set_options(timeout=_PATIENCE_MS)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=[
                '--use-fake-device-for-media-stream',
                '--use-fake-ui-for-media-stream',
                f'--use-file-for-fake-video-capture={camera}',
                '--autoplay-policy=no-user-gesture-required',
                *(['--no-sandbox'] if os.geteuid() == 0 else []),
            ],
        )
        stack.callback(browser.close)
        context: BrowserContext = browser.new_context(
            locale='en-GB', viewport={'width': 360, 'height': 740}
        )
        page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        complaints: list[str] = []
        page.on('pageerror', lambda error: complaints.append(str(error)))
        page.on(
            'console', lambda said: complaints.append(said.text) if said.type == 'error' else None
        )
        page.add_init_script(RECORDER)
        page.goto(url)
        yield PhonePage(page, complaints)


def times_to_feel(
    seen: Sequence[tuple[float, bool]], felt: Sequence[tuple[float, object]]
) -> list[tuple[float, float]]:
    """
    Return when each near phase began, and how long it took to be felt.

    Parameters
    ----------
    seen : sequence of (float, bool)
        When near pictures began (True) and ended (False), in milliseconds.
    felt : sequence of (float, object)
        When something was felt, and the pattern: one pulse says near or stop, more than one says
        "I cannot see".

    Returns
    -------
    list of (float, float)
        Milliseconds; the second is +Inf where nothing near was felt before the pictures ended. A
        phase that began while something was still felt is left out.

    """
    found = []
    for (begun_ms, is_near), (ended_ms, _) in itertools.pairwise(seen):
        if not is_near or any(begun_ms - _STILL_MS < at_ms < begun_ms for at_ms, _ in felt):
            continue
        times_ms = [
            at_ms - begun_ms
            for at_ms, pattern in felt
            if begun_ms <= at_ms <= ended_ms and isinstance(pattern, list) and len(pattern) == 1
        ]
        found.append((begun_ms, min(times_ms, default=float('inf'))))
    return found


def main() -> int:
    """Measure and print; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description='From a picture to a vibration.')
    parser.add_argument('--cycles', type=int, default=20, help='near phases')
    parser.add_argument('--phase', type=float, default=3.0, help='seconds of each phase')
    options = parser.parse_args()
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            environment = own_environment(folder, is_tuned=True)
            heard = stack.enter_context(listening(NAMESPACE, environment))
            phone = stack.enter_context(phone_page(folder, options.phase, environment))
            phone.tilt(8.0)
            phone.begin(0.5, 27.84)
            phone.await_mounting('pitch 8')
            before = len(phone.log()[0])
            phone.await_near(options.cycles + sum(not near for _, near in phone.log()[0]) + 1)
            seen, felt = phone.log()
            phases = times_to_feel(seen[before:], felt)
            inference_ms = float(phone.diagnostic('inference p50 (ms)'))
            rate = phone.diagnostic('output rate (Hz)')
            complaints = phone.complaints
    except TrialError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    if not phases:
        print('error: a near phase must begin while nothing is felt, got none', file=sys.stderr)
        return 1
    times_ms = [took_ms for _, took_ms in phases]
    p50_ms, p95_ms = (np.percentile(times_ms, share, method='higher') for share in (50, 95))
    goal_ms = GOAL_INFERENCES * inference_ms + GOAL_MS
    print(
        f'picture in to vibration: p50 {p50_ms:.0f} ms, p95 {p95_ms:.0f} ms, most '
        f'{max(times_ms):.0f} ms of {len(times_ms)} phases; goal {goal_ms:.0f} ms = '
        f'{GOAL_INFERENCES:g} x {inference_ms:.0f} ms of inference + {GOAL_MS:g} ms; '
        f'depth at {rate or "?"} Hz'
    )
    rows_ms = [row for begun_ms, took_ms in phases if (row := stages_of(begun_ms, took_ms, heard))]
    print(f'where it goes ({len(rows_ms)} phases):')
    for line in report(rows_ms) if rows_ms else ():
        print(line)
    ends_ms = [at_ms for at_ms, is_near in seen if not is_near]
    alerts_ms = [
        until_alert(begun_ms, min((at for at in ends_ms if at > begun_ms), default=np.inf), heard)
        for begun_ms, _ in phases
    ]
    p50_ms, alert_p95_ms = (np.percentile(alerts_ms, n, method='higher') for n in (50, 95))
    print(f'alert_node leaves CLEAR: p50 {p50_ms:.0f} ms, p95 {alert_p95_ms:.0f} ms')
    for complaint in complaints:
        print(f'console: {complaint}')
    return 0 if p95_ms < goal_ms and not complaints else 1


if __name__ == '__main__':
    sys.exit(main())
