import { type Clock, Counts, CulvertError } from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";
import { lastOfMost } from "../../retx/index.ts";
import type { ByteDuplex } from "../byte-duplex.ts";
import type { Service } from "../call/service.ts";
import { ServedCall, type ServedCallParts } from "./served-call.ts";
import type { StreamCallLimits } from "./stream-limits.ts";

/** Serves the streaming calls of all peers, within limits for each and for all. */
export class StreamService {
  readonly #parts: ServedCallParts;
  /** The calls, oldest first, and by which peer each was made. */
  readonly #calls = new Map<ServedCall, string>();
  readonly #perPeer = new Counts();
  #isDraining = false;
  #onIdle: (() => void) | undefined;

  constructor(service: Service, clock: Clock, limits: StreamCallLimits) {
    this.#parts = { service, clock, limits };
  }

  /** Calls that are being served. */
  get callCount(): number {
    return this.#calls.size;
  }

  /** Takes no more calls; resolves when those that run are over. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#calls.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Ends every call at once: handlers are told to stop, and not waited for. */
  abandonAll(): void {
    for (const call of this.#calls.keys()) call.abandon(new CulvertError("CULVERT_CLOSED"));
  }

  /** Serves a stream that a peer opened; never rejects. */
  async serve(peer: NodeId, stream: ByteDuplex): Promise<void> {
    const call = new ServedCall(this.#parts, peer, stream);
    const key = nodeIdText(peer);
    if (this.#isDraining || !this.#makeRoomFor(key)) {
      const code = this.#isDraining ? "CULVERT_CLOSED" : "CULVERT_BUSY";
      call.refuse(new CulvertError(code));
      return;
    }
    this.#calls.set(call, key);
    this.#perPeer.add(key);
    await call.run();
    this.#forget(call);
    if (this.#calls.size === 0) this.#onIdle?.();
  }

  /**
   * Whether a peer may have one more. Where all places are taken, the last call of whoever has most
   * gives way: ids cost nothing, and a call lasts for as long as its caller likes.
   */
  #makeRoomFor(peer: string): boolean {
    const { callsMax, callsPerPeerMax } = this.#parts.limits;
    if (this.#perPeer.of(peer) >= callsPerPeerMax) return false;
    if (this.#calls.size < callsMax) return true;
    const [instead] = lastOfMost(this.#calls, peer, ([, caller]) => caller) ?? [];
    if (instead === undefined) return false;
    this.#forget(instead);
    instead.abandon(new CulvertError("CULVERT_BUSY"));
    return true;
  }

  /** Gives its place back, once. */
  #forget(call: ServedCall): void {
    const key = this.#calls.get(call);
    if (key === undefined) return;
    this.#calls.delete(call);
    this.#perPeer.remove(key);
  }
}
