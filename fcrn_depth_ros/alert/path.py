# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
How far a commanded velocity gets before the robot's body meets something.

A velocity that is held drives an arc: straight ahead, a curve, a turn on the spot. The body is
moved along it in small steps. A point is met where it comes within its clearance of the body, and
nearer than it is now: driving away from something is free, however near it is.
"""

from __future__ import annotations

from dataclasses import dataclass
import json
import math

import numpy as np
from numpy.typing import NDArray

from .speed_limit import Velocity
from ..errors import ConfigurationError
from ..settings import setting, Settings

_STEP_M = 0.03
_MOST_STEPS = 64
# A point that comes nearer by less than this is not met: rounding, and sliding along a wall.
_APPROACH_M = 0.005
_STANDING_MPS = 1e-4
_MOST_SIZE_M = 20.0


@dataclass(frozen=True)
class FootprintConfig(Settings):
    """The body of the robot."""

    footprint_radius_m: float = setting(
        0.0,
        'Radius of a round robot about its centre of rotation, in metres. With this or '
        '`footprint`, and depth/scan, the path of each command is judged, too. 0 means unknown: '
        'only what is straight ahead is judged.',
        minimum=0.0,
        maximum=_MOST_SIZE_M,
        read_only=True,
    )
    footprint: str = setting(
        '',
        'Outline of a robot that is not round: corners about its centre of rotation as '
        '[[x, y], ...] in metres, as in Nav2. Replaces footprint_radius_m.',
        read_only=True,
    )
    path_clearance_m: float = setting(
        0.08,
        'Distance between the body and everything beside its path at full speed, in metres.',
        minimum=0.0,
        maximum=5.0,
    )
    path_least_clearance_m: float = setting(
        0.04,
        'The same at path_slow_speed_mps, in metres. The path ends at what would come nearer.',
        minimum=0.0,
        maximum=5.0,
    )
    path_slow_speed_mps: float = setting(
        0.1,
        'Greatest speed of any part of the body past what is nearer than path_clearance_m, in '
        'm/s.',
        minimum=0.01,
        maximum=10.0,
    )

    def __post_init__(self) -> None:
        """Check every setting, and that the outline is one."""
        super().__post_init__()
        self.body()

    def contradiction(self) -> str:
        """Return which two values contradict each other; empty where none do."""
        if self.path_least_clearance_m > self.path_clearance_m:
            return (
                f'path_least_clearance_m must be at most path_clearance_m '
                f'({self.path_clearance_m:g}), got {self.path_least_clearance_m:g}; raise '
                'path_clearance_m or lower path_least_clearance_m'
            )
        return super().contradiction()

    def body(self) -> Body | None:
        """
        Return the body.

        Returns
        -------
        Body or None
            None where it is unknown.

        Raises
        ------
        ConfigurationError
            If the outline is malformed.

        """
        if self.footprint:
            return Body(0.0, _corners(self.footprint))
        return Body(self.footprint_radius_m) if self.footprint_radius_m > 0 else None


def _corners(text: str) -> tuple[tuple[float, float], ...]:
    try:
        corners = tuple((float(x), float(y)) for x, y in json.loads(text))
    except (TypeError, ValueError):
        corners = ()
    if len(corners) < 3 or not all(
        abs(value) <= _MOST_SIZE_M for corner in corners for value in corner
    ):
        raise ConfigurationError(
            'footprint must be [[x, y], ...] with three corners or more, each within '
            f'{_MOST_SIZE_M:g} m, got {text!r}'
        )
    return corners


@dataclass(frozen=True)
class Body:
    """
    The outline of the robot about its centre of rotation.

    Attributes
    ----------
    radius_m : float
        Of a round body; 0 where there are corners.
    corners_m : tuple of (float, float)
        x ahead, y to the left; empty for a round body.

    """

    radius_m: float
    corners_m: tuple[tuple[float, float], ...] = ()

    @property
    def size_m(self) -> float:
        """Return how far the body reaches from its centre of rotation."""
        return self.radius_m or self.reach_m

    @property
    def reach_m(self) -> float:
        """Return how far from the centre of rotation a turn on the spot moves something."""
        return max((math.hypot(*corner) for corner in self.corners_m), default=0.0)

    def clearance_m(self, xy_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Measure how far points are from the body.

        Parameters
        ----------
        xy_m : ndarray of float64, shape (..., 2)
            In the frame of the robot.

        Returns
        -------
        ndarray of float64, shape (...)
            Metres; negative inside.

        """
        x, y = xy_m[..., 0], xy_m[..., 1]
        if not self.corners_m:
            distance_m: NDArray[np.float64] = np.hypot(x, y) - self.radius_m
            return distance_m
        nearest_m = np.full(x.shape, np.inf)
        inside = np.zeros(x.shape, bool)
        for (x1, y1), (x2, y2) in zip(
            self.corners_m, (*self.corners_m[1:], self.corners_m[0]), strict=True
        ):
            dx, dy = x2 - x1, y2 - y1
            length2 = dx * dx + dy * dy
            along = np.clip(((x - x1) * dx + (y - y1) * dy) / (length2 or 1.0), 0.0, 1.0)
            gap_m = np.hypot(x - x1 - along * dx, y - y1 - along * dy)
            nearest_m = np.minimum(nearest_m, gap_m)
            if y1 != y2:
                crosses = (y1 > y) != (y2 > y)
                inside ^= crosses & (x < x1 + (y - y1) * dx / (y2 - y1))
        return np.where(inside, -nearest_m, nearest_m)


def path_speed_mps(velocity: Velocity, body: Body) -> float:
    """Return how fast the fastest point of the body moves, in metres a second; 0 for next to 0."""
    turn_mps = abs(velocity.angular_z) * body.reach_m
    speed_mps = math.hypot(velocity.linear_x, velocity.linear_y) + turn_mps
    return speed_mps if speed_mps > _STANDING_MPS else 0.0


def path_poses(
    velocity: Velocity, body: Body, length_m: float
) -> tuple[NDArray[np.float64], float]:
    """
    Follow a velocity.

    Parameters
    ----------
    velocity : Velocity
        Held all the time; it must move the body.
    body : Body
        Whose fastest point goes `length_m`.
    length_m : float
        How far.

    Returns
    -------
    poses : ndarray of float64, shape (N, 3)
        x, y and heading in the robot's frame of now, the first one of now.
    step_m : float
        By which the fastest point moves from one to the next.

    """
    steps = min(_MOST_STEPS, max(1, math.ceil(length_m / _STEP_M)))
    speed_mps = path_speed_mps(velocity, body)
    times_s = np.linspace(0.0, length_m / speed_mps, steps + 1)
    vx, vy, turn = velocity.linear_x, velocity.linear_y, velocity.angular_z
    angles = turn * times_s
    if abs(turn) * times_s[-1] < 1e-6:
        along, across = times_s, np.zeros_like(times_s)
    else:
        along, across = np.sin(angles) / turn, (1.0 - np.cos(angles)) / turn
    poses = np.column_stack([vx * along - vy * across, vx * across + vy * along, angles])
    return poses, length_m / steps


def meetings_m(
    velocity: Velocity,
    body: Body,
    points_xy_m: NDArray[np.float64],
    clearances_m: NDArray[np.float64],
    length_m: float,
    doubts_m: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """
    Measure how far the body gets before it meets each of some points.

    Parameters
    ----------
    velocity : Velocity
        Held all the time.
    body : Body
        The robot.
    points_xy_m : ndarray of float64, shape (N, 2)
        Obstacles in the robot's frame of now.
    clearances_m : ndarray of float64, shape (N,)
        How far the body must stay away from each.
    length_m : float
        How far to look.
    doubts_m : ndarray of float64, shape (N,), or float
        By how much sooner each may be met.

    Returns
    -------
    ndarray of float64, shape (N,)
        Metres that the fastest point of the body goes; +Inf where a point is not met within
        `length_m`, or nothing moves.

    """
    met_m = np.full(len(points_xy_m), np.inf)
    if not len(met_m) or path_speed_mps(velocity, body) <= 0.0 or length_m <= 0.0:
        return met_m
    reachable = np.hypot(*points_xy_m.T) <= body.size_m + length_m + clearances_m
    points, clearances = points_xy_m[reachable], clearances_m[reachable]
    doubts = np.broadcast_to(np.asarray(doubts_m), clearances_m.shape)[reachable]
    if not len(points):
        return met_m
    poses, step_m = path_poses(velocity, body, length_m)
    cosine, sine = np.cos(poses[:, 2, None]), np.sin(poses[:, 2, None])
    dx = points[None, :, 0] - poses[:, 0, None]
    dy = points[None, :, 1] - poses[:, 1, None]
    relative = np.stack([cosine * dx + sine * dy, cosine * dy - sine * dx], axis=-1)
    gaps_m = body.clearance_m(relative)
    met = (gaps_m < clearances) & (gaps_m < gaps_m[0] - _APPROACH_M)
    last_free = np.maximum(0, met.argmax(axis=0) - 1)
    first_m = np.maximum(0.0, last_free * step_m - doubts)
    met_m[reachable] = np.where(met.any(axis=0), first_m, np.inf)
    return met_m
