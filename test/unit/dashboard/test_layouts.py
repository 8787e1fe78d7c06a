# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The layouts for engineers' viewers show topics that are recorded, under the names of today."""

from __future__ import annotations

import ast
from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from fcrn_depth_ros.dashboard.recording import TOPICS, TYPE_NAMES
from fcrn_depth_ros.ros.messages import message_class
from fcrn_depth_ros.wire.topics import ALERT_TOPICS, DEPTH_TOPICS

ROOT = Path(__file__).resolve().parents[3]
LAYOUTS = ROOT / 'config' / 'layouts'
# The picture that depth_node reads is recorded under its own name, which is this by default.
PICTURE = {'image': 'sensor_msgs/msg/Image'}
RECORDED = {name: TYPE_NAMES[kind] for name, kind in TOPICS.items()} | PICTURE


def texts(value: Any) -> Iterator[str]:
    """Give every text of a JSON value, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def recorded_type(topic: str) -> str:
    """Return the type of a topic at the root namespace; fail where it is not recorded."""
    name = topic if topic in RECORDED else topic.removeprefix('/')
    assert name in RECORDED, f'{topic} is not recorded'
    return RECORDED[name]


def test_the_layout_of_foxglove_shows_recorded_topics_and_fields() -> None:
    layout = json.loads((LAYOUTS / 'foxglove.json').read_text(encoding='utf-8'))
    shown = [text for text in texts(layout['configById']) if text.startswith('/')]
    assert len(shown) > 8
    for path in shown:
        topic, _, field = path.partition('.')
        message: Any = message_class(recorded_type(topic))
        fields = message.get_fields_and_field_types()
        assert not field or field in fields, path
    placed = {text for text in texts(layout['layout']) if '!' in text}
    assert placed == set(layout['configById'])


def test_the_view_of_rerun_shows_recorded_topics() -> None:
    tree = ast.parse((LAYOUTS / 'rerun_view.py').read_text(encoding='utf-8'))
    shown = [
        topic
        for node in tree.body
        if isinstance(node, ast.Assign)
        for topic in ast.literal_eval(node.value)
    ]
    assert len(shown) > 5
    for topic in shown:
        recorded_type(topic)


def test_what_is_recorded_is_published_under_that_name_and_type() -> None:
    published = DEPTH_TOPICS | ALERT_TOPICS
    policy = ElementTree.parse(ROOT / 'config' / 'security' / 'policy.xml')
    by_policy = {
        topic.text for topics in policy.iterfind('.//topics[@publish]') for topic in topics
    }
    # TF is that of the robot, the mounting of a phone whatever its namespace.
    others = {'/tf', '/tf_static', 'mounting'}
    for name, type_name in RECORDED.items():
        if name in published:
            assert published[name] == type_name
        else:
            assert name in by_policy | others, name
