# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Read pictures from ROS 1 and ROS 2 bags, without ROS (needs the package rosbags)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...camera.image_messages import image_to_rgb
from ...errors import ImageFormatError, ToolInputError

_RAW, _COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'


def is_bag(path: Path) -> bool:
    """Return whether a path looks like a bag: a file of one, or a ROS 2 bag folder."""
    return path.suffix in ('.bag', '.mcap', '.db3') or (path / 'metadata.yaml').is_file()


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
                image_to_rgb(reader.deserialize(data, connection.msgtype))
                for index, (connection, _, data) in enumerate(reader.messages(connections=used))
                if index in chosen
            ]
    except (AnyReaderError, OSError, ValueError, ImageFormatError) as err:
        raise ToolInputError(
            f'bag must be readable, got {path}: {err}; record it again or give a folder'
        ) from err
