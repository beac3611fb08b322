import { expect } from "vitest";
import type { SeededRandom } from "../src/base/index.ts";
import type { Culvert } from "./culvert.ts";
import { TICKET } from "./road-scene.ts";

/** A transfer of one file, and how it is treated. */
export interface TransferPlan {
  /** Starts the sender, also again; what it sends is the same each time. */
  readonly send: () => Culvert;
  readonly receive: (ticket: string) => Culvert;
  /** Killed so often it is left in peace at last: another transfer takes its place. */
  readonly killsMax: number;
  /** Time to get something done between two kills, often in the middle of it. */
  readonly lifeMs: { readonly min: number; readonly max: number };
  /** Kills and restarts others between them, as often as both sides together; nobody if absent. */
  readonly killOther?: () => Promise<unknown>;
}

/** Waits for a process that does what it should. */
export async function expectDone(culvert: Culvert): Promise<void> {
  expect((await culvert.ended).code, culvert.stderr).toBe(0);
}

async function kill(victim: Culvert): Promise<void> {
  victim.process.kill("SIGKILL");
  await victim.ended;
}

/** One transfer whose parties are killed at random until both sides are done. Says how often. */
export async function killedTransfer(random: SeededRandom, plan: TransferPlan): Promise<number> {
  const { killsMax, lifeMs, killOther } = plan;
  let sender = plan.send();
  const [ticket] = await sender.says(TICKET);
  let receiver = plan.receive(ticket);
  let kills = 0;
  // A sender that is killed between its last word and its end begins anew, with another ticket.
  let hasBegunAnew = false;
  while (kills < killsMax && !hasBegunAnew) {
    const waitMs = lifeMs.min + random.below(lifeMs.max - lifeMs.min);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (sender.hasEnded || receiver.hasEnded) break;
    kills += 1;
    const victim = random.below(killOther === undefined ? 2 : 4);
    if (victim === 0) {
      await kill(receiver);
      receiver = plan.receive(ticket);
    } else if (victim === 1) {
      await kill(sender);
      sender = plan.send();
      hasBegunAnew = (await sender.says(TICKET))[0] !== ticket;
    } else await killOther?.();
  }
  await expectDone(receiver);
  if (hasBegunAnew) await kill(sender);
  else await expectDone(sender);
  return kills;
}
