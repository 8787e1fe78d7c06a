# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a frame means: known or unknown, why, and with which scale."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path
from typing import Any

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
from fcrn_depth_ros.camera.rectification import LensCalibration
from fcrn_depth_ros.errors import ConfigurationError, FrameError
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimate, EstimationConfig
from fcrn_depth_ros.estimation.onnx_model import load_onnx_model
from fcrn_depth_ros.estimation.stopwatch import Stage, Stopwatch
from fcrn_depth_ros.perception.floor import FloorConfig, HIDDEN_BASE_SIGMA
from fcrn_depth_ros.perception.looming import LoomingConfig
from fcrn_depth_ros.perception.observation import CameraFrame
from fcrn_depth_ros.perception.pipeline import FrameConfig, PerceptionConfig, PerceptionPipeline
from fcrn_depth_ros.perception.proximity import ProximityConfig
from fcrn_depth_ros.perception.quality import QualityConfig
from fcrn_depth_ros.perception.scale import SHAPE_SIGMA, VERIFIED_RELATIVE_SIGMA
from fcrn_depth_ros.scale.level_lines import LevelWatch
import numpy as np
from numpy.typing import NDArray
import pytest
from tiny_models import tiny_card, write_model

CAMERA = CameraIntrinsics(64.0, 64.0, 31.5, 23.5, 64, 48)
CALIBRATION = LensCalibration.of_raw_picture(CAMERA)
MOUNTING = CameraMounting(0.5, 10.0)


class Source:
    """A depth source that returns one depth everywhere, and counts how often it is asked."""

    name = 'fake'

    def __init__(self, depth_m: float = 2.0, is_metric: bool = True) -> None:
        self.depth_m, self.is_metric = depth_m, is_metric
        self.estimates = 0
        self.unknowns = 0
        self.range_doubts: tuple[str, ...] = ()
        self.seen: NDArray[np.uint8] | None = None
        self.floor: NDArray[np.float32] | None = None
        self.inverse_floor = np.zeros((24, 32), np.float32)

    def _result(self, depth_m: float, intrinsics: Any, mounting: Any) -> DepthEstimate:
        return DepthEstimate(
            depth_m=np.full((24, 32), depth_m, np.float32),
            is_metric=self.is_metric,
            intrinsics=CAMERA.scaled_to(32, 24),
            is_camera_known=intrinsics is not None,
            inverse_floor_depth=None if mounting is None else self.inverse_floor,
            floor=self.floor,
            focal_corrected=intrinsics is not None,
            mounting_used='none' if mounting is None else 'network',
            range_doubts=self.range_doubts,
        )

    def estimate(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: Any = None,
        mounting: Any = None,
        stopwatch: Stopwatch | None = None,
    ) -> DepthEstimate:
        self.estimates += 1
        self.seen = image_rgb
        return self._result(self.depth_m, intrinsics, mounting)

    def unknown(
        self, image_rgb: NDArray[np.uint8], intrinsics: Any = None, mounting: Any = None
    ) -> DepthEstimate:
        self.unknowns += 1
        return self._result(math.nan, intrinsics, mounting)


def picture(seed: int = 0) -> NDArray[np.uint8]:
    blocks = np.random.default_rng(seed).integers(20, 220, (6, 8, 1))
    return np.kron(blocks, np.ones((8, 8, 3))).astype(np.uint8)


def frame(stamp_ns: int = 1, seed: int = 0, **changes: Any) -> CameraFrame:
    settings: dict[str, Any] = {'calibration': CALIBRATION, 'mounting': MOUNTING} | changes
    return CameraFrame(picture(seed), stamp_ns, **settings)


def pipeline(source: Source, **frames: Any) -> PerceptionPipeline:
    return PerceptionPipeline(lambda _: source, PerceptionConfig(frames=FrameConfig(**frames)))


def test_a_good_frame_is_known_and_verified() -> None:
    seen = pipeline(Source()).observe(frame(7))
    assert (seen.stamp_ns, seen.picture_stamp_ns) == (7, 7)
    assert seen.nearest_m == pytest.approx(2.0)
    assert seen.unknown_reason == '' and not seen.is_frozen
    assert seen.scale.verified and seen.scale.reason == ''
    assert seen.range_variance_m2 == pytest.approx((VERIFIED_RELATIVE_SIGMA * 2.0) ** 2)


@pytest.mark.parametrize(('nearest_sigma', 'is_verified'), [(0.19, True), (0.21, False)])
def test_a_reading_beyond_what_was_measured_is_unverified(
    nearest_sigma: float, is_verified: bool
) -> None:
    seen = dataclasses.replace(pipeline(Source()).observe(frame()), nearest_sigma=nearest_sigma)
    assert (seen.range_variance_m2 > 0.0) is is_verified
    if is_verified:
        sigma = math.hypot(nearest_sigma, SHAPE_SIGMA)
        assert seen.range_variance_m2 == pytest.approx((sigma * 2.0) ** 2)


def test_a_distance_of_nothing_is_no_unknown_variance() -> None:
    assert pipeline(Source(1e-6)).observe(frame()).range_variance_m2 > 0.0


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (
            {'calibration': None},
            'no focal length was used, the field of view is assumed',
        ),
        (
            {'mounting': None},
            'the mounting is unknown, set camera_height_m and camera_pitch_deg',
        ),
    ],
)
def test_the_scale_says_why_it_is_unverified(changes: dict[str, Any], reason: str) -> None:
    seen = pipeline(Source()).observe(frame(**changes))
    assert not seen.scale.verified and seen.scale.reason == reason
    assert math.isnan(seen.scale.relative_sigma)
    assert seen.range_variance_m2 == 0.0 and seen.nearest_m == pytest.approx(2.0)


def test_a_camera_outside_of_the_trained_range_is_unverified() -> None:
    source = Source()
    source.range_doubts = ('camera roll 40 is outside',)
    seen = pipeline(source).observe(frame())
    assert seen.scale.reason == 'camera roll 40 is outside'
    assert seen.range_variance_m2 == 0.0


def test_a_known_mounting_without_a_floor_in_view_is_unverified() -> None:
    source = Source()
    found = source.estimate(picture(), CAMERA, MOUNTING)
    source.estimate = lambda *_: dataclasses.replace(found, mounting_used='none')  # type: ignore
    assert pipeline(source).observe(frame()).scale.reason == (
        'the mounting is known, but no floor is in view to fix the scale with'
    )


def test_the_scale_follows_the_mounting_from_frame_to_frame() -> None:
    observed = pipeline(Source())
    verified = [
        observed.observe(frame(stamp_ns, seed=0, mounting=mounting)).scale.verified
        for stamp_ns, mounting in ((1, MOUNTING), (2, None), (3, MOUNTING))
    ]
    assert verified == [True, False, True]


@pytest.mark.parametrize(('level', 'reason'), [(0, 'dark'), (128, 'featureless'), (255, 'over')])
def test_a_picture_of_nothing_is_unknown_and_costs_no_inference(level: int, reason: str) -> None:
    source = Source()
    blank = np.full((48, 64, 3), level, np.uint8)
    seen = pipeline(source).observe(dataclasses.replace(frame(), image_rgb=blank))
    assert reason in seen.unknown_reason and not seen.quality.usable
    assert math.isnan(seen.nearest_m) and np.isnan(seen.depth_m).all()
    assert (source.estimates, source.unknowns) == (0, 1)
    assert seen.estimate.is_camera_known and seen.estimate.inverse_floor_depth is not None
    assert seen.range_variance_m2 == 0.0


def test_too_little_depth_is_unknown_with_its_share() -> None:
    seen = pipeline(Source(math.nan)).observe(frame())
    assert seen.unknown_reason.startswith('only 0% of the region of interest')


def test_repeated_frames_cost_no_inference_and_grow_old() -> None:
    source = Source()
    observed = pipeline(source, frozen_frame_count=3)
    seen = [observed.observe(frame(stamp_ns)) for stamp_ns in (10, 20, 30, 40, 50)]
    assert source.estimates == 1
    assert [one.stamp_ns for one in seen] == [10, 20, 30, 40, 50]
    assert {one.picture_stamp_ns for one in seen} == {10}
    assert [one.is_frozen for one in seen] == [False, False, False, True, True]
    assert seen[3].unknown_reason == (
        'the last 4 frames are identical, the camera seems frozen (frozen_frame_count: 0 turns '
        'this off; a still simulation needs it)'
    )
    assert np.isnan(seen[3].depth_m).all() and math.isnan(seen[3].nearest_m)
    assert not np.isnan(seen[2].depth_m).any()
    moved = observed.observe(frame(60, seed=1))
    assert (moved.is_frozen, moved.picture_stamp_ns, source.estimates) == (False, 60, 2)


def test_the_same_pixels_of_another_camera_are_looked_at_again() -> None:
    source = Source()
    observed = pipeline(source)
    observed.observe(frame(1))
    observed.observe(frame(2, calibration=LensCalibration.of_raw_picture(CAMERA)))
    assert source.estimates == 1
    observed.observe(frame(3, mounting=None))
    observed.observe(frame(4, mounting=None, calibration=None))
    wider = dataclasses.replace(CAMERA, fx_px=50.0)
    observed.observe(frame(5, calibration=LensCalibration.of_raw_picture(wider)))
    assert source.estimates == 4


def test_repeats_are_told_by_what_the_camera_sent() -> None:
    source = Source()
    observed = pipeline(source)
    observed.observe(frame(1, content=b'one'))
    observed.observe(frame(2, content=b'two'))
    assert source.estimates == 2
    assert observed.observe(frame(3, seed=1, content=b'two')).picture_stamp_ns == 2


def test_without_a_limit_repeats_are_ordinary_frames() -> None:
    source = Source()
    observed = pipeline(source, frozen_frame_count=0)
    seen = [observed.observe(frame(stamp_ns)) for stamp_ns in (1, 2, 3)]
    assert [one.picture_stamp_ns for one in seen] == [1, 2, 3]
    assert source.estimates == 3


def test_a_restart_forgets_repeats() -> None:
    source = Source()
    observed = pipeline(source, frozen_frame_count=1)
    observed.observe(frame(1))
    assert observed.observe(frame(2)).is_frozen
    observed.restart()
    assert not observed.observe(frame(3)).is_frozen


@pytest.mark.parametrize(('waited_s', 'refused'), [(0.0, True), (0.99, True), (1.0, False)])
def test_a_calibration_is_waited_for(waited_s: float, refused: bool) -> None:
    observed = pipeline(Source(), camera_info_wait_s=1.0)
    awaited = {'calibration': None, 'awaits_calibration': True}
    with pytest.raises(
        FrameError,
        match=r'^camera_info must come with the image, got none yet; publish it beside',
    ):
        observed.observe(frame(1, arrival_s=50.0, **awaited))
    later = frame(2, arrival_s=50.0 + waited_s, **awaited)
    if refused:
        with pytest.raises(FrameError, match='after 1 s'):
            observed.observe(later)
    else:
        assert not observed.observe(later).estimate.is_camera_known


def test_an_uncalibrated_camera_is_not_waited_for() -> None:
    observed = pipeline(Source(), camera_info_wait_s=1.0)
    assert not observed.observe(frame(calibration=None)).estimate.is_camera_known


def test_distortion_is_removed_on_request_and_else_noticed() -> None:
    bent = dataclasses.replace(CALIBRATION, distortion=np.array([0.4, 0.1, 0.0, 0.0]))
    source = Source()
    seen = pipeline(source).observe(frame(calibration=bent))
    assert seen.has_unrectified_distortion
    np.testing.assert_array_equal(seen.image_rgb, picture())
    seen = pipeline(source, rectify=True).observe(frame(calibration=bent))
    assert not seen.has_unrectified_distortion
    assert source.seen is not None and (source.seen != picture()).any()
    assert not pipeline(Source()).observe(frame()).has_unrectified_distortion


def test_contradictions_hold_frames_back_until_they_are_gone() -> None:
    observed = pipeline(Source())
    crossed = PerceptionConfig(proximity=ProximityConfig(roi_left=0.9, roi_right=0.1))
    observed.reconfigure(crossed)
    assert 'roi_left must be below roi_right' in observed.contradiction
    with pytest.raises(ConfigurationError, match='roi_left must be below roi_right'):
        observed.observe(frame())
    observed.reconfigure(PerceptionConfig())
    assert observed.contradiction == ''
    assert observed.observe(frame()).unknown_reason == ''


def test_a_contradiction_at_the_start_is_an_error() -> None:
    crossed = PerceptionConfig(proximity=ProximityConfig(roi_top=0.9, roi_bottom=0.1))
    with pytest.raises(ConfigurationError, match='roi_top'):
        PerceptionPipeline(lambda _: Source(), crossed)


def test_limits_that_the_source_refuses_are_a_contradiction() -> None:
    def make(config: EstimationConfig) -> Source:
        if config.min_depth_m > 5.0:
            raise ConfigurationError('min_depth_m must leave something')
        return Source()

    observed = PerceptionPipeline(make)
    observed.reconfigure(PerceptionConfig(estimation=EstimationConfig(min_depth_m=6.0)))
    with pytest.raises(ConfigurationError, match='min_depth_m must leave'):
        observed.observe(frame())


def test_relative_depth_needs_the_relative_mode() -> None:
    source = Source(is_metric=False)
    with pytest.raises(ConfigurationError) as error:
        pipeline(source)
    assert str(error.value) == (
        'proximity_mode must be relative and relative_polarity near_is_high for fake, whose '
        'depth has no unit, got metric and far_is_high; set both, or take a metric model'
    )
    relative = ProximityConfig(proximity_mode='relative', relative_polarity='near_is_high')
    observed = PerceptionPipeline(lambda _: source, PerceptionConfig(proximity=relative))
    seen = observed.observe(frame())
    assert not seen.is_metric and seen.scale.reason == 'the model gives relative depth'
    assert math.isnan(seen.nearest_m)


def test_changed_settings_hold_for_a_repeated_picture_too() -> None:
    observed = pipeline(Source(2.0))
    assert observed.observe(frame(1)).proximity.proximity == 0.0
    observed.reconfigure(PerceptionConfig(proximity=ProximityConfig(near_distance_m=3.0)))
    assert observed.observe(frame(2)).proximity.proximity == 1.0


def test_an_observation_draws_what_it_counts() -> None:
    seen = pipeline(Source(0.5)).observe(frame())
    assert seen.near_pixels(ProximityConfig()).mean() == seen.proximity.proximity == 1.0


def test_a_repeated_picture_is_as_old_as_the_first_whatever_else_changes() -> None:
    observed = pipeline(Source())
    observed.observe(frame(1))
    assert observed.observe(frame(2, mounting=None)).picture_stamp_ns == 1


def test_a_calibration_that_comes_or_goes_is_another_view() -> None:
    source = Source()
    observed = pipeline(source)
    for stamp_ns, calibration in enumerate((None, CALIBRATION, None, None)):
        observed.observe(frame(stamp_ns, calibration=calibration))
    assert source.estimates == 3


def test_the_maps_of_a_lens_are_made_once_and_again_for_another_lens() -> None:
    observed = pipeline(Source(), rectify=True, frozen_frame_count=0)
    bent = dataclasses.replace(CALIBRATION, distortion=np.array([0.4, 0.1, 0.0, 0.0]))
    first = observed.observe(frame(calibration=bent)).image_rgb
    maps = observed._rectifier
    observed.observe(frame(calibration=dataclasses.replace(bent)))
    assert observed._rectifier is maps
    other = dataclasses.replace(bent, distortion=np.array([-0.2, 0.0, 0.0, 0.0]))
    assert (observed.observe(frame(calibration=other)).image_rgb != first).any()
    assert observed._rectifier is not maps


def test_the_limits_of_the_quality_gate_hold() -> None:
    gate = QualityConfig(min_brightness=255.0)
    observed = PerceptionPipeline(lambda _: Source(), PerceptionConfig(quality=gate))
    assert observed.observe(frame()).unknown_reason == 'dark'


class FloorSource(Source):
    """Depth of 0.9 m everywhere, where the floor is in the lower half."""

    def _result(self, depth_m: float, intrinsics: Any, mounting: Any) -> DepthEstimate:
        result = super()._result(0.9, intrinsics, mounting)
        floor = np.zeros((24, 32), np.float32)
        floor[12:] = 1.0
        return dataclasses.replace(result, inverse_floor_depth=floor)


@pytest.mark.parametrize('roll_deg', [0.0, 90.0])
def test_floor_and_corridor_bound_what_is_near(roll_deg: float) -> None:
    proximity = ProximityConfig(corridor_width_m=0.3)
    observed = PerceptionPipeline(lambda _: FloorSource(), PerceptionConfig(proximity=proximity))
    mounting = CameraMounting(0.5, 0.0, roll_deg)
    seen = observed.observe(frame(mounting=mounting))
    assert seen.mounting == mounting
    near = seen.near_pixels(proximity)
    assert near.sum() / near.size == pytest.approx(seen.proximity.proximity)
    assert not near[12:].any()  # the floor
    sideways_px = 0.15 / 0.9 * 32.0
    columns = np.abs(np.arange(32) - seen.intrinsics.cx_px) <= sideways_px
    rows = np.abs(np.arange(12) - seen.intrinsics.cy_px) <= sideways_px
    upright = np.tile(columns, (12, 1))
    on_its_side = np.tile(rows[:, None], (1, 32))
    np.testing.assert_array_equal(near[:12], upright if roll_deg == 0.0 else on_its_side)


def source_over_a_floor() -> Source:
    """Return a source that says floor of depth 2 m, and something on it from the edge up."""
    source = Source(2.0)
    source.inverse_floor = np.zeros((24, 32), np.float32)
    source.inverse_floor[12:] = np.linspace(0.5, 1.0, 12, dtype=np.float32)[:, None]
    source.floor = np.where(source.inverse_floor > 0, 0.95, 0.05).astype(np.float32)
    return source


def test_what_stands_on_the_floor_is_near_though_depth_says_floor() -> None:
    source = source_over_a_floor()
    assert pipeline(source).observe(frame()).nearest_m == pytest.approx(2.0)
    source.floor[12:20, 10:20] = 0.05  # type: ignore[index]
    seen = pipeline(source).observe(frame())
    base_m = 1 / source.inverse_floor[19, 10]
    assert seen.nearest_m == pytest.approx(base_m)
    assert seen.floor_evidence is not None
    near = seen.near_pixels(ProximityConfig(near_distance_m=1.5))
    assert near[12:20, 10:20].all() and near.sum() == 80
    assert seen.range_variance_m2 == pytest.approx((VERIFIED_RELATIVE_SIGMA * base_m) ** 2)


def test_a_base_below_the_picture_makes_the_variance_larger() -> None:
    source = source_over_a_floor()
    source.floor[12:, 10:20] = 0.05  # type: ignore[index]
    seen = pipeline(source).observe(frame())
    assert seen.nearest_m == pytest.approx(1.0)
    assert seen.range_variance_m2 == pytest.approx(HIDDEN_BASE_SIGMA**2)
    assert pipeline(source).observe(frame(mounting=None)).range_variance_m2 == 0.0


@pytest.mark.parametrize('changes', [{'use_floor': False}, {'obstacle_floor_probability': 0.0}])
def test_the_floor_output_can_be_left_out(changes: dict[str, Any]) -> None:
    source = source_over_a_floor()
    source.floor[12:20, 10:20] = 0.05  # type: ignore[index]
    config = PerceptionConfig(floor=FloorConfig(**changes))
    seen = PerceptionPipeline(lambda _: source, config).observe(frame())
    assert seen.nearest_m == pytest.approx(2.0)


def test_probabilities_that_cross_hold_frames_back() -> None:
    crossed = FloorConfig(floor_probability=0.6, obstacle_floor_probability=0.7)
    observed = pipeline(source_over_a_floor())
    observed.reconfigure(PerceptionConfig(floor=crossed))
    assert 'floor_probability' in observed.contradiction


def test_without_a_floor_output_there_is_no_evidence_of_it() -> None:
    assert pipeline(Source()).observe(frame()).floor_evidence is None


def test_what_is_unknown_has_no_evidence_of_floor() -> None:
    source = source_over_a_floor()
    dark = np.zeros((48, 64, 3), np.uint8)
    seen = pipeline(source).observe(dataclasses.replace(frame(), image_rgb=dark))
    assert seen.floor_evidence is None and math.isnan(seen.nearest_m)
    observed = pipeline(source, frozen_frame_count=1)
    assert observed.observe(frame(1)).floor_evidence is not None
    frozen = observed.observe(frame(2))
    assert frozen.is_frozen and frozen.floor_evidence is None


def test_depth_without_a_unit_takes_no_floor() -> None:
    source = source_over_a_floor()
    source.is_metric = False
    relative = ProximityConfig(proximity_mode='relative', relative_polarity='near_is_high')
    observed = PerceptionPipeline(lambda _: source, PerceptionConfig(proximity=relative))
    assert observed.observe(frame()).floor_evidence is None


def test_a_pipeline_around_a_network(tmp_path: Path) -> None:
    model = load_onnx_model(write_model(tmp_path / 'm.onnx', tiny_card()))
    config = PerceptionConfig(estimation=EstimationConfig(depth_size='input'))
    seen = PerceptionPipeline.for_model(model, config).observe(frame())
    assert seen.depth_m.shape == (48, 64)
    with pytest.raises(ConfigurationError, match='max_depth_m'):
        PerceptionPipeline.for_model(
            model, PerceptionConfig(estimation=EstimationConfig(max_depth_m=0.05))
        )


def stages_of(observed: PerceptionPipeline, seen: CameraFrame) -> dict[Stage, float]:
    """Return the times of one frame by a clock that goes on by one at each look."""
    stopwatch = Stopwatch(itertools.count().__next__)
    observed.observe(seen, stopwatch)
    return stopwatch.times_s


def test_every_stage_of_a_frame_is_measured(tmp_path: Path) -> None:
    model = load_onnx_model(write_model(tmp_path / 'm.onnx', tiny_card()))
    bent = dataclasses.replace(CALIBRATION, distortion=np.array([0.1, 0.0, 0.0, 0.0, 0.0]))
    config = PerceptionConfig(
        frames=FrameConfig(rectify=True), looming=LoomingConfig(looming=True)
    )
    times_s = stages_of(PerceptionPipeline.for_model(model, config), frame(calibration=bent))
    assert times_s == dict.fromkeys(
        (
            Stage.REPEATS,
            Stage.RECTIFY,
            Stage.QUALITY,
            Stage.LOOMING,
            Stage.PREPARE,
            Stage.INFERENCE,
            Stage.POSTPROCESS,
            Stage.SCALE,
            Stage.PROXIMITY,
        ),
        1,
    )


def test_what_does_not_happen_to_a_frame_takes_no_time() -> None:
    observed = pipeline(Source())
    assert Stage.RECTIFY not in stages_of(observed, frame(1))
    assert stages_of(observed, frame(2)) == {Stage.REPEATS: 1}


class RoomSource(Source):
    """A network that draws floor, a wall and perhaps a box, too large or small by a factor."""

    def __init__(self, scale: float, box_m: float = math.inf) -> None:
        super().__init__()
        self.scale, self.box_m = scale, box_m

    def _result(self, depth_m: float, intrinsics: Any, mounting: Any) -> DepthEstimate:
        result = super()._result(depth_m, intrinsics, None)
        inverse = inverse_floor_depth(result.intrinsics, CameraMounting(0.4, 20.0))
        depth = 1.0 / np.maximum(inverse, 1.0 / 3.0)
        depth[6:20, 12:20] = np.minimum(depth[6:20, 12:20], self.box_m)
        return dataclasses.replace(result, depth_m=(self.scale * depth).astype(np.float32))


@pytest.mark.parametrize('scale', [0.5, 1.0, 2.0])
def test_a_floor_that_nobody_measured_is_found_by_its_shape(scale: float) -> None:
    seen = pipeline(RoomSource(scale)).observe(frame(mounting=None))
    assert seen.nearest_m > 1.5 * scale
    assert seen.floor_plane is not None
    assert seen.floor_plane.height_m == pytest.approx(0.4 * scale, rel=0.05)
    assert seen.mounting is None and seen.range_variance_m2 == 0.0
    assert seen.scale.reason.startswith('the mounting is unknown')


@pytest.mark.parametrize('scale', [0.5, 1.0, 2.0])
@pytest.mark.parametrize('box_m', [0.15, 0.3, 0.45])
def test_a_floor_found_by_its_shape_hides_nothing_near(scale: float, box_m: float) -> None:
    observed = pipeline(RoomSource(scale))
    observed.observe(frame(10**8, mounting=None))
    observed = pipeline(RoomSource(scale, box_m))
    assert observed.observe(frame(2 * 10**8, 1, mounting=None)).nearest_m <= 1.001 * box_m * scale


@pytest.mark.parametrize('box_m', [0.15, 0.3, 0.45])
@pytest.mark.parametrize('off_deg', [-6.0, -3.0, 0.0, 3.0, 6.0])
def test_a_floor_in_the_direction_of_lines_hides_nothing_near(
    off_deg: float, box_m: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = CameraMounting(1.0, 20.0 + off_deg).down_vector()
    monkeypatch.setattr(LevelWatch, 'look', lambda *_: down)
    observed = pipeline(RoomSource(1.0, box_m))
    assert observed.observe(frame(10**8, mounting=None)).nearest_m <= 1.001 * box_m


def test_lines_tell_the_direction_of_a_floor_that_nobody_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    down = CameraMounting(1.0, 19.0, 1.0).down_vector()
    monkeypatch.setattr(LevelWatch, 'look', lambda *_: down)
    observed = pipeline(RoomSource(1.0))
    plane = observed.observe(frame(10**8, mounting=None)).floor_plane
    assert plane is not None and plane.down == pytest.approx(down)
    assert observed.observe(frame(2 * 10**8, 1)).floor_plane is None  # what is stated counts


def test_a_floor_is_not_looked_for_where_that_is_off_or_the_mounting_is_known() -> None:
    off = PerceptionConfig(floor=FloorConfig(floor_by_shape=False))
    seen = PerceptionPipeline(lambda _: RoomSource(1.0), off).observe(frame(mounting=None))
    assert seen.floor_plane is None and seen.nearest_m < 0.9
    assert pipeline(RoomSource(1.0)).observe(frame()).floor_plane is None


def lines_say(monkeypatch: pytest.MonkeyPatch, seen: CameraMounting) -> PerceptionPipeline:
    """Make a pipeline whose pictures show a camera that is mounted like this."""
    monkeypatch.setattr('fcrn_depth_ros.scale.level_lines.upright', lambda *_: seen.down_vector())
    return PerceptionPipeline(lambda _: Source())


def test_lines_contradict_a_stated_mounting(monkeypatch: pytest.MonkeyPatch) -> None:
    perception = lines_say(monkeypatch, CameraMounting(1.0, 22.0, 1.0))
    states = []
    for index in range(7):
        seen = perception.observe(frame(index * 400_000_000, index))
        states.append(seen.scale.state)
    assert states[3] != 'contradicted' and states[-1] == 'contradicted'
    assert seen.range_variance_m2 == 0.0  # unverified, for the alert
    assert seen.scale.reason == (
        'mounting says pitch 10 and roll 0 deg, straight lines say 22 and 1; '
        'straight lines are likelier'
    )


def test_lines_agree_with_a_stated_mounting(monkeypatch: pytest.MonkeyPatch) -> None:
    perception = lines_say(monkeypatch, CameraMounting(1.0, 15.0, 1.0))
    for index in range(9):
        seen = perception.observe(frame(index * 400_000_000, index))
        assert seen.scale.state != 'contradicted'
