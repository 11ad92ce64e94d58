import { DrayError, quote } from '../errors.ts'
import type { TarType } from '../tar/tar-header.ts'
import type { Layer } from './image-layers.ts'
import type { MergedEntry } from './merge-layers.ts'
import type { NameTree } from './name-tree.ts'

/** A file, link or device that was given out, and where its content is. */
export interface SeenEntry {
  readonly type: TarType
  readonly symlink: string
  readonly layer: Layer
  readonly ordinal: number
}

/** What a path leads to. `path` is behind all symlinks; where there is nothing, it is what it failed at. */
export type Found =
  | { readonly kind: 'entry'; readonly path: string; readonly entry: SeenEntry }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'nothing'; readonly path: string; readonly why: 'absent' | 'no folder' | 'circle' }

export interface PathSearchOptions {
  /** Follow a symlink that is the last part; one with a slash behind it is followed in any case. */
  readonly followsLast: boolean
}

/** As many as Linux follows. */
const maxSymlinks = 40

/**
 * Looks for what a path leads to while the entries of an image come by, with the image's root as `/`: symlinks are
 * followed and never lead out. It knows the answer as soon as no older layer can change it.
 */
export class PathSearch {
  readonly #tree: NameTree
  readonly #followsLast: boolean
  readonly #seen = new Map<string, SeenEntry>()
  /** What is followed already, and the parts that are still to be followed, the last first. */
  readonly #done: string[] = []
  readonly #todo: string[]
  #symlinks = 0
  #missing = ''
  #found: Found | undefined

  /** @param tree what the layers read so far have */
  constructor(path: string, tree: NameTree, { followsLast }: PathSearchOptions) {
    this.#tree = tree
    this.#followsLast = followsLast
    this.#todo = path.split('/').reverse()
    this.find()
  }

  /** Remembers an entry while the answer is not known. @returns true when it may be what was missing */
  see({ path, header, layer, ordinal, linkTo }: MergedEntry): boolean {
    if (this.#found !== undefined) return false
    const target = linkTo === undefined ? undefined : this.#seen.get(linkTo)
    if (target !== undefined) this.#seen.set(path, target)
    else if (ordinal !== undefined && header.type !== 'directory') {
      this.#seen.set(path, { type: header.type, symlink: header.linkname, layer, ordinal })
    }
    return path === this.#missing || path.startsWith(`${this.#missing}/`)
  }

  /** Goes on as far as is known now. */
  find(): Found | undefined {
    while (this.#found === undefined) {
      const part = this.#todo.pop()
      if (part === undefined) this.#found = { kind: 'folder', path: this.#done.join('/') }
      else if (part === '..') this.#done.pop()
      else if (part !== '' && part !== '.' && !this.#step(part)) return undefined
    }
    return this.#found
  }

  /** The answer when no more entries come. */
  end(): Found {
    return this.find() ?? { kind: 'nothing', path: this.#missing, why: 'absent' }
  }

  /** @returns false where it cannot go on yet */
  #step(part: string): boolean {
    const path = [...this.#done, part].join('/')
    const state = this.#tree.stateOf(path)
    const entry = this.#seen.get(path)
    if (state === 'folder') this.#done.push(part)
    else if (state === 'absent') this.#found = { kind: 'nothing', path, why: 'absent' }
    else if (state === 'entry' && entry !== undefined) this.#meet(path, entry)
    else {
      this.#todo.push(part)
      this.#missing = path
      return false
    }
    return true
  }

  #meet(path: string, entry: SeenEntry): void {
    const isLast = this.#todo.length === 0
    if (entry.type !== 'symlink' || (isLast && !this.#followsLast)) {
      this.#found = isLast ? { kind: 'entry', path, entry } : { kind: 'nothing', path, why: 'no folder' }
      return
    }
    this.#symlinks += 1
    if (this.#symlinks > maxSymlinks) this.#found = { kind: 'nothing', path, why: 'circle' }
    if (entry.symlink.startsWith('/')) this.#done.length = 0
    for (const step of entry.symlink.split('/').reverse()) this.#todo.push(step)
  }
}

/** The error for a path that leads to nothing in the image of that name, and what it failed at. */
export function notFound(
  { path, why }: Found & { readonly kind: 'nothing' },
  image: string,
  asked: string,
): DrayError {
  const isAsItWas = asked.replace(/^[./]*\//, '') === path
  const hints = {
    absent: isAsItWas ? undefined : `there is no ${quote(path)}`,
    'no folder': `${quote(path)} is no folder`,
    circle: `${quote(path)} leads in a circle of symbolic links`,
  }
  return new DrayError('NOT_FOUND', `${image}: ${quote(asked)} is not in the image`, { hint: hints[why] })
}
