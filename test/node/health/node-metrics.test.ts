import { expect, it } from "vitest";
import { NodeMetrics } from "../../../src/node/health/node-metrics.ts";

it("shows the numbers of every part as they are when somebody asks", async () => {
  const metrics = new NodeMetrics();
  const map = { putsStored: 1, records: 5 };
  metrics.add({ prefix: "culvert_map", about: "the Map", read: () => map, gauges: ["records"] });
  map.putsStored = 3;
  map.records = 2;
  const text = await metrics.text();
  expect(text).toContain("# TYPE culvert_map_puts_stored_total counter");
  expect(text).toContain("\nculvert_map_puts_stored_total 3\n");
  expect(text).toContain("# TYPE culvert_map_records gauge");
  expect(text).toContain("\nculvert_map_records 2\n");
  expect(text).not.toContain("{");
});
