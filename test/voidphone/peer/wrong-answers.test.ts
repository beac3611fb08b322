import { describe, expect, test } from "vitest";
import { SeededRandom, utf8 } from "../../../src/base/index.ts";
import type { PeerReply } from "../../../src/voidphone/index.ts";
import {
  PeerNetworkCore,
  type PeerOutcome,
  type PeerTask,
} from "../../../src/voidphone/peer/peer-network-core.ts";
import { effectsOf } from "../../effects-of.ts";

const random = new SeededRandom(1);
const [self, key, other, rpcId] = [1, 2, 3, 4].map(() => random.bytes(32)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const PEER = { id: random.bytes(32), host: "10.0.0.2", port: 7 };
const value = utf8("v");

type Answers = Partial<Record<"ping" | "store" | "find-node" | "find-value", PeerReply>>;

/** What becomes of a task when the only peer there is answers so. */
function outcomeOf(task: PeerTask, answers: Answers): PeerOutcome | undefined {
  const core = new PeerNetworkCore({ id: self });
  core.handle({ kind: "learn", contact: PEER }, 0);
  core.handle({ kind: "start", operation: 1, task }, 0);
  for (const effect of effectsOf(core)) {
    if (effect.kind === "done") return effect.outcome;
    if (effect.kind !== "call") continue;
    core.handle({ kind: "replied", rpc: effect.rpc, reply: answers[effect.call.kind] }, 1);
  }
  return undefined;
}

const nodes: PeerReply = { kind: "nodes", rpcId, contacts: [] };
const pong: PeerReply = { kind: "pong", rpcId };
const valueAt = (of: Uint8Array): PeerReply => ({ kind: "value", rpcId, key: of, value });
const storedAt = (of: Uint8Array): PeerReply => ({ kind: "stored", rpcId, key: of, value });

describe("an answer to something else is worth nothing", () => {
  const get: PeerTask = { kind: "get", key };
  const store: PeerTask = { kind: "store", key, value, ttlSeconds: 9, replication: 1 };
  const nobody = { kind: "contacts", contacts: [] };

  test("to a get: a value under another key, or a store", () => {
    expect(outcomeOf(get, { "find-value": valueAt(key) })).toEqual({ kind: "value", value });
    expect(outcomeOf(get, { "find-value": valueAt(other) })).toEqual(nobody);
    expect(outcomeOf(get, { "find-value": storedAt(key) })).toEqual(nobody);
    expect(outcomeOf(get, { "find-value": pong })).toEqual(nobody);
  });

  test("to a store: that another key was stored, or that somebody is there", () => {
    const stored = (answer: PeerReply) => outcomeOf(store, { "find-node": nodes, store: answer });
    expect(stored(storedAt(key))).toEqual({ kind: "stored", copies: 1 });
    for (const answer of [storedAt(other), pong, valueAt(key)]) {
      expect(stored(answer)).toEqual({ kind: "stored", copies: 0 });
    }
  });

  test("to a search or a ping: a value, or a list of others", () => {
    const find: PeerTask = { kind: "find", target: key };
    expect(outcomeOf(find, { "find-node": nodes })).toEqual({ kind: "contacts", contacts: [PEER] });
    for (const answer of [valueAt(key), pong]) {
      expect(outcomeOf(find, { "find-node": answer })).toEqual(nobody);
    }
    const ping: PeerTask = { kind: "ping", host: PEER.host, port: PEER.port };
    expect(outcomeOf(ping, { ping: pong })).toEqual({ kind: "alive" });
    expect(outcomeOf(ping, { ping: nodes })).toEqual({ kind: "unreachable" });
  });
});
