import { type Cancel, type Clock, type Instant, repeat } from "../../base/index.ts";
import { formatBytes, formatDuration, formatShare } from "../humanize.ts";
import type { EventFields, Output } from "./output.ts";

/** How far something is, at one moment. */
export interface ProgressSample {
  /** Steps that bytes go through, the last one being what counts; with the bytes past each. */
  readonly steps: Readonly<Record<string, number>>;
  /** All the bytes there will be, when that is known. */
  readonly totalBytes?: number | undefined;
  readonly roundTripMs?: number | undefined;
  /** Share of requests that stay without an answer in time. */
  readonly loss?: number | undefined;
  readonly retransmissions: number;
  /** How long ago something came from the peer. */
  readonly heardMsAgo?: number | undefined;
  /** How long the Map still keeps what was not read: by the peer, or of the peer's. */
  readonly expiresInMs?: number | undefined;
}

/** The bytes that have made the last step. */
export function doneBytes(sample: ProgressSample): number {
  return Object.values(sample.steps).at(-1) ?? 0;
}

/** Time over which the rate is smoothed: long enough for a burst, short enough to believe. */
const SMOOTHING_MS = 5000;

/** How often to tell: a terminal is watched, a program wants to react, a log file is read later. */
const TERMINAL_EVERY_MS = 200;
const JSON_EVERY_MS = 200;
const LOG_EVERY_MS = 10_000;

/** Bytes per second, smoothed; `undefined` until there is something to tell. */
export class RateMeter {
  #last: { readonly at: Instant; readonly bytes: number } | undefined;
  #bytesPerSecond: number | undefined;

  /** Takes the bytes done so far and returns the rate. */
  measure(bytes: number, now: Instant): number | undefined {
    const last = this.#last;
    this.#last = { at: now, bytes };
    if (last === undefined || now <= last.at) return this.#bytesPerSecond;
    const elapsedMs = now - last.at;
    const rate = (Math.max(bytes - last.bytes, 0) * 1000) / elapsedMs;
    const weight = 1 - Math.exp(-elapsedMs / SMOOTHING_MS);
    const before = this.#bytesPerSecond ?? rate;
    this.#bytesPerSecond = before + weight * (rate - before);
    return this.#bytesPerSecond;
  }
}

/**
 * A line about a sample, `written 100 %, stored 64 %, acknowledged 41 % of 1.2 MB · ...`, and the
 * same ever shorter: what matters least is left out first, the last step never.
 */
export function progressLines(sample: ProgressSample, bytesPerSecond = 0): string[] {
  const { totalBytes, roundTripMs, loss, retransmissions, heardMsAgo, expiresInMs } = sample;
  const steps = Object.entries(sample.steps).map(([name, bytes]) => {
    const amount = totalBytes === undefined ? formatBytes(bytes) : formatShare(bytes, totalBytes);
    return `${name} ${amount}`;
  });
  const total = totalBytes === undefined ? "" : ` of ${formatBytes(totalBytes)}`;
  const way = `${steps.join(", ")}${total}`;
  const leftMs = millisecondsLeft(sample, bytesPerSecond);
  const left = leftMs === undefined ? "" : `, ${formatDuration(leftMs)} left`;
  const rate = bytesPerSecond >= 1 ? [`${formatBytes(bytesPerSecond)}/s${left}`] : [];
  const network: string[] = [];
  if (roundTripMs !== undefined) network.push(`round trip ${formatDuration(roundTripMs)}`);
  if (loss !== undefined) network.push(`loss ${Math.round(loss * 100)} %`);
  if (retransmissions > 0) network.push(`${retransmissions} sent again`);
  const requests = network.length > 0 ? [network.join(", ")] : [];
  const peer = heardMsAgo === undefined ? [] : [`peer seen ${formatDuration(heardMsAgo)} ago`];
  const life = expiresInMs === undefined ? [] : [`unread data kept ${formatDuration(expiresInMs)}`];
  const lines = [
    [way, ...rate, ...requests, ...peer, ...life],
    [way, ...rate, ...peer, ...life],
    [way, ...rate, ...peer],
    [way, ...rate],
    [way],
    ...steps.map((_, index) => [steps.slice(index).join(", ")]),
  ].map((parts) => parts.join(" · "));
  return lines.filter((line, index) => line !== lines[index - 1]);
}

/** Tells again and again how far something is, in the way that suits where it is told. */
export class ProgressReporter {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #sample: () => ProgressSample;
  readonly #rate = new RateMeter();
  #cancel: Cancel | undefined;
  #lastTold = "";

  constructor(options: { output: Output; clock: Clock; sample: () => ProgressSample }) {
    this.#output = options.output;
    this.#clock = options.clock;
    this.#sample = options.sample;
  }

  /** Tells at once, then at intervals. */
  start(): void {
    this.tell();
    this.#cancel = repeat(this.#clock, this.#everyMs(), () => this.tell());
  }

  /** Tells a last time and stops; of what never began it tells nothing. */
  stop(): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.tell();
  }

  /** Tells how far it is, unless that was told before, or an error was told that ends it. */
  tell(): void {
    if (this.#output.isBroken) return;
    const sample = this.#sample();
    const rate = this.#rate.measure(doneBytes(sample), this.#clock.now());
    const [words = "", ...shorter] = progressLines(sample, rate);
    if (this.#output.hasStatusLine) {
      this.#output.status(words, ...shorter);
      return;
    }
    const steps = JSON.stringify(sample.steps);
    if (steps === this.#lastTold) return;
    this.#lastTold = steps;
    this.#output.tell("progress", fields(sample, rate), words);
  }

  #everyMs(): number {
    if (this.#output.hasStatusLine) return TERMINAL_EVERY_MS;
    return this.#output.isJson ? JSON_EVERY_MS : LOG_EVERY_MS;
  }
}

function fields(sample: ProgressSample, bytesPerSecond: number | undefined): EventFields {
  return {
    ...sample.steps,
    totalBytes: sample.totalBytes ?? null,
    bytesPerSecond: bytesPerSecond === undefined ? null : Math.round(bytesPerSecond),
    leftMs: millisecondsLeft(sample, bytesPerSecond ?? 0) ?? null,
    roundTripMs: sample.roundTripMs ?? null,
    loss: sample.loss ?? null,
    retransmissions: sample.retransmissions,
    heardMsAgo: sample.heardMsAgo ?? null,
    expiresInMs: sample.expiresInMs ?? null,
  };
}

function millisecondsLeft(sample: ProgressSample, bytesPerSecond: number): number | undefined {
  if (sample.totalBytes === undefined || bytesPerSecond < 1) return undefined;
  const done = doneBytes(sample);
  if (done >= sample.totalBytes) return undefined;
  return Math.round(((sample.totalBytes - done) * 1000) / bytesPerSecond);
}
