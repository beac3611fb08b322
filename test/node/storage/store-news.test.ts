import { beforeEach, expect, it } from "vitest";
import { CulvertError, SILENT } from "../../../src/base/index.ts";
import type { Contact } from "../../../src/dht/index.ts";
import { StoreNews } from "../../../src/node/storage/store-news.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { randomContacts } from "../../dht/nodes.ts";

const NEAR = randomContacts(1, 6);
const MARK = new Uint8Array(16).fill(7);
const HOURS_MS = 3 * 3_600_000;

/** What a node remembers over its lives. */
let kept: Uint8Array | undefined;
beforeEach(() => {
  kept = undefined;
});

/** A life of a node: whom it has told, one after the other. */
async function live(
  tell: (to: Contact, nth: number) => void = () => {},
  options: {
    readonly mark?: Uint8Array;
    readonly store?: { readonly mark: Uint8Array };
    readonly near?: () => readonly Contact[];
  } = {},
): Promise<readonly Contact[]> {
  const clock = new VirtualClock();
  const asked: Contact[] = [];
  const news = new StoreNews({
    store: options.store ?? { mark: options.mark ?? MARK },
    kept: {
      read: async () => kept,
      write: async (mark) => {
        kept = mark;
      },
    },
    neighbours: options.near ?? (() => NEAR),
    tell: async (to) => {
      asked.push(to);
      tell(to, asked.length);
    },
    clock,
    log: SILENT,
  });
  news.start();
  await clock.runUntil(clock.now() + HOURS_MS);
  await news.close();
  expect(clock.pending).toBe(0);
  return asked;
}

const names = (nodes: readonly Contact[]) => nodes.map(({ key }) => key).sort();

it("tells each neighbour once that the store was begun anew, and never again", async () => {
  expect(names(await live())).toEqual(names(NEAR));
  expect(await live()).toEqual([]);
});

it("tells them of another store, and after what it wrote down was damaged", async () => {
  await live();
  expect(await live(undefined, { mark: new Uint8Array(16).fill(8) })).toHaveLength(6);
  kept = Uint8Array.of(1, 2, 3);
  expect(await live()).toHaveLength(6);
});

it("tells those again who were busy or away, and no older node", async () => {
  const fail = (to: Contact, nth: number): void => {
    if (to === NEAR[0]) throw new CulvertError("CULVERT_UNKNOWN_METHOD");
    if (to === NEAR[1] && nth <= NEAR.length) throw new CulvertError("CULVERT_BUSY");
  };
  expect(names(await live(fail))).toEqual(names([...NEAR, NEAR[1] as Contact]));
  expect(await live()).toEqual([]);
});

it("gives those up who cannot be told", async () => {
  const asked = await live(() => {
    throw new CulvertError("CULVERT_UNREACHABLE");
  });
  expect(asked).toHaveLength(6 * NEAR.length);
});

it("tells those too whom it comes to know a minute later", async () => {
  let looks = 0;
  const near = (): readonly Contact[] => NEAR.slice(0, 2 * ++looks);
  expect(names(await live(undefined, { near }))).toEqual(names(NEAR));
});

it("waits until it knows anybody", async () => {
  let looks = 0;
  const near = (): readonly Contact[] => {
    looks += 1;
    return looks > 8 ? NEAR : [];
  };
  expect(await live(undefined, { near })).toHaveLength(6);
});

it("tells them again of a store that loses what it had while the node runs", async () => {
  const store = { mark: MARK };
  const told: Uint8Array[] = [];
  const tell = (_to: Contact, nth: number): void => {
    told.push(store.mark);
    // In the midst of the news, and once all of them have heard it.
    if (nth === 2) store.mark = new Uint8Array(16).fill(8);
  };
  const asked = await live(tell, { store });
  expect(asked.length).toBeGreaterThan(6);
  expect(names(asked.slice(-6))).toEqual(names(NEAR));
  expect(kept).toEqual(store.mark);
  expect(await live(undefined, { store })).toEqual([]);
});

it("tells them of a loss hours after the last news", async () => {
  let looks = 0;
  const store = {
    get mark() {
      looks += 1;
      return new Uint8Array(16).fill(looks > 100 ? 8 : 7);
    },
  };
  kept = MARK;
  expect(names(await live(undefined, { store }))).toEqual(names(NEAR));
});
