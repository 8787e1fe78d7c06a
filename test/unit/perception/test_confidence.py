# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Low confidence makes a frame unknown, and never clear."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimate
from fcrn_depth_ros.perception.confidence import ConfidenceConfig, never_clear, unsure_pixels
from fcrn_depth_ros.perception.observation import CameraFrame, Observation
from fcrn_depth_ros.perception.pipeline import FrameConfig, PerceptionConfig, PerceptionPipeline
from fcrn_depth_ros.perception.proximity import ProximityConfig, ProximityEstimate
from fcrn_depth_ros.perception.scan import depth_to_scan, ScanConfig
import numpy as np
from numpy.typing import NDArray
import pytest

CAMERA = CameraIntrinsics(32.0, 32.0, 15.5, 11.5, 32, 24)
PICTURE = np.kron(
    np.random.default_rng(0).integers(20, 220, (6, 8, 1)), np.ones((8, 8, 3))
).astype(np.uint8)


def estimate_of(
    depth_m: NDArray[np.float32] | float, confidence: NDArray[np.float32] | float | None
) -> DepthEstimate:
    depth = np.broadcast_to(np.float32(depth_m), (24, 32)).copy()
    sure = None
    if confidence is not None:
        sure = np.where(np.isnan(depth), depth, np.float32(confidence))
    return DepthEstimate(depth, True, CAMERA, True, None, True, 'network', confidence=sure)


class Source:
    """A depth source with one answer."""

    name, is_metric = 'fake', True

    def __init__(self, estimate: DepthEstimate) -> None:
        self._estimate = estimate

    def estimate(self, *_: Any, **__: Any) -> DepthEstimate:
        return self._estimate

    def unknown(self, *_: Any, **__: Any) -> DepthEstimate:
        return self._estimate.without_depth()


def seen_with(threshold: float, estimate: DepthEstimate, **proximity: Any) -> Observation:
    config = PerceptionConfig(
        frames=FrameConfig(frozen_frame_count=0),
        proximity=ProximityConfig(**proximity),
        confidence=ConfidenceConfig(threshold),
    )
    pipeline = PerceptionPipeline(lambda _: Source(estimate), config)
    return pipeline.observe(CameraFrame(PICTURE, 1))


@pytest.mark.parametrize('threshold', [-0.01, 1.01, math.nan])
def test_a_threshold_is_a_share(threshold: float) -> None:
    with pytest.raises(ConfigurationError, match='confidence_threshold'):
        ConfidenceConfig(threshold)


def test_both_sides_of_the_threshold() -> None:
    sure = np.full((24, 32), 0.5, np.float32)
    sure[3, 4] = np.nextafter(np.float32(0.5), np.float32(0.0))
    depth = np.full((24, 32), 2.0, np.float32)
    depth[7, 7] = np.nan
    estimate = estimate_of(depth, sure)
    unsure = unsure_pixels(estimate, ConfidenceConfig(0.5))
    assert unsure is not None
    assert np.argwhere(unsure).tolist() == [[3, 4]]
    seen = seen_with(0.5, estimate)
    assert np.argwhere(np.isnan(seen.depth_m)).tolist() == [[3, 4], [7, 7]]
    assert seen.estimate.depth_m[3, 4] == 2.0


def test_no_threshold_and_no_confidence_change_nothing() -> None:
    for threshold, confidence in ((0.0, 0.0), (1.0, None)):
        seen = seen_with(threshold, estimate_of(2.0, confidence))
        assert seen.unsure is None
        assert (seen.depth_m == 2.0).all()
        assert seen.nearest_m == pytest.approx(2.0)


@pytest.mark.parametrize('near_m', [0.3, 0.99])
def test_low_confidence_never_takes_a_near_reading_away(near_m: float) -> None:
    depth = np.full((24, 32), 3.0, np.float32)
    depth[8:16, 10:20] = near_m
    for confidence in (0.0, np.where(depth < 1.0, 0.0, 1.0)):
        plain = seen_with(0.0, estimate_of(depth, confidence))
        seen = seen_with(0.9, estimate_of(depth, confidence))
        assert np.isnan(seen.depth_m[depth < 1.0]).all()
        assert seen.nearest_m == plain.nearest_m == pytest.approx(near_m)
        assert seen.proximity == plain.proximity
        assert seen.unknown_reason == ''
        config = ProximityConfig()
        assert (seen.near_pixels(config) == (depth < 1.0)).all()


def test_a_frame_near_by_its_share_alone_stays_near() -> None:
    depth = np.full((24, 32), 3.0, np.float32)
    depth[:2] = 0.9
    seen = seen_with(0.5, estimate_of(depth, 0.1), nearest_percentile=50.0)
    assert seen.proximity.proximity == pytest.approx(2 / 24)
    assert seen.nearest_m == pytest.approx(3.0)


@pytest.mark.parametrize(('unsure_rows', 'is_known'), [(7, True), (8, False)])
def test_a_free_frame_needs_enough_that_is_sure(unsure_rows: int, is_known: bool) -> None:
    # min_valid_fraction 0.7: 24 rows may have 7 that are unsure, 8 are a third.
    sure = np.ones((24, 32), np.float32)
    sure[:unsure_rows] = 0.2
    seen = seen_with(0.3, estimate_of(3.0, sure))
    assert seen.proximity.is_known == is_known
    assert math.isnan(seen.nearest_m) == (not is_known)
    assert seen.proximity.is_near(ProximityConfig()) == (not is_known)
    if not is_known:
        assert 'only 67% of the region of interest' in seen.unknown_reason
        assert 'confidence_threshold' in seen.unknown_reason
    # The same rows outside of the region of interest do not matter.
    assert seen_with(0.3, estimate_of(3.0, sure), roi_top=0.4).proximity.is_known


def test_what_has_no_depth_and_what_is_unsure_add_up() -> None:
    unsure = np.zeros((10, 10), bool)
    unsure[:2] = True
    found = ProximityEstimate(0.0, 5.0, 0.85)
    kept = never_clear(found, unsure, ProximityConfig(min_valid_fraction=0.64))
    assert kept is found
    lost = never_clear(found, unsure, ProximityConfig(min_valid_fraction=0.66))
    assert not lost.is_known
    assert lost.valid_fraction == pytest.approx(0.65)


def test_an_unsure_pixel_frees_no_bearing_and_stays_an_obstacle() -> None:
    depth = np.full((24, 32), 20.0, np.float32)
    depth[:, 4:8] = 2.0
    unsure = np.zeros((24, 32), bool)
    unsure[:, :16] = True
    plain = depth_to_scan(depth, CAMERA, ScanConfig()).ranges_m
    scan = depth_to_scan(depth, CAMERA, ScanConfig(), None, unsure).ranges_m
    found = np.isfinite(plain)
    assert found.any()
    assert (scan[found] == plain[found]).all()
    # Bearings grow to the left, where the pixels are unsure.
    left = np.arange(len(scan)) > len(scan) // 2 + 1
    assert np.isnan(scan[left & ~found]).all()
    right = np.arange(len(scan)) < len(scan) // 2 - 1
    assert np.isinf(scan[right]).all()


def test_a_frozen_picture_is_unknown_as_a_whole() -> None:
    estimate = dataclasses.replace(estimate_of(0.4, 0.1), floor=np.ones((24, 32), np.float32))
    config = PerceptionConfig(
        frames=FrameConfig(frozen_frame_count=1), confidence=ConfidenceConfig(0.5)
    )
    pipeline = PerceptionPipeline(lambda _: Source(estimate), config)
    pipeline.observe(CameraFrame(PICTURE, 1))
    seen = pipeline.observe(CameraFrame(PICTURE, 2))
    assert seen.is_frozen and seen.unsure is None
    assert np.isnan(seen.depth_m).all()
    assert seen.estimate.confidence is not None and np.isnan(seen.estimate.confidence).all()
    assert seen.estimate.floor is not None and (seen.estimate.floor == 0.0).all()
