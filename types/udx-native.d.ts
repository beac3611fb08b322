/** What is used of udx-native 1, which has no types of its own. */
declare module "udx-native" {
  import type { EventEmitter } from "node:events";

  namespace UDX {
    interface UdxAddress {
      readonly host: string;
      readonly family: 4 | 6;
      readonly port: number;
    }

    interface UdxSocket extends EventEmitter {
      bind(port: number, host: string): void;
      address(): UdxAddress | null;
      trySend(bytes: Uint8Array, port: number, host: string): void;
      setRecvBufferSize(bytes: number): void;
      setSendBufferSize(bytes: number): void;
      close(): Promise<void>;
    }

    /** A streamx Duplex. */
    interface UdxStream extends EventEmitter {
      connect(socket: UdxSocket, remoteId: number, port: number, host: string): void;
      write(bytes: Uint8Array): boolean;
      end(): void;
      destroy(error?: Error): void;
      pause(): void;
      resume(): void;
      trySend(bytes: Uint8Array): void;
      /** Resolves once all that was written is acknowledged; with false at the stream's end. */
      flush(): Promise<boolean>;
      /** Bytes and packets that were sent, with headers and what was repeated. */
      readonly bytesTransmitted: number;
      readonly packetsTransmitted: number;
      /** Packets that were repeated; 16 bits that begin anew. */
      readonly retransmits: number;
      /** The smoothed round trip in milliseconds; 0 before the first one. */
      readonly rtt: number;
      /** Bytes that were sent and neither acknowledged nor taken for lost, with headers. */
      readonly inflight: number;
    }
  }

  class UDX {
    createSocket(): UDX.UdxSocket;
    createStream(id: number): UDX.UdxStream;
  }

  export = UDX;
}
