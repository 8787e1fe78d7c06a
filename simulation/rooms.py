# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Random furnished rooms and corridors. Equal seeds give equal rooms."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np

from . import textures
from .obstacles import LOW_OBSTACLE_BUILDERS, OBSTACLE_BUILDERS
from .room_builder import Obstacle, Room, RoomBuilder
from .textures import TextureMaker

_BUILDERS = {**OBSTACLE_BUILDERS, **LOW_OBSTACLE_BUILDERS}


def put_obstacle(
    room: RoomBuilder, kind: str, x_m: float, y_m: float, yaw_deg: float = 0.0
) -> Obstacle:
    """Put an obstacle at a given place, whatever stands there already."""
    radius, top = _BUILDERS[kind](room)
    return room.stand(Obstacle(kind, x_m, y_m, radius, top), yaw_deg)


def try_place_obstacle(room: RoomBuilder, kind: str, gap_m: float = 0.15) -> bool:
    """
    Put an obstacle at a random free place.

    Parameters
    ----------
    room : RoomBuilder
        Unchanged when no free place was found.
    kind : str
        A key of OBSTACLE_BUILDERS or LOW_OBSTACLE_BUILDERS.
    gap_m : float
        Least distance between bounding circles, and to the walls.

    Returns
    -------
    bool
        False when no free place was found.

    """
    rng = room.rng
    radius, top = _BUILDERS[kind](room)
    depth_to_wall = radius * 0.75
    for _ in range(12):
        x_m, y_m = (rng.uniform(-0.5, 0.5, 2) * (room.length_m - 0.2, room.width_m - 0.2)).tolist()
        yaw_deg = rng.uniform(0.0, 360.0)
        if rng.random() < 0.45 and kind not in ('ball', 'person', 'partition'):
            # Furniture mostly stands against a wall with its back (local -x) to it.
            side = int(rng.integers(4))
            yaw_deg = side * 90.0 + rng.normal(0.0, 3.0)
            edge = np.array([room.length_m, room.width_m]) / 2 - depth_to_wall
            x_m, y_m = ((-edge[0], y_m), (x_m, -edge[1]), (edge[0], y_m), (x_m, edge[1]))[side]
        inside = (
            abs(x_m) < room.length_m / 2 - depth_to_wall + 1e-6
            and abs(y_m) < room.width_m / 2 - depth_to_wall + 1e-6
        )
        if inside and all(
            math.hypot(x_m - other.x_m, y_m - other.y_m) > radius + other.radius_m + gap_m
            for other in room.obstacles
        ):
            room.stand(Obstacle(kind, x_m, y_m, radius, top), yaw_deg)
            return True
    room.discard_body()
    return False


def random_room(
    seed: int,
    width_px: int = 640,
    height_px: int = 480,
    extra_xml: str = '',
    least_length_m: float = 2.6,
    clutter: float = 0.7,
    shadow_px: int = 2048,
    floors: Sequence[TextureMaker] = textures.FLOORS,
    floor_repeat_m: float | None = None,
    hard: bool = False,
) -> Room:
    """
    Make a furnished room or corridor.

    Parameters
    ----------
    seed : int
        Equal seeds give equal rooms.
    width_px, height_px : int
        Largest picture that will be rendered.
    extra_xml : str
        More MJCF bodies for the world.
    least_length_m : float
        The room is at least this long.
    clutter : float
        Greatest number of obstacles per square metre.
    shadow_px : int
        Sharpness of the shadows.
    floors, floor_repeat_m
        See :meth:`RoomBuilder.shell`.
    hard : bool
        Low and thin things lie about, much furniture has the floor's colour, and some floors
        mirror the room.

    Returns
    -------
    Room
        Ready to be loaded.

    """
    rng = np.random.default_rng(seed)
    if rng.random() < 0.25:
        length, width = rng.uniform(max(5.0, least_length_m), 14.0), rng.uniform(1.3, 2.4)
    else:
        length, width = rng.uniform(least_length_m, 8.0), rng.uniform(2.4, 5.5)
    builder = RoomBuilder(rng, length, width, rng.uniform(2.2, 3.1))
    mirror = 0.0
    if hard:
        builder.camouflage = 0.45
        mirror = rng.uniform(0.05, 0.35) if rng.random() < 0.35 else 0.0
    builder.shell(floors, floor_repeat_m=floor_repeat_m, floor_mirror=mirror)
    area = builder.length_m * builder.width_m
    kinds = tuple(OBSTACLE_BUILDERS)
    for _ in range(int(rng.integers(2, max(4, min(18, round(area * clutter)))))):
        try_place_obstacle(builder, kinds[int(rng.integers(len(kinds)))])
    low = tuple(LOW_OBSTACLE_BUILDERS) if hard else ()
    for _ in range(int(rng.integers(3, 9)) if low else 0):
        try_place_obstacle(builder, low[int(rng.integers(len(low)))], gap_m=0.02)
    return builder.finish(extra_xml, width_px, height_px, shadow_px)
