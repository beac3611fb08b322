/** Gets while a growing part of a network says nothing any more. */
import type { Party } from "./dht-parties.ts";
import { type Row, rowOf, type Sample, sampled } from "./dht-timing.ts";

/** Each may take others seconds: fewer of them, and some in flight at once. */
const VALUES_MAX = 100;
const IN_FLIGHT = 5;
const SHARES = [0.25, 0.5] as const;

/** What the row is called of which something is asked. */
export const HALF_SILENT = silent(0.5);

/** Gets of one network, by how much of it is silent. */
export type SilentSamples = Readonly<Record<string, Sample>>;

/** Those who fall silent are taken from the end, and add up. */
export async function sampledInSilence(
  {
    party,
    nodes,
    values,
  }: { readonly party: Party; readonly nodes: number; readonly values: number },
  get: (number: number) => Promise<boolean>,
): Promise<SilentSamples> {
  const samples: Record<string, Sample> = {};
  const range = { inFlight: IN_FLIGHT, count: Math.min(values, VALUES_MAX) };
  for (const share of SHARES) {
    await party.silence(Math.floor(share * nodes));
    samples[silent(share)] = await sampled(get, range);
  }
  return samples;
}

/** What the gets of one or more networks came to. */
export function silentRows(name: string, networks: readonly SilentSamples[]): Row[] {
  return SHARES.map(silent).map((what) => {
    const samples = networks.map((samplesOf) => samplesOf[what]).filter((one) => one !== undefined);
    return rowOf({ name, what }, samples);
  });
}

function silent(share: number): string {
  return `get, ${100 * share} % silent`;
}
