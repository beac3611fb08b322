/** Gets while a growing part of a network says nothing any more. */
import type { Party } from "./dht-parties.ts";
import { type Row, timed } from "./dht-timing.ts";

/** Each may take others seconds: fewer of them, and some in flight at once. */
const VALUES = 100;
const IN_FLIGHT = 5;
const SHARES = [0.25, 0.5] as const;

/** What the row is called of which something is asked. */
export const HALF_SILENT = silent(0.5);

/** Those who fall silent are taken from the end, and add up. */
export async function timedInSilence(
  { name, party, nodes }: { readonly name: string; readonly party: Party; readonly nodes: number },
  get: (number: number) => Promise<boolean>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const share of SHARES) {
    await party.silence(Math.floor(share * nodes));
    const label = { name, what: silent(share) };
    rows.push(await timed(label, get, { inFlight: IN_FLIGHT, count: VALUES }));
  }
  return rows;
}

function silent(share: number): string {
  return `get, ${100 * share} % silent`;
}
