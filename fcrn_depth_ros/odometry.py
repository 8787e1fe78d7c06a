# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""One message of the robot's odometry, as it came, and what may be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
import math

# Farther than this from its origin no odometry places a robot, in metres.
MOST_DISTANT_M = 1e6


@dataclass(frozen=True)
class OdometryReading:
    """
    Where the robot's odometry places it.

    Attributes
    ----------
    stamp_ns : int or None
        On the clock of the stamps, in nanoseconds; None where the stamp is malformed.
    position_m : tuple of 3 float
        Of the robot's origin in the frame of the odometry.
    quaternion_xyzw : tuple of 4 float
        From the robot's frame to that of the odometry.

    """

    stamp_ns: int | None
    position_m: tuple[float, float, float]
    quaternion_xyzw: tuple[float, float, float, float]

    def flaw(self) -> str:
        """
        Return what is wrong with the values.

        Returns
        -------
        str
            Empty when they are a time and a pose.

        """
        if self.stamp_ns is None or self.stamp_ns <= 0:
            return f'stamp must be a time after 0, got {self.stamp_ns} ns'
        if not all(abs(value) <= MOST_DISTANT_M for value in self.position_m):  # catches NaN
            return f'position must be within {MOST_DISTANT_M:g} m, got {self.position_m}'
        if not 0.9 < math.hypot(*self.quaternion_xyzw) < 1.1:
            return f'orientation must be a unit quaternion, got {self.quaternion_xyzw}'
        return ''

    @property
    def heading_rad(self) -> float:
        """Return the angle of the robot's forward axis about the vertical, left positive."""
        x, y, z, w = self.quaternion_xyzw
        return math.atan2(2.0 * (w * z + x * y), w * w + x * x - y * y - z * z)


def planar_odometry(stamp_ns: int, x_m: float, y_m: float, heading_rad: float) -> OdometryReading:
    """Return the reading of a robot on a level floor."""
    half = heading_rad / 2
    return OdometryReading(stamp_ns, (x_m, y_m, 0.0), (0.0, 0.0, math.sin(half), math.cos(half)))
