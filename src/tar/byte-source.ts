/** Bytes that are read one after the other, in pieces of the reader's choice. */
export interface ByteSource {
  /** How many bytes are read or skipped so far. */
  readonly position: number
  /** The next bytes: `length` of them, or fewer where the source ends. */
  take(length: number): Promise<Buffer>
  /** Leaves out the next bytes: `length` of them, or fewer where the source ends; tells how many. */
  skip(length: number): Promise<number>
}
