// License server ids: all of them by pages, and one with everything the main server knows of it.
import { el } from "/house.js";
import { $, act, api, badge, button, by, component, facts, fill, flag, get, go, key, note, operator, part, reason, row, shown_problem, table, time, to } from "/kit.js";
import * as journal from "/journal.js";

export const title = "Ids";

const PAGE = 50;
/** Licenses that are shown before somebody asks for all. */
const LICENSES = 50;
const YEAR = 366 * 86_400_000;
let begins = "";
/** The id before each page up to this one. */
let pages = [""];
let all_licenses = false;
let last_id;

export const enter = (main) => {
  const search = el("input", { type: "search", id: "search", value: begins, autocomplete: "off", spellcheck: "false", maxlength: 64, input: () => { begins = $("#search").value.trim(); pages = [""]; list(); } });
  search.value = begins;
  main.append(el("div", { class: "split" },
    el("section", { class: "card list", "aria-label": "All ids" },
      el("div", { class: "head" }, el("h2", {}, "License server ids"), button("Add an id", add, "first")),
      el("div", { class: "find" }, el("label", { for: "search" }, "Begins with"), search),
      el("div", { id: "found" }), el("div", { class: "pager", id: "pager" })),
    el("section", { class: "card detail", id: "detail", "aria-label": "One id" })));
};

export const show = async ([id], quietly = false) => {
  if (!quietly && id !== last_id) { all_licenses = false; $("#detail").replaceChildren(); $("#detail").scrollTop = 0; }
  last_id = id;
  $(".split").classList.toggle("one", Boolean(id));
  await Promise.all([list(id), detail(id)]);
};

/** One page of ids, found by their first characters: the main server goes to that place, and counts nothing. */
const list = (chosen = last_id) => fill($("#found"), async () => {
  let looked_for = begins;
  let found = await get("/ids", { begins_with: looked_for, after: pages.at(-1), limit: PAGE + 1 });
  if (found.length === 0 && begins !== begins.toUpperCase()) {
    looked_for = begins.toUpperCase();
    found = await get("/ids", { begins_with: looked_for, after: pages.at(-1), limit: PAGE + 1 });
  }
  const more = found.length > PAGE;
  const ids = found.slice(0, PAGE);
  const turn = (act, off, text) => el("button", { type: "button", class: "plain", disabled: off, click: () => { act(); list(); } }, text);
  $("#pager")?.replaceChildren(
    turn(() => { pages = pages.slice(0, -1); }, pages.length === 1, "← Before"),
    el("span", { class: "quiet" }, `Page ${pages.length}`),
    turn(() => pages.push(ids.at(-1).license_server_id), !more, "After →"));
  if (ids.length === 0) return [el("p", { class: "empty" }, begins ? `No id begins with ${begins}.` : "There is no id yet. Add one.")];
  return [
    looked_for !== begins && el("p", { class: "quiet" }, `Nothing begins with ${begins}; these begin with ${looked_for}.`),
    el("ul", { class: "rows" }, ...ids.map((id) => el("li", {},
      el("a", { class: "row", href: to("ids", id.license_server_id), "aria-current": id.license_server_id === chosen ? "true" : null },
        el("b", {}, id.license_server_id), state(id), el("span", { class: "quiet" }, id.damage ?? id.name ?? ""))))),
  ].filter(Boolean);
});

/** Whether an exchange can change what is shown: an allocation of 8 MB is not fetched for somebody else's. */
export const concerns = ({ license_server_id: id }) => id === last_id || document.getElementById("found").textContent.includes(id ?? "\n");

const state = (id) => {
  if (id.damage) return badge("bad", "damaged");
  if (id.disabled) return badge("bad", "disabled");
  if (id.key_thumbprint) return badge("good", "in use");
  return id.reserved_for ? badge("warn", "reserved") : badge("", "free");
};

const detail = (id) => fill($("#detail"), async () => {
  if (!id) return [el("p", { class: "empty" }, "Choose an id.")];
  const back = el("a", { class: "back", href: to("ids") }, "← All ids");
  const path = `/ids/${part(id)}`;
  let record;
  let pair;
  let allocation;
  try {
    [record, pair, allocation] = await Promise.all([get(path), get(`${path}/key-pair`), get(`${path}/licenses`)]);
  } catch (error) {
    if (error.code === "ended") throw error;
    return [back, el("h2", {}, id), shown_problem(error), error.code === "license-server-id-damaged" && button("Reset this id…", () => reset(id), "danger")].filter(Boolean);
  }
  const [audit, exchanges] = await Promise.all([get("/audit", { id, limit: 20 }), get("/journal", { id, limit: 10, brief: true })]);
  return [
    back,
    el("div", { class: "head" },
      el("div", {}, el("h2", { class: "mono" }, record.license_server_id), el("p", { class: "quiet" }, record.name ?? "no name")), state(record),
      el("div", { class: "buttons" },
        button("Change…", () => change(record)),
        record.disabled ? button("Enable", () => enable(id), "first") : button("Disable…", () => disable(id)),
        button("Reset…", () => reset(id), "danger"))),
    record.disabled && note("bad", el("p", {}, el("b", {}, "Disabled "), time(record.disabled.at), ` by ${record.disabled.by}. `, record.disabled.reason)),
    facts([
      ["Contacts", record.contacts.join(", ") || "none: answers go to whoever writes"],
      ["Sequence", String(record.sequence)],
      ["Added", time(record.added_at)],
      ["Synchronized", time(record.last_synchronized_at)],
      ["Synchronize by", record.last_synchronized_at && time(new Date(Date.parse(record.last_synchronized_at) + YEAR).toISOString())],
    ]),
    key_pair(pair),
    licenses(id, allocation),
    el("section", {}, el("div", { class: "head" }, el("h3", {}, "Journal"), button("All exchanges of this id", () => { journal.only({ id }); go("journal"); })),
      exchanges.length ? el("ol", { class: "exchanges" }, ...exchanges.reverse().map(journal.item)) : el("p", { class: "empty" }, "No exchange yet.")),
    el("section", {}, el("h3", {}, "Audit"), audit_table(id, audit)),
  ].filter(Boolean);
});

const key_pair = (pair) => el("section", { id: "key-pair" },
  el("div", { class: "head" }, el("h3", {}, "Key pair in use"),
    el("div", { class: "buttons" },
      pair.key_thumbprint ? button("Clear the key pair…", () => clear(pair), "danger") : button(pair.reserved_for ? "Change the reservation…" : "Reserve…", () => reserve(pair)))),
  facts([
    ["Key pair", el("span", {}, key(pair.key_thumbprint), pair.key_thumbprint && el("code", { class: "whole" }, ` ${pair.key_thumbprint}`))],
    ["Generation", String(pair.key_generation)],
    ["In use since", pair.bound_at && time(pair.bound_at)],
    ["Last synchronized", pair.last_synchronized_at && time(pair.last_synchronized_at)],
    ["Reserved for", pair.reserved_for && key(pair.reserved_for)],
  ]),
  pair.cleared.length > 0 && table("Cleared key pairs", ["Cleared key pair", "Generation", "In use", "Cleared", "By", "Why"],
    [...pair.cleared].reverse().map((cleared) => row(key(cleared.thumbprint), String(cleared.key_generation),
      el("span", {}, time(cleared.bound_at, { relative: false }), el("br"), "to ", time(cleared.last_synchronized_at, { relative: false })), time(cleared.cleared_at), cleared.cleared_by, cleared.reason))));

const licenses = (id, { revision, licenses }) => {
  const shown = all_licenses ? licenses : licenses.slice(0, LICENSES);
  return el("section", { id: "licenses" },
    el("div", { class: "head" }, el("h3", {}, "Allocation"), el("span", { class: "quiet" }, `${licenses.length} license${licenses.length === 1 ? "" : "s"}, revision ${revision}`),
      el("div", { class: "buttons" }, button("Add a license…", () => license(id)))),
    table("Licenses", ["License", "Domain", "Components and users", "Valid", ""], shown.map((one) => row(
      el("span", {}, one.display && el("b", { class: "display" }, one.display), el("code", {}, one.number), ...Object.entries(one.properties).map(([name, value]) => el("span", { class: "quiet property" }, `${name}: ${value}`))),
      one.domain ?? el("span", { class: "quiet" }, "any"),
      el("span", { class: "chips" }, ...one.components.map((component) => el("span", { class: "chip", title: component.id }, `${component.name} `, el("b", {}, String(component.max_users))))),
      el("span", {}, "from ", time(one.valid_from, { relative: false }), el("br"), one.expires_at ? el("span", {}, "until ", time(one.expires_at)) : "no end"),
      el("span", { class: "buttons" }, button("Change…", () => license(id, one)), button("Remove…", () => remove(id, one), "danger")))), "Nothing is allocated."),
    shown.length < licenses.length && button(`Show all ${licenses.length}`, () => { all_licenses = true; detail(id); }));
};

const audit_table = (id, entries) => {
  const box = el("div", {});
  const rows = (entries) => [...entries].reverse().map((entry) => row(el("span", {}, entry.action.replaceAll("-", " ")), time(entry.at), entry.operator ?? "License Server", entry.reason ?? "", key_or(entry.thumbprint), entry.detail));
  const more = (before) => button("Show older", async () => {
    const older = await get("/audit", { id, before, limit: 20 });
    $("tbody", box).append(...rows(older));
    $(".older", box).replaceChildren(...(older.length === 20 ? [more(older[0].number)] : []));
  });
  box.append(table("Audit", ["What", "When", "Who", "Why", "Key pair", "More"], rows(entries), "Nothing yet."), el("div", { class: "older" }, entries.length === 20 && more(entries[0].number)));
  return box;
};
const key_or = (thumbprint) => thumbprint ? key(thumbprint) : "";

// What can be done

const contacts = (value) => ({ name: "contacts", label: "Contacts: who may ask for a clear by e-mail", type: "lines", value: value?.join("\n"), hint: "A mail address on each line, at most 16." });
const flags = (name, values = []) => values.flatMap((value) => [name, value]);
const reserve_for = (label) => ({ name: "reserve_for", label, hint: "Its thumbprint: license-server status shows it. Nobody else can be first." });

const add = () => act({
  title: "Add a license server id", verb: "Add",
  fields: [
    { name: "id", label: "License server id", hint: "Letters, digits, - and _. One is made up if you name none.", value: begins || undefined },
    { name: "name", label: "Whose License Server it is" }, contacts(), reserve_for("Only for this key pair"),
  ],
  command: ({ id, name, contacts, reserve_for }) => ["ids", "add", ...(id ? [id] : []), flag("--name", name), flags("--contact", contacts), flag("--reserve-for", reserve_for)],
  run: async ({ id, name, contacts, reserve_for }) => {
    const added = await api("POST", "/ids", { license_server_id: id, name, contacts, reserve_for, operator: operator.name });
    go("ids", added.license_server_id);
    return `${added.license_server_id} was added.`;
  },
});

const change = ({ license_server_id: id, name, contacts: before }) => act({
  title: `Change ${id}`, verb: "Change",
  fields: [{ name: "name", label: "Whose License Server it is", value: name ?? undefined, empties: true }, contacts(before)],
  command: ({ name, contacts }) => ["ids", "change", id, flag("--name", name), flags("--contact", contacts)],
  run: async ({ name, contacts }) => {
    await api("PATCH", `/ids/${part(id)}`, { ...(name === undefined ? {} : { name: name || null }), contacts, operator: operator.name });
    return `${id} was changed.`;
  },
});

const disable = (id) => act({
  title: `Disable ${id}`, verb: "Disable", kind: "danger", fields: [reason()],
  about: "Every request with this id is refused from now on, until it is enabled again. Key pair and licenses stay.",
  command: ({ reason }) => ["ids", "disable", id, flag("--reason", reason)],
  run: async ({ reason }) => { await api("POST", `/ids/${part(id)}/disable`, by(reason)); return `${id} is disabled.`; },
});

const enable = (id) => act({
  title: `Enable ${id}`, verb: "Enable", fields: [reason()],
  command: ({ reason }) => ["ids", "enable", id, flag("--reason", reason)],
  run: async ({ reason }) => { await api("POST", `/ids/${part(id)}/enable`, by(reason)); return `${id} is enabled.`; },
});

const reset = (id) => act({
  title: `Reset ${id}`, verb: "Reset", kind: "danger",
  about: "For tests: forgets key pairs, receipts and requests of this id, as if it had just been added. What is allocated to it stays. A License Server that uses it is refused from then on.",
  command: () => ["reset", id],
  run: async () => { await api("POST", `/ids/${part(id)}/reset`, by()); return `${id} was reset.`; },
});

const RECENT = 30 * 86_400_000;
const clear = ({ license_server_id: id, key_thumbprint, bound_at, last_synchronized_at, key_generation }) => act({
  title: `Clear the key pair of ${id}`, verb: "Clear the key pair", kind: "danger",
  about: [
    el("p", {}, "The License Server that has the key pair ", key(key_thumbprint), ` (generation ${key_generation}) cannot synchronize any more; another one can, with a new key pair.`),
    facts([["In use since", time(bound_at)], ["Last synchronized", time(last_synchronized_at)]]),
    note("warn", el("p", {}, `If it synchronized within the last ${RECENT / 86_400_000} days it seems to be alive: that takes a reason, and your word that you have looked twice.`)),
  ],
  fields: [
    reason("Why, for the audit: who asked, and how you made sure"), { name: "even_so", label: "Clear it even if it synchronized within the last 30 days", type: "checkbox" },
    reserve_for("Only this key pair may bind the id next"),
  ],
  command: ({ reason, even_so, reserve_for }) => ["key-pair", "clear", id, flag("--thumbprint", key_thumbprint), flag("--even-so", even_so), flag("--reason", reason), flag("--reserve-for", reserve_for)],
  run: async ({ reason, even_so, reserve_for }) => {
    const { outcome } = await api("POST", `/ids/${part(id)}/key-pair/clear`, { thumbprint: key_thumbprint, even_so, reserve_for, ...by(reason) });
    return outcome === "cleared" ? `The key pair of ${id} was cleared.` : `Already done: another key pair of ${id} is in use by now.`;
  },
});

const reserve = ({ license_server_id: id, reserved_for }) => act({
  title: `Reserve ${id}`, verb: "Reserve", about: "Lets only one key pair bind this free id. Without one the reservation is lifted.",
  fields: [{ ...reserve_for("The key pair"), value: reserved_for ?? undefined }],
  command: ({ reserve_for }) => ["key-pair", "reserve", id, flag("--for", reserve_for)],
  run: async ({ reserve_for }) => {
    await api("POST", `/ids/${part(id)}/key-pair/reserve`, { reserve_for: reserve_for ?? null, operator: operator.name });
    return reserve_for ? `${id} is reserved.` : `The reservation of ${id} is lifted.`;
  },
});

const license = (id, one) => act({
  title: one ? `Change ${one.number}` : `Add a license to ${id}`, verb: one ? "Change" : "Add",
  about: "The License Server sees it when it synchronizes next.",
  fields: [
    ...(one ? [] : [{ name: "number", label: "License number", hint: "XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXXXX. Made up if you name none." }]),
    { name: "components", label: "Components and users", type: "components", value: one?.components ?? [{ name: "Base", max_users: 5 }], hint: "Base has to be among them." },
    { name: "display", label: "Shown instead of the number", value: one?.display ?? undefined, empties: true },
    { name: "domain", label: "License domain", value: one?.domain ?? undefined, empties: true },
    { name: "valid_from", label: "Valid from", placeholder: "2027-01-31 or 2027-01-31T12:00:00Z", value: one?.valid_from },
    { name: "expires_at", label: "Until", placeholder: "2027-01-31, or never", value: one ? one.expires_at ?? "never" : undefined },
    { name: "properties", label: "Properties, for people", type: "lines", value: one && Object.entries(one.properties).map(([name, value]) => `${name}=${value}`).join("\n"), hint: "NAME=VALUE on each line." },
    reason(),
  ],
  command: (given) => {
    const { number, reason } = given;
    const { components, display, domain, valid_from, expires_at, properties } = changed(one, given);
    return ["licenses", ...(one ? ["change", id, one.number] : ["add", id]), flag("--number", number),
      flags("--component", components?.map(({ name, id, max_users }) => `${id ?? name}=${max_users}`)), flag("--display", display), flag("--domain", domain),
      flag("--valid-from", valid_from), flag("--expires-at", expires_at), flags("--property", properties), flag("--reason", reason)];
  },
  run: async (given) => {
    const { display, domain, valid_from, expires_at, components, properties } = changed(one, given);
    const body = {
      number: given.number, components, display: display === "" ? null : display, domain: domain === "" ? null : domain,
      valid_from: valid_from && instant(valid_from), expires_at: expires_at === "never" ? null : expires_at && instant(expires_at),
      properties: properties && Object.fromEntries(properties.map((text) => [text.split("=")[0], text.slice(text.indexOf("=") + 1)])), ...by(given.reason),
    };
    const path = `/ids/${part(id)}/licenses`;
    if (one) { await api("PATCH", `${path}/${part(one.number)}`, body); return `${one.number} was changed.`; }
    return `${(await api("POST", path, body)).number} was added.`;
  },
});
/** What of the terms differs from the license as it is. */
const changed = (one, given) => {
  if (!one) return { ...given, properties: given.properties.length ? given.properties : undefined };
  const before = { ...one, components: one.components.map(component), properties: Object.entries(one.properties).map(([name, value]) => `${name}=${value}`), expires_at: one.expires_at ?? "never", display: one.display ?? undefined, domain: one.domain ?? undefined };
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, JSON.stringify(value) === JSON.stringify(before[name]) ? undefined : value]));
};
/** A day is its beginning, as on the command line. */
const instant = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;

const remove = (id, { number }) => act({
  title: `Remove ${number}`, verb: "Remove", kind: "danger", about: `${id} loses it when its License Server synchronizes next.`,
  command: () => ["licenses", "remove", id, number],
  run: async () => { await api("DELETE", `/ids/${part(id)}/licenses/${part(number)}`, by()); return `${number} was removed.`; },
});

