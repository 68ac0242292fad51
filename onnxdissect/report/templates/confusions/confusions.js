"use strict";

// The page of right and wrong predictions: images side by side, filtered by class, concept and unit.
const dissect = (() => {
  const { byId, make } = shared;
  const root = document.body.dataset.root;
  const FIELDS = ["class", "predicted", "concept", "unit"];
  const { state, address } = shared.addressOf(FIELDS, {});
  const CHUNK = 12;
  let run = null;
  let drawn = "";
  const show = { right: shared.showsAsReached("li"), wrong: shared.showsAsReached("li") };
  const classNames = new Map();

  function change(values) {
    history.replaceState(null, "", address(values));
    apply();
  }

  const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  // ---- an image

  // The photograph, with the mask of a unit over it where there is one.
  function picture(image, alt, mask) {
    const [height, width] = image.grid;
    const [photoWidth, photoHeight] = image.photo ?? [width, height];
    const box = make("div", { class: `frame${photoWidth / photoHeight < run.aspect ? " tall" : ""}` });
    box.style.aspectRatio = `${photoWidth} / ${photoHeight}`;
    if (image.photo) {
      box.append(make("img", {
        src: `${root}photos/${image.at}.webp`, width: photoWidth, height: photoHeight, loading: "lazy", decoding: "async", alt,
      }));
    } else box.append(make("div", { class: "absent", role: "img", "aria-label": alt }, "no picture"));
    if (mask !== undefined) box.append(shared.overlay("mask", shared.outline(mask, height, width), height, width));
    const tile = make("div", { class: "tile" }, box);
    tile.style.setProperty("--cell", run.aspect);
    return tile;
  }

  function unitTile(image, [unit, contribution, share, held, mask], asked) {
    const [label, category, colour] = run.units[unit];
    const name = `unit ${unit}`;
    const mark = held === null ? "" : held ? "● " : "○ ";
    const there = held === null ? "" : held ? ", held by the image at the mask" : ", not held by the image at the mask";
    return make("li", { class: `c${colour}${asked ? " asked" : ""}`, "data-unit": unit },
      picture(image, `${image.name}: where ${name}, ${label}, fired${there}`, mask),
      make("p", {}, mark, make("strong", {}, label),
        make("span", { class: "which" },
          run.report ? make("a", { href: `${run.report}#unit=${unit}`, title: `${category}; contribution ${shared.figure(contribution)}` }, name) : name,
          ` · ${Math.round(100 * share)} %`)));
  }

  function item(image) {
    const wanted = state();
    const [shown, told] = [classNames.get(image.shown), classNames.get(image.told)];
    const right = image.shown === image.told;
    return make("li", { "data-image": image.at },
      make("p", { class: "said" }, make("strong", {}, told), right ? null : ` predicted, shows ${shown}`),
      make("p", { class: "file" }, image.name),
      make("ul", { class: "pictures", "aria-label": `Units of ${image.name}` },
        make("li", {}, picture(image, `${image.name}: shows ${shown}`), make("p", {}, "image")),
        ...image.units.map((unit) => unitTile(image, unit, wanted.unit === String(unit[0])))),
      image.units.length ? null : make("p", { class: "file" }, "No detector that fired speaks for it."));
  }

  // ---- which images

  function chosen(image, wanted) {
    const text = wanted.concept.trim().toLowerCase();
    return (wanted.class === "" || String(image.shown) === wanted.class)
      && (wanted.predicted === "" || String(image.told) === wanted.predicted)
      && (wanted.unit === "" || image.units.some(([unit]) => String(unit) === wanted.unit))
      && (!text || image.units.some(([unit]) => run.units[unit][0].toLowerCase().includes(text)));
  }

  // How many images there are of the classes asked for, with pictures or without.
  function all(wanted, right) {
    const fits = (shown, told) =>
      (wanted.class === "" || String(shown) === wanted.class) && (wanted.predicted === "" || String(told) === wanted.predicted);
    const cells = right
      ? run.classes.filter(([number]) => fits(number, number)).map((one) => one[2])
      : run.confusions.filter(([shown, told]) => fits(shown, told)).map((one) => one[2]);
    return cells.reduce((sum, count) => sum + count, 0);
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
    const byUnit = wanted.unit !== "" || wanted.concept.trim() !== "";
    for (const side of ["right", "wrong"]) {
      const right = side === "right";
      const list = run.images.filter((image) => (image.shown === image.told) === right && chosen(image, wanted));
      const there = all(wanted, right);
      byId(`${side}-count`).textContent = !byUnit && there !== list.length
        ? `${list.length.toLocaleString("en")} of ${counted(there, "image")} shown`
        : `${counted(list.length, "image")}${byUnit ? " shown" : ""}`;
      show[side](byId(side), list, item, CHUNK);
    }
  }

  function choose(button) {
    change({ class: button.dataset.shown, predicted: button.dataset.told, concept: "", unit: "" });
    byId("images-title").scrollIntoView();
    byId("images-title").focus({ preventScroll: true });
  }

  function start() {
    for (const [number, name] of run.classes) classNames.set(number, name);
    for (const name of FIELDS) byId(name).addEventListener("input", () => change({ [name]: byId(name).value }));
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("all").addEventListener("click", () => change(Object.fromEntries(FIELDS.map((name) => [name, ""]))));
    for (const button of document.querySelectorAll("button[data-shown]")) button.addEventListener("click", () => choose(button));
    // The address keeps what is shown.
    shared.linksWithin();
    shared.slashKey("concept");
    addEventListener("hashchange", apply);
    apply();
  }

  addEventListener("DOMContentLoaded", () => { if (run) start(); });

  return { run: (content) => { run = content; } };
})();
