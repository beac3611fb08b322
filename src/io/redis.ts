import { createHash } from "node:crypto";
import { Cluster, Redis } from "ioredis";
import { CulvertError, isCulvertError, onAbort, throwIfAborted } from "../base/index.ts";
import { errorCode } from "./error-code.ts";

/** What a script may answer: numbers, bytes, nothing, or a list of them. */
export type RedisReply = number | Uint8Array | null | readonly RedisReply[];

/** A script of the engine's own language, and the name that the engine knows it by. */
export interface RedisScript {
  readonly lua: string;
  readonly sha1: string;
}

/** A Redis or Valkey server, or a cluster, reduced to what a store needs: atomic scripts. */
export interface RedisEngine {
  /**
   * Runs a script, all of whose keys are in one slot. Scripts for one slot run in the order of the
   * calls. Keys and arguments are borrowed until the promise settles.
   *
   * @throws CulvertError `CULVERT_FULL` when the engine has no memory left, `CULVERT_UNREACHABLE`
   *   when it does not answer, `CULVERT_USAGE` when it does not let this user do that,
   *   `CULVERT_INTERNAL` for anything else that it says
   */
  run(
    script: RedisScript,
    keys: readonly (string | Uint8Array)[],
    args: readonly (string | number | Uint8Array)[],
  ): Promise<RedisReply>;
  /** Ends the connection after what was asked for. */
  close(): Promise<void>;
  /** Cuts the connection: what is under way fails. */
  cut(): void;
}

/** Time for a connection, and for an answer. */
const ANSWER_MS = 10_000;
const RETRIES_MAX = 3;

/** A script by its text. */
export function redisScript(lua: string): RedisScript {
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}

/**
 * Connects to `redis://HOST:PORT` (or `rediss://`), or with more than one address to the cluster
 * that these nodes belong to.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE`; `CULVERT_USAGE` also for a wrong password, and for an
 *   engine that drops keys when its memory is full
 * @throws Error `AbortError`
 */
export async function connectRedis(
  urls: readonly string[],
  signal?: AbortSignal,
): Promise<RedisEngine> {
  const [first, ...more] = urls;
  if (first === undefined || !urls.every((url) => /^rediss?:\/\/\S+$/.test(url))) {
    throw new CulvertError("CULVERT_USAGE", "a Redis server is written redis://HOST:PORT");
  }
  const settings = {
    lazyConnect: true,
    connectTimeout: ANSWER_MS,
    commandTimeout: ANSWER_MS,
    // A request that is given up stays in the client until its connection ends.
    socketTimeout: ANSWER_MS,
    maxRetriesPerRequest: RETRIES_MAX,
  };
  const client =
    more.length === 0
      ? new Redis(first, settings)
      : new Cluster([...urls], { lazyConnect: true, redisOptions: settings });
  // Every failure reaches whoever asked; without a listener it would end the process as well. Why
  // no connection could be made is told here, and nowhere else.
  let reason: unknown;
  client.on("error", (error: unknown) => {
    reason = error;
  });
  const leave = onAbort(signal, () => client.disconnect());
  try {
    throwIfAborted(signal);
    await client.connect();
    await refuseDropping(client);
  } catch (error) {
    client.disconnect();
    throwIfAborted(signal);
    throw isCulvertError(error) ? error : failure(reason ?? error);
  } finally {
    leave();
  }
  return new ScriptEngine(client);
}

/** Nobody would hear of what is dropped, and it was confirmed. */
async function refuseDropping(client: Redis | Cluster): Promise<void> {
  const servers = client instanceof Cluster ? client.nodes("master") : [client];
  // Who may not ask is trusted.
  const told = await Promise.all(servers.map((server) => server.info("memory").catch(() => "")));
  const drops = (info: string): boolean =>
    /^maxmemory:[1-9]/m.test(info) && /^maxmemory_policy:(?!noeviction)/m.test(info);
  if (!told.some(drops)) return;
  const message = "the Redis server drops records when it is full: set maxmemory-policy noeviction";
  throw new CulvertError("CULVERT_USAGE", message);
}

class ScriptEngine implements RedisEngine {
  readonly #client: Redis | Cluster;

  constructor(client: Redis | Cluster) {
    this.#client = client;
  }

  async run(
    { lua, sha1 }: RedisScript,
    keys: readonly (string | Uint8Array)[],
    args: readonly (string | number | Uint8Array)[],
  ): Promise<RedisReply> {
    const words = [keys.length, ...keys.map(asWord), ...args.map(asWord)];
    try {
      return plain(await this.#client.callBuffer("EVALSHA", sha1, ...words));
    } catch (error) {
      if (!isUnknownScript(error)) throw failure(error);
    }
    try {
      return plain(await this.#client.callBuffer("EVAL", lua, ...words));
    } catch (error) {
      throw failure(error);
    }
  }

  async close(): Promise<void> {
    await this.#client.quit().catch(() => this.#client.disconnect());
  }

  cut(): void {
    this.#client.disconnect();
  }
}

function asWord(word: string | number | Uint8Array): string | number | Buffer {
  if (!(word instanceof Uint8Array)) return word;
  return Buffer.from(word.buffer, word.byteOffset, word.length);
}

/** The client's Buffers as bytes of their own. */
function plain(reply: unknown): RedisReply {
  if (Array.isArray(reply)) return reply.map(plain);
  if (reply instanceof Uint8Array) return new Uint8Array(reply);
  return typeof reply === "number" ? reply : null;
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/** The client hangs its request on an error, and the request that begins all has the password. */
function failure(error: unknown): CulvertError {
  const { name, message, code } = saidBy(error);
  const cause = new Error(message);
  if (message.startsWith("OOM")) return new CulvertError("CULVERT_FULL", undefined, { cause });
  if (/^(NOAUTH|NOPERM|WRONGPASS)/.test(message)) {
    return new CulvertError("CULVERT_USAGE", REFUSED, { cause });
  }
  const isPassing = /^(CLUSTERDOWN|LOADING|MASTERDOWN|READONLY|TRYAGAIN)/.test(message);
  if (name === "ReplyError" && !isPassing) {
    return new CulvertError("CULVERT_INTERNAL", "the Redis server refused a script", { cause });
  }
  const why = code === undefined ? "" : ` (${code})`;
  return new CulvertError("CULVERT_UNREACHABLE", `the Redis server does not answer${why}`, {
    cause,
  });
}

const REFUSED = "the Redis server refuses this user: look at the name and password in its address";

/** What went wrong; with a cluster that is what the last of its nodes has said. */
function saidBy(error: unknown): Pick<Error, "name" | "message"> & { code?: string | undefined } {
  if (!(error instanceof Error)) return { name: "", message: "" };
  if ("lastNodeError" in error && error.lastNodeError instanceof Error) {
    return saidBy(error.lastNodeError);
  }
  const { name, message } = error;
  return { name, message, code: errorCode(error) };
}
