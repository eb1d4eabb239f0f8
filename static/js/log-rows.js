// Shows a log of any length: only the lines in sight, and a few around them, are in the document.

import { ERROR, nodes, plain } from "./log-text.js";

const AROUND = 15; // lines kept above and below what is seen
const TALLEST = 8_000_000; // pixels; browsers cannot scroll much more, so longer logs scroll in proportion
const LONGEST_LINE = 4096; // bytes shown of one line
const LEAST_LIVE = 8; // lines there is room for while more may come

export class LogRows {
  #lines;
  #scroller;
  #space;
  #box;
  #tell;
  #rows = new Map(); // line → element
  #height = 20;
  #drawn = 0; // lines when last drawn
  #expected = 0; // where we scrolled to
  #asked = false;
  following = false;
  over = false; // no line will be added
  sought = "";
  current = -1; // the line the search is at
  target = null; // [first, last] of the address

  // `tell` is called with nothing when the reader scrolls up.
  constructor(scroller, lines, tell) {
    this.#scroller = scroller;
    this.#lines = lines;
    this.#tell = tell;
    this.#space = scroller.querySelector("[data-log-space]");
    this.#box = scroller.querySelector("[data-log-rows]");
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(scroller);
    this.#measure();
  }

  #measure() {
    const sample = this.#row(0);
    sample.lastChild.textContent = "x";
    this.#box.append(sample);
    this.#height = sample.getBoundingClientRect().height || 20;
    sample.remove();
  }

  // The style came late, or the screen was turned: a line may have another height now.
  #resized() {
    this.#measure();
    this.draw();
  }

  // Never more lines than the window has room for, also where no style limits the box.
  get #seen() {
    const height = Math.min(this.#scroller.clientHeight, window.innerHeight);
    return Math.max(1, Math.floor(height / this.#height));
  }

  get #tall() {
    return this.#lines.count * this.#height;
  }

  // The first line in sight, with its fraction.
  get #top() {
    const { scrollTop, clientHeight } = this.#scroller;
    if (this.#tall <= TALLEST) return scrollTop / this.#height;
    return (scrollTop / (TALLEST - clientHeight)) * (this.#lines.count - clientHeight / this.#height);
  }

  // The first whole line in sight.
  get first() {
    return Math.ceil(this.#top);
  }

  // Bring a line to the upper third of the view.
  show(line) {
    const first = Math.max(0, line - Math.floor(this.#seen / 3));
    this.#stretch();
    const { clientHeight } = this.#scroller;
    const most = this.#lines.count - clientHeight / this.#height;
    const top = this.#tall <= TALLEST ? first * this.#height : (first / most) * (TALLEST - clientHeight);
    this.#scrollTo(top);
    this.draw();
  }

  // Draw what is seen, once before the next frame.
  draw() {
    if (this.#asked) return;
    this.#asked = true;
    const now = () => {
      if (!this.#asked) return;
      this.#asked = false;
      this.#draw();
    };
    requestAnimationFrame(now);
  }

  // Draw all lines in sight anew: what is marked in them changed.
  redraw() {
    this.#rows.forEach((row) => row.remove());
    this.#rows.clear();
    this.draw();
  }

  #scrollTo(top) {
    this.#scroller.scrollTop = top;
    this.#expected = this.#scroller.scrollTop;
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    const atEnd = scrollTop + clientHeight >= scrollHeight - 2 * this.#height;
    if (this.following && scrollTop < this.#expected - 2 && !atEnd) this.#tell();
    this.#expected = scrollTop;
    this.draw();
  }

  // The box needs no more height than its lines and its scroll bar; the style sheet limits it.
  #fit() {
    const lines = Math.max(this.#lines.count, this.over ? 0 : LEAST_LIVE);
    const tall = Math.min(lines * this.#height, window.innerHeight);
    const bar = tall < window.innerHeight ? this.#scroller.offsetHeight - this.#scroller.clientHeight : 0;
    this.#set("--log-tall", `${tall + bar}px`);
  }

  #set(property, value) {
    const { style } = this.#scroller;
    if (style.getPropertyValue(property) !== value) style.setProperty(property, value);
  }

  #stretch() {
    this.#fit();
    this.#space.style.height = `${Math.min(this.#tall, TALLEST)}px`;
    this.#set("--log-digits", String(Math.max(3, String(this.#lines.count).length)));
  }

  #draw() {
    this.#stretch();
    if (this.following) this.#scrollTo(this.#scroller.scrollHeight);
    const top = this.#top;
    const first = Math.max(0, Math.floor(top) - AROUND);
    const end = Math.min(this.#lines.count, Math.ceil(top) + this.#seen + AROUND + 1);
    this.#announce();
    this.#keep(first, end);
    const shift = this.#scroller.scrollTop + (first - top) * this.#height;
    this.#box.style.transform = `translateY(${shift}px)`;
    this.#space.style.minWidth = `${Math.max(this.#space.clientWidth, this.#box.scrollWidth)}px`;
    this.#fit(); // a long line brings a scroll bar
    this.#drawn = this.#lines.count;
  }

  // A screen reader is told of new lines while the reader follows and they come a few at a time.
  #announce() {
    const fresh = this.#lines.count - this.#drawn;
    this.#scroller.setAttribute("aria-live", this.following && fresh <= 5 ? "polite" : "off");
  }

  #keep(first, end) {
    for (const [line, row] of this.#rows) {
      if (line < first || line >= end || line === this.#drawn - 1) {
        row.remove(); // the last line of before may have grown
        this.#rows.delete(line);
      }
    }
    let after = this.#box.firstChild;
    for (let line = first; line < end; line++) {
      const row = this.#rows.get(line);
      if (row) after = row.nextSibling;
      else this.#box.insertBefore(this.#filled(line), after);
    }
  }

  #row(line) {
    const row = document.createElement("div");
    row.className = "log-row";
    row.dataset.line = line;
    const number = document.createElement("a");
    number.className = "log-number";
    number.href = `#L${line + 1}`;
    number.tabIndex = -1;
    number.textContent = line + 1;
    number.setAttribute("aria-hidden", "true");
    const text = document.createElement("span");
    text.className = "log-text";
    row.append(number, text);
    return row;
  }

  #filled(line) {
    const row = this.#row(line);
    this.#rows.set(line, row);
    const text = this.#lines.text(line, LONGEST_LINE);
    row.lastChild.append(nodes(text, this.sought));
    this.#decorate(row, line, text);
    return row;
  }

  #decorate(row, line, text) {
    if (ERROR.test(plain(text))) row.classList.add("is-error");
    if (line === this.current) row.classList.add("is-current");
    if (this.target && line >= this.target[0] && line <= this.target[1]) row.classList.add("is-target");
    if (text.startsWith("== ")) {
      row.classList.add("is-section");
      row.lastChild.setAttribute("role", "heading");
      row.lastChild.setAttribute("aria-level", "2");
    }
  }
}
