"""Finding faces, their five landmarks and their 468-point mesh.

Every detector here offers ``detect(frame) -> list[Face]``, best face first. A frame is RGB uint8 (height, width, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import assets
from .quiet import quiet_stderr


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


def letterbox(frame: np.ndarray, side: int, filled: float = 1.0) -> tuple[np.ndarray, float]:
    """Fit a frame into the top left corner of a black square of `side` pixels, keeping its proportions.

    filled: the share of the square's side that the frame's longer side takes. Returns the square (side, side, 3) and
    the scale: pixels of the square per pixel of the frame.
    """
    height, width = frame.shape[:2]
    scale = side * filled / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.zeros((side, side, 3), np.uint8)
    square[: size[1], : size[0]] = cv2.resize(frame, size, interpolation=interpolation)
    return square, scale


class CenterFace:
    """CenterFace (Xu et al., 2019, arXiv:1911.03599): a face is a peak of a heat map, with its size read off there.

    side: the square that frames are fitted into, in pixels, a multiple of 32. Small photos are enlarged to it.
    min_score, max_overlap: a face must score at least this; of two boxes overlapping more (intersection over union),
        the better one stays.
    """

    stride = 4  # the network's maps have one cell for each 4 x 4 pixels of its input

    def __init__(self, side: int = 416, min_score: float = 0.5, max_overlap: float = 0.3):
        if side % 32:
            raise ValueError(f"side must be a multiple of 32, not {side}")
        self.side, self.min_score, self.max_overlap = side, min_score, max_overlap
        self.net = cv2.dnn.readNetFromONNX(str(assets.fetch("centerface")))
        self.outputs = ["537", "538", "539", "540"]  # heat map, log size, offset, landmarks

    def detect(self, frame: np.ndarray) -> list[Face]:
        """Find the faces in an RGB uint8 frame (height, width, 3); an empty list if there are none."""
        # A face that fills the whole frame is too large for the network: if it sees none, it looks from further away.
        return self.look(frame, 1.0) or self.look(frame, 0.5)

    def look(self, frame: np.ndarray, filled: float) -> list[Face]:
        """Run the network once, with the frame taking the share `filled` of its square input's side."""
        square, scale = letterbox(frame, self.side, filled)
        self.net.setInput(cv2.dnn.blobFromImage(square))
        boxes, scores, landmarks = self.decode(*self.net.forward(self.outputs))
        keep = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self.min_score, self.max_overlap)
        return [
            Face(tuple((boxes[i] / scale).tolist()), float(scores[i]), landmarks[i] / scale)
            for i in np.asarray(keep, int).ravel()
        ]

    def decode(self, heat, log_size, offset, points) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read boxes (n, 4), scores (n,) and landmarks (n, 5, 2), in input pixels, from the network's four maps.

        Within a pair of channels y comes before x. Sizes are logarithms in cells, offsets are in cells from the
        cell's corner to the face's centre, landmarks in box sizes from the box's top left corner.
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
        centre = (points[:, :2].min(axis=0) + points[:, :2].max(axis=0)) / 2
        extent = np.ptp(points[:, :2], axis=0).max()
        points, presence = self.run(
            frame, self.crop_matrix(centre, points[263, :2] - points[33, :2], self.margin * extent)
        )
        return points if presence >= self.min_presence else None

    def crop_matrix(self, centre, eye_line, size: float) -> np.ndarray:
        """Return the 2 x 3 matrix from frame pixels to a square crop of `size` frame pixels with the eyes level."""
        angle = np.degrees(np.arctan2(eye_line[1], eye_line[0]))
        centre = (float(centre[0]), float(centre[1]))
        matrix = cv2.getRotationMatrix2D(centre, float(angle), self.side / size)
        matrix[:, 2] += self.side / 2 - np.array(centre)
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


def face_mesh(frame: np.ndarray, face: Face, mesh: FaceMesh | None = None) -> np.ndarray | None:
    """Return the (468, 3) mesh of one face; a shorthand for ``FaceMesh().find``, see there."""
    return (mesh or FaceMesh()).find(frame, face)
