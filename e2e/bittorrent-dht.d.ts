/** What the tests use of the package, which has no types of its own. */
declare module "bittorrent-dht" {
  import type { EventEmitter } from "node:events";

  export class Client extends EventEmitter {
    constructor(options: object);
    listen(port: number, host: string): void;
    address(): { readonly port: number };
    destroy(done: () => void): void;
  }
}
