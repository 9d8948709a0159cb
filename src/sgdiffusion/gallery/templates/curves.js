// Specification curves, drawn from the numbers beside each claim when it is opened: a panel for each measured number,
// readings sorted by the first; below, a square where a reading's choice differs from the base.
(() => {
  const { attach, element } = Drawings;
  const LOOKS = { Holds: "holds", "In part": "in-part", Fails: "fails", Undecided: "undecided" };
  const [LEAST_LEFT, TOP, PANEL, GAP, ROW] = [122, 12, 88, 16, 10];
  const LETTER = 4.3; // width of a small one, at most
  const [NARROWEST, WIDEST, PIXELS] = [270, 504, 1.33]; // of a drawing, and pixels a point: letters stay readable
  const FLAGGED = 0.05; // share of estimates with a diagnosis from which a reading is hollow, as in the static figure
  const WIDE = 30; // ratio from which the axis is logarithmic

  const known = (values) => values.filter((v) => v !== null && Number.isFinite(v));

  function scaleOf({ rows, accepted, published }) {
    const all = known([...rows.flatMap((r) => r.slice(0, 3)), ...accepted, published]);
    const log = Math.min(...all) > 0 && Math.max(...all) / Math.min(...all) > WIDE;
    const [inward, outward] = log ? [Math.log, Math.exp] : [(v) => v, (v) => v];
    const [low, high] = [inward(Math.min(...all)), inward(Math.max(...all))];
    const pad = 0.08 * (high - low) || 0.5 * Math.abs(high) || 1;
    const at = (v) => (inward(v) - low + pad) / (high - low + 2 * pad);
    return { scale: log ? "log" : "linear", low: outward(low - pad), high: outward(high + pad), at };
  }

  function panel(svg, curve, index, xs, left, right) {
    const top = TOP + index * (PANEL + GAP);
    const number = curve.numbers[index];
    const scale = scaleOf(number);
    const y = (v) => top + PANEL * (1 - Math.min(Math.max(scale.at(v), 0), 1));
    const [low, high] = [number.accepted[0] ?? scale.low, number.accepted[1] ?? scale.high];
    svg.append(element("rect", { class: "accepted", x: left, width: right - left, y: y(high), height: Math.max(y(low) - y(high), 1) }));
    if (number.published !== null) svg.append(element("path", { class: "published-line", d: `M${left} ${y(number.published)}H${right}` }));
    svg.append(element("path", { class: "frame", d: `M${left} ${top}V${top + PANEL}H${right}` }));
    number.name.split(/(?<=\.)(?=[^.]{3})/).forEach((part, line) => svg.append(
      element("text", { x: 4, y: top + 10 + 9 * line, class: "small" }, part)));
    for (const v of [scale.low, scale.high]) {
      svg.append(element("text", { x: left - 4, y: y(v) + (v === scale.low ? 0 : 7), "text-anchor": "end" }, told(v, 2)));
    }
    const group = element("g", { "data-in": index });
    number.rows.forEach(([value, from, to, flagged], i) => {
      if (value === null) return;
      const look = LOOKS[curve.verdicts[i]] ?? "undecided";
      if (from !== null && to !== null) svg.append(element("path", { class: `span ${look}`, d: `M${xs[i]} ${y(from)}V${y(to)}` }));
      const hollow = flagged !== null && flagged > FLAGGED;
      const label = `${curve.readings[i]}: ${curve.verdicts[i]}${from === null ? "" : `, 95 % interval ${told(from)} to ${told(to)}`}${hollow ? ", with diagnoses" : ""}`;
      group.append(element("circle", { class: `point ${look}${hollow ? " hollow" : ""}`, cx: xs[i], cy: y(value), r: 3, "data-label": label }));
    });
    svg.append(group);
    return { frame: [left, top, right, top + PANEL], part: false, alone: true,
      x: { scale: "other", low: 0, high: 1, name: "", names: {} }, y: { ...scale, at: undefined, name: "", names: {} } };
  }

  const told = (v, digits = 3) => String(Number(v.toPrecision(digits))).replaceAll("-", "−");

  const labelsOf = (curve) => [...new Set(curve.readings.flatMap((name) => (name === "base" ? [] : name.split(";"))))].sort();

  function matrix(svg, curve, xs, left, top) {
    const rows = labelsOf(curve);
    rows.forEach((row, line) => {
      const y = top + ROW * line;
      const squeezed = LETTER * row.length > left - 8 ? { textLength: left - 8, lengthAdjust: "spacingAndGlyphs" } : {};
      svg.append(element("text", { x: left - 4, y: y + 3, "text-anchor": "end", class: "small", ...squeezed }, row.replace("=", ": ")));
      curve.readings.forEach((name, i) => {
        const differs = name.split(";").includes(row);
        svg.append(element("rect", { class: differs ? "changed" : "same", x: xs[i] - 2, y: y - 2, width: 4, height: 4 }));
      });
    });
    return top + ROW * rows.length + 4;
  }

  function key(svg, curve, top, right) {
    let x = 4;
    const put = (mark, words) => {
      const length = 24 + 4.6 * words.length;
      if (x + length > right + 20) [x, top] = [4, top + 12];
      svg.append(mark(x), element("text", { x: x + 12, y: top + 3 }, words));
      x += length;
    };
    for (const [verdict, look] of Object.entries(LOOKS)) {
      if (curve.verdicts.includes(verdict)) put((at) => element("circle", { class: `point ${look}`, cx: at + 4, cy: top, r: 3 }), verdict);
    }
    put((at) => element("rect", { class: "accepted", x: at - 2, y: top - 4, width: 11, height: 8 }), "accepted");
    if (curve.numbers.some((n) => n.published !== null)) put((at) => element("path", { class: "published-line", d: `M${at - 2} ${top}h11` }), "published");
    put((at) => element("rect", { class: "changed", x: at + 2, y: top - 2, width: 4, height: 4 }), "differs from the base reading");
    return top;
  }

  function draw(card) {
    const curve = JSON.parse(card.dataset.curve);
    const n = curve.readings.length;
    const width = Math.min(Math.max(card.clientWidth / PIXELS, NARROWEST), WIDEST);
    const right = width - 10;
    const longest = Math.max(0, ...labelsOf(curve).map((label) => label.length));
    const left = Math.min(Math.max(LEAST_LEFT, LETTER * longest + 8), 0.6 * width);
    const xs = curve.readings.map((_, i) => Number((left + (right - left) * ((i + 0.5) / n)).toFixed(2)));
    const svg = element("svg", { class: "drawing curve-drawing", role: "img", "aria-label": card.getAttribute("aria-label") });
    const content = element("g", { id: `${card.id}-drawing` });
    const axes = curve.numbers.map((_, index) => panel(content, curve, index, xs, left, right));
    const base = curve.readings.indexOf("base");
    const panels = TOP + curve.numbers.length * (PANEL + GAP);
    if (base >= 0) content.prepend(element("path", { class: "base-line", d: `M${xs[base]} ${TOP}V${panels}` }));
    const bottom = matrix(content, curve, xs, left, panels) + 8;
    const end = key(content, curve, bottom, right);
    svg.append(content);
    svg.setAttribute("viewBox", `0 0 ${width.toFixed(1)} ${end + 8}`);
    svg.dataset.axes = JSON.stringify(axes);
    card.append(svg);
    attach(card);
  }

  const cards = [...document.querySelectorAll(".card[data-curve]")];
  const missing = (card) => !card.querySelector("svg");
  for (const card of cards) {
    card.closest("details").addEventListener("toggle", () => { if (missing(card)) draw(card); });
  }
  addEventListener("beforeprint", () => cards.filter(missing).forEach(draw));
})();
