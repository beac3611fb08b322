import { concatBytes, SILENT, toHex } from "../../src/base/index.ts";
import type { VirtualClock } from "../../src/testing/index.ts";
import {
  type Gateway,
  Session,
  type SessionEnd,
  type VoidphoneContact,
  type VoidphoneDht,
  type VoidphoneEntry,
  type VoidphonePeer,
} from "../../src/voidphone/index.ts";
import { MessageBuffer } from "../../src/voidphone/message.ts";

/** One client of a gateway, on a connection that loses nothing. */
export interface Client {
  /** Sends bytes, in pieces of `pieceBytes`, and lets everything be served that can be now. */
  say(bytes: Uint8Array, pieceBytes?: number): Promise<void>;
  /** The messages that were said since the last call. */
  heard(): Uint8Array[];
  readonly end: SessionEnd | undefined;
  /** The connection is lost. */
  cut(): void;
  /** Bytes that it has not read. */
  unsentBytes: number;
}

/** Connects one client. */
export function connectTo<Request>(
  gateway: Gateway<Request>,
  clock: VirtualClock,
  remoteHost = "192.0.2.9",
): Client {
  const written: Uint8Array[] = [];
  let end: SessionEnd | undefined;
  const client: Client = {
    say: async (bytes, pieceBytes = Math.max(bytes.length, 1)) => {
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        session.receive(bytes.slice(at, at + pieceBytes));
      }
      await clock.runUntil(clock.now());
    },
    heard: () => {
      const buffer = new MessageBuffer();
      buffer.push(concatBytes(...written.splice(0)));
      const messages: Uint8Array[] = [];
      for (let next = buffer.take(); next !== undefined; next = buffer.take()) messages.push(next);
      if (buffer.length > 0) throw new Error("half a message was said");
      return messages;
    },
    get end() {
      return end;
    },
    cut: () => session.closed(),
    unsentBytes: 0,
  };
  const session = new Session<Request>(
    {
      gateway,
      clock,
      log: SILENT,
      port: {
        write: (bytes) => written.push(bytes),
        get unsentBytes() {
          return client.unsentBytes;
        },
        setReading: () => {},
        close: () => {},
      },
      onEnd: (reason) => {
        end = reason;
      },
    },
    { source: remoteHost, remoteHost },
  );
  return client;
}

/** What a node behind the gateways was told, and what it answers: a map in memory. */
export class RememberingNode implements VoidphoneDht, VoidphonePeer {
  readonly values = new Map<string, Uint8Array>();
  readonly entries: VoidphoneEntry[] = [];
  readonly learned: VoidphoneContact[] = [];
  contacts: VoidphoneContact[] = [];
  contact: VoidphoneContact | undefined;
  /** What it does instead of serving. */
  mood: "serves" | "fails" | "hangs" | "refuses" = "serves";

  self(): VoidphoneContact | undefined {
    return this.contact;
  }

  async store(entry: VoidphoneEntry): Promise<"stored" | "not-acceptable"> {
    await this.#act();
    if (this.mood === "refuses") return "not-acceptable";
    await this.put(entry);
    return "stored";
  }

  async put(entry: VoidphoneEntry): Promise<void> {
    await this.#act();
    const { key, value } = entry;
    this.entries.push({ ...entry, key: key.slice(), value: value.slice() });
    this.values.set(toHex(key), value.slice());
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    await this.#act();
    return this.values.get(toHex(key));
  }

  find(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.get(key);
  }

  closest(_target: Uint8Array, count: number): readonly VoidphoneContact[] {
    return this.contacts.slice(0, count);
  }

  learn(contact: VoidphoneContact): void {
    this.learned.push({ ...contact, id: contact.id.slice() });
  }

  /** Forgets everything but who it is. */
  clear(): void {
    this.values.clear();
    this.entries.length = 0;
    this.learned.length = 0;
  }

  async #act(): Promise<void> {
    if (this.mood === "hangs") await new Promise(() => {});
    if (this.mood === "fails") throw new Error("the disk is full");
  }
}
