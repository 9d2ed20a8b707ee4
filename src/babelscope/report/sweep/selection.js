// What the reader has chosen, which runs that shows, and what those runs scored.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const FILTERS = [
  { names: "models", key: "model", label: "Model" },
  { names: "settings", key: "setting", label: "Setting" },
  { names: "sources", key: "source", label: "Fine-tuned on" },
  { names: "seeds", key: "seed", label: "Seed" },
  { names: "languages", key: null, label: "Tested in" },
];
const chosen = {
  score: 0,
  metric: 0,
  part: 0,
  moment: 1,
  rows: 0,
  ...Object.fromEntries(FILTERS.map(({ names }) => [names, new Set(data[names].keys())])),
};

// The runs that are shown, those of them that count, and the languages that their means are over.
function select() {
  const score = data.scores[chosen.score];
  const task = score ? data.tasks.indexOf(score.task) : -1;
  const shown = data.runs.filter(
    (run) =>
      (!score || run.task === task) && FILTERS.every(({ names, key }) => key === null || chosen[names].has(run[key])),
  );
  const counted = shown.filter((run) => run.tests?.[chosen.score]);
  const targets = [...chosen.languages].sort((a, b) => a - b);
  return { score, shown, counted, targets, shared: shared(counted) };
}

// Languages that all runs tested or were trained on; runs that tested no other language do not count.
function shared(runs) {
  const tested = runs
    .map((run) => run.tests[chosen.score].flatMap((value, place) => (value === null && place !== run.own ? [] : [place])))
    .filter((places, index) => places.some((place) => place !== runs[index].own));
  return new Set(tested.length ? tested.reduce((left, right) => left.filter((place) => right.includes(place))) : []);
}

function testOf(run, language) {
  return run.tests[chosen.score][language] ?? NaN;
}

function sourceScore(run) {
  return run.own < 0 ? NaN : testOf(run, run.own);
}

function zeroShot(run, selection) {
  const others = selection.targets.filter((place) => place !== run.own && selection.shared.has(place));
  return mean(others.map((place) => testOf(run, place)));
}

function alignmentOf(run, language) {
  return run.alignment?.[chosen.metric]?.languages[chosen.moment][chosen.part]?.[language] ?? NaN;
}

function meanAlignment(run, selection) {
  return mean(selection.targets.map((place) => alignmentOf(run, place)));
}

function bestLayer(run, moment = chosen.moment) {
  const best = run.alignment?.[chosen.metric]?.best[moment] ?? -1;
  return best < 0 ? NaN : run.layers[best];
}

function groupOf(run) {
  return `${run.model},${run.setting},${run.source}`;
}

function gather(runs, key) {
  const groups = new Map();
  for (const run of runs) {
    const name = key(run);
    if (groups.has(name)) groups.get(name).push(run);
    else groups.set(name, [run]);
  }
  return groups;
}

// Mean with its interval over seeds. Settings and source languages are averaged within a seed first; seeds that lack one
// are left out, and where all lack some there is a mean without an interval (n = 0).
function overSeeds(runs, value) {
  const measured = runs.map((run) => ({ run, value: value(run) })).filter((found) => !Number.isNaN(found.value));
  const kinds = gather(measured, ({ run }) => groupOf(run));
  const within = (found) => mean([...gather(found, ({ run }) => groupOf(run)).values()].map(meanOf));
  const whole = [...gather(measured, ({ run }) => run.seed).values()].filter(
    (found) => new Set(found.map(({ run }) => groupOf(run))).size === kinds.size,
  );
  if (!whole.length) return { mean: within(measured), half: NaN, n: 0 };
  return tInterval(whole.map(within), data.quantiles);
}

function meanOf(found) {
  return mean(found.map(({ value }) => value));
}

// One point per run and language that it was not trained on. Signs are turned so that up is better on both axes.
function pointsOf(selection) {
  const way = data.metrics[chosen.metric]?.way ?? 1;
  const better = selection.score?.down ? -1 : 1;
  return selection.counted.flatMap((run) =>
    selection.targets
      .filter((language) => language !== run.own)
      .map((language) => ({ run, language, group: groupOf(run), x: way * alignmentOf(run, language), y: better * testOf(run, language) }))
      .filter((point) => !Number.isNaN(point.x) && !Number.isNaN(point.y)),
  );
}
