import { type Instant, unreachable } from "../../base/index.ts";
import type { DhtContext } from "../exchange/dht-context.ts";
import type { StoreTokens } from "../values/store-tokens.ts";
import type { Contact } from "../wire/contact.ts";
import { headOf, keyOf } from "../wire/key.ts";
import type { DhtAsker, DhtRequest, DhtResponse } from "../wire/message.ts";

/** Answers what other nodes ask, from the table and the store. */
export class RequestServer {
  readonly #context: DhtContext;
  readonly #tokens: StoreTokens;

  constructor(context: DhtContext, tokens: StoreTokens) {
    this.#context = context;
    this.#tokens = tokens;
  }

  /** The answer; values that are stored are copied, what is answered is shared. */
  answer(request: DhtRequest, asker: DhtAsker, now: Instant): DhtResponse {
    switch (request.kind) {
      case "ping":
        return { kind: "pong" };
      case "find-node":
        return this.#nodes(request.target, asker, now);
      case "find-value": {
        const value = this.#context.store.get(keyOf(request.key), request.valueKind, now);
        if (value !== undefined) return { kind: "value", value };
        return this.#nodes(request.near, asker, now);
      }
      case "store":
        return this.#store(request, asker, now);
      default:
        return unreachable(request);
    }
  }

  #nodes(target: Uint8Array, asker: DhtAsker, now: Instant): DhtResponse {
    const { table, limits, hostOf } = this.#context;
    const { id } = asker;
    // A private address is a machine of ours: whoever is not of this network learns of none.
    const isSecret = (contact: Contact): boolean => {
      return table.isElsewhere(contact) || (id !== undefined && hostOf(id) !== undefined);
    };
    const key = id && keyOf(id);
    const itself = key && { key, head: headOf(key) };
    const contacts = table.closest(keyOf(target), limits.bucketSize, (contact) => {
      if (contact.isLocal && isSecret(contact)) return false;
      return !(itself && contact.names(itself));
    });
    if (asker.isAddressProven) return { kind: "nodes", contacts };
    return { kind: "nodes", contacts, token: this.#tokens.issue(asker, now) };
  }

  #store(
    request: DhtRequest & { readonly kind: "store" },
    asker: DhtAsker,
    now: Instant,
  ): DhtResponse {
    const { key, value, token, isCopy } = request;
    const isWelcome =
      asker.isAddressProven || (token !== undefined && this.#tokens.accepts(token, asker, now));
    if (!isWelcome) return { kind: "refused", reason: "token" };
    // By where it comes from, a node's own word about itself too: ids cost nothing.
    const { source } = asker;
    const outcome = this.#context.store.put(keyOf(key), value, { source, now, isCopy });
    if (outcome.kind === "refused") return outcome;
    return { kind: "stored", ttlSeconds: outcome.ttlSeconds };
  }
}
