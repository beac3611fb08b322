import type { Random } from "../../base/index.ts";
import {
  type PutOutcome,
  type RecordPut,
  type RecordStore,
  storeOver,
} from "../store/record-store.ts";
import type { MapGreeting, RecordService, Requester, RequesterEvents } from "./requester.ts";

/**
 * Shares, from 0 to 1, of what a faulty Map loses; drawn from `random`, so a seed repeats a run.
 */
export interface Faults {
  /** Requests that have no effect and no answer. */
  readonly requests: number;
  /** Requests that have their effect and no answer. */
  readonly replies: number;
  /** Records that are acknowledged and then gone. */
  readonly records: number;
  readonly random: Random;
}

/** A service in front of which requests and answers get lost. For tests and demonstrations. */
export class FaultyService implements RecordService {
  readonly #service: RecordService;
  readonly #faults: Faults;

  constructor(service: RecordService, faults: Faults) {
    this.#service = service;
    this.#faults = faults;
  }

  greeting(): MapGreeting {
    return this.#service.greeting();
  }

  open(source: string, events: RequesterEvents): Requester | undefined {
    const { requests, replies, random } = this.#faults;
    const requester = this.#service.open(source, {
      answer: (request, answer) => {
        if (random.unit() >= replies) events.answer(request, answer);
      },
      ready: () => events.ready(),
      closed: () => events.closed(),
      needsNoReceipts: events.needsNoReceipts === true,
    });
    if (requester === undefined) return undefined;
    return {
      put: (request, record, stamp) => {
        if (random.unit() >= requests) requester.put(request, record, stamp);
      },
      get: (request, address, waitMs) => {
        if (random.unit() >= requests) requester.get(request, address, waitMs);
      },
      cancel: (request) => requester.cancel(request),
      get isCongested() {
        return requester.isCongested;
      },
      close: () => requester.close(),
    };
  }
}

/**
 * A store that says `stored` and forgets some records at once. The service in front of it must not
 * remember recent records (`recentBytesMax: 1`), or it would hide the loss.
 */
export function forgetfulStore(store: RecordStore, faults: Faults): RecordStore {
  return storeOver(store, {
    put: async (puts, nowMs) => {
      const outcomes: PutOutcome[] = [];
      for (const put of puts) outcomes.push(await putOrForget(store, put, nowMs, faults));
      return outcomes;
    },
  });
}

async function putOrForget(
  store: RecordStore,
  put: RecordPut,
  nowMs: number,
  faults: Faults,
): Promise<PutOutcome> {
  const isLost = faults.random.unit() < faults.records;
  // What is there already stays, and decides: only new records get lost.
  if (isLost && (await store.get(put.record.address, nowMs)) === undefined) {
    return { kind: "stored", expiresMs: put.expiresMs };
  }
  const [outcome] = await store.put([put], nowMs);
  return outcome ?? { kind: "full" };
}
