// The stepper: one module for the page (xray.html) and for the widget (anywidget). No library, no network.
//
// `mount(root, content, source)` draws `content` (toolkit/xray/views/_payload.py) into `root`; `source` hands out what
// is not in it: `source.numbers(tensor, sample) -> Promise<{shape, values}>` and
// `source.substeps(step, time) -> Promise<{steps, times}>`, of a loop over time those of one time step.

const PHASES = ["forward", "loss", "backward", "update"];
const SMALL = 64; // a matrix of so many numbers is written out, a larger one drawn
const INLINE = 4; // rows and columns of a matrix inside a formula
const GAP = 36; // between two columns of the drawn network

export function mount(root, content, source) {
  const state = { steps: [], at: 0, sample: 0, open: false, time: 1, playing: null, indices: new Map() };
  const view = build(root, content);
  // A fresh Step of an answer that comes late must not overwrite a newer one.
  let drawing = 0, listing = 0;

  async function listSteps() {
    const list = [];
    for (const [k, step] of content.steps.entries()) {
      list.push({ ...step, number: k, parent: k, place: -1, times: [] });
      if (state.open && step.opens) {
        const inside = await source.substeps(k, state.time);
        list.at(-1).times = inside.times;
        inside.steps.forEach((child, place) => list.push({ ...child, number: null, parent: k, place, times: inside.times }));
      }
    }
    return list;
  }

  // Another list of steps; the place in it stays: the same layer, at another time the same gate.
  async function reopen(same = false) {
    const turn = ++listing, steps = await listSteps();
    if (turn !== listing) return;
    const { parent, place } = state.steps[state.at] ?? { parent: 0, place: -1 };
    state.steps = steps;
    state.at = Math.max(0, state.steps.findLastIndex((step) => step.parent === parent && step.place <= (same ? place : -1)));
    view.scrub.max = state.steps.length - 1;
    drawTicks(view, state.steps);
    await draw();
  }

  async function draw() {
    const turn = ++drawing;
    const step = state.steps[state.at];
    view.scrub.value = state.at;
    // Words and numbers change together.
    const numbers = await Promise.all(step.tensors.map(([tensor]) => source.numbers(tensor, state.sample)));
    if (turn !== drawing) return;
    view.scrub.setAttribute("aria-valuetext", `${step.phase}, ${step.layer}: ${step.title}`);
    view.count.textContent = `${state.at + 1} / ${state.steps.length}`;
    view.phase.textContent = step.phase;
    view.root.dataset.phase = step.phase;
    view.layer.textContent = step.call ? `${step.layer} (call ${step.call + 1})` : step.layer;
    view.kind.textContent = step.kind;
    view.title.textContent = step.title;
    view.derived.textContent = step.derived || step.phase === "loss" || step.phase === "update" ? "" : "no derivation";
    view.note.textContent = step.note + (step.times_left_out ? ` ${step.times_left_out} time steps in the middle are left out of this page.` : "");
    drawTime(view, step, state);
    markNetwork(view, content, step);
    for (const tick of view.ticks.children) tick.classList.toggle("here", Number(tick.dataset.at) === state.at);
    drawFormula(view, content, step, numbers, state);
    drawTensors(view, content, step, numbers, state, draw);
    view.live.textContent = `Step ${state.at + 1} of ${state.steps.length}: ${step.phase}, ${step.layer}, ${step.title}.`;
  }

  function go(to) {
    state.at = Math.min(Math.max(to, 0), state.steps.length - 1);
    if (state.at === state.steps.length - 1) play(false);
    return draw();
  }

  function play(on) {
    clearInterval(state.playing);
    state.playing = on ? setInterval(() => go(state.at + 1), 1200) : null;
    view.play.textContent = on ? "❚❚ pause" : "▶ play";
    view.play.setAttribute("aria-pressed", String(on));
  }

  view.scrub.addEventListener("input", () => { play(false); go(Number(view.scrub.value)); });
  view.first.addEventListener("click", () => go(0));
  view.back.addEventListener("click", () => { play(false); go(state.at - 1); });
  view.next.addEventListener("click", () => { play(false); go(state.at + 1); });
  view.play.addEventListener("click", () => {
    if (state.playing === null && state.at === state.steps.length - 1) state.at = 0;
    play(state.playing === null);
  });
  view.open.addEventListener("change", () => { state.open = view.open.checked; reopen(); });
  view.time.addEventListener("input", () => { state.time = state.steps[state.at].times[Number(view.time.value)]; play(false); reopen(true); });
  view.sample.addEventListener("change", () => { state.sample = Number(view.sample.value); draw(); });
  view.svg.addEventListener("click", (event) => {
    const node = event.target.closest("[data-node]");
    if (node) toNode(node.dataset.node);
  });
  view.svg.addEventListener("keydown", (event) => {
    const node = event.target.closest("[data-node]");
    if (node && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); event.stopPropagation(); toNode(node.dataset.node); }
  });
  view.root.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, button, .matrix, [data-node]") && event.key === " ") return;
    if (event.target.closest("input, select, .matrix")) return;
    const moves = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10 };
    if (event.key in moves) { event.preventDefault(); play(false); go(state.at + moves[event.key]); }
    else if (event.key === "Home") { event.preventDefault(); go(0); }
    else if (event.key === "End") { event.preventDefault(); go(state.steps.length - 1); }
    else if (event.key === " ") { event.preventDefault(); view.play.click(); }
  });

  function toNode(id) {
    const phase = state.steps[state.at].phase === "backward" ? "backward" : "forward";
    const at = state.steps.findIndex((step) => step.node === id && step.phase === phase);
    const other = state.steps.findIndex((step) => step.node === id);
    play(false);
    if (at >= 0 || other >= 0) go(at >= 0 ? at : other);
  }

  reopen();
  return { destroy: () => play(false), go, state };
}

// ------------------------------------------------------------------ the frame

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function build(root, content) {
  root.classList.add("xray");
  root.setAttribute("tabindex", "0");
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", `Steps of ${content.title}. Arrow keys step, space plays.`);
  const view = { root };
  view.svg = drawNetwork(content.network);
  view.first = element("button", { type: "button", title: "to the first step (Home)", text: "|◀", "aria-label": "first step" });
  view.back = element("button", { type: "button", title: "one step back (←)", text: "◀ back" });
  view.play = element("button", { type: "button", title: "play (space)", text: "▶ play", "aria-pressed": "false", class: "play" });
  view.next = element("button", { type: "button", title: "one step on (→)", text: "step ▶", class: "next" });
  view.scrub = element("input", { type: "range", min: 0, max: 0, value: 0, step: 1, "aria-label": "step", class: "scrub" });
  view.count = element("output", { class: "count" });
  view.open = element("input", { type: "checkbox", class: "open" });
  view.sample = element("select", { class: "sample", "aria-label": "sample" });
  for (let n = 0; n < content.shown_samples; n++) view.sample.append(element("option", { value: n, text: content.labels[n] ?? `sample ${n}` }));
  view.ticks = element("div", { class: "ticks", "aria-hidden": "true" });
  view.phase = element("span", { class: "phase" });
  view.layer = element("strong", { class: "layer" });
  view.kind = element("span", { class: "kind" });
  view.title = element("span", { class: "title" });
  view.derived = element("span", { class: "derived" });
  view.note = element("p", { class: "note" });
  view.formula = element("div", { class: "formula" });
  view.withNumbers = element("div", { class: "with-numbers" });
  view.spaces = element("div", { class: "spaces" });
  view.tensors = element("div", { class: "tensors" });
  view.live = element("div", { class: "live", "aria-live": "polite" });
  view.time = element("input", { type: "range", min: 0, max: 0, value: 0, step: 1, class: "time-step", "aria-label": "time step" });
  view.timeSaid = element("output");
  view.timeLabel = element("label", { class: "time-chooser", hidden: "" }, view.time, view.timeSaid);
  const sampleLabel = element("label", {}, "sample ", view.sample);
  const openLabel = element("label", { title: "open each layer into its sub-steps" }, view.open, " sub-steps");
  root.replaceChildren(
    element("header", {}, element("strong", { text: content.title }), element("span", { class: "summary", text: content.summary })),
    element("div", { class: "network" }, view.svg),
    element("div", { class: "controls" }, view.first, view.back, view.play, view.next, view.count, sampleLabel, openLabel, view.timeLabel),
    element("div", { class: "time" }, view.scrub, view.ticks),
    element("section", { class: "step" },
      element("h3", {}, view.phase, " ", view.layer, " ", view.kind, " · ", view.title, " ", view.derived),
      view.formula, view.withNumbers, view.spaces, view.note, view.tensors),
    view.live,
  );
  return view;
}

// Which time step of a recurrent layer is open.
function drawTime(view, step, state) {
  view.timeLabel.hidden = step.times.length < 2;
  if (view.timeLabel.hidden) return;
  const nearest = step.times.reduce((best, t) => (Math.abs(t - state.time) < Math.abs(best - state.time) ? t : best));
  view.time.max = step.times.length - 1;
  view.time.value = step.times.indexOf(nearest);
  view.timeSaid.textContent = `t = ${nearest} of ${step.times.at(-1)}`;
  view.time.setAttribute("aria-valuetext", view.timeSaid.textContent);
}

function drawTicks(view, steps) {
  view.ticks.replaceChildren();
  let from = 0;
  for (let k = 1; k <= steps.length; k++) {
    if (k < steps.length && steps[k].phase === steps[from].phase) continue;
    const tick = element("span", { class: `tick ${steps[from].phase}`, text: steps[from].phase });
    tick.style.flexGrow = k - from;
    view.ticks.append(tick);
    from = k;
  }
}

// ------------------------------------------------------------------ the network

const SVG = "http://www.w3.org/2000/svg";

function svgElement(tag, attributes = {}, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function drawNetwork(network) {
  const svg = svgElement("svg", { viewBox: `0 0 ${network.width} ${network.height}`, width: network.width, height: network.height, role: "group", "aria-label": "the network" });
  const at = new Map(network.nodes.map((node) => [String(node.id), node]));
  for (const [from, to, lane] of network.edges) {
    const a = at.get(String(from)), b = at.get(String(to));
    const x1 = a.x + a.width, y1 = a.y + a.height / 2, x2 = b.x, y2 = b.y + b.height / 2;
    const curve = (x, y, u, v) => `C${(x + u) / 2},${y} ${(x + u) / 2},${v} ${u},${v}`;
    // An edge that passes by other layers rises within the gap between two columns, and comes down in another.
    const line = lane === null ? curve(x1, y1, x2, y2) : `${curve(x1, y1, x1 + GAP, lane)} H${x2 - GAP} ${curve(x2 - GAP, lane, x2, y2)}`;
    svg.append(svgElement("path", { d: `M${x1},${y1} ${line}`, class: "edge", "data-from": from, "data-to": to }));
  }
  for (const node of network.nodes) {
    const group = svgElement("g", { class: "node", "data-node": node.id, tabindex: 0, role: "button", "aria-label": `${node.name}, ${node.kind}, output ${node.shape}` });
    group.append(
      svgElement("rect", { x: node.x, y: node.y, width: node.width, height: node.height, rx: 6 }),
      svgElement("text", { x: node.x + node.width / 2, y: node.y + 18, class: "name" }, shorten(node.name, 19)),
      svgElement("text", { x: node.x + node.width / 2, y: node.y + 34, class: "shape" }, shorten(node.shape, 22)),
      svgElement("title", {}, `${node.name}: ${node.kind} → ${node.shape}`),
    );
    svg.append(group);
  }
  return svg;
}

function shorten(text, most) {
  return text.length > most ? `…${text.slice(1 - most)}` : text;
}

function markNetwork(view, content, step) {
  for (const node of view.svg.querySelectorAll("[data-node]")) {
    const here = node.dataset.node === String(step.node);
    node.classList.toggle("here", here);
    if (here) {
      node.setAttribute("aria-current", "step");
      const pane = view.svg.parentElement;
      const middle = node.getBoundingClientRect().left - pane.getBoundingClientRect().left + pane.scrollLeft;
      pane.scrollTo({ left: middle - pane.clientWidth / 2 });
    } else node.removeAttribute("aria-current");
  }
  for (const edge of view.svg.querySelectorAll(".edge")) {
    const end = step.phase === "backward" ? edge.dataset.from : edge.dataset.to;
    edge.classList.toggle("here", end === String(step.node));
  }
}

// ------------------------------------------------------------------ numbers

export function short(value) {
  if (value === null || Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value).replace("-", "−");
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(2) : value.toPrecision(4);
  return text.replace(/-/g, "−");
}

// The matrix that is shown of a tensor: the chosen index of every axis that is neither row nor column.
function matrixOf(tensor, { shape, values }, indices) {
  const offset = tensor.batch ? 1 : 0;
  const strides = shape.map((_, k) => shape.slice(k + 1).reduce((a, b) => a * b, 1));
  const rowsAxis = tensor.rows === null ? -1 : tensor.rows - offset;
  const columnsAxis = tensor.columns === null ? -1 : tensor.columns - offset;
  const start = tensor.chosen.reduce((sum, axis) => sum + Math.min(indices.get(axis) ?? 0, shape[axis - offset] - 1) * strides[axis - offset], 0);
  const rows = rowsAxis < 0 ? 1 : shape[rowsAxis], columns = columnsAxis < 0 ? 1 : shape[columnsAxis];
  const at = (i, j) => values[start + (rowsAxis < 0 ? 0 : i * strides[rowsAxis]) + (columnsAxis < 0 ? 0 : j * strides[columnsAxis])];
  return { rows, columns, at };
}

function fullSize(tensor) {
  return [tensor.rows === null ? 1 : tensor.shape[tensor.rows], tensor.columns === null ? 1 : tensor.shape[tensor.columns]];
}

function drawFormula(view, content, step, numbers, state) {
  view.formula.innerHTML = step.formula === null ? "" : content.formulas[step.formula].replace('display="inline"', 'display="block"');
  view.formula.dataset.latex = step.latex;
  view.withNumbers.replaceChildren();
  if (step.formula !== null && step.marked.length > 1) {
    view.withNumbers.innerHTML = view.formula.innerHTML;
    for (const place of view.withNumbers.querySelectorAll(".tensor")) {
      const k = Number(place.dataset.tensor), [number] = step.tensors[k], tensor = content.tensors[number];
      place.innerHTML = inlineMatrix(tensor, numbers[k], state.indices.get(number) ?? new Map());
    }
  }
  view.spaces.innerHTML = step.spaces.map(([name, space]) => `<span>${content.formulas[name]} <math><mo>∈</mo></math> ${content.formulas[space]}</span>`).join("");
}

function inlineMatrix(tensor, cut, indices) {
  const { rows, columns, at } = matrixOf(tensor, cut, indices), [allRows, allColumns] = fullSize(tensor);
  if (tensor.columns === null) return `<mn>${short(at(0, 0))}</mn>`;
  const is = Math.min(rows, INLINE), js = Math.min(columns, INLINE);
  const dots = (sign) => `<mtd><mo>${sign}</mo></mtd>`;
  let body = "";
  for (let i = 0; i < is; i++) {
    let row = "";
    for (let j = 0; j < js; j++) row += `<mtd><mn>${short(at(i, j))}</mn></mtd>`;
    body += `<mtr>${row}${js < allColumns ? dots("⋯") : ""}</mtr>`;
  }
  if (is < allRows) body += `<mtr>${dots("⋮").repeat(js)}${js < allColumns ? dots("⋱") : ""}</mtr>`;
  return `<mtable class="brackets">${body}</mtable>`; // a font without tall brackets could not stretch an operator
}

function drawTensors(view, content, step, numbers, state, redraw) {
  view.tensors.replaceChildren(...step.tensors.map(([number, symbol, name, role], k) => {
    const tensor = content.tensors[number], indices = state.indices.get(number) ?? new Map();
    state.indices.set(number, indices);
    const figure = element("figure", { class: `tensor-view ${role}`, "data-name": name });
    const caption = element("figcaption");
    caption.innerHTML = `${content.formulas[symbol]} `;
    caption.append(element("span", { class: "shape", text: `(${tensor.shape.join(", ")}) ${tensor.dtype}` }));
    figure.append(caption);
    for (const axis of tensor.chosen) if (tensor.shape[axis] > 1) figure.append(chooser(tensor, numbers[k], axis, indices, redraw));
    figure.append(drawMatrix(tensor, numbers[k], indices, name), statisticsOf(tensor));
    return figure;
  }));
}

function chooser(tensor, cut, axis, indices, redraw) {
  const there = cut.shape[axis - (tensor.batch ? 1 : 0)];
  const input = element("input", { type: "range", min: 0, max: there - 1, value: indices.get(axis) ?? 0, "aria-label": tensor.axes[axis] });
  const said = element("output", { text: `${tensor.axes[axis]} ${input.value} of ${tensor.shape[axis]}` });
  input.addEventListener("change", () => { indices.set(axis, Number(input.value)); redraw(); });
  return element("label", { class: "chooser" }, input, said);
}

function statisticsOf(tensor) {
  const s = tensor.statistics;
  const bad = s.not_finite ? ` · ${s.not_finite} not finite` : "";
  return element("div", { class: "statistics", text: `mean ${short(s.mean)} · std ${short(s.std)} · norm ${short(s.norm)} · zeros ${(100 * s.zeros).toFixed(0)}% · ${short(s.min)} … ${short(s.max)}${bad}` });
}

// White is 0, orange positive, blue negative; the same scale as far on both sides.
function colour(value, limit) {
  if (!Number.isFinite(value)) return "#ff00ff";
  const t = Math.max(-1, Math.min(1, value / limit)), [r, g, b] = t > 0 ? [213, 94, 0] : [0, 114, 178], a = Math.abs(t);
  return `rgb(${[r, g, b].map((c) => Math.round(255 + (c - 255) * a)).join(",")})`;
}

function drawMatrix(tensor, cut, indices, name) {
  const { rows, columns, at } = matrixOf(tensor, cut, indices), [allRows, allColumns] = fullSize(tensor);
  const limit = Math.max(Math.abs(tensor.statistics.min ?? 0), Math.abs(tensor.statistics.max ?? 0)) || 1;
  const partly = rows < allRows || columns < allColumns ? ` (the first ${rows} × ${columns} of ${allRows} × ${allColumns})` : "";
  if (rows * columns <= SMALL && columns <= 12) {
    const table = element("table", { class: "matrix", "aria-label": `${name}${partly}` });
    for (let i = 0; i < rows; i++) {
      const row = element("tr");
      for (let j = 0; j < columns; j++) {
        const value = at(i, j), cell = element("td", { text: short(value), title: String(value) });
        cell.style.background = colour(value, limit);
        cell.style.color = Math.abs(value) > 0.6 * limit ? "#fff" : "#111";
        row.append(cell);
      }
      table.append(row);
    }
    return element("div", {}, table, element("div", { class: "partly", text: partly.trim() }));
  }
  const size = Math.max(3, Math.min(16, Math.floor(260 / Math.max(rows, columns))));
  const tall = rows === 1 ? 16 : size; // a vector is a bar that a pointer can meet
  const canvas = element("canvas", { class: "matrix", width: columns * size, height: rows * tall, tabindex: 0, role: "img",
    "aria-label": `${name}: heat map of ${rows} × ${columns} numbers from ${short(tensor.statistics.min)} to ${short(tensor.statistics.max)}${partly}. Arrow keys read single numbers.` });
  const paint = canvas.getContext("2d");
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) { paint.fillStyle = colour(at(i, j), limit); paint.fillRect(j * size, i * tall, size, tall); }
  const said = element("output", { class: "partly", text: partly.trim() });
  const cursor = { i: 0, j: 0 };
  const say = () => { said.textContent = `[${cursor.i}, ${cursor.j}] = ${short(at(cursor.i, cursor.j))}`; canvas.title = said.textContent; };
  canvas.addEventListener("pointermove", (event) => {
    cursor.i = Math.min(rows - 1, Math.max(0, Math.floor((event.offsetY * canvas.height) / canvas.clientHeight / tall)));
    cursor.j = Math.min(columns - 1, Math.max(0, Math.floor((event.offsetX * canvas.width) / canvas.clientWidth / size)));
    say();
  });
  canvas.addEventListener("pointerleave", () => { said.textContent = partly.trim(); });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    cursor.i = Math.min(rows - 1, Math.max(0, cursor.i + move[0]));
    cursor.j = Math.min(columns - 1, Math.max(0, cursor.j + move[1]));
    say();
  });
  return element("div", {}, canvas, said);
}

// ------------------------------------------------------------------ where the numbers are from

export function fromBase64(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// What a page holds: JSON, compressed, in base64.
export async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

// The page: everything is inside.
export function pageSource(content) {
  const kept = new Map();
  return {
    numbers: async (tensor, sample) => {
      const { shape, data } = content.numbers[tensor], n = Math.min(sample, data.length - 1), key = `${tensor}/${n}`;
      if (!kept.has(key)) kept.set(key, { shape, values: fromBase64(data[n]) });
      return kept.get(key);
    },
    substeps: async (step, time) => {
      const { substeps, times } = content.steps[step];
      const nearest = times.length ? times.reduce((best, t) => (Math.abs(t - time) < Math.abs(best - time) ? t : best)) : null;
      return { steps: substeps.filter((child) => child.time === null || child.time === nearest), times };
    },
  };
}

// The widget: Python is asked. Each answer is kept.
function widgetSource(model) {
  const waiting = new Map();
  let asked = 0;
  model.on("msg:custom", (message) => {
    waiting.get(message.answer_to)?.(message);
    waiting.delete(message.answer_to);
  });
  const ask = (question) => new Promise((resolve) => {
    waiting.set(++asked, resolve);
    model.send({ ...question, number: asked });
  });
  const kept = new Map();
  const once = (key, make) => { if (!kept.has(key)) kept.set(key, make()); return kept.get(key); };
  return { ask, once };
}

async function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  const content = structuredClone(model.get("content"));
  const { ask, once } = widgetSource(model);
  const source = {
    numbers: (tensor, sample) => once(`n${tensor}/${content.tensors[tensor].batch ? sample : 0}`, async () => {
      const { shape, data } = await ask({ ask: "numbers", tensor, sample });
      return { shape, values: fromBase64(data[0]) };
    }),
    substeps: (step, time) => once(`s${step}/${time}`, async () => {
      const answer = await ask({ ask: "substeps", step, time });
      content.formulas.push(...answer.formulas);
      content.tensors.push(...answer.tensors);
      return answer;
    }),
  };
  const mounted = mount(root, content, source);
  return () => mounted.destroy();
}

export default { render };
