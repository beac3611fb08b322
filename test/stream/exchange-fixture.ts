import { SeededRandom } from "../../src/base/index.ts";
import { Chain } from "../../src/crypto/index.ts";
import { Exchange, type Request } from "../../src/stream/exchange/exchange.ts";
import type { StreamEffect } from "../../src/stream/exchange/protocol.ts";
import { FrameKeys } from "../../src/stream/frame/frame-keys.ts";
import { resolveOptions, type StreamOptions } from "../../src/stream/options.ts";

/** What the Map would be asked for. */
type Asked = Extract<StreamEffect, { kind: "put" | "get" | "cancel" }>;

/** An exchange, what it asked for, and hands to answer with. */
export interface ExchangeFixture {
  readonly exchange: Exchange;
  readonly options: StreamOptions;
  readonly random: SeededRandom;
  readonly effects: StreamEffect[];
  /** The effects of one kind so far. */
  asked<K extends Asked["kind"]>(kind: K): Extract<Asked, { kind: K }>[];
  put(index: number, now: number): Request;
  get(index: number, now: number, likely?: Partial<GetOptions>): Request;
  /** Takes every request that is late at `now`, as a core would. */
  lateAt(now: number): Request[];
}

interface GetOptions {
  readonly isLikelyThere: boolean;
  readonly patience: number;
}

const SEALED = new Uint8Array(132);
const FRAME_ID = new Uint8Array(32);

/** An exchange on its own, with a seed; without a number of requests, a turn has room for all. */
export function exchangeFixture(
  given: Partial<StreamOptions> = {},
  requestsPerTurn: number = Number.POSITIVE_INFINITY,
): ExchangeFixture {
  const options = resolveOptions(given);
  const random = new SeededRandom(1);
  const effects: StreamEffect[] = [];
  const exchange = new Exchange(options, random, effects, requestsPerTurn);
  return {
    exchange,
    options,
    random,
    effects,
    asked: <K extends Asked["kind"]>(kind: K) =>
      effects.filter((effect): effect is Extract<Asked, { kind: K }> => effect.kind === kind),
    put: (index, now) => {
      exchange.reservePut(now);
      return exchange.put("data-put", index, SEALED, now);
    },
    get: (index, now, likely = {}) =>
      exchange.get("data-get", index, FRAME_ID, {
        now,
        isLikelyThere: false,
        patience: 1,
        ...likely,
      }),
    lateAt: (now) => {
      const late: Request[] = [];
      for (let next = exchange.nextLate(now); next !== undefined; next = exchange.nextLate(now)) {
        late.push(next);
      }
      return late;
    },
  };
}

/** Keys of a chain that is the same in every test. */
export function keysFor(context: Uint8Array): FrameKeys {
  return new FrameKeys(Chain.fromMaterial(0n, new SeededRandom(9).bytes(96)), 0, context);
}
