# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The SROS2 policy names the topics and services that the nodes have, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import time
from typing import Any
import xml.etree.ElementTree as ElementTree

from fcrn_depth_ros.dashboard.recording import TOPICS
from fcrn_depth_ros.nodes.alert_node import AlertNode
from fcrn_depth_ros.nodes.dashboard import Dashboard
from fcrn_depth_ros.nodes.demo import free_domain_id
from fcrn_depth_ros.nodes.depth_node import DepthNode
from fcrn_depth_ros.nodes.image_source import ImageSource
import pytest
import rclpy
from rclpy.parameter import Parameter

ROOT = Path(__file__).resolve().parents[2]
POLICY = ElementTree.parse(ROOT / 'config' / 'security' / 'policy.xml').getroot()
CLIP = ROOT / 'fcrn_depth_ros' / 'demo_clip'

# What the page shows at all times of what it can record.
SHOWN = {
    'depth/image_rect',
    'depth/near',
    'depth/scale',
    'depth/scale/state',
    'depth/scan',
    'proximity',
    'proximity/memory',
    'proximity/range',
    'proximity/scale_verified',
    'alert/level',
    'alert/state',
    'stop',
    '/diagnostics',
}

# What a node has only where something is installed or set: (node, kind, name).
SOMETIMES = {
    ('depth_node', 'publish', '/tf_static'),
    ('depth_node', 'subscribe', '/tf'),
    ('depth_node', 'subscribe', '/tf_static'),
    ('depth_node', 'subscribe', '/image'),
    ('depth_node', 'subscribe', '/image/compressed'),
    ('alert_node', 'publish', '/cmd_vel_out'),
    ('alert_node', 'subscribe', '/proximity/near'),
    ('alert_node', 'subscribe', '/cmd_vel_in'),
    ('alert_node', 'subscribe', '/depth/scan'),
    ('alert_node', 'subscribe', '/odom'),
    ('dashboard', 'subscribe', '/image/compressed'),
    ('dashboard', 'subscribe', '/depth/confidence'),
    ('dashboard', 'subscribe', '/depth/image_color'),
    # While it records; the transforms where tf2_msgs is installed.
    ('dashboard', 'subscribe', '/tf'),
    ('dashboard', 'subscribe', '/tf_static'),
    *(('dashboard', 'subscribe', f'/{name.lstrip("/")}') for name in TOPICS if name not in SHOWN),
}
# Service servers that Jazzy's rclpy does not have.
NEWER = 'get_type_description'


def allowed(node: str) -> set[tuple[str, str]]:
    """List what the policy allows a node, as (kind, full name)."""
    profile = POLICY.find(f".//profile[@node='{node}']")
    assert profile is not None
    found = set()
    for group in profile:
        kind = next(iter(group.attrib))
        for item in group:
            name = (item.text or '').replace('~', f'/{node}')
            found.add((kind, name if name.startswith('/') else f'/{name}'))
    return found


@pytest.fixture(scope='module')
def nodes() -> Iterator[list[Any]]:
    # A domain of its own: nodes of other tests, of the same names, may still be leaving.
    rclpy.init(domain_id=free_domain_id())
    nodes: list[Any] = [
        DepthNode(parameter_overrides=[Parameter('use_mounting_topic', value=True)]),
        AlertNode(),
        ImageSource(
            parameter_overrides=[
                Parameter('images', value=str(CLIP)),
                Parameter('image_transport', value='both'),
            ]
        ),
        Dashboard(parameter_overrides=[Parameter('port', value=0)]),
    ]
    nodes[-1]._robots._watch('/')
    yield nodes
    for node in nodes:
        node.shut_down()
        node.destroy_node()
    rclpy.shutdown()


def test_the_policy_fits_the_graph(nodes: list[Any]) -> None:
    observer = nodes[-1]
    for node in nodes:
        name = node.get_name()
        queries = {
            'publish': observer.get_publisher_names_and_types_by_node,
            'subscribe': observer.get_subscriber_names_and_types_by_node,
            'reply': observer.get_service_names_and_types_by_node,
        }
        expected = {
            (kind, topic)
            for kind, topic in allowed(name)
            if kind != 'request'
            and (name, kind, topic) not in SOMETIMES
            and topic != '/clock'
            and not topic.endswith(NEWER)
        }
        deadline_s = time.monotonic() + 30
        while True:
            has = {(kind, topic) for kind, ask in queries.items() for topic, _ in ask(name, '/')}
            if expected <= has or time.monotonic() > deadline_s:
                break
            time.sleep(0.1)
        assert expected - has == set(), f'{name} has none of these; take them out'
        assert has - allowed(name) == set(), f'{name} has these, which the policy lacks'


def test_what_a_recording_subscribes_to_is_allowed(nodes: list[Any]) -> None:
    names = {f'/{name.lstrip("/")}' for name in TOPICS}
    assert {('subscribe', name) for name in names} <= allowed('dashboard')


def test_the_requests_of_the_page_are_those_that_it_makes(nodes: list[Any]) -> None:
    from fcrn_depth_ros.dashboard.robots import SERVICES

    changes = {f'/alert_node/{service}' for service in SERVICES}
    requests = {topic for kind, topic in allowed('dashboard') if kind == 'request'}
    reads = {
        f'/{node}/{verb}_parameters'
        for node in ('depth_node', 'alert_node')
        for verb in ('list', 'describe', 'get', 'set')
    }
    assert requests == changes | reads
