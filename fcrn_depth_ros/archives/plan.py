# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What is to be done with one bag: its cameras, and the segments it is cut into."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
import hashlib
import json
import math
from pathlib import Path
from typing import Any

from .cameras import CameraStream, find_cameras
from .places import input_place
from .recording import LASER_SCAN, ODOMETRY, POSE, RANGE, Recording, TRANSFORMS
from .. import __version__
from ..alert.machine import AlertConfig
from ..camera.mounting import CameraMounting
from ..errors import ToolInputError
from ..estimation.model_choice import choose_model, NETWORKS
from ..estimation.onnx_model import embedded_model_path, SessionConfig
from ..perception.pipeline import PerceptionConfig
from ..perception.scan import ScanConfig
from ..perception.scan_frame import scan_frame_of
from ..scale.range_hint import RangeHintConfig
from ..scale.scan_hint import ScanHintConfig
from ..wire.topics import ALERT_TOPICS, DEPTH_TOPICS

_NS_PER_S = 1_000_000_000
# Columns of the contact sheet.
MOMENTS = 6


@dataclass(frozen=True)
class BagOptions:
    """
    Everything that decides what is written for a bag.

    Two runs with equal options and equal bags write the same, whatever the number of workers.

    Attributes
    ----------
    model_file : str
        As the parameter of depth_node, but `auto` measures nothing.
    card_overrides : tuple of (str, str)
        Keys that its model card lacks.
    session, perception, scan, alert
        Settings of the nodes.
    mounting : CameraMounting or None
        Of every camera; None where it is unknown.
    floor_frame : str
        Where set, the mounting comes from the transforms in the bag.
    image_topics : tuple of str
        Empty for one of each namespace.
    rectify : str
        'yes', 'no', or 'auto': unless the name of the topic says that it is rectified.
    depth_encoding : str
        32FC1 or 16UC1.
    compress : bool
        Write depth as compressedDepth (PNG of millimetres).
    copy : bool
        Write the original messages, too.
    prefix : str
        Namespace in front of every topic that is written.
    scan_frame_id : str
        Empty derives it from the frame of the image.
    clock : str
        'recorded' or 'stamp': which time the alert lives in.
    segment_s : float
        Length of a segment in seconds.
    odom_topic : str
        Odometry of the robot, a witness of scale; empty where none is listened to.
    range_hint_topic : str
        Range sensor beside the camera, another witness; empty where none is listened to.
    range_hint : RangeHintConfig
        Where that sensor sits, unless its place comes from the transforms.
    scan_hint_topic, scan_hint : str, ScanHintConfig
        A laser scanner, likewise.
    mounting_topic : str
        Where set, the mounting of each picture comes from stamped poses, for every camera.
    camera_x_m, camera_y_m, camera_yaw_deg : float
        Place of the camera on the robot, unless it comes from the transforms.

    """

    model_file: str = ''
    card_overrides: tuple[tuple[str, str], ...] = ()
    session: SessionConfig = field(default_factory=SessionConfig)
    perception: PerceptionConfig = field(default_factory=PerceptionConfig)
    scan: ScanConfig = field(default_factory=ScanConfig)
    alert: AlertConfig = field(default_factory=AlertConfig)
    mounting: CameraMounting | None = None
    floor_frame: str = ''
    image_topics: tuple[str, ...] = ()
    rectify: str = 'auto'
    depth_encoding: str = '32FC1'
    compress: bool = False
    copy: bool = True
    prefix: str = ''
    scan_frame_id: str = ''
    clock: str = 'recorded'
    segment_s: float = 30.0
    odom_topic: str = ''
    range_hint_topic: str = ''
    range_hint: RangeHintConfig = field(default_factory=RangeHintConfig)
    scan_hint_topic: str = ''
    scan_hint: ScanHintConfig = field(default_factory=ScanHintConfig)
    mounting_topic: str = ''
    camera_x_m: float = 0.0
    camera_y_m: float = 0.0
    camera_yaw_deg: float = 0.0

    @property
    def remembers(self) -> bool:
        """Whether what a picture means depends on all pictures before it."""
        listens = bool(self.odom_topic or self.range_hint_topic or self.scan_hint_topic)
        calibrated = self.perception.scale.scale_factor_sigma > 0.0
        holds = self.perception.steadiness.nearest_hold_s > 0.0
        return listens or calibrated or holds or self.perception.looming.looming

    @property
    def model_path(self) -> Path:
        """The network: where it has a name, by the provider, which is alike on every machine."""
        name = NETWORKS.get(self.model_file or 'auto')
        if name is None:
            return choose_model(self.model_file, self.session).path
        return embedded_model_path(self.session.provider, name)

    def scan_frame(self, image_frame: str) -> str:
        """Return the frame of depth/scan and proximity/range for that of the image."""
        return self.scan_frame_id or scan_frame_of(image_frame)

    def output_topic(self, camera: CameraStream, name: str) -> str:
        """Return the topic of one result of a camera."""
        return f'{self.prefix}{camera.namespace}/{name}'


@dataclass(frozen=True)
class Segment:
    """
    A stretch of a bag.

    Attributes
    ----------
    index : int
        From 0, in order of time.
    start_ns, stop_ns : int or None
        What was recorded from `start_ns` on and before `stop_ns`; None is an end of the bag.

    """

    index: int
    start_ns: int | None
    stop_ns: int | None


@dataclass(frozen=True)
class BagPlan:
    """
    What is to be done with one bag; small, and the same on every machine.

    Attributes
    ----------
    place : str
        Path or URL of the bag.
    name : str
        Of its results.
    cameras : tuple of CameraStream
        Never empty.
    segments : tuple of Segment
        Never empty.
    static_transforms : tuple of bytes
        Every message of /tf_static, CDR.
    moments_ns : tuple of int
        The contact sheet shows the first picture from each of these times on.
    start_ns : int
        Time of the first message.
    fingerprint : str
        Differs where the bag or the options differ.

    """

    place: str
    name: str
    cameras: tuple[CameraStream, ...]
    segments: tuple[Segment, ...]
    static_transforms: tuple[bytes, ...]
    moments_ns: tuple[int, ...]
    start_ns: int
    fingerprint: str

    @property
    def pictures(self) -> int:
        """How many pictures of cameras the bag has."""
        return sum(camera.pictures for camera in self.cameras)


def name_of(place: str) -> str:
    """Return the name that the results of a bag get."""
    return input_place(place).stem


def plan_bag(place: str, options: BagOptions) -> BagPlan:
    """
    Look into a bag and cut it into segments.

    Parameters
    ----------
    place : str
        Path or URL.
    options : BagOptions
        See there.

    Returns
    -------
    BagPlan
        See there.

    Raises
    ------
    ToolInputError
        The bag is damaged, holds no pictures, or has a topic that would be written.

    """
    with Recording(place) as recording:
        cameras = tuple(find_cameras(recording, options.image_topics))
        _check_outputs(recording, cameras, options)
        for topic, kind, option in (
            (options.odom_topic, ODOMETRY, '--odom-topic'),
            (options.range_hint_topic, RANGE, '--range-hint-topic'),
            (options.scan_hint_topic, LASER_SCAN, '--scan-hint-topic'),
            (options.mounting_topic, POSE, '--mounting-topic'),
        ):
            _check_input(recording, topic, kind, option)
        # One that remembers cannot begin in the middle.
        segment_s = math.inf if options.remembers else options.segment_s
        static: tuple[bytes, ...] = ()
        if options.floor_frame:
            topics = [t for t in recording.topics_of(TRANSFORMS) if t.endswith('tf_static')]
            static = tuple(bytes(data) for _, _, data in recording.messages(topics or ['']))
        pictures = sum(camera.pictures for camera in cameras)
        firsts = [next(recording.messages([camera.topic]), None) for camera in cameras]
        first_ns = min((first[1] for first in firsts if first), default=recording.start_ns)
        span_ns = max(1, recording.end_ns - first_ns)
        return BagPlan(
            place,
            name_of(place),
            cameras,
            _cut(first_ns, span_ns, segment_s, pictures),
            static,
            tuple(first_ns + span_ns * index // MOMENTS for index in range(MOMENTS)),
            recording.start_ns,
            _fingerprint(recording, options),
        )


def _cut(first_ns: int, span_ns: int, segment_s: float, pictures: int) -> tuple[Segment, ...]:
    if math.isinf(segment_s):
        return (Segment(0, None, None),)
    # No more segments than pictures: a clock that jumped must not make a million empty ones.
    count = max(1, min(-(-span_ns // round(segment_s * _NS_PER_S)), pictures))
    # Of one length, so that workers end together.
    length_ns = -(-span_ns // count)
    bounds = [None, *(first_ns + index * length_ns for index in range(1, count)), None]
    return tuple(
        Segment(index, bounds[index], bounds[index + 1]) for index in range(len(bounds) - 1)
    )


def _check_input(recording: Recording, topic: str, message_type: str, option: str) -> None:
    present = recording.topics_of(message_type)
    if topic and topic not in present:
        raise ToolInputError(
            f'{message_type} of {recording.place} must be among {sorted(present)}, got {topic}; '
            f'correct {option}'
        )


def _check_outputs(
    recording: Recording, cameras: tuple[CameraStream, ...], options: BagOptions
) -> None:
    if not options.copy:
        return
    present = {connection.topic for connection in recording.connections}
    for camera in cameras:
        for name in OUTPUT_NAMES:
            topic = options.output_topic(camera, name)
            if topic in present:
                raise ToolInputError(
                    f'topics that are written must be new in {recording.place}, got {topic}, '
                    'which it has; give --prefix /again, or --no-copy'
                )


# Of depth_node's, but not written: for people, and made of the depth by anyone who wants it.
NOT_WRITTEN = {'depth/image_color', 'depth/points'}
OUTPUT_NAMES = (
    *(topic for topic in DEPTH_TOPICS if topic not in NOT_WRITTEN),
    'depth/image_rect/compressedDepth',
    *ALERT_TOPICS,
)


def _fingerprint(recording: Recording, options: BagOptions) -> str:
    content = {
        'version': __version__,
        'model': hashlib.sha256(options.model_path.read_bytes()).hexdigest(),
        'options': _plain(asdict(options)),
        'topics': sorted((c.topic, c.msgtype, c.msgcount) for c in recording.connections),
        'start_ns': recording.start_ns,
        'end_ns': recording.end_ns,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != 'model_file'}
