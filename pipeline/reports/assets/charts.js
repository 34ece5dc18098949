// Draws every chart whose data stands in a <script type="application/json" data-for="id"> beside it.
// Colours in the data are names of style-sheet tokens, so that a chart follows the reader's light or dark scheme.
(() => {
  "use strict";
  const CONFIG = { displayModeBar: false, responsive: true, showTips: false, doubleClick: false };
  const PRINT_WIDTH = 960;
  const NARROW = 480;
  const LEGEND_ROOM = 90; // on a narrow screen the legend stacks, and the plot must not pay for it

  const painted = (value, styles) => {
    if (typeof value === "string" && value.startsWith("--")) return styles.getPropertyValue(value).trim();
    if (Array.isArray(value)) return value.length && typeof value[0] !== "object" ? value : value.map((v) => painted(v, styles));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, painted(v, styles)]));
    }
    return value;
  };

  const specs = [...document.querySelectorAll("script[data-for]")].map((script) => ({
    box: document.getElementById(script.dataset.for),
    spec: JSON.parse(script.textContent),
  }));

  const draw = () => {
    const styles = getComputedStyle(document.documentElement);
    for (const { box, spec } of specs) {
      const { data, layout } = painted(spec, styles);
      box.classList.add("drawn");
      const height = layout.height + (box.clientWidth < NARROW ? LEGEND_ROOM : 0);
      Plotly.react(box, data, { ...layout, height, transition: { duration: 0 } }, CONFIG);
    }
  };

  const resize = (width) => {
    for (const { box } of specs) Plotly.relayout(box, width ? { width, autosize: false } : { width: null, autosize: true });
  };

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", () => resize(PRINT_WIDTH));
  addEventListener("afterprint", () => resize(null));
})();
