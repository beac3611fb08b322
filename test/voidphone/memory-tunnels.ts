import { type Cancel, CulvertError } from "../../src/base/index.ts";
import type {
  TunnelEvents,
  TunnelTarget,
  VoidphoneTunnel,
  VoidphoneTunnels,
} from "../../src/voidphone/index.ts";

/** One end of a tunnel in memory, which loses nothing. */
export class MemoryTunnel implements VoidphoneTunnel {
  readonly dataBytesMax = 1_000;
  other: MemoryTunnel | undefined;
  isDestroyed = false;
  isEnded = false;
  #events: TunnelEvents | undefined;

  start(events: TunnelEvents): void {
    if (this.#events !== undefined) throw new Error("started twice");
    this.#events = events;
  }

  send(data: Uint8Array): boolean {
    if (this.isEnded) return false;
    this.other?.arrive(data);
    return true;
  }

  arrive(data: Uint8Array): void {
    if (!this.isDestroyed) this.#events?.data(data);
  }

  destroy(): void {
    if (this.isDestroyed) throw new Error("destroyed twice");
    this.isDestroyed = true;
    this.other?.end();
  }

  /** The other end, or the way there, is gone. */
  end(): void {
    if (this.isDestroyed || this.isEnded) return;
    this.isEnded = true;
    this.#events?.ended();
  }
}

/** Nodes that build tunnels to each other by host and port. */
export class MemoryTunnels implements VoidphoneTunnels {
  readonly #network: Map<string, MemoryTunnels>;
  readonly covers: number[] = [];
  readonly open: MemoryTunnel[] = [];
  /** What building does instead of succeeding. */
  mood: "builds" | "fails" | "hangs" = "builds";
  isHanging = false;
  /** Lets what hangs go on. */
  release: () => void = () => {};
  /** Whom tunnels from here count for there. */
  source = "somebody";
  #listener: ((tunnel: VoidphoneTunnel, source: string) => void) | undefined;

  constructor(network: Map<string, MemoryTunnels>, address: string) {
    this.#network = network;
    network.set(address, this);
  }

  async build({ host, port }: TunnelTarget): Promise<VoidphoneTunnel> {
    const there = this.#network.get(`${host} ${port}`);
    if (this.mood === "fails" || there === undefined) throw new CulvertError("CULVERT_NOT_FOUND");
    if (this.mood === "hangs") {
      this.isHanging = true;
      await new Promise<void>((resolve) => {
        this.release = resolve;
      });
    }
    const [near, far] = [new MemoryTunnel(), new MemoryTunnel()];
    near.other = far;
    far.other = near;
    this.open.push(near);
    there.open.push(far);
    there.#listener?.(far, this.source);
    return near;
  }

  async cover(coverBytes: number): Promise<void> {
    if (this.mood === "fails") throw new CulvertError("CULVERT_BUSY");
    this.covers.push(coverBytes);
  }

  accept(listener: (tunnel: VoidphoneTunnel, source: string) => void): Cancel {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }
}
