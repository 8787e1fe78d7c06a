# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""One picture in, metric depth out: the whole path around the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from .onnx_model import OnnxModel
from .postprocessing import limit_depth, network_output_to_depth
from .preprocessing import check_image, place_image, prepare_image
from .stopwatch import Stage, Stopwatch
from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting, floor_scale, inverse_floor_depth
from ..camera.orientation import quarter_turns, turn_intrinsics, turn_mounting, turn_picture
from ..errors import CameraInfoError, ConfigurationError
from ..settings import setting, Settings


@dataclass(frozen=True)
class EstimationConfig(Settings):
    """How the network's output becomes depth."""

    focal_correction: str = setting(
        'auto',
        'auto multiplies the depth by the focal length of the camera over that of the training '
        'camera, when camera_info is known. off leaves the depth of the network unchanged.',
        choices=('auto', 'off'),
    )
    min_depth_m: float = setting(
        0.0,
        'Depths below this value are raised to it, in metres. 0 means the limit in the model '
        'card.',
        minimum=0.0,
        maximum=1000.0,
    )
    max_depth_m: float = setting(
        0.0,
        'Depths above this value are unknown (NaN), in metres. 0 means the limit in the model '
        'card.',
        minimum=0.0,
        maximum=1000.0,
    )
    depth_size: str = setting(
        'network',
        'Size of the depth image: that of the network output, or that of the input image.',
        choices=('network', 'input'),
    )

    def contradiction(self) -> str:
        """Return which two values contradict each other; empty where none do."""
        if 0.0 < self.max_depth_m <= self.min_depth_m:
            return (
                f'max_depth_m must be more than min_depth_m ({self.min_depth_m:g}), got '
                f'{self.max_depth_m:g}; raise it, or set 0 for the limit of the model card'
            )
        return super().contradiction()


@dataclass(frozen=True)
class DepthEstimate:
    """
    Depth of one picture and how it came about.

    Attributes
    ----------
    depth_m : ndarray of float32, shape (h, w)
        Metres along the optical axis, NaN where unknown; for relative models the network's
        value, larger is nearer.
    is_metric : bool
        False for relative models.
    intrinsics : CameraIntrinsics
        Of the depth map.
    is_camera_known : bool
        False where the intrinsics are those of the training camera's field of view.
    inverse_floor_depth : ndarray of float32, shape (h, w), or None
        Inverse depth of an empty floor in 1/m, 0 above the horizon; None where the mounting is
        unknown, and nobody found the floor by its shape.
    focal_corrected : bool
        True where the scale was corrected for the camera's focal length.
    mounting_used : str
        'network' where the network took the mounting, 'floor_scale' where the depth was scaled
        to the known floor, 'none' otherwise.
    range_doubts : tuple of str
        What of mounting and field of view lies outside the range that the network was trained
        with.
    floor : ndarray of float32, shape (h, w), or None
        Probability 0..1 that a pixel shows free floor, 0 where that is unknown; None where the
        model has no such output.
    confidence : ndarray of float32, shape (h, w), or None
        How sure the depth is, 0..1 (1 = sure), NaN where the depth is; None where the model has
        no such output.

    """

    depth_m: NDArray[np.float32]
    is_metric: bool
    intrinsics: CameraIntrinsics
    is_camera_known: bool
    inverse_floor_depth: NDArray[np.float32] | None
    focal_corrected: bool
    mounting_used: str
    range_doubts: tuple[str, ...] = ()
    floor: NDArray[np.float32] | None = None
    confidence: NDArray[np.float32] | None = None

    def without_depth(self) -> DepthEstimate:
        """Return the same view with nothing known: no depth, no free floor."""
        unknown = np.full_like(self.depth_m, np.nan)
        return replace(
            self,
            depth_m=unknown,
            floor=None if self.floor is None else np.zeros_like(self.floor),
            confidence=None if self.confidence is None else unknown,
        )


_EstimateUpright = Callable[
    [NDArray[np.uint8], CameraIntrinsics | None, CameraMounting | None], DepthEstimate
]


class DepthEstimator:
    """
    Estimate depth with one network, for any camera.

    A camera that is mounted sideways or upside down is no special case for the caller: its
    picture is turned upright before the network sees it, and the depth map is turned back.

    Parameters
    ----------
    model : OnnxModel
        The network.
    config : EstimationConfig, optional
        How its output becomes depth.

    Raises
    ------
    ConfigurationError
        The limits leave nothing of the network's valid range.

    Examples
    --------
    >>> from fcrn_depth_ros.estimation.onnx_model import embedded_model_path, load_onnx_model
    >>> estimator = DepthEstimator(load_onnx_model(embedded_model_path()))
    >>> estimator.estimate(np.zeros((480, 640, 3), np.uint8)).depth_m.dtype
    dtype('float32')

    """

    def __init__(self, model: OnnxModel, config: EstimationConfig | None = None) -> None:
        self.model = model
        self.config = (config or EstimationConfig()).checked()
        contradiction = _limit_contradiction(model, self.config)
        if contradiction:
            raise ConfigurationError(contradiction)

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.model.card.name

    @property
    def is_metric(self) -> bool:
        """False where the network's depth has no unit."""
        return self.model.card.is_metric

    def estimate(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None = None,
        mounting: CameraMounting | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> DepthEstimate:
        """
        Estimate the depth of one picture.

        Parameters
        ----------
        image_rgb : ndarray of uint8, shape (H, W, 3)
            Picture in RGB, without distortion.
        intrinsics : CameraIntrinsics, optional
            Of this picture. Without them the field of view of the training camera is assumed.
        mounting : CameraMounting, optional
            Pose above the floor.
        stopwatch : Stopwatch, optional
            Measures how long preparing the picture and the network take.

        Returns
        -------
        DepthEstimate
            See there.

        Raises
        ------
        ImageFormatError
            The picture is not RGB uint8.
        CameraInfoError
            The intrinsics belong to a picture of another size.
        InferenceError
            The network failed.

        """
        upright = partial(self._estimate_upright, stopwatch=stopwatch or Stopwatch())
        return self._turned(image_rgb, intrinsics, mounting, upright)

    def unknown(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None = None,
        mounting: CameraMounting | None = None,
    ) -> DepthEstimate:
        """
        Return what `estimate` would, with all depth unknown and without running the network.

        Parameters
        ----------
        image_rgb, intrinsics, mounting
            As for :meth:`estimate`.

        Returns
        -------
        DepthEstimate
            Every depth is NaN.

        Raises
        ------
        ImageFormatError, CameraInfoError
            As for :meth:`estimate`.

        """
        return self._turned(image_rgb, intrinsics, mounting, self._unknown_upright)

    def warm_up(self) -> None:
        """Run once on a grey picture, so that the first frame is not the slow one."""
        card = self.model.card
        self.estimate(np.full((card.input_height, card.input_width, 3), 128, np.uint8))

    def _turned(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None,
        mounting: CameraMounting | None,
        estimate_upright: _EstimateUpright,
    ) -> DepthEstimate:
        check_image(image_rgb)
        height, width = image_rgb.shape[:2]
        if intrinsics and (intrinsics.width_px, intrinsics.height_px) != (width, height):
            raise CameraInfoError(
                f'camera info must describe images of {width}x{height}, got '
                f'{intrinsics.width_px}x{intrinsics.height_px}; publish it for the image in use'
            )
        if not self.model.card.is_metric:
            # A map without a unit has no scale to fix.
            mounting = None
        turns = 0 if mounting is None else quarter_turns(mounting)
        if mounting is None or turns == 0:
            return estimate_upright(image_rgb, intrinsics, mounting)
        estimate = estimate_upright(
            turn_picture(image_rgb, turns),
            None if intrinsics is None else turn_intrinsics(intrinsics, turns),
            turn_mounting(mounting, turns),
        )

        def turned_back(values: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
            return None if values is None else turn_picture(values, -turns)

        return replace(
            estimate,
            depth_m=turn_picture(estimate.depth_m, -turns),
            intrinsics=turn_intrinsics(estimate.intrinsics, -turns),
            inverse_floor_depth=turned_back(estimate.inverse_floor_depth),
            floor=turned_back(estimate.floor),
            confidence=turned_back(estimate.confidence),
        )

    def _estimate_upright(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None,
        mounting: CameraMounting | None,
        stopwatch: Stopwatch,
    ) -> DepthEstimate:
        card = self.model.card
        height, width = image_rgb.shape[:2]
        place = place_image(width, height, card)
        blank = self._unknown_upright(image_rgb, intrinsics, mounting)
        ratio = 1.0
        if intrinsics and blank.focal_corrected:
            ratio = place.to_network(intrinsics).fx_px / card.network_fx_px
        network_floor = None
        if mounting and card.mounting_input:
            # The network sees the world of its training camera, where all is 1/ratio as far.
            camera = intrinsics or self._assumed_camera(width, height)
            network_floor = _floor_map(place.to_network(camera), mounting, ratio)
        tensor = prepare_image(image_rgb, card)
        stopwatch.lap(Stage.PREPARE)
        maps = self.model.run(tensor, network_floor)
        stopwatch.lap(Stage.INFERENCE)
        size = (height, width) if self.config.depth_size == 'input' else None
        depth = place.to_picture(network_output_to_depth(maps.depth, card, ratio), size)
        camera = (intrinsics or self._assumed_camera(width, height)).scaled_to(
            depth.shape[1], depth.shape[0]
        )
        floor = None if mounting is None else _floor_map(camera, mounting)
        mounting_used = 'none' if network_floor is None else 'network'
        if mounting and network_floor is None:
            scale = floor_scale(depth, camera, mounting)
            if scale is not None:
                depth = depth * np.float32(scale)
                mounting_used = 'floor_scale'
        if card.is_metric:
            depth = limit_depth(depth, self.config.min_depth_m, self.config.max_depth_m)
        confidence = None
        if maps.confidence is not None:
            confidence = place.to_picture(maps.confidence, depth.shape)
            confidence = np.where(np.isnan(depth), depth, confidence)
        return replace(
            blank,
            depth_m=depth,
            intrinsics=camera,
            inverse_floor_depth=floor,
            mounting_used=mounting_used,
            floor=None if maps.floor is None else place.to_picture(maps.floor, depth.shape),
            confidence=confidence,
        )

    def _unknown_upright(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None,
        mounting: CameraMounting | None,
    ) -> DepthEstimate:
        card = self.model.card
        height, width = image_rgb.shape[:2]
        if self.config.depth_size == 'input':
            size = (height, width)
        else:
            place = place_image(width, height, card)
            map_hw = self.model.output_size_hw
            size = place.picture_size_hw(map_hw)
        camera = (intrinsics or self._assumed_camera(width, height)).scaled_to(size[1], size[0])
        trained = self.model.trained_range
        unknown = np.full(size, np.nan, np.float32)
        return DepthEstimate(
            depth_m=unknown,
            is_metric=card.is_metric,
            intrinsics=camera,
            is_camera_known=intrinsics is not None,
            inverse_floor_depth=None if mounting is None else _floor_map(camera, mounting),
            focal_corrected=(
                intrinsics is not None
                and card.is_metric
                and self.config.focal_correction == 'auto'
            ),
            mounting_used='network' if mounting and card.mounting_input else 'none',
            range_doubts=()
            if trained is None or mounting is None
            else trained.doubts(mounting, intrinsics),
            floor=np.zeros(size, np.float32) if card.floor_output else None,
            confidence=unknown if card.confidence_output else None,
        )

    def _assumed_camera(self, width_px: int, height_px: int) -> CameraIntrinsics:
        """Return a camera with the training camera's field of view."""
        card = self.model.card
        focal, width = (
            (card.training_fx_px, card.training_width_px) if card.is_metric else (1.0, 1.0)
        )
        return CameraIntrinsics.from_field(focal, width, width_px, height_px)


def _limit_contradiction(model: OnnxModel, config: EstimationConfig) -> str:
    """Return how the limits contradict the model's valid range; empty where they do not."""
    card = model.card
    if not card.is_metric:
        return ''
    low, high = config.min_depth_m, config.max_depth_m
    for name, limit_m, is_allowed in (
        ('min_depth_m', low, low < card.valid_max_m),
        ('max_depth_m', high, not 0.0 < high <= card.valid_min_m),
    ):
        if not is_allowed:
            return (
                f'{name} must leave some of the range {card.valid_min_m:g}..{card.valid_max_m:g} '
                f'm of {card.name}, got {limit_m:g}; set 0 for the limit of the model card'
            )
    return ''


@lru_cache(maxsize=4)
def _floor_map(
    intrinsics: CameraIntrinsics, mounting: CameraMounting, ratio: float = 1.0
) -> NDArray[np.float32]:
    floor: NDArray[np.float32] = inverse_floor_depth(intrinsics, mounting) * np.float32(ratio)
    floor.flags.writeable = False
    return floor
