# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Where the camera was when a picture was taken, from odometry that may be wrong in any way."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from ..camera.mounting import CameraMounting
from ..camera.orientation import level_axes
from ..odometry import OdometryReading

# No robot with a camera like this moves or turns faster: such a step is a jump of the odometry.
MAX_SPEED_MPS = 5.0
MAX_TURN_RADPS = 8.0
# A resting robot's odometry may still tremble by this much from one message to the next.
_TREMBLE_M, _TREMBLE_RAD = 0.02, 0.05
# Pictures may be this much newer than the newest message; motion is carried on until then.
MAX_AHEAD_S = 0.15
_MAX_GAP_S = 0.5
# Of the camera's direction on the robot, where its mounting is stated and where it is not.
AXIS_SIGMA_RAD, _UNKNOWN_AXIS_SIGMA_RAD = math.radians(1.5), math.radians(12.0)
_KEPT = 200


@dataclass(frozen=True)
class CameraPose:
    """
    Pose of the camera when a picture was taken.

    Attributes
    ----------
    rotation : ndarray of float64, shape (3, 3)
        From the camera's optical frame to a frame that stands still.
    position_m : ndarray of float64, shape (3,)
        In the frame that stands still.
    epoch : int
        Poses of different epochs have nothing to do with each other: odometry began anew.
    axis_sigma_rad : float
        How well the direction of the camera on the robot is known.

    """

    rotation: NDArray[np.float64]
    position_m: NDArray[np.float64]
    epoch: int = 0
    axis_sigma_rad: float = AXIS_SIGMA_RAD

    def seen_from(self, other: CameraPose) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Return the motion since another pose.

        Parameters
        ----------
        other : CameraPose
            Of the same epoch.

        Returns
        -------
        tuple of ndarray
            Rotation R and translation t with X = R X_other + t for a point that stands still.

        """
        rotation = self.rotation.T @ other.rotation
        return rotation, self.rotation.T @ (other.position_m - self.position_m)


@dataclass(frozen=True)
class CameraPlace:
    """
    Where the camera sits on the robot.

    Attributes
    ----------
    offset_m : ndarray of float64, shape (3,)
        Of the optical centre in the robot's frame: ahead, to the left, up.
    rotation : ndarray of float64, shape (3, 3)
        From the optical frame to the robot's.
    axis_sigma_rad : float
        How well the direction of the camera is known.

    """

    offset_m: NDArray[np.float64]
    rotation: NDArray[np.float64]
    axis_sigma_rad: float = AXIS_SIGMA_RAD

    @classmethod
    def stated(
        cls,
        mounting: CameraMounting | None,
        x_m: float = 0.0,
        y_m: float = 0.0,
        yaw_deg: float = 0.0,
    ) -> CameraPlace:
        """
        Build the place from numbers that a person states.

        Parameters
        ----------
        mounting : CameraMounting or None
            Height, pitch and roll; None takes the camera as level, with a large uncertainty.
        x_m, y_m : float
            Of the optical centre, ahead and to the left of the point that odometry follows.
        yaw_deg : float
            Of the optical axis, to the left positive.

        Returns
        -------
        CameraPlace
            See there.

        """
        ahead, left, up = level_axes(mounting)
        yaw = math.radians(yaw_deg)
        # Columns: the robot's axes in the optical frame.
        axes = np.column_stack(
            [
                math.cos(yaw) * ahead - math.sin(yaw) * left,
                math.sin(yaw) * ahead + math.cos(yaw) * left,
                up,
            ]
        )
        height_m = 0.0 if mounting is None else mounting.height_m
        sigma_rad = _UNKNOWN_AXIS_SIGMA_RAD if mounting is None else AXIS_SIGMA_RAD
        return cls(np.array([x_m, y_m, height_m]), axes.T, sigma_rad)

    def pose(self, robot: RobotPose) -> CameraPose:
        """Return the camera's pose for a pose of the robot."""
        return CameraPose(
            robot.rotation @ self.rotation,
            robot.position_m + robot.rotation @ self.offset_m,
            robot.epoch,
            self.axis_sigma_rad,
        )


@dataclass(frozen=True)
class RobotPose:
    """Pose of the robot in the frame of its odometry; see :class:`CameraPose`."""

    rotation: NDArray[np.float64]
    position_m: NDArray[np.float64]
    epoch: int = 0


class OdometryTrack:
    """
    Recent poses of the robot, each checked; whatever cannot be true begins a new epoch.

    Attributes
    ----------
    fault : str
        Why the latest message began a new epoch or was left out; empty where it was good.

    """

    def __init__(self) -> None:
        self._poses: deque[tuple[int, RobotPose]] = deque(maxlen=_KEPT)
        self._epoch = 0
        self.fault = ''

    def restart(self) -> None:
        """Forget every pose."""
        self._poses.clear()
        self._epoch += 1

    def add(self, reading: OdometryReading) -> None:
        """Take one message; whatever is wrong with it begins a new epoch."""
        flaw = reading.flaw()
        stamp_ns = reading.stamp_ns
        if flaw or stamp_ns is None:
            self.restart()
            self.fault = flaw
            return
        rotation = rotation_of(reading.quaternion_xyzw)
        position_m = np.array(reading.position_m, np.float64)
        if self._poses:
            last_ns, last = self._poses[-1]
            passed_s = (stamp_ns - last_ns) / 1e9
            step_m = float(np.linalg.norm(position_m - last.position_m))
            turn_rad = angle_of(last.rotation.T @ rotation)
            if stamp_ns == last_ns and step_m == 0.0 and turn_rad < 1e-6:
                return
            if passed_s <= 0.0:
                self.restart()
                self.fault = 'time went back'
            elif (
                step_m > MAX_SPEED_MPS * passed_s + _TREMBLE_M
                or turn_rad > MAX_TURN_RADPS * passed_s + _TREMBLE_RAD
            ):
                self.restart()
                self.fault = f'the pose jumped by {step_m:.2g} m in {passed_s:.2g} s'
            elif passed_s > _MAX_GAP_S:
                self.restart()
                self.fault = f'no message for {passed_s:.2g} s'
            else:
                self.fault = ''
        self._poses.append((stamp_ns, RobotPose(rotation, position_m, self._epoch)))

    def at(self, stamp_ns: int) -> RobotPose | None:
        """
        Return the pose at the time of a picture.

        Parameters
        ----------
        stamp_ns : int
            Of the picture, on the clock of the messages.

        Returns
        -------
        RobotPose or None
            Between two messages, or carried on for up to `MAX_AHEAD_S`; None where there is
            none.

        """
        if len(self._poses) < 2:
            return None
        newest_ns = self._poses[-1][0]
        if stamp_ns < self._poses[0][0] or stamp_ns > newest_ns + MAX_AHEAD_S * 1e9:
            return None
        index = len(self._poses) - 1
        while index > 1 and self._poses[index - 1][0] >= stamp_ns:
            index -= 1
        (before_ns, before), (after_ns, after) = self._poses[index - 1], self._poses[index]
        share = (stamp_ns - before_ns) / (after_ns - before_ns)
        return RobotPose(
            before.rotation @ _power(before.rotation.T @ after.rotation, share),
            before.position_m + share * (after.position_m - before.position_m),
            after.epoch,
        )


def rotation_of(quaternion_xyzw: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """Return the rotation matrix of a quaternion that is not zero."""
    quaternion = np.array(quaternion_xyzw, np.float64)
    x, y, z, w = quaternion / np.linalg.norm(quaternion)
    matrix: NDArray[np.float64] = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return matrix


def angle_of(rotation: NDArray[np.float64]) -> float:
    """Return by how much a matrix rotates, in radians."""
    axis = np.array(
        [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        ]
    )
    return math.atan2(float(np.linalg.norm(axis)), float(np.trace(rotation)) - 1.0)


def rotation_by(vector_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation about a vector by its length in radians."""
    angle = float(np.linalg.norm(vector_rad))
    x, y, z = vector_rad
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    if angle < 1e-9:
        small: NDArray[np.float64] = np.eye(3) + cross
        return small
    sine, cosine = math.sin(angle) / angle, (1.0 - math.cos(angle)) / (angle * angle)
    matrix: NDArray[np.float64] = np.eye(3) + sine * cross + cosine * (cross @ cross)
    return matrix


def _power(rotation: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return that share of a rotation of less than half a turn."""
    angle = angle_of(rotation)
    if angle < 1e-9:
        return np.eye(3)
    axis = np.array(
        [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        ]
    )
    return rotation_by(axis / np.linalg.norm(axis) * angle * share)
