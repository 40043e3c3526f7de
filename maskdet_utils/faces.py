"""Find faces, their five landmarks, and their 468-point mesh.

Every detector here has a `name` and a method `detect(frame) -> list[Face]`, which returns the best face first. A frame
is RGB uint8 (height, width, 3). `face_detector` makes a detector from its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from . import assets
from .classifier import LiteNetwork
from .photos import letterbox, resize_fast


@dataclass(frozen=True, eq=False)
class Face:
    """A face that a detector found in a frame.

    Attributes:
        box: (x, y, width, height) in pixels, as floats. It may extend beyond the frame.
        score: the detector's confidence, 0 to 1.
        landmarks: (5, 2) float array of (x, y) in pixels, or None if the detector gives no landmarks. The order is
            right eye, left eye, nose, right mouth corner, left mouth corner. Right and left are the person's own. So
            in a photo of an upright face, the point closer to the left edge of the image comes first.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None


class CenterFace:
    """CenterFace (Xu et al., 2019, arXiv:1911.03599): each face is a peak in a heat map, and its size is read there.

    The network sees a frame at `side` pixels, or larger if that would shrink it to less than `least_scale`. If that is
    more than twice `side`, it sees the frame again at a quarter of that size, and so on: each copy shows the faces that
    are too large for the one before. Copies of more than `tile` pixels are cut into tiles that overlap. A face that a
    tile's edge cuts is left to the next tile or the next copy.

    Args:
        side: the side in pixels of the square that frames are fitted into, a multiple of 32. Small photos are enlarged
            to it.
        min_score: the lowest score that counts as a face.
        max_overlap: the largest intersection over union of two faces. If two boxes overlap more than this, the one
            with the higher score stays.
        square: whether the network sees the whole square. If not, the black padding is cut off and frames are shrunk
            by a faster method.
        least_scale: the smallest scale at which frames are seen: pixels of the network's input per pixel of the frame.

    Raises:
        ValueError: `side` is not a multiple of 32.
        AssetError: the network's file is not available.

    Introduced in notebook 02.
    """

    name = "CenterFace"
    stride = 4  # the network's output maps have one cell for each 4×4 pixels of its input
    # In pixels of the input, multiples of 32. The next copy, a quarter as large, shows faces of 96 pixels and more.
    tile, tile_overlap = 1280, 128

    def __init__(self, side: int = 416, min_score=0.5, max_overlap=0.3, square: bool = True, least_scale=0.0):
        import onnxruntime

        if side % 32:
            raise ValueError(f"side must be a multiple of 32, not {side}")
        self.side, self.min_score, self.max_overlap = side, min_score, max_overlap
        self.square, self.least_scale = square, least_scale
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2  # as many as the classifier
        options.log_severity_level = 3  # only errors: the official file has numbers that nothing uses
        # By default, its threads wait for the next photo in a loop that keeps the cores busy, also for everybody else.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(assets.centerface_any_size())
        self.network = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def detect(self, frame: np.ndarray) -> list[Face]:
        """Find the faces in an RGB uint8 frame (height, width, 3). The list is empty if there are none."""
        # A face that fills the whole frame is too large for the network. If it finds none, show it the frame smaller.
        return self.look(frame, self.sides(frame)) or self.look(frame, [self.side], 0.5)

    def sides(self, frame: np.ndarray) -> list[int]:
        """Return the longer sides of the copies of a frame that the network sees, in pixels."""
        sides = [max(self.side, round(self.least_scale * max(frame.shape[:2])))]
        while sides[-1] > 2 * self.side:
            sides.append(max(self.side, sides[-1] // 4))
        return [-(-side // 32) * 32 for side in sides]

    def look(self, frame: np.ndarray, sides: Sequence[int], filled: float = 1.0) -> list[Face]:
        """Run the network on copies of the frame.

        Args:
            frame: RGB uint8 (height, width, 3).
            sides: of the squares that the frame is fitted into, in pixels.
            filled: the fraction of a square's side that the frame takes up.
        """
        found = []
        for side in sides:
            canvas, scale = letterbox(frame, side, filled, fast=not self.square)
            if not self.square:
                height, width = (-(-max(1, round(length * scale)) // 32) * 32 for length in frame.shape[:2])
                canvas = canvas[:height, :width]
            found += self.search(canvas, scale)
        boxes, scores, landmarks = (np.concatenate(parts) for parts in zip(*found, strict=True))
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self.min_score, self.max_overlap)
        return [Face(tuple(boxes[i].tolist()), float(scores[i]), landmarks[i]) for i in np.asarray(kept, int).ravel()]

    def search(self, canvas: np.ndarray, scale: float) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Run the network on a copy of a frame, tile by tile.

        Args:
            canvas: the copy, RGB uint8, with sides that are multiples of 32.
            scale: pixels of the copy per pixel of the frame.

        Yields:
            For each tile what `decode` returns, but in pixels of the frame.
        """
        height, width = canvas.shape[:2]
        step = self.tile - self.tile_overlap
        for top in range(0, max(1, height - self.tile_overlap), step):
            for left in range(0, max(1, width - self.tile_overlap), step):
                tile = canvas[top : top + self.tile, left : left + self.tile]
                boxes, scores, landmarks = self.decode(*self.run(tile))
                start = np.array([left, top])
                low = np.where(start > 0, self.stride, -np.inf)
                high = np.where(start + self.tile < (width, height), self.tile - self.stride, np.inf)
                is_whole = ((boxes[:, :2] > low) & (boxes[:, :2] + boxes[:, 2:] < high)).all(axis=1)
                boxes[:, :2] += start
                yield boxes[is_whole] / scale, scores[is_whole], (landmarks[is_whole] + start) / scale

    def run(self, canvas: np.ndarray) -> list[np.ndarray]:
        """Run the network on an RGB uint8 canvas whose sides are multiples of 32, and return its maps (see `decode`)."""
        return self.network.run(None, {"input.1": cv2.dnn.blobFromImage(canvas)})

    def decode(
        self, heat: np.ndarray, log_size: np.ndarray, offset: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read the faces from the network's four output maps.

        Within each pair of channels, y comes before x.

        Args:
            heat: (1, 1, rows, columns), the score of a face in each cell, 0 to 1.
            log_size: (1, 2, rows, columns), the logarithm of the face's height and width in cells.
            offset: (1, 2, rows, columns), from the cell's center to the face's center, in cells.
            points: (1, 10, rows, columns), the landmarks from the box's top left corner, in box sizes.

        Returns:
            Boxes (n, 4), scores (n,), and landmarks (n, 5, 2), in pixels of the input.
        """
        row, column = np.nonzero(heat[0, 0] >= self.min_score)
        scores = heat[0, 0, row, column]
        height, width = np.exp(log_size[0][:, row, column]) * self.stride
        shift_y, shift_x = offset[0][:, row, column]
        left = (column + shift_x + 0.5) * self.stride - width / 2
        top = (row + shift_y + 0.5) * self.stride - height / 2
        relative = points[0][:, row, column].reshape(5, 2, -1)
        landmarks = np.stack([left + relative[:, 1] * width, top + relative[:, 0] * height], axis=-1)
        return np.stack([left, top, width, height], axis=-1), scores, landmarks.transpose(1, 0, 2)


class YuNet:
    """YuNet (Wu et al., 2023, doi:10.1007/s11633-023-1423-y) in OpenCV: small, fast, and good at faces with masks.

    Args:
        side: frames are shrunk to this many pixels on their longer side. Smaller frames stay as they are.
        min_score: the lowest score that counts as a face.
        max_overlap: the largest intersection over union of two faces, as in `CenterFace`.

    Raises:
        AssetError: the network's file is not available. No package index carries it.
    """

    name = "YuNet"
    smallest = 64  # shortest side of the network's input, in pixels

    def __init__(self, side: int = 320, min_score: float = 0.6, max_overlap: float = 0.3):
        self.side = side
        path = str(assets.fetch_optional("yunet"))
        self.net = cv2.FaceDetectorYN.create(path, "", (side, side), min_score, max_overlap)

    def detect(self, frame: np.ndarray) -> list[Face]:
        """Find the faces in an RGB uint8 frame (height, width, 3). The list is empty if there are none."""
        scale = min(1.0, self.side / max(frame.shape[:2]))
        size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
        small = frame if scale == 1 else resize_fast(frame, size)
        # For inputs below about 16 pixels, OpenCV 4.14 returns uninitialized memory.
        right, bottom = max(0, self.smallest - size[0]), max(0, self.smallest - size[1])
        small = cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_CONSTANT) if right or bottom else small
        self.net.setInputSize(small.shape[1::-1])
        rows = self.net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]  # per face: box, five landmarks, score
        if rows is None:
            return []
        rows[:, :14] /= scale
        return [Face(tuple(row[:4].tolist()), float(row[14]), row[4:14].reshape(5, 2)) for row in rows]


class OpenCvSsd:
    """OpenCV's SSD face detector, run the usual way: the whole frame is squeezed into 300×300 pixels. No landmarks.

    Args:
        min_score: a face must score more than this.

    Introduced in notebook 09.
    """

    name = "OpenCV SSD"
    side = 300
    mean = (104.0, 177.0, 123.0)  # BGR mean of the photos that the network was trained on

    def __init__(self, min_score: float = 0.5):
        self.min_score = min_score
        self.net = cv2.dnn.readNetFromCaffe(str(assets.fetch("ssd_layout")), str(assets.fetch("ssd")))

    def detect(self, frame: np.ndarray) -> list[Face]:
        """Find the faces in an RGB uint8 frame (height, width, 3). The list is empty if there are none."""
        self.net.setInput(cv2.dnn.blobFromImage(frame, 1.0, (self.side, self.side), self.mean, swapRB=True))
        rows = self.net.forward()[0, 0]  # per face: image, class, score, left, top, right, bottom (0 to 1)
        height, width = frame.shape[:2]
        rows = rows[rows[:, 2] > self.min_score]
        corners = rows[:, 3:7] * (width, height, width, height)
        corners[:, 2:] -= corners[:, :2]
        return [Face(tuple(box), float(score)) for box, score in zip(corners.tolist(), rows[:, 2], strict=True)]


# The input sizes are for live use: the smallest ones that still find 9 of 10 faces of 40 pixels in photos of 400.
DETECTORS: dict[str, Callable] = {
    "yunet": YuNet,
    "centerface": lambda: CenterFace(side=256, min_score=0.35, square=False),
    "ssd": OpenCvSsd,
}
_announced: set[str] = set()


def face_detector(name: str = "auto"):
    """Make a face detector from its name.

    Args:
        name: "yunet", "centerface", or "ssd" for live use. "auto" takes YuNet if its file is available and CenterFace
            otherwise, and prints once which one it took. "careful" is for photos and full looks: CenterFace at 480
            pixels, and at 0.6 of the size of larger frames. It finds far more small faces and takes three times as
            long, or longer in large frames.

    Returns:
        A detector with a `name` and a method `detect(frame) -> list[Face]`.

    Raises:
        ValueError: no detector has this name.
        AssetError: the detector's files are not available.

    Introduced in notebook 06.
    """
    if name not in (*DETECTORS, "auto", "careful"):
        raise ValueError(f"No face detector is called {name!r}. Choose from: auto, careful, {', '.join(DETECTORS)}.")
    if name == "careful":
        # Measured in docs/results.md: these sizes and this score find the most faces without many false ones.
        return CenterFace(side=480, min_score=0.45, square=False, least_scale=0.6)
    if name != "auto":
        return DETECTORS[name]()
    try:
        detector, note = DETECTORS["yunet"](), ""
    except assets.AssetError:
        detector, note = DETECTORS["centerface"](), ", slower; for YuNet see `maskdet fetch yunet`"
    if detector.name not in _announced:
        _announced.add(detector.name)
        print(f"Face detector: {detector.name}{note}.")
    return detector


class FaceMesh:
    """MediaPipe's face mesh (Kartynnik et al., 2019, arXiv:1907.06724): 468 points of a face, with depth.

    Args:
        min_presence: the lowest probability, 0 to 1, that there is a face in the crop at all. Below it, `find` returns
            None.
        num_threads: how many CPU threads the network may use.

    Introduced in notebook 02.
    """

    side = 192  # of the network's square input, in pixels
    margin = 1.5  # the crop's side in face sizes, as in MediaPipe

    def __init__(self, min_presence: float = 0.5, num_threads: int = 2):
        self.min_presence = min_presence
        self.network = LiteNetwork(assets.fetch("face_mesh").read_bytes(), num_threads)

    def find(self, frame: np.ndarray, face: Face) -> np.ndarray | None:
        """Find the mesh of a detected face.

        Args:
            frame: RGB uint8 (height, width, 3).
            face: a face in this frame, with landmarks: they show how the head is tilted.

        Returns:
            The mesh (468, 3) float32, or None if the network sees no face there. The first two columns are x and y in
            frame pixels. The third is depth in the same unit: smaller values are closer to the camera.

        Raises:
            ValueError: the face has no landmarks.
        """
        if face.landmarks is None:
            raise ValueError("The face has no landmarks. Use a detector that finds them, such as CenterFace.")
        right_eye, left_eye = face.landmarks[:2]
        x, y, width, height = face.box
        crop = self.crop_matrix((x + width / 2, y + height / 2), left_eye - right_eye, self.margin * max(width, height))
        points, presence = self.run(frame, crop)
        if presence < self.min_presence:
            return None
        # A second run on a crop that follows the first mesh depends less on how exact the detector's box is.
        center = (points[:, :2].min(axis=0) + points[:, :2].max(axis=0)) / 2
        extent = np.ptp(points[:, :2], axis=0).max()
        crop = self.crop_matrix(center, points[263, :2] - points[33, :2], self.margin * extent)
        points, presence = self.run(frame, crop)
        return points if presence >= self.min_presence else None

    def crop_matrix(self, center: Sequence[float], eye_line: Sequence[float], size: float) -> np.ndarray:
        """Return the 2×3 matrix from frame pixels to the network's input: a square crop with the eyes level.

        Args:
            center: (x, y) of the crop's center, in frame pixels.
            eye_line: (x, y) from the right eye to the left eye.
            size: the crop's side, in frame pixels.
        """
        angle = np.degrees(np.arctan2(eye_line[1], eye_line[0]))
        center = (float(center[0]), float(center[1]))
        matrix = cv2.getRotationMatrix2D(center, float(angle), self.side / size)
        matrix[:, 2] += self.side / 2 - np.array(center)
        return matrix

    def run(self, frame: np.ndarray, crop: np.ndarray) -> tuple[np.ndarray, float]:
        """Run the network on one crop.

        Args:
            frame: RGB uint8 (height, width, 3).
            crop: the matrix from `crop_matrix`.

        Returns:
            The mesh (468, 3) float32 in frame pixels, and the probability that there is a face, 0 to 1.
        """
        image = cv2.warpAffine(frame, crop, (self.side, self.side), borderMode=cv2.BORDER_REPLICATE)
        mesh, logit = self.network.outputs(image[np.newaxis].astype(np.float32) / 255)
        points = mesh.reshape(468, 3)
        inverse = cv2.invertAffineTransform(crop)
        scale = np.hypot(*inverse[:, 0])  # depth is in crop pixels too; this is frame pixels per crop pixel
        points = np.column_stack([points[:, :2] @ inverse[:, :2].T + inverse[:, 2], points[:, 2] * scale])
        return points.astype(np.float32), float(1 / (1 + np.exp(-logit.ravel()[0])))
