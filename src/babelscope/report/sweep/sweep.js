// The sections of the page, drawn anew whenever the reader chooses.
"use strict";

const root = document.documentElement;
const STRATA = [
  { name: "within model", what: "each model about its own mean", key: (point) => point.run.model },
  { name: "overall", what: "models differ in both for other reasons as well", key: () => 0 },
  {
    name: "within model and language",
    what: "runs against each other, language by language",
    key: (point) => point.run.model * data.languages.length + point.language,
  },
];
let waiting = 0;

function place(name) {
  return document.querySelector(`#${name} .place`);
}

function metric() {
  return data.metrics[chosen.metric] ?? { name: "alignment", title: "", reading: "", way: 1 };
}

function where() {
  return `${metric().name}, ${data.parts[chosen.part]}, ${data.moments[chosen.moment]}`;
}

function showCards(selection) {
  const groups = groupRows(selection).filter(({ transfer }) => !Number.isNaN(transfer.mean));
  const best = groups.sort((a, b) => (selection.score.down ? 1 : -1) * (a.transfer.mean - b.transfer.mean))[0];
  const counts = gather(selection.shown, ({ state }) => state);
  const rest = [...counts].filter(([state]) => state !== "done").map(([state, runs]) => `${runs.length} ${state}`);
  const cards = [[`${selection.counted.length}`, "finished runs in every mean", rest.join(", ")]];
  if (best) {
    const { half } = best.transfer;
    const note = `${best.name}${Number.isNaN(half) ? "" : `, ± ${format(half, 3)}`}`;
    cards.push([format(best.transfer.mean, 2), `best mean zero-shot ${selection.score.name}`, note]);
    const highest = [...groups].filter(({ alignment }) => !Number.isNaN(alignment.mean));
    const most = highest.sort((a, b) => metric().way * (b.alignment.mean - a.alignment.mean))[0];
    if (most) cards.push([format(most.alignment.mean, 2), `best ${where()}`, most.name]);
  }
  document.getElementById("cards").replaceChildren(
    ...cards.map(([value, what, note]) =>
      element("div", { className: "card" }, element("strong", {}, value), element("span", {}, what), element("em", {}, note)),
    ),
  );
}

function groupRows(selection) {
  return [...gather(selection.counted, groupOf).values()].map((runs) => ({
    runs,
    name: `${isolate(data.models[runs[0].model])}, ${isolate(data.settings[runs[0].setting])}, from ${isolate(data.sources[runs[0].source])}`,
    source: overSeeds(runs, sourceScore),
    transfer: overSeeds(runs, (run) => zeroShot(run, selection)),
    alignment: overSeeds(runs, (run) => meanAlignment(run, selection)),
    best: overSeeds(runs, bestLayer),
  }));
}

function showGroups(selection) {
  const score = selection.score.name;
  const of = (name, head) => ({ key: head, name, number: true, names: [head, `${head}_half`, `${head}_n`] });
  const columns = [
    { name: "Model" },
    { name: "Setting" },
    { name: "Fine-tuned on" },
    { name: "Runs", number: true },
    of(`Source ${score}`, "source"),
    of(`Zero-shot ${score}`, "zero_shot"),
    of(where(), "alignment"),
    of("Best layer", "best_layer"),
  ];
  const rows = groupRows(selection).map(({ runs, source, transfer, alignment, best }) => [
    textCell(data.models[runs[0].model]),
    textCell(data.settings[runs[0].setting]),
    textCell(data.sources[runs[0].source]),
    numberCell(runs.length, 0),
    ...[source, transfer, alignment].map((found) => meanCell(found)),
    meanCell(best, 1),
  ]);
  showTable(place("groups"), "groups", `Mean ± half-width of the 95 % interval over seeds, ${isolate(selection.score.task)}`, columns, rows);
}

function showMatrix(name, what, selection, value, languages, flip) {
  const by = ROWS[chosen.rows];
  const lines = [...gather(selection.counted, by.key)].sort(([a], [b]) => a - b).map(([, runs]) => runs);
  const cells = lines.map((runs) => languages.map((language) => overSeeds(runs, (run) => value(run, language))));
  const all = known(cells.flat().map((cell) => cell.mean));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const columns = [{ key: "rows", name: by.name }, ...languages.map((language) => languageColumn(language))];
  const rows = lines.map(([run], index) => [
    { text: by.say(run, isolate), values: [by.say(run, String)] },
    ...cells[index].map((cell) => ({
      ...meanCell(cell, 2),
      note: "",
      title: Number.isNaN(cell.half) ? "" : `${format(cell.mean, 3)} ± ${format(cell.half, 3)}, ${cell.n} seeds`,
      shade: shade(cell.mean, low, high, flip),
    })),
  ]);
  showTable(place(name), name, all.length ? `${what}; shaded from ${format(low, 2)} to ${format(high, 2)}, darker is better` : what, columns, rows);
}

function languageColumn(language) {
  const name = data.languages[language];
  return { key: language, name, number: true, names: [name, `${name}_half`, `${name}_n`] };
}

function showMatrices(selection) {
  const carried = (run, language) => (language === run.own ? NaN : testOf(run, language));
  const better = selection.score.down ? 1 : -1;
  const order = selection.targets
    .map((language) => ({ language, mean: mean(selection.counted.map((run) => carried(run, language))) }))
    .sort((a, b) => Number.isNaN(a.mean) - Number.isNaN(b.mean) || better * (a.mean - b.mean))
    .map(({ language }) => language);
  showMatrix("transfer", `Zero-shot test ${selection.score.name}, ${isolate(selection.score.task)}, by target language`, selection, carried, order, selection.score.down);
  showMatrix("alignment", `${where()}, by language`, selection, alignmentOf, order, metric().way < 0);
}

function showBest(selection) {
  const models = [...gather(selection.counted, ({ model }) => model)].sort(([a], [b]) => a - b);
  const depth = (run, layer) => (100 * layer) / Math.max(...run.layers);
  const lines = models.flatMap(([model, runs]) =>
    data.moments.flatMap((moment, place) => {
      const layers = [...new Set(runs.flatMap((run) => run.layers))].sort((a, b) => a - b);
      const deepest = { layers };
      const points = layers
        .map((layer) => [depth(deepest, layer), mean(runs.map((run) => run.alignment[chosen.metric]?.profile[place]?.[run.layers.indexOf(layer)]))])
        .filter(([, value]) => !Number.isNaN(value));
      return points.length ? [{ model, points, dashed: place === 0, name: `${isolate(data.models[model])}, ${moment}` }] : [];
    }),
  );
  const picture = document.querySelector("#best .drawn");
  if (lines.length) drawLines(picture, lines, `${metric().title}, by depth and model`, ["depth (% of the layers)", metric().name]);
  else picture.replaceChildren();
  const named = (name, head) => ({ key: head, name, number: true, names: [head, `${head}_half`, `${head}_n`] });
  const columns = [
    { name: "Model" },
    { name: "Layers", number: true },
    named("Best layer before", "before"),
    named("Best layer after", "after"),
    named("Depth after (%)", "depth_after"),
    named(`${metric().name} there`, "score"),
  ];
  const rows = models.map(([model, runs]) => [
    textCell(data.models[model]),
    numberCell(Math.max(...runs.map((run) => run.layers.length)), 0),
    meanCell(overSeeds(runs, (run) => bestLayer(run, 0)), 1),
    meanCell(overSeeds(runs, (run) => bestLayer(run, 1)), 1),
    meanCell(overSeeds(runs, (run) => depth(run, bestLayer(run, 1))), 0),
    meanCell(overSeeds(runs, (run) => run.alignment[chosen.metric]?.profile[1]?.[run.layers.indexOf(bestLayer(run, 1))] ?? NaN)),
  ]);
  showTable(document.querySelector("#best .place"), "best-layers", `Best layer by ${metric().name}, mean ± half-width of the 95 % interval over seeds`, columns, rows);
}

function showCorrelation(selection) {
  const points = pointsOf(selection);
  const [down, apart] = [selection.score.down, metric().way < 0];
  const titles = [`${apart ? "− " : ""}${where()}`, `${down ? "− " : ""}zero-shot ${selection.score.name}`];
  const say = ({ run, language, x, y }) =>
    `${isolate(data.models[run.model])}, ${isolate(data.settings[run.setting])}, ${isolate(data.sources[run.source])} to ${isolate(data.languages[language])}, seed ${data.seeds[run.seed]}: ${format(x, 3)}, ${format(y, 3)}`;
  const picture = document.querySelector("#correlation .drawn");
  if (points.length) drawPoints(picture, points, `${titles[1]} against ${titles[0]}: ${points.length} points`, titles, say);
  else picture.replaceChildren();
  const named = (name, head) => ({ name, number: true, names: [head, `${head}_low`, `${head}_high`] });
  const columns = [
    { name: "Correlation" },
    named("Spearman", "spearman"),
    named("Pearson", "pearson"),
    ...["Points", "Languages", "Groups of runs"].map((name) => ({ name, number: true })),
  ];
  const rows = STRATA.map(({ name, what, key }) => {
    const { spearman, pearson, n, languages, groups } = correlations(points, key);
    return [
      { text: name, note: what, values: [name] },
      ...[spearman, pearson].map(({ value, low, high }) => ({
        text: format(value, 2),
        note: Number.isNaN(value) ? "" : Number.isNaN(low) ? "no interval" : `${format(low, 2)} to ${format(high, 2)}`,
        values: [value, low, high],
      })),
      ...[n, languages, groups].map((count) => numberCell(count, 0)),
    ];
  });
  showTable(place("correlation"), "correlation", `Correlation of ${titles[0]} with ${titles[1]}, with 95 % intervals`, columns, rows);
  offerPoints(points, titles);
}

function offerPoints(points, titles) {
  const columns = [...["model", "setting", "source", "seed", "language"], ...titles].map((name) => ({ name }));
  const rows = () =>
    points.map(({ run, language, x, y }) => [
      ...[data.models[run.model], data.settings[run.setting], data.sources[run.source], data.seeds[run.seed], data.languages[language]].map(textCell),
      { values: [x] },
      { values: [y] },
    ]);
  const download = element("button", { type: "button", className: "download" }, "points.csv");
  download.addEventListener("click", () => save("points.csv", toCsv(columns, rows())));
  place("correlation").querySelector(".downloads").append(" ", download);
}

function showRuns(selection) {
  const columns = [
    { name: "Run" },
    ...["Model", "Setting", "Fine-tuned on", "Task", "Seed", "State"].map((name) => ({ name })),
    ...["Source score", "Zero-shot score"].map((name) => ({ name, number: true })),
    { key: "alignment", name: where(), number: true },
  ];
  const counts = new Set(selection.counted);
  const rows = selection.shown.map((run) => [
    { text: run.folder, href: run.page, values: [run.folder] },
    ...[data.models[run.model], data.settings[run.setting], data.sources[run.source], data.tasks[run.task], data.seeds[run.seed], run.state].map(textCell),
    ...[sourceScore, (found) => zeroShot(found, selection), (found) => meanAlignment(found, selection)].map((value) =>
      numberCell(counts.has(run) ? value(run) : NaN),
    ),
  ]);
  showTable(place("runs"), "runs", `${rows.length} runs; a name is a link where the run has a page of its own`, columns, rows);
}

function show() {
  const selection = select();
  const number = selection.targets.filter((language) => selection.shared.has(language)).length;
  const chosenOnes = `${number} of the ${selection.targets.length} chosen languages, those`;
  const which = selection.targets.length < data.languages.length ? chosenOnes : `the ${number} languages`;
  const over = selection.shared.size ? `Zero-shot means cover ${which} that all of these tested or were trained on, excluding each run's source language.` : "";
  document.getElementById("shown").textContent = `${selection.shown.length} of ${data.runs.length} runs are shown, ${selection.counted.length} of them finished. ${over}`;
  document.querySelectorAll(".needs-scores").forEach((section) => (section.hidden = !selection.counted.length));
  showRuns(selection);
  if (selection.counted.length) {
    document.getElementById("metric-reading").textContent = metric().reading;
    showCards(selection);
    showGroups(selection);
    showMatrices(selection);
    showBest(selection);
  }
  clearTimeout(waiting); // a thousand draws: after what is seen first
  waiting = setTimeout(() => {
    if (selection.counted.length) showCorrelation(selection);
    root.dataset.correlated = String(Math.round(performance.now()));
  });
  root.dataset.ready ??= String(Math.round(performance.now()));
}

document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
let wide = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === wide) return;
  wide = innerWidth;
  show();
});
if (data.runs.length) {
  offer();
  show();
}
