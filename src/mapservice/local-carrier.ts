import { type Clock, CulvertError } from "../base/index.ts";
import { LinkCarrier, type LinkCarrierLimits } from "./link-carrier.ts";
import type { LinkOpener } from "./service-link.ts";

/**
 * A carrier to a service in this process. Closing it closes the link, not the service.
 *
 * @throws CulvertError `CULVERT_BUSY` when the service has all the links that it may have
 */
export function localCarrier(
  service: LinkOpener,
  clock: Clock,
  limits: Partial<LinkCarrierLimits> = {},
): LinkCarrier {
  const greeting = service.greeting();
  const carrier = new LinkCarrier({ clock }, { greeting, limits, isVerified: true });
  const link = service.open("local", { ...carrier.events(), closed: () => carrier.close() });
  if (link === undefined) throw new CulvertError("CULVERT_BUSY", "the service has too many links");
  carrier.attach(link, greeting);
  return carrier;
}
