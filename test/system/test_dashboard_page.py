# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The page in a real headless Chromium, as a person sees and uses it; the robot is made up.

The Content-Security-Policy stays in force, so these tests look through selectors only. With
FCRN_SCREENSHOTS=FOLDER the pictures of the page are left there.
"""

from __future__ import annotations

from collections.abc import Iterator
import json
import os
from pathlib import Path
import re
import shutil
import threading
from typing import Any

from fake_robots import FakeRobots, FakeView, wait_for
from fcrn_depth_ros.dashboard.access import AccessRules, own_names
from fcrn_depth_ros.dashboard.frames import confidence_part, depth_part, jpeg, near_part, pack
from fcrn_depth_ros.dashboard.robots import Answer
from fcrn_depth_ros.dashboard.server import DashboardServer
import numpy as np
from playwright.sync_api import Browser, expect, Page, sync_playwright
import pytest

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / 'node_modules' / 'axe-core' / 'axe.min.js'
SIZES = {'phone': (360, 740), 'desk': (1440, 900)}
PATIENCE_MS = 60_000
# Of the dialog of the phone: what it is too wide, and how many of its parts lie over the next one.
DIALOG_OVERFLOW = '((d) => d.scrollWidth - d.clientWidth)(document.getElementById("phone"))'
DIALOG_OVERLAPS = """(() => {
  const parts = [...document.getElementById('phone').children];
  const boxes = parts.map((part) => part.getBoundingClientRect());
  const shown = boxes.filter((b) => b.height > 0);
  return shown.filter((b, i) => i && b.top < shown[i - 1].bottom - 1).length;
})()"""
# Buttons whose text is wider than they are.
CLIPPED = """[...document.querySelectorAll('main button')]
  .filter((b) => b.scrollWidth > b.clientWidth + 1).map((b) => b.textContent)"""


def chromium() -> str:
    """Find the browser, or skip."""
    found = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None)
    if found is None:
        pytest.skip('needs chromium (apt install chromium)')
    return found


@pytest.fixture(scope='module')
def browser() -> Iterator[Browser]:
    executable = chromium()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            # Containers run as root, where Chromium's sandbox does not work.
            args=[
                '--use-fake-device-for-media-stream',
                '--use-fake-ui-for-media-stream',
                '--autoplay-policy=no-user-gesture-required',
                *(['--no-sandbox'] if os.geteuid() == 0 else []),
            ],
        )
        yield browser
        browser.close()


class FakePhone:
    """Keeps what a phone sends."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.messages: list[bytes] = []

    def take(self, data: bytes) -> bool:
        self.messages.append(data)
        return True

    def close(self) -> None:
        pass

    def header(self) -> dict[str, Any]:
        """Give what the newest picture said of itself."""
        data = self.messages[-1]
        header: dict[str, Any] = json.loads(data[4 : 4 + int.from_bytes(data[:4], 'little')])
        return header


class Shown:
    """A server, its robots, and an open page that has said nothing bad to its console."""

    def __init__(self, browser: Browser, control: bool = True, **context: object) -> None:
        self.robots = FakeRobots(rate_hz=5.0)
        rules = AccessRules(False, '', own_names())
        self.phones: list[FakePhone] = []
        self.server = DashboardServer(self.robots, rules, control, 15.0, self._make_phone)
        self.robots.on_frame = self.server.frame_waits
        self.url = f'http://127.0.0.1:{self.server.start("127.0.0.1", 0, None)}/'
        self.context = browser.new_context(**{'locale': 'en-GB', **context})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.page.on('pageerror', lambda error: self.complaints.append(str(error)))
        self.page.on(
            'console',
            lambda said: self.complaints.append(said.text) if said.type == 'error' else None,
        )
        self.requests: list[str] = []
        self.page.on('request', lambda request: self.requests.append(request.url))

    def _make_phone(self, name: str) -> FakePhone:
        self.phones.append(FakePhone(f'/{name}'))
        return self.phones[-1]

    def visit(self) -> Page:
        """Open the page and wait for its first picture."""
        self.page.goto(self.url)
        self.page.wait_for_selector('body[data-frames]', state='attached')
        return self.page

    def close(self) -> None:
        self.context.close()
        self.server.stop()
        self.robots.close()


@pytest.fixture
def shown(browser: Browser) -> Iterator[Shown]:
    shown = Shown(browser, viewport={'width': 1440, 'height': 900})
    yield shown
    shown.close()


def test_the_first_picture_and_the_state_come_by_themselves(shown: Shown) -> None:
    page = shown.visit()
    expect(page.locator('#word')).to_have_text('Clear')
    expect(page.locator('#reason')).to_have_text('nothing near')
    expect(page.locator('#nearest')).to_have_text('1.84 m')
    expect(page.locator('#announcement')).to_have_text('Clear: nothing near')
    expect(page.locator('#depth-rate')).to_have_text('15.0 Hz')
    expect(page.locator('#scale-verified')).to_have_text('verified ± 11 %')
    expect(page.locator('#diagnostics .message')).to_have_text('depth comes')
    assert not shown.complaints
    assert all(request.startswith((shown.url, 'blob:')) for request in shown.requests)


def test_each_word_is_shown_and_announced(shown: Shown) -> None:
    page = shown.visit()
    for word, shown_as in (
        ('CAUTION', 'Caution'),
        ('STOP', 'Stop'),
        ('STALE', 'Stale'),
        ('BLIND', 'Blind'),
        ('DISABLED', 'Disabled'),
        ('NO_ALERT', 'No alert'),
    ):
        shown.robots.views['/'].changes = {'word': word, 'reason': 'a reason', 'proximity': None}
        expect(page.locator('#word')).to_have_text(shown_as)
        expect(page.locator('#announcement')).to_have_text(f'{shown_as}: a reason')
        expect(page.locator('#sign')).to_have_attribute('href', f'#sign-{word}')
        expect(page.locator('#nearest')).to_have_text('–')


def test_the_distance_under_the_pointer_and_under_the_keyboards_cross(shown: Shown) -> None:
    shown.robots.views['/'].frame = frame_with_a_box
    page = shown.visit()
    box = page.locator('#depth').bounding_box()
    assert box is not None
    page.mouse.move(box['x'] + 0.9 * box['width'], box['y'] + 0.8 * box['height'])
    expect(page.locator('#readout')).to_have_text('3.50 m')
    page.mouse.move(box['x'] + 0.5 * box['width'], box['y'] + 0.02 * box['height'])
    expect(page.locator('#readout')).to_have_text('unknown')
    page.locator('#depth').focus()
    page.keyboard.press('Escape')
    expect(page.locator('#readout')).to_have_text('point at the picture')
    page.keyboard.press('ArrowDown')
    expect(page.locator('#readout')).to_have_text('1.25 m')


def test_the_confidence_is_read_under_finger_and_mouse(shown: Shown) -> None:
    view = shown.robots.views['/']
    view.frame = frame_with_a_box
    page = shown.visit()
    expect(page.locator('#ticks')).to_have_text(re.compile('2 m.*5 m'))
    page.get_by_role('button', name='Confidence').click()
    wait_for(lambda: ('confidence', '/', True) in shown.robots.asked, 'it is asked for')
    expect(page.locator('#readout')).to_have_text('no confidence from this network')
    expect(page.locator('#ticks')).to_have_text(re.compile('2 m.*5 m'))
    view.frame = lambda number: frame_with_a_box(number, has_confidence=True)
    expect(page.locator('#readout')).to_have_text('point at the picture')
    expect(page.locator('#ticks')).to_have_text('10 % sure50 % sure90 % sure')
    canvas = page.locator('#depth')
    box = canvas.bounding_box()
    assert box is not None

    def touch(right: float, down: float) -> None:
        place = {
            'clientX': box['x'] + right * box['width'],
            'clientY': box['y'] + down * box['height'],
        }
        for kind in ('pointerdown', 'pointerleave'):  # a finger that is lifted
            canvas.dispatch_event(kind, {'pointerType': 'touch', **place})

    touch(0.5, 0.5)
    expect(page.locator('#readout')).to_have_text('1.25 m, 40 % sure')
    touch(0.1, 0.5)
    expect(page.locator('#readout')).to_have_text('3.50 m')  # how sure is unknown there
    page.mouse.move(box['x'] + 0.9 * box['width'], box['y'] + 0.5 * box['height'])
    expect(page.locator('#readout')).to_have_text('3.50 m, 90 % sure')
    # It is asked for again of another robot, and no longer once nobody looks at it.
    shown.robots.views['/two'] = FakeView('/two', changes={'robot': '/two'})
    shown.robots.names = ('/', '/two')
    page.get_by_label('Robot').select_option('/two')
    page.get_by_role('button', name='Confidence').click()
    wait_for(lambda: ('confidence', '/two', False) in shown.robots.asked, 'it is left')
    assert shown.robots.asked == [
        ('confidence', '/', True),
        ('confidence', '/', False),
        ('confidence', '/two', True),
        ('confidence', '/two', False),
    ]
    assert not shown.complaints


def test_what_is_wrong_with_a_picture_is_shown(shown: Shown) -> None:
    view = shown.robots.views['/']
    page = shown.visit()
    says = page.locator('#frame-problem')
    expect(says).to_have_text('')
    problem = 'image must have an encoding of sensor_msgs, got what'
    view.frame = lambda number: pack({'number': number, 'age_ms': 80.0, 'problem': problem}, {})
    expect(says).to_have_text(problem)
    expect(page.locator('.camera .over')).to_have_text(re.compile('No live picture · .* old'))
    view.frame = frame_with_a_box
    expect(says).to_have_text('')
    assert not shown.complaints


# A page in the background, as a test can make one.
HIDDEN = """
Object.defineProperty(document, 'hidden', { get: () => document.body.dataset.isHidden === 'yes' });
for (const answer of ['yes', 'no']) {
  addEventListener(`hidden-${answer}`, () => {
    document.body.dataset.isHidden = answer;
    document.dispatchEvent(new Event('visibilitychange'));
  });
}
"""


def test_a_page_in_the_background_is_sent_no_frames(shown: Shown) -> None:
    shown.page.add_init_script(HIDDEN)
    page = shown.visit()
    html, view = page.locator('html'), shown.robots.views['/']
    html.dispatch_event('hidden-yes', {'bubbles': True})
    page.wait_for_timeout(1000)
    taken, number = view.taken, view.number
    wait_for(lambda: view.number > number + 5, 'frames come')
    assert view.taken == taken
    html.dispatch_event('hidden-no', {'bubbles': True})
    wait_for(lambda: view.taken > number + 5, 'they are sent again')
    expect(page.locator('.camera .over')).to_be_hidden()
    assert not shown.complaints


def frame_with_a_box(number: int, has_near: bool = True, has_confidence: bool = False) -> bytes:
    depth_m = np.full((48, 64), 3.5, np.float32)
    depth_m[:4] = np.nan
    depth_m[14:44, 20:44] = 1.25
    size = {'width': 64, 'height': 48}
    header = {'number': number, 'age_ms': 80.0, 'depth': size}
    parts = {
        'picture': jpeg(np.full((48, 64, 3), 90, np.uint8)),
        'depth': depth_part(depth_m),
    }
    if has_near:
        header['near'] = size
        parts['near'] = near_part(depth_m < 1.5)
    if has_confidence:
        confidence = np.where(depth_m < 1.5, 0.4, 0.9).astype(np.float32)
        confidence[:, :10] = np.nan
        parts['confidence'] = confidence_part(confidence)
    return pack(header, parts)


def test_where_nothing_says_what_is_near_the_page_says_so(shown: Shown) -> None:
    view = shown.robots.views['/']
    view.frame = frame_with_a_box
    page = shown.visit()
    expect(page.locator('#near-legend')).to_have_text(re.compile('^counts as near'))
    view.frame = lambda number: frame_with_a_box(number, has_near=False)
    expect(page.locator('#near-legend')).to_have_text(re.compile('is not drawn'))


def test_a_slider_reaches_the_node_and_a_refusal_is_shown_word_for_word(shown: Shown) -> None:
    page = shown.visit()
    field = page.locator('#parameter-alert_node-stop_distance_m')
    expect(field).to_have_value('0.5')
    slider = page.get_by_role('slider', name='stop_distance_m')
    slider.focus()
    page.keyboard.press('ArrowLeft')
    wait_for(lambda: shown.robots.asked, 'the change arrives')
    kind, robot, node, name, value = shown.robots.asked[-1]
    assert (kind, robot, node, name) == ('set', '/', 'alert_node', 'stop_distance_m')
    assert 0.4 <= value < 0.5
    # What is typed meanwhile stays, though somebody else sets another value.
    wait_for(lambda: field.input_value() != '0.5', 'the value in force comes back')
    field.fill('0.9')
    shown.robots.views['/'].parameters.change('alert_node', 'stop_distance_m', 0.31)
    expect(slider).to_have_attribute('aria-valuetext', '0.31')
    expect(field).to_have_value('0.9')
    refusal = 'stop_distance_m must be a finite number in [0, 100], got 1000.0; meaning: …'
    shown.robots.answer = Answer(False, refusal)
    field.fill('1000')
    field.press('Tab')
    says = page.locator('#parameter-alert_node-stop_distance_m-says')
    expect(says).to_have_text(f'Refused: {refusal}')
    # The value in force comes back.
    expect(field).to_have_value('0.31')
    assert not shown.complaints


def test_a_relative_picture_is_chosen_in_the_page_and_has_no_metres(shown: Shown) -> None:
    view = shown.robots.views['/']
    page = shown.visit()
    expect(page.locator('#scale')).to_be_visible()
    page.locator('#parameter-depth_node-proximity_mode').select_option('relative')
    expect(page.locator('#scale')).to_be_hidden()
    assert shown.robots.asked[-1] == ('set', '/', 'depth_node', 'proximity_mode', 'relative')
    grey = np.full((48, 64, 3), 90, np.uint8)
    view.frame = lambda number: pack({'number': number, 'age_ms': 80.0}, {'color': jpeg(grey)})
    expect(page.locator('#readout')).to_have_text('relative, no metres')
    assert not shown.complaints


def test_everything_is_reached_with_the_keyboard_alone(shown: Shown) -> None:
    page = shown.visit()
    focused = page.locator(':focus')
    page.keyboard.press('Tab')
    expect(focused).to_have_text('Skip to the state')
    expect(focused).to_be_in_viewport()
    page.keyboard.press('Enter')
    expect(page.locator('#main')).to_be_focused()
    reached = []
    while len(reached) < 60 and 'filter' not in reached:
        page.keyboard.press('Tab')
        reached.append(focused.get_attribute('id') or '')
    expected = ['layer', 'depth', 'reset', 'enable', 'mute', 'record', 'filter']
    assert [name for name in reached if name in expected] == expected
    page.locator('#reset').focus()
    page.keyboard.press('Enter')
    expect(page.get_by_role('dialog')).to_be_visible()
    expect(page.locator('#confirm-no')).to_be_focused()  # not what sets the robot moving
    page.keyboard.press('Enter')
    expect(page.get_by_role('dialog')).to_be_hidden()
    assert not shown.robots.asked and not shown.complaints


def test_what_may_set_the_robot_moving_asks_first(shown: Shown) -> None:
    page = shown.visit()
    page.get_by_role('button', name='Reset stop').click()
    expect(page.get_by_role('dialog')).to_be_visible()
    page.keyboard.press('Escape')
    expect(page.get_by_role('dialog')).to_be_hidden()
    assert not shown.robots.asked
    shown.robots.answer = Answer(False, 'refused: something is still too near')
    page.get_by_role('button', name='Reset stop').click()
    page.get_by_role('button', name='Reset the stop').click()
    expect(page.locator('#answer')).to_have_text('refused: something is still too near')
    page.get_by_role('button', name='Disable').click()
    page.get_by_role('button', name='Cancel').click()
    page.get_by_role('button', name='Disable').click()
    page.get_by_role('button', name='Disable the alert').click()
    wait_for(lambda: len(shown.robots.asked) == 2, 'the second request arrives')
    assert shown.robots.asked == [
        ('call', '/', 'reset', True),
        ('call', '/', 'set_enabled', False),
    ]


def test_a_recording_is_begun_and_ended(shown: Shown) -> None:
    page = shown.visit()
    expect(page.locator('#recording')).to_be_hidden()
    page.get_by_role('button', name='Record').click()
    expect(page.locator('#recording')).to_have_text('Recording: 3 s, 1.0 MB in /tmp/x.mcap')
    page.get_by_role('button', name='Stop recording').click()
    expect(page.locator('#recording')).to_have_text('Recorded: 3 s, 1.0 MB in /tmp/x.mcap')
    assert shown.robots.asked == [('record', '/', True), ('record', '/', False)]


def test_a_read_only_page_offers_nothing_to_change(browser: Browser) -> None:
    shown = Shown(browser, control=False)
    try:
        page = shown.visit()
        expect(page.locator('#mode')).to_have_text('read-only')
        for name in ('Reset stop', 'Disable', 'Mute', 'Record'):
            expect(page.get_by_role('button', name=name)).to_be_disabled()
        expect(page.locator('#parameter-alert_node-stop_distance_m')).to_be_disabled()
    finally:
        shown.close()


def test_old_pictures_and_a_lost_connection_never_look_live(shown: Shown) -> None:
    page = shown.visit()
    shown.robots.on_frame = lambda robot: None
    expect(page.locator('.camera .over')).to_have_text(re.compile('No live picture · .* old'))
    expect(page.locator('#word')).to_have_text('Clear')  # the alert hears more than the page
    shown.server.stop()
    expect(page.locator('#word')).to_have_text('Connection lost')
    expect(page.locator('#announcement')).to_have_text(re.compile('Connection lost'))
    expect(page.locator('#nearest')).to_have_text('–')
    expect(page.locator('.depth .view')).to_have_class(re.compile('old'))


# Keeps how the page looks at the very moment when its word changes.
LOOKS = """
addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
  const { dataset } = document.documentElement;
  const old = [...document.querySelectorAll('.camera .view, .depth .view')]
    .every((view) => view.classList.contains('old'));
  const nearest = document.getElementById('nearest').textContent;
  dataset.looks = `${dataset.looks ?? ''}${document.body.dataset.word} ${nearest} ${old};`;
}).observe(document.body, { attributeFilter: ['data-word'] }));
"""


def test_silence_is_a_lost_connection_within_a_second_of_the_pages_own_clock(
    shown: Shown,
) -> None:
    silence, ends = threading.Event(), threading.Event()
    view = shown.robots.views['/']
    status = view.status

    def status_or_silence() -> dict[str, Any]:
        if silence.is_set():
            ends.wait(60.0)
        return status()

    view.status = status_or_silence
    shown.page.add_init_script(LOOKS)
    shown.page.clock.install(time=0)
    page = shown.visit()
    page.clock.pause_at(3_600_000)  # from now on its time passes where the test lets it
    try:
        expect(page.locator('#word')).to_have_text('Clear')
        # The connection stays open, and what is under way still comes.
        silence.set()
        page.wait_for_timeout(500)
        page.clock.run_for(650)
        expect(page.locator('#word')).to_have_text('Clear')
        page.clock.run_for(250)
        expect(page.locator('#word')).to_have_text('Connection lost')
        expect(page.locator('.camera .over')).to_have_text(re.compile('No live picture · .* old'))
        looks = page.locator('html').get_attribute('data-looks') or ''
        # Never live under that word, not even for a moment.
        assert looks.endswith('CLEAR 1.84 m false;LOST – true;') or looks.endswith(
            'LOST – true;CLEAR 1.84 m true;LOST – true;'
        )
    finally:
        silence.clear()
        ends.set()
    expect(page.locator('#word')).to_have_text('Clear')
    assert not shown.complaints


def test_what_is_remembered_is_drawn_while_it_is_fresh(shown: Shown) -> None:
    view = shown.robots.views['/']
    page = shown.visit()
    note, canvas = page.locator('#around-note'), page.locator('#around')
    expect(canvas).to_have_attribute('aria-label', re.compile('^Scan from above'))
    # What is seen now is the scan's, what is older is remembered.
    points = [[0.0, 0.6, 0.4, 0.0], [0.3, -0.4, 3.0, 0.1], [-1.0, 0.2, 8.0, 0.3]]
    memory = {'points': points, 'received_age_s': 0.1}
    view.changes = {'memory': memory}
    expect(note).to_have_text('2 remembered, nearest 0.50 m')
    expect(canvas).to_have_attribute('aria-label', re.compile('2 remembered, nearest 0.50 m'))
    view.changes = {'memory': {**memory, 'received_age_s': 1.1}}
    expect(note).to_have_text('')
    view.changes = {'memory': {'problem': 'another cloud', 'received_age_s': 0.1}}
    expect(note).to_have_text('another cloud')
    assert not shown.complaints


# Records what is felt.
PHONE = """
window.felt = [];
navigator.vibrate = (pattern) => {
  window.felt.push(pattern);
  document.documentElement.dataset.felt = JSON.stringify(pattern);
  return true;
};
// What had been felt last when the page had answered a new state.
document.addEventListener('state', ({ detail }) => setTimeout(() => {
  const { dataset } = document.documentElement;
  const last = JSON.stringify(window.felt.at(-1));
  dataset.answers = `${dataset.answers ?? ''} ${detail.state} ${last}`;
}));
"""


def test_a_phone_sees_tells_its_tilt_and_feels(shown: Shown) -> None:
    shown.page.add_init_script(PHONE)
    page = shown.visit()
    page.get_by_role('button', name='Use this camera').click()
    page.get_by_label('Height of the lens').fill('1.2')
    page.get_by_label('Distance to a sheet').fill('37.1')
    page.get_by_role('button', name='Start').click()
    expect(page.locator('#phone-says')).to_have_text('Pictures go to /phone.')
    wait_for(lambda: shown.phones and len(shown.phones[0].messages) > 2, 'pictures come')
    header = shown.phones[0].header()
    assert (header['width'], header['height']) == (640, 480)
    assert abs(header['focal_px'] - 640 * 0.8 * 0.371 / 0.297) < 0.1
    assert 'pitch_deg' not in header  # nobody has said how it is held
    # Upright, leaning 20 degrees forward: the camera looks down by 20 degrees.
    angles = {'alpha': 0, 'beta': 70, 'gamma': 0, 'bubbles': True}
    page.locator('body').dispatch_event('deviceorientation', angles)
    wait_for(lambda: 'pitch_deg' in shown.phones[0].header(), 'the tilt comes')
    header = shown.phones[0].header()
    assert abs(header['pitch_deg'] - 20) < 0.1 and abs(header['roll_deg']) < 0.1
    assert header['height_m'] == 1.2
    html = page.locator('html')
    view = shown.robots.views['/']
    for word, pattern in (('CAUTION', '[70]'), ('STOP', '[230]'), ('BLIND', '[60,80,60,80,350]')):
        view.changes = {'word': word, 'reason': 'a reason'}
        expect(html).to_have_attribute('data-felt', pattern)
    # Each at once, and not with the repeating of what was felt before.
    answers = 'CAUTION [70] STOP [230] BLIND [60,80,60,80,350]'
    expect(html).to_have_attribute('data-answers', re.compile(re.escape(answers)))
    # A first reading below the caution distance is felt before alert_node says a word, and again.
    view.changes = {}
    expect(html).to_have_attribute('data-answers', re.compile('CLEAR [^ ]*$'))
    near = {'m': 1.19, 'max_m': 10.0, 'close': True, 'received_age_s': 0.0, 'age_s': 0.1}
    view.changes = {'range': near}
    expect(html).to_have_attribute('data-felt', '[70]')
    expect(page.locator('#word')).to_have_text('Clear')
    view.changes = {}
    page.get_by_role('button', name='Stop', exact=True).click()
    expect(html).to_have_attribute('data-felt', '0')
    assert not shown.complaints


# A camera, a screen and an audio context whose ends and interruptions a test can make.
INTERRUPTED = """
const mark = (key, value) => { document.documentElement.dataset[key] = value; };
Object.defineProperty(navigator, 'wakeLock', { value: {
  request: async (kind) => {
    mark('awake', kind);
    return { release: () => mark('awake', 'no') };
  },
} });
const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await getUserMedia(wanted);
  addEventListener('endCamera', () => {
    const [track] = stream.getVideoTracks();
    track.stop();
    track.dispatchEvent(new Event('ended'));
  });
  return stream;
};
const resume = AudioContext.prototype.resume;
AudioContext.prototype.resume = function () {
  mark('audio', 'resumed');
  return resume.call(this);
};
const Real = AudioContext;
window.AudioContext = class extends Real {
  constructor() {
    super();
    addEventListener('takeLoudspeaker', () => { mark('audio', 'taken'); this.suspend(); });
  }
};
"""


def test_silence_never_means_clear(shown: Shown) -> None:
    for script in (PHONE, INTERRUPTED):
        shown.page.add_init_script(script)
    page = shown.visit()
    html = page.locator('html')
    page.get_by_role('button', name='Use this camera').click()
    page.get_by_role('button', name='Start').click()
    expect(page.locator('#phone-says')).to_have_text('Pictures go to /phone.')
    expect(html).to_have_attribute('data-awake', 'screen')
    # Somebody else takes the loudspeaker.
    html.dispatch_event('takeLoudspeaker', {'bubbles': True})
    expect(html).to_have_attribute('data-audio', 'resumed')
    # Without sound, clear is a short pulse; without either, the page says so.
    page.get_by_label('Sound').uncheck()
    expect(html).to_have_attribute('data-felt', '[15]')
    expect(page.locator('#phone-silent')).to_have_text('')
    page.get_by_label('Vibration').uncheck()
    expect(page.locator('#phone-silent')).to_have_text(re.compile('silence means nothing'))
    page.get_by_label('Vibration').check()
    # A camera that has ended sends its last picture no more, and what is felt goes on.
    wait_for(lambda: shown.phones[0].messages, 'pictures come')
    html.dispatch_event('endCamera', {'bubbles': True})
    expect(page.locator('#phone-says')).to_have_text('The camera has ended. No pictures go out.')
    page.wait_for_timeout(300)
    sent = len(shown.phones[0].messages)
    page.wait_for_timeout(1000)
    assert len(shown.phones[0].messages) == sent
    shown.robots.views['/'].changes = {'word': 'BLIND', 'reason': 'a reason'}
    expect(html).to_have_attribute('data-felt', '[60,80,60,80,350]')
    page.get_by_role('button', name='Stop', exact=True).click()
    expect(html).to_have_attribute('data-awake', 'no')
    assert not shown.complaints


@pytest.fixture
def large_german(browser: Browser) -> Iterator[Shown]:
    size = {'width': 360, 'height': 740}
    shown = Shown(browser, viewport=size, locale='de-DE', bypass_csp=True)
    yield shown
    shown.close()


def test_another_language_and_large_type_fit_a_phone(large_german: Shown) -> None:
    memory = {'points': [[0.5, 0.5, 3.0, 0.1]], 'received_age_s': 0.1}
    large_german.robots.views['/'].changes = {'memory': memory}
    page = large_german.visit()
    expect(page.locator('#around-note')).to_have_text('1 gemerkt, nächstes 0,71 m')
    page.get_by_role('button', name='Große Schrift').click()
    expect(page.locator('html')).to_have_attribute('lang', 'de')
    expect(page.locator('#word')).to_have_text('Frei')
    expect(page.locator('#nearest')).to_have_text('1,84 m')
    # What a node says comes in English, and a screen reader is told so.
    expect(page.locator('#reason')).to_have_attribute('lang', 'en')
    expect(page.locator('#announcement span')).to_have_attribute('lang', 'en')
    for width, height in SIZES.values():
        page.set_viewport_size({'width': width, 'height': height})
        assert page.evaluate('document.documentElement.scrollWidth - innerWidth') <= 0
        assert page.evaluate(CLIPPED) == []
    page.set_viewport_size({'width': 360, 'height': 740})
    page.get_by_role('button', name='Diese Kamera nutzen').click()
    assert page.evaluate(DIALOG_OVERFLOW) <= 0
    assert page.evaluate(DIALOG_OVERLAPS) == 0
    expect(page.locator('#phone-title')).to_be_focused()
    large_german.server.stop()
    expect(page.locator('#reason')).to_have_text(re.compile('^Seit .* s kommt nichts'))
    expect(page.locator('#reason')).not_to_have_attribute('lang', 'en')
    assert not [text for text in large_german.complaints if 'WebSocket' not in text]


def test_several_robots_are_picked_by_namespace(shown: Shown) -> None:
    shown.robots.views['/two'] = FakeView('/two', changes={'robot': '/two', 'word': 'STOP'})
    shown.robots.names = ('/', '/two')
    page = shown.visit()
    page.get_by_label('Robot').select_option('/two')
    expect(page.locator('#word')).to_have_text('Stop')
    wait_for(lambda: shown.robots.watched == ['/two'], 'only the chosen one is watched')


def test_what_vouches_for_the_scale_is_shown_and_a_contradiction_stands_out(shown: Shown) -> None:
    page = shown.visit()
    expect(page.locator('#scale-text')).to_have_text('Scale: verified within 11%.')
    expect(page.locator('#scale-verified')).not_to_have_class('bad')
    shown.robots.views['/'].changes = {
        'scale_verified': False,
        'scale_contradicted': True,
        'scale_text': 'contradicted: motion 1.40, beam 0.90',
    }
    expect(page.locator('#scale-verified')).to_have_text('contradicted')
    expect(page.locator('#scale-verified')).to_have_class('bad')
    says = 'Scale: contradicted: motion 1.40, beam 0.90.'
    expect(page.locator('#scale-text')).to_have_text(says)


def _look_at_it(page: Page, name: str) -> None:
    found = page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.map("
        "(v) => `${v.impact} ${v.id}: ${v.nodes.map((n) => n.target).join(' ; ')}`))"
    )
    assert not [line for line in found if line.startswith(('serious', 'critical'))], found
    folder = os.environ.get('FCRN_SCREENSHOTS')
    if folder:
        page.screenshot(path=f'{folder}/{name}.png')


@pytest.mark.parametrize('language', ['en', 'de'])
@pytest.mark.parametrize('theme', ['light', 'dark'])
@pytest.mark.parametrize('size', SIZES)
def test_it_fits_and_is_accessible(browser: Browser, size: str, theme: str, language: str) -> None:
    if not AXE.is_file():
        pytest.skip('needs axe-core (npm install --no-save axe-core)')
    width, height = SIZES[size]
    shown = Shown(
        browser,
        viewport={'width': width, 'height': height},
        color_scheme=theme,
        reduced_motion='reduce',
        locale=language,
        bypass_csp=True,  # axe is put into the page
    )
    points = [[0.3, -0.4, 3.0, 0.1], [-0.9, 0.5, 8.0, 0.3], [0.5, 1.1, 1.0, 0.05]]
    shown.robots.views['/'].changes = {'memory': {'points': points, 'received_age_s': 0.1}}
    try:
        page = shown.visit()
        if language == 'de':
            page.locator('#large').click()
        expect(page.locator('#parameter-list details')).not_to_have_count(0)
        expect(page.locator('#diagnostics details')).to_have_count(1)
        moves = 'getComputedStyle(document.querySelector(".verdict")).transitionDuration'
        assert page.evaluate(moves) == '0s'  # reduced motion
        overflow = page.evaluate('document.documentElement.scrollWidth - innerWidth')
        assert overflow <= 0
        page.add_script_tag(path=AXE)
        expect(page.locator('#around-note')).not_to_be_empty()
        _look_at_it(page, f'{size}-{theme}-{language}')
        page.locator('#phone-open').click()
        assert page.evaluate(DIALOG_OVERFLOW) <= 0
        assert page.evaluate(DIALOG_OVERLAPS) == 0
        _look_at_it(page, f'{size}-{theme}-{language}-phone')
    finally:
        shown.close()
