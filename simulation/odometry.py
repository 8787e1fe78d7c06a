# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a robot feels of its own motion and of what is ahead: wheels that lie, one beam."""

from __future__ import annotations

from dataclasses import dataclass
import math

from fcrn_depth_ros.odometry import OdometryReading, planar_odometry
import numpy as np

MOST_BIAS = 0.03  # of the wheels' circumference, and of the track width
_NOISE = 0.03  # of each step
_SLIPS_PER_M = 0.15
_SLIP_M = 0.06  # how far the wheels turn while they slip
_BEAM_NOISE, _BEAM_NOISE_M = 0.01, 0.005
BEAM_MAX_M = 4.0


@dataclass(frozen=True)
class Sensors:
    """
    What a robot has and knows beside its camera.

    Attributes
    ----------
    mounting : str
        given, unknown, or wrong: its height by `mounting_error`, its pitch by `pitch_error_deg`,
        up or down.
    mounting_error : float
        Relative.
    pitch_error_deg : float
        Degrees.
    odometry : bool
        Whether it has wheel odometry.
    range_hint : bool
        Whether it has a range sensor: one beam ahead, beside the camera.

    """

    mounting: str = 'given'
    mounting_error: float = 0.3
    odometry: bool = False
    range_hint: bool = False
    pitch_error_deg: float = 0.0


class WheelOdometry:
    """
    Dead reckoning of a wheeled robot.

    Distance and angle have a constant bias each, of up to 3 %, every step has noise, and now and
    then the wheels slip: they turn, and the robot hardly moves.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every error.

    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.distance_bias, self.angle_bias = rng.uniform(-MOST_BIAS, MOST_BIAS, 2).tolist()
        self._x_m = self._y_m = self._heading_rad = 0.0
        self._slip_left_m = 0.0

    def move(self, distance_m: float, angle_rad: float) -> None:
        """
        Take one true step.

        Parameters
        ----------
        distance_m, angle_rad : float
            Ahead, and to the left.

        """
        if self._slip_left_m <= 0.0 and self._rng.random() < _SLIPS_PER_M * abs(distance_m):
            self._slip_left_m = _SLIP_M
        noise = 1.0 + _NOISE * self._rng.standard_normal(2)
        felt_m = distance_m * (1.0 + self.distance_bias) * noise[0]
        felt_rad = angle_rad * (1.0 + self.angle_bias) * noise[1]
        if self._slip_left_m > 0.0:  # one wheel turns twice as far as the floor goes by
            felt_m *= 1.5
            felt_rad += 0.5 * distance_m / 0.3
            self._slip_left_m -= abs(felt_m)
        middle_rad = self._heading_rad + felt_rad / 2
        self._x_m += felt_m * math.cos(middle_rad)
        self._y_m += felt_m * math.sin(middle_rad)
        self._heading_rad += felt_rad

    def reading(self, stamp_ns: int) -> OdometryReading:
        """Return the message of now."""
        return planar_odometry(stamp_ns, self._x_m, self._y_m, self._heading_rad)


def beam(true_m: float, rng: np.random.Generator) -> float:
    """Return what a range sensor makes of a distance; +Inf where nothing is within its reach."""
    felt_m = true_m * (1.0 + _BEAM_NOISE * rng.standard_normal())
    felt_m += _BEAM_NOISE_M * rng.standard_normal()
    return max(0.0, felt_m) if felt_m < BEAM_MAX_M else math.inf
