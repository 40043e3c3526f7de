// The page: camera, photos, and what is said. Nothing here sends a picture anywhere or stores one.

import { loadDetector, read } from "./detector.js";
import { describe, drawFaces, newMemory } from "./labels.js";
import { Tracker } from "./track.js";

const MEGAPIXELS = 50; // larger photos could take more memory than a phone has
const LONG_SIDE = 1600; // pixels: larger photos are shrunk to this, as in the notebook's panel
const SAMPLE = "sample.jpg";
const SPEAK_EVERY = 2000; // milliseconds: a screen reader needs time to say one thing before the next

const INSTEAD = "You can also choose a photo or try the sample picture.";
const SENTENCES = {
  ready: "Ready.",
  stopped: "The camera is off.",
  loading: "Loading the classifier …",
  asking: "Waiting for the camera. If your browser asks for permission, allow it.",
  running: "The camera is on.",
  looking: "Looking for faces …",
  denied: `The browser blocked the camera. Allow it for this page (see the icon next to the address), then start it again. ${INSTEAD}`,
  absent: `No camera was found. Plug one in, then start it. ${INSTEAD}`,
  busy: `The camera did not start. Close any other program that uses it, then start it again. ${INSTEAD}`,
  unplugged: "The camera was disconnected. Plug it in again, then start it.",
  insecure: `Browsers turn the camera on only for pages whose address starts with https:// or http://localhost. ${INSTEAD}`,
};

const find = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const [start, switcher, file, sample] = ["start", "switch", "file", "sample"].map(find);
const [title, stage, hint, canvas] = ["title", "stage", "hint", "canvas"].map(find);
const [faceWords, status, figures] = ["faces", "status", "figures"].map(find);
const video = /** @type {HTMLVideoElement} */ (find("video"));
const frame = document.createElement("canvas"); // of the camera, as the detector sees it

/** @typedef {import("./detector.js").Marked} Marked */
/** @type {MediaStream | null} */ let stream = null; // the camera, while it is on
/** @type {HTMLCanvasElement | null} */ let photo = null; // on screen in place of the video
/** @type {Marked[]} */ let faces = [];
/** @type {string | undefined} */ let camera; // id of the one that was chosen
let memory = newMemory(); // where the labels of this video are
let turn = 0; // counts the visitor's actions: what an earlier one began must not show up anymore
let wanted = ""; // what should be said next
let [spokenAt, speaker] = [-Infinity, 0];

/** Say something below the picture. @param {string} sentence */
function tell(sentence, isProblem = false) {
  status.textContent = sentence;
  status.classList.toggle("problem", isProblem);
}

/** Say which faces there are, for screen readers too: only when that changes, and not more often than every two seconds. */
function speak(/** @type {string} */ words) {
  wanted = words;
  clearTimeout(speaker);
  if (wanted === faceWords.textContent) return;
  const say = () => {
    [faceWords.textContent, spokenAt] = [wanted, performance.now()];
  };
  if (wanted) speaker = setTimeout(say, spokenAt + SPEAK_EVERY - performance.now());
  else say();
}

const isMirrored = () => Boolean(stream) && stream?.getVideoTracks()[0].getSettings().facingMode !== "environment";

/** Draw the photo, if it is one, and the boxes, as sharp as the screen is. */
function draw() {
  const [width, height, ratio] = [stage.clientWidth, stage.clientHeight, devicePixelRatio];
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  if (photo) context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  context.scale(ratio, ratio);
  drawFaces(context, faces, width, height, isMirrored(), memory);
}

/** Show these faces. @param {Marked[]} found */
function show(found) {
  faces = found;
  draw();
  speak(describe([...faces].sort((one, other) => one.box[0] - other.box[0]))); // from left to right
}

/** Make room for a picture of this size. @param {number} width @param {number} height */
function fit(width, height) {
  [frame.width, frame.height] = [width, height];
  stage.style.setProperty("--shape", width / height);
  stage.classList.toggle("mirrored", isMirrored());
  hint.hidden = true;
}

/** Turn the camera off, and forget what is on screen. */
function stop(sentence = SENTENCES.stopped, isProblem = false) {
  turn += 1;
  stream?.getTracks().forEach((track) => track.stop());
  [stream, video.srcObject, photo, faces, memory] = [null, null, null, [], newMemory()];
  [start.textContent, figures.textContent] = ["Start camera", ""];
  [hint.hidden, switcher.hidden] = [false, true];
  speak("");
  tell(sentence, isProblem);
  draw();
}

/** Our own errors are sentences for the visitor. @param {Error} error */
const explain = ({ name, message }) => (name === "Error" ? message : `Something went wrong (${message}). Reload the page.`);

/** Do something that takes a while. If it fails, and nothing else was begun in the meantime, say why. */
async function attempt(/** @type {string} */ sentence, /** @type {(isCurrent: () => boolean) => Promise<void>} */ action) {
  stop(sentence);
  const mine = turn;
  const isCurrent = () => mine === turn;
  try {
    await action(isCurrent);
  } catch (error) {
    if (isCurrent()) stop(explain(/** @type {Error} */ (error)), true);
  }
}

/** Ask for the camera. @returns {Promise<MediaStream>} */
async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(SENTENCES.insecure);
  const which = camera ? { deviceId: { exact: camera } } : { facingMode: "user" };
  return navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, ...which } }).catch(({ name }) => {
    camera = undefined;
    const isDenied = ["NotAllowedError", "SecurityError"].includes(name);
    throw new Error(isDenied ? SENTENCES.denied : ["NotReadableError", "AbortError"].includes(name) ? SENTENCES.busy : SENTENCES.absent);
  });
}

/** The ids of all cameras. A browser keeps them to itself until the visitor allows one. */
async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  return devices.filter(({ kind, deviceId }) => kind === "videoinput" && deviceId).map(({ deviceId }) => deviceId);
}

/** Show the camera, and find the faces in one frame after another until something else begins. */
const runCamera = () => attempt(SENTENCES.asking, async (isCurrent) => {
  const opened = await openCamera();
  if (!isCurrent()) return opened.getTracks().forEach((track) => track.stop());
  stream = video.srcObject = opened;
  opened.getTracks().forEach((track) => track.addEventListener("ended", () => isCurrent() && stop(SENTENCES.unplugged, true)));
  start.textContent = "Stop camera";
  tell(SENTENCES.loading);
  await video.play();
  switcher.hidden = (await listCameras()).length < 2;
  const [detector, tracker] = [await loading, new Tracker()];
  if (isCurrent()) tell(SENTENCES.running);
  for (let before = 0; isCurrent();) {
    // Asked for now, so that a frame that comes while the networks are busy is not missed.
    const next = new Promise((goOn) => (video.requestVideoFrameCallback ? video.requestVideoFrameCallback(goOn) : setTimeout(goOn, 30)));
    if (frame.width !== video.videoWidth || frame.height !== video.videoHeight) fit(video.videoWidth, video.videoHeight);
    frame.getContext("2d", { willReadFrequently: true })?.drawImage(video, 0, 0);
    const found = await detector.track(frame, tracker);
    if (!isCurrent()) return;
    show(found);
    await next;
    const now = performance.now();
    if (now - before < 1000) tracker.seconds += 0.1 * ((now - before) / 1000 - tracker.seconds); // a longer pause says nothing
    if (tracker.frame % 15 === 0) figures.textContent = `${Math.round(1 / tracker.seconds)} frames per second`;
    before = now;
  }
});

/** Find the faces in a photo. @param {() => Promise<Blob>} get @param {string} name */
const runPhoto = (get, name) => attempt(SENTENCES.looking, async (isCurrent) => {
  const read = await readPhoto(await get(), name);
  if (!isCurrent()) return;
  photo = read;
  fit(photo.width, photo.height);
  draw();
  const detector = await loading;
  const found = await detector.detect(photo);
  if (!isCurrent()) return;
  show(found);
  tell(name === SAMPLE ? `The sample picture. ${detector.config.sample_credit}.` : `Photo: ${name}`);
});

/** Read a photo as a canvas, at most `LONG_SIDE` pixels wide and high. @param {Blob} blob @param {string} name */
async function readPhoto(blob, name) {
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  try {
    await new Promise((onload, onerror) => Object.assign(image, { onload, onerror })).catch(() => {
      throw new Error(`This browser can't read ${name}. Save it as a JPEG or PNG, then choose it again.`);
    });
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    if (width * height > 1e6 * MEGAPIXELS) {
      const megapixels = Math.round((width * height) / 1e6);
      throw new Error(`${name} has ${megapixels} megapixels. This page takes up to ${MEGAPIXELS}, so shrink the photo first.`);
    }
    const scale = Math.min(1, LONG_SIDE / Math.max(width, height));
    const small = document.createElement("canvas");
    [small.width, small.height] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
    const context = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d", { willReadFrequently: true }));
    [context.fillStyle, context.imageSmoothingQuality] = ["white", "high"]; // white behind what is transparent, as in Python
    context.fillRect(0, 0, small.width, small.height);
    context.drawImage(image, 0, 0, small.width, small.height);
    return small;
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

/** Take the first file that was chosen, dropped, or pasted, if there is one. @param {FileList | undefined} files */
function take(files) {
  const first = files?.[0];
  if (first) runPhoto(async () => first, first.name);
  return Boolean(first);
}

start.addEventListener("click", () => (stream ? stop() : runCamera()));
switcher.addEventListener("click", async () => {
  const cameras = await listCameras();
  camera = cameras[(cameras.indexOf(stream?.getVideoTracks()[0].getSettings().deviceId ?? "") + 1) % cameras.length];
  runCamera();
});
sample.addEventListener("click", () => runPhoto(async () => (await read(SAMPLE)).blob(), SAMPLE));
file.addEventListener("change", () => {
  take(file.files);
  file.value = ""; // otherwise the same photo could not be chosen again
});
document.addEventListener("paste", (event) => take(event.clipboardData?.files) && event.preventDefault());
for (const type of /** @type {const} */ (["dragover", "dragleave", "drop"])) {
  document.addEventListener(type, (event) => {
    event.preventDefault(); // otherwise the browser would leave this page and show the photo
    stage.classList.toggle("target", type === "dragover");
    if (type === "drop") take(event.dataTransfer?.files);
  });
}
new ResizeObserver(draw).observe(stage);
for (const control of [start, file, sample]) control.disabled = false; // nobody heard a click before

const loading = loadDetector();
loading.then(({ config }) => {
  if (config.mask_class === null) document.title = title.textContent = `${config.classes.join(" or ").replaceAll("_", " ")}?`;
  if (turn === 0) tell(SENTENCES.ready);
}).catch((error) => turn === 0 && tell(explain(error), true)); // later, whoever waits for it says so
