// The log viewer: wires the feed, the lines, the rows in sight and what the reader presses.

import { LogFeed } from "./log-feed.js";
import { LogLines } from "./log-lines.js";
import { LogRows } from "./log-rows.js";
import { Scan } from "./log-scan.js";
import { ERROR } from "./log-text.js";

const STATES = {
  connecting: "Connecting…",
  live: "Live",
  polling: "Live, asking every second",
  missing: "This log cannot be shown to you",
};
const HASH = /^#L(\d+)(?:-L?(\d+))?$/;
const TYPING_MS = 150;
const count = (number) => number.toLocaleString("en-GB");
const sized = (bytes) => (bytes < 1e6 ? `${count(Math.ceil(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

export class LogViewer {
  #root;
  #lines = new LogLines();
  #rows;
  #feed;
  #errors;
  #search = null;
  #wanted = null; // lines of the address that did not come yet
  #line = -1; // where the reader jumped to last
  #sections = 0;
  #over = false;

  constructor(root) {
    this.#root = root;
    root.querySelectorAll("[data-log-live]").forEach((part) => { part.hidden = false; });
    this.#rows = new LogRows(this.#part("scroll"), this.#lines, () => this.#follow(false));
    this.#errors = new Scan(this.#lines, (text) => ERROR.test(text), () => this.#errorsFound());
    this.#feed = new LogFeed(root.dataset.socket, root.dataset.piece, {
      bytes: (bytes) => this.#took(bytes),
      state: (name, seconds) => this.#state(name, seconds),
      end: (end) => this.#ended(end),
    });
    this.#follow(true);
    this.#goToHash();
    this.#listen();
    this.#feed.start();
  }

  stop() {
    this.#feed.stop();
  }

  // Once more, after the browser kept the page aside.
  resume() {
    if (!this.#over) this.#feed.start();
  }

  hurry() {
    if (!this.#over) this.#feed.hurry();
  }

  #part(name) {
    return this.#root.querySelector(`[data-log-${name}]`);
  }

  #say(name, text) {
    const part = this.#part(name);
    if (part.textContent !== text) part.textContent = text;
  }

  // What comes

  #took(bytes) {
    this.#lines.append(bytes);
    this.#errors.more();
    this.#search?.more();
    this.#listSections();
    if (this.#wanted !== null && this.#lines.count > this.#wanted) {
      this.#rows.show(this.#wanted);
      this.#wanted = null;
    }
    this.#rows.draw();
    this.#say("size", this.#summary());
  }

  #summary() {
    return `${count(this.#lines.count)} lines, ${sized(this.#lines.size)}`;
  }

  #state(name, seconds) {
    this.#root.dataset.state = name;
    const again = `Connection lost, trying again in ${Math.max(1, Math.round(seconds))} s`;
    this.#say("state", name === "reconnecting" ? again : STATES[name]);
  }

  #ended({ size, state }) {
    this.#over = this.#rows.over = true;
    for (const scan of [this.#errors, this.#search]) {
      if (!scan) continue;
      scan.ended = true;
      scan.more();
    }
    if (this.#wanted !== null && this.#lines.count) this.#rows.show(this.#lines.count - 1);
    this.#root.dataset.state = "ended";
    this.#root.dataset.taskState = state;
    this.#say("state", size ? "Ended" : "Ended without a line");
    this.#say("size", this.#summary());
    this.#part("follow").hidden = true;
    this.#rows.draw();
    this.#root.dispatchEvent(new CustomEvent("log:end", { bubbles: true, detail: { size, state } }));
  }

  #listSections() {
    const list = this.#part("sections");
    list.append(...this.#lines.sections.slice(this.#sections).map(({ line, name }) => new Option(name, line)));
    this.#sections = this.#lines.sections.length;
    list.hidden = this.#sections === 0;
  }

  // Going places

  #follow(on) {
    this.#rows.following = on;
    this.#part("follow").setAttribute("aria-pressed", String(on));
    if (on) this.#rows.draw();
  }

  #go(line) {
    if (line < 0) return;
    this.#follow(false);
    this.#line = this.#rows.current = line;
    this.#rows.show(line);
    this.#rows.redraw();
  }

  #goToHash() {
    const found = HASH.exec(location.hash);
    if (!found) return;
    const [first, last] = [Number(found[1]), Number(found[2] ?? found[1])].sort((a, b) => a - b).map((n) => n - 1);
    if (first < 0) return;
    this.#mark(first, last);
    this.#follow(false);
    if (this.#lines.count > first) this.#rows.show(first);
    else this.#wanted = first;
  }

  #mark(first, last) {
    this.#line = first;
    this.#rows.target = [first, last];
    this.#rows.redraw();
  }

  #pressedNumber(event) {
    const number = event.target.closest(".log-number");
    if (!number || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const line = Number(number.parentElement.dataset.line);
    const from = event.shiftKey && this.#rows.target ? this.#rows.target[0] : line;
    const [first, last] = [from, line].sort((a, b) => a - b);
    history.replaceState(history.state, "", first === last ? `#L${first + 1}` : `#L${first + 1}-L${last + 1}`);
    this.#follow(false);
    this.#mark(first, last);
  }

  // Errors and search

  #errorsFound() {
    const button = this.#part("error");
    const number = this.#errors.found.length;
    button.disabled = number === 0;
    this.#say("error-count", number ? count(number) : "");
  }

  #nextError() {
    const next = this.#errors.after(this.#rows.current);
    this.#go(next >= 0 ? next : this.#errors.found[0] ?? -1);
  }

  #seek() {
    const sought = this.#part("search").value.toLowerCase();
    if (sought === this.#rows.sought) return;
    this.#search?.stop();
    this.#rows.sought = sought;
    this.#search = null;
    this.#rows.redraw();
    if (sought) {
      let jumped = false;
      const here = Math.max(this.#line, this.#rows.first) - 1;
      this.#search = new Scan(this.#lines, (text) => text.toLowerCase().includes(sought), () => {
        const next = this.#search.after(here);
        if (!jumped && (next >= 0 || (!this.#search.busy && this.#search.found.length))) {
          jumped = true;
          this.#go(next >= 0 ? next : this.#search.found[0]);
        }
        this.#searched();
      });
      this.#search.ended = this.#over;
      this.#search.more();
    }
    this.#searched();
  }

  #searched() {
    const number = this.#search?.found.length ?? 0;
    this.#say("found", this.#search ? this.#place(this.#search, number) : "");
    for (const name of ["next", "previous"]) this.#part(name).disabled = number === 0;
  }

  #place({ found, busy }, number) {
    if (!number) return busy ? "Searching…" : "Nothing found";
    const lines = `${count(number)} ${number === 1 ? "line" : "lines"}`;
    const place = found.indexOf(this.#rows.current) + 1;
    return place ? `${count(place)} of ${lines}` : lines;
  }

  #step(forward) {
    const found = this.#search?.found ?? [];
    if (!found.length) return;
    const at = this.#rows.current;
    const next = forward ? this.#search.after(at) : this.#search.before(at);
    this.#go(next >= 0 ? next : found.at(forward ? 0 : -1));
    this.#searched();
  }

  // What the reader does

  #listen() {
    const on = (name, type, act) => this.#part(name).addEventListener(type, act);
    let typing = 0;
    on("follow", "click", () => this.#follow(!this.#rows.following));
    on("error", "click", () => this.#nextError());
    on("next", "click", () => this.#step(true));
    on("previous", "click", () => this.#step(false));
    on("scroll", "click", (event) => this.#pressedNumber(event));
    on("sections", "change", ({ target }) => {
      if (target.value) this.#go(Number(target.value));
      target.value = "";
    });
    on("search", "input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#seek(), TYPING_MS);
    });
    on("search", "keydown", (event) => this.#searchKey(event));
    window.addEventListener("hashchange", () => this.#goToHash());
  }

  #searchKey(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      const before = this.#rows.sought;
      this.#seek();
      if (before === this.#rows.sought) this.#step(!event.shiftKey);
    } else if (event.key === "Escape") {
      event.target.value = "";
      this.#seek();
      this.#part("scroll").focus();
    }
  }

  // One key of the keyboard; true if it meant something.
  key(key) {
    const acts = {
      "/": () => this.#part("search").select(),
      n: () => this.#step(true),
      N: () => this.#step(false),
      f: () => { if (!this.#over) this.#follow(!this.#rows.following); },
      e: () => this.#nextError(),
      g: () => this.#edge(0),
      G: () => this.#edge(this.#lines.count - 1),
    };
    acts[key]?.();
    return key in acts;
  }

  #edge(line) {
    this.#follow(false);
    this.#rows.show(Math.max(0, line));
    if (line > 0 && !this.#over) this.#follow(true);
  }
}

const viewers = new Map(); // element → viewer

function begin() {
  for (const [root, viewer] of viewers) {
    if (!root.isConnected) {
      viewer.stop();
      viewers.delete(root);
    }
  }
  for (const root of document.querySelectorAll("[data-log]")) {
    if (!viewers.has(root)) viewers.set(root, new LogViewer(root));
  }
}

function viewerFor(target) {
  for (const [root, viewer] of viewers) if (root.contains(target)) return viewer;
  return viewers.size === 1 && target === document.body ? [...viewers.values()][0] : null;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (viewerFor(event.target)?.key(event.key)) event.preventDefault();
});
document.addEventListener("htmx:load", begin);
window.addEventListener("online", () => viewers.forEach((viewer) => viewer.hurry()));
document.addEventListener("visibilitychange", () => document.hidden || viewers.forEach((viewer) => viewer.hurry()));
window.addEventListener("pagehide", () => viewers.forEach((viewer) => viewer.stop()));
window.addEventListener("pageshow", (event) => event.persisted && viewers.forEach((viewer) => viewer.resume()));
begin();
