// Find faces with BlazeFace (Bazarevsky et al., 2019, arXiv:1907.05047) in MediaPipe's "full range" version.
//
// Its numbers are MediaPipe's: mediapipe/modules/face_detection/face_detection_full_range.pbtxt and
// face_detection_full_range_common.pbtxt (input 192×192 in [-1, 1], one layer of anchors with stride 4, offset 0.5, and
// fixed size, weighted suppression at 0.3), and ssd_anchors_calculator.cc and tensors_to_detections_calculator.cc.

import { iou } from "./track.js";

/** @typedef {import("./classify.js").Box} Box */
/** @typedef {import("./classify.js").Network} Network */
/** @typedef {{ box: Box, score: number }} Face */

export const SIDE = 192; // of the network's square input, in pixels
const STRIDE = 4; // pixels of the input from one anchor to the next
const VALUES = 16; // per anchor: the box's center and size, then six points, which we don't need
const SAME_FACE = 0.3; // boxes that overlap more than this are averaged

// Ours: in street photos, these find the most faces without many false ones (see tests/test_web_page.py).
const MIN_SCORE = 0.55; // MediaPipe asks for 0.6, but looks only once
const WORTH_A_LOOK = 0.3; // a score between this and `MIN_SCORE` is worth a closer look
const CLOSER = [3, 6]; // sides of the squares around such a face, in box sizes
const OVERLAP = 1 / 3; // of neighboring squares
const CUT = 3; // pixels of the input: a box that is this close to a square's edge may have been cut off there

/**
 * Read the faces from the network's output.
 *
 * @param {Float32Array} boxes
 * @param {Float32Array} scores
 * @param {number} least
 * @returns {Face[]} boxes in pixels of the input
 */
export function decode(boxes, scores, least = WORTH_A_LOOK) {
  const inRow = SIDE / STRIDE;
  return Array.from(scores, (raw, anchor) => ({ anchor, score: 1 / (1 + Math.exp(-raw)) }))
    .filter(({ score }) => score > least)
    .map(({ anchor, score }) => {
      const [right, down, width, height] = boxes.subarray(VALUES * anchor, VALUES * anchor + 4);
      const x = STRIDE * ((anchor % inRow) + 0.5) + right;
      const y = STRIDE * (Math.floor(anchor / inRow) + 0.5) + down;
      return { box: [x - width / 2, y - height / 2, width, height], score };
    });
}

/** Average the boxes that are on the same face, weighted by their scores. @param {Face[]} faces @returns {Face[]} */
export function merge(faces) {
  const rest = [...faces].sort((one, other) => other.score - one.score);
  const merged = [];
  while (rest.length) {
    const same = rest.filter(({ box }) => box === rest[0].box || iou(box, rest[0].box) > SAME_FACE);
    const sum = same.reduce((total, { score }) => total + score, 0);
    const mean = [0, 1, 2, 3].map((side) => same.reduce((total, { box, score }) => total + score * box[side], 0) / sum);
    merged.push({ box: /** @type {Box} */ (mean), score: rest[0].score });
    rest.splice(0, rest.length, ...rest.filter((face) => !same.includes(face)));
  }
  return merged;
}

/** @param {HTMLCanvasElement} canvas */
const contextOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));

/** Find the faces in a picture; `network` is BlazeFace. @param {Network} network */
export function faceFinder(network) {
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const context = contextOf(canvas);

  /**
   * Return a picture in smaller and smaller sizes. Each copy is half as large as the one before: a canvas that shrinks a
   * picture by more than that leaves out pixels. In the last one, the longer side has as many pixels as the network's input.
   *
   * @param {HTMLCanvasElement} picture
   */
  function shrink(picture) {
    const copies = [{ picture, scale: 1 }];
    const longer = Math.max(picture.width, picture.height);
    for (let halves = Math.max(0, Math.floor(Math.log2(longer / SIDE))); halves >= 0; halves -= 1) {
      const scale = (SIDE * 2 ** halves) / longer;
      const [width, height] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * scale)));
      const copy = Object.assign(document.createElement("canvas"), { width, height });
      contextOf(copy).drawImage(copies[copies.length - 1].picture, 0, 0, width, height);
      copies.push({ picture: copy, scale });
    }
    return copies;
  }

  /**
   * Show the network a square of the picture. What is outside of the picture is black.
   *
   * @param {ReturnType<typeof shrink>} copies
   * @param {number} left in pixels of the picture itself, as `top` and `side`
   * @param {number} top
   * @param {number} side
   * @returns {Promise<Face[]>}
   */
  async function look(copies, left, top, side) {
    const [{ picture: { width: mostX, height: mostY } }] = copies;
    const { picture, scale } = copies.findLast((copy) => copy.scale * side >= SIDE - 0.01) ?? copies[0];
    context.fillRect(0, 0, SIDE, SIDE);
    context.drawImage(picture, left * scale, top * scale, side * scale, side * scale, 0, 0, SIDE, SIDE);
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    const input = new Float32Array(3 * SIDE * SIDE);
    for (let from = 0, to = 0; to < input.length; from += 4, to += 3) {
      for (let channel = 0; channel < 3; channel += 1) input[to + channel] = data[from + channel] / 127.5 - 1;
    }
    const outputs = await network(input);
    const scores = outputs.findIndex(({ length }) => length === (SIDE / STRIDE) ** 2);
    const isWhole = (/** @type {number} */ start, /** @type {number} */ size, /** @type {number} */ low, /** @type {number} */ most) =>
      (low <= 0 || start > CUT) && (low + side >= most || start + size < SIDE - CUT);
    return decode(outputs[1 - scores], outputs[scores])
      .filter(({ box: [x, y, width, height] }) => isWhole(x, width, left, mostX) && isWhole(y, height, top, mostY))
      .map(({ box: [x, y, width, height], score }) => {
        const box = [x, y, width, height].map((value) => (value * side) / SIDE);
        return { box: [left + box[0], top + box[1], box[2], box[3]], score };
      });
  }

  /** Cut one side of a picture into parts that overlap, or center it, and return where they start. */
  function starts(/** @type {number} */ whole, /** @type {number} */ part) {
    const steps = Math.max(0, Math.ceil((whole - part) / (part * (1 - OVERLAP)) - 1e-9));
    return Array.from({ length: steps + 1 }, (_, step) => (steps ? (step * (whole - part)) / steps : (whole - part) / 2));
  }

  /** Take closer looks at a doubtful face, and return the best one. */
  async function lookAgain(/** @type {ReturnType<typeof shrink>} */ copies, /** @type {Face} */ face) {
    const [x, y, width, height] = face.box;
    const looks = [face];
    for (const closer of CLOSER) {
      const side = closer * Math.max(width, height);
      looks.push(...merge(await look(copies, x + (width - side) / 2, y + (height - side) / 2, side)));
    }
    return looks.filter(({ box }) => iou(box, face.box) > SAME_FACE).sort((one, other) => other.score - one.score)[0];
  }

  /**
   * @param {HTMLCanvasElement} picture
   * @param {boolean} careful whether to also look at parts of the picture, larger, for small faces
   * @param {Box[]} known where faces were a moment ago: there, a lower score will do
   * @returns {Promise<Face[]>}
   */
  return async function findFaces(picture, careful, known = []) {
    const [copies, longer] = [shrink(picture), Math.max(picture.width, picture.height)];
    const found = [];
    for (let side = longer; side === longer || (careful && side >= SIDE); side /= 2) {
      for (const top of starts(picture.height, side)) {
        for (const left of starts(picture.width, side)) found.push(...await look(copies, left, top, side));
        if (side < longer) await new Promise((goOn) => setTimeout(goOn)); // the page must not freeze meanwhile
      }
    }
    const faces = [];
    for (const face of merge(found)) faces.push(careful && face.score < MIN_SCORE ? await lookAgain(copies, face) : face);
    // BlazeFace's boxes are square. Those that the classifier knows (CenterFace's) are narrower and taller.
    return merge(faces).map(({ box: [x, y, width, height], score }) => (
      { box: /** @type {Box} */ ([x + 0.03 * width, y - 0.09 * height, 0.94 * width, 1.14 * height]), score }
    )).filter(({ box, score }) => score >= MIN_SCORE || known.some((old) => iou(old, box) > SAME_FACE));
  };
}
