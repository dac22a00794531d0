// The page of a report, as a person uses it: in Chromium, with keyboard and mouse, on a phone and without a script.
//
//   node page.mjs REPORT.html [SCREENSHOTS]     with playwright-core installed
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const page_url = `file://${resolve(process.argv[2])}`;
const screenshots = process.argv[3];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// Each check begins with the page as it is opened; whatever the page complains about is an error.
const opened = async (check, options = {}, hash = "") => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(page_url)) complaints.push(`asks for ${request.url()}`); });
  await page.goto(page_url + hash);
  await check(page, context);
  assert.deepEqual(complaints, []);
  assert.notEqual(await page.title(), "owned");
  await context.close();
};
const cases = (page) => page.locator("details.case:visible");
const count = async (page) => Number((await page.locator("#shown").textContent()).split(" ")[0]);

const checks = {
  async "search, filters and their reset"(page) {
    const total = await count(page);
    assert.equal(await cases(page).count(), total);
    await page.keyboard.press("/");
    await page.keyboard.type("first synchronization");
    const found = await count(page);
    assert.ok(found > 0 && found < total && await cases(page).count() === found, `${found} of ${total}`);
    await page.keyboard.press("Escape");
    assert.equal(await count(page), total);
    await page.selectOption("#clause", "1.");
    assert.ok((await cases(page).evaluateAll((items) => items.map((item) => item.id))).every((id) => id.startsWith("1.")));
    assert.equal(await page.locator("section.group:visible").count(), 1);
    await page.selectOption("#level", "SHOULD");
    assert.ok((await cases(page).evaluateAll((items) => items.map((item) => item.dataset.level))).every((level) => level === "SHOULD"));
    await page.click("#reset");
    for (const box of await page.locator("input[name=result]").all()) await box.uncheck();
    assert.equal(await count(page), 0);
    await page.check("input[value=failed]");
    const kinds = await cases(page).evaluateAll((items) => items.map((item) => item.dataset.result));
    assert.ok(kinds.length > 0 && kinds.every((kind) => kind.split(" ").includes("failed")));
    await page.click("#reset");
    assert.equal(await count(page), total);
  },
  async "next and previous failure"(page) {
    const failing = await page.locator("details.case[data-fails]").evaluateAll((items) => items.map((item) => item.id));
    assert.ok(failing.length > 1);
    const at = () => page.evaluate(() => decodeURIComponent(location.hash.slice(1)));
    await page.click("#next");
    assert.equal(await at(), failing[0]);
    await page.keyboard.press("n");
    assert.equal(await at(), failing[1]);
    await page.keyboard.press("p");
    assert.equal(await at(), failing[0]);
    const story = page.locator(`details.case[id="${failing[0]}"]`);
    assert.ok(await story.evaluate((item) => item.open) && await story.locator("summary").first().evaluate((item) => item === document.activeElement));
  },
  async "a cell of the matrix opens the case"(page) {
    const cell = page.locator("[data-case] a[href^='#'], a[data-case]").last();
    const id = (await cell.getAttribute("href")).slice(1);
    await cell.click();
    const story = page.locator(`details.case[id="${id}"]`);
    await story.locator(".requirement").waitFor({ state: "visible" });
    assert.ok(await story.evaluate((item) => item.getBoundingClientRect().top < innerHeight));
    const clause = story.locator(".requirement a").first();
    const target = (await clause.getAttribute("href")).slice(1);
    await clause.click();
    await page.locator(`[id="${target}"]`).waitFor({ state: "visible" });
  },
  async "the line that runs a case again is copied"(page, context) {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.keyboard.press("n");
    const again = page.locator("details.case[data-fails] .again").first();
    await again.locator("button").click();
    await page.getByText("Copied").first().waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, await again.locator("code").textContent());
    assert.match(copied, /^harness conformance client --subject .* --only .* --seed 1$/);
  },
  async "what nobody sees is heard"(page) {
    const nameless = await page.evaluate(() => [...document.querySelectorAll("input, select, button, a, summary")]
      .filter((item) => !(item.labels?.length || item.textContent.trim() || item.ariaLabel)).map((item) => item.outerHTML));
    assert.deepEqual(nameless, []);
  },
};
for (const [name, check] of Object.entries(checks)) {
  await opened(check);
  console.log(`page: ${name}`);
}

const one = "1.1/the-first-synchronization-makes-licenses-known";
await opened(async (page) => {
  await page.locator(`details.case[id="${one}"] .requirement`).waitFor({ state: "visible" });
}, {}, `#${one}`);
console.log("page: a link to a case opens it");

await opened(async (page) => {
  assert.ok(await page.locator("#controls").isHidden());
  const last = page.locator("details.case").last();
  if (await last.getAttribute("open") === null) await last.locator("summary").first().click();
  assert.ok(await last.locator(".requirement").isVisible());
}, { javaScriptEnabled: false });
console.log("page: it can be read without its script");

for (const width of [360, 768, 1280, 1920]) {
  for (const colorScheme of ["light", "dark"]) {
    await opened(async (page) => {
      await page.keyboard.press("n");
      const [wide, here] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      const widest = await page.evaluate(() => [...document.querySelectorAll("body *")].find((item) => item.getBoundingClientRect().right > innerWidth + 1 && !item.closest(".scroll"))?.outerHTML.slice(0, 200));
      assert.ok(wide <= here, `at ${here} pixels it is ${wide} wide: ${widest}`);
      if (screenshots) {
        await page.screenshot({ path: join(screenshots, `${width}-${colorScheme}-story.png`) });
        await page.evaluate(() => scrollTo(0, 0));
        await page.screenshot({ path: join(screenshots, `${width}-${colorScheme}.png`) });
      }
    }, { viewport: { width, height: 900 }, colorScheme });
  }
}
console.log("page: it fits from 360 to 1920 pixels, light and dark");
await browser.close();
