import { SeededRandom, toHex } from "../../src/base/index.ts";
import type { PeerReply, VoidphoneContact } from "../../src/voidphone/index.ts";
import {
  type PeerCall,
  PeerNetworkCore,
  type PeerNetworkEffect,
  type PeerNetworkInput,
  type PeerOutcome,
  type PeerTask,
} from "../../src/voidphone/peer/peer-network-core.ts";
import { TABLE_HALF_MAX } from "../../src/voidphone/peer/peer-table.ts";
import { effectsOf } from "../effects-of.ts";

const LIMITS = { callsMax: 6, parallel: 3, callMs: 1_500, operationMs: 15_000, operationsMax: 12 };
const ID_BYTES = 32;

interface OpenCall {
  readonly address: string;
  readonly contact: { readonly host: string; readonly port: number };
  readonly call: PeerCall;
}

/**
 * A client of a foreign network that lives through the whole run: peers come and go, take each
 * other's ports, answer late, twice, as somebody else or something else, and name whom they like.
 */
export class PeerNetworkLife {
  readonly #random: SeededRandom;
  readonly #self: VoidphoneContact;
  readonly #core: PeerNetworkCore;
  /** Who is at each port now. */
  readonly #living = new Map<number, Uint8Array>();
  readonly #calls = new Map<number, OpenCall>();
  readonly #over: number[] = [];
  readonly #operations = new Map<number, { readonly task: PeerTask; readonly since: number }>();
  /** Whom those at each port have said to be, and when. */
  readonly #shown: { readonly port: number; readonly id: string; readonly at: number }[] = [];
  #now = 0;
  #operation = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#self = { id: this.#random.bytes(ID_BYTES), host: "10.0.0.1", port: 1 };
    this.#core = new PeerNetworkCore(this.#self, LIMITS);
    for (let port = 1; port <= 40; port++) this.#living.set(port, this.#random.bytes(ID_BYTES));
  }

  /** One more thing happens. */
  next(dice: SeededRandom): void {
    this.#pass(dice.below(4) === 0 ? dice.below(2_000) : dice.below(60));
    if (dice.below(8) === 0) this.#living.set(1 + dice.below(40), dice.bytes(ID_BYTES));
    if (dice.below(12) === 0) this.#lateAnswer(dice);
    this.#tell(this.#happens(dice));
    if (dice.below(500) === 0) this.#expectRest();
  }

  #happens(dice: SeededRandom): PeerNetworkInput {
    const [rpc] = [...this.#calls.keys()].slice(dice.below(Math.max(this.#calls.size, 1)));
    const kind = dice.below(20);
    if (kind < 2 || (rpc === undefined && kind < 15)) return this.#starts(dice);
    if (kind === 2) return this.#cancels(dice);
    if (kind === 3) return { kind: "learn", contact: this.#anybody(dice) };
    if (rpc === undefined) return { kind: "failed", rpc: 1e9 };
    const open = this.#calls.get(rpc);
    this.#calls.delete(rpc);
    this.#over.push(rpc);
    if (this.#over.length > 50) this.#over.shift();
    if (kind < 7 || open === undefined) return { kind: "failed", rpc };
    return { kind: "replied", rpc, reply: this.#reply(open, dice) };
  }

  #starts(dice: SeededRandom): PeerNetworkInput {
    this.#operation += 1;
    const operation = this.#operation;
    const task = this.#task(dice);
    this.#operations.set(operation, { task, since: this.#now });
    return { kind: "start", operation, task };
  }

  #task(dice: SeededRandom): PeerTask {
    const peer = { host: "10.0.0.2", port: 1 + dice.below(44) };
    const key = dice.bytes(ID_BYTES);
    switch (dice.below(6)) {
      case 0:
        return { kind: "join", ...peer };
      case 1:
        return { kind: "ping", ...peer };
      case 2:
        return { kind: "find", target: key };
      case 3: {
        const replication = dice.below(21);
        return { kind: "store", key, value: dice.bytes(9), ttlSeconds: 60, replication };
      }
      default:
        return { kind: "get", key };
    }
  }

  #cancels(dice: SeededRandom): PeerNetworkInput {
    const operation = this.#operation - dice.below(LIMITS.operationsMax);
    this.#operations.delete(operation);
    return { kind: "cancel", operation };
  }

  #reply({ call, contact }: OpenCall, dice: SeededRandom): PeerReply | undefined {
    const id = this.#living.get(contact.port) ?? this.#self.id;
    // Every other peer is of the dialect that says who it is.
    const isNamed = contact.port % 2 === 0;
    const sender = isNamed ? { sender: { id, port: contact.port } } : {};
    const header = { rpcId: id, ...sender };
    const kind = dice.below(12);
    this.#show(contact.port, kind > 0 && isNamed ? toHex(id) : "anybody");
    if (kind === 0) return { kind: "error", fault: "not-found" };
    if (kind === 1) return { kind: "pong", ...header };
    if (kind === 2) return { kind: "value", ...header, key: id, value: id };
    switch (call.kind) {
      case "ping":
        return { kind: "pong", ...header };
      case "store":
        return isNamed
          ? undefined
          : { kind: "stored", ...header, key: call.key, value: call.value };
      case "find-value":
        if (kind < 4) return { kind: "value", ...header, key: call.key, value: dice.bytes(5) };
    }
    const contacts = Array.from({ length: dice.below(21) }, () => this.#anybody(dice));
    return { kind: "nodes", ...header, contacts };
  }

  /** Who is there, who was there, or somebody that nobody is. */
  #anybody(dice: SeededRandom): VoidphoneContact {
    const port = 1 + dice.below(44);
    const id = this.#living.get(port) ?? dice.bytes(ID_BYTES);
    switch (dice.below(12)) {
      case 0:
        return { id: dice.bytes(ID_BYTES), host: "10.0.0.2", port };
      case 1:
        return { id: dice.bytes(ID_BYTES), host: "10.0.0.1", port: 1 };
      case 2:
        return { id: this.#self.id, host: "10.0.0.3", port };
      case 3:
        return { id, host: dice.below(2) === 0 ? "0.0.0.0" : "::", port };
      case 4:
        return { id, host: "10.0.0.2", port: 0 };
      case 5:
        return { id: dice.bytes(ID_BYTES), host: `10.1.0.${dice.below(250)}`, port };
      default:
        return { id, host: "10.0.0.2", port };
    }
  }

  /** What comes for a call that is over changes nothing. */
  #lateAnswer(dice: SeededRandom): void {
    const rpc = this.#over[dice.below(Math.max(this.#over.length, 1))];
    if (rpc === undefined) return;
    const contacts = [{ id: dice.bytes(ID_BYTES), host: "10.7.7.7", port: 7 }];
    const reply: PeerReply = { kind: "nodes", rpcId: this.#self.id, contacts };
    const before = this.#core.deadline();
    this.#core.handle({ kind: "replied", rpc, reply }, this.#now);
    if (this.#core.poll() !== undefined) throw new Error("a call that is over has an effect");
    if (this.#core.deadline() !== before) throw new Error("a call that is over moves a deadline");
    if (this.#core.closest(this.#self.id, 1e6).some(({ host }) => host === "10.7.7.7")) {
      throw new Error("a call that is over names somebody");
    }
  }

  #tell(input: PeerNetworkInput): void {
    this.#core.handle(input, this.#now);
    this.#drain();
  }

  #pass(ms: number): void {
    const until = this.#now + ms;
    while (this.#core.deadline() <= until) {
      this.#now = Math.max(this.#now, this.#core.deadline());
      this.#core.timeout(this.#now);
      this.#drain();
      if (this.#core.deadline() <= this.#now) throw new Error("what was due is still due");
    }
    this.#now = until;
  }

  #drain(): void {
    for (const effect of effectsOf(this.#core)) {
      this.#perform(effect);
    }
    if (this.#calls.size > LIMITS.callsMax) throw new Error("too many calls at once");
    if (this.#operations.size === 0 && this.#calls.size > 0) throw new Error("a call for nobody");
    for (const { since } of this.#operations.values()) {
      if (this.#now >= since + LIMITS.operationMs) throw new Error("an operation has no end");
    }
  }

  #perform(effect: PeerNetworkEffect): void {
    switch (effect.kind) {
      case "call":
        this.#called(effect);
        break;
      case "hang-up":
        if (!this.#calls.delete(effect.rpc)) throw new Error("hangs up twice, or what is over");
        this.#over.push(effect.rpc);
        break;
      default: {
        const open = this.#operations.get(effect.operation);
        if (open === undefined) throw new Error("an operation ends twice");
        this.#operations.delete(effect.operation);
        this.#judge(open, effect.outcome);
      }
    }
  }

  #called({ rpc, host, port, call }: PeerNetworkEffect & { readonly kind: "call" }): void {
    const address = `${host} ${port}`;
    const isTaken = this.#calls.has(rpc) || this.#over.includes(rpc);
    if (isTaken) throw new Error("a call has the number of another");
    if (host === "0.0.0.0" || host === "::" || port === 0) throw new Error("dials nobody");
    if (address === "10.0.0.1 1") throw new Error("dials itself");
    const addresses = [...this.#calls.values()].map((open) => open.address);
    if (addresses.includes(address)) throw new Error("calls a peer twice at once");
    this.#calls.set(rpc, { address, contact: { host, port }, call });
  }

  #show(port: number, id: string): void {
    this.#shown.push({ port, id, at: this.#now });
    while ((this.#shown[0]?.at ?? this.#now) < this.#now - LIMITS.operationMs) this.#shown.shift();
  }

  #judge(
    { task, since }: { readonly task: PeerTask; readonly since: number },
    outcome: PeerOutcome,
  ): void {
    const expected = {
      join: ["contacts", "unreachable"],
      ping: ["alive", "unreachable"],
      find: ["contacts"],
      get: ["value", "contacts"],
      store: ["stored"],
    }[task.kind];
    if (outcome.kind !== "busy" && !expected.includes(outcome.kind)) {
      throw new Error(`${task.kind} ends as ${outcome.kind}`);
    }
    if (outcome.kind !== "contacts") return;
    const addresses = outcome.contacts.map(({ host, port }) => `${host} ${port}`);
    if (new Set(addresses).size < addresses.length) throw new Error("finds one peer twice");
    for (const { port, id } of outcome.contacts) {
      const isShown = this.#shown.some(
        (shown) =>
          shown.port === port && shown.at >= since && [toHex(id), "anybody"].includes(shown.id),
      );
      if (!isShown) throw new Error("finds who has gone");
      if (toHex(id) === toHex(this.#self.id)) throw new Error("finds itself");
    }
  }

  /** When all is cancelled, nothing is left; and what is known has its bounds. */
  #expectRest(): void {
    for (const operation of this.#operations.keys()) {
      this.#operations.delete(operation);
      this.#tell({ kind: "cancel", operation });
    }
    if (this.#core.deadline() !== Number.POSITIVE_INFINITY) throw new Error("a timer of nothing");
    const known = this.#core.closest(this.#self.id, 1e6);
    if (known.length > 2 * TABLE_HALF_MAX) throw new Error("the table has no bound");
    const addresses = known.map(({ host, port }) => `${host} ${port}`);
    if (new Set(addresses).size < known.length) throw new Error("one peer is known twice");
  }
}
