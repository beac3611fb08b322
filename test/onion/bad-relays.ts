import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { Circuit } from "../../src/onion/circuit/circuit.ts";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit/circuit-limits.ts";
import { serveMap } from "../../src/onion/map/map-exit.ts";
import { OnionCarrier } from "../../src/onion/map/onion-carrier.ts";
import { MessageDesk } from "../../src/onion/message/message-desk.ts";
import type { Failure } from "../../src/onion/packet/failure.ts";
import { headerBytes } from "../../src/onion/packet/geometry.ts";
import type { Route } from "../../src/onion/route/route.ts";
import { StaticRoutes } from "../../src/onion/route/static-routes.ts";
import { type AcceptanceNet, closingNets, type OpenNet, type SentUnit } from "./acceptance-net.ts";
import { PlannedRoutes } from "./planned-routes.ts";

const BYTES = new SeededRandom(500).bytes(500);
const REPLY = new SeededRandom(501).bytes(400);

/** The route is 1, 2, 3, and it is the one in the middle that is bad; 4 can take its place. */
const [BEFORE, BAD, EXIT, OTHER] = [1, 2, 3, 4];
const NODES = 5;

/** How long things are waited for here: long enough for a machine that is busy. */
const WAIT_MS = 1_000;
const LATE_MS = 2 * WAIT_MS;
const SHORT = { ...CIRCUIT_LIMITS, buildMs: WAIT_MS };
/**
 * One node gives up on a build long before all others: they are of one process here, and one that
 * stood still would find all their timers due at once.
 */
const HASTY_BEFORE = { others: new Map([[BEFORE, { relay: { circuit: SHORT } }]]) };
const FORGETFUL = { packets: { stateMs: WAIT_MS } };

type Way = "there" | "back";
const WAYS = ["there", "back"] as const;

const isFromBad = ({ from }: SentUnit): boolean => from === BAD;
const goes = (way: Way): ((sent: SentUnit) => boolean) => {
  const to = way === "there" ? EXIT : BEFORE;
  return (sent) => sent.from === BAD && sent.to === to;
};

/** Routes in turn, which remember what failed. */
class WatchedRoutes extends StaticRoutes {
  readonly failures: Failure[] = [];

  override failed(_route?: Route, failure?: Failure): void {
    if (failure !== undefined) this.failures.push(failure);
  }
}

/** How a promise has failed: its code and its failure. */
async function failureOf(net: AcceptanceNet, promise: Promise<unknown>): Promise<unknown> {
  return await net.settle(
    promise.then(
      () => "it did not fail",
      ({ code, detail }) => ({ code, ...detail }),
    ),
  );
}

function countAt(net: AcceptanceNet, index: number, kind: "packets" | "circuits", name: string) {
  return net.service(index).counts()[kind].get(name) ?? 0;
}

/** Nothing of a circuit is left anywhere. */
async function noCircuits(net: AcceptanceNet): Promise<void> {
  await net.until(() => [BEFORE, BAD, EXIT].every((index) => net.service(index).circuits === 0));
}

/** A circuit over the bad relay, while it is still good, to a last hop that echoes requests. */
async function goodCircuit(net: AcceptanceNet, middle = BAD): Promise<Circuit> {
  net.service(EXIT).setHandlers({ request: async (content) => content });
  const route = net.route(BEFORE, middle, EXIT);
  return await net.settle(Circuit.build(net.service(0), route));
}

/** Two circuits for puts and gets over the bad relay, others over the other one. */
async function carrierOver(net: AcceptanceNet) {
  const record = {
    ...{ address: BYTES.slice(0, 32), signature: BYTES.slice(0, 64), seq: 1 as const },
    ...{ ttlSeconds: 9, payload: BYTES.slice(0, 100) },
  };
  const map = {
    put: async () => ({ ttlSeconds: 9, receipt: new Uint8Array(0) }),
    get: async () => record,
  };
  net.service(EXIT).setHandlers({ request: serveMap(map) });
  const ways = [
    [BEFORE, BAD, EXIT],
    [BEFORE, OTHER, EXIT],
  ];
  const routes = new WatchedRoutes(() => ways.map((way) => net.route(...way)));
  const parts = { service: net.service(0), routes };
  const carrier = new OnionCarrier(parts, { paths: 1, spares: 0, answerMs: WAIT_MS });
  await net.settle(carrier.put(record));
  return { carrier, routes, record };
}

/** A message over the bad relay, which is answered. */
function messageOver(net: AcceptanceNet) {
  const routes = new PlannedRoutes(net, [BEFORE, BAD, EXIT], [BAD, BEFORE, 0]);
  const origin = new MessageDesk(net.service(0), routes);
  const last = new MessageDesk(net.service(EXIT), new StaticRoutes(() => []));
  const got: Uint8Array[] = [];
  last.setMessageHandler((message) => {
    got.push(message.data);
    if (message.isAnswerable) message.reply(REPLY);
  });
  const send = (reply: "surb" | "state" | "none") => origin.send(net.peer(EXIT), BYTES, { reply });
  return { send, got, routes };
}

interface Cases {
  readonly open: OpenNet;
  use(net: AcceptanceNet): AcceptanceNet;
}

function describeDelays({ open, use }: Cases): void {
  it("a little is borne: everything comes, and nobody is blamed", async () => {
    const net = use(await open(NODES));
    net.spoil({ holdMs: (sent) => (isFromBad(sent) ? 150 : 0) });
    const { send, got, routes } = messageOver(net);
    expect(await net.settle(send("surb"))).toEqual(REPLY);
    expect(await net.settle(send("state"))).toEqual(REPLY);
    expect(got).toEqual([BYTES, BYTES]);
    const circuit = await goodCircuit(net);
    const asked = [1, 2, 3].map((value) => circuit.request(new Uint8Array(9).fill(value)));
    expect((await net.settle(Promise.all(asked))).map(([first]) => first)).toEqual([1, 2, 3]);
    expect(routes.failures).toEqual([]);
  });

  it("a build for too long: one before it says so; what is late is nothing", async () => {
    const net = use(await open(NODES, HASTY_BEFORE));
    net.spoil({ holdMs: (sent) => (isFromBad(sent) ? LATE_MS : 0) });
    const built = Circuit.build(net.service(0), net.route(BEFORE, BAD, EXIT));
    const failure = { code: "CULVERT_TIMEOUT", reason: "timeout", hop: 0 };
    expect(await failureOf(net, built)).toEqual(failure);
    await noCircuits(net);
    const other = await goodCircuit(net, OTHER);
    expect((await net.settle(other.request(BYTES))).subarray(0, 500)).toEqual(BYTES);
  });

  it("an answer for too long: the circuit is left, the blame shared", async () => {
    const net = use(await open(NODES));
    const { carrier, routes, record } = await carrierOver(net);
    net.spoil({ holdMs: (sent) => (isFromBad(sent) ? LATE_MS : 0) });
    expect(await failureOf(net, carrier.put(record))).toMatchObject({ code: "CULVERT_TIMEOUT" });
    expect(routes.failures).toEqual([{ reason: "timeout" }]);
    // The late answer meets nobody; the next circuit goes around.
    expect(await net.settle(carrier.put(record))).toMatchObject({ ttlSeconds: 9 });
    for (let i = 0; i < 4; i++) await net.rest();
    expect(routes.failures.length).toBe(1);
    carrier.close();
  });

  it("a packet for longer than hops keep its state: nobody is named", async () => {
    const net = use(await open(NODES, FORGETFUL));
    net.spoil({ holdMs: (sent) => (goes("back")(sent) ? LATE_MS : 0) });
    const { send, got, routes } = messageOver(net);
    expect(await failureOf(net, send("state"))).toMatchObject({ reason: "timeout" });
    expect(routes.failures).toEqual([{ reason: "timeout" }]);
    await net.until(() => countAt(net, BEFORE, "packets", "unknown-back") === 1);
    expect(got).toEqual([BYTES]);
  });
}

function describeDrops({ open, use }: Cases): void {
  it.each(WAYS)("what goes %s in a build: one before it says that nothing came", async (way) => {
    const net = use(await open(NODES, HASTY_BEFORE));
    net.spoil({ units: (sent) => (goes(way)(sent) ? [] : [sent.bytes]) });
    const built = Circuit.build(net.service(0), net.route(BEFORE, BAD, EXIT));
    const failure = { code: "CULVERT_TIMEOUT", reason: "timeout", hop: 0 };
    expect(await failureOf(net, built)).toEqual(failure);
    await noCircuits(net);
  });

  it.each([
    { how: "hangs up", options: HASTY_BEFORE, limits: CIRCUIT_LIMITS, reason: "next-unreachable" },
    { how: "hangs on", options: {}, limits: SHORT, reason: "timeout" },
  ])("everything, is the first hop and $how", async ({ options, limits, reason }) => {
    const net = use(await open(NODES, options));
    net.spoil({ units: ({ from, bytes }) => (from === BEFORE ? [] : [bytes]) });
    const built = Circuit.build(net.service(0), net.route(BEFORE, BAD, EXIT), { limits });
    expect(await failureOf(net, built)).toMatchObject({ reason, hop: -1 });
    await noCircuits(net);
  });

  it.each(WAYS)("what goes %s in a circuit: it is left, the blame shared", async (way) => {
    const net = use(await open(NODES));
    const { carrier, routes, record } = await carrierOver(net);
    net.spoil({ units: (sent) => (goes(way)(sent) ? [] : [sent.bytes]) });
    expect(await failureOf(net, carrier.put(record))).toMatchObject({ code: "CULVERT_TIMEOUT" });
    expect(routes.failures).toEqual([{ reason: "timeout" }]);
    expect(await net.settle(carrier.put(record))).toMatchObject({ ttlSeconds: 9 });
    carrier.close();
    await noCircuits(net);
  });

  it.each(WAYS)("what goes %s of packets: a timeout that belongs to nobody", async (way) => {
    const net = use(await open(NODES, FORGETFUL));
    net.spoil({ units: (sent) => (goes(way)(sent) ? [] : [sent.bytes]) });
    const { send, got, routes } = messageOver(net);
    expect(await failureOf(net, send("state"))).toMatchObject({ reason: "timeout" });
    expect(routes.failures).toEqual([{ reason: "timeout" }]);
    await net.until(() => got.length === (way === "there" ? 0 : 1));
  });
}

function describeTags({ open, use }: Cases): void {
  /** Changes one bit of the first unit that goes a way. */
  const tagging = (way: Way, at: number) => {
    let isDone = false;
    return (sent: SentUnit): Uint8Array[] => {
      if (isDone || !goes(way)(sent)) return [sent.bytes];
      isDone = true;
      return [sent.bytes.with(at, (sent.bytes[at] as number) ^ 1)];
    };
  };

  it("a cell on its way there: the last hop says so, and accuses those before it", async () => {
    const net = use(await open(NODES));
    const circuit = await goodCircuit(net);
    net.spoil({ units: tagging("there", 77) });
    const failure = { code: "CULVERT_UNREACHABLE", reason: "protocol", hop: 2 };
    expect(await failureOf(net, circuit.request(BYTES))).toEqual(failure);
    expect(countAt(net, EXIT, "circuits", "garbled")).toBe(1);
    await noCircuits(net);
  });

  it("a cell on its way back: nobody is named", async () => {
    const net = use(await open(NODES));
    const circuit = await goodCircuit(net);
    net.spoil({ units: tagging("back", 77) });
    const failure = { code: "CULVERT_UNREACHABLE", reason: "protocol" };
    expect(await failureOf(net, circuit.request(BYTES))).toEqual(failure);
    await noCircuits(net);
  });

  it("the payload of a packet: the destination says so", async () => {
    const net = use(await open(NODES));
    const { send, got, routes } = messageOver(net);
    net.spoil({ units: tagging("there", headerBytes(net.geometry) + 5) });
    expect(await failureOf(net, send("state"))).toMatchObject({ reason: "protocol", hop: 2 });
    expect(routes.failures).toEqual([{ reason: "protocol", hop: 2 }]);
    expect(countAt(net, EXIT, "packets", "payload")).toBe(1);
    expect(got).toEqual([]);
  });

  it("the header of a packet: it is dropped in silence", async () => {
    const net = use(await open(NODES, FORGETFUL));
    const { send, got, routes } = messageOver(net);
    net.spoil({ units: tagging("there", 40) });
    expect(await failureOf(net, send("state"))).toMatchObject({ reason: "timeout" });
    expect(routes.failures).toEqual([{ reason: "timeout" }]);
    expect(countAt(net, EXIT, "packets", "mac")).toBe(1);
    expect(got).toEqual([]);
  });

  it("an answer on its way back: nobody is named", async () => {
    const net = use(await open(NODES));
    const { send, routes } = messageOver(net);
    net.spoil({ units: tagging("back", 300) });
    expect(await failureOf(net, send("state"))).toMatchObject({ reason: "protocol" });
    expect(routes.failures).toEqual([{ reason: "protocol" }]);
  });
}

function describeFloods({ open, use }: Cases): void {
  const noise = new SeededRandom(77);

  it.each(WAYS)("a circuit %s: it ends, and others go on", async (way) => {
    const net = use(await open(NODES));
    const circuit = await goodCircuit(net);
    const other = await goodCircuit(net, OTHER);
    const flood = Array.from({ length: 600 }, () => noise.bytes(net.geometry.cellBytes));
    net.spoil({ units: (sent) => (goes(way)(sent) ? [sent.bytes, ...flood] : [sent.bytes]) });
    const { failure } = await net.settle(
      Promise.all([circuit.request(BYTES).catch(() => {}), circuit.ended]).then(([, end]) => end),
    );
    expect(failure).toEqual({ reason: "protocol", ...(way === "there" && { hop: 2 }) });
    expect((await net.settle(other.request(BYTES))).subarray(0, 500)).toEqual(BYTES);
    other.close();
    await noCircuits(net);
  });

  it("with copies of a packet: they are counted, and the message comes once", async () => {
    const net = use(await open(NODES));
    const { send, got } = messageOver(net);
    net.spoil({
      units: (sent) => (goes("there")(sent) ? Array(50).fill(sent.bytes) : [sent.bytes]),
    });
    expect(await net.settle(send("state"))).toEqual(REPLY);
    await net.until(() => countAt(net, EXIT, "packets", "replay") === 49);
    expect(got).toEqual([BYTES]);
  });

  it("with circuits: those beyond the limit of a link are refused, and others go on", async () => {
    const limits = {
      ...{ circuitsMax: 100, circuitsPerLinkMax: 20 },
      ...{ buildsPerSecond: 1_000, buildsBurst: 1_000 },
    };
    const net = use(await open(NODES, { relay: { limits } }));
    const other = await goodCircuit(net, OTHER);
    let closed = 0;
    const events = { unit: () => {}, sent: () => {}, closed: () => void closed++ };
    const { links } = net.service(BAD);
    for (let i = 0; i < 60; i++) links.open(net.node(EXIT).id, events);
    await net.until(() => closed === 36);
    expect(countAt(net, EXIT, "circuits", "refused-circuit")).toBe(36);
    expect(net.service(EXIT).circuits).toBe(25);
    expect((await net.settle(other.request(BYTES))).subarray(0, 500)).toEqual(BYTES);
  });
}

/** What one relay can do to those who go through it, over whatever connects the nodes. */
export function badRelays(title: string, open: OpenNet): void {
  describe(title, () => {
    const use = closingNets();
    describe("a relay that delays", () => describeDelays({ open, use }));
    describe("a relay that drops", () => describeDrops({ open, use }));
    describe("a relay that tags", () => describeTags({ open, use }));
    describe("a relay that floods", () => describeFloods({ open, use }));
  });
}
