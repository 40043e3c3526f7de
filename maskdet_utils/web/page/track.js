// Recognize people from one frame to the next, and give each of them a label that does not flicker. The same as tracking.py.

import { round } from "./classify.js";

/** @typedef {import("./classify.js").Box} Box */
/**
 * One person in a video.
 *
 * @typedef {object} Track
 * @property {number} number
 * @property {Box} box
 * @property {[...Box, number] | null} seen the box where the face was last seen, and the number of that frame
 * @property {[number, number]} motion in pixels per frame
 * @property {number | null} logOdds of the first class against the others, smoothed over time
 * @property {number | null} label 0 for the first class, 1 for the others, null if unsure
 * @property {number[]} others probabilities of the other classes, smoothed over time
 * @property {number} missed how many searches ago the face was last seen
 * @property {number} gap frames between the last two times that the face was seen
 * @property {number} agreed how many classifications in a row supported the label
 * @property {number} undecided for how many frames in a row the log-odds supported neither class
 * @property {number} covered for how many frames in a row something seemed to be held in front of the mask
 * @property {Float32Array | null} bareLook the look of this person without a mask, see `lookOf`
 */

const [MIN_IOU, PATIENCE, WEIGHT, LIMIT, SURE, UNSURE] = [0.3, 30, 0.4, 3, 1, 0.4];
const [UNDECIDED, COVERED, SETTLED, LOOK] = [30, 60, 8, 32];

/** @param {readonly number[]} box @param {readonly number[]} other */
export function iou(box, other) {
  const width = Math.min(box[0] + box[2], other[0] + other[2]) - Math.max(box[0], other[0]);
  const height = Math.min(box[1] + box[3], other[1] + other[3]) - Math.max(box[1], other[1]);
  const both = Math.max(0, width) * Math.max(0, height);
  return both && both / (box[2] * box[3] + other[2] * other[3] - both);
}

/** @param {number} value @param {number} low @param {number} high */
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** @param {number} probability */
export const logOdds = (probability) => Math.log(clamp(probability, 1e-6, 1 - 1e-6) / (1 - clamp(probability, 1e-6, 1 - 1e-6)));

export class Tracker {
  frame = 0; // how many frames there were so far
  nextLook = 1; // the frame at which the next full look is due; before the first one, a quick look shows a label sooner
  seconds = 0.04; // per frame
  count = 0;
  /** @type {Track[]} */ tracks = [];

  /** How many frames there are from one full look to the next: half a second, but at least five frames. */
  get lookEvery() { return Math.max(5, Math.round(0.5 / this.seconds)); }

  /**
   * Match the faces of the next frame with the people of this video, by decreasing overlap.
   *
   * @param {Box[]} boxes
   * @param {number} gap how many frames pass until the next search that finds as much as this one
   */
  follow(boxes, gap = 1) {
    const pairs = boxes.flatMap((box, row) => this.tracks.map((track) => ({ row, track, overlap: iou(box, track.box) })));
    /** @type {Track[]} */ const matches = [];
    for (const { row, track } of pairs.filter((pair) => pair.overlap >= MIN_IOU).sort((a, b) => b.overlap - a.overlap)) {
      if (!matches[row] && !matches.includes(track)) matches[row] = track;
    }
    this.frame += 1;
    for (const track of this.tracks) track.missed += 1;
    boxes.forEach((box, row) => {
      const track = (matches[row] ??= this.#newTrack());
      const frames = track.seen ? this.frame - track.seen[4] : gap;
      if (track.seen) track.motion = [(box[0] - track.seen[0]) / frames, (box[1] - track.seen[1]) / frames];
      Object.assign(track, { gap: frames, box, missed: 0, seen: [...box, this.frame] });
    });
    this.tracks = this.tracks.filter((track) => track.missed <= PATIENCE);
    return matches;
  }

  /**
   * Predict who is in sight without having been found in this frame: they keep moving as before.
   *
   * @param {boolean} searched false to go on to the next frame, in which nobody looks for faces; true after `follow`
   */
  guess(searched) {
    if (!searched) this.frame += 1;
    const missing = this.tracks.filter(({ missed, seen, gap }) => missed && seen && this.frame - seen[4] < gap);
    const guessed = searched ? missing : [...missing, ...this.tracks.filter(({ missed }) => !missed)];
    for (const track of guessed) {
      const [x, y, width, height, frame] = /** @type {[...Box, number]} */ (track.seen);
      const [left, top] = [x + (this.frame - frame) * track.motion[0], y + (this.frame - frame) * track.motion[1]];
      track.box = [round(left), round(top), width, height];
    }
    return guessed;
  }

  /** Whether to classify a person now: with a settled label, only in every other frame. @param {Track} track */
  isDue(track) { return track.agreed < SETTLED || (this.frame + track.number) % 2 === 0; }

  /**
   * Add a frame's evidence about a person.
   *
   * @param {Track} track
   * @param {number} evidence log-odds of the first class against the others
   * @param {number[]} others probabilities of the other classes
   * @param {Float32Array | null} look see `lookOf`; null if it does not help to tell a covered mask from a bare face
   */
  weigh(track, evidence, others, look) {
    evidence = clamp(evidence, -LIMIT, LIMIT);
    others = others.map((other) => Math.max(other, 1e-6));
    if (track.logOdds === null) [track.logOdds, track.others] = [evidence / 2, others]; // a single frame is weak evidence
    const vote = Math.abs(evidence) < SURE ? null : Number(evidence < 0);
    track.agreed = vote !== null && vote === track.label ? track.agreed + 1 : 0;
    this.#average(track, evidence, others, look);
    const sum = /** @type {number} */ (track.logOdds);
    if (Math.abs(sum) >= SURE && track.label !== Number(sum <= 0)) [track.label, track.covered] = [Number(sum <= 0), 0];
    track.undecided = Math.abs(sum) < UNSURE ? track.undecided + 1 : 0;
    if (track.undecided > UNDECIDED) track.label = null;
  }

  /**
   * Average the new evidence in, unless it suggests a bare face only because something covers the mask.
   *
   * @param {Track} track
   * @param {number} evidence
   * @param {number[]} others
   * @param {Float32Array | null} look
   */
  #average(track, evidence, others, look) {
    if (track.label === 0 && evidence < 0 && track.covered < COVERED && isOccluded(track.bareLook, look)) {
      track.covered += 1;
      return;
    }
    if (evidence > 0) track.covered = 0;
    track.logOdds = Number(track.logOdds) + WEIGHT * (evidence - Number(track.logOdds));
    track.others = track.others.map((old, number) => old + WEIGHT * (others[number] - old));
    if (track.label === 1 && evidence <= -SURE && look) {
      const bare = track.bareLook;
      if (!bare) track.bareLook = look;
      else if (track.agreed % 4 === 0) track.bareLook = bare.map((old, number) => (old + look[number]) / 2);
    }
  }

  #newTrack() {
    /** @type {Track} */ const track = { number: (this.count += 1), box: [0, 0, 0, 0], seen: null, motion: [0, 0],
      logOdds: null, label: null, others: [1], missed: 0, gap: 1, agreed: 0, undecided: 0, covered: 0, bareLook: null };
    this.tracks.push(track);
    return track;
  }
}

/** Return the look of a face: what the classifier sees, in gray and at 32×32 pixels. @param {Float32Array} pixels */
export function lookOf(pixels) {
  const size = Math.sqrt(pixels.length / 3);
  const look = new Float32Array(LOOK * LOOK);
  const parts = new Float32Array(LOOK * LOOK);
  for (let place = 0; place < size * size; place += 1) {
    const cell = LOOK * Math.floor((LOOK * Math.floor(place / size)) / size) + Math.floor((LOOK * (place % size)) / size);
    look[cell] += 0.299 * pixels[3 * place] + 0.587 * pixels[3 * place + 1] + 0.114 * pixels[3 * place + 2];
    parts[cell] += 1;
  }
  return look.map((sum, cell) => sum / parts[cell]);
}

/** Whether the eyes look like those of the bare face, but the nose and mouth do not. */
function isOccluded(/** @type {Float32Array | null} */ bare, /** @type {Float32Array | null} */ look) {
  return Boolean(bare && look && similarity(bare, look, 4, 15) >= 0.8 && similarity(bare, look, 16, 29) < 0.75);
}

/**
 * Return the best correlation of some rows of a known look with a new look, over shifts of up to two pixels.
 *
 * @param {Float32Array} known
 * @param {Float32Array} look
 * @param {number} top
 * @param {number} bottom
 */
function similarity(known, look, top, bottom) {
  const centered = (/** @type {Float32Array} */ picture, /** @type {number} */ down, /** @type {number} */ right) => {
    const values = [];
    for (let y = top + down; y < bottom + down; y += 1) values.push(...picture.subarray(LOOK * y + 6 + right, LOOK * y + 26 + right));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.map((value) => value - mean);
  };
  const product = (/** @type {number[]} */ one, /** @type {number[]} */ other) =>
    one.reduce((sum, value, place) => sum + value * other[place], 0);
  const old = centered(known, 0, 0);
  const shifts = [-2, -1, 0, 1, 2];
  return Math.max(...shifts.flatMap((down) => shifts.map((right) => {
    const now = centered(look, down, right);
    return product(old, now) / (Math.sqrt(product(old, old) * product(now, now)) || 1);
  })));
}
