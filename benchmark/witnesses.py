# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What the witnesses of scale cost a processor, and how steady the distance is with them.

A simulated robot stands still, then drives; its pictures have the noise of a camera. Depth is the
network's, without a mounting. Printed: time of the processor per picture, as a share of one core,
and the flicker of the nearest distance from picture to picture: as the network draws it, with
the factor that each picture gives by itself, and with the factor that is applied.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import json
import math
from pathlib import Path
import sys
import time
from typing import Any

import cv2
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimate, DepthEstimator
from fcrn_depth_ros.estimation.onnx_model import embedded_model_path, load_onnx_model
from fcrn_depth_ros.perception.proximity import estimate_proximity, ProximityConfig
from fcrn_depth_ros.scale.floor_plane import FloorWatch
from fcrn_depth_ros.scale.keeper import ScaleConfig, ScaleKeeper
from fcrn_depth_ros.scale.level_lines import LevelWatch
from fcrn_depth_ros.scale.odometry import CameraPlace, CameraPose, OdometryTrack
from fcrn_depth_ros.scale.range_hint import RangeBeam, RangeHint, RangeHintConfig
import numpy as np
from numpy.typing import NDArray
from simulation.camera_effects import apply_effects, random_effects
from simulation.odometry import beam, BEAM_MAX_M, WheelOdometry
from simulation.scenarios import numbered_scenario

from .machine import processor
from .tremble import tremble

_STEP_S, _SPEED_MPS = 0.1, 0.3
_RATE_HZ = 15.0


@dataclass(frozen=True)
class Moment:
    """One picture, what the network made of it, and what the other sensors said."""

    time_s: float
    image_rgb: NDArray[np.uint8]
    estimate: DepthEstimate
    pose: CameraPose | None
    beam: RangeBeam
    is_moving: bool


def drive(seed: int, pictures: int) -> tuple[CameraIntrinsics, list[Moment]]:
    """
    Let a robot stand, then drive straight ahead, and record what it sees.

    Parameters
    ----------
    seed : int
        Other seeds give other rooms.
    pictures : int
        At most; half of them before it moves.

    Returns
    -------
    tuple of CameraIntrinsics and list of Moment
        Of the pictures, in order.

    """
    network = DepthEstimator(load_onnx_model(embedded_model_path('CPU')))
    rng = np.random.default_rng(seed)
    effects = random_effects(rng)
    world = numbered_scenario(seed, 0, 'straight').build()
    wheels, track, place = WheelOdometry(rng), OdometryTrack(), CameraPlace.stated(None)
    camera, moments = world.renderer.intrinsics, []
    for index in range(pictures):
        time_s = 1.0 + index * _STEP_S
        stamp_ns = round(time_s * 1e9)
        track.add(wheels.reading(stamp_ns))
        robot = track.at(stamp_ns)
        image = apply_effects(world.renderer.render(world.camera_pose()).image_rgb, effects, rng)
        hint = RangeHint(stamp_ns, beam(world.beam_m(), rng), 0.02, BEAM_MAX_M, 0.03)
        moving = index >= pictures // 2
        moments.append(
            Moment(
                time_s, image, network.estimate(image, camera),
                None if robot is None else place.pose(robot),
                RangeBeam(hint, RangeHintConfig().place()), moving,
            )
        )  # fmt: skip
        if moving:
            for _ in range(5):
                world.step(_STEP_S / 5, _SPEED_MPS, 0.0)
                wheels.move(world.speed_mps * _STEP_S / 5, 0.0)
            if world.clearance_m() < 0.05:
                break
    world.renderer.close()
    return camera, moments


def flicker(distances_m: Sequence[float]) -> float:
    """Return the median by which a distance trembles; NaN for fewer than three pictures."""
    return float(np.median(tremble(distances_m)))


def measure(camera: CameraIntrinsics, moments: Sequence[Moment]) -> dict[str, Any]:
    """Return the costs in ms of the processor per picture, and the flicker."""
    keeper, floor, level = ScaleKeeper(ScaleConfig()), FloorWatch(), LevelWatch()
    spent_ms: dict[str, list[float]] = {
        'straight lines': [], 'floor by shape': [], 'motion and range': []
    }  # fmt: skip
    raw: dict[bool, list[float]] = {False: [], True: []}
    own: dict[bool, list[float]] = {False: [], True: []}
    applied: dict[bool, list[float]] = {False: [], True: []}
    last = 0.0
    for moment in moments:
        estimate = moment.estimate
        first = time.process_time()
        down = level.look(moment.image_rgb, camera, moment.time_s)
        begin = time.process_time()
        plane = floor.look(
            estimate.depth_m, estimate.intrinsics, estimate.floor, moment.time_s, down
        )
        middle = time.process_time()
        report = keeper.look(
            moment.image_rgb, camera, None, moment.pose, moment.time_s, estimate, moment.beam,
            None if plane is None else plane.mounting(), down=down,
        )  # fmt: skip
        end = time.process_time()
        spent_ms['straight lines'].append(1e3 * (begin - first))
        spent_ms['floor by shape'].append(1e3 * (middle - begin))
        spent_ms['motion and range'].append(1e3 * (end - middle))
        if not report.motion.silence:
            last = report.motion.log_factor
        empty = None if plane is None else plane.inverse_depth(estimate.intrinsics)
        seen = estimate_proximity(estimate.depth_m, ProximityConfig(), empty)
        nearest_m = seen.nearest_distance_m
        if math.isfinite(nearest_m) and nearest_m > 0.0:
            raw[moment.is_moving].append(nearest_m)
            own[moment.is_moving].append(nearest_m * math.exp(last))
            applied[moment.is_moving].append(nearest_m * report.factor)
    per_picture = {name: float(np.mean(values)) for name, values in spent_ms.items()}
    total_ms = sum(per_picture.values())
    return {
        'pictures': len(moments),
        'ms_per_picture': per_picture,
        'share_of_a_core_at_15_hz': total_ms / 1e3 * _RATE_HZ,
        'flicker': {
            name: {'still': flicker(values[False]), 'moving': flicker(values[True])}
            for name, values in (
                ('network', raw), ("each picture's own factor", own), ('applied factor', applied),
            )
        },
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog='witnesses', description=__doc__)
    parser.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3, 4], help='of the rooms')
    parser.add_argument('--pictures', type=int, default=80, help='in each room (default 80)')
    parser.add_argument('--json', type=Path, help='file for the figures')
    parsed = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    rooms = [measure(*drive(seed, parsed.pictures)) for seed in parsed.seeds]
    cost = float(np.mean([room['share_of_a_core_at_15_hz'] for room in rooms]))
    print(f'{processor()}: {cost:.1%} of a core at {_RATE_HZ:g} Hz')
    for name in rooms[0]['ms_per_picture']:
        print(f'  {name}: {np.mean([room["ms_per_picture"][name] for room in rooms]):.2f} ms')
    print('flicker of the nearest distance, still and moving (median of the rooms):')
    for name in rooms[0]['flicker']:
        pairs = [room['flicker'][name] for room in rooms]
        still, moving = (np.nanmedian([pair[k] for pair in pairs]) for k in ('still', 'moving'))
        print(f'  {name}: {still:.2%}, {moving:.2%}')
    if parsed.json:
        parsed.json.write_text(json.dumps(rooms, indent=1) + '\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
