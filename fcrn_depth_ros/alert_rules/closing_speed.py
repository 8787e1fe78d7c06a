"""How fast is the nearest surface coming: a trend that noise and jumps do not fool."""

from __future__ import annotations

from collections.abc import Sequence
import math
from statistics import median

# Three pairs in each half are the least from which a median rejects one wrong pair.
MIN_SAMPLES = 6
# Slower than this is standing still: noise on a long distance would look like an approach.
MIN_CLOSING_MPS = 0.1


def time_to_collision(times_s: Sequence[float], distances_m: Sequence[float]) -> float:
    """
    Extrapolate the distance of the last seconds to zero.

    Parameters
    ----------
    times_s : sequence of float
        When each distance was measured, ascending.
    distances_m : sequence of float
        The distances, as many.

    Returns
    -------
    float
        Seconds from the last sample; +Inf when nothing comes nearer, or too little is known.

    """
    if len(times_s) < MIN_SAMPLES:
        return math.inf
    half = len(times_s) // 2
    # An obstacle that steps into view is a jump, not an approach: a jump can bend the trend of
    # one half, an approach shows in both.
    closing_mps = -max(
        theil_sen_slope(times_s[part], distances_m[part])
        for part in (slice(None), slice(None, half), slice(half, None))
    )
    if closing_mps < MIN_CLOSING_MPS:
        return math.inf
    return distances_m[-1] / closing_mps


def theil_sen_slope(times_s: Sequence[float], values: Sequence[float]) -> float:
    """
    Fit a line by the median of the slopes of all pairs: a few outliers do not move it.

    Parameters
    ----------
    times_s, values : sequence of float
        Ascending times and as many values.

    Returns
    -------
    float
        Change of value per second; 0 when no two times differ.

    """
    slopes = [
        (values[later] - values[earlier]) / (times_s[later] - times_s[earlier])
        for later in range(len(times_s))
        for earlier in range(later)
        if times_s[later] > times_s[earlier]
    ]
    return median(slopes) if slopes else 0.0
