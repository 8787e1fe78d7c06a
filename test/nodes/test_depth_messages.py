# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
depth_node takes whole random messages: none ends it, and each image has one fate.

The callbacks are called directly, without DDS in between. RANDOM_MESSAGES=100000 for a long run.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
import math
import time
from typing import Any

import cv2
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.nodes.depth_node import DepthNode
from fcrn_depth_ros.ros.messages import camera_info_message, image_message
from hypothesis import given, HealthCheck, Phase, settings, Verbosity
from hypothesis import strategies as st
import numpy as np
import pytest
from random_messages import CASES, messages, values
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
import rclpy
from rclpy.exceptions import ParameterNotDeclaredException
from rclpy.node import Node
from rclpy.parameter import Parameter
from running_node import parameters
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Float32, Header
from tiny_models import write_model

PATIENCE_S = 20.0
MESSAGES_IN_A_ROW = 20
WIDTH, HEIGHT = 32, 24
PIXELS = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
CAMERA = CameraIntrinsics(32.0, 32.0, 15.5, 11.5, WIDTH, HEIGHT)
OUTPUTS = {
    'depth/image_rect': Image,
    'depth/camera_info': CameraInfo,
    'depth/image_color': Image,
    'depth/points': PointCloud2,
    'depth/scan': LaserScan,
    'proximity': Float32,
    'proximity/near': Bool,
    'proximity/range': Range,
}
ENCODINGS = (
    'rgb8 bgr8 rgba8 bgra8 mono8 mono16 rgb16 bgr16 8UC1 8UC3 16UC1 32FC1 bayer_rggb8 '
    'bayer_gbrg16 yuv422 yuv422_yuy2 uyvy nv12 nv21 nv24'
).split()


def but_for_some_fields(
    good: Any, header: st.SearchStrategy[Any], **likely: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    """
    Make messages like a good one, in which at most two fields are random.

    Wholly random messages all fail the first check; these fail each check in turn, or none.
    """
    message_type = type(good)
    fields = message_type.get_fields_and_field_types()
    random = {name: values(kind) for name, kind in fields.items()} | likely
    kept = {name: st.just(getattr(good, name)) for name in fields}

    def replace(names: set[str]) -> st.SearchStrategy[Any]:
        choices = {name: random[name] if name in names else kept[name] for name in fields}
        return messages(message_type, **(choices | {'header': header}))

    return st.sets(st.sampled_from(sorted(fields)), max_size=2).flatmap(replace)


def bitten(data: bytes) -> st.SearchStrategy[array[int]]:
    """Cut a byte string short, or change a byte of it."""

    def bite(at: int, byte: int) -> array[int]:
        return array('B', data[:at] if byte > 255 else data[:at] + bytes([byte]) + data[at + 1 :])

    return st.builds(bite, st.integers(0, len(data) - 1), st.integers(0, 300))


HEADER = messages(Header, frame_id=st.sampled_from(['cam_optical_frame', '', '/cam']))
GOOD_IMAGE = image_message(Header(frame_id='cam_optical_frame'), PIXELS, 'rgb8')
IMAGES = st.one_of(
    messages(Image),
    *3
    * [
        but_for_some_fields(
            GOOD_IMAGE,
            HEADER,
            encoding=st.sampled_from(ENCODINGS),
            width=st.sampled_from([0, 1, 2, WIDTH - 1, WIDTH // 2, 2**32 - 1]),
            height=st.sampled_from([0, 1, 2, HEIGHT + 1, HEIGHT // 2, 2**32 - 1]),
            step=st.sampled_from([0, 1, WIDTH, 2 * WIDTH, 4 * WIDTH, 2**32 - 1]),
            data=bitten(bytes(GOOD_IMAGE.data)),
        )
    ],
)
JPEG, PNG = (cv2.imencode(suffix, PIXELS)[1].tobytes() for suffix in ('.jpg', '.png'))
COMPRESSED_IMAGES = st.one_of(
    messages(CompressedImage),
    *(
        but_for_some_fields(
            CompressedImage(format=kind, data=array('B', data)),
            HEADER,
            data=bitten(data),
        )
        for kind, data in (('jpeg', JPEG), ('rgb8; png compressed bgr8', PNG))
    ),
)
NUMBERS = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, -1.0, 64.0, 1e-300, 1e300]))
GOOD_INFO = camera_info_message(Header(), CAMERA)
CAMERA_INFOS = st.one_of(
    messages(CameraInfo),
    *5
    * [
        but_for_some_fields(
            GOOD_INFO,
            HEADER,
            width=st.integers(0, 200),
            height=st.integers(0, 200),
            distortion_model=st.sampled_from(
                ['plumb_bob', 'rational_polynomial', 'equidistant', 'fisheye', '']
            ),
            d=st.lists(NUMBERS, max_size=14),
            k=st.lists(NUMBERS, min_size=9, max_size=9),
            r=st.lists(NUMBERS, min_size=9, max_size=9),
            p=st.lists(NUMBERS, min_size=12, max_size=12),
        )
    ],
)

# Half of the messages for each transport. Rows of pictures are not made smaller after a failure:
# that takes minutes, and the message of the failure shows the picture.
MANY = settings(
    max_examples=max(1, CASES // (2 * MESSAGES_IN_A_ROW)),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
    phases=[phase for phase in Phase if phase not in (Phase.shrink, Phase.explain)],
)
pytestmark = pytest.mark.filterwarnings('ignore:Generating overly large repr')


@dataclass
class Watched:
    """A depth_node whose publications are recorded before they go out."""

    node: DepthNode
    sent: list[tuple[str, Any]]

    def show(self, message: Any) -> str:
        """Give the node an image, and return the fate that it counts for it."""
        self.sent.clear()
        before = self.fates()
        self.node._on_image(message)
        deadline_s = time.monotonic() + PATIENCE_S
        while sum(self.fates().values()) == sum(before.values()):
            assert time.monotonic() < deadline_s, 'an image without a fate'
            time.sleep(0.0002)
        (fate,) = (Counter(self.fates()) - Counter(before)).elements()
        return fate

    def fates(self) -> dict[str, int]:
        status = self.node._status.snapshot()
        return {
            'processed': status.frames_processed,
            'rejected': status.frames_rejected,
            'superseded': status.frames_superseded,
            'ignored': status.frames_ignored,
        }


class Recorder:
    """Takes the place of a publisher, after which every message has gone through it."""

    def __init__(self, topic: str, publisher: Any, sent: list[tuple[str, Any]]) -> None:
        self.publisher = publisher
        self._topic, self._sent = topic, sent

    def publish(self, message: Any) -> None:
        self.publisher.publish(message)
        self._sent.append((self._topic, message))

    def get_subscription_count(self) -> int:
        return self.publisher.get_subscription_count()


@pytest.fixture(
    scope='module',
    params=[
        {'image_transport': 'raw', 'rectify': True},
        {'image_transport': 'compressed', 'camera_height_m': 0.3, 'camera_pitch_deg': 10.0},
    ],
    ids=['raw', 'compressed'],
)
def watched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """Run depth_node with somebody who wants every output."""
    rclpy.init()
    model = write_model(tmp_path_factory.mktemp('model') / 'tiny.onnx')
    values = {'model_file': str(model), 'frozen_frame_count': 0, **request.param}
    node = DepthNode(parameter_overrides=parameters(values))
    peer = Node('peer')
    for topic, message_type in OUTPUTS.items():
        peer.create_subscription(message_type, topic, lambda message: None, 1)
    publishers = node._outputs._publishers
    sent: list[tuple[str, Any]] = []
    deadline_s = time.monotonic() + PATIENCE_S
    for topic in OUTPUTS:
        while not publishers[topic].get_subscription_count():
            assert time.monotonic() < deadline_s, f'{topic} has no subscriber'
            time.sleep(0.01)
        publishers[topic] = Recorder(topic, publishers[topic], sent)
    yield Watched(node, sent)
    for topic in OUTPUTS:
        publishers[topic] = publishers[topic].publisher
    node.destroy_node()
    peer.destroy_node()
    rclpy.shutdown()


def check_fate(watched: Watched, image: Any) -> str:
    """Show an image; what is published fits the one fate that it has."""
    fate = watched.show(image)
    status = watched.node._status.snapshot()
    # Reasons quote random texts, some of which Hypothesis takes from the words of this source.
    assert not status.last_rejection.startswith('internal error')
    sent: dict[str, list[Any]] = {}
    for topic, message in watched.sent:
        sent.setdefault(topic, []).append(message)
    assert all(len(of_topic) == 1 for of_topic in sent.values())
    (share,), (near,) = sent.pop('proximity'), sent.pop('proximity/near')
    is_known = 'proximity/range' in sent
    assert math.isfinite(share.data) == is_known
    if is_known:
        (range_message,) = sent.pop('proximity/range')
        assert 0.0 < range_message.range <= range_message.max_range
        assert range_message.header.stamp == image.header.stamp
    else:
        assert near.data
    pictures = {topic for topic in OUTPUTS if topic.startswith('depth/')}
    assert set(sent) == (pictures if fate == 'processed' else set())
    assert fate in ('processed', 'rejected') and not (is_known and fate == 'rejected')
    for topic in set(sent) - {'depth/scan'}:
        assert sent[topic][0].header == image.header
    return fate


def test_every_image_has_one_fate_whatever_it_holds(watched: Watched) -> None:
    transport = watched.node.get_parameter('image_transport').value
    images = IMAGES if transport == 'raw' else COMPRESSED_IMAGES
    fates: Counter[str] = Counter()

    @MANY
    @given(
        st.lists(
            st.one_of(images, images, CAMERA_INFOS),
            min_size=MESSAGES_IN_A_ROW,
            max_size=MESSAGES_IN_A_ROW,
        )
    )
    def check(events: list[Any]) -> None:
        for message in events:
            if isinstance(message, CameraInfo):
                watched.node._on_camera_info(message)
            else:
                fates[check_fate(watched, message)] += 1
        watched.node._publish_diagnostics()
        assert watched.node.exit_status is None

    check()
    assert min(fates['processed'], fates['rejected']) > 0.05 * fates.total()


def test_no_parameter_is_an_error(watched: Watched) -> None:
    names = st.sampled_from(sorted(watched.node._parameters))
    kept = {name: watched.node.get_parameter(name) for name in watched.node._parameters}
    good = image_message(Header(frame_id='cam_optical_frame'), PIXELS, 'rgb8')
    if kept['image_transport'].value == 'compressed':
        good = CompressedImage(format='jpeg', data=array('B', JPEG))

    @MANY
    @given(
        st.lists(
            messages(
                ParameterMessage,
                name=st.one_of(names, values('string')),
                value=messages(ParameterValue, type=st.integers(0, 9)),
            ),
            max_size=MESSAGES_IN_A_ROW,
        )
    )
    def check(changes: list[Any]) -> None:
        for change in changes:
            parameter = Parameter.from_parameter_msg(change)
            try:
                (result,) = watched.node.set_parameters([parameter])
            except ParameterNotDeclaredException:
                continue
            assert result.successful or result.reason
        check_fate(watched, good)
        watched.node.set_parameters(list(kept.values()))

    check()
