// The console of mock-solme. It calls the admin API, shows what is answered, and decides nothing.
import { announce, el, live } from "/house.js";
import { $, after, all, get, go, here, now, set_now, to } from "/kit.js";
import * as ids from "/ids.js";
import * as journal from "/journal.js";
import * as mails from "/mails.js";
import * as quirks from "/quirks.js";
import * as run from "/run.js";

const parts = { ids, journal, mails, quirks, run };
const main = $("#main");
let shown;

/** Shows what the address says: a part, and what of it. */
const show = async () => {
  const [name = "ids", ...what] = here();
  const part = parts[name];
  if (!part) return go("ids");
  for (const tab of all("[data-to]")) {
    tab.href = to(tab.dataset.to);
    if (tab.dataset.to === name) tab.setAttribute("aria-current", "page"); else tab.removeAttribute("aria-current");
  }
  if (shown !== part) {
    shown?.leave?.();
    shown = part;
    main.replaceChildren();
    main.dataset.part = name;
    part.enter(main);
  }
  $(`.tabs [data-to=${name}]`).scrollIntoView({ block: "nearest", inline: "nearest" });
  document.title = [...what, part.title, "mock-solme"].join(" – ");
  await part.show(what);
  main.setAttribute("aria-busy", "false");
};

/** What is on every part: the clock, and how many wait. */
const look = async () => {
  const [clock, requests, faults] = await Promise.all([get("/clock"), get("/clear-requests", { limit: 100 }), get("/quirks/faults")]);
  set_now(clock.now);
  tick(clock.offset);
  count("mails", requests.filter(({ state }) => state === "open").length, "open clear requests");
  count("quirks", faults.filter(({ left }) => left !== 0).length, "armed");
};
const count = (part, number, of) => {
  $(`#${part}-count`).replaceChildren(...(number ? [el("span", { "aria-hidden": "true" }, String(number)), el("span", { class: "away" }, `${number} ${of}`)] : []));
};

let ahead = 0;
const tick = (offset = ahead) => {
  ahead = offset;
  const time = new Date(now()).toISOString().replace("T", " ").slice(0, 19);
  const days = Math.round(Math.abs(offset) / 86_400);
  const apart = Math.abs(offset) < 60 ? "real time" : `${days ? `${days} day${days === 1 ? "" : "s"}` : "less than a day"} ${offset > 0 ? "ahead" : "behind"}`;
  $("#clock").replaceChildren(el("b", {}, time), " ", el("span", { class: Math.abs(offset) < 60 ? "quiet" : "warn" }, apart));
};
setInterval(() => tick(), 1_000);

// What has changed, here or by somebody else, is looked at again; once for many changes that come together.
const soon = (act, delay) => {
  let due;
  return (after = delay) => {
    due ??= setTimeout(async () => {
      due = undefined;
      try { await act(); } catch (error) { if (!error.code) console.error(error); }
    }, after);
  };
};
const look_soon = soon(look, 150);
const show_soon = soon(() => shown?.show(here().slice(1), true), 150);
after.action = () => { look_soon(0); show_soon(0); };

addEventListener("hashchange", async () => {
  await show();
  announce(document.title);
});

live("/live", {
  up: async () => {
    look_soon(0);
    await show();
    shown.again?.();
  },
  event: (name, value) => {
    if (name === "changed") { look_soon(); show_soon(); }
    if (name !== "exchange") return;
    journal.happened(value);
    if (shown !== journal && (shown?.concerns?.(value) ?? true)) show_soon(1_000);
  },
});
