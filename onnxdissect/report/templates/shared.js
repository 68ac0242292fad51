"use strict";

// What the scripts of all pages share: elements, numbers, bars, pictures with masks over them, the address, data files.
const shared = (() => {
  const overlays = { mask: "Mask", heat: "Heat map", annotation: "Annotation" };

  // ---- elements and numbers

  const byId = (id) => document.getElementById(id);

  function make(tag, attributes, ...children) {
    const svg = ["svg", "path", "rect", "circle", "line", "polyline", "text", "g", "title"].includes(tag) && attributes?.svg;
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (name !== "svg" && value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  const draw = (tag, attributes, ...children) => make(tag, { svg: true, ...attributes }, ...children);
  const number = (value, digits = 3) => (value === null || value === undefined ? "–" : value.toFixed(digits));
  const figure = (value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(4))));
  const short = (value) => String(Number(value.toPrecision(2)));
  const percent = (share) => `${(100 * share).toFixed(2)}%`;
  // ---- images with masks, maps and annotations over them

  // The outline of a mask given as lengths of runs: an SVG path along the edges of label pixels.
  function outline(text, height, width) {
    const inside = new Uint8Array(height * width);
    let place = 0;
    text.split(" ").forEach((length, i) => {
      const end = place + Number(length);
      if (i % 2) inside.fill(1, place, end);
      place = end;
    });
    const wide = width + 1;
    const after = new Map();
    const edge = (from, to) => (after.has(from) ? after.get(from).push(to) : after.set(from, [to]));
    for (let at = inside.indexOf(1); at >= 0; at = inside.indexOf(1, at + 1)) {
      const row = Math.floor(at / width);
      const column = at - row * width;
      const corner = row * wide + column;
      if (row === 0 || !inside[at - width]) edge(corner, corner + 1);
      if (column === width - 1 || !inside[at + 1]) edge(corner + 1, corner + 1 + wide);
      if (row === height - 1 || !inside[at + width]) edge(corner + 1 + wide, corner + wide);
      if (column === 0 || !inside[at - 1]) edge(corner + wide, corner);
    }
    const parts = [];
    while (after.size) {
      const [start] = after.keys();
      let from = start;
      let heading = 0;
      const corners = [];
      do {
        const choices = after.get(from);
        const to = choices.pop();
        if (!choices.length) after.delete(from);
        if (to - from !== heading) corners.push(`${from % wide} ${Math.floor(from / wide)}`);
        heading = to - from;
        from = to;
      } while (from !== start);
      parts.push(`M${corners.join("L")}Z`);
    }
    return parts.join("");
  }

  const RAMP = [[12, 8, 42], [92, 20, 106], [188, 50, 84], [243, 128, 40], [251, 236, 150]];

  function colour(share) {
    const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
    const low = Math.min(Math.floor(place), RAMP.length - 2);
    return RAMP[low].map((value, i) => value + (place - low) * (RAMP[low + 1][i] - value));
  }

  function paintHeat(canvas, maps, rank) {
    const [height, width] = maps.size;
    const cells = Uint8Array.from(atob(maps.cells[rank]), (letter) => letter.charCodeAt(0));
    const lowest = Math.min(...maps.low);
    const range = Math.max(...maps.high) - lowest || 1;
    const value = (at) => maps.low[rank] + (cells[at] / 255) * (maps.high[rank] - maps.low[rank]);
    const [rows, columns] = [canvas.height, canvas.width];
    const place = (line, i, steps, count) =>
      Math.min(Math.max((line[0] * (i + 0.5)) / steps + line[1], 0), count - 1);
    const pixels = new ImageData(columns, rows);
    for (let r = 0; r < rows; r += 1) {
      const y = place(maps.rows, r, rows, height);
      const top = Math.min(Math.floor(y), Math.max(height - 2, 0));
      const bottom = Math.min(top + 1, height - 1);
      for (let c = 0; c < columns; c += 1) {
        const x = place(maps.columns, c, columns, width);
        const left = Math.min(Math.floor(x), Math.max(width - 2, 0));
        const right = Math.min(left + 1, width - 1);
        const above = value(top * width + left) * (1 - x + left) + value(top * width + right) * (x - left);
        const below = value(bottom * width + left) * (1 - x + left) + value(bottom * width + right) * (x - left);
        const share = (above * (1 - y + top) + below * (y - top) - lowest) / range;
        pixels.data.set([...colour(share), 110 + 120 * Math.min(Math.max(share, 0), 1)], 4 * (r * columns + c));
      }
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    canvas.dataset.drawn = "yes";
  }

  function overlay(kind, path, height, width) {
    const picture = draw("svg", {
      class: kind, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true",
    });
    if (kind === "mask") {
      picture.append(draw("path", { class: "dim", "fill-rule": "evenodd", d: `M0 0H${width}V${height}H0Z${path}` }));
    }
    if (path) picture.append(draw("path", { class: "casing", d: path }), draw("path", { class: "line", d: path }));
    return picture;
  }

  // One image with its mask, heat map and annotation. `page` says what page it stands on: `root` of its files, the
  // `aspect` of a tile, whether heat maps are on (`heat`). `only` names the one overlay of a side-by-side view.
  function frame(page, unit, topMaps, view, rank, only) {
    const image = topMaps.images[rank];
    const [height, width] = image.grid;
    const [photoWidth, photoHeight] = image.photo ?? [width, height];
    const box = make("div", { class: `frame${only ? ` only only-${only}` : ""}` });
    box.style.aspectRatio = `${photoWidth} / ${photoHeight}`;
    box.classList.toggle("tall", photoWidth / photoHeight < page.aspect);
    const alt = image.alt ?? `${image.name}: top image ${rank + 1} of unit ${unit}, activation ${figure(image.value)}`;
    if (image.photo) {
      box.append(
        make("img", {
          src: `${page.root}photos/${image.image}.webp`, width: photoWidth, height: photoHeight,
          loading: "lazy", decoding: "async", alt: only ? `${alt}, ${overlays[only].toLowerCase()}` : alt,
        }),
      );
    } else {
      box.append(make("div", { class: "absent", role: "img", "aria-label": alt }, "no picture"));
    }
    if (topMaps.maps && (!only || only === "heat")) {
      const canvas = make("canvas", { class: "heat", width: 56, height: 56, "aria-hidden": "true" });
      canvas.paint = () => paintHeat(canvas, topMaps.maps, rank);
      if (only || page.heat) canvas.paint();
      box.append(canvas);
    }
    if (!only || only === "mask") {
      box.append(overlay("mask", outline(view.masks[rank], height, width), height, width));
    }
    if (view.annotations[rank] && (!only || only === "annotation")) {
      box.append(overlay("annotation", outline(view.annotations[rank], height, width), height, width));
    }
    return box;
  }

  // ---- bars, and what is drawn as the reader comes near it

  // A bar of an IoU from 0 to `highest` with the interval as a whisker and a detector's threshold as a mark.
  function bar(value, low, high, highest, threshold) {
    const scale = Math.max(highest, threshold) || 1;
    const whole = make("div", { class: "bar", "aria-hidden": "true" });
    const part = (kind, from, to) => {
      const piece = make("span", { class: kind });
      piece.style.left = percent(Math.min(from / scale, 1));
      if (to !== undefined) piece.style.width = percent(Math.max(Math.min(to, scale) - from, 0) / scale);
      whole.append(piece);
    };
    part("fill", 0, value);
    if (low !== null && low !== undefined) part("whisker", low, high);
    part("mark", threshold);
    return whole;
  }

  const nearing = "IntersectionObserver" in window
    ? new IntersectionObserver((entries) => {
        for (const entry of entries) {
          if (!entry.isIntersecting) continue;
          nearing.unobserve(entry.target);
          entry.target.fill();
        }
      }, { rootMargin: "500px" })
    : null;

  // Shows a list as the reader comes near its end, a chunk at a time; `tag` is that of an item.
  function showsAsReached(tag) {
    const sentinel = make(tag, { class: "sentinel", "aria-hidden": "true" });
    return function show(place, list, makeItem, chunk) {
      let next = 0;
      sentinel.fill = () => {
        sentinel.remove();
        for (const entry of list.slice(next, next + chunk)) {
          const item = makeItem(entry);
          place.append(item);
          if (item.fill) nearing.observe(item);
        }
        next += chunk;
        if (next < list.length) {
          place.append(sentinel);
          nearing.observe(sentinel);
        }
      };
      nearing.unobserve(sentinel);
      place.replaceChildren();
      sentinel.fill();
    };
  }

  // ---- the address bar holds what is shown

  // `fields` are the names of what is shown, `defaults` what they are where the address does not say.
  function addressOf(fields, defaults) {
    function state() {
      const given = new URLSearchParams(location.hash.slice(1));
      return Object.fromEntries(fields.map((name) => [name, given.get(name) ?? defaults[name] ?? ""]));
    }
    function address(change) {
      const wanted = new URLSearchParams();
      for (const [name, value] of Object.entries({ ...state(), ...change })) {
        if (value !== (defaults[name] ?? "")) wanted.set(name, value);
      }
      return `#${wanted}`;
    }
    return { state, address };
  }

  // ---- data

  // Runs a script that hands data to the page; true when it has, false where it is missing.
  function script(source) {
    return new Promise((resolve) => {
      const element = make("script", { src: source });
      element.addEventListener("load", () => resolve(true));
      element.addEventListener("error", () => resolve(false));
      document.head.append(element);
    });
  }

  // Links on top lead to places of a page whose address keeps what is chosen, and so is left as it is.
  function linksWithin() {
    for (const link of document.querySelectorAll("nav.top a[href^='#']")) {
      link.addEventListener("click", (event) => {
        const place = byId(link.hash.slice(1));
        event.preventDefault();
        place.scrollIntoView();
        place.focus({ preventScroll: true });
      });
    }
  }

  // The slash key leads to the search.
  function slashKey(search) {
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
      byId(search).focus();
      event.preventDefault();
    });
  }

  // Reads what a closer look at a unit shows, from a script of its own, once; null where that is missing.
  function unitReader(root) {
    const units = new Map(); // "folder/unit" -> a promise of what it holds
    const arrivals = new Map(); // "folder/unit" -> function that takes it
    return {
      arrived: (slug, unit, content) => arrivals.get(`${slug}/${unit}`)?.(content),
      read(slug, unit) {
        const key = `${slug}/${unit}`;
        if (!units.has(key)) {
          units.set(key, new Promise((resolve) => {
            arrivals.set(key, resolve);
            script(`${root}units/${encodeURIComponent(slug)}/${unit}.js`).then((there) => there || resolve(null));
          }));
        }
        return units.get(key);
      },
    };
  }

  return { overlays, byId, make, draw, number, figure, short, percent, outline, overlay, frame, bar, nearing, showsAsReached, addressOf, linksWithin, slashKey, script, unitReader };
})();
