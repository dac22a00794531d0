// Quirks: what the main server can do wrong on purpose, what is armed, and what has fired.
import { el } from "/house.js";
import { $, act, api, badge, button, command, did, facts, fill, flag, get, row, shown_problem, table, time, to } from "/kit.js";

export const title = "Quirks";

/** Members of a fault that only some quirks are told. */
const TAKES = {
  milliseconds: ["delay", "slow-drip"],
  retry_after: ["status-429", "status-500", "status-502", "status-503"],
  status: ["another-status"],
};
let catalogue = [];
let variants = [];
let wanted = "";

export const enter = (main) => {
  const search = el("input", { type: "search", id: "find-quirk", autocomplete: "off", input: () => { wanted = search.value.trim().toLowerCase(); list(); } });
  search.value = wanted;
  main.append(el("div", { class: "quirks" },
    el("section", { class: "card", "aria-labelledby": "armed-title" },
      el("div", { class: "head" }, el("h2", { id: "armed-title" }, "Armed"), el("div", { class: "buttons" }, button("Disarm all", disarm_all, "danger"))), el("div", { id: "armed" })),
    el("section", { class: "card", "aria-labelledby": "catalogue-title" },
      el("div", { class: "head" }, el("h2", { id: "catalogue-title" }, "What it can do wrong"), el("div", { class: "find" }, el("label", { for: "find-quirk" }, "Find"), search)), el("div", { id: "catalogue" }))));
};

export const show = async (_, quietly = false) => {
  if (!catalogue.length) [catalogue, variants] = await Promise.all([get("/quirks"), get("/quirks/variants")]);
  if (!quietly) list();
  await armed();
};

const armed = () => fill($("#armed"), async () => {
  const faults = await get("/quirks/faults");
  return [table("Armed quirks", ["Quirk", "Where", "When", "Matched", "Fired", "Left", ""], faults.map((fault) => row(
    el("span", {}, el("b", {}, fault.quirk), el("span", { class: "quiet property" }, told(fault.with))),
    el("span", {}, fault.where.operation ?? "any operation", fault.where.id && el("span", {}, " of ", el("a", { href: to("ids", fault.where.id) }, fault.where.id))),
    when(fault.when), String(fault.matched), el("b", { class: fault.fired ? "warn" : "" }, String(fault.fired)),
    fault.left === 0 ? badge("", "used up") : fault.left === null ? "for ever" : String(fault.left),
    button("Disarm", () => disarm(fault.number)))), "Nothing is armed: the main server behaves.")];
});

const told = (parameters) => Object.entries(parameters).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
const when = ({ after, next, probability, at_most_in_a_row, from, until }) => el("span", {}, [
  after && `after the first ${after}`, next === 1 ? "once" : next ? `the next ${next}` : "each time", probability && `with probability ${probability}`, at_most_in_a_row && `at most ${at_most_in_a_row} in a row`,
].filter(Boolean).join(", "), from && el("span", {}, ", from ", time(from)), until && el("span", {}, ", until ", time(until)));

const list = () => {
  const fits = ({ quirk, about, clause }) => `${quirk} ${about} P ${clause}`.toLowerCase().includes(wanted);
  $("#catalogue")?.replaceChildren(table("Catalogue of quirks", ["Quirk", "What happens", "Tests", "Happens to", ""], catalogue.filter(fits).map((one) => row(
    el("b", {}, one.quirk), one.about, el("span", { class: "whole-word" }, `P ${one.clause}`), one.operations.join(", "), button("Arm…", () => arm(one)))), "No quirk fits."));
};

const takes = (parameter, quirk) => TAKES[parameter].includes(quirk);
const arm = ({ quirk, about, clause, operations }) => {
  const of = quirk.endsWith("-variant") ? quirk.slice(0, -"-variant".length) : undefined;
  const fitting = variants.filter((variant) => variant.of === of || variant.variant.startsWith(`${of}_`));
  act({
    title: `Arm ${quirk}`, verb: "Arm", by: false,
    about: [el("p", {}, about), facts([["Tests", `P ${clause}`]])],
    fields: [
      { name: "next", label: "How often", type: "number", min: 1, value: 1, hint: "Empty: each time, until it is disarmed." },
      ...(of ? [{ name: "variant", label: "Defect", type: "choice", options: fitting.map(({ variant, about, clause }) => [variant, `${variant}: ${about} (P ${clause})`]) }] : []),
      ...(takes("milliseconds", quirk) ? [{ name: "milliseconds", label: "Milliseconds", type: "number", min: 0, value: 1_000 }] : []),
      ...(takes("status", quirk) ? [{ name: "status", label: "HTTP status", type: "number", min: 200, max: 599, value: 418 }] : []),
      ...(takes("retry_after", quirk) ? [{ name: "retry_after", label: "Retry-After, in seconds", type: "number", min: 0 }, { name: "retry_after_date", label: "Retry-After as a date", type: "checkbox" }] : []),
      { name: "operation", label: "Only this operation", type: "choice", options: [["", `any of ${operations.join(", ")}`], ...operations.map((name) => [name, name])] },
      { name: "id", label: "Only this license server id" },
      { name: "after", label: "Not the first", type: "number", min: 0 },
      { name: "probability", label: "Probability", type: "number", min: 0, max: 1, step: 0.05 },
      { name: "at_most_in_a_row", label: "At most in a row", type: "number", min: 1 },
      { name: "from", label: "From this main server time", placeholder: "2027-01-31T12:00:00Z" },
      { name: "until", label: "Before this main server time", placeholder: "2027-01-31T12:00:00Z" },
    ],
    command: (given) => ["quirks", "arm", quirk, flag("--variant", given.variant), flag("--milliseconds", given.milliseconds), flag("--status", given.status),
      flag("--retry-after", given.retry_after), flag("--retry-after-date", given.retry_after_date), flag("--operation", given.operation), flag("--id", given.id),
      flag("--after", given.after), flag("--next", given.next), flag("--probability", given.probability), flag("--at-most-in-a-row", given.at_most_in_a_row), flag("--from", given.from), flag("--until", given.until)],
    run: async ({ operation, id, after, next, probability, at_most_in_a_row, from, until, milliseconds, retry_after, retry_after_date, status, variant }) => {
      const { number } = await api("POST", "/quirks/faults", { quirk, where: { operation, id }, when: { after, next, probability, at_most_in_a_row, from, until }, with: { milliseconds, retry_after, retry_after_date, status, variant } });
      return `${quirk} is armed, as number ${number}.`;
    },
  });
};

const disarm = async (number) => {
  try {
    const [{ quirk }] = await api("DELETE", `/quirks/faults/${number}`);
    did(`${quirk} was disarmed.`, command(["quirks", "disarm", number]));
  } catch (error) { $("#armed")?.prepend(shown_problem(error)); }
};
const disarm_all = async () => {
  try {
    const { length } = await api("DELETE", "/quirks/faults");
    did(length ? `${length} quirk${length === 1 ? " was" : "s were"} disarmed.` : "Nothing was armed.", command(["quirks", "disarm", "--all"]));
  } catch (error) { $("#armed")?.prepend(shown_problem(error)); }
};
