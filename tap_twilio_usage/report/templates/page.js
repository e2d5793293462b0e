"use strict";
(() => {
  const each = (where, selector, act) => where.querySelectorAll(selector).forEach(act);
  const value = cell => cell.title || cell.textContent.trim();

  // CSV of a table, with its exact numbers.
  const quoted = text => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const csv = table => [...table.rows].map(row =>
    [...row.cells].map(cell => quoted(value(cell))).join(",")).join("\n") + "\n";
  each(document, "button.csv", button => {
    button.hidden = false;
    button.addEventListener("click", () => {
      const table = button.closest(".table").querySelector("table"), link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
      link.download = `${table.dataset.name}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  });

  // Sorting by a click on a heading.
  const key = cell => {
    const text = value(cell), number = parseFloat(text.replace("−", "-").replace(/[^\d.eE+-]/g, ""));
    return cell.title && !/^\d{4}-/.test(text) || /^[−+<]?[\d,.]+%?$/.test(text) ? number : text;
  };
  each(document, "thead th", head => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.ariaSort === "descending" ? 1 : -1, body = head.closest("table").tBodies[0];
      each(head.parentNode, "th", other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down < 0 ? "descending" : "ascending");
      const keyed = [...body.rows].map(row => [key(row.cells[head.cellIndex]), row]);
      keyed.sort(([a], [b]) => down * (typeof a === "number" && typeof b === "number" ? a - b : `${a}`.localeCompare(`${b}`)));
      body.append(...keyed.map(([, row]) => row));
    });
  });

  // A table that is wider than the page says so.
  const measure = () => each(document, ".scroll", box =>
    box.parentNode.classList.toggle("wider", box.scrollWidth > box.clientWidth + 1));
  addEventListener("resize", measure);
  each(document, "details", details => details.addEventListener("toggle", measure));

  // Exact sums: amounts are whole numbers of 10^-40.
  const PLACES = 40;
  const parsed = text => {
    if (!text) return 0n;
    const [whole, rest = ""] = text.replace("-", "").split(".");
    return BigInt(whole + rest.padEnd(PLACES, "0")) * (text[0] === "-" ? -1n : 1n);
  };
  const exact = sum => {
    const digits = `${sum < 0n ? -sum : sum}`.padStart(PLACES + 1, "0");
    const rest = digits.slice(-PLACES).replace(/0+$/, "").padEnd(2, "0");
    return `${sum < 0n ? "-" : ""}${digits.slice(0, -PLACES)}.${rest}`;
  };
  const money = (sum, sign) => {
    const half = 5n * 10n ** BigInt(PLACES - 3), size = sum < 0n ? -sum : sum;
    const [whole, rest] = exact(size + half).split(".");
    return `${sum < 0n ? "−" : ""}${sign}${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${rest.slice(0, 2)}`;
  };
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const said = day => {
    const [year, month, of] = day.split("-");
    return `${of ? `${+of} ` : ""}${months[month - 1]} ${year}`;
  };

  // A chart like those of the page, of one colour.
  const drawn = (labels, sums, sign, description, small) => {
    const tall = 1000, slots = Math.max(7, sums.length), width = 10 * slots, numbers = sums.map(sum => Number(exact(sum)));
    const top = Math.max(0, ...numbers), low = Math.min(0, ...numbers), rough = (top - low || 1) / (small ? 2 : 4);
    const size = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 2.5, 5, 10].map(f => f * size).find(s => s >= rough);
    const ticks = [];
    for (let at = Math.ceil(low / step); at <= Math.floor((top || (low < 0 ? 0 : 1)) / step); at++) ticks.push(at * step);
    const room = (top - low || 1) * .08, first = low < 0 ? low - room : 0, last = (top || (low < 0 ? 0 : 1)) + room, y = amount => (last - amount) / (last - first) * tall;
    const texts = ticks.map(tick => `${tick < 0 ? "−" : ""}${sign}${+Math.abs(tick).toPrecision(12) >= 1e6
      ? `${+(Math.abs(tick) / 1e6).toPrecision(6)}M` : (+Math.abs(tick).toPrecision(12)).toLocaleString("en", { maximumFractionDigits: 12 })}`);
    const box = document.createElement("div");
    box.className = small ? "chart small" : "chart";
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", description);
    box.style.setProperty("--gutter", `${Math.max(...texts.map(text => text.length)) + 1}ch`);
    const bars = numbers.map((n, at) => `M${10 * at + .8} ${y(Math.max(0, n))}h8.4V${y(Math.min(0, n))}h-8.4z`).join("");
    const hovers = labels.map((label, at) => `<rect x="${10 * at}" width="10" height="${tall}"><title>${said(label)}: ${sign}${exact(sums[at])}</title></rect>`).join("");
    const starts = labels.map((label, at) => [label, at]).filter(([label, at]) => label.length === 7 || at === 0 || label.endsWith("-01"));
    const skip = Math.ceil(starts.length / 5);
    box.innerHTML = `<div class="ys">${ticks.map((tick, at) => `<span style="bottom:${100 - y(tick) / 10}%">${texts[at]}</span>`).join("")}</div>
      <div class="plot"><svg viewBox="0 0 ${width} ${tall}" preserveAspectRatio="none" aria-hidden="true"><path class="grid" d="${ticks.map(tick => `M0 ${y(tick)}h${width}`).join("")}"/>
      <path class="s1" d="${bars}"/><path class="axis" d="M0 ${y(0)}h${width}"/><g class="hover">${hovers}</g></svg></div>
      <div class="xs">${starts.map(([label, at], number) => at / slots < .94 ? `<span${number % skip ? ' class="wide"' : ""} style="left:${100 * at / slots}%">${number === 0 || label.slice(5, 7) === "01" ? said(label.slice(0, 7)) : months[label.slice(5, 7) - 1]}</span>` : "").join("")}</div>`;
    return box;
  };

  each(document, ".explorer", explorer => {
    const data = JSON.parse(explorer.parentNode.querySelector(".data").textContent);
    const whom = explorer.querySelector(".whom"), what = explorer.querySelector(".what");
    const add = (select, title, options) => {
      const group = document.createElement("optgroup");
      group.label = title;
      group.append(...options.map(([text, of]) => new Option(text, of)));
      if (options.length) select.append(group);
    };
    const people = kind => data.who.map(([of, name], at) => [of, name, at]).filter(([of]) => of === kind).map(([, name, at]) => [name, at]);
    add(whom, "Owners", people("owner"));
    add(whom, "Accounts", people("account"));
    add(what, "Services", data.services.map((name, at) => [name, `s${at}`]));
    add(what, "Categories", data.categories.map((name, at) => [name, `c${at}`]));

    const show = () => {
      const category = what.value[0] === "c", labels = category ? data.months : data.days;
      const chosen = whom.value === "" ? data.who.flatMap(([kind], at) => kind === "account" ? [`${at}`] : []) : [whom.value];
      const added = all => {
        const sums = labels.map(() => 0n);
        for (const [name, series] of Object.entries(all)) {
          const [who, of] = name.split(".");
          if (!chosen.includes(who) || what.value && of !== what.value.slice(1)) continue;
          series.split(",").forEach((text, at) => { sums[at] += parsed(text); });
        }
        return sums;
      };
      const used = added(category ? data.month : data.day), fees = category ? labels.map(() => 0n) : added(data.fee);
      const sums = used.map((sum, at) => sum + fees[at]);
      const total = sums.reduce((a, b) => a + b, 0n);
      const choice = [whom, what].map(select => select.selectedOptions[0].text).join(", ");
      const words = `${choice}: ${money(total, data.sign)}, ${said(labels[0])} to ${said(labels[labels.length - 1])}`;
      const found = explorer.querySelector(".found");
      found.textContent = words + (category ? " (categories are by month)" : "");
      found.title = exact(total);
      const here = explorer.querySelector(".here");
      here.replaceChildren(drawn(labels, used, data.sign, `Bar chart of ${words}${fees.some(fee => fee) ? ", without recurring and one-time charges" : ""}.`));
      if (fees.some(fee => fee)) {
        const title = document.createElement("p"), chart = drawn(labels, fees, data.sign, `Bar chart of the recurring and one-time charges of ${choice}.`, true);
        title.textContent = "Recurring and one-time charges";
        here.append(title, chart);
      }
      const byMonth = new Map();
      labels.forEach((label, at) => byMonth.set(label.slice(0, 7), (byMonth.get(label.slice(0, 7)) ?? 0n) + sums[at]));
      explorer.querySelector("tbody").replaceChildren(...[...byMonth].map(([month, sum]) => {
        const row = document.createElement("tr"), head = document.createElement("th"), cell = row.insertCell();
        head.scope = "row";
        head.textContent = said(month);
        head.title = month;
        cell.textContent = money(sum, data.sign);
        cell.title = exact(sum);
        row.prepend(head);
        return row;
      }));
    };
    for (const select of [whom, what]) select.addEventListener("change", show);
    explorer.hidden = false;
    show();
  });
  measure();
})();
