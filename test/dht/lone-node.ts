import { SeededRandom } from "../../src/base/index.ts";
import type { DhtLimits } from "../../src/dht/index.ts";
import { DhtNodeCore } from "../../src/dht/node/dht-node-core.ts";
import type { DhtEffect, DhtInput } from "../../src/dht/node/protocol.ts";
import type { RecordRule } from "../../src/dht/values/value-store.ts";
import { textBytes } from "../../src/dht/wire/key.ts";
import type { DhtResponse } from "../../src/dht/wire/message.ts";
import { effectsOf } from "../effects-of.ts";
import { keyWith } from "./nodes.ts";

export type Sent = Extract<DhtEffect, { kind: "send" }>;
type Done = Extract<DhtEffect, { kind: "done" }>;
type Busy = Extract<DhtEffect, { kind: "busy" }>;

/** A node without a network: what it sends, and what it says of its operations. */
export class LoneNode {
  now = 0;
  readonly sent: Sent[] = [];
  readonly done: Done[] = [];
  readonly busy: Busy[] = [];
  readonly joined: number[] = [];
  readonly core: DhtNodeCore;

  constructor(limits: Partial<DhtLimits> = {}, recordRule: RecordRule = () => 1) {
    const id = textBytes(keyWith(0xff, 0xff));
    const rules = { unixMsAtZero: 1_800_000_000_000, recordRule };
    this.core = new DhtNodeCore({ id, random: new SeededRandom(1), limits, ...rules });
  }

  tell(input: DhtInput): void {
    this.core.handle(input, this.now);
    this.#drain();
  }

  answer({ exchange, attempt }: Sent, response: DhtResponse): void {
    this.tell({ kind: "response", exchange, attempt, response });
  }

  /** Until the next timer, or `at` if that is sooner. */
  wait(at = Number.POSITIVE_INFINITY): void {
    this.now = Math.min(this.core.deadline(), at);
    this.core.timeout(this.now);
    this.#drain();
  }

  #drain(): void {
    for (const effect of effectsOf(this.core)) {
      if (effect.kind === "send") this.sent.push(effect);
      if (effect.kind === "done") this.done.push(effect);
      if (effect.kind === "busy") this.busy.push(effect);
      if (effect.kind === "joined") this.joined.push(effect.nodes);
    }
  }
}
