import {
  encodeRecord,
  MAP_LIMITS,
  type MapLimits,
  type MapRecord,
  type PutOutcome,
} from "../../src/mapservice/index.ts";
import { NO_STAMP } from "../../src/mapservice/record/work-stamp.ts";
import { MapCore, type MapCoreOptions } from "../../src/mapservice/service/map-core.ts";
import type { MapEffect } from "../../src/mapservice/service/protocol.ts";
import { addressOf, NODE, PAYLOAD_SIZE } from "./fixtures.ts";

export const UNIX_MS = 1_750_000_000_000;

type RigOptions = Partial<Pick<MapCoreOptions, "verifiesAside" | "sharesNoMemory">>;

/** A core whose effects are taken by hand. */
export class Rig {
  readonly core: MapCore;
  readonly effects: MapEffect[] = [];
  now = 0;

  constructor(limits: Partial<MapLimits> = {}, options: RigOptions = {}) {
    this.core = new MapCore({
      secret: new Uint8Array(165).map((_, i) => 7 * i),
      ...options,
      payloadSize: PAYLOAD_SIZE,
      limits: { ...MAP_LIMITS, ...limits },
      signer: NODE,
      entriesMax: 1_000,
    });
    this.open(1);
  }

  open(asker: number): void {
    this.core.handle({ kind: "open", asker, source: `s${asker}`, needsReceipts: true }, this.now);
    this.drain();
  }

  put(request: number, record: MapRecord, asker = 1): void {
    const bytes = encodeRecord(record);
    this.core.handle({ kind: "put", asker, request, record: bytes, stamp: NO_STAMP }, this.now);
    this.drain();
  }

  get(request: number, frame: number, waitMs = 0, asker = 1): void {
    const address = addressOf(frame);
    this.core.handle({ kind: "get", asker, request, address, waitMs }, this.now);
    this.drain();
  }

  cancel(request: number): void {
    this.core.handle({ kind: "cancel", asker: 1, request }, this.now);
    this.drain();
  }

  turn(): void {
    this.core.handle({ kind: "turn", unixMs: UNIX_MS + this.now, fill: 0 }, this.now);
    this.drain();
  }

  committed(outcomes: readonly PutOutcome[] | undefined): void {
    this.core.handle({ kind: "committed", outcomes, unixMs: UNIX_MS }, this.now);
    this.drain();
  }

  lookedUp(frame: number, record?: MapRecord): void {
    const address = addressOf(frame);
    const stored = record && { record, expiresMs: UNIX_MS + 9_000 };
    const isFailed = false;
    this.core.handle({ kind: "looked-up", address, stored, isFailed, unixMs: UNIX_MS }, this.now);
    this.drain();
  }

  verified(id: number, isGenuine = true): void {
    this.core.handle({ kind: "verified", id, isGenuine }, this.now);
    this.drain();
  }

  timeout(now: number): void {
    this.now = now;
    this.core.timeout(now);
    this.drain();
  }

  /** What came since the last call, as kinds with their number. */
  said(): string[] {
    return this.effects.splice(0).map((effect) => {
      if (effect.kind === "answer") return `${effect.request}:${effect.answer.kind}`;
      if (effect.kind === "verify") return `verify:${effect.id}`;
      return effect.kind === "commit" ? `commit:${effect.puts.length}` : effect.kind;
    });
  }

  drain(): void {
    let effect = this.core.poll();
    while (effect !== undefined) {
      this.effects.push(effect);
      effect = this.core.poll();
    }
  }
}

export const STORED: PutOutcome = { kind: "stored", expiresMs: UNIX_MS + 60_000 };
