# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The states of the alert, and what one rule demands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class AlertState(IntEnum):
    """
    What the robot may do. The numbers are those of the topic `alert/level`.

    CLEAR to STALE are ordered by severity. DISABLED is outside this order: nothing is checked.
    """

    CLEAR = 0
    CAUTION = 1
    STOP = 2
    STALE = 3
    DISABLED = 4

    @property
    def is_stop(self) -> bool:
        """Return whether no motion toward the obstacle is allowed."""
        return self in (AlertState.STOP, AlertState.STALE)


@dataclass(frozen=True)
class Verdict:
    """
    What one rule, or all of them together, demand.

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
