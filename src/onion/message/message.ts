import { CulvertError } from "../../base/index.ts";
import type { BackwardContent } from "../packet/backward.ts";
import { backwardBytesMax } from "../packet/backward.ts";
import type { OnionParts } from "../packet/packet.ts";
import type { WholeMessage } from "./assembly.ts";
import { encodeContent, MESSAGE_ID_BYTES, pieceBytesMax } from "./content.ts";

/** How one piece of a message can be answered: once. */
export interface ReplyWay {
  /** Bytes of content that the answer has room for. */
  readonly room: number;
  /** Hops keep state until it is used: it is, even when there is nothing to say. */
  readonly isKept: boolean;
  send(content: Uint8Array): void;
}

/** The way back along hops that keep state. */
export function stateWay(
  { geometry }: OnionParts,
  answer: (answer: BackwardContent) => void,
): ReplyWay {
  const room = backwardBytesMax(geometry);
  return { room, isKept: true, send: (content) => answer({ kind: "reply", content }) };
}

/** A message that has come to this node through onion packets. */
export class IncomingMessage {
  readonly data: Uint8Array;
  /** The descriptor of its origin, unchecked, if that wants to be known. */
  readonly origin: Uint8Array | undefined;
  readonly #parts: OnionParts;
  readonly #id: Uint8Array;
  #ways: readonly ReplyWay[];
  #offset = 0;

  constructor(parts: OnionParts, whole: WholeMessage<ReplyWay | undefined>) {
    this.#parts = parts;
    this.data = whole.data;
    const first = whole.pieces[0]?.content;
    this.origin = first?.origin;
    this.#id = first?.message ?? new Uint8Array(MESSAGE_ID_BYTES);
    this.#ways = whole.pieces.flatMap(({ way }) => way ?? []);
  }

  /** Whether it can still be answered: once, whatever came with it. */
  get isAnswerable(): boolean {
    return this.#ways.length > 0;
  }

  /** The next bytes, at most so many; none at the end. A view. */
  read(bytesMax: number): Uint8Array {
    const piece = this.data.subarray(this.#offset, this.#offset + bytesMax);
    this.#offset += piece.length;
    return piece;
  }

  /**
   * Answers, once. Each piece of the message has brought the way for one piece of the reply.
   *
   * @param data borrowed
   * @throws CulvertError `CULVERT_TOO_LARGE` when the ways back have no room for it, or are used
   */
  reply(data: Uint8Array): void {
    const ways = this.#ways;
    const sizes = ways.map(({ room }) => pieceBytesMax(this.#parts, { room }));
    if (ways.length === 0 || data.length > sizes.reduce((sum, size) => sum + size, 0)) {
      throw new CulvertError("CULVERT_TOO_LARGE", "a reply has to fit the ways that came for it");
    }
    this.#ways = [];
    let at = 0;
    for (const [index, way] of ways.entries()) {
      const size = sizes[index] ?? 0;
      const isNeeded = index === 0 || at < data.length;
      if (!isNeeded && !way.isKept) break;
      const piece = data.subarray(at, at + size);
      const isLast = isNeeded && at + size >= data.length;
      way.send(encodeContent({ message: this.#id, index, isLast, data: piece }));
      at += size;
    }
  }
}
