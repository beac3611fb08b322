import { CulvertError, isCulvertError, requireArray, requireBytes } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { type Contact, readContact, requireContact, writeContact } from "../wire/contact.ts";

const VERSION = 1;

/** Contacts that are saved at the most: as many as a table holds. */
export const SAVED_CONTACTS_MAX = 4_096;

/** The nodes that a node knows, for its next life: version u8, number u16, and each contact. */
export function saveContacts(contacts: readonly Contact[]): Uint8Array {
  requireArray("contacts", contacts);
  for (const contact of contacts) requireContact("a contact", contact);
  const kept = contacts.filter(({ isProvable }) => isProvable).slice(0, SAVED_CONTACTS_MAX);
  const writer = new Writer(3 + 48 * kept.length);
  writer.u8(VERSION).u16(kept.length);
  for (const contact of kept) writeContact(writer, contact);
  return writer.finish();
}

/**
 * Reads what {@link saveContacts} wrote. None of it is believed: whoever is in there is asked
 * whether it lives before it gets into a table again.
 *
 * @throws CulvertError `CULVERT_BAD_STATE` when the bytes are cut off, malformed or of the future
 */
export function restoreContacts(bytes: Uint8Array): Contact[] {
  requireBytes("a saved table", bytes);
  try {
    const reader = new Reader(bytes);
    if (reader.u8("version") !== VERSION) reader.refuse("version", "is not known");
    const count = reader.u16("contacts");
    if (count > SAVED_CONTACTS_MAX) reader.refuse("contacts", "too many");
    const contacts = Array.from({ length: count }, () => readContact(reader));
    reader.expectEnd();
    return contacts;
  } catch (cause) {
    if (!isCulvertError(cause)) throw cause;
    throw new CulvertError("CULVERT_BAD_STATE", "the saved table cannot be read", { cause });
  }
}
