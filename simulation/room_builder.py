# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
One room as a MuJoCo model: materials, geometry, walls and lights.

The world has z up, the floor at z = 0 and the room's centre at the origin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from . import textures
from .textures import Color, Texture, TextureMaker


@dataclass(frozen=True)
class Obstacle:
    """
    One piece of furniture or clutter, reduced to what placing needs.

    Attributes
    ----------
    kind : str
        A key of :data:`simulation.obstacles.OBSTACLE_BUILDERS`.
    x_m, y_m : float
        Centre on the floor.
    radius_m : float
        Radius of its bounding circle.
    top_m : float
        Height of its highest point.

    """

    kind: str
    x_m: float
    y_m: float
    radius_m: float
    top_m: float


@dataclass(frozen=True)
class Room:
    """
    A room that MuJoCo can load.

    Attributes
    ----------
    xml : str
        MJCF text.
    assets : dict
        Texture file name -> PNG bytes, as `mujoco.MjModel.from_xml_string` takes them.
    length_m, width_m, height_m : float
        Inner size along x, y and z.
    obstacles : tuple of Obstacle
        What stands in it.

    """

    xml: str
    assets: dict[str, bytes]
    length_m: float
    width_m: float
    height_m: float
    obstacles: tuple[Obstacle, ...]


@dataclass
class RoomBuilder:
    """
    Collects textures and geometry of one room; the last call is :meth:`finish`.

    Attributes
    ----------
    rng : numpy.random.Generator
        Source of every random choice.
    length_m, width_m, height_m : float
        Inner size of the room.
    max_texture_px : int
        Textures are shrunk to this size; they repeat, so little suffices.
    camouflage : float
        Share of the furniture that has the floor's texture.

    """

    rng: np.random.Generator
    length_m: float
    width_m: float
    height_m: float
    max_texture_px: int = 384
    camouflage: float = 0.0
    assets: dict[str, bytes] = field(default_factory=dict)
    obstacles: list[Obstacle] = field(default_factory=list)
    _asset_xml: list[str] = field(default_factory=list)
    _world_xml: list[str] = field(default_factory=list)
    _body_xml: list[str] = field(default_factory=list)
    _floor_texture: Texture | None = None

    def material(
        self,
        texture: Texture,
        meters: float | None = None,
        gloss: float = 0.0,
        glow: float = 0.0,
        mirror: float = 0.0,
    ) -> str:
        """
        Add a material.

        Parameters
        ----------
        texture : ndarray of uint8, shape (N, N, 3)
            RGB picture.
        meters : float, optional
            Side of one repetition on a flat box whose thin side is z. By default the picture is
            put once on each of the six sides of a box, or once around any other shape.
        gloss, glow : float
            Specular reflection and own light, 0..1.
        mirror : float
            Share of the surroundings that a flat box reflects on its upper side, 0..1.

        Returns
        -------
        str
            Name for the geometry methods.

        """
        name = f'm{len(self.assets)}'
        size = self.max_texture_px if meters is not None else min(192, self.max_texture_px)
        image = cv2.resize(texture, (size, size), interpolation=cv2.INTER_AREA)
        ok, png = cv2.imencode('.png', image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        assert ok
        self.assets[f'{name}.png'] = png.tobytes()
        kind = 'cube' if meters is None else '2d'
        repeat = (
            ''
            if meters is None
            else f'texuniform="true" texrepeat="{1 / meters:.3f} {1 / meters:.3f}" '
        )
        self._asset_xml.append(
            f'<texture name="{name}" type="{kind}" file="{name}.png"/>'
            f'<material name="{name}" texture="{name}" {repeat}specular="{gloss:.2f}" '
            f'shininess="{0.3 + 0.5 * gloss:.2f}" emission="{glow:.2f}"'
            + (f' reflectance="{mirror:.2f}"/>' if mirror else '/>')
        )
        return name

    def paint(self, rgb: Color, gloss: float = 0.2) -> str:
        """Add a material of one colour (RGB 0..255) with faint unevenness."""
        image = np.clip(rgb + textures.noise(self.rng, (4, 4), 3) * 6.0, 0, 255).astype(np.uint8)
        return self.material(image, gloss=gloss)

    def furniture_material(self, makers: Sequence[TextureMaker] = textures.FURNITURE) -> str:
        """Add a material made by one of `makers`, or the floor's where camouflage asks for it."""
        floor = self._floor_texture
        if floor is not None and self.camouflage and self.rng.random() < self.camouflage:
            shade = self.rng.uniform(0.85, 1.12)
            return self.material(np.clip(floor * shade, 0, 255).astype(np.uint8))
        return self.material(self.choose(makers)(self.rng), gloss=self.rng.uniform(0.0, 0.5))

    def choose(self, makers: Sequence[TextureMaker]) -> TextureMaker:
        """Pick one texture maker."""
        return makers[int(self.rng.integers(len(makers)))]

    def geom(
        self,
        shape: str,
        size: Sequence[float],
        position: Sequence[float],
        material: str,
        euler_deg: Sequence[float] = (0.0, 0.0, 0.0),
        name: str = '',
    ) -> None:
        """Add a MuJoCo geom of half sizes in metres to the body under construction."""
        label = f'name="{name}" ' if name else ''
        sizes, place, turn = (
            ' '.join(f'{value:.4f}' for value in values) for values in (size, position, euler_deg)
        )
        self._body_xml.append(
            f'<geom {label}type="{shape}" size="{sizes}" pos="{place}" euler="{turn}" '
            f'material="{material}"/>'
        )

    def box(
        self,
        size: Sequence[float] | NDArray[np.float64],
        center: Sequence[float],
        material: str,
        yaw_deg: float = 0.0,
    ) -> None:
        """Add a box of full `size` (x, y, z in metres) around `center`."""
        self.geom('box', [value / 2 for value in size], center, material, (0.0, 0.0, yaw_deg))

    def post(
        self,
        radius_m: float,
        top_m: float,
        x_m: float,
        y_m: float,
        material: str,
        bottom_m: float = 0.0,
    ) -> None:
        """Add an upright cylinder."""
        half = (top_m - bottom_m) / 2
        self.geom('cylinder', (radius_m, half), (x_m, y_m, bottom_m + half), material)

    def end_body(
        self, x_m: float = 0.0, y_m: float = 0.0, yaw_deg: float = 0.0, name: str = ''
    ) -> None:
        """Close the body under construction and stand it at a place of the floor."""
        label = f'name="{name}" ' if name else ''
        self._world_xml.append(
            f'<body {label}pos="{x_m:.4f} {y_m:.4f} 0" euler="0 0 {yaw_deg:.3f}">'
            f'{"".join(self._body_xml)}</body>'
        )
        self._body_xml.clear()

    def panel(
        self,
        width: float,
        height: float,
        center: Sequence[float],
        facing_deg: float,
        material: str,
        thickness: float = 0.04,
    ) -> None:
        """Add an upright flat box whose visible side looks toward `facing_deg` (0 = +x)."""
        # A 2-D texture lies in the local x-y plane: turn local z to the facing direction and local
        # y down, so that row 0 of the texture is on top.
        facing = math.radians(facing_deg)
        normal = np.array([math.cos(facing), math.sin(facing), 0.0])
        place = np.asarray(center) - normal * thickness / 2
        axes = (-normal[1], normal[0], 0.0, 0.0, 0.0, 1.0)
        self._body_xml.append(
            f'<geom type="box" size="{width / 2:.4f} {height / 2:.4f} {thickness / 2:.4f}" '
            f'pos="{place[0]:.4f} {place[1]:.4f} {place[2]:.4f}" '
            f'xyaxes="{" ".join(f"{value:.6f}" for value in axes)}" material="{material}"/>'
        )

    def shell(
        self,
        floors: Sequence[TextureMaker] = textures.FLOORS,
        walls: Sequence[TextureMaker] = textures.WALLS,
        floor_repeat_m: float | None = None,
        floor_mirror: float = 0.0,
    ) -> None:
        """
        Build floor, ceiling, walls, skirting boards, pictures, doors and windows.

        Parameters
        ----------
        floors, walls : sequence of callable
            Texture makers to choose from.
        floor_repeat_m : float, optional
            Side of one repetition of the floor's texture; by default random.
        floor_mirror : float
            Share of its surroundings that the floor reflects, 0..1.

        """
        rng, length, width, height = self.rng, self.length_m, self.width_m, self.height_m
        repeat_m = math.exp(rng.uniform(-1.2, 1.1))
        self._floor_texture = self.choose(floors)(rng)
        floor = self.material(
            self._floor_texture,
            floor_repeat_m or repeat_m,
            rng.uniform(0, 0.4),
            mirror=floor_mirror,
        )
        self.geom('box', (length / 2, width / 2, 0.05), (0, 0, -0.05), floor, name='floor')
        top = self.material(self.choose(textures.CEILINGS)(rng), rng.uniform(0.6, 2.5))
        self.box((length, width, 0.1), (0, 0, height + 0.05), top)
        papers = [
            self.material(
                self.choose(walls)(rng), math.exp(rng.uniform(-0.5, 1.1)), rng.uniform(0, 0.2)
            )
            for _ in range(int(rng.integers(1, 4)))
        ]
        skirting = (
            self.paint(textures.color(rng, (0, 0.3), (0.15, 1.0))) if rng.random() < 0.7 else ''
        )
        board = rng.uniform(0.04, 0.14)
        sides = (
            (0, length, width),
            (180, length, width),
            (90, width, length),
            (270, width, length),
        )
        for index, (facing_deg, distance, span) in enumerate(sides):
            facing = math.radians(facing_deg)
            inward = np.array([math.cos(facing), math.sin(facing)])
            foot = -inward * distance / 2
            paper = papers[index % len(papers)]
            self.panel(span + 0.2, height, (*foot, height / 2), facing_deg, paper, 0.1)
            if skirting:
                self.panel(
                    span, board, (*(foot + inward * 0.015), board / 2), facing_deg, skirting, 0.015
                )
            self._decorate_wall(foot + inward * 0.02, facing_deg, span)
        self.end_body()

    def _decorate_wall(self, foot: Color, facing_deg: float, span: float) -> None:
        rng = self.rng
        facing = math.radians(facing_deg)
        inward = np.array([math.cos(facing), math.sin(facing)])
        along = np.array([-inward[1], inward[0]])
        cursor = -span / 2 + rng.uniform(0.1, 1.0)
        while cursor < span / 2 - 0.5:
            kind = rng.choice(
                ['picture', 'window', 'door', 'gap', 'radiator'], p=[0.32, 0.14, 0.16, 0.3, 0.08]
            )
            size = {
                'picture': (rng.uniform(0.25, 1.2), rng.uniform(0.25, 1.0)),
                'window': (rng.uniform(0.7, 1.8), rng.uniform(0.8, 1.4)),
                'door': (rng.uniform(0.8, 1.0), rng.uniform(1.95, 2.1)),
                'radiator': (rng.uniform(0.6, 1.4), 0.55),
            }.get(str(kind), (rng.uniform(0.3, 1.5), 0.0))
            if cursor + size[0] > span / 2 - 0.05 or size[1] > self.height_m - 0.1:
                break
            middle = foot + along * (cursor + size[0] / 2)
            if kind in ('picture', 'window', 'door'):
                texture = getattr(textures, str(kind))(rng)
                material = self.material(
                    texture, glow=rng.uniform(0.3, 0.9) if kind == 'window' else 0.0, gloss=0.2
                )
                low = {
                    'picture': rng.uniform(1.0, 1.5),
                    'window': rng.uniform(0.6, 1.0),
                    'door': 0.0,
                }[str(kind)]
                self.panel(
                    *size,
                    (*middle, min(low + size[1] / 2, self.height_m - size[1] / 2)),
                    facing_deg,
                    material,
                )
            elif kind == 'radiator':
                material = self.paint(textures.color(rng, (0, 0.1), (0.75, 1.0)))
                for rib in np.arange(0.0, size[0], 0.07):
                    self.panel(
                        0.05,
                        0.55,
                        (*(foot + along * (cursor + rib) + inward * 0.1), 0.42),
                        facing_deg,
                        material,
                        0.08,
                    )
            cursor += size[0] + rng.uniform(0.1, 1.2)

    def lights(self) -> str:
        """Make the lights: one or two lamps with shadows and fill light; returns their MJCF."""
        rng = self.rng
        brightness = rng.choice([rng.uniform(0.25, 0.5), rng.uniform(0.5, 1.0)], p=[0.2, 0.8])
        tint = np.array([1.0, rng.uniform(0.82, 1.0), rng.uniform(0.65, 1.05)])
        ambient = brightness * rng.uniform(0.3, 0.55) * tint
        sky = f'{rng.uniform(-1, 1):.2f} {rng.uniform(-1, 1):.2f} 0.5'
        parts = [
            f'<light type="directional" castshadow="false" dir="{sky}" specular="0 0 0" '
            f'diffuse="{_rgb(brightness * 0.15 * tint)}" ambient="{_rgb(ambient)}"/>'
        ]
        for index in range(int(rng.integers(1, 4))):
            x_m, y_m = rng.uniform(-0.45, 0.45, 2) * (self.length_m, self.width_m)
            z_m = rng.uniform(0.75, 0.98) * self.height_m
            lamp = brightness * rng.uniform(0.35, 0.7) * tint * rng.uniform(0.92, 1.08, 3)
            shadow = 'true' if index == 0 else 'false'
            parts.append(
                f'<light type="spot" castshadow="{shadow}" cutoff="75" exponent="0.5" '
                f'pos="{x_m:.2f} {y_m:.2f} {z_m:.2f}" '
                f'dir="{rng.uniform(-0.5, 0.5):.2f} {rng.uniform(-0.5, 0.5):.2f} -1" '
                f'diffuse="{_rgb(lamp)}" specular="{_rgb(lamp * 0.5)}"/>'
                f'<light type="point" castshadow="false" attenuation="0.5 0.1 0.06" '
                f'pos="{x_m:.2f} {y_m:.2f} {z_m - 0.5:.2f}" '
                f'diffuse="{_rgb(lamp * 0.8)}" specular="0 0 0"/>'
            )
        return ''.join(parts)

    def stand(self, obstacle: Obstacle, yaw_deg: float) -> Obstacle:
        """Close the body under construction as an obstacle."""
        name = f'{obstacle.kind}_{len(self.obstacles)}'
        self.end_body(obstacle.x_m, obstacle.y_m, yaw_deg, name)
        self.obstacles.append(obstacle)
        return obstacle

    def discard_body(self) -> None:
        """Drop the body under construction."""
        self._body_xml.clear()

    def finish(
        self,
        extra_xml: str = '',
        width_px: int = 640,
        height_px: int = 480,
        shadow_px: int = 2048,
    ) -> Room:
        """
        Put everything together.

        Parameters
        ----------
        extra_xml : str
            More MJCF bodies for the world.
        width_px, height_px : int
            Largest picture that will be rendered.
        shadow_px : int
            Sharpness of the shadows; they take half of the time of a small picture.

        Returns
        -------
        Room
            Ready to be loaded.

        """
        sun = self.lights()
        xml = f"""<mujoco><compiler angle="degree"/>
<statistic center="0 0 1" extent="1" meansize="0.1"/>
<visual><map znear="0.02" zfar="60"/><quality shadowsize="{shadow_px}" offsamples="4"/>
<global offwidth="{width_px}" offheight="{height_px}"/>
<headlight ambient="0 0 0" diffuse="0.06 0.06 0.06" specular="0 0 0"/></visual>
<asset>{''.join(self._asset_xml)}</asset>
<worldbody>{sun}{''.join(self._world_xml)}{extra_xml}
<camera name="camera" pos="0 0 1"/>
<body name="probe" mocap="true" pos="0 0 -5">
<geom name="probe" type="sphere" size="0.01" group="5" contype="0" conaffinity="0"/></body>
</worldbody></mujoco>"""
        return Room(
            xml,
            dict(self.assets),
            self.length_m,
            self.width_m,
            self.height_m,
            tuple(self.obstacles),
        )


def _rgb(values: Color) -> str:
    return ' '.join(f'{value:.3f}' for value in values)
