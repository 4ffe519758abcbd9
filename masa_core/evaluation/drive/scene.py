"""One frame: the background, and every object in it from far to near."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.drive.paths import Actor
from masa_core.evaluation.drive.render import Pose, Sprite, placed
from masa_core.evaluation.drive.shapes import Action
from masa_core.evaluation.drive.view import View, clip_near

_SHADE, _BELOW = 0.45, 0.75  # of the light that is taken away in the shadow and below
_SHADOW = (-0.35, 0.28)  # where the shadow of something one metre high ends: x and z
_BLUR_FROM_PX = 1.5

Image = NDArray[np.uint8]


@dataclass
class Shown:
    """What is visible of an object in a frame.

    x, y: top-left pixel of `visible` (h, w) bool. whole_px: pixels that it would take in the
    frame if nothing stood before it. truncated: whether it touches the frame's edge.
    """

    actor: Actor
    x: int
    y: int
    visible: NDArray[np.bool_]
    whole_px: int
    truncated: bool

    @property
    def visible_px(self) -> int:
        return int(np.count_nonzero(self.visible))

    @property
    def occlusion(self) -> float:
        """Share of it that other objects hide, 0..1."""
        return 1 - self.visible_px / self.whole_px


Placement = tuple[Actor, Pose, Action]


def compose(
    background: Image, placements: list[Placement], view: View, time_s: float, exposure_s: float
) -> tuple[Image, list[Shown]]:
    """The picture, and the objects of which some pixel is visible, in the order of placements.

    Masks are those at the middle of the exposure, for which moving objects are blurred.
    """
    picture = _shadowed(background, placements, view)
    order = sorted(placements, key=lambda item: -_nearest_z(item))
    owners = np.full(picture.shape[:2], -1, np.int32)
    drawn: list[tuple[Actor, Sprite]] = []
    for actor, pose, action in order:
        sprite = actor.look.draw(action, pose, view, actor.light(time_s))
        if sprite is None:
            continue
        window = _window(sprite)
        owners[window][sprite.solid] = len(drawn)
        _paste(picture, _blurred(sprite, actor, time_s, exposure_s, view))
        drawn.append((actor, sprite))
    shown = []
    for number, (actor, sprite) in enumerate(drawn):
        visible = owners[_window(sprite)] == number
        if visible.any():
            whole_px = int(np.count_nonzero(sprite.solid))
            cut = _at_edge(sprite, view)
            shown.append(Shown(actor, sprite.x, sprite.y, visible, whole_px, cut))
    shown.sort(key=lambda item: item.actor.id)
    return picture, shown


def _nearest_z(placement: Placement) -> float:
    actor, pose, _ = placement
    ground = np.insert(actor.look.footprint, 1, 0, axis=1)
    return float(placed(ground, pose)[:, 2].min())


def _at_edge(sprite: Sprite, view: View) -> bool:
    height, width = sprite.solid.shape
    sides = (
        (sprite.x == 0, sprite.solid[:, 0]),
        (sprite.y == 0, sprite.solid[0]),
        (sprite.x + width == view.width, sprite.solid[:, -1]),
        (sprite.y + height == view.height, sprite.solid[-1]),
    )
    return any(touches and pixels.any() for touches, pixels in sides)


def _window(sprite: Sprite) -> tuple[slice, slice]:
    height, width = sprite.coverage.shape
    return slice(sprite.y, sprite.y + height), slice(sprite.x, sprite.x + width)


def _paste(picture: Image, sprite: Sprite) -> None:
    region = picture[_window(sprite)]
    rest = cv2.cvtColor(255 - sprite.coverage, cv2.COLOR_GRAY2BGR)
    cv2.add(cv2.multiply(region, rest, scale=1 / 255), sprite.colour, dst=region)


def _shadowed(background: Image, placements: list[Placement], view: View) -> Image:
    """The background with the shadows of all objects, darkest right below them."""
    half = (view.height // 2, view.width // 2)  # shadows are soft: half the size is fine
    shade = np.zeros(half, np.uint8)
    for actor, pose, _ in placements:
        below = placed(np.insert(actor.look.footprint, 1, 0, axis=1), pose)
        away = below + np.array((_SHADOW[0], 0, _SHADOW[1])) * actor.look.height
        for ground, darkness in ((np.concatenate((below, away)), _SHADE), (below, _BELOW)):
            layer = np.zeros(half, np.uint8)
            outline = cv2.convexHull(ground[:, [0, 2]].astype(np.float32))[:, 0].astype(float)
            shown = clip_near(np.insert(outline, 1, 0, axis=1))
            if len(shown) < 3:
                continue
            pixels = np.rint(np.clip(view.project(shown) / 2, -20_000, 20_000)).astype(np.int32)
            cv2.fillConvexPoly(layer, pixels, round(255 * darkness))
            shade = np.maximum(shade, layer)
    if not shade.any():
        return background.copy()
    soft = cv2.GaussianBlur(shade, (0, 0), max(view.width / 1100, 0.5))
    light = 255 - cv2.resize(soft, (view.width, view.height))
    factor = cv2.cvtColor(light, cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.multiply(background, factor, scale=1 / 255), np.uint8)


def _blurred(sprite: Sprite, actor: Actor, time_s: float, exposure_s: float, view: View) -> Sprite:
    """The sprite drawn out along the way that the object goes while it is exposed."""
    before, after = actor.at(time_s - exposure_s / 2), actor.at(time_s + exposure_s / 2)
    if before is None or after is None or min(before[0].z, after[0].z) < 1:
        return sprite
    points = np.array([(pose.x, actor.look.height / 2, pose.z) for pose, _ in (before, after)])
    dx, dy = np.subtract(*view.project(points)).tolist()
    length = float(np.hypot(dx, dy))
    if length < _BLUR_FROM_PX:
        return sprite
    kernel = streak(dx, dy)
    edge = len(kernel) // 2
    four = cv2.merge((sprite.colour, sprite.coverage))
    height, width = sprite.coverage.shape
    room = (
        min(edge, sprite.y),
        min(edge, view.height - sprite.y - height),
        min(edge, sprite.x),
        min(edge, view.width - sprite.x - width),
    )
    wide = cv2.copyMakeBorder(four, *room, cv2.BORDER_CONSTANT, value=0)
    wide = cv2.filter2D(wide, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return Sprite(
        sprite.x - room[2],
        sprite.y - room[0],
        np.ascontiguousarray(wide[:, :, :3]),
        np.ascontiguousarray(wide[:, :, 3]),
        sprite.solid,
    )


def streak(dx: float, dy: float) -> NDArray[np.float32]:
    """Kernel of a blur by a straight motion of some pixels, whose values add up to 1."""
    edge = max(1, int(np.ceil(max(abs(dx), abs(dy)) / 2)))
    kernel = np.zeros((2 * edge + 1, 2 * edge + 1), np.float32)
    for share in np.linspace(-0.5, 0.5, 8 * edge + 1):
        x, y = edge + share * dx, edge + share * dy
        column, row = int(np.floor(x)), int(np.floor(y))
        for r, c in ((row, column), (row, column + 1), (row + 1, column), (row + 1, column + 1)):
            if 0 <= r < len(kernel) and 0 <= c < len(kernel):
                kernel[r, c] += (1 - abs(y - r)) * (1 - abs(x - c))
    return kernel / kernel.sum()
