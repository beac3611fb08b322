import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runProgram } from "../../src/cli/arguments/program.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { explain } from "../../src/cli/failure.ts";
import { findPaths } from "../../src/cli/paths.ts";
import { Output } from "../../src/cli/terminal/output.ts";
import { systemClock } from "../../src/io/clock.ts";
import { contactOf, InProcessNetwork } from "./in-process-network.ts";

/** Enough for three relays and an exit that is none of them, twice. */
const NODES = 6;

interface Report {
  /** Of each finding, in their order: `layer outcome`. */
  readonly findings: readonly string[];
  readonly hints: readonly string[];
  readonly exit: number;
}

describe("culvert doctor", () => {
  const network = new InProcessNetwork();
  let home = "";
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "culvert-doctor-"));
    await network.start(NODES);
  });
  afterAll(async () => {
    await network.stop();
    await rm(home, { recursive: true, force: true });
  });

  async function doctor(nodes: readonly string[], state = home): Promise<Report> {
    let written = "";
    const screen = new Writable({
      write: (chunk, _encoding, done) => {
        written += String(chunk);
        done();
      },
    });
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
    const env = { XDG_STATE_HOME: state };
    const how = { json: true, verbose: false, env };
    const output = new Output({ stdout: screen, stderr: silent, ...how });
    const named = nodes.length === 0 ? [] : ["--nodes", nodes.join(",")];
    let exit = 0;
    try {
      await runProgram(["doctor", "--json", ...named], COMMANDS, () => ({
        commands: COMMANDS,
        env,
        paths: findPaths(env, () => home),
        output,
        clock: systemClock,
        stop: new AbortController().signal,
        umask: 0o022,
        stdin: process.stdin,
        stdout: screen,
        stderr: silent,
        self: ["culvert"],
      }));
    } catch (error) {
      exit = explain(error).exit;
    }
    const events = written
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const findings = events.filter(({ event }) => event === "finding");
    return {
      findings: findings.map(({ layer, outcome }) => `${layer} ${outcome}`),
      hints: findings.flatMap(({ hint }) => (hint === null ? [] : [hint])),
      exit,
    };
  }

  it("finds a network well, layer by layer", async () => {
    const [first] = network.nodes;
    if (first === undefined) throw new Error("a node");
    expect(await doctor([contactOf(first)])).toEqual({
      findings: [
        ...["state ok", "udp ok", "tcp ok", "node ok", "node ok", "clock ok", "geometry ok"],
        ...["join ok", "direct ok", "direct ok", "circuit ok", "onion ok", "onion ok"],
      ],
      hints: [],
      exit: 0,
    });
  });

  it("tells a node that is gone from one that is another, and leaves with 5", async () => {
    const [first] = network.nodes;
    if (first === undefined) throw new Error("a node");
    const liar = contactOf(first).replace(/^../, "00");
    const gone = `${first.name}@tcp://127.0.0.1:9`;
    const { findings, hints, exit } = await doctor([liar, gone]);
    expect(exit).toBe(5);
    expect(findings).toEqual([
      ...["state ok", "udp ok", "tcp ok", "node failed", "node failed", "clock skipped"],
      ...["geometry skipped", "join skipped", "direct skipped", "direct skipped"],
      ...["circuit skipped", "onion skipped", "onion skipped"],
    ]);
    expect(hints).toHaveLength(2);
  });

  it("names a state folder that cannot be written", async () => {
    const file = join(home, "file");
    await writeFile(file, "");
    const { findings, exit } = await doctor([], file);
    expect(findings.slice(0, 3)).toEqual(["state failed", "udp ok", "tcp ok"]);
    expect(exit).toBe(1);
  });
});
