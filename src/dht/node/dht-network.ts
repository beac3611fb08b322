import type { Contact } from "../wire/contact.ts";
import type { DhtRequest, DhtResponse } from "../wire/message.ts";
import { decodeDhtResponse, encodeDhtRequest } from "../wire/wire.ts";

/** How a request is to be sent. */
export interface DhtRequestOptions {
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
  /** It was sent before, and nothing was heard: this time it should get there. */
  readonly isLast: boolean;
  /** To be called when a way to the node has to be made first, and once more when it is there. */
  readonly dialling?: (stage: "dialling" | "dialled") => void;
}

/**
 * What a {@link DhtNode} needs of whatever carries its requests: links, a VoidPhone dialect, or
 * both, told apart by `isProvable` of the contact.
 */
export interface DhtNetwork {
  /**
   * Asks one node. The carrier makes sure that the answer is from the node with the contact's id,
   * if that can be proven. It rejects when the node cannot be reached or is somebody else, or what
   * came is no answer; with `CULVERT_BUSY` where a limit, here or there, leaves no room to ask. It
   * needs no timeout of its own: the signal is aborted when nobody waits any more.
   */
  request(to: Contact, request: DhtRequest, options: DhtRequestOptions): Promise<DhtResponse>;
}

/** Sends the bytes of a request, which are borrowed, and resolves with those of its answer. */
export type SendDhtMessage = (
  to: Contact,
  message: Uint8Array,
  options: DhtRequestOptions,
) => Promise<Uint8Array>;

/**
 * A network over a carrier of bytes that proves ids.
 *
 * @param sender where this node can be asked now; nowhere, if it only asks
 */
export function dhtNetworkOver(
  send: SendDhtMessage,
  sender: () => Contact | undefined = () => undefined,
): DhtNetwork {
  if (typeof send !== "function") throw new TypeError("send must be a function");
  let last: Encoded | undefined;
  const encoded = (request: DhtRequest, from: Contact | undefined): Uint8Array => {
    if (last?.request !== request || last.reach !== from?.reach) {
      last = { request, reach: from?.reach, bytes: encodeDhtRequest(request, from) };
    }
    return last.bytes;
  };
  return {
    request: async (to, request, options) => {
      return decodeDhtResponse(await send(to, encoded(request, sender()), options));
    },
  };
}

/** What was sent last, and its bytes: a put asks all its keepers the same, one after the other. */
interface Encoded {
  readonly request: DhtRequest;
  readonly reach: string | undefined;
  readonly bytes: Uint8Array;
}
