// What the parts of the console share: calls, the command line of each action, the dialog that carries an action out,
// times, keys and tables.
import { Problem, announce, call, el } from "/house.js";

export const $ = (selector, inside = document) => inside.querySelector(selector);
export const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// The admin API

/** One call. Members of `query` that are empty are left out. */
export const api = async (method, path, body) => {
  const options = body === undefined ? { method } : { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return (await call(path, options)).json();
};
export const get = (path, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return api("GET", given.length ? `${path}?${new URLSearchParams(given)}` : path);
};
/** A part of a path. */
export const part = encodeURIComponent;

// Where we are: `#TOKEN/part/what`

const token = () => location.hash.slice(1).split("/")[0];
export const to = (...parts) => `#${[token(), ...parts.map(part)].join("/")}`;
export const here = () => location.hash.slice(1).split("/").slice(1).map(decodeURIComponent);
export const go = (...parts) => { location.hash = to(...parts); };

// The command line

const quote = (word) => {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f]/.test(word)
    ? `$'${word.replace(/[\\']/g, "\\$&").replace(/[\u0000-\u001f\u007f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`)}'`
    : `'${word.replaceAll("'", "'\\''")}'`;
};
/** `--flag value` if there is a value; `--flag` alone for true. */
export const flag = (name, value) => value === true ? [name] : value === undefined || value === false ? [] : [name, String(value)];
/** The operator of this page, for the audit. */
export const operator = { name: "operator" };
export const command = (words, by = false) => {
  const who = by && operator.name !== "operator" ? ["--operator", operator.name] : [];
  return ["mock-solme", ...words.flat().map(String), ...who].map(quote).join(" ");
};

/** A line for a terminal, with a button that copies it. */
export const line = (text, label = "Copy") => {
  const code = el("code", { tabindex: "0" }, text);
  const button = el("button", { type: "button", class: "plain copy", "aria-label": `${label} the line`, click: async () => {
    try { await navigator.clipboard.writeText(text); announce("Copied."); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(code); announce("Selected; copy it with the keyboard."); }
    setTimeout(() => { button.textContent = label; }, 1_500);
  } }, label);
  return el("div", { class: "line" }, code, button);
};

// What is shown

export const note = (kind, ...children) => el("div", { class: `note ${kind}` }, ...children);
export const problem_note = (problem) => note("bad", el("p", {}, el("b", {}, `${problem.message}.`)), el("p", {}, el("b", {}, "Next: "), problem.cure ?? ""));
/** Anything but a `Problem` is a bug of this page. */
export const shown_problem = (error) => {
  if (!(error instanceof Problem)) { console.error(error); return problem_note({ message: String(error), cure: "Reload the page." }); }
  return problem_note(error);
};

let offset = 0;
/** Main server time, in milliseconds. */
export const now = () => Date.now() + offset;
export const set_now = (text) => { offset = Date.parse(text) - Date.now(); };

const two = (number) => String(number).padStart(2, "0");
const written = (date) => `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
const UNITS = [["year", 31_557_600, 63_115_200], ["month", 2_629_800, 7_889_400], ["day", 86_400], ["hour", 3_600], ["minute", 60]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "always" });
/** As people say it: 3 days ago. */
export const ago = (text) => {
  const seconds = (Date.parse(text) - now()) / 1_000;
  const [unit, size] = UNITS.find(([, size, from = size]) => Math.abs(seconds) >= from) ?? ["second", 1];
  return Math.abs(seconds) < 45 ? "just now" : words.format(Math.round(seconds / size), unit);
};
export const time = (text, { relative = true, seconds = false } = {}) => {
  if (!text) return el("span", { class: "quiet" }, "–");
  const at = new Date(text);
  const clock = written(at) + (seconds ? `:${two(at.getUTCSeconds())}` : "");
  return el("time", { datetime: text, title: `${text}, main server time` }, clock, relative && el("span", { class: "quiet" }, ` ${ago(text)}`));
};

/** A key pair: short, in a colour of its own, and whole in its title. */
export const key = (thumbprint) => {
  if (!thumbprint) return el("span", { class: "quiet" }, "none");
  let hue = 0;
  for (const character of thumbprint) hue = (hue * 31 + character.charCodeAt(0)) % 360;
  const chip = el("code", { class: "key", title: thumbprint }, thumbprint.slice(0, 8));
  chip.style.setProperty("--hue", hue);
  return chip;
};

/** Names and values. Pairs without a value are left out. */
export const facts = (pairs) => el("dl", {}, ...pairs.filter(([, value]) => value !== undefined && value !== null && value !== false && value !== "").flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

export const badge = (kind, text) => el("span", { class: `badge ${kind}` }, text);
export const button = (text, click, kind = "") => el("button", { type: "button", class: kind, click }, text);
export const link = (text, ...parts) => el("a", { href: to(...parts) }, text);

export const table = (label, heads, rows, empty) => rows.length === 0
  ? el("p", { class: "empty" }, empty)
  : el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, ...rows)));
export const row = (head, ...cells) => el("tr", {}, el("th", { scope: "row" }, head), ...cells.map((cell) => el("td", {}, cell)));

/** Puts what `make` gives into `box`, or what is wrong; what comes late, after something newer, is dropped. */
const turns = new WeakMap();
export const fill = async (box, make) => {
  const turn = (turns.get(box) ?? 0) + 1;
  turns.set(box, turn);
  let made;
  try { made = await make(); } catch (error) { if (error.code === "ended") return; made = [shown_problem(error)]; }
  if (turns.get(box) !== turn) return;
  const focused = box.contains(document.activeElement) ? document.activeElement.id : "";
  const open = all("details[open][id]", box).map((details) => details.id);
  box.replaceChildren(...[made].flat().filter(Boolean));
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
};

export const download = (name, content) => {
  const address = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
};

// An action: a dialog with its fields, the command line that does the same, and what came of it

/** What the page does once something has changed; `console.js` sets it. */
export const after = { action: () => {} };

const control = (field, changed) => {
  const shared = { id: `act-${field.name}`, name: field.name, input: changed, "aria-describedby": field.hint ? `act-${field.name}-hint` : null, required: field.required };
  if (field.type === "choice") return el("select", shared, ...field.options.map(([value, text]) => el("option", { value, selected: value === field.value }, text)));
  if (field.type === "lines") { const area = el("textarea", { ...shared, rows: 3, spellcheck: "false" }); area.value = field.value ?? ""; return area; }
  if (field.type === "components") return components(field, changed);
  const input = el("input", { ...shared, type: field.type ?? "text", min: field.min, max: field.max, step: field.step, placeholder: field.placeholder, autocomplete: "off", spellcheck: "false", checked: field.type === "checkbox" && field.value });
  if (field.type !== "checkbox" && field.value !== undefined && field.value !== null) input.value = field.value;
  return input;
};

/** A component as the API wants it: a published one by its name, another one by its id. */
export const component = ({ name, id, max_users }) => {
  const published = all("#components option").find((option) => option.value.toLowerCase() === name?.toLowerCase());
  if (published) return { name: published.value, max_users };
  return id ? { id, name, max_users } : { id: name, max_users };
};

/** Components and their users, a row each. */
const components = (field, changed) => {
  const box = el("div", { class: "components", id: `act-${field.name}`, role: "group", "aria-labelledby": `act-${field.name}-label` });
  const add = (name = "", users = 1, id = "") => {
    const item = el("div", { class: "component" },
      el("input", { class: "name", list: "components", value: name, "aria-label": "Component", autocomplete: "off", input: changed }),
      el("input", { class: "users", type: "number", min: 1, value: users, "aria-label": "Users", input: changed }),
      el("button", { type: "button", class: "plain", "aria-label": `Remove ${name || "this component"}`, click: () => { item.remove(); changed(); } }, "✕"));
    if (id) Object.assign(item.dataset, { id, name });
    box.insertBefore(item, more);
    return item;
  };
  const more = el("button", { type: "button", class: "plain", click: () => { $("input", add()).focus(); changed(); } }, "+ Component");
  box.append(more);
  for (const { name, id, max_users } of field.value ?? []) add(name ?? id, max_users, id);
  return box;
};

const value_of = (field) => {
  const input = document.getElementById(`act-${field.name}`);
  if (field.type === "components") return all(".component", input).map((item) => {
    const name = $(".name", item).value.trim();
    return name && component({ name, id: name === item.dataset.name ? item.dataset.id : undefined, max_users: Number($(".users", item).value) });
  }).filter(Boolean);
  if (field.type === "checkbox") return input.checked;
  if (field.type === "file") return input.files[0];
  if (field.type === "lines") return input.value.split("\n").map((text) => text.trim()).filter(Boolean);
  const text = input.value.trim();
  // An empty field that empties a member is told from one that says nothing.
  if (text === "") return field.empties && field.value ? "" : undefined;
  return field.type === "number" ? Number(text) : text;
};

/**
 * Asks for what an action needs, shows its command line, and carries it out.
 * `fields`: name, label, type, value, hint. `command(values)`: words after `mock-solme`. `run(values)`: the calls; what it
 * returns is said. `about`: what a person should know before.
 */
export const act = ({ title, about = [], fields = [], verb, kind = "first", command: words, by = true, run }) => {
  const dialog = $("#act");
  const values = () => Object.fromEntries(fields.map((field) => [field.name, value_of(field)]));
  const result = el("div", { class: "result", role: "status" });
  const preview = el("div", { class: "preview" });
  const changed = () => { if (words) preview.replaceChildren(line(command(words(values()), by))); };
  const submit = el("button", { type: "submit", class: kind }, verb);
  const form = el("form", { novalidate: true, submit: async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      const given = values();
      const said = await run(given);
      dialog.close();
      did(said, words && command(words(given), by));
    } catch (error) {
      result.replaceChildren(shown_problem(error));
    } finally { submit.disabled = false; }
  } },
  ...fields.map((field) => {
    const input = control(field, changed);
    const label = el(field.type === "components" ? "span" : "label", field.type === "components" ? { id: `act-${field.name}-label` } : { for: `act-${field.name}` }, field.label);
    return el("div", { class: `field ${field.type ?? ""}` }, ...(field.type === "checkbox" ? [input, label] : [label, input]), field.hint && el("p", { class: "quiet", id: `act-${field.name}-hint` }, field.hint));
  }),
  words && el("p", { class: "quiet same" }, "The same on the command line:"), words && preview, result,
  el("div", { class: "buttons" }, el("button", { type: "button", click: () => dialog.close() }, "Cancel"), submit));
  dialog.replaceChildren(el("h2", { id: "act-title" }, title), ...[about].flat().filter(Boolean).map((piece) => piece instanceof Node ? piece : el("p", {}, piece)), form);
  dialog.className = `act ${kind}`;
  if (!dialog.open) dialog.showModal();
  changed();
  (fields.length ? $("input, select, textarea", form) : submit)?.focus();
};

/** Says what was done, with the command line that does the same. */
export const did = (said, words) => {
  const last = $("#last");
  last.hidden = false;
  last.replaceChildren(el("p", {}, el("b", { class: "good" }, "✓ "), said), words && line(words), el("button", { type: "button", class: "plain", "aria-label": "Hide what was done last", click: () => { last.hidden = true; } }, "✕"));
  announce(said);
  after.action();
};

/** The field of every action that the audit keeps a reason for. */
export const reason = (label = "Why, for the audit") => ({ name: "reason", label });
/** What a body says of who does it. */
export const by = (reason) => ({ operator: operator.name, ...(reason ? { reason } : {}) });
