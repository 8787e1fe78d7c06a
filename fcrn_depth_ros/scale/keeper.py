# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The scale of a camera that is watched over time: all witnesses, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
import math

import numpy as np
from numpy.typing import NDArray

from .field import DepthField, FieldPrior, REFERENCE_M
from .found_mounting import CONFIRMED_LOG, FoundMounting, MountingFinder
from .landing import LandingFactor, with_landing
from .lattice import at_place, on_picture, PLACES
from .motion import MotionPoints, MotionReport, MotionWitness, ODOMETRY_SIGMA
from .odometry import angle_of, CameraPose
from .range_hint import RangeBeam, RangeReport, RangeWitness
from .scan_hint import ScanBeams, ScanWitness
from .witness import FactorTrack, judge, Judgement, LEAST_SIGMA, Opinion, PatientFactor
from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..estimation.depth_estimator import DepthEstimate
from ..settings import setting, Settings

# AbsRel of fcrn_lite where the mounting is known (docs/model_card.md, `val`, mounting fitted).
MOUNTING_SIGMA = 0.15
_LEAST_FLOOR_POINTS = 8
# A found mounting with which everything is drawn so much too far is wrong.
_TOO_FAR_LOG, _TOO_FAR_SIGMAS = 0.12, 2.0
# From here on motion says the opposite of a height that seems too great.
_OPPOSED_SIGMAS = 1.5
_FLOOR_WINDOW_LOG = 0.10
# A beam lands in one place: its factor changes more with the way than that of the picture.
_BEAM_DRIFT = 4.0
# How much the network's factor in one place differs from that of the picture, and along a scan.
_BEAM_LOCAL_SIGMA, _SCAN_LOCAL_SIGMA = 0.13, 0.08
# By how much the factor differs over a picture where the network does not know the mounting, and
# where it does; more points than these would cost time and know no more.
_UNMOUNTED = FieldPrior(across_sigma=0.05, depth_sigma=0.15, beyond_sigma=0.15, most_points=60)
_MOUNTED = FieldPrior(across_sigma=0.02, depth_sigma=0.06, beyond_sigma=0.06, most_points=60)
# How much the field changes with what the camera sees: per metre, radian and second.
_FIELD_DRIFT = 0.08**2, 0.08**2, 0.01**2
# The middle of so many rows and columns is that of all.
_MEDIAN_STEP = 3
# Pixels whose distance differs from a reading by less than this factor are what was read.
_SAME_DISTANCE = 1.06
_ON_FLOOR = 0.1


@dataclass(frozen=True)
class ScaleConfig(Settings):
    """Which witnesses of scale are heard, and how their factor is applied."""

    scale_correction: bool = setting(
        True,
        'Multiply the depth by the factor that odometry or range hints measure. With false '
        'they are compared with the depth, and reported, but change nothing.',
    )
    scale_patience_s: float = setting(
        1.0,
        'Time for which a factor must have made everything farther before it is applied, in '
        'seconds. A factor that makes everything nearer is applied at once.',
        minimum=0.0,
        maximum=60.0,
    )
    scale_factor: float = setting(
        1.0,
        'Measured factor between true depth and the depth of the network, as written by '
        'fcrn-depth calibrate. Used where scale_factor_sigma is not 0.',
        minimum=0.1,
        maximum=10.0,
    )
    scale_factor_sigma: float = setting(
        0.0,
        'Relative standard deviation of scale_factor. 0 means that nothing was measured.',
        minimum=0.0,
        maximum=1.0,
    )


@dataclass(frozen=True)
class ScaleReport:
    """
    What is known about the scale of one picture.

    Attributes
    ----------
    judgement : Judgement
        Of all witnesses.
    log_factor : float
        Logarithm of the factor that holds now, in the middle of the pixels.
    motion : MotionReport
        What the motion of the camera said about this very picture.
    height_m : float
        Height of the camera above the floor as its motion shows it; NaN where unknown.
    beam : RangeReport
        What a range sensor said about this very picture.
    scan : RangeReport
        What a laser scanner said about it.
    log_factors : ndarray of float32, shape (h, w), or None
        Logarithm of the factor of each pixel; None where one holds for all.
    sigmas : ndarray of float64, shape (N,), or None
        Standard deviation of the scale at `lattice.PLACES`; None where that of the judgement
        holds.
    found : FoundMounting or None
        The mounting that the network was told because the robot found it; None where it was
        stated, or is unknown.

    """

    judgement: Judgement
    log_factor: float = 0.0
    motion: MotionReport = MotionReport('no odometry')
    height_m: float = math.nan
    beam: RangeReport = RangeReport('no range hint')
    scan: RangeReport = RangeReport('no scan hint')
    log_factors: NDArray[np.float32] | None = field(default=None, repr=False)
    sigmas: NDArray[np.float64] | None = field(default=None, repr=False)
    found: FoundMounting | None = None

    @property
    def factor(self) -> float:
        """Factor for the network's depth, in the middle of the pixels."""
        return math.exp(self.log_factor)

    @cached_property
    def factors(self) -> NDArray[np.float32]:
        """Factor for the network's depth, of each pixel or of all."""
        if self.log_factors is None:
            return np.array(self.factor, np.float32)
        factors: NDArray[np.float32] = np.exp(self.log_factors)
        return factors

    def sigma_at(self, distance_m: float, depth_m: NDArray[np.floating]) -> float:
        """
        Return how well the scale is known where a distance was read.

        Parameters
        ----------
        distance_m : float
            The reading.
        depth_m : ndarray of float, shape (h, w)
            Corrected depth, in which it was read.

        Returns
        -------
        float
            Relative standard deviation; NaN where one holds for the whole picture, and where
            nothing is as far.

        """
        if self.sigmas is None or not distance_m > 0.0:
            return math.nan
        near, far = distance_m / _SAME_DISTANCE, distance_m * _SAME_DISTANCE
        rows, columns = np.nonzero((depth_m > near) & (depth_m < far))
        if not len(rows):
            return math.nan
        height, width = depth_m.shape
        factors = np.broadcast_to(self.factors, depth_m.shape)
        drawn_m = distance_m / float(np.median(factors[rows, columns]))
        x, y = float(np.median(columns)), float(np.median(rows))
        return at_place(
            self.sigmas,
            np.array(
                [
                    (x + 0.5) / width - 0.5,
                    (y + 0.5 - height / 2) / width,
                    math.log(drawn_m / REFERENCE_M),
                ]
            ),
        )

    def factor_of_floor(
        self, inverse_floor_depth: NDArray[np.floating], depth_m: NDArray[np.floating]
    ) -> float:
        """
        Return the factor where the floor is in view.

        Parameters
        ----------
        inverse_floor_depth : ndarray of float, shape (h, w)
            1 / depth of the empty floor, corrected.
        depth_m : ndarray of float, shape (h, w)
            Corrected.

        Returns
        -------
        float
            Median over the floor's pixels; that of the picture where there are none.

        """
        if self.log_factors is None:
            return self.factor
        on_floor = np.abs(depth_m * inverse_floor_depth - 1.0) < _ON_FLOOR
        if not on_floor.any():
            return self.factor
        return math.exp(float(np.median(self.log_factors[on_floor])))

    def corrected(self, estimate: DepthEstimate) -> DepthEstimate:
        """
        Return an estimate with the factor in its depth.

        The known floor is moved by the same factor: what is floor and what is not was told
        apart in the network's own depth, and stays so.
        """
        if self.log_factor == 0.0 and self.log_factors is None:
            return estimate
        floor, factors = estimate.inverse_floor_depth, self.factors
        return replace(
            estimate,
            depth_m=estimate.depth_m * factors,
            inverse_floor_depth=None if floor is None else floor / factors,
        )


class ScaleKeeper:
    """
    Listen to all witnesses, picture after picture.

    Parameters
    ----------
    config : ScaleConfig
        Which witnesses are heard.

    """

    def __init__(self, config: ScaleConfig) -> None:
        self._motion = MotionWitness()
        self._track = FactorTrack('motion')
        self._height = FactorTrack('height')
        self._beam = RangeWitness()
        self._beam_track = FactorTrack('range', _BEAM_LOCAL_SIGMA)
        self._landing = LandingFactor()
        self._scan = ScanWitness()
        self._scan_track = FactorTrack('scan', _SCAN_LOCAL_SIGMA)
        self._patient = PatientFactor(config.scale_patience_s)
        self._field = DepthField(_UNMOUNTED)
        self._has_mounting: bool | None = False
        self._finder = MountingFinder()
        self._config = config
        self.restart()

    def restart(self) -> None:
        """Forget every picture."""
        self._motion.restart()
        self._forget_motion()
        self._forget_mounting(None)
        self._beam.restart()
        self._beam_track.restart()
        self._landing.restart()
        self._scan.restart()
        self._scan_track.restart()
        self._patient.restart()
        self._last: tuple[float, CameraPose | None] | None = None

    def told(self, stated: CameraMounting | None) -> CameraMounting | None:
        """
        Return the mounting that the network should be told of the next picture.

        Parameters
        ----------
        stated : CameraMounting or None
            What is stated of it, which counts.

        Returns
        -------
        CameraMounting or None
            Where nothing is stated, what was found by driving.

        """
        if stated is not None or self._found is None or not self._config.scale_correction:
            return stated
        return self._found.mounting

    def reconfigure(self, config: ScaleConfig) -> None:
        """Take new settings; what was measured stays."""
        if config.scale_patience_s != self._config.scale_patience_s:
            self._patient = PatientFactor(config.scale_patience_s)
        self._config = config

    def look(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None,
        mounting: CameraMounting | None,
        pose: CameraPose | None,
        time_s: float,
        estimate: DepthEstimate,
        beam: RangeBeam | None = None,
        tilt: CameraMounting | None = None,
        scan: ScanBeams | None = None,
        is_stated: bool = True,
        down: NDArray[np.float64] | None = None,
        otherwise: CameraMounting | None = None,
    ) -> ScaleReport:
        """
        Take the next picture.

        Parameters
        ----------
        image_rgb : ndarray of uint8, shape (H, W, 3)
            Without distortion.
        intrinsics : CameraIntrinsics or None
            Of the picture; without them motion says nothing.
        mounting : CameraMounting or None
            What the network was told; see :meth:`told`.
        pose : CameraPose or None
            Where it was taken, by odometry.
        time_s : float
            When it was taken.
        estimate : DepthEstimate
            Of the network.
        beam : RangeBeam, optional
            What a range sensor measured then.
        tilt : CameraMounting, optional
            Where the mounting is unknown, the floor as its shape in the depth shows it.
        scan : ScanBeams, optional
            What a laser scanner measured then.
        is_stated : bool
            Whether anybody stated the mounting; else it was found.
        down : ndarray of float64, shape (3,), optional
            Where the mounting is unknown, the unit vector down as straight lines show it.
        otherwise : CameraMounting, optional
            The stated mounting with the angles that straight lines show, where they contradict it.

        Returns
        -------
        ScaleReport
            Which factor holds, and why.

        """
        if not estimate.is_metric or not np.isfinite(estimate.depth_m).any():
            self._motion.restart()
            return ScaleReport(Judgement('unverified', 0.0, math.nan))
        if self._has_mounting != (mounting is not None):
            # The network draws otherwise where it is told the mounting.
            self._has_mounting = mounting is not None
            self._field = DepthField(self._prior)
            self._forget_motion()
            self._patient.restart()
        stated = mounting if is_stated else None
        if stated != self._stated:
            self._forget_mounting(stated)
        found = self._found if mounting is not None and stated is None else None
        self._let_drift(time_s, pose)
        if intrinsics is None:
            self._motion.restart()
            motion = MotionReport('no camera_info')
        else:
            seen_from = pose if found is None else found.corrected(pose)
            motion = self._motion.look(image_rgb, intrinsics, seen_from, estimate.depth_m)
        if motion.is_contrary:
            # What odometry has said lately may have been wrong before it was found out.
            self._forget_motion()
        elif not motion.silence:
            self._follow(motion, intrinsics)
            self._measure_height(motion, mounting)
        if intrinsics is not None:
            self._finder.take(
                image_rgb,
                intrinsics,
                pose,
                estimate.floor,
                mounting or tilt,
                stated is not None,
                down is not None,
            )
        camera = estimate.intrinsics if estimate.is_camera_known else None
        level = mounting or tilt
        if level is None and down is not None:
            level = CameraMounting.from_down_vector(down, 1.0)  # a beam asks for the angles only
        beam_report = self._beam.look(beam, estimate.depth_m, camera, level)
        scan_report = self._scan.look(scan, estimate.depth_m, camera, level)
        for track, heard in ((self._beam_track, beam_report), (self._scan_track, scan_report)):
            if heard.is_contrary:
                track.restart()
            elif not heard.silence:
                drawn_m = heard.value_m / math.exp(heard.log_factor)
                track.take(heard.log_factor, heard.sigma, math.log(drawn_m / REFERENCE_M))
        judgement = self._judge(estimate, mounting, found, otherwise)
        if stated is None:
            self._adopt(self._finder.found(), judgement)
        wanted, sigmas = self._joined(judgement)
        held = self._patient.apply(
            time_s, wanted if self._config.scale_correction else np.zeros(len(PLACES))
        )
        log_factors = sigmas_there = None
        log_factor = float(held[0])
        if np.ptp(held) > 0.0:
            log_factors = on_picture(held, estimate.depth_m)
            few = (slice(None, None, _MEDIAN_STEP),) * 2
            known = log_factors[few][np.isfinite(estimate.depth_m[few])]
            log_factor = float(np.median(known)) if len(known) else float(np.median(log_factors))
        log_factors = self._where_the_beam_lands(
            time_s, beam_report, judgement, estimate.depth_m, log_factor, log_factors
        )
        if judgement.state == 'verified' and np.ptp(sigmas) > 0.0:
            sigmas_there = sigmas
        height_m = math.nan
        if mounting is not None and (opinion := self._height.opinion()) is not None:
            height_m = mounting.height_m * math.exp(opinion.log_factor)
        return ScaleReport(
            judgement,
            log_factor,
            motion,
            height_m,
            beam_report,
            scan_report,
            log_factors,
            sigmas_there,
            found,
        )

    def _where_the_beam_lands(
        self,
        time_s: float,
        beam: RangeReport,
        judgement: Judgement,
        depth_m: NDArray[np.floating],
        log_factor: float,
        log_factors: NDArray[np.float32] | None,
    ) -> NDArray[np.float32] | None:
        """Return the factors of the pixels, with what a beam says where it lands."""
        if beam.is_contrary:
            self._landing.restart()
        if beam.silence or beam.landing is None:
            return log_factors
        said = self._landing.take(time_s, beam.log_factor)
        if not self._config.scale_correction:
            return log_factors
        if log_factors is None:
            log_factors = np.full(depth_m.shape, log_factor, np.float32)
        is_verified = judgement.state == 'verified'
        return with_landing(log_factors, depth_m, beam.landing, said, is_verified)

    @property
    def _prior(self) -> FieldPrior:
        return _MOUNTED if self._has_mounting else _UNMOUNTED

    def _forget_mounting(self, stated: CameraMounting | None) -> None:
        """Forget what was found; what is stated now is checked."""
        self._stated = stated
        self._found: FoundMounting | None = None
        self._finder.restart()
        self._height.restart()
        self._height_of: CameraMounting | None = stated

    def _adopt(self, found: FoundMounting | None, judgement: Judgement) -> None:
        """
        Tell the network what was found; a found mounting that is contradicted is forgotten.

        Not while the floor, looked at again, confirms its height: a network that is told none
        mostly errs more, and what makes things nearer is applied to the depth all the same.
        """
        told = self._found
        if told is not None and (judgement.state == 'contradicted' or self._draws_too_far(told)):
            self._finder.doubt()
            if not self._finder.confirms(told.mounting):
                self._forget_mounting(None)
                return
        if found is not None and found.differs_from(told):
            self._found = found
            self._motion.restart()
            self._has_mounting = None  # what was measured so far is that of another depth

    def _draws_too_far(self, found: FoundMounting) -> bool:
        """Return whether motion says that a network that was told a found mounting errs by it."""
        motion = self._track.opinion()
        return motion is not None and motion.log_factor < -max(
            _TOO_FAR_LOG, _TOO_FAR_SIGMAS * math.hypot(motion.sigma, found.height_sigma)
        )

    def _forget_motion(self) -> None:
        self._track.restart()
        self._height.restart()
        self._field.restart()

    def _follow(self, motion: MotionReport, intrinsics: CameraIntrinsics | None) -> None:
        """Take what the motion measured, all points together and place by place."""
        count = self._track.take(motion.log_factor, motion.sigma)
        if count == 1:
            self._field.restart()
        if count and motion.points is not None and intrinsics is not None:
            self._field.take(motion.points, intrinsics, motion.sigma)

    def _joined(self, judgement: Judgement) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Join what the witnesses say about each place of the lattice.

        A witness is sure of what it measured, and the less of anything else the more its depth
        differs: only the mounting and a calibration speak of all depths alike.
        """
        if not judgement.opinions:
            return np.zeros(len(PLACES)), np.full(len(PLACES), math.nan)
        alone = len(judgement.opinions) == 1
        means, variances = [], []
        for opinion in judgement.opinions:
            mean = np.full(len(PLACES), opinion.log_factor)
            variance = np.full(len(PLACES), opinion.sigma**2)
            if opinion.witness == self._track.witness:
                mean, spread = self._field.at(PLACES)
                variance = spread + ODOMETRY_SIGMA**2
            elif math.isfinite(opinion.log_depth):
                variance += (self._prior.depth_sigma * (PLACES[:, 2] - opinion.log_depth)) ** 2
            means.append(mean)
            variances.append(variance if alone else variance + opinion.local_sigma**2)
        weights = [1.0 / variance for variance in variances]
        total = np.sum(weights, axis=0)
        mean = np.sum([w * m for w, m in zip(weights, means, strict=True)], axis=0) / total
        sigma = np.maximum(LEAST_SIGMA, total**-0.5)
        if judgement.state == 'contradicted':
            return np.minimum(judgement.log_factor, np.min(means, axis=0)), sigma
        if judgement.state != 'verified':
            return np.minimum(0.0, mean), sigma
        # Farther only as far as the witnesses vouch for.
        return np.where(mean > 0.0, np.maximum(0.0, mean - sigma), mean), sigma

    def _let_drift(self, time_s: float, pose: CameraPose | None) -> None:
        if self._last is not None:
            last_s, last = self._last
            moved_m = turned_rad = 0.0
            passed_s = time_s - last_s
            if passed_s < 0.0:
                self.restart()
                passed_s = 0.0
            elif pose is None or last is None or pose.epoch != last.epoch:
                # Nobody knows how far: as if at a walking pace.
                moved_m = min(passed_s, 10.0)
            else:
                moved_m = float(np.linalg.norm(pose.position_m - last.position_m))
                turned_rad = angle_of(pose.rotation.T @ last.rotation)
            for track in (self._track, self._height):
                track.drift(moved_m, turned_rad, passed_s)
            self._field.drift(float(np.dot(_FIELD_DRIFT, (moved_m, turned_rad, passed_s))))
            for track in (self._beam_track, self._scan_track):
                track.drift(_BEAM_DRIFT * moved_m, _BEAM_DRIFT * turned_rad, passed_s)
        self._last = time_s, pose

    def _measure_height(self, motion: MotionReport, mounting: CameraMounting | None) -> None:
        if mounting != self._height_of:
            self._height.restart()
            self._height_of = mounting
        if mounting is None or motion.points is None:
            return
        found = floor_height(motion.points, mounting)
        if found is not None:
            self._height.take(math.log(found / mounting.height_m), max(0.05, motion.sigma))

    def _judge(
        self,
        estimate: DepthEstimate,
        mounting: CameraMounting | None,
        found: FoundMounting | None,
        otherwise: CameraMounting | None,
    ) -> Judgement:
        opinions: list[Opinion] = []
        if estimate.mounting_used != 'none' and not estimate.range_doubts:
            sigma = 0.0 if found is None else found.height_sigma
            opinions.append(Opinion('mounting', 0.0, math.hypot(MOUNTING_SIGMA, sigma)))
        if self._config.scale_factor_sigma > 0.0:
            opinions.append(
                Opinion(
                    'calibration',
                    math.log(self._config.scale_factor),
                    self._config.scale_factor_sigma,
                )
            )
        for track in (self._track, self._beam_track, self._scan_track):
            if (seen := track.opinion()) is not None:
                opinions.append(seen)
        judgement = judge(opinions)
        if judgement.state == 'contradicted' or mounting is None:
            return judgement
        height = self._seen_height(mounting)
        if height is not None and abs(height.log_factor) > max(CONFIRMED_LOG, 2.5 * height.sigma):
            seen_m = mounting.height_m * math.exp(height.log_factor)
            return judgement.contradicted(
                height.log_factor,
                f'mounting says the camera is {mounting.height_m:.2f} m high, motion says '
                f'{seen_m:.2f} m; motion is likelier',
            )
        if otherwise is not None:
            return judgement.contradicted(
                0.0,
                f'mounting says pitch {mounting.pitch_deg:.0f} and roll {mounting.roll_deg:.0f} '
                f'deg, straight lines say {otherwise.pitch_deg:.0f} and '
                f'{otherwise.roll_deg:.0f}; straight lines are likelier',
            )
        return judgement

    def _seen_height(self, mounting: CameraMounting) -> Opinion | None:
        """Return what motion says of a mounting's height: the floor, else all corners."""
        if (seen := self._finder.height_beside(mounting)) is not None:
            return Opinion('height', *seen)
        height = self._height.opinion()
        return None if height is None or self._stands_on_the_floor(height) else height

    def _stands_on_the_floor(self, height: Opinion) -> bool:
        """
        Return whether what seemed to be the floor must be something that stands on it.

        A network that is told too great a height draws everything too far. Where motion says that
        it draws too near, the height is not too great.
        """
        motion = self._track.opinion()
        return (
            height.log_factor < 0.0
            and motion is not None
            and motion.log_factor > _OPPOSED_SIGMAS * motion.sigma
        )


def floor_height(points: MotionPoints, mounting: CameraMounting) -> float | None:
    """
    Find the camera's height above the floor in triangulated points.

    Parameters
    ----------
    points : MotionPoints
        Some of them on the floor.
    mounting : CameraMounting
        Its pitch and roll are used, its height is not.

    Returns
    -------
    float or None
        The most frequent height below the camera that has hardly a point below it; None where
        there is none.

    """
    toward_floor = points.rays @ mounting.down_vector()
    seen = (toward_floor > 0.1) & (points.sigma < 0.15)
    if np.count_nonzero(seen) < _LEAST_FLOOR_POINTS:
        return None
    height = np.sort(np.log(points.depth_m[seen] * toward_floor[seen]))
    first = np.searchsorted(height, height - _FLOOR_WINDOW_LOG)
    last = np.searchsorted(height, height + _FLOOR_WINDOW_LOG)
    below = len(height) - np.searchsorted(height, height + 2.5 * _FLOOR_WINDOW_LOG)
    best = int(np.argmax(last - first - 2.0 * below))
    inside = height[first[best] : last[best]]
    if len(inside) < max(_LEAST_FLOOR_POINTS, 0.3 * len(height)):
        return None
    return math.exp(float(np.median(inside)))
