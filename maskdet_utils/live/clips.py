"""Clips of the AT&T faces, moving, with masks that go on and off at known frames: for tests, the fake camera, the README."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

CREDIT = "Photos: The Database of Faces, AT&T Laboratories Cambridge"


@dataclass(frozen=True, eq=False)
class Actor:
    """One person of a clip.

    bare, masked: the same photo without and with a mask, RGB uint8. switches: the frames at which the mask goes on,
    off, on …; if `starts_masked`, the first one takes it off.
    """

    bare: np.ndarray
    masked: np.ndarray
    switches: tuple[int, ...] = ()
    starts_masked: bool = False

    def label(self, number: int) -> str:
        """The right answer at this frame: "with_mask" or "without_mask"."""
        switched = sum(number >= at for at in self.switches) % 2 == 1
        return "with_mask" if switched != self.starts_masked else "without_mask"


def cast_actors(people: Sequence[int], switches: Sequence[tuple], photo_number: int = 1, seed: int = 0) -> list[Actor]:
    """Make actors of AT&T's people (1 to 40), each with a mask drawn on; switches: frames for each of them."""
    from .. import sample
    from ..faces import CenterFace, FaceMesh
    from ..synthesis.synthesize import synthesize_photo

    wanted = {f"s{person:02d}": tuple(frames) for person, frames in zip(people, switches, strict=True)}
    detector, mesh = CenterFace(), FaceMesh()
    actors = {}
    for person, number, gray in sample.att_photos():
        if person in wanted and number == photo_number:
            bare = sample.tint(gray, np.random.default_rng([seed, int(person[1:])]))
            masked, drawn = synthesize_photo(bare, np.random.default_rng([seed, int(person[1:])]), detector, mesh)
            if not drawn:
                raise ValueError(
                    f"No mask could be drawn on photo {photo_number} of person {person}: take another one."
                )
            actors[person] = Actor(bare, masked, wanted[person])
    return [actors[f"s{person:02d}"] for person in people]


def play(actors: Sequence[Actor], count: int, width: int = 640, height: int = 480) -> Iterator[tuple[np.ndarray, list]]:
    """Let the actors sway side by side before a wall, for `count` frames.

    Gives for each frame the picture, RGB uint8 (height, width, 3), and for each actor (center of the face (x, y) in
    pixels, label): the truth that a detector is to find.
    """
    scene = _wall(width, height)
    space = width / len(actors)
    face_width = min(0.62 * space, 0.55 * height)
    for number in range(count):
        frame, truth = scene.copy(), []
        for place, actor in enumerate(actors):
            phase = 2 * np.pi * (number / 90 + place / len(actors))
            center = (place + 0.5 + 0.14 * np.sin(phase)) * space, (0.5 + 0.06 * np.sin(2 * phase + place)) * height
            label = actor.label(number)
            photo = actor.masked if label == "with_mask" else actor.bare
            size = face_width * (1 + 0.08 * np.sin(phase + 1))
            _paste(frame, photo, center, size, degrees=5 * np.sin(phase + 2))
            truth.append((center, label))
        yield frame, truth


def _wall(width: int, height: int) -> np.ndarray:
    """A plain wall, lighter at the top: nothing in it looks like a face."""
    down = np.linspace(0, 1, height)[:, None, None]
    wall = (1 - down) * np.array([206, 202, 194]) + down * np.array([150, 152, 158])
    return np.broadcast_to(wall, (height, width, 3)).astype(np.uint8)


def _paste(frame, photo, center, size, degrees) -> None:
    """Put a photo on the frame, `size` pixels wide, tilted, in an oval with a soft edge."""
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, size / width)
    matrix[:, 2] += np.array(center) - (width / 2, height / 2)
    oval = np.zeros((height, width), np.float32)
    cv2.ellipse(
        oval, (width // 2, height // 2), (round(0.55 * width), round(0.58 * height)), 0, 0, 360, 1.0, cv2.FILLED
    )
    oval = cv2.GaussianBlur(oval, (0, 0), 2)
    shape = frame.shape[1::-1]
    opacity = cv2.warpAffine(oval, matrix, shape)[..., None]
    moved = cv2.warpAffine(photo, matrix, shape, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    frame[:] = (frame * (1 - opacity) + moved * opacity).astype(np.uint8)
