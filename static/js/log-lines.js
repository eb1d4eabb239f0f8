// A log as raw bytes and the offsets at which its lines begin. Nothing is decoded but what is looked at.

const BLOCK = 1 << 20;
const NEWLINE = 10;
const SECTION = /^== (?:PHASE )?(\S.*?)(?: ==)?$/;
const decoder = new TextDecoder();

export class LogLines {
  #blocks = [];
  #starts = new Uint32Array(1 << 12); // a log is far smaller than 4 GiB
  #started = 1; // lines that began; the last one may be empty so far
  size = 0;
  sections = []; // [{ line, name }]

  // Lines there are; a text that ends with a newline has no empty line after it.
  get count() {
    return this.#started - (this.#starts[this.#started - 1] === this.size ? 1 : 0);
  }

  // Lines that have their newline.
  get complete() {
    return this.#started - 1;
  }

  append(bytes) {
    this.#store(bytes);
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) {
      this.#begin(this.size + at + 1);
    }
    const before = this.#started - 1;
    this.size += bytes.length;
    return before;
  }

  start(line) {
    return line < this.#started ? this.#starts[line] : this.size;
  }

  // One line as text, without its newline; at most `most` bytes of it.
  text(line, most = Infinity) {
    const from = this.start(line);
    let to = this.start(line + 1);
    if (line + 1 < this.#started) to -= 1;
    const cut = to - from - most;
    const text = decoder.decode(this.#bytes(from, Math.min(to, from + most)));
    return cut > 0 ? `${text} … ${cut.toLocaleString("en-GB")} more bytes: see the raw log` : text;
  }

  // Lines from `first` up to (not including) `end`, as texts.
  texts(first, end) {
    const texts = decoder.decode(this.#bytes(this.start(first), this.start(end))).split("\n");
    if (texts.length > end - first) texts.pop();
    return texts;
  }

  #begin(offset) {
    if (this.#started === this.#starts.length) {
      const larger = new Uint32Array(this.#started * 2);
      larger.set(this.#starts);
      this.#starts = larger;
    }
    this.#note(this.#started - 1, offset - 1);
    this.#starts[this.#started++] = offset;
  }

  #note(line, end) {
    const from = this.#starts[line];
    if (end - from < 4 || this.#byte(from) !== 61 || this.#byte(from + 1) !== 61 || this.#byte(from + 2) !== 32) return;
    const found = SECTION.exec(decoder.decode(this.#bytes(from, Math.min(end, from + 200))).trimEnd());
    if (found) this.sections.push({ line, name: found[1] });
  }

  #byte(at) {
    return this.#blocks[Math.floor(at / BLOCK)][at % BLOCK];
  }

  #bytes(from, to) {
    const first = Math.floor(from / BLOCK);
    if (to <= (first + 1) * BLOCK) {
      return this.#blocks.length > first ? this.#blocks[first].subarray(from - first * BLOCK, to - first * BLOCK) : new Uint8Array();
    }
    const joined = new Uint8Array(to - from);
    for (let at = from; at < to; ) {
      const block = Math.floor(at / BLOCK);
      const piece = this.#blocks[block].subarray(at - block * BLOCK, Math.min(BLOCK, to - block * BLOCK));
      joined.set(piece, at - from);
      at += piece.length;
    }
    return joined;
  }

  #store(bytes) {
    for (let done = 0; done < bytes.length; ) {
      const at = (this.size + done) % BLOCK;
      if (at === 0) this.#blocks.push(new Uint8Array(BLOCK));
      const piece = bytes.subarray(done, done + BLOCK - at);
      this.#blocks[this.#blocks.length - 1].set(piece, at);
      done += piece.length;
    }
  }
}
