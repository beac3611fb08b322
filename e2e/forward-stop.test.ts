import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { type Culvert, Machine } from "./culvert.ts";

const TICKET = /culvert1[a-z0-9]+/;

/** A connection through both ends, that neither has ended: as those who have it see it. */
interface Carried {
  readonly near: Culvert;
  readonly far: Culvert;
  readonly atTarget: Socket;
  readonly atEntrance: Socket;
  /** Starts the end that has the target again. */
  readonly resumeNear: () => Culvert;
  /** Starts the other one again. */
  readonly resumeFar: () => Promise<void>;
  /** One more connection, and what it hears first. */
  readonly ask: () => Promise<string>;
}

async function withConnection(work: (carried: Carried) => Promise<void>): Promise<void> {
  await using machine = await Machine.create();
  const { endpoint } = await machine.map("--memory", "--cell", "2048");
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => socket.write(bytes));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const to = ["forward", "--to", `127.0.0.1:${port}`, "--map", endpoint];
  const near = machine.culvert(...to, "--json");
  const [, id = ""] = await near.says(/"id":"([^"]+)"/);
  const [ticket] = await near.says(TICKET);
  let entrance = 0;
  const begin = async (): Promise<Culvert> => {
    const words = ["forward", ticket, "--listen", "127.0.0.1:0", "--map", endpoint];
    const end = machine.culvert(...words);
    const [, told] = await end.says(/connections to 127\.0\.0\.1:(\d+)/);
    entrance = Number(told);
    return end;
  };
  const far = await begin();
  const open = (): Socket => connect(entrance, "127.0.0.1").on("error", () => {});
  const atEntrance = open();
  const arrived = once(server, "connection");
  atEntrance.write("hello");
  await once(atEntrance, "data");
  const [atTarget] = (await arrived) as [Socket];
  const ask = async (): Promise<string> => {
    const socket = open();
    socket.write("again");
    const [answer] = await once(socket, "data");
    socket.destroy();
    return String(answer);
  };
  const resumeNear = (): Culvert => machine.culvert(...to, "--resume", id);
  const resumeFar = async (): Promise<void> => void (await begin());
  await work({ near, far, atTarget, atEntrance, resumeNear, resumeFar, ask });
  server.close();
}

/** Ctrl-C; what is told there is told in time. */
async function stop(end: Culvert): Promise<void> {
  end.process.kill("SIGINT");
  expect(await end.ended).toEqual({ code: 130, signal: null });
  expect(end.stdout + end.stderr).not.toContain("could not be told");
}

async function closing(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}

test("connections are cut at the other side when the end with the target is stopped", async () => {
  await withConnection(async ({ near, far, atTarget, atEntrance, resumeNear, ask }) => {
    const cut = Promise.all([closing(atEntrance), closing(atTarget)]);
    await stop(near);
    await cut;
    await far.says(/the other side has left/);
    // What comes meanwhile waits, and is carried.
    const answer = ask();
    resumeNear();
    expect(await answer).toBe("again");
  });
}, 120_000);

test("so they are when the end that takes connections is stopped", async () => {
  await withConnection(async ({ near, far, atTarget, resumeNear, resumeFar, ask }) => {
    const cut = closing(atTarget);
    await stop(far);
    await cut;
    await near.says(/"what":"left"/);
    // Nobody is there any more who could be told.
    await stop(near);
    resumeNear();
    await resumeFar();
    expect(await ask()).toBe("again");
  });
}, 120_000);
