# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Do the pictures of a camera arrive? If not, what helps (the rule apart from the node)."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from enum import auto, Enum
import os
from pathlib import Path

from .ros_version import ros_distro
from .transport import profiles_variable, SEGMENT_VARIABLE

# What counts as recent. Drivers take seconds to start, and what was just matched loses pictures.
_WINDOW_S = 5.0
_LEAST_LOST, _LEAST_LOST_SHARE = 3, 0.05
# camera_info may come at another rate, and both lose some.
_LEAST_MISSING_SHARE = 0.3
# Start of a DDS GUID: two bytes for the vendor, then, in Fast DDS, two for the host.
_FAST_DDS, _CYCLONE_DDS = b'\x01\x0f', b'\x01\x10'
_DDS_VENDORS = (_FAST_DDS, _CYCLONE_DDS)
# What config/fastdds.xml takes for a process, and asks the kernel for.
_SEGMENT_MB = 17.5
_BUFFER_BYTES = 4194304
_COMPRESSED = 'let the driver publish compressed images and set image_transport to compressed'
# A picture is lost with any of its packets, so that a third of the packets loses a third as often.
_SMALLER = 'let the driver send smaller pictures (320x240 is enough), or compress them more'


class Sender(Enum):
    """Where a picture comes from, as far as the identity of its publisher tells."""

    THIS_MACHINE = auto()
    OTHER_MACHINE = auto()
    OTHER_MIDDLEWARE = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class PictureTraffic:
    """
    What came of a topic in the last seconds.

    Attributes
    ----------
    topic : str
        Fully qualified.
    is_compressed : bool
        Compressed images.
    received, lost : int
        Pictures that came in, and those that the middleware says it lost.
    infos_received : int
        Messages of camera_info: they are small and arrive where pictures do not.
    senders : collection of Sender
        Publishers of the topic.
    other_topic : str
        Topic of the other image_transport where somebody publishes it, else empty.

    """

    topic: str
    is_compressed: bool
    received: int
    lost: int
    infos_received: int
    senders: Collection[Sender]
    other_topic: str = ''


@dataclass(frozen=True)
class Machine:
    """
    What this machine grants to a transport.

    Attributes
    ----------
    is_fast_dds : bool
        The middleware of this process.
    receive_buffer_bytes : int or None
        The most that a socket may ask for; None where unknown.
    shared_memory_free_mb : float or None
        Free space of /dev/shm; None where unknown.
    profiles_variable : str
        Environment variable that names a profiles file to Fast DDS.

    """

    is_fast_dds: bool
    receive_buffer_bytes: int | None
    shared_memory_free_mb: float | None
    profiles_variable: str


def this_machine(is_fast_dds: bool) -> Machine:
    """Look at the limits of this machine."""
    try:
        buffer_bytes = int(Path('/proc/sys/net/core/rmem_max').read_text(encoding='ascii'))
    except (OSError, ValueError):
        buffer_bytes = None
    try:
        space = os.statvfs('/dev/shm')
        free_mb = space.f_bavail * space.f_frsize / 2**20
    except OSError:
        free_mb = None
    return Machine(is_fast_dds, buffer_bytes, free_mb, profiles_variable(ros_distro()))


def sender_of(publisher_gid: bytes, own_gid: bytes) -> Sender:
    """
    Tell where a publisher is from its identity.

    Parameters
    ----------
    publisher_gid, own_gid : bytes
        Of the publisher, and of any endpoint of this process.

    Returns
    -------
    Sender
        UNKNOWN where the middleware is not DDS, or one whose identities name no host.

    """
    vendor, own_vendor = publisher_gid[:2], own_gid[:2]
    if vendor not in _DDS_VENDORS or own_vendor not in _DDS_VENDORS:
        return Sender.UNKNOWN
    if vendor != own_vendor:
        return Sender.OTHER_MIDDLEWARE
    if vendor != _FAST_DDS:
        return Sender.UNKNOWN
    is_here = publisher_gid[2:4] == own_gid[2:4]
    return Sender.THIS_MACHINE if is_here else Sender.OTHER_MACHINE


def picture_problem(traffic: PictureTraffic, machine: Machine) -> str:
    """
    Say what is wrong with the arrival of pictures, and what helps.

    Parameters
    ----------
    traffic : PictureTraffic
        Of the last seconds.
    machine : Machine
        This one.

    Returns
    -------
    str
        Empty where pictures arrive.

    """
    topic, lost, sent = traffic.topic, traffic.lost, traffic.lost + traffic.received
    if lost >= _LEAST_LOST and lost >= _LEAST_LOST_SHARE * sent:
        return (
            f'{lost} of the last {sent} pictures on {topic} were lost in transport; '
            f'{_remedy(traffic, machine)}'
        )
    if traffic.received and not _are_fewer_than_infos(traffic, machine):
        return ''
    if traffic.received:
        return (
            f'{traffic.infos_received} camera_info arrived, but {traffic.received} pictures on '
            f'{topic}: the others were lost in transport, or the driver sends fewer; '
            f'{_remedy(traffic, machine)}'
        )
    if not traffic.senders:
        hint = 'check the camera driver, image_topic or the remapping'
        if traffic.other_topic:
            wanted = 'raw' if traffic.is_compressed else 'compressed'
            hint = f'{traffic.other_topic} is published: set image_transport to {wanted}'
        return f'nobody publishes {topic}; {hint}'
    if traffic.infos_received:
        return (
            f'camera_info arrives, but no picture on {topic}, though it is published: pictures '
            f'are lost in transport, or the driver sends none; {_remedy(traffic, machine)}'
        )
    return (
        f'{topic} is published, but nothing arrives; check that the driver sends, and the QoS '
        f'(`ros2 topic info -v {topic}`). If it sends, {_remedy(traffic, machine)}'
    )


def _are_fewer_than_infos(traffic: PictureTraffic, machine: Machine) -> bool:
    """Return whether most pictures lack; only Fast DDS counts a picture of which a part came."""
    missing = traffic.infos_received - traffic.received
    is_large = missing >= _LEAST_LOST and missing >= _LEAST_MISSING_SHARE * traffic.infos_received
    return is_large and not machine.is_fast_dds


def _remedy(traffic: PictureTraffic, machine: Machine) -> str:
    remedies = []
    senders = set(traffic.senders) or {Sender.UNKNOWN}
    if Sender.OTHER_MIDDLEWARE in senders:
        remedies.append('give driver and node the same RMW_IMPLEMENTATION')
    may_be_here = senders & {Sender.THIS_MACHINE, Sender.UNKNOWN}
    if may_be_here and machine.is_fast_dds:
        free_mb = machine.shared_memory_free_mb
        if free_mb is not None and free_mb < _SEGMENT_MB:
            remedies.append(
                f'/dev/shm has {free_mb:.0f} MB left and each process takes {_SEGMENT_MB:g}: '
                f'give a container --shm-size=256m, or set {SEGMENT_VARIABLE} to 4'
            )
        remedies.append(
            f'start the camera driver with {machine.profiles_variable} set to config/fastdds.xml '
            'of this package'
        )
    buffer_bytes = machine.receive_buffer_bytes
    is_narrow = buffer_bytes is not None and buffer_bytes < _BUFFER_BYTES
    if is_narrow and senders != {Sender.THIS_MACHINE}:
        remedies.append(
            f'raise net.core.rmem_max from {buffer_bytes} to {_BUFFER_BYTES} on this machine'
        )
    if not traffic.is_compressed:
        remedies.append(_COMPRESSED)
    elif senders != {Sender.THIS_MACHINE}:
        remedies.append(_SMALLER)
    return f'{", or ".join(remedies)} (docs/transport.md)' if remedies else 'see docs/transport.md'


class RecentTraffic:
    """
    The traffic of the last seconds, from counts that only grow.

    Call `restart` when the node begins to listen, and `add` about once a second.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, tuple[int, ...]]] = deque()

    def restart(self) -> None:
        """Forget everything."""
        self._looks.clear()

    def add(self, now_s: float, counts: tuple[int, ...]) -> tuple[int, ...] | None:
        """
        Note the counts of this moment.

        Parameters
        ----------
        now_s : float
            Of a clock that never jumps.
        counts : tuple of int
            Since any moment.

        Returns
        -------
        tuple of int or None
            How far each count grew in the last 5 s; None while less than that is known.

        """
        self._looks.append((now_s, counts))
        while len(self._looks) > 1 and now_s - self._looks[1][0] >= _WINDOW_S:
            self._looks.popleft()
        first_s, first = self._looks[0]
        if now_s - first_s < _WINDOW_S:
            return None
        return tuple(new - old for new, old in zip(counts, first, strict=True))
