const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `1.4 MB`: three digits at most, powers of a thousand. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return twoUnits(minutes, "min", seconds % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return twoUnits(hours, "h", minutes % 60, "min");
  return twoUnits(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** `41 %`, rounded down: it says 100 only when it is all. */
export function formatShare(part: number, whole: number): string {
  const share = whole === 0 ? 1 : Math.min(part / whole, 1);
  return `${Math.floor(share * 100)} %`;
}

/** `1 node`, `3 nodes`. */
export function formatCount(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/**
 * Text of a peer, safe to show: control characters, and those that turn the direction of writing,
 * could make a terminal or a reader believe something else.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "\u{fffd}");
}

/** What is told of a mistake, without a ticket that was typed where none belongs. */
export function withoutTickets(text: string): string {
  return text.replace(/culvert1[a-z0-9]{8,}/gi, "culvert1\u{2026}");
}

/** A word as a POSIX shell has to be given it. */
export function shellQuote(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return inQuotes(word);
}

/** A text in single quotes, as shells read them. */
export function inQuotes(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Reads `90s`, `1.5h`, `10 min`, `500ms`, `2d`; `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)$/.exec(text.trim());
  const unitMs = DURATION_UNITS_MS[match?.[2] ?? ""];
  return unitMs === undefined ? undefined : Number(match?.[1]) * unitMs;
}

/** Reads `300000`, `300kB`, `4 MB`, `1GB`; `undefined` for anything else. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kMGT]?B)?$/.exec(text.trim());
  if (match === null) return undefined;
  const unit = UNITS.findIndex((name) => name === (match[2] ?? "B"));
  return Math.round(Number(match[1]) * 1000 ** unit);
}

function twoUnits(major: number, majorUnit: string, minor: number, minorUnit: string): string {
  return minor === 0 ? `${major} ${majorUnit}` : `${major} ${majorUnit} ${minor} ${minorUnit}`;
}
