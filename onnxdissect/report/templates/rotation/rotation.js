"use strict";

// The page of rotations. What becomes of each concept comes as a script for each layer and quantile.
const dissect = (() => {
  const { byId, make, draw, number, figure, percent, nearing } = shared;
  const root = document.body.dataset.root;
  const units = shared.unitReader(root);
  const FIELDS = ["layer", "q", "seed", "find", "category", "sort", "show", "concept"];
  const DEFAULTS = { q: "0", show: "mask" };
  const { state, address } = shared.addressOf(FIELDS, DEFAULTS);
  const views = new Map(); // "layer/quantile" -> its concepts, or a promise that they have come
  let run = null;
  let drawnList = "";
  let drawnConcept = "";
  let listed = []; // concepts in the order on show

  const within = (text, count) => Math.min(Math.max(Number.parseInt(text, 10) || 0, 0), count - 1);
  const quantile = () => within(state().q, run.quantiles.length);
  const layer = () => {
    const at = run.layers.findIndex((one) => one.slug === state().layer);
    return at < 0 ? run.layers.length - 1 : at;
  };
  const seed = () => Math.max(run.seeds.findIndex((one) => String(one) === state().seed), 0);
  const shown = () => new Set(state().show.split(" "));
  const colourOf = (category) => (category in run.colours ? `c${run.colours[category]}` : "");
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const before = (concept) => concept.iou[0][0];
  const after = (concept) => mean(concept.iou.map((row) => row[row.length - 1]));

  function change(values) {
    history.replaceState(null, "", address(values));
    apply();
  }

  async function withView(at, view) {
    const key = `${at}/${view}`;
    if (!Array.isArray(views.get(key))) {
      if (!views.has(key)) views.set(key, shared.script(`${root}data/${encodeURIComponent(run.layers[at].slug)}-q${view}.js`));
      await views.get(key);
    }
    return Array.isArray(views.get(key)) ? views.get(key) : null;
  }

  // ---- the list of concepts

  const ORDERS = {
    "": (a, b) => before(b) - after(b) - (before(a) - after(a)),
    before: (a, b) => before(b) - before(a),
    after: (a, b) => after(b) - after(a),
    name: () => 0,
  };

  function spark(concept, highest) {
    const [width, height] = [76, 24];
    const y = (iou) => height - (height * iou) / highest;
    const points = run.alphas.map((alpha, i) => `${(width * alpha).toFixed(1)},${y(mean(concept.iou.map((row) => row[i]))).toFixed(1)}`);
    const level = y(run.iou_threshold).toFixed(1);
    return draw("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
      draw("line", { x1: 0, x2: width, y1: level, y2: level }),
      draw("polyline", { points: points.join(" ") }));
  }

  function showList(concepts, wanted) {
    const text = wanted.find.trim().toLowerCase();
    const order = ORDERS[wanted.sort] ?? ORDERS[""];
    listed = concepts
      .filter((one) => one.name.toLowerCase().includes(text) && (!wanted.category || one.category === wanted.category))
      .sort((a, b) => order(a, b) || a.name.localeCompare(b.name) || a.number - b.number);
    byId("count").textContent = listed.length === concepts.length
      ? `${concepts.length.toLocaleString("en")} ${concepts.length === 1 ? "concept" : "concepts"}`
      : `${listed.length.toLocaleString("en")} of ${concepts.length.toLocaleString("en")} concepts`;
    byId("concepts").replaceChildren(
      ...listed.map((concept) => {
        const highest = Math.max(run.iou_threshold * 1.5, ...concept.iou.flat());
        const button = make("button", { type: "button", value: concept.number, class: colourOf(concept.category) },
          make("span", { class: "name" }, make("span", { class: "dot", title: concept.category }), concept.name),
          spark(concept, highest),
          make("span", { class: "moves" }, `${number(before(concept), 2)} → ${number(after(concept), 2)}`));
        button.title = `${concept.name} (${concept.category}): IoU of its best unit at alpha 0 and, mean over the seeds, at alpha 1`;
        return make("li", {}, button);
      }));
  }

  // ---- one concept along alpha

  function detectedText(concept, row) {
    const hits = run.alphas.filter((_, i) => concept.detected[row][i]);
    if (!hits.length) return `not detected by a unit under seed ${run.seeds[row]}`;
    if (hits.length === run.alphas.length) return `detected at every alpha of seed ${run.seeds[row]}`;
    return `detected at alpha ${hits.map((alpha) => figure(alpha)).join(", ")} of seed ${run.seeds[row]}`;
  }

  function lines(concept, row, highest) {
    const [width, height, left, below] = [innerWidth < 560 ? 350 : 620, 150, 36, 34];
    const x = (alpha) => left + (width - left - 14) * alpha;
    const y = (iou) => 8 + (height - 8) * (1 - iou / highest);
    const picture = draw("svg", {
      class: `along ${colourOf(concept.category)}`, viewBox: `0 0 ${width} ${height + below}`, role: "img",
      "aria-label": `IoU of the best unit of ${concept.name} against alpha; the list below has the numbers of seed ${run.seeds[row]}`,
    });
    const level = y(run.iou_threshold);
    picture.append(
      draw("g", { class: "axis" },
        draw("line", { x1: left, x2: width - 10, y1: height, y2: height }),
        draw("text", { x: left - 6, y: height + 4 }, "0"),
        draw("text", { x: left - 6, y: 12 }, number(highest, 2))),
      draw("line", { class: "threshold", x1: left, x2: width - 10, y1: level, y2: level }),
      draw("text", { x: left - 6, y: level + 4, "text-anchor": "end" }, figure(run.iou_threshold)),
      draw("text", { x: (left + width) / 2, y: height + 31, "text-anchor": "middle" }, "alpha"));
    let last = -Infinity;
    for (const alpha of run.alphas) {
      if (x(alpha) - last < 30) continue;
      last = x(alpha);
      picture.append(draw("text", { x: last, y: height + 16, "text-anchor": "middle" }, figure(alpha)));
    }
    const rows = concept.iou.map((_, i) => i).filter((i) => i !== row);
    for (const i of [...rows, row]) {
      const line = draw("g", i === row ? { class: "chosen" } : {},
        draw("title", {}, `seed ${run.seeds[i]}`),
        draw("polyline", { points: run.alphas.map((alpha, k) => `${x(alpha).toFixed(1)},${y(concept.iou[i][k]).toFixed(1)}`).join(" ") }));
      if (i === row) {
        run.alphas.forEach((alpha, k) => {
          line.append(draw("g", { class: concept.detected[i][k] ? "hit" : "" },
            draw("title", {}, `alpha ${figure(alpha)}: unit ${concept.unit[i][k]}, IoU ${number(concept.iou[i][k])}`),
            draw("circle", { cx: x(alpha).toFixed(1), cy: y(concept.iou[i][k]).toFixed(1), r: 3.4 })));
        });
      }
      picture.append(line);
    }
    return picture;
  }

  function entryLink(slug, unit) {
    if (!run.report) return `unit ${unit}`;
    const found = new URLSearchParams({ ...(quantile() ? { q: quantile() } : {}), unit });
    return make("a", { href: `../report/layers/${encodeURIComponent(slug)}.html#${found}` }, `unit ${unit}`);
  }

  function step(concept, row, k, highest) {
    const [unit, iou, hit, other] = ["unit", "iou", "detected", "other"].map((name) => concept[name][row][k]);
    const slug = run.layers[layer()].entries[row][k];
    const alpha = make("div", { class: "alpha" }, make("span", {}, "alpha"), make("strong", {}, figure(run.alphas[k])),
      k === 0 ? make("span", {}, "own units") : null);
    if (unit < 0) return make("li", { class: "missed" }, alpha, make("p", { class: "hint" }, "No unit’s mask meets it."));
    const said = other?.[0] ? `labelled ${other[0]} ${number(other[1])}` : hit ? "its label" : "its label, no detector";
    const tiles = make("div", { class: "tiles" });
    const item = make("li", { class: `${colourOf(concept.category)}${hit ? "" : " missed"}`, "data-unit": `${slug}/${unit}` },
      alpha,
      make("div", {},
        make("p", { class: "figures" },
          make("span", {}, "IoU ", make("strong", {}, number(iou))),
          make("span", {}, entryLink(slug, unit))),
        shared.bar(iou, null, null, highest, run.iou_threshold),
        make("p", { class: "hint" }, said)),
      ...(run.pictures && row < run.pictured_seeds ? [tiles] : []));
    if (!tiles.parentElement) return item;
    for (let i = 0; i < 6; i += 1) tiles.append(make("div", { class: "tile" }));
    const folder = `${run.layers[layer()].slug}-q${quantile()}`;
    item.fill = async () => {
      const found = await units.read(folder, concept.number);
      const chosen = found?.units[`${slug}/${unit}`];
      if (!chosen) return;
      const top = { images: chosen.top.map((at, rank) => ({ ...found.images[at], value: chosen.values[rank] })) };
      const drawn = { masks: chosen.masks, annotations: chosen.top.map((at) => found.views[0].annotations[at]) };
      const page = { root, aspect: run.aspect, heat: false };
      tiles.replaceChildren(...chosen.top.map((_, rank) =>
        make("div", { class: "tile" }, shared.frame(page, unit, top, drawn, rank))));
    };
    return item;
  }

  function showConcept(concept, row) {
    const highest = Math.max(run.iou_threshold * 1.2, ...concept.iou.flat());
    byId("followed-title").className = colourOf(concept.category);
    byId("followed-title").replaceChildren(concept.name, make("span", { class: "category" }, concept.category));
    byId("followed-facts").textContent =
      `in ${concept.images.toLocaleString("en")} ${concept.images === 1 ? "image" : "images"} · ` +
      `best IoU ${number(before(concept))} at alpha 0, ${number(after(concept))} at alpha 1` +
      `${run.seeds.length > 1 ? " (mean over the seeds)" : ""} · ${detectedText(concept, row)}` +
      (run.pictures && row >= run.pictured_seeds ? ` · pictures only of ${run.pictured_seeds === 1 ? "the first rotation" : `the first ${run.pictured_seeds} rotations`}` : "");
    byId("followed-chart").replaceChildren(lines(concept, row, highest));
    byId("along").replaceChildren(...run.alphas.map((_, k) => step(concept, row, k, highest)));
    for (const item of byId("along").children) if (item.fill) nearing.observe(item);
  }

  function showNothing(concepts) {
    byId("followed-title").className = "";
    byId("followed-title").textContent = "Nothing to follow";
    byId("followed-facts").textContent = concepts === null
      ? "What is followed could not be read: the folder page beside this file lacks it."
      : concepts.length ? "No concept is called so." : "No unit detects a concept, at no alpha of any seed.";
    byId("followed-chart").replaceChildren();
    byId("along").replaceChildren();
  }

  // ---- everything together

  async function apply() {
    const wanted = state();
    const [at, view, row] = [layer(), quantile(), seed()];
    for (const [kind, value] of [["l", at], ["q", view]]) byId(`choose-${kind}${value}`).checked = true;
    document.body.dataset.show = [...shown()].join(" ");
    for (const name of ["find", "category", "sort"]) {
      if (byId(name) !== document.activeElement || byId(name).tagName === "SELECT") byId(name).value = wanted[name];
    }
    for (const button of document.querySelectorAll("#seeds button")) button.setAttribute("aria-pressed", String(button.value === String(run.seeds[row])));
    for (const button of document.querySelectorAll("#show button")) button.setAttribute("aria-pressed", String(shown().has(button.value)));
    const concepts = await withView(at, view);
    if (layer() !== at || quantile() !== view) return; // another one was asked for meanwhile
    const list = JSON.stringify([at, view, wanted.find, wanted.category, wanted.sort]);
    if (list !== drawnList) {
      drawnList = list;
      showList(concepts ?? [], wanted);
    }
    const concept = concepts?.find((one) => String(one.number) === wanted.concept) ?? listed[0];
    for (const button of byId("concepts").querySelectorAll("button")) {
      if (concept && button.value === String(concept.number)) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    const now = JSON.stringify([at, view, row, concept?.number]);
    if (now === drawnConcept) return;
    drawnConcept = now;
    if (concept) showConcept(concept, row);
    else showNothing(concepts);
  }

  function toggle(name) {
    const on = shown();
    if (!on.delete(name)) on.add(name);
    on.delete("photo");
    change({ show: [...on].join(" ") || "photo" });
  }

  function typed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea, svg, [role=region].scroll")) return;
    const down = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const along = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const buttons = [...byId("concepts").querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (event.key === "/") byId("find").focus();
    else if (down && at >= 0) {
      const next = buttons[at + down];
      next?.focus();
      if (next) change({ concept: next.value });
    } else if (along && run.seeds[seed() + along] !== undefined) change({ seed: String(run.seeds[seed() + along]) });
    else if (event.key === "m" && run.pictures) toggle("mask");
    else if (event.key === "a" && run.pictures) toggle("annotation");
    else return;
    event.preventDefault();
  }

  function start() {
    document.body.classList.add("alive");
    document.body.style.setProperty("--cell", run.aspect);
    for (const radio of document.querySelectorAll(".chooser input")) {
      radio.addEventListener("change", () => change(radio.name === "q" ? { q: radio.value } : { layer: run.layers[Number(radio.value)].slug }));
    }
    for (const name of ["find", "category", "sort"]) byId(name).addEventListener("input", () => change({ [name]: byId(name).value }));
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("seeds").addEventListener("click", (event) => event.target.value && change({ seed: event.target.value }));
    byId("show")?.addEventListener("click", (event) => event.target.value && toggle(event.target.value));
    byId("concepts").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) change({ concept: button.value });
    });
    for (const link of document.querySelectorAll("a.chooses")) {
      link.addEventListener("click", (event) => {
        const [at, view] = link.dataset.place.split(" ");
        event.preventDefault();
        change({ layer: run.layers[Number(at)].slug, q: view });
        scrollTo(0, 0);
      });
    }
    document.addEventListener("keydown", typed);
    addEventListener("hashchange", apply);
    apply();
  }

  addEventListener("DOMContentLoaded", () => { if (run) start(); });

  return {
    run: (content) => { run = content; },
    concepts: (at, view, content) => { views.set(`${at}/${view}`, content); },
    unit: units.arrived,
  };
})();
