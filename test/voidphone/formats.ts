import {
  encodeApiReply,
  encodeApiRequest,
  encodeOnionNotice,
  encodeOnionRequest,
  encodeRpsPeer,
  encodeRpsQuery,
  FINAL,
  MIDTERM,
  readApiReply,
  readApiRequest,
  readOnionNotice,
  readOnionRequest,
  readRpsPeer,
  readRpsQuery,
} from "../../src/voidphone/index.ts";
import { vector } from "./vectors.ts";

/** One direction of one protocol: what reads its messages, and writes them back. */
export interface Format {
  readonly name: string;
  /** Reads a message and writes what was read. */
  again(message: Uint8Array): Uint8Array;
  /** The beginnings of the names of its vectors. */
  readonly vectors: readonly string[];
  /** Types that it knows. */
  readonly types: readonly number[];
}

export const FORMATS: readonly Format[] = [
  {
    name: "API requests",
    again: (message) => encodeApiRequest(readApiRequest(message)),
    vectors: ["DHT_PUT", "DHT_GET"],
    types: [650, 651],
  },
  {
    name: "API answers",
    again: (message) => encodeApiReply(readApiReply(message)),
    vectors: ["DHT_SUCCESS", "DHT_FAILURE"],
    types: [652, 653],
  },
  {
    name: "midterm requests",
    again: (message) => MIDTERM.encodeRequest(MIDTERM.readRequest(message)),
    vectors: ["MIDTERM 660", "MIDTERM 661", "MIDTERM 662", "MIDTERM 663"],
    types: [660, 661, 662, 663],
  },
  {
    name: "midterm answers",
    again: (message) => MIDTERM.encodeReply(MIDTERM.readReply(message)),
    vectors: ["MIDTERM 670", "MIDTERM 671", "MIDTERM 672", "MIDTERM 673", "MIDTERM 680"],
    types: [670, 671, 672, 673, 680],
  },
  {
    name: "final requests",
    again: (message) => FINAL.encodeRequest(FINAL.readRequest(message)),
    vectors: [
      "RPC_PING 660",
      "RPC_STORE 661",
      "RPC_STORE 661 (peer)",
      "RPC_FIND_NODE 662",
      "RPC_FIND_NODE 662 (peer joining",
      "RPC_FIND_NODE 662 (peer refreshing",
      "RPC_FIND_VALUE 663",
      "RPC_FIND_VALUE 663 (peer)",
    ],
    types: [660, 661, 662, 663],
  },
  {
    name: "final answers",
    again: (message) => FINAL.encodeReply(FINAL.readReply(message)),
    vectors: ["RPC_PING_REPLY", "RPC_FIND_NODE_REPLY", "RPC_FIND_VALUE_REPLY", "DHT_ERROR"],
    types: [670, 672, 673, 680],
  },
  {
    name: "onion requests",
    again: (message) => encodeOnionRequest(readOnionRequest(message)),
    vectors: [
      "ONION_TUNNEL_BUILD 560",
      "ONION_TUNNEL_DESTROY",
      "ONION_TUNNEL_DATA 564 (out",
      "ONION_COVER",
    ],
    types: [560, 563, 564, 566],
  },
  {
    name: "onion notices",
    again: (message) => encodeOnionNotice(readOnionNotice(message)),
    vectors: [
      "ONION_TUNNEL_READY",
      "ONION_TUNNEL_INCOMING",
      "ONION_TUNNEL_DATA 564 (delivered",
      "ONION_ERROR 565 (DATA",
      "ONION_ERROR 565 (COVER",
    ],
    types: [561, 562, 564, 565],
  },
  {
    name: "RPS queries",
    again: (message) => {
      readRpsQuery(message);
      return encodeRpsQuery();
    },
    vectors: ["RPS_QUERY"],
    types: [540],
  },
  {
    name: "RPS answers",
    again: (message) => encodeRpsPeer(readRpsPeer(message)),
    vectors: ["RPS_PEER 541"],
    types: [541],
  },
];

/** The bytes of a format's vectors. */
export function vectorsOf(format: Format): Uint8Array[] {
  return format.vectors.map((name) => vector(name).bytes);
}
