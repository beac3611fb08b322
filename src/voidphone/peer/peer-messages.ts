/** Where a peer of a VoidPhone network is dialled: an IP address or a name, and a port. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

/** Where a peer of a VoidPhone network says that it is. Nothing of it is proven. */
export interface VoidphoneContact extends PeerAddress {
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** An IP address in its shortest text form. */
  readonly host: string;
}

/** What the dialect `final` says of the sender in every message but errors. */
export interface PeerSender {
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** Where it listens. */
  readonly port: number;
}

/** How each message between peers begins, but for errors. */
export interface PeerHeader {
  /** 32 bytes, echoed in the answer. */
  readonly rpcId: Uint8Array;
  /** Only in the dialect `final`. */
  readonly sender?: PeerSender;
}

/** What one peer asks of another. Bytes that were read are views of the message. */
export type PeerRequest = PeerHeader &
  (
    | { readonly kind: "ping" }
    | {
        readonly kind: "store";
        readonly ttlSeconds: number;
        /** Only in the dialect `midterm`. */
        readonly replication?: number;
        readonly key: Uint8Array;
        /** At least one byte. */
        readonly value: Uint8Array;
      }
    | { readonly kind: "find-node"; readonly target: Uint8Array }
    | { readonly kind: "find-value"; readonly key: Uint8Array }
  );

/** Why a request was not served. */
export type PeerFault = "bad-request" | "not-found" | "not-acceptable" | "server-error";

/** An error says neither whose it is nor what it answers. */
export interface PeerError {
  readonly kind: "error";
  readonly fault: PeerFault;
}

/** What one peer answers another. */
export type PeerReply =
  | PeerError
  | (PeerHeader &
      (
        | { readonly kind: "pong" }
        /** Only in the dialect `midterm`. */
        | { readonly kind: "stored"; readonly key: Uint8Array; readonly value: Uint8Array }
        | { readonly kind: "nodes"; readonly contacts: readonly VoidphoneContact[] }
        | { readonly kind: "value"; readonly key: Uint8Array; readonly value: Uint8Array }
      ));

/** The most contacts in one answer: Kademlia's k. */
export const CONTACTS_MAX = 20;

/** One of the two ways in which VoidPhone's DHT peers talk to each other. */
export interface PeerDialect {
  readonly name: "midterm" | "final";
  /** A store is answered when it succeeds. */
  readonly answersStores: boolean;
  /** The longest value that an answer carries. */
  readonly valueBytesMax: number;
  /** Whether an answer can name this contact. */
  canName(contact: VoidphoneContact): boolean;
  /** @throws CulvertError `CULVERT_TOO_LARGE` when a value does not fit */
  encodeRequest(request: PeerRequest): Uint8Array;
  /** @throws CulvertError `CULVERT_PROTOCOL` when it is no request of this dialect */
  readRequest(message: Uint8Array): PeerRequest;
  /** @throws CulvertError `CULVERT_TOO_LARGE` when a value does not fit */
  encodeReply(reply: PeerReply): Uint8Array;
  /** @throws CulvertError `CULVERT_PROTOCOL` when it is no answer of this dialect */
  readReply(message: Uint8Array): PeerReply;
}
