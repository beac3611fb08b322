import {
  type Cancel,
  Canceller,
  type Clock,
  CulvertError,
  type ErrorCode,
  LruMap,
  resolveLimits,
  withSignals,
} from "../../base/index.ts";
import { isSameNode, type NodeId, nodeIdText } from "../../identity/index.ts";
import type { DialTarget, Link, LinkHost, LinkStream } from "../contract.ts";
import { readFirstFrame } from "./frame-reader.ts";
import { CALL_PROTOCOL, encodeFrame, RELAY_PROTOCOL, type RelayRefusal } from "./frames.ts";
import { RELAY_LIMITS, type RelayLimits } from "./limits.ts";
import { RelayPlace } from "./relay-place.ts";
import { StreamPath } from "./stream-path.ts";
import type { Voucher } from "./voucher.ts";

/** What a client of relays is made of. The host is borrowed. */
export interface RelayClientOptions {
  readonly host: LinkHost;
  readonly clock: Clock;
  readonly limits?: Partial<RelayLimits>;
  /** Whether this node may call us; everybody if it is left out. */
  readonly accepts?: ((caller: NodeId) => boolean) | undefined;
  /** Called for every link that came through a relay. */
  readonly onCall?: (link: Link, relay: NodeId) => void;
  /** Called when a place was got, renewed or lost: the descriptor has to say so. */
  readonly onPlaces?: () => void;
}

/** The most places that a node keeps: as many relays as a descriptor has room for. */
const PLACES_MAX = 4;
/** Relays that were caught lying: who lies again after so many others is asked again. */
const LIARS_MAX = 1_024;

const CODES: Readonly<Record<RelayRefusal, ErrorCode>> = {
  protocol: "CULVERT_PROTOCOL",
  busy: "CULVERT_BUSY",
  "relay-over-relay": "CULVERT_REFUSED",
  "no-reservation": "CULVERT_UNREACHABLE",
  "not-linked": "CULVERT_UNREACHABLE",
  quota: "CULVERT_BUSY",
  declined: "CULVERT_UNREACHABLE",
};

/** Uses relays: keeps places at some, is called through them, and calls others through theirs. */
export class RelayClient {
  readonly #options: RelayClientOptions;
  readonly #limits: RelayLimits;
  readonly #places = new Map<string, RelayPlace>();
  readonly #liars = new LruMap<string, true>(LIARS_MAX);
  readonly #stopServing: Cancel;
  #isClosed = false;

  constructor(options: RelayClientOptions) {
    this.#options = options;
    this.#limits = resolveLimits(RELAY_LIMITS, options.limits);
    this.#stopServing = options.host.handle(CALL_PROTOCOL, (stream, link) => {
      this.#called(stream, link).catch(() => stream.destroy());
    });
  }

  /** The words of the relays that keep a place for this node now. */
  get vouchers(): readonly Voucher[] {
    return [...this.#places.values()].flatMap(({ voucher }) => voucher ?? []);
  }

  /**
   * Keeps a place at a relay from now on; `onPlaces` tells when there is one.
   *
   * @returns false for a relay that was caught lying: it is not asked again
   * @throws CulvertError `CULVERT_BUSY` when there are as many as a descriptor can list,
   *   `CULVERT_CLOSED`
   */
  keepPlace(relay: DialTarget): boolean {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
    const key = nodeIdText(relay.id);
    if (this.#liars.get(key) === true) return false;
    if (this.#places.has(key)) return true;
    if (this.#places.size >= PLACES_MAX) {
      throw new CulvertError("CULVERT_BUSY", `a node keeps ${PLACES_MAX} places at relays`);
    }
    const { host, clock, onPlaces } = this.#options;
    const place = new RelayPlace({
      host,
      clock,
      relay,
      limits: this.#limits,
      changed: (isFinal) => {
        if (isFinal) {
          this.#places.delete(key);
          this.#liars.set(key, true);
        }
        onPlaces?.();
      },
    });
    this.#places.set(key, place);
    place.start();
    return true;
  }

  /** Gives a place up. */
  leave(relay: NodeId): void {
    const key = nodeIdText(relay);
    this.#places.get(key)?.stop();
    this.#places.delete(key);
  }

  /**
   * A way to `target` through the relay at the other end of `link`.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_BUSY`, `CULVERT_REFUSED`,
   *   `CULVERT_TIMEOUT`; `detail.reason` is the relay's
   * @throws Error `AbortError`
   */
  async call(link: Link, target: NodeId, signal?: AbortSignal): Promise<StreamPath> {
    if (link.isRelayed || isSameNode(link.peer, target)) {
      throw new CulvertError("CULVERT_REFUSED", "no relay is reached through a relay");
    }
    const stream = await this.#openStream(link, signal);
    try {
      stream.write(encodeFrame({ kind: "connect", target }));
      const { clock } = this.#options;
      const limitMs = 2 * this.#limits.answerMs;
      const frame = await readFirstFrame(stream, { clock, limitMs, signal });
      if (frame.kind === "connected") return new StreamPath(stream);
      const reason = frame.kind === "refused" ? frame.reason : "protocol";
      throw new CulvertError(CODES[reason], `the relay says no: ${reason}`, {
        remote: true,
        detail: { reason },
      });
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  /** A relay may let nobody have a stream: there are others. */
  async #openStream(link: Link, signal: AbortSignal | undefined): Promise<LinkStream> {
    const { clock } = this.#options;
    const late = new Canceller();
    const at = clock.now() + this.#limits.answerMs;
    const cancel = clock.schedule(at, () => late.abort(), { background: true });
    const signals = signal === undefined ? [late.signal] : [signal, late.signal];
    try {
      return await withSignals(signals, (either) =>
        link.openStream(RELAY_PROTOCOL, { signal: either }),
      );
    } catch (cause) {
      if (!late.signal.aborted || signal?.aborted === true) throw cause;
      throw new CulvertError("CULVERT_TIMEOUT", "the relay takes no stream", { cause });
    } finally {
      cancel();
    }
  }

  /** Gives every place up. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#stopServing();
    for (const place of this.#places.values()) place.stop();
    this.#places.clear();
  }

  /** A relay says that somebody calls. Who it is has to be proved to us, end to end. */
  async #called(stream: LinkStream, relayLink: Link): Promise<void> {
    const { host, clock, accepts, onCall } = this.#options;
    const frame = await readFirstFrame(stream, { clock, limitMs: this.#limits.answerMs });
    const key = nodeIdText(relayLink.peer);
    const place = this.#places.get(key);
    const isCall = frame.kind === "call" && place?.voucher !== undefined && !relayLink.isRelayed;
    const isWanted =
      isCall && !isSameNode(frame.caller, host.id) && accepts?.(frame.caller) !== false;
    if (!isWanted) {
      stream.write(encodeFrame({ kind: "refused", reason: "declined" }));
      // Not only ended: what was sent behind the call would lie here until the link is over.
      stream.destroySoon();
      return;
    }
    stream.write(encodeFrame({ kind: "connected" }));
    // For the place of the moment: one that is given up and kept again is charged for it, too.
    const path = new StreamPath(stream, (bytes) => this.#places.get(key)?.passed(bytes));
    stream.on("close", () => this.#places.get(key)?.circuitEnded());
    const { caller: expectedId } = frame;
    const { peer: via } = relayLink;
    const call = { isInitiator: false, isRelayed: true, expectedId, via };
    // It is the host's from now on: where it comes to nothing, the caller is still told why.
    const link = await host.attach(path, call).catch(() => undefined);
    if (link !== undefined) onCall?.(link, via);
  }
}
