// Paper does not scroll: a table with more columns than fit is printed in parts, each with the names of its rows.
"use strict";

const MOST_COLUMNS = 16; // across A4, beside a name

function printInParts(table) {
  const columns = table.rows[0].cells.length - 1;
  if (columns <= MOST_COLUMNS) return;
  const size = Math.ceil(columns / Math.ceil(columns / MOST_COLUMNS));
  for (let end = columns; end > 0; end -= size) {
    const part = table.cloneNode(true);
    part.classList.add("part");
    for (const row of part.rows) {
      [...row.cells].filter((_, place) => place && (place <= end - size || place > end)).forEach((cell) => cell.remove());
    }
    table.after(part);
  }
  table.hidden = true;
}

addEventListener("beforeprint", () => document.querySelectorAll(".place table:not([hidden])").forEach(printInParts));
addEventListener("afterprint", () => {
  document.querySelectorAll(".place .part").forEach((part) => part.remove());
  document.querySelectorAll(".place table").forEach((table) => (table.hidden = false));
});
