import type { CommandSpec } from "./arguments/command-spec.ts";
import type { OptionSpec } from "./arguments/command-text.ts";
import { SHELLS } from "./arguments/completion.ts";

const MAP: OptionSpec = {
  flags: "--map <endpoint>",
  summary:
    "the Map to use: HOST:PORT, unix:PATH, or mainline, which sees your IP address " +
    "(default: CULVERT_MAP)",
};
const NODES: OptionSpec = {
  flags: "--nodes <list>",
  summary: "nodes to begin with: ID@udp://HOST:PORT, separated by commas (default: CULVERT_NODES)",
};
const VIA: OptionSpec = {
  flags: "--via <road>",
  summary: "onion, which hides who asks, or direct (default: onion)",
};
const EXIT_CELLS: OptionSpec = {
  flags: "--exit-cells <number>",
  summary: "cells of a stream that one exit may see in an hour; more is faster (default: 23)",
};
/** Where a stream meets its other end: a network, with a way to go, or a Map. */
const ROAD_TO_MAP = [NODES, VIA, EXIT_CELLS, MAP] as const;
const JSON_EVENTS: OptionSpec = {
  flags: "--json",
  summary: "tell what happens as JSON events on stdout, one on each line",
};
const JSON_ASIDE: OptionSpec = {
  flags: "--json",
  summary: "tell what happens as JSON events on stderr, one on each line",
};
const VERBOSE: OptionSpec = {
  flags: "--verbose",
  summary: "say more, and show where errors arose",
};
const TICKET_FILE: OptionSpec = {
  flags: "--ticket-file <file>",
  summary: "read the ticket from a file (or: as an operand, - for stdin, CULVERT_TICKET, a prompt)",
};
const PEER_TIMEOUT: OptionSpec = {
  flags: "--peer-timeout <duration>",
  summary: "give up when the other side was silent for so long, as 90s or 2h (default: never)",
};
const CELL: OptionSpec = {
  flags: "--cell <bytes>",
  summary: "size of every cell in this network (default: 8192)",
};
const QR: OptionSpec = { flags: "--qr", summary: "show the ticket as a QR code too" };
const RESUME: OptionSpec = {
  flags: "--resume <id>",
  summary: "go on with this one; culvert status lists them",
};

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "send",
    operands: "<path...>",
    summary: "send files and folders to one receiver",
    examples: [
      ["culvert send photos/ --map map.example:7000", "prints the command for the receiver"],
      ["culvert send photos/ --map map.example:7000", "the same again goes on after a crash"],
    ],
    options: [
      ...ROAD_TO_MAP,
      {
        flags: "--detach",
        summary: "leave once all is in the Map; the same command looks after it",
      },
      { flags: "--new", summary: "start anew, even if a transfer of the same files is unfinished" },
      QR,
      PEER_TIMEOUT,
      JSON_EVENTS,
      VERBOSE,
    ],
    completes: "files",
    load: async () => (await import("./commands/send.ts")).send,
  },
  {
    name: "receive",
    operands: "[ticket]",
    summary: "receive what someone sends",
    examples: [
      ["culvert receive culvert1q... --map map.example:7000", "as the sender's screen says"],
      ["culvert receive --into inbox", "asks for the ticket without showing it"],
    ],
    options: [
      ...ROAD_TO_MAP,
      { flags: "--into <folder>", summary: "where to put what arrives (default: this folder)" },
      { flags: "--force", summary: "replace files that are there already" },
      { flags: "--refuse", summary: "take nothing of it, and tell the sender so" },
      TICKET_FILE,
      PEER_TIMEOUT,
      JSON_EVENTS,
      VERBOSE,
    ],
    load: async () => (await import("./commands/receive.ts")).receive,
  },
  {
    name: "pipe",
    operands: "[ticket]",
    summary: "join stdin and stdout here with those of the other side",
    examples: [
      ["tar c . | culvert pipe --send-only", "prints the command for the other side"],
      ["culvert pipe --receive-only culvert1q... | tar x", "the other side"],
    ],
    options: [
      ...ROAD_TO_MAP,
      { flags: "--send-only", summary: "read stdin, and write nothing to stdout" },
      { flags: "--receive-only", summary: "write stdout, and do not touch stdin" },
      RESUME,
      TICKET_FILE,
      QR,
      PEER_TIMEOUT,
      JSON_ASIDE,
      VERBOSE,
    ],
    isStdoutData: true,
    load: async () => (await import("./commands/pipe.ts")).pipe,
  },
  {
    name: "forward",
    operands: "[ticket]",
    summary: "carry TCP and UNIX connections to the other side",
    examples: [
      ["culvert forward --to 127.0.0.1:22", "prints the command for the other side"],
      ["culvert forward culvert1q... --listen 127.0.0.1:2222", "the other side; then ssh -p 2222"],
    ],
    options: [
      ...ROAD_TO_MAP,
      { flags: "--listen <endpoint>", summary: "take connections here: HOST:PORT or unix:PATH" },
      { flags: "--to <endpoint>", summary: "where connections of the other side go" },
      RESUME,
      TICKET_FILE,
      QR,
      JSON_EVENTS,
      VERBOSE,
    ],
    load: async () => (await import("./commands/forward.ts")).forward,
  },
  {
    name: "broadcast",
    operands: "",
    summary: "send stdin to any number of subscribers",
    examples: [["tail -f log | culvert broadcast", "prints the command for the subscribers"]],
    options: [...ROAD_TO_MAP, RESUME, QR, JSON_EVENTS, VERBOSE],
    load: async () => (await import("./commands/broadcast.ts")).broadcast,
  },
  {
    name: "subscribe",
    operands: "[ticket]",
    summary: "write a broadcast to stdout",
    examples: [["culvert subscribe culvert1q...", "from the oldest part that the Map still has"]],
    options: [...ROAD_TO_MAP, TICKET_FILE, JSON_ASIDE, VERBOSE],
    isStdoutData: true,
    load: async () => (await import("./commands/subscribe.ts")).subscribe,
  },
  {
    name: "node",
    operands: "",
    summary: "run a storage and relay node of the network",
    examples: [
      ["culvert node --listen udp://0.0.0.0:7000,tcp://0.0.0.0:7000", "the first of a network"],
      ["culvert node --config node.toml --join ID@udp://192.0.2.1:7000", "one more"],
    ],
    options: [
      {
        flags: "-c, --config <file>",
        summary: "a TOML file, or VoidPhone's INI; these options override it",
      },
      { flags: "--listen <list>", summary: "udp://IP:PORT and tcp://IP:PORT; port 0: any" },
      { flags: "--join <list>", summary: "nodes to begin with: ID@udp://IP:PORT" },
      { flags: "--store <folder>", summary: "where to keep everything (default: see paths)" },
      { flags: "--memory", summary: "keep everything in memory only" },
      CELL,
      { flags: "--metrics <endpoint>", summary: "show numbers to Prometheus at HOST:PORT" },
      JSON_EVENTS,
      VERBOSE,
    ],
    load: async () => (await import("./commands/node.ts")).node,
  },
  {
    name: "testnet",
    operands: "",
    summary: "run a whole network on this machine",
    examples: [["culvert testnet --count 8", "says how to use it from other terminals"]],
    options: [
      { flags: "--count <number>", summary: "how many nodes (default: 8)" },
      CELL,
      JSON_EVENTS,
      VERBOSE,
    ],
    load: async () => (await import("./commands/testnet.ts")).testnet,
  },
  {
    name: "map",
    operands: "",
    summary: "run a Map: the place that streams pass through",
    examples: [
      ["culvert map --listen 0.0.0.0:7000", "for everyone who can reach this port"],
      ["culvert map --unix /run/user/1000/map.sock --memory", "for this user, until it ends"],
    ],
    options: [
      { flags: "--listen <endpoint>", summary: "HOST:PORT (default: 127.0.0.1:7000); port 0: any" },
      { flags: "--unix <path>", summary: "a socket in the file system, instead or as well" },
      { flags: "--store <folder>", summary: "where to keep records (default: see culvert paths)" },
      { flags: "--memory", summary: "keep records in memory only" },
      {
        flags: "--cell <bytes>",
        summary: "size of every cell, for all who use it (default: 8192)",
      },
      { flags: "--lose <share>", summary: "lose this share of requests, replies and records" },
      { flags: "--seed <number>", summary: "which ones to lose (default: 1)" },
      JSON_EVENTS,
      VERBOSE,
    ],
    load: async () => (await import("./commands/map.ts")).map,
  },
  {
    name: "demo",
    operands: "[file]",
    summary: "show all of it on this machine: two peers, loss and a crash",
    examples: [["culvert demo", "a Map that loses a third, then a network whose nodes are killed"]],
    options: [
      {
        flags: "--loss <share>",
        summary: "share of requests and of replies to lose (default: 1/3)",
      },
      { flags: "--size <bytes>", summary: "size of the file that is made, as 400kB" },
      { flags: "--seed <number>", summary: "which requests to lose (default: 1)" },
      JSON_EVENTS,
      VERBOSE,
    ],
    completes: "files",
    load: async () => (await import("./commands/demo.ts")).demo,
  },
  {
    name: "status",
    operands: "",
    summary: "list what is unfinished on this machine",
    examples: [["culvert status", "one line for each transfer, pipe, forward and broadcast"]],
    options: [
      { flags: "--forget <id>", summary: "remove what is kept of this one; it cannot go on then" },
      JSON_EVENTS,
      VERBOSE,
    ],
    load: async () => (await import("./commands/status.ts")).status,
  },
  {
    name: "doctor",
    operands: "",
    summary: "try every layer in turn, and say what fails",
    examples: [
      [
        "culvert doctor --nodes ID@udp://192.0.2.1:7000",
        "from the ports to a get through circuits",
      ],
      ["culvert doctor --map map.example:7000", "to reach a Map, to put a record, to get it"],
    ],
    options: [NODES, MAP, JSON_EVENTS, VERBOSE],
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  {
    name: "paths",
    operands: "",
    summary: "say which folders the command uses",
    examples: [
      ["culvert paths", "where unfinished work, records and nodes are kept"],
      ["XDG_STATE_HOME=/srv culvert paths", "the same, with unfinished work below /srv"],
      ["XDG_DATA_HOME=/srv culvert paths", "the same, with records and nodes below /srv"],
    ],
    options: [JSON_EVENTS, VERBOSE],
    load: async () => (await import("./commands/paths.ts")).paths,
  },
  {
    name: "completion",
    operands: "<shell>",
    summary: "print the script that lets a shell complete culvert",
    examples: [["culvert completion bash", "its first line says where to put it"]],
    options: [VERBOSE],
    completes: SHELLS,
    load: async () => (await import("./commands/completion.ts")).completion,
  },
];
