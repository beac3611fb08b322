import { CulvertError, type ErrorCode, isAbortError } from "../../base/index.ts";
import { rootPublicKey } from "../../crypto/index.ts";
import { systemRandom } from "../../io/random.ts";
import type { Transport } from "../../transport/index.ts";
import type { Context } from "../context.ts";
import { explain } from "../failure.ts";
import type { MapChoice } from "./connection.ts";
import type { OpenMap } from "./open-map.ts";

/** What came of trying one thing. */
export interface Trial {
  readonly what: string;
  /** `skipped` when something that it stands on has failed. */
  readonly outcome: "ok" | "failed" | "skipped";
  readonly detail: string;
  readonly ms: number;
  /** Of a failure. */
  readonly code?: ErrorCode;
  readonly hint?: string;
}

/** A record that is put to see whether it can be got: gone soon. */
const RECORD_TTL_SECONDS = 120;
/** How long a get waits for what was just put, and anything takes at the most. */
const GET_WAIT_MS = 5_000;
const STEP_MS = 30_000;

const PUT = "put a record";
const GET = "get the record";

/**
 * Tries a single Map: to reach it, to put a record, to get that. What fails is told, and nothing is
 * thrown but what the signal says.
 */
export async function* examineMap(context: Context, map: MapChoice): AsyncGenerator<Trial> {
  const opened: OpenMap[] = [];
  yield await attempt(context, `reach the Map ${map.name}`, async () => {
    const reached = await map.open(context);
    opened.push(reached);
    return `cells of ${reached.transport.payloadSize} bytes`;
  });
  const [open] = opened;
  if (open === undefined) {
    for (const what of [PUT, GET]) yield skip(what);
    return;
  }
  try {
    yield* examineRecords(context, open.transport);
  } finally {
    await open.close();
  }
}

/** Tries something, and tells what came of it. */
export async function attempt(
  { clock, stop }: Context,
  what: string,
  run: () => Promise<string>,
): Promise<Trial> {
  const from = clock.now();
  try {
    const detail = await run();
    return { what, outcome: "ok", detail, ms: Math.round(clock.now() - from) };
  } catch (error) {
    stop.throwIfAborted();
    // Then it was the limit of this step that ended it.
    const { code, message, hint } = explain(isAbortError(error) ? tooLong() : error);
    const ms = Math.round(clock.now() - from);
    return { what, outcome: "failed", detail: message, code, hint, ms };
  }
}

async function* examineRecords(context: Context, transport: Transport): AsyncGenerator<Trial> {
  const writeSeed = systemRandom.bytes(32);
  const bound = transport.bind?.({ writeSeed, readRoot: rootPublicKey(writeSeed) }) ?? transport;
  const frame = systemRandom.bytes(32);
  const put = await attempt(context, PUT, async () => {
    const cell = systemRandom.bytes(bound.payloadSize);
    const limits = { ttlSeconds: RECORD_TTL_SECONDS, signal: limitOf(context) };
    const { ttlSeconds } = await bound.put(frame, cell, limits);
    return `kept for ${ttlSeconds} s`;
  });
  yield put;
  yield put.outcome === "ok"
    ? await attempt(context, GET, async () => {
        const limits = { waitMs: GET_WAIT_MS, signal: limitOf(context) };
        return `${(await bound.get(frame, limits)).length} bytes`;
      })
    : skip(GET);
}

function tooLong(): CulvertError {
  return new CulvertError("CULVERT_TIMEOUT", `no end of it after ${STEP_MS / 1_000} s`);
}

function skip(what: string): Trial {
  return { what, outcome: "skipped", detail: "what it stands on has failed", ms: 0 };
}

function limitOf({ clock, stop }: Context): AbortSignal {
  const over = new AbortController();
  const giveUp = (): void => over.abort();
  clock.schedule(clock.now() + STEP_MS, giveUp, { background: true });
  return AbortSignal.any([over.signal, stop]);
}
