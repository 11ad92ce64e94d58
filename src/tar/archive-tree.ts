import { isDrayError, quote } from '../errors.ts'
import { safePath } from './entry-name.ts'
import type { TarHeader } from './tar-header.ts'
import { tarFault } from './tar-limits.ts'

/** As Linux has it. */
const mostLinks = 40

/** Finds entries by their names. Of a name that occurs several times the last entry counts. */
export class ArchiveTree<Entry extends TarHeader> {
  readonly #entries = new Map<string, Entry>()
  readonly #archive: string

  constructor(entries: readonly Entry[], archive: string) {
    this.#archive = archive
    for (const entry of entries) {
      const path = pathOf(entry.name, archive)
      if (path !== undefined) this.#entries.set(path, entry)
    }
  }

  /** The entry of this name, where `./a/` and `a` are one name. */
  find(name: string): Entry | undefined {
    const path = pathOf(name, this.#archive)
    return path === undefined ? undefined : this.#entries.get(path)
  }

  /**
   * The entry that a name leads to through symlinks and hard links.
   * @throws DrayError `INTEGRITY` for links that leave the archive or lead in a circle
   */
  follow(name: string): Entry | undefined {
    let way: string[] = []
    let ahead = name.split('/')
    let links = 0
    for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) {
      if (part === '' || part === '.') continue
      if (part !== '..') way.push(part)
      else if (way.pop() === undefined) throw this.#fault(name, 'leads out of the archive')
      const entry = this.#entries.get(way.join('/'))
      if (entry?.type !== 'symlink' && entry?.type !== 'link') continue
      links += 1
      if (links > mostLinks) throw this.#fault(name, 'leads in a circle')
      if (entry.linkname.startsWith('/')) throw this.#fault(name, 'leads out of the archive')
      // A symlink starts from its folder, a hard link from the top.
      way = entry.type === 'link' ? [] : way.slice(0, -1)
      ahead = [...entry.linkname.split('/'), ...ahead]
    }
    return this.#entries.get(way.join('/'))
  }

  #fault(name: string, text: string): Error {
    return tarFault(this.#archive, `entry ${quote(name)} ${text}`)
  }
}

function pathOf(name: string, archive: string): string | undefined {
  try {
    return safePath(name, archive)
  } catch (error) {
    if (isDrayError(error, 'INTEGRITY')) return undefined
    throw error
  }
}
