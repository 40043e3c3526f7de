// What the classifier sees of a face, and what its answer means. The same as boxes.py, photos.py, and classifier.py.
//
// The resizing is written out here, because a canvas resizes differently in each browser, and classifiers notice.

/** @typedef {[number, number, number, number]} Box left, top, width, height in pixels */
/** @typedef {{ data: Uint8ClampedArray, width: number, height: number }} Picture RGBA, four bytes per pixel */
/** @typedef {{ data: Uint8Array, width: number, height: number }} Crop RGB, three bytes per pixel */
/** @typedef {(input: Float32Array) => Promise<Float32Array[]>} Network a function from its input to its outputs */
/**
 * See classifier.json. The class that means "mask" comes first, if there is one (`mask_class` is null otherwise).
 *
 * @typedef {object} Config
 * @property {string[]} classes
 * @property {number | null} mask_class
 * @property {number[]} outputs the place of each class in the network's output
 * @property {number} input_size side of the network's input, in pixels
 * @property {number} crop_margin how much of a face's surroundings the network sees on each side, in box sizes
 * @property {number} threshold for the probability of the first class
 * @property {[number, number] | null} unsure the probabilities of the first class between which a photo's label is "unsure"
 * @property {string} sample_credit
 */

/** Round as Python and OpenCV do: halves go to the even neighbor. @param {number} value */
export function round(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/**
 * Clip a box to a picture and round it to whole pixels.
 *
 * @param {readonly number[]} box
 * @param {{ width: number, height: number }} picture
 * @returns {Box | null} null if all of it lies outside
 */
export function clipBox([x, y, width, height], picture) {
  const [left, top] = [Math.max(0, round(x)), Math.max(0, round(y))];
  const [right, bottom] = [Math.min(picture.width, round(x + width)), Math.min(picture.height, round(y + height))];
  return right > left && bottom > top ? [left, top, right - left, bottom - top] : null;
}

/**
 * Cut a box out of a picture and average blocks of pixels (OpenCV: INTER_AREA by whole factors; 1 averages nothing).
 *
 * @param {Picture} picture
 * @param {Box} box
 * @param {number} factorX
 * @param {number} factorY
 * @returns {Crop}
 */
function shrink(picture, [left, top, boxWidth, boxHeight], factorX, factorY) {
  const [width, height] = [Math.floor(boxWidth / factorX), Math.floor(boxHeight / factorY)];
  const data = new Uint8Array(3 * width * height);
  const area = factorX * factorY;
  const isTwoByTwo = factorX === 2 && factorY === 2; // OpenCV rounds halves up here, and to even elsewhere
  for (let place = 0, y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let channel = 0; channel < 3; channel += 1, place += 1) {
        let sum = 0;
        for (let row = top + y * factorY; row < top + (y + 1) * factorY; row += 1) {
          const start = 4 * (row * picture.width + left + x * factorX) + channel;
          for (let pixel = start; pixel < start + 4 * factorX; pixel += 4) sum += picture.data[pixel];
        }
        data[place] = isTwoByTwo ? (sum + 2) >> 2 : round(sum / area);
      }
    }
  }
  return { data, width, height };
}

/**
 * For each new pixel along one side: the two old pixels that it lies between, and their weights. As in OpenCV, a weight
 * is a whole number, and 2048 means 1.
 *
 * @param {number} from
 * @param {number} to
 */
function neighbors(from, to) {
  return Array.from({ length: to }, (_, number) => {
    const place = Math.fround((number + 0.5) / (to / from) - 0.5);
    const first = Math.floor(place);
    const part = Math.fround(place - first);
    const [one, other] = [first, first + 1].map((pixel) => Math.min(Math.max(0, pixel), from - 1));
    return [one, other, round(2048 * Math.fround(1 - part)), round(2048 * part)];
  });
}

/** Stretch a crop to a square with bilinear interpolation (OpenCV: INTER_LINEAR). @param {Crop} crop @param {number} size */
function stretch({ data, width, height }, size) {
  const columns = neighbors(width, size);
  const wide = new Int32Array(3 * size * height); // each row stretched, in 128ths
  for (let place = 0, row = 0; row < height; row += 1) {
    for (const [left, right, ofLeft, ofRight] of columns) {
      const start = 3 * row * width;
      for (let channel = 0; channel < 3; channel += 1, place += 1) {
        wide[place] = (ofLeft * data[start + 3 * left + channel] + ofRight * data[start + 3 * right + channel]) >> 4;
      }
    }
  }
  const pixels = new Float32Array(3 * size * size);
  neighbors(height, size).forEach(([above, below, ofAbove, ofBelow], row) => {
    for (let column = 0; column < 3 * size; column += 1) {
      const [high, low] = [wide[3 * size * above + column], wide[3 * size * below + column]];
      pixels[3 * size * row + column] = (((ofAbove * high) >> 16) + ((ofBelow * low) >> 16) + 2) >> 2;
    }
  });
  return pixels;
}

/**
 * Return what the classifier sees of a face: the box with its margin, as far as it lies in the picture.
 *
 * @param {Picture} picture
 * @param {Box} box
 * @param {Config} config
 * @returns {Float32Array} a square of RGB pixels from 0 to 255
 */
export function look(picture, [x, y, width, height], { crop_margin: margin, input_size: size }) {
  const wide = [x - margin * width, y - margin * height, width * (1 + 2 * margin), height * (1 + 2 * margin)];
  const box = /** @type {Box} */ (clipBox(wide, picture));
  const factor = (/** @type {number} */ side) => (Math.min(box[2], box[3]) < size ? 1 : Math.floor(side / size));
  return stretch(shrink(picture, box, factor(box[2]), factor(box[3])), size);
}

/**
 * Decide about one photo, by the rule of `classifier.at_threshold`: the first class if its probability reaches the
 * threshold, else the likeliest of the others.
 *
 * @param {readonly number[]} probabilities
 * @param {Config} config
 * @returns {{ label: string, probability: number }} the label is one of the classes or "unsure"
 */
export function decide(probabilities, { classes, threshold, unsure }) {
  if (unsure && unsure[0] < probabilities[0] && probabilities[0] < unsure[1]) {
    return { label: "unsure", probability: Math.max(...probabilities) };
  }
  const [first, ...others] = probabilities;
  const isFirst = first * (1 - threshold) >= (1 - first) * threshold;
  const best = isFirst ? 0 : 1 + others.indexOf(Math.max(...others));
  return { label: classes[best], probability: probabilities[best] };
}
