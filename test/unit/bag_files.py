# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Small bags of every kind, made of the bundled clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
from drawn_wall import FOCAL_PX, wall_picture
from drawn_wall import SIZE as WALL_SIZE
from fcrn_depth_ros.archives.writing import with_arrays
from fcrn_depth_ros.camera.camera_file import read_camera_file
from fcrn_depth_ros.camera.depth_encoding import to_millimetres
from fcrn_depth_ros.camera.picture_files import read_picture
from fcrn_depth_ros.wire.contents import camera_info_contents, image_contents
import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import get_typestore, Stores

STORES = {2: get_typestore(Stores.LATEST), 1: get_typestore(Stores.ROS1_NOETIC)}

CLIP = Path(__file__).parents[2] / 'fcrn_depth_ros' / 'demo_clip'
IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
INFO, TF = 'sensor_msgs/msg/CameraInfo', 'tf2_msgs/msg/TFMessage'
ODOMETRY, RANGE = 'nav_msgs/msg/Odometry', 'sensor_msgs/msg/Range'
LASER_SCAN, POSE = 'sensor_msgs/msg/LaserScan', 'geometry_msgs/msg/PoseStamped'
# Recorded so long after the stamp.
DELAY_NS = 20_000_000
Message = tuple[str, int, str, Any]
# Of the pictures and the depth of `measured`.
SIZE = (64, 48)
DEPTH_M = np.where(np.arange(48)[:, None] < 40, np.linspace(1, 3, 64), np.nan).astype(np.float32)


class Messages:
    """Makes messages of one version of ROS."""

    def __init__(self, ros: int = 2) -> None:
        self.ros = ros
        self.store = STORES[ros]

    def make(self, kind: str, **fields: Any) -> Any:
        return self.store.types[kind](**fields)

    def header(self, stamp_ns: int, frame_id: str = 'camera_optical_frame') -> Any:
        seconds, rest = divmod(stamp_ns, 10**9)
        stamp = self.make('builtin_interfaces/msg/Time', sec=seconds, nanosec=rest)
        extra = {'seq': 0} if self.ros == 1 else {}
        return self.make('std_msgs/msg/Header', stamp=stamp, frame_id=frame_id, **extra)

    def image(self, stamp_ns: int, pixels: np.ndarray, encoding: str = 'rgb8') -> Any:
        return self.make(
            IMAGE,
            header=self.header(stamp_ns),
            **image_contents(pixels, encoding),
            data=pixels.view(np.uint8).ravel(),
        )

    def compressed(self, stamp_ns: int, content: bytes) -> Any:
        data = np.frombuffer(content, np.uint8)
        return self.make(COMPRESSED, header=self.header(stamp_ns), format='jpeg', data=data)

    def camera_info(self, stamp_ns: int, size: tuple[int, int] | None = None) -> Any:
        intrinsics = read_camera_file(CLIP / 'camera.json').intrinsics
        if size is not None:
            intrinsics = intrinsics.scaled_to(*size)
        fields = with_arrays(camera_info_contents(intrinsics))
        if self.ros == 1:
            fields = {name.upper() if len(name) == 1 else name: v for name, v in fields.items()}
        roi = self.make(
            'sensor_msgs/msg/RegionOfInterest',
            x_offset=0,
            y_offset=0,
            height=0,
            width=0,
            do_rectify=False,
        )
        return self.make(
            INFO, header=self.header(stamp_ns), binning_x=0, binning_y=0, roi=roi, **fields
        )

    def odometry(self, stamp_ns: int, x_m: float, y_m: float) -> Any:
        point = self.make('geometry_msgs/msg/Point', x=x_m, y=y_m, z=0.0)
        turn = self.make('geometry_msgs/msg/Quaternion', x=0.0, y=0.0, z=0.0, w=1.0)
        pose = self.make('geometry_msgs/msg/Pose', position=point, orientation=turn)
        zero = self.make('geometry_msgs/msg/Vector3', x=0.0, y=0.0, z=0.0)
        twist = self.make('geometry_msgs/msg/Twist', linear=zero, angular=zero)
        kinds = 'PoseWithCovariance', 'TwistWithCovariance'
        with_pose, with_twist = (f'geometry_msgs/msg/{kind}' for kind in kinds)
        return self.make(
            ODOMETRY,
            header=self.header(stamp_ns, 'odom'),
            child_frame_id='base_link',
            pose=self.make(with_pose, pose=pose, covariance=np.zeros(36)),
            twist=self.make(with_twist, twist=twist, covariance=np.zeros(36)),
        )

    def range_hint(self, stamp_ns: int, distance_m: float) -> Any:
        return self.make(
            RANGE,
            header=self.header(stamp_ns, 'sonar'),
            radiation_type=0,
            field_of_view=0.1,
            min_range=0.02,
            max_range=6.0,
            range=distance_m,
            variance=0.0,
        )

    def laser_scan(self, stamp_ns: int, ahead_m: float) -> Any:
        """Make the scan of a wall that stands across."""
        angles = np.linspace(-0.3, 0.3, 31)
        return self.make(
            LASER_SCAN,
            header=self.header(stamp_ns, 'lidar'),
            angle_min=-0.3,
            angle_max=0.3,
            angle_increment=0.02,
            time_increment=0.0,
            scan_time=0.0,
            range_min=0.05,
            range_max=10.0,
            ranges=(ahead_m / np.cos(angles)).astype(np.float32),
            intensities=np.zeros(0, np.float32),
        )

    def held_camera(self, stamp_ns: int, height_m: float, pitch_deg: float) -> Any:
        """Make the pose of an optical frame above the floor, without roll."""
        half = np.radians(-90.0 - pitch_deg) / 2
        turn = self.make(
            'geometry_msgs/msg/Quaternion', x=np.sin(half), y=0.0, z=0.0, w=np.cos(half)
        )
        point = self.make('geometry_msgs/msg/Point', x=0.0, y=0.0, z=height_m)
        pose = self.make('geometry_msgs/msg/Pose', position=point, orientation=turn)
        return self.make(POSE, header=self.header(stamp_ns, 'floor'), pose=pose)

    def transform(
        self, stamp_ns: int, parent: str, child: str, xyz: Sequence[float], xyzw: Sequence[float]
    ) -> Any:
        vector = self.make('geometry_msgs/msg/Vector3', **dict(zip('xyz', xyz, strict=True)))
        turn = self.make('geometry_msgs/msg/Quaternion', **dict(zip('xyzw', xyzw, strict=True)))
        stamped = self.make(
            'geometry_msgs/msg/TransformStamped',
            header=self.header(stamp_ns, parent),
            child_frame_id=child,
            transform=self.make('geometry_msgs/msg/Transform', translation=vector, rotation=turn),
        )
        return self.make(TF, transforms=[stamped])


def clip_messages(
    messages: Messages,
    count: int = 12,
    *,
    raw: bool = False,
    namespace: str = '/camera',
    first: int = 0,
    period_ns: int = 100_000_000,
    size: tuple[int, int] | None = None,
) -> Iterator[Message]:
    """Yield topic, time, type and message of the pictures and camera_infos of the clip."""
    files = sorted(CLIP.glob('*.jpg'))
    for index in range(count):
        file = files[(first + index) % len(files)]
        stamp_ns = 100 * 10**9 + index * period_ns
        time_ns = stamp_ns + DELAY_NS
        yield (
            f'{namespace}/camera_info',
            time_ns - 1000,
            INFO,
            messages.camera_info(stamp_ns, size),
        )
        if raw:
            pixels = read_picture(file)
            if size is not None:
                pixels = cv2.resize(pixels, size)
            yield f'{namespace}/image_rect', time_ns, IMAGE, messages.image(stamp_ns, pixels)
        else:
            message = messages.compressed(stamp_ns, file.read_bytes())
            yield f'{namespace}/image_rect/compressed', time_ns, COMPRESSED, message


def along_a_wall(felt: float = 1.0, scan_m: float | None = None) -> Iterator[Message]:
    """Yield odometry, scans and pictures of a wall at 2 m that passes by."""
    made = Messages()
    info = made.camera_info(0, WALL_SIZE)
    info.k[:] = [FOCAL_PX, 0, 159.5, 0, FOCAL_PX, 119.5, 0, 0, 1]
    info.p[:] = [FOCAL_PX, 0, 159.5, 0, 0, FOCAL_PX, 119.5, 0, 0, 0, 1, 0]
    yield '/camera/camera_info', 10**9, INFO, info
    for index in range(30):
        stamp_ns = 2 * 10**9 + index * 10**8
        moved_m = 0.03 * index
        odometry = made.odometry(stamp_ns, 0.0, -felt * moved_m)
        yield '/odom', stamp_ns, ODOMETRY, odometry
        if scan_m is not None:
            scan = made.laser_scan(stamp_ns, scan_m + 1e-4 * index)
            yield '/lidar', stamp_ns + 1, LASER_SCAN, scan
        image = made.image(stamp_ns, wall_picture(moved_m))
        yield '/camera/image_rect', stamp_ns + 10**7, IMAGE, image


def measured(kind: str, late_ns: int = 5_000_000, count: int = 4) -> Iterator[Message]:
    """Yield pictures, each with depth that is a little late, and depth of another size."""
    made = Messages()
    for topic, time_ns, message_type, message in clip_messages(made, count, raw=True, size=SIZE):
        yield topic, time_ns, message_type, message
        if message_type != IMAGE:
            continue
        stamp = message.header.stamp
        stamp_ns = stamp.sec * 10**9 + stamp.nanosec + late_ns
        millimetres = to_millimetres(DEPTH_M)
        other = made.image(stamp_ns, millimetres[::2, ::2].copy(), '16UC1')
        yield '/depth/image_rect', time_ns + 1, IMAGE, other
        if kind == 'png':
            content = bytes(12) + cv2.imencode('.png', millimetres)[1].tobytes()
            depth = made.compressed(stamp_ns, content)
            depth.format = '16UC1; compressedDepth png'
            yield '/aligned/image_raw/compressedDepth', time_ns + 2, COMPRESSED, depth
        else:
            pixels = millimetres if kind == '16UC1' else DEPTH_M
            yield '/aligned/image_raw', time_ns + 2, IMAGE, made.image(stamp_ns, pixels, kind)


def write_bag(
    path: Path, content: Iterator[Message] | Sequence[Message], kind: str = 'mcap'
) -> Path:
    """Write a bag: `mcap` or `sqlite3` (folders), or `ros1` (a file)."""
    if kind == 'ros1':
        store = STORES[1]
        with Writer1(path) as writer1:
            _write(writer1, content, store, store.serialize_ros1)
        return path
    store = STORES[2]
    plugin = StoragePlugin.MCAP if kind == 'mcap' else StoragePlugin.SQLITE3
    with Writer2(path, version=9, storage_plugin=plugin) as writer2:
        _write(writer2, content, store, store.serialize_cdr)
    return path


def _write(writer: Any, content: Any, store: Any, serialize: Any) -> None:
    connections: dict[tuple[str, str], Any] = {}
    for topic, time_ns, kind, message in content:
        if (topic, kind) not in connections:
            connections[topic, kind] = writer.add_connection(topic, kind, typestore=store)
        writer.write(connections[topic, kind], time_ns, serialize(message, kind))
