// The page of a fleet in Chromium: on a phone and on a desk, light and dark.
//
//   node fleet.mjs FLEET.html [SCREENSHOTS]     with playwright-core installed
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const page_url = `file://${resolve(process.argv[2])}`;
const screenshots = process.argv[3];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
for (const width of [360, 1280]) for (const colorScheme of ["light", "dark"]) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  const complaints = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("request", (request) => { if (!request.url().startsWith(page_url)) complaints.push(`asks for ${request.url()}`); });
  await page.goto(page_url);
  assert.equal(await page.locator("figure.plot svg").count(), 5);
  assert.ok((await page.locator("path.line.one").first().boundingBox()).width > width / 4, "a plot shows nothing");
  await page.click("summary");
  await page.locator("details tbody tr").first().waitFor({ state: "visible" });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `wider than ${width}`);
  assert.deepEqual(complaints, []);
  await page.click("summary");
  if (screenshots) await page.screenshot({ path: join(screenshots, `fleet-${width}-${colorScheme}.png`), fullPage: true });
  await page.close();
}
await browser.close();
console.log("fleet: plots and table in four looks");
