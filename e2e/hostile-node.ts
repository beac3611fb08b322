/**
 * A node that does not keep to the rules, as a process: the real one with a faulty part. Takes the
 * words of `culvert node` that the network of the tests uses, and `--misdeed` with what it does.
 */
import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { SeededRandom } from "../src/base/index.ts";
import { parseListenAddress, parseNodeContact } from "../src/identity/index.ts";
import { LevelRecordStore } from "../src/mapservice/index.ts";
import { NODE_DEFAULTS, startNode, THIS_MACHINE } from "../src/node/index.ts";
import {
  type Hostility,
  hostileMachine,
  hostileStore,
  MISDEEDS,
} from "../src/testing/road/index.ts";

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    listen: { type: "string", default: "" },
    store: { type: "string", default: "node" },
    join: { type: "string" },
    misdeed: { type: "string" },
    /** Greets as a node of another version of the network. */
    network: { type: "string" },
  },
});

function misdeedNamed(name: string | undefined): Hostility | undefined {
  const known = MISDEEDS.find((misdeed) => misdeed === name);
  if (name !== undefined && known === undefined) throw new Error(`no such misdeed: ${name}`);
  return known;
}

const hostility = misdeedNamed(values.misdeed);
const random = new SeededRandom(process.pid);
const { geometry, storage } = NODE_DEFAULTS;
mkdirSync(values.store, { recursive: true });
const store = await LevelRecordStore.open({
  payloadSize: geometry.cellBytes,
  path: `${values.store}/records`,
  entriesMax: storage.entriesMax,
  bytesMax: storage.bytesMax,
});
const machine = hostileMachine(THIS_MACHINE, { hostility, random, network: values.network });
const node = await startNode(
  {
    ...NODE_DEFAULTS,
    directory: values.store,
    listen: values.listen.split(",").map(parseListenAddress),
    bootstrap: values.join?.split(",").map(parseNodeContact) ?? [],
  },
  { machine, store: hostileStore(store, { hostility, random, clock: machine.clock }) },
);
console.log(`others use --nodes ${node.contacts.join(",")}`);
const nodes = await node.joined;
console.log(nodes > 0 ? `joined a network of ${nodes} nodes` : "alone so far");
process.once("SIGTERM", () => void node.close());
