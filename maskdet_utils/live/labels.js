// What the panel and the web page share: boxes and labels on the faces, and words for those who cannot see them.
//
// The same as drawing.py and live/labels.py, and a test compares the two.

// The same styles as in drawing.py: colors, dashes in line widths, and the sign for faces without room for words. All three
// carry the same information, for people who cannot tell the colors apart.
const STYLES = {
  0: { color: "#0072B2", dash: [], sign: "✓" }, // mask
  1: { color: "#B84A00", dash: [4, 2.5], sign: "✗" }, // no mask
  2: { color: "#A84C80", dash: [10, 2.5], sign: "!" }, // mask worn incorrectly
  3: { color: "#006E64", dash: [], sign: "A" }, // 3 to 5: classes whose names do not tell which of them means "mask"
  4: { color: "#7A5500", dash: [4, 2.5], sign: "B" },
  5: { color: "#644696", dash: [10, 2.5], sign: "C" },
  unsure: { color: "#5A5A5A", dash: [2, 2], sign: "?" },
};
const LEGEND_COLOR = "#282828";
const SMALLEST_LETTER = 9; // pixels on the screen: the height of a capital letter
const SCREEN_WIDTH = 640; // pixels: the panel shows larger pictures at this width
const PATIENCE = 15; // frames for which there must have been room for a text before it replaces a sign
const INSIDE = 12; // the places from this number on are on the face itself

/** Describe the faces for a screen reader, for example "2 faces: with mask, without mask." */
export function describe(faces) {
  if (!faces.length) return "No face found.";
  return `${faces.length} face${faces.length > 1 ? "s" : ""}: ${faces.map((face) => face.words).join(", ")}.`;
}

// The next functions do the same as live/labels.py, and a test compares the two. Boxes are [left, top, width, height].

const clamp = (value, most) => Math.min(Math.max(0, value), Math.max(0, most));
const lineWidth = (face) => Math.max(1, Math.min(2, Math.floor(face[2] / 16)), Math.floor(face[2] / 120));
const signSide = (face) => Math.max(SMALLEST_LETTER, Math.floor(face[2] / 4));
const lettersOf = (face) => {
  const best = Math.max(SMALLEST_LETTER, Math.floor(face[2] / 10));
  return [1, 0.7, 0.5, 0].map((part) => Math.max(SMALLEST_LETTER, Math.floor(best * part)));
};

/** Return the area that two boxes share, after the first one has grown by a gap on each side. */
function overlap(box, other, gap = 0) {
  const width = Math.min(box[0] + box[2] + gap, other[0] + other[2]) - Math.max(box[0] - gap, other[0]);
  const height = Math.min(box[1] + box[3] + gap, other[1] + other[3]) - Math.max(box[1] - gap, other[1]);
  return Math.max(0, width) * Math.max(0, height);
}

/** Return how bad a spot is: the largest share of a face that it hides, plus the shares of labels. */
function coverage(spot, faces, labels) {
  const inner = faces.map(([x, y, width, height]) => [x + width / 10, y + height / 10, 0.8 * width, 0.8 * height]);
  const shares = (boxes) => boxes.map((box) => overlap(spot, box) / (box[2] * box[3]));
  return Math.max(0, ...shares(inner)) + shares(labels).reduce((sum, share) => sum + share, 0);
}

const indexOfLeast = (values) => values.indexOf(Math.min(...values));

/** List the places of a label at a face, the best ones first: above, below, right, left, and on the face's edges. */
function placesAt(face, [width, height], [frameWidth, frameHeight]) {
  const [x, y, faceWidth, faceHeight] = face;
  const gap = 2 * lineWidth(face) + 2;
  const across = [x - gap, x + Math.floor((faceWidth - width) / 2), x + faceWidth + gap - width];
  const down = [y - gap, y + Math.floor((faceHeight - height) / 2), y + faceHeight + gap - height];
  const corners = [
    ...[y - gap - height, y + faceHeight + gap].flatMap((top) => across.map((left) => [left, top])),
    ...[x + faceWidth + gap, x - gap - width].flatMap((left) => down.map((top) => [left, top])),
    [across[1], y], [across[1], y + faceHeight - height],
  ];
  return corners.map(([left, top]) => [clamp(left, frameWidth - width), clamp(top, frameHeight - height), width, height]);
}

/**
 * Find a place for the label of each face: a text where it hides no face and no other label, or else a sign.
 *
 * `before` has the label of each face in the last frame, or undefined. `measure(text, letter)` returns the width and the
 * height of a label whose capital letters have this height. No text hides the boxes of the `legend`.
 */
export function placeLabels(faces, texts, frame, before, measure, legend = []) {
  const labels = new Array(faces.length).fill(undefined);
  const free = (number, text, size, old) => {
    const face = faces[number];
    let letter = text ? lettersOf(face)[size] : 0;
    if (old && text && Math.abs(old.letter - letter) <= letter / 5) letter = old.letter; // faces tremble
    const [width, height] = text ? measure(text, letter) : [signSide(face), signSide(face)];
    if (width > frame[0] || height > frame[1]) return undefined;
    const isStrip = text && height <= face[3] / 8 && width <= face[2]; // only a narrow strip may lie on the face itself
    const notOwn = (_, other) => other !== number;
    const others = [...faces.filter(notOwn), ...labels.filter(notOwn).filter(Boolean).map((label) => label.box),
      ...(text ? legend : [])];
    const spots = placesAt(face, [width, height], frame);
    const isFree = (spot, place, gap) => (!old || place === old.place)
      && (place < INSIDE ? overlap(spot, face) === 0 : isStrip) && others.every((other) => overlap(spot, other, gap) === 0);
    for (const gap of old ? [0] : [Math.floor(height / 2), 1]) {
      const place = spots.findIndex((spot, index) => isFree(spot, index, gap));
      if (place >= 0) return { text, box: spots[place], letter, size, place, roomy: old?.roomy ?? 0 };
    }
    return undefined;
  };
  const leastBad = (number) => {
    const side = signSide(faces[number]);
    const spots = placesAt(faces[number], [side, side], frame);
    const place = indexOfLeast(spots.map((spot) => coverage(spot, faces, labels.filter(Boolean).map((label) => label.box))));
    return { text: "", box: spots[place], letter: 0, size: 0, place, roomy: 0 };
  };
  before.forEach((old, number) => { // first, whoever can stay stays
    if (old) labels[number] = free(number, old.text && texts[number], old.size, old);
  });
  faces.forEach((_, number) => { labels[number] ??= free(number, "", 0) ?? leastBad(number); });
  texts.forEach((text, number) => {
    if (labels[number].text) return;
    const roomy = free(number, text, 3) ? labels[number].roomy + 1 : 0;
    labels[number] = { ...labels[number], roomy };
    const wasSign = before[number] && !before[number].text;
    if (roomy >= (wasSign ? PATIENCE : 1)) {
      labels[number] = [0, 1, 2, 3].map((size) => free(number, text, size)).find(Boolean);
    }
  });
  return labels;
}

/** List the places of a legend at the frame's edges, and whether it is a row there. */
function legendSpots(widths, side, frame) {
  return [true, false].flatMap((isRow) => {
    const [width, height] = isRow ? [widths.reduce((a, b) => a + b), side] : [Math.max(...widths), side * widths.length];
    const [right, bottom] = [frame[0] - width, frame[1] - height];
    if (right < 0 || bottom < 0) return [];
    return [0, 4, 1, 3, 2].flatMap((part) => {
      const along = Math.floor((part * (isRow ? right : bottom)) / 4);
      const corners = isRow ? [[along, bottom], [along, 0]] : [[0, along], [right, along]];
      return corners.map((corner) => ({ box: [...corner, width, height], isRow }));
    });
  });
}

/**
 * Return what `drawFaces` remembers of a video: labels by track number, the signs in the legend, its lines, and its place.
 *
 * @returns {{ labels: Map<number, object>, explained: Map<number | "unsure", string>, legend: any[], spot: number }}
 */
export const newMemory = () => ({ labels: new Map(), explained: new Map(), legend: [], spot: 0 });

const legendLetter = (frame) => Math.max(SMALLEST_LETTER, Math.floor(Math.min(...frame) / 50));

function drawSign(context, style, [left, top, side]) {
  context.fillStyle = style.color;
  context.fillRect(left, top, side, side);
  context.fillStyle = "#FFFFFF";
  context.font = `bold ${0.9 * side}px sans-serif`;
  context.textAlign = "center";
  context.fillText(style.sign, left + side / 2, top + 0.82 * side);
  context.textAlign = "start";
}

function drawText(context, color, text, [left, top], width, letter) {
  context.font = `bold ${letter / 0.72}px sans-serif`;
  context.fillStyle = color;
  context.fillRect(left, top, width, Math.floor(1.8 * letter));
  context.fillStyle = "#FFFFFF";
  context.fillText(text, left + letter / 2, top + 1.4 * letter);
}

function drawBox(context, style, [x, y, width, height], frame) {
  const line = lineWidth([x, y, width, height]);
  const away = line + 1 + (line % 2) / 2; // the line is around the face, not on it, but always inside the frame
  const [left, top] = [Math.max(line / 2, x - away), Math.max(line / 2, y - away)];
  const [right, bottom] = [Math.min(frame[0] - line / 2, x + width + away), Math.min(frame[1] - line / 2, y + height + away)];
  const strokes = [["#FFFFFF", line + 2, []], [style.color, line, style.dash]]; // a white outline for dark pictures
  for (const [color, lineWidth, dash] of strokes) {
    context.strokeStyle = color;
    context.lineWidth = lineWidth;
    context.setLineDash(dash.map((length) => length * line));
    context.strokeRect(left, top, right - left, bottom - top);
  }
}

/** Return the style and the words of each line of the legend, and the line's box. */
function placeLegend(faces, signs, frame, memory, measure) {
  const names = [...memory.explained].sort(([one], [other]) => String(one).localeCompare(String(other)));
  const letter = legendLetter(frame);
  const side = Math.floor(1.8 * letter);
  const widths = names.map(([, words]) => side + measure(words, letter)[0]);
  const spots = names.length ? legendSpots(widths, side, frame) : [];
  if (!spots.length) return []; // nothing to explain, or the picture is too small
  const covered = spots.map(({ box }) => coverage(box, faces, signs));
  const allowed = Math.min(...covered) + (memory.labels.size ? 0.05 : 0); // in a video, it should not move too often
  if (memory.spot >= spots.length || covered[memory.spot] > allowed) memory.spot = indexOfLeast(covered);
  const { box: [left, top], isRow } = spots[memory.spot];
  return names.map(([style, words], line) => {
    const before = widths.slice(0, line).reduce((sum, width) => sum + width, 0);
    return { style, words, box: [...(isRow ? [left + before, top] : [left, top + line * side]), widths[line], side] };
  });
}

/** Draw a box and a label on each face. A face's box is [left, top, width, height] as fractions of the picture. */
export function drawFaces(context, faces, width, height, mirrored, memory = newMemory()) {
  const scale = Math.max(1, width / SCREEN_WIDTH); // pixels of the picture in one pixel on the screen
  const frame = [Math.round(width / scale), Math.round(height / scale)];
  const boxes = faces.map(({ box: [left, top, boxWidth, boxHeight] }) => {
    const x = mirrored ? 1 - left - boxWidth : left;
    const sizes = [boxWidth * frame[0], boxHeight * frame[1]].map((size) => Math.max(1, Math.round(size))); // on a small screen
    return [Math.round(x * frame[0]), Math.round(top * frame[1]), ...sizes];
  });
  const texts = faces.map(({ style, words, probability }) =>
    style === "unsure" || probability < 0.5 ? words : `${words} ${Math.min(99, Math.round(100 * probability))}%`);
  const measure = (text, letter) => {
    context.font = `bold ${letter / 0.72}px sans-serif`;
    return [Math.ceil(context.measureText(text).width) + letter, Math.floor(1.8 * letter)];
  };
  const before = faces.map((face) => memory.labels.get(face.track));
  let labels;
  for (let round = 0; round < 2; round += 1) { // texts give way to the legend
    labels = placeLabels(boxes, texts, frame, before, measure, memory.legend.map(({ box }) => box));
    faces.forEach(({ style, words }, number) => labels[number].text || memory.explained.set(style, words));
    const signs = labels.filter(({ text }) => !text).map(({ box }) => box);
    memory.legend = placeLegend(boxes, signs, frame, memory, measure);
  }
  faces.forEach(({ track }, number) => track && memory.labels.set(track, labels[number]));
  context.save();
  context.scale(scale, scale);
  faces.forEach(({ style }, number) => drawBox(context, STYLES[style], boxes[number], frame));
  faces.forEach(({ style }, number) => {
    const { text, box, letter } = labels[number];
    if (text) drawText(context, STYLES[style].color, text, box, box[2], letter);
    else drawSign(context, STYLES[style], box);
  });
  memory.legend.forEach(({ style, words, box: [left, top, width, side] }) => {
    drawText(context, LEGEND_COLOR, words, [left + side, top], width - side, legendLetter(frame));
    drawSign(context, STYLES[style], [left, top, side]);
  });
  context.restore();
}
