"use strict";

// The list of units on the page of thresholds: a row per unit, a cell per quantile.
const thresholds = (() => {
  const { make, byId, colourOf } = dissect.tools;
  const CHUNK = 60;
  let content = null;
  let drawnFor = null;
  let observer = null;

  // A row: its unit, positions of its labels among the names, and what can be asked of them.
  function rowsOf(layer) {
    const same = new Set(layer.same);
    return layer.labels.map((labels, unit) => {
      const on = layer.detectors[unit];
      const changes = labels.slice(1).filter((label, i) => label !== labels[i]).length;
      return { unit, labels, on, changes, same: same.has(unit), first: on.indexOf(1) };
    });
  }

  const generic = (label) => label >= 0 && content.names[label][2];
  const KINDS = {
    "": () => true,
    same: (row) => row.same,
    changing: (row) => row.changes > 0,
    some: (row) => row.on.includes(1),
    every: (row) => !row.on.includes(0),
    generic: (row) => !generic(row.labels[0]) && generic(row.labels.at(-1)),
    never: (row) => !row.on.includes(1),
  };
  const last = (row) => (row.first < 0 ? row.labels.length : row.first);
  const ORDERS = {
    "": (a, b) => a.unit - b.unit,
    changes: (a, b) => a.changes - b.changes || a.unit - b.unit,
    first: (a, b) => last(a) - last(b) || a.unit - b.unit,
  };

  // Any of a unit's labels may be meant; name and category have to be those of the same one.
  function matches(row, wanted) {
    const text = wanted.find.trim().toLowerCase();
    const whole = text.length > 1 && text.startsWith('"') && text.endsWith('"');
    const named = (label) => {
      const [name, category] = label < 0 ? ["", ""] : content.names[label];
      const known = name.toLowerCase();
      return (
        (whole ? known === text.slice(1, -1) : known.includes(text)) &&
        (!wanted.category || category === wanted.category)
      );
    };
    const number = text === String(row.unit) && !wanted.category;
    return (KINDS[wanted.kind] ?? KINDS[""])(row) && (number || row.labels.some(named));
  }

  function cell(row, place, page) {
    const label = row.labels[place];
    const [name, category] = label < 0 ? ["no concept", ""] : content.names[label];
    const view = content.places[place];
    const hash = new URLSearchParams({ ...(view ? { q: view } : {}), unit: row.unit });
    const said = [category, row.on[place] ? "detector" : "no detector", generic(label) ? "generic" : ""];
    const kinds = [colourOf(category), row.on[place] ? "on" : "off", generic(label) ? "generic" : ""];
    return make("td", { class: kinds.join(" ") },
      make("a", { href: `${page}#${hash}`, title: said.filter(Boolean).join(", ") }, name));
  }

  function line(row, page) {
    return make("tr", { "data-unit": String(row.unit) },
      make("th", { scope: "row" }, String(row.unit), row.same ? make("span", { class: "same", title: "the same label at every quantile" }, " =") : null),
      ...row.labels.map((_, place) => cell(row, place, page)));
  }

  function show(rows, page) {
    const place = byId("labels");
    let next = 0;
    observer?.disconnect();
    const more = () => {
      place.append(...rows.slice(next, next + CHUNK).map((row) => line(row, page)));
      next += CHUNK;
      byId("more").hidden = next >= rows.length;
    };
    place.replaceChildren();
    more();
    observer = new IntersectionObserver((entries) => {
      // A list that still ends on the screen has more to show at once.
      if (entries.at(-1).isIntersecting && next < rows.length) {
        more();
        observer.unobserve(byId("more"));
        observer.observe(byId("more"));
      }
    }, { rootMargin: "600px" });
    observer.observe(byId("more"));
  }

  dissect.draws((wanted, run) => {
    const chosen = content.layers.find((layer) => layer.slug === wanted.layer);
    const layer = chosen ?? content.layers.find((one) => one.slug === byId("layer").dataset.first);
    for (const name of ["find", "category", "kind", "sort"]) {
      if (byId(name) !== document.activeElement || byId(name).tagName === "SELECT") byId(name).value = wanted[name];
    }
    byId("layer").value = layer.slug;
    const now = JSON.stringify(["layer", "find", "category", "kind", "sort"].map((name) => wanted[name]));
    if (now === drawnFor) return;
    drawnFor = now;
    const all = rowsOf(layer);
    const rows = all.filter((row) => matches(row, wanted)).sort(ORDERS[wanted.sort] ?? ORDERS[""]);
    const count = (number) => number.toLocaleString("en");
    byId("count").textContent =
      rows.length === all.length ? `${count(all.length)} units` : `${count(rows.length)} of ${count(all.length)} units`;
    show(rows, run.layers.find((one) => one.slug === layer.slug).page);
  });

  return { labels: (given) => { content = given; } };
})();
