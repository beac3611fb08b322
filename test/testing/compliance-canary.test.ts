import { MemoryJournalStore } from "culvert";
import {
  MemoryRecordStore,
  type RecordStore,
  type StoredRecord,
  storeOver,
} from "culvert/mapservice";
import {
  journalCompliance,
  type RegisterTest,
  recordStoreCompliance,
  transportCompliance,
  VirtualClock,
} from "culvert/testing";
import { MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it } from "vitest";
import type { Journal, JournalStore } from "../../src/base/index.ts";

/** The cases of a suite that do not hold. */
async function broken(suite: (register: RegisterTest) => void): Promise<string[]> {
  const cases: [string, () => Promise<void>][] = [];
  suite((name, run) => cases.push([name, run]));
  const failed: string[] = [];
  for (const [name, run] of cases) await run().catch(() => failed.push(name));
  return failed;
}

type Put = Transport["put"];
type Get = Transport["get"];

/** A transport in memory of which a part does something else. */
function transportWith(
  change: (put: Put, get: Get) => Partial<Pick<Transport, "put" | "get" | "handsOver">>,
): (register: RegisterTest) => void {
  return (register) =>
    transportCompliance(register, async () => {
      const clock = new VirtualClock();
      const map = new MemoryTransport({ clock, payloadSize: 300 });
      const [put, get]: [Put, Get] = [map.put.bind(map), map.get.bind(map)];
      const transport: Transport = { payloadSize: 300, put, get, ...change(put, get) };
      return {
        writer: transport,
        reader: transport,
        elapse: (promise) => clock.runPromise(promise, 60_000),
        teardown: async () => map.close(),
      };
    });
}

const whole = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer);

/** Transports that streams would lose bytes over, or hang. */
const BAD_TRANSPORTS: Record<string, (register: RegisterTest) => void> = {
  "looks at the last bytes of an id": transportWith((put, get) => {
    const short = (id: Uint8Array): Uint8Array => id.slice(28);
    return { put: (id, ...rest) => put(short(id), ...rest), get: (id, o) => get(short(id), o) };
  }),
  "keeps what cells lie in": transportWith((put) => ({
    put: (id, cell, options) => put(id, whole(cell).slice(0, cell.length), options),
  })),
  "looks at the first bytes of a cell": transportWith((put, get) => {
    const first = new Map<string, Uint8Array>();
    return {
      put: async (id, cell, options) => {
        const held = first.get(id.join());
        if (held?.subarray(0, 16).join() === cell.subarray(0, 16).join()) {
          return await put(id, held, options);
        }
        const receipt = await put(id, cell, options);
        first.set(id.join(), cell.slice());
        return receipt;
      },
      get,
    };
  }),
  "reads all that is borrowed into one buffer": transportWith((_put, get) => {
    const scratch = new Uint8Array(300);
    return {
      get: async (id, options) => {
        const cell = await get(id, options);
        if (options?.isBorrowed !== true) return cell;
        scratch.set(cell);
        return scratch;
      },
    };
  }),
  "hands over what others have, too": transportWith((_put, get) => {
    const known = new Map<string, Uint8Array>();
    return {
      handsOver: true,
      get: async (id, options) => {
        const cell = await get(id, options);
        if (options?.isBorrowed !== true) return cell;
        const shared = known.get(id.join()) ?? cell;
        known.set(id.join(), shared);
        return shared;
      },
    };
  }),
  "tells of more life than it has granted": transportWith((_put, get) => ({
    get: (frameId, { onTtl, ...options } = {}) =>
      get(frameId, { ...options, onTtl: (seconds) => onTtl?.(seconds + 1) }),
  })),
  "gives one cell to all that waited": transportWith((_put, get) => {
    const waiting = new Map<string, Promise<Uint8Array>>();
    return {
      get: (id, options = {}) => {
        if (options.waitMs === undefined || options.signal !== undefined) return get(id, options);
        const cell = waiting.get(id.join()) ?? get(id, options);
        waiting.set(id.join(), cell);
        cell.catch(() => {}).finally(() => waiting.delete(id.join()));
        return cell;
      },
    };
  }),
};

describe("the suite of transports", () => {
  it("finds nothing wrong with the one in memory", async () => {
    expect(await broken(transportWith(() => ({})))).toEqual([]);
  });

  it.each(Object.entries(BAD_TRANSPORTS))("finds one that %s", async (_name, suite) => {
    expect(await broken(suite)).not.toEqual([]);
  });
});

/** Journals in memory that are not what they seem. */
function journalsWith(
  change: (journal: Journal, streamId: string, shared: Map<string, Uint8Array>) => Partial<Journal>,
  open: (open: () => Promise<Journal>) => Promise<Journal> = (open) => open(),
): (register: RegisterTest) => void {
  return (register) =>
    journalCompliance(register, async () => {
      const memory = new MemoryJournalStore();
      const shared = new Map<string, Uint8Array>();
      const store: JournalStore = {
        open: async (streamId) => {
          const journal = await open(() => memory.open(streamId));
          const { load, commit, read, names, close } = journal;
          const bound = Object.entries({ load, commit, read, names, close }).map(
            ([name, run]) => [name, run.bind(journal)] as const,
          );
          return { ...Object.fromEntries(bound), ...change(journal, streamId, shared) } as Journal;
        },
      };
      const restart = async (): Promise<JournalStore> => {
        memory.crash();
        return store;
      };
      return { store, restart, teardown: async () => {} };
    });
}

const BAD_JOURNALS: Record<string, (register: RegisterTest) => void> = {
  "keep what bytes lie in": journalsWith((journal) => ({
    commit: ({ head, put, remove }) =>
      journal.commit({
        head,
        remove,
        put: put.map(({ name, bytes }) => ({ name, bytes: whole(bytes) })),
      }),
  })),
  "take frames without bytes for none": journalsWith((journal) => ({
    read: async (name) => {
      const bytes = await journal.read(name);
      return bytes?.length === 0 ? undefined : bytes;
    },
  })),
  "give what they keep": journalsWith((journal) => {
    const given = new Map<string, Uint8Array | undefined>();
    return {
      commit: async (changes) => {
        await journal.commit(changes);
        given.clear();
      },
      read: async (name) => {
        const bytes = given.get(name) ?? (await journal.read(name));
        given.set(name, bytes);
        return bytes;
      },
    };
  }),
  "join the names of streams and frames": journalsWith((journal, streamId, shared) => ({
    commit: async (changes) => {
      for (const { name, bytes } of changes.put) shared.set(streamId + name, bytes.slice());
      await journal.commit(changes);
    },
    read: async (name) =>
      (await journal.names()).includes(name) ? shared.get(streamId + name)?.slice() : undefined,
  })),
  "refuse to read beside a commit": journalsWith((journal) => {
    let isBusy = false;
    return {
      commit: async (changes) => {
        isBusy = true;
        await Promise.resolve();
        await journal.commit(changes).finally(() => {
          isBusy = false;
        });
      },
      read: async (name) => (isBusy ? Promise.reject(new Error("busy")) : journal.read(name)),
    };
  }),
};

describe("the suite of journals", () => {
  it("finds nothing wrong with those in memory", async () => {
    expect(await broken(journalsWith(() => ({})))).toEqual([]);
  });

  it.each(Object.entries(BAD_JOURNALS))("finds those that %s", async (_name, suite) => {
    expect(await broken(suite)).not.toEqual([]);
  });

  it("finds those that two may hold who open them at once", async () => {
    const opening = new Map<string, Promise<Journal>>();
    const twice = journalsWith(
      () => ({}),
      (open) => {
        const journal = opening.get("a") ?? open();
        opening.set("a", journal);
        journal.catch(() => {}).finally(() => opening.delete("a"));
        return journal;
      },
    );
    expect(await broken(twice)).toContain("of two who open a journal at once, one holds it");
  });
});

/** A store in memory of which a part does something else. */
function storeWith(
  change: (store: MemoryRecordStore) => Partial<RecordStore>,
): (register: RegisterTest) => void {
  return (register) =>
    recordStoreCompliance(register, async ({ payloadSize, entriesMax }) => {
      const memory = new MemoryRecordStore({ payloadSize, entriesMax, bytesMax: 1_000_000 });
      return { store: storeOver(memory, change(memory)), teardown: () => memory.close() };
    });
}

const cut = (address: Uint8Array): Uint8Array => address.map((byte, at) => (at < 8 ? byte : 0));

const BAD_STORES: Record<string, (register: RegisterTest) => void> = {
  "looks at the first bytes of an address": storeWith((store) => {
    const whole = new Map<string, Uint8Array>();
    return {
      put: (puts, nowMs) =>
        store.put(
          puts.map(({ record, expiresMs }) => {
            whole.set(cut(record.address).join(), record.address);
            return { record: { ...record, address: cut(record.address) }, expiresMs };
          }),
          nowMs,
        ),
      get: (given, nowMs) => {
        const found = store.get(cut(given), nowMs);
        const address = whole.get(cut(given).join()) ?? given;
        return found && { ...found, record: { ...found.record, address } };
      },
    };
  }),
  "keeps what it was given": storeWith((store) => {
    const kept = new Map<string, StoredRecord>();
    return {
      sharesNoMemory: true,
      put: async (puts, nowMs) => {
        const outcomes = await store.put(puts, nowMs);
        for (const [i, { record, expiresMs }] of puts.entries()) {
          if (outcomes[i]?.kind === "stored")
            kept.set(record.address.join(), { record, expiresMs });
        }
        return outcomes;
      },
      get: (address, nowMs) => {
        const found = store.get(address, nowMs);
        const record = kept.get(address.join())?.record ?? found?.record;
        return found && record && { ...found, record };
      },
    };
  }),
  "gives away what it has": storeWith((store) => {
    const given = new Map<string, StoredRecord>();
    return {
      sharesNoMemory: true,
      get: (address, nowMs) => {
        const found = store.get(address, nowMs);
        if (found === undefined) return undefined;
        const known = given.get(address.join()) ?? found;
        given.set(address.join(), known);
        return { ...known, expiresMs: found.expiresMs };
      },
    };
  }),
  "tells no end": storeWith((store) => ({
    get: (address, nowMs) => {
      const found = store.get(address, nowMs);
      return found && { ...found, expiresMs: Number.NaN };
    },
  })),
  "forgets what it holds": storeWith(() => ({
    async *held() {},
  })),
};

describe("the suite of record stores", () => {
  it("finds nothing wrong with the one in memory", async () => {
    expect(await broken(storeWith(() => ({})))).toEqual([]);
  });

  it.each(Object.entries(BAD_STORES))("finds one that %s", async (_name, suite) => {
    expect(await broken(suite)).not.toEqual([]);
  });
});
