// The License Server Manager. It asks, shows what is answered, and decides nothing.
import { announce, call, el, live, show } from "/house.js";

const $ = (selector, inside = document) => inside.querySelector(selector);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const answer = async (path, options) => (await call(path, options)).json();
const post = (path, body) => answer(path, { method: "POST", body });

const problem_note = (problem) => el("div", { class: "note bad" }, el("p", {}, el("b", {}, `${problem.message}.`)), el("p", {}, el("b", {}, "Next: "), problem.cure ?? ""));
const say = (result, problem) => result.replaceChildren(problem_note(problem));

/** Does it while `button` is off, so that nobody does it twice. */
const busy = async (buttons, result, act) => {
  for (const button of buttons) button.disabled = true;
  try { await act(); } catch (problem) { say(result, problem); } finally { for (const button of buttons) button.disabled = false; }
};

// The window

let shown = "";
let chosen = "";
const view = $("#view");

const refresh = async () => {
  try {
    const { license_server_id, mode, html } = await answer("/api/view");
    $("#trouble").hidden = true;
    document.title = `${license_server_id} – License Server Manager`;
    $("#id").textContent = license_server_id;
    for (const item of all("[data-mode]")) item.setAttribute("aria-checked", String(item.dataset.mode === mode));
    if (html === shown) return;
    const [find, top] = [$("#find")?.value ?? "", $("#rows")?.scrollTop ?? 0];
    show(view, shown = html);
    if ($("#find")) $("#find").value = find;
    filter();
    const rows = all("#rows input");
    const row = rows.find((input) => input.value === chosen) ?? rows[0];
    if (row) { row.checked = true; $("#rows").scrollTop = top; await choose(row.value); }
  } catch (problem) {
    if (problem.code === "ended") return;
    $("#trouble").textContent = `${problem.message}. ${problem.cure}`;
    $("#trouble").hidden = false;
  } finally {
    view.setAttribute("aria-busy", "false");
  }
};

const choose = async (number) => {
  chosen = number;
  const { html } = await answer(`/api/license?number=${encodeURIComponent(number)}`);
  if (chosen === number && $("#license")) show($("#license"), html);
};

const filter = () => {
  const wanted = ($("#find")?.value ?? "").trim().toLowerCase();
  let found = 0;
  for (const row of all("#rows .row")) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    if (!row.hidden) found += 1;
  }
  if ($("#nothing-found")) $("#nothing-found").hidden = found > 0;
};

view.addEventListener("input", (event) => { if (event.target.id === "find") filter(); });
view.addEventListener("change", (event) => {
  if (event.target.name === "license") choose(event.target.value).catch((problem) => say($("#license"), problem));
});
$("#refresh").addEventListener("click", async () => { await refresh(); announce("Refreshed."); });
addEventListener("focus", () => refresh());
setInterval(() => { if (!document.hidden) refresh(); }, 60_000);

// The menu

const [menu, opener] = [$("#menu"), $("#server-menu")];
const items = all("[role^=menuitem]", menu);
const open_menu = (open, at = 0) => {
  menu.hidden = !open;
  opener.setAttribute("aria-expanded", String(open));
  if (open) items.at(at).focus();
};
opener.addEventListener("click", () => open_menu(menu.hidden));
opener.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); open_menu(true, event.key === "ArrowDown" ? 0 : -1); }
});
menu.addEventListener("keydown", (event) => {
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to !== undefined) { event.preventDefault(); items.at(to % items.length).focus(); }
  if (event.key === "Escape") { event.stopPropagation(); open_menu(false); opener.focus(); }
  if (event.key === "Tab") open_menu(false);
});
addEventListener("pointerdown", (event) => { if (!menu.hidden && !event.target.closest(".menu")) open_menu(false); });

// What the menu and the dialogs do

const phase = (name, state) => {
  let after = false;
  for (const item of all("[data-phase]")) {
    const is_it = item.dataset.phase === name;
    item.dataset.state = is_it ? state : after ? "" : "done";
    $(".state", item).textContent = { done: ": done", doing: ": under way", failed: ": failed" }[item.dataset.state] ?? "";
    after ||= is_it;
  }
};

const acts = {
  async synchronize() {
    const dialog = opened("synchronize");
    const result = $(".result", dialog);
    phase("", "");
    for (const item of all("[data-phase]")) item.dataset.state = "";
    result.replaceChildren();
    $("#why").hidden = true;
    await busy([$("#again")], result, async () => {
      try { show(result, (await post("/api/synchronize")).html); } finally { $("#why").hidden = !$("[data-state=failed]", dialog); }
    });
    $("#why").hidden = !$(".note.bad", result);
    await refresh();
  },
  file() { opened("file"); },
  clear() { $(".result", opened("clear")).replaceChildren(); },
  "new-key-pair"() {
    $(".result", opened("new-key-pair")).replaceChildren();
    [$("#replace").hidden, $("#ask").hidden] = [false, true];
  },
  async diagnostics() {
    const dialog = opened("diagnostics");
    const result = $(".result", dialog);
    result.replaceChildren(el("p", { class: "waiting" }, "Checking…"));
    await busy(all("[data-do]", dialog), result, async () => show(result, (await post("/api/diagnostics")).html));
  },
};

const opened = (id) => {
  for (const other of all("dialog[open]")) if (other.id !== id) other.close();
  const dialog = document.getElementById(id);
  if (!dialog.open) dialog.showModal();
  return dialog;
};

addEventListener("click", async ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  if (menu.contains(button)) { open_menu(false); opener.focus(); }
  if (button.dataset.do) await acts[button.dataset.do]();
  if (button.dataset.mode) await automatic(button.dataset.mode);
  if (button.hasAttribute("data-close")) button.closest("dialog").close();
});

const automatic = async (mode) => {
  try {
    const { next_step } = await post("/api/automatic", new URLSearchParams({ mode }));
    await refresh();
    announce(`Automatic synchronization is ${mode}. ${next_step}`);
  } catch (problem) {
    $("#trouble").textContent = `${problem.message}. ${problem.cure}`;
    $("#trouble").hidden = false;
  }
};

const download = (name, content) => {
  const address = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
};

$("#export").addEventListener("click", () => busy([$("#export")], $("#exported"), async () => {
  const { html, file, content } = await post("/api/export");
  show($("#exported"), html);
  if (file) download(file, content);
  await refresh();
}));

const response = $("#response");
response.addEventListener("change", async () => {
  $("#import").disabled = true;
  $("#checked").replaceChildren();
  if (!response.files.length) return;
  try {
    show($("#checked"), (await post("/api/import?dry_run=true", response.files[0])).html);
    $("#import").disabled = false;
  } catch (problem) { say($("#checked"), problem); }
});
$("#import").addEventListener("click", async () => {
  await busy([$("#import"), response], $("#checked"), async () => {
    show($("#checked"), (await post("/api/import?dry_run=false", response.files[0])).html);
    response.value = "";
    await refresh();
  });
  $("#import").disabled = !response.files.length;
});

$("#replace").addEventListener("click", () => {
  const result = $("#new-key-pair .result");
  busy([$("#replace")], result, async () => {
    show(result, (await post("/api/new-key-pair")).html);
    [$("#replace").hidden, $("#ask").hidden] = [true, false];
    $("#ask").focus();
    await refresh();
  });
});

$("#smtp").addEventListener("input", ({ target }) => {
  $("#clear-form button").textContent = target.value.trim() ? "Send the mail" : "Write the mail";
});
$("#clear-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const result = $("#clear .result");
  busy([$("#clear-form button")], result, async () => {
    const { html, file, content } = await post("/api/request-clear", new URLSearchParams(new FormData(event.target)));
    show(result, html);
    if (file) result.append(el("button", { type: "button", id: "save-mail", click: () => download(file, content) }, "Save the mail"));
  });
});

live("/api/live", {
  up: () => { shown = ""; return refresh(); },
  event: (name, value) => { if (name === "phase") phase(value.phase, value.state); else if (name === "changed") return refresh(); },
});
