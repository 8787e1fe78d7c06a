# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Fast DDS settings that carry pictures: its defaults lose most of them between processes."""

from __future__ import annotations

from collections.abc import MutableMapping
import os
from pathlib import Path
import re

from .package_share import share_directory
from .ros_version import ros_distro
from ..errors import ConfigurationError

# Size of the shared memory segment that each process creates.
SEGMENT_VARIABLE = 'FCRN_DEPTH_SHARED_MEMORY_MB'

# Fast DDS 3 (Kilted) renamed the variable; each version ignores, or warns of, the other's.
_OLD_FAST_DDS = ('jazzy',)
_OLD_VARIABLE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
_NEW_VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'
# Any of these says that the user has chosen a transport.
_CHOICES = (_OLD_VARIABLE, _NEW_VARIABLE, 'FASTDDS_BUILTIN_TRANSPORTS')
# Below its own default of half a megabyte Fast DDS carries less than without this tuning; a
# segment's size is a 32-bit number.
_LEAST_MB, _MOST_MB = 0.5, 4095.0


def profiles_variable(distro: str) -> str:
    """
    Name the environment variable that gives Fast DDS a profiles file.

    Parameters
    ----------
    distro : str
        Name of the ROS 2 distribution.

    Returns
    -------
    str
        Its name in the Fast DDS of that distribution.

    """
    return _OLD_VARIABLE if distro in _OLD_FAST_DDS else _NEW_VARIABLE


def tune_fast_dds(environment: MutableMapping[str, str] = os.environ) -> bool:
    """
    Give Fast DDS the profiles of config/fastdds.xml unless the user has chosen a transport.

    Parameters
    ----------
    environment : mutable mapping
        Of the process; to be set before rclpy.init.

    Returns
    -------
    bool
        True where the variable was set here.

    Raises
    ------
    ConfigurationError
        If FCRN_DEPTH_SHARED_MEMORY_MB is not a size, or a file for it cannot be written.

    Notes
    -----
    `FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA` carries pictures as well, but a process that has it
    hears nothing from one that has not, `ros2 topic echo` among them; a larger shared memory
    segment keeps everybody connected.

    """
    if any(name in environment for name in _CHOICES):
        return False
    profiles = share_directory() / 'config' / 'fastdds.xml'
    size = environment.get(SEGMENT_VARIABLE, '')
    if size:
        profiles = _with_segment(profiles, size, environment)
    environment[profiles_variable(ros_distro(environment))] = str(profiles)
    return True


def _with_segment(profiles: Path, size: str, environment: MutableMapping[str, str]) -> Path:
    """Write the profiles with a segment of another size, and give the file."""
    try:
        size_mb = float(size)
    except ValueError:
        size_mb = 0.0
    if not _LEAST_MB <= size_mb <= _MOST_MB:
        raise ConfigurationError(
            f'{SEGMENT_VARIABLE} must be from {_LEAST_MB:g} to {_MOST_MB:g}, got {size!r}; leave '
            'it unset for 16'
        )
    size_bytes = round(size_mb * 2**20)
    text = re.sub(
        r'(?<=<segment_size>)\d+(?=</segment_size>)',
        str(size_bytes),
        profiles.read_text(encoding='utf-8'),
    )
    folder = Path(environment.get('ROS_HOME') or Path.home() / '.ros') / 'fcrn_depth_ros'
    # Named for its content: processes that start together write the same file.
    file = folder / f'fastdds_{size_bytes}.xml'
    partial = file.with_suffix(f'.{os.getpid()}')
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding='utf-8')
        partial.replace(file)
    except OSError as error:
        raise ConfigurationError(
            f'{SEGMENT_VARIABLE} must be unset where {folder} cannot be written to, got {error}; '
            'set ROS_HOME to a folder that can be'
        ) from error
    return file
