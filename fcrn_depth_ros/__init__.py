# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Metric depth, proximity and an alert from a single camera, as ROS 2 nodes."""

__version__ = '0.1.0'
