import { assert, equalBytes } from "../../base/index.ts";
import type { Transport } from "../../transport/index.ts";
import {
  type Cases,
  expectFailure,
  type Fixture,
  type RegisterTest,
  registerCases,
} from "./suite.ts";

/** What the suite needs from the transport under test. */
export interface TransportFixture extends Fixture {
  /** Bound, where it needs to be, to write what `reader` reads. */
  readonly writer: Transport;
  /** The same object, if nothing has to be bound. */
  readonly reader: Transport;
  /** Lets time pass until `promise` settles; on a real clock, the promise itself. */
  elapse<T>(promise: Promise<T>): Promise<T>;
}

/**
 * The contract of {@link Transport} over a network in fair weather, for any implementation.
 *
 * @example
 * ```ts
 * transportCompliance(test, async () => {
 *   const transport = new MemoryTransport();
 *   const elapse = <T>(promise: Promise<T>) => promise;
 *   return { writer: transport, reader: transport, elapse, teardown: async () => {} };
 * });
 * ```
 */
export function transportCompliance(
  test: RegisterTest,
  setup: () => Promise<TransportFixture>,
): void {
  registerCases(test, setup, { ...PUT_CASES, ...GET_CASES, ...ABORT_CASES });
}

/** How long a get waits that is expected to be answered. */
const PATIENCE_MS = 10_000;

const PUT_CASES: Cases<TransportFixture> = {
  "a cell that was put can be got, as often as wanted": async ({ writer, reader, elapse }) => {
    const cell = cellOf(writer, 1);
    await elapse(writer.put(frameId(1), cell));
    for (let i = 0; i < 3; i++) {
      assert(equalBytes(await elapse(reader.get(frameId(1))), cell), "the cell is whole");
    }
  },

  "a receipt grants some seconds, and no more than were asked": async ({ writer, elapse }) => {
    const receipt = await elapse(writer.put(frameId(1), cellOf(writer, 1), { ttlSeconds: 3_600 }));
    assert(receipt.ttlSeconds > 0 && receipt.ttlSeconds <= 3_600, "the life is within the wish");
  },

  "a get that tells how long the cell is kept tells no more than was granted": async (given) => {
    const { writer, reader, elapse } = given;
    const cell = cellOf(writer, 1);
    const { ttlSeconds } = await elapse(writer.put(frameId(1), cell, { ttlSeconds: 3_600 }));
    const told: number[] = [];
    await elapse(reader.get(frameId(1), { onTtl: (seconds) => void told.push(seconds) }));
    const isLeft = (seconds: number): boolean => seconds > 0 && seconds <= ttlSeconds;
    assert(told.length <= 1 && told.every(isLeft), "what is told is what is left");
  },

  "the same bytes may be put again": async ({ writer, reader, elapse }) => {
    const cell = cellOf(writer, 1);
    for (let i = 0; i < 3; i++) await elapse(writer.put(frameId(1), cell.slice()));
    assert(equalBytes(await elapse(reader.get(frameId(1))), cell), "the cell is whole");
  },

  "other bytes are a conflict, and the first ones stay": async ({ writer, reader, elapse }) => {
    await elapse(writer.put(frameId(1), cellOf(writer, 1)));
    await expectFailure(elapse(writer.put(frameId(1), cellOf(writer, 2))), "CULVERT_CONFLICT");
    const found = await elapse(reader.get(frameId(1)));
    assert(equalBytes(found, cellOf(writer, 1)), "the first cell stays");
  },

  "cells that differ in one byte, wherever it is, differ": async ({ writer, elapse }) => {
    await elapse(writer.put(frameId(1), cellOf(writer, 1)));
    for (const at of [0, Math.floor(writer.payloadSize / 2), writer.payloadSize - 1]) {
      const other = cellOf(writer, 1);
      other[at] = 0xff & ~(other[at] ?? 0);
      await expectFailure(elapse(writer.put(frameId(1), other)), "CULVERT_CONFLICT");
    }
  },

  "every byte of a frame id counts": async ({ writer, reader, elapse }) => {
    for (let at = 0; at < 32; at++) {
      await elapse(writer.put(frameId(1, at), cellOf(writer, at)));
    }
    for (let at = 0; at < 32; at++) {
      const found = await elapse(reader.get(frameId(1, at)));
      assert(equalBytes(found, cellOf(writer, at)), `byte ${at} of the id is part of it`);
    }
  },

  "bytes may lie within others": async ({ writer, reader, elapse }) => {
    await elapse(writer.put(within(frameId(1)), within(cellOf(writer, 1))));
    await elapse(writer.put(within(frameId(2)), within(cellOf(writer, 2))));
    for (const id of [1, 2]) {
      const found = await elapse(reader.get(within(frameId(id))));
      assert(equalBytes(found, cellOf(writer, id)), "the cell is what lay there, and no more");
    }
  },

  "of two puts at once to one place, one wins": async ({ writer, reader, elapse }) => {
    const outcomes = await elapse(
      Promise.allSettled([1, 2].map((seed) => writer.put(frameId(1), cellOf(writer, seed)))),
    );
    const won = outcomes.findIndex((outcome) => outcome.status === "fulfilled");
    const kept = outcomes.filter((outcome) => outcome.status === "fulfilled").length;
    assert(kept === 1, "exactly one put is kept");
    const found = await elapse(reader.get(frameId(1)));
    assert(equalBytes(found, cellOf(writer, won + 1)), "the winner is there");
  },

  "a cell of another size is refused and not stored": async ({ writer, reader, elapse }) => {
    for (const length of [0, writer.payloadSize - 1, writer.payloadSize + 1]) {
      const put = writer.put(frameId(1), new Uint8Array(length));
      await expectFailure(elapse(put), "CULVERT_REFUSED");
    }
    await expectFailure(elapse(reader.get(frameId(1))), "CULVERT_NOT_FOUND");
  },

  "many cells may be under way at once": async ({ writer, reader, elapse }) => {
    const ids = Array.from({ length: 100 }, (_, index) => index);
    await elapse(Promise.all(ids.map((id) => writer.put(frameId(id), cellOf(writer, id)))));
    const cells = await elapse(Promise.all(ids.map((id) => reader.get(frameId(id)))));
    for (const [id, cell] of cells.entries()) {
      assert(equalBytes(cell, cellOf(writer, id)), `cell ${id} is at its place`);
    }
  },

  "the giver may change its bytes once the put is settled": async ({ writer, reader, elapse }) => {
    const [id, cell] = [frameId(1), cellOf(writer, 1)];
    await elapse(writer.put(id, cell));
    id.fill(0xee);
    cell.fill(0xee);
    const found = await elapse(reader.get(frameId(1)));
    assert(equalBytes(found, cellOf(writer, 1)), "the cell is as it was put");
  },
};

const GET_CASES: Cases<TransportFixture> = {
  "a get of an empty place that does not wait finds nothing": async ({ reader, elapse }) => {
    await expectFailure(elapse(reader.get(frameId(1))), "CULVERT_NOT_FOUND");
    await expectFailure(elapse(reader.get(frameId(1), { waitMs: 0 })), "CULVERT_NOT_FOUND");
  },

  "a get waits for the put, and so do others": async ({ writer, reader, elapse }) => {
    const waiting = [1, 2, 3].map(() => reader.get(frameId(1), { waitMs: PATIENCE_MS }));
    await elapse(writer.put(frameId(1), cellOf(writer, 1)));
    for (const cell of await elapse(Promise.all(waiting))) {
      assert(equalBytes(cell, cellOf(writer, 1)), "every waiting get is answered");
    }
  },

  "a cell that was waited for belongs to the one who got it": async (fixture) => {
    const { writer, reader, elapse } = fixture;
    const waiting = [1, 2].map(() => reader.get(frameId(1), { waitMs: PATIENCE_MS }));
    await elapse(writer.put(frameId(1), cellOf(writer, 1)));
    const [mine, other] = await elapse(Promise.all(waiting));
    mine?.fill(0xee);
    assert(other !== undefined && equalBytes(other, cellOf(writer, 1)), "the other's is untouched");
    const again = await elapse(reader.get(frameId(1)));
    assert(equalBytes(again, cellOf(writer, 1)), "the Map's copy is, too");
  },

  "a borrowed cell stays as it is": async ({ writer, reader, elapse }) => {
    const wishes = { isBorrowed: true, background: true, waitMs: PATIENCE_MS };
    const waiting = reader.get(frameId(0), wishes);
    for (const id of [0, 1, 2]) await elapse(writer.put(frameId(id), cellOf(writer, id)));
    const cells = [await elapse(waiting)];
    for (const id of [1, 2]) cells.push(await elapse(reader.get(frameId(id), wishes)));
    await elapse(writer.put(frameId(3), cellOf(writer, 3)));
    for (const [id, cell] of cells.entries()) {
      assert(equalBytes(cell, cellOf(writer, id)), `nobody has written to cell ${id}`);
    }
  },

  "what is handed over is nobody else's": async ({ writer, reader, elapse }) => {
    if (reader.handsOver !== true) return;
    const wishes = { isBorrowed: true, waitMs: PATIENCE_MS };
    const waiting = [1, 2, 3].map(() => reader.get(frameId(1), wishes));
    await elapse(writer.put(frameId(1), cellOf(writer, 1)));
    const late = reader.get(frameId(1), wishes);
    for (const cell of await elapse(Promise.all([...waiting, late]))) {
      assert(equalBytes(cell, cellOf(writer, 1)), "nobody else has written to it");
      cell.fill(0xee);
    }
    const again = await elapse(reader.get(frameId(1)));
    assert(equalBytes(again, cellOf(writer, 1)), "the Map's copy is untouched");
  },

  "a get that has waited in vain finds nothing": async ({ writer, reader, elapse }) => {
    const waiting = expectFailure(reader.get(frameId(1), { waitMs: 20 }), "CULVERT_NOT_FOUND");
    await elapse(writer.put(frameId(2), cellOf(writer, 2)));
    await elapse(waiting);
  },

  "bytes of whatever kind are the caller's again when a put is over": async (fixture) => {
    const { writer, reader, elapse } = fixture;
    const [id, cell] = [SlicedInPlace.from(frameId(1)), SlicedInPlace.from(cellOf(writer, 1))];
    await elapse(writer.put(id, cell));
    for (const bytes of [id, cell]) bytes.fill(0xee);
    for (let i = 0; i < 2; i++) {
      const got = await elapse(reader.get(frameId(1)));
      assert(equalBytes(got, cellOf(writer, 1)), "the Map's copy is untouched");
      got.fill(0xee);
    }
  },

  "a cell belongs to the one who got it": async ({ writer, reader, elapse }) => {
    await elapse(writer.put(frameId(1), cellOf(writer, 1)));
    (await elapse(reader.get(frameId(1)))).fill(0xee);
    const again = await elapse(reader.get(frameId(1)));
    assert(equalBytes(again, cellOf(writer, 1)), "the Map's copy is untouched");
    assert(again.constructor === Uint8Array, "bytes are a plain byte array");
  },
};

/** As a Buffer of Node: a slice of it is no copy. */
class SlicedInPlace extends Uint8Array<ArrayBuffer> {
  override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return this.subarray(start, end);
  }
}

const ABORT_CASES: Cases<TransportFixture> = {
  "nothing is done for a signal that is aborted already": async ({ writer, reader, elapse }) => {
    const signal = AbortSignal.abort();
    const put = writer.put(frameId(1), cellOf(writer, 1), { signal });
    await expectFailure(elapse(put), "AbortError");
    const get = reader.get(frameId(1), { waitMs: PATIENCE_MS, signal });
    await expectFailure(elapse(get), "AbortError");
    await expectFailure(elapse(reader.get(frameId(1))), "CULVERT_NOT_FOUND");
  },

  "an aborted get ends, the others wait on": async ({ writer, reader, elapse }) => {
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = expectFailure(
      reader.get(frameId(1), { waitMs: PATIENCE_MS, signal }),
      "AbortError",
    );
    const waiting = reader.get(frameId(1), { waitMs: PATIENCE_MS });
    controller.abort(new Error("a reason of the application"));
    await elapse(aborted);
    await elapse(writer.put(frameId(1), cellOf(writer, 1)));
    assert(equalBytes(await elapse(waiting), cellOf(writer, 1)), "the other get is answered");
  },
};

/** A frame id that differs from its neighbours in its last bytes only, or in one other byte. */
function frameId(number: number, other?: number): Uint8Array {
  const id = new Uint8Array(32).fill(0xf1);
  new DataView(id.buffer).setUint32(28, number);
  if (other !== undefined) id[other] = 0x1f;
  return id;
}

/** The same bytes as a part of a longer buffer. */
function within(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(bytes.length + 16).fill(0x77);
  whole.set(bytes, 8);
  return whole.subarray(8, 8 + bytes.length);
}

function cellOf(transport: Transport, seed: number): Uint8Array {
  return Uint8Array.from({ length: transport.payloadSize }, (_, at) => (at * 7 + seed) & 0xff);
}
