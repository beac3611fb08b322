import { SeededRandom } from "../../src/base/index.ts";
import {
  Contact,
  DhtNodeCore,
  type DhtRequest,
  type DhtResponse,
  decodeDhtRequest,
  decodeDhtResponse,
  encodeDhtRequest,
  encodeDhtResponse,
  restoreContacts,
  saveContacts,
} from "../../src/dht/index.ts";
import { randomContacts } from "../dht/nodes.ts";
import { effectsOf } from "../effects-of.ts";
import { type FuzzTarget, refusedOr, roundTrip } from "./fuzz.ts";

const random = new SeededRandom(21);
const ID = random.bytes(32);
const KEY = random.bytes(32);
const CONTACTS = randomContacts(5, 30);
const SENDER = Contact.of(ID, {
  addresses: [{ carrier: "udp", host: "2001:db8::1", port: 7000 }],
  relays: [KEY],
});
const value = { kind: "plain", ttlSeconds: 9, bytes: random.bytes(20) } as const;
const token = random.bytes(16);

const REQUESTS: readonly DhtRequest[] = [
  { kind: "ping" },
  { kind: "find-node", target: KEY },
  { kind: "find-value", key: KEY, near: ID, valueKind: "plain" },
  { kind: "store", key: KEY, value, isCopy: false, token },
];
const RESPONSES: readonly DhtResponse[] = [
  { kind: "pong" },
  { kind: "nodes", contacts: CONTACTS.slice(0, 3), token },
  { kind: "value", value },
  { kind: "stored", ttlSeconds: 9 },
  { kind: "refused", reason: "full" },
];
const REQUEST_SEEDS = REQUESTS.flatMap((request) => [
  encodeDhtRequest(request),
  encodeDhtRequest(request, SENDER),
]);
const RESPONSE_SEEDS = RESPONSES.map(encodeDhtResponse);

/** What a node that lives through the whole run is told of next. */
class Neighbourhood {
  readonly #core = new DhtNodeCore({
    id: ID,
    random: new SeededRandom(22),
    unixMsAtZero: 1_750_000_000_000,
    limits: { exchangesMax: 64, operationsMax: 8, peersMax: 32, wholeTableMax: 40 },
    valueLimits: { plainMax: 50, recordsMax: 50 },
  });
  readonly #open: number[] = [];
  #now = 0;
  #exchange = 0;
  #operation = 0;

  constructor() {
    this.#core.handle({ kind: "start", bootstrap: CONTACTS.slice(0, 3) }, 0);
    this.#drain();
  }

  /** One event after some time: a request, an answer or the silence of a node, or a wish. */
  next(bytes: Uint8Array, dice: SeededRandom): void {
    this.#now += dice.below(400);
    if (this.#core.deadline() <= this.#now) this.#core.timeout(this.#now);
    this.#drain();
    const choice = dice.below(8);
    if (choice === 0) this.#wish(dice);
    else if (choice < 4) this.#answer(bytes, dice);
    else this.#ask(bytes, dice);
    this.#drain();
    const { contacts, exchangesOpen, operations, values, peers } = this.#core.statistics;
    const isBounded = contacts <= 400 && exchangesOpen <= 64 && operations <= 16;
    if (!isBounded || values > 150 || peers > 32) throw new Error("more than its limits say");
  }

  #ask(bytes: Uint8Array, dice: SeededRandom): void {
    const contact = CONTACTS[dice.below(CONTACTS.length)] ?? SENDER;
    const read = refusedOr(["CULVERT_PROTOCOL"], () => decodeDhtRequest(bytes, contact.id));
    if (read === undefined) return;
    const { request, sender } = read;
    const asker = {
      ...{ id: contact.id, source: `${contact.network}`, isAddressProven: dice.below(2) === 0 },
      ...(sender && { contact: sender }),
    };
    this.#exchange += 1;
    const exchange = this.#exchange;
    this.#core.handle({ kind: "request", exchange, asker, request }, this.#now);
    if (this.#drain() !== exchange) throw new Error("a request is not answered");
  }

  #answer(bytes: Uint8Array, dice: SeededRandom): void {
    const at = dice.below(Math.max(this.#open.length, 1));
    const exchange = dice.below(8) === 0 ? dice.below(1_000) : this.#open.splice(at, 1)[0];
    if (exchange === undefined) return;
    const response = refusedOr(["CULVERT_PROTOCOL"], () => decodeDhtResponse(bytes));
    if (response === undefined) this.#core.handle({ kind: "failed", exchange }, this.#now);
    else {
      const attempt = dice.below(5);
      this.#core.handle({ kind: "response", exchange, response, attempt }, this.#now);
    }
  }

  #wish(dice: SeededRandom): void {
    const operation = ++this.#operation;
    const key = dice.below(2) === 0 ? KEY : dice.bytes(32);
    if (dice.below(3) === 0) this.#core.handle({ kind: "put", operation, key, value }, this.#now);
    else this.#core.handle({ kind: "get", operation, key }, this.#now);
    if (dice.below(4) === 0) this.#core.handle({ kind: "cancel", operation }, this.#now);
  }

  /** Takes all effects, and gives the exchange that was answered last. */
  #drain(): number | undefined {
    let answered: number | undefined;
    for (const effect of effectsOf(this.#core)) {
      if (effect.kind === "answer") {
        encodeDhtResponse(effect.response);
        answered = effect.exchange;
      } else if (effect.kind === "send") {
        encodeDhtRequest(effect.request, SENDER);
        this.#open.push(effect.exchange);
        if (this.#open.length > 200) this.#open.shift();
      }
    }
    return answered;
  }
}

const neighbourhood = new Neighbourhood();

/** Messages of the DHT, and a node that is told of nothing but such. */
export const DHT_TARGETS: readonly FuzzTarget[] = [
  {
    name: "request",
    seeds: REQUEST_SEEDS,
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_PROTOCOL"], () => {
        const { request, sender } = decodeDhtRequest(bytes, ID);
        return encodeDhtRequest(request, sender);
      }),
  },
  {
    name: "answer",
    seeds: RESPONSE_SEEDS,
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_PROTOCOL"], () => encodeDhtResponse(decodeDhtResponse(bytes))),
  },
  {
    name: "saved table",
    seeds: [saveContacts(CONTACTS), saveContacts([SENDER])],
    run: (bytes) =>
      roundTrip(bytes, ["CULVERT_BAD_STATE"], () => saveContacts(restoreContacts(bytes))),
  },
  {
    name: "core",
    seeds: [...REQUEST_SEEDS, ...RESPONSE_SEEDS],
    run: (bytes, dice) => neighbourhood.next(bytes.slice(), dice),
  },
];
