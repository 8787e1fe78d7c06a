# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Image messages of rclpy (array.array) and of bags (ndarray) alike, without ROS."""

from __future__ import annotations

from array import array
from types import SimpleNamespace as Message

import cv2
from fcrn_depth_ros.camera.image_messages import compressed_image_to_rgb, image_to_rgb
from fcrn_depth_ros.errors import ImageFormatError
import numpy as np
import pytest

RED = (200, 30, 60)
WIDTH, HEIGHT = 12, 8


def picture() -> np.ndarray:
    """Return a picture whose left half is RED and right half its complement."""
    rgb = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:, : WIDTH // 2] = RED
    rgb[:, WIDTH // 2 :] = 255 - np.array(RED)
    return rgb


def message(
    encoding: str,
    pixels: np.ndarray,
    *,
    height: int = HEIGHT,
    padding: int = 0,
    big_endian: bool = False,
) -> Message:
    samples = pixels.astype(pixels.dtype.newbyteorder('>' if big_endian else '<'))
    rows = np.frombuffer(samples.tobytes(), np.uint8).reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    return Message(
        encoding=encoding,
        width=WIDTH,
        height=height,
        step=rows.shape[1],
        is_bigendian=int(big_endian),
        data=array('B', rows.tobytes()),
    )


def mosaic(pattern: str) -> np.ndarray:
    """Sample a picture of plain RED through a Bayer filter named by its first 2x2 pixels."""
    values = dict(zip('rgb', RED, strict=True))
    tile = np.array([values[color] for color in pattern], np.uint8).reshape(2, 2)
    return np.tile(tile, (HEIGHT // 2, WIDTH // 2))


def yuv422(first_luma: int) -> np.ndarray:
    """Pack the picture as 4:2:2 with luma at the given byte of each pair."""
    luma, chroma_u, chroma_v = yuv_planes()
    packed = np.empty((HEIGHT, WIDTH, 2), np.uint8)
    packed[:, :, first_luma] = luma
    packed[:, 0::2, 1 - first_luma] = chroma_u[:, ::2]
    packed[:, 1::2, 1 - first_luma] = chroma_v[:, ::2]
    return packed


def yuv_planes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Convert with ITU-R BT.601, studio swing, the matrix of these encodings."""
    red, green, blue = (picture()[:, :, channel] / 255 for channel in range(3))
    luma = 16 + 65.481 * red + 128.553 * green + 24.966 * blue
    chroma_u = 128 - 37.797 * red - 74.203 * green + 112.0 * blue
    chroma_v = 128 + 112.0 * red - 93.786 * green - 18.214 * blue
    y, u, v = (np.round(plane).astype(np.uint8) for plane in (luma, chroma_u, chroma_v))
    return y, u, v


def semi_planar(order: str, stride: int) -> np.ndarray:
    luma, chroma_u, chroma_v = yuv_planes()
    first, second = (chroma_u, chroma_v) if order == 'uv' else (chroma_v, chroma_u)
    chroma = np.stack([first[::stride, ::stride], second[::stride, ::stride]], axis=-1)
    return np.vstack([luma, chroma.reshape(-1, WIDTH)])


def with_alpha(rgb: np.ndarray) -> np.ndarray:
    return np.dstack([rgb, np.full(rgb.shape[:2], 7, rgb.dtype)])


GREY = picture()[:, :, 0]
COLOUR_CASES = {
    'rgb8': picture(),
    'bgr8': picture()[:, :, ::-1],
    'rgba8': with_alpha(picture()),
    'bgra8': with_alpha(picture()[:, :, ::-1]),
    '8UC3': picture()[:, :, ::-1],
    '8UC4': with_alpha(picture()[:, :, ::-1]),
    'rgb16': picture().astype(np.uint16) * 256 + 255,
    'bgr16': picture()[:, :, ::-1].astype(np.uint16) * 256,
    'rgba16': with_alpha(picture().astype(np.uint16) * 256),
    'bgra16': with_alpha(picture()[:, :, ::-1].astype(np.uint16) * 256),
    'uyvy': yuv422(1),
    'yuv422': yuv422(1),
    'yuyv': yuv422(0),
    'yuv422_yuy2': yuv422(0),
    'nv12': semi_planar('uv', 2),
    'nv21': semi_planar('vu', 2),
    'nv24': semi_planar('uv', 1),
}
MONO_CASES = {'mono8': GREY, '8UC1': GREY, 'mono16': GREY.astype(np.uint16) * 256 + 9}


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('encoding', COLOUR_CASES)
def test_colour(encoding: str, padding: int) -> None:
    if padding and COLOUR_CASES[encoding].dtype == np.uint16:
        padding = 6
    rgb = image_to_rgb(message(encoding, COLOUR_CASES[encoding], padding=padding))
    assert rgb.dtype == np.uint8 and rgb.shape == (HEIGHT, WIDTH, 3)
    tolerance = 3 if encoding.startswith(('yuv', 'uyvy', 'yuyv', 'nv')) else 0
    assert np.abs(rgb.astype(int) - picture()).max() <= tolerance


@pytest.mark.parametrize('encoding', MONO_CASES)
def test_mono_becomes_grey(encoding: str) -> None:
    rgb = image_to_rgb(message(encoding, MONO_CASES[encoding], padding=4))
    assert np.array_equal(rgb, np.repeat(GREY[:, :, None], 3, axis=2))


@pytest.mark.parametrize('bits', ['8', '16'])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer(pattern: str, bits: str) -> None:
    raw = mosaic(pattern)
    raw = raw if bits == '8' else raw.astype(np.uint16) * 256
    rgb = image_to_rgb(message(f'bayer_{pattern}{bits}', raw))
    assert np.array_equal(rgb, np.broadcast_to(RED, rgb.shape))


@pytest.mark.parametrize('encoding', ['mono16', 'rgb16'])
def test_byte_order(encoding: str) -> None:
    pixels = {**COLOUR_CASES, **MONO_CASES}[encoding]
    little = image_to_rgb(message(encoding, pixels))
    big = image_to_rgb(message(encoding, pixels, big_endian=True))
    assert np.array_equal(little, big)


def test_the_last_row_may_lack_its_padding() -> None:
    padded = message('rgb8', picture(), padding=5)
    padded.data = padded.data[:-5]
    assert np.array_equal(image_to_rgb(padded), picture())
    padded.data = padded.data[:-1]
    with pytest.raises(ImageFormatError, match='truncated'):
        image_to_rgb(padded)


@pytest.mark.parametrize('encoding', ['', 'banana', '32FC1', '16UC1', 'RGB8', 'bayer_rgbg8'])
def test_nonsense_encoding_is_named(encoding: str) -> None:
    with pytest.raises(ImageFormatError, match=f'encoding must be .*, got {encoding!r}'):
        image_to_rgb(message(encoding, picture()))


@pytest.mark.parametrize(
    ('field', 'value', 'text'),
    [
        ('width', 0, 'size must be'),
        ('height', 0, 'size must be'),
        ('step', 0, 'step must be'),
        ('step', 3 * WIDTH - 1, 'step must be'),
        ('height', HEIGHT + 1, 'truncated'),
        ('width', 2**31, 'step must be'),
        ('data', array('B'), 'truncated'),
    ],
)
def test_bad_geometry_is_named(field: str, value: object, text: str) -> None:
    bad = message('rgb8', picture())
    setattr(bad, field, value)
    with pytest.raises(ImageFormatError, match=text):
        image_to_rgb(bad)


def test_odd_yuv_size_is_an_error_not_a_crash() -> None:
    odd = Message(
        encoding='nv12', width=3, height=3, step=3, is_bigendian=0, data=array('B', bytes(27))
    )
    with pytest.raises(ImageFormatError, match='even sizes'):
        image_to_rgb(odd)


def test_data_of_a_bag_are_an_ndarray() -> None:
    of_bag = message('bgr8', picture()[:, :, ::-1], padding=5)
    of_bag.data = np.frombuffer(of_bag.data, np.uint8)
    assert np.array_equal(image_to_rgb(of_bag), picture())
    of_bag = compressed('.png', picture()[:, :, ::-1])
    of_bag.data = np.frombuffer(of_bag.data, np.uint8)
    assert np.array_equal(image_to_rgb(of_bag), picture())


@pytest.mark.parametrize('encoding', ['mono16', 'rgb16', 'bayer_rggb16'])
@pytest.mark.parametrize(
    ('brightest', 'bits'),
    [(1, '10-bit'), (1023, '10-bit'), (1024, '12-bit'), (4095, '12-bit'), (4096, ''), (0, '')],
)
def test_data_that_are_not_left_aligned_are_named(
    encoding: str, brightest: int, bits: str
) -> None:
    shape = (HEIGHT, WIDTH, 3) if encoding == 'rgb16' else (HEIGHT, WIDTH)
    image = message(encoding, np.full(shape, brightest, np.uint16))
    if not bits:
        assert image_to_rgb(image).max() == brightest >> 8
        return
    with pytest.raises(ImageFormatError, match=f'{encoding} .*{brightest}: .*{bits} data'):
        image_to_rgb(image)


def compressed(extension: str, pixels: np.ndarray) -> Message:
    return Message(format='x', data=array('B', cv2.imencode(extension, pixels)[1].tobytes()))


BGR = picture()[:, :, ::-1]
COMPRESSED_CASES = {
    'colour': ('.png', BGR, picture()),
    'grey': ('.png', GREY, np.repeat(GREY[:, :, None], 3, axis=2)),
    'alpha': ('.png', with_alpha(BGR), picture()),
    '16 bits': ('.png', BGR.astype(np.uint16) * 257, picture()),
    'JPEG': ('.jpg', BGR, None),
}


def unchanged(message: Message) -> np.ndarray:
    """Decode as cv_bridge of ROS 2 does: 16 bits and alpha stay."""
    return cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize('decode', [None, unchanged])
@pytest.mark.parametrize('case', COMPRESSED_CASES)
def test_compressed(case: str, decode: object) -> None:
    extension, pixels, expected = COMPRESSED_CASES[case]
    rgb = compressed_image_to_rgb(compressed(extension, pixels), decode)
    assert (rgb.shape, rgb.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    if expected is not None:
        assert np.array_equal(rgb, expected)


@pytest.mark.parametrize('decode', [None, unchanged])
@pytest.mark.parametrize('data', [b'', b'not a picture', b'\xff\xd8\xff', bytes(100)])
def test_compressed_nonsense_is_an_error(data: bytes, decode: object) -> None:
    nonsense = Message(format='jpeg', data=array('B', data))
    with pytest.raises(ImageFormatError, match=f"got {len(data)} bytes of format 'jpeg'"):
        compressed_image_to_rgb(nonsense, decode)


def test_a_cut_off_jpeg_is_refused_by_whoever_decodes_it() -> None:
    whole = compressed('.jpg', np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))
    whole.data = whole.data[: len(whole.data) * 6 // 10]
    # OpenCV before 4.11 fills what is missing, and returns the picture.
    filled = np.zeros((48, 64, 3), np.uint8)
    with pytest.raises(ImageFormatError, match='complete picture'):
        compressed_image_to_rgb(whole, lambda message: filled)


def test_the_orientation_for_viewers_does_not_turn_the_camera() -> None:
    wide = cv2.imencode('.jpg', np.zeros((8, 16, 3), np.uint8))[1].tobytes()
    # An EXIF block that says: turn by 90 degrees.
    exif = b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
    block = b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif
    data = array('B', wide[:2] + block + wide[2:])
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (16, 8, 3)
    assert image_to_rgb(Message(format='jpeg', data=data)).shape == (8, 16, 3)


@pytest.mark.parametrize(('height', 'width'), [(1, 32), (3, 32), (2, 3)])
def test_an_nv24_image_of_an_odd_size_is_refused(height: int, width: int) -> None:
    odd = Message(
        encoding='nv24',
        height=height,
        width=width,
        step=width,
        is_bigendian=0,
        data=bytes(3 * height * width),
    )
    with pytest.raises(ImageFormatError, match='an nv24 image must have an even height'):
        image_to_rgb(odd)
