import type { PathConnection, UdpNetwork, UdpSocket } from "../src/link/index.ts";

/**
 * UDP that can fall silent: nothing that was to be sent is, and nothing that comes is heard. The
 * kernel and udx still confirm what arrives, as they do for a process that hangs; whoever waits for
 * an answer is not told that there will be none.
 */
export class MuteNetwork implements UdpNetwork {
  readonly #network: UdpNetwork;
  #isMute = false;

  constructor(network: UdpNetwork) {
    this.#network = network;
  }

  /** Falls silent, or comes back. */
  set isMute(isMute: boolean) {
    this.#isMute = isMute;
  }

  async bind(at: { readonly host: string; readonly port: number }): Promise<UdpSocket> {
    const socket = await this.#network.bind(at);
    return {
      address: socket.address,
      start: (events) =>
        socket.start({
          datagram: (bytes, from) => {
            if (!this.#isMute) events.datagram(bytes, from);
          },
        }),
      send: (bytes, to) => {
        if (!this.#isMute) socket.send(bytes, to);
      },
      connect: (stream) => this.#muted(socket.connect(stream)),
      close: () => socket.close(),
    };
  }

  #muted(path: PathConnection): PathConnection {
    return {
      start: (events) =>
        path.start({
          receive: (bytes) => {
            if (!this.#isMute) events.receive(bytes);
          },
          datagram: (bytes) => {
            if (!this.#isMute) events.datagram?.(bytes);
          },
          drained: () => events.drained(),
          closed: (error) => events.closed(error),
        }),
      write: (bytes) => {
        if (!this.#isMute) path.write(bytes);
      },
      get unsentBytes() {
        return path.unsentBytes;
      },
      setReading: (isReading) => path.setReading(isReading),
      close: (isAbrupt) => {
        if (!this.#isMute) path.close(isAbrupt);
      },
      remote: path.remote,
      sendDatagram: (bytes) => {
        if (!this.#isMute) path.sendDatagram?.(bytes);
      },
    };
  }
}
