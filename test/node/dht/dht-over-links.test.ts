import { describe, expect, it } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import { Contact } from "../../../src/dht/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import type { DatagramListener, Link, LinkHost } from "../../../src/link/index.ts";
import { type DhtCarrier, DhtOverLinks } from "../../../src/node/dht/dht-over-links.ts";

const LONG = new Uint8Array(1_020);
const SHORT = Uint8Array.of(7, 8, 9);
const signal = new AbortController().signal;
const FIRST = { signal, isLast: false };

/** One of two hosts whose link hands datagrams over at once, and what went over streams. */
class End {
  readonly id: Uint8Array;
  readonly contact: Contact;
  readonly calls: Uint8Array[] = [];
  readonly sent: Uint8Array[] = [];
  readonly messages: DhtOverLinks;
  listener: DatagramListener = () => {};
  peer: End | undefined;
  hasPath = true;
  /** Told when its links are over. */
  readonly closers = new Set<(error: CulvertError) => void>();
  /** Links that were made, and how the next one is. */
  dialled = 0;
  dialling: Promise<void> = Promise.resolve();
  answer: (message: Uint8Array) => Uint8Array = (message) => message.toReversed();

  constructor(number: number) {
    this.id = new NodeIdentity(new Uint8Array(32).fill(number)).id;
    const address = { carrier: "udp", host: "127.0.0.1", port: number } as const;
    this.contact = Contact.of(this.id, { addresses: [address] });
    const host: Pick<LinkHost, "find" | "onDatagram"> = {
      find: (id) => (this.peer?.id.every((byte, i) => byte === id[i]) ? this.#link() : undefined),
      onDatagram: (_protocol, listener) => {
        this.listener = listener;
        return () => {};
      },
    };
    const call: DhtCarrier["call"] = async (_to, message) => {
      this.calls.push(message);
      return Uint8Array.of(1);
    };
    const link = async (to: Contact): Promise<Link> => {
      this.dialled += 1;
      await this.dialling;
      this.peer = new End(to.addresses[0]?.port ?? 0);
      this.peer.peer = this;
      return this.#link();
    };
    const serve = (message: Uint8Array): Uint8Array => this.answer(message);
    this.messages = new DhtOverLinks({ host, link, call, serve });
  }

  /** What the peer sent, or whoever says that it is the peer. */
  hear(bytes: Uint8Array, from: End | undefined = this.peer): void {
    this.listener(bytes, { ...this.#link(), peer: from?.id } as unknown as Link);
  }

  #link(): Link {
    const sendDatagram = (_protocol: string, bytes: Uint8Array): boolean => {
      if (!this.hasPath) return false;
      this.sent.push(bytes);
      this.peer?.hear(bytes.slice());
      return true;
    };
    const onClose = (listener: (error: CulvertError) => void): (() => void) => {
      this.closers.add(listener);
      return () => this.closers.delete(listener);
    };
    return { isOpen: true, peer: this.peer?.id, sendDatagram, onClose } as unknown as Link;
  }
}

function pair(): [End, End] {
  const [a, b] = [new End(1), new End(2)];
  a.peer = b;
  b.peer = a;
  return [a, b];
}

describe("a question of the DHT", () => {
  it("is one datagram, and its answer another", async () => {
    const [a, b] = pair();
    expect(await a.messages.ask(b.contact, SHORT, FIRST)).toEqual(Uint8Array.of(9, 8, 7));
    expect([a.sent.length, b.sent.length, a.calls.length]).toEqual([1, 1, 0]);
  });

  it("goes over a stream the last time, when too long, and without a path", async () => {
    const [a, b] = pair();
    await a.messages.ask(b.contact, SHORT, { signal, isLast: true });
    await a.messages.ask(b.contact, LONG, FIRST);
    a.hasPath = false;
    await a.messages.ask(b.contact, SHORT, FIRST);
    expect(a.calls).toEqual([SHORT, LONG, SHORT]);
    expect([a.sent, a.dialled]).toEqual([[], 0]);
  });

  it("makes a link where there is none, once for all attempts, and says so", async () => {
    const a = new End(1);
    const told: string[] = [];
    let made = (): void => {};
    a.dialling = new Promise((resolve) => {
      made = resolve;
    });
    const how = { ...FIRST, dialling: (stage: string) => void told.push(stage) };
    const { contact } = new End(2);
    const first = a.messages.ask(contact, SHORT, how);
    const repeated = a.messages.ask(contact, SHORT, how);
    const last = a.messages.ask(contact, SHORT, { ...how, isLast: true });
    expect([a.sent, a.calls, told]).toEqual([[], [], ["dialling"]]);
    made();
    const answer = Uint8Array.of(9, 8, 7);
    expect(await Promise.all([first, repeated, last])).toEqual([answer, answer, answer]);
    expect([a.sent.length, a.calls.length, a.dialled]).toEqual([1, 0, 1]);
    expect(told).toEqual(["dialling", "dialled"]);
  });

  it("fails when no link can be made", async () => {
    const a = new End(1);
    a.dialling = Promise.reject(new CulvertError("CULVERT_UNREACHABLE"));
    const asked = a.messages.ask(new End(2).contact, SHORT, FIRST);
    await expect(asked).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    a.dialling = Promise.resolve();
    expect(await a.messages.ask(new End(2).contact, SHORT, FIRST)).toHaveLength(3);
  });

  it.each([
    ["too long", () => LONG],
    [
      "refused",
      () => {
        throw new CulvertError("CULVERT_PROTOCOL", "no message");
      },
    ],
  ] as const)("is asked over a stream when its answer is %s", async (_, answer) => {
    const [a, b] = pair();
    b.answer = answer;
    expect(await a.messages.ask(b.contact, SHORT, FIRST)).toEqual(Uint8Array.of(1));
    expect(a.calls).toEqual([SHORT]);
  });

  it("that is one too many is refused, and not asked again over a stream", async () => {
    const [a, b] = pair();
    b.answer = () => {
      throw new CulvertError("CULVERT_BUSY");
    };
    const asked = a.messages.ask(b.contact, SHORT, FIRST);
    await expect(asked).rejects.toMatchObject({ code: "CULVERT_BUSY", remote: true });
    expect([a.sent.length, b.sent.length, a.calls]).toEqual([1, 1, []]);
  });

  it("over a link for which the node has no room is refused, over others it waits", async () => {
    const [a, b] = pair();
    b.peer = undefined; // nobody hears what it says
    const asked = a.messages.ask(b.contact, SHORT, FIRST);
    for (const closed of a.closers) closed(new CulvertError("CULVERT_BUSY"));
    await expect(asked).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    const again = a.messages.ask(b.contact, SHORT, FIRST);
    for (const closed of a.closers) closed(new CulvertError("CULVERT_UNREACHABLE"));
    a.hear(Uint8Array.from([1, ...(a.sent[1]?.subarray(1, 5) ?? []), 55]));
    expect(await again).toEqual(Uint8Array.of(55));
    expect(a.closers.size).toBe(0);
  });

  it("is answered only by who was asked, and once", async () => {
    const [a, b] = pair();
    b.peer = undefined; // nobody hears what it says
    const asked = a.messages.ask(b.contact, SHORT, FIRST);
    const forged = Uint8Array.of(1, ...(a.sent[0]?.subarray(1, 5) ?? []), 66);
    a.hear(forged, new End(3));
    const answer = Uint8Array.from([1, ...(a.sent[0]?.subarray(1, 5) ?? []), 55]);
    a.hear(answer);
    a.hear(forged);
    expect(await asked).toEqual(Uint8Array.of(55));
  });

  it("is forgotten when nobody waits any more", async () => {
    const [a, b] = pair();
    b.peer = undefined;
    const controller = new AbortController();
    const asked = a.messages.ask(b.contact, SHORT, { ...FIRST, signal: controller.signal });
    controller.abort();
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
    a.hear(Uint8Array.of(1, ...(a.sent[0]?.subarray(1, 5) ?? []), 55));
  });

  it("that is cut short, or of no known kind, is dropped", () => {
    const [a, b] = pair();
    for (let length = 0; length < 5; length++)
      b.hear(Uint8Array.of(0, 0, 0, 0, 1).subarray(0, length));
    b.hear(Uint8Array.of(9, 0, 0, 0, 1, 5));
    expect([a.sent, b.sent]).toEqual([[], []]);
  });
});
