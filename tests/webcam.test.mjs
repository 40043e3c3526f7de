// The panel's JavaScript in Node's test runner, with stand-ins for the page, the kernel, and the camera.
//
// node --test tests/webcam.test.mjs

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, test } from "node:test";

// Loaded from its text, as one module, as the notebook does. (An import of the file would depend on how Node treats .js files.)
const read = (name) => readFileSync(new URL(`../maskdet_utils/live/${name}`, import.meta.url), "utf8");
const source = read("labels.js") + read("webcam.js").replace(/^import .* from ".\/labels.js";$/m, "");
const { default: widget, describe, describeLooks, drawFaces, explain, newMemory, placeLabels } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const FACE = { box: [0.1, 0.2, 0.3, 0.4], style: 0, words: "with mask", label: "with_mask", probability: 0.981 };

/** The part of a page's element that the panel uses. */
class Element {
  constructor(tag) {
    Object.assign(this, { tag, children: [], attributes: {}, listeners: {}, dataset: {}, textContent: "", drawn: [], files: [] });
    if (tag === "video") Object.assign(this, { videoWidth: 640, videoHeight: 480, play: async () => {} });
  }
  setAttribute(name, value) {
    this.attributes[name] = value;
    if (["type", "hidden"].includes(name)) this[name] = name === "hidden" ? true : value;
  }
  append(...children) {
    this.children.push(...children);
    this.textContent ||= children.filter((child) => typeof child === "string").join("");
  }
  replaceChildren(...children) { this.children = children; }
  addEventListener(name, callback) { this.listeners[name] = callback; }
  fire(name) { return this.listeners[name](); }
  getContext() {
    const record = (name) => (...values) => { this.drawn.push([name, ...values]); return { width: 50 }; };
    return new Proxy({}, { get: (_, name) => record(name), set: () => true });
  }
  toBlob(done) { done({ arrayBuffer: async () => new ArrayBuffer(100) }); }
  find(matches) {
    if (matches(this)) return this;
    for (const child of this.children) {
      const found = child.find?.(matches);
      if (found) return found;
    }
  }
}

let panel, model, sent, cameraTracks, intervals, now, grabs;

function makeModel(traits) {
  const listeners = {};
  return {
    listeners,
    get: (name) => traits[name],
    set(name, value) { traits[name] = value; listeners[`change:${name}`]?.forEach((callback) => callback()); },
    save_changes() {},
    on(name, callback) { (listeners[name] ??= []).push(callback); },
    off(name, callback) { listeners[name] = listeners[name].filter((other) => other !== callback); },
    send(content, _callbacks, buffers) { sent.push({ ...content, buffers }); },
  };
}

function makeCamera(id = "front") {
  const track = { stopped: false, getSettings: () => ({ deviceId: id }), stop() { this.stopped = true; }, addEventListener(_, callback) { this.end = callback; } };
  cameraTracks.push(track);
  return { getTracks: () => [track], getVideoTracks: () => [track] };
}

function useCamera(getUserMedia, more = {}) {
  const value = getUserMedia ? { mediaDevices: { getUserMedia, ...more } } : {};
  Object.defineProperty(globalThis, "navigator", { value, configurable: true });
}

const settle = async () => { for (let turn = 0; turn < 20; turn += 1) await null; };
const button = (words) => panel.root.find((element) => element.tag === "button" && element.textContent === words);
const status = () => panel.root.find((element) => element.attributes.role === "status").textContent;
const canvas = () => panel.root.find((element) => element.tag === "canvas");
async function press(words) { button(words).fire("click"); await settle(); }
async function grab() { grabs.splice(0).forEach((callback) => callback()); await settle(); }
async function answer(content = {}, buffers = []) {
  const { view, number } = sent.at(-1);
  model.listeners["msg:custom"].forEach((callback) => callback({ view, number, faces: [FACE], ...content }, buffers));
  await settle();
}
async function pass(seconds) {
  now += 1000 * seconds;
  intervals.forEach((callback) => callback());
  await settle();
}

function open(traits = {}) {
  model = makeModel({ source: "browser", face_detectors: ["auto", "yunet"], face_detector: "auto", threshold: 0.5,
    mirror: false, idle_seconds: 60, status: "stopped", ...traits });
  const root = new Element("div");
  panel = { root, end: widget.render({ model, el: root }) };
}

beforeEach(() => {
  [sent, cameraTracks, intervals, grabs, now] = [[], [], [], [], 1000];
  globalThis.document = { createElement: (tag) => {
    const element = new Element(tag);
    if (tag === "video") element.requestVideoFrameCallback = (callback) => grabs.push(callback);
    return element;
  }, hidden: false };
  globalThis.setInterval = (callback) => intervals.push(callback);
  globalThis.clearInterval = (number) => intervals.splice(number - 1, 1);
  globalThis.setTimeout = (callback) => grabs.push(callback);
  globalThis.createImageBitmap = async () => ({ width: 640, height: 480 });
  Object.defineProperty(globalThis, "performance", { value: { now: () => now }, configurable: true });
  useCamera(async () => makeCamera());
  open();
});
afterEach(() => panel.end());

test("Start opens the camera and keeps one frame under way", async () => {
  assert.equal(cameraTracks.length, 0, "the camera stays off until Start");
  await press("Start");
  assert.equal(model.get("status"), "running");
  await grab();
  assert.deepEqual(sent.map((message) => message.type), ["frame"]);
  assert.equal(sent[0].buffers[0].byteLength, 100);
  await grab();
  assert.equal(sent.length, 1, "no second frame before the first answer");
  await answer();
  await grab();
  assert.equal(sent.length, 2);
});

test("an answer is drawn and described", async () => {
  await press("Start");
  await grab();
  await answer({ milliseconds: { faces: 7.25 } });
  assert.ok(canvas().drawn.some(([name, text]) => name === "fillText" && text === "with mask 98%"));
  assert.ok(panel.root.find((element) => element.attributes["aria-live"] && element.textContent === "1 face: with mask."));
  assert.ok(panel.root.find((element) => element.textContent === "faces 7.3 ms"));
  await grab();
  await answer({ milliseconds: { faces: 17.25 } });
  assert.ok(panel.root.find((element) => element.textContent === "faces 8.3 ms"), "times are smoothed");
});

test("Stop turns the camera off, and a late answer changes nothing", async () => {
  await press("Start");
  await grab();
  const { view, number } = sent.at(-1);
  await press("Stop");
  assert.ok(cameraTracks[0].stopped);
  assert.equal(sent.at(-1).type, "stop");
  model.listeners["msg:custom"].forEach((callback) => callback({ view, number, faces: [FACE] }, []));
  await settle();
  await grab();
  assert.equal(sent.length, 2);
  assert.equal(model.get("status"), "stopped");
  assert.ok(!panel.root.find((element) => element.textContent === "1 face: with mask."));
});

test("Stop while the browser asks for permission: a camera that opens later goes off at once", async () => {
  let allow;
  useCamera(() => new Promise((done) => (allow = () => done(makeCamera()))));
  await press("Start");
  assert.equal(model.get("status"), "asking");
  await press("Stop");
  allow();
  await settle();
  assert.ok(cameraTracks[0].stopped);
  assert.equal(model.get("status"), "stopped");
});

for (const [name, state, words] of [
  ["NotAllowedError", "denied", /blocked the camera/],
  ["NotFoundError", "no camera", /No camera/],
  ["NotReadableError", "no camera", /other program that uses it/],
]) {
  test(`${name} gives the state "${state}" and a sentence, and Start works again`, async () => {
    useCamera(async () => { throw Object.assign(new Error(), { name }); });
    await press("Start");
    assert.equal(model.get("status"), state);
    assert.match(status(), words);
    assert.equal(explain({ name })[0], state);
    useCamera(async () => makeCamera());
    await press("Start");
    assert.equal(model.get("status"), "running");
  });
}

test("on an insecure page there is no camera to ask for", async () => {
  useCamera(null);
  await press("Start");
  assert.equal(model.get("status"), "insecure page");
  assert.match(status(), /https/);
});

/** Plug in these cameras, {id: name}; what was asked for is in `wishes`. */
function plugIn(cameras, wishes = []) {
  const list = Object.entries(cameras).map(([deviceId, label]) => ({ kind: "videoinput", deviceId, label }));
  const listeners = {};
  useCamera(async ({ video }) => {
    wishes.push(video);
    const id = video.deviceId?.exact ?? "front";
    if (!(id in cameras)) throw Object.assign(new Error(), { name: "OverconstrainedError" });
    return makeCamera(id);
  }, {
    enumerateDevices: async () => [{ kind: "audioinput", deviceId: "a", label: "Microphone" }, ...list],
    addEventListener: (name, callback) => (listeners[name] = callback),
    removeEventListener: (name) => delete listeners[name],
  });
  return listeners;
}
const cameraMenu = () => panel.root.find(({ tag, attributes }) => tag === "select" && attributes.id.endsWith("-camera"));
const cameraRow = () => panel.root.find(({ tag, children }) => tag === "span" && children.includes(cameraMenu()));
const cameraNames = () => cameraMenu().children.map((option) => option.textContent);

test("the cameras are listed by name once the browser allows them, the one in front first", async () => {
  const wishes = [];
  plugIn({ back: "Rear camera", front: "Front camera", usb: "" }, wishes);
  assert.ok(cameraRow().hidden);
  await press("Start");
  assert.ok(!cameraRow().hidden);
  assert.deepEqual(cameraNames(), ["Front camera", "Rear camera", "Camera 3"]);
  assert.equal(cameraMenu().value, "front");
  assert.deepEqual(wishes[0].facingMode, { ideal: "user" });
});

test("another camera takes over at once and is remembered", async () => {
  const wishes = [];
  plugIn({ front: "Front", usb: "USB" }, wishes);
  await press("Start");
  cameraMenu().value = "usb";
  cameraMenu().fire("change");
  await settle();
  assert.ok(cameraTracks[0].stopped && !cameraTracks[1].stopped);
  assert.equal(model.get("status"), "running");
  await press("Stop");
  await press("Start");
  assert.deepEqual(wishes.map((video) => video.deviceId?.exact), [undefined, "usb", "usb"]);
  assert.deepEqual([cameraMenu().value, cameraNames()[0]], ["usb", "Front"]);
});

test("a choice while the camera is off does not turn it on", async () => {
  plugIn({ front: "Front", usb: "USB" });
  await press("Start");
  await press("Stop");
  cameraMenu().value = "usb";
  cameraMenu().fire("change");
  await settle();
  assert.equal(model.get("status"), "stopped");
  assert.equal(cameraTracks.length, 1);
});

test("one camera needs no list, and neither do other sources", async () => {
  plugIn({ front: "Front" });
  await press("Start");
  assert.ok(cameraRow().hidden);
  plugIn({ front: "Front", usb: "USB" });
  await press("Stop");
  await press("Start");
  assert.ok(!cameraRow().hidden);
  model.set("source", "sample");
  await settle();
  assert.ok(cameraRow().hidden);
});

test("the list follows what is plugged in, and shows the camera that is really on", async () => {
  panel.end();
  const listeners = plugIn({ front: "Front", usb: "USB" });
  open();
  await press("Start");
  cameraMenu().value = "usb";
  cameraMenu().fire("change");
  await settle();
  await press("Stop");
  plugIn({ front: "Front", other: "Other" });
  await press("Start");
  assert.equal(cameraMenu().value, "front", "not the one that is gone");
  plugIn({ front: "Front", other: "Other", third: "Third" });
  listeners.devicechange();
  await settle();
  assert.deepEqual(cameraNames(), ["Front", "Other", "Third"]);
  panel.end();
  assert.deepEqual(listeners, {});
});

test("a camera that is unplugged is lost", async () => {
  await press("Start");
  cameraTracks[0].end();
  assert.equal(model.get("status"), "lost");
  assert.match(status(), /Plug it in/);
});

test("a silent kernel is lost, and the camera goes off", async () => {
  await press("Start");
  await grab();
  await pass(9);
  assert.equal(model.get("status"), "running");
  await pass(2);
  assert.equal(model.get("status"), "lost");
  assert.ok(cameraTracks[0].stopped);
});

test("a closed connection is lost", async () => {
  await press("Start");
  model.send = () => { throw new Error("closed"); };
  await grab();
  assert.equal(model.get("status"), "lost");
  assert.ok(cameraTracks[0].stopped);
});

test("the camera goes off when nobody is there for a while", async () => {
  await press("Start");
  for (let second = 0; second < 13; second += 1) {
    await grab();
    await answer({ faces: [] });
    await pass(5);
  }
  assert.equal(model.get("status"), "stopped");
  assert.match(status(), /60 seconds without a face/);
  assert.ok(cameraTracks[0].stopped);
});

test("a hidden page is silent, but not lost", async () => {
  await press("Start");
  await grab();
  await answer();
  document.hidden = true;
  await pass(30);
  document.hidden = false;
  await pass(1);
  assert.equal(model.get("status"), "running");
});

test("closing the view turns the camera off and removes every listener", async () => {
  await press("Start");
  panel.end();
  assert.ok(cameraTracks[0].stopped);
  assert.equal(intervals.length, 0);
  assert.deepEqual(Object.values(model.listeners).flat(), []);
});

test("answers to another view are ignored", async () => {
  await press("Start");
  await grab();
  await answer({ view: "another" });
  assert.equal(canvas().drawn.filter(([name]) => name === "fillText").length, 0);
});

test("the sample clip needs no camera: the kernel sends the pictures", async () => {
  open({ source: "sample" });
  useCamera(null);
  await press("Start");
  await grab();
  assert.deepEqual([sent[0].type, sent[0].source], ["next", "sample"]);
  await answer({}, [new DataView(new ArrayBuffer(10))]);
  assert.ok(canvas().drawn.some(([name]) => name === "drawImage"));
  await grab();
  assert.equal(sent.length, 2);
});

test("an error in the kernel's source stops the panel with a sentence", async () => {
  open({ source: "opencv" });
  await press("Start");
  await grab();
  await answer({ error: "No camera here.", final: "no camera" });
  assert.equal(model.get("status"), "no camera");
  assert.equal(status(), "No camera here.");
});

test("an unreadable frame is reported, and the next one is still sent", async () => {
  await press("Start");
  await grab();
  await answer({ error: "A picture could not be read.", faces: undefined });
  assert.equal(status(), "A picture could not be read.");
  await grab();
  assert.equal(sent.length, 2);
});

test("a photo is sent once, as a small JPEG", async () => {
  const file = panel.root.find((element) => element.type === "file");
  file.files = [{ name: "me.jpg" }];
  await file.fire("change");
  assert.deepEqual(sent.map((message) => message.type), ["photo"]);
  await answer();
  assert.equal(status(), "Photo: me.jpg");
  assert.equal(sent.length, 1);
  globalThis.createImageBitmap = async () => { throw new Error("no image"); };
  file.files = [{ name: "letter.pdf" }];
  await file.fire("change");
  assert.match(status(), /cannot read letter.pdf/);
});

test("a snapshot stays on the page", async () => {
  await press("Start");
  await grab();
  await answer();
  const before = sent.length;
  const snapshot = panel.root.find((element) => element.attributes["aria-label"] === "Snapshot");
  assert.ok(snapshot.hidden);
  await press("Snapshot");
  assert.ok(!snapshot.hidden);
  assert.ok(snapshot.drawn.some(([name]) => name === "drawImage"));
  assert.equal(sent.length, before);
});

test("a mirrored picture has its boxes on the other side, and readable text", () => {
  const target = new Element("canvas");
  drawFaces(target.getContext(), [FACE], 100, 100, true);
  const left = target.drawn.find(([name]) => name === "strokeRect")[1];
  assert.ok(left > 54 && left <= 60, `the box's line is just left of the face: ${left}`);
  assert.ok(!target.drawn.some(([name]) => name === "setTransform"));
});

test("each class has its own line style", () => {
  const dashes = [0, 1, 2, "unsure"].map((style) => {
    const target = new Element("canvas");
    drawFaces(target.getContext(), [{ ...FACE, style }], 100, 100, false);
    return JSON.stringify(target.drawn.filter(([name]) => name === "setLineDash").at(-1));
  });
  assert.equal(new Set(dashes).size, 4);
});

/** The texts that are drawn on a picture with these faces. */
function written(faces, width, height, memory = newMemory()) {
  const target = new Element("canvas");
  drawFaces(target.getContext(), faces, width, height, false, memory);
  return target.drawn.filter(([name]) => name === "fillText").map(([, text]) => text);
}

test("a crowd gets signs, and the legend explains each of them once", () => {
  const wall = Array.from({ length: 48 }, (_, number) => ({ ...FACE, style: number % 2, words: ["with mask", "without mask"][number % 2],
    box: [(number % 8) / 8, Math.floor(number / 8) / 6, 1 / 8, 1 / 6] }));
  const texts = written(wall, 320, 240);
  assert.equal(texts.filter((text) => text === "✓").length, 25);
  assert.equal(texts.filter((text) => text === "✗").length, 25);
  assert.deepEqual(texts.filter((text) => text.length > 1).sort(), ["with mask", "without mask"]);
  assert.deepEqual(written([FACE], 640, 480), ["with mask 98%"]);
});

test("classes without a meaning have styles and a slider of their own", () => {
  assert.deepEqual(written([{ ...FACE, style: 4, words: "dog" }], 640, 480), ["dog 98%"]);
  open({ threshold_of: "cat" });
  const words = [];
  panel.root.find((element) => element.tag === "label" && words.push(element.textContent) && false);
  assert.ok(words.includes("Threshold of “cat”"), words);
});

test("a label keeps its place in a video while that is free", () => {
  const measure = (text, letter) => [7 * text.length, Math.floor(1.8 * letter)];
  const boxes = [[240, 200, 60, 70]];
  const [first] = placeLabels(boxes, ["with mask 98%"], [640, 400], [undefined], measure);
  const [pushed] = placeLabels([...boxes, [240, 130, 60, 60]], ["with mask 98%", "unsure"], [640, 400], [first, undefined], measure);
  assert.notEqual(pushed.place, first.place);
  const [stays] = placeLabels(boxes, ["with mask 98%"], [640, 400], [pushed], measure);
  assert.equal(stays.place, pushed.place);
});

test("a picture larger than the screen has labels that can be read on the screen", () => {
  const target = new Element("canvas");
  drawFaces(target.getContext(), [FACE], 6400, 4800, false);
  assert.deepEqual(target.drawn.find(([name]) => name === "scale"), ["scale", 10, 10]);
});

test("faces in words", () => {
  assert.equal(describe([]), "No face found.");
  assert.equal(describe([FACE, { ...FACE, words: "without mask" }]), "2 faces: with mask, without mask.");
});

test("the panel says how often the kernel looks for small faces", () => {
  assert.deepEqual(describeLooks({ look: [12, 0.04] }), ["full look at 1 of 12 frames (small new faces wait up to 0.5 s)"]);
  assert.deepEqual(describeLooks({ faces: [] }), []);
});
