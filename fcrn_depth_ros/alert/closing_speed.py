# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The speed of approach: a trend of distances that is robust against noise and jumps."""

from __future__ import annotations

from collections.abc import Sequence
import itertools
import math
from statistics import median

# Three pairs in each half are the least from which a median rejects one wrong pair.
MIN_SAMPLES = 6
# Slower than this is standing still: noise on a long distance would look like an approach.
MIN_CLOSING_MPS = 0.1


Sample = tuple[float, float]


def time_to_collision(samples: Sequence[Sample]) -> float:
    """
    Extrapolate the distance of the last seconds to zero.

    Parameters
    ----------
    samples : sequence of (float, float)
        Time in seconds, ascending, and distance in metres.

    Returns
    -------
    float
        Seconds from the last sample; +Inf when nothing comes nearer, or too little is known.

    """
    if len(samples) < MIN_SAMPLES:
        return math.inf
    half = len(samples) // 2
    # An obstacle that steps into view is a jump, not an approach: a jump can bend the trend of
    # one half, an approach shows in both.
    closing_mps = -max(map(theil_sen_slope, (samples, samples[:half], samples[half:])))
    if closing_mps < MIN_CLOSING_MPS:
        return math.inf
    return samples[-1][1] / closing_mps


def theil_sen_slope(samples: Sequence[Sample]) -> float:
    """
    Fit a line by the median of the slopes of all pairs: a few outliers do not move it.

    Parameters
    ----------
    samples : sequence of (float, float)
        Time, ascending, and value.

    Returns
    -------
    float
        Change of value per second; 0 when no two times differ.

    """
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in itertools.combinations(samples, 2)
        if later[0] > earlier[0]
    ]
    return median(slopes) if slopes else 0.0
