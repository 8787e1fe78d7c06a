# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from fcrn_depth_ros.ros.transport import profiles_variable, tune_fast_dds
import pytest


@pytest.mark.parametrize(
    ('distro', 'variable'),
    [
        ('humble', 'FASTRTPS_DEFAULT_PROFILES_FILE'),
        ('jazzy', 'FASTRTPS_DEFAULT_PROFILES_FILE'),
        ('kilted', 'FASTDDS_DEFAULT_PROFILES_FILE'),
        ('unknown', 'FASTDDS_DEFAULT_PROFILES_FILE'),
    ],
)
def test_the_variable_of_each_version(distro: str, variable: str) -> None:
    assert profiles_variable(distro) == variable
    environment = {'ROS_DISTRO': distro}
    assert tune_fast_dds(environment)
    assert Path(environment[variable]).is_file()


@pytest.mark.parametrize(
    'chosen',
    [
        'FASTDDS_BUILTIN_TRANSPORTS',
        'FASTDDS_DEFAULT_PROFILES_FILE',
        'FASTRTPS_DEFAULT_PROFILES_FILE',
    ],
)
def test_the_choice_of_the_user_stays(chosen: str) -> None:
    environment = {chosen: 'mine'}
    assert not tune_fast_dds(environment)
    assert environment == {chosen: 'mine'}


def test_the_segment_holds_several_pictures() -> None:
    environment: dict[str, str] = {'ROS_DISTRO': 'kilted'}
    tune_fast_dds(environment)
    root = ElementTree.parse(environment['FASTDDS_DEFAULT_PROFILES_FILE']).getroot()
    segment = root.find('.//{*}segment_size')
    assert segment is not None and int(segment.text or 0) >= 4 * 1280 * 960 * 3
