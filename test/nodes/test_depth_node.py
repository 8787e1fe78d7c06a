# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
import json
import math
from pathlib import Path
import re
import threading
from types import SimpleNamespace
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fcrn_depth_ros.__main__ import main as run_command
from fcrn_depth_ros.camera.image_messages import image_to_rgb
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.estimation.stopwatch import Stage
from fcrn_depth_ros.nodes.depth_node import DepthNode
from fcrn_depth_ros.ros import depth_worker
from fcrn_depth_ros.ros.messages import camera_info_message, image_message
from fcrn_depth_ros.ros.pose_mounting import pose_of_mounting
from fcrn_depth_ros.scale.odometry import CameraPlace
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from running_node import parameters, RunningNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Float32, Header, String, UInt8
from tiny_dataset import blocks
from tiny_models import tiny_card, write_model

SIZE = (64, 48)
CAMERA = CameraIntrinsics(64.0, 64.0, 31.5, 23.5, *SIZE)
# The test network answers 1 m where a pixel's mean is 100, so a brighter picture is farther.
METRES_PER_LEVEL = 0.01


def picture(metres: float = 1.0, seed: int = 0) -> np.ndarray:
    """Return a picture with enough texture for the quality gate and the given mean."""
    blocks = np.random.default_rng(seed).uniform(-80, 80, (6, 8, 1))
    blocks -= blocks.mean()
    pixels = np.kron(blocks, np.ones((8, 8, 1))) * min(1.0, metres) + metres / METRES_PER_LEVEL
    return np.repeat(pixels, 3, axis=2).clip(0, 255).astype(np.uint8)


def image(pixels: np.ndarray, stamp_s: int = 5) -> Image:
    header = Header(frame_id='cam_optical_frame')
    header.stamp.sec = stamp_s
    return image_message(header, pixels, 'rgb8')


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningNode]]:
    running = []

    def start_node(card: dict[str, Any] | None = None, **overrides: Any) -> RunningNode:
        if 'model_file' not in overrides:
            overrides['model_file'] = str(
                write_model(tmp_path / 'tiny.onnx', tiny_card(**(card or {})))
            )
        node_arguments = {
            name: overrides.pop(name) for name in ('cli_args', 'namespace') if name in overrides
        }
        running.append(
            RunningNode(
                lambda: DepthNode(parameter_overrides=parameters(overrides), **node_arguments)
            )
        )
        return running[-1]

    yield start_node
    for node in running:
        node.close()


def send(
    node: RunningNode,
    pixels: np.ndarray,
    stamp_s: int = 5,
    camera: CameraIntrinsics | None = CAMERA,
) -> None:
    if camera is not None:
        node.publish('camera_info', camera_info_message(Header(), camera))
        node.wait_for(lambda: node.node._camera_info is not None)
    node.publish('image', image(pixels, stamp_s))


def status(node: RunningNode) -> Any:
    return node.node._status.snapshot()


def metres(message: Image) -> np.ndarray:
    return np.frombuffer(message.data, np.float32).reshape(message.height, message.width)


def test_depth_has_the_stamp_the_frame_and_its_camera(start: Callable[..., RunningNode]) -> None:
    node = start()
    infos = node.listen(CameraInfo, 'depth/camera_info')
    images = node.listen(Image, 'depth/image_rect')
    send(node, picture(2.0), stamp_s=77)
    node.wait_for(lambda: images and infos)
    assert images[0].header == infos[0].header
    assert images[0].header.stamp.sec == 77
    assert images[0].header.frame_id == 'cam_optical_frame'
    assert (images[0].encoding, images[0].width, images[0].height) == ('32FC1', 32, 24)
    assert (infos[0].width, infos[0].height) == (32, 24)
    # The camera sees 64 px at 64 px width, the network was trained at 32 px at 32 px: the same.
    assert infos[0].k[0] == 32.0 and infos[0].p[0] == 32.0
    assert np.nanmean(metres(images[0])) == pytest.approx(2.0, rel=0.05)


def test_scale_follows_the_focal_length(start: Callable[..., RunningNode]) -> None:
    node = start()
    images = node.listen(Image, 'depth/image_rect')
    send(node, picture(2.0), camera=CameraIntrinsics(128.0, 128.0, 31.5, 23.5, *SIZE))
    node.wait_for(lambda: images)
    assert np.nanmean(metres(images[0])) == pytest.approx(4.0, rel=0.05)
    assert not node.node.set_parameters([Parameter('focal_correction', value='no')])[0].successful
    assert node.node.set_parameters([Parameter('focal_correction', value='off')])[0].successful
    send(node, picture(2.0, seed=1))
    node.wait_for(lambda: len(images) == 2)
    assert np.nanmean(metres(images[1])) == pytest.approx(2.0, rel=0.05)


def test_every_output_of_one_frame(start: Callable[..., RunningNode]) -> None:
    node = start(camera_height_m=0.5)
    kinds = {
        'depth/image_rect': Image,
        'depth/camera_info': CameraInfo,
        'depth/image_color': Image,
        'depth/points': PointCloud2,
        'depth/scan': LaserScan,
        'proximity': Float32,
        'proximity/near': Bool,
        'proximity/range': Range,
    }
    got = {topic: node.listen(kind, topic) for topic, kind in kinds.items()}
    send(node, picture(0.6))
    node.wait_for(lambda: all(got.values()), f'all of {list(kinds)}')
    assert got['depth/scan'][0].header.frame_id == 'cam_scan'
    assert got['proximity/range'][0].header.frame_id == 'cam_scan'
    assert got['depth/image_color'][0].encoding == 'rgb8'
    assert got['depth/points'][0].header.frame_id == 'cam_optical_frame'
    assert 0.0 < got['proximity'][0].data <= 1.0
    assert got['proximity/range'][0].range == pytest.approx(0.1, abs=0.15)
    assert got['proximity/range'][0].header.stamp.sec == 5


def test_floor_and_confidence_have_stamp_size_and_frame_of_the_depth(
    start: Callable[..., RunningNode],
) -> None:
    node = start({'floor_output': 'floor', 'confidence_output': 'sure'}, max_depth_m=1.2)
    topics = ('depth/image_rect', 'depth/floor', 'depth/confidence')
    got = {topic: node.listen(Image, topic) for topic in topics}
    pixels = picture(1.0)
    send(node, pixels, stamp_s=9)
    node.wait_for(lambda: all(got.values()), 'depth, floor and confidence')
    depth, floor, sure = (got[topic][0] for topic in topics)
    assert depth.header == floor.header == sure.header
    assert {(one.encoding, one.width, one.height) for one in (depth, floor, sure)} == {
        ('32FC1', 32, 24)
    }
    unknown = np.isnan(metres(depth))
    assert 0.1 < unknown.mean() < 0.9
    assert (np.isnan(metres(sure)) == unknown).all()
    # The tiny network takes light for floor, and is sure of what is dark.
    assert metres(floor).min() >= 0.0 and metres(floor).max() <= 1.0
    np.testing.assert_allclose((metres(sure) + metres(floor))[~unknown], 1.0, atol=0.01)
    # A threshold takes unsure depth away, and the confidence that says why stays.
    assert node.node.set_parameters([Parameter('confidence_threshold', value=0.7)])[0].successful
    send(node, pixels, stamp_s=10)
    node.wait_for(lambda: all(len(messages) == 2 for messages in got.values()))
    depth, _, sure = (got[topic][1] for topic in topics)
    unsure = metres(sure) < 0.7
    assert unsure.any()
    assert (np.isnan(metres(depth)) == (unsure | unknown)).all()


def test_what_counts_as_near_comes_before_the_depth_of_its_stamp(
    start: Callable[..., RunningNode],
) -> None:
    node = start(max_depth_m=1.2, near_distance_m=0.5, roi_left=0.5, min_valid_fraction=0.01)
    got = {topic: node.listen(Image, topic) for topic in ('depth/near', 'depth/image_rect')}
    send(node, picture(), stamp_s=9)
    node.wait_for(lambda: all(got.values()), 'near and depth')
    (near,), (depth,) = got.values()
    assert near.header == depth.header
    assert (near.encoding, near.width, near.height) == ('mono8', 32, 24)
    values = np.frombuffer(near.data, np.uint8).reshape(24, 32)
    depth_m = metres(depth)
    counted = depth_m < 0.5
    counted[:, :16] = False
    assert counted.any()
    assert (values == np.where(counted, 255, np.where(np.isnan(depth_m), 127, 0))).all()
    send(node, np.zeros_like(picture()), stamp_s=10)  # dark: nothing is known
    node.wait_for(lambda: len(got['depth/near']) == 2)
    assert set(bytes(got['depth/near'][1].data)) == {127}


def test_a_model_without_floor_and_confidence_says_so_and_stays_idle(
    start: Callable[..., RunningNode], capfd: pytest.CaptureFixture[str]
) -> None:
    node = start({'floor_output': 'floor'})
    sure = node.listen(Image, 'depth/confidence')
    send(node, picture())
    node.wait_for(lambda: status(node).frames_ignored == 1)
    warned: list[str] = []

    def heard() -> bool:
        warned.extend(re.findall(r'depth/\w+ has a subscriber.*', capfd.readouterr().err))
        return bool(warned)

    node.wait_for(heard)
    floor = node.listen(Image, 'depth/floor')
    send(node, picture(seed=1))
    node.wait_for(lambda: floor)
    node.node._outputs.warn_of_absent()
    heard()
    (line,) = warned
    assert 'depth/confidence' in line and 'tiny has no confidence_output' in line
    assert not sure


def test_nothing_is_computed_for_nobody(start: Callable[..., RunningNode]) -> None:
    node = start()
    send(node, picture())
    node.wait_for(lambda: status(node).frames_ignored == 1)
    assert status(node).frames_processed == 0


def test_sixteen_bit_depth_and_back(start: Callable[..., RunningNode]) -> None:
    node = start(depth_encoding='16UC1')
    images = node.listen(Image, 'depth/image_rect')
    send(node, picture(2.0))
    node.wait_for(lambda: images)
    assert images[0].encoding == '16UC1'
    assert np.frombuffer(images[0].data, np.uint16).mean() == pytest.approx(2000, rel=0.05)
    node.node.set_parameters([Parameter('depth_encoding', value='32FC1')])
    send(node, picture(2.0, seed=1))
    node.wait_for(lambda: len(images) == 2)
    assert images[1].encoding == '32FC1'


BAD_FRAMES = {
    'nonsense encoding': Image(
        encoding='banana', width=4, height=4, step=12, data=array('B', bytes(48))
    ),
    'zero size': Image(encoding='rgb8'),
    'truncated': Image(
        encoding='rgb8', width=64, height=48, step=192, data=array('B', bytes(100))
    ),
    'short step': Image(
        encoding='rgb8', width=64, height=48, step=10, data=array('B', bytes(9216))
    ),
    'odd yuv': Image(encoding='nv12', width=3, height=3, step=3, data=array('B', bytes(27))),
    'depth instead of colour': Image(
        encoding='32FC1', width=4, height=4, step=16, data=array('B', bytes(64))
    ),
}


def test_bad_frames_are_counted_and_the_next_good_one_works(
    start: Callable[..., RunningNode],
) -> None:
    node = start()
    images = node.listen(Image, 'depth/image_rect')
    near = node.listen(Bool, 'proximity/near')
    shares = node.listen(Float32, 'proximity')
    for count, (name, bad) in enumerate(BAD_FRAMES.items(), 1):
        node.publish('image', bad)
        node.wait_for(lambda count=count: status(node).frames_rejected == count, name)
    node.wait_for(lambda: len(near) == len(shares) == len(BAD_FRAMES))
    assert all(message.data for message in near)
    assert all(math.isnan(message.data) for message in shares)
    assert not images
    assert not status(node).last_rejection.startswith('internal')
    send(node, picture())
    node.wait_for(lambda: images)


def test_a_contradictory_camera_info_drops_frames_until_it_fits(
    start: Callable[..., RunningNode],
) -> None:
    node = start()
    images = node.listen(Image, 'depth/image_rect')
    send(node, picture(), camera=CameraIntrinsics(320.0, 320.0, 159.5, 119.5, 320, 240))
    node.wait_for(lambda: status(node).frames_rejected == 1)
    assert 'got 320x240' in status(node).last_rejection
    node.publish('camera_info', camera_info_message(Header(), CAMERA))
    node.wait_for(lambda: node.node._camera_info.width == 64)
    node.publish('image', image(picture(seed=1)))
    node.wait_for(lambda: images)


def test_resolution_may_change(start: Callable[..., RunningNode]) -> None:
    node = start()
    images = node.listen(Image, 'depth/image_rect')
    send(node, picture(2.0))
    node.wait_for(lambda: images)
    larger = CAMERA.scaled_to(160, 120)
    node.publish('camera_info', camera_info_message(Header(), larger))
    node.wait_for(lambda: node.node._camera_info.width == 160)
    node.publish('image', image(cv2.resize(picture(2.0), (160, 120))))
    node.wait_for(lambda: len(images) == 2)
    assert np.nanmean(metres(images[1])) == pytest.approx(2.0, rel=0.05)


def test_without_camera_info_frames_wait_and_then_the_view_is_assumed(
    start: Callable[..., RunningNode],
) -> None:
    node = start(camera_info_wait_s=0.3)
    images = node.listen(Image, 'depth/image_rect')
    infos = node.listen(CameraInfo, 'depth/camera_info')
    send(node, picture(), camera=None)
    node.wait_for(lambda: status(node).frames_rejected == 1)
    assert 'camera_info must come' in status(node).last_rejection

    def next_frame() -> bool:
        send(node, picture(seed=len(images)), camera=None)
        node.spin(3)
        return bool(images and infos)

    node.wait_for(next_frame)
    assert infos[0].k[0] == 32.0
    assert 'field of view is assumed' in status(node).scale_unverified_because


def test_an_uncalibrated_camera_is_said_to_be(start: Callable[..., RunningNode]) -> None:
    node = start()
    images = node.listen(Image, 'depth/image_rect')
    node.publish('camera_info', CameraInfo(width=64, height=48))
    node.wait_for(lambda: node.node._camera_info is not None)
    node.publish('image', image(picture()))
    node.wait_for(lambda: images)
    assert 'uncalibrated' in status(node).camera_info


def test_the_scale_is_verified_with_camera_and_mounting(start: Callable[..., RunningNode]) -> None:
    node = start(card={'mounting_input': 'mounting'})
    images = node.listen(Image, 'depth/image_rect')
    send(node, picture(2.0))
    node.wait_for(lambda: images)
    assert 'mounting is unknown' in status(node).scale_unverified_because
    node.node.set_parameters([Parameter('camera_height_m', value=0.5)])
    send(node, picture(2.0, seed=1))
    node.wait_for(lambda: len(images) == 2)
    assert status(node).scale_unverified_because == ''


def test_the_mounting_of_each_picture_comes_from_its_topic(
    start: Callable[..., RunningNode],
) -> None:
    node = start(card={'mounting_input': 'mounting'}, use_mounting_topic=True, camera_height_m=9.0)
    images = node.listen(Image, 'depth/image_rect')
    for stamp_s, pitch_deg in ((5, 20.0), (6, -10.0)):
        pose = PoseStamped(pose=pose_of_mounting(CameraMounting(1.3, pitch_deg)))
        pose.header.stamp.sec = stamp_s
        node.publish('mounting', pose)
        node.spin(5)
        send(node, picture(2.0, seed=stamp_s), stamp_s)
        node.wait_for(lambda wanted=stamp_s - 4: len(images) == wanted)
        assert status(node).mounting.startswith(f'1.3 m high, pitch {pitch_deg:g} deg')
    # Without a pose of its own moment the mounting is unknown: not that of before, and not 9 m.
    send(node, picture(2.0, seed=9), 7)
    node.wait_for(lambda: len(images) == 3)
    assert status(node).mounting == 'unknown'
    assert 'mounting is unknown' in status(node).scale_unverified_because


@pytest.mark.parametrize(
    'pixels',
    [
        np.zeros((48, 64, 3), np.uint8),
        np.full((48, 64, 3), 128, np.uint8),
        np.full((48, 64, 3), 255, np.uint8),
    ],
    ids=['covered', 'blank', 'overexposed'],
)
def test_a_picture_of_nothing_gives_no_distance(
    start: Callable[..., RunningNode], pixels: np.ndarray
) -> None:
    node = start()
    images, ranges, shares, near = (
        node.listen(Image, 'depth/image_rect'),
        node.listen(Range, 'proximity/range'),
        node.listen(Float32, 'proximity'),
        node.listen(Bool, 'proximity/near'),
    )
    send(node, pixels)
    node.wait_for(lambda: images and near and shares)
    assert np.isnan(metres(images[0])).all()
    assert near[0].data and not ranges and math.isnan(shares[0].data)
    assert not status(node).image_usable


def test_frozen_frames_become_unknown(start: Callable[..., RunningNode]) -> None:
    node = start(frozen_frame_count=3)
    images = node.listen(Image, 'depth/image_rect')
    for count in range(1, 5):
        send(node, picture())
        node.wait_for(lambda count=count: len(images) == count)
    assert [np.isnan(metres(message)).all() for message in images] == [False] * 3 + [True]
    send(node, picture(seed=1))
    node.wait_for(lambda: len(images) == 5)
    assert not np.isnan(metres(images[4])).any()


@pytest.mark.parametrize(('frozen_count', 'range_stamps'), [(60, [1, 1, 3]), (0, [1, 2, 3])])
def test_the_distance_of_a_repeated_picture_is_as_old_as_the_first(
    start: Callable[..., RunningNode], frozen_count: int, range_stamps: list[int]
) -> None:
    node = start(frozen_frame_count=frozen_count)
    images, ranges = node.listen(Image, 'depth/image_rect'), node.listen(Range, 'proximity/range')
    for stamp_s, seed in ((1, 0), (2, 0), (3, 1)):
        send(node, picture(seed=seed), stamp_s)
        node.wait_for(lambda stamp_s=stamp_s: len(images) == len(ranges) == stamp_s)
    assert [message.header.stamp.sec for message in images] == [1, 2, 3]
    assert [message.header.stamp.sec for message in ranges] == range_stamps


def test_compressed_input(start: Callable[..., RunningNode]) -> None:
    pytest.importorskip('cv_bridge')
    node = start(image_transport='compressed')
    images = node.listen(Image, 'depth/image_rect')
    node.publish('camera_info', camera_info_message(Header(), CAMERA))
    node.wait_for(lambda: node.node._camera_info is not None)
    node.publish('image/compressed', CompressedImage(format='jpeg', data=array('B', b'nonsense')))
    node.wait_for(lambda: status(node).frames_rejected == 1)
    data = cv2.imencode('.png', picture(2.0))[1].tobytes()
    node.publish('image/compressed', CompressedImage(format='png', data=array('B', data)))
    node.wait_for(lambda: images)
    assert np.nanmean(metres(images[0])) == pytest.approx(2.0, rel=0.05)


def test_relative_model_only_in_relative_mode(start: Callable[..., RunningNode]) -> None:
    card = {'output_kind': 'inverse_relative'}
    node = start(card=card, proximity_mode='relative', relative_polarity='near_is_high')
    colored, images, shares, ranges = (
        node.listen(Image, 'depth/image_color'),
        node.listen(Image, 'depth/image_rect'),
        node.listen(Float32, 'proximity'),
        node.listen(Range, 'proximity/range'),
    )
    send(node, picture())
    node.wait_for(lambda: colored and shares)
    assert not images and not ranges


@pytest.mark.parametrize('mode', ['relative', 'metric'])
def test_the_picture_of_the_relative_rule_is_grey(
    start: Callable[..., RunningNode], mode: str
) -> None:
    node = start(proximity_mode=mode)
    colored = node.listen(Image, 'depth/image_color')
    send(node, picture())
    node.wait_for(lambda: colored)
    # A frame and a banner are drawn over it.
    is_grey = np.ptp(image_to_rgb(colored[0]), axis=2) == 0
    assert (is_grey.mean() > 0.5) == (mode == 'relative')


def test_settings_that_contradict_the_model_make_every_frame_unknown_until_they_fit(
    start: Callable[..., RunningNode],
) -> None:
    card = {'output_kind': 'inverse_relative'}
    node = start(card=card, proximity_mode='relative', relative_polarity='near_is_high')
    shares = node.listen(Float32, 'proximity')
    assert node.node.set_parameters([Parameter('proximity_mode', value='metric')])[0].successful
    send(node, picture())
    node.wait_for(lambda: shares)
    assert np.isnan(shares[-1].data)
    assert 'has no unit' in status(node).last_rejection
    assert node.node.set_parameters([Parameter('proximity_mode', value='relative')])[0].successful
    send(node, picture())
    node.wait_for(lambda: not np.isnan(shares[-1].data))


def test_settings_that_contradict_each_other_make_every_frame_unknown_until_they_fit(
    start: Callable[..., RunningNode],
) -> None:
    node = start()
    shares = node.listen(Float32, 'proximity')
    assert node.node.set_parameters([Parameter('roi_left', value=1.0)])[0].successful
    send(node, picture())
    node.wait_for(lambda: shares)
    assert np.isnan(shares[-1].data)
    assert 'roi_left must be below roi_right' in status(node).last_rejection
    assert node.node.set_parameters([Parameter('roi_left', value=0.5)])[0].successful
    send(node, picture())
    node.wait_for(lambda: not np.isnan(shares[-1].data))


@pytest.mark.parametrize(
    ('make_bad', 'text'),
    [
        (lambda path: path / 'missing.onnx', 'missing.onnx'),
        (lambda path: _written(path, b''), 'bad.onnx'),
        (lambda path: _written(path, b'not onnx at all'), 'bad.onnx'),
        (lambda path: _written(path, write_model(path / 'a.onnx').read_bytes()[:200]), 'bad.onnx'),
        (lambda path: write_model(path / 'b.onnx', metadata={}), 'contract'),
        (
            lambda path: write_model(
                path / 'c.onnx', metadata=tiny_card(input_width=64).to_metadata()
            ),
            '64',
        ),
        (
            lambda path: write_model(
                path / 'd.onnx', metadata=tiny_card(output_name='z').to_metadata()
            ),
            "'z'|z",
        ),
    ],
)
def test_a_bad_model_is_refused_and_a_good_one_then_taken(
    start: Callable[..., RunningNode], tmp_path: Path, make_bad: Callable[[Path], Path], text: str
) -> None:
    node = start(model_file=str(make_bad(tmp_path)))
    assert status(node).lifecycle_state == 'unconfigured'
    assert re.search(text, status(node).configure_error)
    good = str(write_model(tmp_path / 'good.onnx'))
    assert node.node.set_parameters([Parameter('model_file', value=good)])[0].successful
    node.node.start()
    assert status(node).lifecycle_state == 'active' and status(node).configure_error == ''


def _written(path: Path, content: bytes) -> Path:
    (path / 'bad.onnx').write_bytes(content)
    return path / 'bad.onnx'


def test_the_faster_file_of_the_package_is_taken_and_said(
    start: Callable[..., RunningNode], capfd: pytest.CaptureFixture[str]
) -> None:
    node = start(model_file='auto')
    node.wait_for(lambda: status(node).lifecycle_state == 'active')
    values = status(node).as_values()
    choice = str(values['model choice'])
    times_ms = re.fullmatch(r'measured: INT8 ([\d.]+) ms, float ([\d.]+) ms', choice)
    assert times_ms
    int8_ms, float_ms = map(float, times_ms.groups())
    name = 'fcrn_lite.onnx' if int8_ms > 1.1 * float_ms else 'fcrn_lite_int8.onnx'
    assert f'({name})' in str(values['model'])
    assert f'({name}, {choice}) runs on CPU' in capfd.readouterr().err


def test_fixed_parameters_are_refused_while_configured(start: Callable[..., RunningNode]) -> None:
    node = start()
    result = node.node.set_parameters([Parameter('model_file', value='other.onnx')])[0]
    assert not result.successful and 'while the node is configured' in result.reason


def test_lifecycle_goes_round_and_depth_comes_back(start: Callable[..., RunningNode]) -> None:
    node = start(autostart=False)
    assert status(node).lifecycle_state == 'unconfigured'
    images = node.listen
    node.node.trigger_configure()
    received = images(Image, 'depth/image_rect')
    for round_number in (1, 2):
        node.node.trigger_activate()
        send(node, picture(seed=round_number))
        node.wait_for(lambda count=round_number: len(received) == count)
        node.node.trigger_deactivate()
        assert status(node).lifecycle_state == 'inactive'
    node.node.trigger_cleanup()
    assert status(node).lifecycle_state == 'unconfigured'
    node.node.trigger_configure()
    node.node.trigger_activate()
    send(node, picture(seed=3))
    node.wait_for(lambda: len(received) == 3)


def test_every_frame_is_accounted_for(start: Callable[..., RunningNode]) -> None:
    node = start()
    images = node.listen(Image, 'depth/image_rect')
    send(node, picture())
    node.wait_for(lambda: images)
    for count in range(2, 40):
        node.publish('image', image(picture(seed=count)))
        node.wait_for(lambda count=count: status(node).frames_received == count)

    def accounted() -> bool:
        now = status(node)
        return now.frames_received == now.frames_processed + now.frames_dropped == 39

    node.wait_for(accounted)
    node.wait_for(lambda: len(images) == status(node).frames_processed)


def test_diagnostics_name_the_trouble(start: Callable[..., RunningNode]) -> None:
    node = start()
    arrays = node.listen(DiagnosticArray, '/diagnostics')
    images = node.listen(Image, 'depth/image_rect')
    node.wait_for(lambda: arrays)
    assert arrays[-1].status[0].level == DiagnosticStatus.WARN
    assert 'waiting for the first image' in arrays[-1].status[0].message
    send(node, picture())
    node.wait_for(lambda: images)
    seen = len(arrays)
    node.wait_for(lambda: len(arrays) > seen)
    values = {value.key: value.value for value in arrays[-1].status[0].values}
    assert values['frames processed'] == '1' and values['provider'] == 'CPU'
    assert float(values['inference time (ms)']) > 0
    for stage in set(Stage) - {Stage.RECTIFY, Stage.LOOMING}:
        assert float(values[f'{stage.value} p95 (ms)']) > 0
    assert values['metric scale'].startswith('unverified')


def test_a_second_camera_on_the_topic_is_a_warning(
    start: Callable[..., RunningNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('fcrn_depth_ros.ros.publisher_count._LEASE_S', 0.1)
    node = start()
    arrays = node.listen(DiagnosticArray, '/diagnostics')
    images = node.listen(Image, 'depth/image_rect')
    send(node, picture())
    node.wait_for(lambda: images)
    node.peer.create_publisher(Image, 'image', 10)
    node.wait_for(lambda: '2 publishers of /image, expected one' in arrays[-1].status[0].message)
    assert arrays[-1].status[0].level == DiagnosticStatus.WARN


def test_distortion_is_removed_on_request(start: Callable[..., RunningNode]) -> None:
    node = start(rectify=True)
    colored = node.listen(Image, 'depth/image_color')
    info = camera_info_message(Header(), CAMERA)
    info.d = [0.3, 0.0, 0.0, 0.0, 0.0]
    node.publish('camera_info', info)
    node.wait_for(lambda: node.node._camera_info is not None)
    node.publish('image', image(picture()))
    node.wait_for(lambda: colored)
    info.distortion_model = 'unheard of'
    node.publish('camera_info', info)
    node.wait_for(lambda: node.node._camera_info.distortion_model == 'unheard of')
    node.publish('image', image(picture(seed=1)))
    node.wait_for(lambda: 'unheard of' in status(node).last_rejection)


def test_range_is_never_nan(start: Callable[..., RunningNode]) -> None:
    node = start()
    ranges = node.listen(Range, 'proximity/range')
    for seed in range(3):
        send(node, picture(2.5, seed=seed))
        node.wait_for(lambda count=seed: len(ranges) == count + 1)
    assert all(math.isfinite(message.range) for message in ranges)


def test_each_range_carries_whether_its_metres_are_verified(
    start: Callable[..., RunningNode],
) -> None:
    node = start(card={'mounting_input': 'mounting'}, camera_height_m=0.5)
    ranges = node.listen(Range, 'proximity/range')
    verified = node.listen(Bool, 'proximity/scale_verified')
    heights = (0.5, 0.0, 0.5)
    for seed, height_m in enumerate(heights):
        assert node.node.set_parameters([Parameter('camera_height_m', value=height_m)])[
            0
        ].successful
        send(node, picture(0.9, seed=seed))
        node.wait_for(lambda count=seed: len(ranges) == count + 1)
    assert [message.variance > 0.0 for message in ranges] == [True, False, True]
    assert ranges[0].variance == pytest.approx((0.15 * ranges[0].range) ** 2, rel=1e-3)
    node.wait_for(lambda: len(verified) == 3)
    assert [message.data for message in verified] == [True, False, True]


def test_odometry_makes_poses_and_the_scale_is_stated(start: Callable[..., RunningNode]) -> None:
    node = start(camera_x_m=0.2)
    states = node.listen(UInt8, 'depth/scale/state')
    texts = node.listen(String, 'depth/scale')
    sigmas = node.listen(Float32, 'depth/scale/sigma')
    for seed in range(3):
        odometry = Odometry(header=image(picture()).header, child_frame_id='base_link')
        odometry.header.stamp.sec = 5 + seed
        odometry.header.stamp.nanosec = 0
        odometry.pose.pose.orientation.w = 1.0
        node.publish('odom', odometry)
        odometry.header.stamp.nanosec = 50_000_000
        node.publish('odom', odometry)
        node.wait_for(
            lambda second=5 + seed: node.node._odometry.pose(
                second * 10**9 + 10**7, CameraPlace.stated(None)
            )
        )
        send(node, picture(2.0, seed=seed), stamp_s=5 + seed)
        node.wait_for(lambda count=seed: len(sigmas) == count + 1)
    assert [message.data for message in states] == [0]
    assert all(math.isnan(message.data) for message in sigmas)
    assert 'motion: the first picture' in texts[0].data
    assert 'the mounting is unknown' in texts[0].data


def test_a_range_hint_verifies_the_scale(start: Callable[..., RunningNode]) -> None:
    node = start(card={'mounting_input': 'mounting'}, camera_height_m=0.5)
    texts = node.listen(String, 'depth/scale')
    node.node.set_parameters(parameters({'frozen_frame_count': 0}))
    pixels = blocks(200.0)
    height, width = pixels.shape[:2]
    pixels[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = 200
    for seed in range(4):
        hint = Range(header=image(picture()).header, field_of_view=0.05, max_range=4.0)
        hint.header.stamp.sec, hint.header.stamp.nanosec = 5 + seed, 0
        hint.range = 1.0 + 0.001 * seed
        node.publish('range_hint', hint)
        node.wait_for(lambda second=5 + seed: node.node._range_hint.at(second * 10**9))
        send(node, pixels, stamp_s=5 + seed)
        node.wait_for(lambda count=seed: len(texts) == count + 1)
    assert 'range says' in texts[-1].data, texts[-1].data
    assert 'range says' not in texts[0].data


def test_a_scan_hint_verifies_the_scale(start: Callable[..., RunningNode]) -> None:
    node = start(card={'mounting_input': 'mounting'}, camera_height_m=0.5)
    texts = node.listen(String, 'depth/scale')
    node.node.set_parameters(parameters({'frozen_frame_count': 0}))
    pixels = blocks(200.0)
    height = pixels.shape[0]
    pixels[height // 3 : 2 * height // 3] = 200
    for seed in range(4):
        scan = LaserScan(header=image(picture()).header, angle_min=-0.3, angle_increment=0.02)
        scan.header.stamp.sec, scan.header.stamp.nanosec = 5 + seed, 0
        scan.range_min, scan.range_max = 0.05, 12.0
        scan.ranges = [1.0 + 0.001 * seed] * 31
        node.publish('scan_hint', scan)
        node.wait_for(lambda second=5 + seed: node.node._scan_hint.at(second * 10**9))
        send(node, pixels, stamp_s=5 + seed)
        node.wait_for(lambda count=seed: len(texts) == count + 1)
    assert 'scan says' in texts[-1].data, texts[-1].data
    assert 'scan says' not in texts[0].data


def test_a_calibrated_factor_scales_depth_and_range(start: Callable[..., RunningNode]) -> None:
    node = start()
    ranges = node.listen(Range, 'proximity/range')
    states = node.listen(UInt8, 'depth/scale/state')
    for seed, sigma in enumerate((0.0, 0.05)):
        values = {'scale_factor': 0.5, 'scale_factor_sigma': sigma}
        answers = node.node.set_parameters(parameters(values))
        assert all(answer.successful for answer in answers)
        send(node, picture(2.0, seed=seed))
        node.wait_for(lambda count=seed: len(ranges) == count + 1)
    assert ranges[1].range == pytest.approx(0.5 * ranges[0].range, rel=0.1)
    assert [message.variance > 0.0 for message in ranges] == [False, True]
    node.wait_for(lambda: len(states) == 2)
    assert [message.data for message in states] == [0, 1]


def test_the_file_of_a_calibration_corrects_the_metres(
    start: Callable[..., RunningNode], tmp_path: Path
) -> None:
    (tmp_path / 'wall').mkdir()
    cv2.imwrite(str(tmp_path / 'wall' / 'at_1_m.png'), blocks(200.0))
    camera = {'fx': CAMERA.fx_px, 'fy': CAMERA.fy_px, 'cx': CAMERA.cx_px, 'cy': CAMERA.cy_px}
    size = {'width': CAMERA.width_px, 'height': CAMERA.height_px}
    (tmp_path / 'camera.json').write_text(json.dumps({**camera, **size}))
    model = write_model(tmp_path / 'network.onnx')
    command = f'calibrate --distance 1 --images {tmp_path}/wall --model {model} '
    command += f'--camera-info {tmp_path}/camera.json --out {tmp_path}/calibration'
    assert run_command(command.split()) == 0
    file = tmp_path / 'calibration' / 'calibration.yaml'
    node = start(cli_args=['--ros-args', '--params-file', str(file)])
    images = node.listen(Image, 'depth/image_rect')
    texts = node.listen(String, 'depth/scale')
    send(node, blocks(200.0))
    node.wait_for(lambda: images and texts)
    assert np.nanmedian(metres(images[0])) == pytest.approx(1.0, rel=0.02)
    assert 'verified within' in texts[0].data
    assert re.search(r'calibration says 0\.\d\d \+- 10%', texts[0].data)


def test_a_verified_scale_ends_with_the_frames(start: Callable[..., RunningNode]) -> None:
    node = start(card={'mounting_input': 'mounting'}, camera_height_m=0.5)
    verified = node.listen(Bool, 'proximity/scale_verified')
    send(node, picture())
    node.wait_for(lambda: status(node).scale_unverified_because == '')
    node.node.trigger_deactivate()
    node.wait_for(lambda: [message.data for message in verified] == [True, False])
    assert status(node).scale_unverified_because == 'no frame yet'
    assert status(node).mounting == 'unknown'


@pytest.mark.parametrize('stamp', [(-1, 0), (-(2**31), 999), (2**31 - 1, 999_999_999), (0, 0)])
def test_a_frame_of_any_stamp_has_one_fate(
    start: Callable[..., RunningNode], stamp: tuple[int, int]
) -> None:
    node = start()
    images, shares = node.listen(Image, 'depth/image_rect'), node.listen(Float32, 'proximity')
    message = image(picture())
    message.header.stamp.sec, message.header.stamp.nanosec = stamp
    node.publish('camera_info', camera_info_message(Header(), CAMERA))
    node.wait_for(lambda: node.node._camera_info is not None)
    node.publish('image', message)
    node.wait_for(lambda: images and shares)
    node.spin(5)
    assert (images[0].header.stamp.sec, images[0].header.stamp.nanosec) == stamp
    assert [math.isnan(share.data) for share in shares] == [False]
    assert (status(node).frames_processed, status(node).frames_rejected) == (1, 0)


def test_contradictory_settings_make_depth_unknown_until_they_agree(
    start: Callable[..., RunningNode],
) -> None:
    node = start()
    shares = node.listen(Float32, 'proximity')
    assert node.node.set_parameters([Parameter('roi_right', value=0.0)])[0].successful
    send(node, picture())
    node.wait_for(lambda: shares)
    assert math.isnan(shares[0].data)
    assert 'roi_left must be below roi_right' in status(node).last_rejection
    assert node.node.set_parameters([Parameter('roi_right', value=1.0)])[0].successful
    send(node, picture(seed=1))
    node.wait_for(lambda: len(shares) == 2)
    assert not math.isnan(shares[1].data)


def test_a_camera_that_lies_on_its_side_gives_a_depth_image_of_its_shape(
    start: Callable[..., RunningNode],
) -> None:
    node = start(card={'mounting_input': 'mounting'}, camera_height_m=0.5, camera_roll_deg=90.0)
    images, infos = (
        node.listen(Image, 'depth/image_rect'),
        node.listen(CameraInfo, 'depth/camera_info'),
    )
    portrait = np.ascontiguousarray(np.rot90(picture(2.0)))
    send(node, portrait, camera=CameraIntrinsics(64.0, 64.0, 23.5, 31.5, 48, 64))
    node.wait_for(lambda: images and infos)
    assert (images[0].width, images[0].height) == (24, 32)
    assert (infos[0].width, infos[0].height) == (24, 32)


@pytest.mark.parametrize(
    ('remap', 'topic'),
    [
        ((), '/image/compressed'),
        (('image:=/cam/image_raw',), '/cam/image_raw/compressed'),
        (('image/compressed:=/cam/jpeg',), '/cam/jpeg'),
    ],
)
def test_a_remapped_image_topic_is_followed_by_its_compressed_one(
    start: Callable[..., RunningNode], remap: tuple[str, ...], topic: str
) -> None:
    pytest.importorskip('cv_bridge')
    arguments = [word for rule in remap for word in ('-r', rule)]
    node = start(image_transport='compressed', cli_args=['--ros-args', *arguments])
    assert status(node).image_topic == topic
    assert node.peer.count_subscribers(topic) == 1


def test_diagnostics_name_the_node_with_its_namespace(start: Callable[..., RunningNode]) -> None:
    node = start(namespace='robot1')
    arrays = node.listen(DiagnosticArray, '/diagnostics')
    node.wait_for(lambda: arrays)
    assert arrays[0].status[0].name == 'robot1/depth_node: depth estimation'
    assert arrays[0].status[0].message.endswith('/robot1/image')


@pytest.mark.parametrize(
    ('frame_id', 'distortion', 'text'),
    [('', 0.0, 'frame_id of the image must be'), ('cam', 0.2, 'set rectify to true')],
)
def test_inputs_that_are_probably_not_meant_are_warned_about_once(
    start: Callable[..., RunningNode],
    monkeypatch: pytest.MonkeyPatch,
    frame_id: str,
    distortion: float,
    text: str,
) -> None:
    node = start()
    warnings: list[str] = []
    monkeypatch.setattr(node.node.get_logger(), 'warning', lambda line, **_: warnings.append(line))
    images = node.listen(Image, 'depth/image_rect')
    info = camera_info_message(Header(), CAMERA)
    info.d = [distortion, 0.0, 0.0, 0.0, 0.0]
    node.publish('camera_info', info)
    node.wait_for(lambda: node.node._camera_info is not None)
    for seed in (0, 1):
        message = image(picture(seed=seed))
        message.header.frame_id = frame_id
        node.publish('image', message)
        node.wait_for(lambda count=seed: len(images) == count + 1)
    node.spin(3)
    assert len([line for line in warnings if text in line]) == 1


def test_a_network_that_hangs_is_left_behind_and_publishes_nothing_any_more(
    start: Callable[..., RunningNode],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(depth_worker, '_JOIN_TIMEOUT_S', 0.2)
    node = start()
    images = node.listen(Image, 'depth/image_rect')
    answers = threading.Event()
    observe = node.node._pipeline.observe

    def hang(*frame: Any) -> Any:
        assert answers.wait(60.0)
        return observe(*frame)

    monkeypatch.setattr(node.node._pipeline, 'observe', hang)
    send(node, picture(seed=1), stamp_s=1)
    node.wait_for(lambda: status(node).in_work_s > 0.0)
    (hanging,) = (t for t in threading.enumerate() if t.name == 'depth_worker')
    assert node.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert 'it is left behind' in capfd.readouterr().err
    monkeypatch.setattr(node.node._pipeline, 'observe', observe)
    assert node.node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    send(node, picture(seed=2), stamp_s=2)
    node.wait_for(lambda: images)
    answers.set()
    hanging.join(60.0)
    send(node, picture(seed=3), stamp_s=3)
    node.wait_for(lambda: len(images) == 2)
    assert [message.header.stamp.sec for message in images] == [2, 3]


def test_a_worker_that_dies_is_reported_and_ends_the_process(
    start: Callable[..., RunningNode],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    node = start()
    node.listen(Image, 'depth/image_rect')
    diagnostics = node.listen(DiagnosticArray, '/diagnostics')
    assert node.node.exit_status is None

    def die(*_: Any) -> Any:
        raise SystemExit('out of luck')

    monkeypatch.setattr(node.node._pipeline, 'observe', die)
    send(node, picture())
    node.wait_for(lambda: node.node.exit_status == 1)
    node.wait_for(
        lambda: any('the process ends: SystemExit' in d.status[0].message for d in diagnostics)
    )
    log = capfd.readouterr().err
    assert '[FATAL]' in log and 'in die' in log


def test_a_closed_context_is_no_death_of_the_worker(
    start: Callable[..., RunningNode],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """At Ctrl-C rclpy's own signal handler closes the context while a frame is in work."""
    node = start()
    node.listen(Image, 'depth/image_rect')
    (worker,) = (t for t in threading.enumerate() if t.name == 'depth_worker')

    def fail_after_the_end(*_: Any) -> Any:
        raise SystemExit('publishing in a closed context')

    closed = SimpleNamespace(ok=lambda: False)
    monkeypatch.setattr(node.node._worker, '_node', SimpleNamespace(context=closed))
    monkeypatch.setattr(node.node._pipeline, 'observe', fail_after_the_end)
    send(node, picture())
    node.wait_for(lambda: not worker.is_alive())
    assert node.node.exit_status is None
    assert 'the worker thread died' not in capfd.readouterr().err


@pytest.mark.parametrize('publish_tf', [True, False])
def test_the_status_says_before_the_first_frame_whether_the_transform_is_published(
    start: Callable[..., RunningNode], publish_tf: bool
) -> None:
    node = start(publish_tf=publish_tf)
    is_off = status(node).scan_transform == 'not published: publish_tf is false'
    assert is_off is not publish_tf
