import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = fileURLToPath(new URL("./src", import.meta.url));

/** A hang fails; a machine that others keep busy does not. */
const PATIENCE_MS = 600_000;
/** The same for what is looked at again and again; its own default is a second. */
const POLL_MS = 30_000;

export default defineConfig({
  resolve: {
    // Tests import the package by its public names, from source: no build is needed.
    alias: [
      { find: /^culvert$/, replacement: `${src}/index.ts` },
      { find: /^culvert\/(journal|redis)$/, replacement: `${src}/$1.ts` },
      { find: /^culvert\/(?!(?:journal|redis)$)(\w+)$/, replacement: `${src}/$1/index.ts` },
    ],
  },
  test: {
    setupFiles: ["test/setup.ts"],
    expect: { poll: { timeout: POLL_MS } },
    // Unless told so, one core of two would have nothing to do.
    maxWorkers: "100%",
    reporters: ["default", ["json", { outputFile: ".reports/tests.json" }]],
    coverage: { include: ["src/**"], provider: "v8" },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/interop/**"],
          // No test leaves anything behind in its process: half of the time went into loading the
          // same modules for each file.
          isolate: false,
          testTimeout: PATIENCE_MS,
          hookTimeout: PATIENCE_MS,
        },
      },
      {
        extends: true,
        test: {
          name: "interop",
          include: ["test/interop/**/*.test.ts"],
          globalSetup: "test/interop/map-process.ts",
          testTimeout: PATIENCE_MS,
          hookTimeout: PATIENCE_MS,
        },
      },
      {
        extends: true,
        test: {
          name: "fuzz",
          include: ["test/fuzz/**/*.test.ts"],
          testTimeout: 3_600_000,
          env: { CULVERT_FUZZ_CASES: "1000000" },
        },
      },
      {
        extends: true,
        test: { name: "e2e", include: ["e2e/**/*.test.ts"], testTimeout: 600_000 },
      },
    ],
  },
});
