# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Where recordings are read and results are written: folders, or object storage by fsspec.

Both kinds of output promise the same: a file is there whole, or not at all.
"""

from __future__ import annotations

from contextlib import suppress
import errno
import os
from pathlib import Path, PurePath
import shutil
import tempfile
from typing import Any, Protocol

from ..errors import ToolInputError

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


class OutputError(ToolInputError):
    """Nothing more can be written; every bag would fail alike."""


def output_error(place: object, err: OSError) -> OutputError:
    """Return the one line for a full disk, a read-only folder and the like."""
    return OutputError(
        f'output must be writable, got {place}: {err.strerror or err}; free space or choose '
        'another --out, and run the same command again: it goes on where it stopped'
    )


def is_remote(place: str) -> bool:
    """Return whether a place is a URL such as s3://bucket/bags."""
    return '://' in place


def remote_filesystem(url: str) -> tuple[Any, str]:
    """
    Open the file system of a URL.

    Parameters
    ----------
    url : str
        For example `s3://bucket/bags`.

    Returns
    -------
    tuple
        fsspec's file system, and the path in it.

    Raises
    ------
    ToolInputError
        fsspec, or its package for this kind of URL, is not installed.

    """
    try:
        import fsspec

        filesystem, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as err:
        raise ToolInputError(
            f'{url} must be of a kind that fsspec reads, got: {err}; run pip install fsspec, and '
            'the package it names (s3fs for s3://, gcsfs for gs://, adlfs for az://)'
        ) from err
    return filesystem, path


class RemotePath:
    """
    A bag on object storage, read by ranges; has what rosbags asks of a path.

    Parameters
    ----------
    filesystem : fsspec.AbstractFileSystem
        Where it lies.
    path : str
        Its path there.

    """

    def __init__(self, filesystem: Any, path: str) -> None:
        self.filesystem, self.path = filesystem, path

    def __str__(self) -> str:
        return self.path

    def __truediv__(self, key: object) -> RemotePath:
        return RemotePath(self.filesystem, f'{self.path.rstrip("/")}/{key}')

    @property
    def name(self) -> str:
        """Last part of the path."""
        return PurePath(self.path).name

    @property
    def stem(self) -> str:
        """Last part of the path without its suffix."""
        return PurePath(self.path).stem

    @property
    def suffix(self) -> str:
        """Suffix of the last part, with its dot."""
        return PurePath(self.path).suffix

    def exists(self) -> bool:
        """Return whether there is such a file or folder."""
        return bool(self.filesystem.exists(self.path))

    def is_dir(self) -> bool:
        """Return whether it is a folder."""
        return bool(self.filesystem.isdir(self.path))

    def open(self, *args: Any, **kwargs: Any) -> Any:  # noqa: A003
        """Open the file as `pathlib.Path.open` does."""
        return self.filesystem.open(self.path, *args, **kwargs)

    def read_text(self, encoding: str | None = None) -> str:
        """Return the content as text."""
        content: bytes = self.filesystem.cat_file(self.path)
        return content.decode(encoding or 'utf-8')

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the size; the rest is zero."""
        size = self.filesystem.size(self.path) or 0
        return os.stat_result((0, 0, 0, 0, 0, 0, size, 0, 0, 0))

    def iterdir(self) -> list[RemotePath]:
        """List what lies in a folder."""
        names = self.filesystem.ls(self.path, detail=False)
        return [RemotePath(self.filesystem, name) for name in sorted(names)]


def input_place(place: str) -> Path | RemotePath:
    """Return the path of a recording, on this machine or on object storage."""
    return RemotePath(*remote_filesystem(place)) if is_remote(place) else Path(place)


class OutputPlace(Protocol):
    """Files by name, below one place."""

    def has(self, name: str) -> bool:
        """Return whether a file is there, which means whole."""

    def read(self, name: str) -> bytes:
        """Return the content of a file."""

    def local(self, name: str, scratch: Path) -> Path:
        """Return a file as one of this machine; `scratch` receives a copy where needed."""

    def scratch(self) -> tempfile.TemporaryDirectory[str]:
        """Make a folder for files that are not whole yet."""

    def commit(self, file: Path, name: str) -> None:
        """Take over a whole file from a scratch folder."""

    def write(self, name: str, content: bytes) -> None:
        """Write a small file whole."""

    def remove(self, folder: str) -> None:
        """Remove a folder and what is in it."""


class LocalPlace:
    """
    A folder of this machine, or one that several machines share.

    Parameters
    ----------
    folder : Path
        Made where it is missing.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def has(self, name: str) -> bool:
        """Return whether a file is there."""
        return (self._folder / name).is_file()

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self._folder / name).read_bytes()

    def local(self, name: str, scratch: Path) -> Path:
        """Return the file itself."""
        return self._folder / name

    def scratch(self) -> tempfile.TemporaryDirectory[str]:
        """Make a folder on the same file system, so that taking over is a rename."""
        try:
            work = self._folder / 'work'
            work.mkdir(parents=True, exist_ok=True)
            return tempfile.TemporaryDirectory(prefix='tmp-', dir=work, ignore_cleanup_errors=True)
        except OSError as err:
            raise output_error(self._folder, err) from err

    def commit(self, file: Path, name: str) -> None:
        """Rename a file once its bytes are on the disk."""
        target = self._folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open('rb+') as content:
                os.fsync(content.fileno())
            file.replace(target)
        except OSError as err:
            raise output_error(target, err) from err

    def write(self, name: str, content: bytes) -> None:
        """Write a small file whole."""
        with self.scratch() as scratch:
            file = Path(scratch) / PurePath(name).name
            try:
                file.write_bytes(content)
            except OSError as err:
                raise output_error(self._folder, err) from err
            self.commit(file, name)

    def remove(self, folder: str) -> None:
        """Remove a folder and what is in it."""
        shutil.rmtree(self._folder / folder, ignore_errors=True)


class RemotePlace:
    """
    A prefix on object storage, where an upload appears whole or not at all.

    Parameters
    ----------
    url : str
        For example `s3://bucket/depth/drive1`.

    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._filesystem, self._path = remote_filesystem(url)
        # Other machines write here: what a listing said a moment ago may be old.
        self._filesystem.invalidate_cache()

    def __str__(self) -> str:
        return self._url

    def has(self, name: str) -> bool:
        """Return whether an object is there."""
        return bool(self._filesystem.exists(f'{self._path}/{name}'))

    def read(self, name: str) -> bytes:
        """Return the content of an object."""
        content: bytes = self._filesystem.cat_file(f'{self._path}/{name}')
        return content

    def local(self, name: str, scratch: Path) -> Path:
        """Download an object."""
        copy = scratch / PurePath(name).name
        self._filesystem.get_file(f'{self._path}/{name}', str(copy))
        return copy

    def scratch(self) -> tempfile.TemporaryDirectory[str]:
        """Make a folder of this machine."""
        return tempfile.TemporaryDirectory(prefix='fcrn-depth-bag-', ignore_cleanup_errors=True)

    def commit(self, file: Path, name: str) -> None:
        """Upload a file."""
        target = f'{self._path}/{name}'
        try:
            self._filesystem.makedirs(target.rpartition('/')[0], exist_ok=True)
            self._filesystem.put_file(str(file), target)
        except OSError as err:
            raise output_error(f'{self._url}/{name}', err) from err

    def write(self, name: str, content: bytes) -> None:
        """Upload a small object."""
        with self.scratch() as scratch:
            file = Path(scratch) / PurePath(name).name
            file.write_bytes(content)
            self.commit(file, name)

    def remove(self, folder: str) -> None:
        """Remove every object below a prefix."""
        with suppress(FileNotFoundError):
            self._filesystem.rm(f'{self._path}/{folder}', recursive=True)


def output_place(place: str, name: str) -> LocalPlace | RemotePlace:
    """Return the place of one bag's results."""
    if is_remote(place):
        return RemotePlace(f'{place.rstrip("/")}/{name}')
    return LocalPlace(Path(place) / name)


def is_unwritable(err: OSError) -> bool:
    """Return whether an error of the system means that nothing more can be written."""
    return err.errno in _UNWRITABLE
