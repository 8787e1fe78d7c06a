"""Metric depth, proximity and an alert from a single camera, as ROS 2 nodes."""

__version__ = '0.1.0'
