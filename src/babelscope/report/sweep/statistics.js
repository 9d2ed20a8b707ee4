// Means, intervals and correlations: pure functions of arrays.
"use strict";

const DRAWS = 1000;
const TAIL = 0.025; // 95 % intervals
const ROUNDING = 1e-12; // below it, differences are rounding
const FEWEST_LANGUAGES = 5; // fewer clusters have no interval worth the name

function known(values) {
  return values.filter((value) => typeof value === "number" && !Number.isNaN(value));
}

function mean(values) {
  const found = known(values);
  return found.length ? found.reduce((sum, value) => sum + value, 0) / found.length : NaN;
}

// The mean of independent values with half of its interval by Student's t; one value has no interval.
function tInterval(values, quantiles) {
  const found = known(values);
  const n = found.length;
  const centre = mean(found);
  if (n < 2) return { mean: centre, half: NaN, n };
  const variance = found.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (n - 1);
  const half = quantiles[n - 2] * Math.sqrt(variance / n);
  return { mean: centre, half: half > ROUNDING ? half : 0, n };
}

// Pearson's correlation of weighted points about the means of their strata: pooled within strata.
function correlate(x, y, strata, weights) {
  const size = strata.reduce((most, stratum) => Math.max(most, stratum), -1) + 1;
  const [total, meanX, meanY] = [0, 1, 2].map(() => new Float64Array(size));
  for (let i = 0; i < x.length; i++) {
    total[strata[i]] += weights[i];
    meanX[strata[i]] += weights[i] * x[i];
    meanY[strata[i]] += weights[i] * y[i];
  }
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    if (!weights[i]) continue;
    const stratum = strata[i];
    const across = x[i] - meanX[stratum] / total[stratum];
    const up = y[i] - meanY[stratum] / total[stratum];
    xx += weights[i] * across * across;
    yy += weights[i] * up * up;
    xy += weights[i] * across * up;
  }
  return Math.min(xx, yy) > ROUNDING ** 2 ? xy / Math.sqrt(xx * yy) : NaN;
}

// Ranks within strata as shares of the stratum, ties in the middle.
function rankWithin(values, strata) {
  const order = Uint32Array.from(values.keys()).sort((a, b) => strata[a] - strata[b] || values[a] - values[b]);
  const ranks = new Float64Array(values.length);
  for (let begin = 0, end = 0; begin < order.length; begin = end) {
    while (end < order.length && strata[order[end]] === strata[order[begin]]) end++;
    for (let i = begin; i < end; ) {
      let next = i;
      while (next < end && values[order[next]] === values[order[i]]) next++;
      const rank = ((i + next) / 2 - begin) / (end - begin);
      for (; i < next; i++) ranks[order[i]] = rank;
    }
  }
  return ranks;
}

// A generator of uniform numbers that gives the same ones on every call (mulberry32).
function uniform(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function compact(labels) {
  const places = new Map();
  return { codes: Int32Array.from(labels, (label) => places.get(label) ?? (places.set(label, places.size), places.size - 1)), size: places.size };
}

function quantile(sorted, share) {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

// Pearson's and Spearman's correlation within strata. Their intervals draw languages and groups of runs with
// replacement, both at once, and a point counts as often as its language times its group (Owen 2007): points that
// share a language or a group are not independent. Ranks are those among all points: ranks among few points that were
// drawn, many of them twice, would pull the interval towards 0.
function correlations(points, strata, draws = DRAWS) {
  const x = Float64Array.from(points, (point) => point.x);
  const y = Float64Array.from(points, (point) => point.y);
  const within = compact(points.map(strata));
  const languages = compact(points.map((point) => point.language));
  const groups = compact(points.map((point) => point.group));
  const [rankX, rankY] = [rankWithin(x, within.codes), rankWithin(y, within.codes)];
  const both = (weights) => [correlate(x, y, within.codes, weights), correlate(rankX, rankY, within.codes, weights)];
  const enough = points.length > 2;
  const values = enough ? both(new Float64Array(points.length).fill(1)) : [NaN, NaN];
  const drawn = [[], []];
  if (languages.size >= FEWEST_LANGUAGES && draws) {
    const random = uniform(1);
    const weights = new Float64Array(points.length);
    for (let draw = 0; draw < draws; draw++) {
      const [ofLanguage, ofGroup] = [languages, groups].map(({ size }) => {
        const counts = new Float64Array(size);
        for (let i = 0; i < size; i++) counts[Math.floor(random() * size)]++;
        return counts;
      });
      for (let i = 0; i < weights.length; i++) weights[i] = ofLanguage[languages.codes[i]] * ofGroup[groups.codes[i]];
      both(weights).forEach((value, place) => Number.isNaN(value) || drawn[place].push(value));
    }
  }
  const [pearson, spearman] = values.map((value, place) => {
    const sorted = Float64Array.from(drawn[place]).sort();
    const some = !Number.isNaN(value) && sorted.length && sorted.length >= draws / 2;
    return { value, low: some ? quantile(sorted, TAIL) : NaN, high: some ? quantile(sorted, 1 - TAIL) : NaN };
  });
  return { pearson, spearman, n: points.length, strata: within.size, languages: languages.size, groups: groups.size };
}
