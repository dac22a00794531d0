// The console of mock-solme, as an operator uses it, in Chromium: each button, the key-reset story from the operator's
// side, what others wrote, who is kept out, a million ids by pages, a flood, and a program that ends and comes back.
//
//   node console.mjs PROGRAMS [SCREENSHOTS]     with playwright-core installed; console.sh calls it
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request as request_http } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const [, , programs, screenshots] = process.argv;
const work = mkdtempSync(join(tmpdir(), "console-"));
const data = join(work, "data");
const mock_solme = resolve(programs, "mock-solme");
const license_server = resolve(programs, "license-server");

let running;
const serve = async (...args) => {
  const program = spawn(mock_solme, ["serve", "--data", data, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  running = program;
  const [line] = await once(program.stdout, "data");
  return { program, ready: JSON.parse(line) };
};
let { program, ready } = await serve("--seed", "7");
const admin = (...args) => execFileSync(mock_solme, ["--data", data, ...args], { encoding: "utf8" });
const site = (name, ...args) => spawnSync(license_server, ["--state", join(work, name), ...args], { encoding: "utf8" });
const init = (name, id) => assert.equal(site(name, "init", "--id", id, "--trust", ready.trust_file).status, 0);
const api = async (method, path, body) => {
  const answer = await fetch(ready.admin + path, { method, body: body && JSON.stringify(body), headers: { Authorization: `Bearer ${ready.admin_token}` } });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.json();
};
/** A mail as anybody can write one. */
const write_mail = async (from, headers, text) => {
  const [host, port] = ready.smtp.split(":");
  const socket = connect(Number(port), host);
  const says = (line) => { socket.write(`${line}\r\n`); return once(socket, "data"); };
  await once(socket, "data");
  await says("EHLO test.example");
  await says(`MAIL FROM:<${from}>`);
  await says("RCPT TO:<licensing@solme.se>");
  await says("DATA");
  await says(`${["From: " + from, ...headers].join("\r\n")}\r\n\r\n${text}\r\n.`);
  socket.end("QUIT\r\n");
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-precise-memory-info"],
});
const complaints = [];
const opened = async (address, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce", acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(address);
  return page;
};

const page = await opened(ready.console);
const part = (name) => page.locator(`.tabs [data-to=${name}]`).click();
const at = (...what) => page.evaluate((what) => { location.hash = `#${location.hash.slice(1).split("/")[0]}/${what}`; }, what.join("/"));
const button = (name, inside = page.locator("#main")) => inside.getByRole("button", { name, exact: true }).first();
/** Fills the open action, reads its command line, and carries it out. */
const act = async (fields = {}, { fails = false } = {}) => {
  const dialog = page.locator("#act");
  for (const [name, value] of Object.entries(fields)) {
    const field = dialog.locator(`[name=${name}]`);
    if (value === true) await field.check(); else if (await field.evaluate((input) => input.tagName) === "SELECT") await field.selectOption(value); else await field.fill(String(value));
  }
  const line = await dialog.locator(".preview code").textContent();
  await dialog.locator("button[type=submit]").click();
  if (fails) { await dialog.locator(".note.bad").waitFor(); return line; }
  await page.waitForFunction(() => !document.getElementById("act").open);
  assert.equal(await page.locator("#last .line code").textContent(), line);
  return line;
};
const cancel = () => button("Cancel", page.locator("#act")).click();
const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

try {
  // Ids

  await page.getByText("DEMO-4711").first().waitFor();
  await button("Add an id").click();
  assert.equal(await act({ id: "SITE-1", name: "Works north", contacts: "it@customer.example\nboss@customer.example" }),
    "mock-solme ids add SITE-1 --name 'Works north' --contact it@customer.example --contact boss@customer.example");
  await page.locator("#detail h2", { hasText: "SITE-1" }).waitFor();
  await button("Change…").click();
  await act({ name: "Works south" });
  await page.locator("#detail .head", { hasText: "Works south" }).first().waitFor();
  await button("Add a license…").click();
  await button("+ Component", page.locator("#act")).click();
  await page.locator("#act .component").last().locator(".name").fill("Ergo");
  await page.locator("#act .component").last().locator(".users").fill("2");
  assert.equal(await act({ display: "Assembly", expires_at: "2030-12-31" }), "mock-solme licenses add SITE-1 --component Base=5 --component Ergo=2 --display Assembly --expires-at 2030-12-31");
  await page.locator("#licenses td", { hasText: "Ergo 2" }).waitFor();
  await button("Change…", page.locator("#licenses")).click();
  await page.locator("#act .component").first().locator(".users").fill("20");
  await act({ domain: "training" });
  await page.locator("#licenses td", { hasText: "Base 20" }).waitFor();
  await button("Change…", page.locator("#licenses")).click();
  await act({ domain: "", expires_at: "never" });
  await page.locator("#licenses td", { hasText: "no end" }).waitFor();
  await button("Remove…", page.locator("#licenses")).click();
  await act();
  await page.getByText("Nothing is allocated.").waitFor();
  await button("Disable…").click();
  await act({ reason: "not paid" });
  await page.locator("#detail .note.bad", { hasText: "not paid" }).waitFor();
  await button("Enable").click();
  await act();
  await button("Reserve…").click();
  await act({ reserve_for: "x" }, { fails: true });
  await act({ reserve_for: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" });
  await button("Change the reservation…").click();
  assert.equal(await act({ reserve_for: "" }), "mock-solme key-pair reserve SITE-1");
  await button("Reset…").click();
  await act();
  await page.locator("#detail td", { hasText: "operator" }).first().waitFor();
  complaints.splice(0); // the browser reports the refusal as well
  console.log("console: ids and licenses are added, changed, disabled, enabled, reserved, reset");

  // The key-reset story, from the operator's side

  await at("ids", "DEMO-4711");
  init("a", "DEMO-4711");
  assert.equal(site("a", "synchronize").status, 0);
  await page.locator("#detail .badge", { hasText: "in use" }).waitFor();
  await page.locator("#detail .exchanges .badge", { hasText: "accepted" }).first().waitFor();
  init("b", "DEMO-4711");
  assert.equal(site("b", "synchronize").status, 10);
  await part("journal");
  await page.locator("#exchanges .row", { hasText: "key-pair-in-use" }).click();
  await page.locator("#why", { hasText: /^Why it was refused: key-pair-in-use: .+ \(P 9\.9\)$/ }).waitFor();
  assert.match(await page.locator("#detail").textContent(), /✓ verified with the key pair that the request carries/);
  assert.match(await page.locator("#detail").textContent(), /✓ verified with the main server's key/);
  const [curl, again] = await page.locator(".repeat code").allTextContents();
  assert.match(curl, /^curl --cacert <\(jq -r \.ca_certificate '.*trust\.json'\) -H 'Content-Type: application\/jose' --data-raw 'eyJ/);
  assert.equal(again, "license-server --state DIR synchronize");
  console.log("console: an exchange is decoded, says why it was refused, and how to repeat it");

  assert.equal(site("b", "request-clear", "--from", "boss@stranger.example", "--smtp", ready.smtp).status, 0);
  await page.locator("#mails-count", { hasText: "1" }).waitFor();
  await part("mails");
  const request = page.locator(".request").first();
  await request.getByText("not a contact").waitFor();
  for (const known of ["Bound", "Last synchronized", "just now"]) assert.ok((await request.textContent()).includes(known), known);
  await button("Approve…", request).click();
  await act({}, { fails: true });
  assert.match(await act({ reason: "called back", even_so: true }), /clear-requests approve 1 --even-so --reason 'called back'/);
  await page.getByText("Nothing is open.").waitFor();
  await page.locator("#outbox li").first().locator("summary").click();
  await page.locator("#outbox pre").first().waitFor();
  await page.locator("#inbox li").first().locator("summary").click();
  await page.locator("#inbox dd", { hasText: "clear request 1" }).waitFor();
  assert.equal(site("b", "synchronize").status, 0);
  await at("ids", "DEMO-4711");
  await page.locator("#key-pair dd", { hasText: /^2$/ }).first().waitFor();
  assert.equal(await page.locator("#key-pair tbody tr").count(), 1);
  complaints.splice(0);
  console.log("console: refused, mail, look twice, approved with a reason, synchronized with generation 2");

  await button("Clear the key pair…").click();
  await act({}, { fails: true });
  await act({ reason: "by telephone", even_so: true });
  await page.locator("#key-pair dd", { hasText: /^3$/ }).first().waitFor();
  await write_mail("it@customer.example", ["Subject: clear"], "Please clear DEMO-4711");
  await part("mails");
  await button("Reject…").click();
  await act({ reason: "no need" });
  await page.locator("#outbox summary").first().click();
  await button("Hand it on…", page.locator("#outbox")).click();
  await act({}, { fails: true });
  await cancel();
  complaints.splice(0);
  console.log("console: cleared by telephone, rejected; without a mail server nothing is handed on");

  // Quirks

  await part("quirks");
  await page.locator("#find-quirk").fill("drop-reply");
  await button("Arm…", page.locator("#catalogue")).click();
  assert.equal(await act({ next: 2, operation: "synchronize" }), "mock-solme quirks arm drop-reply --operation synchronize --next 2");
  site("b", "synchronize");
  await page.locator("#armed td", { hasText: /^[12]$/ }).first().waitFor();
  await page.waitForFunction(() => Number(document.querySelector("#armed td:nth-child(5)")?.textContent) > 0);
  await button("Disarm", page.locator("#armed")).click();
  await page.getByText("Nothing is armed").waitFor();
  await page.locator("#find-quirk").fill("receipt-variant");
  await button("Arm…", page.locator("#catalogue")).click();
  await act({ next: "" });
  await page.locator("#armed", { hasText: "for ever" }).waitFor();
  await button("Disarm all").click();
  await page.locator("#last", { hasText: "1 quirk was disarmed." }).waitFor();
  console.log("console: quirks are armed, fire, and are disarmed");

  // This run

  await part("run");
  for (const name of ["+1 day", "+30 days", "+366 days"]) {
    await button(name).click();
    await page.locator("#last code", { hasText: `clock advance ${parseInt(name.slice(1), 10)}d` }).waitFor();
  }
  await page.locator("#clock", { hasText: "397 days ahead" }).waitFor();
  await button("Move…").click();
  await act({ by: "-7d12h" });
  await button("Set…").click();
  await act({ now: "2031-05-06" });
  await page.locator("#clock", { hasText: "2031-05-06" }).waitFor();
  admin("clock", "set", new Date().toISOString().slice(0, 19) + "Z");
  await page.locator("#clock", { hasText: "real time" }).waitFor();
  const request_file = join(work, "request.solme");
  init("c", "SITE-1");
  assert.equal(site("c", "export-request", request_file).status, 0);
  await page.setInputFiles("#request-file", request_file);
  await page.locator("#processed .badge.good").waitFor();
  const saved = async (click) => {
    const [download] = await Promise.all([page.waitForEvent("download"), click()]);
    const path = join(work, download.suggestedFilename());
    await download.saveAs(path);
    return path;
  };
  const response_file = await saved(() => button("Save the response file").click());
  assert.equal(site("c", "import-response", response_file).status, 0);
  const trust_file = await saved(() => button("Trust file").click());
  assert.equal(JSON.parse(readFileSync(trust_file, "utf8")).main_server_id, ready.main_server_id);
  await button("Trust file for other addresses…").click();
  const elsewhere = await saved(() => act({ https: "https://main-server.example:31443" }));
  assert.equal(JSON.parse(readFileSync(elsewhere, "utf8")).https, "https://main-server.example:31443");
  await page.locator("#operator").fill("Ada");
  assert.match(await page.locator("#settings-facts").textContent(), /Seed7/);
  await at("ids", "SITE-1");
  await button("Disable…").click();
  assert.match(await act({ reason: "x" }), / --operator Ada$/);
  await page.locator("#detail td", { hasText: "Ada" }).first().waitFor();
  await button("Enable").click();
  await act();
  console.log("console: the clock, request and trust files, settings; who did it is in the audit");

  // The journal's filters

  await part("journal");
  await page.locator("#f-verdict").fill("refused");
  await button("Filter").click();
  await page.waitForFunction(() => document.querySelectorAll("#exchanges .badge").length > 0 && [...document.querySelectorAll("#exchanges .badge")].every((badge) => badge.textContent !== "accepted"));
  await page.locator("#f-clause").fill("9");
  await page.locator("#f-id").fill("DEMO-4711");
  await button("Filter").click();
  await page.waitForFunction(() => [...document.querySelectorAll("#exchanges .who")].every((who) => who.textContent === "DEMO-4711"));
  await button("Show all").click();
  await page.locator("#f-carrier").selectOption("file");
  await page.waitForFunction(() => document.querySelectorAll("#exchanges li").length === 1);
  await button("Show all").click();
  await page.locator("#f-quirk").fill("drop-reply");
  await button("Filter").click();
  await page.waitForFunction(() => document.querySelectorAll("#exchanges .badge.warn").length === document.querySelectorAll("#exchanges li").length && document.querySelectorAll("#exchanges li").length > 0);
  await button("Show all").click();
  await page.locator("#exchanges .row", { hasText: "accepted" }).first().click();
  const jws = await saved(() => button("Save", page.locator("#detail")).click());
  assert.match(readFileSync(jws, "utf8"), /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: ready.admin });
  await button("Copy the line", page.locator(".repeat")).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.locator(".repeat code").first().textContent());
  await at("ids", "DEMO-4711");
  await button("All exchanges of this id").click();
  await page.waitForFunction(() => document.querySelector("#f-id")?.value === "DEMO-4711" && [...document.querySelectorAll("#exchanges .who")].every((who) => who.textContent === "DEMO-4711"));
  await button("Show all").click();
  await button("Hide what was done last", page.locator("body")).click();
  assert.ok(await page.locator("#last").isHidden());
  console.log("console: the journal by id, verdict, clause, quirk and carrier");

  // What others wrote

  const hostile = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e";
  await api("POST", "/ids", { license_server_id: "HOSTILE-1", name: hostile, contacts: ["it@customer.example"] });
  await api("POST", "/ids/HOSTILE-1/licenses", { display: "<img src=x onerror=alert(2)>", domain: "<b>x</b>", components: [{ name: "Base", max_users: 1 }, { id: "AAAAAAAAAAAAAAAA", name: "<img src=x>\u202e", max_users: 1 }], properties: { "<i>": hostile } }).catch(() => {});
  await api("POST", "/ids/HOSTILE-1/licenses", { display: "<img src=x onerror=alert(2)>", components: [{ name: "Base", max_users: 1 }], properties: { "<i>": hostile } });
  await api("POST", "/ids/HOSTILE-1/disable", { operator: "<b>op</b>\u202e", reason: hostile });
  await write_mail("it@customer.example", [`Subject: =?utf-8?B?${Buffer.from(`${hostile}\u0007 HOSTILE-1`).toString("base64")}?=`], `HOSTILE-1 ${hostile} \u001b[2J`);
  spawnSync("curl", ["--silent", "--insecure", "--data-binary", `${hostile}\u0001`, `${ready.https}/synchronize`]);
  const clean = async (where) => {
    assert.equal(await page.locator("main img, main script, main i:not(.icon), dialog img").count(), 0, where);
    assert.ok(!(await page.title()).startsWith("owned"), where);
    // eslint-disable-next-line no-control-regex
    assert.ok(!/[\u0000-\u0008\u000e-\u001f\u202e]/.test(await page.locator("body").textContent()), where);
  };
  await at("ids", "HOSTILE-1");
  await page.locator("#licenses .display", { hasText: "<img src=x" }).first().waitFor();
  await page.locator("#detail .head p", { hasText: "\\u{202e}" }).waitFor();
  await clean("an id");
  await part("mails");
  await page.locator(".request", { hasText: "HOSTILE-1" }).waitFor();
  await page.locator("#inbox summary").first().click();
  await page.locator("#inbox pre", { hasText: "\\u{1b}[2J" }).first().waitFor();
  await clean("mails");
  await page.locator(".request", { hasText: "HOSTILE-1" }).getByRole("button", { name: "Approve…" }).click();
  await clean("an action");
  await cancel();
  await part("journal");
  await page.locator("#exchanges .row").first().click();
  await page.locator("#detail code", { hasText: "<script>" }).first().waitFor();
  await clean("an exchange");
  await part("quirks");
  await clean("quirks");
  assert.deepEqual(complaints, []);
  console.log("console: what others wrote stays text");

  // More than a page shows

  await api("POST", "/ids", { license_server_id: "FULL-1" });
  for (let number = 0; number < 25; number += 1) await api("PATCH", "/ids/FULL-1", { name: `Number ${number}` });
  // As much as an allocation can have: 1,000 licenses and 8 MB. To add them one by one takes minutes.
  const properties = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`p${index}`, `<b>${"x".repeat(240)}\u202e`]));
  const licenses = Array.from({ length: 1_000 }, (_, index) => ({
    number: `FULL0-00000-00000-00000-00000-${String(index).padStart(7, "0")}`, display: hostile, domain: null, components: [{ id: "AQDreDAZcXJjzgAE", name: "Base", max_users: 5 }],
    valid_from: "2026-01-01T00:00:00Z", expires_at: null, properties,
  }));
  await page.route("**/ids/FULL-1/licenses", (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify({ license_server_id: "FULL-1", revision: 1_000, licenses }) }));
  await at("ids", "FULL-1");
  await button("Show all 1000").click();
  await page.waitForFunction(() => document.querySelectorAll("#licenses tbody tr").length === 1_000);
  await clean("a full allocation");
  const audit = page.locator("#detail section").last();
  await button("Show older", audit).click();
  await page.waitForFunction(() => document.querySelectorAll("#detail section:last-of-type tbody tr").length === 26);
  for (let number = 0; number < 22; number += 1) await write_mail(`it${number}@customer.example`, [`Subject: mail ${number}`], "Please clear FULL-1");
  await part("mails");
  await page.locator("#inbox summary", { hasText: "mail 21" }).waitFor();
  await button("Older →", page.locator("#inbox-pager")).click();
  await page.locator("#inbox summary", { hasText: "mail 1" }).first().waitFor();
  await button("← Newer", page.locator("#inbox-pager")).click();
  await page.locator("#inbox summary", { hasText: "mail 21" }).waitFor();
  await button("Older →", page.locator("#outbox-pager")).click();
  await button("← Newer", page.locator("#outbox-pager")).click();
  console.log("console: licenses, audit and mails beyond the first page");

  // Many ids

  for (let begin = 0; begin < 1_000; begin += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, index) => api("POST", "/ids", { license_server_id: `PLANT-${String(begin + index).padStart(4, "0")}` })));
  }
  await at("ids");
  await page.locator("#search").fill("plant-");
  await page.locator("#found b", { hasText: "PLANT-0000" }).waitFor();
  let seen = 0;
  for (let number = 1; ; number += 1) {
    await page.waitForFunction((text) => document.querySelector("#found b")?.textContent === text, `PLANT-${String((number - 1) * 50).padStart(4, "0")}`);
    seen += await page.locator("#found li").count();
    const next = button("After →");
    if (await next.isDisabled()) break;
    await next.click();
  }
  assert.equal(seen, 1_000);
  await button("← Before").click();
  await page.locator("#found b", { hasText: "PLANT-0900" }).waitFor();
  await page.locator("#search").fill("PLANT-0777");
  await page.waitForFunction(() => document.querySelectorAll("#found li").length === 1);
  await page.locator("#search").fill("");
  console.log("console: 1,000 ids by pages, and found by their beginning");

  // A flood: what the page is sent, at more than 1,000 exchanges a second

  await part("journal");
  await page.locator("#exchanges .row").first().waitFor();
  const before = await page.evaluate(() => performance.memory.usedJSHeapSize);
  const flood = await page.evaluate(async (module) => {
    const journal = await import(module);
    const entry = (number) => ({ number, at: new Date().toISOString(), carrier: "https", license_server_id: `SITE-${number % 97}`, verdict: number % 5 ? "accepted" : "rate-limited", clause: "9.4", detail: "too many requests", judgements: [], quirk: null });
    let longest = 0;
    let frames = 0;
    let last = performance.now();
    const begin = last;
    let sent = 0;
    while (last - begin < 4_000) {
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      frames += 1;
      for (const due = (now - begin) * 1.5; sent < due; sent += 1) journal.happened(entry(1_000_000 + sent));
    }
    await new Promise(requestAnimationFrame);
    return { longest, frames, sent, rows: document.querySelectorAll("#exchanges li").length };
  }, "/journal.js");
  assert.ok(flood.sent > 4_000 && flood.rows <= 200, JSON.stringify(flood));
  assert.ok(flood.longest < 500 && flood.frames > 40, JSON.stringify(flood));
  const grown = (await page.evaluate(() => performance.memory.usedJSHeapSize)) - before;
  assert.ok(grown < 60 << 20, `${grown} bytes more`);
  // And as many as this machine can, over the wire.
  const last = async () => (await api("GET", "/journal?limit=1&brief=true"))[0].number;
  const first = await last();
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const until = Date.now() + 3_000;
  const ask = () => new Promise((done, failed) => { request_http(`${ready.http}/payloads/AAAAAAAAAAAAAAAAAAAAAA`, { agent }, (answer) => { answer.resume(); answer.on("end", done); }).on("error", failed).end(); });
  await Promise.all(Array.from({ length: 8 }, async () => { while (Date.now() < until) await ask(); }));
  agent.destroy();
  const newest = await last();
  await page.waitForFunction((newest) => Number(document.querySelector("#exchanges .n")?.textContent) >= newest - 50, newest);
  assert.ok(await page.locator("#exchanges li").count() <= 200);
  console.log(`console: keeps up with ${Math.round((newest - first) / 3)} exchanges a second over the wire`);
  await part("ids");
  await part("journal");
  const top = Number(await page.locator("#exchanges .n").first().textContent());
  await button("Older →").click();
  await page.waitForFunction((top) => Number(document.querySelector("#exchanges .n").textContent) <= top - 100, top);
  await button("← Newest").click();
  await page.waitForFunction((top) => Number(document.querySelector("#exchanges .n").textContent) >= top, top);
  await button("Hold").click();
  const number = await page.locator("#exchanges .n").first().textContent();
  admin("journal", "--limit", "1");
  site("c", "synchronize");
  await page.locator("#rate", { hasText: "new" }).waitFor();
  assert.equal(await page.locator("#exchanges .n").first().textContent(), number);
  await button("Go on").click();
  await page.waitForFunction((number) => document.querySelector("#exchanges .n")?.textContent !== number, number);
  console.log(`console: ${Math.round(flood.sent / 4)} exchanges a second, longest frame ${Math.round(flood.longest)} ms, ${flood.rows} rows, ${Math.round(grown / 1024 / 1024)} MiB more`);

  // By keyboard

  await at("ids", "SITE-1");
  await page.locator("#detail h2", { hasText: "SITE-1" }).waitFor();
  await button("Disable…").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.name), "reason");
  await page.keyboard.type("by keyboard");
  await page.keyboard.press("Enter");
  await page.locator("#detail .note.bad", { hasText: "by keyboard" }).waitFor();
  await button("Enable").focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("Escape");
  assert.ok(await page.locator("#act").isHidden());
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, select, a")].filter((element) => element.checkVisibility() && !(element.textContent.trim() || element.ariaLabel || element.labels?.length)).map((element) => element.outerHTML));
  assert.deepEqual(nameless, []);
  console.log("console: by keyboard, and everything has a label");

  // Who is kept out

  const status = async (headers, path = "/ids") => (await fetch(ready.admin + path, { headers })).status;
  const Authorization = `Bearer ${ready.admin_token}`;
  assert.equal(await status({ Authorization }), 200);
  assert.equal(await status({}, "/"), 200);
  for (const path of ["/ids", "/live", "/settings", "/journal/1", "/inbox"]) {
    assert.equal(await status({}, path), 401);
    assert.equal(await status({ Authorization: "Bearer wrong" }, path), 401);
    assert.equal(await status({ Authorization, Origin: "http://evil.example" }, path), 403);
  }
  for (const path of ["/", "/console.js", "/house.js"]) assert.equal(await status({ Origin: "http://evil.example" }, path), 403);
  const policy = (await fetch(`${ready.admin}/`)).headers.get("content-security-policy");
  assert.ok(policy.includes("default-src 'none'") && !policy.includes("unsafe"), policy);
  const page_text = await (await fetch(`${ready.admin}/`)).text();
  assert.ok(!page_text.includes(ready.admin_token) && !page_text.includes("DEMO-4711"));
  complaints.splice(0);
  const stranger = await opened(ready.console.replace(/#.*/, "#wrong"));
  await stranger.getByText("This address is not valid any more").waitFor();
  assert.equal(await stranger.locator("#main > *").count(), 0);
  await stranger.close();
  const nobody = await opened(ready.admin);
  await nobody.getByText("This address lacks its token").waitFor();
  await nobody.close();
  console.log("console: a wrong token and another origin get nothing");

  // It ends, and comes back

  program.kill("SIGTERM");
  await once(program, "exit");
  await page.locator("#connection.shown", { hasText: "The program has ended" }).waitFor();
  const address = ready.console;
  ({ program, ready } = await serve());
  assert.equal(ready.console, address);
  await page.locator("html[data-connection=up]").waitFor({ timeout: 30_000 });
  await page.locator("#detail h2", { hasText: "SITE-1" }).waitFor();
  complaints.splice(0);
  console.log("console: says that its program has ended, and comes back with it");

  // Pictures

  init("d", "DEMO-4711");
  init("e", "DEMO-4711");
  for (const name of ["d", "e", "b", "d", "c", "d"]) site(name, "synchronize");
  await write_mail("boss@stranger.example", ["Subject: reinstalled, please clear"], "Our license server id DEMO-4711 cannot synchronize any more.");
  const views = [["ids", "DEMO-4711"], ["journal"], ["journal", "newest"], ["mails"], ["quirks"], ["run"]];
  await api("POST", "/quirks/faults", { quirk: "flip-byte", where: { operation: "payload" }, when: { next: 3 } });
  await api("POST", "/quirks/faults", { quirk: "status-503", with: { retry_after: 30 }, when: { next: 1 } });
  site("d", "synchronize");
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 768, 1440]) {
      const picture = await opened(ready.console, { viewport: { width, height: width < 700 ? 800 : 900 }, colorScheme });
      await picture.locator("#found li").first().waitFor();
      for (const view of views) {
        const newest = view[1] === "newest";
        await picture.evaluate((where) => { location.hash = `#${location.hash.slice(1).split("/")[0]}/${where}`; }, newest ? "journal" : view.join("/"));
        await picture.locator(`main[data-part=${view[0]}] .card:visible`).first().waitFor();
        if (newest) await picture.locator("#exchanges .row", { hasText: "key-pair-in-use" }).first().click();
        await picture.waitForFunction(() => ![...document.querySelectorAll("#detail, #found, #exchanges, #requests, #armed, #settings-facts")].some((box) => box.childElementCount === 0 && box.checkVisibility()));
        assert.ok(await wide(picture) <= 0, `${view} at ${width} pixels is too wide by ${await wide(picture)}`);
        if (screenshots) await picture.screenshot({ path: join(screenshots, `console-${view.map((word) => word.toLowerCase()).join("-")}-${width}-${colorScheme}.png`) });
      }
      await picture.close();
    }
  }
  assert.deepEqual(complaints, []);
  console.log("console: it fits at 360, 768 and 1440 pixels, light and dark");

  // From the beginning, last of all

  await part("run");
  await button("Reset everything…").click();
  await act();
  await part("ids");
  await page.waitForFunction(() => document.querySelectorAll("#found li").length === 1);
  console.log("console: reset to the beginning");
} finally {
  await browser.close();
  running.kill("SIGTERM");
  rmSync(work, { recursive: true, force: true });
}
process.exit(0);
