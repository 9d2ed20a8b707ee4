// Tables that can be sorted and downloaded. Cells are { text, note, values, href, shade }; a column's names head its values,
// and its key says which one it is where its name changes with what the reader chose.
"use strict";

const sorting = new Map();

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && name !== "role") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Shows a table in a place, sorted as the reader chose.
function showTable(place, name, caption, columns, rows) {
  const keys = columns.map((head) => head.key ?? head.name);
  if (!keys.includes(sorting.get(name)?.key)) sorting.delete(name); // columns come and go with the filters
  const { key, down } = sorting.get(name) ?? {};
  const column = keys.indexOf(key);
  const sorted = column < 0 ? rows : [...rows].sort((a, b) => compare(a[column], b[column], down));
  const heads = columns.map((head, index) => {
    const sort = element("button", { type: "button", title: "Sort by this column" }, head.name);
    sort.addEventListener("click", () => {
      sorting.set(name, { key: keys[index], down: column === index ? !down : Boolean(head.number) });
      showTable(place, name, caption, columns, rows);
      place.querySelectorAll("thead button")[index].focus();
    });
    const order = column === index ? (down ? "descending" : "ascending") : "none";
    return element("th", { scope: "col", "aria-sort": order, className: head.number ? "number" : "" }, sort);
  });
  const body = sorted.map((cells) => element("tr", {}, ...cells.map((cell, index) => showCell(cell, columns[index], index))));
  const table = element(
    "table",
    { className: "pinned" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...body),
  );
  const download = element("button", { type: "button", className: "download" }, `${name}.csv`);
  download.addEventListener("click", () => save(`${name}.csv`, toCsv(columns, sorted)));
  const scroll = element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": caption }, table);
  const old = place.querySelector(".scroll");
  const [left, top] = old ? [old.scrollLeft, old.scrollTop] : [0, 0];
  place.replaceChildren(scroll, element("p", { className: "downloads" }, download));
  scroll.scrollTo(left, top);
}

function showCell(cell, column, index) {
  const shown = cell.href ? element("a", { href: cell.href }, cell.text) : cell.text;
  const made = element(index ? "td" : "th", index ? {} : { scope: "row" }, shown);
  if (cell.note) made.append(element("small", {}, cell.note));
  if (cell.title) made.title = cell.title;
  if (column.number) made.classList.add("number");
  if (cell.shade) Object.assign(made.style, { backgroundColor: cell.shade.ground, color: cell.shade.ink });
  return made;
}

function compare(left, right, down) {
  const [a, b] = [left.values[0], right.values[0]];
  const missing = [a, b].map((value) => value === "" || Number.isNaN(value));
  if (missing[0] || missing[1]) return missing[0] - missing[1];
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en");
  return down ? -order : order;
}

function toCsv(columns, rows) {
  const quote = (value) => {
    const text = typeof value === "number" ? (Number.isNaN(value) ? "" : String(Number(value.toPrecision(6)))) : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns.flatMap((column) => column.names ?? [column.name]), ...rows.map((cells) => cells.flatMap((cell) => cell.values))];
  return lines.map((line) => line.map(quote).join(",")).join("\n") + "\n";
}

function save(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function textCell(text) {
  return { text, values: [text] };
}

function numberCell(value, digits = 3) {
  return { text: format(value, digits), values: [value] };
}

// A mean with half of its interval and n; n = 0 says that no seed had everything.
function meanCell({ mean: centre, half, n }, digits = 3) {
  const note = Number.isNaN(centre) ? "" : Number.isNaN(half) ? (n ? "one seed" : "incomplete") : `± ${format(half, digits)}`;
  return { text: format(centre, digits), note, values: [centre, half, n] };
}

function format(value, digits) {
  return Number.isNaN(value) ? "" : value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
}

// Shades a cell between the lowest and the highest value; darker is better.
function shade(value, low, high, flip) {
  if (Number.isNaN(value)) return null;
  const stops = data.colours.scale.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  const share = high > low ? (value - low) / (high - low) : 0.5;
  const at = (flip ? 1 - share : share) * (stops.length - 1);
  const below = Math.min(Math.floor(at), stops.length - 2);
  const mixed = stops[below].map((channel, place) => Math.round(channel + (at - below) * (stops[below + 1][place] - channel)));
  const light = 0.299 * mixed[0] + 0.587 * mixed[1] + 0.114 * mixed[2];
  return { ground: `rgb(${mixed.join(" ")})`, ink: light > 140 ? "#1d2430" : "#ffffff" };
}
