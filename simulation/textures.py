# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Procedural textures for rendered rooms; every one is an (N, N, 3) uint8 RGB array."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Texture = NDArray[np.uint8]
Color = NDArray[np.float64]
TextureMaker = Callable[[np.random.Generator], Texture]

_SIZE_PX = 384


def color(
    rng: np.random.Generator,
    saturation: tuple[float, float] = (0.0, 0.5),
    value: tuple[float, float] = (0.2, 0.95),
    hues: Sequence[tuple[float, float]] = ((0.0, 1.0),),
) -> Color:
    """
    Draw a random colour.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    saturation, value : tuple of float
        Range of the HSV saturation and value, 0..1.
    hues : sequence of tuple of float
        Ranges of the HSV hue, 0..1, one of which is chosen.

    Returns
    -------
    ndarray of float64, shape (3,)
        RGB, 0..255.

    """
    hue = rng.uniform(*hues[int(rng.integers(len(hues)))])
    # Squared: muted colours are the rule indoors, strong ones the exception.
    strength = saturation[0] + (saturation[1] - saturation[0]) * rng.random() ** 2
    hsv = np.array([[[hue * 360.0, strength, rng.uniform(*value)]]], np.float32)
    rgb: Color = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float64) * 255.0
    return rgb


def wood_color(rng: np.random.Generator) -> Color:
    """Draw the colour of a piece of wood, RGB 0..255."""
    return color(rng, (0.2, 0.65), (0.25, 0.85), ((0.05, 0.11),))


def noise(rng: np.random.Generator, cells: tuple[int, int], octaves: int = 4) -> Color:
    """
    Make smooth fractal noise.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    cells : tuple of int
        Rows and columns of the coarsest octave; unequal numbers give streaks.
    octaves : int
        How many octaves are added, each finer and weaker.

    Returns
    -------
    ndarray of float64, shape (N, N, 1)
        About -1..1.

    """
    total = np.zeros((_SIZE_PX, _SIZE_PX))
    for octave in range(octaves):
        rows, columns = (min(_SIZE_PX, cell * 2**octave) for cell in cells)
        grid = rng.uniform(-1.0, 1.0, (rows, columns)).astype(np.float32)
        total += (
            cv2.resize(grid, (_SIZE_PX, _SIZE_PX), interpolation=cv2.INTER_CUBIC) * 0.6**octave
        )
    return total[..., None]


def _finish(image: Color) -> Texture:
    return np.clip(image, 0.0, 255.0).astype(np.uint8)


def plaster(rng: np.random.Generator) -> Texture:
    """Painted wall: one light colour, faint blotches, faint grain."""
    base = color(rng, (0.0, 0.3), (0.55, 1.0))
    blotches = noise(rng, (3, 3), 6) * rng.uniform(1.0, 9.0)
    return _finish(
        base + blotches + rng.normal(0.0, rng.uniform(0.5, 5.0), (_SIZE_PX, _SIZE_PX, 1))
    )


def speckle(rng: np.random.Generator) -> Texture:
    """Carpet, terrazzo or concrete: grain of some size in two colours."""
    base = color(rng, (0.0, 0.5), (0.15, 0.8))
    other = base * rng.uniform(0.6, 1.3) + rng.uniform(-10.0, 10.0, 3)
    cells = int(rng.choice([24, 48, 96, 192, 384]))
    mix = np.clip(0.5 + rng.uniform(0.4, 1.5) * noise(rng, (cells, cells), 3), 0.0, 1.0)
    return _finish(base * mix + other * (1.0 - mix) + noise(rng, (2, 2), 3) * 8.0)


def plain_floor(rng: np.random.Generator) -> Texture:
    """Vinyl, painted concrete or short-pile carpet, nearly black to white: little to see."""
    base = color(rng, (0.0, 0.4), (0.04, 0.95))
    worn = noise(rng, (2, 2), 4) * rng.uniform(0.0, 8.0)
    grain = rng.normal(0.0, rng.uniform(0.0, 4.0), (_SIZE_PX, _SIZE_PX, 1))
    return _finish(base + worn + grain)


def wood(rng: np.random.Generator) -> Texture:
    """One wooden board with its grain along the columns."""
    base = wood_color(rng)
    grain = noise(rng, (4, int(rng.integers(20, 60))), 4) * rng.uniform(6.0, 22.0)
    return _finish(base + grain * np.array([1.0, 0.9, 0.7]))


def _cells(
    image: Color, rows: int, columns: int, offset: float, joint: Color, width: int
) -> Color:
    """Draw the joints of a bond of rows x columns; every other row is moved by `offset` cells."""
    height_px, width_px = _SIZE_PX / rows, _SIZE_PX / columns
    for row in range(rows):
        top = round(row * height_px)
        image[top : top + width] = joint
        for column in range(columns):
            left = round((column + offset * (row % 2)) * width_px) % _SIZE_PX
            image[top : round((row + 1) * height_px), left : left + width] = joint
    return image


def planks(rng: np.random.Generator) -> Texture:
    """Wooden floor: boards of slightly different colour, with grain and joints."""
    base = wood_color(rng)
    rows = int(rng.integers(4, 10))
    image = np.zeros((_SIZE_PX, _SIZE_PX, 3))
    edges = np.linspace(0, _SIZE_PX, rows + 1).astype(int)
    grain = noise(rng, (48, 3), 4) * rng.uniform(4.0, 16.0)
    for top, bottom in zip(edges[:-1], edges[1:], strict=True):
        cut = int(rng.integers(40, _SIZE_PX - 40))
        image[top:bottom, :cut] = base + rng.normal(0.0, 9.0)
        image[top:bottom, cut:] = base + rng.normal(0.0, 9.0)
        image[top:bottom, cut : cut + 2] = base * 0.5
        image[top : top + 2] = base * rng.uniform(0.4, 0.8)
    return _finish(image + np.roll(grain, int(rng.integers(_SIZE_PX)), 0))


def tiles(rng: np.random.Generator) -> Texture:
    """Square or oblong tiles with grout, sometimes as a chequerboard."""
    rows = int(rng.integers(2, 8))
    columns = rows if rng.random() < 0.7 else max(1, rows // 2)
    base = color(rng, (0.0, 0.35), (0.35, 0.97))
    other = color(rng, (0.0, 0.4), (0.1, 0.97)) if rng.random() < 0.25 else base
    row, column = (
        np.indices((_SIZE_PX, _SIZE_PX)) * np.array([rows, columns])[:, None, None] // _SIZE_PX
    )
    shade = rng.normal(0.0, rng.uniform(0.0, 8.0), (rows, columns))[row, column][..., None]
    image = np.where(((row + column) % 2 == 0)[..., None], base, other) + shade
    image += noise(rng, (5, 5), 5) * rng.uniform(1.0, 12.0)
    joint = (
        base * rng.uniform(0.4, 0.9) if rng.random() < 0.7 else color(rng, (0.0, 0.1), (0.7, 1.0))
    )
    return _finish(_cells(image, rows, columns, 0.0, joint, int(rng.integers(2, 6))))


def bricks(rng: np.random.Generator) -> Texture:
    """Brick wall in running bond, raw or painted."""
    rows = int(rng.integers(5, 11)) * 2
    columns = rows // 2
    painted = rng.random() < 0.4
    base = (
        color(rng, (0.0, 0.2), (0.7, 0.95))
        if painted
        else color(rng, (0.4, 0.7), (0.35, 0.7), ((0.0, 0.07),))
    )
    row, column = (
        np.indices((_SIZE_PX, _SIZE_PX)) * np.array([rows, columns])[:, None, None] // _SIZE_PX
    )
    column = (column + row) % columns
    shade = rng.normal(0.0, 4.0 if painted else 16.0, (rows, columns))[row, column][..., None]
    joint = base * 0.8 if painted else color(rng, (0.0, 0.1), (0.5, 0.8))
    image = _cells(base + shade, rows, columns, 0.5, joint, 3)
    return _finish(image + rng.normal(0.0, 5.0, image.shape))


def stripes(rng: np.random.Generator) -> Texture:
    """Wallpaper or cloth with stripes, a check or dots."""
    base, other = color(rng), color(rng, (0.0, 0.7), (0.2, 1.0))
    period = int(rng.choice([16, 24, 32, 48, 96]))
    row, column = np.indices((_SIZE_PX, _SIZE_PX))
    kind = rng.integers(3)
    if kind == 0:
        mask = (column % period) < period * rng.uniform(0.1, 0.6)
    elif kind == 1:
        mask = ((column % period) < period * 0.4) ^ ((row % period) < period * 0.4)
    else:
        mask = np.hypot(row % period - period / 2, column % period - period / 2) < period * 0.25
    image = np.where(mask[..., None], other * 0.6 + base * 0.4, base)
    return _finish(image + rng.normal(0.0, 4.0, image.shape))


def cloth(rng: np.random.Generator) -> Texture:
    """Woven upholstery: one strong or muted colour with a fine weave and folds."""
    base = color(rng, (0.05, 0.8), (0.1, 0.8))
    row, column = np.indices((_SIZE_PX, _SIZE_PX))
    weave = (np.sin(row * 1.3) * np.sin(column * 1.3))[..., None] * rng.uniform(1.0, 10.0)
    return _finish(base + weave + noise(rng, (3, 6), 3) * rng.uniform(4.0, 18.0))


def ceiling(rng: np.random.Generator) -> Texture:
    """White ceiling, or office panels in a grid."""
    base = color(rng, (0.0, 0.06), (0.8, 1.0))
    image = base + noise(rng, (4, 4), 5) * 3.0
    if rng.random() < 0.5:
        image = image + rng.normal(0.0, 6.0, (_SIZE_PX, _SIZE_PX, 1))
        image = _cells(image, 2, 2, 0.0, base * rng.uniform(0.6, 1.05), 4)
    return _finish(image)


def picture(rng: np.random.Generator) -> Texture:
    """Framed poster: random shapes, lines and blocks of writing."""
    image = _finish(np.tile(color(rng, (0.0, 0.5), (0.3, 1.0)), (_SIZE_PX, _SIZE_PX, 1)))
    for _ in range(int(rng.integers(4, 22))):
        paint = color(rng, (0.0, 0.9), (0.05, 1.0)).tolist()
        first, second = (tuple(map(int, rng.integers(0, _SIZE_PX, 2))) for _ in range(2))
        kind = rng.integers(4)
        if kind == 0:
            cv2.rectangle(image, first, second, paint, -1)
        elif kind == 1:
            cv2.circle(image, first, int(rng.integers(8, 110)), paint, -1)
        elif kind == 2:
            cv2.line(image, first, second, paint, int(rng.integers(1, 16)))
        else:
            letters = ''.join(chr(code) for code in rng.integers(65, 91, 7))
            cv2.putText(
                image, letters, first, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.6, 3.0), paint, 3
            )
    frame = int(rng.integers(0, 26))
    if frame:
        cv2.rectangle(
            image,
            (0, 0),
            (_SIZE_PX - 1, _SIZE_PX - 1),
            color(rng, (0, 0.5), (0, 1)).tolist(),
            2 * frame,
        )
    return _finish(
        cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 3.0)) + noise(rng, (4, 4), 5) * 14.0
    )


def window(rng: np.random.Generator) -> Texture:
    """Bright window with a sky, something green or grey below, and a white frame with bars."""
    sky = color(rng, (0.0, 0.35), (0.85, 1.0), ((0.52, 0.62),))
    ground = color(rng, (0.1, 0.5), (0.3, 0.8), ((0.2, 0.4), (0.05, 0.1)))
    horizon = np.clip((np.arange(_SIZE_PX) / _SIZE_PX - rng.uniform(0.5, 0.9)) * 8.0, 0.0, 1.0)
    image = sky + (ground - sky) * horizon[:, None, None] + noise(rng, (4, 6), 5) * 14.0
    bar = int(rng.integers(10, 24))
    paint = color(rng, (0.0, 0.1), (0.6, 1.0))
    return _finish(
        _cells(
            np.roll(
                _cells(image, int(rng.integers(1, 4)), int(rng.integers(1, 4)), 0.0, paint, bar),
                -bar // 2,
                (0, 1),
            ),
            1,
            1,
            0.0,
            paint,
            bar,
        )
    )


def door(rng: np.random.Generator) -> Texture:
    """Panelled door with a frame and a handle."""
    base = wood_color(rng) if rng.random() < 0.5 else color(rng, (0.0, 0.3), (0.5, 1.0))
    image = base + noise(rng, (3, 40), 3) * rng.uniform(1.0, 8.0)
    for _ in range(int(rng.integers(0, 4))):
        left, top = (int(value) for value in rng.integers(40, 190, 2))
        corner = (_SIZE_PX - left, min(_SIZE_PX - 30, top + int(rng.integers(60, 180))))
        cv2.rectangle(image, (left, top), corner, (base * 0.7).tolist(), 3)
    cv2.rectangle(
        image, (0, -20), (_SIZE_PX - 1, _SIZE_PX + 20), (base * rng.uniform(0.5, 1.2)).tolist(), 30
    )
    cv2.circle(image, (330, 200), 9, (70.0, 68.0, 60.0), -1)
    return _finish(image)


def books(rng: np.random.Generator) -> Texture:
    """Backs of books, files or packets standing in a row."""
    image = np.full((_SIZE_PX, _SIZE_PX, 3), 25.0)
    left = 0
    while left < _SIZE_PX:
        width = int(rng.integers(10, 44))
        top = int(rng.integers(0, 70))
        paint = color(rng, (0.1, 0.9), (0.1, 0.95))
        image[top:, left : left + width - 2] = paint
        band = int(rng.integers(top + 10, _SIZE_PX - 60))
        image[band : band + int(rng.integers(8, 50)), left : left + width - 2] = (
            255.0 - paint * 0.6
        )
        left += width
    return _finish(image + rng.normal(0.0, 3.0, image.shape))


def cardboard(rng: np.random.Generator) -> Texture:
    """Cardboard box with tape and a print."""
    base = color(rng, (0.3, 0.5), (0.5, 0.8), ((0.07, 0.1),))
    image = base + noise(rng, (40, 4), 4) * 5.0
    image[:, 170:215] = base * rng.uniform(0.8, 1.15) + rng.uniform(-10, 10)
    letters = ''.join(chr(code) for code in rng.integers(65, 91, 6))
    printed = _finish(image)
    cv2.putText(
        printed,
        letters,
        (30, int(rng.integers(230, 360))),
        cv2.FONT_HERSHEY_SIMPLEX,
        2.0,
        (base * 0.3).tolist(),
        6,
    )
    return printed


FLOORS: tuple[TextureMaker, ...] = (planks, planks, tiles, tiles, speckle, speckle, stripes, wood)
# Floors whose distance a low camera can hardly see.
POOR_FLOORS: tuple[TextureMaker, ...] = (plain_floor, plain_floor, tiles, speckle, planks)
WALLS: tuple[TextureMaker, ...] = (
    plaster,
    plaster,
    plaster,
    plaster,
    bricks,
    stripes,
    tiles,
    planks,
    speckle,
)
CEILINGS: tuple[TextureMaker, ...] = (ceiling, ceiling, ceiling, planks)
FURNITURE: tuple[TextureMaker, ...] = (
    wood,
    wood,
    plaster,
    speckle,
    cloth,
    cardboard,
    picture,
    stripes,
)
