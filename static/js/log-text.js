// What a terminal would show of a line: colours as classes, every other escape dropped. Makes DOM nodes, never HTML.

const ESCAPE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~]?)/g;
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g; // all but tab; and what reverses reading order
export const ERROR = /\berror:|^E: |\bFAILED\b|^FAIL:|dpkg-buildpackage: error|make(?:\[\d+\])?: \*\*\*|^Traceback \(most recent|Segmentation fault|^fatal: /;

// A progress line rewritten with carriage returns shows its last version.
function lastVersion(text) {
  if (!text.includes("\r")) return text;
  const trimmed = text.replace(/\r+$/, "");
  return trimmed.slice(trimmed.lastIndexOf("\r") + 1);
}

// The characters one sees.
export function plain(text) {
  return lastVersion(text).replace(ESCAPE, "").replace(CONTROL, "");
}

// The line in pieces of one look each: [{ text, look }], `look` being class names.
export function pieces(text) {
  const line = lastVersion(text);
  const style = { on: new Set(), fg: null, bg: null };
  const found = [];
  let done = 0;
  const push = (piece) => {
    const clean = piece.replace(CONTROL, "");
    if (clean) found.push({ text: clean, look: look(style) });
  };
  for (const escape of line.matchAll(ESCAPE)) {
    push(line.slice(done, escape.index));
    if (escape[2] === "m") apply(style, escape[1]);
    done = escape.index + escape[0].length;
  }
  push(line.slice(done));
  return found;
}

const ON = { 1: "bold", 2: "faint", 3: "italic", 4: "underline", 7: "inverse", 9: "struck" };
const OFF = { 22: ["bold", "faint"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["struck"] };

function apply(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) { style.on.clear(); style.fg = style.bg = null; }
    else if (ON[code]) style.on.add(ON[code]);
    else if (OFF[code]) OFF[code].forEach((name) => style.on.delete(name));
    else if (code >= 30 && code <= 37) style.fg = code - 30;
    else if (code >= 90 && code <= 97) style.fg = code - 82;
    else if (code === 39) style.fg = null;
    else if (code >= 40 && code <= 47) style.bg = code - 40;
    else if (code >= 100 && code <= 107) style.bg = code - 92;
    else if (code === 49) style.bg = null;
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(codes.slice(i + 1));
      style[code === 38 ? "fg" : "bg"] = colour;
      i += used;
    }
  }
}

// 256 and 16 million colours become the nearest of the 16 that fit light and dark.
function extended(codes) {
  if (codes[0] === 2) return [nearest(codes[1], codes[2], codes[3]), 4];
  const number = codes[1];
  if (codes[0] !== 5 || !(number >= 0)) return [null, 1];
  if (number < 16) return [number, 2];
  if (number >= 232) return [number < 244 ? 8 : 7, 2];
  const level = (step) => (step ? 55 + 40 * step : 0);
  const cube = number - 16;
  return [nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)), 2];
}

function nearest(red, green, blue) {
  const most = Math.max(red, green, blue);
  const least = Math.min(red, green, blue);
  if (!(most >= 64)) return 0;
  if (most - least < 40) return most < 160 ? 8 : 7;
  const middle = (most + least) / 2;
  const hue = (red > middle ? 1 : 0) + (green > middle ? 2 : 0) + (blue > middle ? 4 : 0);
  return hue + (most > 215 ? 8 : 0);
}

function look({ on, fg, bg }) {
  const inverse = on.has("inverse");
  const [front, back] = inverse ? [bg ?? "ground", fg ?? "text"] : [fg, bg];
  const onGround = back !== null && front === null ? "ground" : front;
  const names = [...on].filter((name) => name !== "inverse").map((name) => `sgr-${name}`);
  if (onGround !== null) names.push(`sgr-fg-${onGround}`);
  if (back !== null) names.push(`sgr-bg-${back}`);
  return names.join(" ");
}

// The pieces as nodes, with every occurrence of `sought` (lower case) marked.
export function nodes(text, sought) {
  const line = pieces(text);
  const hits = sought ? occurrences(line.map((piece) => piece.text).join(""), sought) : [];
  const made = document.createDocumentFragment();
  let at = 0;
  for (const piece of line) {
    for (const [from, to, hit] of cuts(at, at + piece.text.length, hits)) {
      made.append(node(piece.text.slice(from - at, to - at), piece.look, hit));
    }
    at += piece.text.length;
  }
  return made;
}

function occurrences(text, sought) {
  const lower = text.toLowerCase();
  if (lower.length !== text.length) return []; // a letter that grows in lower case: the line is found, not marked
  const hits = [];
  for (let at = lower.indexOf(sought); at >= 0; at = lower.indexOf(sought, at + sought.length)) {
    hits.push([at, at + sought.length]);
  }
  return hits;
}

// The stretch from..to, cut where hits begin and end: [[from, to, is a hit]].
function cuts(from, to, hits) {
  const parts = [];
  let at = from;
  for (const [start, end] of hits) {
    if (end <= at || start >= to) continue;
    if (start > at) parts.push([at, start, false]);
    parts.push([Math.max(start, at), Math.min(end, to), true]);
    at = Math.min(end, to);
  }
  if (at < to) parts.push([at, to, false]);
  return parts;
}

function node(text, look, hit) {
  if (!look && !hit) return document.createTextNode(text);
  const made = document.createElement(hit ? "mark" : "span");
  if (look) made.className = look;
  made.textContent = text;
  return made;
}
