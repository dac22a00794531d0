// This run: its clock, its settings, files that go in and out, and the way back to the beginning.
import { call, el } from "/house.js";
import { $, act, api, badge, button, command, did, download, facts, fill, flag, get, line, operator, shown_problem, time } from "/kit.js";

export const title = "This run";

export const enter = (main) => {
  const section = (id, title, ...children) => el("section", { class: "card", "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), ...children);
  const name = el("input", { id: "operator", autocomplete: "off", maxlength: 128, input: () => { operator.name = name.value.trim() || "operator"; } });
  name.value = operator.name;
  main.append(el("div", { class: "run" },
    section("clock-card", "Clock", el("p", { class: "quiet" }, "Main server time, which receipts and deadlines go by. TLS certificates still use the real time."), el("div", { id: "time" }),
      el("div", { class: "buttons" }, ...[1, 30, 366].map((days) => button(`+${days} day${days === 1 ? "" : "s"}`, () => advance(days), "first")), button("Move…", move), button("Set…", set))),
    section("who", "You", el("div", { class: "field" }, el("label", { for: "operator" }, "Your name, for the audit"), name, el("p", { class: "quiet" }, "Until this page is closed."))),
    section("files", "Files",
      el("div", { class: "field" }, el("label", { for: "request-file" }, "Request file of a License Server without a network"), el("input", { type: "file", id: "request-file", change: process })),
      el("div", { id: "processed", role: "status" }),
      el("div", { class: "buttons" }, button("Trust file", trust_file), button("Trust file for other addresses…", trust_file_for))),
    section("settings", "Settings of this run", el("div", { id: "settings-facts" })),
    section("terminal", "At a terminal", el("p", {}, "The lines that this page shows work in a shell that has been told once which simulator is meant:"), el("div", { id: "shell" })),
    section("start", "From the beginning", el("p", {}, "Forgets ids, licenses, key pairs, mails, journal and audit. What stays is who this main server is."),
      el("div", { class: "buttons" }, button("Reset everything…", reset, "danger")))));
};

export const show = async () => { await Promise.all([clock(), settings()]); };

const clock = () => fill($("#time"), async () => {
  const { now, offset } = await get("/clock");
  return [el("p", { class: "big" }, time(now, { relative: false, seconds: true })), el("p", { class: "quiet" }, offset === 0 ? "Real time." : `${spoken(Math.abs(offset))} ${offset > 0 ? "ahead of" : "behind"} real time.`)];
});
const spoken = (seconds) => seconds >= 86_400 ? `${Math.round(seconds / 86_400)} days` : seconds >= 3_600 ? `${Math.round(seconds / 3_600)} hours` : `${seconds} seconds`;

const settings = () => fill($("#settings-facts"), async () => {
  const run = await get("/settings");
  const here = location.origin;
  $("#shell")?.replaceChildren(...(run.data
    ? [line(`export MOCK_SOLME_DATA=${quoted(run.data)}`)]
    : [line(`export MOCK_SOLME_ADMIN_URL=${here} MOCK_SOLME_TOKEN=…`, "Copy"), el("p", { class: "quiet" }, "The token is what follows the # in the address of this page.")]));
  const yes = (on) => on ? "yes" : "no";
  return [facts([
    ["Main server id", el("code", {}, run.main_server_id)], ["Version", run.version], ["Running since", time(run.started_at)],
    ["443 role", el("code", {}, run.https)], ["8080 role", el("code", {}, run.http)], ["Admin API", el("code", {}, run.admin)], ["Mail", el("code", {}, run.smtp)],
    ["Public names", run.public_names.join(", ")],
    ["Data", run.data ? el("code", {}, run.data) : "in memory: all is gone when it ends"], ["Trust file", el("code", {}, run.trust_file)],
    ["Seed", String(run.seed)], ["Demo id", run.demo_license_server_id ?? "none"],
    ["Approves by itself", yes(run.auto_approve)], ["Rate limit", run.rate_limit ? `${run.rate_limit} requests a minute with one id` : "none"], ["Answers at once", `${run.at_once} requests`],
    ["Hands mails on", run.mail_server ? "to a mail server" : "no: no mail server was named"],
    ["Armed at the start", run.armed_at_start.length ? el("span", { class: "chips" }, ...run.armed_at_start.map(({ quirk }) => badge("warn", quirk))) : "nothing"],
  ])];
});
const quoted = (text) => /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

// The clock

const tried = async (box, act) => { try { await act(); } catch (error) { box.replaceChildren(shown_problem(error)); } };
const advance = (days) => tried($("#time"), async () => {
  await api("POST", "/clock/advance", { seconds: days * 86_400 });
  did(`Main server time went on by ${days} day${days === 1 ? "" : "s"}.`, command(["clock", "advance", `${days}d`]));
});
const UNITS = { d: 86_400, h: 3_600, m: 60, s: 1 };
const seconds = (text) => {
  const whole = /^(-?)((?:\d+[dhms])+)$/.exec(text ?? "");
  if (!whole) throw new Error("Write it like 366d, 12h or 1d12h; with a - in front it goes back");
  return (whole[1] ? -1 : 1) * [...whole[2].matchAll(/(\d+)([dhms])/g)].reduce((sum, [, count, unit]) => sum + count * UNITS[unit], 0);
};
const move = () => act({
  title: "Move main server time", verb: "Move", by: false, fields: [{ name: "by", label: "By how much", placeholder: "366d, 12h, -1d", value: "30d" }],
  command: ({ by = "" }) => ["clock", "advance", by],
  run: async ({ by }) => { await api("POST", "/clock/advance", { seconds: seconds(by) }); return `Main server time was moved by ${by}.`; },
});
const set = () => act({
  title: "Set main server time", verb: "Set", by: false, fields: [{ name: "now", label: "What time it is", placeholder: "2027-01-31T12:00:00Z", value: new Date().toISOString().slice(0, 19) + "Z" }],
  command: ({ now = "" }) => ["clock", "set", now],
  run: async ({ now }) => { await api("PUT", "/clock", { now: /^\d{4}-\d{2}-\d{2}$/.test(now) ? `${now}T00:00:00Z` : now }); return `Main server time is ${now}.`; },
});

// Files (P 14, P 15)

const process = async ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  await tried($("#processed"), async () => {
    const response = await call("/process-request", { method: "POST", body: file });
    const [outcome, bytes] = [response.headers.get("mock-solme-outcome"), await response.arrayBuffer()];
    $("#processed")?.replaceChildren(el("p", {}, badge(outcome === "accepted" ? "good" : "bad", outcome), " A refusal makes a response file too, for the customer to read. "), button("Save the response file", () => download("response.solme", bytes), "first"));
    did(`The request file came to: ${outcome}.`, command(["process-request", file.name, "--out", "response.solme"]));
  });
  target.value = "";
};
const trust_file = () => tried($("#processed"), async () => {
  download("trust.json", await (await call("/trust-file")).text());
  did("The trust file was saved.", `${command(["trust-file"])} > trust.json`);
});
const trust_file_for = () => act({
  title: "Trust file for other addresses", verb: "Save", by: false, about: "For License Servers that reach the two roles elsewhere. The certificate is good for that host from then on, until the simulator ends.",
  fields: [{ name: "https", label: "443 role", placeholder: "https://main-server.example:24443" }, { name: "http", label: "8080 role", placeholder: "http://main-server.example:28080" }],
  command: ({ https, http }) => ["trust-file", flag("--https", https), flag("--http", http)],
  run: async ({ https, http }) => { download("trust.json", JSON.stringify(await api("POST", "/trust-file", { https, http }), null, 2)); return "The trust file was saved."; },
});

const reset = () => act({
  title: "Reset everything", verb: "Reset everything", kind: "danger", by: false, about: "Ids, licenses, key pairs, mails, journal, audit and quirks are those of the start, and main server time is real time. License Servers are refused from then on.",
  command: () => ["reset", "--all"],
  run: async () => { await api("POST", "/reset"); return "Everything is as at the first start."; },
});
