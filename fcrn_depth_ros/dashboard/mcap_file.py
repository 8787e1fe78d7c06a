# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
One MCAP file of ROS 2 messages, as they came, written by a thread of its own.

Foxglove, Lichtblick, Rerun and `ros2 bag play` read it. Whoever puts a message in never waits:
what the disk is too slow for is counted as dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import shutil
import threading
import time
from typing import Any

from ..errors import ConfigurationError

# Pictures that wait for the disk: some seconds of VGA.
_MOST_WAITING_BYTES = 64_000_000
# What is left free on the disk for whatever else the robot writes.
LEAST_FREE_BYTES = 500_000_000
_LOOK_PERIOD_S = 1.0
_END_LIMIT_S = 10.0


@dataclass(frozen=True)
class RawMessage:
    """One message as it came: CDR, and when (ns since the epoch)."""

    topic: str
    message_type: str
    data: bytes
    received_ns: int
    published_ns: int


class McapFile:
    """
    Write messages until it is closed, or until there is no room.

    Parameters
    ----------
    path : Path
        New; its folder is made.
    most_bytes : int
        Ends when so much has come in.
    free_bytes : callable
        Folder -> what is free on its disk.

    Raises
    ------
    ConfigurationError
        If the file cannot be made, or a package is missing.

    """

    def __init__(
        self,
        path: Path,
        most_bytes: int,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        try:
            from mcap.writer import CompressionType, Writer
            from rosbags.typesys import get_typestore, Stores
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f'a recording needs the Python package {error.name}, which is not installed; '
                "run pip install 'fcrn_depth_ros[dashboard]'"
            ) from error
        self.path = path
        self.problem = ''
        self.bytes = self.messages = self.dropped = 0
        self._most_bytes, self._free_bytes = most_bytes, free_bytes
        self._types = get_typestore(Stores.LATEST)
        self._waiting: deque[RawMessage] = deque()
        self._waiting_bytes = 0
        self._change = threading.Condition()
        self._ends = False
        self._schemas: dict[str, int] = {}
        self._channels: dict[tuple[str, str], int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._check_room()
            self._file = path.open('xb')
            self._writer = Writer(self._file, compression=CompressionType.LZ4)
            self._writer.start(profile='ros2')
        except OSError as error:
            raise ConfigurationError(
                f'recordings must be a folder that can be written to, got {path.parent}: '
                f'{error.strerror or error}; choose another'
            ) from error
        self._thread = threading.Thread(target=self._work, name='recording', daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Return whether it still takes messages."""
        return not self._ends

    def knows(self, message_type: str) -> bool:
        """Return whether messages of a type can be written, so that others can read them."""
        return message_type in self._types.fielddefs

    def put(self, message: RawMessage) -> None:
        """Take a message; any thread may call this, and none waits."""
        with self._change:
            if self._ends:
                return
            if self._waiting_bytes + len(message.data) > _MOST_WAITING_BYTES:
                self.dropped += 1
                return
            self._waiting.append(message)
            self._waiting_bytes += len(message.data)
            self._change.notify()

    def close(self) -> None:
        """Write what waits, and the index; without it, the file must be repaired to be read."""
        with self._change:
            self._ends = True
            self._change.notify()
        self._thread.join(_END_LIMIT_S)

    # Thread of the file --------------------------------------------------------------------

    def _work(self) -> None:
        looked_s = time.monotonic()
        try:
            while True:
                with self._change:
                    while not self._waiting and not self._ends:
                        self._change.wait()
                    messages = list(self._waiting)
                    self._waiting.clear()
                    self._waiting_bytes = 0
                for message in messages:
                    self._write(message)
                if not messages:
                    break
                if self.bytes > self._most_bytes:
                    raise OSError(f'the limit of {self._most_bytes / 1e6:.0f} MB is reached')
                if time.monotonic() - looked_s > _LOOK_PERIOD_S:
                    looked_s = time.monotonic()
                    self._check_room()
        except OSError as error:
            self.problem = error.strerror or str(error)
        finally:
            self._ends = True
            self._finish()

    def _finish(self) -> None:
        try:
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()
        except OSError as error:
            self.problem = self.problem or error.strerror or str(error)

    def _check_room(self) -> None:
        if self._free_bytes(self.path.parent) < LEAST_FREE_BYTES:
            raise OSError(f'less than {LEAST_FREE_BYTES / 1e6:.0f} MB are free on the disk')

    def _write(self, message: RawMessage) -> None:
        self._writer.add_message(
            self._channel(message.topic, message.message_type),
            log_time=message.received_ns,
            publish_time=message.published_ns,
            data=message.data,
        )
        self.bytes += len(message.data)
        self.messages += 1

    def _channel(self, topic: str, message_type: str) -> int:
        key = topic, message_type
        if key not in self._channels:
            if message_type not in self._schemas:
                text, _ = self._types.generate_msgdef(message_type, ros_version=2)
                self._schemas[message_type] = self._writer.register_schema(
                    message_type, 'ros2msg', text.encode()
                )
            schema: Any = self._schemas[message_type]
            self._channels[key] = self._writer.register_channel(topic, 'cdr', schema)
        return self._channels[key]
