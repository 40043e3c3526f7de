// The browser's half of the live demo: open the camera, send one small frame at a time, draw the answer over the video.
//
// Pictures travel as custom messages with a binary buffer, because a trait would be saved in the notebook.

import { describe, drawFaces, newMemory } from "./labels.js";

const FRAME_SIDE = 480; // pixels: long side of the frames that are sent; the video on screen keeps its own size
const JPEG_QUALITY = 0.8;
const ANSWER_SECONDS = 10; // a kernel that does not answer for longer is busy or gone
const FRAMES_PER_SECOND = 25; // the most that we ask of the sample clip and the kernel's camera

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

/** Say how often the kernel looks for small faces, and how long a new one waits for its label at most. */
export function describeLooks({ look }) {
  return look ? [`full look at 1 of ${look[0]} frames (small new faces wait up to ${(look[0] * look[1]).toFixed(1)} s)`] : [];
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
