import type { Clock, Random } from "../../base/index.ts";
import type { StreamRole } from "../../crypto/index.ts";
import { assembleNew, capabilitiesOf, type StreamParts } from "../../stream/duplex/assemble.ts";
import { CoreDuplex } from "../../stream/duplex/core-duplex.ts";
import type { StreamOptions } from "../../stream/options.ts";
import { streamIdOf } from "../../stream/secret.ts";
import type { Transport } from "../../transport/index.ts";

/** What one end of a stream in a world is made from. */
export interface RoadStreamInit {
  readonly transport: Transport;
  readonly secret: Uint8Array;
  readonly role: StreamRole;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: Partial<StreamOptions>;
}

/**
 * The shell and the core of a Stream, whose nonces follow from a seed: never outside of a world,
 * since a nonce that comes again opens the cells.
 */
export class RoadStream extends CoreDuplex {
  readonly #parts: StreamParts;

  private constructor(parts: StreamParts, clock: Clock) {
    super(parts, { clock });
    this.#parts = parts;
  }

  /** A stream that begins at once. */
  static begin({ secret, role, ...context }: RoadStreamInit): RoadStream {
    return new RoadStream(assembleNew(capabilitiesOf(secret, role), context), context.clock);
  }

  get localAddress(): string {
    return streamIdOf(this.#parts.roots.own);
  }

  get remoteAddress(): string {
    return streamIdOf(this.#parts.roots.peer);
  }

  setNoDelay(noDelay = true): this {
    this.#parts.core.noDelay = noDelay;
    return this;
  }
}
