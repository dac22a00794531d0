// The stage: moves through the steps of a story that stand on the page. Everything it shows was drawn before.
"use strict";
(() => {
  const all = (root, selector) => [...root.querySelectorAll(selector)];
  const PAUSE = 2600; // between two steps, and some more for each arrow
  const MORE = 550;
  const motion = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;

  const stage = {
    /** The step that is shown; -1 before the first. */
    here: -1,
    /** What links to a step; a page whose fragment has something else as well sets it. */
    fragment: (id) => `#${id}`,
    /** Asked for when there is no next step; a page that can play on sets it. True if one will come. */
    beyond: () => false,
    steps: () => all(document, ".step"),
    playing: () => timer !== 0,

    /** Shows a step: its number, its cards, and itself where it can be seen. */
    go(index, { scroll = true, focus = false, hash = true } = {}) {
      const steps = stage.steps();
      if (steps.length === 0) return;
      stage.here = Math.max(0, Math.min(index, steps.length - 1));
      steps.forEach((step, at) => {
        step.classList.toggle("here", at === stage.here);
        step.classList.toggle("later", at > stage.here);
      });
      const step = steps[stage.here];
      cards(step);
      if (hash) history.replaceState(null, "", stage.fragment(step.id));
      if (scroll) step.scrollIntoView({ block: "nearest", behavior: motion.matches ? "auto" : "smooth" });
      if (focus) step.focus({ preventScroll: true });
      told();
    },
    next() {
      if (stage.here + 1 < stage.steps().length) stage.go(stage.here + 1);
      else if (!stage.beyond()) stage.pause();
    },
    play() {
      document.body.classList.add("telling");
      const at = stage.here + 1 >= stage.steps().length && !stage.canGoOn?.() ? 0 : stage.here;
      if (at >= 0) stage.go(at); else stage.next();
      again();
      told();
    },
    pause() {
      clearTimeout(timer);
      timer = 0;
      if (stage.here + 1 >= stage.steps().length) document.body.classList.remove("telling");
      told();
    },
    toggle() { if (timer) stage.pause(); else stage.play(); },
  };
  window.stage = stage;

  const again = () => {
    const arrows = stage.steps()[stage.here]?.querySelectorAll(".arrow").length ?? 0;
    clearTimeout(timer);
    timer = setTimeout(() => {
      stage.next();
      if (timer) again();
    }, PAUSE + MORE * arrows);
  };

  // The cards over the lanes become those of the step; what is new in them lights up.
  const cards = (step) => {
    const story = step.closest(".story");
    const [over, then] = [story.querySelector(".heads .cards"), step.querySelector(".after .cards")];
    if (!over || !then) return;
    const facts = (root) => new Map(all(root, ".card").flatMap((card) =>
      all(card, ".fact").map((fact) => [`${card.dataset.lane}\n${fact.querySelector("dt").textContent}`, fact])));
    const steps = stage.steps();
    const before = facts(steps[steps.indexOf(step) - 1]?.querySelector(".after .cards") ?? then);
    const fresh = then.cloneNode(true);
    for (const [name, fact] of facts(fresh)) {
      if (before.get(name)?.textContent !== fact.textContent) fact.classList.add("new");
    }
    over.replaceWith(fresh);
    heads(story);
  };
  const heads = (story) => {
    const all = story.querySelector(".heads");
    const head = all.offsetHeight ? all : all.querySelector(".narration");
    story.style.setProperty("--heads", `${head.offsetHeight + 8}px`);
  };

  const told = stage.told = () => {
    const steps = stage.steps();
    for (const place of all(document, ".place")) place.textContent = steps.length ? `${stage.here + 1} of ${steps.length}` : "";
    for (const button of all(document, "[data-go=play]")) {
      button.querySelector("span").textContent = timer ? "Pause" : "Play";
      button.querySelector("path").setAttribute("d", timer ? "M5 4h3v12h-3zM12 4h3v12h-3z" : "M6 4v12l10-6z");
    }
    for (const button of all(document, "[data-go=back], [data-go=first]")) button.disabled = stage.here <= 0;
  };

  const acts = {
    first: () => { stage.pause(); stage.go(0); },
    back: () => { stage.pause(); stage.go(stage.here - 1); },
    play: () => stage.toggle(),
    next: () => { stage.pause(); stage.next(); },
    last: () => { stage.pause(); document.body.classList.remove("telling"); stage.go(stage.steps().length - 1); },
  };
  const keys = {
    ArrowRight: "next", PageDown: "next", j: "next", ArrowLeft: "back", PageUp: "back", k: "back", Home: "first", End: "last", " ": "play",
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-go]");
    if (button) acts[button.dataset.go]();
    const number = event.target.closest("a.number");
    if (number) {
      event.preventDefault();
      stage.pause();
      stage.go(stage.steps().indexOf(number.closest(".step")), { focus: true });
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea, dialog")) return;
    const onButton = event.target.closest("button, summary, a");
    if (keys[event.key] && !(event.key === " " && onButton)) {
      event.preventDefault();
      acts[keys[event.key]]();
    } else if (event.key === "o" || event.key === "Escape") {
      const arrows = all(event.key === "o" ? stage.steps()[stage.here] ?? document : document, ".arrow");
      const open = event.key === "o" && arrows.some((arrow) => !arrow.open);
      for (const arrow of arrows) arrow.open = open;
    }
  });

  // A link to a step, or to an arrow of it, shows both.
  const follow = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)).split("/").pop());
    const step = target?.closest(".step");
    if (!step) return false;
    if (target.matches(".arrow")) target.open = true;
    stage.go(stage.steps().indexOf(step), { hash: false, scroll: false });
    target.scrollIntoView({ block: "start" });
    return true;
  };
  addEventListener("hashchange", follow);
  addEventListener("resize", () => all(document, ".story").forEach(heads));

  document.documentElement.classList.add("scripted");
  for (const hidden of all(document, ".controls, .keys")) hidden.hidden = false;
  all(document, ".story").forEach(heads);
  if (!follow()) stage.go(0, { scroll: false, hash: false });
})();
