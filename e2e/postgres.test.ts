import { once } from "node:events";
import { createConnection } from "node:net";
import { pair } from "culvert/testing";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PostgresProcess, postgresPrograms } from "./postgres-process.ts";

const programs = await postgresPrograms();
if (programs === undefined) console.warn("postgresql is not installed: pg is not tested");

const PASSWORD = "a secret of this test";

/** A session with the server over a Map that loses a fifth of everything, and its end. */
async function session(server: PostgresProcess, use: (client: Client) => Promise<void>) {
  const { a, b, close } = await pair({
    loss: 0.2,
    rtt: 50,
    seed: 15,
    open: { allowHalfOpen: false },
  });
  const socket = createConnection(server.path);
  await once(socket, "connect");
  b.pipe(socket).pipe(b);
  // The server may leave first; a pipe stops then, and the client's end would never be read.
  socket.once("close", () => b.resume());
  const closed = Promise.all([a, b, socket].map((end) => once(end, "close")));
  const options = { user: "culvert", database: "postgres", password: PASSWORD };
  const client = new Client({ ...options, stream: () => a });
  try {
    await client.connect();
    await use(client);
    await client.end();
    await closed;
  } finally {
    socket.destroy();
    await close();
  }
}

describe.runIf(programs !== undefined)("pg over a Map that loses 20 % at 50 ms", () => {
  let server: PostgresProcess;
  beforeAll(async () => {
    server = await PostgresProcess.start(programs ?? "", PASSWORD);
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose](), 60_000);

  it("signs in, asks, and is answered", async () => {
    await session(server, async (client) => {
      const { rows } = await client.query("select version() as version, 6 * 7 as answer");
      expect(rows).toEqual([{ version: expect.stringContaining("PostgreSQL"), answer: 42 }]);
    });
  });

  it("prepares a statement once, and executes it with what it is given", async () => {
    await session(server, async (client) => {
      const text = "select $1::int * 2 as twice, $2::bytea as bytes";
      for (const n of [1, 2, 3]) {
        const bytes = Buffer.from([0, n, 255]);
        const { rows } = await client.query({ name: "twice", text, values: [n, bytes] });
        expect(rows).toEqual([{ twice: 2 * n, bytes }]);
      }
      const prepared = await client.query("select name, statement from pg_prepared_statements");
      expect(prepared.rows).toEqual([{ name: "twice", statement: text }]);
    });
  });

  it("takes a thousand rows and gives them back in order", async () => {
    await session(server, async (client) => {
      await client.query("create table cells (n int primary key, content text not null)");
      const numbers = Array.from({ length: 1_000 }, (_, n) => n);
      const contents = numbers.map((n) => `cell ${n} `.repeat(1 + (n % 9)));
      const insert = "insert into cells select * from unnest($1::int[], $2::text[])";
      expect((await client.query(insert, [numbers, contents])).rowCount).toBe(1_000);
      const { rows } = await client.query("select n, content from cells order by n");
      expect(rows).toEqual(numbers.map((n) => ({ n, content: contents[n] })));
    });
  });

  it("is told of an error, and goes on", async () => {
    await session(server, async (client) => {
      const wrong = client.query("select * from nowhere");
      await expect(wrong).rejects.toMatchObject({ code: "42P01", severity: "ERROR" });
      const { rows } = await client.query("select 1 as still");
      expect(rows).toEqual([{ still: 1 }]);
    });
  });

  it("rolls a transaction back, commits another one, and both sessions agree", async () => {
    const total = "select coalesce(sum(amount), 0)::int as total from accounts";
    await session(server, async (client) => {
      await client.query("create table accounts (amount int not null check (amount >= 0))");
      await client.query("begin");
      await client.query("insert into accounts values (10)");
      const wrong = client.query("insert into accounts values (-1)");
      await expect(wrong).rejects.toMatchObject({ code: "23514" });
      await client.query("rollback");
      expect((await client.query(total)).rows).toEqual([{ total: 0 }]);
      await client.query("begin");
      await client.query("insert into accounts values (3), (4)");
      await client.query("commit");
    });
    await session(server, async (client) => {
      expect((await client.query(total)).rows).toEqual([{ total: 7 }]);
    });
  });
});
