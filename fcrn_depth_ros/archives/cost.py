# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How long an archive takes, and what it costs, from the speed measured on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
import time
from typing import Any

import cv2

from .depth_pass import open_pipeline
from .plan import BagOptions, BagPlan
from .recording import Recording
from ..camera.image_messages import image_to_rgb
from ..errors import FrameError, ToolInputError
from ..perception.observation import CameraFrame

_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class CostModel:
    """
    Pictures and the time that one of them takes.

    Attributes
    ----------
    pictures : int
        In all bags.
    measured : int
        So many were tried.
    cpu_s_per_picture, wall_s_per_picture : float
        On this machine, on one core.

    """

    pictures: int
    measured: int
    cpu_s_per_picture: float
    wall_s_per_picture: float

    @property
    def core_hours(self) -> float:
        """Time for all of them on one core, in hours."""
        return self.pictures * self.wall_s_per_picture / _SECONDS_PER_HOUR

    def lines(self, jobs: int, price_per_core_hour: float) -> list[str]:
        """Return the model in words."""
        rate = 1.0 / self.wall_s_per_picture
        lines = [
            f'{self.pictures} pictures; {rate:.1f} pictures/s on one core '
            f'({self.measured} tried, {1e3 * self.cpu_s_per_picture:.1f} ms of CPU each)',
            f'{self.core_hours:.3g} core-hours; {self.core_hours / jobs:.3g} h with {jobs} jobs',
        ]
        if price_per_core_hour > 0:
            lines.append(f'costs {self.core_hours * price_per_core_hour:.2f} at the given price')
        return lines


def measure(options: BagOptions, plans: Iterable[BagPlan], tries: int = 100) -> CostModel:
    """
    Try the first pictures of the first bag that has some.

    Parameters
    ----------
    options : BagOptions
        As for the run.
    plans : iterable of BagPlan
        Every bag.
    tries : int
        How many pictures at most, after a few that warm up.

    Returns
    -------
    CostModel
        See there.

    Raises
    ------
    ToolInputError
        No picture can be used.

    """
    cv2.setNumThreads(1)
    all_plans = list(plans)
    for plan in all_plans:
        camera = plan.cameras[0]
        pipeline = open_pipeline(options, camera)
        with Recording(plan.place) as recording:
            messages = islice(recording.messages([camera.topic]), tries + 5)
            begun: tuple[float, float] | None = None
            count = 0
            for index, (_, time_ns, data) in enumerate(messages):
                if index == 5:
                    begun = time.process_time(), time.perf_counter()
                count += begun is not None
                _observe(pipeline, recording.decode(data, camera.message_type), time_ns)
            if begun is not None and count:
                return CostModel(
                    sum(each.pictures for each in all_plans),
                    count,
                    (time.process_time() - begun[0]) / count,
                    (time.perf_counter() - begun[1]) / count,
                )
    raise ToolInputError('bags must hold at least 6 pictures to measure with, got fewer')


def _observe(pipeline: Any, message: Any, time_ns: int) -> None:
    try:
        image = image_to_rgb(message)
        pipeline.observe(CameraFrame(image, stamp_ns=time_ns, content=message.data.data))
    except FrameError:
        pass
