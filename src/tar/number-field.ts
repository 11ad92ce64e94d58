/**
 * A number in a header: octal digits, or with the highest bit set a binary number in two's complement (GNU's base-256).
 * @returns undefined for what is no number, or one beyond 2^53
 */
export function numberField(block: Uint8Array, offset: number, length: number): number | undefined {
  const field = Buffer.from(block.buffer, block.byteOffset + offset, length)
  if ((field[0] ?? 0) & 0x80) return safe(BigInt.asIntN(length * 8 - 1, BigInt(`0x${field.toString('hex')}`)))
  const digits = /^[ \0]*([0-7]*)[ \0]/.exec(`${field.toString('latin1')}\0`)?.[1]
  return digits === undefined ? undefined : safe(Number.parseInt(digits || '0', 8))
}

function safe(value: number | bigint): number | undefined {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : undefined
}
