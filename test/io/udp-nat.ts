import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

const LOOPBACK = "127.0.0.1";

/**
 * A NAT for one inner socket on the loopback: what comes to its inner port leaves from an outer
 * one, and back. `rebind` takes another outer port: what is sent to the old one is lost.
 */
export class UdpNat {
  /** The outer ports so far. */
  readonly ports: number[] = [];
  readonly #inner: Socket;
  readonly #to: { readonly host: string; readonly port: number };
  #outer: Socket | undefined;
  #client: number | undefined;

  private constructor(inner: Socket, to: { readonly host: string; readonly port: number }) {
    this.#inner = inner;
    this.#to = to;
    inner.on("message", (bytes, { port }) => {
      this.#client = port;
      this.#outer?.send(bytes, this.#to.port, this.#to.host);
    });
  }

  static async open(options: {
    readonly to: { readonly host: string; readonly port: number };
  }): Promise<UdpNat> {
    const nat = new UdpNat(await bound(), options.to);
    await nat.#takePort();
    return nat;
  }

  /** Where the inner socket sends to. */
  get port(): number {
    return this.#inner.address().port;
  }

  /** Forgets the mapping; the next packet makes another one. */
  rebind(): void {
    this.#outer?.close();
    this.#outer = undefined;
    void this.#takePort();
  }

  async close(): Promise<void> {
    for (const socket of [this.#inner, this.#outer]) {
      if (socket !== undefined) await new Promise<void>((resolve) => socket.close(() => resolve()));
    }
  }

  async #takePort(): Promise<void> {
    const outer = await bound();
    outer.on("message", (bytes) => {
      if (this.#client !== undefined) this.#inner.send(bytes, this.#client, LOOPBACK);
    });
    this.#outer = outer;
    this.ports.push(outer.address().port);
  }
}

async function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, LOOPBACK);
  await once(socket, "listening");
  socket.setRecvBufferSize(2 ** 20);
  return socket;
}
