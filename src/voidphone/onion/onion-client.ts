import { CulvertError, requireMethods, requireObject, toHex } from "../../base/index.ts";
import { parseIp } from "../../identity/index.ts";
import { systemClock } from "../../io/clock.ts";
import { Answers } from "../answers.ts";
import { requireFilled } from "../message.ts";
import { ModuleConnection } from "../module-connection.ts";
import {
  encodeOnionRequest,
  type OnionNotice,
  type OnionRequest,
  readOnionNotice,
  type TunnelTarget,
} from "./onion-messages.ts";

/** Longer than any onion module takes to build a tunnel. */
const ANSWER_MS = 60_000;

/** What a client of an onion module hears beside its answers. Must not throw. */
export interface OnionClientEvents {
  /** Somebody has built a tunnel to our node. */
  incoming(tunnelId: number): void;
  data(tunnelId: number, data: Uint8Array): void;
  /** A request other than a build has failed. */
  failed(request: Exclude<OnionRequest["kind"], "build">, tunnelId: number): void;
  /** The connection is over; nothing follows. */
  closed(error: CulvertError): void;
}

/** A client of an onion module's API: ours, or anybody's. */
export class VoidphoneOnionClient {
  readonly #connection: ModuleConnection<OnionNotice>;
  readonly #builds: Answers<number | undefined>;
  /** By host key. An error does not say which build has failed: there is one at a time. */
  #lastBuild: Promise<unknown> = Promise.resolve();

  private constructor(
    connection: ModuleConnection<OnionNotice>,
    builds: Answers<number | undefined>,
  ) {
    this.#connection = connection;
    this.#builds = builds;
  }

  /**
   * Connects to a module at `HOST:PORT`.
   *
   * @param options how long a build may take: a minute, if absent
   * @throws CulvertError `CULVERT_UNREACHABLE`, or `CULVERT_USAGE` for an endpoint that is none
   */
  static async connect(
    endpoint: string,
    events: OnionClientEvents,
    options: { readonly answerMs?: number } = {},
  ): Promise<VoidphoneOnionClient> {
    requireMethods("events", events, "incoming", "data", "failed", "closed");
    requireObject("options", options);
    const { answerMs = ANSWER_MS } = options;
    const builds = new Answers<number | undefined>(systemClock, answerMs);
    let connection: ModuleConnection<OnionNotice> | undefined;
    const ready = (hostKey: Uint8Array, tunnelId: number): void => {
      if (builds.settle(toHex(hostKey), tunnelId)) return;
      // It comes too late: whoever asked for it does not wait any more.
      connection?.send(encodeOnionRequest({ kind: "destroy", tunnelId }));
    };
    connection = await ModuleConnection.open(endpoint, readOnionNotice, {
      notice: (notice) => {
        const { kind, tunnelId } = notice;
        if (kind === "ready") ready(notice.hostKey, tunnelId);
        else if (kind === "incoming") events.incoming(tunnelId);
        else if (kind === "data") events.data(tunnelId, notice.data);
        else if (notice.request === "build") builds.refuse(undefined, undefined);
        else events.failed(notice.request, tunnelId);
      },
      closed: (error) => {
        builds.fail(error);
        events.closed(error);
      },
    });
    return new VoidphoneOnionClient(connection, builds);
  }

  /**
   * Builds a tunnel.
   *
   * @returns its id
   * @throws CulvertError `CULVERT_REFUSED` when the module cannot, `CULVERT_TIMEOUT`,
   *   `CULVERT_CLOSED`
   * @throws TypeError and RangeError for a host that is no IP address, and a host key that is empty
   */
  async build(target: TunnelTarget): Promise<number> {
    requireObject("target", target);
    if (parseIp(target.host) === undefined) {
      throw new RangeError("the far end of a tunnel is named by its IP address");
    }
    requireFilled("a host key", target.hostKey);
    const request = encodeOnionRequest({ kind: "build", target });
    const name = toHex(target.hostKey);
    const built = this.#lastBuild.then(async () => {
      this.#connection.send(request);
      return await this.#builds.wait(name);
    });
    this.#lastBuild = built.catch(() => {});
    const tunnelId = await built;
    if (tunnelId === undefined) throw new CulvertError("CULVERT_REFUSED", undefined, REMOTE);
    return tunnelId;
  }

  /** Sends data; like the module, it promises nothing. */
  send(tunnelId: number, data: Uint8Array): void {
    this.#connection.send(encodeOnionRequest({ kind: "data", tunnelId, data }));
  }

  destroy(tunnelId: number): void {
    this.#connection.send(encodeOnionRequest({ kind: "destroy", tunnelId }));
  }

  /** Asks for cover traffic; not while a tunnel is there. */
  cover(coverBytes: number): void {
    this.#connection.send(encodeOnionRequest({ kind: "cover", coverBytes }));
  }

  /** Ends the connection after what was sent, and with it what the client holds. */
  close(): void {
    this.#connection.close();
  }
}

const REMOTE = { remote: true };
