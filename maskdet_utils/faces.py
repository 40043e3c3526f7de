"""Finding faces, their five landmarks and their 468-point mesh.

Every detector here has a ``name`` and offers ``detect(frame) -> list[Face]``, best face first. A frame is RGB uint8
(height, width, 3). `face_detector` makes one by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from . import assets
from .environment import quiet_stderr
from .photos import letterbox, resize_fast


@dataclass(frozen=True, eq=False)
class Face:
    """A face that a detector found in a frame.

    box: (x, y, width, height) in pixels, floats; may reach over the frame's border.
    score: the detector's confidence, 0 to 1.
    landmarks: (5, 2) float array of (x, y) in pixels, or None if the detector gives none. Order: right eye,
        left eye, nose, right mouth corner, left mouth corner. Right and left are the person's own, so in a picture
        of an upright face the point nearer the image's left side comes first.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None


class CenterFace:
    """CenterFace (Xu et al., 2019, arXiv:1911.03599): a face is a peak of a heat map, with its size read off there.

    side: the square that frames are fitted into, in pixels, a multiple of 32. Small photos are enlarged to it.
    min_score, max_overlap: a face must score at least this; of two boxes overlapping more (intersection over union),
        the better one stays.
    square: whether the network sees the whole square. If not, it is spared the black part, and frames are shrunk in
        a faster way: for live use.
    """

    name = "CenterFace"
    stride = 4  # the network's maps have one cell for each 4 x 4 pixels of its input
    outputs = ["537", "538", "539", "540"]  # heat map, log size, offset, landmarks

    def __init__(self, side: int = 416, min_score: float = 0.5, max_overlap: float = 0.3, square: bool = True):
        if side % 32:
            raise ValueError(f"side must be a multiple of 32, not {side}")
        self.side, self.min_score, self.max_overlap, self.square = side, min_score, max_overlap, square
        self.path = str(assets.fetch("centerface"))
        self.nets: dict = {}  # a network for each size of input, few as those are multiples of 32

    def detect(self, frame: np.ndarray) -> list[Face]:
        """Find the faces in an RGB uint8 frame (height, width, 3); an empty list if there are none."""
        # A face that fills the whole frame is too large for the network: if it sees none, it looks from further away.
        return self.look(frame, 1.0) or self.look(frame, 0.5)

    def look(self, frame: np.ndarray, filled: float) -> list[Face]:
        """Run the network once, with the frame taking the share `filled` of its input's side."""
        canvas, scale = letterbox(frame, self.side, filled, fast=not self.square)
        if not self.square:
            height, width = (-(-side * self.side // max(frame.shape[:2]) // 32) * 32 for side in frame.shape[:2])
            canvas = canvas[:height, :width]
        net = self.net_for(canvas.shape)
        net.setInput(cv2.dnn.blobFromImage(canvas))
        boxes, scores, landmarks = self.decode(*net.forward(self.outputs))
        keep = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self.min_score, self.max_overlap)
        return [
            Face(tuple((boxes[i] / scale).tolist()), float(scores[i]), landmarks[i] / scale)
            for i in np.asarray(keep, int).ravel()
        ]

    def net_for(self, shape: tuple[int, int]) -> cv2.dnn.Net:
        """The network for inputs of this shape. OpenCV's keeps to its first input's size: given another it goes wrong."""
        if shape not in self.nets:
            self.nets[shape] = cv2.dnn.readNetFromONNX(self.path)
        return self.nets[shape]

    def decode(
        self, heat: np.ndarray, log_size: np.ndarray, offset: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read boxes (n, 4), scores (n,) and landmarks (n, 5, 2), in input pixels, from the network's four maps.

        Within a pair of channels y comes before x. Sizes are logarithms in cells, offsets are in cells from the
        cell's corner to the face's center, landmarks in box sizes from the box's top left corner.
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
    """YuNet (Wu et al., 2023, doi:10.1007/s11633-023-1423-y), by OpenCV: small, fast, and good at faces with masks.

    side: frames are shrunk to this many pixels on their longer side; small ones stay as they are.
    min_score, max_overlap: as in CenterFace.

    Raises AssetError if its file cannot be had: no package index carries it.
    """

    name = "YuNet"
    smallest = 64  # pixels of a side of the network's input

    def __init__(self, side: int = 320, min_score: float = 0.6, max_overlap: float = 0.3):
        self.side = side
        path = str(assets.fetch_optional("yunet"))
        self.net = cv2.FaceDetectorYN.create(path, "", (side, side), min_score, max_overlap)

    def detect(self, frame: np.ndarray) -> list[Face]:
        """Find the faces in an RGB uint8 frame (height, width, 3); an empty list if there are none."""
        scale = min(1.0, self.side / max(frame.shape[:2]))
        size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
        small = frame if scale == 1 else resize_fast(frame, size)
        # Below some 16 pixels OpenCV 4.14 answers with what happened to be in memory.
        right, below = max(0, self.smallest - size[0]), max(0, self.smallest - size[1])
        small = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT) if right or below else small
        self.net.setInputSize(small.shape[1::-1])
        found = self.net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        if found is None:
            return []
        found[:, :14] /= scale
        return [Face(tuple(row[:4].tolist()), float(row[14]), row[4:14].reshape(5, 2)) for row in found]


class OpenCvSsd:
    """OpenCV's SSD face net, as the usual recipe runs it: the whole frame squeezed into 300 x 300 pixels.

    min_score: a face must score more than this. Gives no landmarks.
    """

    name = "OpenCV SSD"
    side = 300
    mean = (104.0, 177.0, 123.0)  # of the photos that it was trained on, BGR

    def __init__(self, min_score: float = 0.5):
        self.min_score = min_score
        self.net = cv2.dnn.readNetFromCaffe(str(assets.fetch("ssd_layout")), str(assets.fetch("ssd")))

    def detect(self, frame: np.ndarray) -> list[Face]:
        """Find the faces in an RGB uint8 frame (height, width, 3); an empty list if there are none."""
        self.net.setInput(cv2.dnn.blobFromImage(frame, 1.0, (self.side, self.side), self.mean, swapRB=True))
        rows = self.net.forward()[0, 0]  # per face: image, class, score, left, top, right, bottom (0 to 1)
        height, width = frame.shape[:2]
        rows = rows[rows[:, 2] > self.min_score]
        corners = rows[:, 3:7] * (width, height, width, height)
        corners[:, 2:] -= corners[:, :2]
        return [Face(tuple(box), float(score)) for box, score in zip(corners.tolist(), rows[:, 2], strict=True)]


# The sizes are for live use: the smallest that find nine in ten faces of 40 pixels in photos of 400.
DETECTORS: dict[str, Callable] = {
    "yunet": YuNet,
    "centerface": lambda: CenterFace(side=256, min_score=0.35, square=False),
    "ssd": OpenCvSsd,
}
_said: set[str] = set()


def face_detector(name: str = "auto"):
    """Make a face detector: for live use "yunet", "centerface", "ssd", or "auto", the best of them that can be had.

    "careful" is for photos: CenterFace at 640 pixels finds far more small faces and takes ten times as long. "auto"
    says once which one it took. Raises ValueError for another name, AssetError if the files cannot be had.
    """
    if name not in (*DETECTORS, "auto", "careful"):
        raise ValueError(f"No face detector is called {name!r}. There are: auto, careful, {', '.join(DETECTORS)}.")
    if name == "careful":
        return CenterFace(side=640)
    if name != "auto":
        return DETECTORS[name]()
    try:
        found, reason = DETECTORS["yunet"](), ""
    except assets.AssetError:
        found, reason = DETECTORS["centerface"](), ", slower; for YuNet see `maskdet fetch yunet`"
    if found.name not in _said:
        _said.add(found.name)
        print(f"Face detector: {found.name}{reason}.")
    return found


class FaceMesh:
    """MediaPipe's face mesh (Kartynnik et al., 2019, arXiv:1907.06724): 468 points of a face, with depth.

    min_presence: the probability of there being a face at all that is asked for, 0 to 1.
    """

    side = 192  # pixels of the network's square input
    margin = 1.5  # the crop's side in face sizes, as MediaPipe cuts it

    def __init__(self, min_presence: float = 0.5, num_threads: int = 2):
        from ai_edge_litert.interpreter import Interpreter

        self.min_presence = min_presence
        path = assets.fetch("face_mesh")
        with quiet_stderr():
            self.interpreter = Interpreter(str(path), num_threads=num_threads)
            self.interpreter.allocate_tensors()

    def find(self, frame: np.ndarray, face: Face) -> np.ndarray | None:
        """Return the mesh (468, 3) float32 of a detected face, or None if the network sees no face there.

        The first two columns are x and y in frame pixels, the third is depth in the same unit: smaller is nearer to
        the camera. Raises ValueError for a face without landmarks, which tell how the head is tilted.
        """
        if face.landmarks is None:
            raise ValueError("the face has no landmarks; take a detector that gives them, such as CenterFace")
        right_eye, left_eye = face.landmarks[:2]
        x, y, width, height = face.box
        crop = self.crop_matrix((x + width / 2, y + height / 2), left_eye - right_eye, self.margin * max(width, height))
        points, presence = self.run(frame, crop)
        if presence < self.min_presence:
            return None
        # A second look, cut by the mesh of the first one: less shaken by an inexact box.
        center = (points[:, :2].min(axis=0) + points[:, :2].max(axis=0)) / 2
        extent = np.ptp(points[:, :2], axis=0).max()
        points, presence = self.run(
            frame, self.crop_matrix(center, points[263, :2] - points[33, :2], self.margin * extent)
        )
        return points if presence >= self.min_presence else None

    def crop_matrix(self, center: Sequence[float], eye_line: Sequence[float], size: float) -> np.ndarray:
        """Return the 2 x 3 matrix from frame pixels to a square crop of `size` frame pixels with the eyes level."""
        angle = np.degrees(np.arctan2(eye_line[1], eye_line[0]))
        center = (float(center[0]), float(center[1]))
        matrix = cv2.getRotationMatrix2D(center, float(angle), self.side / size)
        matrix[:, 2] += self.side / 2 - np.array(center)
        return matrix

    def run(self, frame: np.ndarray, crop: np.ndarray) -> tuple[np.ndarray, float]:
        """Run the network on one crop; return the mesh (468, 3) float32 in frame pixels and the presence, 0 to 1."""
        image = cv2.warpAffine(frame, crop, (self.side, self.side), borderMode=cv2.BORDER_REPLICATE)
        self.interpreter.set_tensor(
            self.interpreter.get_input_details()[0]["index"], image[np.newaxis].astype(np.float32) / 255
        )
        self.interpreter.invoke()
        mesh, logit = (self.interpreter.get_tensor(o["index"]) for o in self.interpreter.get_output_details())
        points = mesh.reshape(468, 3)
        back = cv2.invertAffineTransform(crop)
        scale = np.hypot(*back[:, 0])  # frame pixels per crop pixel, for the depth
        points = np.column_stack([points[:, :2] @ back[:, :2].T + back[:, 2], points[:, 2] * scale])
        return points.astype(np.float32), float(1 / (1 + np.exp(-logit.ravel()[0])))
