# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Every error this package raises on purpose.

    FcrnDepthError
    ├── ConfigurationError      a setting is out of its range or contradicts another one
    ├── ModelError              the network cannot be used
    │   ├── ModelFileError          missing, truncated, not ONNX, wrong checksum
    │   ├── ModelCardError          the card lacks a key, or contradicts the graph
    │   ├── ProviderError           the execution provider is not there
    │   └── InferenceError          the session failed on a frame, or returned nonsense
    ├── FrameError              one camera frame cannot be used; the next one may
    │   ├── ImageFormatError        encoding, size, step or length
    │   ├── CameraInfoError         intrinsics are unusable or contradict the image
    │   └── DepthShapeError         an array does not have the shape it must have
    ├── BuzzerError             a buzzer cannot be used; nothing but the sound is affected
    └── ToolInputError          a command was given something it cannot work with

The text is always ``<name> must be <expected>, got <actual>; <what to do next>``.
"""


class FcrnDepthError(Exception):
    """Root of every error raised by fcrn_depth_ros."""


class ConfigurationError(FcrnDepthError):
    """A setting is out of its range or contradicts another one."""


class ModelError(FcrnDepthError):
    """The network cannot be used."""


class ModelFileError(ModelError):
    """The model file is missing, truncated, not ONNX, or not the file it should be."""


class ModelCardError(ModelError):
    """The model card lacks a key, has a bad value, or contradicts the graph."""


class ProviderError(ModelError):
    """The requested execution provider is not available."""


class InferenceError(ModelError):
    """The session failed on a frame, or returned something that is not a depth map."""


class FrameError(FcrnDepthError):
    """One camera frame cannot be used; the next one may be."""


class ImageFormatError(FrameError):
    """The encoding, size, step or length of an image is unusable."""


class CameraInfoError(FrameError):
    """The camera's intrinsics are unusable or contradict the image."""


class DepthShapeError(FrameError):
    """An array does not have the shape it must have."""


class BuzzerError(FcrnDepthError):
    """A buzzer cannot be used; nothing but the sound is affected."""


class ToolInputError(FcrnDepthError):
    """A command was given a file, folder or option it cannot work with."""
