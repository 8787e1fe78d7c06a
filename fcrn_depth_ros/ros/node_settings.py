# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Which settings each node has. ROS-free, so that docs and YAML are generated without ROS.

``NODE_SETTINGS`` is what ``ros/parameters.py`` declares and what
``scripts/generate_parameter_files`` writes down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from ..alert.beeper import BeeperConfig
from ..alert.machine import AlertConfig
from ..camera.mounting import CameraMounting
from ..camera.playback import FrameSourceConfig
from ..errors import ConfigurationError
from ..estimation.depth_estimator import EstimationConfig
from ..estimation.onnx_model import SessionConfig
from ..perception.confidence import ConfidenceConfig
from ..perception.floor import FloorConfig
from ..perception.looming import LoomingConfig
from ..perception.pipeline import FrameConfig, PerceptionConfig
from ..perception.proximity import ProximityConfig
from ..perception.quality import QualityConfig
from ..perception.scan import ScanConfig
from ..perception.scan_frame import scan_frame_of
from ..perception.steadiness import SteadinessConfig
from ..report.drawing import COLOR_MAPS
from ..scale.keeper import ScaleConfig
from ..scale.odometry import CameraPlace
from ..scale.range_hint import RangeHintConfig
from ..scale.scan_hint import ScanHintConfig
from ..settings import misordered, setting, Settings


@dataclass(frozen=True)
class InputSettings(Settings):
    """Start and image topic."""

    autostart: bool = setting(
        True,
        'Configure and activate the node at start. With false, the node waits for lifecycle '
        'transitions.',
        read_only=True,
    )
    image_transport: str = setting(
        'raw',
        'Topic of the images: `image` (raw) or `image/compressed` (compressed).',
        choices=('raw', 'compressed'),
        read_only=True,
    )


@dataclass(frozen=True)
class ModelSettings(Settings):
    """Which network is used."""

    model_file: str = setting(
        'auto',
        'auto: fcrn_lite of this package, as INT8 or float, whichever is measured at configure '
        'to be faster on this CPU. tiny: the small network of this package, INT8. Empty: '
        'fcrn_lite, INT8 on the CPU. Otherwise the path of an ONNX file with a model card.',
        read_only=True,
    )
    model_card: tuple[str, ...] = setting(
        (), 'Entries `key=value` for keys that the model card of the file lacks.', read_only=True
    )

    def __post_init__(self) -> None:
        """Check every setting, and that each card entry is `key=value`."""
        super().__post_init__()
        self.card_overrides()

    def card_overrides(self) -> dict[str, str]:
        """
        Split the card entries.

        Returns
        -------
        dict
            Card key -> value, both text.

        Raises
        ------
        ConfigurationError
            If an entry has no `=`.

        """
        overrides = {}
        for entry in self.model_card:
            key, equals, value = entry.partition('=')
            if not equals:
                raise ConfigurationError(
                    f'model_card must hold key=value entries, got {entry!r}; '
                    'see docs/model_contract.md for the keys'
                )
            overrides[key.strip()] = value.strip()
        return overrides


@dataclass(frozen=True)
class MountingSettings(Settings):
    """Mounting of the camera above the floor."""

    camera_height_m: float = setting(
        0.0,
        'Height of the optical centre above the floor, in metres. 0 means unknown.',
        minimum=0.0,
        maximum=20.0,
    )
    camera_pitch_deg: float = setting(
        0.0,
        'Pitch of the optical axis, in degrees. Positive is down.',
        minimum=-80.0,
        maximum=80.0,
    )
    camera_roll_deg: float = setting(
        0.0,
        'Roll of the camera, in degrees. Positive is clockwise, seen from behind the camera.',
        minimum=-180.0,
        maximum=180.0,
    )
    camera_x_m: float = setting(
        0.0,
        'Distance of the optical centre ahead of the point whose pose `odom` states, in metres. '
        'Matters where the robot turns. With floor_frame, TF gives it.',
        minimum=-10.0,
        maximum=10.0,
    )
    camera_y_m: float = setting(
        0.0,
        'Distance of the optical centre to the left of that point, in metres.',
        minimum=-10.0,
        maximum=10.0,
    )
    camera_yaw_deg: float = setting(
        0.0,
        'Yaw of the optical axis against the forward direction of the robot, in degrees. '
        'Positive is to the left.',
        minimum=-180.0,
        maximum=180.0,
    )
    floor_frame: str = setting(
        '',
        'TF frame on the floor, for example base_footprint. When set, height, pitch and roll '
        'come from TF (needs tf2_ros) and not from the three parameters.',
        read_only=True,
    )

    use_mounting_topic: bool = setting(
        False,
        'Take the mounting of each image from the topic mounting (geometry_msgs/PoseStamped: the '
        'pose of the optical frame above the floor, z up, stamped like the image), for a camera '
        'that knows how it is held. An image without a pose within 0.1 s has no mounting. It '
        'comes before floor_frame and the three parameters.',
        read_only=True,
    )

    def mounting(self) -> CameraMounting | None:
        """
        Give the mounting that the parameters state.

        Returns
        -------
        CameraMounting or None
            None where the height is 0, which means unknown.

        """
        if self.camera_height_m == 0.0:
            return None
        return CameraMounting(self.camera_height_m, self.camera_pitch_deg, self.camera_roll_deg)

    def place(self, mounting: CameraMounting | None) -> CameraPlace:
        """Give the place of a camera on the robot, from its mounting and the parameters."""
        return CameraPlace.stated(mounting, self.camera_x_m, self.camera_y_m, self.camera_yaw_deg)


@dataclass(frozen=True)
class OutputSettings(Settings):
    """Encoding, colours and frames of the outputs."""

    depth_encoding: str = setting(
        '32FC1',
        'Encoding of depth/image_rect (REP 118): 32FC1 is metres with NaN for unknown, 16UC1 is '
        'millimetres with 0 for unknown.',
        choices=('32FC1', '16UC1'),
    )
    color_map: str = setting(
        'turbo',
        'Colour map of depth/image_color; in relative mode that is grey, nearest white.',
        choices=tuple(COLOR_MAPS),
    )
    color_min_m: float = setting(
        0.2, 'Depth that is drawn in the first colour, in metres.', minimum=0.0, maximum=1000.0
    )
    color_max_m: float = setting(
        5.0, 'Depth that is drawn in the last colour, in metres.', minimum=0.001, maximum=1000.0
    )
    scan_frame_id: str = setting(
        '',
        'Frame of depth/scan and proximity/range: x forward, z up, origin at the camera. Empty '
        'derives it from the frame of the image: a trailing _optical_frame or _optical becomes '
        '_scan.',
    )
    publish_tf: bool = setting(
        True,
        'Publish the transform from the frame of the image to the frame of depth/scan on '
        '/tf_static, unless another node publishes one. It follows pitch and roll of the '
        'camera. Needs tf2_msgs.',
        read_only=True,
    )

    def scan_frame(self, image_frame: str) -> str:
        """Return the frame of depth/scan and proximity/range for that of the image."""
        return self.scan_frame_id or scan_frame_of(image_frame)

    def contradiction(self) -> str:
        """Return which two values contradict each other; empty where none do."""
        return misordered(self, ('color_min_m', 'color_max_m')) or super().contradiction()


@dataclass(frozen=True)
class AlertNodeSettings(Settings):
    """Start, heartbeat, velocity type and buzzer."""

    autostart: bool = setting(
        True,
        'Configure and activate the node at start. With false, the node waits for lifecycle '
        'transitions.',
        read_only=True,
    )
    heartbeat_rate_hz: float = setting(
        25.0,
        'Rate of `stop`, in Hz. The timeout of a twist_mux lock must be longer than two periods.',
        minimum=10.0,
        maximum=100.0,
        read_only=True,
    )
    realtime_priority: int = setting(
        20,
        'Real-time priority (round robin) of the process, where the system permits it. It keeps '
        'a busy machine from delaying a stop. 0 means ordinary scheduling.',
        minimum=0,
        maximum=99,
        read_only=True,
    )
    cmd_vel_type: str = setting(
        'auto',
        'Message type of cmd_vel_in and cmd_vel_out. auto takes the type that is published on '
        'cmd_vel_in, or, while nobody publishes, the type that is subscribed on cmd_vel_out.',
        choices=('auto', 'Twist', 'TwistStamped'),
        read_only=True,
    )
    robot_frame_id: str = setting(
        'base_link',
        "Frame of proximity/memory: the robot's centre of rotation, x ahead.",
        read_only=True,
    )
    buzzer: str = setting(
        'topic',
        'Buzzer beside the topics buzzer and buzzer/frequency: none (topic), a GPIO pin (gpio), '
        'Create 3 or TurtleBot 4 (create3), TurtleBot3 (turtlebot3), or the loudspeaker of this '
        'machine (sound).',
        choices=('topic', 'gpio', 'create3', 'turtlebot3', 'sound'),
        read_only=True,
    )
    buzzer_pin: int = setting(
        18, 'BCM number of the GPIO pin (buzzer: gpio).', minimum=0, maximum=100, read_only=True
    )
    buzzer_sound_file: str = setting(
        '',
        'WAV file that receives the tone instead of the loudspeaker (buzzer: sound).',
        read_only=True,
    )


@dataclass(frozen=True)
class ImageSourceSettings(Settings):
    """How the images are published."""

    frame_id: str = setting(
        'camera_optical_frame',
        'Frame of the images: x right, y down, z forward.',
        read_only=True,
    )
    image_transport: str = setting(
        'raw',
        'Topics of the images: `image` (raw), `image/compressed` (compressed, as JPEG), or both.',
        choices=('raw', 'compressed', 'both'),
        read_only=True,
    )
    reliable: bool = setting(
        False,
        'Publish with reliable QoS instead of best effort, so that every subscriber may ask for '
        'each image.',
        read_only=True,
    )
    wait_for_subscribers: int = setting(
        0,
        'Number of subscribers to wait for before the first image is published.',
        minimum=0,
        maximum=100,
        read_only=True,
    )
    wait_timeout_s: float = setting(
        30.0,
        'Time to wait for subscribers before giving up, in seconds.',
        minimum=0.1,
        maximum=3600.0,
        read_only=True,
    )


@dataclass(frozen=True)
class DashboardSettings(Settings):
    """Where the page is served, and what it may do."""

    address: str = setting(
        '127.0.0.1',
        'Address to serve at. Any other than one of this machine alone needs HTTPS and a token, '
        'both made at first use; 0.0.0.0 is every network.',
        read_only=True,
    )
    port: int = setting(
        8731, 'Port of the page. 0 takes a free one.', minimum=0, maximum=65535, read_only=True
    )
    control: bool = setting(
        False,
        'Let the page set parameters, reset, enable and mute the alert, and send pictures of a '
        'phone. Otherwise it only shows.',
        read_only=True,
    )
    rate_hz: float = setting(
        15.0,
        'Most images per second that are sent to a page.',
        minimum=0.5,
        maximum=60.0,
        read_only=True,
    )
    certificate: str = setting(
        '',
        'PEM file of the certificate for HTTPS. Empty makes one for this machine, and prints its '
        'fingerprint.',
        read_only=True,
    )
    private_key: str = setting(
        '', 'PEM file of the private key of the certificate.', read_only=True
    )
    recordings: str = setting(
        '',
        'Folder of the MCAP files that the page records (with control). Empty is '
        '~/.ros/fcrn_depth_ros/recordings.',
        read_only=True,
    )
    foxglove_port: int = setting(
        0,
        'Port of a WebSocket server for Foxglove and Lichtblick on this machine, which only '
        'shows; 8765 is what they expect. 0 is none.',
        minimum=0,
        maximum=65535,
        read_only=True,
    )
    recording_limit_mb: float = setting(
        2000.0,
        'A recording ends by itself when so much has been written, or when less than 500 MB are '
        'free on the disk, in MB.',
        minimum=1.0,
        maximum=1e6,
        read_only=True,
    )


NODE_SETTINGS: dict[str, tuple[type[Settings], ...]] = {
    'depth_node': (
        InputSettings,
        FrameConfig,
        ModelSettings,
        SessionConfig,
        EstimationConfig,
        MountingSettings,
        RangeHintConfig,
        ScanHintConfig,
        ScaleConfig,
        ProximityConfig,
        ConfidenceConfig,
        FloorConfig,
        LoomingConfig,
        SteadinessConfig,
        QualityConfig,
        OutputSettings,
        ScanConfig,
    ),
    'alert_node': (AlertNodeSettings, AlertConfig, BeeperConfig),
    'image_source': (FrameSourceConfig, ImageSourceSettings),
    'dashboard': (DashboardSettings,),
}


Config = TypeVar('Config', bound=Settings)


class AnySnapshot(Protocol):
    """The settings of a node at one moment."""

    def get(self, config_class: type[Config]) -> Config:
        """Return the settings of one class."""


def perception_config(settings: AnySnapshot) -> PerceptionConfig:
    """Gather what the perception pipeline needs of depth_node's settings."""
    return PerceptionConfig(
        frames=settings.get(FrameConfig),
        estimation=settings.get(EstimationConfig),
        quality=settings.get(QualityConfig),
        proximity=settings.get(ProximityConfig),
        scale=settings.get(ScaleConfig),
        confidence=settings.get(ConfidenceConfig),
        floor=settings.get(FloorConfig),
        looming=settings.get(LoomingConfig),
        steadiness=settings.get(SteadinessConfig),
    )
