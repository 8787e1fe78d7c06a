# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What drivers with a plan ask for, and when they are done."""

from __future__ import annotations

from dataclasses import replace
import math

from simulation.drive_sample import DriveSample
from simulation.manoeuvres import TurnRoundAndReverse

AHEAD = DriveSample(0.0, 0.0, 0.0, 0.0, 0.5, 0.5, False, 'CLEAR', 0.5, 2.0, 2.0, 2.0)


def test_who_reverses_is_done_where_the_robot_stands_and_not_while_it_creeps() -> None:
    driver = TurnRoundAndReverse(1.0)
    assert driver.command(AHEAD)[0] > 0.0
    near = replace(AHEAD, time_s=1.0, free_path_m=0.9)
    assert driver.command(near)[0] == 0.0
    turned = replace(near, time_s=5.0, heading_rad=math.pi, speed_mps=0.0)
    assert driver.command(turned)[0] < 0.0
    driver.command(replace(turned, time_s=10.0))
    assert not driver.is_done
    driver.command(replace(turned, time_s=12.0, speed_mps=-0.1))
    assert not driver.is_done
    # It stands, and is about to move.
    driver.command(replace(turned, time_s=12.5))
    assert not driver.is_done
    driver.command(replace(turned, time_s=13.0, stop=True))
    assert driver.is_done
