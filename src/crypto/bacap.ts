import { CulvertError, utf8, wipe } from "../base/index.ts";
import { hkdf } from "./hkdf.ts";

/** Length of a chain state in bytes: index 8 ‖ K 32 ‖ E 32 ‖ H 32. */
export const CHAIN_STATE_BYTES = 104;

/** The two parties of a stream; each writes under a root of its own. */
export type StreamRole = "listener" | "dialer";

/**
 * One state of a BACAP chain: what a frame's id and key come from, and all later states, but no
 * earlier one. Immutable; `next` gives a new one, `wipe` ends this one.
 *
 * Source: Echomix paper, section 4 (arXiv 2501.02933). H moves the chain on, E makes frame keys, K
 * makes frame ids.
 */
export class Chain {
  readonly #index: bigint;
  /** H ‖ E ‖ K, in the order in which HKDF gives them. */
  readonly #material: Uint8Array;
  #wiped = false;

  private constructor(index: bigint, material: Uint8Array) {
    this.#index = index;
    this.#material = material;
  }

  /** The number of this state, from 0 to 2^64 - 1. */
  get index(): bigint {
    return this.#index;
  }

  /**
   * Reads a saved state; the bytes are copied.
   *
   * @throws CulvertError `CULVERT_BAD_CAPABILITY` when `bytes` is not 104 bytes long
   */
  static fromBytes(bytes: Uint8Array): Chain {
    if (bytes.length !== CHAIN_STATE_BYTES) {
      throw new CulvertError("CULVERT_BAD_CAPABILITY", "a chain state has 104 bytes", {
        detail: { field: "state", length: bytes.length },
      });
    }
    const material = new Uint8Array(96);
    material.set(bytes.subarray(72, 104), 0);
    material.set(bytes.subarray(40, 72), 32);
    material.set(bytes.subarray(8, 40), 64);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    return new Chain(view.getBigUint64(0, true), material);
  }

  /** Wraps fresh key material, H 32 ‖ E 32 ‖ K 32, which then belongs to the chain. */
  static fromMaterial(index: bigint, material: Uint8Array): Chain {
    if (material.length !== 96) throw new RangeError("chain material has 96 bytes");
    return new Chain(index, material);
  }

  /** The state as 104 secret bytes, owned by the caller. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(CHAIN_STATE_BYTES);
    new DataView(bytes.buffer).setBigUint64(0, this.index, true);
    bytes.set(this.#part(64), 8);
    bytes.set(this.#part(32), 40);
    bytes.set(this.#part(0), 72);
    return bytes;
  }

  /**
   * The state of the next index.
   *
   * @throws CulvertError `CULVERT_BAD_CAPABILITY` at index 2^64 - 1, where the chain ends
   */
  next(): Chain {
    if (this.index === INDEX_LAST) {
      throw new CulvertError("CULVERT_BAD_CAPABILITY", "the chain has no further index");
    }
    const material = hkdf({ ikm: this.#part(0), info: littleEndian64(this.index), length: 96 });
    return new Chain(this.index + 1n, material);
  }

  /** The frame id k: 32 secret bytes that blind a root into this frame's address. */
  frameId(context: Uint8Array): Uint8Array {
    return hkdf({ ikm: this.#part(64), salt: context, length: 32 });
  }

  /** The 32-byte key that seals this frame. */
  frameKey(context: Uint8Array): Uint8Array {
    return hkdf({ ikm: this.#part(32), salt: context, length: 32 });
  }

  /**
   * The first state of the ack chain that belongs to this one, with indexes from 0:
   * `HKDF-BLAKE2b-512(ikm = H_i, salt = "culvert/v1/ack", info = le64(i))` gives H ‖ E ‖ K.
   */
  ackChain(): Chain {
    const info = littleEndian64(this.index);
    return new Chain(0n, hkdf({ ikm: this.#part(0), salt: ACK_SALT, info, length: 96 }));
  }

  /** Overwrites the state; every later use of it is a programmer's mistake and throws. */
  wipe(): void {
    this.#wiped = true;
    wipe(this.#material);
  }

  #part(at: 0 | 32 | 64): Uint8Array {
    if (this.#wiped) throw new TypeError("this chain state has been wiped");
    return this.#material.subarray(at, at + 32);
  }
}

/** What one direction of a stream is built from. */
export interface Direction {
  /** Seed (32 bytes, secret) of the root under which this direction is written. */
  readonly seed: Uint8Array;
  /** First state of the data chain, at index 0. */
  readonly chain: Chain;
}

/**
 * Derives the direction that `role` writes from a stream's secret:
 * `HKDF-BLAKE2b-512(ikm = secret, salt = "culvert/v1", info = role)` gives 128 bytes,
 * seed ‖ H ‖ E ‖ K.
 */
export function deriveDirection(secret: Uint8Array, role: StreamRole): Direction {
  if (secret.length !== 32) throw new RangeError("a stream's secret has 32 bytes");
  const derived = hkdf({ ikm: secret, salt: DIRECTION_SALT, info: utf8(role), length: 128 });
  return { seed: derived.slice(0, 32), chain: Chain.fromMaterial(0n, derived.subarray(32)) };
}

const INDEX_LAST = 2n ** 64n - 1n;
const DIRECTION_SALT = utf8("culvert/v1");
const ACK_SALT = utf8("culvert/v1/ack");

/** Borrowed until the next call: an index is no secret, and each frame asks for one. */
function littleEndian64(value: bigint): Uint8Array {
  indexView.setBigUint64(0, value, true);
  return indexBytes;
}

const indexBytes = new Uint8Array(8);
const indexView = new DataView(indexBytes.buffer);
