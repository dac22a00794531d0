// The licensing desk: who asks for a clear, what the operator should know, and the mails that came and went (P 16.1).
import { el } from "/house.js";
import { $, act, ago, api, badge, button, by, facts, fill, flag, get, key, note, reason, time, to } from "/kit.js";

export const title = "Mails";

const PAGE = 50;
const MAILS = 20;
const pages = { requests: [undefined], inbox: [undefined], outbox: [undefined] };

export const enter = (main) => {
  const section = (id, title, about) => el("section", { class: "card", "aria-labelledby": `${id}-title` },
    el("div", { class: "head" }, el("h2", { id: `${id}-title` }, title), el("span", { class: "quiet" }, about)),
    el("div", { id }), el("div", { class: "pager", id: `${id}-pager` }));
  main.append(el("div", { class: "desk" },
    section("requests", "Clear requests", "mails that ask to clear a key pair"),
    el("div", { class: "boxes" }, section("inbox", "Inbox", "what came to licensing@solme.se in this run"), section("outbox", "Outbox", "what the desk has answered"))));
};

export const show = async () => { await Promise.all([requests(), inbox(), outbox()]); };

/** Newest first, a page at a time, by the number of the last one. */
const listed = (name, size, path, draw, empty) => fill($(`#${name}`), async () => {
  const before = pages[name].at(-1);
  const found = (await get(path, { before, limit: size })).reverse();
  const again = () => listed(name, size, path, draw, empty);
  $(`#${name}-pager`).replaceChildren(...[
    pages[name].length > 1 && button("← Newer", () => { pages[name].pop(); again(); }, "plain"),
    found.length === size && button("Older →", () => { pages[name].push(found.at(-1).id); again(); }, "plain"),
  ].filter(Boolean));
  return found.length ? draw(found) : [el("p", { class: "empty" }, empty)];
});

const requests = () => listed("requests", PAGE, "/clear-requests", (found) => {
  const [open, closed] = [found.filter(({ state }) => state === "open"), found.filter(({ state }) => state !== "open")];
  return [
    open.length ? el("div", { class: "requests" }, ...open.map(request)) : el("p", { class: "empty" }, "Nothing is open."),
    closed.length > 0 && el("h3", {}, "Decided"),
    closed.length > 0 && el("ul", { class: "mails" }, ...closed.map((one) => mail(`request-${one.id}`, [
      el("b", {}, one.license_server_id), badge({ approved: "good", rejected: "bad" }[one.state] ?? "", one.state.replace("-", " ")), el("span", { class: "quiet" }, `request ${one.id}, ${ago(one.decided_at)}`),
    ], () => [known(one), facts([["Decided", time(one.decided_at)], ["By", one.decided_by], ["Why", one.reason], ["Despite", one.overridden.map(caution).join(" ")]])]))),
  ].filter(Boolean);
}, "No mail has asked for a clear.");

const caution = (caution) => ({
  "sender-is-no-contact": "The sender is not a registered contact.",
  "envelope-sender-is-no-contact": `The envelope names ${caution.envelope_sender}, who is not a registered contact.`,
  "synchronized-recently": `The key pair synchronized ${caution.last_synchronized_at && ago(caution.last_synchronized_at)}: its License Server seems to be alive.`,
})[caution.caution] ?? caution.caution;

const request = (one) => el("article", { class: "request", "aria-label": `Clear request ${one.id}` },
  el("div", { class: "head" }, el("h3", {}, el("a", { class: "mono", href: to("ids", one.license_server_id) }, one.license_server_id)), el("span", { class: "quiet" }, `request ${one.id}, ${ago(one.received_at)}`)),
  known(one),
  one.cautions.length
    ? note("warn", el("p", {}, el("b", {}, "Look twice")), ...one.cautions.map((each) => el("p", {}, caution(each))))
    : note("good", el("p", {}, one.thumbprint ? "Nothing speaks against it: a registered contact asks, and the key pair has not synchronized lately." : "There was nothing to clear when the mail arrived: to approve it changes nothing.")),
  el("div", { class: "buttons" }, button("Reject…", () => reject(one)), button("Approve…", () => approve(one), "first")));

/** What an operator should know. */
const known = (one) => facts([
  ["Sender", el("span", {}, one.sender, " ", one.sender_is_contact ? badge("good", "registered contact") : badge("warn", "not a contact"))],
  ["Envelope", one.envelope_sender !== one.sender && one.envelope_sender],
  ["Subject", one.subject],
  ["Received", time(one.received_at)],
  ["Key pair", el("span", {}, key(one.thumbprint), one.thumbprint && one.state === "open" && !one.bound_at && el("span", { class: "quiet" }, " not in use any more"))],
  ["Bound", one.bound_at && time(one.bound_at)],
  ["Last synchronized", one.last_synchronized_at ? time(one.last_synchronized_at) : undefined],
  ["New key pair", one.new_thumbprint && el("span", {}, key(one.new_thumbprint), " as the mail says")],
  ["Further mails", one.further_mails > 0 && el("details", { id: `further-${one.id}` }, el("summary", {}, String(one.further_mails)), el("ul", {}, ...one.further.map((mail) => el("li", {}, time(mail.received_at), ` ${mail.sender}: ${mail.subject}`))))],
  ["Ids left out", one.ids_left_out > 0 && `${one.ids_left_out} more ids in the mail`],
]);

const approve = (one) => act({
  title: `Approve clear request ${one.id}`, verb: "Approve",
  about: [
    el("p", {}, "Clears the key pair ", key(one.thumbprint), ` of ${one.license_server_id} if it is still in use, and answers the registered contacts.`),
    one.cautions.length > 0 && note("warn", ...one.cautions.map((each) => el("p", {}, caution(each)))),
  ],
  fields: [
    reason("Why, for the audit: how you made sure"),
    ...(one.cautions.length ? [{ name: "even_so", label: "Approve despite the cautions", type: "checkbox" }] : []),
    ...(one.new_thumbprint ? [{ name: "reserve", label: `Reserve the id for the new key pair ${one.new_thumbprint.slice(0, 8)}`, type: "checkbox" }] : []),
  ],
  command: ({ reason, even_so, reserve }) => ["clear-requests", "approve", one.id, flag("--even-so", even_so), flag("--reserve", reserve), flag("--reason", reason)],
  run: async ({ reason, even_so = false, reserve = false }) => {
    const { state } = await api("POST", `/clear-requests/${one.id}/approve`, { even_so, reserve, ...by(reason) });
    return state === "approved" ? `The key pair of ${one.license_server_id} was cleared.` : `Already done: that key pair of ${one.license_server_id} was not in use any more.`;
  },
});

const reject = (one) => act({
  title: `Reject clear request ${one.id}`, verb: "Reject", kind: "danger", about: `The key pair of ${one.license_server_id} stays in use; the answer says why.`,
  fields: [reason("Why, for the audit and the answer")],
  command: ({ reason }) => ["clear-requests", "reject", one.id, flag("--reason", reason)],
  run: async ({ reason }) => { await api("POST", `/clear-requests/${one.id}/reject`, by(reason)); return `Clear request ${one.id} was rejected.`; },
});

/** A line that opens. What it opens is made when somebody looks. */
const mail = (id, head, body) => {
  const box = el("div", {});
  const details = el("details", { id, toggle: () => { if (details.open && !box.childElementCount) box.append(...[body()].flat().filter(Boolean)); } }, el("summary", {}, ...head), box);
  return el("li", {}, details);
};

const inbox = () => listed("inbox", MAILS, "/inbox", (mails) => [el("ul", { class: "mails" }, ...mails.map((one) => mail(`inbox-${one.id}`, [
  el("b", {}, one.from.join(", ") || "nobody"), el("span", {}, one.subject ?? "no subject"), el("span", { class: "quiet" }, ago(one.at)),
], () => [
  facts([
    ["From", one.from.join(", ")], ["Envelope", one.envelope_from ?? "<>"], ["Received", time(one.at)],
    ["Became", one.clear_requests.length ? `clear request ${one.clear_requests.join(", ")}` : one.automatic ? "nothing: a machine sent it" : "nothing: it names no id that is known"],
  ]),
  el("pre", { class: "mail", tabindex: "0" }, one.text.replaceAll("\r\n", "\n")),
  one.shortened && el("p", { class: "quiet" }, "The rest was not kept."),
])))], "No mail has come in this run.");

const outbox = () => listed("outbox", MAILS, "/outbox", (mails) => [el("ul", { class: "mails" }, ...mails.map((one) => mail(`outbox-${one.id}`, [
  el("b", {}, one.to.join(", ")), el("span", {}, one.subject), el("span", { class: "quiet" }, ago(one.at)), one.handed_on_at && badge("good", "handed on"),
], () => [
  facts([["To", one.to.join(", ")], ["Written", time(one.at)], ["Handed on", one.handed_on_at && time(one.handed_on_at)], ["Message id", one.message_id]]),
  el("pre", { class: "mail", tabindex: "0" }, one.text.replaceAll("\r\n", "\n")),
  el("div", { class: "buttons" }, button("Hand it on…", () => hand_on(one))),
])))], "No mail was written yet.");

const hand_on = ({ id, to: recipients }) => act({
  title: `Hand mail ${id} on`, verb: "Hand it on", by: false, about: `Gives it to the mail server that was named at the start (serve --mail-server), for ${recipients.join(", ")}.`,
  command: () => ["outbox", "hand-on", id],
  run: async () => { await api("POST", `/outbox/${id}/hand-on`); return `Mail ${id} was handed on.`; },
});

