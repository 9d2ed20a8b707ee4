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

// Sums over the points of each stratum, language and group, which have one weight in every draw, about the means of
// strata: what a draw takes is then the number of languages times groups, however many seeds and points there are.
function sumUp(x, y, within, languages, groups) {
  const [total, meanX, meanY] = [0, 1, 2].map(() => new Float64Array(within.size));
  for (let i = 0; i < x.length; i++) {
    total[within.codes[i]]++;
    meanX[within.codes[i]] += x[i];
    meanY[within.codes[i]] += y[i];
  }
  const of = (i) => (within.codes[i] * languages.size + languages.codes[i]) * groups.size + groups.codes[i];
  const cells = compact(Array.from(x, (_, i) => of(i)));
  const [stratum, language, group] = [0, 1, 2].map(() => new Int32Array(cells.size));
  const sums = [0, 1, 2, 3, 4, 5].map(() => new Float64Array(cells.size)); // 1, x, y, xx, yy, xy
  for (let i = 0; i < x.length; i++) {
    const cell = cells.codes[i];
    [stratum[cell], language[cell], group[cell]] = [within.codes[i], languages.codes[i], groups.codes[i]];
    const across = x[i] - meanX[stratum[cell]] / total[stratum[cell]];
    const up = y[i] - meanY[stratum[cell]] / total[stratum[cell]];
    [1, across, up, across * across, up * up, across * up].forEach((value, place) => (sums[place][cell] += value));
  }
  return { stratum, language, group, sums, strata: within.size };
}

// Pearson's correlation of points about the means of their strata, pooled within strata, where a point counts as often
// as its language times its group.
function correlate({ stratum, language, group, sums, strata }, ofLanguage, ofGroup) {
  const [one, x, y, xx, yy, xy] = sums;
  const [total, meanX, meanY] = [0, 1, 2].map(() => new Float64Array(strata));
  let [squareX, squareY, product] = [0, 0, 0];
  for (let cell = 0; cell < stratum.length; cell++) {
    const weight = ofLanguage[language[cell]] * ofGroup[group[cell]];
    if (!weight) continue;
    total[stratum[cell]] += weight * one[cell];
    meanX[stratum[cell]] += weight * x[cell];
    meanY[stratum[cell]] += weight * y[cell];
    squareX += weight * xx[cell];
    squareY += weight * yy[cell];
    product += weight * xy[cell];
  }
  for (let place = 0; place < strata; place++) {
    if (!total[place]) continue;
    squareX -= meanX[place] ** 2 / total[place];
    squareY -= meanY[place] ** 2 / total[place];
    product -= (meanX[place] * meanY[place]) / total[place];
  }
  return Math.min(squareX, squareY) > ROUNDING ** 2 ? product / Math.sqrt(squareX * squareY) : NaN;
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
  const summed = [[x, y], [rankX, rankY]].map(([a, b]) => sumUp(a, b, within, languages, groups));
  const once = [languages, groups].map(({ size }) => new Float64Array(size).fill(1));
  const values = summed.map((sums) => (points.length > 2 ? correlate(sums, ...once) : NaN));
  const drawn = [[], []];
  if (languages.size >= FEWEST_LANGUAGES && draws) {
    const random = uniform(1);
    for (let draw = 0; draw < draws; draw++) {
      const [ofLanguage, ofGroup] = [languages, groups].map(({ size }) => {
        const counts = new Float64Array(size);
        for (let i = 0; i < size; i++) counts[Math.floor(random() * size)]++;
        return counts;
      });
      summed.forEach((sums, place) => {
        const value = correlate(sums, ofLanguage, ofGroup);
        if (!Number.isNaN(value)) drawn[place].push(value);
      });
    }
  }
  const [pearson, spearman] = values.map((value, place) => {
    const sorted = Float64Array.from(drawn[place]).sort();
    const some = !Number.isNaN(value) && sorted.length && sorted.length >= draws / 2;
    return { value, low: some ? quantile(sorted, TAIL) : NaN, high: some ? quantile(sorted, 1 - TAIL) : NaN };
  });
  return { pearson, spearman, n: points.length, strata: within.size, languages: languages.size, groups: groups.size };
}
