import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { UdpCarrier } from "../../../src/link/carrier/udp-carrier.ts";
import { encodeOpening, readOpening } from "../../../src/link/carrier/udp-opening.ts";
import type {
  PathConnection,
  PathEvents,
  UdpSocket,
  UdpSocketEvents,
} from "../../../src/link/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const FROM = { host: "192.0.2.1", port: 4_000 };
const NONCE_BYTES = 8;

/** A stream of which nothing comes; it is over as soon as it is closed. */
class Silent implements PathConnection {
  readonly unsentBytes = 0;
  #events: PathEvents | undefined;

  start(events: PathEvents): void {
    this.#events = events;
  }

  write(): void {}

  setReading(): void {}

  close(): void {
    this.#events?.closed(undefined);
  }
}

/** A carrier over a socket that sends nothing anywhere; stream ids are those that the test says. */
function carrier(ids: Iterable<number> = []) {
  const clock = new VirtualClock();
  const sent: Uint8Array[] = [];
  const made: number[] = [];
  const accepted: PathConnection[] = [];
  let events: UdpSocketEvents | undefined;
  const socket: UdpSocket = {
    address: { carrier: "udp", ...FROM },
    start: (told) => {
      events = told;
    },
    send: (bytes) => sent.push(bytes.slice()),
    connect: ({ localId }) => {
      made.push(localId);
      return new Silent();
    },
    close: async () => {},
  };
  const seeded = new SeededRandom(1);
  const left = ids[Symbol.iterator]();
  const bytes = (count: number): Uint8Array => {
    const drawn = seeded.bytes(count);
    if (count === 4) new DataView(drawn.buffer).setUint32(0, left.next().value ?? 0);
    return drawn;
  };
  const made_ = new UdpCarrier({
    socket,
    clock,
    random: { bytes, unit: () => seeded.unit() },
    admits: () => true,
    onConnection: (connection) => accepted.push(connection),
  });
  const hear = (datagram: Uint8Array): void => events?.datagram(datagram, FROM);
  /** Dials, and has the dial answered. */
  const dial = (): Promise<PathConnection> => {
    const dialled = made_.dial(FROM, { signal: new AbortController().signal });
    const hello = readOpening(sent.at(-1) ?? new Uint8Array());
    hear(encodeOpening({ kind: "retry", nonce: hello.nonce, cookie: new Uint8Array(24) }));
    return dialled;
  };
  const close = (): Promise<void> => made_.close();
  return { sent, made, accepted, hear, dial, close };
}

describe("the number of a stream over UDP that is over", () => {
  it("is not taken again by an opening that comes again", () => {
    const { sent, made, accepted, hear } = carrier();
    const hello = { streamId: 7, nonce: new Uint8Array(NONCE_BYTES).fill(3) };
    hear(encodeOpening({ kind: "hello", ...hello }));
    const retry = readOpening(sent[0] ?? new Uint8Array());
    if (retry.kind !== "retry") throw new Error("a hello is answered");
    const confirm = encodeOpening({ kind: "confirm", ...hello, cookie: retry.cookie });
    for (let at = 0; at < 2; at++) hear(confirm);
    expect(made.length).toBe(1);
    accepted[0]?.start({ receive: () => {}, drained: () => {}, closed: () => {} });
    accepted[0]?.close(true);
    hear(confirm);
    expect(made.length).toBe(1);
    // Who dials again, with all the same in the same second, gets the same cookie.
    hear(encodeOpening({ kind: "hello", ...hello }));
    expect(sent[1]).toEqual(sent[0]);
  });

  it("is free again after thousands of others, though nobody ever read it", async () => {
    const others = Array.from({ length: 4_096 }, (_, at) => 1_000 + at);
    const { made, dial } = carrier([7, 7, ...others, 7]);
    for (let at = 0; at < others.length + 1; at++) (await dial()).close(true);
    // It was drawn twice in a row: late packets of the first one would be the second one's.
    expect(made).toEqual([7, ...others]);
    await dial();
    expect(made.at(-1)).toBe(7);
  });
});

describe("a carrier that is closed while its streams end", () => {
  it("makes no stream of a confirm that comes then, as its socket makes none", async () => {
    const { sent, made, hear, close } = carrier();
    const hello = { streamId: 7, nonce: new Uint8Array(NONCE_BYTES).fill(1) };
    hear(encodeOpening({ kind: "hello", ...hello }));
    const retry = readOpening(sent.at(-1) ?? new Uint8Array());
    if (retry.kind !== "retry") throw new Error("a hello is answered");
    const closed = close();
    hear(encodeOpening({ kind: "confirm", ...hello, cookie: retry.cookie }));
    hear(encodeOpening({ kind: "hello", ...hello }));
    await closed;
    expect([made, sent.length]).toEqual([[], 1]);
  });
});
