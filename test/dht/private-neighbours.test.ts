import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { DhtNodeCore, type DhtNodeCoreOptions } from "../../src/dht/node/dht-node-core.ts";
import type { Contact } from "../../src/dht/wire/contact.ts";
import { keyOf, textBytes } from "../../src/dht/wire/key.ts";
import { effectsOf } from "../effects-of.ts";
import { contactAt, keyWith } from "./nodes.ts";

const NEIGHBOUR = contactAt(keyWith(0, 1), "10.0.0.1");
const STRANGER = contactAt(keyWith(0, 2), "203.0.113.7");

function nodeWith(options: Partial<DhtNodeCoreOptions>): DhtNodeCore {
  const id = textBytes(keyWith(0xff));
  const core = new DhtNodeCore({ id, random: new SeededRandom(1), unixMsAtZero: 0, ...options });
  core.handle({ kind: "start", bootstrap: [] }, 0);
  return core;
}

it("who is heard in the open, and names a private address, is nobody's neighbour", () => {
  const liar = contactAt(keyWith(0, 3), "10.0.0.3");
  const core = nodeWith({
    takesPrivate: () => true,
    hostOf: (id) => (keyOf(id) === liar.key ? "203.0.113.7" : undefined),
  });
  for (const contact of [liar, NEIGHBOUR]) core.handle({ kind: "met", contact }, 0);
  expect(core.contacts).toEqual([NEIGHBOUR]);
});

/** Whom a node names to this asker. */
function toldTo(core: DhtNodeCore, id: Uint8Array): readonly Contact[] {
  const asker = { id, source: "s", isAddressProven: true };
  const request = { kind: "find-node", target: textBytes(keyWith(0)) } as const;
  core.handle({ kind: "request", exchange: 1, asker, request }, 1);
  const answers = [...effectsOf(core)].filter((effect) => effect.kind === "answer");
  return answers.flatMap(({ response }) => (response.kind === "nodes" ? response.contacts : []));
}

it("who is heard in the open is told of nobody at a private address", () => {
  const core = nodeWith({
    takesPrivate: () => true,
    hostOf: (id) => (keyOf(id) === keyWith(7) ? "203.0.113.9" : undefined),
  });
  for (const contact of [NEIGHBOUR, STRANGER]) core.handle({ kind: "met", contact }, 0);
  expect(toldTo(core, textBytes(keyWith(7)))).toEqual([STRANGER]);
  expect(toldTo(core, textBytes(keyWith(8)))).toEqual([NEIGHBOUR, STRANGER]);
});

it("a node that comes into the open tells nobody of its neighbours from then on", () => {
  let takesPrivate = true;
  const core = nodeWith({ takesPrivate: () => takesPrivate });
  for (const contact of [NEIGHBOUR, STRANGER]) core.handle({ kind: "met", contact }, 0);
  expect(toldTo(core, textBytes(keyWith(9)))).toEqual([NEIGHBOUR, STRANGER]);
  takesPrivate = false;
  expect(toldTo(core, textBytes(keyWith(9)))).toEqual([STRANGER]);
  // It does not forget them before it has looked.
  expect(core.contacts).toEqual([NEIGHBOUR, STRANGER]);
});

it("neighbours of a private network are known while this is one, whoever answers still", () => {
  let takesPrivate = false;
  const core = nodeWith({ takesPrivate: () => takesPrivate });
  const meet = (now: number): void => {
    for (const contact of [NEIGHBOUR, STRANGER]) core.handle({ kind: "met", contact }, now);
  };
  meet(0);
  expect(core.contacts).toEqual([STRANGER]);
  takesPrivate = true;
  meet(1);
  expect(core.contacts).toEqual([NEIGHBOUR, STRANGER]);
  takesPrivate = false;
  for (let now = 2; now < 1_300_000; now = Math.max(core.deadline(), now + 1)) {
    core.timeout(now);
    for (const effect of effectsOf(core)) {
      if (effect.kind !== "send") continue;
      const { exchange, attempt, request } = effect;
      const response =
        request.kind === "ping"
          ? ({ kind: "pong" } as const)
          : ({ kind: "nodes", contacts: [NEIGHBOUR, STRANGER] } as const);
      core.handle({ kind: "response", exchange, attempt, response }, now);
    }
  }
  expect(core.contacts).toEqual([STRANGER]);
});
