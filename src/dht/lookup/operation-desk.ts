import { type Instant, NumberMap } from "../../base/index.ts";
import { type TimerHandle, TimerQueue } from "../../retx/index.ts";
import type { DhtContext } from "../exchange/dht-context.ts";
import type { Contact } from "../wire/contact.ts";
import type { KeyText } from "../wire/key.ts";
import type { DhtValue, ValueKind } from "../wire/message.ts";
import { FindOperation } from "./find-operation.ts";
import { GetOperation } from "./get-operation.ts";
import type { DhtResult, OperationHooks } from "./operation.ts";
import { PutOperation } from "./put-operation.ts";

/** What is to be done. */
export type Task =
  | { readonly kind: "get"; readonly key: KeyText; readonly valueKind?: ValueKind | undefined }
  | {
      readonly kind: "put";
      readonly key: KeyText;
      readonly value: DhtValue;
      readonly replicas: number;
      readonly quorum: number;
      readonly isCopy: boolean;
    }
  | {
      readonly kind: "find";
      readonly target: KeyText;
      readonly count: number;
      readonly known?: readonly Contact[];
    };

/** Who is told how a task goes. */
export interface TaskOwner {
  late?(): void;
  /** At most one of these two. */
  done?(result: DhtResult, now: Instant): void;
  busy?(): void;
}

/** Names one operation that runs. */
export type RunId = number;

interface Run {
  readonly operation: GetOperation | PutOperation | FindOperation;
  readonly isBackground: boolean;
  readonly endsAt: Instant;
  timer: TimerHandle;
}

interface Waiting {
  readonly task: Task;
  readonly owner: TaskOwner;
}

/** Tasks of the node itself that run at once: the rest of the machine is for its users. */
const BACKGROUND_AT_ONCE = 8;

/** The operations of one node: starts them, ends them in time, keeps them within bounds. */
export class OperationDesk {
  readonly #context: DhtContext;
  readonly #runs = new NumberMap<Run>();
  readonly #timers: TimerQueue<RunId>;
  readonly #waiting: Waiting[] = [];
  #background = 0;
  #lastId = 0;
  #now: Instant = 0;

  constructor(context: DhtContext) {
    this.#context = context;
    const { operationsMax } = context.limits;
    this.#timers = new TimerQueue({ capacity: operationsMax + BACKGROUND_AT_ONCE });
  }

  /** Operations that run. */
  get size(): number {
    return this.#runs.size;
  }

  /** Starts a task for a user; nothing when too many run. */
  start(task: Task, owner: TaskOwner, now: Instant): RunId | undefined {
    if (this.#runs.size - this.#background >= this.#context.limits.operationsMax) return undefined;
    return this.#run(task, owner, { isBackground: false, now });
  }

  /** Does a task of the node's own when there is room; false when too many wait. */
  startLater(task: Task, owner: TaskOwner, now: Instant): boolean {
    if (this.#waiting.length >= this.#context.limits.handOversMax) return false;
    this.#waiting.push({ task, owner });
    this.#startWaiting(now);
    return true;
  }

  /** The result is of no more use. */
  cancel(id: RunId): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    run.operation.stop();
    this.#end(id);
  }

  timeout(now: Instant): void {
    this.#now = now;
    for (let id = this.#timers.due(now); id !== undefined; id = this.#timers.due(now)) {
      const run = this.#runs.get(id);
      if (run === undefined) continue;
      if (now >= run.endsAt) run.operation.expire();
      else this.#hurry(id, run, now);
    }
    this.#startWaiting(now);
  }

  deadline(): Instant {
    return this.#timers.deadline();
  }

  /** Starts what waits for the end of others; to be called after every input. */
  resume(now: Instant): void {
    this.#startWaiting(now);
  }

  /** Half of its time is over: the other one is for what has to be done by its end. */
  #hurry(id: RunId, run: Run, now: Instant): void {
    run.timer = this.#timers.push(run.endsAt, id);
    if (run.operation instanceof PutOperation) run.operation.hurry(now);
  }

  #startWaiting(now: Instant): void {
    while (this.#background < BACKGROUND_AT_ONCE) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#run(next.task, next.owner, { isBackground: true, now });
    }
  }

  #run(
    task: Task,
    owner: TaskOwner,
    { isBackground, now }: { readonly isBackground: boolean; readonly now: Instant },
  ): RunId {
    this.#now = now;
    this.#lastId += 1;
    const id = this.#lastId;
    const { operationMs } = this.#context.limits;
    const endsAt = now + operationMs;
    const timer = this.#timers.push(task.kind === "put" ? now + operationMs / 2 : endsAt, id);
    const operation = this.#operation(task, {
      late: () => owner.late?.(),
      settled: (result) => owner.done?.(result, this.#now),
      busy: () => owner.busy?.(),
      ended: () => this.#end(id),
    });
    this.#runs.set(id, { operation, isBackground, endsAt, timer });
    if (isBackground) this.#background += 1;
    operation.start(now);
    return id;
  }

  #operation(task: Task, hooks: OperationHooks): Run["operation"] {
    const context = this.#context;
    if (task.kind === "put") return new PutOperation(context, task, hooks);
    if (task.kind === "find") return new FindOperation(context, task, hooks);
    return new GetOperation(context, { key: task.key, valueKind: task.valueKind }, hooks);
  }

  #end(id: RunId): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    if (run.isBackground) this.#background -= 1;
    this.#timers.cancel(run.timer);
    this.#runs.delete(id);
  }
}
