// Draws each panel when it is scrolled to, answers its choices, and follows the reader's light or dark theme.
"use strict";

const CONFIG = { responsive: true, displayModeBar: false };
const root = document.documentElement;
const drawn = new Set();

function colour(name) {
  return getComputedStyle(root).getPropertyValue(name).trim();
}

function template() {
  const axis = { gridcolor: colour("--grid"), linecolor: colour("--grid"), zeroline: false, automargin: false };
  const hover = { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink"), size: 13 } };
  return {
    layout: {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: colour("--sans"), size: 12, color: colour("--soft") },
      hoverlabel: { ...hover, align: "left" },
      xaxis: { ...axis, title: { standoff: 8 } },
      yaxis: { ...axis, title: { standoff: 8 } },
    },
  };
}

function read(panel) {
  if (!panel.content) {
    panel.content = JSON.parse(panel.querySelector('script[type="application/json"]').textContent);
    panel.chosen = panel.content.choices.map((choice) => choice.start);
  }
  return panel.content;
}

function show(panel) {
  const figures = read(panel).views[panel.chosen.join(",")] ?? [];
  const place = panel.querySelector(".figures");
  while (place.children.length > figures.length) {
    Plotly.purge(place.lastElementChild.querySelector(".plot"));
    place.lastElementChild.remove();
  }
  while (place.children.length < figures.length) place.append(frame()); // all of them first: they share the width
  figures.forEach((figure, index) => {
    const box = place.children[index];
    const plot = box.querySelector(".plot");
    box.querySelector("figcaption").textContent = figure.caption;
    plot.style.height = `${figure.layout.height}px`;
    const data = figure.data.map((trace) => ({ ...trace }));
    const layout = { ...structuredClone(figure.layout), template: template() };
    thin(layout, figure, plot.clientWidth);
    Plotly.react(plot, data, layout, CONFIG).then(() => {
      follow(plot);
      globalThis.placeLabels?.(plot);
    });
  });
  const notes = panel.content.choices.map((choice, index) => choice.notes[panel.chosen[index]] ?? "");
  panel.querySelector(".note").textContent = notes.join(" ").trim();
  drawn.add(panel);
  root.dataset.drawn = String(drawn.size);
}

// Names fewer columns of a heat map where the names would overlap, as on a phone.
function thin(layout, figure, width) {
  const axis = layout.xaxis;
  const names = figure.data[0]?.type === "heatmap" && axis?.dtick === 1 ? figure.data[0].x : [];
  const wide = axis?.tickangle ? 13 : 8 + 6 * Math.max(...names.map((name) => String(name).length));
  const room = width - layout.margin.l - layout.margin.r - 60; // the colour bar
  if (names.length * wide > room) axis.dtick = Math.ceil((names.length * wide) / Math.max(room, wide));
}

function frame() {
  const box = document.createElement("figure");
  box.append(document.createElement("figcaption"), document.createElement("div"));
  box.lastElementChild.className = "plot";
  return box;
}

// Lays a bold line over the language under the pointer: all languages are one trace, broken by gaps.
function follow(plot) {
  if (plot.followed) return;
  plot.followed = true;
  plot.on("plotly_hover", ({ points }) => {
    const trace = points[0].data;
    const over = plot.data.findIndex((other) => other.meta === "chosen");
    if (trace.meta !== "languages" || over < 0) return;
    const places = trace.customdata.flatMap((language, place) => (language === points[0].customdata ? [place] : []));
    Plotly.restyle(plot, { x: [places.map((place) => trace.x[place])], y: [places.map((place) => trace.y[place])] }, [over]);
  });
}

function offer(panel) {
  const form = panel.querySelector(".choices");
  form.addEventListener("submit", (event) => event.preventDefault());
  read(panel).choices.forEach((choice, index) => {
    if (choice.options.length < 2) return;
    const set = document.createElement("fieldset");
    const legend = document.createElement("legend");
    legend.textContent = choice.label;
    const pick = (place) => {
      panel.chosen[index] = place;
      show(panel);
    };
    set.append(legend, ...(choice.kind === "slider" ? slider(choice, pick) : buttons(choice, pick)));
    form.append(set);
  });
}

function buttons(choice, pick) {
  const all = choice.options.map((option, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = option;
    button.setAttribute("aria-pressed", String(place === choice.start));
    button.addEventListener("click", () => {
      all.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      pick(place);
    });
    return button;
  });
  return all;
}

function slider(choice, pick) {
  const input = document.createElement("input");
  const output = document.createElement("output");
  Object.assign(input, { type: "range", min: 0, max: choice.options.length - 1, value: choice.start });
  input.setAttribute("aria-label", choice.label);
  output.textContent = choice.options[choice.start];
  input.addEventListener("input", () => {
    output.textContent = choice.options[input.value];
    pick(Number(input.value));
  });
  return [input, output];
}

// "#all" in the address, and printing, draw everything at once.
function drawAll() {
  openRun("all");
  document.querySelectorAll(".panel").forEach(reveal);
}

function reveal(panel) {
  if (drawn.has(panel)) return;
  offer(panel);
  show(panel);
}

// Opens one run, or "all" of them, each under its name.
function openRun(place) {
  root.dataset.open = place;
  document.querySelectorAll(".run").forEach((run) => (run.hidden = ![run.dataset.run, "all"].includes(place)));
  document.querySelectorAll(".tabs button").forEach((tab) => tab.setAttribute("aria-selected", String(tab.dataset.run === place)));
}

const watcher = new IntersectionObserver(
  (entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => reveal(target));
  },
  { rootMargin: "400px" },
);

function repaint() {
  drawn.forEach(show);
}

document.querySelectorAll(".tabs button").forEach((tab) => tab.addEventListener("click", () => openRun(tab.dataset.run)));
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  repaint();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
openRun("0");
document.querySelectorAll(".panel").forEach((panel) => {
  const { top, height } = panel.getBoundingClientRect();
  if (height && top < innerHeight) reveal(panel); // what is seen first does not wait for the watcher
  watcher.observe(panel);
});

// Figures keep the width they have on the screen, so on paper no column is narrower.
function keepWidths() {
  document.querySelectorAll(".figures").forEach((place) => {
    const width = place.querySelector(".plot")?.clientWidth;
    if (width) place.style.gridTemplateColumns = `repeat(auto-fit, minmax(min(100%, ${width}px), 1fr))`;
  });
  const free = () => document.querySelectorAll(".figures").forEach((place) => (place.style.gridTemplateColumns = ""));
  window.addEventListener("afterprint", free, { once: true });
}

window.addEventListener("beforeprint", () => {
  const { open } = root.dataset;
  if (open !== "all") window.addEventListener("afterprint", () => openRun(open), { once: true });
  drawAll();
  keepWidths();
});
if (location.hash === "#all") drawAll();
