import { isCulvertError, NumberMap } from "../../base/index.ts";
import { CancellerPool, type PooledCanceller } from "../../io/canceller-pool.ts";
import { ATTEMPTS_MAX, type ExchangeId } from "../exchange/exchange-desk.ts";
import type { DhtNetwork, DhtRequestOptions } from "./dht-network.ts";
import type { DhtEffect, DhtInput } from "./protocol.ts";

/** More than there are requests under way, nearly always. */
const SPARE_MAX = 64;

/** The requests to other nodes that are under way, and their repetitions. */
export class SentRequests {
  readonly #network: DhtNetwork;
  readonly #tell: (input: DhtInput) => void;
  readonly #open = new NumberMap<PooledCanceller>();
  readonly #cancellers = new CancellerPool(SPARE_MAX);
  readonly #repeated = new Set<ExchangeId>();

  /** @param tell hears what becomes of each, but of those that are forgotten */
  constructor(network: DhtNetwork, tell: (input: DhtInput) => void) {
    this.#network = network;
    this.#tell = tell;
  }

  /** A repetition shares the signal of the first attempt: whichever ends first counts. */
  send({ exchange, attempt, to, request }: DhtEffect & { readonly kind: "send" }): void {
    const before = this.#open.get(exchange);
    const canceller = before ?? this.#cancellers.take();
    this.#open.set(exchange, canceller);
    if (before !== undefined) this.#repeated.add(exchange);
    const settle = (input: DhtInput): void => {
      if (!this.#open.delete(exchange)) return;
      const hasOthers = this.#repeated.delete(exchange);
      if (hasOthers) canceller.abort();
      else this.#cancellers.giveBack(canceller);
      this.#tell(input);
    };
    const { signal } = canceller;
    const isLast = attempt === ATTEMPTS_MAX;
    const dialling: DhtRequestOptions["dialling"] = (kind) => this.#tell({ kind, exchange });
    this.#network
      .request(to, request, { signal, isLast, dialling })
      .then((response) => settle({ kind: "response", exchange, response, attempt }))
      .catch((error: unknown) => {
        settle({ kind: "failed", exchange, isBusy: isCulvertError(error, "CULVERT_BUSY") });
      });
  }

  /** Nobody waits for the answer any more. */
  forget(exchange: ExchangeId): void {
    this.#open.get(exchange)?.abort();
    this.#open.delete(exchange);
    this.#repeated.delete(exchange);
  }

  /** Gives all of them up. */
  close(): void {
    for (const canceller of this.#open.values()) canceller.abort();
    this.#open.clear();
  }
}
