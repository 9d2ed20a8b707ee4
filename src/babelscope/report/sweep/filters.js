// The form by which the reader chooses; every change draws the sections anew.
"use strict";

// What a row of a matrix can be; `told` writes each of its names.
const ROWS = [
  { name: "model", key: (run) => run.model, say: (run, told) => told(data.models[run.model]) },
  {
    name: "model and setting",
    key: (run) => run.model * data.settings.length + run.setting,
    say: (run, told) => `${told(data.models[run.model])}, ${told(data.settings[run.setting])}`,
  },
  {
    name: "model and source language",
    key: (run) => run.model * data.sources.length + run.source,
    say: (run, told) => `${told(data.models[run.model])}, from ${told(data.sources[run.source])}`,
  },
];

function offer() {
  const form = document.getElementById("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  const lists = [
    ["score", "Task and score", data.scores.map(({ label }) => label)],
    ["metric", "Alignment by", data.metrics.map(({ name }) => name)],
    ["part", "In the", data.parts],
    ["moment", "Measured", data.moments],
    ["rows", "Matrices by", ROWS.map(({ name }) => name)],
  ];
  form.append(...lists.filter(([, , names]) => names.length > 1).map(offerOne), ...FILTERS.map(offerSet));
}

function offerOne([key, label, names]) {
  const list = element("select", { name: key }, ...names.map((name, index) => element("option", { value: String(index) }, name)));
  list.value = String(chosen[key]);
  list.addEventListener("change", () => {
    chosen[key] = Number(list.value);
    show();
  });
  return element("label", {}, `${label} `, list);
}

function offerSet({ names, label }) {
  const summary = element("summary");
  const boxes = data[names].map((name, index) => {
    const box = element("input", { type: "checkbox", name: names, value: String(index), checked: true });
    box.addEventListener("change", () => take(index, box.checked));
    return box;
  });
  const say = () => {
    const [some, all] = [chosen[names].size, boxes.length];
    const only = some === 1 ? isolate(data[names][[...chosen[names]][0]]) : `${some} of ${all}`;
    summary.textContent = `${label}: ${some === all ? (all === 1 ? only : `all ${all}`) : only}`;
  };
  const take = (index, wanted) => {
    if (wanted) chosen[names].add(index);
    else chosen[names].delete(index);
    say();
    show();
  };
  const all = element("button", { type: "button" }, "all / none");
  all.addEventListener("click", () => {
    const wanted = chosen[names].size < boxes.length;
    boxes.forEach((box) => (box.checked = wanted));
    chosen[names] = new Set(wanted ? boxes.keys() : []);
    say();
    show();
  });
  say();
  const labels = boxes.map((box, index) => element("label", {}, box, ` ${data[names][index] || "(none)"}`));
  return element("details", { className: "filter" }, summary, element("div", { className: "boxes" }, ...(boxes.length > 2 ? [all] : []), ...labels));
}
