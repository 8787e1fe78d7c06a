# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Each buzzer with a stand-in for its hardware, and what happens when there is none."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import ModuleType, SimpleNamespace
import wave

from fcrn_depth_ros.alert.beeper import BEEP_S, SILENCE, Sound
from fcrn_depth_ros.errors import BuzzerError, ConfigurationError
from fcrn_depth_ros.ros.buzzers import BuzzerThread, LoudspeakerBuzzer, make_buzzer
from fcrn_depth_ros.ros.node_settings import AlertNodeSettings
import numpy as np
import pytest

BEEP = Sound(True, 880.0)


class Recorder(SimpleNamespace):
    """Any object whose attributes are what it was made with."""


class FakeNode:
    """Gives publishers and clients that only remember."""

    def __init__(self):
        self.sent = []
        self.made = []
        self.is_ready = True

    def get_clock(self):
        return Recorder(now=lambda: Recorder(to_msg=lambda: 'now'))

    def create_publisher(self, message_type, topic, depth):
        return self._make(publish=lambda message: self.sent.append((topic, message)))

    def create_client(self, service_type, name):
        return self._make(
            service_is_ready=lambda: self.is_ready,
            call_async=lambda request: self.sent.append((name, request)),
        )

    def destroy_publisher(self, publisher):
        self.made.remove(publisher)

    destroy_client = destroy_publisher

    def _make(self, **contents):
        self.made.append(Recorder(**contents))
        return self.made[-1]


def fake_package(monkeypatch, name, **contents):
    """Put a module where `import` finds it, with its parent package."""
    parent, _, _ = name.partition('.')
    module = ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
    monkeypatch.setitem(sys.modules, name, module)


def test_topic_needs_no_device():
    assert make_buzzer(FakeNode(), AlertNodeSettings()) is None


@pytest.mark.parametrize(
    ('buzzer', 'module'),
    [('create3', 'irobot_create_msgs'), ('turtlebot3', 'turtlebot3_msgs'), ('gpio', 'gpiozero')],
)
def test_a_missing_package_is_a_clear_error(monkeypatch, buzzer, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ConfigurationError,
        match=rf'buzzer must be topic where {module}.* is not installed, got {buzzer}; ',
    ):
        make_buzzer(FakeNode(), AlertNodeSettings(buzzer=buzzer))


def test_create3_gets_a_note_for_each_beep(monkeypatch):
    fake_package(
        monkeypatch,
        'irobot_create_msgs.msg',
        AudioNote=Recorder,
        AudioNoteVector=lambda **fields: Recorder(header=Recorder(), **fields),
    )
    node = FakeNode()
    buzzer = make_buzzer(node, AlertNodeSettings(buzzer='create3'))
    for sound in (SILENCE, BEEP, BEEP, SILENCE, BEEP, SILENCE):
        buzzer.play(sound)
    buzzer.close()
    assert not node.made
    topics, vectors = zip(*node.sent, strict=True)
    assert topics == ('cmd_audio', 'cmd_audio')
    (note,) = vectors[0].notes
    assert (note.frequency, note.max_runtime.nanosec) == (880, round(BEEP_S * 1e9))
    assert (vectors[0].append, vectors[0].header.stamp) == (False, 'now')


def test_a_continuous_tone_starts_note_after_note(monkeypatch):
    times_s = iter([0.0, 0.05, 0.11, 0.15, 0.22])
    monkeypatch.setattr('fcrn_depth_ros.ros.buzzers.time.monotonic', lambda: next(times_s))
    fake_package(
        monkeypatch,
        'irobot_create_msgs.msg',
        AudioNote=Recorder,
        AudioNoteVector=lambda **fields: Recorder(header=Recorder(), **fields),
    )
    node = FakeNode()
    buzzer = make_buzzer(node, AlertNodeSettings(buzzer='create3'))
    for _ in range(5):
        buzzer.play(BEEP)
    assert len(node.sent) == 3


def test_turtlebot3_is_asked_only_when_it_listens(monkeypatch):
    fake_package(monkeypatch, 'turtlebot3_msgs.srv', Sound=Recorder(Request=Recorder))
    node = FakeNode()
    buzzer = make_buzzer(node, AlertNodeSettings(buzzer='turtlebot3'))
    buzzer.play(BEEP)
    buzzer.play(SILENCE)
    node.is_ready = False
    buzzer.play(BEEP)
    buzzer.close()
    assert not node.made
    assert [(name, request.value) for name, request in node.sent] == [('sound', 4)]


@pytest.fixture
def mock_pins():
    """Let gpiozero drive pins that exist only in memory."""
    gpiozero = pytest.importorskip('gpiozero')
    from gpiozero.pins.mock import MockFactory, MockPWMPin

    gpiozero.Device.pin_factory = MockFactory(pin_class=MockPWMPin)
    yield gpiozero.Device.pin_factory
    gpiozero.Device.pin_factory.reset()
    gpiozero.Device.pin_factory = None


def test_gpio_drives_the_pin(mock_pins):
    buzzer = make_buzzer(FakeNode(), AlertNodeSettings(buzzer='gpio', buzzer_pin=13))
    pin = mock_pins.pin(13)
    buzzer.play(BEEP)
    assert (pin.state, pin.frequency) == (0.5, 880)
    buzzer.play(SILENCE)
    assert pin.state == 0.0
    buzzer.close()
    assert pin.frequency is None


def test_a_pin_that_does_not_exist_is_a_clear_error(mock_pins):
    with pytest.raises(ConfigurationError, match='got gpio: GPIO pin 99: PinInvalidPin'):
        make_buzzer(FakeNode(), AlertNodeSettings(buzzer='gpio', buzzer_pin=99))


def test_sound_writes_tone_and_silence(tmp_path):
    path = tmp_path / 'alert.wav'
    buzzer = make_buzzer(
        FakeNode(),
        AlertNodeSettings(buzzer='sound', buzzer_sound_file=str(path), heartbeat_rate_hz=20.0),
    )
    for sound in [BEEP] * 10 + [SILENCE] * 10:
        buzzer.play(sound)
    buzzer.close()
    with wave.open(str(path)) as reader:
        assert (reader.getnchannels(), reader.getframerate()) == (1, 22050)
        samples = np.frombuffer(reader.readframes(reader.getnframes()), np.int16)
    assert len(samples) == 20 * round(22050 / 20)
    tone, silence = np.split(samples, 2)
    assert not silence.any()
    spectrum = np.abs(np.fft.rfft(tone))
    peak_hz = np.argmax(spectrum) * 22050 / len(tone)
    assert peak_hz == pytest.approx(880, abs=2.5)
    # Pieces join without a click: no step is larger than a sine of this pitch makes.
    assert np.abs(np.diff(tone.astype(int))).max() < 1.01 * 0.5 * 32767 * 2 * np.pi * 880 / 22050


def test_a_file_that_cannot_be_written_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigurationError, match='got sound: .*no_such_folder'):
        make_buzzer(
            FakeNode(),
            AlertNodeSettings(
                buzzer='sound', buzzer_sound_file=str(tmp_path / 'no_such_folder' / 'a.wav')
            ),
        )


def test_without_a_player_sound_is_a_clear_error(monkeypatch):
    monkeypatch.setenv('PATH', '')
    with pytest.raises(ConfigurationError, match='aplay is not installed'):
        make_buzzer(FakeNode(), AlertNodeSettings(buzzer='sound'))


def test_the_loudspeaker_is_a_pipe_that_never_blocks(monkeypatch, tmp_path):
    """The stand-in for aplay never reads: pieces are left out once the pipe is full."""
    player = tmp_path / 'aplay'
    player.write_text('#!/bin/sh\nexec sleep 60\n')
    player.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:/usr/bin:/bin')
    buzzer = LoudspeakerBuzzer('', 20.0)
    for _ in range(100):  # 220 kB; a pipe holds 64
        buzzer.play(BEEP)
    buzzer.close()


def test_a_player_that_dies_fails_the_buzzer_only(monkeypatch, tmp_path):
    player = tmp_path / 'aplay'
    player.write_text('#!/bin/sh\nexit 1\n')
    player.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:/usr/bin:/bin')
    waited = threading.Event()
    buzzer = LoudspeakerBuzzer('', 20.0)
    thread = BuzzerThread(buzzer, lambda text: waited.set())
    while not waited.wait(0.01):
        thread.play(BEEP)
    thread.close()
    assert not thread.is_alive


class Failing:
    """A buzzer that fails, or hangs until it is told to go on."""

    def __init__(self, error=None):
        self.error = error
        self.go_on = threading.Event()
        self.plays = 0

    def play(self, sound):
        self.plays += 1
        if self.error is None:
            self.go_on.wait()
        else:
            raise self.error

    def close(self):
        pass


@pytest.mark.parametrize(
    'error',
    [BuzzerError('burnt'), OSError('gone'), RuntimeError('odd'), AttributeError('unforeseen')],
)
def test_a_failing_buzzer_is_told_once_and_left_alone(error):
    told = []
    buzzer = Failing(error)
    thread = BuzzerThread(buzzer, told.append)
    thread.play(BEEP)
    while thread.is_alive:  # it ends by itself
        time.sleep(0.001)
    thread.play(BEEP)
    thread.close()
    assert told == [str(error)]
    assert buzzer.plays == 1


def test_a_hanging_buzzer_holds_nobody_up():
    buzzer = Failing()
    thread = BuzzerThread(buzzer, pytest.fail)
    thread.play(BEEP)
    thread.play(BEEP)
    thread.close()
    buzzer.go_on.set()


def test_aplay_is_asked_for_what_is_written():
    """The format on the command line is that of the samples: 16 bits, one channel."""
    assert subprocess.list2cmdline(LoudspeakerBuzzer.command) == (
        'aplay --quiet --file-type=raw --format=S16_LE --channels=1 --rate=22050'
    )
