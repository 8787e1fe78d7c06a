# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Buzzers behind one interface; the package of each is imported only when it is chosen.

A buzzer works in a thread of its own: one that hangs or fails costs the sound, never the stop.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
import math
import os
from pathlib import Path
import subprocess
import threading
import time
from typing import Any, Protocol
import wave

from builtin_interfaces.msg import Duration
import numpy as np
from rclpy.node import Node

from .frame_mailbox import FrameMailbox
from .node_settings import AlertNodeSettings
from ..alert.beeper import BEEP_S, Sound
from ..errors import BuzzerError, ConfigurationError

# Longest wait for a hanging buzzer when the node stops.
_FAREWELL_S = 0.5
# Value of turtlebot3_msgs/srv/Sound; its constants stand in comments there, not in the type.
_BUTTON1_SOUND = 4


class Buzzer(Protocol):
    """One device."""

    def play(self, sound: Sound) -> None:
        """Take the sound of this moment; called at the heartbeat rate. May raise BuzzerError."""

    def close(self) -> None:
        """Be silent and let go of the device."""


class BuzzerThread:
    """
    Keep one buzzer away from everything that matters.

    Parameters
    ----------
    buzzer : Buzzer
        Played and closed in the thread.
    on_failure : callable
        Called once with the text when the buzzer fails; it is not played again.

    """

    def __init__(self, buzzer: Buzzer, on_failure: Callable[[str], None]) -> None:
        self._buzzer = buzzer
        self._on_failure = on_failure
        self._mailbox: FrameMailbox[Sound] = FrameMailbox()
        self._thread = threading.Thread(target=self._work, name='buzzer', daemon=True)
        self._thread.start()

    def play(self, sound: Sound) -> None:
        """Leave a sound for the thread; a newer one replaces it."""
        self._mailbox.put(sound)

    def close(self) -> None:
        """End the thread; a buzzer that hangs is left behind."""
        self._mailbox.close()
        self._thread.join(_FAREWELL_S)

    @property
    def is_alive(self) -> bool:
        """Return whether the thread still runs."""
        return self._thread.is_alive()

    def _work(self) -> None:
        try:
            while (sound := self._mailbox.take()) is not None:
                self._buzzer.play(sound)
        except Exception as error:
            # Any exception is reported: otherwise the thread ends, and the buzzer seems to work.
            self._on_failure(str(error) or repr(error))
        with suppress(Exception):
            self._buzzer.close()


def make_buzzer(node: Node, settings: AlertNodeSettings) -> Buzzer | None:
    """
    Make the buzzer that the settings name.

    Parameters
    ----------
    node : rclpy.node.Node
        Owner of the publishers and clients that a robot's buzzer needs.
    settings : AlertNodeSettings
        Which buzzer, and its pin or file.

    Returns
    -------
    Buzzer or None
        None for `topic`, which the node itself serves.

    Raises
    ------
    ConfigurationError
        If what the buzzer needs is not installed or not there.

    """
    try:
        if settings.buzzer == 'gpio':
            return GpioBuzzer(settings.buzzer_pin)
        if settings.buzzer == 'create3':
            return Create3Buzzer(node)
        if settings.buzzer == 'turtlebot3':
            return Turtlebot3Buzzer(node)
        if settings.buzzer == 'sound':
            return LoudspeakerBuzzer(settings.buzzer_sound_file, settings.heartbeat_rate_hz)
    except ImportError as error:
        raise ConfigurationError(
            f'buzzer must be topic where {error.name} is not installed, '
            f'got {settings.buzzer}; install it'
        ) from error
    except (BuzzerError, OSError) as error:
        raise ConfigurationError(
            f'buzzer must be a device that works, got {settings.buzzer}: {error}; '
            'use topic, or repair it'
        ) from error
    return None


class GpioBuzzer:
    """
    A piezo on a pin of a Raspberry Pi or its like: square wave of the beep's pitch.

    Parameters
    ----------
    pin : int
        BCM number.

    Raises
    ------
    BuzzerError
        If the pin cannot be had.

    """

    def __init__(self, pin: int) -> None:
        from gpiozero import PWMOutputDevice
        from gpiozero.exc import GPIOZeroError

        self._error = GPIOZeroError
        try:
            self._device = PWMOutputDevice(pin)
        except GPIOZeroError as error:
            raise BuzzerError(f'GPIO pin {pin}: {error!r}') from error

    def play(self, sound: Sound) -> None:
        """Set pitch and duty cycle."""
        try:
            if sound.on:
                self._device.frequency = round(sound.frequency_hz)
            self._device.value = 0.5 if sound.on else 0.0
        except self._error as error:
            raise BuzzerError(f'GPIO: {error!r}') from error

    def close(self) -> None:
        """Switch off and free the pin."""
        self._device.close()


class Create3Buzzer:
    """
    The loudspeaker of a Create 3 or TurtleBot 4: a note on `cmd_audio` for every beep.

    Parameters
    ----------
    node : rclpy.node.Node
        Publishes.

    """

    def __init__(self, node: Node) -> None:
        from irobot_create_msgs.msg import AudioNote, AudioNoteVector

        self._note_type, self._notes_type = AudioNote, AudioNoteVector
        self._node = node
        self._publisher = node.create_publisher(AudioNoteVector, 'cmd_audio', 10)
        self._beeps = _BeepStarts()

    def play(self, sound: Sound) -> None:
        """Publish a note where a beep starts."""
        if self._beeps.starts(sound):
            notes = self._notes_type(
                notes=[
                    self._note_type(
                        frequency=round(sound.frequency_hz),
                        max_runtime=Duration(nanosec=round(BEEP_S * 1e9)),
                    )
                ],
                append=False,
            )
            notes.header.stamp = self._node.get_clock().now().to_msg()
            self._publisher.publish(notes)

    def close(self) -> None:
        """Leave the last note to end by itself."""
        self._node.destroy_publisher(self._publisher)


class Turtlebot3Buzzer:
    """
    The buzzer of a TurtleBot3: one of its own sounds for every beep, by service `sound`.

    Parameters
    ----------
    node : rclpy.node.Node
        Calls the service.

    """

    def __init__(self, node: Node) -> None:
        from turtlebot3_msgs.srv import Sound as SoundService

        self._node = node
        self._request_type = SoundService.Request
        self._client: Any = node.create_client(SoundService, 'sound')
        self._beeps = _BeepStarts()

    def play(self, sound: Sound) -> None:
        """Ask for the shortest sound that the robot has, if it listens."""
        if self._beeps.starts(sound) and self._client.service_is_ready():
            self._client.call_async(self._request_type(value=_BUTTON1_SOUND))

    def close(self) -> None:
        """Leave the last sound to end by itself."""
        self._node.destroy_client(self._client)


class LoudspeakerBuzzer:
    """
    A sine tone through ALSA's `aplay`, or into a WAV file.

    Parameters
    ----------
    wav_file : str
        Path of the file; empty for the loudspeaker.
    rate_hz : float
        How often `play` is called: each call adds that much tone or silence.

    Raises
    ------
    BuzzerError
        If `aplay` is not installed.

    """

    sample_rate_hz = 22050
    command = (
        'aplay',
        '--quiet',
        '--file-type=raw',
        '--format=S16_LE',
        '--channels=1',
        f'--rate={sample_rate_hz}',
    )

    def __init__(self, wav_file: str, rate_hz: float) -> None:
        self._samples = round(self.sample_rate_hz / rate_hz)
        self._phase = 0.0
        self._resources = ExitStack()
        self._write = self._open_file(Path(wav_file)) if wav_file else self._open_loudspeaker()

    def play(self, sound: Sound) -> None:
        """Add a piece of tone or silence; the phase goes on, so that pieces do not click."""
        step = 2 * math.pi * sound.frequency_hz / self.sample_rate_hz
        loudness = 0.5 * 32767 * sound.on
        samples = loudness * np.sin(self._phase + step * np.arange(self._samples))
        self._write(np.rint(samples).astype('<i2').tobytes())
        self._phase = (self._phase + self._samples * step) % (2 * math.pi)

    def close(self) -> None:
        """Finish the file, or end the player."""
        self._resources.close()

    def _open_file(self, path: Path) -> Callable[[bytes], object]:
        file = self._resources.enter_context(path.open('wb'))
        writer = self._resources.enter_context(wave.open(file, 'wb'))
        writer.setparams((1, 2, self.sample_rate_hz, 0, 'NONE', ''))
        return writer.writeframes

    def _open_loudspeaker(self) -> Callable[[bytes], object]:
        try:
            player = subprocess.Popen(self.command, stdin=subprocess.PIPE, bufsize=0)
        except FileNotFoundError as error:
            raise BuzzerError('aplay is not installed (Debian package alsa-utils)') from error
        self._resources.enter_context(player)
        self._resources.callback(player.terminate)
        assert player.stdin is not None  # it was asked for as a pipe
        pipe = player.stdin.fileno()
        os.set_blocking(pipe, False)

        def write(samples: bytes) -> None:
            with suppress(BlockingIOError):  # the player is behind: leave a piece out
                os.write(pipe, samples)

        return write


class _BeepStarts:
    """Decide when to start a note of BEEP_S: at each beep, and again while a tone goes on."""

    def __init__(self) -> None:
        self._ends_s = -math.inf
        self._was_on = False

    def starts(self, sound: Sound) -> bool:
        now_s = time.monotonic()
        starts = sound.on and (not self._was_on or now_s >= self._ends_s)
        self._was_on = sound.on
        if starts:
            self._ends_s = now_s + BEEP_S
        return starts
