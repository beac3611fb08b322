import {
  BYTES,
  cborMessage,
  clientStream,
  duplex,
  PeerLinks,
  paged,
  type RequestCarrier,
  Requests,
  RpcNode,
  raw,
  Service,
  serverStream,
  TEXT,
  unary,
  walkPages,
} from "culvert/rpc";
import { describe, it } from "vitest";
import { VirtualClock } from "../../src/testing/index.ts";
import { expectAllRefused, given, ODD, oddBut } from "../odd-arguments.ts";

/** Given to nobody, these are left out. */
const OPTIONAL = oddBut(undefined);
const NO_OBJECT: readonly unknown[] = [null, 0, "x", Symbol("s"), 1n, true];
const NO_TIME: readonly unknown[] = [...OPTIONAL, -1, Number.NaN];

const peer = new Uint8Array(32);
const carrier: RequestCarrier = {
  isReliable: false,
  start: () => {},
  send: (_peer, _bytes, unsent) => queueMicrotask(unsent),
  close: async () => {},
};
const streams = { openStream: () => new Promise<never>(() => {}), onStream: () => {} };
const clock = new VirtualClock();
const manifest = {
  greet: unary({ request: TEXT, reply: TEXT }),
  tail: serverStream({ request: TEXT, down: BYTES }),
  upload: clientStream({ up: BYTES, reply: TEXT }),
  chat: duplex({ up: TEXT, down: TEXT }),
  tunnel: raw({ request: TEXT }),
};

/** The first item. */
async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

it("a method says how its values cross", async () => {
  const all = { request: TEXT, reply: TEXT, up: TEXT, down: TEXT };
  for (const [declare, ...names] of [
    [(it: never) => unary(it), "request", "reply"],
    [(it: never) => serverStream(it), "request", "down"],
    [(it: never) => clientStream(it), "up", "reply"],
    [(it: never) => duplex(it), "up", "down"],
    [(it: never) => raw(it), "request"],
  ] as const) {
    await expectAllRefused([undefined, ...NO_OBJECT], "codecs must be an object", declare);
    for (const name of names) {
      await expectAllRefused(ODD, `${name} must be an object with encode and decode`, (it) => {
        return declare(given({ ...all, [name]: it }));
      });
    }
  }
  for (const name of ["query", "item"]) {
    await expectAllRefused(ODD, `${name} must be an object with encode and decode`, (it) => {
      return paged({ query: TEXT, item: TEXT, [name]: it });
    });
  }
  await expectAllRefused(ODD, "parse must be a function", (it) => cborMessage(it));
  await expectAllRefused(ODD, "what is sent must be a Uint8Array", (it) => BYTES.encode(it));
  await expectAllRefused(oddBut("x"), "what is sent must be a text", (it) => TEXT.encode(it));
});

describe("a node of calls", () => {
  const make = (changed: object) => new RpcNode({ carrier, streams, clock, ...changed });

  it("is over carriers, with a service, middleware and limits that are some", async () => {
    await expectAllRefused([undefined, null, 0], "components must be", (it) => new RpcNode(it));
    await expectAllRefused(ODD, "carrier must be an object with", (it) => make({ carrier: it }));
    for (const name of ["streams", "service", "random"]) {
      await expectAllRefused(OPTIONAL, `${name} must be an object with`, (it) =>
        make({ [name]: it }),
      );
    }
    await expectAllRefused(oddBut(undefined), "clock must be an object with", (it) => {
      return make({ clock: it });
    });
    const lists = OPTIONAL.filter((value) => !Array.isArray(value));
    await expectAllRefused(lists, "middleware must be an array", (it) => make({ middleware: it }));
    await expectAllRefused(ODD, "each middleware must be", (it) => make({ middleware: [it] }));
    for (const name of ["requests", "streams"]) {
      await expectAllRefused(NO_OBJECT, "limits must be an object", (it) => {
        return new RpcNode({ carrier, streams }, { [name]: it });
      });
    }
    const service = (changed: object) => Service.of({}, {}, { ...changed });
    await expectAllRefused(NO_OBJECT, "manifest must be an object", (it) =>
      Service.of(it, given({})),
    );
    await expectAllRefused(NO_OBJECT, "handlers must be an object", (it) => {
      return Service.of<Record<never, never>>({}, it);
    });
    await expectAllRefused(ODD, "must be", (it) => Service.of({ it }, given({ it: () => {} })));
    await expectAllRefused(ODD, "has no handler", (it) =>
      Service.of(manifest, given({ greet: it })),
    );
    await expectAllRefused(lists, "middleware must be an array", (it) =>
      service({ middleware: it }),
    );
  });

  it("calls the methods of a manifest at a peer", async () => {
    const node = make({});
    await expectAllRefused([undefined, ...NO_OBJECT], "manifest must be an object", (it) => {
      return node.caller(it, peer);
    });
    await expectAllRefused(ODD, "must be", (it) => node.caller({ it }, peer));
    await expectAllRefused(ODD, "peer must be a Uint8Array", (it) => node.caller(manifest, it));
    await expectAllRefused([new Uint8Array(31)], "peer has 32 bytes", (it) => {
      return node.caller(manifest, it);
    });
  });

  it("is told how to call, where the call is waited for", async () => {
    const node = make({});
    const call = node.caller(manifest, peer);
    for (const by of [
      (options: object) => call.greet("", options),
      (options: object) => first(call.tail("", options)),
      (options: object) => call.upload([], options),
      (options: object) => first(call.chat([], options)),
      (options: object) => call.tunnel("", options),
    ]) {
      await expectAllRefused(NO_OBJECT, "options must be an object", by);
      await expectAllRefused(OPTIONAL, "signal must be", (signal) => by({ signal }));
      for (const name of ["totalMs", "firstMs", "betweenMs"]) {
        await expectAllRefused(NO_TIME, `${name} is a positive time`, (it) => by({ [name]: it }));
      }
      await expectAllRefused(NO_OBJECT, "meta must be an object", (meta) => by({ meta }));
      await expectAllRefused(oddBut("x"), "of meta must be a text", (it) => by({ meta: { it } }));
      await expectAllRefused(OPTIONAL, "onLate must be a function", (onLate) => by({ onLate }));
    }
    const none = oddBut("x").filter((value) => !Array.isArray(value));
    await expectAllRefused(none, "items must be iterable", (it) => call.upload(it));
    await expectAllRefused(none, "items must be iterable", (it) => first(call.chat(it)));
  });

  it("is closed in its time: what was no time left a rejection that nobody heard", async () => {
    const node = make({});
    await expectAllRefused(NO_OBJECT, "options must be an object", (it) => node.close(it));
    await expectAllRefused([...oddBut(undefined, 0), -1], "drainMs must be", (drainMs) => {
      return node.close({ drainMs });
    });
    await clock.runPromise(node.close());
  });
});

it("requests are over a carrier, of bytes, to a peer", async () => {
  const handler = () => new Uint8Array(0);
  const parts = { carrier, handler, clock };
  await expectAllRefused([undefined, null, 0], "components must be", (it) => new Requests(it));
  await expectAllRefused(ODD, "handler must be a function", (it) => {
    return new Requests({ ...parts, handler: it });
  });
  const requests = new Requests(parts);
  await expectAllRefused(NO_OBJECT, "options must be an object", (it) => requests.close(it));
  const body = new Uint8Array(1);
  const ask = (options: object) => requests.request(peer, "ask", body, options);
  await expectAllRefused(ODD, "peer must be", (it) => requests.request(it, "ask", body));
  await expectAllRefused(oddBut("x"), "a type is a short name", (it) => {
    return requests.request(peer, it, body);
  });
  await expectAllRefused([...ODD, new Float64Array(1)], "body must be a Uint8Array", (it) => {
    return requests.request(peer, "ask", it);
  });
  await expectAllRefused(NO_OBJECT, "options must be an object", ask);
  await expectAllRefused(NO_TIME, "hardMs is a positive time", (hardMs) => ask({ hardMs }));
  await expectAllRefused(NO_TIME, "softMs is a positive time", (softMs) => ask({ softMs }));
  await expectAllRefused(OPTIONAL, "onLate must be a function", (onLate) => ask({ onLate }));
  await expectAllRefused(OPTIONAL, "meta must be a Uint8Array", (meta) => ask({ meta }));
  await clock.runPromise(requests.close());
});

it("links of peers are dialled by somebody", async () => {
  const dialler = { dial: () => new Promise<never>(() => {}), onLink: () => () => {} };
  await expectAllRefused(ODD, "dialler must be an object with", (it) => new PeerLinks(it));
  await expectAllRefused(
    NO_OBJECT,
    "options must be an object",
    (it) => new PeerLinks(dialler, it),
  );
  await expectAllRefused([null, 0, "x", -1], "bodyBytesMax must be", (bodyBytesMax) => {
    return new PeerLinks(dialler, { bodyBytesMax });
  });
  const links = new PeerLinks(dialler, { clock });
  await expectAllRefused(ODD, "peer must be a Uint8Array", (it) => links.openStream(it));
  await expectAllRefused(NO_OBJECT, "options must be an object", (it) =>
    links.openStream(peer, it),
  );
  await expectAllRefused(OPTIONAL, "signal must be", (signal) =>
    links.openStream(peer, { signal }),
  );
  await links.close();
});

it("a walk goes through pages of some items", async () => {
  const call = async () => ({ items: [1] });
  await expectAllRefused(ODD, "call must be a function", (it) => first(walkPages(it, "")));
  const walk = (options: object) => first(walkPages(call, "", options));
  await expectAllRefused(NO_OBJECT, "options must be an object", walk);
  await expectAllRefused(
    [...OPTIONAL, 1.5, 1_025],
    "pageItems must be a whole number",
    (pageItems) => walk({ pageItems }),
  );
  await expectAllRefused(OPTIONAL, "after must be a Uint8Array", (after) => walk({ after }));
  await expectAllRefused(OPTIONAL, "onCursor must be a function", (onCursor) => walk({ onCursor }));
});
