/** How long the blocks are that an archive is made of, in bytes. */
export const blockBytes = 512

/** How many bytes fill content up to whole blocks. */
export function paddingOf(size: number): number {
  return -size & (blockBytes - 1)
}

/** True where all bytes are 0: the first is, and each is as the one before it. */
export function isZero(bytes: Uint8Array): boolean {
  return (
    bytes.length === 0 || (bytes[0] === 0 && Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0)
  )
}
