// What the keyboard and a screen reader need beyond the HTML. Without this script pages read as well,
// but a wide formula, table or chart can be moved sideways by touch or mouse only.
(() => {
  const WIDE = "pre, .lethe-chart, .lethe-math, .lethe-long, .lethe-table, .lethe-provenance, .output_html, .cell_output > .output, .pst-scrollable-table-container";

  document.documentElement.dataset.mode ||= "auto"; // on a first visit the theme finds no mode and complains

  const scrolls = (box) => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";

  // Boxes that scroll sideways are stops of the Tab key, and only those.
  const stops = () => {
    for (const box of document.querySelectorAll(WIDE)) {
      if (scrolls(box)) {
        box.tabIndex = 0;
        if (!box.hasAttribute("role") && !box.matches("pre")) {
          box.setAttribute("role", "group");
          box.setAttribute("aria-label", "wide: the arrow keys move it sideways");
        }
      } else if (box.tabIndex === 0) box.tabIndex = -1;
    }
  };
  let waiting = 0;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(stops, 350); // after the theme has set its own
  };

  // Arrow keys on such a box scroll it; elsewhere they turn the page.
  const keepInside = (event) => {
    if (["ArrowLeft", "ArrowRight"].includes(event.key) && document.activeElement?.matches(WIDE)) event.stopPropagation();
  };

  // A slider moves over positions: say what the position stands for, not its number.
  const tellSteps = (box) => {
    const steps = JSON.parse(box.dataset.steps || "{}");
    for (const input of box.querySelectorAll(".vega-bind input[type=range]")) {
      const words = steps[input.closest("label").textContent.trim().replace(/[\d.]+$/, "").trim()];
      if (!words) continue;
      const tell = () => input.setAttribute("aria-valuetext", words[Number(input.value) - Number(input.min)] || input.value);
      for (const kind of ["input", "focus"]) input.addEventListener(kind, tell);
      tell();
    }
  };

  document.addEventListener("drawn", (event) => {
    tellSteps(event.target);
    soon();
  });
  document.addEventListener("keydown", keepInside, true);
  document.addEventListener("toggle", soon, true);
  window.addEventListener("resize", soon);
  document.addEventListener("DOMContentLoaded", () => {
    const name = document.querySelector(".sidebar-primary-items__start > .sidebar-primary-item:not(:has(nav))");
    if (name) {
      name.setAttribute("role", "navigation");
      name.setAttribute("aria-label", "Home");
    }
    soon();
  });
  window.addEventListener("load", soon);
})();
