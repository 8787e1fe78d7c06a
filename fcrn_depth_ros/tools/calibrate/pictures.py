# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures to calibrate with, from files, folders and bags."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import re

import numpy as np
from numpy.typing import NDArray

from ..mounting_arguments import mounting_of
from ...archives.cameras import CameraStream, find_cameras
from ...archives.recording import BAG_FILES, CAMERA_INFO, Recording, require_rosbags
from ...camera.camera_file import CameraFile, read_camera_file
from ...camera.image_messages import image_to_rgb
from ...camera.mounting import CameraMounting
from ...camera.picture_files import list_pictures, read_picture
from ...camera.rectification import LensCalibration
from ...errors import FrameError, ToolInputError
from ...estimation.depth_estimator import EstimationConfig
from ...estimation.onnx_model import OnnxModel
from ...perception.observation import CameraFrame, Observation
from ...perception.pipeline import FrameConfig, PerceptionConfig, PerceptionPipeline
from ...wire.camera_info import calibration_from_camera_info, is_uncalibrated
from ...wire.stamps import nanoseconds


@dataclass(frozen=True)
class UsedCamera:
    """
    The camera that is calibrated.

    Attributes
    ----------
    file : CameraFile or None
        None where nothing but camera_info of a bag describes the lens.
    mounting : CameraMounting or None
        As options and file state it; None where it is unknown.

    """

    file: CameraFile | None
    mounting: CameraMounting | None

    @property
    def path(self) -> list[Path]:
        """The file, where there is one."""
        return [] if self.file is None else [self.file.path]


@dataclass(frozen=True)
class SourcePicture:
    """
    One picture.

    Attributes
    ----------
    name : str
        Of its file without the suffix, or its stamp in seconds.
    image_rgb : ndarray of uint8, shape (H, W, 3)
        As the camera gave it.
    stamp_ns : int or None
        From the name of the file (seconds, or nanoseconds), or the message; None where there is
        none.
    calibration : LensCalibration or None
        None where it is unknown.

    """

    name: str
    image_rgb: NDArray[np.uint8]
    stamp_ns: int | None
    calibration: LensCalibration | None


def read_camera(arguments: argparse.Namespace) -> UsedCamera:
    """Return what options and the camera file say of the camera."""
    file = read_camera_file(arguments.camera_info) if arguments.camera_info else None
    mounting = mounting_of(arguments, {})
    if mounting is None and file is not None:
        mounting = file.mounting
    return UsedCamera(file, mounting)


def is_bag(place: str) -> bool:
    """Return whether a place names a bag."""
    path = Path(place)
    return path.suffix in BAG_FILES or (path / 'metadata.yaml').is_file()


def read_pictures(
    places: Sequence[str], camera: UsedCamera, image_topic: str | None = None
) -> Iterator[SourcePicture]:
    """
    Read pictures one after the other.

    Parameters
    ----------
    places : sequence of str
        Files, folders and bags.
    camera : UsedCamera
        Its file comes before camera_info of a bag.
    image_topic : str, optional
        Of bags.

    Yields
    ------
    SourcePicture
        In the order of the places; those of a folder by stamp, where all have one, else by name.

    Raises
    ------
    ToolInputError
        There is none, or it cannot be read.

    """
    for place in places:
        if is_bag(place):
            yield from _of_bag(place, camera, image_topic)
            continue
        path = Path(place)
        files = list_pictures(path, '--images') if path.is_dir() else [path]
        if all(stamp_of(file.stem) is not None for file in files):
            # By time: 10.5 comes after 9.5.
            files.sort(key=lambda file: stamp_of(file.stem) or 0)
        for file in files:
            image_rgb = read_picture(file)
            fitted = camera.file and camera.file.fitted_to(image_rgb.shape[1], image_rgb.shape[0])
            yield SourcePicture(
                file.stem, image_rgb, stamp_of(file.stem), fitted.calibration if fitted else None
            )


def stamp_of(name: str) -> int | None:
    """Return the time that the name of a picture states, in nanoseconds; None where none."""
    if re.fullmatch(r'\d+\.\d+', name):
        seconds, _, rest = name.partition('.')
        return int(seconds) * 10**9 + int(f'{rest:0<9.9}')
    return int(name) if re.fullmatch(r'\d{16,}', name) else None


def _of_bag(place: str, camera: UsedCamera, image_topic: str | None) -> Iterator[SourcePicture]:
    require_rosbags()
    with Recording(place) as recording:
        stream = camera_of_bag(recording, image_topic)
        topics = {stream.topic, stream.info_topic} - {''}
        info = recording.decode(stream.first_info, CAMERA_INFO) if stream.first_info else None
        for connection, _, data in recording.messages(topics):
            if connection.topic == stream.info_topic:
                info = recording.decode(data, CAMERA_INFO)
                continue
            message = recording.decode(data, stream.message_type)
            try:
                image_rgb = image_to_rgb(message)
                height, width = image_rgb.shape[:2]
                if camera.file is not None:
                    calibration = camera.file.fitted_to(width, height).calibration
                elif info is None or is_uncalibrated(info):
                    calibration = None
                else:
                    calibration = calibration_from_camera_info(info, width, height)
            except FrameError as err:
                raise ToolInputError(
                    f'{stream.topic} of {place} must hold usable pictures, got: {err}'
                ) from err
            if calibration is not None and stream.is_rectified:
                calibration = LensCalibration.of_raw_picture(calibration.intrinsics)
            stamp_ns = nanoseconds(message.header.stamp)
            yield SourcePicture(f'{stamp_ns / 1e9:.6f}', image_rgb, stamp_ns, calibration)


def camera_of_bag(recording: Recording, image_topic: str | None) -> CameraStream:
    """Return the one camera of a bag; ToolInputError where there are several."""
    streams = find_cameras(recording, [image_topic] if image_topic else [])
    if len(streams) > 1:
        raise ToolInputError(
            f'{recording.place} must hold one camera, got '
            f'{", ".join(stream.topic for stream in streams)}; name it with --image-topic'
        )
    return streams[0]


def uncalibrated_pipeline(model: OnnxModel, depth_size: str = 'network') -> PerceptionPipeline:
    """
    Return a pipeline like depth_node's in which no scale has been calibrated.

    Parameters
    ----------
    model : OnnxModel
        Metric.
    depth_size : str
        'network' or 'input'.

    Returns
    -------
    PerceptionPipeline
        Removes lens distortion; two pictures may be alike.

    Raises
    ------
    ToolInputError
        The model's depth has no unit.

    """
    if not model.card.is_metric:
        raise ToolInputError(
            f'model must be metric, got {model.card.name} ({model.card.output_kind}); use a '
            'model whose output is metres'
        )
    config = PerceptionConfig(
        frames=FrameConfig(frozen_frame_count=0, rectify=True),
        estimation=EstimationConfig(depth_size=depth_size),
    )
    config = replace(config, scale=replace(config.scale, scale_correction=False))
    return PerceptionPipeline.for_model(model, config)


def observe(
    pipeline: PerceptionPipeline, picture: SourcePicture, mounting: CameraMounting | None
) -> Observation:
    """Return what one picture shows, whatever came before."""
    frame = CameraFrame(
        picture.image_rgb,
        stamp_ns=picture.stamp_ns or 0,
        calibration=picture.calibration,
        mounting=mounting,
    )
    return pipeline.observe(frame)
