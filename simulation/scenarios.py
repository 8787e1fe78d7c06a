# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Which drives are simulated: rooms, cameras and starts, drawn until they fit the kind."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
import math
from typing import Any

import numpy as np

from .manoeuvres import Arc, Manoeuvre, Straight, TurnAway, TurnRoundAndReverse
from .movers import Door, mover_xml, Person
from .room_builder import Room
from .rooms import random_room
from .world import DriveWorld, GROUND_CLEARANCE_M, Mounting, ROBOT_RADIUS_M, robot_xml

WIDTH_PX, HEIGHT_PX = 320, 240
# Where alert_node looks: the robot's own width and 10 cm to each side.
CORRIDOR_WIDTH_M = 2 * (ROBOT_RADIUS_M + 0.1)
# Things lower than this share of the camera's height are floor to proximity's floor_tolerance.
LOWEST_OBSTACLE_SHARE = 0.4
# The camera must see the floor from here on, or low things vanish under its view before the stop.
FLOOR_SEEN_FROM_M = 0.45
FREE_DRIVE_M = 2.0
# A robot as low as a vacuum cleaner drives under a bed, but its camera sees the bed: what hangs
# less than this above the camera stops it, and rightly so.
OVERHEAD_M = 0.8
KIND_SHARES = {'toward': 0.5, 'past': 0.2, 'free': 0.2, 'appears': 0.1}
KIND_SETS = {
    'straight': KIND_SHARES,
    'manoeuvres': {'arc': 0.4, 'turn': 0.3, 'reverse': 0.3},
    'moving': {'person': 0.6, 'door': 0.4},
}
# What an arc is, and how far it must get before it meets something.
_ARC_RADII_M = (0.6, 1.6)
_ARC_FREE_M = (0.9, 2.4)
_POSES_PER_ROOM = 150
_ROOMS = 200


@dataclass(frozen=True)
class Scenario:
    """
    One drive.

    Attributes
    ----------
    kind : str
        toward an obstacle, past one, through free space, or an obstacle appears on the way;
        an arc that meets something, a turn away from what stopped the robot, or reversing into
        it; a person who crosses the way, or a door that opens into it.
    room_seed : int
        Of :func:`simulation.rooms.random_room`.
    room : Room
        That room, the robot included.
    mounting : Mounting
        The camera.
    x_m, y_m, heading_rad : float
        Where the robot starts.

    """

    kind: str
    room_seed: int
    room: Room = field(repr=False)
    mounting: Mounting
    x_m: float
    y_m: float
    heading_rad: float
    arc_radius_m: float = math.inf

    @property
    def must_stop(self) -> bool:
        """Return whether something will stand in the way, for good."""
        return self.kind in ('toward', 'appears', 'door', 'arc', 'reverse')

    @property
    def is_manoeuvre(self) -> bool:
        """Return whether the way is not straight ahead."""
        return self.kind in KIND_SETS['manoeuvres']

    def driver(self) -> Manoeuvre:
        """Return who drives."""
        side = math.copysign(1.0, self.heading_rad)  # as good as any other coin
        if self.kind == 'arc':
            return Arc(self.arc_radius_m)
        if self.kind == 'turn':
            return TurnAway(side)
        return TurnRoundAndReverse(side) if self.kind == 'reverse' else Straight()

    def mover(self) -> Person | Door | None:
        """Return what moves by itself."""
        start = self.x_m, self.y_m, self.heading_rad
        rng = np.random.default_rng([self.room_seed, 1])
        if self.kind == 'person':
            return Person(*start, rng)
        return Door(*start, rng) if self.kind == 'door' else None

    def build(self) -> DriveWorld:
        """Make the world with the robot at its start."""
        world = DriveWorld(self.room, self.mounting, WIDTH_PX, HEIGHT_PX)
        world.place(self.x_m, self.y_m, self.heading_rad)
        return world

    def describe(self) -> dict[str, Any]:
        """Return everything but the room, ready for JSON."""
        return {
            'kind': self.kind,
            'room_seed': self.room_seed,
            'mounting': asdict(self.mounting),
            'start': {'x_m': self.x_m, 'y_m': self.y_m, 'heading_rad': self.heading_rad},
            **({'arc_radius_m': self.arc_radius_m} if self.kind == 'arc' else {}),
        }


def random_mounting(rng: np.random.Generator) -> Mounting:
    """Draw a camera that sees both the floor in front of the robot and what is at its height."""
    while True:
        mounting = Mounting(
            height_m=rng.uniform(0.12, 0.6),
            pitch_deg=rng.uniform(-2.0, 25.0),
            roll_deg=rng.uniform(-1.5, 1.5),
            horizontal_view_deg=rng.uniform(55.0, 90.0),
        )
        half_view = math.atan(
            math.tan(math.radians(mounting.horizontal_view_deg) / 2) * HEIGHT_PX / WIDTH_PX
        )
        pitch = math.radians(mounting.pitch_deg)
        sees_floor = pitch + half_view > math.atan(mounting.height_m / FLOOR_SEEN_FROM_M)
        if sees_floor and half_view - pitch > math.radians(5.0):
            return mounting


def draw_scenario(kind: str, rng: np.random.Generator) -> Scenario:
    """
    Look for a drive of a kind.

    Parameters
    ----------
    kind : str
        A key of KIND_SHARES.
    rng : numpy.random.Generator
        Source of every random choice.

    Returns
    -------
    Scenario
        Whose start fits the kind.

    """
    mounting = random_mounting(rng)
    for _ in range(_ROOMS):
        seed = int(rng.integers(2**62))
        room = _room(kind, seed, mounting)
        world = DriveWorld(room, mounting, WIDTH_PX, HEIGHT_PX)
        for _ in range(_POSES_PER_ROOM):
            x_m, y_m = rng.uniform(-0.5, 0.5, 2) * (room.length_m - 0.6, room.width_m - 0.6)
            along = rng.integers(2) * math.pi + rng.normal(0.0, 0.15)  # the longer way
            heading = rng.uniform(-math.pi, math.pi) if rng.random() < 0.5 else along
            world.place(float(x_m), float(y_m), heading)
            radius_m = math.inf
            if kind == 'arc':
                radius_m = float(rng.uniform(*_ARC_RADII_M) * rng.choice((-1.0, 1.0)))
            if _fits(kind, world, radius_m):
                return Scenario(
                    kind, seed, room, mounting, world.x_m, world.y_m, world.heading_rad, radius_m
                )
    raise RuntimeError(f'{_ROOMS} rooms must offer a drive {kind}, got none; use another seed')


def numbered_scenario(seed: int, index: int, kinds: str = 'straight') -> Scenario:
    """Draw the scenario of one run; kinds come in the shares of that entry of KIND_SETS."""
    rng = np.random.default_rng([seed, index])
    shares = KIND_SETS[kinds]
    kind = rng.choice(list(shares), p=list(shares.values()))
    return draw_scenario(str(kind), rng)


def _room(kind: str, seed: int, mounting: Mounting) -> Room:
    mover = mover_xml(kind, np.random.default_rng([seed, 2]))
    size_px, robot = (WIDTH_PX, HEIGHT_PX), robot_xml(mounting) + mover
    if kind in ('toward', 'arc', 'turn', 'reverse'):
        return random_room(seed, *size_px, robot, shadow_px=1024)
    return random_room(seed, *size_px, robot, least_length_m=6.0, clutter=0.4, shadow_px=1024)


def _fits(kind: str, world: DriveWorld, arc_radius_m: float) -> bool:
    if kind == 'arc':
        if world.clearance_m() < 0.1 or world.free_path_m(CORRIDOR_WIDTH_M / 2) < 1.2:
            return False
        low_m, high_m = _ARC_FREE_M
        return low_m < world.free_arc_m(arc_radius_m, high_m) < high_m
    free_m = world.free_path_m()
    if free_m < 1.6 or world.clearance_m() < 0.1:
        return False
    corridor_m = world.free_path_m(CORRIDOR_WIDTH_M / 2 + 0.05, overhead_m=OVERHEAD_M)
    if kind in ('toward', 'turn', 'reverse'):
        lowest_m = LOWEST_OBSTACLE_SHARE * world.mounting.height_m + GROUND_CLEARANCE_M
        is_seen = world.free_path_m(lowest_m=lowest_m) - free_m < 0.02
        return is_seen and free_m < 2.6 and corridor_m > 1.4
    # Nothing may reach into the corridor; a little farther out is what a drive passes.
    room_needed_m = FREE_DRIVE_M + 1.4
    if corridor_m < room_needed_m:
        return False
    beside_m = world.free_path_m(0.7, overhead_m=OVERHEAD_M)
    if kind == 'past':
        return 0.5 < beside_m < FREE_DRIVE_M
    return beside_m > room_needed_m if kind == 'free' else True
