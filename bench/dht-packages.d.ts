/// <reference path="../e2e/bittorrent-dht.d.ts" />
/** What the benchmark uses of packages without types of their own. */
declare module "hyperdht" {
  interface KeyPair {
    readonly publicKey: Buffer;
    readonly secretKey: Buffer;
  }

  class HyperDHT {
    constructor(options: object);
    static keyPair(seed?: Uint8Array): KeyPair;
    fullyBootstrapped(): Promise<void>;
    address(): { readonly port: number };
    mutablePut(keys: KeyPair, value: Uint8Array): Promise<unknown>;
    mutableGet(
      publicKey: Uint8Array,
      options?: { readonly latest?: boolean },
    ): Promise<{ readonly value: Uint8Array } | null>;
    destroy(options?: { readonly force?: boolean }): Promise<void>;
  }

  export = HyperDHT;
}
