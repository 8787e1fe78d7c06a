# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""docs/safety.md: every promise names a test, and every test that is named exists."""

from __future__ import annotations

from pathlib import Path
import re

from fcrn_depth_ros.alert.machine import AlertConfig, AlertState
from fcrn_depth_ros.alert.speed_limit import greatest_safe_speed
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'safety.md').read_text(encoding='utf-8')
NAMED = sorted(set(re.findall(r'(test_\w+\.py)(?:::(\w+))?', PAGE)))


def section(title: str) -> str:
    """Give the text below a heading, up to the next one."""
    match = re.search(rf'^#+ {title}\n(.*?)(?=^#+ )', PAGE, re.DOTALL | re.MULTILINE)
    assert match, title
    return match[1]


@pytest.mark.parametrize(('file_name', 'test'), NAMED)
def test_a_named_test_exists(file_name: str, test: str) -> None:
    (path,) = (ROOT / 'test').rglob(file_name)
    text = path.read_text(encoding='utf-8')
    assert not test or re.search(rf'^(def|class) {test}\b|^{test} = ', text, re.MULTILINE)


def test_every_promise_names_a_test() -> None:
    rows = [line for line in section('Promises').splitlines() if line.startswith('| ')]
    assert len(rows) > 15
    assert [row for row in rows[1:] if 'test_' not in row and 'the same' not in row] == []


def test_the_summary_has_ten_points_and_its_links_lead_somewhere() -> None:
    summary = PAGE.partition('## States')[0]
    assert re.findall(r'^(\d+)\. ', summary, re.MULTILINE) == [str(n) for n in range(1, 11)]
    headings = re.findall(r'^#+ (.*)$', PAGE, re.MULTILINE)
    anchors = {re.sub(r'[^\w -]', '', heading).lower().replace(' ', '-') for heading in headings}
    assert set(re.findall(r'\]\(#([^)]+)\)', PAGE)) <= anchors


def test_the_states_are_those_of_the_code() -> None:
    rows = re.findall(r'^\| ([A-Z]+) \| (\d) \| (true|false) ', section('States'), re.MULTILINE)
    expected = {(one.name, str(one.value), str(one.is_stop).lower()) for one in AlertState}
    assert set(rows) == expected


def test_the_speeds_follow_from_the_defaults() -> None:
    rows = re.findall(r'^\| ([\d.]+) m[^|]*\| ([\d.]+) m/s', section('Distances'), re.MULTILINE)
    assert len(rows) == 5
    config = AlertConfig()
    for distance_m, speed_mps in rows:
        speed = greatest_safe_speed(float(distance_m), config.margin_m, config)
        assert f'{speed:.2f}' == speed_mps
