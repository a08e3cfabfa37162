// Looking closer: strips of checks by pointer and arrow keys, times in the zone of whoever reads, copies.
// Pages are whole without it.
"use strict";
(() => {
  const CHECKS = 48;
  const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

  // One box for everything that is read out; it is said aloud too.
  const tip = document.createElement("p");
  tip.id = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);
  function show(text, box) {
    tip.textContent = text;
    tip.hidden = text === "";
    if (tip.hidden) {
      return;
    }
    const left = Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left) + scrollX}px`;
    tip.style.top = `${box.bottom + scrollY + 6}px`;
  }

  // Both the time of the reader and UTC, which is what logs and colleagues elsewhere have.
  function times() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) {
        const utc = at.toISOString().slice(0, 19).replace("T", " ");
        time.title = `${zone.format(at)} (${utc} UTC)`;
      }
    }
  }

  // The checks of a strip are fetched when somebody first looks closer, and again once the page is replaced.
  let fetched = new Map();
  function cells(strip) {
    const address = strip.getAttribute("href").replace("?", "/strip?").replace(/#.*/, "");
    if (!fetched.has(address)) {
      const asked = fetch(address, { headers: { Accept: "application/json" } });
      fetched.set(address, asked.then((answer) => (answer.ok ? answer.json() : { cells: [] })).catch(() => ({ cells: [] })));
    }
    return fetched.get(address);
  }
  let picked = null;
  async function pick(strip, place) {
    const found = (await cells(strip)).cells;
    const first = CHECKS - found.length;
    const index = Math.min(Math.max(place, first), CHECKS - 1);
    const cell = found[index - first];
    if (!cell) {
      return;
    }
    picked = { strip, index, check: cell.check };
    strip.querySelector(".cursor")?.remove();
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("d", `M${index * 6 - 1} -1h6.500v26h-6.500z`);
    strip.querySelector("svg").append(cursor);
    const at = new Date(cell.at);
    const utc = at.toISOString().slice(11, 16);
    const local = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    const box = strip.getBoundingClientRect();
    const x = box.left + (index * box.width) / CHECKS;
    show([`${local} (${utc} UTC): ${cell.status}`, cell.p95, cell.why].filter(Boolean).join(" · "), { left: x, bottom: box.bottom });
  }
  function leave() {
    picked?.strip.querySelector(".cursor")?.remove();
    picked = null;
    tip.hidden = true;
  }
  const under = (strip, event) => {
    const box = strip.getBoundingClientRect();
    return Math.floor(((event.clientX - box.left) / box.width) * CHECKS);
  };
  const of = (event) => (event.target instanceof Element ? event.target.closest("[data-strip]") : null);
  document.addEventListener("pointermove", (event) => {
    const strip = of(event);
    if (strip) {
      pick(strip, under(strip, event));
    } else if (picked && picked.strip !== document.activeElement) {
      leave();
    }
  });
  document.addEventListener("focusin", (event) => {
    const strip = of(event);
    if (strip) {
      pick(strip, CHECKS - 1);
    } else {
      leave();
    }
  });
  document.addEventListener("keydown", (event) => {
    const strip = of(event);
    if (event.key === "Escape") {
      leave();
    }
    if (!strip || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const at = picked?.strip === strip ? picked.index : CHECKS - 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: CHECKS - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      pick(strip, to);
    }
  });
  // A click, or Enter, opens the check that is picked; without a check it leads to the lens.
  document.addEventListener("click", (event) => {
    const strip = of(event);
    if (strip && picked?.strip === strip && picked.check && !event.ctrlKey && !event.metaKey && event.button === 0) {
      event.preventDefault();
      location.href = `/checks/${picked.check}`;
    }
    const copy = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
    if (copy) {
      const text = copy.parentElement.querySelector("code").textContent;
      navigator.clipboard.writeText(text).then(
        () => (copy.textContent = "Copied"),
        () => getSelection().selectAllChildren(copy.parentElement.querySelector("code")),
      );
    }
  });

  // Charts: a cursor by pointer and arrow keys, a stretch by dragging or Shift, which Enter or the end of it zooms.
  const plots = new WeakMap();
  const part = (plot, name) => {
    const own = plot.querySelector(`.${name}`);
    if (own) {
      return own;
    }
    const made = document.createElementNS("http://www.w3.org/2000/svg", "path");
    made.setAttribute("class", name);
    plot.querySelector("svg").append(made);
    return made;
  };
  function read(plot) {
    if (!plots.has(plot)) {
      plots.set(plot, { values: JSON.parse(plot.dataset.values), index: -1, anchor: null });
    }
    return plots.get(plot);
  }
  const x = (plot, ms) => ((ms - plot.dataset.from) / (plot.dataset.until - plot.dataset.from)) * 720;
  function point(plot, index, selects) {
    const state = read(plot);
    if (state.values.length === 0) {
      return;
    }
    const before = state.index < 0 ? state.values.length - 1 : state.index;
    state.index = Math.min(Math.max(index, 0), state.values.length - 1);
    state.anchor = selects ? state.anchor ?? before : null;
    const [ms, ...values] = state.values[state.index];
    part(plot, "cursor").setAttribute("d", `M${x(plot, ms).toFixed(1)} 0V160`);
    const from = state.anchor === null ? null : x(plot, state.values[state.anchor][0]);
    part(plot, "picked").setAttribute("d", from === null ? "" : `M${from} 0H${x(plot, ms)}V160H${from}z`);
    const at = new Date(ms);
    const utc = at.toISOString().slice(0, 16).replace("T", " ");
    const local = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    const lines = plot.dataset.lines.trim().split(" ");
    const told = values.map((value, line) => `${lines[line]} ${value === null ? "none" : `${value} ${plot.dataset.unit}`}`);
    plot.parentElement.querySelector(".readout").textContent = `${local} (${utc} UTC): ${told.join(", ")}`;
  }
  function zoom(plot) {
    const state = read(plot);
    if (state.anchor === null || state.anchor === state.index) {
      return;
    }
    const [from, until] = [state.values[state.anchor][0], state.values[state.index][0]].sort((a, b) => a - b);
    const address = new URL(location.href);
    address.searchParams.delete("window");
    // A point stands for the stretch around it.
    const half = state.values.length > 1 ? (state.values[1][0] - state.values[0][0]) / 2 : 0;
    address.searchParams.set("from", Math.floor(from - half));
    address.searchParams.set("until", Math.floor(Math.min(until + half, plot.dataset.until)));
    location.href = address.href;
  }
  function nearest(plot, event) {
    const { values } = read(plot);
    const box = plot.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * 720;
    let best = 0;
    values.forEach(([ms], index) => {
      if (Math.abs(x(plot, ms) - at) < Math.abs(x(plot, values[best][0]) - at)) {
        best = index;
      }
    });
    return best;
  }
  const plotOf = (event) => (event.target instanceof Element ? event.target.closest(".plot") : null);
  let dragged = null;
  document.addEventListener("pointermove", (event) => {
    const plot = plotOf(event);
    if (plot && (!dragged || dragged === plot)) {
      point(plot, nearest(plot, event), dragged === plot);
    }
  });
  document.addEventListener("pointerdown", (event) => {
    const plot = plotOf(event);
    if (plot && event.button === 0 && event.pointerType !== "touch") {
      point(plot, nearest(plot, event), false);
      dragged = plot;
    }
  });
  document.addEventListener("pointerup", () => {
    if (dragged) {
      const plot = dragged;
      dragged = null;
      zoom(plot);
    }
  });
  document.addEventListener("keydown", (event) => {
    const plot = plotOf(event);
    if (!plot || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const { values, index } = read(plot);
    const at = index < 0 ? values.length : index;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: values.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      point(plot, to, event.shiftKey);
    } else if (event.key === "Enter") {
      zoom(plot);
    }
  });

  // The axis in the reader's own time, beside UTC where the two differ.
  function axes() {
    if (new Date().getTimezoneOffset() === 0) {
      return;
    }
    for (const tick of document.querySelectorAll(".axis span")) {
      const time = tick.querySelector("time");
      if (time && !tick.querySelector("small")) {
        const local = document.createElement("small");
        local.textContent = `${new Date(time.dateTime).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })} here`;
        tick.append(local);
      }
    }
  }

  function dress() {
    times();
    axes();
    for (const copy of document.querySelectorAll("[data-copy]")) {
      copy.hidden = false;
    }
  }
  document.addEventListener("replaced", () => {
    fetched = new Map();
    dress();
    if (picked && !picked.strip.isConnected) {
      const href = picked.strip.getAttribute("href");
      const same = document.querySelector(`[data-strip][href="${CSS.escape(href)}"]`);
      const index = picked.index;
      picked = null;
      tip.hidden = true;
      if (same && same === document.activeElement) {
        pick(same, index);
      }
    }
  });
  dress();
})();
