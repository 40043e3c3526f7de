"""Make clips of moving AT&T faces whose masks go on and off at known frames: for tests, the fake camera, the README."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

# Nobody should be surprised that a classifier knows the people it was trained on, so clips to be looked at show others.
# With seed 0, these people of the sample are in the test set (notebook 01). In the training of the released classifier,
# they are in the validation set (`training_set.with_sample`).
TEST_PEOPLE = (8, 14, 16, 20, 23, 28, 31, 32)


@dataclass(frozen=True, eq=False)
class Actor:
    """One person of a clip.

    Attributes:
        bare: Photo without a mask, RGB uint8 (height, width, 3).
        masked: The same photo with a mask.
        switches: The frames at which the mask goes on, off, on, and so on. 0 puts it on at the beginning.
    """

    bare: np.ndarray
    masked: np.ndarray
    switches: tuple[int, ...] = ()

    def label(self, number: int) -> str:
        """Return the ground truth for frame `number`: "with_mask" or "without_mask"."""
        is_on = sum(number >= switch for switch in self.switches) % 2 == 1
        return "with_mask" if is_on else "without_mask"


def cast_actors(people: Sequence[int], switches: Sequence[tuple]) -> list[Actor]:
    """Make actors from the first photos of people of the AT&T database, and draw a mask for each of them.

    Args:
        people: Numbers of the people, 1 to 40.
        switches: For each person, the frames at which the mask goes on or off, see `Actor`.

    Returns:
        One actor per person, in the order of `people`.

    Raises:
        ValueError: If no face is found in a photo.
    """
    from .. import sample
    from ..faces import CenterFace, FaceMesh
    from ..synthesis import masks

    frames_of = {f"s{person:02d}": tuple(frames) for person, frames in zip(people, switches, strict=True)}
    detector, mesh = CenterFace(), FaceMesh()
    actors = {}
    for person, number, gray in sample.att_photos():
        if person in frames_of and number == 1:
            bare = sample.tint(gray, np.random.default_rng([0, int(person[1:])]))
            faces = detector.detect(bare)
            points = mesh.find(bare, faces[0]) if faces else None
            if points is None:
                raise ValueError(f"No mask can be drawn on the first photo of {person}. Choose another person.")
            rng = np.random.default_rng([0, int(person[1:])])
            masked, _ = masks.draw_mask(bare, points, masks.random_style(rng), rng)
            actors[person] = Actor(bare, masked, frames_of[person])
    return [actors[f"s{person:02d}"] for person in people]


def play(actors: Sequence[Actor], count: int, width: int = 640, height: int = 480) -> Iterator[tuple[np.ndarray, list]]:
    """Let the actors sway side by side in front of a wall.

    Args:
        actors: The people in the clip.
        count: Number of frames.
        width: Of the frames, in pixels.
        height: Of the frames, in pixels.

    Yields:
        (frame, ground truth). The frame is RGB uint8 (height, width, 3). The ground truth has one (center, label) per
        actor: the center of the face, (x, y) in pixels, and the label that a detector should find.
    """
    scene = _wall(width, height)
    space = width / len(actors)
    face_width = min(0.62 * space, 0.55 * height)
    for number in range(count):
        frame, ground_truth = scene.copy(), []
        for place, actor in enumerate(actors):
            phase = 2 * np.pi * (number / 90 + place / len(actors))
            center = (place + 0.5 + 0.14 * np.sin(phase)) * space, (0.5 + 0.06 * np.sin(2 * phase + place)) * height
            label = actor.label(number)
            photo = actor.masked if label == "with_mask" else actor.bare
            size = face_width * (1 + 0.08 * np.sin(phase + 1))
            _paste(frame, photo, center, size, degrees=5 * np.sin(phase + 2))
            ground_truth.append((center, label))
        yield frame, ground_truth


def _wall(width: int, height: int) -> np.ndarray:
    """Paint a plain wall, lighter at the top: nothing in it looks like a face."""
    down = np.linspace(0, 1, height)[:, None, None]
    wall = (1 - down) * np.array([206, 202, 194]) + down * np.array([150, 152, 158])
    return np.broadcast_to(wall, (height, width, 3)).astype(np.uint8)


def _paste(frame, photo, center, size, degrees) -> None:
    """Paste a photo onto the frame, `size` pixels wide and tilted, in an oval with a soft edge."""
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, size / width)
    matrix[:, 2] += np.array(center) - (width / 2, height / 2)
    oval = np.zeros((height, width), np.float32)
    middle, half_axes = (width // 2, height // 2), (round(0.55 * width), round(0.58 * height))
    cv2.ellipse(oval, middle, half_axes, 0, 0, 360, 1.0, cv2.FILLED)
    oval = cv2.GaussianBlur(oval, (0, 0), 2)
    shape = frame.shape[1::-1]
    opacity = cv2.warpAffine(oval, matrix, shape)[..., None]
    warped = cv2.warpAffine(photo, matrix, shape, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    frame[:] = (frame * (1 - opacity) + warped * opacity).astype(np.uint8)
