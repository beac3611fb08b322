import { Canceller, type Clock, Counts, CulvertError } from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";
import { systemClock } from "../../io/clock.ts";
import type { Link, LinkHost, LinkStream } from "../../link/index.ts";
import {
  type ChannelEvents,
  type OnionChannel,
  type OnionLinks,
  UnitCutter,
} from "../../onion/index.ts";
import { sourceOf } from "../links/link-source.ts";

/** Protocols of the streams that carry one-time packets, and one circuit each. */
const PACKET_PROTOCOL = "onion";
const CIRCUIT_PROTOCOL = "circuit";

/** One-time packets that wait for one neighbour; more are dropped, as packets may be. */
const PACKETS_QUEUED_MAX = 64;

/**
 * How long what was sent on a circuit that has ended may take to leave, and the neighbour to end
 * its side. Then the stream is reset, or whoever reads nothing keeps all that waits for him, and
 * one place after the other of the streams of the link.
 */
const LEAVE_MS = 60_000;

/** Sizes of what travels, bytes; the same in the whole network. */
export interface OnionSizes {
  readonly packetBytes: number;
  readonly cellBytes: number;
}

/** Who takes what neighbours send: the tunnel service of this node. */
export interface OnionReceiver {
  receive(from: NodeId, unit: Uint8Array, source: string): void;
  accept(from: NodeId, channel: OnionChannel, source: string): ChannelEvents;
}

/** Onions over links: one stream for the one-time packets of a link, one for each circuit. */
export class OnionOverLinks implements OnionLinks {
  readonly #host: LinkHost;
  readonly #linkTo: (id: NodeId, from?: NodeId) => Promise<Link>;
  readonly #sizes: OnionSizes;
  readonly #clock: Clock;
  readonly #packetStreams = new Map<Link, Promise<LinkStream>>();
  /** How many packets wait for the stream to a neighbour, by its id. */
  readonly #waiting = new Counts();
  /** Streams of both protocols, whoever opened them. */
  readonly #streams = new Set<LinkStream>();

  constructor(
    host: LinkHost,
    linkTo: (id: NodeId, from?: NodeId) => Promise<Link>,
    options: OnionSizes & { readonly clock?: Clock },
  ) {
    this.#host = host;
    this.#linkTo = linkTo;
    this.#sizes = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Hands over what neighbours send from now on. Called once. */
  serve(receiver: OnionReceiver): void {
    const { packetBytes, cellBytes } = this.#sizes;
    this.#host.handle(PACKET_PROTOCOL, (stream, link) => {
      const packets = new UnitCutter({ firstBytes: packetBytes, cellBytes: packetBytes });
      this.#follow(stream, packets, {
        unit: (unit) => receiver.receive(link.peer, unit, sourceOf(link).source),
        closed: () => {},
      });
    });
    this.#host.handle(CIRCUIT_PROTOCOL, (stream, link) => {
      const channel = new StreamChannel(this.#clock);
      const events = receiver.accept(link.peer, channel, sourceOf(link).source);
      // The opener's first unit is a packet, and the answer to it is a cell like all others.
      const units = new UnitCutter({ firstBytes: packetBytes, cellBytes });
      channel.use(stream, events);
      this.#follow(stream, units, channel.whileOpen(events));
    });
  }

  async send(to: NodeId, unit: Uint8Array, from?: NodeId): Promise<void> {
    const stream = await this.#streamTo(to, from);
    if (stream.writableLength > PACKETS_QUEUED_MAX * unit.length) throw tooMany();
    stream.write(unit);
  }

  open(to: NodeId, events: ChannelEvents, from?: NodeId): OnionChannel {
    const { cellBytes } = this.#sizes;
    const channel = new StreamChannel(this.#clock);
    const { signal } = channel.opening;
    this.#linkTo(to, from)
      .then((link) => link.openStream(CIRCUIT_PROTOCOL, { signal }))
      .then(
        (stream) => {
          // Who has given up meanwhile wants nothing built.
          if (channel.isClosed) {
            stream.on("error", () => {}).destroy();
            return;
          }
          const units = new UnitCutter({ firstBytes: cellBytes, cellBytes });
          this.#follow(stream, units, channel.whileOpen(events));
          channel.use(stream, events);
        },
        () => channel.fail(events),
      );
    return channel;
  }

  /** Ends every channel, and the streams of packets. */
  close(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  /** Tells what comes on a stream, unit by unit, and when it is over. */
  #follow(
    stream: LinkStream,
    units: UnitCutter,
    events: Pick<ChannelEvents, "unit" | "closed">,
  ): void {
    this.#streams.add(stream);
    stream.on("error", () => {});
    stream.on("data", (chunk: Uint8Array) => {
      for (const unit of units.push(chunk)) events.unit(unit);
    });
    // Half a channel is of no use to anybody.
    stream.once("end", () => stream.end());
    stream.once("close", () => {
      this.#streams.delete(stream);
      events.closed();
    });
  }

  /** A neighbour may take no stream, or be long in coming: few packets wait for that. */
  async #streamTo(to: NodeId, from: NodeId | undefined): Promise<LinkStream> {
    const key = nodeIdText(to);
    if (this.#waiting.of(key) >= PACKETS_QUEUED_MAX) throw tooMany();
    this.#waiting.add(key);
    try {
      return await this.#packetStream(await this.#linkTo(to, from));
    } catch (cause) {
      // A neighbour that is busy has no room either, but that is not said of this node.
      throw new CulvertError("CULVERT_UNREACHABLE", undefined, { cause });
    } finally {
      this.#waiting.remove(key);
    }
  }

  #packetStream(link: Link): Promise<LinkStream> {
    const known = this.#packetStreams.get(link);
    if (known !== undefined) return known;
    const opening = link.openStream(PACKET_PROTOCOL).then((stream) => {
      stream.on("error", () => {});
      this.#streams.add(stream);
      stream.once("close", () => {
        this.#streams.delete(stream);
        this.#packetStreams.delete(link);
      });
      stream.resume();
      return stream;
    });
    opening.catch(() => this.#packetStreams.delete(link));
    this.#packetStreams.set(link, opening);
    return opening;
  }
}

function tooMany(): CulvertError {
  return new CulvertError("CULVERT_BUSY", "too many packets wait for this neighbour");
}

/** The sending side of a channel; what is sent before there is a stream waits for it. */
class StreamChannel implements OnionChannel {
  /** Aborted when nobody wants its stream any more. */
  readonly opening: Canceller = new Canceller();
  readonly #clock: Clock;
  #stream: LinkStream | undefined;
  #events: ChannelEvents | undefined;
  #early: Uint8Array[] = [];
  /** What this turn of the event loop has brought. */
  #turn: Uint8Array[] = [];
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What its owner is told: nothing after its own `close`, though more has come by then. */
  whileOpen(events: ChannelEvents): Pick<ChannelEvents, "unit" | "closed"> {
    return {
      unit: (unit) => {
        if (!this.#isClosed) events.unit(unit);
      },
      closed: () => {
        if (!this.#isClosed) events.closed();
      },
    };
  }

  /** Sends over `stream` from now on. */
  use(stream: LinkStream, events: ChannelEvents): void {
    this.#stream = stream;
    this.#events = events;
    const early = this.#early;
    this.#early = [];
    for (const unit of early) this.#write(stream, unit);
    // It was refused when it came.
    if (this.#isClosed) this.#leave(stream);
  }

  /** There will be no stream. */
  fail(events: ChannelEvents): void {
    this.#early = [];
    if (!this.#isClosed) events.closed();
    this.#isClosed = true;
  }

  send(unit: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#stream === undefined) this.#early.push(unit);
    else this.#write(this.#stream, unit);
  }

  close(isAtOnce = false): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.opening.abort();
    if (isAtOnce) this.#stream?.destroy();
    else if (this.#stream !== undefined) this.#leave(this.#stream);
  }

  #leave(stream: LinkStream): void {
    this.#flush(stream);
    stream.end();
    const at = this.#clock.now() + LEAVE_MS;
    const cancel = this.#clock.schedule(at, () => stream.destroy(), { background: true });
    stream.once("close", cancel);
  }

  /** What one turn of the event loop brings leaves together: a link seals and sends it as one. */
  #write(stream: LinkStream, unit: Uint8Array): void {
    this.#turn.push(unit);
    if (this.#turn.length === 1) queueMicrotask(() => this.#flush(stream));
  }

  #flush(stream: LinkStream): void {
    const units = this.#turn;
    const last = units.pop();
    if (last === undefined) return;
    this.#turn = [];
    stream.cork();
    for (const unit of units) stream.write(unit);
    stream.write(last, (error) => {
      if (!error) this.#events?.sent(units.length + 1);
    });
    stream.uncork();
  }
}
