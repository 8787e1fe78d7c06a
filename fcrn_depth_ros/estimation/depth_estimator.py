# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""One picture in, metric depth out: the whole path around the network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
import time

import numpy as np
from numpy.typing import NDArray

from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting, floor_scale, inverse_floor_depth
from ..errors import CameraInfoError, ConfigurationError
from ..perception.quality import assess_image, ImageQuality, QualityConfig
from ..settings import setting, Settings
from .onnx_model import OnnxModel
from .postprocessing import limit_depth, network_output_to_depth
from .preprocessing import place_image, prepare_image


@dataclass(frozen=True)
class EstimationConfig(Settings):
    """How the network's output becomes depth."""

    focal_correction: str = setting(
        'auto',
        'Correct the scale for the camera: auto multiplies by its focal length over that of the '
        "training camera when camera_info is known, off trusts the network's metres.",
        choices=('auto', 'off'),
    )
    min_depth_m: float = setting(
        0.0,
        'Smaller depths are raised to this; 0 takes the limit of the model card.',
        minimum=0.0,
        maximum=1000.0,
    )
    max_depth_m: float = setting(
        0.0,
        'Larger depths are unknown (NaN); 0 takes the limit of the model card.',
        minimum=0.0,
        maximum=1000.0,
    )
    depth_size: str = setting(
        'network',
        "Size of the depth image: the network's own, or that of the input image.",
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
    intrinsics : CameraIntrinsics or None
        Of the depth map; None where those of the picture are unknown.
    inverse_floor_depth : ndarray of float32, shape (h, w), or None
        Inverse depth of an empty floor in 1/m, 0 above the horizon; None where the mounting is
        unknown.
    inference_s : float
        Time of the network alone.
    focal_corrected : bool
        True where the scale was corrected for the camera's focal length.
    mounting_used : str
        'network' where the network took the mounting, 'floor_scale' where the depth was scaled
        to the known floor, 'none' otherwise.
    quality : ImageQuality
        Where it is not usable, the whole depth map is NaN.

    """

    depth_m: NDArray[np.float32]
    is_metric: bool
    intrinsics: CameraIntrinsics | None
    inverse_floor_depth: NDArray[np.float32] | None
    inference_s: float
    focal_corrected: bool
    mounting_used: str
    quality: ImageQuality


class DepthEstimator:
    """
    Estimate depth with one network, for any camera.

    Parameters
    ----------
    model : OnnxModel
        The network.
    config : EstimationConfig, optional
        How its output becomes depth.
    quality : QualityConfig, optional
        Which pictures are refused.

    Raises
    ------
    ConfigurationError
        The limits leave nothing of the network's valid range.

    """

    def __init__(
        self,
        model: OnnxModel,
        config: EstimationConfig | None = None,
        quality: QualityConfig | None = None,
    ) -> None:
        self.model = model
        self.config = (config or EstimationConfig()).checked()
        self.quality = quality or QualityConfig()
        card = model.card
        if card.is_metric:
            low, high = self.config.min_depth_m, self.config.max_depth_m
            _check_limit('min_depth_m', low, low < card.valid_max_m, model)
            _check_limit('max_depth_m', high, not 0.0 < high <= card.valid_min_m, model)

    def estimate(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None = None,
        mounting: CameraMounting | None = None,
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
        card = self.model.card
        tensor = prepare_image(image_rgb, card)
        height, width = image_rgb.shape[:2]
        if intrinsics and (intrinsics.width_px, intrinsics.height_px) != (width, height):
            raise CameraInfoError(
                f'camera info must describe images of {width}x{height}, got '
                f'{intrinsics.width_px}x{intrinsics.height_px}; publish it for the image in use'
            )
        quality = assess_image(image_rgb, self.quality)
        place = place_image(width, height, card)
        corrects_focal = (
            intrinsics is not None and card.is_metric and self.config.focal_correction == 'auto'
        )
        ratio = 1.0
        if intrinsics and corrects_focal:
            ratio = place.to_network(intrinsics).fx_px / card.network_fx_px
        if not card.is_metric:
            # A map without a unit has no scale to fix.
            mounting = None
        # Where the camera is unknown, take the field of view of the training camera.
        assumed = intrinsics
        if mounting and not intrinsics:
            assumed = CameraIntrinsics.from_field(
                card.training_fx_px, card.training_width_px, width, height
            )
        network_floor = None
        if mounting and assumed and card.mounting_input:
            # The network sees the world of its training camera, where all is 1/ratio as far.
            network_floor = _floor_map(place.to_network(assumed), mounting) * np.float32(ratio)

        start = time.perf_counter()
        raw = self.model.run(tensor, network_floor)
        inference_s = time.perf_counter() - start

        size = (height, width) if self.config.depth_size == 'input' else None
        depth = place.to_picture(network_output_to_depth(raw, card, ratio), size)
        if not quality.usable:
            depth = np.full_like(depth, np.nan)
        depth_height, depth_width = depth.shape
        floor = None
        mounting_used = 'none' if network_floor is None else 'network'
        if mounting and assumed:
            assumed = assumed.scaled_to(depth_width, depth_height)
            floor = _floor_map(assumed, mounting)
            if network_floor is None:
                scale = floor_scale(depth, assumed, mounting)
                if scale is not None:
                    depth = depth * np.float32(scale)
                    mounting_used = 'floor_scale'
        if card.is_metric:
            depth = limit_depth(depth, self.config.min_depth_m, self.config.max_depth_m)
        return DepthEstimate(
            depth_m=depth,
            is_metric=card.is_metric,
            intrinsics=intrinsics.scaled_to(depth_width, depth_height) if intrinsics else None,
            inverse_floor_depth=floor,
            inference_s=inference_s,
            focal_corrected=corrects_focal,
            mounting_used=mounting_used,
            quality=quality,
        )

    def warm_up(self) -> None:
        """Run once on a grey picture, so that the first frame is not the slow one."""
        card = self.model.card
        self.estimate(np.full((card.input_height, card.input_width, 3), 128, np.uint8))


@lru_cache(maxsize=4)
def _floor_map(intrinsics: CameraIntrinsics, mounting: CameraMounting) -> NDArray[np.float32]:
    floor = inverse_floor_depth(intrinsics, mounting)
    floor.flags.writeable = False
    return floor


def _check_limit(name: str, limit_m: float, allowed: bool, model: OnnxModel) -> None:
    if not allowed:
        card = model.card
        raise ConfigurationError(
            f'{name} must leave some of the range {card.valid_min_m:g}..{card.valid_max_m:g} m '
            f'of {card.name}, got {limit_m:g}; set 0 for the limit of the model card'
        )
