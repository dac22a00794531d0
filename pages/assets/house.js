// What all pages share. `Door`, `Feed` and `Shell` in pages/src are the other side of it.

const token = () => {
  const text = location.hash.slice(1).split("/")[0];
  try { return decodeURIComponent(text); } catch { return text; }
};
const opened_with = token();
// Another address pasted into the same tab changes the fragment only.
addEventListener("hashchange", () => { if (token() !== opened_with) location.reload(); });

/** What a program says that cannot be done, and what to do next. */
export class Problem extends Error {
  constructor(code, message, cure, status = 0) { super(message); Object.assign(this, { code, cure, status }); }
}

const ended = () => {
  const { program } = document.getElementById("connection").dataset;
  return new Problem("ended", "The program has ended", `Start it again (${program}): this page comes back.`);
};

/** `fetch` with the token. Throws a `Problem` unless the answer is good. */
export const call = async (path, options = {}) => {
  let response;
  try {
    const headers = { ...options.headers, Authorization: `Bearer ${opened_with}` };
    response = await fetch(path, { ...options, headers, cache: "no-store", redirect: "error" });
  } catch (error) {
    throw error.name === "AbortError" ? error : ended();
  }
  if (response.ok) return response;
  // What is wrong is the `message` of a page's problem, and the `detail` of a problem document (RFC 9457).
  const { code, message, detail, cure } = await response.json().catch(() => ({}));
  const wrong = message ?? detail?.replace(/\.$/, "");
  throw new Problem(code ?? "answer", wrong ?? `The program answered with ${response.status}`, cure ?? "Reload this page.", response.status);
};

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// Another program may have the port by now. It must not get the token from a page that waits for ours.
const proven = async () => {
  // No browser calculates it for a page from another computer over plain HTTP; whoever is on the way reads the token there.
  if (!crypto.subtle) return;
  const nonce = base64url(crypto.getRandomValues(new Uint8Array(16)));
  const bytes = (text) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", bytes(opened_with), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const wanted = base64url(await crypto.subtle.sign("HMAC", key, bytes(`solme-sync-pages ${location.port} ${nonce}`)));
  const response = await fetch(`/proof?nonce=${nonce}`, { cache: "no-store", redirect: "error" });
  if (!response.ok) throw ended();
  if (await response.text() !== wanted) throw new Problem("token", "This address is not valid any more", "Open the one that the program printed last.", 401);
};

/** The server-sent events of a response. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").map((line) => /^(\w*): ?(.*)$/.exec(line)?.slice(1) ?? ["", ""]);
      const data = lines.filter(([name]) => name === "data").map(([, text]) => text).join("\n");
      yield { name: lines.find(([name]) => name === "event")?.[1], data };
    }
  }
}

const pause = (milliseconds) => new Promise((resume) => { setTimeout(resume, milliseconds); });

/**
 * Follows the feed at `path` for as long as the page is open. `up()` when it is connected, first or again, and after
 * events were missed: look at the whole then. `event(name, value)` for each. `down(problem)` when the program has ended.
 */
export const live = async (path, { up = () => {}, event = () => {}, down = () => {} }) => {
  for (let wait = 200; ; wait = Math.min(wait * 2, 2_000)) {
    const watch = new AbortController();
    let timer;
    const alive = () => { clearTimeout(timer); timer = setTimeout(() => watch.abort(), 30_000); };
    let problem = ended();
    try {
      if (opened_with === "") throw new Problem("token", "This address lacks its token", "Open the whole address that the program printed.", 401);
      await proven();
      const response = await call(path, { signal: watch.signal });
      wait = 200;
      connection();
      await up();
      alive();
      for await (const { name, data } of events(response.body)) {
        alive();
        if (name === "lagged") await up();
        else if (name) await event(name, JSON.parse(data));
      }
    } catch (error) {
      if (error instanceof Problem) problem = error;
      else if (!["AbortError", "TypeError"].includes(error.name)) console.error(error);
    }
    clearTimeout(timer);
    watch.abort();
    connection(problem);
    await down(problem);
    if (problem.status === 401) return;
    await pause(wait);
  }
};

/** The bar above every page: nothing, or what is wrong with its program. */
const connection = (problem) => {
  const bar = document.getElementById("connection");
  bar.textContent = problem ? `${problem.message}. ${problem.cure}` : "";
  bar.classList.toggle("shown", Boolean(problem));
  document.documentElement.dataset.connection = problem ? "down" : "up";
};

/** For screen readers: something changed that is not in view. */
export const announce = (text) => { document.getElementById("announce").textContent = text; };

const acts = /(?![\u200c\u200d\ufe0e\ufe0f\n])[\p{Cc}\p{Cs}\p{NChar}\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

/** Text of others, fit to be shown: characters that would act or cannot be seen are escapes, as in protocol/src/printable.rs. */
export const printable = (text) => text.replace(acts, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);

/** An element. Attributes that are functions listen; children are text, made printable, or elements, never markup. */
export const el = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  const shown = children.filter((child) => child != null && child !== false);
  element.append(...shown.map((child) => child instanceof Node ? child : printable(String(child))));
  return element;
};

const policy = globalThis.trustedTypes?.createPolicy("house", { createHTML: (html) => html }) ?? { createHTML: (html) => html };

/** Markup that maud made, in place of what `element` held. Focus stays where it was, by id. */
export const show = (element, html) => {
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  element.innerHTML = policy.createHTML(html);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
};
