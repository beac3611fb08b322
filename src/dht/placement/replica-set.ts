import type { Contact } from "../wire/contact.ts";

/** Nodes of which so many are to keep a record: who is the next one, and how many have taken it. */
export class ReplicaSet {
  readonly replicas: number;
  readonly #candidates: Contact[] = [];
  #receipts = 0;
  #conflicts = 0;
  /** Asked, and not late yet. */
  #prompt = 0;

  constructor(replicas: number) {
    this.replicas = replicas;
  }

  /** Nodes that have given a receipt. */
  get receipts(): number {
    return this.#receipts;
  }

  /**
   * Whether one more has to be asked. A node in conflict is a replica that needs nobody else: going
   * round it would put a second record where there is a first.
   */
  get isShort(): boolean {
    return this.#receipts + this.#conflicts + this.#prompt < this.replicas;
  }

  add(node: Contact): void {
    this.#candidates.push(node);
  }

  /** The next one to ask, from now on asked. */
  next(): Contact | undefined {
    const node = this.#candidates.shift();
    if (node !== undefined) this.#prompt += 1;
    return node;
  }

  /** One that was asked is late: another one is asked beside it. */
  late(): void {
    this.#prompt -= 1;
  }

  /** One that was asked has answered. */
  answered(as: "stored" | "conflict" | "failed", { wasLate }: { readonly wasLate: boolean }): void {
    if (!wasLate) this.#prompt -= 1;
    if (as === "stored") this.#receipts += 1;
    if (as === "conflict") this.#conflicts += 1;
  }
}
