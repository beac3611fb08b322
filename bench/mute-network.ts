import type { PathConnection, UdpNetwork, UdpSocket } from "../src/link/index.ts";

/**
 * UDP that can fall silent: nothing that was to be sent is, and nothing that comes is heard. The
 * kernel and udx still confirm what arrives, as they do for a process that hangs; whoever waits for
 * an answer is not told that there will be none.
 */
export class MuteNetwork implements UdpNetwork {
  /** Falls silent, or comes back. */
  isMute = false;
  readonly #network: UdpNetwork;

  constructor(network: UdpNetwork) {
    this.#network = network;
  }

  async bind(at: { readonly host: string; readonly port: number }): Promise<UdpSocket> {
    const socket = await this.#network.bind(at);
    return {
      address: socket.address,
      start: (events) =>
        socket.start({
          datagram: (bytes, from) => {
            if (!this.isMute) events.datagram(bytes, from);
          },
        }),
      send: (bytes, to) => {
        if (!this.isMute) socket.send(bytes, to);
      },
      connect: (stream) => new MutePath(this, socket.connect(stream)),
      close: () => socket.close(),
    };
  }
}

/** A class, since a literal with a getter would be a dictionary, and a node has many paths. */
class MutePath implements PathConnection {
  readonly #network: MuteNetwork;
  readonly #path: PathConnection;

  constructor(network: MuteNetwork, path: PathConnection) {
    this.#network = network;
    this.#path = path;
  }

  get remote(): PathConnection["remote"] {
    return this.#path.remote;
  }

  get unsentBytes(): number {
    return this.#path.unsentBytes;
  }

  start(events: Parameters<PathConnection["start"]>[0]): void {
    this.#path.start({
      receive: (bytes) => {
        if (!this.#network.isMute) events.receive(bytes);
      },
      datagram: (bytes) => {
        if (!this.#network.isMute) events.datagram?.(bytes);
      },
      drained: () => events.drained(),
      closed: (error) => events.closed(error),
    });
  }

  setReading(isReading: boolean): void {
    this.#path.setReading(isReading);
  }

  write(bytes: Uint8Array): void {
    if (!this.#network.isMute) this.#path.write(bytes);
  }

  sendDatagram(bytes: Uint8Array): void {
    if (!this.#network.isMute) this.#path.sendDatagram?.(bytes);
  }

  close(isAbrupt: boolean): void {
    if (!this.#network.isMute) this.#path.close(isAbrupt);
  }
}
