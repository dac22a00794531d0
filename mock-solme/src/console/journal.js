// The journal, as it is written: every exchange with a License Server, and one of them decoded.
import { announce, el } from "/house.js";
import { $, badge, button, download, facts, fill, get, key, line, note, now, row, table, time, to } from "/kit.js";

export const title = "Journal";

/** Rows on the page, and entries that wait for the next frame: the memory that a flood can take. */
const ROWS = 200;
const PAGE = 100;
const CARRIERS = { https: "443", http: "8080", file: "file" };
const GOOD = ["accepted", "answered-again", "payload", "healthy"];

let filter = {};
/** What has happened and is not shown yet, the newest last. */
let waiting = [];
let missed = 0;
/** Whether somebody reads: nothing moves then. */
let held = false;
let frame = 0;
let times = [];

const is_good = ({ verdict }) => GOOD.includes(verdict);
/** The same as the main server's filter of GET /journal. */
const fits = (entry) => (!filter.id || entry.license_server_id === filter.id)
  && (!filter.carrier || entry.carrier === filter.carrier)
  && (!filter.quirk || entry.quirk === filter.quirk)
  && (!filter.clause || entry.clause === filter.clause || entry.clause.startsWith(`${filter.clause}.`))
  && (!filter.verdict || (filter.verdict === "refused" ? !is_good(entry) : entry.verdict === filter.verdict));

/** Shows only these from now on. */
export const only = (wanted) => { filter = wanted; held = false; };

const verdict = (entry) => badge(entry.quirk ? "warn" : is_good(entry) ? "good" : "bad", entry.verdict);

export const item = (entry) => el("li", {}, el("a", { class: `row ${entry.quirk ? "warn" : is_good(entry) ? "good" : "bad"}`, href: to("journal", String(entry.number)) },
  el("span", { class: "n" }, String(entry.number)),
  el("time", { datetime: entry.at, title: entry.at }, entry.at.slice(5, 19).replace("T", " ")),
  el("b", { class: "who" }, entry.license_server_id ?? "–"),
  el("span", { class: "carrier" }, CARRIERS[entry.carrier]),
  verdict(entry),
  el("span", { class: "clause" }, entry.clause && `P ${entry.clause}`),
  el("span", { class: "why" }, [entry.quirk && `quirk ${entry.quirk}`, entry.detail, entry.judgements.length > 0 && `${entry.judgements.length} × protocol violated`].filter(Boolean).join(" · "))));

export const enter = (main) => {
  const field = (name, label, attributes = {}) => el("div", { class: "field" }, el("label", { for: `f-${name}` }, label),
    el("input", { id: `f-${name}`, name, value: filter[name] ?? null, autocomplete: "off", spellcheck: "false", change: filtered, ...attributes }));
  const choice = (name, label, options) => el("div", { class: "field" }, el("label", { for: `f-${name}` }, label),
    el("select", { id: `f-${name}`, name, change: filtered }, ...[["", "any"], ...options].map(([value, text]) => el("option", { value, selected: (filter[name] ?? "") === value }, text))));
  main.append(el("div", { class: "split" },
    el("section", { class: "card list", "aria-label": "Journal" },
      el("div", { class: "head" }, el("h2", {}, "Journal"), el("span", { class: "quiet", id: "rate" }),
        el("div", { class: "buttons" }, el("button", { type: "button", id: "hold", "aria-pressed": "false", click: () => hold(!held) }, "Hold"))),
      el("form", { class: "filters", id: "filters", "aria-label": "Filters", submit: (event) => { event.preventDefault(); filtered(); } },
        field("id", "License server id", { class: "mono" }),
        field("verdict", "Verdict", { list: "verdicts", placeholder: "refused: all refusals" }), field("clause", "Clause", { placeholder: "9.9" }),
        field("quirk", "Quirk", { list: "all-quirks" }), choice("carrier", "Carrier", Object.entries(CARRIERS)),
        el("button", { type: "submit" }, "Filter"), el("button", { type: "button", class: "plain", id: "all", click: () => { filter = {}; for (const input of $("#filters").querySelectorAll("input, select")) input.value = ""; look(); } }, "Show all")),
      el("datalist", { id: "all-quirks" }),
      el("div", { id: "entries", class: "entries" }, el("ol", { class: "exchanges", id: "exchanges" })),
      el("div", { class: "pager", id: "pager" })),
    el("section", { class: "card detail", id: "detail", "aria-label": "One exchange" })));
  get("/quirks").then((quirks) => $("#all-quirks")?.replaceChildren(...quirks.map(({ quirk }) => el("option", { value: quirk }))), () => {});
};
export const leave = () => { cancelAnimationFrame(frame); frame = 0; waiting = []; held = false; };

const filtered = () => {
  filter = Object.fromEntries([...new FormData($("#filters"))].map(([name, text]) => [name, text.trim()]).filter(([, text]) => text));
  look();
};

export const show = async ([number], quietly = false) => {
  if (quietly && $("#exchanges").childElementCount) return;
  $(".split").classList.toggle("one", Boolean(number));
  await Promise.all([$("#exchanges").childElementCount ? undefined : look(), detail(number)]);
  for (const link of document.querySelectorAll("#exchanges a")) mark(link);
};
/** Connected again: what happened meanwhile is in the journal. */
export const again = () => { if (!held) look(); };

const mark = (link) => { if (link.hash === location.hash) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current"); };

/** The newest entries that fit, or those before one. */
const look = async (before) => {
  waiting = [];
  hold(before !== undefined, true);
  const list = $("#exchanges");
  await fill($("#entries"), async () => {
    const entries = await get("/journal", { ...filter, before, limit: PAGE, brief: true });
    list.replaceChildren(...entries.reverse().map(item));
    const oldest = entries.at(-1)?.number;
    $("#pager")?.replaceChildren(...[
      before !== undefined && button("← Newest", () => look()),
      entries.length === PAGE && button("Older →", () => look(oldest)),
    ].filter(Boolean));
    return [list, entries.length === 0 && el("p", { class: "empty", id: "no-exchange" }, Object.keys(filter).length ? "Nothing fits so far. What happens from now on appears here." : "No exchange yet. What happens appears here at once.")];
  });
};

const hold = (on, quiet = false) => {
  held = on;
  const button = $("#hold");
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? "Go on" : "Hold";
  missed = 0;
  tell();
  if (quiet) return;
  if (on) announce("Held. New exchanges are counted.");
  else look();
};

/** An exchange has happened; `console.js` calls it. Nothing is drawn before the next frame, whatever the rate. */
export const happened = (entry) => {
  times.push(now());
  if (times.length > 2_000) times.splice(0, 1_000);
  if (!$("#exchanges") || !fits(entry)) return;
  if (held) { missed += 1; } else {
    waiting.push(entry);
    if (waiting.length > ROWS) waiting.shift();
  }
  frame ||= requestAnimationFrame(draw);
};

const draw = () => {
  frame = 0;
  const list = $("#exchanges");
  if (!list) return;
  if (waiting.length) {
    $("#no-exchange")?.remove();
    list.prepend(...waiting.reverse().map(item));
    waiting = [];
    while (list.childElementCount > ROWS) list.lastElementChild.remove();
  }
  tell();
};

const tell = () => {
  times = times.filter((at) => at > now() - 1_000);
  const rate = times.length > 1 ? `${times.length} in the last second` : "";
  $("#rate")?.replaceChildren(held && missed ? `${missed} new. ${rate}` : rate);
};
setInterval(() => { if (times.length && !frame) tell(); }, 1_000);

// One exchange

const detail = (number) => fill($("#detail"), async () => {
  if (!number) return [el("p", { class: "empty" }, "Choose an exchange to see what went over the wire.")];
  const back = el("a", { class: "back", href: to("journal") }, "← Journal");
  const one = await get(`/journal/${encodeURIComponent(number)}`);
  return [
    back,
    el("div", { class: "head" }, el("h2", {}, `Exchange ${one.number}`), verdict(one)),
    note(is_good(one) ? "good" : "bad", el("p", { id: "why" }, el("b", {}, is_good(one) ? "Why: " : "Why it was refused: "), one.why)),
    one.quirk && note("warn", el("p", {}, el("b", {}, `Quirk ${one.quirk}: `), "it misbehaved on purpose.")),
    ...one.judgements.map((judgement) => note("bad", el("p", {}, el("b", {}, "The License Server "), judgement))),
    facts([
      ["License server id", one.license_server_id && el("a", { href: to("ids", one.license_server_id) }, one.license_server_id)],
      ["When", time(one.at, { seconds: true })],
      ["Carrier", { https: "port 443, TLS", http: "port 8080, plain HTTP: the content is sealed", file: "request file" }[one.carrier]],
      ["Key pair", one.thumbprint && el("span", {}, key(one.thumbprint), " ", one.key_pair)],
      ["Clause", one.clause && `P ${one.clause}`],
    ]),
    one.clause_text && el("blockquote", { class: "clause" }, ...clause_text(one)),
    message("Request", one.request_message, one.request, "The License Server asked for"),
    message("Answer", one.answer_message, one.answer, "The main server answered"),
    el("section", { class: "repeat" }, el("h3", {}, "Repeat it"),
      one.repeat.curl ? line(one.repeat.curl) : el("p", { class: "quiet" }, one.request ? "It has bytes that no command line can repeat." : "Nothing was sent that could be repeated."),
      one.repeat.license_server && line(one.repeat.license_server)),
  ].filter(Boolean);
});

const clause_text = ({ clause, clause_text: text }) => [el("b", {}, `P ${clause} `), ...text.replaceAll("*", "").split("`").map((piece, index) => index % 2 ? el("code", {}, piece) : piece)];

const message = (title, decoded, text, otherwise) => {
  if (!decoded && !text) return null;
  if (!decoded) return el("section", {}, el("h3", {}, title), el("p", {}, `${otherwise} `, el("code", {}, text.length > 400 ? `${text.slice(0, 400)}…` : text)));
  const { kind, bytes, digest, header, payload, signature } = decoded;
  return el("section", {}, el("div", { class: "head" }, el("h3", {}, title), el("span", { class: "quiet" }, `${kind}, ${bytes.toLocaleString("en")} bytes`),
    el("div", { class: "buttons" }, button("Save", () => download(`${title.toLowerCase()}.jws`, text), "plain"))),
  facts([
    ["Signature", el("span", {}, signature.flaw ? el("b", { class: "bad" }, `✗ ${signature.flaw} `) : el("b", { class: "good" }, "✓ verified "), `with ${signature.whose} `, signature.key_thumbprint && key(signature.key_thumbprint))],
    ["Digest", el("code", {}, digest)],
  ]),
  el("div", { class: "parts" }, members("Header", header), members("Payload", payload)));
};

const members = (name, object) => el("div", {}, table(name, [name, ""], Object.entries(object ?? {}).map(([name, value]) => row(name, shown(value))), "It is not JSON."));
const shown = (value) => value !== null && typeof value === "object"
  ? el("dl", { class: "inner" }, ...Object.entries(value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, shown(value))]))
  : el("code", {}, typeof value === "string" ? value : JSON.stringify(value));

