import type { Duplex, Readable } from "node:stream";

/** Whoever hears an event that Node's types say nothing of. */
type AnyListener = Parameters<Duplex["on"]>[1];

/**
 * What a stream is asked for: a Buffer, or text after `setEncoding`, or null. Node's types have no
 * narrower one that all of its functions would take a stream with.
 */
export type Given = ReturnType<Readable["read"]>;

/**
 * `on`, and what is like it, of an emitter whose events are known by their names. Other names are
 * taken, too, as of any emitter.
 */
export interface Hear<Events extends Record<keyof Events, unknown[]>, Emitter> {
  <Name extends keyof Events>(event: Name, listener: (...told: Events[Name]) => void): Emitter;
  (event: string | symbol, listener: AnyListener): Emitter;
}

/** What every Writable of Node tells. */
export interface WritableEvents {
  drain: [];
  error: [error: Error];
  finish: [];
  pipe: [source: Readable];
  unpipe: [source: Readable];
}

/** What every Readable of Node tells. */
export interface ReadableEvents {
  data: [chunk: Given];
  end: [];
  error: [error: Error];
  pause: [];
  readable: [];
  resume: [];
}
