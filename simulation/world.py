# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A differential-drive robot with a camera in a rendered room: motion, collisions, free path.

ROS-free. The robot is an upright cylinder whose camera sits on its front rim, at its top: what
the camera cannot see above itself, the robot passes under.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from fcrn_depth_ros.camera.mounting import CameraMounting
import mujoco
import numpy as np

from .renderer import CameraPose, RoomRenderer
from .room_builder import Room

ROBOT_RADIUS_M = 0.17
# Nearer to the floor than this a bump is driven over.
GROUND_CLEARANCE_M = 0.03
_ACCELERATION_MPS2, _DECELERATION_MPS2 = 0.8, 1.2
_TURN_ACCELERATION_RADPS2 = 3.0
_RAY_SPACING_M = 0.02  # thinner than any leg or pole of the rooms
_ARC_STEP_M = 0.04
_VISIBLE = np.array([1, 1, 1, 1, 1, 0], np.uint8)  # the robot and the probe are group 5
_PARKED_Z_M = -5.0
_INTRUDER_SIZE_M = (0.3, 0.4, 1.2)


@dataclass(frozen=True)
class Mounting:
    """
    The robot's camera.

    Attributes
    ----------
    height_m, pitch_deg, roll_deg : float
        See :class:`CameraPose`; the robot is as high as its camera.
    horizontal_view_deg : float
        Width of the field of view.

    """

    height_m: float
    pitch_deg: float
    roll_deg: float
    horizontal_view_deg: float

    @property
    def camera_mounting(self) -> CameraMounting:
        """The same without the field of view, as perception takes it."""
        return CameraMounting(self.height_m, self.pitch_deg, self.roll_deg)


def robot_xml(mounting: Mounting) -> str:
    """
    Describe the robot, and an intruder that stays under the floor until it is wanted.

    Parameters
    ----------
    mounting : Mounting
        Its height is that of the robot.

    Returns
    -------
    str
        MJCF bodies for :func:`simulation.rooms.random_room`.

    """
    half = (mounting.height_m - GROUND_CLEARANCE_M) / 2
    intruder = ' '.join(f'{size / 2}' for size in _INTRUDER_SIZE_M)
    return (
        '<body name="robot" mocap="true"><geom name="robot" type="cylinder" group="5" '
        f'size="{ROBOT_RADIUS_M} {half}" pos="0 0 {GROUND_CLEARANCE_M + half}"/></body>'
        f'<body name="intruder" mocap="true" pos="0 0 {_PARKED_Z_M}">'
        f'<geom name="intruder" type="box" size="{intruder}" rgba="0.55 0.4 0.25 1"/></body>'
    )


class DriveWorld:
    """
    One robot in one room.

    Parameters
    ----------
    room : Room
        Made with :func:`robot_xml`.
    mounting : Mounting
        The camera.
    width_px, height_px : int
        Size of its pictures.

    Attributes
    ----------
    x_m, y_m, heading_rad : float
        Pose of the robot's centre.
    speed_mps, turn_radps : float
        Its velocity.
    radius_m : float
        Of its body.
    renderer : RoomRenderer
        Renders what the camera sees; to be closed by the owner of the world.

    """

    def __init__(self, room: Room, mounting: Mounting, width_px: int, height_px: int) -> None:
        self.mounting = mounting
        fx_px = width_px / 2 / math.tan(math.radians(mounting.horizontal_view_deg) / 2)
        self.renderer = RoomRenderer(room, width_px, height_px, fx_px)
        self.x_m = self.y_m = self.heading_rad = 0.0
        self.speed_mps = self.turn_radps = 0.0
        model = self.renderer.model
        self._robot = model.geom('robot').id
        unseen = {self._robot, model.geom('floor').id, model.geom('probe').id}
        self._solid = [geom for geom in range(model.ngeom) if geom not in unseen]
        self._robot_mocap, self._intruder_mocap = (
            int(model.body(name).mocapid[0]) for name in ('robot', 'intruder')
        )
        bodies = {model.body(index).name for index in range(model.nbody)}
        self._mover_mocap = int(model.body('mover').mocapid[0]) if 'mover' in bodies else None
        self.radius_m = ROBOT_RADIUS_M

    def place(self, x_m: float, y_m: float, heading_rad: float) -> None:
        """Stand the robot somewhere, at rest."""
        self.x_m, self.y_m, self.heading_rad = x_m, y_m, heading_rad
        self.speed_mps = self.turn_radps = 0.0

    def step(self, duration_s: float, speed_mps: float, turn_radps: float) -> None:
        """
        Drive for a moment.

        Parameters
        ----------
        duration_s : float
            A few hundredths of a second.
        speed_mps, turn_radps : float
            Commanded velocity; the robot follows as fast as its motors can.

        """
        braking = abs(speed_mps) < abs(self.speed_mps)
        limit = (_DECELERATION_MPS2 if braking else _ACCELERATION_MPS2) * duration_s
        self.speed_mps += min(limit, max(-limit, speed_mps - self.speed_mps))
        limit = _TURN_ACCELERATION_RADPS2 * duration_s
        self.turn_radps += min(limit, max(-limit, turn_radps - self.turn_radps))
        self.heading_rad += self.turn_radps * duration_s
        self.x_m += self.speed_mps * math.cos(self.heading_rad) * duration_s
        self.y_m += self.speed_mps * math.sin(self.heading_rad) * duration_s

    def camera_pose(self) -> CameraPose:
        """Return where the camera is."""
        return CameraPose(
            self.x_m + ROBOT_RADIUS_M * math.cos(self.heading_rad),
            self.y_m + ROBOT_RADIUS_M * math.sin(self.heading_rad),
            self.mounting.height_m,
            math.degrees(self.heading_rad),
            self.mounting.pitch_deg,
            self.mounting.roll_deg,
        )

    def show_intruder(self, ahead_m: float) -> None:
        """Put a box in the way, with its front this far before the camera."""
        distance = ROBOT_RADIUS_M + ahead_m + _INTRUDER_SIZE_M[0] / 2
        data = self.renderer.data
        data.mocap_pos[self._intruder_mocap] = (
            self.x_m + distance * math.cos(self.heading_rad),
            self.y_m + distance * math.sin(self.heading_rad),
            _INTRUDER_SIZE_M[2] / 2,
        )
        half = self.heading_rad / 2
        data.mocap_quat[self._intruder_mocap] = (math.cos(half), 0.0, 0.0, math.sin(half))

    def move_mover(self, x_m: float, y_m: float, heading_rad: float) -> None:
        """Place what moves by itself; the room must have been made with it."""
        assert self._mover_mocap is not None
        data, half = self.renderer.data, heading_rad / 2
        data.mocap_pos[self._mover_mocap] = (x_m, y_m, 0.0)
        data.mocap_quat[self._mover_mocap] = (math.cos(half), 0.0, 0.0, math.sin(half))

    def beam_m(self) -> float:
        """Return how far it is from the camera's place straight and level ahead to a surface."""
        model, data = self.renderer.model, self.renderer.data
        mujoco.mj_kinematics(model, data)
        forward = np.array([math.cos(self.heading_rad), math.sin(self.heading_rad), 0.0])
        start = np.array([self.x_m, self.y_m, self.mounting.height_m]) + ROBOT_RADIUS_M * forward
        hit = np.array([-1], np.int32)
        distance_m = float(mujoco.mj_ray(model, data, start, forward, _VISIBLE, 1, -1, hit))
        return distance_m if distance_m >= 0.0 else math.inf

    def free_arc_m(self, radius_m: float, longest_m: float) -> float:
        """
        Measure how far the robot's body gets on an arc before it touches something.

        Parameters
        ----------
        radius_m : float
            Of the arc of its centre; positive to the left.
        longest_m : float
            Where to end.

        Returns
        -------
        float
            Length of the arc, to within a few centimetres; the robot stays where it is.

        """
        start = self.x_m, self.y_m, self.heading_rad
        free_m = longest_m
        for step in range(math.ceil(longest_m / _ARC_STEP_M)):
            heading_rad = start[2] + step * _ARC_STEP_M / radius_m
            self.x_m = start[0] + radius_m * (math.sin(heading_rad) - math.sin(start[2]))
            self.y_m = start[1] - radius_m * (math.cos(heading_rad) - math.cos(start[2]))
            if self.clearance_m(0.5) <= 0.0:
                free_m = step * _ARC_STEP_M
                break
        self.x_m, self.y_m = start[:2]
        return free_m

    def clearance_m(self, limit_m: float = 2.0) -> float:
        """
        Measure the distance from the robot's body to the nearest thing that is not floor.

        Parameters
        ----------
        limit_m : float
            Greater distances are not distinguished.

        Returns
        -------
        float
            At most `limit_m`; not positive when the robot touches something.

        """
        model, data = self.renderer.model, self.renderer.data
        data.mocap_pos[self._robot_mocap] = (self.x_m, self.y_m, 0.0)
        mujoco.mj_kinematics(model, data)
        return float(
            min(
                mujoco.mj_geomDistance(model, data, self._robot, other, limit_m, None)
                for other in self._solid
            )
        )

    def free_path_m(
        self,
        half_width_m: float = ROBOT_RADIUS_M,
        lowest_m: float = GROUND_CLEARANCE_M,
        overhead_m: float = 0.0,
    ) -> float:
        """
        Measure how far it is straight ahead from the camera to the first obstacle.

        Parameters
        ----------
        half_width_m : float
            Half the width of the path; by default the robot's own.
        lowest_m : float
            Lower things do not count.
        overhead_m : float
            How far above the camera things count, too.

        Returns
        -------
        float
            Metres from the robot's front; +Inf when nothing is there.

        """
        model, data = self.renderer.model, self.renderer.data
        mujoco.mj_kinematics(model, data)
        forward = np.array([math.cos(self.heading_rad), math.sin(self.heading_rad), 0.0])
        across = np.arange(-half_width_m, half_width_m + 1e-6, _RAY_SPACING_M)
        heights = np.arange(
            lowest_m, self.mounting.height_m + overhead_m + 1e-6, 2 * _RAY_SPACING_M
        )
        starts = np.empty((len(across), len(heights), 3))
        starts[..., 0] = (self.x_m - forward[1] * across)[:, None]
        starts[..., 1] = (self.y_m + forward[0] * across)[:, None]
        starts[..., 2] = heights
        hit = np.array([-1], np.int32)
        nearest = math.inf
        ray = mujoco.mj_ray
        for start in starts.reshape(-1, 3):
            distance = float(ray(model, data, start, forward, _VISIBLE, 1, -1, hit))
            if 0.0 <= distance < nearest:
                nearest = distance
        return nearest - ROBOT_RADIUS_M
