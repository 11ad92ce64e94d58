import { join } from 'node:path'
import { ParsedFiles } from '../files/parsed-files.ts'
import { type IndexDocument, maxIndexBytes, parseIndex } from './index-document.ts'
import { checkLayoutFile, maxLayoutFileBytes } from './layout-file.ts'

/** What the small files of layouts say, kept between openings for those who open the same layouts all the time. */
export class LayoutCache {
  readonly #layoutFiles: ParsedFiles<true>
  readonly #indexes: ParsedFiles<IndexDocument>

  /** @param clock now, in milliseconds since 1970 */
  constructor(clock?: () => number) {
    const parse = (bytes: Buffer, path: string) => {
      checkLayoutFile(bytes, path)
      return true as const
    }
    // A layout does not change its version twice in a moment.
    this.#layoutFiles = new ParsedFiles({ limit: maxLayoutFileBytes, parse, clock, settledMs: 0 })
    this.#indexes = new ParsedFiles({ limit: maxIndexBytes, parse: parseIndex, clock })
  }

  /** As `isLayout` has it. @throws DrayError `UNSUPPORTED`, `INTEGRITY`, `IO` */
  async isLayout(dir: string): Promise<boolean> {
    return (await this.#layoutFiles.read(join(dir, 'oci-layout'))) ?? false
  }

  /** What index.json at a path holds, or undefined where there is none. @throws DrayError `INTEGRITY`, `IO` */
  readIndex(path: string): Promise<IndexDocument | undefined> {
    return this.#indexes.read(path)
  }

  /** What has been written as the index.json at a path, which it need not be any more. */
  wroteIndex(path: string, bytes: Buffer, document: IndexDocument): void {
    this.#indexes.written(path, bytes, document)
  }
}
