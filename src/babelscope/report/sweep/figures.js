// Lines and points as SVG, drawn to the width that there is.
"use strict";

const MARGIN = { left: 58, right: 14, top: 10, bottom: 44 };
const MOST_POINTS = 4000;

function svg(tag, properties = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Round numbers that divide a range into about `count` steps.
function ticks(low, high, count) {
  const raw = (high - low) / count || 1;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((times) => times * size).find((wide) => wide >= raw);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}

function limits(values) {
  const found = known(values);
  const [low, high] = found.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  const room = 0.04 * (high - low) || 0.05;
  return [low - room, high + room];
}

// An empty frame with axes; gives the picture and the functions that place x and y in it.
function frame(place, label, xs, ys, titles, height = 380) {
  const width = Math.max(place.parentElement.clientWidth - 30, 280); // less the frame of the place, hidden while empty
  const across = (value) => MARGIN.left + ((value - xs[0]) / (xs[1] - xs[0])) * (width - MARGIN.left - MARGIN.right);
  const up = (value) => height - MARGIN.bottom - ((value - ys[0]) / (ys[1] - ys[0])) * (height - MARGIN.top - MARGIN.bottom);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label, class: "drawing" });
  const text = (x, y, content, anchor, rest = {}) => {
    const made = svg("text", { x, y, "text-anchor": anchor, ...rest });
    made.textContent = typeof content === "number" ? String(content).replace("-", "−") : content;
    return made;
  };
  for (const tick of ticks(...ys, 6)) {
    picture.append(svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: up(tick), y2: up(tick), class: "grid" }));
    picture.append(text(MARGIN.left - 8, up(tick) + 4, tick, "end"));
  }
  for (const tick of ticks(...xs, width < 500 ? 4 : 8)) picture.append(text(across(tick), height - MARGIN.bottom + 18, tick, "middle"));
  picture.append(text((MARGIN.left + width - MARGIN.right) / 2, height - 6, titles[0], "middle", { class: "title" }));
  const [x, y] = [14, (MARGIN.top + height - MARGIN.bottom) / 2];
  picture.append(text(x, y, titles[1], "middle", { transform: `rotate(-90 ${x} ${y})`, class: "title" }));
  return { picture, across, up };
}

function colourOf(place) {
  return data.colours.lines[place % data.colours.lines.length];
}

function drawLegend(models) {
  const items = models.map((model) => element("li", { style: `--mark: ${colourOf(model)}` }, isolate(data.models[model])));
  return element("ul", { className: "legend" }, ...items);
}

// Lines over the depth, one per model; dashed is before fine-tuning.
function drawLines(place, lines, label, titles) {
  const ys = limits(lines.flatMap(({ points }) => points.map(([, y]) => y)));
  const { picture, across, up } = frame(place, label, [0, 100], ys, titles, 340);
  for (const { model, points, dashed, name } of lines) {
    const path = points.map(([x, y], index) => `${index ? "L" : "M"}${across(x).toFixed(1)} ${up(y).toFixed(1)}`).join("");
    const line = svg("path", { d: path, stroke: colourOf(model), class: dashed ? "line dashed" : "line" });
    const title = svg("title");
    title.textContent = name;
    line.append(title);
    picture.append(line);
  }
  place.replaceChildren(drawLegend([...new Set(lines.map(({ model }) => model))]), picture);
}

// Points coloured by model, with each model's own regression line.
function drawPoints(place, points, label, titles, sayPoint) {
  const { picture, across, up } = frame(place, label, limits(points.map(({ x }) => x)), limits(points.map(({ y }) => y)), titles);
  const every = Math.ceil(points.length / MOST_POINTS);
  for (const point of points.filter((_, index) => index % every === 0)) {
    const mark = svg("circle", { cx: across(point.x).toFixed(1), cy: up(point.y).toFixed(1), r: 3, fill: colourOf(point.run.model) });
    const title = svg("title");
    title.textContent = sayPoint(point);
    mark.append(title);
    picture.append(mark);
  }
  const models = gather(points, ({ run }) => run.model);
  for (const [model, own] of models) {
    const [x, y] = [mean(own.map((point) => point.x)), mean(own.map((point) => point.y))];
    const spread = own.reduce((sum, point) => sum + (point.x - x) ** 2, 0);
    if (own.length < 3 || spread < ROUNDING) continue;
    const slope = own.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0) / spread;
    const ends = [Math.min, Math.max].map((end) => own.reduce((found, point) => end(found, point.x), own[0].x));
    const path = ends.map((at, index) => `${index ? "L" : "M"}${across(at).toFixed(1)} ${up(y + slope * (at - x)).toFixed(1)}`).join("");
    picture.append(svg("path", { d: path, class: "line halo" }), svg("path", { d: path, stroke: colourOf(model), class: "line" }));
  }
  place.replaceChildren(drawLegend([...models.keys()].sort((a, b) => a - b)), picture);
}
