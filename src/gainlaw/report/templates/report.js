// Tables and forests sort by a click on a heading, long ones can be searched; points of figures say what they are when they
// are pointed at or reached by the arrow keys; what is known on two scales is switched; all is saved as files. Nothing is fetched.
"use strict";
(() => {
  const number = (text) => {
    const found = text.replace(/\u2212/g, "-").replace(/,/g, "").match(/^[<>\s]*(-?[\d.]+(?:e[-+]?\d+)?)\s*([KMBT%])?/);
    return found ? parseFloat(found[1]) * ({ K: 1e3, M: 1e6, B: 1e9, T: 1e12 }[found[2]] || 1) : NaN;
  };
  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const button = (text, label, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  };
  const tools = (before) => {
    const made = document.createElement("div");
    made.className = "tools";
    before.parentNode.insertBefore(made, before);
    return made;
  };
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);

  // Headings and cells say by data-name what they are where their words alone do not.
  const said = (cell) => (cell.tagName === "TH" && cell.dataset.name) || cell.textContent;

  for (const table of document.querySelectorAll(".table-box table")) {
    const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
    const bar = tools(table);
    if (table.querySelector("tbody .wrap")) {
      table.classList.add("told");
      for (const row of rows) [...row.cells].forEach((cell, place) => { if (place) cell.dataset.label = heads[place].textContent; });
    }
    if (rows.length > 12) {
      const search = document.createElement("input");
      search.type = "search";
      search.placeholder = "search rows";
      search.setAttribute("aria-label", "Search the rows of this table");
      search.addEventListener("input", () => {
        const wanted = search.value.toLowerCase();
        for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
      });
      bar.append(search);
    }
    bar.append(button("CSV", "Save this table as CSV", () => {
      const lines = [...table.rows].map((row) => 
        [...row.cells].filter((cell) => !cell.classList.contains("bar")).map((cell) => quoted(said(cell))).join(","));
      save(`${table.id}.csv`, "text/csv", `${lines.join("\n")}\n`);
    }));
    if (rows.length < 3) continue;
    heads.forEach((head, place) => {
      if (head.classList.contains("bar")) return;
      const text = head.textContent;
      const sort = () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const each of heads) each.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const cell = (row) => (row.cells[place] ? row.cells[place].textContent.trim() : "");
        const order = (one, other) => {
          const a = number(cell(one)), b = number(cell(other));
          if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1;
          const found = Number.isNaN(a) ? cell(one).localeCompare(cell(other)) : a - b;
          return down ? -found : found;
        };
        for (const row of rows.slice().sort(order)) { row.classList.remove("rule"); body.append(row); }
      };
      head.replaceChildren(button(text, `Sort by ${text}`, sort));
    });
  }

  // A forest as it is sorted and on the scale that is shown, drawn as one picture.
  const drawn = (table) => {
    const rows = [...table.rows].filter((row) => !row.hidden), space = document.querySelector("svg").namespaceURI;
    const add = (parent, name, given, text = "") => {
      const made = document.createElementNS(space, name);
      for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
      made.textContent = text;
      return parent.appendChild(made);
    };
    const whole = document.createElementNS(space, "svg");
    for (const [key, value] of Object.entries({ width: 1160, height: 24 * rows.length + 12, "font-family": "sans-serif", "font-size": 12 }))
      whole.setAttribute(key, value);
    add(whole, "style", {}, "line{stroke:#0072b2} .half{stroke-width:4} .zero{stroke:#999} circle{fill:#0072b2}");
    rows.forEach((row, place) => [...row.cells].filter((cell) => !cell.hidden).forEach((cell, column) => {
      const bar = cell.querySelector("svg"), y = 24 * place;
      if (bar) {
        const copy = whole.appendChild(bar.cloneNode(true));
        for (const [key, value] of Object.entries({ x: 220, y: y + 4, width: 340, height: 18 })) copy.setAttribute(key, value);
      } else if (column === 0) add(whole, "text", { x: 8, y: y + 17 }, cell.textContent);
      else add(whole, "text", { x: 500 + 110 * column, y: y + 17, "text-anchor": "end" }, cell.textContent);
    }));
    return whole;
  };

  for (const figure of document.querySelectorAll("figure")) {
    const plots = [...figure.querySelectorAll(".plot")], table = figure.querySelector("table");
    const told = plots.map((plot) => JSON.parse(plot.querySelector("script").textContent));
    const shown = () => plots.findIndex((plot) => !plot.hidden);
    const bar = table ? figure.querySelector(".tools") : tools(plots[0]);
    const scaled = [...figure.querySelectorAll("[data-scale]")], scales = [...new Set(scaled.map((each) => each.dataset.scale))];
    if (scales.length > 1) {
      const group = document.createElement("span");
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", "Scale");
      const buttons = scales.map((scale) => button(scale, `Show ${scale}`, () => {
        for (const each of scaled) each.hidden = each.dataset.scale !== scale;
        buttons.forEach((each, place) => each.setAttribute("aria-pressed", scales[place] === scale));
      }));
      buttons.forEach((each, place) => each.setAttribute("aria-pressed", place === 0));
      group.append(...buttons);
      bar.prepend(group);
    }
    bar.append(button("SVG", "Save this figure as SVG", () => {
      const name = table ? table.id : told[shown()].name;
      const drawing = table ? drawn(table) : plots[shown()].querySelector("svg");
      save(`${name}.svg`, "image/svg+xml", new XMLSerializer().serializeToString(drawing));
    }));
    if (told.some((each) => each.csv)) {
      bar.append(button("CSV", "Save what this figure shows as CSV", () => {
        const each = told[shown()];
        save(`${each.name}.csv`, "text/csv", each.csv || "");
      }));
    }
    if (told.some((each) => !each.csv)) bar.append(`data: ${told.filter((each) => !each.csv).map((each) => `figures/${each.name}.csv`).join(", ")}`);
    plots.forEach((plot, place) => ask(plot, told[place].spots));
  }

  // The point nearest to the pointer says what it is; arrow keys go from point to point, from left to right.
  function ask(plot, spots) {
    if (!spots.length) return;
    const order = spots.map((_, place) => place).sort((a, b) => spots[a][0] - spots[b][0] || spots[b][1] - spots[a][1]);
    const ring = document.createElement("span"), tip = document.createElement("span"), picture = plot.querySelector("svg");
    ring.className = "ring";
    tip.className = "tip";
    tip.setAttribute("role", "status");
    plot.append(ring, tip);
    plot.setAttribute("role", "application");
    plot.setAttribute("aria-label", `Figure with ${spots.length} points: the arrow keys go from one to the next`);
    let at = -1;
    const hide = () => { plot.classList.remove("asked"); at = -1; };
    const show = (place) => {
      const [x, y, words] = spots[place], box = picture.getBoundingClientRect(), own = plot.getBoundingClientRect();
      const left = x * box.width + box.left - own.left + plot.scrollLeft, top = y * box.height + box.top - own.top;
      ring.style.left = `${left}px`;
      ring.style.top = `${top}px`;
      if (tip.textContent !== words) tip.textContent = words;
      plot.classList.add("asked");
      const edge = plot.scrollLeft + plot.clientWidth - tip.offsetWidth;
      tip.style.left = `${Math.max(plot.scrollLeft, Math.min(left + 10, edge))}px`;
      tip.style.top = `${Math.max(0, top - tip.offsetHeight - 8)}px`;
      at = place;
    };
    plot.addEventListener("pointermove", (event) => {
      const box = picture.getBoundingClientRect();
      let best = -1, least = 20 ** 2;
      spots.forEach(([x, y], place) => {
        const away = (x * box.width + box.left - event.clientX) ** 2 + (y * box.height + box.top - event.clientY) ** 2;
        if (away < least) { best = place; least = away; }
      });
      if (best < 0) hide(); else show(best);
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -spots.length, End: spots.length }[event.key];
      if (event.key === "Escape") hide();
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      const now = at < 0 ? (step > 0 ? -1 : spots.length) : order.indexOf(at);
      show(order[Math.max(0, Math.min(spots.length - 1, now + step))]);
    });
  }
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let each = target.querySelector("details.chapter") || target; each; each = each.parentElement) {
      if (each.tagName === "DETAILS") each.open = true;
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
