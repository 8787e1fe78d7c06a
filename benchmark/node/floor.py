# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The pieces of depth_node without ROS: what no node around the same network can fall below.

Pictures become due at the rate of the camera; the newest one that is due is observed, the others
are superseded. Prints what the listener and the node would have, as JSON.
"""

from __future__ import annotations

import argparse
from array import array
import json
import os
from pathlib import Path
import time
from types import SimpleNamespace

from fcrn_depth_ros.camera.image_messages import compressed_image_to_rgb, image_to_rgb
from fcrn_depth_ros.camera.rectification import LensCalibration
from fcrn_depth_ros.estimation.onnx_model import load_onnx_model, SessionConfig
from fcrn_depth_ros.estimation.stopwatch import Stage, Stopwatch
from fcrn_depth_ros.perception.observation import CameraFrame
from fcrn_depth_ros.perception.pipeline import PerceptionPipeline
import numpy as np
from numpy.typing import NDArray

from .pictures import CameraInput, INPUTS, intrinsics, mounting, number, picture_data
from .usage import forget_peak, usage


def main() -> None:
    """Observe pictures for a while."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--model', type=Path, required=True)
    parser.add_argument('--threads', type=int, required=True)
    parser.add_argument('--input', choices=INPUTS, required=True)
    parser.add_argument('--rate', type=float, required=True)
    parser.add_argument('--warm-up', type=float, required=True)
    parser.add_argument('--seconds', type=float, required=True)
    arguments = parser.parse_args()
    camera = INPUTS[arguments.input]
    session = SessionConfig(intra_op_threads=arguments.threads)
    pipeline = PerceptionPipeline.for_model(load_onnx_model(arguments.model, session))
    pictures = picture_data(camera)
    forget_peak()
    calibration = LensCalibration.of_raw_picture(intrinsics(camera))
    place = mounting()
    frames_ns, inference_s, times_s = [], [], []
    count, cpu_s = -1, 0.0
    start_ns = time.time_ns()
    start_s = time.perf_counter()
    while True:
        due = int((time.perf_counter() - start_s) * arguments.rate)
        if due <= count:
            due = count + 1
            time.sleep(max(0.0, start_s + due / arguments.rate - time.perf_counter()))
            stamp_ns = time.time_ns()
        else:
            stamp_ns = start_ns + round(due / arguments.rate * 1e9)
        if due / arguments.rate >= arguments.warm_up and not cpu_s:
            cpu_s = time.process_time()
        if due / arguments.rate >= arguments.warm_up + arguments.seconds:
            break
        count = due
        data = pictures[count % len(pictures)]
        number(data, camera, count)
        stopwatch = Stopwatch()
        image_rgb = _decode(data, camera)
        stopwatch.lap(Stage.DECODE)
        frame = CameraFrame(
            image_rgb, stamp_ns, calibration=calibration, mounting=place, content=memoryview(data)
        )
        pipeline.observe(frame, stopwatch)
        frames_ns.append((stamp_ns, time.time_ns()))
        inference_s.append((stamp_ns, stopwatch.times_s.get(Stage.INFERENCE, 0.0)))
        times_s.append({stage.value: value for stage, value in stopwatch.times_s.items()})
    print(
        json.dumps(
            {
                'start_ns': start_ns,
                'frames_ns': frames_ns,
                'inference_s': inference_s,
                'times_s': times_s,
                'cpu_s': time.process_time() - cpu_s,
                # A node does not keep the pictures of the camera.
                'peak_mb': usage(os.getpid()).peak_mb - sum(map(len, pictures)) / 2**20,
            }
        )
    )


def _decode(data: array[int], camera: CameraInput) -> NDArray[np.uint8]:
    if camera.is_compressed:
        return compressed_image_to_rgb(SimpleNamespace(data=data, format='jpeg'))
    return image_to_rgb(
        SimpleNamespace(
            height=camera.height_px,
            width=camera.width_px,
            encoding='rgb8',
            is_bigendian=0,
            step=3 * camera.width_px,
            data=data,
        )
    )


if __name__ == '__main__':
    main()
