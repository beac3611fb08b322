import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isCulvertError } from "../../../src/base/index.ts";
import {
  formatTicket,
  parseTicket,
  requireRole,
  type Ticket,
} from "../../../src/cli/ticket/ticket.ts";

const secret = Uint8Array.from({ length: 32 }, (_, i) => i);
const receive: Ticket = { role: "receive", secret };
/** Fixed for ever: tickets outlive the program that made them. */
const RECEIVE_TEXT = formatTicket(receive);

function codeOf(text: string): string {
  try {
    parseTicket(text);
    return "accepted";
  } catch (error) {
    return isCulvertError(error) ? error.code : String(error);
  }
}

describe("tickets", () => {
  test("have one text form, for ever", () => {
    expect(RECEIVE_TEXT).toMatchInlineSnapshot(
      `"culvert1qyqsqqgzqvzq2ps8pqys5zcvp58q7yq3zgf3g9gkzuvpjxsmrsw3u8c6lkkuy"`,
    );
    expect(RECEIVE_TEXT).toHaveLength(69);
  });

  test("come back as they were, for every role", () => {
    for (const role of ["receive", "pipe"] as const) {
      expect(parseTicket(formatTicket({ role, secret }))).toEqual({ role, secret });
    }
    const capability = new Uint8Array(136).fill(7);
    const subscribe: Ticket = { role: "subscribe", secret: capability };
    expect(parseTicket(formatTicket(subscribe))).toEqual(subscribe);
  });

  test("may be pasted in capitals, with spaces, or broken over lines", () => {
    const broken = `  ${RECEIVE_TEXT.slice(0, 30)}\n   ${RECEIVE_TEXT.slice(30)}\n`;
    expect(parseTicket(RECEIVE_TEXT.toUpperCase())).toEqual(receive);
    expect(parseTicket(broken)).toEqual(receive);
  });

  test("every typo of up to four characters is found", () => {
    const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const typo = fc.record({
      at: fc.integer({ min: "culvert1".length, max: RECEIVE_TEXT.length - 1 }),
      character: fc.constantFrom(...alphabet),
    });
    fc.assert(
      fc.property(fc.array(typo, { minLength: 1, maxLength: 4 }), (typos) => {
        const characters = [...RECEIVE_TEXT];
        for (const { at, character } of typos) characters[at] = character;
        const text = characters.join("");
        fc.pre(text !== RECEIVE_TEXT);
        expect(codeOf(text)).toBe("CULVERT_BAD_TICKET");
      }),
    );
  });

  test("a missing, doubled or swapped character is found", () => {
    for (let at = 0; at < RECEIVE_TEXT.length - 1; at++) {
      const [head, here, next] = [
        RECEIVE_TEXT.slice(0, at),
        RECEIVE_TEXT[at],
        RECEIVE_TEXT[at + 1],
      ];
      const rest = RECEIVE_TEXT.slice(at + 1);
      expect(codeOf(`${head}${rest}`)).toBe("CULVERT_BAD_TICKET");
      expect(codeOf(`${head}${here}${here}${rest}`)).toBe("CULVERT_BAD_TICKET");
      if (here === next) continue;
      expect(codeOf(`${head}${next}${here}${rest.slice(1)}`)).toBe("CULVERT_BAD_TICKET");
    }
  });

  test("of another version, for an unknown command, of another length or kind are refused", () => {
    const bad = [
      "",
      "hello",
      "x".repeat(10_000),
      "culvert1",
      "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
      `culvert1${"q".repeat(1000)}`,
    ];
    for (const text of bad) expect(codeOf(text), text).toBe("CULVERT_BAD_TICKET");
  });

  test("anything at all is a ticket or a typed error", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(codeOf(text)).toBe("CULVERT_BAD_TICKET");
        expect(codeOf(`culvert1${text}`)).toBe("CULVERT_BAD_TICKET");
      }),
    );
  });

  test("for another command name the one that they are for", () => {
    expect(requireRole(receive, "receive")).toBe(receive);
    expect(() => requireRole(receive, "pipe")).toThrow('this ticket is for "culvert receive"');
  });
});
