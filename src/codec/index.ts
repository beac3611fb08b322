export type { CborInput, CborOf, CborValue, DecodeOptions } from "./cbor.ts";
export { decodeCbor, encodeCbor } from "./cbor.ts";
export { CborSequence, type SequenceOptions } from "./cbor-sequence.ts";
export { Fields } from "./fields.ts";
export { FrameBuffer, sealFrame } from "./frame-buffer.ts";
export { Reader } from "./reader.ts";
export { UnreadBytes } from "./unread-bytes.ts";
export { Writer } from "./writer.ts";
