// Brings the bytes of a log, each once and in order, from where the last transport stopped: a WebSocket, and plain
// requests where WebSockets do not get through.

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15000;
const FAILURES_UNTIL_POLLING = 2;
const POLL_MS = 1000;
const SOCKET_AGAIN_MS = 20000;
const ALIVE_MS = 25000;
const STEADY_MS = 3000;
const NOT_UNDERSTOOD = 4400;
const NOT_FOUND = 4404;

export class LogFeed {
  #socketAddress;
  #pieceAddress;
  #tell;
  #socket = null;
  #failures = 0;
  #timers = new Set();
  #polling = 0; // the number of the round of plain requests that goes on
  #rounds = 0;
  #done = false;
  offset = 0;

  // `tell` has bytes(Uint8Array), state(name, seconds) and end({ size, state }).
  constructor(socketAddress, pieceAddress, tell) {
    this.#socketAddress = new URL(socketAddress, location.href);
    this.#socketAddress.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.#pieceAddress = new URL(pieceAddress, location.href);
    this.#tell = tell;
  }

  start() {
    this.#done = false;
    this.#tell.state("connecting");
    this.#connect();
    this.#later(() => this.#alive(), ALIVE_MS);
  }

  stop() {
    this.#done = true;
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
    this.#polling = 0;
    this.#drop();
  }

  // The network is back, or somebody looks again: do not wait for the next try.
  hurry() {
    if (!this.#done && !this.#socket) this.#connect();
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #later(act, delay) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delay);
    this.#timers.add(timer);
  }

  #connect() {
    if (this.#done || this.#socket) return;
    this.#socketAddress.searchParams.set("offset", this.offset);
    let socket;
    try {
      socket = new WebSocket(this.#socketAddress);
    } catch {
      this.#poll();
      return;
    }
    this.#socket = socket;
    let from = this.offset; // what this socket will send begins here
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      if (typeof data === "string") this.#said(JSON.parse(data));
      else from = this.#received(socket, new Uint8Array(data), from);
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#closed(code);
    };
  }

  #opened(socket) {
    if (socket !== this.#socket) return;
    this.#polling = 0;
    this.#later(() => { if (socket === this.#socket) this.#failures = 0; }, STEADY_MS);
    this.#tell.state("live");
  }

  #received(socket, bytes, from) {
    this.#failures = 0;
    const seen = this.offset - from; // a plain request may have brought some of it meanwhile
    this.#take(seen > 0 ? bytes.subarray(seen) : bytes);
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ at: from + bytes.length }));
    return from + bytes.length;
  }

  #take(bytes) {
    if (!bytes.length) return;
    this.offset += bytes.length;
    this.#tell.bytes(bytes);
  }

  #said(message) {
    if (message.end) this.#end(message);
  }

  #end({ size, state }) {
    this.stop();
    this.#tell.end({ size, state });
  }

  #closed(code) {
    this.#socket = null;
    if (this.#done) return;
    if (code === NOT_FOUND || code === NOT_UNDERSTOOD) {
      this.stop();
      this.#tell.state("missing");
      return;
    }
    this.#failures += 1;
    if (this.#failures > FAILURES_UNTIL_POLLING) this.#poll();
    const wait = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#failures - 1)) * (0.7 + 0.6 * Math.random());
    if (!this.#polling) this.#tell.state("reconnecting", wait / 1000);
    this.#later(() => this.#connect(), this.#polling ? SOCKET_AGAIN_MS : wait);
  }

  #poll() {
    if (this.#polling || this.#done) return;
    this.#polling = ++this.#rounds;
    this.#ask(this.#polling);
  }

  async #ask(round) {
    if (this.#polling !== round) return;
    let delay = POLL_MS;
    try {
      const from = this.offset;
      this.#pieceAddress.searchParams.set("offset", from);
      const answer = await fetch(this.#pieceAddress, { credentials: "same-origin" });
      if (this.#polling !== round) return;
      if (answer.status === 404) {
        this.stop();
        this.#tell.state("missing");
        return;
      }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (this.#polling !== round) return;
      this.#tell.state("polling");
      this.#take(bytes);
      const size = Number(answer.headers.get("X-Log-Size"));
      if (this.offset < size) delay = 0;
      else if (answer.headers.get("X-Log-Over") === "1") {
        this.#end({ size, state: answer.headers.get("X-Log-State") });
        return;
      }
    } catch {
      if (this.#polling !== round) return;
      delay = 5 * POLL_MS;
      this.#tell.state("reconnecting", delay / 1000);
    }
    this.#later(() => this.#ask(round), delay);
  }

  // A word now and then, so that a connection that died in its sleep is noticed.
  #alive() {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ at: this.offset }));
    this.#later(() => this.#alive(), ALIVE_MS);
  }
}
