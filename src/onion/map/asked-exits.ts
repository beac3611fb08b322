import { type Cancel, Counts, toHex } from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";

/** Which exits are being asked for what: whoever asks again is after the answer of another one. */
export class AskedExits {
  readonly #asked = new Counts();

  /** Counts a question until the result is called. */
  begin(exit: NodeId, address: Uint8Array): Cancel {
    const name = nameOf(exit, address);
    this.#asked.add(name);
    return () => this.#asked.remove(name);
  }

  has(exit: NodeId, address: Uint8Array): boolean {
    return this.#asked.of(nameOf(exit, address)) > 0;
  }
}

function nameOf(exit: NodeId, address: Uint8Array): string {
  return nodeIdText(exit) + toHex(address);
}
