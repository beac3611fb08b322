import {
  type Cancel,
  CulvertError,
  isCulvertError,
  onAbort,
  throwIfAborted,
} from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import type { Contact, DhtRequestOptions } from "../../dht/index.ts";
import { isSameNode, type NodeId } from "../../identity/index.ts";
import type { Link, LinkHost } from "../../link/index.ts";

/** The protocol of the datagrams that carry messages of the DHT. */
const DHT_PROTOCOL = "dht";

/** The longest message in a datagram: a link takes 1,024 bytes. */
const MESSAGE_BYTES_MAX = 1_024 - 5;

/** Questions in datagrams that wait for an answer; more go over the stream. */
const QUESTIONS_MAX = 4_096;

const KIND = { question: 0, answer: 1, overStream: 2, busy: 3 } as const;

/** What the messages of the DHT are carried by, and who answers them. */
export interface DhtCarrier {
  readonly host: Pick<LinkHost, "find" | "onDatagram">;
  /** Makes a link to a node. */
  readonly link: (to: Contact) => Promise<Link>;
  /** Asks over a stream: of any length, and over a link that is made for it. */
  readonly call: (
    to: Contact,
    message: Uint8Array,
    options: { readonly signal: AbortSignal },
  ) => Promise<Uint8Array>;
  /** Answers a question; a failure sends the asker to the stream. */
  readonly serve: (message: Uint8Array, link: Link) => Uint8Array;
}

interface Question {
  readonly peer: NodeId;
  readonly answered: (message: Uint8Array | undefined) => void;
  readonly refused: (error: Error) => void;
}

/**
 * Messages of the DHT in datagrams of links, one for a question and one for its answer: nothing to
 * acknowledge, nothing to keep in order, nothing that a lost packet holds up. The DHT has timers of
 * its own and asks again. The last time, and when a message is too long, it goes over a stream,
 * which loses nothing and finds out that a path is dead.
 *
 * Where there is no link one is made, and carries datagrams too: a stream would keep it in use for
 * long after the one question that most nodes are ever asked.
 */
export class DhtOverLinks {
  readonly #carrier: DhtCarrier;
  readonly #questions = new Map<number, Question>();
  /** Questions for which a link is being made, by the signal that all attempts share. */
  readonly #dialling = new WeakMap<AbortSignal, Promise<Uint8Array>>();
  #lastNumber = 0;

  constructor(carrier: DhtCarrier) {
    this.#carrier = carrier;
    carrier.host.onDatagram(DHT_PROTOCOL, (bytes, link) => this.#heard(bytes, link));
  }

  /** Sends a question to a node, and resolves with its answer. */
  async ask(to: Contact, message: Uint8Array, options: DhtRequestOptions): Promise<Uint8Array> {
    const { signal, isLast } = options;
    const dialling = this.#dialling.get(signal);
    if (dialling !== undefined) return await dialling; // repeating it makes no link faster
    const isShort = message.length <= MESSAGE_BYTES_MAX && this.#questions.size < QUESTIONS_MAX;
    if (isLast || !isShort) return await this.#carrier.call(to, message, { signal });
    const link = this.#carrier.host.find(to.id);
    if (link !== undefined) return await this.#askOver(link, to, message, signal);
    options.dialling?.("dialling");
    const answer = this.#carrier
      .link(to)
      .finally(() => this.#dialling.delete(signal))
      .then((made) => {
        options.dialling?.("dialled");
        return this.#askOver(made, to, message, signal);
      });
    this.#dialling.set(signal, answer);
    return await answer;
  }

  async #askOver(
    link: Link,
    to: Contact,
    message: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    throwIfAborted(signal);
    const answer = await this.#askLink(link, message, signal);
    return answer ?? (await this.#carrier.call(to, message, { signal }));
  }

  /** The answer, or nothing when this is no matter for datagrams. */
  #askLink(link: Link, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
    this.#lastNumber = (this.#lastNumber + 1) % 2 ** 32;
    const number = this.#lastNumber;
    return new Promise((resolve, reject) => {
      const cancels: Cancel[] = [];
      const forget = (): void => {
        this.#questions.delete(number);
        for (const cancel of cancels) cancel();
      };
      const answered = (answer: Uint8Array | undefined): void => {
        forget();
        resolve(answer);
      };
      const refused = (error: Error): void => {
        forget();
        reject(error);
      };
      this.#questions.set(number, { peer: link.peer, answered, refused });
      // A node that has no link to spare says so once the link is there. Others are asked again.
      const closed = (error: CulvertError | undefined): void => {
        if (isCulvertError(error, "CULVERT_BUSY")) refused(error);
      };
      cancels.push(onAbort(signal, refused), link.onClose(closed));
      if (!send(link, KIND.question, number, message)) answered(undefined);
    });
  }

  #heard(bytes: Uint8Array, link: Link): void {
    try {
      const reader = new Reader(bytes);
      const kind = reader.u8("kind");
      const number = reader.u32("number");
      const message = reader.rest();
      if (kind === KIND.question) this.#serve(link, number, message);
      else this.#settle(link, { kind, number, message });
    } catch (error) {
      // Whoever sends what is no message hears nothing, as if it had been lost.
      if (!(error instanceof CulvertError)) throw error;
    }
  }

  #serve(link: Link, number: number, message: Uint8Array): void {
    const { kind, bytes } = this.#answer(message, link);
    send(link, kind, number, bytes);
  }

  #answer(message: Uint8Array, link: Link): { readonly kind: number; readonly bytes: Uint8Array } {
    try {
      const bytes = this.#carrier.serve(message, link);
      if (bytes.length <= MESSAGE_BYTES_MAX) return { kind: KIND.answer, bytes };
    } catch (error) {
      if (!isCulvertError(error)) throw error;
      // Not over the stream: that would cost more than what was too much.
      if (error.code === "CULVERT_BUSY") return { kind: KIND.busy, bytes: NOTHING };
    }
    // Over the stream it may be longer, and is told why.
    return { kind: KIND.overStream, bytes: NOTHING };
  }

  /** Only who was asked can answer. */
  #settle(link: Link, told: { kind: number; number: number; message: Uint8Array }): void {
    const question = this.#questions.get(told.number);
    if (question === undefined || !isSameNode(question.peer, link.peer)) return;
    if (told.kind === KIND.busy) {
      question.refused(new CulvertError("CULVERT_BUSY", undefined, { remote: true }));
    } else question.answered(told.kind === KIND.answer ? told.message : undefined);
  }
}

const NOTHING = new Uint8Array(0);

/** False when the link has no path now, or too much waits for it. */
function send(link: Link, kind: number, number: number, message: Uint8Array): boolean {
  const bytes = Writer.brief(5 + message.length)
    .u8(kind)
    .u32(number)
    .bytes(message)
    .finish();
  return link.isOpen && link.sendDatagram(DHT_PROTOCOL, bytes);
}
