import {
  type Cancel,
  CulvertError,
  isCulvertError,
  onAbort,
  type Random,
  toHex,
} from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { BackwardContent } from "../packet/backward.ts";
import { type Failure, failureError } from "../packet/failure.ts";
import { DELAY_MS_MAX } from "../packet/header.ts";
import { buildPacket, contentBytesMax, hopsOf } from "../packet/packet.ts";
import { makeSurb, useSurb } from "../packet/surb.ts";
import type { OnionPeer, Route, RouteProvider } from "../route/route.ts";
import type { TunnelService } from "../tunnel-service.ts";
import { Assembly } from "./assembly.ts";
import {
  type Content,
  encodeContent,
  MESSAGE_ID_BYTES,
  pieceBytesMax,
  readContent,
} from "./content.ts";
import { IncomingMessage, type ReplyWay, stateWay } from "./message.ts";
import { MessageWriter } from "./message-writer.ts";

/** How a message is answered. */
export type ReplyMode =
  /** Not at all: the hops keep nothing, and nobody hears of a failure. */
  | "none"
  /** Along reply blocks in the packets: the hops keep nothing. */
  | "surb"
  /** Along the same hops, which keep state for 30 s; failures are told, by hop. */
  | "state"
  /** Not at all, but failures are told as with `state`. */
  | "errors";

/** Options of a message. */
export interface MessageOptions {
  readonly reply: ReplyMode;
  /** Relays before the destination; those of the provider if absent. */
  readonly relays?: number;
  /** Tells the destination who is writing: an encoded descriptor. */
  readonly origin?: Uint8Array;
  /** How long hops hold packets, on average, to mix them; not at all if absent. */
  readonly mixMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** How long a reply is waited for; the states of hops live as long. */
const REPLY_MS = 30_000;

/** A reply that is waited for. */
interface Awaited {
  readonly assembly: Assembly<undefined>;
  settle(data: Uint8Array): void;
}

/** A message that is on its way. */
interface Sending {
  /** Those of its packets, and of its reply blocks. */
  readonly routes: Route[];
  /** Names of its reply blocks. */
  readonly surbs: Uint8Array[];
  /** Nobody waits for its reply any more. */
  isOver: boolean;
  /** All of it has left. */
  left(): void;
}

type Piece = Pick<Content, "message" | "index" | "isLast" | "data">;

/**
 * Messages through one-time packets, to and from a node. A message is written in pieces of any
 * size and leaves in packets as they fill; each takes a route of its own.
 */
export class MessageDesk {
  readonly #service: TunnelService;
  readonly #routes: RouteProvider;
  readonly #assembly = new Assembly<ReplyWay | undefined>();
  readonly #awaited = new Map<string, Awaited>();
  #onMessage: (message: IncomingMessage) => void = () => {};

  constructor(service: TunnelService, routes: RouteProvider) {
    this.#service = service;
    this.#routes = routes;
    service.setHandlers({
      deliver: (...delivered) => this.#deliver(...delivered),
      home: (_name, content) => this.#takeReply(content),
    });
  }

  /** Replies that are waited for. */
  get awaited(): number {
    return this.#awaited.size;
  }

  /** Called with every message for this node. Must not throw. */
  setMessageHandler(handler: (message: IncomingMessage) => void): void {
    this.#onMessage = handler;
  }

  /**
   * Begins a message to `destination`.
   *
   * @throws CulvertError `CULVERT_TOO_LARGE` when packets have no room for what comes along
   */
  open(destination: OnionPeer, options: MessageOptions): MessageWriter {
    const { parts, random } = this.#service;
    const hasSurb = options.reply === "surb";
    const size = pieceBytesMax(parts, { hasSurb, originBytes: options.origin?.length ?? 0 });
    if (size < 1) throw new CulvertError("CULVERT_TOO_LARGE", "a packet has no room for that");
    const message = random.bytes(MESSAGE_ID_BYTES);
    const sending: Sending = { routes: [], surbs: [], isOver: false, left: () => {} };
    const waiting =
      hasSurb || options.reply === "state"
        ? this.#awaitReply(message, sending, options.signal)
        : undefined;
    return new MessageWriter({
      size,
      send: (piece) => this.#send(destination, options, { message, ...piece }, sending),
      reply: waiting?.reply,
      abandon: waiting?.abandon ?? (() => {}),
    });
  }

  /** Sends a whole message, and waits for its reply if one is wanted. */
  async send(
    destination: OnionPeer,
    data: Uint8Array,
    options: MessageOptions,
  ): Promise<Uint8Array | undefined> {
    const writer = this.open(destination, options);
    writer.write(data);
    return writer.end();
  }

  async #send(
    destination: OnionPeer,
    options: MessageOptions,
    piece: Piece,
    sending: Sending,
  ): Promise<void> {
    const { parts, random, packets } = this.#service;
    const { reply, relays, signal, mixMs = 0 } = options;
    const route = await this.#routes.route({ destination, relays, signal });
    sending.routes.push(route);
    const surb = reply === "surb" ? await this.#surb(options, sending) : undefined;
    const keepsBackState = reply === "state" || reply === "errors";
    const hops = hopsOf(route.hops, {
      last: "deliver",
      name: random.bytes(32),
      keepsBackState,
      delayMs: () => (mixMs > 0 ? mixDelayMs(random, mixMs) : 0),
    });
    const { origin } = options;
    const content = encodeContent({ ...piece, surb, origin });
    const built = buildPacket(parts, { epoch: route.epoch, hops, content, random });
    const [first] = route.hops;
    if (built === undefined || first === undefined) {
      throw new CulvertError("CULVERT_UNREACHABLE", "a hop of the route has no usable key");
    }
    if (piece.isLast) sending.left();
    if (!keepsBackState) {
      packets.send(first.id, built.unit);
      return;
    }
    const layers = built.keys.map(({ backward }) => backward);
    const outcome = await unlessAborted(packets.ask(first.id, built.unit, layers), signal);
    if (outcome.kind === "reply") {
      this.#takeReply(outcome.content);
      return;
    }
    const isSilence = outcome.failure.hop === undefined && outcome.failure.reason === "timeout";
    if (reply === "errors" && isSilence) return;
    this.#fail(route, outcome.failure);
  }

  #fail(route: Route, failure: Failure): never {
    this.#routes.failed(route, failure);
    throw failureError(failure);
  }

  /** A reply block along a route of its own that ends here. */
  async #surb(options: MessageOptions, sending: Sending): Promise<Uint8Array> {
    const { parts, random, packets } = this.#service;
    const destination = this.#selfAsPeer();
    const { relays, signal } = options;
    const route = await this.#routes.route({ destination, relays, isHomeward: true, signal });
    if (sending.isOver) throw new CulvertError("CULVERT_CLOSED", "the message was given up");
    sending.routes.push(route);
    const surb = makeSurb(parts, { epoch: route.epoch, route: route.hops, random });
    if (surb === undefined)
      throw new CulvertError("CULVERT_UNREACHABLE", "this node has no usable key");
    if (!packets.awaitHome(surb.name, surb.opener)) {
      throw new CulvertError("CULVERT_BUSY", "too many reply blocks are out");
    }
    sending.surbs.push(surb.name);
    return surb.bytes;
  }

  #selfAsPeer(): OnionPeer {
    const { self } = this.#service;
    const onionKeys = this.#service.replyKeys();
    return { id: self, onionKeys, prefixes: [], isRelay: false, isExit: false };
  }

  #awaitReply(message: Uint8Array, sending: Sending, signal: AbortSignal | undefined) {
    const { clock, packets } = this.#service;
    const name = toHex(message);
    let cancelLate: Cancel = () => {};
    let forget: Cancel = () => {};
    let abandon = (_error: Error): void => {};
    const reply = new Promise<Uint8Array>((resolve, reject) => {
      const leave = (): void => {
        sending.isOver = true;
        cancelLate();
        forget();
        this.#awaited.delete(name);
        for (const surb of sending.surbs) packets.forgetHome(surb);
      };
      const settle = (data: Uint8Array): void => {
        leave();
        resolve(data);
      };
      abandon = (error) => {
        leave();
        reject(error);
      };
      const silence = (): void => {
        const failure: Failure = { reason: "timeout" };
        for (const route of sending.routes) this.#routes.failed(route, failure);
        abandon(failureError(failure));
      };
      // Later than the hops' own time, so that what they tell comes first.
      const within = (late: () => void): void => {
        cancelLate();
        const at = clock.now() + REPLY_MS + 1_000;
        cancelLate = clock.schedule(at, late, { background: true });
      };
      this.#awaited.set(name, { assembly: new Assembly(), settle });
      // Who takes so long to write it has lost its first pieces there: no route is to blame.
      within(() => abandon(new CulvertError("CULVERT_TIMEOUT", "the message was never whole")));
      sending.left = () => {
        if (!sending.isOver) within(silence);
      };
      forget = onAbort(signal, abandon);
    });
    // A writer that is never ended leaves a promise that nobody looks at.
    reply.catch(() => {});
    return { reply, abandon };
  }

  #deliver(
    bytes: Uint8Array,
    answer: ((answer: BackwardContent) => void) | undefined,
    source: string,
    from: NodeId,
  ): void {
    const content = this.#read(bytes);
    if (content === undefined) {
      answer?.({ kind: "failure", reason: "protocol", detail: 0 });
      return;
    }
    const way = this.#wayOf(content, answer, from);
    const whole = this.#assembly.add(content, { way, source }, this.#service.clock.now());
    if (whole !== undefined) this.#onMessage(new IncomingMessage(this.#service.parts, whole));
  }

  #wayOf(
    { surb }: Content,
    answer: ((answer: BackwardContent) => void) | undefined,
    from: NodeId,
  ): ReplyWay | undefined {
    const { parts, packets } = this.#service;
    if (answer !== undefined) return stateWay(parts, answer);
    if (surb === undefined) return undefined;
    return {
      room: contentBytesMax(parts.geometry),
      isKept: false,
      send: (content) => {
        const { first, unit } = useSurb(parts, surb, content);
        packets.send(first, unit, from);
      },
    };
  }

  #takeReply(bytes: Uint8Array): void {
    const content = this.#read(bytes);
    const awaited = content && this.#awaited.get(toHex(content.message));
    if (content === undefined || awaited === undefined) return;
    const arrival = { way: undefined, source: "" };
    const whole = awaited.assembly.add(content, arrival, this.#service.clock.now());
    if (whole !== undefined) awaited.settle(whole.data);
  }

  #read(bytes: Uint8Array): Content | undefined {
    try {
      return readContent(this.#service.parts, bytes);
    } catch (error) {
      if (isCulvertError(error, "CULVERT_PROTOCOL")) return undefined;
      throw error;
    }
  }
}

/** The packet is out, and what comes back of it is not waited for any more. */
function unlessAborted<T>(asked: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, reject);
    asked.then(resolve, reject).finally(forget);
  });
}

/** How long one hop holds a packet: random, so that times tell little of which went where. */
function mixDelayMs(random: Random, meanMs: number): number {
  return Math.min(Math.round(-Math.log(1 - random.unit()) * meanMs), DELAY_MS_MAX);
}
