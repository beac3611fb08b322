/** The parts of hypercore 10 that the tests use; it has no types of its own. */
declare module "hypercore" {
  import type { EventEmitter } from "node:events";
  import type { Duplex } from "node:stream";

  class Hypercore extends EventEmitter {
    constructor(storage: unknown, key?: Uint8Array | null, options?: object);
    readonly key: Uint8Array;
    readonly length: number;
    ready(): Promise<void>;
    append(blocks: Uint8Array | readonly Uint8Array[]): Promise<unknown>;
    get(index: number): Promise<Buffer>;
    update(options?: { readonly wait?: boolean }): Promise<boolean>;
    treeHash(): Promise<Buffer>;
    replicate(isInitiator: boolean): Duplex;
    close(): Promise<void>;
  }

  export = Hypercore;
}

declare module "random-access-memory" {
  class RandomAccessMemory {}

  export = RandomAccessMemory;
}
