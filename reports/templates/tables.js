// Tables: sorting, the interval and the cells of a number; and full images.
(() => {
  "use strict";
  // Sorting: better values first, then the other way round, then the original order.
  const NEXT = { ascending: "descending", descending: "ascending" };
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.matches("td:not(.words)") ? parseFloat(cell.dataset.value) : cell.textContent.trim();
  };
  const missing = (value) => Number.isNaN(value) ? 1 : 0;
  const order = (a, b) => missing(a) - missing(b) || (typeof a === "string" ? a.localeCompare(b) : a - b);
  for (const table of document.querySelectorAll("table.live")) {
    const parts = [...table.tBodies].filter((body) => !body.matches(".part")).map((body) => [body, [...body.rows]]);
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => heading.firstElementChild.addEventListener("click", () => {
      const { first } = heading.dataset;
      const now = heading.getAttribute("aria-sort");
      const then = now === "none" ? first : now === first ? NEXT[first] : "none";
      headings.forEach((other) => other.setAttribute("aria-sort", other === heading ? then : "none"));
      const sign = then === "descending" ? -1 : 1;
      for (const [body, original] of parts) { // a part keeps its rows
        body.append(...(then === "none" ? original : [...original].sort((one, other) => {
          const [a, b] = [key(one, column), key(other, column)];
          return missing(a) || missing(b) ? order(a, b) : sign * order(a, b);
        })));
      }
    }));
  }

  // The tip shows the interval of the number under the pointer or with the focus; Escape hides it.
  const tip = document.getElementById("tip");
  const figures = [...document.querySelectorAll("button.figure")];
  const hide = () => { tip.hidden = true; };
  const showTip = (figure) => {
    const words = figure.querySelector(".asked");
    if (!words) return hide();
    tip.textContent = words.textContent;
    tip.hidden = false;
    const [at, own] = [figure.getBoundingClientRect(), tip.getBoundingClientRect()];
    const left = Math.min(Math.max(8, at.right - own.width), document.documentElement.clientWidth - own.width - 8);
    const above = at.top - own.height - 6;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 8 ? above : at.bottom + 6}px`;
  };
  let leaving = 0; // so that the pointer can go from the figure to the tip
  const soon = () => { leaving = setTimeout(hide, 150); };
  const stay = () => clearTimeout(leaving);
  tip.addEventListener("mouseenter", stay);
  tip.addEventListener("mouseleave", soon);
  for (const figure of figures) {
    figure.addEventListener("mouseenter", () => { stay(); showTip(figure); });
    figure.addEventListener("mouseleave", soon);
    figure.addEventListener("focus", () => { stay(); showTip(figure); });
    figure.addEventListener("blur", hide);
    figure.addEventListener("click", () => { hide(); explain(figure); });
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", hide, { capture: true, passive: true });

  // The cells of a number: fields that all of them share are printed once, the others in a table.
  const { fields, rows: cells } = JSON.parse(document.getElementById("cell-list").textContent);
  const dialog = document.getElementById("origin");
  const make = (tag, text, children = []) => {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    element.append(...children);
    return element;
  };
  const places = (runs) => (runs || "").split(" ").filter(Boolean).flatMap((run) => {
    const [from, to = from] = run.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  const explain = (figure) => {
    const cell = figure.closest("td");
    const heading = cell.closest("table").tHead.rows[0].cells[cell.cellIndex].textContent.trim();
    const words = figure.querySelector(".asked");
    const value = figure.cloneNode(true);
    value.querySelector(".asked")?.remove();
    dialog.querySelector("h2").textContent = `${cell.parentElement.cells[0].textContent.trim()}: ${heading}`;
    dialog.querySelector(".value").textContent = value.textContent.replace(/\s+/g, " ").trim();
    dialog.querySelector(".asked").textContent = words ? words.textContent : "";
    const own = places(figure.dataset.cells).map((place) => cells[place]);
    const varied = fields.map((_, index) => index).filter((index) => new Set(own.map((row) => row[index])).size > 1);
    const listed = varied.length ? varied : [0];
    dialog.querySelector("dl").replaceChildren(make("div", "", [make("dt", "cells"), make("dd", String(own.length))]),
      ...fields.flatMap((field, index) => varied.includes(index) || !own.length ? [] : [
        make("div", "", [make("dt", field), make("dd", own[0][index] || "—")]),
      ]));
    dialog.querySelector("thead").replaceChildren(make("tr", "", listed.map((index) => {
      const heading = make("th", fields[index]);
      heading.scope = "col";
      return heading;
    })));
    dialog.querySelector("tbody").replaceChildren(...own.map((row) => make("tr", "", listed.map((index, first) => {
      const entry = make("td", first ? row[index] || "—" : "");
      if (!first) {
        const link = make("a", row[index]);
        link.href = row[fields.length];
        entry.append(link);
      }
      return entry;
    }))));
    dialog.querySelector(".scroll").hidden = !own.length;
    dialog.showModal();
  };

  // Full images in a dialog; the link works without the script.
  const image = document.getElementById("image");
  for (const link of document.querySelectorAll("a.full")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const { alt } = link.querySelector("img");
      Object.assign(image.querySelector("img"), { src: link.href, alt });
      image.querySelector("figcaption").textContent = alt;
      image.showModal();
    });
  }
  for (const opened of [dialog, image]) {
    opened.addEventListener("click", (event) => { if (event.target === opened || event.target.closest("a")) opened.close(); });
  }
})();
