# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The command `bag` writes what depth_node publishes, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bag_files import (
    along_a_wall,
    clip_messages,
    IMAGE,
    INFO,
    LASER_SCAN,
    Messages,
    ODOMETRY,
    RANGE,
    write_bag,
)
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.archives.plan import NOT_WRITTEN
from fcrn_depth_ros.nodes.alert_node import AlertNode
from fcrn_depth_ros.nodes.depth_node import DepthNode
from nav_msgs.msg import Odometry
import pytest
from rclpy.serialization import deserialize_message
from rosbags.highlevel import AnyReader
from running_node import parameters, RunningNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan, Range
from std_msgs.msg import Bool, Float32, String, UInt8
from tiny_models import tiny_card, write_model

OUTPUTS = {
    'depth/image_rect': Image,
    'depth/camera_info': CameraInfo,
    'depth/near': Image,
    'depth/scan': LaserScan,
    'proximity/range': Range,
    'proximity': Float32,
    'proximity/near': Bool,
    'depth/scale/factor': Float32,
    'depth/scale/sigma': Float32,
}
# Published where they are news.
ON_CHANGE = {
    'depth/scale': String,
    'depth/scale/state': UInt8,
    'proximity/scale_verified': Bool,
}
# Of a sensor in a bag: its type, the topic and the input of the node, the option of the command.
SENSORS = {
    RANGE: (Range, 'range_hint', '--range-hint-topic'),
    LASER_SCAN: (LaserScan, 'scan_hint', '--scan-hint-topic'),
    ODOMETRY: (Odometry, 'odom', '--odom-topic'),
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
    """Return what the node publishes for the messages, each after what is measured with it."""
    if compressed:
        overrides['image_transport'] = 'compressed'
    running = RunningNode(lambda: DepthNode(parameter_overrides=parameters(overrides)))
    try:
        received = {topic: running.listen(kind, topic) for topic, kind in OUTPUTS.items()}
        changes = {topic: running.listen(kind, topic) for topic, kind in ON_CHANGE.items()}
        kind, topic = (CompressedImage, 'image/compressed') if compressed else (Image, 'image')
        for count, (info, image) in enumerate(zip(content[::2], content[1::2], strict=True)):
            running.publish('camera_info', deserialize_message(info, CameraInfo))
            running.wait_for(lambda: running.node._camera_info is not None)
            if hints:
                hint_kind, name, _ = SENSORS[hints[count][0]]
                hint = deserialize_message(hints[count][1], hint_kind)
                stamp = hint.header.stamp
                stamp_ns = stamp.sec * 10**9 + stamp.nanosec
                running.publish(name, hint)
                running.wait_for(lambda n=stamp_ns, a=name: newest_ns(running, a) == n, 'the hint')
            running.publish(topic, deserialize_message(image, kind))
            running.wait_for(lambda n=count: min(map(len, received.values())) > n, 'outputs')
        running.spin(5)
        everything = received | changes
        return {topic: list(map(plain, found)) for topic, found in everything.items()}
    finally:
        running.close()


def newest_ns(running: RunningNode, name: str) -> int | None:
    """Return the stamp of the latest message of a sensor that the node has heard."""
    sensor = running.node._odometry if name == 'odom' else getattr(running.node, f'_{name}')
    if name == 'odom':
        poses = sensor._track._poses
        return poses[-1][0] if poses else None
    hints = sensor._track._hints
    return hints[-1].stamp_ns if hints else None


def written(folder: Path) -> dict[str, list[Any]]:
    """Return what the command has written."""
    found: dict[str, list[Any]] = {}
    with AnyReader([folder]) as reader:
        for connection, _, data in reader.messages():
            topic = connection.topic.removeprefix('/camera/')
            kind = (OUTPUTS | ON_CHANGE).get(topic)
            if kind is not None:
                message = deserialize_message(bytes(data), kind)
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
    counts = {topic: len(live[topic]) for topic in OUTPUTS}
    assert counts == dict.fromkeys(OUTPUTS, PICTURES)
    for topic, found in live.items():
        assert found == recorded[topic], topic


def with_sonar() -> list[Any]:
    """Return pictures of the clip, each behind what a sonar measures."""
    made = Messages()
    mixed: list[Any] = []
    for index, message in enumerate(clip_messages(made, 6, first=50, raw=True, size=(320, 240))):
        if message[2] == INFO:
            stamp = message[3].header.stamp
            stamp_ns = stamp.sec * 10**9 + stamp.nanosec
            hint = made.range_hint(stamp_ns, 0.4 + 0.003 * index)
            mixed.append(('/sonar', message[1], RANGE, hint))
        mixed.append(message)
    return mixed


@pytest.mark.parametrize('kind', list(SENSORS))
def test_what_is_measured_beside_pictures_counts_as_in_the_node(tmp_path: Path, kind: str) -> None:
    # Scan and odometry need pictures of a wall, which a tiny network sees well enough.
    tiny = {} if kind == RANGE else {'model_file': str(write_model(tmp_path / 'tiny.onnx'))}
    wall = along_a_wall(felt=0.25, scan_m=0.5)
    messages = with_sonar() if kind == RANGE else list(wall)
    made = Messages()

    def contents_of(wanted: str) -> list[bytes]:
        return [bytes(made.store.serialize_cdr(m[3], m[2])) for m in messages if m[2] == wanted]

    pictures, infos = contents_of(IMAGE), contents_of(INFO)
    infos += infos[-1:] * (len(pictures) - len(infos))
    content = [each for pair in zip(infos, pictures, strict=True) for each in pair]
    topic = next(m[0] for m in messages if m[2] == kind)
    source = write_bag(tmp_path / 'drive', messages)
    words = ['--camera-height', '0.3', '--camera-pitch', '10', '--rectify', 'no', '--no-copy']
    words += ['--model', tiny['model_file']] if tiny else []
    for name, more in (('plain', []), ('sensed', [SENSORS[kind][2], topic])):
        assert main(['bag', str(source), '--out', str(tmp_path / name), *words, *more]) == 0
    recorded = written(tmp_path / 'sensed' / 'drive')
    assert (
        recorded['depth/image_rect'][-1]
        != (written(tmp_path / 'plain' / 'drive')['depth/image_rect'][-1])
    )
    hints = [(kind, each) for each in contents_of(kind)]
    live = published(False, content, hints, camera_height_m=0.3, camera_pitch_deg=10.0, **tiny)
    for topic, found in live.items():
        assert found == recorded[topic], topic


def test_the_command_writes_the_topics_of_the_nodes(tmp_path: Path) -> None:
    card = tiny_card(floor_output='floor', confidence_output='confidence')
    model = write_model(tmp_path / 'tiny.onnx', card)
    params = tmp_path / 'params.yaml'
    params.write_text('depth_node: {ros__parameters: {looming: true}}')
    source = write_bag(tmp_path / 'drive', list(along_a_wall()))
    words = ['--model', str(model), '--params-file', str(params), '--no-copy']
    assert main(['bag', str(source), '--out', str(tmp_path / 'out'), *words]) == 0
    with AnyReader([tmp_path / 'out' / 'drive']) as reader:
        found = {c.topic.removeprefix('/camera/'): c.msgtype for c in reader.connections}
    of_alert = {name: kind for name, kind in found.items() if name.startswith('alert/')}
    of_depth = topics_of(
        lambda: DepthNode(parameter_overrides=parameters({'model_file': str(model)}))
    )
    assert found.keys() - of_alert.keys() == of_depth.keys() - NOT_WRITTEN
    assert NOT_WRITTEN < of_depth.keys()
    assert of_alert.keys() == {'alert/level', 'alert/state'}
    published_types = of_depth | topics_of(AlertNode)
    assert {name: published_types[name] for name in found} == found


def topics_of(make_node: Callable[[], Any]) -> dict[str, str]:
    """Return the topics and types that a node publishes, but those that every node has."""
    running = RunningNode(make_node)
    try:
        # What others see of it comes a moment later.
        made = {each.topic_name: each.msg_type for each in running.node.publishers}
        name = running.node.get_name()
    finally:
        running.close()
    of_every_node = {'/parameter_events', '/rosout', '/diagnostics', '/tf_static'}
    of_every_node.add(f'/{name}/transition_event')
    return {
        topic[1:]: f'{kind.__module__.split(".")[0]}/msg/{kind.__name__}'
        for topic, kind in made.items()
        if topic not in of_every_node
    }
