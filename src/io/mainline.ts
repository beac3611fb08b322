import { createHash } from "node:crypto";
import { CulvertError, onAbort, throwIfAborted } from "../base/index.ts";

/** A mutable item of BEP 44, without salt. */
export interface MainlineItem {
  /** ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes, over the item's canonical encoding. */
  readonly signature: Uint8Array;
  readonly seq: number;
  readonly value: Uint8Array;
}

/** The BitTorrent Mainline DHT, reduced to what a Map needs. */
export interface MainlineDht {
  /** Asks the nodes closest to the key for its item; the newest that verifies. */
  get(publicKey: Uint8Array): Promise<MainlineItem | undefined>;
  /** Puts an item to the nodes closest to its key. Resolves to how many took it. */
  put(item: MainlineItem): Promise<number>;
  close(): Promise<void>;
}

/** How the DHT is joined. */
export interface MainlineOptions {
  /** `HOST:PORT` of nodes to begin with; the well-known ones when there are none. */
  readonly bootstrap?: readonly string[];
  /** Whether `signature` is `publicKey`'s for `message`. All of it comes from strangers. */
  readonly verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What the package gives; it has no types of its own. */
interface DhtPackage {
  new (options: object): DhtClient;
}
interface DhtClient {
  once(event: "ready" | "error", listener: (error?: Error) => void): void;
  off(event: "error", listener: (error?: Error) => void): void;
  on(event: "error" | "warning", listener: () => void): void;
  readonly nodes: { toArray(): readonly unknown[] };
  get(
    key: Buffer,
    options: { cache: boolean },
    callback: (error: Error | null, item: Reply | null) => void,
  ): void;
  put(
    item: { k: Buffer; v: Buffer; seq: number; sig: Buffer },
    callback: (error: Error | null, key: Buffer, count: number) => void,
  ): void;
  destroy(callback: () => void): void;
}
interface Reply {
  readonly k?: unknown;
  readonly v?: unknown;
  readonly sig?: unknown;
  readonly seq?: unknown;
}

const JOIN_MS = 20_000;

/**
 * Joins the DHT over a UDP port of its own.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE` when no node answers, `CULVERT_UNSUPPORTED` without
 *   the package bittorrent-dht
 * @throws Error `AbortError`
 */
export async function joinMainline(options: MainlineOptions): Promise<MainlineDht> {
  const Client = await load();
  const { bootstrap, verify, signal } = options;
  throwIfAborted(signal);
  const client = new Client({
    ...(bootstrap === undefined || bootstrap.length === 0 ? {} : { bootstrap }),
    // The package hands over signature, message, key.
    verify: (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) =>
      verify(publicKey, message, signature),
  });
  client.on("warning", () => {});
  await new Promise<void>((resolve, reject) => {
    const giveUp = (error: Error): void => {
      clearTimeout(patience);
      forget();
      client.destroy(() => {});
      reject(error);
    };
    const fail = (cause?: Error): void =>
      giveUp(new CulvertError("CULVERT_UNREACHABLE", "no node of the DHT answers", { cause }));
    const forget = onAbort(signal, giveUp);
    const patience = setTimeout(fail, JOIN_MS);
    client.once("error", fail);
    client.once("ready", () => {
      // It also says that it is ready when nobody has answered.
      if (client.nodes.toArray().length === 0) return fail();
      clearTimeout(patience);
      forget();
      // From now on an error is that of an operation, which tells it: the client goes on.
      client.off("error", fail);
      client.on("error", () => {});
      resolve();
    });
  });
  return new PackageDht(client);
}

class PackageDht implements MainlineDht {
  readonly #client: DhtClient;
  #closing: Promise<void> | undefined;

  constructor(client: DhtClient) {
    this.#client = client;
  }

  async get(publicKey: Uint8Array): Promise<MainlineItem | undefined> {
    const target = createHash("sha1").update(publicKey).digest();
    const reply = await new Promise<Reply | null>((resolve) => {
      this.#client.get(target, { cache: false }, (error, item) => resolve(error ? null : item));
    });
    const { k, v, sig, seq } = reply ?? {};
    if (!(k instanceof Uint8Array && v instanceof Uint8Array && sig instanceof Uint8Array)) {
      return undefined;
    }
    if (typeof seq !== "number") return undefined;
    const [value, signature] = [new Uint8Array(v), new Uint8Array(sig)];
    return { publicKey: new Uint8Array(k), signature, seq, value };
  }

  async put({ publicKey, signature, seq, value }: MainlineItem): Promise<number> {
    const item = {
      k: Buffer.from(publicKey),
      v: Buffer.from(value),
      seq,
      sig: Buffer.from(signature),
    };
    return await new Promise((resolve) => {
      this.#client.put(item, (error, _key, count) => resolve(error ? 0 : count));
    });
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#client.destroy(resolve);
    });
    return this.#closing;
  }
}

async function load(): Promise<DhtPackage> {
  // A name that is not a literal: the package has no types.
  const name: string = "bittorrent-dht";
  try {
    const { Client } = (await import(name)) as { Client: DhtPackage };
    return Client;
  } catch (cause) {
    const message = "the Mainline DHT needs the package bittorrent-dht, which is not installed";
    throw new CulvertError("CULVERT_UNSUPPORTED", message, { cause });
  }
}
