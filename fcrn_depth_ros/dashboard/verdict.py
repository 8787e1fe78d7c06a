# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The one word that the page shows large, and why: from what came in, and from what did not.

`alert/level` is published on change and kept for late subscribers. A level of alert_node that has
died would be shown for ever: it counts only while the heartbeat `stop` beats.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
import math

# alert_node beats at 10 Hz at least; as long as the page takes to report a lost connection.
HEARTBEAT_LIMIT_S = 0.7
# A share of near pixels that is older has been judged by alert_node itself, as STALE.
_PROXIMITY_LIMIT_S = 1.0


class Word(Enum):
    """What the page may show. NO_ALERT: nobody judges here, which is not clear either."""

    CLEAR = 'CLEAR'
    CAUTION = 'CAUTION'
    STOP = 'STOP'
    STALE = 'STALE'
    BLIND = 'BLIND'
    DISABLED = 'DISABLED'
    NO_ALERT = 'NO_ALERT'


_WORDS = (Word.CLEAR, Word.CAUTION, Word.STOP, Word.STALE, Word.DISABLED)


@dataclass(frozen=True)
class Heard:
    """
    What has come in of one robot.

    Attributes
    ----------
    level : int or None
        Latest alert/level; None before the first.
    state : str
        Latest alert/state, for people.
    heartbeat_age_s : float
        Since the latest `stop`; +Inf before the first.
    proximity : float
        Latest share of near pixels; NaN means that the picture is unknown.
    proximity_age_s : float
        Since it came; +Inf before the first.

    """

    level: int | None = None
    state: str = ''
    heartbeat_age_s: float = math.inf
    proximity: float = math.nan
    proximity_age_s: float = math.inf


def judge(heard: Heard) -> tuple[Word, str]:
    """
    Choose the word and its reason.

    Parameters
    ----------
    heard : Heard
        Of this moment.

    Returns
    -------
    tuple of (Word, str)
        CLEAR and CAUTION only where the newest picture is known and alert_node beats.

    """
    if heard.heartbeat_age_s == math.inf:
        return Word.NO_ALERT, 'no heartbeat of alert_node has come: nobody judges the distance'
    if heard.heartbeat_age_s > HEARTBEAT_LIMIT_S:
        last = f'; its last word was {heard.state}' if heard.state else ''
        return Word.STALE, f'alert_node has been silent for {heard.heartbeat_age_s:.1f} s{last}'
    if heard.level is None or not 0 <= heard.level < len(_WORDS):
        return Word.STALE, f'alert/level must be 0 to 4, got {heard.level}'
    word = _WORDS[heard.level]
    reason = heard.state.removeprefix(f'{word.value}: ')
    is_blind = math.isnan(heard.proximity) and heard.proximity_age_s <= _PROXIMITY_LIMIT_S
    if is_blind and word is not Word.DISABLED:
        stopped = word in (Word.STOP, Word.STALE)
        return Word.BLIND, reason if stopped else 'the newest picture gives no distance'
    return word, reason
