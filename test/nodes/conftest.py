# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Tests that need rclpy; without it they are skipped."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='needs rclpy: run scripts/test, or source a ROS 2')
