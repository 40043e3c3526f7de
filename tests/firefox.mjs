// Do a few steps in headless Firefox, over WebDriver BiDi, and print what they return as JSON.
//
// node tests/firefox.mjs NODE_MODULES FIREFOX ADDRESS PICTURE STEPS
//
// STEPS is JSON, a list of lists: ["click", selector], ["see", selector, text], ["wait", milliseconds], or ["run",
// JavaScript]. A screenshot of the whole page goes to PICTURE at the end, also if a step fails.

import { pathToFileURL } from "node:url";

const [modules, firefox, address, picture, steps] = process.argv.slice(2);
const { default: puppeteer } = await import(pathToFileURL(`${modules}/puppeteer-core/lib/esm/puppeteer/puppeteer-core.js`));
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: firefox,
  headless: true,
  extraPrefsFirefox: { "media.navigator.streams.fake": true, "media.navigator.permission.disabled": true },
});
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1100, height: 1150 });
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(address, { waitUntil: "domcontentloaded" });
  const results = [];
  const actions = {
    click: async (selector) => (await page.waitForSelector(selector, { visible: true, timeout: 60_000 })).click(),
    see: (selector, text) => page.waitForFunction(
      (one, part) => document.querySelector(one)?.textContent.includes(part) && document.querySelector(one).textContent,
      { timeout: 120_000, polling: 200 }, selector, text).then((found) => found.jsonValue()),
    wait: (milliseconds) => new Promise((done) => setTimeout(done, milliseconds)),
    run: (code) => page.evaluate(code),
  };
  try {
    for (const [action, ...values] of JSON.parse(steps)) results.push((await actions[action](...values)) ?? null);
  } finally {
    await page.screenshot({ path: picture, fullPage: true });
  }
  console.log(JSON.stringify({ results, problems }));
} finally {
  await browser.close();
}
