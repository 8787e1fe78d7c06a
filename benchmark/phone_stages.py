# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Where the time between a picture of the phone and its vibration goes: what topics show of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
import itertools
import math
import os
import threading
import time

import cv2
from fcrn_depth_ros.ros import quality_of_service as qos
from fcrn_depth_ros.wire.stamps import nanoseconds
import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Range
from std_msgs.msg import UInt8

STAGES = ('published', 'taken by depth_node', 'its reading', 'the vibration')
_CLEAR = 0


@dataclass
class Heard:
    """
    What came of a phone; all times in milliseconds since the epoch.

    Attributes
    ----------
    near_ms : list of float
        Stamps of pictures with the mark of near ones.
    readings_ms : list of (float, float)
        Stamp of the picture and arrival of each proximity/range.
    alerts_ms : list of float
        When alert/level turned to something else than clear.

    """

    near_ms: list[float] = field(default_factory=list)
    readings_ms: list[tuple[float, float]] = field(default_factory=list)
    alerts_ms: list[float] = field(default_factory=list)


def is_marked(pixels_bgr: NDArray[np.uint8]) -> bool:
    """Tell whether a picture, at an eighth of its size, bears the mark of near ones."""
    blue, green, red = (int(value) for value in pixels_bgr[1, 1])
    return red > 150 and blue > 150 and green < 110


class _Listener(Node):
    def __init__(self, namespace: str, heard: Heard) -> None:
        super().__init__('listener', namespace=namespace)
        self._heard = heard
        self.create_subscription(
            CompressedImage, 'image/compressed', self._on_picture, qos.sensor_input()
        )
        self.create_subscription(Range, 'proximity/range', self._on_range, qos.signal())
        self.create_subscription(UInt8, 'alert/level', self._on_level, qos.latched())

    def _on_picture(self, message: CompressedImage) -> None:
        data = np.frombuffer(message.data, np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_8)
        if pixels is not None and is_marked(pixels):
            self._heard.near_ms.append(nanoseconds(message.header.stamp) * 1e-6)

    def _on_range(self, message: Range) -> None:
        stamp_ms = nanoseconds(message.header.stamp) * 1e-6
        self._heard.readings_ms.append((stamp_ms, time.time() * 1e3))

    def _on_level(self, message: UInt8) -> None:
        if message.data != _CLEAR:
            self._heard.alerts_ms.append(time.time() * 1e3)


@contextmanager
def listening(namespace: str, environment: Mapping[str, str]) -> Iterator[Heard]:
    """Listen to a phone, in the environment of its nodes, until the end of the block."""
    os.environ.update(environment)
    rclpy.init()
    heard = Heard()
    listener = _Listener(namespace, heard)
    executor = SingleThreadedExecutor()
    executor.add_node(listener)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    try:
        yield heard
    finally:
        executor.shutdown()
        spinning.join()
        listener.destroy_node()
        rclpy.shutdown()


def stages_of(begun_ms: float, took_ms: float, heard: Heard) -> list[float] | None:
    """
    Return how long each of STAGES of one near phase took.

    Parameters
    ----------
    begun_ms : float
        When the page could take the first near picture, since the epoch.
    took_ms : float
        From then to the vibration.
    heard : Heard
        Of that time, and of others.

    Returns
    -------
    list of float
        Milliseconds; None where something of it was not heard.

    """
    felt_ms = begun_ms + took_ms
    near_ms = [at_ms for at_ms in heard.near_ms if begun_ms <= at_ms <= felt_ms]
    readings_ms = [reading for reading in heard.readings_ms if reading[0] in near_ms]
    if not readings_ms:
        return None
    times_ms = [begun_ms, near_ms[0], *readings_ms[0], felt_ms]
    return [after - before for before, after in itertools.pairwise(times_ms)]


def until_alert(begun_ms: float, ended_ms: float, heard: Heard) -> float:
    """Return how long alert_node took to leave CLEAR in a near phase; +Inf where it did not."""
    alerts_ms = [at_ms - begun_ms for at_ms in heard.alerts_ms if begun_ms <= at_ms <= ended_ms]
    return min(alerts_ms, default=math.inf)


def report(rows_ms: Sequence[Sequence[float]]) -> Iterator[str]:
    """Give a line for each stage."""
    for name, times_ms in zip(STAGES, np.transpose(rows_ms), strict=True):
        p50_ms, p95_ms = np.percentile(times_ms, (50, 95), method='higher')
        yield f'  then {name}: p50 {p50_ms:.0f} ms, p95 {p95_ms:.0f} ms'
