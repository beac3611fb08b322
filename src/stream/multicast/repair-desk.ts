import { type Clock, CulvertError, type Random } from "../../base/index.ts";
import type { ReadCapability } from "../../crypto/index.ts";
import type { Transport } from "../../transport/index.ts";
import { StreamEngine, type StreamEvent } from "../duplex/engine.ts";
import type { IoInput } from "../exchange/protocol.ts";
import { streamIdOf } from "../secret.ts";
import type { BroadcastInput } from "./broadcast-core.ts";
import type { RepairPosition } from "./broadcast-state.ts";
import type { BroadcastOptions } from "./options.ts";
import { RepairCore, type RepairEffect } from "./repair-core.ts";

/** What a repair desk is made of. */
export interface RepairDeskInit {
  /** Not bound to anything. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: BroadcastOptions;
  /** The readers of earlier sessions. */
  readonly readers: ReadonlyMap<string, RepairPosition>;
  /** Tells the broadcast core. */
  readonly tell: (input: BroadcastInput) => void;
}

interface Reader {
  readonly root: Uint8Array;
  readonly engine: StreamEngine<IoInput, StreamEvent | RepairEffect>;
}

/**
 * Where readers ask for what they lack. Each one has a core, an engine and a window of its own, so
 * that none of them can hold up the others or the writer.
 */
export class RepairDesk {
  readonly #init: RepairDeskInit;
  readonly #readers = new Map<string, Reader>();
  #transport: Transport;
  #isStarted = false;

  constructor(init: RepairDeskInit) {
    this.#init = init;
    this.#transport = init.transport;
    for (const [id, position] of init.readers) this.#follow(id, position);
  }

  /** @throws CulvertError `CULVERT_BUSY` when there are too many */
  add({ root, chain }: ReadCapability): string {
    const id = streamIdOf(root);
    if (this.#readers.has(id)) return id;
    const { repairReadersMax } = this.#init.options;
    if (this.#readers.size >= repairReadersMax) {
      throw new CulvertError("CULVERT_BUSY", "too many readers have a repair chain", {
        detail: { repairReadersMax },
      });
    }
    const position = { root: root.slice(), next: 0, chain: chain.toBytes() };
    this.#init.tell({ kind: "reader", id, position });
    this.#follow(id, position);
    return id;
  }

  remove(id: string): boolean {
    const reader = this.#readers.get(id);
    if (reader === undefined) return false;
    this.#readers.delete(id);
    this.#init.tell({ kind: "reader-gone", id });
    void reader.engine.stop();
    return true;
  }

  start(): void {
    this.#isStarted = true;
    for (const { engine } of this.#readers.values()) engine.start();
  }

  setTransport(transport: Transport): void {
    this.#transport = transport;
    for (const { engine, root } of this.#readers.values()) engine.setTransport(this.#bind(root));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#readers.values()].map(({ engine }) => engine.stop()));
  }

  #follow(id: string, position: RepairPosition): void {
    const { clock, random, options } = this.#init;
    const transport = this.#bind(position.root);
    const cellBytes = transport.payloadSize;
    const engine: Reader["engine"] = new StreamEngine({
      core: new RepairCore({ position, cellBytes, random, options }),
      transport,
      journal: undefined,
      clock,
      onEvent: (event) => this.#onEvent(id, event),
      onBroken: () => undefined,
    });
    engine.setBackground(true);
    this.#readers.set(id, { root: position.root, engine });
    if (this.#isStarted) engine.start();
  }

  #onEvent(id: string, event: StreamEvent | RepairEffect): void {
    if (event.kind !== "asked" || !this.#readers.has(id)) return;
    this.#init.tell({ kind: "reader", id, position: event.position });
    this.#init.tell({ kind: "repair", wanted: event.wanted });
  }

  #bind(readRoot: Uint8Array): Transport {
    return this.#transport.bind?.({ readRoot }) ?? this.#transport;
  }
}
