# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The command `bag` writes what depth_node publishes, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bag_files import clip_messages, INFO, Messages, RANGE, write_bag
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.nodes.depth_node import DepthNode
import pytest
from rclpy.serialization import deserialize_message
from rosbags.highlevel import AnyReader
from running_node import parameters, RunningNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan, Range
from std_msgs.msg import Bool, Float32

OUTPUTS = {
    'depth/image_rect': Image,
    'depth/camera_info': CameraInfo,
    'depth/near': Image,
    'depth/scan': LaserScan,
    'proximity/range': Range,
    'proximity': Float32,
    'proximity/near': Bool,
}
PICTURES = 3


def plain(message: Any) -> Any:
    """Return what compares equal only where every bit does."""
    if hasattr(message, 'get_fields_and_field_types'):
        return {
            name: plain(getattr(message, name)) for name in message.get_fields_and_field_types()
        }
    return message.tobytes() if hasattr(message, 'tobytes') else repr(message)


def published(
    compressed: bool, content: list[Any], hints: list[Any] | None = None, **overrides: Any
) -> dict[str, list[Any]]:
    """Return what the node publishes for the messages, each after its range hint."""
    if compressed:
        overrides['image_transport'] = 'compressed'
    running = RunningNode(lambda: DepthNode(parameter_overrides=parameters(overrides)))
    try:
        received = {topic: running.listen(kind, topic) for topic, kind in OUTPUTS.items()}
        kind, topic = (CompressedImage, 'image/compressed') if compressed else (Image, 'image')
        for count, (info, image) in enumerate(zip(content[::2], content[1::2], strict=True)):
            running.publish('camera_info', deserialize_message(info, CameraInfo))
            running.wait_for(lambda: running.node._camera_info is not None)
            if hints:
                hint = deserialize_message(hints[count], Range)
                stamp = hint.header.stamp
                stamp_ns = stamp.sec * 10**9 + stamp.nanosec
                running.publish('range_hint', hint)
                running.wait_for(lambda n=stamp_ns: is_newest(running, n), 'the hint')
            running.publish(topic, deserialize_message(image, kind))
            running.wait_for(lambda n=count: min(map(len, received.values())) > n, 'outputs')
        return {topic: list(map(plain, found)) for topic, found in received.items()}
    finally:
        running.close()


def is_newest(running: RunningNode, stamp_ns: int) -> bool:
    hint = running.node._range_hint.at(stamp_ns)
    return hint is not None and hint.stamp_ns == stamp_ns


def written(folder: Path) -> dict[str, list[Any]]:
    """Return what the command has written."""
    found: dict[str, list[Any]] = {}
    with AnyReader([folder]) as reader:
        for connection, _, data in reader.messages():
            topic = connection.topic.removeprefix('/camera/')
            if topic in OUTPUTS:
                message = deserialize_message(bytes(data), OUTPUTS[topic])
                found.setdefault(topic, []).append(plain(message))
    return found


@pytest.mark.parametrize('compressed', [True, False])
def test_the_same_pictures_give_the_same_bits(tmp_path: Path, compressed: bool) -> None:
    made = Messages()
    size = None if compressed else (320, 240)
    messages = list(clip_messages(made, PICTURES, raw=not compressed, first=50, size=size))
    assert [m[2] == INFO for m in messages] == [True, False] * PICTURES
    content = [bytes(made.store.serialize_cdr(m[3], m[2])) for m in messages]
    source = write_bag(tmp_path / 'drive', messages)
    words = ['--camera-height', '0.3', '--camera-pitch', '10', '--rectify', 'no', '--no-copy']
    assert main(['bag', str(source), '--out', str(tmp_path / 'out'), *words]) == 0
    live = published(compressed, content, camera_height_m=0.3, camera_pitch_deg=10.0)
    recorded = written(tmp_path / 'out' / 'drive')
    assert {topic: len(found) for topic, found in live.items()} == dict.fromkeys(OUTPUTS, PICTURES)
    for topic, found in live.items():
        assert found == recorded[topic], topic


def test_a_range_hint_in_the_bag_counts_as_in_the_node(tmp_path: Path) -> None:
    made, count = Messages(), 6
    messages = list(clip_messages(made, count, first=50))
    content = [bytes(made.store.serialize_cdr(m[3], m[2])) for m in messages]
    hints, mixed = [], []
    for index, message in enumerate(messages):
        if message[2] == INFO:
            stamp = message[3].header.stamp
            distance_m = 0.4 + 0.003 * index
            hint = made.range_hint(stamp.sec * 10**9 + stamp.nanosec, distance_m)
            hints.append(bytes(made.store.serialize_cdr(hint, RANGE)))
            mixed.append(('/sonar', message[1], RANGE, hint))
        mixed.append(message)
    source = write_bag(tmp_path / 'drive', mixed)
    words = ['--camera-height', '0.3', '--camera-pitch', '10', '--rectify', 'no', '--no-copy']
    for name, more in (('plain', []), ('hint', ['--range-hint-topic', '/sonar'])):
        assert main(['bag', str(source), '--out', str(tmp_path / name), *words, *more]) == 0
    recorded = written(tmp_path / 'hint' / 'drive')
    assert (
        recorded['depth/image_rect'][-1]
        != written(tmp_path / 'plain' / 'drive')['depth/image_rect'][-1]
    )
    live = published(True, content, hints, camera_height_m=0.3, camera_pitch_deg=10.0)
    for topic, found in live.items():
        assert found == recorded[topic], topic
