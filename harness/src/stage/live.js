// The stage while it is played: asks for steps, shows what comes of them. `stage.js` moves through them.
import { Problem, announce, call, el, live, show } from "/house.js";
import "/stage.js";

const { stage } = window;
const at = (id) => document.getElementById(id);
const story = document.querySelector(".story");
let now = { performance: -1, goes_on: false };
let busy = false;
let taken = false;

// The token stands in the fragment, and a step beside it.
const token = location.hash.slice(1).split("/")[0];
stage.fragment = (id) => `#${token}/${id}`;

const fragment = (html) => {
  const box = el("div");
  show(box, html);
  return [...box.children];
};

const look = async () => {
  const here = document.querySelectorAll("#steps > .step").length;
  let next = await (await call(`/api/whole?from=${here}`)).json();
  const anew = next.performance !== now.performance;
  if (anew) {
    at("steps").replaceChildren();
    stage.here = -1;
    taken = false;
    if (here > 0) next = await (await call("/api/whole")).json();
  }
  now = next;
  document.title = at("title").textContent = next.title;
  at("about").textContent = next.about;
  story.className = `story n${next.lanes}`;
  const steps = next.steps.flatMap(fragment);
  at("steps").append(...steps);
  show(at("turn"), next.turn);
  if (stage.steps().length === 0) story.querySelector(".heads .cards").replaceWith(...fragment(next.cards));
  if (next.broken) problem(new Problem("broken", `The story broke off: ${next.broken}`, "Tell it again, or play freely."));
  if (steps.length > 0) {
    for (const step of steps) step.classList.add("fresh");
    stage.go(stage.steps().length - 1);
    announce(steps.at(-1).querySelector("h3").textContent);
    if (!stage.playing() && !at("turn").hidden) at("turn").scrollIntoView({ block: "nearest" });
  }
  controls();
};

const controls = () => {
  at("turn").hidden = now.goes_on && !taken;
  at("take-over").hidden = !now.goes_on || taken;
  for (const button of document.querySelectorAll("#turn button, .bill button")) button.disabled = busy;
  document.body.classList.toggle("busy", busy);
  stage.told();
};

const problem = (error) => {
  if (!(error instanceof Problem)) throw error;
  at("problem").textContent = `${error.message}. ${error.cure}`;
  at("problem").hidden = false;
  at("problem").scrollIntoView({ block: "nearest" });
};

const ask = async (path, options = {}) => {
  if (busy) return;
  busy = true;
  at("problem").hidden = true;
  controls();
  try {
    await call(path, { method: "POST", ...options });
    await looking();
  } catch (error) {
    stage.pause();
    problem(error);
  } finally {
    busy = false;
    controls();
  }
};

// One look at a time, and one more if something has happened since.
let last = Promise.resolve();
const looking = () => { last = last.catch(() => {}).then(look); return last; };

stage.canGoOn = () => now.goes_on && !taken;
stage.beyond = () => {
  if (!stage.canGoOn()) return false;
  ask("/api/next");
  return true;
};

const save = async (path, name, type) => {
  try {
    const blob = new Blob([await (await call(path)).text()], { type });
    const link = el("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) { problem(error); }
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-step]");
  if (!button) return;
  const step = JSON.parse(button.dataset.step);
  if (button.dataset.with) step[button.dataset.with] = at(button.dataset.with).value;
  ask("/api/act", { body: JSON.stringify(step) });
});
at("story").addEventListener("click", () => { stage.pause(); ask("/api/again?free=false"); });
at("free").addEventListener("click", () => { stage.pause(); ask("/api/again?free=true").then(() => ask("/api/next")); });
at("take-over").addEventListener("click", () => { stage.pause(); taken = true; controls(); at("turn").scrollIntoView({ block: "nearest" }); });
at("save-page").addEventListener("click", () => save("/api/page", "story.html", "text/html"));
at("save-scenario").addEventListener("click", () => save("/api/scenario", "story.toml", "application/toml"));

live("/api/live", { up: looking, event: looking, down: () => stage.pause() });
