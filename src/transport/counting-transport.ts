import type { GetOptions, PutOptions, Receipt, Transport, TransportKeys } from "./transport.ts";

/** What a {@link CountingTransport} has seen since it was made. */
export interface TransportCounts {
  /** Requests made, answered or not. */
  puts: number;
  gets: number;
  /** Requests that were answered with success. */
  stored: number;
  got: number;
  /** Requests that were rejected; the rest has never been answered. */
  failed: number;
  /** Bytes of cells handed to puts. */
  bytesPut: number;
  /** Bytes of cells that gets returned. */
  bytesGot: number;
  /** Every length of a cell that was put: whoever watches the Map sees as many kinds of cells. */
  readonly cellLengths: Set<number>;
}

/** One request or answer, as it passes; its byte arrays are borrowed for the call. */
export interface TransportEvent {
  readonly kind: "put" | "get" | "stored" | "got" | "failed";
  readonly frameId: Uint8Array;
  /** On `put` and `got`. */
  readonly cell?: Uint8Array;
  /** On `failed`. */
  readonly error?: unknown;
}

/** Passes everything on and counts it; bound views count into the same figures. */
export class CountingTransport implements Transport {
  readonly payloadSize: number;
  readonly counts: TransportCounts;
  readonly #inner: Transport;
  readonly #observe: (event: TransportEvent) => void;

  constructor(
    inner: Transport,
    options: {
      readonly observe?: (event: TransportEvent) => void;
      /** Figures to go on from: those of another transport, to add both up. */
      readonly counts?: TransportCounts;
    } = {},
  ) {
    this.payloadSize = inner.payloadSize;
    this.#inner = inner;
    this.#observe = options.observe ?? (() => {});
    this.counts = options.counts ?? noCounts();
  }

  async put(frameId: Uint8Array, cell: Uint8Array, options?: PutOptions): Promise<Receipt> {
    this.counts.puts += 1;
    this.counts.bytesPut += cell.length;
    this.counts.cellLengths.add(cell.length);
    this.#observe({ kind: "put", frameId, cell });
    const receipt = await this.#orFailed(frameId, () => this.#inner.put(frameId, cell, options));
    this.counts.stored += 1;
    this.#observe({ kind: "stored", frameId });
    return receipt;
  }

  async get(frameId: Uint8Array, options?: GetOptions): Promise<Uint8Array> {
    this.counts.gets += 1;
    this.#observe({ kind: "get", frameId });
    const cell = await this.#orFailed(frameId, () => this.#inner.get(frameId, options));
    this.counts.got += 1;
    this.counts.bytesGot += cell.length;
    this.#observe({ kind: "got", frameId, cell });
    return cell;
  }

  bind(keys: TransportKeys): Transport {
    const bound = this.#inner.bind?.(keys);
    if (bound === undefined) return this;
    return new CountingTransport(bound, { observe: this.#observe, counts: this.counts });
  }

  async #orFailed<T>(frameId: Uint8Array, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      this.counts.failed += 1;
      this.#observe({ kind: "failed", frameId, error });
      throw error;
    }
  }
}

function noCounts(): TransportCounts {
  return {
    puts: 0,
    gets: 0,
    stored: 0,
    got: 0,
    failed: 0,
    bytesPut: 0,
    bytesGot: 0,
    cellLengths: new Set(),
  };
}
