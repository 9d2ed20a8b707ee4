// The neighbour explorer: finds a token among those embedded in the page and lists its neighbours in every table.
(() => {
  const box = document.querySelector(".explorer");
  if (!box) return;
  const tables = JSON.parse(box.querySelector('script[type="application/json"]').textContent);
  const input = box.querySelector("input");
  const matches = box.querySelector(".matches");
  const columns = box.querySelector(".columns");
  const fold = (text) => text.normalize("NFC").toLocaleLowerCase();
  const bare = (piece) => fold(piece.replace(/^▁/, "")) || piece;
  tables.forEach((table) => {
    table.row = new Map(table.tokens.map((token, row) => [table.pieces[token], row]));
  });
  const pieces = [...new Set(tables.flatMap((table) => [...table.row.keys()]))];
  const translated = tables[0].tokens.flatMap((token, row) => (table0Hit(row) ? [tables[0].pieces[token]] : []));

  function table0Hit(row) {
    return tables[0].translation[row].length > 0;
  }

  // exact first, then what begins so, then what holds it; shorter ones first
  function search(text) {
    const wanted = bare(text);
    const rank = (piece) => {
      const own = bare(piece);
      return own === wanted ? 0 : own.startsWith(wanted) ? 1 : own.includes(wanted) ? 2 : 3;
    };
    return pieces
      .map((piece) => [rank(piece), piece.length, piece])
      .filter(([place]) => place < 3)
      .sort((a, b) => a[0] - b[0] || a[1] - b[1] || (a[2] < b[2] ? -1 : 1))
      .slice(0, 24)
      .map(([, , piece]) => piece);
  }

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.textContent = text;
    return made;
  }

  function button(piece, pick) {
    const made = element("button", "", piece);
    made.type = "button";
    made.title = piece;
    made.dir = "auto";
    made.addEventListener("click", pick);
    return made;
  }

  function open(piece) {
    input.value = piece.replace(/^▁/, "");
    find(piece);
  }

  function list(table, piece) {
    const part = document.createElement("section");
    part.append(element("h4", "", table.name));
    const row = table.row.get(piece);
    if (row === undefined) {
      part.append(element("p", "", "not among its sampled tokens"));
      return part;
    }
    const own = table.script[table.tokens[row]];
    const [line, told] = [element("p", "", ""), element("bdi", "", piece)];
    line.append(told, ` (${table.scripts[own]})`);
    part.append(line);
    const items = document.createElement("ol");
    table.near[row].forEach((token, place) => {
      const hit = table.translation[row].includes(place);
      const item = element("li", hit ? "hit" : "", "");
      const name = button(table.pieces[token], () => open(table.pieces[token]));
      name.disabled = !table.row.has(table.pieces[token]);
      const cosine = table.cosine[row][place] / 1000;
      const number = element("span", "cosine", cosine.toFixed(3));
      number.style.setProperty("--share", `${Math.max(0, 100 * cosine)}%`);
      const mark = element("span", "mark", hit ? "✓" : "");
      if (hit) mark.title = "a translation by the dictionary";
      const script = element("small", table.script[token] === own ? "own" : "", table.scripts[table.script[token]]);
      item.append(name, script, number, mark);
      items.append(item);
    });
    part.append(items);
    return part;
  }

  function find(chosen) {
    const found = input.value.trim() ? search(input.value.trim()) : [];
    const piece = chosen ?? found[0];
    if (chosen && !found.includes(chosen)) found.unshift(chosen);
    const all = found.map((other) => button(other, () => find(other)));
    all.forEach((other, place) => other.setAttribute("aria-pressed", String(found[place] === piece)));
    matches.replaceChildren(...all);
    if (!piece) matches.append(element("p", "reading", "No such token among those sampled."));
    columns.replaceChildren(...(piece ? tables.map((table) => list(table, piece)) : []));
  }

  function another() {
    const among = translated.length ? translated : pieces;
    open(among[Math.floor(Math.random() * among.length)]);
  }

  input.addEventListener("input", () => find());
  box.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    find();
  });
  box.querySelector(".search button").addEventListener("click", another);
  const first = tables.length > 1 ? translated.find((piece) => tables.every((table) => table.row.has(piece))) : translated[0];
  open(first ?? translated[0] ?? pieces[0]);
})();
