// The browser's half of the live demo: open the camera, send one small frame at a time, draw the answer over the video.
//
// Pictures travel as custom messages with a binary buffer, because a trait would be saved in the notebook.

const FRAME_SIDE = 480; // pixels: long side of the frames that are sent; the video on screen keeps its own size
const JPEG_QUALITY = 0.8;
const ANSWER_SECONDS = 10; // a kernel that does not answer for longer is busy or gone
const FRAMES_PER_SECOND = 25; // the most that we ask of the sample clip and the kernel's camera

// The same colors as in drawing.py: Okabe and Ito's colors, dark enough for white text. Words and line styles carry the same
// information, for people who cannot tell the colors apart.
const STYLES = {
  0: { color: "#0072B2", dash: [] },
  1: { color: "#B84A00", dash: [4, 2.5] },
  2: { color: "#A84C80", dash: [10, 2.5] },
  unsure: { color: "#5A5A5A", dash: [1, 2] },
};

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

/** Draw a box and a label on each face. A box is [left, top, width, height] as fractions of the picture. */
export function drawFaces(context, faces, width, height, mirrored) {
  const line = Math.max(2, width / 160);
  const letter = Math.max(12, width / 28);
  context.font = `bold ${letter}px sans-serif`;
  for (const face of faces) {
    const style = STYLES[face.style];
    const [left, top, boxWidth, boxHeight] = face.box;
    const x = (mirrored ? 1 - left - boxWidth : left) * width;
    const y = top * height;
    const strokes = [["#FFFFFF", line + 2, []], [style.color, line, style.dash]]; // a white outline for dark pictures
    for (const [color, lineWidth, dash] of strokes) {
      context.strokeStyle = color;
      context.lineWidth = lineWidth;
      context.setLineDash(dash.map((length) => length * line));
      context.strokeRect(x, y, boxWidth * width, boxHeight * height);
    }
    const label = face.style === "unsure" ? face.words : `${face.words} ${Math.min(99, Math.round(100 * face.probability))}%`;
    const labelWidth = context.measureText(label).width + letter / 2;
    const labelX = Math.max(0, Math.min(x - line / 2, width - labelWidth));
    const bottom = Math.max(1.4 * letter, y);
    context.fillStyle = style.color;
    context.fillRect(labelX, bottom - 1.4 * letter, labelWidth, 1.4 * letter);
    context.fillStyle = "#FFFFFF";
    context.fillText(label, labelX + letter / 4, bottom - 0.4 * letter);
  }
}

/** Create an element with attributes and children (elements or strings). */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2); // several views and tabs may share one kernel
  const undo = []; // clean-up for the end of this view
  let state = "stopped";
  let stream = null; // the camera, while it is on
  let picture = null; // a photo, or a frame from the kernel
  let faces = [];
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
  const settings = [
    ["Source", "source", make("select", {}, ...options(Object.entries(sources)))],
    ["Face detector", "face_detector", make("select", {}, ...options(model.get("face_detectors").map((name) => [name, name])))],
    ["Mask threshold", "threshold", make("input", { type: "range", min: "0.1", max: "0.9", step: "0.05" }), level],
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
      make("div", { class: "row" }, ...settings), snapshot),
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
    drawFaces(context, faces, target.width, target.height, isMirrored());
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
    [stream, video.srcObject, picture, faces] = [null, null, null, []];
    [sentAt, answeredAt, means] = [0, 0, {}];
    [description.textContent, timing.textContent] = ["", ""];
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    show(newState, sentence);
  }

  async function begin() {
    stop();
    const numberBefore = number;
    if (model.get("source") === "browser") {
      if (!navigator.mediaDevices?.getUserMedia) return show("insecure page");
      show("asking");
      try {
        const camera = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
        if (number !== numberBefore) return camera.getTracks().forEach((track) => track.stop()); // Stop was pressed
        stream = video.srcObject = camera;
        camera.getTracks().forEach((track) => track.addEventListener("ended", () => stream === camera && stop("lost", UNPLUGGED)));
        await video.play();
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
  listen("msg:custom", receive);
  listen("change:source", () => stop());
  const watching = setInterval(watch, 1000);
  status.textContent = SENTENCES.stopped;

  return () => {
    clearInterval(watching);
    undo.forEach((action) => action());
    if (isOn()) stop();
  };
}

export default { render };
