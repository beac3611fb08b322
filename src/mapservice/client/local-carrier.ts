import { type Clock, CulvertError } from "../../base/index.ts";
import { systemClock } from "../../io/clock.ts";
import { copyOf } from "../record/record.ts";
import type { MapAnswer } from "../service/protocol.ts";
import type { RecordService } from "../service/requester.ts";
import { ServiceCarrier, type ServiceCarrierLimits } from "./service-carrier.ts";

/**
 * Puts that keep a service busy which waits for nothing: two turns of a stream. What is sealed long
 * before it is verified, and verified long before it is opened, is read from memory each time.
 */
const PUTS_AT_ONCE = 8;

/**
 * A carrier to a service in this process. Closing it closes its requester, not the service.
 *
 * With `isVerified` clients do not verify again what the service has, and the service signs no
 * receipts for them: for stores in memory, where nothing can change a record in between.
 *
 * @throws CulvertError `CULVERT_BUSY` when the service has all the askers that it may have
 */
export function localCarrier(
  service: RecordService,
  options: {
    readonly limits?: Partial<ServiceCarrierLimits>;
    readonly isVerified?: boolean;
    readonly clock?: Clock;
  } = {},
): ServiceCarrier {
  const { clock = systemClock, ...rest } = options;
  const greeting = service.greeting();
  const depth = rest.isVerified === true ? { putsAtOnce: PUTS_AT_ONCE } : {};
  const carrier = new ServiceCarrier({ clock }, { greeting, ...rest, ...depth });
  const events = carrier.events();
  const requester = service.open("local", {
    ready: events.ready,
    answer: (request, answer) => events.answer(request, kept(answer)),
    closed: () => carrier.close(),
    needsNoReceipts: carrier.isVerified,
  });
  if (requester === undefined)
    throw new CulvertError("CULVERT_BUSY", "the service has too many links");
  carrier.attach(requester, greeting);
  return carrier;
}

/** The answer with a record for its reader alone: nothing is encoded between the two. */
function kept(answer: MapAnswer): MapAnswer {
  if (answer.kind !== "found" || answer.isBorrowed !== true) return answer;
  const { kind, record, ttlSeconds } = answer;
  return { kind, record: copyOf(record), ttlSeconds };
}
