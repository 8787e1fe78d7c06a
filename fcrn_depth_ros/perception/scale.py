# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Whether the metres of a depth map can be relied on."""

from __future__ import annotations

from dataclasses import dataclass
import math

from ..estimation.depth_estimator import DepthEstimate

# AbsRel of fcrn_lite where the mounting is known (docs/model_card.md, `val`, mounting fitted).
VERIFIED_RELATIVE_SIGMA = 0.15


@dataclass(frozen=True)
class ScaleAssessment:
    """
    What speaks for the metric scale, and against it.

    Attributes
    ----------
    relative_sigma : float
        Standard deviation of the scale as a share of it; NaN while it is unverified.
    doubts : tuple of str
        Why the scale is unverified; empty where it is verified.

    """

    relative_sigma: float
    doubts: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether nothing speaks against the scale."""
        return not self.doubts

    @property
    def reason(self) -> str:
        """Why the scale is unverified, as one line; empty where it is verified."""
        return '; '.join(self.doubts)


def assess_scale(estimate: DepthEstimate) -> ScaleAssessment:
    """
    Judge the scale of one depth map.

    Parameters
    ----------
    estimate : DepthEstimate
        The depth map and how it came about.

    Returns
    -------
    ScaleAssessment
        Verified where both the focal length and the mounting were used, and the network knows
        such cameras from its training.

    """
    doubts: list[str] = []
    if not estimate.is_metric:
        doubts.append('the model gives relative depth')
    else:
        if not estimate.focal_corrected:
            doubts.append('no focal length was used, the field of view is assumed')
        if estimate.mounting_used == 'none':
            doubts.append(
                'the mounting is unknown, set camera_height_m and camera_pitch_deg'
                if estimate.inverse_floor_depth is None
                else 'the mounting is known, but no floor is in view to fix the scale with'
            )
        doubts += estimate.range_doubts
    if doubts:
        return ScaleAssessment(math.nan, tuple(doubts))
    return ScaleAssessment(VERIFIED_RELATIVE_SIGMA)
