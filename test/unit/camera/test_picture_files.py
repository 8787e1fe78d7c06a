# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures from files: every odd one is read or refused in one line, none ends the process."""

from __future__ import annotations

import os
from pathlib import Path
import struct
import zlib

import cv2
from fcrn_depth_ros.camera.picture_decoding import decode_picture
from fcrn_depth_ros.camera.picture_files import (
    list_pictures,
    PICTURE_SUFFIXES,
    read_depth_mm,
    read_picture,
)
from fcrn_depth_ros.errors import ImageFormatError, ToolInputError
import numpy as np
import pytest

RNG = np.random.default_rng(0)
NOISE = cv2.GaussianBlur(RNG.integers(0, 255, (48, 64, 3), np.uint8), (0, 0), 1.5)


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size, with no pixels behind it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(name + data)
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', checksum)

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', header)
        + chunk(b'IDAT', zlib.compress(b'\0'))
        + chunk(b'IEND', b'')
    )


@pytest.mark.parametrize('suffix', PICTURE_SUFFIXES)
def test_each_format_is_listed_read_and_refused_when_cut_off(tmp_path: Path, suffix: str) -> None:
    pixels = NOISE[..., 0] if suffix == '.pgm' else NOISE
    content = cv2.imencode(suffix, pixels)[1].tobytes()
    path = tmp_path / f'a{suffix.upper()}'
    path.write_bytes(content)
    assert list_pictures(tmp_path) == [path]
    rgb = read_picture(path)
    assert (rgb.shape, rgb.dtype) == ((48, 64, 3), np.uint8)
    expected = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(rgb[..., ::-1], expected)
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ToolInputError, match='must be a picture'):
            read_picture(path)


def test_16_bits_keep_the_upper_byte(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), NOISE.astype(np.uint16) * 257)
    assert np.array_equal(read_picture(path)[..., ::-1], NOISE)


def test_a_name_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b'/a\xff.png'))
    try:
        path.write_bytes(cv2.imencode('.png', NOISE)[1].tobytes())
    except OSError:
        pytest.skip('this file system takes UTF-8 names only')
    assert list_pictures(tmp_path) == [path]
    assert np.array_equal(read_picture(path)[..., ::-1], NOISE)


@pytest.mark.parametrize('content', [b'', b'text', huge_png(40_000, 40_000), huge_png(0, 0)])
def test_what_is_no_picture_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(content)
    for read in (read_picture, read_depth_mm):
        with pytest.raises(ToolInputError, match=r'a\.png') as caught:
            read(path)
        assert '\n' not in str(caught.value)


def test_folders_and_files_that_are_missing_are_named(tmp_path: Path) -> None:
    (tmp_path / 'folder.png').mkdir()
    for path in (tmp_path / 'none.png', tmp_path / 'folder.png'):
        with pytest.raises(ToolInputError, match=f'readable, got {path}'):
            read_picture(path)
    with pytest.raises(ToolInputError, match='must be a folder'):
        list_pictures(tmp_path / 'none')
    with pytest.raises(ToolInputError, match=r'must hold pictures \(\.bmp, .*got none in'):
        list_pictures(tmp_path / 'folder.png')


class TestCutOffJpeg:
    """Refused by its missing end, with a decoder that would fill what is missing as well."""

    @pytest.fixture(autouse=True)
    def decoder_that_fills(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cv2, 'imdecode', lambda content, flags: NOISE)

    @staticmethod
    def jpeg(*options: int) -> bytes:
        return cv2.imencode('.jpg', NOISE, options)[1].tobytes()

    @pytest.mark.parametrize(
        'options',
        [
            (),
            (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
            (cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
            (cv2.IMWRITE_JPEG_QUALITY, 100),
        ],
    )
    def test_only_a_whole_one_passes(self, options: tuple[int, ...]) -> None:
        content = self.jpeg(*options)
        for size in range(2, len(content)):
            with pytest.raises(ImageFormatError, match=f'got {size} bytes without its end'):
                decode_picture(content[:size])
        decode_picture(content)
        # Cameras and buffers pad what they send.
        decode_picture(content + bytes(100))
        decode_picture(content[:-2] + b'\xff\xff\xff\xd9')

    def test_the_end_of_a_thumbnail_is_not_that_of_the_picture(self) -> None:
        content, thumbnail = self.jpeg(), self.jpeg(cv2.IMWRITE_JPEG_QUALITY, 10)
        block = b'\xff\xe1' + (len(thumbnail) + 2).to_bytes(2, 'big') + thumbnail
        with_thumbnail = content[:2] + block + content[2:]
        decode_picture(with_thumbnail)
        with pytest.raises(ImageFormatError, match='cut off'):
            decode_picture(with_thumbnail[:-100])

    def test_a_cut_off_one_padded_to_its_size_is_refused(self) -> None:
        content = self.jpeg()
        half = len(content) // 2
        with pytest.raises(ImageFormatError, match='cut off'):
            decode_picture(content[:half] + bytes(half))
