# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Compressed image messages to RGB arrays, through cv_bridge."""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage

from ..errors import ImageFormatError


class CompressedImageDecoder:
    """
    Decode compressed images with cv_bridge.

    Raises
    ------
    ImportError
        If cv_bridge cannot be imported; it is needed for compressed input only, so a machine
        whose cv_bridge does not fit its NumPy can still use raw images.

    """

    def __init__(self) -> None:
        from cv_bridge import CvBridge

        self._bridge = CvBridge()

    def to_rgb(self, message: CompressedImage) -> np.ndarray:
        """
        Decode one picture.

        Parameters
        ----------
        message : sensor_msgs.msg.CompressedImage
            JPEG, PNG or whatever OpenCV reads, grey or colour.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)
            RGB.

        Raises
        ------
        ImageFormatError
            If the data are not a picture.

        """
        try:
            pixels = self._bridge.compressed_imgmsg_to_cv2(message, 'passthrough')
        except (cv2.error, TypeError, ValueError) as error:
            raise self._not_a_picture(message) from error
        if pixels is None:
            raise self._not_a_picture(message)
        code = cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB
        return cv2.cvtColor(pixels, code)

    @staticmethod
    def _not_a_picture(message: CompressedImage) -> ImageFormatError:
        return ImageFormatError(
            f'compressed image must be a picture OpenCV can read, got {len(message.data)} bytes '
            f'of format {message.format!r}; check what is published on image/compressed'
        )
