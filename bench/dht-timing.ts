/** How operations of a DHT are timed, and their values made. */
import { SeededRandom } from "../src/base/index.ts";

const VALUE_BYTES = 900;

/** The value that `number` names. */
export const contentOf = (number: number): Uint8Array =>
  new SeededRandom(number).bytes(VALUE_BYTES);

/** What one kind of operation came to. */
export interface Row extends Readonly<Record<string, string | number>> {
  readonly name: string;
  readonly what: string;
  readonly "success %": number;
  readonly "median ms": number;
  readonly "p95 ms": number;
  readonly "p99 ms": number;
  readonly "CPU ms": number;
}

/** Times one operation for every value; a false answer or an error is a failure. */
export async function timed(
  label: Pick<Row, "name" | "what">,
  run: (number: number) => Promise<boolean>,
  { count, inFlight = 1 }: { readonly count: number; readonly inFlight?: number },
): Promise<Row> {
  const times: number[] = [];
  let [next, succeeded] = [0, 0];
  const cpu = process.cpuUsage();
  const worker = async (): Promise<void> => {
    while (next < count) {
      const number = next++;
      const from = performance.now();
      if (await run(number).catch(() => false)) succeeded += 1;
      times.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.ceil(share * times.length) - 1] ?? Number.NaN;
  return {
    ...label,
    "success %": (100 * succeeded) / count,
    "median ms": at(0.5),
    "p95 ms": at(0.95),
    "p99 ms": at(0.99),
    "CPU ms": (user + system) / 1_000 / count,
  };
}
