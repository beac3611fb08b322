import { basename, join } from "node:path";
import { formatShare } from "../humanize.ts";
import type { Output } from "../terminal/output.ts";
import type { Child } from "./child.ts";
import { Bar, killHalfWay, NOTHING, type Outcome, type Play, sha256 } from "./play.ts";
import type { Stage } from "./stage.ts";

/** Small cells, so that there are many to lose. */
const CELL_BYTES = 2048;

/** The first act: one Map, not trusted, that loses a share of everything; bob is killed. */
export async function playLossyMap(output: Output, stage: Stage, play: Play): Promise<Outcome> {
  const { file, folder, size } = play;
  const inbox = join(folder, "inbox-1");
  const { map, endpoint } = await startMap(stage, play);
  const alice = stage.start("alice", ["send", file, "--map", endpoint]);
  const { ticket } = (await alice.hears(({ event }) => event === "ticket")) ?? NOTHING;
  stage.say(`alice$ culvert send ${basename(file)}`);
  const bar = new Bar(output);
  bar.follow("alice", "acknowledged", alice);
  const receive = ["receive", "-", "--map", endpoint, "--into", inbox];
  const restarts = await killHalfWay(stage, { size, receive, ticket: String(ticket), bar });
  stage.say("bob has it: complete, compared with alice's SHA-256, under its name");
  await alice.succeeds();
  stage.say("alice knows that he has it");
  await tellOfMap(stage, map);
  return { restarts, received: await sha256(join(inbox, basename(file))) };
}

async function startMap(stage: Stage, play: Play): Promise<{ map: Child; endpoint: string }> {
  const { folder, loss, seed } = play;
  const network = ["--listen", "127.0.0.1:0", "--cell", String(CELL_BYTES)];
  const faults = ["--lose", String(loss), "--seed", String(seed)];
  const map = stage.start("map", ["map", ...network, "--store", join(folder, "map"), ...faults]);
  const { endpoints } = (await map.hears(({ event }) => event === "listening")) ?? NOTHING;
  const [endpoint]: unknown[] = Array.isArray(endpoints) ? endpoints : [];
  const share = formatShare(loss, 1);
  stage.say(
    `the Map loses ${share} of all requests, ${share} of all replies, ${share} of all records`,
  );
  return { map, endpoint: String(endpoint) };
}

async function tellOfMap(stage: Stage, map: Child): Promise<void> {
  const stopped = map.hears(({ event }) => event === "stopped");
  await map.kill("SIGTERM");
  const { records, puts, gets } = (await stopped) ?? NOTHING;
  const cells = `${records} cells of ${CELL_BYTES} bytes, one like the other`;
  stage.say(`the Map heard ${puts} puts and ${gets} gets; it holds ${cells}, and no key to any`);
}
