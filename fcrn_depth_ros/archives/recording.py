# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Read bags of ROS 2 (sqlite3, MCAP) and ROS 1 with rosbags, as messages of ROS 2."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import redirect_stdout, suppress
from functools import cache
import io
from pathlib import Path
from typing import Any

from .places import input_place, RemotePath
from ..errors import ToolInputError

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO, TRANSFORMS = 'sensor_msgs/msg/CameraInfo', 'tf2_msgs/msg/TFMessage'
ODOMETRY, RANGE = 'nav_msgs/msg/Odometry', 'sensor_msgs/msg/Range'
LASER_SCAN, POSE = 'sensor_msgs/msg/LaserScan', 'geometry_msgs/msg/PoseStamped'
BAG_FILES = ('.mcap', '.db3', '.bag')
INSTALL = "pip install 'fcrn_depth_ros[bags]'"


class DamagedBagError(ToolInputError):
    """One bag cannot be read; others may be."""


def require_rosbags() -> None:
    """Refuse to start where rosbags is missing, with the command that installs it."""
    try:
        import rosbags.highlevel  # noqa: F401
    except ModuleNotFoundError as err:
        raise ToolInputError(
            f'rosbags must be installed to read bags, got no {err.name}; run {INSTALL}'
        ) from err


@cache
def standard_types() -> Any:
    """Return the types of ROS 2, whose code is made once in a process."""
    from rosbags.typesys import get_typestore, Stores

    return get_typestore(Stores.LATEST)


def find_bags(places: Collection[str]) -> list[str]:
    """
    List the bags that are named, or lie in folders that are named.

    Parameters
    ----------
    places : collection of str
        Bag files (.mcap, .db3, .bag), bag folders (with metadata.yaml), or folders of those;
        paths or URLs.

    Returns
    -------
    list of str
        In the order of the places, then by name; each once.

    Raises
    ------
    ToolInputError
        A place does not exist or holds no bag.

    """
    found: dict[str, None] = {}
    for place in places:
        path = input_place(place)
        if not path.exists():
            raise ToolInputError(f'bag must exist, got {place}; check the path')
        bags = list(_bags_in(path, place))
        if not bags:
            raise ToolInputError(
                f'{place} must be a bag (.mcap, .db3, .bag, or a folder with metadata.yaml) or '
                'a folder of bags, got neither; check the path'
            )
        found |= dict.fromkeys(bags)
    return list(found)


def _bags_in(path: Path | RemotePath, shown: str) -> Iterator[str]:
    if not path.is_dir():
        if path.suffix in BAG_FILES:
            yield shown
        return
    if (path / 'metadata.yaml').exists():
        yield shown
        return
    for entry in _entries(path):
        yield from _bags_in(entry, f'{shown.rstrip("/")}/{entry.name}')


def _entries(path: Path | RemotePath) -> Iterator[Path | RemotePath]:
    if isinstance(path, Path):
        yield from sorted(path.iterdir())
    else:
        yield from path.iterdir()


class Recording:
    """
    One open bag; closed by `with`.

    Parameters
    ----------
    place : str
        Path or URL.

    Raises
    ------
    DamagedBagError
        The bag cannot be opened.

    """

    def __init__(self, place: str) -> None:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import get_typestore, Stores

        self.place = place
        try:
            self._reader = AnyReader([input_place(place)], default_typestore=standard_types())
            self._reader.open()
        except Exception as err:  # whatever rosbags raises for bytes that nobody foresaw
            raise damaged(place, err) from err
        # A bag of ROS 1 adds its own types to a store of its own.
        self.typestore: Any = (
            self._reader.typestore if self._reader.is2 else get_typestore(Stores.LATEST)
        )
        self._converters: dict[str, Callable[[bytes], Any]] = {}
        self._convert_cache: dict[str, object] = {}
        self.connections: list[Any] = [c for c in self._reader.connections if c.msgcount != 0]
        self.start_ns: int = self._reader.start_time
        self.end_ns: int = self._reader.end_time

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with suppress(Exception):
            self._reader.close()

    def type_of(self, connection: Any) -> str:
        """Return the ROS 2 type of a connection's messages."""
        name: str = connection.msgtype
        return {'tf/msg/tfMessage': TRANSFORMS}.get(name, name)

    def topics_of(self, *types: str) -> dict[str, int]:
        """Return the topics of some types, and how many messages each has."""
        counts: dict[str, int] = {}
        for connection in self.connections:
            if self.type_of(connection) in types:
                counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
        return counts

    def messages(
        self,
        topics: Collection[str] | None = None,
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ) -> Iterator[tuple[Any, int, bytes]]:
        """
        Read messages in the order in which they were recorded.

        Parameters
        ----------
        topics : collection of str, optional
            Only these; all by default.
        start_ns, stop_ns : int, optional
            Recorded from `start_ns` on and before `stop_ns`.

        Yields
        ------
        tuple
            Connection, time of recording in nanoseconds, content as CDR.

        Raises
        ------
        DamagedBagError
            The bag ends here.

        """
        wanted = [c for c in self.connections if topics is None or c.topic in topics]
        if not wanted:
            return
        try:
            for connection, time_ns, data in self._reader.messages(wanted, start_ns, stop_ns):
                yield connection, time_ns, self._as_cdr(connection, data)
        except GeneratorExit:
            raise
        except Exception as err:  # as above: truncated chunks, broken pages, wrong sizes
            raise damaged(self.place, err) from err

    def decode(self, data: bytes, message_type: str) -> Any:
        """Return a standard message; DamagedBagError where its bytes are no such message."""
        try:
            return standard_types().deserialize_cdr(data, message_type)
        except Exception as err:
            raise damaged(self.place, err) from err

    def _as_cdr(self, connection: Any, data: bytes) -> bytes:
        if self._reader.is2:
            return data
        if connection.msgtype not in self._converters:
            self._converters[connection.msgtype] = self._converter(connection.msgtype)
        return bytes(self._converters[connection.msgtype](data))

    def _converter(self, message_type: str) -> Callable[[bytes], Any]:
        """Return what turns a message of ROS 1 into one of ROS 2."""
        from rosbags.convert.converter import generate_message_converter
        from rosbags.typesys import get_types_from_msg

        name = {'tf/msg/tfMessage': TRANSFORMS}.get(message_type, message_type)
        source = self._reader.typestore
        with redirect_stdout(io.StringIO()):  # it says what it converts
            if name not in self.typestore.fielddefs:
                text = source.generate_msgdef(message_type, ros_version=2)[0]
                types = get_types_from_msg(text, name)
                known = self.typestore.fielddefs
                self.typestore.register({k: v for k, v in types.items() if k not in known})
            convert: Callable[[bytes], Any] = generate_message_converter(
                source,
                self.typestore,
                message_type,
                name,
                self._convert_cache,
                src_is2=False,
                dst_is2=True,
            )
        return convert


def damaged(place: str, err: Exception) -> DamagedBagError:
    """Return the one error for a bag that cannot be read."""
    text = ' '.join(str(err).split()) or type(err).__name__
    return DamagedBagError(
        f'bag must be readable, got {place}: {text}; repair it (ros2 bag reindex, mcap recover) '
        'or record it again'
    )
