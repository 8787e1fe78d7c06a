# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Furniture and clutter of a room.

Each builder adds the geometry of one obstacle, centred at the origin of the floor with its back
toward -x, and returns the radius of its bounding circle and its height in metres.
"""

from __future__ import annotations

from collections.abc import Callable
import math

import numpy as np

from . import textures
from .room_builder import RoomBuilder


def _box(room: RoomBuilder) -> tuple[float, float]:
    size = np.exp(room.rng.uniform(math.log(0.12), math.log(0.9), 3))
    makers = (textures.cardboard, textures.cardboard, *textures.FURNITURE)
    room.box(size, (0, 0, size[2] / 2), room.furniture_material(makers))
    return float(np.hypot(*size[:2]) / 2), float(size[2])


def _boxes(room: RoomBuilder) -> tuple[float, float]:
    top, side = 0.0, room.rng.uniform(0.3, 0.7)
    for _ in range(int(room.rng.integers(2, 5))):
        size = room.rng.uniform((0.5, 0.5, 0.3), (1.0, 1.0, 0.7)) * side
        room.box(
            size,
            (0, 0, top + size[2] / 2),
            room.furniture_material((textures.cardboard,)),
            room.rng.uniform(0, 40),
        )
        top += size[2]
    return side * 0.7, float(top)


def _legs(
    room: RoomBuilder, half_x: float, half_y: float, top: float, thickness: float, material: str
) -> None:
    for sign_x in (-1, 1):
        for sign_y in (-1, 1):
            room.box(
                (thickness, thickness, top), (sign_x * half_x, sign_y * half_y, top / 2), material
            )


def _table(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    depth, length = rng.uniform(0.5, 0.9), rng.uniform(0.7, 1.8)
    height = rng.uniform(0.68, 0.78) if rng.random() < 0.7 else rng.uniform(0.35, 0.5)
    top = room.furniture_material(
        (textures.wood, textures.wood, textures.plaster, textures.speckle)
    )
    room.box((depth, length, 0.04), (0, 0, height), top)
    legs = room.paint(textures.color(rng, (0, 0.3), (0.05, 0.9)))
    _legs(room, depth / 2 - 0.05, length / 2 - 0.05, height, rng.uniform(0.03, 0.08), legs)
    for _ in range(int(rng.integers(0, 6))):
        size = rng.uniform((0.08, 0.08, 0.02), (0.3, 0.3, 0.4))
        place = rng.uniform(-0.35, 0.35, 2) * (depth, length)
        room.box(
            size,
            (*place, height + 0.02 + size[2] / 2),
            room.furniture_material(),
            rng.uniform(0, 90),
        )
    return math.hypot(depth, length) / 2, height + 0.02


def _chair(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    side, seat, top = rng.uniform(0.38, 0.48), rng.uniform(0.42, 0.48), rng.uniform(0.75, 1.0)
    frame = room.furniture_material((textures.wood, textures.plaster))
    cushion = room.furniture_material((textures.wood, textures.cloth, textures.stripes))
    leg = rng.uniform(0.025, 0.045)
    _legs(room, side / 2 - leg / 2, side / 2 - leg / 2, seat, leg, frame)
    room.box((side, side, 0.05), (0, 0, seat), cushion)
    for sign in (-1, 1):
        room.box(
            (leg, leg, top - seat),
            (-side / 2 + leg / 2, sign * (side - leg) / 2, (top + seat) / 2),
            frame,
        )
    if rng.random() < 0.5:
        room.box(
            (0.03, side, (top - seat) * 0.6),
            (-side / 2 + 0.02, 0, top - (top - seat) * 0.3),
            cushion,
        )
    else:
        for height in np.linspace(seat + 0.12, top - 0.03, int(rng.integers(2, 5))):
            room.box((0.02, side, 0.05), (-side / 2 + 0.02, 0, height), frame)
    return side * 0.71, top


def _office_chair(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    dark = room.paint(textures.color(rng, (0, 0.2), (0.05, 0.3)), 0.5)
    cushion = room.furniture_material((textures.cloth,))
    seat = rng.uniform(0.42, 0.55)
    for arm in range(5):
        angle = 2 * math.pi * arm / 5
        room.box(
            (0.3, 0.04, 0.04),
            (0.15 * math.cos(angle), 0.15 * math.sin(angle), 0.08),
            dark,
            math.degrees(angle),
        )
        room.geom('sphere', (0.03,), (0.29 * math.cos(angle), 0.29 * math.sin(angle), 0.03), dark)
    room.post(0.03, seat, 0, 0, dark, 0.08)
    room.geom('ellipsoid', (0.25, 0.25, 0.06), (0, 0, seat), cushion)
    room.box((0.03, 0.06, 0.3), (-0.24, 0, seat + 0.12), dark)
    room.geom('ellipsoid', (0.05, 0.22, 0.28), (-0.25, 0, seat + 0.38), cushion)
    return 0.34, seat + 0.66


def _sofa(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    length, depth, seat, top = (
        rng.uniform(0.8, 2.2),
        rng.uniform(0.75, 0.95),
        rng.uniform(0.36, 0.45),
        rng.uniform(0.7, 0.95),
    )
    cover = room.furniture_material((textures.cloth, textures.cloth, textures.speckle))
    room.box((depth, length, seat - 0.13), (0, 0, 0.05 + (seat - 0.13) / 2), cover)
    seats = max(1, round(length / 0.75))
    for index in range(seats):
        width = (length - 0.3) / seats
        y_m = -length / 2 + 0.15 + width * (index + 0.5)
        room.box((depth - 0.25, width - 0.015, 0.13), (0.1, y_m, seat - 0.03), cover)
        room.box(
            (0.16, width - 0.015, top - seat), (-depth / 2 + 0.25, y_m, (top + seat) / 2), cover
        )
    room.box((0.2, length, top - 0.05), (-depth / 2 + 0.1, 0, top / 2), cover)
    for sign in (-1, 1):
        room.box(
            (depth, 0.16, seat + 0.18), (0, sign * (length / 2 - 0.08), seat / 2 + 0.09), cover
        )
    if rng.random() < 0.6:
        room.geom(
            'ellipsoid',
            (0.1, 0.22, 0.2),
            (0.0, rng.uniform(-0.3, 0.3) * length, seat + 0.2),
            room.furniture_material((textures.stripes, textures.cloth)),
            (0, -25, 0),
        )
    return math.hypot(depth, length) / 2, top


def _shelf(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    depth, length, top = rng.uniform(0.25, 0.42), rng.uniform(0.5, 1.4), rng.uniform(0.7, 2.05)
    board = room.furniture_material((textures.wood, textures.plaster))
    back = room.paint(textures.color(rng, (0, 0.3), (0.3, 0.9)))
    fillings = [
        room.furniture_material((textures.books, textures.books, *textures.FURNITURE))
        for _ in range(4)
    ]
    room.box((0.02, length, top), (-depth / 2, 0, top / 2), back)
    for sign in (-1, 1):
        room.box((depth, 0.025, top), (0, sign * length / 2, top / 2), board)
    levels = np.linspace(0.05, top - 0.02, max(3, round(top / rng.uniform(0.28, 0.45))))
    for low, high in zip(levels[:-1], levels[1:], strict=True):
        room.box((depth, length, 0.025), (0, 0, low), board)
        cursor = -length / 2 + 0.03
        while cursor < length / 2 - 0.12:
            width = min(rng.uniform(0.1, 0.5), length / 2 - 0.03 - cursor)
            height = (high - low) * rng.uniform(0.4, 0.85)
            if rng.random() < 0.75:
                room.box(
                    (depth * rng.uniform(0.5, 0.9), width, height),
                    (rng.uniform(-0.08, 0.0), cursor + width / 2, low + 0.0125 + height / 2),
                    fillings[int(rng.integers(4))],
                )
            cursor += width + rng.uniform(0.0, 0.15)
    room.box((depth, length + 0.025, 0.025), (0, 0, top - 0.02), board)
    return math.hypot(depth, length) / 2, top


def _cabinet(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    depth, length, top = rng.uniform(0.35, 0.65), rng.uniform(0.4, 1.6), rng.uniform(0.45, 2.0)
    body = room.furniture_material((textures.wood, textures.plaster))
    knob = room.paint(textures.color(rng, (0, 0.2), (0.1, 0.8)), 0.8)
    room.box((depth, length, top), (0, 0, top / 2), body)
    columns, rows = max(1, round(length / 0.5)), max(1, round(top / rng.uniform(0.25, 0.9)))
    for column in range(columns):
        for row in range(rows):
            y_m = (column + 0.5) / columns * length - length / 2
            z_m = (row + 0.5) / rows * (top - 0.06) + 0.05
            room.box(
                (0.02, length / columns - 0.015, (top - 0.06) / rows - 0.015),
                (depth / 2 + 0.01, y_m, z_m),
                body,
            )
            room.box((0.03, 0.1, 0.015), (depth / 2 + 0.035, y_m, z_m + 0.05), knob)
    return math.hypot(depth, length) / 2, top


def _person(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    scale = rng.uniform(0.62, 1.1)
    trousers, shirt = (
        room.furniture_material((textures.cloth, textures.stripes, textures.cloth))
        for _ in range(2)
    )
    skin = room.paint(textures.color(rng, (0.25, 0.6), (0.35, 0.95), ((0.04, 0.09),)))
    hair = room.paint(textures.color(rng, (0.1, 0.7), (0.05, 0.6), ((0.02, 0.12),)))
    shoe = room.paint(textures.color(rng, (0, 0.5), (0.05, 0.9)))
    for sign in (-1, 1):
        stride = sign * rng.uniform(0.0, 0.13)
        room.geom(
            'capsule',
            (0.075 * scale, 0.34 * scale),
            (stride / 2, sign * 0.1 * scale, 0.47 * scale),
            trousers,
            (0, -math.degrees(stride / 0.8), 0),
        )
        room.geom(
            'ellipsoid',
            (0.13 * scale, 0.05 * scale, 0.05 * scale),
            (stride + 0.05, sign * 0.1 * scale, 0.05 * scale),
            shoe,
        )
        room.geom(
            'capsule',
            (0.05 * scale, 0.25 * scale),
            (-stride / 2, sign * 0.25 * scale, 1.1 * scale),
            shirt,
            (sign * rng.uniform(4, 16), math.degrees(stride), 0),
        )
        room.geom(
            'sphere', (0.05 * scale,), (-stride / 2, sign * 0.31 * scale, 0.78 * scale), skin
        )
    room.geom('ellipsoid', (0.13 * scale, 0.21 * scale, 0.34 * scale), (0, 0, 1.15 * scale), shirt)
    room.geom(
        'ellipsoid', (0.1 * scale, 0.085 * scale, 0.13 * scale), (0.01, 0, 1.6 * scale), skin
    )
    room.geom(
        'ellipsoid', (0.1 * scale, 0.09 * scale, 0.11 * scale), (-0.02, 0, 1.65 * scale), hair
    )
    return 0.3 * scale, 1.75 * scale


def _pole(room: RoomBuilder) -> tuple[float, float]:
    radius = room.rng.uniform(0.012, 0.06)
    top = room.rng.uniform(0.8, room.height_m) if room.rng.random() < 0.6 else room.height_m
    room.post(
        radius,
        top,
        0,
        0,
        room.furniture_material((textures.plaster, textures.wood, textures.stripes)),
    )
    if top < room.height_m:
        room.post(radius * 3.0 + 0.05, 0.03, 0, 0, room.paint(textures.color(room.rng)))
    return radius * 3.0 + 0.05, top


def _cylinder(room: RoomBuilder) -> tuple[float, float]:
    radius, top = room.rng.uniform(0.06, 0.35), room.rng.uniform(0.15, 1.2)
    room.post(radius, top, 0, 0, room.furniture_material())
    if room.rng.random() < 0.4:
        room.post(
            radius * 1.08, top + 0.03, 0, 0, room.paint(textures.color(room.rng)), top - 0.03
        )
    return radius * 1.08, top + 0.03


def _ball(room: RoomBuilder) -> tuple[float, float]:
    radius = math.exp(room.rng.uniform(math.log(0.05), math.log(0.35)))
    room.geom(
        'sphere',
        (radius,),
        (0, 0, radius),
        room.furniture_material((textures.stripes, textures.cloth, textures.picture)),
    )
    return radius, 2 * radius


def _plant(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    radius, pot, top = rng.uniform(0.1, 0.22), rng.uniform(0.18, 0.4), rng.uniform(0.5, 1.6)
    room.post(
        radius,
        pot,
        0,
        0,
        room.furniture_material((textures.plaster, textures.speckle, textures.cloth)),
    )
    greens = [
        room.paint(textures.color(rng, (0.3, 0.8), (0.15, 0.6), ((0.22, 0.38),))) for _ in range(3)
    ]
    room.post(0.015, top * 0.8, 0, 0, room.paint(textures.wood_color(rng)), pot)
    spread = rng.uniform(0.15, 0.35)
    for _ in range(int(rng.integers(14, 34))):
        place = rng.normal(0.0, 0.5, 2) * spread
        height = rng.uniform(pot + 0.1, max(pot + 0.2, top))
        room.geom(
            'ellipsoid',
            (rng.uniform(0.06, 0.16), rng.uniform(0.02, 0.06), 0.008),
            (*place, height),
            greens[int(rng.integers(3))],
            rng.uniform((-50, -60, 0), (50, 60, 360)).tolist(),
        )
    return max(radius, spread + 0.1), top


def _bed(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    length, width, high = rng.uniform(1.85, 2.1), rng.uniform(0.8, 1.7), rng.uniform(0.4, 0.6)
    wood = room.furniture_material((textures.wood, textures.cloth))
    room.box((length, width, 0.2), (0, 0, high - 0.25), wood)
    _legs(room, length / 2 - 0.06, width / 2 - 0.06, high - 0.25, 0.08, wood)
    room.box(
        (length - 0.05, width - 0.03, 0.2),
        (0, 0, high - 0.08),
        room.furniture_material((textures.plaster,)),
    )
    room.box(
        (length * 0.68, width + 0.02, 0.12),
        (length * 0.14, 0, high - 0.01),
        room.furniture_material((textures.stripes, textures.cloth)),
    )
    room.geom(
        'ellipsoid',
        (0.2, width * 0.35, 0.09),
        (-length / 2 + 0.28, 0, high + 0.07),
        room.furniture_material((textures.plaster,)),
    )
    room.box((0.05, width, high + 0.4), (-length / 2, 0, (high + 0.4) / 2), wood)
    return math.hypot(length, width) / 2, high + 0.4


def _lamp(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    top = rng.uniform(1.2, 1.75)
    metal = room.paint(textures.color(rng, (0, 0.3), (0.05, 0.8)), 0.8)
    room.post(rng.uniform(0.12, 0.18), 0.03, 0, 0, metal)
    room.post(0.015, top, 0, 0, metal)
    shade = room.material(
        np.tile(textures.color(rng, (0, 0.4), (0.8, 1.0)), (8, 8, 1)).astype(np.uint8),
        glow=rng.uniform(0, 0.8),
    )
    room.post(rng.uniform(0.12, 0.24), top + 0.12, 0, 0, shade, top - 0.14)
    return 0.24, top + 0.12


def _partition(room: RoomBuilder) -> tuple[float, float]:
    rng = room.rng
    length, thickness = rng.uniform(0.7, 2.2), rng.uniform(0.06, 0.2)
    top = room.height_m if rng.random() < 0.6 else rng.uniform(1.1, 1.8)
    material = room.material(room.choose(textures.WALLS)(rng), math.exp(rng.uniform(-0.5, 0.9)))
    edge = room.paint(textures.color(rng, (0, 0.2), (0.4, 1.0)))
    for facing_deg in (0, 180):
        sign = 1 if facing_deg == 0 else -1
        room.panel(
            length, top, (sign * thickness / 2, 0, top / 2), facing_deg, material, thickness / 2
        )
    for sign in (-1, 1):
        room.box((thickness + 0.01, 0.02, top), (0, sign * length / 2, top / 2), edge)
    return length / 2, top


OBSTACLE_BUILDERS: dict[str, Callable[[RoomBuilder], tuple[float, float]]] = {
    'box': _box,
    'boxes': _boxes,
    'table': _table,
    'chair': _chair,
    'office_chair': _office_chair,
    'sofa': _sofa,
    'shelf': _shelf,
    'cabinet': _cabinet,
    'person': _person,
    'pole': _pole,
    'cylinder': _cylinder,
    'ball': _ball,
    'plant': _plant,
    'bed': _bed,
    'lamp': _lamp,
    'partition': _partition,
}


def _low_box(room: RoomBuilder) -> tuple[float, float]:
    """Shoes, books, a step: what a robot stumbles over."""
    size = np.exp(room.rng.uniform(np.log((0.08, 0.08, 0.025)), np.log((0.4, 0.6, 0.16))))
    room.box(size, (0, 0, size[2] / 2), room.furniture_material())
    return float(np.hypot(*size[:2]) / 2), float(size[2])


def _cable(room: RoomBuilder) -> tuple[float, float]:
    """Lie on the floor in bends, or stand up a hand's breadth."""
    rng = room.rng
    radius, material = rng.uniform(0.004, 0.015), room.furniture_material()
    place, heading, reach = np.zeros(2), rng.uniform(0, 2 * math.pi), 0.0
    for _ in range(int(rng.integers(4, 9))):
        heading += rng.normal(0, 0.6)
        ahead = 0.14 * np.array([math.cos(heading), math.sin(heading)])
        middle = place + ahead / 2
        lift = radius + max(0.0, rng.normal(0.0, 0.03))
        room.geom('capsule', (radius, 0.07), (*middle, lift), material,
                  (0.0, 90.0, math.degrees(heading)))  # fmt: skip
        place += ahead
        reach = max(reach, float(np.hypot(*place)))
    return reach + radius, 0.1


def _thin_post(room: RoomBuilder) -> tuple[float, float]:
    """Stand as a table leg, a tripod's foot or a barrier post does."""
    radius, top = room.rng.uniform(0.006, 0.03), room.rng.uniform(0.25, 1.4)
    room.post(radius, top, 0, 0, room.furniture_material())
    foot = room.rng.uniform(0.03, 0.16)
    room.post(foot, 0.015, 0, 0, room.furniture_material())
    return foot, top


def _overhang(room: RoomBuilder) -> tuple[float, float]:
    """Reach over free floor, as a desk's edge or an open drawer does."""
    rng = room.rng
    depth, length, low = rng.uniform(0.2, 0.7), rng.uniform(0.3, 1.2), rng.uniform(0.08, 0.6)
    material = room.furniture_material()
    room.box((depth, length, rng.uniform(0.02, 0.2)), (0, 0, low + 0.1), material)
    room.box((0.05, 0.05, low), (-depth / 2, 0, low / 2), material)
    return math.hypot(depth, length) / 2, low + 0.2


# Low, thin or open below: what is taken for floor most easily. Rooms hold them only on demand.
LOW_OBSTACLE_BUILDERS: dict[str, Callable[[RoomBuilder], tuple[float, float]]] = {
    'low_box': _low_box,
    'cable': _cable,
    'thin_post': _thin_post,
    'overhang': _overhang,
}
