# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.ros.transport import profiles_variable, SEGMENT_VARIABLE, tune_fast_dds
import pytest


@pytest.mark.parametrize(
    ('distro', 'variable'),
    [
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


def segment_bytes(environment: dict[str, str]) -> int:
    assert tune_fast_dds(environment)
    root = ElementTree.parse(environment['FASTDDS_DEFAULT_PROFILES_FILE']).getroot()
    segment = root.find('.//{*}segment_size')
    assert segment is not None
    return int(segment.text or 0)


def test_the_segment_holds_several_pictures() -> None:
    assert segment_bytes({'ROS_DISTRO': 'kilted'}) >= 4 * 1280 * 960 * 3


@pytest.mark.parametrize(('size', 'size_bytes'), [('4', 4 * 2**20), ('0.5', 2**19)])
def test_the_size_of_the_segment_can_be_chosen(size: str, size_bytes: int, tmp_path: Path) -> None:
    environment = {'ROS_DISTRO': 'kilted', 'ROS_HOME': str(tmp_path), SEGMENT_VARIABLE: size}
    assert segment_bytes(environment) == size_bytes
    assert len(list((tmp_path / 'fcrn_depth_ros').iterdir())) == 1


@pytest.mark.parametrize('size', ['0.49', '4096', '-1', 'nan', 'much'])
def test_a_size_that_cannot_be_is_refused(size: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=SEGMENT_VARIABLE):
        tune_fast_dds({'ROS_HOME': str(tmp_path), SEGMENT_VARIABLE: size})


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / 'fcrn_depth_ros').write_text('a file where the folder must be')
    with pytest.raises(ConfigurationError, match='set ROS_HOME'):
        tune_fast_dds({'ROS_HOME': str(tmp_path), SEGMENT_VARIABLE: '4'})
