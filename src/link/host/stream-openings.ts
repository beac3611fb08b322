import {
  CulvertError,
  onAbort,
  requireObject,
  requireOneOf,
  throwIfAborted,
} from "../../base/index.ts";
import type { LinkStream, OpenStreamOptions, Priority } from "../contract.ts";
import { PRIORITIES } from "../mux/mux-frames.ts";
import type { OpenRequest } from "../mux/mux-protocol.ts";

/** One stream that somebody waits for. */
export interface StreamOpening {
  readonly protocol: string;
  readonly priority: Priority;
  resolve(stream: LinkStream): void;
  reject(error: Error): void;
}

/** How a link is asked for a stream, and told that it is not wanted any more. */
interface Asks {
  ask(request: OpenRequest): void;
  cancel(ticket: number): void;
}

const ignore = (): void => {};

/** The streams of a link that are asked for and not open yet, by ticket. */
export class StreamOpenings {
  readonly #waiting = new Map<number, StreamOpening>();
  #tickets = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for a stream. `ask` is given the ticket at once; `cancel` when it waits no more.
   *
   * @throws Error `AbortError`
   * @throws CulvertError what the link ended with
   */
  async open(protocol: string, options: OpenStreamOptions, asking: Asks): Promise<LinkStream> {
    const stream = await this.#wait(protocol, options, asking);
    // The link may have ended in the same turn, when nobody could listen yet.
    if (stream.destroyed) throw stream.errored ?? new CulvertError("CULVERT_CLOSED");
    stream.off("error", ignore);
    return stream;
  }

  #wait(protocol: string, options: OpenStreamOptions, { ask, cancel }: Asks): Promise<LinkStream> {
    return new Promise((resolve, reject) => {
      requireObject("options", options);
      const priority = options.priority ?? "normal";
      requireOneOf("priority", priority, PRIORITIES);
      throwIfAborted(options.signal);
      const ticket = this.#tickets++;
      const leave = (): void => {
        forget();
        this.#waiting.delete(ticket);
      };
      const forget = onAbort(options.signal, (error) => {
        this.#waiting.delete(ticket);
        cancel(ticket);
        reject(error);
      });
      this.#waiting.set(ticket, {
        protocol,
        priority,
        resolve: (stream) => {
          leave();
          stream.on("error", ignore);
          resolve(stream);
        },
        reject: (error) => {
          leave();
          cancel(ticket);
          reject(error);
        },
      });
      ask({ ticket, protocol, priority });
    });
  }

  /** Who waits; `undefined` for one that has given up. */
  find(ticket: number): StreamOpening | undefined {
    return this.#waiting.get(ticket);
  }

  /** Nobody will get a stream any more. */
  fail(error: Error): void {
    for (const opening of this.#waiting.values()) opening.reject(error);
  }
}
