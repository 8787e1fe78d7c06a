"""Rendered rooms: training images with true depth, the demo clip, and closed-loop driving."""
