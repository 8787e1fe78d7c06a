# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures with measured depth from a bag of a depth camera (needs the package rosbags)."""

from __future__ import annotations

from bisect import bisect_left
import re
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .dataset import Sample, SampleSource
from ...archives.cameras import CameraStream, find_cameras
from ...archives.recording import CAMERA_INFO, COMPRESSED, IMAGE, Recording, require_rosbags
from ...camera.depth_encoding import from_millimetres
from ...camera.image_messages import image_to_rgb
from ...camera.intrinsics import CameraIntrinsics
from ...errors import FrameError, ToolInputError
from ...wire.camera_info import calibration_from_camera_info, is_uncalibrated
from ...wire.stamps import nanoseconds

# Pictures and depth of one camera come from exposures that are no further apart.
_MOST_APART_NS = 20_000_000
_MOST_SAMPLES = 300
_DEPTH_HEADER_BYTES = 12


def open_bag_dataset(
    place: str, image_topic: str | None = None, depth_topic: str | None = None
) -> list[SampleSource]:
    """
    List pictures of a bag that have a measured depth, spread evenly over it.

    Parameters
    ----------
    place : str
        Bag with pictures and depth of the same size, seen from the same place.
    image_topic : str, optional
        Pictures; may be left out where there is one camera.
    depth_topic : str, optional
        Depth: 16UC1 millimetres, 32FC1 metres, or compressedDepth of 16UC1; may be left out
        where only one such topic has the size of the pictures.

    Returns
    -------
    list of SampleSource
        Never empty, at most 300.

    Raises
    ------
    ToolInputError
        Topics are missing or ambiguous, or the camera is not calibrated and rectified.

    """
    require_rosbags()
    with Recording(place) as recording:
        camera = _camera(recording, image_topic)
        picture, intrinsics = _first_picture(recording, camera)
        depth = _depth_topic(recording, depth_topic, camera, picture.shape[:2])
        pairs = _pairs(recording, camera.topic, depth)
    if not pairs:
        raise ToolInputError(
            f'{place} must hold depth within {_MOST_APART_NS // 10**6} ms of a picture, got none '
            f'on {camera.topic} and {depth}; check the stamps'
        )
    chosen = np.linspace(0, len(pairs) - 1, min(_MOST_SAMPLES, len(pairs))).round().astype(int)
    return [
        _source(place, camera, depth, pairs[index], f'{index:06d}', intrinsics) for index in chosen
    ]


def _camera(recording: Recording, image_topic: str | None) -> CameraStream:
    cameras = find_cameras(recording, [image_topic] if image_topic else [])
    calibrated = [camera for camera in cameras if camera.info_topic]
    if len(calibrated) != 1:
        raise ToolInputError(
            f'{recording.place} must hold one camera with camera_info, got '
            f'{[camera.topic for camera in calibrated]}; name it with --image-topic'
        )
    return calibrated[0]


def _first_picture(
    recording: Recording, camera: CameraStream
) -> tuple[NDArray[np.uint8], CameraIntrinsics]:
    _, _, data = next(recording.messages([camera.topic]))
    info = recording.decode(camera.first_info, CAMERA_INFO)
    try:
        picture = image_to_rgb(recording.decode(data, camera.message_type))
        if is_uncalibrated(info):
            raise ToolInputError(f'{camera.info_topic} must be of a calibrated camera, got K = 0')
        calibration = calibration_from_camera_info(info, picture.shape[1], picture.shape[0])
    except FrameError as err:
        raise ToolInputError(f'{camera.topic} must hold usable pictures, got: {err}') from err
    if calibration.is_distorted and not camera.is_rectified:
        raise ToolInputError(
            f'{camera.topic} must hold pictures without lens distortion, got a lens of model '
            f'{calibration.distortion_model}; record the rectified topic'
        )
    return picture, calibration.intrinsics


def _depth_topic(
    recording: Recording, asked_for: str | None, camera: CameraStream, size_hw: tuple[int, int]
) -> str:
    if asked_for is not None:
        if asked_for not in recording.topics_of(IMAGE, COMPRESSED):
            raise ToolInputError(
                f'depth topic must be in {recording.place}, got {asked_for}; correct --depth-topic'
            )
        return asked_for
    fitting = []
    for topic in recording.topics_of(IMAGE, COMPRESSED):
        _, _, data = next(recording.messages([topic]))
        depth = _depth_m(recording.decode(data, _type_of(recording, topic)))
        if depth is not None and depth.shape == size_hw:
            fitting.append(topic)
    # Depth of the stereo pair has another point of view than depth aligned with the colours.
    aligned = [topic for topic in fitting if 'aligned' in topic] or fitting
    if len(aligned) != 1:
        raise ToolInputError(
            f'{recording.place} must hold one depth topic of the size of {camera.topic}, got '
            f'{aligned}; name it with --depth-topic, and record depth that is aligned with the '
            'colours'
        )
    return aligned[0]


def _type_of(recording: Recording, topic: str) -> str:
    return next(recording.type_of(c) for c in recording.connections if c.topic == topic)


def _depth_m(message: Any) -> NDArray[np.float32] | None:
    """Return metres, NaN where unknown; None where a message is no depth."""
    if hasattr(message, 'encoding'):
        kind = {'16UC1': np.uint16, 'mono16': np.uint16, '32FC1': np.float32}.get(message.encoding)
        if kind is None:
            return None
        size = np.dtype(kind).itemsize
        rows: NDArray[Any] = np.ndarray(
            (message.height, message.width),
            np.dtype(kind).newbyteorder('>' if message.is_bigendian else '<'),
            buffer=message.data,
            strides=(message.step, size),
        )
        if kind is np.uint16:
            return from_millimetres(rows.astype(np.uint16))
        metres = rows.astype(np.float32)
        return np.where(np.isfinite(metres) & (metres > 0), metres, np.float32(np.nan))
    if not re.match('16UC1; *compressedDepth', message.format):
        return None
    pixels = cv2.imdecode(message.data[_DEPTH_HEADER_BYTES:], cv2.IMREAD_UNCHANGED)
    return None if pixels is None or pixels.dtype != np.uint16 else from_millimetres(pixels)


def _pairs(recording: Recording, image_topic: str, depth_topic: str) -> list[tuple[int, int]]:
    """List when a picture and the depth nearest to it were recorded."""
    images, depths = (
        [
            (nanoseconds(recording.decode(data, _type_of(recording, topic)).header.stamp), time_ns)
            for _, time_ns, data in recording.messages([topic])
        ]
        for topic in (image_topic, depth_topic)
    )
    depths.sort()
    pairs = []
    for stamp_ns, time_ns in images:
        at = bisect_left(depths, (stamp_ns, 0))
        near = min(
            depths[max(0, at - 1) : at + 1], key=lambda d: abs(d[0] - stamp_ns), default=None
        )
        if near is not None and abs(near[0] - stamp_ns) <= _MOST_APART_NS:
            pairs.append((time_ns, near[1]))
    return pairs


def _source(
    place: str,
    camera: CameraStream,
    depth_topic: str,
    pair: tuple[int, int],
    name: str,
    intrinsics: CameraIntrinsics,
) -> SampleSource:
    image_ns, depth_ns = pair

    def load() -> Sample:
        # Opened for each picture, so that nobody has to close it later.
        with Recording(place) as recording:
            _, _, image = next(recording.messages([camera.topic], image_ns, image_ns + 1))
            _, _, depth = next(recording.messages([depth_topic], depth_ns, depth_ns + 1))
            kind = _type_of(recording, depth_topic)
            depth_m = _depth_m(recording.decode(depth, kind))
            try:
                picture = image_to_rgb(recording.decode(image, camera.message_type))
            except FrameError as err:
                raise ToolInputError(
                    f'{camera.topic} at {image_ns} must be usable: {err}'
                ) from err
        if depth_m is None or depth_m.shape != picture.shape[:2]:
            found = 'none' if depth_m is None else f'{depth_m.shape[1]}x{depth_m.shape[0]}'
            raise ToolInputError(
                f'{depth_topic} must be depth of the size {picture.shape[1]}x{picture.shape[0]} '
                f'of {camera.topic}, got {found}; record depth that is aligned with the colours'
            )
        return Sample(camera.topic, name, picture, depth_m, intrinsics, None)

    return SampleSource(camera.topic, name, load)
