/**
 * What a bound transport may do on a stream's behalf. A party holds the seed only of the root that
 * it writes under, so a reader can never be talked into a write.
 */
export interface TransportKeys {
  /** Seed (32 bytes, secret) of the root under which this side writes; absent for a pure reader. */
  readonly writeSeed?: Uint8Array;
  /** Root public key (32 bytes) of the side that is read; absent for a pure writer. */
  readonly readRoot?: Uint8Array;
  /** The addresses under `readRoot`, of a reader who knows them for less than by `readRoot`. */
  readonly addressesOf?: (frameIds: readonly Uint8Array[]) => readonly Uint8Array[];
}

/** How a put was kept. */
export interface Receipt {
  /** Seconds for which the Map has promised to try to keep the cell. */
  readonly ttlSeconds: number;
}

/** Wishes of one put. */
export interface PutOptions {
  /** Seconds asked for; the Map may grant less. */
  readonly ttlSeconds?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Wishes of one get. */
export interface GetOptions {
  /** How long the Map may hold a get for an address that is still empty, in milliseconds. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** The wait alone need not keep the process alive: whoever asks has timers of its own. A hint. */
  readonly background?: boolean;
  /**
   * The caller only reads the cell, and does not keep it: it need not be a copy, but nobody writes
   * to it any more, since it may be read some turns of the event loop later. A hint.
   */
  readonly isBorrowed?: boolean;
  /** Told for how many seconds the Map still keeps the cell, before that is given; not by all. */
  readonly onTtl?: (ttlSeconds: number) => void;
}

/**
 * The one seam below the stream: a lossy, write-once place for cells of one size.
 *
 * - `put` may be repeated with the same bytes for ever. It rejects with `CULVERT_CONFLICT` when the
 *   place holds other bytes, `CULVERT_REFUSED`, `CULVERT_FULL` or `CULVERT_BUSY` when the Map says
 *   so, and with anything else, or never, when the network failed.
 * - `get` waits for an empty place up to `waitMs` and then rejects with `CULVERT_NOT_FOUND`.
 * - A settled promise is a hint, never a guarantee: a cell may be lost after its put resolved.
 * - Arguments are borrowed until the promise settles; a cell that `get` returns is the caller's,
 *   unless it asked for a borrowed one.
 * - Aborting a signal rejects with the name `AbortError`; a request on its way may still take
 *   effect.
 */
export interface Transport {
  /** Exact length of every cell, in bytes. Constant for the life of the transport. */
  readonly payloadSize: number;
  /**
   * True when each cell that `get` gives has memory of its own, which nobody else looks at again,
   * whatever was asked: a stream then opens it where it lies. It copies the others first.
   */
  readonly handsOver?: boolean;
  /**
   * So many puts under way are all that the transport gains by, where that is few since nothing is
   * far away: a stream has no more of them, and twice as many gets. Absent: it goes by its window.
   */
  readonly putsAtOnce?: number;
  put(frameId: Uint8Array, cell: Uint8Array, options?: PutOptions): Promise<Receipt>;
  get(frameId: Uint8Array, options?: GetOptions): Promise<Uint8Array>;
  /**
   * A view of this transport with the authority to read and write one stream. Transports without
   * capabilities leave it out; the others refuse `put` and `get` until they are bound.
   */
  bind?(keys: TransportKeys): Transport;
}
