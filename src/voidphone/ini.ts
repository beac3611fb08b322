import { CulvertError } from "../base/index.ts";

/** One value of an INI file, and the line that it stands in, from 1 on. */
export interface IniValue {
  readonly text: string;
  readonly line: number;
}

/** A section of an INI file, and the line in which it begins, from 1 on. */
export interface IniSection {
  readonly line: number;
  readonly values: ReadonlyMap<string, IniValue>;
}

/** Each section by its name as written; what stands before the first one has the name "". */
export type IniSections = ReadonlyMap<string, IniSection>;

/** A file larger than this is no configuration. */
const INI_CHARACTERS_MAX = 262_144;

/**
 * Reads a Windows INI file: sections in brackets, `key = value`, comments behind `;` or `#` at the
 * beginning of a line, or after a space, unless a value in quotes holds them. Keys are taken in
 * lower case. A section or a key that comes twice is an error: which one counts, readers of INI
 * files do not agree on.
 *
 * @throws CulvertError `CULVERT_USAGE` with the line and the cause
 */
export function parseIni(text: string): IniSections {
  if (text.length > INI_CHARACTERS_MAX) throw iniError(1, "the file is too long");
  let values = new Map<string, IniValue>();
  const sections = new Map<string, IniSection>([["", { line: 1, values }]]);
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  for (const [index, raw] of lines.entries()) {
    const [line, content] = [index + 1, raw.trim()];
    if (content === "" || /^[;#]/.test(content)) continue;
    if (content.startsWith("[")) {
      const name = sectionName(content, line);
      const first = sections.get(name);
      if (first !== undefined) throw iniError(line, `[${name}] is in line ${first.line} already`);
      values = new Map();
      sections.set(name, { line, values });
      continue;
    }
    const { key, value } = keyAndValue(content, line);
    const known = values.get(key);
    if (known !== undefined) throw iniError(line, `${key} is in line ${known.line} already`);
    values.set(key, { text: value, line });
  }
  return sections;
}

/** An error of the file that tells where. */
export function iniError(line: number, why: string): CulvertError {
  return new CulvertError("CULVERT_USAGE", `line ${line}: ${why}`, { detail: { line } });
}

function sectionName(content: string, line: number): string {
  const [, inside = ""] = /^\[([^[\]]+)\]\s*(?:[;#].*)?$/.exec(content) ?? [];
  const name = inside.trim();
  // Without a name it would be what stands before all sections, which it is not.
  if (name === "") throw iniError(line, "a section looks like [dht]");
  return name;
}

function keyAndValue(content: string, line: number): { key: string; value: string } {
  const at = content.indexOf("=");
  const key = content.slice(0, Math.max(at, 0)).trim().toLowerCase();
  if (key === "") throw iniError(line, "neither a section nor key = value");
  const value = content.slice(at + 1).trim();
  const [, quoted] = /^"([^"]*)"\s*(?:[;#].*)?$/.exec(value) ?? [];
  return { key, value: quoted ?? value.replace(/(?:^|\s)[;#].*$/, "").trim() };
}
