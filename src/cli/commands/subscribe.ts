import { Subscription } from "../../stream/index.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import { requireMap, withMap } from "../connection/connection.ts";
import { SessionStore, sessionId } from "../session/session.ts";
import { runStream } from "../session/stream-run.ts";
import { requireOpenOutput } from "../terminal/closed-output.ts";
import { subscriptionSample } from "../terminal/progress-sample.ts";
import { drain, print } from "../terminal/standard-io.ts";
import { requireTicket } from "../ticket/ticket-source.ts";

/** `culvert subscribe`: a broadcast to stdout, from its beginning or from where this stopped. */
export const subscribe: RunCommand = async (context, [operand], options) => {
  const { output, paths, clock } = context;
  const { secret } = await requireTicket(context, { role: "subscribe", operand, options });
  const map = requireMap(context, options);
  requireOpenOutput(context);
  const sessions = new SessionStore(paths.sessions, clock);
  const id = sessionId("subscribe", secret);
  const found = await sessions.resume(id, map);
  if (found?.record.phase === "done") {
    const hint = `culvert status --forget ${id} lets it begin again`;
    output.tell("over", { id }, `this broadcast has ended, and was read to its end; ${hint}`);
    return;
  }
  await withMap(context, map, async (transport) => {
    const begun = { command: "subscribe", title: "broadcast", map: map.name } as const;
    const session = found ?? (await sessions.create(id, begun));
    const store = session.journals;
    await runStream(
      context,
      {
        session,
        open: () => {
          return Subscription.open({ transport, store, capability: secret, confirm: "manual" });
        },
        sample: (stream: Subscription) => subscriptionSample(stream.progress(), clock),
      },
      (stream) => drain(stream, (chunk) => print(context, chunk)),
    );
    await session.finish();
  });
};
