# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The page in Chromium over real nodes: what a person sets, breaks and resets."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import re
import shutil
import signal
import subprocess
import sys

from playwright.sync_api import expect, sync_playwright
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('aiohttp')

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_MS = 180_000


class Nodes:
    """Processes of this package, each with its parameters."""

    def __init__(self, log: Path) -> None:
        self._log = log.open('wb')
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *parameters: str) -> None:
        arguments = [word for parameter in parameters for word in ('-p', parameter)]
        self.processes[name] = subprocess.Popen(
            [
                sys.executable,
                '-m',
                f'fcrn_depth_ros.nodes.{name}',
                '--ros-args',
                *arguments,
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if name == 'dashboard' else self._log,
            stderr=self._log,
        )

    def start_depth(self) -> None:
        self.start('depth_node', 'camera_height_m:=0.5', 'camera_pitch_deg:=8.0')

    def address_of_page(self) -> str:
        output = self.processes['dashboard'].stdout
        assert output is not None
        for line in output:
            if found := re.search(rb'http://\S+', line):
                return found[0].decode()
        raise AssertionError('the dashboard has not said where it is')

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._log.close()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    nodes = Nodes(tmp_path / 'nodes.log')
    yield nodes
    nodes.close()


def test_a_person_sets_breaks_and_resets(nodes: Nodes) -> None:
    executable = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None)
    if executable is None:
        pytest.skip('needs chromium (apt install chromium)')
    clip = ROOT / 'fcrn_depth_ros' / 'demo_clip'
    nodes.start('image_source', f'images:={clip}', 'loop:=true', 'rate_hz:=2.0')
    nodes.start_depth()
    # A stop by distance is not what is tested; a busy machine may be slow.
    nodes.start(
        'alert_node',
        'margin_m:=0.0',
        'stop_distance_m:=0.1',
        'release_distance_m:=0.12',
        'unverified_margin_m:=0.0',
        'source_timeout_s:=10.0',
        'max_stamp_age_s:=20.0',
    )
    nodes.start('dashboard', 'port:=0', 'control:=true')
    url = nodes.address_of_page()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        arguments = ['--no-sandbox'] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        page = browser.new_page(locale='en-GB')
        page.set_default_timeout(PATIENCE_MS)
        complaints: list[str] = []
        page.on('pageerror', lambda error: complaints.append(str(error)))
        page.goto(url)
        # The first picture, its depth and a distance.
        page.wait_for_selector('body[data-frames]', state='attached')
        good = re.compile('^(Clear|Caution)$')
        expect(page.locator('#word')).to_have_text(good)
        expect(page.locator('#depth-rate')).to_have_text(re.compile(r'[1-9].* Hz'))
        # A change reaches the node, which reports it back; a refusal is the node's own words.
        caution = page.locator('#parameter-alert_node-caution_distance_m')
        caution.fill('1.3')
        caution.press('Tab')
        expect(page.get_by_role('slider', name='caution_distance_m')).to_have_attribute(
            'aria-valuetext', '1.3'
        )
        caution.fill('1000000')
        caution.press('Tab')
        expect(page.locator('#parameter-alert_node-caution_distance_m-says')).to_have_text(
            re.compile('Refused: caution_distance_m must be a finite number in .*; meaning: ')
        )
        page.get_by_role('switch', name='latch').click()
        # New settings begin with a stop, until enough good readings have come.
        expect(page.locator('#word')).to_have_text('Stop')
        expect(page.locator('#word')).to_have_text(good)
        # Killed: stale, and the picture does not look live.
        nodes.processes['depth_node'].send_signal(signal.SIGKILL)
        expect(page.locator('#word')).to_have_text('Stale')
        expect(page.locator('.depth .over')).to_have_text(re.compile('No depth · .* old'))
        # Started again: the stop is latched until a person resets it.
        nodes.processes['depth_node'].wait()
        nodes.start_depth()
        expect(page.locator('#reason')).to_have_text(re.compile('reset'))
        reset = page.locator('#answer')
        for _ in range(5):  # refused while too few good readings have come
            page.get_by_role('button', name='Reset stop').click()
            page.get_by_role('button', name='Reset the stop').click()
            expect(reset).not_to_have_text('')
            if 'refused' not in (reset.text_content() or ''):
                break
            page.wait_for_timeout(1000)
        expect(page.locator('#word')).to_have_text(good)
        # alert_node killed: its last word does not stay.
        nodes.processes['alert_node'].send_signal(signal.SIGKILL)
        expect(page.locator('#word')).to_have_text('Stale')
        expect(page.locator('#reason')).to_have_text(re.compile('alert_node has been silent'))
        assert not complaints
        browser.close()
