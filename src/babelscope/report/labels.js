// Sets the names of points beside them, each at the nearest place where it covers no point, bar or other name.
"use strict";

const GAP = 5;

function placeLabels(plot) {
  const trace = plot.data.find((candidate) => candidate.meta === "labelled");
  if (!trace || !plot._fullLayout?.xaxis) return;
  const { xaxis, yaxis } = plot._fullLayout;
  const points = trace.x.map((x, place) => ({
    x: xaxis.d2p(x), y: yaxis.d2p(trace.y[place]), text: trace.text[place], reach: trace.marker.size[place] / 2 + GAP,
  }));
  const room = { right: xaxis._length, bottom: yaxis._length };
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `13px ${colour("--sans")}`;
  const decoder = document.createElement("textarea");
  const taken = points.map(({ x, y, reach }) => ({ left: x - reach, right: x + reach, top: y - reach, bottom: y + reach }));
  const annotations = points.map((point) => {
    decoder.innerHTML = point.text;
    const width = pen.measureText(decoder.value).width + 4;
    const spot = best(point, width, 17, taken, room);
    taken.push(spot.box);
    return {
      x: trace.x[points.indexOf(point)], y: trace.y[points.indexOf(point)], text: point.text, font: { size: 13, color: colour("--ink") }, bgcolor: colour("--card"), opacity: 0.92,
      ax: spot.x - point.x, ay: spot.y - point.y, xanchor: "center", yanchor: "middle", showarrow: true,
      arrowhead: 0, arrowwidth: 0.8, arrowcolor: spot.far ? colour("--soft") : "rgba(0,0,0,0)", borderpad: 0, standoff: point.reach - 2,
    };
  });
  Plotly.relayout(plot, { annotations });
}

function best(point, width, height, taken, room) {
  let found = null;
  for (let ring = 0; ring < 7; ring += 1) {
    for (let turn = 0; turn < 16; turn += 1) {
      const angle = (turn * Math.PI) / 8;
      const x = point.x + Math.cos(angle) * (point.reach + width / 2 + ring * 16);
      const y = point.y - Math.sin(angle) * (point.reach + height / 2 + ring * 14);
      const box = { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
      const outside = Math.max(0, -box.left) + Math.max(0, box.right - room.right) + Math.max(0, -box.top) + Math.max(0, box.bottom - room.bottom);
      const cost = taken.reduce((sum, other) => sum + overlap(box, other), 0) + 60 * outside;
      const spot = { x, y, box, cost: cost + ring * 8, far: ring > 0 };
      if (cost === 0) return spot;
      if (!found || spot.cost < found.cost) found = spot;
    }
  }
  return found;
}

function overlap(a, b) {
  const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return wide > 0 && high > 0 ? wide * high + 1 : 0;
}

// A page that changes its width moves points but not names.
new ResizeObserver(() => {
  document.querySelectorAll(".plot").forEach((plot) => plot.data && placeLabels(plot));
}).observe(document.body);
