"use strict";

// The page of a comparison. Concepts come with it; pairs, matchings and pictures as scripts when they are looked at.
const dissect = (() => {
  const { byId, make, number, nearing } = shared;
  const root = document.body.dataset.root;
  const CHOSEN = ["find", "category", "kind", "sort", "seek", "which", "order"]; // by fields of the two forms
  const FIELDS = ["pair", "concept", "match", "show", ...CHOSEN];
  const { state, address } = shared.addressOf(FIELDS, { show: "mask", match: "0" });
  const pairs = new Map(); // place -> what it gained and lost, or a promise that it has come
  const matchings = new Map(); // likewise, its pairs of units
  const ROWS = 60;
  const MATCHED = 20;
  const TILES = 6;
  let run = null;
  let concepts = [];
  let readers = []; // of the units of each set of images
  let highest = 0; // IoU of all cells
  let listed = []; // places of concepts in the order on show
  let drawn = { matrix: "", pair: "", concept: "", matched: "" };
  let current = [0, 0]; // row and column of the cell that the keyboard is at

  const shown = () => new Set(state().show.split(" "));
  const colourOf = (category) => `c${run.categories[category].colour}`;
  const hits = (cell) => cell && cell.length > 2;
  const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const ofAll = (count, all, noun) => (count === all ? counted(all, noun) : `${count.toLocaleString("en")} of ${counted(all, noun)}`);

  function change(values) {
    history.replaceState(null, "", address(values));
    apply();
  }

  async function withScript(found, name, at) {
    if (!found.has(at)) found.set(at, shared.script(`${root}data/${name}-${at}.js`));
    if (found.get(at) instanceof Promise) await found.get(at);
    return found.get(at) instanceof Promise ? null : found.get(at);
  }

  // ---- units: where their own report shows them, and their pictures

  function unitLink(layer, unit) {
    const { report, q } = run.layers[layer];
    if (!report) return `unit ${unit}`;
    return make("a", { href: `${report}#${q ? `${q}&` : ""}unit=${unit}` }, `unit ${unit}`);
  }

  // Tiles of a unit's top images; `concept` is [name, category] of the annotation, the unit's label where it is not given.
  function pictures(item, layer, unit, concept) {
    const set = run.sets[run.layers[layer].set];
    if (!set?.pictures) return null;
    const tiles = make("div", { class: "tiles" });
    tiles.style.setProperty("--cell", set.aspect);
    if (run.layers[layer].without.includes(unit)) return make("p", { class: "hint" }, "no pictures of this unit");
    for (let i = 0; i < TILES; i += 1) tiles.append(make("div", { class: "tile" }));
    const fill = item.fill;
    item.fill = async () => {
      fill?.();
      const at = run.layers[layer].set;
      const top = await readers[at].read(String(layer), unit);
      if (!top) {
        tiles.replaceWith(make("p", { class: "hint" }, "no pictures of this unit"));
        return;
      }
      const named = concept && top.views.find((one) => one.name[0] === concept[0] && one.name[1] === concept[1]);
      const view = { masks: top.masks, annotations: (concept ? named : top.views[0])?.annotations ?? [] };
      const page = { root: `${root}images${at}/`, aspect: set.aspect, heat: false };
      tiles.replaceChildren(...top.images.map((_, rank) =>
        make("div", { class: "tile" }, shared.frame(page, unit, top, view, rank))));
    };
    return tiles;
  }

  // ---- the table of concepts and layers

  const best = (concept) => concept[2].map((cell) => (cell ? cell[1] : 0));
  const detecting = (concept) => concept[2].filter(hits).length;
  const range = (concept) => Math.max(...best(concept)) - Math.min(...best(concept));
  const ORDERS = {
    "": (a, b) => a[1] - b[1],
    name: () => 0,
    highest: (a, b) => Math.max(...best(b)) - Math.max(...best(a)),
    range: (a, b) => range(b) - range(a),
    layers: (a, b) => detecting(b) - detecting(a),
  };
  const KINDS = {
    "": () => true,
    all: (concept) => detecting(concept) === run.layers.length,
    some: (concept) => detecting(concept) < run.layers.length,
    one: (concept) => detecting(concept) === 1,
  };

  function orderOf(sort) {
    const layer = sort === "" ? NaN : Number(sort);
    if (run.layers[layer]) return (a, b) => best(b)[layer] - best(a)[layer];
    return ORDERS[sort] ?? ORDERS[""];
  }

  const showRows = shared.showsAsReached("tr");

  function cellText(concept, layer) {
    const cell = concept[2][layer];
    const where = `${concept[0]} in ${run.layers[layer].name}`;
    if (!cell) return `${where}: no unit meets it`;
    const detectors = cell.slice(2);
    const said = detectors.length ? `detected by ${counted(detectors.length, "unit")}` : "not detected";
    return `${where}: IoU ${number(cell[1])} of unit ${cell[0]}, ${said}`;
  }

  function row(place, at) {
    const concept = concepts[place];
    return make("tr", { class: colourOf(concept[1]) },
      make("th", { scope: "row", class: "first", title: `${concept[0]} (${run.categories[concept[1]].name})` },
        make("span", { class: "dot" }), concept[0]),
      ...concept[2].map((cell, layer) => {
        const button = make("button", {
          type: "button", class: `cell${hits(cell) ? " hit" : ""}`, value: place, "data-column": layer,
          tabindex: at === current[0] && layer === current[1] ? 0 : -1,
          "aria-label": cellText(concept, layer), title: cellText(concept, layer),
        }, cell ? number(cell[1], 2).replace(/^0/, "") : "–");
        button.style.setProperty("--share", cell ? `${Math.round((45 * cell[1]) / highest)}%` : "0%");
        return make("td", {}, button);
      }));
  }

  function showMatrix(wanted) {
    if (!byId("matrix")) return;
    const now = JSON.stringify([wanted.find, wanted.category, wanted.kind, wanted.sort]);
    if (now === drawn.matrix) return;
    drawn.matrix = now;
    const text = wanted.find.trim().toLowerCase();
    const order = orderOf(wanted.sort);
    listed = concepts
      .map((_, place) => place)
      .filter((place) => {
        const concept = concepts[place];
        return concept[0].toLowerCase().includes(text)
          && (!wanted.category || run.categories[concept[1]].name === wanted.category)
          && (KINDS[wanted.kind] ?? KINDS[""])(concept);
      })
      .sort((a, b) => order(concepts[a], concepts[b]) || concepts[a][0].localeCompare(concepts[b][0]) || a - b);
    byId("count").textContent = ofAll(listed.length, concepts.length, "concept");
    current = [0, 0];
    byId("heads").replaceChildren(
      heading("Concept", "name", wanted.sort, "first"),
      ...run.layers.map((layer, i) => heading(layer.name, String(i), wanted.sort, "")));
    const places = listed.map((place, at) => [place, at]);
    showRows(byId("matrix"), places, ([place, at]) => row(place, at), ROWS);
    // What the keyboard comes to must not lie under the names that stay in place.
    const scroller = document.querySelector(".matrix");
    scroller.style.scrollPadding = `${byId("heads").offsetHeight}px 0 0 ${byId("heads").firstElementChild.offsetWidth}px`;
    scroller.scrollTop = 0;
  }

  function heading(text, sort, sorted, kind) {
    const mine = sort === sorted;
    const way = sort === "name" ? "ascending" : "descending";
    return make("th", { scope: "col", class: kind, "aria-sort": mine ? way : null },
      make("button", { type: "button", class: "sort", value: mine ? "" : sort, title: text }, text));
  }

  // Arrows move between cells; the table is one stop of the tabulator.
  function moveTo(at, column) {
    if (at >= byId("matrix").children.length - 2) byId("matrix").querySelector(".sentinel")?.fill();
    const rows = [...byId("matrix").querySelectorAll("tr:not(.sentinel)")];
    const line = Math.min(Math.max(at, 0), rows.length - 1);
    const cells = rows[line].querySelectorAll(".cell");
    const place = Math.min(Math.max(column, 0), cells.length - 1);
    for (const cell of byId("matrix").querySelectorAll(".cell[tabindex='0']")) cell.tabIndex = -1;
    cells[place].tabIndex = 0;
    current = [line, place];
    cells[place].focus();
  }

  // ---- a concept in all layers

  function layerItem(concept, layer) {
    const cell = concept[2][layer];
    const where = make("div", { class: "where" }, run.layers[layer].name);
    if (!cell) return make("li", { class: "missed" }, where, make("p", { class: "hint" }, "No unit’s mask meets it."));
    const [unit, iou, ...detectors] = cell;
    const others = detectors.filter((one) => one !== unit);
    const item = make("li", { class: `${colourOf(concept[1])}${hits(cell) ? "" : " missed"}`, "data-unit": `${layer}/${unit}` });
    const also = others.slice(0, 12).flatMap((one, i) => [i ? ", " : "", unitLink(layer, one)]);
    const said = detectors.includes(unit) ? "detects it" : detectors.length ? "labelled otherwise" : "no detector of it";
    item.append(where, make("div", {},
      make("p", { class: "figures" },
        make("span", {}, "IoU ", make("strong", {}, number(iou))),
        make("span", {}, unitLink(layer, unit))),
      shared.bar(iou, null, null, Math.max(...best(concept)), run.iou_threshold ?? 0),
      make("p", { class: "hint" }, said,
        ...(others.length ? [detectors.includes(unit) ? "; so do " : "; detected by ", ...also, others.length > 12 ? ` and ${others.length - 12} more` : ""] : []))));
    const tiles = pictures(item, layer, unit, [concept[0], run.categories[concept[1]].name]);
    if (tiles) item.append(tiles);
    return item;
  }

  function showConcept(wanted) {
    const dialog = byId("concept-view");
    const place = wanted.concept === "" ? -1 : Number(wanted.concept);
    const concept = concepts[place];
    if (wanted.concept === drawn.concept) return;
    drawn.concept = wanted.concept;
    if (!concept) {
      if (dialog.open) dialog.close();
      return;
    }
    const at = listed.indexOf(place);
    dialog.className = colourOf(concept[1]);
    byId("concept-name").replaceChildren(concept[0], " ", make("span", { class: "category" }, run.categories[concept[1]].name));
    byId("concept-facts").textContent =
      `detected by ${detecting(concept)} of ${counted(run.layers.length, "layer")}${at < 0 ? "" : ` · ${at + 1} of ${listed.length}`}`;
    byId("concept-before").disabled = at <= 0;
    byId("concept-after").disabled = at < 0 || at === listed.length - 1;
    byId("along").replaceChildren(...run.layers.map((_, layer) => layerItem(concept, layer)));
    if (!dialog.open) {
      dialog.showModal();
      byId("concept-name").focus({ preventScroll: true });
    }
    for (const item of byId("along").children) if (item.fill) nearing.observe(item);
    dialog.querySelector(".unit-body").scrollTop = 0;
  }

  function step(by) {
    const next = listed[listed.indexOf(Number(state().concept)) + by];
    if (next !== undefined) change({ concept: String(next) });
  }

  // ---- a pair

  function changes(title, rows, sides, none) {
    const table = make("table", {},
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Concept"),
        ...sides.map((name) => make("th", { scope: "col", class: "number", title: name }, name.length > 24 ? `${name.slice(0, 11)}…${name.slice(-12)}` : name)))),
      make("tbody", {}, ...rows.map(([name, category, first, second]) =>
        make("tr", { class: colourOf(category) },
          make("th", { scope: "row", title: run.categories[category].name }, make("span", { class: "dot" }), name),
          make("td", { class: `number${title === "Gained" ? "" : " hit"}` }, number(first)),
          make("td", { class: `number${title === "Lost" ? "" : " hit"}` }, number(second))))));
    return make("div", {},
      make("h3", {}, `${title} (${rows.length.toLocaleString("en")})`),
      rows.length ? make("div", { class: "short", tabindex: rows.length > 8 ? 0 : null, role: "group", "aria-label": title }, table) : make("p", { class: "hint" }, none));
  }

  function differences(rows) {
    const tested = rows.some((one) => one[3] !== null);
    const sign = (value) => (value === null ? "" : `${value > 0 ? "+" : value < 0 ? "−" : ""}${Number(Math.abs(value).toFixed(1))}`);
    return make("table", { class: "compared" },
      make("caption", {}, "Unique detectors by category, second less first"),
      make("thead", {}, make("tr", {}, ...["Category", "Difference", ...(tested ? ["95 % interval", "p (Holm)"] : [])].map((name, i) =>
        make("th", { scope: "col", class: i ? "number" : null }, name)))),
      make("tbody", {}, ...rows.map(([value, low, high, p], i) =>
        make("tr", { class: colourOf(i) },
          make("th", { scope: "row" }, make("span", { class: "dot" }), run.categories[i].name),
          make("td", { class: "number" }, sign(value)),
          ...(tested ? [
            make("td", { class: "number" }, low === null ? "–" : `${sign(low) || 0} to ${sign(high) || 0}`),
            make("td", { class: "number" }, p === null ? "–" : p < 0.001 ? "<0.001" : shared.short(p))] : [])))));
  }

  async function showPair(wanted) {
    const place = byId("pair");
    if (!place || wanted.pair === drawn.pair) return;
    drawn.pair = wanted.pair;
    const chosen = wanted.pair === "" ? undefined : run.pairs[Number(wanted.pair)];
    for (const line of document.querySelectorAll("tr[data-pair]")) {
      const mine = Boolean(chosen) && line.dataset.pair === wanted.pair;
      if (mine) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
      line.querySelector("button").setAttribute("aria-expanded", String(mine));
      line.querySelector("button").firstElementChild.textContent = mine ? "hide" : "show";
    }
    place.hidden = !chosen;
    if (!chosen) return;
    const found = await withScript(pairs, "pair", Number(wanted.pair));
    if (state().pair !== wanted.pair) return; // another one was asked for meanwhile
    const [first, second] = chosen.map((layer) => run.layers[layer].name);
    if (!found) {
      place.replaceChildren(make("p", { class: "note" }, "This pair could not be read: the folder page beside this file lacks it."));
      return;
    }
    place.replaceChildren(
      make("h3", {}, `${first} → ${second}`),
      make("p", { class: "hint" }, "IoU of the best unit of either; bold where a unit detects the concept."),
      make("div", { class: "changes" },
        changes("Gained", found.gained, [first, second], "Nothing that the first lacks."),
        changes("Lost", found.lost, [first, second], "Nothing that the second lacks."),
        changes("Kept", found.kept, [first, second], "Nothing that both detect.")),
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Differences by category" }, differences(found.categories)));
  }

  // ---- matched units

  const showMatched = shared.showsAsReached("li");
  const WHICH = {
    "": () => true,
    same: (pair) => pair[3] && pair[3] === pair[4],
    other: (pair) => pair[3] && pair[4] && pair[3] !== pair[4],
    one: (pair) => Boolean(pair[3]) !== Boolean(pair[4]),
  };
  const MATCH_ORDERS = {
    "": (a, b) => b[2] - a[2],
    low: (a, b) => a[2] - b[2],
    first: (a, b) => a[0] - b[0],
    second: (a, b) => a[1] - b[1],
  };

  function side(item, layer, unit, label) {
    return make("div", {},
      make("p", { class: "said" }, make("strong", {}, label || "no detector"), " · ", unitLink(layer, unit)),
      pictures(item, layer, unit, null));
  }

  function matchedItem([first, second, score, firstLabel, secondLabel], layers) {
    const item = make("li", { "data-units": `${first}/${second}` });
    item.append(
      make("div", { class: "score" }, make("span", {}, "score"), make("strong", {}, number(score, 2)),
        firstLabel && firstLabel === secondLabel ? make("span", {}, "same label") : null),
      side(item, layers[0], first, firstLabel),
      side(item, layers[1], second, secondLabel));
    return item;
  }

  async function applyMatched(wanted) {
    if (!byId("matched")) return;
    const place = run.matchings[Number(wanted.match)] ? Number(wanted.match) : 0;
    byId("match").value = String(place);
    const now = JSON.stringify([place, wanted.seek, wanted.which, wanted.order]);
    if (now === drawn.matched) return;
    drawn.matched = now;
    for (const one of document.querySelectorAll(".matching")) one.hidden = one.dataset.matching !== String(place);
    const found = await withScript(matchings, "matching", place);
    if (drawn.matched !== now) return; // another one was asked for meanwhile
    if (!found) {
      byId("matched-count").textContent = "These units could not be read: the folder page beside this file lacks them.";
      byId("matched").replaceChildren();
      return;
    }
    const text = wanted.seek.trim().toLowerCase();
    const list = found
      .filter(([first, second, , ...labels]) =>
        !text || text === String(first) || text === String(second) || labels.some((label) => label.toLowerCase().includes(text)))
      .filter(WHICH[wanted.which] ?? WHICH[""])
      .sort((a, b) => (MATCH_ORDERS[wanted.order] ?? MATCH_ORDERS[""])(a, b) || a[0] - b[0]);
    byId("matched-count").textContent = ofAll(list.length, found.length, "pair");
    showMatched(byId("matched"), list, (pair) => matchedItem(pair, run.matchings[place]), MATCHED);
  }

  // ---- everything together

  function apply() {
    const wanted = state();
    const on = shown();
    document.body.dataset.show = [...on].join(" ");
    for (const name of CHOSEN) {
      const field = byId(name);
      if (field && (field !== document.activeElement || field.tagName === "SELECT")) field.value = wanted[name];
    }
    for (const button of document.querySelectorAll("#show button")) button.setAttribute("aria-pressed", String(on.has(button.value)));
    showMatrix(wanted);
    showConcept(wanted);
    showPair(wanted);
    applyMatched(wanted);
  }

  function toggle(name) {
    const on = shown();
    if (!on.delete(name)) on.add(name);
    on.delete("photo");
    change({ show: [...on].join(" ") || "photo" });
  }

  function moved(event) {
    const [at, column] = current;
    const last = run.layers.length - 1;
    const to = {
      ArrowDown: [at + 1, column], ArrowUp: [at - 1, column], ArrowRight: [at, column + 1], ArrowLeft: [at, column - 1],
      Home: [at, 0], End: [at, last],
    }[event.key];
    if (to) moveTo(...to);
    return Boolean(to);
  }

  function typed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const pictured = run.sets.some((one) => one.pictures);
    if (byId("concept-view").open) {
      if (by) step(by);
      else if (event.key === "m" && pictured) toggle("mask");
      else if (event.key === "a" && pictured) toggle("annotation");
      else return;
    } else if (event.key === "/" && byId("find")) byId("find").focus();
    else if (event.key === "m" && pictured) toggle("mask");
    else if (event.key === "a" && pictured) toggle("annotation");
    else if (!event.target.matches(".cell") || !moved(event)) return;
    event.preventDefault();
  }

  function start() {
    document.body.classList.add("alive");
    readers = run.sets.map((_, i) => shared.unitReader(`${root}images${i}/`));
    highest = Math.max(1e-9, ...concepts.map((concept) => Math.max(...best(concept))));
    for (const name of [...CHOSEN, "match"]) byId(name)?.addEventListener("input", () => change({ [name]: byId(name).value }));
    for (const name of ["filters", "matched-filters"]) byId(name)?.addEventListener("submit", (event) => event.preventDefault());
    byId("heads")?.addEventListener("click", (event) => {
      const button = event.target.closest("button.sort");
      if (!button) return;
      const at = [...byId("heads").children].indexOf(button.parentElement);
      change({ sort: button.value });
      byId("heads").children[at]?.firstElementChild.focus();
    });
    byId("matrix")?.addEventListener("click", (event) => {
      const cell = event.target.closest(".cell");
      if (!cell) return;
      moveTo([...byId("matrix").children].indexOf(cell.closest("tr")), Number(cell.dataset.column));
      change({ concept: cell.value });
    });
    for (const button of document.querySelectorAll(".opens")) {
      button.addEventListener("click", () => {
        const open = state().pair === button.value;
        change({ pair: open ? "" : button.value });
        if (!open) byId("pair").focus();
      });
    }
    // The address keeps what is shown.
    for (const link of document.querySelectorAll("nav.top a")) {
      link.addEventListener("click", (event) => {
        const place = byId(link.hash.slice(1));
        event.preventDefault();
        place.scrollIntoView();
        place.focus({ preventScroll: true });
      });
    }
    byId("show")?.addEventListener("click", (event) => event.target.value && toggle(event.target.value));
    const dialog = byId("concept-view");
    dialog.addEventListener("close", () => { if (state().concept) change({ concept: "" }); });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    byId("concept-close").addEventListener("click", () => dialog.close());
    byId("concept-before").addEventListener("click", () => step(-1));
    byId("concept-after").addEventListener("click", () => step(1));
    document.addEventListener("keydown", typed);
    addEventListener("hashchange", apply);
    apply();
  }

  addEventListener("DOMContentLoaded", () => { if (run) start(); });

  return {
    run: (content) => { run = content; },
    concepts: (content) => { concepts = content; },
    pair: (at, content) => { pairs.set(at, content); },
    matching: (at, content) => { matchings.set(at, content); },
    unit: (layer, unit, content) => readers[run.layers[Number(layer)].set].arrived(layer, unit, content),
  };
})();
