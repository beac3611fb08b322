/** What the benchmarks of links and requests send over: streams of links, sockets, raw udx. */
export interface Pipe {
  write(bytes: Uint8Array): boolean;
  end(): unknown;
  on(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  once(event: string, listener: () => void): unknown;
}

/** Sends so many bytes, piece by piece, and waits until `over`: bytes a millisecond. */
export async function sendBulk(
  pipe: Omit<Pipe, "on">,
  { bytes, piece, over }: { bytes: number; piece: Uint8Array; over: Promise<unknown> },
): Promise<number> {
  const from = performance.now();
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!pipe.write(piece)) await new Promise<void>((resolve) => pipe.once("drain", resolve));
  }
  pipe.end();
  await over;
  return bytes / (performance.now() - from);
}

/** Sends one message again and again, and waits for its echoes, which come in the same order. */
export class Echoes {
  readonly #pipe: Pipe;
  readonly #message: Uint8Array;
  readonly #waiting: (() => void)[] = [];
  #bytes = 0;

  constructor(pipe: Pipe, message: Uint8Array) {
    this.#pipe = pipe;
    this.#message = message;
    pipe.on("data", (bytes) => {
      this.#bytes += bytes.length;
      for (; this.#bytes >= message.length; this.#bytes -= message.length)
        this.#waiting.shift()?.();
    });
  }

  one(): Promise<void> {
    this.#pipe.write(this.#message);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The milliseconds of each, one after the other. */
  async many(count: number): Promise<number[]> {
    const times: number[] = [];
    while (times.length < count) {
      const from = performance.now();
      await this.one();
      times.push(performance.now() - from);
    }
    return times;
  }
}
