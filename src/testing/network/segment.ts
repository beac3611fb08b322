/**
 * What a packet of an ordered connection says besides its bytes. It stands for the header of TCP,
 * or of a reliable stream over UDP: a checksum protects it, so that corruption is loss.
 * `connection` is the number that the receiver knows the connection by.
 */
export type Segment =
  /** The dialler asks for a connection. */
  | { readonly kind: "open"; readonly connection: number }
  /** The listener has it. */
  | { readonly kind: "opened"; readonly connection: number }
  /** Piece number `index`, counted from zero; `isEnd` says that none follows. */
  | {
      readonly kind: "data";
      readonly connection: number;
      readonly index: number;
      readonly isEnd: boolean;
    }
  /** Piece `index` came, all below `below` came, and `roomBytes` more are welcome. */
  | {
      readonly kind: "ack";
      readonly connection: number;
      readonly index: number;
      readonly below: number;
      readonly roomBytes: number;
    }
  /** A datagram beside the pieces, which may get lost. */
  | { readonly kind: "beside"; readonly connection: number }
  /** There is no such connection, or it is cut. */
  | { readonly kind: "reset"; readonly connection: number };
