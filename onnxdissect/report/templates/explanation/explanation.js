"use strict";

// The page of explanations. What is said stands in the page; masks and heat maps come as scripts as the reader comes near.
const dissect = (() => {
  const { byId, make, nearing } = shared;
  const root = document.body.dataset.root;
  const CHOSEN = ["find", "class", "concept", "unit"];
  const SHOWN = ["mask", "heat", "segments"];
  const KEYS = { m: "mask", h: "heat", s: "segments" };
  const { state, address } = shared.addressOf([...CHOSEN, "show"], { show: "mask segments" });
  const arrivals = new Map(); // number of an image -> function that takes its overlays
  let items = [];

  const shown = () => new Set(state().show.split(" ").filter((name) => SHOWN.includes(name)));

  function change(values) {
    history.replaceState(null, "", address(values));
    apply();
  }

  // ---- pictures of units

  function overlays(number) {
    return new Promise((resolve) => {
      arrivals.set(number, resolve);
      shared.script(`${root}images/${number}.js`).then((there) => there || resolve(null));
    });
  }

  async function fill(item) {
    const found = await overlays(Number(item.dataset.number));
    for (const unit of item.querySelectorAll(".unit")) {
      const tile = unit.querySelector(".tile");
      const record = found?.find((one) => String(one.unit) === unit.dataset.unit);
      if (!record) {
        tile.replaceChildren(make("p", { class: "hint" }, "no picture"));
        continue;
      }
      const [width, height] = record.images[0].photo;
      const aspect = Math.min(Math.max(width / height, 0.6), 2);
      tile.style.aspectRatio = String(aspect);
      const page = { root, aspect, heat: shown().has("heat") };
      tile.replaceChildren(shared.frame(page, record.unit, record, record, 0));
    }
  }

  // ---- which predictions are on show

  const told = (item, wanted) => [...item.querySelectorAll(".unit")].filter((unit) =>
    (wanted.unit === "" || unit.dataset.unit === wanted.unit) && (wanted.concept === "" || unit.dataset.concept === wanted.concept));

  function matches(item, wanted) {
    const name = item.querySelector("h3");
    const text = wanted.find.trim().toLowerCase();
    return (
      (!text || name.textContent.toLowerCase().includes(text) || name.title.toLowerCase().includes(text)) &&
      (wanted.class === "" || item.dataset.class === wanted.class) &&
      ((wanted.unit === "" && wanted.concept === "") || told(item, wanted).length > 0)
    );
  }

  function select(wanted) {
    let count = 0;
    const chosen = wanted.unit !== "" || wanted.concept !== "";
    for (const item of items) {
      item.hidden = !matches(item, wanted);
      count += !item.hidden;
      for (const unit of item.querySelectorAll(".unit.sought")) unit.classList.remove("sought");
      if (chosen && !item.hidden) for (const unit of told(item, wanted)) unit.classList.add("sought");
    }
    const all = `${items.length.toLocaleString("en")} ${items.length === 1 ? "prediction" : "predictions"}`;
    const why = [
      ...(wanted.unit === "" ? [] : [`unit ${wanted.unit}`]),
      ...(wanted.concept === "" ? [] : [`a detector of ${wanted.concept}`]),
    ];
    byId("count").textContent = (count === items.length ? all : `${count.toLocaleString("en")} of ${all}`)
      + (why.length ? `: ${why.join(" and ")} among the units told of` : "");
  }

  // ---- everything together

  function apply() {
    const wanted = state();
    const on = shown();
    document.body.dataset.show = [...on].join(" ");
    if (on.has("heat")) document.querySelectorAll("canvas.heat:not([data-drawn])").forEach((canvas) => canvas.paint());
    for (const name of CHOSEN) {
      const field = byId(name);
      if (field !== document.activeElement || field.tagName === "SELECT") field.value = wanted[name];
    }
    for (const button of byId("show").children) button.setAttribute("aria-pressed", String(on.has(button.value)));
    select(wanted);
  }

  function toggle(name) {
    const on = shown();
    if (!on.delete(name)) on.add(name);
    change({ show: [...on].join(" ") || "photo" });
  }

  // The arrows go from one prediction to the next, its heading below what stays on top.
  function step(by) {
    const list = items.filter((item) => !item.hidden);
    const at = list.indexOf(document.activeElement.closest?.("#explained > li"));
    const next = list[at < 0 ? (by > 0 ? 0 : -1) : at + by];
    if (!next) return;
    const name = next.querySelector("h3");
    name.tabIndex = -1;
    name.focus({ preventScroll: true });
    next.scrollIntoView();
  }

  function typed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const button = event.key in KEYS && byId("show").querySelector(`[value="${KEYS[event.key]}"]`);
    if (event.key === "/") byId("find").focus();
    else if (button) toggle(button.value);
    else if (by && !event.target.matches(".scroll, summary")) step(by);
    else return;
    event.preventDefault();
  }

  function start() {
    document.body.classList.add("alive");
    items = [...document.querySelectorAll("#explained > li")];
    for (const item of items) {
      item.fill = () => fill(item);
      if (nearing) nearing.observe(item);
      else item.fill();
    }
    for (const name of CHOSEN) byId(name).addEventListener("input", () => change({ [name]: byId(name).value }));
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("reset", (event) => {
      event.preventDefault();
      byId("find").value = "";
      change({ find: "", class: "", concept: "", unit: "" });
    });
    byId("show").addEventListener("click", (event) => event.target.value && toggle(event.target.value));
    shared.linksWithin();
    // On paper everything has its picture.
    addEventListener("beforeprint", () => {
      for (const item of items) if (!item.hidden && !item.querySelector(".frame")) item.fill();
    });
    document.addEventListener("keydown", typed);
    addEventListener("hashchange", apply);
    apply();
    // Who asked for some of them came for these.
    if (CHOSEN.some((name) => state()[name])) byId("predictions").scrollIntoView();
  }

  addEventListener("DOMContentLoaded", start);

  return { image: (number, content) => arrivals.get(number)?.(content) };
})();
