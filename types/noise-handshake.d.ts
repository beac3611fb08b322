/** What is used of noise-handshake 4, which has no types of its own. */
declare module "noise-handshake" {
  /** A key pair of the curve in use. */
  interface KeyPair {
    readonly publicKey: Uint8Array;
    readonly secretKey: Uint8Array;
  }

  /** The DH functions of Noise; `ALG` goes into the protocol name. */
  interface Curve {
    readonly ALG: string;
    readonly DHLEN: number;
    readonly PKLEN: number;
    readonly SKLEN: number;
    generateKeyPair(): KeyPair;
    dh(publicKey: Uint8Array, local: KeyPair): Uint8Array;
  }

  /** The handshake state of Noise, 5.3. Every method throws on what the peer got wrong. */
  class NoiseState {
    constructor(
      pattern: "XX" | "IK",
      isInitiator: boolean,
      keyPair: KeyPair,
      options: { readonly curve: Curve },
    );
    readonly complete: boolean;
    /** The remote static key, once it is known. */
    readonly rs: Uint8Array | null;
    /** The keys of the two directions, once complete. */
    readonly tx: Uint8Array | null;
    readonly rx: Uint8Array | null;
    /** The handshake hash, once complete. */
    readonly hash: Uint8Array | null;
    initialise(prologue: Uint8Array, remoteStatic?: Uint8Array): void;
    send(payload?: Uint8Array): Uint8Array;
    recv(message: Uint8Array): Uint8Array;
  }

  export = NoiseState;
}
