# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Read pictures from ROS 1 and ROS 2 bags, without ROS (needs the package rosbags)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import ToolInputError

_RAW, _COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
_TO_RGB = {
    'rgb8': None,
    'bgr8': cv2.COLOR_BGR2RGB,
    'rgba8': cv2.COLOR_RGBA2RGB,
    'bgra8': cv2.COLOR_BGRA2RGB,
    'mono8': cv2.COLOR_GRAY2RGB,
}
_CHANNELS = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}


def is_bag(path: Path) -> bool:
    """Return whether a path looks like a ROS 1 bag file or a ROS 2 bag folder."""
    return path.suffix == '.bag' or (path / 'metadata.yaml').is_file()


def read_bag_pictures(path: Path, topic: str | None, limit: int) -> list[NDArray[np.uint8]]:
    """
    Read pictures spread evenly over a bag.

    Parameters
    ----------
    path : Path
        Bag file of ROS 1, or bag folder of ROS 2.
    topic : str or None
        Image topic; may be left out where there is only one.
    limit : int
        At most so many.

    Returns
    -------
    list of ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    ToolInputError
        The bag or a picture of it cannot be read, or the topic is not in it.

    """
    try:
        from rosbags.highlevel import AnyReader, AnyReaderError
        from rosbags.typesys import get_typestore, Stores
    except ModuleNotFoundError as err:
        raise ToolInputError(
            f'rosbags must be installed to read {path}, got none; run pip install rosbags'
        ) from err
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.LATEST)) as reader:
            images = {c.topic for c in reader.connections if c.msgtype in (_RAW, _COMPRESSED)}
            if topic not in images and (topic is not None or len(images) != 1):
                raise ToolInputError(
                    f'topic must be one of {sorted(images)} in {path}, got {topic}; give --topic'
                )
            used = [c for c in reader.connections if c.topic in images & {topic or c.topic}]
            count = sum(connection.msgcount for connection in used)
            chosen = set(np.linspace(0, count - 1, min(limit, count)).round().astype(int))
            return [
                to_rgb(reader.deserialize(data, connection.msgtype), path)
                for index, (connection, _, data) in enumerate(reader.messages(connections=used))
                if index in chosen
            ]
    except (AnyReaderError, OSError, ValueError) as err:
        raise ToolInputError(
            f'bag must be readable, got {path}: {err}; record it again or give a folder'
        ) from err


def to_rgb(message: Any, path: Path) -> NDArray[np.uint8]:
    """Decode an Image or CompressedImage message; ToolInputError where it is neither."""
    data = np.asarray(message.data, np.uint8)
    if not hasattr(message, 'encoding'):
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if bgr is None:
            raise ToolInputError(f'compressed image in {path} must be JPEG or PNG, got neither')
        return np.ascontiguousarray(bgr[..., ::-1])
    channels = _CHANNELS.get(message.encoding)
    if channels is None:
        raise ToolInputError(
            f'image encoding in {path} must be one of {", ".join(_CHANNELS)}, got '
            f'{message.encoding!r}; give a folder of pictures'
        )
    if message.step < message.width * channels or len(data) < message.step * message.height:
        raise ToolInputError(f'image in {path} must be complete, got a truncated one')
    rows = data[: message.step * message.height].reshape(message.height, message.step)
    pixels = rows[:, : message.width * channels].reshape(message.height, message.width, channels)
    code = _TO_RGB[message.encoding]
    rgb: NDArray[np.uint8] = pixels.copy() if code is None else cv2.cvtColor(pixels, code)
    return rgb
