# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import cv2
import mujoco
import numpy as np
import pytest
from simulation.obstacles import LOW_OBSTACLE_BUILDERS, OBSTACLE_BUILDERS
from simulation.room_builder import RoomBuilder
from simulation.rooms import put_obstacle, random_room


def test_equal_seeds_give_equal_rooms() -> None:
    assert random_room(7) == random_room(7)


def test_other_seeds_give_other_rooms() -> None:
    assert random_room(7).xml != random_room(8).xml


@pytest.mark.parametrize('kind', [*OBSTACLE_BUILDERS, *LOW_OBSTACLE_BUILDERS])
def test_obstacle_is_as_high_and_wide_as_it_says(kind: str) -> None:
    builder = RoomBuilder(np.random.default_rng(3), 6.0, 6.0, 2.5, max_texture_px=16)
    obstacle = put_obstacle(builder, kind, 0.0, 0.0)
    room = builder.finish()
    model = mujoco.MjModel.from_xml_string(room.xml, room.assets)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    geoms = [i for i in range(model.ngeom) if model.geom(i).name != 'probe']
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    boxes = []
    for geom in geoms:
        center, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
        local = center + corners * half
        boxes.append(local @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom])
    points = np.concatenate(boxes)
    # Bounds of tilted or round parts overestimate, hence the slack above.
    assert points[:, 2].max() == pytest.approx(obstacle.top_m, abs=0.15)
    assert points[:, 2].min() > -0.05
    reach = np.hypot(*points[:, :2].T).max()
    assert 0.6 * obstacle.radius_m < reach < 1.45 * obstacle.radius_m + 0.05


@pytest.mark.parametrize('seed', range(5))
def test_obstacles_of_a_random_room_do_not_overlap(seed: int) -> None:
    obstacles = random_room(seed).obstacles
    assert obstacles
    for index, first in enumerate(obstacles):
        for second in obstacles[:index]:
            gap = np.hypot(first.x_m - second.x_m, first.y_m - second.y_m)
            assert gap > first.radius_m + second.radius_m


def test_hard_rooms_hold_low_things_in_the_colour_of_the_floor() -> None:
    plain, hard = random_room(11), random_room(11, hard=True)
    assert not any(one.kind in LOW_OBSTACLE_BUILDERS for one in plain.obstacles)
    assert sum(one.kind in LOW_OBSTACLE_BUILDERS for one in hard.obstacles) >= 2
    builder = RoomBuilder(np.random.default_rng(3), 6.0, 6.0, 2.5, camouflage=1.0)
    builder.shell(floor_mirror=0.2)
    floor = builder.assets['m0.png']
    material = builder.furniture_material()
    shades = [cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).mean((0, 1))
              for png in (floor, builder.assets[f'{material}.png'])]  # fmt: skip
    ratio = shades[1] / shades[0]
    assert np.ptp(ratio) < 0.05 and 0.8 < ratio.mean() < 1.15
    assert builder.finish().xml.count('reflectance="0.20"') == 1
