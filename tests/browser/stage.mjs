// The stage, as a person uses it: the key-reset story from the first click to the last, each button, what is saved, who is
// kept out, and what a page says when its program has ended.
//
//   node stage.mjs HARNESS [SCREENSHOTS]     with playwright-core installed
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [, , harness, screenshots] = process.argv;
const work = mkdtempSync(join(tmpdir(), "stage-"));
const programs = [];
const started = async (...args) => {
  const program = spawn(harness, args, { stdio: ["ignore", "pipe", "inherit"] });
  programs.push(program);
  let said = "";
  for await (const piece of program.stdout) {
    said += piece;
    const address = /http:\S+/.exec(said);
    if (address) return { program, address: address[0] };
  }
  throw new Error(`no address: ${said}`);
};
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const complaints = [];
const opened = async (address, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(address);
  return page;
};
const steps = (page) => page.locator(".step").count();
const until = (page, count) => page.waitForFunction((count) => document.querySelectorAll(".step").length >= count && !document.body.classList.contains("busy"), count);
const click = async (page, name) => {
  const before = await steps(page);
  await page.locator("#turn").getByRole("button", { name, exact: true }).first().click();
  await until(page, before + 1);
  return page.locator(".step").last();
};
const fact = (page, lane, name) => page.locator(`.heads .card[data-lane="${lane}"] .fact`, { has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) }).locator("dd").textContent();
const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

try {
  const { program, address } = await started("demo", "--web");
  const page = await opened(address);
  await page.locator(".card[data-lane='main server'] .fact").first().waitFor();
  await page.locator("[data-go=play]").click();
  await until(page, 2);
  await page.locator("[data-go=play]").click();
  await page.keyboard.press("Home");
  assert.match(await page.locator(".place").textContent(), /^1 of /);
  console.log("stage: a story plays, pauses and goes back");

  await page.click("#free");
  await page.waitForFunction(() => document.querySelector("h1").textContent === "Free play");
  await until(page, 1);
  await click(page, "Reinstall");
  assert.match(await (await click(page, "Synchronize")).locator(".verdict").textContent(), /refused, code key-pair-in-use/);
  await click(page, "Write the mail");
  assert.equal(await fact(page, "licensing desk", "open"), "1");
  await click(page, "Approve");
  assert.match(await (await click(page, "Synchronize")).locator(".verdict").textContent(), /outcome synchronized/);
  assert.equal(await fact(page, "server-a", "generation"), "2");
  assert.equal(await fact(page, "server-a", "may issue"), "yes");
  console.log("stage: reinstalled, refused, mail, approved, synchronized with generation 2");

  for (const name of ["May it issue?", "Copy the state", "Restore the copy", "Clone", "Export", "Process", "Import", "New key pair", "Thief tries",
    "Write the mail", "Reject", "Clear by telephone", "Add a license", "Disable the id", "Enable the id", "+1 day", "+30 days", "+366 days", "Arm", "Behave again"]) {
    await click(page, name);
    assert.ok(await page.locator("#problem").isHidden(), `${name}: ${await page.locator("#problem").textContent()}`);
  }
  await page.locator("#turn").getByRole("button", { name: "Approve", exact: true }).click();
  await page.locator("#problem").waitFor({ state: "visible" });
  assert.match(await page.locator("#problem").textContent(), /no clear request is open/);
  complaints.splice(0); // the browser reports the refusal as well
  console.log("stage: each button");

  const save = async (button, file) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
    await download.saveAs(join(work, file));
    return join(work, file);
  };
  const scenario = await save("#save-scenario", "story.toml");
  const again = spawnSync(harness, ["scenario", scenario], { encoding: "utf8" });
  assert.equal(again.status, 0, again.stdout + again.stderr);
  console.log("stage: what was played freely plays again as a scenario");

  const shared = await opened(`file://${await save("#save-page", "story.html")}`);
  const arrows = await shared.locator(".arrow > summary").all();
  assert.ok(arrows.length > 20);
  for (const arrow of arrows) {
    await arrow.click();
    const letter = arrow.locator("xpath=../div");
    assert.ok(await letter.isVisible() && (await letter.textContent()).length > 20);
  }
  assert.ok((await shared.locator("b.good", { hasText: "verified" }).count()) > 5);
  await shared.goto(`${shared.url().split("#")[0]}#step-3`);
  await shared.locator("#step-3.here").waitFor();
  console.log(`stage: each of ${arrows.length} arrows opens in the shared page, without a server`);

  const { origin, hash } = new URL(address);
  const token = hash.slice(1);
  const asked = async (headers, path = "/api/whole") => (await fetch(origin + path, { headers })).status;
  assert.equal(await asked({ Authorization: `Bearer ${token}` }), 200);
  assert.ok(await asked({}) >= 400 && await asked({ Authorization: "Bearer wrong" }) >= 400);
  assert.ok(await asked({ Authorization: `Bearer ${token}`, Origin: "http://evil.example" }) >= 400);
  console.log("stage: a wrong token and another origin get nothing");

  assert.deepEqual(complaints, []);
  program.kill("SIGINT");
  await page.locator("#connection.shown").waitFor();
  assert.match(await page.locator("#connection").textContent(), /has ended/);
  const comes_back = await started("demo", "--web");
  assert.equal(comes_back.address, address);
  await page.locator("#connection:not(.shown)").waitFor({ state: "attached" });
  await page.waitForFunction(() => document.querySelector("h1").textContent === "The key-pair story" && document.querySelectorAll(".step").length === 0);
  await page.locator("[data-go=next]").click();
  await until(page, 1);
  comes_back.program.kill("SIGINT");
  await page.close();
  complaints.splice(0); // the browser reports that nobody answers, too
  console.log("stage: a page says that its program has ended, comes back with it, and begins the story anew");

  const hostile = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\\u202e\\u0007";
  writeFileSync(join(work, "hostile.toml"), `title = "${hostile}"\nabout = "${hostile}"\n[[step]]\ntell = "${hostile}"\ndo = "mail"\nfrom = "it@customer.example"\nsubject = "${hostile}"\n`);
  const live = await opened((await started("scenario", join(work, "hostile.toml"), "--web")).address);
  await live.locator(".card[data-lane='main server'] .fact").first().waitFor();
  await live.keyboard.press("ArrowRight");
  await until(live, 1);
  await live.locator(".arrow > summary").first().click();
  assert.equal(await live.locator("main img, main script").count(), 0);
  assert.ok(!(await live.title()).startsWith("owned") && !(await live.locator("main").textContent()).includes("\u202e"));
  assert.deepEqual(complaints, []);
  console.log("stage: what others wrote stays text");

  spawnSync(harness, ["demo", "--html", join(work, "demo.html")]);
  assert.ok(!readFileSync(join(work, "demo.html"), "utf8").includes("http-equiv=\"refresh\""));
  for (const width of [360, 1280, 1920]) {
    for (const colorScheme of ["light", "dark"]) {
      const picture = await opened(`file://${join(work, "demo.html")}#step-5`, { viewport: { width, height: 900 }, colorScheme });
      assert.ok(await wide(picture) <= 0, `at ${width} pixels it is too wide`);
      if (screenshots) await picture.screenshot({ path: join(screenshots, `stage-${width}-${colorScheme}.png`) });
    }
  }
  assert.deepEqual(complaints, []);
  console.log("stage: it fits from 360 to 1920 pixels, light and dark");
} finally {
  await browser.close();
  for (const program of programs) program.kill("SIGINT");
  rmSync(work, { recursive: true });
}
