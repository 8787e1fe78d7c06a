# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The costly half of the work: the pictures of one segment to depth.

What comes out is a part: a bag with the new messages, a row for each picture, and the pictures
of the contact sheet. Nothing in it depends on another segment, nor on who computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
import io
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .cameras import CameraState, CameraStream, windows_before
from .picture_rows import PictureRow, to_lines
from .places import OutputPlace
from .plan import BagOptions, BagPlan, Segment
from .recording import (
    COMPRESSED,
    LASER_SCAN,
    ODOMETRY,
    POSE,
    RANGE,
    Recording,
    TRANSFORMS,
)
from .transforms import TransformTree
from .writing import BagWriter, with_arrays
from ..camera.depth_encoding import to_millimetres
from ..camera.image_messages import image_to_rgb
from ..camera.mounting import CameraMounting
from ..errors import FrameError, InferenceError
from ..estimation.onnx_model import load_onnx_model, OnnxModel
from ..estimation.stopwatch import Stage, Stopwatch
from ..perception.observation import CameraFrame, Observation
from ..perception.pipeline import PerceptionConfig, PerceptionPipeline
from ..scale.odometry import CameraPlace, CameraPose, OdometryTrack
from ..scale.range_hint import BeamPlace, HintTrack, RangeBeam, RangeHint
from ..scale.scan_hint import ScanBeams, ScanHint, ScanPlace
from ..wire.camera_info import calibration_from_camera_info, is_uncalibrated
from ..wire.contents import (
    camera_info_contents,
    depth_pixels,
    image_contents,
    near_values,
    reading_contents,
    scan_contents,
    scan_of,
)
from ..wire.odometry_reading import odometry_reading
from ..wire.pose_mounting import KEPT, PoseMounting
from ..wire.range_hint_reading import range_hint_reading
from ..wire.scan_hint_reading import scan_hint_reading
from ..wire.stamps import nanoseconds, NS_PER_S
from ..wire.topics import DEPTH_TOPICS

_SHEET_WIDTH_PX = 320
# tf2 keeps ten seconds; what moves is published again within them.
_TRANSFORMS_BEFORE_NS = 10_000_000_000
# ConfigHeader of compressed_depth_image_transport: format 0 and two numbers that PNG leaves at 0.
_COMPRESSED_DEPTH_HEADER = bytes(12)

OnPicture = Callable[[], None]


def part_names(segment: Segment) -> tuple[str, str, str]:
    """Return the names of a part's files; the last one is written last."""
    stem = f'work/part_{segment.index:05d}'
    return f'{stem}.mcap', f'{stem}.npz', f'{stem}.jsonl'


def is_part_done(place: OutputPlace, segment: Segment) -> bool:
    """Return whether a part is there, which means whole."""
    return place.has(part_names(segment)[-1])


@lru_cache(maxsize=1)
def _model(options: BagOptions) -> OnnxModel:
    """Return the network, loaded once in a process."""
    return load_onnx_model(options.model_path, options.session, dict(options.card_overrides))


def open_pipeline(options: BagOptions, camera: CameraStream | None = None) -> PerceptionPipeline:
    """Return a pipeline of the same kind as depth_node's; ConfigurationError as there."""
    config: PerceptionConfig = options.perception
    if camera is not None:
        rectify = options.rectify == 'yes' or (
            options.rectify == 'auto' and not camera.is_rectified
        )
        config = replace(config, frames=replace(config.frames, rectify=rectify))
    return PerceptionPipeline.for_model(_model(options), config)


def estimate_segment(
    options: BagOptions,
    plan: BagPlan,
    segment: Segment,
    place: OutputPlace,
    on_picture: OnPicture = lambda: None,
) -> None:
    """
    Estimate the depth of every picture in a segment, and write the part.

    Parameters
    ----------
    options, plan : BagOptions, BagPlan
        What is to be done.
    segment : Segment
        Of that plan.
    place : OutputPlace
        Receives the part.
    on_picture : callable
        Called after each picture.

    Raises
    ------
    DamagedBagError
        The bag cannot be read to the end of the segment.
    OutputError
        Nothing can be written.

    """
    bag_name, sheet_name, rows_name = part_names(segment)
    with place.scratch() as scratch:
        folder = Path(scratch) / 'part'
        rows: list[PictureRow] = []
        moments: dict[str, NDArray[Any]] = {}
        with Recording(plan.place) as recording, BagWriter(folder) as writer:
            work = _SegmentWork(options, plan, segment, recording, writer)
            for row in work.rows(moments):
                rows.append(row)
                on_picture()
        place.commit(writer.file, bag_name)
        if moments:
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **moments)
            place.write(sheet_name, buffer.getvalue())
        place.write(rows_name, to_lines(rows))


class _Camera:
    """One camera while its pictures are read."""

    def __init__(
        self, work: _SegmentWork, stream: CameraStream, start_ns: int | None, options: BagOptions
    ) -> None:
        self.stream = stream
        self.pipeline = open_pipeline(options, stream)
        self.state = CameraState(work.recording, stream, start_ns)
        self.frame_id = ''
        if start_ns is not None:
            self._remember_repeats(work, start_ns, options)

    def _remember_repeats(self, work: _SegmentWork, start_ns: int, options: BagOptions) -> None:
        """Let the pipeline know how often the last picture before the segment was repeated."""
        limit = options.perception.frames.frozen_frame_count
        if not limit:
            return
        topic, kind = self.stream.topic, self.stream.message_type
        for begin_ns, is_beginning in windows_before(work.recording, start_ns):
            self.pipeline.restart()
            count = repeats = 0
            for _, _, data in work.recording.messages([topic], begin_ns, start_ns):
                message = work.recording.decode(data, kind)
                stamp_ns = nanoseconds(message.header.stamp)
                repeats = self.pipeline.take_note(memoryview(message.data).cast('B'), stamp_ns)
                count += 1
            # Where the pictures changed, what came before does not matter.
            if is_beginning or count > limit or repeats < count - 1:
                return


class _SegmentWork:
    def __init__(
        self,
        options: BagOptions,
        plan: BagPlan,
        segment: Segment,
        recording: Recording,
        writer: BagWriter,
    ) -> None:
        self.recording = recording
        self._options, self._plan, self._segment, self._writer = options, plan, segment, writer
        self._transforms = TransformTree()
        for content in plan.static_transforms:
            self._transforms.hear(recording.decode(content, TRANSFORMS))
        self._tf_topics = recording.topics_of(TRANSFORMS) if options.floor_frame else {}
        self._odometry = OdometryTrack()
        self._robot_frame = ''
        self._range_hints: HintTrack[RangeHint] = HintTrack()
        self._sensor_frame = ''
        self._scan_hints: HintTrack[ScanHint] = HintTrack()
        self._scanner_frame = ''
        self._poses = PoseMounting()
        self._hear: dict[str, Callable[[bytes], None]] = dict.fromkeys(
            self._tf_topics, self._hear_transforms
        )
        for topic, hear in (
            (options.odom_topic, self._hear_odometry),
            (options.range_hint_topic, self._hear_range),
            (options.scan_hint_topic, self._hear_scan),
            (options.mounting_topic, self._hear_pose),
        ):
            if topic:
                self._hear[topic] = hear
        if segment.start_ns is not None:
            before_ns = segment.start_ns - _TRANSFORMS_BEFORE_NS
            for _, _, data in recording.messages(
                [*self._tf_topics, ''], before_ns, segment.start_ns
            ):
                self._hear_transforms(data)
            self._remember_poses(segment.start_ns)
        self._cameras = [
            _Camera(self, stream, segment.start_ns, options) for stream in plan.cameras
        ]

    def _remember_poses(self, start_ns: int) -> None:
        """Take as many poses from before the segment as would be kept."""
        topic = self._options.mounting_topic
        if not topic:
            return
        for begin_ns, is_beginning in windows_before(self.recording, start_ns):
            before = self.recording.messages([topic], begin_ns, start_ns)
            poses = [data for _, _, data in before]
            if is_beginning or len(poses) >= KEPT:
                for data in poses:
                    self._hear_pose(data)
                return

    def _hear_transforms(self, data: bytes) -> None:
        self._transforms.hear(self.recording.decode(data, TRANSFORMS))

    def _hear_odometry(self, data: bytes) -> None:
        message = self.recording.decode(data, ODOMETRY)
        self._robot_frame = message.child_frame_id
        self._odometry.add(odometry_reading(message))

    def _hear_range(self, data: bytes) -> None:
        message = self.recording.decode(data, RANGE)
        self._sensor_frame = message.header.frame_id
        self._range_hints.add(range_hint_reading(message))

    def _hear_scan(self, data: bytes) -> None:
        message = self.recording.decode(data, LASER_SCAN)
        self._scanner_frame = message.header.frame_id
        self._scan_hints.add(scan_hint_reading(message))

    def _hear_pose(self, data: bytes) -> None:
        self._poses.take(self.recording.decode(data, POSE))

    def rows(self, moments: dict[str, NDArray[Any]]) -> Iterator[PictureRow]:
        """Work through the segment; also fills the pictures of the contact sheet."""
        pictures = {camera.stream.topic: camera for camera in self._cameras}
        infos = {c.stream.info_topic: c for c in self._cameras if c.stream.info_topic}
        topics = [*pictures, *infos, *self._hear]
        start_ns, stop_ns = self._segment.start_ns, self._segment.stop_ns
        due = {
            topic: [
                (index, time_ns)
                for index, time_ns in enumerate(self._plan.moments_ns)
                if (start_ns is None or time_ns >= start_ns)
                and (stop_ns is None or time_ns < stop_ns)
            ]
            for topic in pictures
        }
        latest: dict[str, tuple[_Camera, int, Observation]] = {}
        for connection, time_ns, data in self.recording.messages(topics, start_ns, stop_ns):
            if connection.topic in infos:
                infos[connection.topic].state.hear(data)
            elif connection.topic in self._hear:
                self._hear[connection.topic](data)
            else:
                camera = pictures[connection.topic]
                row, seen = self._observe(camera, time_ns, data)
                waiting = due[connection.topic]
                if seen is not None and waiting:
                    latest[connection.topic] = camera, time_ns, seen
                    while waiting and time_ns >= waiting[0][1]:
                        moments |= self._moment(waiting.pop(0)[0], camera, time_ns, seen)
                yield row
        for topic, (camera, time_ns, seen) in latest.items():
            for index, _ in due[topic]:  # no picture came after it
                moments |= self._moment(index, camera, time_ns, seen)

    def _moment(
        self, index: int, camera: _Camera, time_ns: int, seen: Observation
    ) -> dict[str, NDArray[Any]]:
        key = f'{self._plan.cameras.index(camera.stream)}_{index}'
        return _moment(key, time_ns, seen)

    def _observe(
        self, camera: _Camera, time_ns: int, data: bytes
    ) -> tuple[PictureRow, Observation | None]:
        message = self.recording.decode(data, camera.stream.message_type)
        stopwatch = Stopwatch()
        stamp_ns = nanoseconds(message.header.stamp)
        row = PictureRow(camera.stream.topic, time_ns, stamp_ns)
        try:
            seen = camera.pipeline.observe(self._frame(camera, message, time_ns), stopwatch)
        except (FrameError, InferenceError) as error:
            self._write_unknown(camera, time_ns)
            return replace(row, rejected=str(error)), None
        return self._write(camera, time_ns, message.header, seen, row, stopwatch), seen

    def _frame(self, camera: _Camera, message: Any, time_ns: int) -> CameraFrame:
        stamp = message.header.stamp
        if stamp.nanosec >= NS_PER_S:
            raise FrameError(f'nanosec of the stamp must be below {NS_PER_S}, got {stamp.nanosec}')
        image_rgb = image_to_rgb(message)
        height, width = image_rgb.shape[:2]
        info = camera.state.info
        calibration = None
        if info is not None and not is_uncalibrated(info):
            calibration = calibration_from_camera_info(info, width, height)
        mounting = self._mounting(nanoseconds(stamp), message.header.frame_id)
        return CameraFrame(
            image_rgb=image_rgb,
            stamp_ns=nanoseconds(stamp),
            arrival_s=time_ns * 1e-9,
            calibration=calibration,
            mounting=mounting,
            pose=self._pose(nanoseconds(stamp), message.header.frame_id, mounting),
            beam=self._beam(nanoseconds(stamp), message.header.frame_id),
            scan=self._scan(nanoseconds(stamp), message.header.frame_id),
            content=memoryview(message.data).cast('B'),
        )

    def _mounting(self, stamp_ns: int, image_frame: str) -> CameraMounting | None:
        if self._options.mounting_topic:
            return self._poses.look_up(stamp_ns)
        if self._options.floor_frame:
            return self._transforms.mounting(self._options.floor_frame, image_frame)
        return self._options.mounting

    def _pose(
        self, stamp_ns: int, image_frame: str, mounting: CameraMounting | None
    ) -> CameraPose | None:
        robot = self._odometry.at(stamp_ns)
        if robot is None:
            return None
        options = self._options
        place = None
        if options.floor_frame:
            place = self._transforms.place(self._robot_frame, image_frame)
        if place is None:
            place = CameraPlace.stated(
                mounting, options.camera_x_m, options.camera_y_m, options.camera_yaw_deg
            )
        return place.pose(robot)

    def _beam(self, stamp_ns: int, image_frame: str) -> RangeBeam | None:
        hint = self._range_hints.at(stamp_ns)
        if hint is None:
            return None
        if not self._options.floor_frame:
            return RangeBeam(hint, self._options.range_hint.place())
        camera = self._transforms.place(self._sensor_frame, image_frame)
        return RangeBeam(hint, None if camera is None else BeamPlace.beside(camera))

    def _scan(self, stamp_ns: int, image_frame: str) -> ScanBeams | None:
        hint = self._scan_hints.at(stamp_ns)
        if hint is None:
            return None
        if not self._options.floor_frame:
            return ScanBeams(hint, self._options.scan_hint.place())
        camera = self._transforms.place(self._scanner_frame, image_frame)
        return ScanBeams(hint, None if camera is None else ScanPlace.beside(camera))

    def _write_unknown(self, camera: _Camera, time_ns: int) -> None:
        self._send(camera, 'proximity', time_ns, data=float('nan'))
        self._send(camera, 'proximity/near', time_ns, data=True)

    def _write(
        self,
        camera: _Camera,
        time_ns: int,
        header: Any,
        seen: Observation,
        row: PictureRow,
        stopwatch: Stopwatch,
    ) -> PictureRow:
        options = self._options
        config = options.perception.proximity
        scan_frame = options.scan_frame(header.frame_id)
        reading = reading_contents(seen, config)
        if reading is not None:
            self._send(
                camera,
                'proximity/range',
                time_ns,
                header=self._writer.header(seen.picture_stamp_ns, scan_frame),
                **reading,
            )
        share, near = seen.proximity.proximity, seen.proximity.is_near(config)
        scale = seen.scale
        self._send(camera, 'depth/scale/factor', time_ns, data=scale.factor)
        self._send(camera, 'depth/scale/sigma', time_ns, data=scale.relative_sigma)
        if not math.isnan(seen.time_to_collision_s):
            self._send(
                camera, 'proximity/time_to_collision', time_ns, data=seen.time_to_collision_s
            )
        self._send(camera, 'proximity', time_ns, data=share)
        self._send(camera, 'proximity/near', time_ns, data=near)
        self._send_image(camera, 'depth/near', time_ns, header, near_values(seen, config), 'mono8')
        if seen.is_metric:
            self._write_depth(camera, time_ns, header, seen)
        sent = {} if reading is None else {n: float(np.float32(reading[n])) for n in _IN_ROW}
        inference_s = stopwatch.times_s.get(Stage.INFERENCE, float('nan'))
        return replace(
            row,
            picture_stamp_ns=seen.picture_stamp_ns,
            nearest_m=seen.nearest_m,
            proximity=share,
            near=near,
            scale_verified=scale.verified,
            scale_sigma=scale.relative_sigma,
            scale_state=scale.state,
            scale_text=str(scale),
            scale_factor=scale.factor,
            time_to_collision_s=seen.time_to_collision_s,
            range_m=sent.get('range', float('nan')),
            range_max_m=sent.get('max_range', float('nan')),
            range_variance_m2=sent.get('variance', float('nan')),
            quality=seen.quality.reason or 'usable',
            unknown_reason=seen.unknown_reason,
            frozen=seen.is_frozen,
            inference_ms=inference_s * 1e3,
        )

    def _write_depth(self, camera: _Camera, time_ns: int, header: Any, seen: Observation) -> None:
        options = self._options
        self._send(
            camera,
            'depth/camera_info',
            time_ns,
            header=header,
            **with_arrays(camera_info_contents(seen.intrinsics)),
        )
        if options.compress:
            self._send(
                camera,
                'depth/image_rect/compressedDepth',
                time_ns,
                header=header,
                format='16UC1; compressedDepth png',
                data=_compressed_depth(seen.depth_m),
            )
        else:
            pixels = depth_pixels(seen.depth_m, options.depth_encoding)
            encoding = options.depth_encoding
            self._send_image(camera, 'depth/image_rect', time_ns, header, pixels, encoding)
        for name, shares in (
            ('depth/floor', seen.estimate.floor),
            ('depth/confidence', seen.estimate.confidence),
        ):
            if shares is not None:
                self._send_image(camera, name, time_ns, header, depth_pixels(shares, '32FC1'))
        self._send(
            camera,
            'depth/scan',
            time_ns,
            header=self._writer.header(
                nanoseconds(header.stamp), options.scan_frame(header.frame_id)
            ),
            **scan_contents(scan_of(seen, options.scan), options.scan),
        )

    def _send_image(
        self,
        camera: _Camera,
        name: str,
        time_ns: int,
        header: Any,
        pixels: NDArray[Any],
        encoding: str = '32FC1',
    ) -> None:
        contents = image_contents(pixels, encoding)
        data = pixels.view(np.uint8).ravel()
        self._send(camera, name, time_ns, header=header, **contents, data=data)

    def _send(self, camera: _Camera, name: str, time_ns: int, **fields: Any) -> None:
        topic = self._options.output_topic(camera.stream, name)
        # What is no topic of depth_node's itself is one of its image_transport plugins.
        self._writer.write(topic, time_ns, DEPTH_TOPICS.get(name, COMPRESSED), **fields)


_IN_ROW = ('range', 'max_range', 'variance')


def _compressed_depth(depth_m: NDArray[np.float32]) -> NDArray[np.uint8]:
    # The fastest level: the depth of a network is smooth, higher ones gain little.
    encoded, content = cv2.imencode(
        '.png', to_millimetres(depth_m), [cv2.IMWRITE_PNG_COMPRESSION, 1]
    )
    assert encoded, 'PNG takes every uint16 array'
    return np.frombuffer(_COMPRESSED_DEPTH_HEADER + content.tobytes(), np.uint8)


def _moment(key: str, time_ns: int, seen: Observation) -> dict[str, NDArray[Any]]:
    height, width = seen.image_rgb.shape[:2]
    size = (_SHEET_WIDTH_PX, max(1, round(_SHEET_WIDTH_PX * height / width)))
    picture = cv2.resize(seen.image_rgb, size, interpolation=cv2.INTER_AREA)
    return {
        f'{key}_picture': picture,
        f'{key}_depth': seen.depth_m,
        f'{key}_time': np.array(time_ns),
    }
