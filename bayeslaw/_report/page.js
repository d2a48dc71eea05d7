"use strict";
(() => {
  const source = document.getElementById("positions");
  const budget = document.getElementById("budget");
  if (source && budget) {
    const found = JSON.parse(source.textContent);
    const marks = [...document.querySelectorAll("svg.mark")];
    const fields = ["median", "half", "whole"];
    const move = (line, x, from, to) => {
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      if (from !== undefined) {
        line.setAttribute("y1", from);
        line.setAttribute("y2", to);
      }
    };
    const show = () => {
      const at = Number(budget.value);
      document.getElementById("at").textContent = found.budget[at];
      document.getElementById("notes").textContent = found.notes[at];
      budget.setAttribute("aria-valuetext", found.budget[at]);
      found.texts.forEach((texts, i) => {
        fields.forEach((field, j) => {
          document.getElementById(`q${i}-${field}`).textContent = texts[at][j];
        });
      });
      found.panels.forEach((panel, i) => {
        const x = panel.x[at];
        move(marks[i].querySelector(".cursor"), x);
        if (panel.y.length) {
          const [low, innerLow, middle, innerHigh, high] = panel.y[at];
          move(marks[i].querySelector(".whole"), x, low, high);
          move(marks[i].querySelector(".half"), x, innerLow, innerHigh);
          marks[i].querySelector(".median").setAttribute("cx", x);
          marks[i].querySelector(".median").setAttribute("cy", middle);
        }
      });
    };
    budget.addEventListener("input", show);
    document.getElementById("control").hidden = false;
    show(); // a browser may have kept a position from before
  }
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((one) => { one.open = true; });
  });
})();
