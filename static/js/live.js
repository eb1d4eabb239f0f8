// Keeps parts of a page fresh: an element with data-live="task:42 builds" and hx-get is fetched again by htmx when an
// event of one of its topics comes, at most once a second. Without a WebSocket it is fetched every few seconds.

(() => {
  "use strict";

  const FRESH_MS = 1000;
  const POLL_MS = 5000;
  const LONGEST_DELAY = 15000;
  const FAILURES_UNTIL_POLLING = 2;
  const refreshed = new Map(); // id, or element without one → { at, timer }
  let socket = null;
  let told = ""; // the topics the server knows of
  let failures = 0;
  let poll = 0;
  let missed = false; // whether events may have come while nobody listened

  const parts = () => [...document.querySelectorAll("[data-live]")];
  const topicsOf = (part) => part.dataset.live.split(/\s+/).filter(Boolean);

  // The part as it is now: htmx may have put a new element in its place.
  const current = (part) => (part.isConnected ? part : part.id && document.getElementById(part.id));

  function refresh(part) {
    const key = part.id || part;
    const state = refreshed.get(key) ?? { at: -FRESH_MS, timer: 0 };
    refreshed.set(key, state);
    if (!state.timer) arm(part, key, state, Math.max(0, state.at + FRESH_MS - performance.now()));
  }

  function arm(part, key, state, wait) {
    state.timer = setTimeout(() => {
      state.timer = 0;
      const now = current(part);
      if (!now) refreshed.delete(key);
      else if (busy(now)) arm(now, key, state, FRESH_MS);
      else {
        state.at = performance.now();
        fetchAgain(now);
      }
    }, wait);
  }

  function fetchAgain(part) {
    part.dispatchEvent(new CustomEvent("live"));
    const listens = (part.getAttribute("hx-trigger") ?? "").split(/[\s,]+/).includes("live");
    if (part.hasAttribute("hx-get") && !listens) window.htmx?.ajax("GET", part.getAttribute("hx-get"), { source: part });
  }

  // What is being fetched, and what somebody is typing in, is left alone for now.
  function busy(part) {
    if (part.classList.contains("htmx-request")) return true;
    const active = document.activeElement;
    return part !== active && part.contains(active) && active.matches("input, textarea, select");
  }

  const refreshAll = () => document.hidden || parts().forEach(refresh);

  function listen() {
    const topics = [...new Set(parts().flatMap(topicsOf))].sort();
    if (!topics.length) return;
    if (!socket) connect();
    else if (socket.readyState === WebSocket.OPEN && told !== topics.join(" ")) {
      told = topics.join(" ");
      socket.send(JSON.stringify({ listen: topics }));
    }
  }

  function connect() {
    const address = new URL("/ws/events/", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const mine = new WebSocket(address);
    socket = mine;
    mine.onopen = () => {
      told = "";
      clearInterval(poll);
      poll = 0;
      document.documentElement.dataset.events = "live";
      if (missed) refreshAll();
      missed = false;
      listen();
    };
    mine.onmessage = ({ data }) => {
      failures = 0;
      for (const event of JSON.parse(data).events ?? []) heard(event);
    };
    mine.onclose = () => {
      if (mine === socket) lost();
    };
  }

  function heard(event) {
    const topics = new Set(event.topics);
    parts().filter((part) => topicsOf(part).some((topic) => topics.has(topic))).forEach(refresh);
    document.dispatchEvent(new CustomEvent("live:event", { detail: event }));
  }

  function lost() {
    socket = null;
    missed = true;
    failures += 1;
    document.documentElement.dataset.events = "lost";
    if (failures >= FAILURES_UNTIL_POLLING && !poll) poll = setInterval(refreshAll, POLL_MS);
    const wait = Math.min(LONGEST_DELAY, 500 * 2 ** (failures - 1)) * (0.7 + 0.6 * Math.random());
    setTimeout(() => socket || listen(), wait);
  }

  document.addEventListener("DOMContentLoaded", listen);
  document.addEventListener("htmx:afterSettle", listen);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    if (missed) refreshAll();
    if (!socket) listen();
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    missed = true;
    socket = null;
    listen();
  });
})();
