// Filters the table of all KPIs by what stands in its rows; without scripts the whole table stands there.
(() => {
  "use strict";
  const form = document.getElementById("filter");
  const rows = [...document.querySelectorAll("#kpis tbody tr")];
  const count = document.getElementById("shown");
  const choices = [...form.querySelectorAll("select")];

  const apply = () => {
    let shown = 0;
    for (const row of rows) {
      const fits = choices.every((choice) => !choice.value || row.dataset[choice.name] === choice.value);
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    count.textContent = `${shown} of ${rows.length} KPIs`;
  };

  form.hidden = false;
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  apply();
})();
