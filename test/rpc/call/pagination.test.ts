import { describe, expect, it } from "vitest";
import { CulvertError, SeededRandom } from "../../../src/base/index.ts";
import { type Page, paged, RpcNode, Service, TEXT, walkPages } from "../../../src/rpc/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryExchange } from "../memory-carrier.ts";

const manifest = { list: paged({ query: TEXT, item: TEXT }) };
const COUNT = 250;

function rig(give: (from: number, limit: number, query: string) => Page<string>) {
  const clock = new VirtualClock();
  const exchange = new MemoryExchange(clock);
  const [a, b] = [exchange.join(), exchange.join()];
  const service = Service.of(
    manifest,
    {
      list: ({ query, after, limit }) => {
        return give(after === undefined ? 0 : (after[0] ?? 0), limit, query);
      },
    },
    { clock },
  );
  const parts = { clock, random: new SeededRandom(1) };
  new RpcNode({ carrier: b.carrier, service, ...parts });
  const call = new RpcNode({ carrier: a.carrier, ...parts }).caller(manifest, b.id).list;
  const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise);
  return { call, elapse };
}

const numbers = (from: number, limit: number, query: string): Page<string> => {
  const to = Math.min(from + limit, COUNT);
  const items = Array.from({ length: to - from }, (_, i) => `${query}${from + i}`);
  return to === COUNT ? { items } : { items, next: Uint8Array.of(to) };
};

async function taken(items: AsyncIterable<string>, into: string[]): Promise<string[]> {
  for await (const item of items) into.push(item);
  return into;
}

describe("a paged method", () => {
  it("gives all items in order, page by page", async () => {
    let pages = 0;
    const { call, elapse } = rig((...given) => {
      pages += 1;
      return numbers(...given);
    });
    const all = await elapse(taken(walkPages(call, "n"), []));
    expect(all).toEqual(Array.from({ length: COUNT }, (_, i) => `n${i}`));
    expect(pages).toBe(3);
    expect(await elapse(taken(walkPages(call, "n", { pageItems: 1_000 }), []))).toHaveLength(COUNT);
  });

  it("resumes a walk that failed from its last cursor, without a gap or a repetition", async () => {
    let isBroken = true;
    const { call, elapse } = rig((from, limit, query) => {
      if (from >= 200 && isBroken) throw new CulvertError("CULVERT_BUSY", "later");
      return numbers(from, limit, query);
    });
    const items: string[] = [];
    let after: Uint8Array | undefined;
    const onCursor = (next: Uint8Array): void => {
      after = next;
    };
    const first = taken(walkPages(call, "n", { onCursor }), items);
    await expect(elapse(first)).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    isBroken = false;
    await elapse(taken(walkPages(call, "n", after === undefined ? {} : { after }), items));
    expect(items).toEqual(Array.from({ length: COUNT }, (_, i) => `n${i}`));
  });

  it("does not go round in circles with a peer that leads it nowhere", async () => {
    const { call, elapse } = rig(() => ({ items: [], next: Uint8Array.of(1) }));
    await expect(elapse(taken(walkPages(call, ""), []))).rejects.toMatchObject({
      code: "CULVERT_PROTOCOL",
    });
  });

  it("gives up a peer whose pages are all empty and lead ever further", async () => {
    let page = 0;
    const { call, elapse } = rig(() => {
      page += 1;
      return { items: [], next: Uint8Array.of(page >> 8, page) };
    });
    await expect(elapse(taken(walkPages(call, ""), []))).rejects.toMatchObject({
      code: "CULVERT_PROTOCOL",
    });
    expect(page).toBe(1_001);
  });

  it("is given up with its signal while a page is awaited, or in its time", async () => {
    const abort = new AbortController();
    const pages: number[] = [];
    const { call, elapse } = rig((from, limit, query) => {
      pages.push(from);
      if (from >= 100) abort.abort(new CulvertError("CULVERT_FULL"));
      return numbers(from, limit, query);
    });
    const walked: string[] = [];
    const walk = taken(walkPages(call, "n", { signal: abort.signal }), walked);
    await expect(elapse(walk)).rejects.toMatchObject({ name: "AbortError" });
    expect([pages, walked.length]).toEqual([[0, 100], 100]);
    const hasty = taken(walkPages(call, "n", { totalMs: 1e-3 }), []);
    await expect(elapse(hasty)).rejects.toMatchObject({ code: "CULVERT_TIMEOUT" });
  });

  it("refuses limits and cursors beyond what there is", async () => {
    const { call, elapse } = rig(numbers);
    for (const limit of [0, 1_025, 1.5]) {
      await expect(call({ query: "", limit })).rejects.toThrow(RangeError);
    }
    const after = new Uint8Array(257);
    await expect(elapse(call({ query: "", limit: 1, after }))).rejects.toMatchObject({
      ...{ code: "CULVERT_PROTOCOL", remote: true },
    });
    const { call: long, elapse: elapseLong } = rig(() => ({ items: [], next: after }));
    await expect(elapseLong(long({ query: "", limit: 1 }))).rejects.toMatchObject({
      ...{ code: "CULVERT_PROTOCOL", remote: false },
    });
  });
});
