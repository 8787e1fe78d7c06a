# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Write messages of ROS 2 into one MCAP file, by name of topic and fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .places import output_error
from .recording import standard_types

# rosbag2's own version of the metadata, which Jazzy and newer read.
METADATA_VERSION = 9


class BagWriter:
    """
    A bag folder with one MCAP file; closed by `with`, and only then valid.

    Parameters
    ----------
    folder : Path
        New; the file in it has its name and the suffix `.mcap`.

    """

    def __init__(self, folder: Path) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        self.file = folder / f'{folder.name}.mcap'
        self.counts: dict[str, int] = {}
        self.store = standard_types()
        self._connections: dict[tuple[str, str], Any] = {}
        self._writer = Writer(folder, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)

    def __enter__(self) -> BagWriter:
        try:
            self._writer.open()
        except OSError as err:
            raise output_error(self.file, err) from err
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._writer.__exit__(kind, error, trace)
        except OSError as err:
            raise output_error(self.file, err) from err

    def write(self, topic: str, time_ns: int, message_type: str, **fields: Any) -> None:
        """
        Write one message.

        Parameters
        ----------
        topic : str
            With its namespace.
        time_ns : int
            When it counts as recorded.
        message_type : str
            Such as `std_msgs/msg/Bool`.
        **fields
            Of the message; lists of numbers become arrays.

        """
        self.copy(
            topic, time_ns, message_type, self.serialized(message_type, **fields), self.store
        )

    def serialized(self, message_type: str, **fields: Any) -> bytes:
        """Return a message as CDR; some fields that are not given are zero or empty."""
        values = _defaults(self.store, message_type) | fields
        message = self.store.types[message_type](**values)
        return bytes(self.store.serialize_cdr(message, message_type))

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        """Return a std_msgs/Header."""
        seconds, rest = divmod(stamp_ns, 1_000_000_000)
        stamp = self.store.types['builtin_interfaces/msg/Time'](sec=seconds, nanosec=rest)
        return self.store.types['std_msgs/msg/Header'](stamp=stamp, frame_id=frame_id)

    def copy(
        self,
        topic: str,
        time_ns: int,
        message_type: str,
        content: bytes,
        store: Any,
        qos: Any = (),
    ) -> None:
        """
        Write one message that is serialised already.

        Parameters
        ----------
        topic, time_ns, message_type
            As for :meth:`write`.
        content : bytes
            CDR.
        store : rosbags.typesys.store.Typestore
            Defines the type.
        qos : sequence of rosbags.interfaces.Qos
            With which the topic was recorded.

        """
        key = topic, message_type
        try:
            if key not in self._connections:
                known = message_type in store.fielddefs
                self._connections[key] = self._writer.add_connection(
                    topic,
                    message_type,
                    offered_qos_profiles=qos,
                    **(
                        {'typestore': store}
                        if known
                        else {'msgdef': '', 'rihs01': 'RIHS01_' + '0' * 64}
                    ),
                )
            self._writer.write(self._connections[key], time_ns, content)
        except OSError as err:
            raise output_error(self.file, err) from err
        self.counts[topic] = self.counts.get(topic, 0) + 1


_NUMBER_ARRAYS = {'d': np.float64, 'k': np.float64, 'r': np.float64, 'p': np.float64}


def _defaults(store: Any, message_type: str) -> dict[str, Any]:
    if message_type == 'sensor_msgs/msg/LaserScan':
        return {
            'time_increment': 0.0,
            'scan_time': 0.0,
            'intensities': np.zeros(0, np.float32),
        }
    if message_type == 'sensor_msgs/msg/CameraInfo':
        region = store.types['sensor_msgs/msg/RegionOfInterest'](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        return {'binning_x': 0, 'binning_y': 0, 'roi': region}
    return {}


def with_arrays(contents: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a CameraInfo with arrays in place of its lists."""
    return {
        name: np.array(value, _NUMBER_ARRAYS[name]) if name in _NUMBER_ARRAYS else value
        for name, value in contents.items()
    }
