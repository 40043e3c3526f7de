// The browser's half of the live demo: open the camera, send one small frame at a time, draw the answer over the video.
//
// Pictures travel as custom messages with a binary buffer, because a trait would be saved in the notebook.

const FRAME_SIDE = 480; // pixels: long side of the frames that are sent; the video on screen keeps its own size
const JPEG_QUALITY = 0.8;
const ANSWER_SECONDS = 10; // a kernel that does not answer for longer is busy or gone
const FRAMES_PER_SECOND = 25; // the most that we ask of the sample clip and the kernel's camera

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

const WITHOUT_CAMERA = "You can also choose the sample clip or open a photo.";
const SENTENCES = {
  stopped: "Stopped. The camera is off.",
  asking: "Waiting for the camera. If your browser asks for permission, allow it.",
  running: "Running.",
  denied: `The browser blocked the camera. Allow it for this page (see the icon next to the address), then press Start. ${WITHOUT_CAMERA}`,
  "no camera": `No camera was found. Plug one in, then press Start. ${WITHOUT_CAMERA}`,
  "insecure page": `Browsers allow the camera on secure pages only. Open this page as https://… or http://localhost:… ${WITHOUT_CAMERA}`,
  lost: "The kernel is not responding, so the camera is off. Run this notebook's cells again, then press Start.",
};
const IN_USE = `The camera did not start. Close any other program that uses it, then press Start. ${WITHOUT_CAMERA}`;
const UNPLUGGED = "The camera was disconnected. Plug it in again, then press Start.";

/** Return the state and the sentence for an error from `getUserMedia`. */
export function explain(error) {
  if (["NotAllowedError", "SecurityError"].includes(error.name)) return ["denied", SENTENCES.denied];
  if (["NotReadableError", "AbortError"].includes(error.name)) return ["no camera", IN_USE];
  return ["no camera", SENTENCES["no camera"]];
}

/** Describe the faces for a screen reader, for example "2 faces: with mask, without mask." */
export function describe(faces) {
  if (!faces.length) return "No face found.";
  return `${faces.length} face${faces.length > 1 ? "s" : ""}: ${faces.map((face) => face.words).join(", ")}.`;
}

/** Say how often the kernel looks for small faces, and how long a new one waits for its label at most. */
export function describeLooks({ look }) {
  return look ? [`full look at 1 of ${look[0]} frames (small new faces wait up to ${(look[0] * look[1]).toFixed(1)} s)`] : [];
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

/** Return what `drawFaces` remembers of a video: labels by track number, the signs in the legend, its lines, and its place. */
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
    return [x * frame[0], top * frame[1], boxWidth * frame[0], boxHeight * frame[1]].map(Math.round);
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

/** Create an element with attributes and children (elements or strings). */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The browser's cameras as [id, name]. Their names are empty until the browser allows the camera. */
async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  const cameras = devices.filter(({ kind, deviceId }) => kind === "videoinput" && deviceId);
  return cameras.map(({ deviceId, label }, number) => [deviceId, label || `Camera ${number + 1}`]);
}

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2); // several views and tabs may share one kernel
  const undo = []; // clean-up for the end of this view
  let state = "stopped";
  let stream = null; // the camera, while it is on
  let picture = null; // a photo, or a frame from the kernel
  let faces = [];
  let memory = newMemory(); // where the labels of this video are
  let chosen = null; // id of the camera that the user chose: for this page only, because ids do not belong in a notebook
  let preferred = null; // id of the camera that the browser takes by itself: on a phone, the one in front
  let number = 0; // of the one message that waits for its answer; answers to other numbers are too late
  let [sentAt, answeredAt, faceAt, hiddenAt] = [0, 0, 0, 0]; // time of the last message, answer, face, and hidden page
  let means = {}; // milliseconds from answer to answer and of each stage, smoothed because they differ between frames

  const options = (names) => names.map(([value, words]) => make("option", { value }, words));
  const sources = { browser: "this browser's camera", sample: "sample clip (photos: AT&T Laboratories Cambridge)", opencv: "camera on the kernel's computer" };
  const start = make("button", { type: "button" }, "Start");
  const capture = make("button", { type: "button" }, "Snapshot");
  const file = make("input", { type: "file", accept: "image/*" });
  const video = make("video", { playsinline: "", "aria-hidden": "true" });
  const canvas = make("canvas", { role: "img", "aria-label": "Picture with a box and a label on each face" });
  const snapshot = make("canvas", { role: "img", "aria-label": "Snapshot", hidden: "" });
  const status = make("p", { role: "status" });
  const description = make("p", { "aria-live": "polite", class: "faces" });
  const timing = make("p", { class: "figures" });
  const stage = make("div", { class: "stage" }, video, canvas);
  const level = make("output");
  const about = model.get("threshold_of") ?? "mask"; // the name of a class if no class is known to mean "mask"
  const thresholdWords = about === "mask" ? "Mask threshold" : `Threshold of “${about}”`;
  const cameraMenu = make("select", { id: `${view}-camera` });
  const cameraRow = make("span", { hidden: "" }, make("label", { for: `${view}-camera` }, "Camera"), cameraMenu);
  const settings = [
    ["Source", "source", make("select", {}, ...options(Object.entries(sources)))],
    ["Face detector", "face_detector", make("select", {}, ...options(model.get("face_detectors").map((name) => [name, name])))],
    [thresholdWords, "threshold", make("input", { type: "range", min: "0.1", max: "0.9", step: "0.05" }), level],
    ["Mirror", "mirror", make("input", { type: "checkbox" })],
  ].map(([label, trait, control, ...more]) => {
    const property = control.type === "checkbox" ? "checked" : "value";
    const show = () => {
      control[property] = model.get(trait);
      level.textContent = `${Math.round(100 * model.get("threshold"))}%`;
      stage.dataset.mirrored = String(isMirrored());
    };
    const change = () => {
      model.set(trait, trait === "threshold" ? Number(control.value) : control[property]);
      model.save_changes();
    };
    control.addEventListener("input", change);
    listen(`change:${trait}`, show);
    queueMicrotask(show);
    const id = `${view}-${trait}`;
    control.setAttribute("id", id);
    return make("span", {}, make("label", { for: id }, label), control, ...more);
  });
  const openPhoto = make("label", { class: "button" }, "Open a photo", file);
  el.append(
    make("div", { class: "maskdet", role: "group", "aria-label": "Live mask detection" },
      make("div", { class: "row" }, start, capture, openPhoto), stage, status, description, timing,
      make("div", { class: "row" }, ...settings.slice(0, 1), cameraRow, ...settings.slice(1)), snapshot),
  );

  function listen(event, callback) {
    model.on(event, callback);
    undo.push(() => model.off(event, callback));
  }

  const isMirrored = () => Boolean(stream) && model.get("mirror");
  const isOn = () => state === "running" || state === "asking";

  function show(newState, sentence = SENTENCES[newState]) {
    state = newState;
    status.textContent = sentence;
    start.textContent = isOn() ? "Stop" : "Start";
    stage.dataset.state = state;
    stage.dataset.mirrored = String(isMirrored());
    model.set("status", state);
    model.save_changes();
  }

  /** List the cameras, with the browser's own choice first, if there is more than one to choose from. */
  async function showCameras() {
    const cameras = await listCameras();
    cameras.sort(([one], [other]) => (other === preferred) - (one === preferred));
    cameraMenu.replaceChildren(...options(cameras));
    cameraMenu.value = stream?.getVideoTracks()[0].getSettings().deviceId ?? chosen ?? preferred;
    cameraRow.hidden = cameras.length < 2 || !preferred || model.get("source") !== "browser";
  }

  /** Draw the boxes and, under them, the picture. The camera's video plays by itself, so it is drawn only on request. */
  function draw(target, withVideo) {
    const source = picture ?? video;
    target.width = source.videoWidth ?? source.width;
    target.height = source.videoHeight ?? source.height;
    const context = target.getContext("2d");
    if (picture || withVideo) {
      if (isMirrored()) context.setTransform(-1, 0, 0, 1, target.width, 0);
      context.drawImage(source, 0, 0);
      context.setTransform(1, 0, 0, 1, 0, 0);
    }
    drawFaces(context, faces, target.width, target.height, isMirrored(), memory);
  }

  function send(content, ...buffers) {
    number += 1;
    sentAt = performance.now();
    try {
      model.send({ view, number, sent: Date.now(), ...content }, undefined, buffers);
    } catch {
      if (isOn()) stop("lost"); // the connection to the kernel was closed
    }
  }

  async function sendPicture(source, width, height, content) {
    const numberBefore = number;
    const scale = Math.min(1, FRAME_SIDE / Math.max(width, height));
    const small = make("canvas");
    small.width = Math.max(8, Math.round(width * scale));
    small.height = Math.max(8, Math.round(height * scale));
    small.getContext("2d").drawImage(source, 0, 0, small.width, small.height);
    const jpeg = await new Promise((done) => small.toBlob(done, "image/jpeg", JPEG_QUALITY));
    const bytes = await jpeg.arrayBuffer();
    if (number === numberBefore) send(content, bytes); // else Stop was pressed in the meantime
  }

  /** Send the camera's next frame, or ask the kernel for one of its own frames. Called once for each answer. */
  function next() {
    const numberBefore = number;
    const stillOn = () => state === "running" && number === numberBefore;
    if (stream) {
      const grab = () => stillOn() && sendPicture(video, video.videoWidth, video.videoHeight, { type: "frame" });
      video.requestVideoFrameCallback ? video.requestVideoFrameCallback(grab) : setTimeout(grab, 30);
    } else {
      const pause = Math.max(0, sentAt + 1000 / FRAMES_PER_SECOND - performance.now());
      setTimeout(() => stillOn() && send({ type: "next", source: model.get("source") }), pause);
    }
  }

  async function receive(answer, buffers) {
    if (answer.view === undefined) return (status.textContent = answer.error); // for every view
    if (answer.view !== view || answer.number !== number) return; // for another view, or too late
    if (buffers?.length) {
      const bitmap = await createImageBitmap(new Blob([buffers[0]]));
      if (answer.number !== number) return;
      picture = bitmap;
    }
    const now = performance.now();
    if (answer.final) return stop(answer.final, answer.error);
    if (answer.error) status.textContent = answer.error;
    else if (state === "running") status.textContent = SENTENCES.running;
    faces = answer.faces ?? [];
    if (faces.length && !document.hidden) faceAt = now;
    const newest = { ...(answeredAt && { period: now - answeredAt }), ...answer.milliseconds };
    for (const [name, time] of Object.entries(newest)) means[name] = name in means ? 0.9 * means[name] + 0.1 * time : time;
    answeredAt = now;
    draw(canvas);
    if (description.textContent !== describe(faces)) description.textContent = describe(faces);
    const { period, ...stages } = means;
    const times = Object.entries(stages).map(([name, time]) => `${name} ${time.toFixed(1)} ms`);
    timing.textContent = (period ? [`${Math.round(1000 / period)} frames/s`] : []).concat(times, describeLooks(answer)).join(" · ");
    if (state === "running") next();
  }

  /** Turn the camera off, and ignore an answer that is still on its way. */
  function stop(newState = "stopped", sentence = undefined) {
    if (newState === "stopped" && isOn()) send({ type: "stop" });
    number += 1;
    stream?.getTracks().forEach((track) => track.stop());
    [stream, video.srcObject, picture, faces, memory] = [null, null, null, [], newMemory()];
    [sentAt, answeredAt, means] = [0, 0, {}];
    [description.textContent, timing.textContent] = ["", ""];
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    show(newState, sentence);
  }

  /** Open the camera that the user chose. If there is no choice, or it was unplugged, the one in front is preferred. */
  async function openCamera() {
    const ask = (which) => navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, ...which } });
    try {
      if (chosen) return await ask({ deviceId: { exact: chosen } }); // Chromium ignores the wish for an "ideal" one
    } catch (error) {
      if (!["OverconstrainedError", "NotFoundError"].includes(error.name)) throw error;
      chosen = null;
    }
    return ask({ facingMode: { ideal: "user" } });
  }

  async function begin() {
    stop();
    const numberBefore = number;
    if (model.get("source") === "browser") {
      if (!navigator.mediaDevices?.getUserMedia) return show("insecure page");
      show("asking");
      try {
        const camera = await openCamera();
        if (number !== numberBefore) return camera.getTracks().forEach((track) => track.stop()); // Stop was pressed
        stream = video.srcObject = camera;
        camera.getTracks().forEach((track) => track.addEventListener("ended", () => stream === camera && stop("lost", UNPLUGGED)));
        preferred ??= camera.getVideoTracks()[0].getSettings().deviceId;
        await video.play();
        showCameras();
      } catch (error) {
        if (number === numberBefore) stop(...explain(error));
      }
      if (number !== numberBefore) return;
    }
    sentAt = faceAt = performance.now();
    show("running");
    next();
  }

  async function open() {
    const [photo] = file.files;
    file.value = ""; // otherwise the same photo could not be opened again
    if (!photo) return;
    stop();
    const numberBefore = number;
    try {
      const bitmap = await createImageBitmap(photo);
      if (number !== numberBefore) return;
      picture = bitmap;
      status.textContent = `Photo: ${photo.name}`;
      await sendPicture(bitmap, bitmap.width, bitmap.height, { type: "photo" });
    } catch {
      status.textContent = `This browser cannot read ${photo.name}. Save it as JPEG or PNG and open it again.`;
    }
  }

  /** Check once per second: does the kernel still answer, and is anybody still there? */
  function watch() {
    const now = performance.now();
    const idle = model.get("idle_seconds");
    if (document.hidden) hiddenAt = now; // browsers pause the video of a hidden page, so silence means nothing then
    const isSilent = sentAt && now - Math.max(sentAt, answeredAt, hiddenAt) > 1000 * ANSWER_SECONDS;
    if (isSilent && sentAt > answeredAt) stop("lost");
    else if (isSilent && state === "running") stop("lost", UNPLUGGED);
    else if (state === "running" && now - faceAt > 1000 * idle) stop("stopped", `Stopped after ${idle} seconds without a face. The camera is off.`);
  }

  video.muted = true;
  start.addEventListener("click", () => (isOn() ? stop() : begin()));
  capture.addEventListener("click", () => {
    snapshot.hidden = !(picture || stream);
    if (!snapshot.hidden) draw(snapshot, true); // the snapshot stays on this page: it is neither sent nor stored
  });
  file.addEventListener("change", open);
  cameraMenu.addEventListener("change", () => {
    chosen = cameraMenu.value;
    if (isOn()) begin();
  });
  const devices = globalThis.navigator?.mediaDevices;
  devices?.addEventListener?.("devicechange", showCameras); // plugged in or out
  undo.push(() => devices?.removeEventListener?.("devicechange", showCameras));
  listen("msg:custom", receive);
  listen("change:source", () => {
    stop();
    showCameras();
  });
  const watching = setInterval(watch, 1000);
  status.textContent = SENTENCES.stopped;

  return () => {
    clearInterval(watching);
    undo.forEach((action) => action());
    if (isOn()) stop();
  };
}

export default { render };
