import type { SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import type { Link, LinkStream } from "../../src/link/index.ts";
import { NO_REFERENCE, readOffer, signOffer } from "../../src/link/punch/offer.ts";
import { encodeAsk, encodeTold } from "../../src/link/punch/probe.ts";
import { decodeSignal, encodeSignal, SIGNAL_PROTOCOL } from "../../src/link/punch/signal.ts";
import {
  CALL_PROTOCOL,
  encodeFrame,
  RELAY_PROTOCOL,
  type RelayFrame,
} from "../../src/link/relay/frames.ts";
import { StreamPath } from "../../src/link/relay/stream-path.ts";
import { Voucher } from "../../src/link/relay/voucher.ts";
import type { VirtualClock, VirtualHost } from "../../src/testing/index.ts";
import { changed } from "./fuzz.ts";
import type { Life, ReachChurnNode } from "./reach-churn-node.ts";

const KEPT_MAX = 64;
/** At which a rude node has others send to its victim. */
export const VICTIM_PORTS: readonly number[] = [1, 53, 123, 1_900, 7_000, 65_535];
const PORT = 7_000;

/** What a rude node knows of the others. */
export interface RudeSurroundings {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  /** Whom it would have others send to. */
  readonly victim: VirtualHost;
  readonly nodes: readonly ReachChurnNode[];
}

/** A node that is a peer, a rendezvous and a relay to the others, and does harm as each of them. */
export class RudeNode {
  readonly node: ReachChurnNode;
  readonly #around: RudeSurroundings;
  /** Bodies of signals that came here, to be said again, changed or to somebody else. */
  readonly #heard: Uint8Array[] = [];
  /** Datagrams whose source it has made up. */
  spoofed = 0;

  constructor(node: ReachChurnNode, around: RudeSurroundings) {
    this.node = node;
    this.#around = around;
  }

  async start(): Promise<void> {
    const { host } = await this.node.start();
    host.onDatagram(SIGNAL_PROTOCOL, (bytes, link) => this.#overhear(bytes, link));
    host.handle(RELAY_PROTOCOL, (stream, link) => this.#beRelay(stream, link));
    host.onLink((link) => {
      link.onPath(() => this.#leavePath(link));
    });
  }

  /** Something that no honest node does. */
  act(): void {
    const { random } = this.#around;
    const life = this.node.life;
    const link = this.#one(life?.host.links().filter(({ isOpen }) => isOpen) ?? []);
    if (life === undefined || link === undefined) return;
    switch (random.below(6)) {
      case 0:
        this.#sendSignal(link, this.#offer(this.#someId(), link.peer));
        break;
      case 1:
        this.#sendSignal(link, changed(random, this.#one(this.#heard) ?? random.bytes(300)));
        break;
      case 2:
        this.#spoof();
        break;
      case 3:
        this.#openTo(link, RELAY_PROTOCOL);
        break;
      case 4:
        this.#openTo(link, CALL_PROTOCOL);
        break;
      default:
        void link.close({ graceful: random.below(2) === 0 });
    }
  }

  #one<T>(values: readonly T[]): T | undefined {
    return values[this.#around.random.below(values.length)];
  }

  #someId(): Uint8Array {
    return this.#one(this.#around.nodes)?.id ?? this.node.id;
  }

  /** As a peer for somebody else, as a rendezvous, or as one that has passed nothing on. */
  #sendSignal(link: Link, body: Uint8Array): void {
    const node = this.#someId();
    const message = this.#one([
      { kind: "to", node, body } as const,
      { kind: "from", node: this.node.id, body } as const,
      { kind: "from", node, body } as const,
      { kind: "failed", node, reason: "busy" } as const,
    ]);
    if (message !== undefined) link.sendDatagram(SIGNAL_PROTOCOL, encodeSignal(message));
  }

  #offer(to: Uint8Array, via: Uint8Array): Uint8Array {
    const { random, clock, victim } = this.#around;
    const [host = ""] = victim.addresses;
    const isDirect = random.below(2) === 0;
    const inside = [1, 2, 3].map((inner) => `192.168.${inner}.1`);
    const named = [host, ...inside, "127.0.0.1", "255.255.255.255"];
    return signOffer(this.node.identity, {
      ...{ kind: "offer", to: isDirect ? via : to, via: isDirect ? this.node.id : via },
      ...{ nonce: random.bytes(16), reference: NO_REFERENCE, mapping: "unknown" },
      expiresAtUnixMs: clock.unixMs() + 30_000,
      ephemeralKey: new NodeIdentity(random.bytes(32)).publicKey,
      addresses: named.map((one) => ({ host: one, port: this.#one(VICTIM_PORTS) ?? 1 })),
    });
  }

  #spoof(): void {
    const { random, victim, nodes } = this.#around;
    const to = this.#one(nodes)?.init.vhost.addresses[0] ?? "";
    const [host = ""] = victim.addresses;
    const from = { host, port: this.#one(VICTIM_PORTS) ?? 1 };
    const nonce = random.bytes(16);
    const isAsk = random.below(2) === 0;
    const bytes = isAsk ? encodeAsk(nonce) : encodeTold(nonce, from);
    this.spoofed += 1;
    this.node.init.vhost.spoof(Uint8Array.of(16, ...bytes), { from, to: { host: to, port: PORT } });
  }

  /** A stream to a relay, or of one, on which anything may be said. */
  #openTo(link: Link, protocol: string): void {
    const { random, clock } = this.#around;
    link.openStream(protocol).then(
      (stream) => {
        stream.on("error", () => {});
        stream.resume();
        const frames: readonly RelayFrame[] = [
          { kind: "reserve" },
          { kind: "connect", target: this.#someId() },
          { kind: "call", caller: this.#someId() },
          { kind: "connected" },
          { kind: "usage", usedBytes: random.below(2 ** 40) },
          { kind: "refused", reason: "busy" },
        ];
        for (let left = random.below(4); left >= 0; left--) {
          const bytes = encodeFrame(this.#one(frames) ?? { kind: "reserve" });
          stream.write(random.below(4) === 0 ? changed(random, bytes) : bytes);
        }
        if (random.below(2) === 0) stream.write(random.bytes(random.below(2_000)));
        const ms = random.below(20_000);
        clock.schedule(clock.now() + ms, () => {
          if (random.below(2) === 0) stream.end();
          else stream.destroy();
        });
      },
      () => {},
    );
  }

  #overhear(bytes: Uint8Array, link: Link): void {
    const { random } = this.#around;
    const message = decodeSignal(bytes);
    if (message.kind === "failed") return;
    this.#heard.push(message.body.slice());
    if (this.#heard.length > KEPT_MAX) this.#heard.shift();
    if (message.kind !== "to") return;
    // As a rendezvous: it passes on, or says that it did not, or gives it to somebody else.
    const life = this.node.life;
    const offer = readOffer(message.body);
    const to = random.below(4) === 0 ? this.#someId() : offer.to;
    const body = random.below(4) === 0 ? changed(random, message.body) : message.body;
    if (random.below(4) === 0) {
      const failed = { kind: "failed", node: message.node, reason: "not-linked" } as const;
      link.sendDatagram(SIGNAL_PROTOCOL, encodeSignal(failed));
    } else {
      const from = encodeSignal({ kind: "from", node: link.peer, body });
      life?.host.find(to)?.sendDatagram(SIGNAL_PROTOCOL, from);
    }
  }

  #beRelay(stream: LinkStream, link: Link): void {
    const { random, clock } = this.#around;
    stream.on("error", () => {});
    stream.once("data", (bytes: Uint8Array) => {
      const life = this.node.life;
      if (life === undefined || bytes.length < 3) stream.destroy();
      else if (bytes[0] === 0) {
        const issuedAtUnixS = Math.floor(clock.unixMs() / 1_000);
        const lie = this.#one(["holder", "relay", undefined, undefined]);
        const claims = {
          ...{ holder: lie === "holder" ? this.#someId() : link.peer, issuedAtUnixS },
          ...{ expiresAtUnixS: issuedAtUnixS + 3_600, quotaBytes: 1e9, bytesPerSecond: 1e6 },
        };
        const { identity } = this.node;
        const by = lie === "relay" ? new NodeIdentity(random.bytes(32)) : identity;
        const voucher = Voucher.sign(by, claims).toBytes();
        stream.write(encodeFrame({ kind: "reserved", voucher }));
        stream.resume();
        if (random.below(2) === 0) clock.schedule(clock.now() + 5_000, () => stream.destroy());
      } else this.#join(life, stream, { link, target: bytes.slice(3) });
    });
  }

  /** A circuit: whole, cut after a while, to somebody else, or with bytes of its own. */
  #join(life: Life, calling: LinkStream, to: { link: Link; target: Uint8Array }): void {
    const { random, clock } = this.#around;
    const target = random.below(4) === 0 ? this.#someId() : to.target;
    const caller = random.below(4) === 0 ? this.#someId() : to.link.peer;
    const opened = life.host.find(target)?.openStream(CALL_PROTOCOL);
    if (opened === undefined) {
      calling.end(encodeFrame({ kind: "refused", reason: "busy" }));
      return;
    }
    opened.then(
      (called) => {
        called.on("error", () => {});
        called.on("close", () => calling.destroy());
        calling.on("close", () => called.destroy());
        called.write(encodeFrame({ kind: "call", caller }));
        called.once("data", () => {
          calling.write(encodeFrame({ kind: "connected" }));
          if (random.below(4) === 0) calling.write(random.bytes(100));
          calling.pipe(called).pipe(calling);
          const ms = random.below(2) === 0 ? random.below(500) : random.below(30_000);
          clock.schedule(clock.now() + ms, () => called.destroy());
        });
      },
      () => calling.destroy(),
    );
  }

  /** Moves a link of its own to a relay again, as soon as it is elsewhere. */
  #leavePath(link: Link): void {
    const { random } = this.#around;
    const { life } = this.node;
    if (life === undefined || random.below(2) === 0) return;
    const relay = life.host.links().find(({ isOpen, peer }) => isOpen && peer !== link.peer);
    relay?.openStream(RELAY_PROTOCOL).then(
      (stream) => {
        stream.on("error", () => {});
        stream.write(encodeFrame({ kind: "connect", target: link.peer }));
        stream.once("readable", () => {
          if (stream.read(3) === null) {
            stream.destroy();
            return;
          }
          const path = { connection: new StreamPath(stream), isRelayed: true, via: relay.peer };
          life.host.upgrade(link, path).catch(() => {});
        });
      },
      () => {},
    );
  }
}
