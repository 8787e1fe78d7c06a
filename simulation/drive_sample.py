# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""One moment of a drive."""

from __future__ import annotations

from dataclasses import dataclass

MOVING_MPS = 0.05
STANDING_MPS = 0.005


@dataclass(frozen=True)
class DriveSample:
    """
    One moment of a drive.

    Attributes
    ----------
    time_s : float
        Simulated time since the start of the drive.
    x_m, y_m, heading_rad, speed_mps : float
        Pose and speed of the robot.
    commanded_mps : float
        What the alert let through.
    stop : bool
        Latest of `stop`.
    state : str
        Latest of `alert/state`.
    clearance_m : float
        From the robot's body to the nearest thing.
    free_path_m : float
        Straight ahead from its front.
    true_nearest_m, reported_nearest_m : float
        What perception makes of the true depth, and the latest of `proximity/range`.
    is_unknown : bool
        Whether the latest picture gave no distance.

    """

    time_s: float
    x_m: float
    y_m: float
    heading_rad: float
    speed_mps: float
    commanded_mps: float
    stop: bool
    state: str
    clearance_m: float
    free_path_m: float
    true_nearest_m: float
    reported_nearest_m: float
    is_unknown: bool = False
