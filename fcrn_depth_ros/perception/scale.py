# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Whether the metres of a depth map can be relied on."""

from __future__ import annotations

from dataclasses import dataclass
import math

from ..estimation.depth_estimator import DepthEstimate
from ..scale.keeper import MOUNTING_SIGMA, ScaleReport

# AbsRel of fcrn_lite where the mounting is known (docs/model_card.md, `val`, mounting fitted).
VERIFIED_RELATIVE_SIGMA = MOUNTING_SIGMA
# What is left of the error of a pixel where the scale of the whole picture is right.
SHAPE_SIGMA = 0.12


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
    report : ScaleReport or None
        What the witnesses say; None where nobody asked them.

    """

    relative_sigma: float
    doubts: tuple[str, ...] = ()
    report: ScaleReport | None = None

    @property
    def state(self) -> str:
        """Whether the scale is verified, unverified, or contradicted by a witness."""
        if self.report is not None and self.report.judgement.state == 'contradicted':
            return 'contradicted'
        return 'verified' if self.verified else 'unverified'

    @property
    def verified(self) -> bool:
        """Whether nothing speaks against the scale."""
        return not self.doubts

    @property
    def factor(self) -> float:
        """By which the depth of the network was multiplied."""
        return 1.0 if self.report is None else self.report.factor

    def __str__(self) -> str:
        report = self.report
        said = () if report is None else report.judgement.opinions
        parts = [self.state if self.reason == '' else f'{self.state}: {self.reason}']
        if self.verified:
            parts[0] += f' within {self.relative_sigma:.0%}'
        parts += [str(opinion) for opinion in said]
        if report is not None:
            parts.append(f'factor {report.factor:.2f}')
            if report.found is not None:
                parts.append(f'mounting found by driving: {report.found.mounting}')
            if report.motion.silence:
                parts.append(f'motion: {report.motion.silence}')
            if report.beam.silence not in ('', 'no range hint'):
                parts.append(f'range: {report.beam.silence}')
            if report.scan.silence not in ('', 'no scan hint'):
                parts.append(f'scan: {report.scan.silence}')
        return '; '.join(parts)

    @property
    def reason(self) -> str:
        """Why the scale is unverified, as one line; empty where it is verified."""
        return '; '.join(self.doubts)


def assess_scale(estimate: DepthEstimate, report: ScaleReport | None = None) -> ScaleAssessment:
    """
    Judge the scale of one depth map.

    Parameters
    ----------
    estimate : DepthEstimate
        The depth map and how it came about.
    report : ScaleReport, optional
        What the witnesses of scale say about it.

    Returns
    -------
    ScaleAssessment
        Verified where both the focal length and the mounting were used, and the network knows
        such cameras from its training; or where a witness measured the scale. Never where
        witnesses contradict each other.

    """
    judgement = None if report is None else report.judgement
    if judgement is not None and judgement.state == 'contradicted':
        return ScaleAssessment(math.nan, (judgement.reason,), report)
    if judgement is not None and judgement.state == 'verified' and judgement.is_measured:
        return ScaleAssessment(math.hypot(judgement.sigma, SHAPE_SIGMA), report=report)
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
        return ScaleAssessment(math.nan, tuple(doubts), report)
    return ScaleAssessment(VERIFIED_RELATIVE_SIGMA, report=report)
