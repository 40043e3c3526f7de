// The two networks and what classifier.json says about them in one object. The same as detector.py.

import { clipBox, decide, look } from "./classify.js";
import { faceFinder, SIDE } from "./faces.js";
import { logOdds, lookOf, Tracker } from "./track.js";

/** @typedef {import("./classify.js").Box} Box */
/** @typedef {import("./classify.js").Config} Config */
/** @typedef {import("./classify.js").Network} Network */
/**
 * A face as labels.js draws it: the box in fractions of the picture.
 *
 * @typedef {{ box: number[], style: number | "unsure", words: string, probability: number, track?: number }} Marked
 */

const SEARCH_EVERY = 2; // frames of a video: in between, faces are assumed to keep moving as before
const HERE = new URL(".", import.meta.url);
const NOT_STARTED = "LiteRT.js, which runs the networks, could not be started. Reload the page. If that doesn't help, some of its files are missing from the server.";
const NO_WEBASSEMBLY = "This browser can't run the classifier, because WebAssembly is turned off or missing. Try another browser.";

/** Fetch a file that lies next to this one. @param {string} name */
export async function read(name) {
  const answer = await fetch(new URL(name, HERE)).catch(() => null);
  if (!answer?.ok) throw new Error(`The file ${name} could not be loaded. Reload the page. If that doesn't help, the file is missing from the server.`);
  return answer;
}

/** @param {string} name */
const bytesOf = async (name) => new Uint8Array(await (await read(name)).arrayBuffer());

/** Start LiteRT.js, which runs networks with WebAssembly, and return a function that makes a network from a file. */
async function startRuntime() {
  if (typeof WebAssembly !== "object") throw new Error(NO_WEBASSEMBLY);
  const { loadAndCompile, loadLiteRt, Tensor } = await import(/** @type {string} */ ("./runtime/litert.js"));
  await loadLiteRt(new URL("runtime/", HERE).href);
  /** @type {(name: string, content: Uint8Array, side: number) => Promise<Network>} */
  return async (name, content, side) => {
    const model = await loadAndCompile(content, { accelerator: "wasm" }).catch(() => {
      throw new Error(`The file ${name} is damaged. Reload the page. If that doesn't help, export the page again.`);
    });
    return async (input) => {
      const tensor = new Tensor(input, [1, side, side, 3]);
      const outputs = await model.run([tensor]);
      tensor.delete();
      return outputs.map((/** @type {any} */ output) => {
        const values = output.toTypedArray();
        output.delete();
        return values;
      });
    };
  };
}

/** Load everything. @throws an error with a sentence for the visitor */
export async function loadDetector() {
  const [faces, classifier] = ["models/faces.tflite", "models/classifier.tflite"];
  const runtime = startRuntime().catch(({ message }) => {
    throw new Error(message === NO_WEBASSEMBLY ? message : NOT_STARTED);
  });
  const parts = [read("classifier.json").then((answer) => answer.json()), runtime, bytesOf(faces), bytesOf(classifier)];
  const [config, open, facesBytes, classifierBytes] = await Promise.all(/** @type {any} */ (parts));
  return new Detector(config, await open(faces, facesBytes, SIDE), await open(classifier, classifierBytes, config.input_size));
}

export class Detector {
  /**
   * @param {Config} config
   * @param {Network} faces BlazeFace
   * @param {Network} classifier
   */
  constructor(config, faces, classifier) {
    this.config = config;
    this.networks = { faces, classifier };
    this.findFaces = faceFinder(faces);
  }

  /**
   * Return what the classifier sees of a face, and the probability of each class.
   *
   * @param {import("./classify.js").Picture} pixels
   * @param {Box} box
   */
  async classify(pixels, box) {
    const seen = look(pixels, box, this.config);
    const [output] = await this.networks.classifier(seen);
    return { seen, probabilities: this.config.outputs.map((place) => output[place]) };
  }

  /** Find and classify the faces in one photo. @param {HTMLCanvasElement} photo @returns {Promise<Marked[]>} */
  async detect(photo) {
    const faces = [];
    const pixels = pixelsOf(photo);
    for (const box of await this.find(photo, true)) {
      const { probabilities } = await this.classify(pixels, box);
      faces.push(this.mark(photo, { box, ...decide(probabilities, this.config) }));
    }
    return faces;
  }

  /** Find and classify the faces in the next frame of a video. @param {HTMLCanvasElement} frame @param {Tracker} tracker */
  async track(frame, tracker) {
    const threshold = logOdds(this.config.threshold);
    const careful = tracker.frame >= tracker.nextLook;
    if (careful) tracker.nextLook = tracker.frame + tracker.lookEvery;
    const isSearched = careful || tracker.frame % SEARCH_EVERY === 0;
    const tracks = [];
    if (isSearched) {
      const known = tracker.tracks.filter(({ missed }) => missed === 0).map(({ box }) => box);
      tracks.push(...tracker.follow(await this.find(frame, careful, known), careful ? tracker.lookEvery : 1));
    }
    tracks.push(...tracker.guess(isSearched));
    const inSight = tracks.filter((track) => (track.box = clipBox(track.box, frame) ?? track.box) && clipBox(track.box, frame));
    const pixels = pixelsOf(frame);
    for (const track of inSight.filter((one) => tracker.isDue(one))) {
      const { seen, probabilities: [first, ...others] } = await this.classify(pixels, track.box);
      // The look of a mask worn incorrectly does not help to tell a covered mask from a bare face.
      tracker.weigh(track, logOdds(first) - threshold, others, others[0] === Math.max(...others) ? lookOf(seen) : null);
    }
    return inSight.map((track) => this.mark(frame, { ...this.labelOf(track, threshold), box: track.box, track: track.number }));
  }

  /** @param {import("./track.js").Track} track @param {number} threshold in log-odds */
  labelOf({ label, logOdds: odds, others }, threshold) {
    const first = 1 / (1 + Math.exp(-(Number(odds) + threshold)));
    const likeliest = Math.max(...others);
    const other = ((1 - first) * likeliest) / others.reduce((sum, value) => sum + value);
    if (label === null) return { label: "unsure", probability: Math.max(first, other) };
    return label === 0 ? { label: this.config.classes[0], probability: first }
      : { label: this.config.classes[1 + others.indexOf(likeliest)], probability: other };
  }

  /**
   * Return the box of each face in whole pixels, inside the picture.
   *
   * @param {HTMLCanvasElement} picture
   * @param {boolean} careful
   * @param {Box[]} known
   */
  async find(picture, careful, known = []) {
    const boxes = (await this.findFaces(picture, careful, known)).map(({ box }) => clipBox(box, picture));
    return boxes.filter((box) => box !== null);
  }

  /** @param {HTMLCanvasElement} picture @param {{ box: Box, label: string, probability: number, track?: number }} face */
  mark({ width, height }, { box: [x, y, boxWidth, boxHeight], label, ...face }) {
    const { classes, mask_class: maskClass } = this.config;
    /** @type {number | "unsure"} */
    const style = classes.includes(label) ? classes.indexOf(label) + (maskClass === null ? 3 : 0) : "unsure";
    return { ...face, box: [x / width, y / height, boxWidth / width, boxHeight / height], style, words: label.replaceAll("_", " ") };
  }
}

/** @param {HTMLCanvasElement} canvas */
export function pixelsOf(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
