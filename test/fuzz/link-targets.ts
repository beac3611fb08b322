import { concatBytes, equalBytes, SeededRandom } from "../../src/base/index.ts";
import { Reader } from "../../src/codec/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { UdpDialCore } from "../../src/link/carrier/udp-dial-core.ts";
import { CookieJar, encodeOpening, readOpening } from "../../src/link/carrier/udp-opening.ts";
import {
  ChannelCore,
  type ChannelEffect,
  type ChannelInput,
} from "../../src/link/channel/channel-core.ts";
import { Handshake, type HandshakeOptions } from "../../src/link/channel/handshake.ts";
import { dhKeysOf } from "../../src/link/channel/noise.ts";
import { type ControlRecord, encodeControl, readControl } from "../../src/link/mux/link-records.ts";
import {
  encodeControlFrame,
  encodeDataHead,
  type MuxFrame,
  readFrame,
} from "../../src/link/mux/mux-frames.ts";
import { effectsOf } from "../effects-of.ts";
import { type FuzzTarget, refusedOr, roundTrip } from "./fuzz.ts";
import { ADDRESSES } from "./identity-targets.ts";
import { LinkLife, MuxLife } from "./link-lives.ts";

const random = new SeededRandom(32);
const [A, B] = [1, 2].map(() => new NodeIdentity(random.bytes(32))) as [NodeIdentity, NodeIdentity];
const BROKEN = ["CULVERT_PROTOCOL", "CULVERT_WRONG_PEER"] as const;

const FROM = { host: "192.0.2.1", port: 7000 };
const HELLO = { streamId: 7, nonce: random.bytes(8) };
const JAR = new CookieJar(random.bytes(32));
const COOKIE = JAR.bake(HELLO, FROM, 0);
const OPENINGS = [
  encodeOpening({ kind: "hello", ...HELLO }),
  encodeOpening({ kind: "retry", nonce: HELLO.nonce, cookie: COOKIE }),
  encodeOpening({ kind: "confirm", ...HELLO, cookie: COOKIE }),
];

/** A datagram of an opening, for the one who dials and the one who listens. */
function runOpening(bytes: Uint8Array): void {
  const opening = refusedOr(["CULVERT_PROTOCOL"], () => readOpening(bytes));
  if (opening === undefined) return;
  // Behind a hello there is padding, whatever it is made of.
  const length = opening.kind === "hello" ? 14 : bytes.length;
  const again = encodeOpening(opening);
  const isSame = again.length === bytes.length && equalBytes(head(again), head(bytes));
  if (!isSame) throw new Error("taken, but not written so");
  if (opening.kind === "confirm") {
    const isOurs = equalBytes(bytes, OPENINGS[2] ?? bytes.subarray(1));
    if (JAR.isGood(opening.cookie, opening, FROM, 0) !== isOurs) throw new Error("a false cookie");
  } else if (opening.kind === "retry") {
    const dial = new UdpDialCore(HELLO);
    dial.handle({ kind: "retry", nonce: opening.nonce, cookie: opening.cookie }, 0);
    const isAnswer = equalBytes(opening.nonce, HELLO.nonce);
    if ((dial.poll() !== undefined) !== isAnswer) throw new Error("a retry that nobody asked for");
  }

  function head(all: Uint8Array): Uint8Array {
    return all.subarray(0, length);
  }
}

/** The same handshake at each call: so that what was written for one holds for the next. */
function handshakeOf(isInitiator: boolean, options: Partial<HandshakeOptions> = {}) {
  const who = isInitiator ? A : B;
  return {
    identity: { publicKey: who.publicKey, keys: dhKeysOf(who.exposeSeed()) },
    isInitiator,
    network: "test",
    random: new SeededRandom(isInitiator ? 33 : 34),
    ...options,
  };
}

const KNOWN = { expectedId: B.id, peerKey: B.publicKey };
const FIRST = [{}, KNOWN].map((known) => new Handshake(handshakeOf(true, known)).begin());
const SECOND = FIRST.map((first) => {
  return new Handshake(handshakeOf(false)).receive(first) ?? new Uint8Array(1);
});

/** The first message that a stranger sends, and the second one that a node of any kind may. */
function runHandshake(bytes: Uint8Array, dice: SeededRandom): void {
  const listens = dice.below(2) === 0;
  const isKnown = dice.below(2) === 0;
  const handshake = new Handshake(handshakeOf(!listens, isKnown && !listens ? KNOWN : {}));
  if (!listens) handshake.begin();
  refusedOr(BROKEN, () => handshake.receive(bytes.slice()));
  if (handshake.result === undefined) return;
  const peer = listens ? A : B;
  if (!equalBytes(handshake.result.peerKey, peer.publicKey)) throw new Error("a false peer");
}

function give(channel: ChannelCore, input: ChannelInput): ChannelEffect[] {
  channel.handle(input, 0);
  return [...effectsOf(channel)];
}

const MESSAGES = [1, 30, 500].map((length) => random.bytes(length));

/** All that the initiator of a channel writes in one conversation, and its datagrams. */
function conversation(known: Partial<HandshakeOptions>): { said: Uint8Array; loose: Uint8Array[] } {
  const [a, b] = [
    new ChannelCore(handshakeOf(true, known)),
    new ChannelCore(handshakeOf(false)),
  ] as const;
  const said: Uint8Array[] = [];
  const tell = (effects: ChannelEffect[]): void => {
    for (const effect of effects) {
      if (effect.kind !== "write") continue;
      said.push(effect.bytes);
      for (const answer of give(b, { kind: "bytes", bytes: effect.bytes.slice() })) {
        if (answer.kind === "write") tell(give(a, { kind: "bytes", bytes: answer.bytes }));
      }
    }
  };
  tell(give(a, { kind: "begin" }));
  for (const message of MESSAGES) said.push(a.seal(message) ?? message);
  const loose = MESSAGES.flatMap((payload) => {
    return give(a, { kind: "send-datagram", payload }).flatMap((effect) => {
      return effect.kind === "write-datagram" ? [effect.bytes] : [];
    });
  });
  return { said: concatBytes(...said), loose };
}

const CONVERSATIONS = [{}, KNOWN].map(conversation);

/** A listener that gets a changed conversation, in pieces, and datagrams at any time. */
function runChannel(bytes: Uint8Array, dice: SeededRandom): void {
  const channel = new ChannelCore(handshakeOf(false));
  let taken = 0;
  let isOver = false;
  const take = (effects: ChannelEffect[]): void => {
    if (isOver && effects.length > 0) throw new Error("something after the end");
    for (const effect of effects) {
      if (effect.kind === "fail") isOver = true;
      if (effect.kind === "ready" && !equalBytes(effect.peerKey, A.publicKey)) {
        throw new Error("a false peer");
      }
      if (effect.kind !== "message") continue;
      const sent = MESSAGES[taken++];
      if (sent === undefined || !equalBytes(sent, effect.payload)) throw new Error("not as sent");
    }
  };
  const loose = (CONVERSATIONS[0]?.loose ?? [])[dice.below(6)] ?? bytes.subarray(0, 60);
  let at = 0;
  for (let piece = 0; at < bytes.length; piece++) {
    const end = piece > 8 ? bytes.length : at + 1 + dice.below(bytes.length - at);
    take(give(channel, { kind: "datagram", bytes: loose.slice() }));
    const chunk = bytes.slice(at, end);
    if (!channel.absorb(chunk)) take(give(channel, { kind: "bytes", bytes: chunk }));
    at = end;
  }
}

const CONTROLS: readonly ControlRecord[] = [
  ...[undefined, ...ADDRESSES].map((observed) => {
    return { kind: "hello", streams: 256, streamWindow: 65_536, observed } as const;
  }),
  { kind: "intent", linkId: random.bytes(16), intent: { kind: "new" } },
  { kind: "intent", linkId: random.bytes(16), intent: { kind: "resume", epoch: 2, received: 9 } },
  { kind: "resumed", received: 2 },
  { kind: "ack", received: 1 },
  { kind: "ping" },
  { kind: "datagram", protocol: "dht", bytes: random.bytes(30) },
  { kind: "goodbye", why: "busy" },
  { kind: "copy", number: 1, payload: random.bytes(20) },
];
const CONTROL_SEEDS = CONTROLS.map(encodeControl);

const FRAMES: readonly MuxFrame[] = [
  { kind: "open", id: 1, protocol: "rpc.call", priority: "urgent" },
  { kind: "open", id: 3, protocol: "p", priority: "bulk" },
  { kind: "data", id: 1, bytes: random.bytes(40) },
  { kind: "data", id: 0, bytes: random.bytes(1) },
  { kind: "end", id: 1 },
  { kind: "reset", id: 3, code: 9 },
  { kind: "credit", id: 0, amount: 1_000 },
  { kind: "blocked", id: 1 },
];
const FRAME_SEEDS = FRAMES.map(encodeFrame);

function encodeFrame(frame: MuxFrame): Uint8Array {
  if (frame.kind !== "data") return encodeControlFrame(frame);
  return concatBytes(encodeDataHead(frame.id, frame.bytes.length), frame.bytes);
}

const mux = new MuxLife();
const link = new LinkLife();

/** What comes from the other end of a link, from its first datagram to the frames of streams. */
export const LINK_TARGETS: readonly FuzzTarget[] = [
  { name: "opening", seeds: OPENINGS, run: runOpening },
  { name: "handshake", seeds: [...FIRST, ...SECOND], run: runHandshake },
  { name: "channel", seeds: CONVERSATIONS.map(({ said }) => said), run: runChannel },
  {
    name: "control record",
    seeds: CONTROL_SEEDS,
    run: (bytes) => roundTrip(bytes, ["CULVERT_PROTOCOL"], () => encodeControl(readControl(bytes))),
  },
  {
    name: "frames of streams",
    seeds: FRAME_SEEDS,
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_PROTOCOL"], () => {
        const reader = new Reader(bytes);
        const frames: Uint8Array[] = [];
        while (reader.remaining > 0) frames.push(encodeFrame(readFrame(reader)));
        return concatBytes(...frames);
      }),
  },
  { name: "streams of a link", seeds: FRAME_SEEDS, run: (bytes, dice) => mux.next(bytes, dice) },
  {
    name: "core",
    seeds: [...CONTROL_SEEDS, ...FRAME_SEEDS],
    run: (bytes, dice) => link.next(bytes, dice),
  },
];
