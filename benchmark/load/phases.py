# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How a clock and the stamps of a camera go wrong, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

_HOUR_S = 3600.0


@dataclass(frozen=True)
class Phase:
    """
    A few seconds of a clock.

    Attributes
    ----------
    name : str
        For people.
    jump_s : float
        Of the clock, at the beginning.
    clock_runs : bool
        Whether it goes on after that.
    stamp_offset_s : float
        Of the pictures, against the clock.
    must_stop : bool
        Whether alert_node must hold the robot at the end of it.

    """

    name: str
    jump_s: float = 0.0
    clock_runs: bool = True
    stamp_offset_s: float = 0.0
    must_stop: bool = False


PHASES = (
    Phase('as it should be'),
    Phase('an hour ahead', jump_s=_HOUR_S),
    Phase('two hours back', jump_s=-2.0 * _HOUR_S),
    Phase('standing still', clock_runs=False, must_stop=True),
    Phase('running again'),
    Phase('pictures an hour old', stamp_offset_s=-_HOUR_S, must_stop=True),
    Phase('pictures an hour ahead', stamp_offset_s=_HOUR_S, must_stop=True),
    Phase('right again'),
)
