/** Memory with whatever was in it before: every byte has to be written before any is read. */
export function rawMemory(bytes: number): ArrayBuffer {
  const { buffer } = Buffer.allocUnsafeSlow(bytes);
  return buffer instanceof ArrayBuffer ? buffer : new ArrayBuffer(bytes);
}
