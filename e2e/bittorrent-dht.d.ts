/** What the tests and the benchmark use of the package, which has no types of its own. */
declare module "bittorrent-dht" {
  import type { EventEmitter } from "node:events";

  /** A mutable item (BEP 44). */
  interface MutableItem {
    readonly k: Buffer;
    readonly seq: number;
    readonly v: Buffer;
    readonly sign: (message: Uint8Array) => Buffer;
  }

  export class Client extends EventEmitter {
    constructor(options: object);
    listen(port: number, host: string): void;
    address(): { readonly port: number };
    put(item: MutableItem, done: (error: Error | null, key?: Buffer) => void): void;
    get(
      key: Buffer,
      options: { readonly cache: boolean },
      done: (error: Error | null, item: { readonly v: Buffer } | null) => void,
    ): void;
    destroy(done: () => void): void;
  }
}
