# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Things that move by themselves: a person who crosses the way, a door that opens into it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .world import DriveWorld

_PARKED_Z_M = -5.0
_PERSON_RADIUS_M = 0.25
# A person does not walk into a robot: at this distance from its body they wait.
_PERSON_KEEPS_M = 0.3
_PERSON_WAITS_S = 2.0
_DOOR_SIZE_M = (0.85, 0.04, 2.0)
_DOOR_OPENS_S = 1.5


def mover_xml(kind: str, rng: np.random.Generator) -> str:
    """
    Describe what moves in a drive, parked under the floor.

    Parameters
    ----------
    kind : str
        Of the drive; most have nothing that moves.
    rng : numpy.random.Generator
        Source of colours and sizes.

    Returns
    -------
    str
        MJCF bodies; empty where nothing moves.

    """
    if kind == 'person':
        shirt, trousers, skin = (
            ' '.join(f'{value:.2f}' for value in rng.uniform(low, high, 3))
            for low, high in ((0.1, 0.9), (0.05, 0.5), (0.4, 0.8))
        )
        legs = ''.join(
            f'<geom type="capsule" fromto="{sign * 0.08} {sign * 0.1} 0.08 0 {sign * 0.1} 0.8" '
            f'size="0.08" rgba="{trousers} 1"/>'
            for sign in (-1, 1)
        )
        return (
            f'<body name="mover" mocap="true" pos="0 0 {_PARKED_Z_M}">{legs}'
            f'<geom type="ellipsoid" size="0.14 0.22 0.36" pos="0 0 1.12" rgba="{shirt} 1"/>'
            f'<geom type="sphere" size="0.11" pos="0 0 1.6" rgba="{skin} 1"/></body>'
        )
    if kind == 'door':
        color = ' '.join(f'{value:.2f}' for value in rng.uniform(0.3, 0.95, 3))
        half = ' '.join(f'{size / 2}' for size in _DOOR_SIZE_M)
        return (
            f'<body name="mover" mocap="true" pos="0 0 {_PARKED_Z_M}">'
            f'<geom type="box" size="{half}" pos="{_DOOR_SIZE_M[0] / 2} 0 {_DOOR_SIZE_M[2] / 2}" '
            f'rgba="{color} 1"/>'
            f'<geom type="sphere" size="0.035" pos="{_DOOR_SIZE_M[0] - 0.08} 0.06 1.0" '
            'rgba="0.6 0.6 0.6 1"/></body>'
        )
    return ''


class Person:
    """
    Somebody who walks across the robot's way, and lets it pass rather than walk into it.

    Parameters
    ----------
    x_m, y_m, heading_rad : float
        Where the robot starts, and whither it drives.
    rng : numpy.random.Generator
        Source of the person's way and pace.

    """

    def __init__(
        self, x_m: float, y_m: float, heading_rad: float, rng: np.random.Generator
    ) -> None:
        side = 1.0 if rng.random() < 0.5 else -1.0
        ahead_m, beside_m = rng.uniform(1.1, 2.0), rng.uniform(0.45, 0.7)
        slant_rad = rng.uniform(-0.6, 0.6)
        self._speed_mps = rng.uniform(0.5, 1.3)
        self._begin_s = rng.uniform(1.0, 3.5)
        forward = np.array([math.cos(heading_rad), math.sin(heading_rad)])
        left = np.array([-forward[1], forward[0]])
        self._place = np.array([x_m, y_m]) + ahead_m * forward + side * beside_m * left
        self._way = -side * left * math.cos(slant_rad) - forward * math.sin(slant_rad)
        self._left_m = 2 * beside_m
        self._waited_s = 0.0

    def step(self, world: DriveWorld, time_s: float, duration_s: float) -> None:
        """Walk on, wait, or turn round."""
        if time_s >= self._begin_s and self._left_m > 0.0:
            step = self._speed_mps * duration_s * self._way
            robot = np.array([world.x_m, world.y_m])
            gap_m, next_gap_m = (
                float(np.linalg.norm(place - robot)) - _PERSON_RADIUS_M - world.radius_m
                for place in (self._place, self._place + step)
            )
            if next_gap_m >= _PERSON_KEEPS_M or next_gap_m > gap_m:
                self._place = self._place + step
                self._left_m -= self._speed_mps * duration_s
                self._waited_s = 0.0
            else:
                self._waited_s += duration_s
                if self._waited_s > _PERSON_WAITS_S:
                    self._way, self._left_m, self._waited_s = -self._way, 0.6, 0.0
        world.move_mover(
            float(self._place[0]), float(self._place[1]), math.atan2(self._way[1], self._way[0])
        )


class Door:
    """
    A door that swings into the robot's way, and stays open.

    Parameters
    ----------
    x_m, y_m, heading_rad : float
        Where the robot starts, and whither it drives.
    rng : numpy.random.Generator
        Source of side, place and moment.

    """

    def __init__(
        self, x_m: float, y_m: float, heading_rad: float, rng: np.random.Generator
    ) -> None:
        side = 1.0 if rng.random() < 0.5 else -1.0
        ahead_m = rng.uniform(1.9, 2.4)
        forward = np.array([math.cos(heading_rad), math.sin(heading_rad)])
        left = np.array([-forward[1], forward[0]])
        self._hinge = np.array([x_m, y_m]) + ahead_m * forward + side * 0.42 * left
        # Closed it points ahead, along the way; open it lies across.
        self._closed_rad = heading_rad
        self._swing_rad = side * math.pi / 2
        self._begin_s = rng.uniform(1.5, 3.0)

    def step(self, world: DriveWorld, time_s: float, duration_s: float) -> None:
        """Swing on; a door that would strike the robot waits."""
        share = min(1.0, max(0.0, (time_s - self._begin_s) / _DOOR_OPENS_S))
        angle = self._closed_rad - share * self._swing_rad
        world.move_mover(float(self._hinge[0]), float(self._hinge[1]), angle)
