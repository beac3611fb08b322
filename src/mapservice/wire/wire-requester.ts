import { CulvertError, isCulvertError } from "../../base/index.ts";
import { FrameBuffer } from "../../codec/index.ts";
import type { RequestId } from "../service/protocol.ts";
import type { MapGreeting, Requester, RequesterEvents } from "../service/requester.ts";
import {
  type ClientMessage,
  encodeClientMessage,
  type GoodbyeReason,
  HELLO_FRAME_BYTES_MAX,
  type NodeMessage,
  nodeFrameBytesMax,
  readNodeMessage,
  WIRE_VERSION,
} from "./wire.ts";

/** A byte connection as the client's side of it sees it. */
export interface WirePort {
  /** Sends bytes, which are handed over; after `close` it does nothing. */
  write(bytes: Uint8Array): void;
  /** Bytes that were written and are not on their way yet. */
  readonly unsentBytes: number;
  /** Ends the connection. */
  close(): void;
}

/** What a wire requester has to tell, beside the answers. */
export interface WireRequesterEvents extends Pick<RequesterEvents, "answer" | "ready"> {
  /** The node said hello: requests may be made. */
  greeted(greeting: MapGreeting): void;
  /** The node said goodbye, or broke the protocol; the port was closed. */
  broken(error: CulvertError): void;
}

/** Unsent bytes from which on the requester counts as congested. */
const UNSENT_BYTES_HIGH = 1_048_576;

/**
 * The client's side of one connection to a node: requests to bytes, bytes to answers. A node that
 * breaks the protocol loses the connection; nothing that it sends makes this throw.
 */
export class WireRequester implements Requester {
  readonly #port: WirePort;
  readonly #events: WireRequesterEvents;
  readonly #frames = new FrameBuffer(HELLO_FRAME_BYTES_MAX);
  #payloadSize: number | undefined;
  #isClosed = false;

  constructor(port: WirePort, events: WireRequesterEvents) {
    this.#port = port;
    this.#events = events;
    this.#send({ kind: "hello", versionMin: WIRE_VERSION, versionMax: WIRE_VERSION });
  }

  get isCongested(): boolean {
    return this.#port.unsentBytes > UNSENT_BYTES_HIGH;
  }

  put(request: RequestId, record: Uint8Array, stamp: Uint8Array): void {
    this.#send({ kind: "put", request, record, stamp });
  }

  get(request: RequestId, address: Uint8Array, waitMs: number): void {
    this.#send({ kind: "get", request, address, waitMs });
  }

  cancel(request: RequestId): void {
    this.#send({ kind: "cancel", request });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#port.close();
  }

  /** Bytes from the node, handed over. */
  receive(chunk: Uint8Array): void {
    try {
      this.#frames.push(chunk);
      while (!this.#isClosed) {
        const frame = this.#frames.take();
        if (frame === undefined) return;
        this.#handle(readNodeMessage(frame, this.#payloadSize ?? 0));
      }
    } catch (error) {
      if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
      this.#break(error);
    }
  }

  /** Everything that was written is on its way. */
  drained(): void {
    if (!this.#isClosed) this.#events.ready();
  }

  #handle(message: NodeMessage): void {
    if (message.kind === "goodbye") {
      this.#break(farewell(message.reason));
    } else if ((message.kind === "hello") !== (this.#payloadSize === undefined)) {
      throw new CulvertError("CULVERT_PROTOCOL", "the hello comes first, and once");
    } else if (message.kind === "answer") {
      this.#events.answer(message.request, message.answer);
    } else if (message.version !== WIRE_VERSION) {
      throw new CulvertError("CULVERT_PROTOCOL", "the node chose a version that was not offered");
    } else {
      this.#payloadSize = message.greeting.payloadSize;
      this.#frames.frameBytesMax = nodeFrameBytesMax(this.#payloadSize);
      this.#events.greeted(message.greeting);
    }
  }

  #break(error: CulvertError): void {
    this.close();
    this.#events.broken(error);
  }

  #send(message: ClientMessage): void {
    if (!this.#isClosed) this.#port.write(encodeClientMessage(message));
  }
}

function farewell(reason: GoodbyeReason): CulvertError {
  const detail = { reason };
  switch (reason) {
    case "busy":
      return new CulvertError("CULVERT_BUSY", "the node has no link to spare", { detail });
    case "closing":
      return new CulvertError("CULVERT_UNREACHABLE", "the node is shutting down", { detail });
    case "protocol":
    case "version":
      return new CulvertError("CULVERT_PROTOCOL", "the node does not understand us", { detail });
  }
}
