/** The folders of src, lowest first, and what each one may import. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  codec: ["base"],
  crypto: ["base"],
  retx: ["base"],
  io: ["base"],
  transport: ["io", "base"],
  stream: ["retx", "transport", "crypto", "codec", "io", "base"],
  mapservice: ["retx", "transport", "crypto", "codec", "io", "base"],
  identity: ["crypto", "codec", "base"],
  link: ["identity", "retx", "crypto", "codec", "io", "base"],
  rpc: ["identity", "retx", "crypto", "codec", "io", "base"],
  dht: ["identity", "retx", "crypto", "codec", "io", "base"],
  onion: ["identity", "retx", "crypto", "codec", "io", "base"],
  voidphone: ["identity", "retx", "crypto", "codec", "io", "base"],
  node: [
    "stream",
    "mapservice",
    "voidphone",
    "onion",
    "dht",
    "rpc",
    "link",
    "identity",
    "retx",
    "transport",
    "crypto",
    "codec",
    "io",
    "base",
  ],
  testing: [
    "node",
    "stream",
    "mapservice",
    "voidphone",
    "onion",
    "dht",
    "rpc",
    "link",
    "identity",
    "retx",
    "transport",
    "crypto",
    "codec",
    "io",
    "base",
  ],
  cli: [
    "node",
    "stream",
    "mapservice",
    "voidphone",
    "onion",
    "dht",
    "rpc",
    "link",
    "identity",
    "transport",
    "crypto",
    "codec",
    "io",
    "base",
  ],
};

/** Files at the top of src that compose what lies below; they may import every room. */
export const COMPOSERS: readonly string[] = ["src/index.ts", "src/journal.ts", "src/redis.ts"];

/** Where a program or another package enters; everything in src is reachable from here. */
export const ENTRIES: readonly string[] = [
  "src/index.ts",
  "src/journal.ts",
  "src/redis.ts",
  "src/transport/index.ts",
  "src/mapservice/index.ts",
  "src/identity/index.ts",
  "src/link/index.ts",
  "src/rpc/index.ts",
  "src/dht/index.ts",
  "src/onion/index.ts",
  "src/voidphone/index.ts",
  "src/node/index.ts",
  "src/testing/index.ts",
  "src/cli/main.ts",
];

/** Where one room may look behind the index.ts of another, and why. */
export const FACES: readonly {
  readonly from: RegExp;
  readonly to: RegExp;
  readonly reason: string;
}[] = [
  {
    from: /^src\//,
    to: /^src\/io\//,
    reason: "each port stands alone: a clock must not load a database",
  },
  {
    from: /^src\/journal\.ts$/,
    to: /^src\/stream\//,
    reason: "a journal must not load the stream that it serves",
  },
  {
    from: /^src\/(redis\.ts$|node\/)/,
    to: /^src\/mapservice\/store\/redis-record-store\.ts$/,
    reason: "who keeps records on this disk must not load the client of an engine",
  },
  {
    from: /^src\/testing\//,
    to: /^src\/stream\//,
    reason: "the simulator drives the stream's core without its shell",
  },
  {
    from: /^src\/testing\/road\//,
    to: /^src\/mapservice\/wire\/wire\.ts$/,
    reason: "the judges of a world read what nodes say to each other",
  },
];

/** Which folder a package may be imported from. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "@noble/ciphers": ["crypto"],
  "@noble/curves": ["crypto"],
  "@noble/hashes": ["crypto"],
  "sodium-native": ["crypto"],
  "cbor-x": ["codec"],
  level: ["io", "mapservice"],
  ioredis: ["io"],
  "@stablelib/poly1305": ["crypto"],
  "@scure/base": ["crypto", "stream", "node", "cli"],
  "udx-native": ["io"],
  "noise-handshake": ["io", "link"],
  "prom-client": ["node"],
  "smol-toml": ["node"],
  valibot: ["node"],
  commander: ["cli"],
  uqr: ["cli"],
};

/** Node's own modules outside src/io and src/cli, and why each one is needed there. */
export const NODE_MODULES: readonly {
  readonly path: RegExp;
  readonly modules: readonly string[];
  readonly reason: string;
}[] = [
  {
    path: /^src\/crypto\//,
    modules: ["node:crypto", "node:worker_threads"],
    reason: "the providers on node:crypto and, with a thread, on sodium-native",
  },
  {
    path: /^src\/stream\//,
    modules: ["node:stream"],
    reason: "a Stream is a Duplex",
  },
  {
    path: /^src\/rpc\/byte-duplex\.ts$/,
    modules: ["node:stream"],
    reason: "a raw call is a Duplex for its caller and its handler; only the type is needed",
  },
];

/** Globals that read a clock, a dice or the process: only src/io and src/cli may. */
export const IMPURE_GLOBALS: readonly string[] = [
  "Buffer",
  "Date",
  "clearImmediate",
  "clearInterval",
  "clearTimeout",
  "console",
  "crypto",
  "performance",
  "process",
  "setImmediate",
  "setInterval",
  "setTimeout",
];

/** Files that may name one of them all the same, and why. */
export const IMPURE_EXCEPTIONS: readonly {
  readonly path: string;
  readonly names: readonly string[];
  readonly reason: string;
}[] = [
  {
    path: "src/base/bytes.ts",
    names: ["Buffer"],
    reason: "where there is a native comparison of bytes, long ones are left to it",
  },
  {
    path: "src/testing/settle.ts",
    names: ["setImmediate"],
    reason: "a virtual clock has to let Node's ticks run between two timers",
  },
  {
    path: "src/crypto/node.ts",
    names: ["Buffer", "process"],
    reason: "node:crypto, where there is one, is asked of the process and speaks in Buffers",
  },
  {
    path: "src/crypto/select.ts",
    names: ["process"],
    reason: "an environment variable may choose the provider",
  },
  {
    path: "src/crypto/sodium.ts",
    names: ["process"],
    reason: "an optional native package is loaded through the process",
  },
];

/** Sizes that keep a file readable. */
export const SIZE: Readonly<{ fileLines: number; functionLines: number; columns: number }> = {
  fileLines: 400,
  functionLines: 70,
  columns: 100,
};
