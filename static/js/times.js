// Keeps "3 min ago" and "running for 12 s" true while a page stays open, and closes menus when one clicks elsewhere.
(() => {
  function duration(seconds, parts) {
    for (const [large, small, unit, part] of [[86400, 3600, "d", "h"], [3600, 60, "h", "min"], [60, 1, "min", "s"]]) {
      if (seconds < large) continue;
      const rest = parts > 1 && Math.floor((seconds % large) / small);
      return `${Math.floor(seconds / large)} ${unit}` + (rest ? ` ${rest} ${part}` : "");
    }
    return `${seconds} s`;
  }

  function tick() {
    for (const time of document.querySelectorAll("time[data-time]")) {
      const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000));
      const text = time.dataset.time === "since" ? duration(seconds, 2) : seconds < 5 ? "just now" : `${duration(seconds, 1)} ago`;
      if (time.textContent !== text) time.textContent = text;
    }
  }

  setInterval(tick, 1000);
  addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
})();
