# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The decoder of compressed image messages on a ROS machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage

from ..camera.image_messages import compressed_image_to_rgb


def compressed_image_decoder() -> Callable[[CompressedImage], np.ndarray[Any, Any]]:
    """
    Return a decoder of compressed images: cv_bridge where it can be imported, else OpenCV alone.

    cv_bridge is built for the NumPy of its ROS release, and may not load beside the newer one that
    pip installs with onnxruntime. Its releases also differ in what they return (16 bits, an alpha
    channel): either way the result is checked and made RGB in one place.

    Returns
    -------
    callable
        CompressedImage -> ndarray of uint8, shape (H, W, 3); raises ImageFormatError.

    """
    try:
        from cv_bridge import CvBridge
    except ImportError:
        return compressed_image_to_rgb
    return partial(compressed_image_to_rgb, decode=CvBridge().compressed_imgmsg_to_cv2)
