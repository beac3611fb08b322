import type { Clock, SeededRandom } from "../../src/base/index.ts";
import type { NodeId, OnionKey } from "../../src/identity/index.ts";
import { type CellCommand, writeCell } from "../../src/onion/circuit/cell.ts";
import {
  agreeAsHop,
  answerAsHop,
  type HopHandshake,
} from "../../src/onion/circuit/circuit-build.ts";
import type { ChannelEvents, OnionChannel } from "../../src/onion/links.ts";
import type { FailureReason } from "../../src/onion/packet/backward.ts";
import { FAILURE_REASONS } from "../../src/onion/packet/backward.ts";
import type { OnionGeometry } from "../../src/onion/packet/geometry.ts";
import { KeyRing } from "../../src/onion/packet/key-ring.ts";
import { Peeler } from "../../src/onion/packet/packet.ts";
import type { OnionSuite } from "../../src/onion/packet/suite.ts";

const COMMANDS: readonly CellCommand[] = ["data", "part", "credit", "padding", "failure", "cover"];

/**
 * A relay that has the keys of its place in a circuit, and says with them what it likes: refusals
 * that are none, circuits that lead nowhere, cells out of turn.
 */
export class LyingRelay {
  readonly #parts: { readonly suite: OnionSuite; readonly geometry: OnionGeometry };
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #ring: KeyRing;
  readonly #peeler: Peeler;

  constructor(parts: {
    readonly suite: OnionSuite;
    readonly geometry: OnionGeometry;
    readonly clock: Clock;
    readonly random: SeededRandom;
  }) {
    this.#parts = parts;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#ring = new KeyRing(parts);
    this.#peeler = new Peeler(parts, this.#ring);
  }

  onionKeys(): OnionKey[] {
    this.#ring.advance(this.#clock.unixMs());
    return this.#ring.published(this.#clock.unixMs());
  }

  receive(): void {}

  close(): void {}

  accept(_from: NodeId, channel: OnionChannel): ChannelEvents {
    let handshake: HopHandshake | undefined;
    return {
      unit: (unit) => {
        if (handshake === undefined) handshake = this.#build(channel, unit);
        else this.#speak(channel, handshake);
      },
      sent: () => {},
      closed: () => channel.close(),
    };
  }

  #build(channel: OnionChannel, unit: Uint8Array): HopHandshake | undefined {
    const random = this.#random;
    this.#ring.advance(this.#clock.unixMs());
    const peeled = this.#peeler.peel(unit);
    if (peeled.kind === "dropped") return undefined;
    const { suite, geometry } = this.#parts;
    const handshake = agreeAsHop(suite, peeled, random);
    if (handshake === undefined) return undefined;
    const reasons: (FailureReason | undefined)[] = [...FAILURE_REASONS, undefined, undefined];
    const reason = reasons[random.below(reasons.length)];
    const noise = random.bytes(geometry.cellBytes);
    channel.send(answerAsHop(suite, handshake, noise, reason));
    if (random.below(3) === 0) this.#speak(channel, handshake);
    if (random.below(3) === 0) channel.close();
    return handshake;
  }

  #speak(channel: OnionChannel, { keys }: HopHandshake): void {
    const random = this.#random;
    const { cellBytes } = this.#parts.geometry;
    for (let count = random.below(3); count > 0; count--) {
      if (random.below(8) === 0) {
        channel.send(random.bytes(random.below(2 * cellBytes)));
        continue;
      }
      const command = COMMANDS[random.below(COMMANDS.length)] ?? "padding";
      const data = random.bytes(random.below(cellBytes - 23));
      const cell = writeCell(cellBytes, { command, request: random.below(4), data });
      keys.backward.seal(cell);
      channel.send(cell);
    }
  }
}
