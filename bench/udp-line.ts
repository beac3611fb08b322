/**
 * A line between two UDP sockets, as a process of its own: seeded loss and delay each way, and the
 * bandwidth of a bottleneck with its queue. A message tells what it is to be; it answers with its
 * ports.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { SeededRandom } from "../src/base/index.ts";

const LOOPBACK = "127.0.0.1";
const KERNEL_BUFFER_BYTES = 4 * 2 ** 20;

/** What a line is like; it carries packets between whoever speaks first and `toPort`. */
export interface LineProfile {
  readonly toPort: number;
  readonly seed: number;
  /** Share of packets that is lost, each way. */
  readonly loss: number;
  readonly delayMs: number;
  /** Each way; without it nothing waits. */
  readonly bytesPerSecond?: number;
  /** What may wait at the bottleneck; the rest is dropped. */
  readonly queueBytes?: number;
}

/** Where the two ends of a line are: one side sends to `nearPort`, the other to `farPort`. */
export interface LinePorts {
  readonly nearPort: number;
  readonly farPort: number;
}

interface Waiting {
  readonly dueAt: number;
  readonly bytes: Uint8Array;
}

/** One direction. The delay is the same for all, so that what came first leaves first. */
class Direction {
  readonly #profile: LineProfile;
  readonly #random: SeededRandom;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #waiting: Waiting[] = [];
  #head = 0;
  #freeAt = 0;
  #isTimed = false;

  constructor(profile: LineProfile, seed: number, send: (bytes: Uint8Array) => void) {
    this.#profile = profile;
    this.#random = new SeededRandom(seed);
    this.#send = send;
  }

  take(bytes: Uint8Array): void {
    const { loss, delayMs, bytesPerSecond, queueBytes = Number.POSITIVE_INFINITY } = this.#profile;
    const now = performance.now();
    const perMs = (bytesPerSecond ?? Number.POSITIVE_INFINITY) / 1_000;
    const startAt = Math.max(this.#freeAt, now);
    if ((startAt - now) * perMs > queueBytes) return;
    this.#freeAt = startAt + bytes.length / perMs;
    if (this.#random.unit() < loss) return;
    this.#waiting.push({ dueAt: this.#freeAt + delayMs, bytes });
    this.#later();
  }

  #later(): void {
    if (this.#isTimed) return;
    this.#isTimed = true;
    setTimeout(() => this.#flush(), 1);
  }

  #flush(): void {
    this.#isTimed = false;
    const now = performance.now();
    for (; this.#head < this.#waiting.length; this.#head++) {
      const { dueAt, bytes } = this.#waiting[this.#head] as Waiting;
      if (dueAt > now) break;
      this.#send(bytes);
    }
    if (this.#head > 4_096 || this.#head === this.#waiting.length) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
    if (this.#waiting.length > 0) this.#later();
  }
}

async function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, LOOPBACK);
  await once(socket, "listening");
  socket.setRecvBufferSize(KERNEL_BUFFER_BYTES);
  socket.setSendBufferSize(KERNEL_BUFFER_BYTES);
  return socket;
}

async function open(profile: LineProfile): Promise<LinePorts> {
  const [near, far] = [await bound(), await bound()];
  let nearPeer = 0;
  const up = new Direction(profile, profile.seed, (bytes) => {
    far.send(bytes, profile.toPort, LOOPBACK);
  });
  const down = new Direction(profile, profile.seed + 1, (bytes) => {
    if (nearPeer > 0) near.send(bytes, nearPeer, LOOPBACK);
  });
  near.on("message", (bytes, { port }) => {
    nearPeer = port;
    up.take(bytes);
  });
  far.on("message", (bytes) => down.take(bytes));
  return { nearPort: near.address().port, farPort: far.address().port };
}

process.on("message", (profile: LineProfile) => {
  void open(profile).then((ports) => process.send?.(ports));
});
process.on("disconnect", () => process.exit(0));
