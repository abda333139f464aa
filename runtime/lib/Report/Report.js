// Shows the values under the pointer, and lets a run be hidden. The page is whole without it.
"use strict";
(() => {
  const names = [...document.querySelectorAll(".legend li")].map((item) => item.textContent);

  function axis(svg, name) {
    const [first, last, low, high, factor, kind] = svg.dataset[name].split(" ");
    const scale = { first: +first, last: +last, low: +low, high: +high, factor: +factor };
    const unit = svg.dataset[name + "Unit"];
    const log = kind === "log";
    return {
      ...scale,
      value(place) {
        const part = (place - scale.first) / (scale.last - scale.first);
        if (log) return scale.low * Math.pow(scale.high / scale.low, part);
        return scale.low + part * (scale.high - scale.low);
      },
      text(value) {
        if (scale.factor === 0) return Math.round(value).toLocaleString("en");
        const shown = value / scale.factor;
        const size = Math.abs(shown);
        const digits = size !== 0 && (size < 1e-4 || size >= 1e6) ? shown.toExponential(2) : +shown.toPrecision(3);
        return digits + unit;
      },
    };
  }

  // The points of the line that is drawn, as it is drawn.
  function pointsOf(group) {
    const path = group.querySelector(".line").getAttribute("d");
    return [...path.matchAll(/[ML](\S+) ([^MLh]+)/g)].map((match) => [+match[1], +match[2]]);
  }

  function nearest(points, x) {
    let low = 0, high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < x) low = middle;
      else high = middle;
    }
    return x - points[low][0] < points[high][0] - x ? points[low] : points[high];
  }

  function swatch(classes) {
    const template = document.querySelector(".swatch").cloneNode(true);
    template.querySelector("g").setAttribute("class", classes);
    return template;
  }

  function follow(figure, svg) {
    const x = axis(svg, "x"), y = axis(svg, "y");
    const lines = [...svg.querySelectorAll("g.run")].map((group) => ({ group, points: pointsOf(group) }));
    const readout = figure.appendChild(document.createElement("div"));
    readout.className = "readout";
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cursor.setAttribute("class", "cursor off");
    svg.insertBefore(cursor, lines[0].group);

    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const width = svg.viewBox.baseVal.width;
      const at = Math.min(x.last, Math.max(x.first, ((event.clientX - box.left) / box.width) * width));
      const rows = lines
        .filter(({ group, points }) => !group.classList.contains("off") && at <= points[points.length - 1][0] + 2)
        .map(({ group, points }) => ({ group, point: nearest(points, at) }))
        .sort((a, b) => a.point[1] - b.point[1]);
      readout.replaceChildren();
      const head = readout.appendChild(document.createElement("div"));
      head.textContent = svg.querySelector("text.title").textContent + " " + x.text(x.value(at));
      for (const { group, point } of rows) {
        const row = readout.appendChild(document.createElement("div"));
        row.append(swatch(group.getAttribute("class")), names[+group.dataset.run]);
        row.appendChild(document.createElement("b")).textContent = y.text(y.value(point[1]));
      }
      cursor.setAttribute("d", `M${at} ${y.last}V${y.first}`);
      cursor.setAttribute("class", "cursor");
      readout.style.display = "block";
      const left = svg.offsetLeft ?? 0;
      const pixel = event.clientX - figure.getBoundingClientRect().left;
      readout.style.top = "44px";
      readout.style.left = pixel < box.width / 2 ? `${left + pixel + 14}px` : "auto";
      readout.style.right = pixel < box.width / 2 ? "auto" : `${figure.clientWidth - pixel + 14}px`;
    });
    svg.addEventListener("pointerleave", () => {
      cursor.setAttribute("class", "cursor off");
      readout.style.display = "none";
    });
  }

  for (const figure of document.querySelectorAll("figure")) {
    const svg = figure.querySelector("svg");
    if (svg) follow(figure, svg);
  }

  for (const item of names.length > 1 ? document.querySelectorAll(".legend li") : []) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Show or hide this run";
    button.setAttribute("aria-pressed", "true");
    button.append(...item.childNodes);
    item.append(button);
    button.addEventListener("click", () => {
      const hide = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!hide));
      for (const group of document.querySelectorAll(`figure g[data-run="${item.dataset.run}"]`))
        group.classList.toggle("off", hide);
    });
  }
})();
