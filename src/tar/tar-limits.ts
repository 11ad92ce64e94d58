import { DrayError } from '../errors.ts'

/** How much of an archive is believed before it is called hostile. */
export interface TarLimits {
  /** How many entries an archive may have; a million when absent. */
  readonly maxEntries?: number | undefined
  /** How long the headers of one entry may be together, in bytes; 1 MiB when absent, 4 MiB at most. */
  readonly maxHeadBytes?: number | undefined
}

export interface ReadTarOptions extends TarLimits {
  /** What the archive is called in messages. */
  readonly name: string
  /**
   * Told what is wrong with the archive and does no harm to its entries, as a sentence: no blocks that end it, or other
   * bytes behind them.
   */
  readonly onOddity?: ((text: string) => void) | undefined
}

/** Said of an archive that goes on behind the blocks which end it. */
export const behindTheEnd = 'something is behind the end of the archive'

/** @returns an error with the code `INTEGRITY` that names the archive */
export function tarFault(archive: string, text: string, cause?: unknown): DrayError {
  return new DrayError('INTEGRITY', `${archive}: ${text}`, { cause })
}
