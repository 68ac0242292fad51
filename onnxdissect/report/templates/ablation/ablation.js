"use strict";

// The page of an ablation: its units, filtered by label, class, category and how many classes need them.
const dissect = (() => {
  const { byId, make, number } = shared;
  const FIELDS = ["find", "category", "needed", "sort"];
  const { state, address } = shared.addressOf(FIELDS, {});
  const CHUNK = 60;
  const show = shared.showsAsReached("tr");
  let run = null;
  let drawn = null;

  function change(values) {
    history.replaceState(null, "", address(values));
    apply();
  }

  const points = (share) => `${share > 0 ? "−" : share < 0 ? "+" : ""}${Math.abs(100 * share).toFixed(1)}`;

  function row([unit, label, category, colour, iou, detector, classes, mean, worst, most]) {
    const cell = (kind, ...children) => make("td", { class: kind }, ...children);
    return make("tr", { class: `c${colour}`, "data-unit": unit },
      make("th", { scope: "row", class: "number" }, run.report ? make("a", { href: `${run.report}#unit=${unit}` }, String(unit)) : String(unit)),
      cell(detector ? "" : "weak", make("span", { class: "dot" }), label || "–", " ", make("small", {}, detector ? category : "no detector")),
      cell("number", number(iou)),
      cell("number", String(classes.length)),
      cell("", classes.join(", ")),
      cell("number", points(mean)),
      cell("number", most > 0 ? `${worst} ${points(most)}` : "–"));
  }

  const ORDERS = {
    "": (a, b) => b[6].length - a[6].length || b[4] - a[4],
    iou: (a, b) => b[4] - a[4],
    mean: (a, b) => b[7] - a[7],
    worst: (a, b) => b[9] - a[9],
    unit: (a, b) => a[0] - b[0],
  };

  function chosen(one, wanted) {
    const text = wanted.find.trim().toLowerCase();
    const often = one[6].length;
    return (!text || [one[1], ...one[6]].some((name) => name.toLowerCase().includes(text)))
      && (!wanted.category || one[2] === wanted.category)
      && (wanted.needed === "" || (wanted.needed === "0" ? often === 0 : often >= Number(wanted.needed)));
  }

  function apply() {
    const wanted = state();
    for (const name of FIELDS) {
      const field = byId(name);
      if (field !== document.activeElement || field.tagName === "SELECT") field.value = wanted[name];
    }
    const now = JSON.stringify(wanted);
    if (now === drawn) return;
    drawn = now;
    const list = run.units.filter((one) => chosen(one, wanted)).sort(ORDERS[wanted.sort] ?? ORDERS[""]);
    const all = run.units.length.toLocaleString("en");
    byId("count").textContent = list.length === run.units.length ? `${all} units` : `${list.length.toLocaleString("en")} of ${all} units`;
    show(byId("list"), list, row, CHUNK);
  }

  function start() {
    for (const name of FIELDS) byId(name).addEventListener("input", () => change({ [name]: byId(name).value }));
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    // The address keeps what is shown.
    shared.linksWithin();
    shared.slashKey("find");
    addEventListener("hashchange", apply);
    apply();
  }

  addEventListener("DOMContentLoaded", () => { if (run) start(); });

  return { run: (content) => { run = content; } };
})();
