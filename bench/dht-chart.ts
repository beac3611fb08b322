/** The picture of `dht-sim`: how long a lookup takes, and how often it succeeds. */
import type { DhtOutcome } from "./dht-row.ts";

interface Point {
  readonly label: string;
  readonly msMedian: number;
  readonly ms95: number;
  readonly success: number;
}

interface Panel {
  readonly title: string;
  readonly points: readonly Point[];
}

const PANELS: readonly {
  readonly title: string;
  readonly rows: Readonly<Record<string, string>>;
}[] = [
  {
    title: "nodes in the network",
    rows: {
      "size-100": "100",
      "size-500": "500",
      "size-2000": "2,000",
      "size-10000": "10,000",
      "size-100000": "100,000",
    },
  },
  {
    title: "nodes gone at once",
    rows: { "size-2000": "0 %", "vanish-10": "10 %", "vanish-30": "30 %", "vanish-50": "50 %" },
  },
  {
    title: "mean life of a node",
    rows: { "size-500": "for ever", "churn-120": "2 h", "churn-30": "30 min" },
  },
];

const WIDTH = 300;
const HEIGHT = 200;
const MARGIN = { left: 56, top: 36, bottom: 56, gap: 40 };
const INK = { median: "#1f6feb", tail: "#9a6700", success: "#1a7f37", text: "#57606a" };

/** The picture as SVG, of the rows that were run; nothing when a panel has no line. */
export function drawLookups(outcomes: ReadonlyMap<string, DhtOutcome>): string | undefined {
  const panels = PANELS.map(({ title, rows }): Panel => {
    return {
      title,
      points: Object.entries(rows).flatMap(([row, label]) => pointOf(outcomes.get(row), label)),
    };
  });
  if (panels.some(({ points }) => points.length < 2)) return undefined;
  const msMax = Math.max(...panels.flatMap(({ points }) => points.map(({ ms95 }) => ms95)));
  const width = MARGIN.left + panels.length * (WIDTH + MARGIN.gap);
  const height = MARGIN.top + HEIGHT + MARGIN.bottom;
  const drawn = panels.map((panel, i) => {
    return drawPanel(panel, MARGIN.left + i * (WIDTH + MARGIN.gap), msMax);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}"`,
    `  font-family="sans-serif" font-size="12" fill="${INK.text}">`,
    `<title>Latency and success of DHT lookups, simulated</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    legend(),
    axis(msMax),
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

function pointOf(outcome: DhtOutcome | undefined, label: string): Point[] {
  const { msMedian, ms95, success } = outcome?.figures ?? {};
  if (msMedian === undefined || ms95 === undefined || success === undefined) return [];
  return [{ label, msMedian, ms95, success }];
}

function legend(): string {
  const entries = [
    [INK.median, "median, ms"],
    [INK.tail, "95 of 100, ms"],
    [INK.success, "success"],
  ] as const;
  return entries
    .map(([ink, text], i) => {
      const x = MARGIN.left + 130 * i;
      const dot = `<circle cx="${x}" cy="14" r="4" fill="${ink}"/>`;
      return `${dot}<text x="${x + 10}" y="18">${text}</text>`;
    })
    .join("");
}

function axis(msMax: number): string {
  return [0, 0.5, 1]
    .map((part) => {
      const y = MARGIN.top + HEIGHT * (1 - part);
      const at = `x="${MARGIN.left - 8}" y="${y + 4}" text-anchor="end"`;
      return `<text ${at}>${Math.round(msMax * part)}</text>`;
    })
    .join("");
}

function drawPanel({ title, points }: Panel, left: number, msMax: number): string {
  const x = (i: number): number => left + (WIDTH * (i + 0.5)) / points.length;
  const y = (part: number): number => MARGIN.top + HEIGHT * (1 - part);
  const line = (ink: string, partOf: (point: Point) => number): string => {
    const places = points.map((point, i) => [x(i), y(partOf(point))] as const);
    const path = places.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
    const dots = places.map(
      ([px, py]) => `<circle cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="3" fill="${ink}"/>`,
    );
    return `<polyline points="${path}" fill="none" stroke="${ink}"/>${dots.join("")}`;
  };
  const below = (at: number, down: number, text: string, ink = INK.text): string => {
    const place = `x="${at.toFixed(1)}" y="${MARGIN.top + HEIGHT + down}" text-anchor="middle"`;
    return `<text ${place} fill="${ink}">${text}</text>`;
  };
  const labels = points.map(({ label, success }, i) => {
    const share = `${(100 * success).toFixed(1)} %`;
    return below(x(i), 18, label) + below(x(i), 34, share, INK.success);
  });
  const frame = `x="${left}" y="${MARGIN.top}" width="${WIDTH}" height="${HEIGHT}"`;
  return [
    `<rect ${frame} fill="none" stroke="#d0d7de"/>`,
    line(INK.median, ({ msMedian }) => msMedian / msMax),
    line(INK.tail, ({ ms95 }) => ms95 / msMax),
    line(INK.success, ({ success }) => success),
    ...labels,
    below(left + WIDTH / 2, 50, title),
  ].join("\n");
}
