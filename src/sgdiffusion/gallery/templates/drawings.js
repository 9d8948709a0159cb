"use strict";
// Drawings: the value under the pointer, zoom, and one panel under another where the window is narrow. Everything
// is read from the drawing itself (figures/vector.py says what stands in it); a place on it is known to a hundredth
// of a point, which is why values are shown with three figures.
const Drawings = (() => {
  const NEAR = 14; // pixels within which a point is taken to be meant
  const LARGEST = 12;
  const narrow = matchMedia("(max-width: 46rem)");
  const HINT = "Point at the drawing, or press ← and → on it, for values.";
  const known = new WeakMap(); // drawing -> its points
  const outputs = new WeakMap(); // card -> where its values are told

  function element(name, attributes = {}, text = "") {
    const svg = ["svg", "g", "use", "circle", "path", "rect", "line", "text"].includes(name);
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  }

  const axesOf = (svg) => JSON.parse(svg.dataset.axes);

  function placesIn(group) {
    const marks = [...group.querySelectorAll("use, circle")];
    if (marks.length) {
      return marks.map((m) => [m.getAttribute("x") ?? m.getAttribute("cx"), m.getAttribute("y") ?? m.getAttribute("cy"), m.dataset.label]);
    }
    const lines = [...group.querySelectorAll("path")].filter((p) => !p.closest("defs")).map((p) => p.getAttribute("d"));
    return lines.flatMap((d) => [...d.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map((m) => [m[1], m[2]]));
  }

  function points(svg) {
    if (!known.has(svg)) {
      const groups = [...svg.querySelectorAll("[data-in]")];
      known.set(svg, groups.flatMap((g) => placesIn(g).map(([x, y, label]) => (
        { x: Number(x), y: Number(y), axes: Number(g.dataset.in), label: label ?? g.dataset.label ?? "" }))));
    }
    return known.get(svg);
  }

  function along(direction, share) {
    if (direction.scale === "log") return direction.low * (direction.high / direction.low) ** share;
    const span = direction.high - direction.low;
    const value = direction.scale === "linear" ? direction.low + share * span : NaN;
    return Math.abs(value) < Math.abs(span) / 2000 ? 0 : value; // what is left of a zero read from a drawing
  }

  function told(direction, share, short) {
    const value = along(direction, share);
    if (Number.isNaN(value)) return "";
    const places = Object.keys(direction.names);
    if (places.length) {
      const nearest = places.reduce((a, b) => (Math.abs(a - value) < Math.abs(b - value) ? a : b));
      return direction.names[nearest];
    }
    return `${direction.name || short} ${Number(value.toPrecision(3))}`.replace("e+", "e").replace("-", "−");
  }

  function words(axes, x, y, label) {
    const [left, top, right, bottom] = axes.frame;
    const parts = [told(axes.x, (x - left) / (right - left), "x"), told(axes.y, (bottom - y) / (bottom - top), "y")];
    const values = parts.filter(Boolean).join("; ");
    return label ? `${label}: ${values}` : values;
  }

  function at(view, event) {
    const matrix = view.getScreenCTM();
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    return { x: place.x, y: place.y, scale: matrix.a };
  }

  const inside = ([left, top, right, bottom], { x, y }) => x >= left && x <= right && y >= top && y <= bottom;

  // What to say of a place: the nearest point, or where the place lies.
  function readAt(svg, place) {
    const axes = axesOf(svg);
    const number = axes.findLastIndex((a) => inside(a.frame, place));
    if (number < 0) return null;
    const far = (p) => Math.hypot(p.x - place.x, p.y - place.y);
    const own = points(svg).filter((p) => p.axes === number && inside(axes[number].frame, p));
    const nearest = own.reduce((best, p) => (best === null || far(p) < far(best) ? p : best), null);
    const hit = nearest !== null && far(nearest) * place.scale <= NEAR;
    const { x, y, label } = hit ? nearest : { ...place, label: "" };
    return { x, y, hit, text: words(axes[number], x, y, label) };
  }

  function show(card, view, found) {
    card.querySelector(".ring")?.remove();
    outputs.get(card).textContent = found ? found.text : HINT;
    if (found?.hit) view.append(element("circle", { class: "ring", cx: found.x, cy: found.y, r: 4 }));
  }

  function box(view) {
    const { x, y, width, height } = view.viewBox.baseVal;
    return [x, y, width, height];
  }

  const whole = (view) => view.dataset.whole.split(" ").map(Number);

  function put(view, [x, y, width, height]) {
    const [left, top, w, h] = whole(view);
    const place = [Math.min(Math.max(x, left), left + w - width), Math.min(Math.max(y, top), top + h - height)];
    view.setAttribute("viewBox", [...place, width, height].map((v) => v.toFixed(2)).join(" "));
    view.classList.toggle("zoomed", width < w * 0.999);
  }

  function zoom(view, factor, centre = null) {
    const [x, y, width, height] = box(view);
    const [, , w, h] = whole(view);
    const scale = Math.min(Math.max((w / width) * factor, 1), LARGEST);
    const middle = centre ?? { x: x + width / 2, y: y + height / 2 };
    const [nw, nh] = [w / scale, h / scale];
    put(view, [middle.x - ((middle.x - x) / width) * nw, middle.y - ((middle.y - y) / height) * nh, nw, nh]);
  }

  // Pans while a button or a finger is down on an enlarged drawing, reads otherwise.
  function listen(card, svg, view) {
    let held = null;
    view.addEventListener("pointermove", (event) => {
      const place = at(view, event);
      if (held) {
        const [x, y, width, height] = box(view);
        put(view, [x + held.x - place.x, y + held.y - place.y, width, height]);
      } else show(card, view, readAt(svg, place));
    });
    view.addEventListener("pointerdown", (event) => {
      if (!view.classList.contains("zoomed")) {
        show(card, view, readAt(svg, at(view, event)));
        return;
      }
      held = at(view, event);
      view.setPointerCapture(event.pointerId);
    });
    for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, () => { held = null; });
    view.addEventListener("pointerleave", () => show(card, view, null));
    view.addEventListener("dblclick", (event) => zoom(view, 2, at(view, event)));
    view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // scrolls the page
      event.preventDefault();
      zoom(view, event.deltaY < 0 ? 1.25 : 0.8, at(view, event));
    }, { passive: false });
  }

  // The arrows go from point to point, in the order in which a reader's eye would: series by series.
  function step(card, svg, by) {
    const all = points(svg);
    if (!all.length) return;
    const next = (Number(card.dataset.at ?? (by > 0 ? -1 : 0)) + by + all.length) % all.length;
    card.dataset.at = next;
    const { x, y, axes, label } = all[next];
    const view = views(card).find((v) => inside([v.viewBox.baseVal.x, v.viewBox.baseVal.y,
      v.viewBox.baseVal.x + v.viewBox.baseVal.width, v.viewBox.baseVal.y + v.viewBox.baseVal.height], { x, y })) ?? svg;
    show(card, view, { x, y, hit: true, text: words(axesOf(svg)[axes], x, y, label) });
  }

  const views = (card) => [...card.querySelectorAll("svg.drawing")];

  function keys(card, svg) {
    const zoomed = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 };
    card.addEventListener("keydown", (event) => {
      if (event.target !== card || event.ctrlKey || event.metaKey || event.altKey) return;
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by) step(card, svg, by);
      else if (event.key in zoomed) for (const view of views(card)) zoom(view, zoomed[event.key]);
      else return;
      event.preventDefault();
    });
  }

  function tools(card) {
    const row = element("div", { class: "tools" });
    for (const [sign, name, factor] of [["+", "Enlarge", 1.5], ["−", "Reduce", 1 / 1.5], ["1:1", "1:1, whole drawing", 0]]) {
      const button = element("button", { type: "button", "aria-label": `${name}: ${card.getAttribute("aria-label")}` }, sign);
      button.addEventListener("click", () => { for (const view of views(card)) zoom(view, factor); });
      row.append(button);
    }
    row.append(element("span", { class: "value-read", "aria-live": "polite" }, HINT));
    card.after(row);
    outputs.set(card, row.lastChild);
  }

  // What belongs together: an inset or a scale with its axes, axes that borrow a neighbour's labels with it.
  function regions(svg) {
    const found = [];
    for (const axes of axesOf(svg)) {
      const last = found.at(-1);
      if (last && (axes.part || !axes.alone)) {
        found[found.length - 1] = [0, 1].map((i) => Math.min(last[i], axes.region[i])).concat([2, 3].map((i) => Math.max(last[i], axes.region[i])));
      } else found.push(axes.region);
    }
    if (svg.classList.contains("curve-drawing")) return [svg.dataset.drawn.split(" ").map(Number)];
    return [...found, ...JSON.parse(svg.dataset.more ?? "[]")].map(([x0, y0, x1, y1]) => [x0 - 2, y0 - 2, x1 - x0 + 4, y1 - y0 + 4]);
  }

  function frame(view, place) {
    view.dataset.whole = place.join(" ");
    view.style.minWidth = narrow.matches && place[2] > 270 ? `${Math.round(place[2] * 1.25)}px` : "";
    put(view, place);
  }

  function arrange(card, svg, split) {
    for (const panel of card.querySelectorAll(".panel")) panel.remove();
    const all = svg.dataset.drawn.split(" ").map(Number);
    const parts = split ? regions(svg) : [all];
    if (parts.length < 2) {
      frame(svg, all);
      return;
    }
    frame(svg, parts[0]);
    for (const part of parts.slice(1)) {
      const panel = element("div", { class: "panel" });
      const view = element("svg", { class: "drawing", "aria-hidden": "true", viewBox: part.join(" "), "font-family": svg.getAttribute("font-family") });
      view.append(element("use", { href: `#${svg.querySelector("g").id}` }));
      panel.append(view);
      card.append(panel);
      frame(view, part);
      listen(card, svg, view);
    }
  }

  function attach(card) {
    const svg = card.querySelector("svg.drawing");
    svg.dataset.drawn = svg.getAttribute("viewBox");
    tools(card);
    keys(card, svg);
    listen(card, svg, svg);
    arrange(card, svg, narrow.matches);
    narrow.addEventListener("change", () => arrange(card, svg, narrow.matches));
    addEventListener("beforeprint", () => arrange(card, svg, false));
    addEventListener("afterprint", () => arrange(card, svg, narrow.matches));
  }

  for (const card of document.querySelectorAll(".card")) if (card.querySelector("svg.drawing")) attach(card);
  return { attach, element };
})();
