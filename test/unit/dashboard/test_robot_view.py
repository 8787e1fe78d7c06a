# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a view makes of a robot's messages; the node is made up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
import json
import math
from typing import Any
import zlib

from builtin_interfaces.msg import Time
import cv2
from fake_robots import all_parameters
from fcrn_depth_ros.alert.memory import RememberedPoints
from fcrn_depth_ros.dashboard.parameter_values import ParameterValues
from fcrn_depth_ros.dashboard.robot_view import RobotView
from fcrn_depth_ros.ros.memory_points import memory_points_message
from fcrn_depth_ros.ros.messages import depth_image_message, image_message
import numpy as np
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Float32, Header, String, UInt8

NOW_S = 100
STAMP = Header(stamp=Time(sec=NOW_S - 1), frame_id='camera')


@dataclass
class FakeSubscription:
    """Calls back at once, or keeps what comes until it is polled."""

    msg_type: type
    topic_name: str
    callback: Any
    is_raw: bool
    callback_group: Any
    waiting: deque[Any] = field(default_factory=deque)

    @property
    def handle(self) -> Handle:
        return Handle(self)

    def hear(self, message: Any) -> None:
        if self.callback_group is not None:
            self.waiting.append(message)
        else:
            self.callback(serialize_message(message) if self.is_raw else message)


class Handle:
    """What rclpy takes messages from."""

    def __init__(self, subscription: FakeSubscription) -> None:
        self._waiting = subscription.waiting

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass

    def take_message(self, kind: type, is_raw: bool) -> Any:
        if not self._waiting:
            return None
        message = self._waiting.popleft()
        return (serialize_message(message) if is_raw else message), {}


class FakeNode:
    """Keeps the subscriptions."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, FakeSubscription] = {}
        self.timers = 0
        self.nanoseconds = NOW_S * 10**9
        self.read: list[tuple[str, list[str]]] = [('/camera/rgb', ['sensor_msgs/msg/Image'])]

    def create_subscription(
        self, kind: type, topic: str, callback: Any, profile: Any, **options: Any
    ) -> FakeSubscription:
        self.subscriptions[topic] = FakeSubscription(
            kind, topic, callback, options.get('raw', False), options.get('callback_group')
        )
        return self.subscriptions[topic]

    def destroy_subscription(self, subscription: FakeSubscription) -> None:
        del self.subscriptions[subscription.topic_name]

    def create_timer(self, period_s: float, callback: Any, clock: Any) -> FakeNode:
        self.timers += 1
        return self

    def destroy_timer(self, timer: FakeNode) -> None:
        self.timers -= 1

    def reset(self) -> None:
        pass

    def get_logger(self) -> Any:
        raise AssertionError('no subscription may fail')

    def get_subscriber_names_and_types_by_node(self, node: str, namespace: str) -> Any:
        if not self.read:
            raise RuntimeError('no such node')
        return self.read

    def get_clock(self) -> FakeNode:
        return self

    def now(self) -> FakeNode:
        return self


def full(topic: str) -> str:
    return topic if topic.startswith('/') else f'/robot/{topic}'


class Seen:
    """A view and what it is told."""

    def __init__(self) -> None:
        self.node = FakeNode()
        self.offered = 0
        self.words: list[str] = []
        self.view = RobotView(self.node, '/robot', self._count, self._take_word)
        self.view.parameters = all_parameters()

    def _count(self) -> None:
        self.offered += 1

    def _take_word(self) -> None:
        self.words.append(self.view.status()['word'])

    def hear(self, topic: str, message: Any) -> None:
        subscription = self.node.subscriptions[full(topic)]
        subscription.hear(message)
        if subscription.callback_group is not None:
            self.view.poll()

    def send(self, topic: str, message: Any) -> None:
        """Let a message come that nobody has polled yet."""
        self.node.subscriptions[full(topic)].hear(message)

    def frame(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        waiting = self.view.take_frame()
        assert waiting is not None
        data = waiting.encode()
        length = int.from_bytes(data[:4], 'little')
        header = json.loads(data[4 : 4 + length])
        parts, offset = {}, 4 + length
        for name, size in header['parts']:
            parts[name] = data[offset : offset + size]
            offset += size
        return header, parts


@pytest.fixture
def seen() -> Seen:
    return Seen()


def picture(header: Header = STAMP) -> Any:
    return image_message(header, np.full((48, 64, 3), 90, np.uint8), 'rgb8')


def depth(header: Header = STAMP, metres: float = 0.8, encoding: str = '32FC1') -> Any:
    return depth_image_message(header, np.full((12, 16), metres, np.float32), encoding)


@pytest.mark.parametrize('encoding', ['32FC1', '16UC1'])
def test_a_depth_goes_out_with_the_picture_of_its_stamp(seen: Seen, encoding: str) -> None:
    seen.hear('/camera/rgb', picture())
    seen.hear('/camera/rgb', picture(Header(stamp=Time(sec=NOW_S))))
    seen.hear('depth/image_rect', depth(encoding=encoding))
    header, parts = seen.frame()
    assert header['depth'] == {'width': 16, 'height': 12}
    assert header['age_ms'] == 1000.0
    assert parts['picture'][:2] == b'\xff\xd8'
    assert np.frombuffer(zlib.decompress(parts['depth']), '<u2').tolist() == [80] * 192
    assert 'near' not in parts
    assert seen.view.take_frame() is None


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8'])
@pytest.mark.parametrize('padding', [0, 12])
def test_red_stays_red(seen: Seen, encoding: str, padding: int) -> None:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[..., encoding.index('r')] = 200
    message = image_message(STAMP, pixels, encoding)
    rows = np.pad(pixels.reshape(48, -1), ((0, 0), (0, padding)))
    message.step, message.data = rows.shape[1], rows.ravel().tolist()
    seen.hear('/camera/rgb', message)
    decoded = cv2.imdecode(np.frombuffer(seen.frame()[1]['picture'], np.uint8), cv2.IMREAD_COLOR)
    assert (
        decoded.shape == pixels.shape
        and np.abs(decoded[24, 32].astype(int) - (0, 0, 200)).max() < 8
    )


def near(header: Header = STAMP) -> Any:
    values = np.zeros((12, 16), np.uint8)
    values[:, 8:], values[:3] = 255, 127
    return image_message(header, values, 'mono8')


@pytest.mark.parametrize('topic', ['depth/image_rect', 'depth/image_color'])
def test_near_is_what_depth_node_counted_in_that_very_picture(seen: Seen, topic: str) -> None:
    mode = 'metric' if topic == 'depth/image_rect' else 'relative'
    seen.view.parameters.change('depth_node', 'proximity_mode', mode)
    seen.view.follow_graph()
    seen.hear('depth/near', near())
    seen.hear('depth/near', near(Header(stamp=Time(sec=NOW_S), frame_id='camera')))
    seen.hear(topic, depth() if topic == 'depth/image_rect' else picture())
    header, parts = seen.frame()
    assert header['near'] == {'width': 16, 'height': 12}
    # What is unknown is not drawn as near.
    assert zlib.decompress(parts['near']) == b'\0\0' * 3 + b'\0\xff' * 9
    other = Header(stamp=Time(sec=NOW_S - 2), frame_id='camera')
    seen.hear(topic, depth(other) if topic == 'depth/image_rect' else picture(other))
    assert 'near' not in seen.frame()[1]


@pytest.mark.parametrize(('name', 'value'), [('encoding', 'rgb8'), ('width', 17)])
def test_near_pixels_that_are_none_are_named(seen: Seen, name: str, value: Any) -> None:
    message = near()
    setattr(message, name, value)
    seen.hear('depth/near', message)
    seen.hear('depth/image_rect', depth())
    assert 'depth/near must be mono8 without padding' in seen.frame()[0]['problem']


def test_a_picture_that_no_depth_comes_for_is_shown_alone(seen: Seen) -> None:
    seen.hear('/camera/rgb', picture())
    header, parts = seen.frame()
    assert list(parts) == ['picture'] and 'depth' not in header


def test_a_compressed_picture_is_handed_on_as_it_is(seen: Seen) -> None:
    seen.node.read = [('/robot/image/compressed', ['sensor_msgs/msg/CompressedImage'])]
    seen.view.follow_graph()
    assert '/camera/rgb' not in seen.node.subscriptions
    data = b'\xff\xd8 as it came'
    seen.hear('image/compressed', CompressedImage(header=STAMP, format='jpeg', data=data))
    assert seen.frame()[1]['picture'] == data


def test_a_depth_node_that_has_gone_leaves_the_subscription(seen: Seen) -> None:
    seen.node.read = []
    seen.view.follow_graph()
    assert '/camera/rgb' in seen.node.subscriptions


def test_a_relative_map_is_shown_as_its_picture_without_metres(seen: Seen) -> None:
    assert '/robot/depth/image_color' not in seen.node.subscriptions
    seen.view.parameters.change('depth_node', 'proximity_mode', 'relative')
    seen.view.follow_graph()
    assert '/robot/depth/image_rect' not in seen.node.subscriptions
    seen.hear('depth/image_color', picture())
    header, parts = seen.frame()
    assert list(parts) == ['color'] and 'depth' not in header
    seen.view.parameters.change('depth_node', 'proximity_mode', 'metric')
    seen.view.follow_graph()
    assert '/robot/depth/image_color' not in seen.node.subscriptions


def test_confidence_comes_on_demand_and_only_with_its_own_depth(seen: Seen) -> None:
    assert '/robot/depth/confidence' not in seen.node.subscriptions
    seen.view.want_confidence(True)
    seen.hear('depth/confidence', depth(metres=0.5))
    seen.hear('depth/image_rect', depth())
    assert set(zlib.decompress(seen.frame()[1]['confidence'])) == {100}
    later = Header(stamp=Time(sec=NOW_S), frame_id='camera')
    seen.hear('depth/image_rect', depth(later))
    # depth_node publishes it after the depth, which waits for it while it comes at all.
    assert seen.view.take_frame() is None
    seen.hear('depth/confidence', depth(later, metres=0.25))
    assert set(zlib.decompress(seen.frame()[1]['confidence'])) == {50}
    seen.view._confidence_s -= 0.6
    seen.hear('depth/image_rect', depth(Header(stamp=Time(sec=NOW_S + 1), frame_id='camera')))
    assert 'confidence' not in seen.frame()[1]


@pytest.mark.parametrize('encoding', ['rgb8', '16SC1'])
def test_a_depth_that_is_none_is_named_and_ends_nothing(seen: Seen, encoding: str) -> None:
    message = depth()
    message.encoding = encoding
    seen.hear('depth/image_rect', message)
    assert 'must be 32FC1 or 16UC1' in seen.frame()[0]['problem']
    message.encoding, message.width = '32FC1', 17
    seen.hear('depth/image_rect', message)
    assert 'without padding' in seen.frame()[0]['problem']


def test_the_status_tells_unknown_from_nothing(seen: Seen) -> None:
    assert seen.view.status()['word'] == 'NO_ALERT'
    seen.hear('stop', Bool(data=False))
    seen.hear('alert/level', UInt8(data=1))
    seen.hear('alert/state', String(data='CAUTION: 0.80 m away'))
    seen.hear('proximity', Float32(data=0.1))
    seen.hear('proximity/range', Range(header=STAMP, range=0.8, max_range=10.0, variance=0.01))
    seen.hear('proximity/scale_verified', Bool(data=True))
    seen.hear('depth/scale/state', UInt8(data=2))
    seen.hear('depth/scale', String(data='contradicted: beam 0.9'))
    seen.hear('depth/scan', LaserScan(header=STAMP, ranges=[1.0, math.nan, math.inf]))
    status = seen.view.status()
    json.dumps(status, allow_nan=False)
    assert (status['word'], status['reason']) == ('CAUTION', '0.80 m away')
    assert status['range']['m'] == 0.8 and status['range']['sigma_m'] == 0.1
    assert status['range']['age_s'] == 1.0
    assert status['scale_contradicted'] is True
    assert status['scale_text'] == 'contradicted: beam 0.9'
    assert status['scan']['ranges'] == [1.0, None, -1]
    seen.hear('proximity', Float32(data=math.nan))
    assert seen.view.status()['word'] == 'BLIND'


def test_a_change_of_the_word_is_told_at_once_with_its_own_reason(seen: Seen) -> None:
    seen.hear('stop', Bool(data=False))
    for level, state in ((0, 'CLEAR: free'), (0, 'CLEAR: free'), (2, 'STOP: 0.30 m away')):
        seen.hear('alert/level', UInt8(data=level))
        seen.hear('alert/state', String(data=state))
    assert seen.words == ['CLEAR', 'STOP']
    assert seen.view.status()['reason'] == '0.30 m away'
    for share in (0.5, math.nan, math.nan):
        seen.hear('proximity', Float32(data=share))
    assert seen.words == ['CLEAR', 'STOP', 'BLIND']


def test_a_first_reading_that_asks_for_caution_is_told_at_once(seen: Seen) -> None:
    def hear(metres: float, variance: float = 0.01) -> bool:
        reading = Range(header=STAMP, range=metres, max_range=10.0, variance=variance)
        seen.hear('proximity/range', reading)
        return bool(seen.view.status()['range']['close'])

    closes = [hear(metres) for metres in (1.3, 1.21, 1.19, 0.5, 1.3, 1.1)]
    assert closes == [False, False, True, True, False, True]
    assert len(seen.words) == 2  # 1.19 and 1.1: each the first one
    margin_m = seen.view.parameters.value('alert_node', 'unverified_margin_m')
    assert not hear(1.21 + margin_m, 0.0) and hear(1.19 + margin_m, 0.0)
    seen.view.parameters.change('alert_node', 'assume_scale_verified', True)
    assert not hear(1.19 + margin_m, 0.0) and hear(1.19, 0.0)
    seen.view.parameters = ParameterValues()
    assert not hear(2.0) and not hear(0.2)


def test_what_is_remembered_is_in_the_status_with_its_age(seen: Seen) -> None:
    assert seen.view.status()['memory'] is None
    found = RememberedPoints(np.array([[1.0, 0.5]]), *np.array([[0.1], [0.0], [2.0]]))
    seen.view.parameters.change('alert_node', 'camera_x_m', 0.25)
    seen.hear('proximity/memory', memory_points_message(STAMP, found))
    memory = seen.view.status()['memory']
    assert memory['points'] == [[0.75, 0.5, 2.0, 0.1]] and memory['received_age_s'] < 60.0
    seen.hear('proximity/memory', PointCloud2(width=1))
    memory = seen.view.status()['memory']
    assert 'points' not in memory and 'proximity/memory must hold' in memory['problem']


def test_closing_leaves_no_subscription(seen: Seen) -> None:
    seen.view.close()
    assert not seen.node.subscriptions and not seen.node.timers


def test_few_topics_end_a_wait_of_the_executor(seen: Seen) -> None:
    seen.view.want_confidence(True)
    found = seen.node.subscriptions
    waking = {topic for topic, held in found.items() if held.callback_group is None}
    each_frame = {'depth/image_rect', 'depth/confidence', 'proximity'}
    seldom = {
        'proximity/scale_verified',
        'depth/scale',
        'depth/scale/state',
        'alert/level',
        'alert/state',
    }
    assert waking == {full(topic) for topic in each_frame | seldom}
    assert not any(
        held.callback_group.can_execute(held) for held in found.values() if held.callback_group
    )


def test_what_was_not_polled_is_taken_with_the_next_that_wakes(seen: Seen) -> None:
    seen.send('stop', Bool(data=False))
    seen.send('/camera/rgb', picture())
    seen.send('depth/near', near())
    seen.send('proximity/range', Range(header=STAMP, range=0.8, max_range=10.0, variance=0.01))
    assert seen.view.status()['range'] is None
    seen.hear('alert/level', UInt8(data=0))
    seen.hear('proximity', Float32(data=0.1))
    # A reading below the caution distance and the state: both told with all that had come.
    assert seen.words == ['CLEAR', 'CLEAR']
    assert seen.view.status()['range']['close'] is True
    seen.hear('depth/image_rect', depth())
    assert set(seen.frame()[1]) == {'picture', 'depth', 'near'}


def test_a_picture_that_cannot_be_read_hides_no_depth(seen: Seen) -> None:
    message = picture()
    message.encoding = 'what'
    seen.hear('/camera/rgb', message)
    seen.hear('depth/near', picture())
    seen.hear('depth/image_rect', depth())
    header, parts = seen.frame()
    assert list(parts) == ['depth']
    assert "'what'" in header['problem'] and 'depth/near must be mono8' in header['problem']


def test_a_message_that_is_none_is_named(seen: Seen) -> None:
    stamped = serialize_message(depth())[:12]
    seen.node.subscriptions[full('depth/image_rect')].callback(stamped)
    assert 'Image must be a message that can be read' in seen.frame()[0]['problem']


@pytest.mark.parametrize(('width', 'expected'), [(320, 320), (321, 161), (1280, 320)])
def test_a_large_depth_goes_out_thinned(seen: Seen, width: int, expected: int) -> None:
    depth_m = np.full((4, width), 2.0, np.float32)
    depth_m[:, -1] = np.nan
    seen.view.want_confidence(True)
    seen.hear('depth/image_rect', depth_image_message(STAMP, depth_m, '32FC1'))
    seen.hear('depth/confidence', depth_image_message(STAMP, depth_m / 4, '32FC1'))
    header, parts = seen.frame()
    assert header['depth']['width'] == expected
    centimetres = np.frombuffer(zlib.decompress(parts['depth']), '<u2')
    assert centimetres.size == len(zlib.decompress(parts['confidence']))
    assert set(centimetres.tolist()) <= {200, 0} and centimetres[0] == 200


def test_each_depth_is_offered_once_while_its_confidence_comes(seen: Seen) -> None:
    seen.view.want_confidence(True)
    stamps = [Header(stamp=Time(sec=NOW_S, nanosec=i), frame_id='camera') for i in range(3)]
    for stamp in stamps:
        seen.hear('depth/image_rect', depth(stamp))
        seen.hear('depth/confidence', depth(stamp, metres=0.5))
    assert seen.offered == 4  # the first depth could not know that one would come
    assert 'confidence' in seen.frame()[1]
    seen.view.want_confidence(False)
    assert full('depth/confidence') not in seen.node.subscriptions
    seen.hear('depth/image_rect', depth())
    assert 'confidence' not in seen.frame()[1]
