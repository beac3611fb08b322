import { CulvertError } from "../../base/index.ts";
import {
  broken,
  type ControlRecord,
  encodeControl,
  type Hello,
  type Intent,
  isNumbered,
  readControl,
} from "../mux/link-records.ts";

const EXPECTED = "a greeting was expected";

/** What both ends have said when a path may carry a link. */
export type Greeted =
  /** The initiator's: a new link may begin. */
  | { readonly kind: "new"; readonly hello: Hello }
  /** The initiator's: the link goes on, and so many numbered records are with the peer. */
  | { readonly kind: "resumed"; readonly hello: Hello; readonly received: number }
  /** The responder's: what the initiator wants. */
  | {
      readonly kind: "asked";
      readonly hello: Hello;
      readonly linkId: Uint8Array;
      readonly intent: Intent;
    };

/** What the initiator asks for. */
export interface Wish {
  readonly linkId: Uint8Array;
  readonly intent: Intent;
}

/**
 * The first words on an authenticated path: each end says hello, the initiator what it wants, and
 * for a link that goes on the responder how far it is. Plain state, no IO.
 */
export class Greeting {
  readonly #isInitiator: boolean;
  #hello: Hello | undefined;
  #wish: Wish | undefined;

  constructor(isInitiator: boolean) {
    this.#isInitiator = isInitiator;
  }

  /** What the peer has said of itself, once it has. */
  get hello(): Hello | undefined {
    return this.#hello;
  }

  /** What the initiator has to send; `outcome` may follow at once. */
  ask(hello: Hello, wish: Wish): Uint8Array[] {
    this.#wish = wish;
    return [encodeControl({ kind: "hello", ...hello }), encodeControl({ kind: "intent", ...wish })];
  }

  /** Whether all was said; for an initiator whose peer was faster than its {@link ask}. */
  get outcome(): Greeted | undefined {
    if (this.#hello === undefined || this.#wish?.intent.kind !== "new") return undefined;
    return { kind: "new", hello: this.#hello };
  }

  /**
   * Reads the peer's next message.
   *
   * @returns what came of it, once all was said
   * @throws CulvertError `CULVERT_PROTOCOL`; what the peer refused with
   */
  receive(payload: Uint8Array): Greeted | undefined {
    if (isNumbered(payload)) throw broken(EXPECTED);
    const record = readControl(payload);
    if (record.kind === "goodbye") {
      const { why } = record;
      const code = why === "busy" ? "CULVERT_BUSY" : "CULVERT_UNREACHABLE";
      throw new CulvertError(code, undefined, { remote: true, detail: { why } });
    }
    if (this.#hello === undefined) {
      if (record.kind !== "hello") throw broken(EXPECTED);
      const { kind: _kind, ...hello } = record;
      this.#hello = hello;
      return this.#isInitiator ? this.outcome : undefined;
    }
    return this.#conclude(this.#hello, record);
  }

  #conclude(hello: Hello, record: ControlRecord): Greeted {
    if (!this.#isInitiator && record.kind === "intent") {
      return { kind: "asked", hello, linkId: record.linkId, intent: record.intent };
    }
    if (this.#wish?.intent.kind === "resume" && record.kind === "resumed") {
      return { kind: "resumed", hello, received: record.received };
    }
    throw broken(EXPECTED);
  }
}
