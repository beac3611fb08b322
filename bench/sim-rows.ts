import { PUNCH_ROWS } from "./sim-punch-rows.ts";
import { REQUEST_ROWS } from "./sim-request-rows.ts";
import { ROAD_ROWS } from "./sim-road-rows.ts";
import type { Row } from "./sim-row.ts";
import { STREAM_ROWS } from "./sim-stream-rows.ts";

/** Everything that `npm run -s sim` runs; the rows of the DHT are in `dht-rows.ts`. */
export const ROWS: readonly Row[] = [...STREAM_ROWS, ...REQUEST_ROWS, ...PUNCH_ROWS, ...ROAD_ROWS];
