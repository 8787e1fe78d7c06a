# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a rule says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class AlertState(IntEnum):
    """What the robot may do, mildest first; DISABLED stands for itself."""

    DISABLED = -1
    CLEAR = 0
    CAUTION = 1
    STOP = 2
    STALE = 3


@dataclass(frozen=True)
class Verdict:
    """
    What one rule, or all of them, ask for.

    Attributes
    ----------
    state : AlertState
        The demand.
    cause : str
        A word that stays the same while the demand does.
    reason : str
        A sentence for a person, with figures.

    """

    state: AlertState
    cause: str
    reason: str
