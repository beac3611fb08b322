// One writer and three readers over a Map that loses a tenth of everything: one from the start, one
// that comes late, and one that goes on after it was stopped.
import { Broadcast, capabilityToText, Subscription } from "culvert";
import { LossyTransport, MemoryTransport } from "culvert/transport";

const transport = new LossyTransport(new MemoryTransport(), { loss: 0.1, rttMs: 10 });

async function textOf(subscription: Subscription): Promise<string> {
  let text = "";
  for await (const chunk of subscription) text += chunk;
  return text;
}

const broadcast = new Broadcast(transport);
// What a reader needs is a line of text, and lets it read from here on: nothing before, and no
// writing at all.
const ticket = capabilityToText(broadcast.capability());
const early = textOf(new Subscription(transport, ticket));

broadcast.write("first line\n");
await broadcast.sync(); // it is in the Map, whoever reads it

const late = textOf(new Subscription(transport, broadcast.capability()));
const paused = new Subscription(transport, ticket);
const begun = await new Promise((resolve) => paused.once("data", (chunk) => resolve(`${chunk}`)));
const state = await paused.save();

broadcast.end("second line\n");
await broadcast.close();

const resumed = textOf(await Subscription.load(transport, state));
console.log("early:", JSON.stringify(await early));
console.log("late:", JSON.stringify(await late));
console.log("paused:", JSON.stringify(begun), "and then", JSON.stringify(await resumed));
broadcast.destroy();
