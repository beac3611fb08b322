import { basename, join } from "node:path";
import type { Output } from "../terminal/output.ts";
import { type NetworkNode, startNetwork, startNode } from "./nodes.ts";
import { Bar, killHalfWay, NOTHING, type Outcome, type Play, sha256 } from "./play.ts";
import type { Stage } from "./stage.ts";

/** Enough for three relays to be chosen among, and for five keepers of each record. */
const NODES = 8;

/** Nodes that are killed while the cells wait for bob; never those that he begins with. */
const KILLED = 2;

/**
 * The second act: a network of nodes. Alice has left before bob comes; each way leads through three
 * relays; nodes are killed, and bob too.
 */
export async function playNetwork(output: Output, stage: Stage, play: Play): Promise<Outcome> {
  const { file, folder, size } = play;
  const name = basename(file);
  const inbox = join(folder, "inbox-2");
  const nodes = await startNetwork(stage, { count: NODES, folder });
  stage.say(`${NODES} nodes are up: they keep records, relay, and are trusted with nothing`);
  const network = nodes
    .slice(0, 2)
    .map(({ contact }) => contact)
    .join(",");
  const bar = new Bar(output);
  const alice = stage.start("alice", ["send", file, "--detach", "--nodes", network]);
  const ticket = alice.hears(({ event }) => event === "ticket");
  bar.follow("alice", "stored", alice);
  stage.say(`alice$ culvert send ${name} --detach   through three relays, five keepers a cell`);
  const { ticket: words } = (await ticket) ?? NOTHING;
  await alice.succeeds();
  stage.say("alice has left: everything is stored, and signed for by three keepers of each cell");

  const victims = nodes.slice(NODES - KILLED);
  await Promise.all(victims.map(({ child }) => child.kill("SIGKILL")));
  stage.say(`${KILLED} nodes are killed (kill -9), with all that they keep and relay`);
  const receive = ["receive", "-", "--nodes", network, "--into", inbox];
  const killedBob = await killHalfWay(stage, { size, receive, ticket: String(words), bar });
  stage.say("bob has it: complete, compared with alice's SHA-256, under its name");
  const again = await restart(stage, victims, { folder, bootstrap: nodes[0]?.contact });
  stage.say("the killed nodes are back, under their old names and with their records");
  await tellOfNodes(stage, [...nodes.slice(0, NODES - KILLED), ...again]);
  const received = await sha256(join(inbox, name));
  return { restarts: killedBob + KILLED, received };
}

async function restart(
  stage: Stage,
  victims: readonly NetworkNode[],
  options: { readonly folder: string; readonly bootstrap: string | undefined },
): Promise<NetworkNode[]> {
  return await Promise.all(victims.map(({ name }) => startNode(stage, name, options)));
}

/** What each party could see, by its own count. */
async function tellOfNodes(stage: Stage, nodes: readonly NetworkNode[]): Promise<void> {
  const ends = nodes.map(({ child }) => child.hears(({ event }) => event === "stopped"));
  await Promise.all(nodes.map(({ child }) => child.kill("SIGTERM")));
  const events = await Promise.all(ends);
  const records = events.map((event) => {
    const { records: count = 0 } = event ?? NOTHING;
    return Number(count);
  });
  const [least, most] = [Math.min(...records), Math.max(...records)];
  stage.say(`each node kept ${least} to ${most} sealed cells of one size, and no key to any`);
  stage.say("a keeper saw addresses and exits; an exit some cells; a guard who, but not what");
}
