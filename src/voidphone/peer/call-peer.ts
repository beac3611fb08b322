import {
  type Cancel,
  CulvertError,
  equalBytes,
  isCulvertError,
  onAbort,
  requireObject,
} from "../../base/index.ts";
import type { ByteConnection } from "../../io/byte-connection.ts";
import { connectBytes } from "../../io/connect-socket.ts";
import { connectPrefacedTls } from "../../io/prefaced-tls.ts";
import { MessageBuffer } from "../message.ts";
import { requireDialect, requirePlace } from "./given-peers.ts";
import type { PeerAddress, PeerDialect, PeerReply, PeerRequest } from "./peer-messages.ts";

/** Messages that are looked at for one answer: a peer may repeat its last one. */
const MESSAGES_MAX = 8;

/** Finds the answer to one request in what a peer says. */
export class ReplyReader {
  readonly #dialect: PeerDialect;
  readonly #rpcId: Uint8Array;
  readonly #buffer = new MessageBuffer();
  #messageCount = 0;

  constructor(dialect: PeerDialect, rpcId: Uint8Array) {
    this.#dialect = dialect;
    this.#rpcId = rpcId;
  }

  /**
   * Takes bytes, handed over; the answer when it is all here. Answers to something else are passed
   * over; an error names no request, so it is taken for the answer.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` when they are no answers of the dialect, or too many
   */
  push(bytes: Uint8Array): PeerReply | undefined {
    this.#buffer.push(bytes);
    for (;;) {
      const message = this.#buffer.take();
      if (message === undefined) return undefined;
      this.#messageCount += 1;
      if (this.#messageCount > MESSAGES_MAX) {
        throw new CulvertError("CULVERT_PROTOCOL", "a peer says much, and nothing that was asked");
      }
      const reply = this.#dialect.readReply(message);
      if (reply.kind === "error" || equalBytes(reply.rpcId, this.#rpcId)) return reply;
    }
  }
}

/**
 * Asks one peer one thing over a connection of its own, which is closed when it has answered.
 *
 * @param request its ids included
 * @returns the answer; `undefined` for a store that has none, once the peer has closed
 * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_PROTOCOL`, or `CULVERT_TOO_LARGE` for what
 *   no message carries; Error with the name `AbortError`
 * @throws TypeError and RangeError for what is no peer, no request or no dialect
 */
export async function callPeer(
  peer: PeerAddress,
  request: PeerRequest,
  options: { readonly dialect: PeerDialect; readonly signal?: AbortSignal | undefined },
): Promise<PeerReply | undefined> {
  requirePlace(peer);
  requireObject("options", options);
  const { dialect, signal } = options;
  requireDialect(dialect);
  const message = dialect.encodeRequest(request);
  const connection = await dial(peer, options);
  const hasAnswer = request.kind !== "store" || dialect.answersStores;
  return await new Promise((resolve, reject) => {
    const reader = new ReplyReader(dialect, request.rpcId);
    let forget: Cancel = () => {};
    const settle = (error: Error | undefined, reply?: PeerReply): void => {
      forget();
      if (error === undefined) resolve(reply);
      else reject(error);
    };
    forget = onAbort(signal, (error) => {
      settle(error);
      connection.close(true);
    });
    connection.start({
      receive: (bytes) => {
        try {
          const reply = reader.push(bytes);
          if (reply === undefined) return;
          settle(undefined, reply);
          connection.close(false);
        } catch (error) {
          if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
          settle(error);
          connection.close(true);
        }
      },
      drained: () => {},
      closed: (cause) => {
        const why = "the connection ended without an answer";
        settle(hasAnswer ? new CulvertError("CULVERT_UNREACHABLE", why, { cause }) : undefined);
      },
    });
    connection.write(message);
    if (!hasAnswer) connection.close(false);
  });
}

async function dial(
  peer: PeerAddress,
  options: { readonly dialect: PeerDialect; readonly signal?: AbortSignal | undefined },
): Promise<ByteConnection> {
  const { dialect } = options;
  const endpoint = { kind: "tcp", ...peer } as const;
  if (dialect.name === "midterm") return await connectBytes(endpoint, options);
  const { connection } = await connectPrefacedTls(endpoint, options);
  return connection;
}
