import { type Clock, CulvertError, type Instant, isCulvertError, pause } from "../../base/index.ts";
import type { Asked, ReadyPath } from "../path/path-desk.ts";
import type { CoreLink, NewPath } from "./core-link.ts";

/** Waits between two attempts to replace a lost path double from the first. */
const REDIAL_FIRST_MS = 250;
const REDIAL_MS_MAX = 8_000;
/**
 * A path that was lost sooner has not shown that the next one will be of use: the waits go on from
 * where they were. A peer that takes each path and cuts it would else be dialled as fast as
 * handshakes go.
 */
const PATH_PROVEN_MS = REDIAL_MS_MAX;

/** What a mover is made from. */
export interface LinkMoverParts {
  readonly clock: Clock;
  /** Opens a path to the peer of a link; `undefined` where only the peer can do that. */
  readonly redial: (link: CoreLink) => (() => Promise<ReadyPath>) | undefined;
  /** Puts a link on a path that both ends agreed on. */
  readonly put: (link: CoreLink, ready: ReadyPath, agreed: Agreement) => void;
}

/** What the two ends have agreed on for a path. */
export type Agreement = Omit<NewPath, "path" | "about">;

/**
 * Moves links from path to path: to one that is better, or to one in the place of a lost one. Each
 * end tells how many numbered records it has, and the other goes on from there.
 */
export class LinkMover {
  readonly #parts: LinkMoverParts;
  readonly #moving = new WeakSet<CoreLink>();
  /** When a lost path was replaced last, and how long that was waited for. */
  readonly #replaced = new WeakMap<CoreLink, { readonly at: Instant; readonly waitMs: number }>();

  constructor(parts: LinkMoverParts) {
    this.#parts = parts;
  }

  /**
   * Moves `link` to the path that `open` gives.
   *
   * @throws CulvertError `CULVERT_BUSY` while the link is moving already, whatever `open` rejects
   *   with, and what the peer refuses with
   */
  async upgrade(
    link: CoreLink,
    open: () => Promise<ReadyPath>,
    signal?: AbortSignal,
  ): Promise<void> {
    if (this.#moving.has(link)) throw new CulvertError("CULVERT_BUSY", "the link is moving");
    this.#moving.add(link);
    try {
      await this.#move(link, await open(), signal);
    } finally {
      this.#stay(link);
    }
  }

  /** Looks for another path in the place of a lost one, until there is one or the link ends. */
  replace(link: CoreLink): void {
    const redial = this.#parts.redial(link);
    if (redial === undefined || this.#moving.has(link)) return;
    this.#moving.add(link);
    void this.#replace(link, redial).finally(() => this.#stay(link));
  }

  /** The peer wants a link to go on over another path. */
  answer(link: CoreLink, { setup, greeted, way }: Asked): void {
    const { intent } = greeted;
    if (intent.kind !== "resume" || intent.epoch <= link.epoch) {
      setup.refuse("busy");
      return;
    }
    const receivedTold = link.received;
    setup.confirm(receivedTold);
    const { epoch, received: peerReceived } = intent;
    this.#parts.put(link, { setup, way }, { epoch, peerReceived, receivedTold });
  }

  /** It moves no more, unless its path was lost while it did. */
  #stay(link: CoreLink): void {
    this.#moving.delete(link);
    if (link.isOpen && link.path === undefined) this.replace(link);
  }

  async #replace(link: CoreLink, redial: () => Promise<ReadyPath>): Promise<void> {
    for (let waitMs = this.#firstWaitMs(link); ; waitMs = nextWaitMs(waitMs)) {
      if (waitMs > 0) await pause(this.#parts.clock, waitMs);
      if (!link.isOpen || link.path !== undefined) return;
      try {
        await this.#move(link, await redial());
        this.#replaced.set(link, { at: this.#parts.clock.now(), waitMs });
        return;
      } catch {
        // The next attempt may go better, if there is one.
      }
      if (!link.isOpen || link.path !== undefined) return;
    }
  }

  /** At once, unless the path before was lost as soon as it was there. */
  #firstWaitMs(link: CoreLink): number {
    const last = this.#replaced.get(link);
    if (last === undefined) return 0;
    const isProven = this.#parts.clock.now() >= last.at + PATH_PROVEN_MS;
    return isProven ? 0 : nextWaitMs(last.waitMs);
  }

  #move(link: CoreLink, ready: ReadyPath, signal?: AbortSignal): Promise<void> {
    const { setup } = ready;
    const epoch = link.nextEpoch();
    const receivedTold = link.received;
    const intent = { kind: "resume", epoch, received: receivedTold } as const;
    return new Promise((resolve, reject) => {
      setup.greet(
        { linkId: link.linkId, intent },
        {
          failed: (error) => {
            // No path helps any more: also not the one that it is on, if that is not dead yet.
            if (isForgotten(error)) link.abandon(error);
            reject(error);
          },
          greeted: (greeted) => {
            if (greeted.kind !== "resumed" || !link.isOpen || epoch <= link.epoch) {
              setup.path.close(true);
              reject(new CulvertError("CULVERT_BUSY", "the link has moved meanwhile"));
              return;
            }
            const peerReceived = greeted.received;
            this.#parts.put(link, ready, { epoch, peerReceived, receivedTold });
            resolve();
          },
        },
        signal,
      );
    });
  }
}

function nextWaitMs(waitMs: number): number {
  return Math.min(Math.max(2 * waitMs, REDIAL_FIRST_MS), REDIAL_MS_MAX);
}

/** The peer does not know the link any more: it was started anew, or has given up. */
function isForgotten(error: unknown): error is CulvertError {
  if (!isCulvertError(error) || !error.remote) return false;
  const { why } = error.detail ?? {};
  return why === "unknown-link";
}
