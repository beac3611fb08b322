import { concatBytes, type Instant, utf8 } from "../../base/index.ts";
import { Writer } from "../../codec/index.ts";
import { crypto, equalSecret } from "../../crypto/index.ts";
import type { DhtAsker } from "../wire/message.ts";
import { TOKEN_BYTES } from "../wire/wire.ts";

const LABEL = utf8("culvert/v1/dht-token\0");

/**
 * Tokens that show that a node receives what is sent to its address: it got one there before. Only
 * a node that has shown that may store, or its quota would be somebody else's.
 *
 * A token is a hash of the asker and the time under a secret of this node: nothing is remembered.
 * It is good for one to two periods.
 */
export class StoreTokens {
  readonly #secret: Uint8Array;
  readonly #periodMs: number;

  /** @param secret 32 random bytes, copied */
  constructor(secret: Uint8Array, periodMs: number) {
    this.#secret = secret.slice();
    this.#periodMs = periodMs;
  }

  /** The token for whoever receives what is sent to this asker. */
  issue(asker: DhtAsker, now: Instant): Uint8Array {
    return this.#token(asker, this.#period(now));
  }

  /** Whether the token is one that this asker was given lately. */
  accepts(token: Uint8Array, asker: DhtAsker, now: Instant): boolean {
    const period = this.#period(now);
    return [period, period - 1].some((each) => equalSecret(token, this.#token(asker, each)));
  }

  #period(now: Instant): number {
    return Math.max(Math.floor(now / this.#periodMs), 0) + 1;
  }

  #token(asker: DhtAsker, period: number): Uint8Array {
    const head = new Writer(6).u48(period).finish();
    const source = utf8(`${asker.source}\0`);
    const message = concatBytes(LABEL, this.#secret, head, source, asker.id ?? new Uint8Array(0));
    return crypto().sha256(message).subarray(0, TOKEN_BYTES);
  }
}
