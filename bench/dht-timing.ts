/** How operations of a DHT are timed, and their values made. */
import { SeededRandom } from "../src/base/index.ts";
import { median } from "./harness.ts";

const VALUE_BYTES = 900;

/** The value that `number` names. */
export const contentOf = (number: number): Uint8Array =>
  new SeededRandom(number).bytes(VALUE_BYTES);

/** Some operations of one kind, one after the other or some at once. */
export interface Sample {
  readonly timesMs: readonly number[];
  readonly succeeded: number;
  /** Of this process, for each operation. */
  readonly cpuMs: number;
}

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
  range: { readonly count: number; readonly inFlight?: number },
): Promise<Row> {
  return rowOf(label, [await sampled(run, range)]);
}

/** The same for the values from `from` on. */
export async function sampled(
  run: (number: number) => Promise<boolean>,
  {
    from = 0,
    count,
    inFlight = 1,
  }: { readonly from?: number; readonly count: number; readonly inFlight?: number },
): Promise<Sample> {
  const timesMs: number[] = [];
  let [next, succeeded] = [from, 0];
  const cpu = process.cpuUsage();
  const worker = async (): Promise<void> => {
    while (next < from + count) {
      const number = next++;
      const since = performance.now();
      if (await run(number).catch(() => false)) succeeded += 1;
      timesMs.push(performance.now() - since);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return { timesMs, succeeded, cpuMs: (user + system) / 1_000 / count };
}

/** All samples of one kind together; the processor time is that of the middle one. */
export function rowOf(label: Pick<Row, "name" | "what">, samples: readonly Sample[]): Row {
  const times = samples.flatMap(({ timesMs }) => timesMs).sort((a, b) => a - b);
  const at = (share: number): number => times[Math.ceil(share * times.length) - 1] ?? Number.NaN;
  const succeeded = samples.reduce((sum, sample) => sum + sample.succeeded, 0);
  return {
    ...label,
    "success %": (100 * succeeded) / times.length,
    "median ms": at(0.5),
    "p95 ms": at(0.95),
    "p99 ms": at(0.99),
    "CPU ms": median(samples.map(({ cpuMs }) => cpuMs)),
  };
}
