# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Which topics of a bag are cameras, and what each camera knows of itself at a moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import re
from typing import Any

from .recording import CAMERA_INFO, COMPRESSED, IMAGE, Recording
from ..errors import ToolInputError

# Where one camera has several pictures, the first of these that it has is used.
_PREFERRED = ('image_rect_color', 'image_rect', 'image_raw', 'image_color', 'image')
# 16 bits without colour are depth, infrared or disparity more often than a picture.
_NO_COLORS = re.compile('(16|32|64)[USF]C|mono16')
# What depth_node has drawn of a picture is none.
_DRAWN = ('/depth/near', '/depth/image_color')
_FIRST_WINDOW_NS = 500_000_000
# Encapsulation (4 bytes) and stamp (8 bytes), with which a message that has a header begins.
_AFTER_STAMP = 12


@dataclass(frozen=True)
class CameraStream:
    """
    One camera of a bag.

    Attributes
    ----------
    topic : str
        Of its pictures.
    message_type : str
        Image or CompressedImage.
    namespace : str
        Where its results go; empty for a topic at the root.
    info_topic : str
        Of its CameraInfo; empty where the bag has none.
    first_info : bytes
        The first CameraInfo in the bag, which holds for pictures before it; CDR, or empty.
    pictures : int
        How many.

    """

    topic: str
    message_type: str
    namespace: str
    info_topic: str
    first_info: bytes
    pictures: int

    @property
    def is_rectified(self) -> bool:
        """Whether the name of the topic says that the pictures have no distortion."""
        return 'rect' in base_topic(self.topic).rsplit('/', 1)[-1]


def base_topic(topic: str) -> str:
    """Return the topic that image_transport calls the base: without /compressed."""
    return topic.removesuffix('/compressed')


def find_cameras(recording: Recording, asked_for: Sequence[str] = ()) -> list[CameraStream]:
    """
    List the cameras of a bag.

    Parameters
    ----------
    recording : Recording
        Open.
    asked_for : sequence of str
        Image topics; by default one for each namespace, raw pictures before compressed ones.

    Returns
    -------
    list of CameraStream
        By topic.

    Raises
    ------
    ToolInputError
        The bag has no such topic, or no pictures at all.

    """
    topics = recording.topics_of(IMAGE, COMPRESSED)
    types = {c.topic: recording.type_of(c) for c in recording.connections}
    if unknown := [topic for topic in asked_for if topic not in topics]:
        raise ToolInputError(
            f'image topics of {recording.place} must be among {sorted(topics)}, got '
            f'{", ".join(unknown)}; correct --image-topic'
        )
    chosen = sorted(asked_for) or sorted(_one_for_each_namespace(recording, topics, types))
    if not chosen:
        raise ToolInputError(
            f'{recording.place} must hold pictures (sensor_msgs Image or CompressedImage), got '
            'none; leave it out, or name a topic with --image-topic'
        )
    infos = recording.topics_of(CAMERA_INFO)
    cameras = []
    for topic in chosen:
        namespace = base_topic(topic).rpartition('/')[0]
        info_topic = f'{namespace}/camera_info'
        has_info = info_topic in infos
        first = next(recording.messages([info_topic]), None) if has_info else None
        cameras.append(
            CameraStream(
                topic,
                types[topic],
                namespace,
                info_topic if has_info else '',
                b'' if first is None else bytes(first[2]),
                topics[topic],
            )
        )
    spaces = [camera.namespace for camera in cameras]
    if twice := {space for space in spaces if spaces.count(space) > 1}:
        raise ToolInputError(
            f'image topics must lie in different namespaces, got several in {sorted(twice)}; '
            'name one of each with --image-topic'
        )
    return cameras


def _one_for_each_namespace(
    recording: Recording, topics: dict[str, int], types: dict[str, str]
) -> Iterator[str]:
    spaces: dict[str, list[str]] = {}
    for topic in topics:
        if base_topic(topic).endswith(_DRAWN):
            continue
        if _shows_colors(recording, topic, types[topic]):
            spaces.setdefault(base_topic(topic).rpartition('/')[0], []).append(topic)

    def rank(topic: str) -> tuple[int, bool, str]:
        name = base_topic(topic).rsplit('/', 1)[-1]
        place = _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)
        return place, types[topic] == COMPRESSED, topic

    for members in spaces.values():
        yield min(members, key=rank)


def _shows_colors(recording: Recording, topic: str, message_type: str) -> bool:
    """Return whether a topic holds pictures and no depth, as its first message says."""
    first = next(recording.messages([topic]), None)
    if first is None:
        return False
    message = recording.decode(first[2], message_type)
    if message_type == COMPRESSED:
        return 'compressedDepth' not in message.format
    return not _NO_COLORS.match(message.encoding)


def windows_before(recording: Recording, start_ns: int) -> Iterator[tuple[int, bool]]:
    """
    Yield ever earlier times to read from, so that no more is read than is needed.

    Parameters
    ----------
    recording : Recording
        Open.
    start_ns : int
        Up to where is read.

    Yields
    ------
    tuple of (int, bool)
        From where to read, and whether that is the beginning of the bag.

    """
    window_ns = _FIRST_WINDOW_NS
    while start_ns - window_ns > recording.start_ns:
        yield start_ns - window_ns, False
        window_ns *= 4
    yield recording.start_ns, True


class CameraState:
    """
    The newest CameraInfo of a camera at each moment.

    Parameters
    ----------
    recording : Recording
        Open.
    camera : CameraStream
        Which.
    start_ns : int or None
        From where the bag is read; None from its beginning.

    """

    def __init__(self, recording: Recording, camera: CameraStream, start_ns: int | None) -> None:
        self._recording = recording
        self.info: Any = None
        self._content = b''
        content = camera.first_info
        if camera.info_topic and start_ns is not None:
            content = self._last_before(camera.info_topic, start_ns) or content
        if content:
            self.hear(content)

    def hear(self, content: bytes) -> None:
        """Take the next CameraInfo; one that differs in its stamp alone is the same."""
        if content[_AFTER_STAMP:] != self._content[_AFTER_STAMP:]:
            self.info = self._recording.decode(content, CAMERA_INFO)
            self._content = bytes(content)

    def _last_before(self, topic: str, start_ns: int) -> bytes:
        last = b''
        for begin_ns, _ in windows_before(self._recording, start_ns):
            for _, _, data in self._recording.messages([topic], begin_ns, start_ns):
                last = bytes(data)
            if last:
                break
        return last
