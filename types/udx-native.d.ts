/** What is used of udx-native 1, which has no types of its own. */
declare module "udx-native" {
  import type { EventEmitter } from "node:events";
  import type Stream from "udx-native/lib/stream.js";

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

    type UdxStream = Stream;
  }

  class UDX {
    createSocket(): UDX.UdxSocket;
    createStream(id: number): UDX.UdxStream;
  }

  export = UDX;
}

declare module "udx-native/lib/stream.js" {
  import { EventEmitter } from "node:events";
  import type UDX from "udx-native";

  /** A streamx Duplex. What begins with an underscore is its own, and is looked at in 1.21.3. */
  class UdxStream extends EventEmitter {
    constructor(udx: UDX, id: number);
    connect(socket: UDX.UdxSocket, remoteId: number, port: number, host: string): void;
    write(bytes: Uint8Array): boolean;
    end(): void;
    destroy(error?: Error): void;
    pause(): void;
    resume(): void;
    trySend(bytes: Uint8Array): void;
    /** Resolves once all that was written is acknowledged; with false at the stream's end. */
    flush(): Promise<boolean>;
    /** Puts bytes into the queue of a streamx Readable, or its end. */
    push(bytes: Uint8Array | null): boolean;
    /** Bytes and packets that were sent, with headers and what was repeated. */
    readonly bytesTransmitted: number;
    readonly packetsTransmitted: number;
    /** Packets that were repeated; 16 bits that begin anew. */
    readonly retransmits: number;
    /** The smoothed round trip in milliseconds; 0 before the first one. */
    readonly rtt: number;
    /** Bytes that were sent and neither acknowledged nor taken for lost, with headers. */
    readonly inflight: number;
    /** What the path is thought to carry, in bytes a second: the most of late; 0 at first. */
    readonly bbrBandwidth: number;

    /** What native code knows the stream by. */
    readonly _handle: Uint8Array;
    /** The memory that comes next is put into. */
    _buffer: Uint8Array | null;
    /** The memory for what comes next; called by the constructor, and when an event has thrown. */
    _reallocData(): Uint8Array;
    /** Called by native code when so many bytes have come; gives the memory for what follows. */
    _ondata(bytes: number): Uint8Array;
    /** The same at the end. */
    _onend(bytes: number): void;
  }
  export = UdxStream;
}

declare module "udx-native/binding.js" {
  const binding: {
    /** 0 tells of each packet, 1 of what has come once two packets more have no room. */
    udx_napi_stream_set_mode(handle: Uint8Array, mode: 0 | 1): void;
  };
  export = binding;
}
