import { expect, test } from "vitest";
import { SILENT } from "../../../src/base/index.ts";
import { VoidphoneValues } from "../../../src/node/voidphone/voidphone-values.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { KEY, RECORD } from "./unsigned-record.ts";

const PLAIN = Uint8Array.of(7);

/** When each place gives what it has; what has nothing says so then. */
interface Place {
  readonly atMs: number;
  readonly has: boolean;
}

function rig({ record, ours, foreign }: Record<"record" | "ours" | "foreign", Place>) {
  const clock = new VirtualClock();
  const after = async (place: Place): Promise<boolean> => {
    await new Promise<void>((resolve) => clock.schedule(place.atMs, resolve));
    return place.has;
  };
  const values = new VoidphoneValues({
    payloadSize: 1,
    dht: {
      contacts: [],
      answer: () => ({ kind: "nodes", contacts: [] }),
      get: async () =>
        (await after(ours)) ? { kind: "plain", ttlSeconds: 1, bytes: PLAIN } : undefined,
      put: async () => ({ stored: 0, ttlSeconds: 1, refusals: [] }),
    },
    replicas: {
      get: async () => {
        if (await after(record)) return RECORD;
        throw new Error("not found");
      },
    },
    store: { get: () => undefined },
    clock,
    log: SILENT,
  });
  values.add({
    get: async () => ((await after(foreign)) ? PLAIN : undefined),
    store: async () => 0,
  });
  const get = async (): Promise<string | undefined> => {
    const { signal } = new AbortController();
    const bytes = await clock.runPromise(values.get(KEY, { signal }));
    if (bytes === undefined) return undefined;
    return `${bytes.length > 1 ? "record" : "plain"} ${clock.now()}`;
  };
  return { get };
}

const [soon, late] = [50, 15_000];
const nothing = (atMs: number): Place => ({ atMs, has: false });
const there = (atMs: number): Place => ({ atMs, has: true });

test.each<[string, Record<"record" | "ours" | "foreign", Place>, string | undefined]>([
  [
    "a record does not wait for a foreign network that is silent",
    { record: there(soon), ours: nothing(soon), foreign: nothing(late) },
    "record 50",
  ],
  [
    "a record goes before a plain value when it comes within a second",
    { record: there(900), ours: there(soon), foreign: nothing(late) },
    "record 900",
  ],
  [
    "a plain value waits a second for a record",
    { record: there(9_000), ours: nothing(soon), foreign: there(200) },
    "plain 1200",
  ],
  [
    "a plain value does not wait for a record that there is not",
    { record: nothing(soon), ours: nothing(soon), foreign: there(200) },
    "plain 200",
  ],
  [
    "a record is waited for when there is no plain value",
    { record: there(9_000), ours: nothing(soon), foreign: nothing(200) },
    "record 9000",
  ],
  [
    "nothing is found where there is nothing",
    { record: nothing(200), ours: nothing(soon), foreign: nothing(400) },
    undefined,
  ],
])("%s", async (_name, places, expected) => {
  expect(await rig(places).get()).toBe(expected);
});
