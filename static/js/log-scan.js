// Finds the lines that pass a test, all of them, without ever holding up the page.

import { plain } from "./log-text.js";

const LINES_AT_ONCE = 500;
const SLICE_MS = 8;

export class Scan {
  #lines;
  #test;
  #tell;
  #at = 0;
  #timer = 0;
  ended = false; // set when the last line counts even without a newline
  found = []; // line numbers, ascending

  // `tell` is called whenever something was found, and when all that is there is looked through.
  constructor(lines, test, tell) {
    this.#lines = lines;
    this.#test = test;
    this.#tell = tell;
    this.more();
  }

  get busy() {
    return this.#at < this.#end;
  }

  get #end() {
    return this.ended ? this.#lines.count : this.#lines.complete;
  }

  // Lines were added.
  more() {
    if (!this.#timer && this.busy) this.#timer = setTimeout(() => this.#slice(), 0);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = -1;
  }

  // The next found line after (or before) a line; -1 if there is none.
  after(line) {
    return this.found.find((candidate) => candidate > line) ?? -1;
  }

  before(line) {
    return this.found.findLast((candidate) => candidate < line) ?? -1;
  }

  #slice() {
    const until = performance.now() + SLICE_MS;
    const before = this.found.length;
    while (this.busy && performance.now() < until) {
      const end = Math.min(this.#at + LINES_AT_ONCE, this.#end);
      this.#lines.texts(this.#at, end).forEach((text, i) => {
        if (this.#test(plain(text))) this.found.push(this.#at + i);
      });
      this.#at = end;
    }
    this.#timer = 0;
    if (this.found.length !== before || !this.busy) this.#tell();
    if (this.#timer === 0) this.more();
  }
}
