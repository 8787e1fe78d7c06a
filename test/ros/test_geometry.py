# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A reader that knows only the messages finds a known scene in the right place."""

from __future__ import annotations

from collections.abc import Iterator
import math
from pathlib import Path
from typing import Any

from fcrn_depth_ros.nodes.depth_node import DepthNode
from fcrn_depth_ros.ros.messages import image_message
import numpy as np
import pytest
from running_node import parameters, RunningNode
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2, Range
from std_msgs.msg import Header
from tiny_models import tiny_card, write_model

# A 640x480 camera with an off-centre principal point, before a network of 32x24.
FX, FY, CX, CY = 520.0, 525.0, 330.0, 228.0
HEIGHT_M, PITCH_DEG = 0.4, 15.0
WALL_M = 2.0
TOP_M = 0.55


def ray_scene(width: int, height: int) -> np.ndarray:
    """
    Trace a floor and a wall across it, 2 m ahead and 0.55 m high, at a given picture size.

    The camera is 0.4 m above the floor and looks 15 degrees down. Returns depth along the optical
    axis, written from the scene alone: no function of the package is used.
    """
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    x = ((u + 0.5) * 640 / width - 0.5 - CX) / FX
    y = ((v + 0.5) * 480 / height - 0.5 - CY) / FY
    pitch = math.radians(PITCH_DEG)
    ahead = math.cos(pitch) - y * math.sin(pitch)
    down = math.sin(pitch) + y * math.cos(pitch)
    with np.errstate(divide='ignore'):
        floor = np.where(down > 0, HEIGHT_M / down, np.inf)
    wall = WALL_M / ahead
    wall = np.where(HEIGHT_M - wall * down <= TOP_M, wall, np.inf)
    depth = np.minimum(floor, wall)
    assert x.shape == depth.shape
    return np.where(np.isfinite(depth), depth, 6.0).astype(np.float32)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[RunningNode]:
    # The network was trained with 40 px at 32 px width; the camera has 26 px there.
    ratio = FX * 32 / 640 / 40.0
    model = write_model(
        tmp_path / 'scene.onnx',
        tiny_card(training_fx_px=40.0, mounting_input=''),
        output=(ray_scene(32, 24) / ratio)[None, None],
    )
    overrides = {
        'model_file': str(model),
        'camera_height_m': HEIGHT_M,
        'camera_pitch_deg': PITCH_DEG,
        'near_distance_m': 3.0,
    }
    running = RunningNode(lambda: DepthNode(parameter_overrides=parameters(overrides)))
    yield running
    running.close()


def first_of_each(running: RunningNode, kinds: dict[str, type]) -> dict[str, Any]:
    got = {topic: running.listen(kind, topic) for topic, kind in kinds.items()}
    info = CameraInfo(
        width=640,
        height=480,
        k=[FX, 0.0, CX, 0.0, FY, CY, 0.0, 0.0, 1.0],
        p=[FX, 0.0, CX, 0.0, 0.0, FY, CY, 0.0, 0.0, 0.0, 1.0, 0.0],
    )
    running.publish('camera_info', info)
    running.wait_for(lambda: running.node._camera_info is not None)
    texture = np.kron(np.random.default_rng(0).integers(0, 255, (6, 8, 3)), np.ones((80, 80, 1)))
    running.publish(
        'image',
        image_message(Header(frame_id='cam_optical_frame'), texture.astype(np.uint8), 'rgb8'),
    )
    running.wait_for(lambda: all(got.values()))
    return {topic: messages[0] for topic, messages in got.items()}


def above_floor_and_ahead(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level optical points: height above the floor and distance ahead of the camera."""
    pitch = math.radians(PITCH_DEG)
    down = points[..., 1] * math.cos(pitch) + points[..., 2] * math.sin(pitch)
    ahead = points[..., 2] * math.cos(pitch) - points[..., 1] * math.sin(pitch)
    return HEIGHT_M - down, ahead


def assert_is_the_scene(points: np.ndarray) -> None:
    height, ahead = above_floor_and_ahead(points)
    on_floor = np.abs(height) < 0.01
    on_wall = (np.abs(ahead - WALL_M) < 0.02) & (height > 0.01)
    far = points[..., 2] > 5.9
    assert np.all(on_floor | on_wall | far)
    assert on_floor.sum() > 100 and on_wall.sum() > 100
    assert height[on_wall].max() == pytest.approx(TOP_M, abs=0.1)


def test_back_projection_with_the_published_camera(scene: RunningNode) -> None:
    got = first_of_each(scene, {'depth/image_rect': Image, 'depth/camera_info': CameraInfo})
    image, info = got['depth/image_rect'], got['depth/camera_info']
    depth = np.frombuffer(image.data, np.float32).reshape(image.height, image.width)
    assert (info.width, info.height) == (image.width, image.height)
    u, v = np.meshgrid(np.arange(image.width), np.arange(image.height))
    points = np.stack(
        [(u - info.k[2]) / info.k[0] * depth, (v - info.k[5]) / info.k[4] * depth, depth], axis=-1
    )
    assert_is_the_scene(points)


def test_the_cloud_is_the_same_scene(scene: RunningNode) -> None:
    cloud = first_of_each(scene, {'depth/points': PointCloud2})['depth/points']
    points = np.frombuffer(cloud.data, np.float32).reshape(cloud.height, cloud.width, 4)[..., :3]
    assert_is_the_scene(points)


def test_the_scan_sees_the_wall_and_not_the_floor(scene: RunningNode) -> None:
    scan = first_of_each(scene, {'depth/scan': LaserScan})['depth/scan']
    ranges = np.array(scan.ranges)
    angles = scan.angle_min + scan.angle_increment * np.arange(len(ranges))
    hits = np.isfinite(ranges)
    assert hits.sum() > 0.8 * len(ranges)
    assert ranges[hits] * np.cos(angles[hits]) == pytest.approx(WALL_M, rel=0.03)


def test_the_range_is_the_wall_not_the_nearer_floor(scene: RunningNode) -> None:
    message = first_of_each(scene, {'proximity/range': Range})['proximity/range']
    # Depth along the tilted axis: the top of the wall is nearer along it than 2 m.
    assert 1.7 < message.range < WALL_M / math.cos(math.radians(PITCH_DEG))
