"use strict";
// Search, filters, keys, links into closed details, copying. The page can be read without any of it.
{
  const one = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const cases = all("details.case");
  const failing = cases.filter((item) => item.hasAttribute("data-fails"));
  const texts = new Map();
  // The text of a case is put together when it is searched for the first time: a page has many.
  const textOf = (item) => {
    if (!texts.has(item)) texts.set(item, item.textContent.toLowerCase());
    return texts.get(item);
  };
  const [search, clause, level, shown] = ["search", "clause", "level", "shown"].map(one);
  const results = all("input[name=result]");

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(results.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    for (const item of cases) {
      const { result, level: itsLevel } = item.dataset;
      item.hidden = !(result.split(" ").some((word) => wanted.has(word))
        && (!clause || item.id.startsWith(clause.value))
        && (!level || !level.value || itsLevel === level.value)
        && words.every((word) => textOf(item).includes(word)));
      count += item.hidden ? 0 : 1;
    }
    for (const group of all(".group")) group.hidden = !group.querySelector("details.case:not([hidden])");
    for (const cell of all("[data-case]")) cell.hidden = Boolean(one(cell.dataset.case)?.hidden);
    shown.value = `${count} of ${cases.length} shown`;
    const left = failing.filter((item) => !item.hidden).length;
    one("next").disabled = one("previous").disabled = left === 0;
  };

  const showAll = () => {
    search.value = "";
    for (const select of [clause, level]) if (select) select.value = "";
    for (const box of results) box.checked = true;
    filter();
  };

  // Opens whatever the element is in, so that a link to it shows it.
  const reveal = (element) => {
    if (element.closest("[hidden]")) showAll();
    for (let at = element; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true;
    element.scrollIntoView({ block: "start" });
    (element.querySelector(":scope > summary") ?? element).focus({ preventScroll: true });
  };
  const follow = () => {
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch { /* as it is */ }
    const element = id && one(id);
    if (element) reveal(element);
  };

  let current = null;
  const step = (by) => {
    const left = failing.filter((item) => !item.hidden);
    if (left.length === 0) return;
    const at = left.indexOf(current);
    current = at < 0 ? left[by > 0 ? 0 : left.length - 1] : left[(at + by + left.length) % left.length];
    if (location.hash === `#${current.id}`) reveal(current);
    else location.hash = current.id;
  };

  const copy = async (button) => {
    const code = button.parentElement.querySelector("code");
    let done = true;
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };

  search.addEventListener("input", filter);
  for (const control of [clause, level, ...results]) control?.addEventListener("change", filter);
  one("reset").addEventListener("click", showAll);
  one("next").addEventListener("click", () => step(1));
  one("previous").addEventListener("click", () => step(-1));
  addEventListener("hashchange", follow);
  // A second click on the same link changes no hash.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) follow();
    const button = event.target.closest("button.copy");
    if (button) copy(button);
  });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape") { showAll(); event.target.blur(); }
      return;
    }
    const keys = { "/": () => search.focus(), n: () => step(1), p: () => step(-1) };
    if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  // On paper there is nothing to open.
  addEventListener("beforeprint", () => { for (const item of failing) item.open = true; });

  for (const button of all("button.copy")) button.hidden = false;
  one("controls").hidden = false;
  filter();
  follow();
}
