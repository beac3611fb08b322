import { type Cancel, toHex } from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";

/** Which exits are being asked for what: whoever asks again is after the answer of another one. */
export class AskedExits {
  readonly #asked = new Map<string, number>();

  /** Counts a question until the result is called. */
  begin(exit: NodeId, address: Uint8Array): Cancel {
    const name = nameOf(exit, address);
    this.#asked.set(name, (this.#asked.get(name) ?? 0) + 1);
    return () => {
      const left = (this.#asked.get(name) ?? 1) - 1;
      if (left > 0) this.#asked.set(name, left);
      else this.#asked.delete(name);
    };
  }

  has(exit: NodeId, address: Uint8Array): boolean {
    return this.#asked.has(nameOf(exit, address));
  }
}

function nameOf(exit: NodeId, address: Uint8Array): string {
  return nodeIdText(exit) + toHex(address);
}
