// The browser half of the live demo: take the camera, send one small frame at a time, draw the answer over the video.
//
// Pictures travel as custom messages with a binary buffer; a trait would end up in the saved notebook.

const FRAME_SIDE = 480; // pixels: long side of what is sent; the video on screen keeps its own size
const JPEG_QUALITY = 0.8;
const ANSWER_SECONDS = 10; // a kernel that is silent for longer is busy or gone
const FRAMES_A_SECOND = 25; // at most, from the sample clip and the kernel's camera

// As in drawing.py: Okabe and Ito's colors, dark enough for white text. Words and line style say the same, for those
// who cannot tell the colors apart.
const STYLES = {
  0: { color: "#0072B2", dash: [] },
  1: { color: "#B84A00", dash: [4, 2.5] },
  2: { color: "#A84C80", dash: [10, 2.5] },
  unsure: { color: "#5A5A5A", dash: [1, 2] },
};

const OTHERWISE = "Or choose the sample clip, or open a photo.";
const SENTENCES = {
  stopped: "Stopped. The camera is off.",
  asking: "Waiting for the camera: answer your browser's question, if it asks one.",
  running: "Running.",
  denied: `The browser refused the camera. Allow it for this page (see the icon beside the address), then press Start. ${OTHERWISE}`,
  "no camera": `No camera was found. Plug one in, then press Start. ${OTHERWISE}`,
  "insecure page": `Browsers give the camera to secure pages only. Open this page as https://… or http://localhost:… ${OTHERWISE}`,
  lost: "The kernel does not answer; the camera is off. Run this notebook's cells again, then press Start.",
};
const IN_USE = `The camera does not start. Close the program that uses it, then press Start. ${OTHERWISE}`;
const UNPLUGGED = "The camera is gone. Plug it in again, then press Start.";

/** The state and the sentence for an error of `getUserMedia`. */
export function explain(error) {
  if (["NotAllowedError", "SecurityError"].includes(error.name)) return ["denied", SENTENCES.denied];
  if (["NotReadableError", "AbortError"].includes(error.name)) return ["no camera", IN_USE];
  return ["no camera", SENTENCES["no camera"]];
}

/** What a screen reader says about the faces, such as "2 faces: with mask, without mask." */
export function describe(faces) {
  if (!faces.length) return "No face in sight.";
  return `${faces.length} face${faces.length > 1 ? "s" : ""}: ${faces.map((face) => face.words).join(", ")}.`;
}

/** Draw a box and a label for each face; boxes are [left, top, width, height] as fractions of the picture. */
export function drawFaces(context, faces, width, height, mirrored) {
  const line = Math.max(2, width / 160);
  const letter = Math.max(12, width / 28);
  context.font = `bold ${letter}px sans-serif`;
  for (const face of faces) {
    const style = STYLES[face.style];
    const [left, top, boxWidth, boxHeight] = face.box;
    const x = (mirrored ? 1 - left - boxWidth : left) * width;
    const y = top * height;
    const strokes = [["#FFFFFF", line + 2, []], [style.color, line, style.dash]]; // a white edge, for dark pictures
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

/** Make an element with attributes and children (elements or texts). */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2); // several views and tabs may share one kernel
  const undo = []; // what the end of this view has to do
  let state = "stopped";
  let stream = null; // the camera, while it is on
  let picture = null; // a photo, or a frame that the kernel sent
  let faces = [];
  let number = 0; // of the one message that waits for its answer; any other answer comes too late
  let [asked, answered, seen, awake] = [0, 0, 0, 0]; // when a message left, its answer came, a face was seen, the page hidden
  let means = {}; // milliseconds from answer to answer and of each stage, smoothed: stages differ from frame to frame

  const options = (names) => names.map(([value, words]) => make("option", { value }, words));
  const sources = { browser: "this browser's camera", sample: "sample clip (photos: AT&T Laboratories Cambridge)", opencv: "camera of the kernel's computer" };
  const start = make("button", { type: "button" }, "Start");
  const keep = make("button", { type: "button" }, "Snapshot");
  const file = make("input", { type: "file", accept: "image/*" });
  const video = make("video", { playsinline: "", "aria-hidden": "true" });
  const canvas = make("canvas", { role: "img", "aria-label": "Picture with a box and a label on each face" });
  const snapshot = make("canvas", { role: "img", "aria-label": "Snapshot", hidden: "" });
  const status = make("p", { role: "status" });
  const spoken = make("p", { "aria-live": "polite", class: "faces" });
  const figures = make("p", { class: "figures" });
  const stage = make("div", { class: "stage" }, video, canvas);
  const level = make("output");
  const settings = [
    ["Picture", "source", make("select", {}, ...options(Object.entries(sources)))],
    ["Faces found by", "face_detector", make("select", {}, ...options(model.get("face_detectors").map((name) => [name, name])))],
    ["A mask from", "threshold", make("input", { type: "range", min: "0.1", max: "0.9", step: "0.05" }), level],
    ["Mirror", "mirror", make("input", { type: "checkbox" })],
  ].map(([label, trait, control, ...more]) => {
    const property = control.type === "checkbox" ? "checked" : "value";
    const show = () => {
      control[property] = model.get(trait);
      level.textContent = `${Math.round(100 * model.get("threshold"))} %`;
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
      make("div", { class: "row" }, start, keep, openPhoto), stage, status, spoken, figures,
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

  /** Draw the boxes, and below them the picture, unless it is the camera's video: that plays by itself. */
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
    asked = performance.now();
    try {
      model.send({ view, number, sent: Date.now(), ...content }, undefined, buffers);
    } catch {
      if (isOn()) stop("lost"); // the connection to the kernel is closed
    }
  }

  async function sendPicture(source, width, height, content) {
    const before = number;
    const scale = Math.min(1, FRAME_SIDE / Math.max(width, height));
    const small = make("canvas");
    small.width = Math.max(8, Math.round(width * scale));
    small.height = Math.max(8, Math.round(height * scale));
    small.getContext("2d").drawImage(source, 0, 0, small.width, small.height);
    const jpeg = await new Promise((done) => small.toBlob(done, "image/jpeg", JPEG_QUALITY));
    const bytes = await jpeg.arrayBuffer();
    if (number === before) send(content, bytes); // else Stop was pressed in the meantime
  }

  /** Send the camera's next frame, or ask the kernel for one of its own. Called once for each answer. */
  function next() {
    const before = number;
    const stillOn = () => state === "running" && number === before;
    if (stream) {
      const grab = () => stillOn() && sendPicture(video, video.videoWidth, video.videoHeight, { type: "frame" });
      video.requestVideoFrameCallback ? video.requestVideoFrameCallback(grab) : setTimeout(grab, 30);
    } else {
      const pause = Math.max(0, asked + 1000 / FRAMES_A_SECOND - performance.now());
      setTimeout(() => stillOn() && send({ type: "next", source: model.get("source") }), pause);
    }
  }

  async function receive(answer, buffers) {
    if (answer.view === undefined) return (status.textContent = answer.error); // meant for every view
    if (answer.view !== view || answer.number !== number) return; // another view's, or too late
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
    if (faces.length && !document.hidden) seen = now;
    const newest = { ...(answered && { period: now - answered }), ...answer.milliseconds };
    for (const [name, time] of Object.entries(newest)) means[name] = name in means ? 0.9 * means[name] + 0.1 * time : time;
    answered = now;
    draw(canvas);
    if (spoken.textContent !== describe(faces)) spoken.textContent = describe(faces);
    const { period, ...stages } = means;
    const times = Object.entries(stages).map(([name, time]) => `${name} ${time.toFixed(1)} ms`);
    figures.textContent = (period ? [`${Math.round(1000 / period)} frames/s`] : []).concat(times).join(" · ");
    if (state === "running") next();
  }

  /** Camera off; an answer that is still to come is forgotten. */
  function stop(newState = "stopped", sentence = undefined) {
    if (newState === "stopped" && isOn()) send({ type: "stop" });
    number += 1;
    stream?.getTracks().forEach((track) => track.stop());
    [stream, video.srcObject, picture, faces] = [null, null, null, []];
    [asked, answered, means] = [0, 0, {}];
    [spoken.textContent, figures.textContent] = ["", ""];
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    show(newState, sentence);
  }

  async function begin() {
    stop();
    const before = number;
    if (model.get("source") === "browser") {
      if (!navigator.mediaDevices?.getUserMedia) return show("insecure page");
      show("asking");
      try {
        const camera = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
        if (number !== before) return camera.getTracks().forEach((track) => track.stop()); // Stop was pressed
        stream = video.srcObject = camera;
        camera.getTracks().forEach((track) => track.addEventListener("ended", () => stream === camera && stop("lost", UNPLUGGED)));
        await video.play();
      } catch (error) {
        if (number === before) stop(...explain(error));
      }
      if (number !== before) return;
    }
    asked = seen = performance.now();
    show("running");
    next();
  }

  async function open() {
    const [photo] = file.files;
    file.value = ""; // so that the same photo can be opened again
    if (!photo) return;
    stop();
    const before = number;
    try {
      const bitmap = await createImageBitmap(photo);
      if (number !== before) return;
      picture = bitmap;
      status.textContent = `Photo: ${photo.name}`;
      await sendPicture(bitmap, bitmap.width, bitmap.height, { type: "photo" });
    } catch {
      status.textContent = `This browser cannot read ${photo.name}. Save it as JPEG or PNG and open it again.`;
    }
  }

  /** Once a second: does the kernel still answer, is anybody still there? */
  function watch() {
    const now = performance.now();
    const idle = model.get("idle_seconds");
    if (document.hidden) awake = now; // browsers hold back the video of a hidden page: silence means nothing then
    const isSilent = asked && now - Math.max(asked, answered, awake) > 1000 * ANSWER_SECONDS;
    if (isSilent && asked > answered) stop("lost");
    else if (isSilent && state === "running") stop("lost", UNPLUGGED);
    else if (state === "running" && now - seen > 1000 * idle) stop("stopped", `Stopped after ${idle} seconds without a face; the camera is off.`);
  }

  video.muted = true;
  start.addEventListener("click", () => (isOn() ? stop() : begin()));
  keep.addEventListener("click", () => {
    snapshot.hidden = !(picture || stream);
    if (!snapshot.hidden) draw(snapshot, true); // stays on this page: it is neither sent nor stored
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
