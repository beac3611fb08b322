import type { FrameState } from "../../src/retx/index.ts";

const NEVER = Number.POSITIVE_INFINITY;

export interface Model {
  readonly index: number;
  state: FrameState;
  selected: boolean;
  sentAt: number;
  storedAt: number;
  expiresAt: number;
  refreshAt: number;
}

const isThere = (frame: Model): boolean => frame.state === "stored" || frame.selected;
const wasThere = (frame: Model): boolean => frame.storedAt !== -NEVER || frame.selected;

/** The rules of `ReTx` on a plain list, as slowly as one likes. */
export class NaiveReTx {
  frames: Model[] = [];
  run: number[] = [];
  base = 0;
  next = 0;
  storedBelow = 0;

  find(index: number): Model | undefined {
    return this.frames.find((frame) => frame.index === index);
  }

  add(): void {
    const past = { sentAt: -NEVER, storedAt: -NEVER, expiresAt: NEVER, refreshAt: NEVER };
    this.frames.push({ index: this.next++, state: "new", selected: false, ...past });
  }

  sent(index: number, now: number): void {
    const frame = this.find(index);
    if (frame !== undefined) Object.assign(frame, { state: "flying", sentAt: now });
  }

  suspect(index: number): void {
    const frame = this.find(index);
    if (frame?.state === "flying" || frame?.state === "new") frame.state = "suspect";
  }

  stored(index: number, times: { now: number; expiresAt: number; refreshAt: number }): void {
    const { now: storedAt, expiresAt, refreshAt } = times;
    const frame = this.find(index);
    if (frame) Object.assign(frame, { state: "stored", storedAt, expiresAt, refreshAt });
  }

  acknowledge(next: number): number[] {
    const gone = this.frames.filter((frame) => frame.index < next);
    this.frames = this.frames.filter((frame) => frame.index >= next);
    this.base = Math.max(this.base, next);
    return gone.map((frame) => frame.index);
  }

  select(next: number, bits: number, arrived: readonly boolean[], newest: boolean, now: number) {
    const told = this.frames.filter((frame) => frame.index >= next && frame.index <= next + bits);
    const hasArrived = ({ index }: Model): boolean => arrived[index - next - 1] ?? false;
    const fresh = told.filter((frame) => hasArrived(frame) && !frame.selected);
    for (const frame of fresh) Object.assign(frame, { selected: true, state: "stored" });
    for (const frame of told.filter((known) => !hasArrived(known))) {
      if (newest && frame.selected) this.#forgotten(frame);
      const later = told.filter((other) => other.index > frame.index && hasArrived(other));
      const isOvertaken = later.some((other) => other.sentAt > frame.sentAt);
      const isDoubtful = frame.state === "stored" && now - frame.storedAt >= 100;
      const isOpen = frame.state === "suspect" || isDoubtful;
      if (isOvertaken && !frame.selected && isOpen) frame.state = "missing";
    }
    return fresh.map((frame) => frame.index);
  }

  #forgotten(frame: Model): void {
    frame.selected = false;
    if (frame.state === "stored" && frame.refreshAt === NEVER) frame.state = "suspect";
  }

  doubt(first: number, since: number): void {
    if (this.find(first) === undefined) return;
    this.lose(first, since);
    // One that was taken for missing before comes alone; the one behind all those doubles them.
    if (this.run.includes(first)) return;
    const length = first === (this.run.at(-1) ?? -2) + 1 ? 2 * this.run.length : 1;
    this.run = Array.from({ length }, (_, at) => first + at);
    for (const index of this.run) if (this.find(index)?.selected === false) this.lose(index, since);
  }

  doubtSilent(times: number, since: number): void {
    const { base } = this;
    const { length } = this.frames;
    const isTroubled = this.frames.some((frame) => !isThere(frame) && frame.storedAt === -NEVER);
    this.doubt(base, since);
    if (isTroubled || times < 2 || length < 2) return;
    // All offsets but 0 in turn: 1, 2 to 3, 4 to 7 ...
    const parts = [1, 2, 4, 8, 16].filter((from) => from < length);
    const from = parts[(times - 2) % parts.length] ?? 0;
    for (let offset = from; offset < 2 * from; offset++) this.lose(base + offset, since);
  }

  private lose(index: number, since: number): void {
    const frame = this.find(index);
    if (frame === undefined || frame.storedAt > since) return;
    if (frame.state === "stored" || frame.state === "suspect") frame.state = "missing";
  }

  timeout(now: number): void {
    for (const frame of this.frames.filter(({ refreshAt }) => refreshAt <= now)) {
      frame.refreshAt = NEVER;
      if (frame.state === "stored") frame.state = "suspect";
    }
  }

  forget(index: number): void {
    this.frames = this.frames.filter((frame) => frame.index !== index);
    while (this.base < this.next && this.find(this.base) === undefined) this.base += 1;
  }

  retransmission(missingOnly: boolean): number | undefined {
    const missing = this.frames.find(({ state }) => state === "missing");
    const suspects = this.frames.filter(({ state }) => state === "suspect");
    const [suspect] = suspects.sort((a, b) => Math.sign(a.storedAt - b.storedAt) || 0);
    return (missing ?? (missingOnly ? undefined : suspect))?.index;
  }

  summary(): string {
    const { base, next, frames } = this;
    const unstored = frames.filter((frame) => !isThere(frame));
    const deadline = Math.min(NEVER, ...frames.map(({ refreshAt }) => refreshAt));
    const states = frames.map(({ index, state, selected }) => [index, state, selected]);
    const heldBelow = unstored[0]?.index ?? next;
    const isBeyond = ({ index }: Model): boolean => index >= this.storedBelow;
    const first = frames.find((frame) => isBeyond(frame) && !wasThere(frame));
    this.storedBelow = first?.index ?? next;
    const stored = frames.filter(({ index }) => index < this.storedBelow);
    const times = [deadline, Math.min(NEVER, ...stored.map(({ expiresAt }) => expiresAt))];
    const below = [heldBelow, this.storedBelow];
    return String([base, next, frames.length, unstored.length, ...below, ...times, ...states]);
  }
}
