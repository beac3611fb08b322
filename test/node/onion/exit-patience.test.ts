import { expect, it } from "vitest";
import { CulvertError, onAbort, SeededRandom } from "../../../src/base/index.ts";
import { PlacedMap } from "../../../src/dht/index.ts";
import { compareDistance, keyOf } from "../../../src/dht/wire/key.ts";
import type { OnionRecord } from "../../../src/onion/index.ts";
import { type ExitMap, serveMap } from "../../../src/onion/map/map-exit.ts";
import { randomContacts } from "../../dht/nodes.ts";
import { carrierRig, recordOf } from "../../onion/carrier-rig.ts";

const WAIT_MS = 5_000;

it.each([0, 1])(
  "an exit says that nothing is there while %d of five keepers is silent",
  async (silent) => {
    const { net, carrier, routes } = carrierRig();
    const { address } = recordOf(1);
    const contacts = randomContacts(3, 20).sort((a, b) =>
      compareDistance(keyOf(address), a.key, b.key),
    );
    const mute = new Set(contacts.slice(0, silent).map(({ key }) => key));
    const { clock } = net;
    const placed = new PlacedMap<OnionRecord, never>({
      dht: {
        knowsAll: true,
        statistics: { nodesEstimated: contacts.length },
        closestKnown: (_address, count) => contacts.slice(0, count),
        closest: async () => contacts.filter(({ key }) => !mute.has(key)),
        isDemoted: () => false,
        blame: () => {},
      },
      ...{ clock, random: new SeededRandom(1), isRecord: () => true, isReceipt: () => true },
      mapOf: async ({ key }) => ({
        put: () => Promise.reject(new CulvertError("CULVERT_BUSY")),
        get: (_address, { waitMs = 0, signal } = {}) =>
          new Promise((_resolve, reject) => {
            onAbort(signal, reject);
            const missing = new CulvertError("CULVERT_NOT_FOUND");
            if (!mute.has(key)) clock.schedule(clock.now() + 40 + waitMs, () => reject(missing));
          }),
      }),
    });
    const map: ExitMap = {
      put: () => Promise.reject(new CulvertError("CULVERT_BUSY")),
      get: (asked, waitMs, signal) => placed.get(asked, { waitMs, signal }),
    };
    for (const { service } of net.nodes) service.setHandlers({ request: serveMap(map) });
    const code = carrier.get(address, { waitMs: WAIT_MS }).then(
      () => "found",
      (error: CulvertError) => error.code,
    );
    expect(await clock.runPromise(code, 120_000)).toBe("CULVERT_NOT_FOUND");
    // Nor does a silent keeper cost honest guards and exits their name.
    expect(routes.failures).toEqual([]);
  },
);
