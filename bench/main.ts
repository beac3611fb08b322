/** Runs every benchmark, one after the other: `npm run bench`. Each runs alone too. */
await import("./ceilings.ts");
await import("./crypto.ts");
await import("./storage.ts");

export {};
