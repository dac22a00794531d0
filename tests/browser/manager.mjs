// The License Server Manager, as a person uses it, in Chromium: each entry of its menu, by mouse and keyboard; the page
// while its program ends and comes back; hostile text, and much of it; a wrong token and another origin.
//
//   node manager.mjs WORK SCREENSHOTS     with playwright-core installed; run.sh calls it
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [work, screenshots] = process.argv.slice(2);
const state = join(work, "server");
const ready = JSON.parse(readFileSync(join(work, "ready.json"), "utf8"));
execFileSync(process.env.LICENSE_SERVER, ["--state", state, "init", "--id", "DEMO-4711", "--trust", ready.trust_file]);

const start = async () => {
  const program = spawn(process.env.LICENSE_SERVER, ["--state", state, "manager", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(program.stdout, "data");
  return { program, address: JSON.parse(line).address };
};
let { program, address } = await start();
process.on("exit", () => program.kill());

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
const complaints = [];
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("console", (message) => { if (message.text().includes("Content Security Policy")) complaints.push(message.text()); });
await page.goto(address);

const vendor = (...words) => execFileSync(process.env.MOCK_SOLME, ["--admin-url", ready.admin, "--token", ready.admin_token, ...words]);
const from_menu = async (name) => { await page.click("#server-menu"); await page.getByRole("menuitem", { name }).click(); };
const close = (id) => page.locator(`#${id} [data-close]`).click();

await page.getByText("No license may be issued", { exact: true }).waitFor();
await from_menu("Synchronize Server");
await page.locator("#synchronize .note.good").waitFor();
assert.equal(await page.locator("#synchronize [data-state=done]").count(), 4);
if (screenshots) await page.screenshot({ path: join(screenshots, "synchronize.png") });
await close("synchronize");
await page.getByText("May issue licenses").waitFor();
assert.equal(await page.locator("#days").textContent(), "366");
assert.equal(await page.locator("h1").textContent(), "DEMO-4711");
assert.ok(await page.locator("#license tbody tr").count() > 0);
console.log("manager: synchronizes, with its phases, and shows licenses and days left");

await page.click("#server-menu");
await page.locator("[data-mode=weekly]").click();
await page.locator("[data-mode=weekly][aria-checked=true]").waitFor({ state: "attached" });
console.log("manager: automatic synchronization each week");

await from_menu("Synchronize via file…");
const [download] = await Promise.all([page.waitForEvent("download"), page.click("#export")]);
const request = join(work, "request.solme");
await download.saveAs(request);
const response_file = join(work, "response.solme");
vendor("process-request", request, "--out", response_file);
await page.setInputFiles("#response", request);
await page.locator("#checked .note.bad").waitFor();
assert.ok(await page.locator("#import").isDisabled());
await page.setInputFiles("#response", response_file);
await page.locator("#checked .note.good").waitFor();
await page.click("#import");
await page.getByText("The response was imported").waitFor();
await close("file");
console.log("manager: synchronizes via file; a wrong file is named and cannot be imported");

await from_menu("Request to clear the key pair…");
await page.fill("#from", "it@customer.example");
await page.click("#clear-form button");
assert.match(await page.locator("#clear .mail").textContent(), /To: licensing@solme\.se/);
await close("clear");
await from_menu("Run diagnostics");
await page.locator("#diagnostics .checks li.good").first().waitFor();
assert.equal(await page.locator("#diagnostics .checks li").count(), 11);
await close("diagnostics");
console.log("manager: writes the mail, runs diagnostics");

await from_menu("New key pair…");
await page.getByText("this server stops issuing until Solme clears the old one").waitFor();
await page.keyboard.press("Enter");
if (screenshots) await page.screenshot({ path: join(screenshots, "new-key-pair.png") });
await page.keyboard.press("Escape");
assert.equal(await page.getByText("May issue licenses").count(), 1, "it was only asked");
await from_menu("New key pair…");
await page.click("#replace");
await page.locator("#new-key-pair .note.good").waitFor();
await page.getByText("No license may be issued", { exact: true }).waitFor({ state: "attached" });
await page.click("#ask");
await page.click("#clear-form button");
assert.match(await page.locator("#clear .mail").textContent(), /New key pair: /);
await close("clear");
await from_menu("Synchronize Server");
await page.locator("#synchronize .note.bad", { hasText: "already in use" }).waitFor();
await close("synchronize");
vendor("key-pair", "clear", "DEMO-4711", "--even-so", "--reason", "called back");
await from_menu("Synchronize Server");
await page.locator("#synchronize .note.good").waitFor();
await close("synchronize");
await page.getByText("May issue licenses").waitFor();
await page.getByText("generation 2").waitFor();
console.log("manager: a new key pair, after a word of warning; refused until the old one is cleared");

await page.focus("#server-menu");
await page.keyboard.press("ArrowDown");
assert.equal(await page.evaluate(() => document.activeElement.dataset.do), "synchronize");
await page.keyboard.press("End");
await page.keyboard.press("Enter");
await page.locator("#diagnostics .checks").waitFor();
await page.keyboard.press("Escape");
assert.ok(await page.locator("#diagnostics").isHidden());
console.log("manager: by keyboard");

program.kill();
await page.getByText("The program has ended").waitFor();
const again = await start();
assert.equal(again.address, address);
program = again.program;
await page.locator("html[data-connection=up]").waitFor();
await page.locator("#connection:not(.shown)").waitFor({ state: "attached" });
console.log("manager: says when its program has ended, and comes back with it");

for (const theme of ["light", "dark"]) {
  for (const width of [360, 900, 1600]) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 1000 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${over} px too wide at ${width}`);
    if (screenshots) await page.screenshot({ path: join(screenshots, `manager-${width}-${theme}.png`), fullPage: true });
  }
}

// What comes from the main server is shown as text, however much there is of it: 1,000 licenses, 8 MB.
const hostile = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e\u0007";
const printable = hostile.replace(/[^ -~]/g, "");
const admin = async (path, body) => {
  const answer = await fetch(ready.admin + path, {
    method: body ? "POST" : "GET",
    headers: { Authorization: `Bearer ${ready.admin_token}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
};
const properties = Object.fromEntries([...Array(64)].map((_, n) => [`${n} ${hostile}`.slice(0, 60), hostile.repeat(3).slice(0, 250)]));
const base = { id: "AQDreDAZcXJjzgAE", name: hostile.slice(0, 64), max_users: 1 };
const before = (await admin("/ids/DEMO-4711/licenses")).licenses.length;
for (let n = before; n < 1_000; n += 1) {
  const large = n >= 580 ? properties : {};
  await admin("/ids/DEMO-4711/licenses", { display: `${n} ${printable}`, domain: printable, components: [base], properties: large });
}
await page.setViewportSize({ width: 1280, height: 900 });
await from_menu("Synchronize Server");
await page.locator("#synchronize .note.good").waitFor();
await close("synchronize");
await page.waitForFunction(() => document.querySelector("#license-count")?.textContent === "1000");
// The page asks its program for the license, and that reads the same 8 MB as a command does.
let started = performance.now();
execFileSync(process.env.LICENSE_SERVER, ["--state", state, "status"]);
const command = performance.now() - started;
started = performance.now();
await page.fill("#find", "999 <script>");
await page.locator("#rows .row:visible").click();
await page.locator("#license h3", { hasText: "999 <script>" }).waitFor();
const took = performance.now() - started;
const commands = (took / command).toFixed(1);
assert.ok(took < 10 * command, `from a search to a license as long as ${commands} commands`);
assert.equal(await page.locator("main img, main script").count(), 0);
assert.ok(!(await page.title()).startsWith("owned") && !/[\u202e\u0007]/.test(await page.locator("main").textContent()));
console.log(`manager: 1,000 licenses of hostile text stay text, and one is found in the time of ${commands} commands`);

const { origin, hash } = new URL(address);
const asked = async (headers) => (await fetch(`${origin}/api/view`, { headers })).status;
const right = { Authorization: `Bearer ${hash.slice(1)}` };
assert.equal(await asked(right), 200);
for (const headers of [{}, { Authorization: "Bearer wrong" }, { ...right, Origin: "http://evil.example" }]) assert.ok(await asked(headers) >= 400);
const stranger = await browser.newPage();
await stranger.goto(address.replace(/#.*/, "#wrong"));
await stranger.getByText("This address is not valid any more").waitFor();
assert.equal(await stranger.locator("#days").count(), 0);
console.log("manager: a wrong token and another origin get nothing");
assert.deepEqual(complaints, []);
await browser.close();
// The Manager that runs by now would keep this process alive.
process.exit(0);
