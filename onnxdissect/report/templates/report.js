"use strict";

// Pages opened from disk may not fetch, so data comes as script files that call the functions returned here.
const dissect = (() => {
  const { overlays, byId, make, draw, number, figure, short, percent, nearing } = shared;
  const root = document.body.dataset.root;
  const page = document.body.dataset.page;
  const layers = new Map(); // folder name -> per quantile, units by number
  const units = shared.unitReader(root);
  let basis = null; // on the page of one: what it finds
  let run = null;
  let drawPage = null; // of a page with a script of its own
  let finders = [];
  const keys = { m: "mask", h: "heat", a: "annotation" };
  const CHUNK = 24;
  const TILES = 6;

  // ---- small helpers

  const frame = (unit, topMaps, view, rank, only) =>
    shared.frame({ root, aspect: run.aspect, heat: shown().has("heat") }, unit.unit, topMaps, view, rank, only);
  const bar = (value, low, high, highest) => shared.bar(value, low, high, highest, run.iou_threshold);
  const colourOf = (category) => {
    const known = run.categories.find((one) => one.name === category);
    return known ? `c${known.colour}` : "";
  };
  const label = (unit) => unit.label || "no concept";
  // Names of units come from files: of any length, and perhaps written from right to left.
  const called = (unit) => (unit.name ? make("bdi", { class: "name", title: unit.name }, unit.name) : null);

  // ---- the address bar holds what is shown

  const FIELDS = ["q", "find", "category", "kind", "least", "most", "sort", "show", "concept", "unit", "layer"];
  const { address, state: given } = shared.addressOf(FIELDS, { q: "0", show: "mask" });

  function state() {
    const wanted = given();
    for (const name of ["least", "most"]) if (!Number.isFinite(Number(wanted[name]))) wanted[name] = "";
    return wanted;
  }

  function change(values) {
    history.replaceState(null, "", address(values));
    apply();
  }

  const quantile = () => Math.min(Math.max(Number.parseInt(state().q, 10) || 0, 0), run.quantiles.length - 1);
  const shown = () => new Set(state().show.split(" ").filter((name) => name in overlays || name === "side"));

  // ---- data

  function withLayer(slug) {
    if (layers.has(slug)) return Promise.resolve();
    return shared.script(`${root}data/${encodeURIComponent(slug)}.js`);
  }

  // ---- cards

  function interval(unit) {
    return unit.low === null || unit.low === undefined ? "" : `${number(unit.low)}–${number(unit.high)}`;
  }

  // Predictions that a unit is told of in, where the report was given any.
  function predictions(unit) {
    const pages = unit.explained ?? [];
    return pages.map(([address, name, count]) => make("p", { class: "beside" },
      make("a", { href: `${root}${address}` }, `${count.toLocaleString("en")} ${count === 1 ? "prediction" : "predictions"} used this unit`),
      pages.length > 1 ? make("span", { class: "hint" }, ` in ${name}`) : null));
  }

  function card(slug, unit, highest, href, where) {
    const tiles = make("div", { class: "tiles" });
    if (run.pictures) for (let i = 0; i < TILES; i += 1) tiles.append(make("div", { class: "tile" }));
    const stable = unit.stability === null ? null : `stable ${Math.round(100 * unit.stability)} %`;
    const sure = unit.reliable ? make("span", { class: "sure", title: stable }, "✓ reliable") : stable;
    const item = make(
      "li",
      { class: `card ${colourOf(unit.category)}${unit.detector ? "" : " weak"}` },
      make("div", { class: "card-head" },
        make("h3", {}, make("a", { href, "data-unit": `${slug}/${unit.unit}` }, label(unit))),
        unit.category ? make("span", { class: "category" }, unit.category) : null,
        make("span", { class: "which" }, where ? `${where} · ${unit.unit}` : `unit ${unit.unit}`)),
      unit.name ? make("p", { class: "hint" }, called(unit)) : null,
      bar(unit.iou, unit.low, unit.high, highest),
      make("p", { class: "figures" },
        make("span", {}, "IoU ", make("strong", {}, number(unit.iou)), interval(unit) ? ` (${interval(unit)})` : ""),
        make("span", {}, unit.silent ? "never above its threshold" : sure ?? (unit.threshold === null ? "" : `T ${figure(unit.threshold)}`))),
      ...predictions(unit),
      tiles);
    item.fill = () => fillTiles(slug, unit, tiles);
    return item;
  }

  async function fillTiles(slug, unit, tiles) {
    if (!run.pictures) return;
    const view = quantile();
    const topMaps = await units.read(slug, unit.unit);
    if (!topMaps) return;
    const images = topMaps.images.slice(0, TILES);
    tiles.replaceChildren(
      ...images.map((_, rank) =>
        make("div", { class: "tile" }, frame(unit, topMaps, topMaps.views[view], rank))));
  }

  const showAsReached = shared.showsAsReached(page === "basis" ? "tr" : "li");
  const showCards = (list, makeCard) => showAsReached(byId("cards"), list, makeCard, CHUNK);

  // ---- the page of a layer

  let drawnFor = null;
  let listed = []; // [folder, unit] in the order on show, for the dialog's neighbours

  function matches(unit, wanted) {
    const text = wanted.find.trim().toLowerCase();
    const name = unit.label.toLowerCase();
    const least = wanted.least === "" ? -1 : Number(wanted.least);
    const most = wanted.most === "" ? 2 : Number(wanted.most);
    const whole = text.length > 1 && text.startsWith('"') && text.endsWith('"');
    const found = whole
      ? name === text.slice(1, -1)
      : name.includes(text) || (unit.name ?? "").toLowerCase().includes(text) || text === String(unit.unit);
    return (
      found &&
      (!wanted.category || unit.category === wanted.category) &&
      (KINDS[wanted.kind] ?? KINDS[""])(unit) &&
      unit.iou >= least &&
      unit.iou <= most
    );
  }

  const KINDS = {
    "": () => true,
    detectors: (unit) => unit.detector,
    reliable: (unit) => unit.reliable,
    unsure: (unit) => unit.detector && !unit.reliable,
    others: (unit) => !unit.detector,
  };

  const ORDERS = {
    "": (a, b) => b.iou - a.iou || a.unit - b.unit,
    unit: (a, b) => a.unit - b.unit,
    label: (a, b) => !a.label - !b.label || a.label.localeCompare(b.label) || b.iou - a.iou || a.unit - b.unit,
    threshold: (a, b) => b.threshold - a.threshold || a.unit - b.unit,
  };

  function applyLayer(wanted) {
    const slug = document.body.dataset.slug;
    const all = layers.get(slug)?.[quantile()] ?? [];
    for (const name of ["find", "category", "kind", "least", "most", "sort"]) {
      if (byId(name) !== document.activeElement || byId(name).tagName === "SELECT") byId(name).value = wanted[name];
    }
    const names = ["q", "find", "category", "kind", "least", "most", "sort"];
    const now = JSON.stringify(names.map((name) => wanted[name]));
    if (now !== drawnFor) {
      const labels = new Set(all.filter((unit) => unit.label).map((unit) => unit.label));
      byId("concepts").replaceChildren(...[...labels].sort().map((name) => make("option", { value: name })));
      const list = all.filter((unit) => matches(unit, wanted)).sort(ORDERS[wanted.sort] ?? ORDERS[""]);
      const highest = Math.max(0, ...all.map((unit) => (unit.detector ? unit.high : null) ?? unit.iou));
      listed = list.map((unit) => [slug, unit.unit]);
      byId("count").textContent = list.length === all.length
        ? `${all.length.toLocaleString("en")} units`
        : `${list.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} units`;
      showCards(list, (unit) => card(slug, unit, highest, "", ""));
      drawnFor = now;
    }
    const chosen = wanted.unit === "" ? undefined : all[Number(wanted.unit)];
    showUnit(chosen ? slug : "", chosen);
  }

  // ---- the page of what a basis finds

  const ROWS = 100;
  const HEADS = [
    ["unit", "Direction", "number", (row) => row.unit.unit, 1],
    ["name", "Name", "", (row) => row.unit.name, 1],
    ["label", "Label", "", (row) => row.unit.label, 1],
    ["iou", "IoU", "number", (row) => row.unit.iou, -1],
    ["nearest", "Nearest unit", "number", (row) => row.own?.unit, 1],
    ["cosine", "Cosine", "number", (row) => row.cosine, -1],
    ["own-label", "Its label", "", (row) => row.own?.label, 1],
    ["own-iou", "Its IoU", "number", (row) => row.own?.iou, -1],
  ];
  const FOUND = {
    new: (row) => row.isNew,
    same: (row) => row.unit.label !== "" && row.unit.concept === row.own?.concept,
    different: (row) => row.unit.concept !== row.own?.concept,
  };
  let rows = [];
  let rowsOf = -1;

  function directionRows(view) {
    const { slug, own } = document.body.dataset;
    const news = new Set(basis.views[view].new.map((one) => one.concept));
    const beside = layers.get(own)?.[view] ?? [];
    return (layers.get(slug)?.[view] ?? []).map((unit, i) => ({
      unit,
      own: basis.nearest ? beside[basis.nearest[i]] : undefined,
      cosine: basis.cosine?.[i],
      isNew: unit.detector && news.has(unit.concept),
    }));
  }

  // Rows without a value are last in either order.
  function compare(a, b, way) {
    const none = (value) => value === undefined || value === null || value === "";
    if (none(a) || none(b)) return none(a) - none(b);
    return way * (typeof a === "string" ? a.localeCompare(b) : a - b);
  }

  function directionRow(row, heads) {
    const { slug, own } = document.body.dataset;
    const link = (where, unit) => {
      const layer = run.layers.find((one) => one.slug === where);
      const target = new URLSearchParams({ ...(quantile() ? { q: quantile() } : {}), unit: unit.unit });
      return make("a", { href: `${root}${layer.page}#${target}`, "data-unit": `${where}/${unit.unit}` }, String(unit.unit));
    };
    const named = (unit) => [make("span", { class: `dot ${colourOf(unit.category)}` }), label(unit)];
    const score = (unit) => [number(unit.iou), unit.reliable ? make("span", { class: "sure", title: "reliable" }, " ✓") : null];
    const weak = (unit) => (unit.detector ? "" : " none");
    const cells = {
      unit: () => make("th", { scope: "row", class: "number" }, link(slug, row.unit)),
      name: () => make("td", {}, called(row.unit)),
      label: () => make("td", { class: weak(row.unit), title: row.unit.category }, ...named(row.unit), row.isNew ? make("span", { class: "badge" }, "new") : null),
      iou: () => make("td", { class: `number${weak(row.unit)}`, title: interval(row.unit) && `95 % interval ${interval(row.unit)}` }, ...score(row.unit)),
      nearest: () => make("td", { class: "number" }, row.own ? link(own, row.own) : null),
      cosine: () => make("td", { class: "number" }, number(row.cosine)),
      "own-label": () => make("td", { class: row.own && weak(row.own), title: row.own?.category }, ...(row.own ? named(row.own) : [])),
      "own-iou": () => make("td", { class: `number${row.own ? weak(row.own) : ""}`, title: row.own && interval(row.own) && `95 % interval ${interval(row.own)}` }, ...(row.own ? score(row.own) : [])),
    };
    return make("tr", {}, ...heads.map(([name]) => cells[name]()));
  }

  function applyBasis(wanted) {
    if (!basis) return;
    const view = quantile();
    for (const name of ["find", "category", "kind"]) {
      if (byId(name) !== document.activeElement || byId(name).tagName === "SELECT") byId(name).value = wanted[name];
    }
    const now = JSON.stringify(["q", "find", "category", "kind", "sort"].map((name) => wanted[name]));
    if (now !== drawnFor) {
      if (rowsOf !== view) [rows, rowsOf] = [directionRows(view), view];
      const heads = HEADS.filter(([name]) =>
        name === "name" ? rows.some((row) => row.unit.name) : basis.nearest || !/^(nearest|cosine|own)/.test(name));
      const turned = wanted.sort.startsWith("-");
      const [sorted, , , value, first] = heads.find(([name]) => name === wanted.sort.replace(/^-/, "")) ?? heads[0];
      const way = turned ? -first : first;
      const list = rows
        .filter((row) => matches(row.unit, { ...wanted, kind: wanted.kind in FOUND ? "" : wanted.kind, least: "", most: "" }))
        .filter(FOUND[wanted.kind] ?? (() => true))
        .sort((a, b) => compare(value(a), value(b), way) || a.unit.unit - b.unit.unit);
      listed = list.map((row) => [document.body.dataset.slug, row.unit.unit]);
      const counted = rows.length === 1 ? "1 direction" : `${rows.length.toLocaleString("en")} directions`;
      byId("count").textContent = list.length === rows.length ? counted : `${list.length.toLocaleString("en")} of ${counted}`;
      byId("heads").replaceChildren(...heads.map(([name, title, kind, , start]) => {
        const mine = name === sorted;
        const rising = (mine ? way : start) > 0;
        const next = mine && !turned ? `-${name}` : name;
        const button = make("button", { type: "button", class: "sort", value: next === "unit" ? "" : next }, title);
        return make("th", { scope: "col", class: kind, "aria-sort": mine ? (rising ? "ascending" : "descending") : null }, button);
      }));
      showAsReached(byId("directions"), list, (row) => directionRow(row, heads), ROWS);
      drawnFor = now;
    }
    const [slug, unit] = wanted.unit.split(":");
    showUnit(slug, layers.get(slug)?.[view]?.[Number(unit)]);
  }

  // ---- the page of the concepts

  async function applyConcepts(wanted) {
    const view = quantile();
    const entry = (finders[view] ?? []).find((one) => String(one.number) === wanted.concept);
    byId("index").hidden = Boolean(entry);
    byId("concept").hidden = !entry;
    if (!entry) {
      byId("concept-title").textContent = "Concepts";
      byId("concept-facts").textContent = "Every concept that some unit of some layer detects, and where.";
      showUnit("", undefined);
      drawnFor = null;
      let count = 0;
      for (const name of ["find", "category"]) {
        if (byId(name) !== document.activeElement || name === "category") byId(name).value = wanted[name];
      }
      for (const row of document.querySelectorAll("table.concepts tbody tr")) {
        const match = row.dataset.name.toLowerCase().includes(wanted.find.trim().toLowerCase());
        row.hidden = !match || (wanted.category !== "" && row.dataset.category !== wanted.category);
        count += !row.hidden && row.getClientRects().length > 0;
      }
      byId("count").textContent = count === 1 ? "1 concept" : `${count} concepts`;
      return;
    }
    byId("all-concepts").href = address({ concept: "", unit: "" });
    byId("all-concepts").hash = address({ concept: "", unit: "" });
    const units = entry.detectors.length;
    byId("concept-title").textContent = entry.name;
    byId("concept-facts").textContent =
      `${entry.category} · ` +
      (entry.images === null ? "" : `in ${entry.images.toLocaleString("en")} ${entry.images === 1 ? "image" : "images"} · `) +
      `${units} ${units === 1 ? "unit detects" : "units detect"} it` +
      (units && entry.reliable !== null ? `, ${entry.reliable || "none"} reliably` : "");
    const involved = [...new Set([...entry.detectors, ...entry.others].map(([layer]) => layer))];
    await Promise.all(involved.map((layer) => withLayer(run.layers[layer].slug)));
    if (state().concept !== wanted.concept || quantile() !== view) return; // another one was asked for meanwhile
    const now = `${view}/${wanted.concept}`;
    if (now !== drawnFor) {
      drawnFor = now;
      showConcept(entry, view);
    }
    const [slug, unit] = wanted.unit.split(":");
    showUnit(slug, layers.get(slug)?.[view]?.[Number(unit)]);
  }

  function showConcept(entry, view) {
    const most = Math.max(...run.layers.map((_, i) => entry.detectors.filter(([layer]) => layer === i).length), 1);
    byId("concept-layers").replaceChildren(
      make("table", { class: `strip ${colourOf(entry.category)}` },
        make("caption", {}, "Detectors by layer"),
        make("tbody", {},
          ...run.layers.map((layer, i) => {
            const count = entry.detectors.filter(([at]) => at === i).length;
            if (layer.under && !count) return null;
            const fill = make("span", { class: "fill" });
            fill.style.width = percent(count / most);
            const link = make("a", { href: `${layer.page}#${new URLSearchParams({ ...(view ? { q: view } : {}), find: `"${entry.name}"` })}` }, layer.alias);
            return make("tr", {},
              make("th", { scope: "row" }, link),
              make("td", { class: "number" }, String(count)),
              make("td", { class: "wide", "aria-hidden": "true" }, make("div", { class: "bar" }, fill)));
          }))));
    const found = entry.detectors.map(([layer, unit]) => layers.get(run.layers[layer].slug)[view][unit]);
    const highest = Math.max(0, ...found.map((unit) => unit.high ?? unit.iou));
    listed = entry.detectors.map(([layer, unit]) => [run.layers[layer].slug, unit]);
    byId("detectors-title").hidden = !entry.detectors.length;
    showCards(entry.detectors, ([at, number]) => {
      const layer = run.layers[at];
      return card(layer.slug, layers.get(layer.slug)[view][number], highest, "", layer.alias);
    });
    byId("others").hidden = !entry.others.length;
    byId("others-list").replaceChildren(
      ...entry.others.map(([at, unit, iou]) => {
        const layer = run.layers[at];
        const other = layers.get(layer.slug)[view][unit];
        return make("li", {},
          make("a", { href: "", "data-unit": `${layer.slug}/${unit}` }, `${layer.alias} · ${unit}`),
          ` ${number(iou)}, labelled ${label(other)} ${number(other.iou)}`);
      }));
  }

  // ---- a unit, closer

  let open = "";

  async function showUnit(slug, unit) {
    const dialog = byId("unit");
    if (!unit) {
      open = "";
      if (dialog.open) dialog.close();
      return;
    }
    const view = quantile();
    const key = `${slug}/${unit.unit}/${view}/${shown().has("side")}`;
    if (key === open) return;
    open = key;
    const layer = run.layers.find((one) => one.slug === slug);
    const at = listed.findIndex(([where, which]) => where === slug && which === unit.unit);
    dialog.className = colourOf(unit.category);
    byId("unit-title").replaceChildren(
      label(unit), " ", make("span", { class: "category" }, unit.category || "meets no concept"));
    const elsewhere = new URLSearchParams({ ...(view ? { q: view } : {}), concept: unit.concept });
    byId("unit-place").replaceChildren(
      `unit ${unit.unit}`,
      ...(unit.name ? [" · ", called(unit)] : []),
      " of ",
      make("bdi", {}, layer.alias),
      at < 0 ? "" : ` · ${at + 1} of ${listed.length}`,
      ...(unit.detector && page !== "concepts"
        ? [" · ", make("a", { href: `${root}concepts.html#${elsewhere}` }, `all detectors of ${unit.label}`)]
        : []));
    byId("unit-before").disabled = at <= 0;
    byId("unit-after").disabled = at < 0 || at === listed.length - 1;
    if (!dialog.open) {
      dialog.showModal();
      // Not by the attribute: a page that is still loading would complain if something had the focus already.
      byId("unit-title").focus({ preventScroll: true });
    }
    const topMaps = await units.read(slug, unit.unit);
    if (open !== key) return;
    byId("unit-facts").replaceChildren(...unitFacts(unit, topMaps, view));
    byId("unit-images").className = shown().has("side") ? "side" : "";
    byId("unit-images").replaceChildren(...(topMaps ? topImages(unit, topMaps, topMaps.views[view]) : []));
    dialog.querySelector(".unit-body").scrollTop = 0;
  }

  function topImages(unit, topMaps, view) {
    const side = shown().has("side");
    return topMaps.images.map((image, rank) => {
      const kinds = ["mask", ...(topMaps.maps ? ["heat"] : []), ...(view.annotations[rank] !== null ? ["annotation"] : [])];
      const frames = side
        ? kinds.map((kind) => make("div", { class: "tile" }, frame(unit, topMaps, view, rank, kind)))
        : [make("div", { class: "tile" }, frame(unit, topMaps, view, rank))];
      const absent = view.annotations[rank] === "" ? `, no ${label(unit)} annotated` : "";
      return make("li", {},
        make("div", { class: "row" }, ...frames),
        make("p", { class: "hint", title: image.name }, `${rank + 1} · ${figure(image.value)}${absent}`));
    });
  }

  function fact(name, value, detail) {
    return make("div", {}, make("dt", {}, name), make("dd", {}, value, detail ? make("small", {}, detail) : null));
  }

  // Why a detector is reliable, or not.
  function doubt(unit) {
    if (unit.low === null || unit.stability === null) return "its interval is not known";
    const limits = `${figure(run.iou_threshold)}`;
    const why = [
      ...(unit.low > run.iou_threshold ? [] : [`interval not above ${limits}`]),
      ...(unit.stability > run.stable ? [] : [`stability not above ${Math.round(100 * run.stable)} %`]),
    ];
    if (!why.length && !unit.reliable) why.push(`interval above ${limits}, as luck leaves some of so many detectors`);
    return why.join(", ") || `interval above ${limits}, label stable`;
  }

  function unitFacts(unit, topMaps, view) {
    const parts = [
      make("dl", { class: "numbers" },
        fact("IoU", number(unit.iou), interval(unit) ? `95 % ${interval(unit)}` : ""),
        fact("Detector", unit.detector ? "yes" : "no", `IoU above ${figure(run.iou_threshold)}`),
        unit.detector && unit.reliable !== null ? fact("Reliable", unit.reliable ? "yes" : "no", doubt(unit)) : null,
        unit.stability === null ? null : fact("Stability", `${Math.round(100 * unit.stability)} %`, "of resamples keep the label"),
        unit.p === null ? null : fact("p", short(unit.p), "by chance alone"),
        unit.q === null ? null : fact("q", short(unit.q), "false discovery rate"),
        unit.threshold === null ? null : fact("Threshold T", figure(unit.threshold), `quantile ${figure(run.quantiles[view])}`)),
    ];
    if (unit.silent) parts.push(make("p", { class: "hint" }, "Nowhere above its threshold."));
    parts.push(...predictions(unit));
    if (!topMaps) return [...parts, make("p", { class: "note" }, "The details of this unit could not be read.")];
    const best = topMaps.views[view].best;
    if (best.length) {
      parts.push(make("h3", {}, best.length === 1 ? "Its one concept" : `${best.length === 10 ? "Ten" : "The"} best concepts`), ranking(best));
    }
    if (unit.best.length) {
      parts.push(
        make("h3", {}, "Best of each category"),
        make("table", { class: "best" },
          make("tbody", {},
            ...unit.best.map(([category, concept, iou]) =>
              make("tr", { class: colourOf(category) },
                make("th", { scope: "row" }, make("span", { class: "dot" }), category),
                make("td", {}, concept),
                make("td", { class: "number" }, number(iou)))))));
    }
    if (topMaps.histogram) parts.push(make("h3", {}, "Activations"), histogram(topMaps.histogram, unit.threshold));
    return parts;
  }

  function ranking(best) {
    const highest = Math.max(...best.map((one) => one[5] ?? one[3]));
    return make("table", { class: "ranking" },
      make("thead", { class: "unseen" },
        make("tr", {}, ...["Concept", "IoU", "Bar"].map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {},
        ...best.map(([, name, category, iou, low, high]) =>
          make("tr", { class: colourOf(category) },
            make("th", { scope: "row", title: category }, make("span", { class: "dot" }), name),
            make("td", { class: "number", title: low === null ? "" : `95 % interval ${number(low)}–${number(high)}` }, number(iou)),
            make("td", { class: "wide" }, bar(iou, low, high, highest))))));
  }

  function histogram(found, threshold) {
    const [width, height, below] = [360, 84, 30];
    const tallest = Math.log1p(Math.max(...found.counts));
    const step = width / found.counts.length;
    const x = (value) => (width * (value - found.low)) / (found.high - found.low);
    const total = found.counts.reduce((sum, count) => sum + count, 0);
    const picture = draw("svg", {
      class: "histogram", viewBox: `0 0 ${width} ${height + below}`, role: "img",
      "aria-label": `Histogram of ${total} sampled activations from ${figure(found.low)} to ${figure(found.high)}, counts on a log scale; threshold ${figure(threshold)}`,
    });
    found.counts.forEach((count, i) => {
      const tall = (height * Math.log1p(count)) / tallest;
      const above = found.low + ((i + 0.5) * (found.high - found.low)) / found.counts.length > threshold;
      picture.append(draw("rect", { class: above ? "above" : "", x: i * step + 0.5, y: height - tall, width: step - 1, height: tall }));
    });
    const at = x(threshold);
    picture.append(
      draw("line", { class: "base", x1: 0, x2: width, y1: height, y2: height }),
      draw("line", { class: "mark", x1: at, x2: at, y1: 0, y2: height + 4 }),
      draw("text", { x: 0, y: height + 26 }, figure(found.low)),
      draw("text", { x: width, y: height + 26, "text-anchor": "end" }, figure(found.high)),
      draw("text", { class: "name", x: Math.min(Math.max(at, 24), width - 24), y: height + 15, "text-anchor": "middle" }, "T"));
    return make("figure", {}, picture, make("figcaption", { class: "hint" }, `${total.toLocaleString("en")} samples, counts on a log scale. To the right of T the unit is on.`));
  }

  function step(by) {
    const wanted = state().unit;
    const [slug, unit] = page === "layer" ? [document.body.dataset.slug, wanted] : wanted.split(":");
    const at = listed.findIndex(([where, which]) => where === slug && String(which) === unit);
    const next = at < 0 ? undefined : listed[at + by];
    if (next) change({ unit: unitName(...next) });
  }

  const unitName = (slug, unit) => (page === "layer" ? String(unit) : `${slug}:${unit}`);

  // ---- everything together

  function apply() {
    const wanted = state();
    const on = shown();
    const radio = byId(`choose-q${quantile()}`);
    if (radio) radio.checked = true;
    document.body.dataset.show = [...on].join(" ");
    if (on.has("heat")) document.querySelectorAll("canvas.heat:not([data-drawn])").forEach((canvas) => canvas.paint());
    document.querySelectorAll(".toggles button").forEach((button) => button.setAttribute("aria-pressed", String(on.has(button.value))));
    document.querySelectorAll("a.keeps").forEach((link) => {
      const kept = new URLSearchParams(link.hash.slice(1));
      kept.delete("q");
      link.hash = new URLSearchParams([...(quantile() ? [["q", quantile()]] : []), ...kept]);
    });
    glimpses();
    if (page === "layer") applyLayer(wanted);
    if (page === "concepts") applyConcepts(wanted);
    drawPage?.(wanted, run);
    if (page === "basis") applyBasis(wanted);
    if (page === "bases" && wanted.layer) byId(`layer=${wanted.layer}`)?.scrollIntoView();
  }

  function toggle(name) {
    const on = shown();
    if (!on.delete(name)) on.add(name);
    change({ show: [...on].join(" ") || "photo" });
  }

  function toggles(place, names) {
    place?.append(...Object.entries(names).map(([value, name]) => make("button", { type: "button", value, "aria-pressed": "false" }, name)));
    place?.addEventListener("click", (event) => event.target.value && toggle(event.target.value));
  }

  function typed(event) {
    const dialog = byId("unit");
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "/" && !dialog.open && byId("find")) byId("find").focus();
    else if (event.key in keys && run.pictures) toggle(keys[event.key]);
    else if (by && dialog.open) step(by);
    else if (by && document.activeElement.dataset?.unit) {
      const links = [...document.querySelectorAll("#cards a[data-unit]")];
      links[links.indexOf(document.activeElement) + by]?.focus();
    } else return;
    event.preventDefault();
  }

  function glimpses() {
    for (const list of document.querySelectorAll(`.glimpse[data-quantile="${quantile()}"]:not([data-drawn])`)) {
      const { slug, quantile: view } = list.dataset;
      const all = layers.get(slug)?.[view];
      if (!all) continue;
      list.dataset.drawn = "yes";
      const chosen = list.dataset.units.split(" ").map((unit) => all[unit]);
      const links = [...list.querySelectorAll("h3 a")].map((link) => link.getAttribute("href"));
      const beside = [...list.children].map((item) => item.querySelector(".beside"));
      const highest = Math.max(...chosen.map((unit) => unit.high ?? unit.iou));
      list.replaceChildren(...chosen.map((unit, i) => {
        const item = card(slug, unit, highest, links[i], "");
        item.querySelector(".tiles").before(...(beside[i] ? [beside[i]] : []));
        return item;
      }));
      for (const item of list.children) nearing.observe(item);
    }
  }

  function start() {
    document.body.classList.add("alive");
    document.body.style.setProperty("--cell", run.aspect);
    toggles(byId("toggles"), overlays);
    toggles(byId("unit-toggles"), { ...overlays, side: "Side by side" });
    document.querySelectorAll(".chooser input").forEach((radio) => {
      radio.addEventListener("change", () => change({ q: radio.value }));
    });
    for (const name of ["find", "category", "kind", "least", "most", "sort", "layer"]) {
      byId(name)?.addEventListener("input", () => change({ [name]: byId(name).value }));
    }
    byId("heads")?.addEventListener("click", (event) => {
      const button = event.target.closest("button.sort");
      if (!button) return;
      const at = [...byId("heads").children].indexOf(button.parentElement);
      change({ sort: button.value });
      byId("heads").children[at]?.firstElementChild.focus();
    });
    byId("filters")?.addEventListener("submit", (event) => event.preventDefault());
    byId("filters")?.addEventListener("reset", (event) => {
      event.preventDefault();
      for (const field of byId("filters").querySelectorAll("input, select")) field.value = "";
      change({ find: "", category: "", kind: "", least: "", most: "", sort: "" });
    });
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-unit]");
      if (!link || page === "index") return;
      // another tab shows the unit on the page of its layer
      if (link.getAttribute("href") && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
      const [slug, unit] = link.dataset.unit.split("/");
      event.preventDefault();
      location.hash = address({ unit: unitName(slug, unit) });
    });
    byId("unit").addEventListener("close", () => { if (state().unit) change({ unit: "" }); });
    byId("unit").addEventListener("click", (event) => { if (event.target === byId("unit")) byId("unit").close(); });
    byId("unit-close").addEventListener("click", () => byId("unit").close());
    byId("unit-before").addEventListener("click", () => step(-1));
    byId("unit-after").addEventListener("click", () => step(1));
    document.addEventListener("keydown", typed);
    addEventListener("hashchange", apply);
    apply();
  }

  addEventListener("DOMContentLoaded", () => { if (run) start(); });

  return {
    run: (content) => { run = content; },
    layer: (slug, views) => { layers.set(slug, views); },
    unit: units.arrived,
    concepts: (content) => { finders = content; },
    draws: (draw) => { drawPage = draw; },
    tools: { make, byId, colourOf },
    basis: (slug, content) => { basis = content; },
  };
})();
