import { type Clock, Driver, type Random, unreachable } from "../../base/index.ts";
import type { PathConnection, PathEvents } from "../../link/index.ts";
import type { Stream } from "../../stream/index.ts";
import {
  PathSessionCore,
  type PathSessionEffect,
  type PathSessionInput,
  SESSION_NONCE_BYTES,
} from "./path-session-core.ts";

/** What paths over a stream are made from. */
export interface StreamPathsComponents {
  /** Survives its ends: it has a journal. Owned from now on. */
  readonly stream: Stream;
  readonly clock: Clock;
  readonly random: Random;
  /** A path begins; the one before, if there was any, is over. */
  readonly onPath: (path: PathConnection) => void;
}

/**
 * Carries links over a stream: whenever both ends are there anew, `onPath` is given a fresh
 * connection to attach to a link host. Ends with the stream.
 */
export class StreamPaths {
  readonly #components: StreamPathsComponents;
  readonly #driver: Driver<PathSessionInput, PathSessionEffect>;
  #path: StreamPath | undefined;

  constructor(components: StreamPathsComponents) {
    const { stream, clock, random } = components;
    this.#components = components;
    const offsets = { read: stream.readOffset, write: stream.writeOffset };
    const core = new PathSessionCore(random.bytes(SESSION_NONCE_BYTES), offsets);
    stream.holdBack(() => core.unusedBytes);
    this.#driver = new Driver(core, clock, (effect) => this.#perform(effect));
    stream.on("data", (bytes: Uint8Array) => this.#driver.handle({ kind: "received", bytes }));
    stream.on("drain", () => this.#path?.drained());
    stream.once("close", () => this.#end(stream.errored ?? undefined));
    stream.once("end", () => this.#end(undefined));
  }

  /** Says hello: called once, when the owner is ready to be given paths. */
  start(): void {
    // A core speaks when it is drained, and it is drained after an input.
    this.#driver.handle({ kind: "received", bytes: new Uint8Array(0) });
  }

  #perform(effect: PathSessionEffect): void {
    const { stream, onPath } = this.#components;
    switch (effect.kind) {
      case "send":
        if (stream.writable) stream.write(effect.bytes);
        break;
      case "open":
        this.#path = new StreamPath(stream, {
          write: (bytes) => this.#driver.handle({ kind: "write", bytes }),
          close: (path) => this.#giveUp(path),
        });
        onPath(this.#path);
        break;
      case "data":
        this.#path?.receive(effect.bytes);
        break;
      case "closed":
        this.#end(undefined);
        break;
      case "fail":
        this.#end(effect.error);
        stream.destroy(effect.error);
        break;
      default:
        unreachable(effect);
    }
  }

  #giveUp(path: StreamPath): void {
    if (path !== this.#path) return;
    this.#end(undefined);
    const nonce = this.#components.random.bytes(SESSION_NONCE_BYTES);
    this.#driver.handle({ kind: "close", nonce });
  }

  #end(error: Error | undefined): void {
    const path = this.#path;
    this.#path = undefined;
    path?.end(error);
  }
}

interface PathOwner {
  write(bytes: Uint8Array): void;
  close(path: StreamPath): void;
}

/** One path: from a greeting of both ends to the next one. */
class StreamPath implements PathConnection {
  readonly #stream: Stream;
  readonly #owner: PathOwner;
  #events: PathEvents | undefined;
  #early: Uint8Array[] = [];
  #isOver = false;

  constructor(stream: Stream, owner: PathOwner) {
    this.#stream = stream;
    this.#owner = owner;
  }

  get unsentBytes(): number {
    return this.#stream.writableLength;
  }

  start(events: PathEvents): void {
    this.#events = events;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) events.receive(bytes);
    if (this.#isOver) events.closed(undefined);
  }

  write(bytes: Uint8Array): void {
    if (!this.#isOver) this.#owner.write(bytes);
  }

  setReading(isReading: boolean): void {
    if (this.#isOver) return;
    if (isReading) this.#stream.resume();
    else this.#stream.pause();
  }

  close(_isAbrupt: boolean): void {
    if (!this.#isOver) this.#owner.close(this);
  }

  receive(bytes: Uint8Array): void {
    if (this.#events === undefined) this.#early.push(bytes);
    else this.#events.receive(bytes);
  }

  drained(): void {
    this.#events?.drained();
  }

  end(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream.resume();
    this.#events?.closed(error);
  }
}
