// Tables sort by a click on a heading, long ones can be searched, tables and figures are saved as files. Nothing is fetched.
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

  for (const table of document.querySelectorAll(".table-box table")) {
    const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
    const bar = tools(table);
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
      const lines = [...table.rows].map((row) => [...row.cells].map((cell) => quoted(cell.textContent)).join(","));
      save(`${table.id}.csv`, "text/csv", `${lines.join("\n")}\n`);
    }));
    if (rows.length < 3) continue;
    heads.forEach((head, place) => {
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
  for (const figure of document.querySelectorAll("figure")) {
    const picture = figure.querySelector("svg");
    figure.querySelector("figcaption").append(" ", button("SVG", "Save this figure as SVG", () => {
      save(`${figure.id}.svg`, "image/svg+xml", new XMLSerializer().serializeToString(picture));
    }));
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
