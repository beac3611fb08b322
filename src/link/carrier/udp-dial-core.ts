import { type Core, CulvertError, equalBytes, type Instant } from "../../base/index.ts";
import { encodeOpening, type OpeningHello, streamIdOf } from "./udp-opening.ts";

/** What happens to a dial over UDP. */
export type UdpDialInput =
  | { readonly kind: "begin" }
  /** A retry came; bytes are borrowed. */
  | { readonly kind: "retry"; readonly nonce: Uint8Array; readonly cookie: Uint8Array }
  /** Anything came over the stream: the listener has made its end. */
  | { readonly kind: "heard" };

/** What a dial over UDP wants done. */
export type UdpDialEffect =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** The stream can be made, to the listener's id. */
  | { readonly kind: "connect"; readonly remoteId: number }
  | { readonly kind: "fail"; readonly error: CulvertError };

/** Waits between repetitions double from the first. */
const REPEAT_FIRST_MS = 250;
const SENDINGS_MAX = 6;

/** Opens one udx stream: repeats its hello until a retry comes, its confirm until bytes come. */
export class UdpDialCore implements Core<UdpDialInput, UdpDialEffect> {
  readonly #hello: OpeningHello;
  readonly #effects: UdpDialEffect[] = [];
  #datagram: Uint8Array;
  #isConfirming = false;
  #sendings = 0;
  #deadline: Instant = Number.POSITIVE_INFINITY;

  constructor(hello: OpeningHello) {
    this.#hello = hello;
    this.#datagram = encodeOpening({ kind: "hello", ...hello });
  }

  handle(input: UdpDialInput, now: Instant): void {
    switch (input.kind) {
      case "begin":
        this.#send(now);
        break;
      case "retry":
        this.#confirm(input.nonce, input.cookie, now);
        break;
      case "heard":
        this.#deadline = Number.POSITIVE_INFINITY;
        break;
    }
  }

  timeout(now: Instant): void {
    if (now < this.#deadline) return;
    if (this.#sendings < SENDINGS_MAX) {
      this.#send(now);
      return;
    }
    this.#deadline = Number.POSITIVE_INFINITY;
    const error = new CulvertError("CULVERT_UNREACHABLE", "nobody answers at this UDP address");
    this.#effects.push({ kind: "fail", error });
  }

  poll(): UdpDialEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return this.#deadline;
  }

  #confirm(nonce: Uint8Array, cookie: Uint8Array, now: Instant): void {
    if (this.#isConfirming || !equalBytes(nonce, this.#hello.nonce)) return;
    this.#isConfirming = true;
    this.#sendings = 0;
    this.#datagram = encodeOpening({ kind: "confirm", ...this.#hello, cookie });
    this.#send(now);
    this.#effects.push({ kind: "connect", remoteId: streamIdOf(cookie) });
  }

  #send(now: Instant): void {
    this.#deadline = now + REPEAT_FIRST_MS * 2 ** this.#sendings;
    this.#sendings += 1;
    this.#effects.push({ kind: "send", bytes: this.#datagram });
  }
}
