import { requireObject, requireSignal, toHex } from "../../base/index.ts";
import { systemClock } from "../../io/clock.ts";
import { Answers } from "../answers.ts";
import { REPLICATION_MAX } from "../dht.ts";
import { requireFilled, requireKey } from "../message.ts";
import { ModuleConnection } from "../module-connection.ts";
import { type ApiReply, encodeApiRequest, readApiReply } from "./api-messages.ts";

/** Longer than any DHT module looks for a value. */
const ANSWER_MS = 30_000;

/** A client of a DHT module's API: ours, or anybody's. */
export class VoidphoneApiClient {
  readonly #connection: ModuleConnection<ApiReply>;
  readonly #answers: Answers<ApiReply>;

  private constructor(connection: ModuleConnection<ApiReply>, answers: Answers<ApiReply>) {
    this.#connection = connection;
    this.#answers = answers;
  }

  /**
   * Connects to a module at `HOST:PORT`.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, or `CULVERT_USAGE` for an endpoint that is none
   */
  static async connect(endpoint: string): Promise<VoidphoneApiClient> {
    const answers = new Answers<ApiReply>(systemClock, ANSWER_MS);
    const connection = await ModuleConnection.open(endpoint, readApiReply, {
      notice: (reply) => {
        if (reply.kind === "success") answers.settle(toHex(reply.key), reply);
        else answers.refuse(toHex(reply.key), reply);
      },
      closed: (error) => answers.fail(error),
    });
    return new VoidphoneApiClient(connection, answers);
  }

  /**
   * Asks the module to store a value; it never says whether it did.
   *
   * @throws CulvertError `CULVERT_TOO_LARGE`, `CULVERT_CLOSED`
   * @throws TypeError for what are no bytes
   * @throws RangeError for a key that is none, an empty value, a number that has no room
   */
  put(entry: {
    readonly key: Uint8Array;
    readonly value: Uint8Array;
    readonly ttlSeconds: number;
    readonly replication?: number;
  }): void {
    requireObject("entry", entry);
    const { replication = REPLICATION_MAX } = entry;
    requireFilled("a value", entry.value);
    this.#connection.send(encodeApiRequest({ kind: "put", ...entry, replication }));
  }

  /**
   * The value of a key, or `undefined` when the module does not find it.
   *
   * @throws CulvertError `CULVERT_TIMEOUT`, `CULVERT_CLOSED`, `CULVERT_PROTOCOL`; Error with the
   *   name `AbortError`
   * @throws TypeError and RangeError for a key that is none
   */
  async get(
    key: Uint8Array,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Uint8Array | undefined> {
    requireKey(key);
    requireObject("options", options);
    requireSignal(options.signal);
    const message = encodeApiRequest({ kind: "get", key });
    this.#connection.send(message);
    const reply = await this.#answers.wait(toHex(key), options.signal);
    return reply.kind === "success" ? reply.value : undefined;
  }

  /** Ends the connection after what was sent. */
  close(): void {
    this.#connection.close();
  }
}
