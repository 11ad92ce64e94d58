import type { TarHeader } from '../tar/tar-header.ts'

export interface InodeOptions {
  /** Which entry of the layer has its content, from 0 on; undefined where an older layer has it. */
  readonly ordinal?: number | undefined
  /** Where it leads, if it is a symlink. */
  readonly symlink?: string | undefined
}

/** What a layer has, unless a folder, under one name or under several that are hard links to one another. */
export class Inode {
  readonly ordinal: number | undefined
  readonly symlink: string | undefined
  /** The names that it was given out under, once links lead to it. */
  #names: Set<string> | undefined
  #waiting: Map<string, TarHeader> | undefined

  constructor({ ordinal, symlink }: InodeOptions = {}) {
    this.ordinal = ordinal
    this.symlink = symlink
  }

  /** Links that are to be seen, and wait for a name that was given out before them. */
  get waiting(): ReadonlyMap<string, TarHeader> {
    return this.#waiting ?? nothing
  }

  /** Told of its first name, and whether it is to be seen there, when a link leads to it. */
  share(path: string, isShown: boolean): this {
    this.#names ??= new Set(isShown && this.ordinal !== undefined ? [path] : [])
    return this
  }

  /** Adds a link that is to be seen. @returns the name that it leads to, or undefined where it has to wait */
  link(path: string, header: TarHeader): string | undefined {
    const first = this.#names?.values().next().value
    if (first !== undefined) this.#names?.add(path)
    else {
      this.#waiting ??= new Map()
      this.#waiting.set(path, header)
    }
    return first
  }

  /** Something else has the name now. */
  unlink(path: string): void {
    this.#names?.delete(path)
    this.#waiting?.delete(path)
  }
}

const nothing: ReadonlyMap<string, TarHeader> = new Map()
