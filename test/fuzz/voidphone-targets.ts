import { equalBytes, SILENT } from "../../src/base/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import {
  apiGateway,
  FINAL,
  type Gateway,
  MIDTERM,
  peerGateway,
  Session,
} from "../../src/voidphone/index.ts";
import { MESSAGE_BYTES_MAX } from "../../src/voidphone/message.ts";
import { ReplyReader } from "../../src/voidphone/peer/call-peer.ts";
import { FORMATS, vectorsOf } from "../voidphone/formats.ts";
import { RememberingNode } from "../voidphone/gateway-rig.ts";
import { VECTORS } from "../voidphone/vectors.ts";
import { type FuzzTarget, refusedOr } from "./fuzz.ts";
import { PeerNetworkLife } from "./peer-network-life.ts";

/** What is read is written so that it is read again as the same. */
const formats = FORMATS.map((format): FuzzTarget => {
  return {
    name: format.name,
    seeds: vectorsOf(format),
    run: (bytes, dice) => {
      const message = bytes.slice();
      // Most mutations would end at a size field that is wrong.
      if (message.length >= 4 && message.length <= MESSAGE_BYTES_MAX && dice.below(4) > 0) {
        new DataView(message.buffer).setUint16(0, message.length);
      }
      const again = refusedOr(["CULVERT_PROTOCOL"], () => format.again(message));
      if (again === undefined) return;
      if (!equalBytes(format.again(again), again)) throw new Error("not read so again");
    },
  };
});

/** A whole session, with whatever a client sends; then it goes away. */
function sessionTarget<Request>(
  name: string,
  gatewayOf: (node: RememberingNode) => Gateway<Request>,
): FuzzTarget {
  const node = new RememberingNode();
  node.contact = { id: new Uint8Array(32).fill(7), host: "192.0.2.1", port: 1 };
  const gateway = gatewayOf(node);
  return {
    name,
    seeds: VECTORS.map(({ bytes }) => bytes),
    run: (bytes, dice) => {
      node.clear();
      const clock = new VirtualClock();
      let unsentBytes = 0;
      const session = new Session<Request>(
        {
          gateway,
          clock,
          log: SILENT,
          port: {
            write: (written) => {
              unsentBytes += written.length;
            },
            get unsentBytes() {
              return unsentBytes;
            },
            setReading: () => {},
            close: () => {},
          },
          onEnd: () => {},
        },
        { source: "s", remoteHost: "192.0.2.1" },
      );
      const cut = dice.below(bytes.length + 1);
      session.receive(bytes.slice(0, cut));
      session.receive(bytes.slice(cut));
      clock.advance(100_000);
      session.closed();
      if (clock.pending > 0) throw new Error("a session that is over has timers");
    },
  };
}

const life = new PeerNetworkLife(17);

/** Parsers and sessions of the VoidPhone dialects, and a client among their peers. */
export const VOIDPHONE_TARGETS: readonly FuzzTarget[] = [
  ...formats,
  sessionTarget("API session", apiGateway),
  sessionTarget("midterm session", (node) => peerGateway(MIDTERM, node)),
  sessionTarget("final session", (node) => peerGateway(FINAL, node)),
  {
    name: "answers of a peer",
    seeds: VECTORS.map(({ bytes }) => bytes),
    run: (bytes) => {
      for (const dialect of [MIDTERM, FINAL]) {
        const reader = new ReplyReader(dialect, new Uint8Array(32));
        refusedOr(["CULVERT_PROTOCOL"], () => reader.push(bytes.slice()));
      }
    },
  },
  {
    name: "client of a foreign network",
    seeds: [],
    make: () => new Uint8Array(0),
    run: (_bytes, dice) => life.next(dice),
  },
];
