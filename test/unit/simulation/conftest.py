"""Choose the software renderer before any test imports mujoco."""

import simulation  # noqa: F401
