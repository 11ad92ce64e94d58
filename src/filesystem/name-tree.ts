import { quote } from '../errors.ts'
import { tarFault } from '../tar/tar-limits.ts'
import type { Inode } from './inode.ts'
import { endSayings, type Name, type NewSayings, newName, newSayings } from './name.ts'

/** A name that an entry of the layer being read is about. */
export interface Place {
  readonly name: Name
  readonly parent: Name
  /** Where it really is, behind the symlinks of the layer. */
  readonly path: string
  /** Newer layers let nothing be seen here. */
  readonly isHidden: boolean
}

/** What is known of a path: `unknown` where older layers may still have something. */
export type PathState = 'folder' | 'entry' | 'absent' | 'unknown'

/** How much of an image is believed before it is called hostile. */
export interface NameTreeLimits {
  /** How many names all layers may have together, folders that are only implied included; 4 million when absent. */
  readonly maxNames?: number | undefined
  /** How many characters those may have together; 256 Mi when absent. */
  readonly maxCharacters?: number | undefined
}

/** The names that lead to a place, from the root on, and the parts of its path. */
interface Way {
  readonly chain: readonly Name[]
  readonly parts: readonly string[]
}

/** As many as Linux follows. */
const maxSymlinks = 40

/**
 * The names of an image while its layers are read, the newest first: decides which entries are to be seen. It holds names
 * only, so its memory does not grow with contents.
 */
export class NameTree {
  readonly #root = newName()
  readonly #maxNames: number
  readonly #maxCharacters: number
  #names = 0
  #characters = 0
  #touched: Name[] = []
  #layer = ''

  constructor({ maxNames = 4_000_000, maxCharacters = 256 * 1024 ** 2 }: NameTreeLimits = {}) {
    this.#maxNames = maxNames
    this.#maxCharacters = maxCharacters
  }

  /** @param layer what it is called in messages */
  beginLayer(layer: string): void {
    this.#layer = layer
  }

  /** What comes next is of an older layer. */
  endLayer(): void {
    for (const name of this.#touched) endSayings(name)
    this.#touched = []
  }

  /**
   * Where a path of this layer leads. Symlinks of the same layer are followed on the way, as they are where a layer is
   * unpacked into a folder of its own; those of older layers are not, because an overlay hides them behind the folder.
   * @throws DrayError `INTEGRITY` for a path below what is no folder, for symlinks in a circle, and beyond the limits
   */
  find(path: string): Place {
    return this.#place(this.#walk(path))
  }

  /** The same for an entry of this layer; what is above it becomes a folder. */
  enter(path: string, { isWhiteout = false } = {}): Place {
    const way = this.#walk(path)
    let isHidden = false
    for (const above of way.chain.slice(0, -1)) {
      const now = this.#now(above)
      isHidden ||= above.isCovered
      if (!isHidden) now.isFolder = true
      if (!isWhiteout) now.hasEntries = true
      isHidden ||= above.isEmptied
    }
    return this.#place(way)
  }

  /** @returns true when the folder's entry is to be seen: the newest one is, and of those in one layer the last counts */
  addFolder({ name, path, isHidden }: Place): boolean {
    const now = this.#now(name)
    replaceInode(now, path, undefined)
    if (isHidden) return false
    now.isFolder = true
    if (name.isShown) return false
    now.isShown = true
    return true
  }

  /**
   * Adds what is no folder.
   * @returns true when it is to be seen
   * @throws DrayError `INTEGRITY` where the same layer has something below, which was given out already
   */
  addInode({ name, path, isHidden }: Place, inode: Inode): boolean {
    const now = this.#now(name)
    if (now.hasEntries || path === '') {
      throw tarFault(this.#layer, `entry ${quote(path)} is no folder, but other entries lie below it`)
    }
    replaceInode(now, path, inode)
    now.isCovered = true
    now.isFolder = false
    now.isShown = !isHidden && !name.isFolder
    return now.isShown
  }

  /** Takes away what older layers have at a place. */
  addWhiteout({ name }: Place): void {
    this.#now(name).isCovered = true
  }

  /** Takes away what older layers have in the folder that a place is in. */
  addOpaque({ parent }: Place): void {
    this.#now(parent).isEmptied = true
  }

  /** What the layer being read says of a path, as newer ones see it: symlinks are not followed. */
  saidNow(path: string): Readonly<NewSayings> | undefined {
    return this.#known(path).name?.now
  }

  /** True when the layer being read lets nothing older be at a path. */
  takesAway(path: string): boolean {
    const { above, name } = this.#known(path)
    if (name?.now?.isCovered || name?.now?.isFolder) return true
    return above.some(({ now }) => now?.isCovered || now?.isEmptied)
  }

  /** What the layers read so far make of a path; at the end of a layer, with that one. */
  stateOf(path: string): PathState {
    const { above, name } = this.#known(path)
    if (name?.isFolder || name?.now?.isFolder) return 'folder'
    if (name?.isShown || name?.now?.isShown) return 'entry'
    return name?.isCovered || above.some(isClosed) ? 'absent' : 'unknown'
  }

  /** True when older layers have nothing to add at a path and below. */
  isComplete(path: string): boolean {
    const { above, name } = this.#known(path)
    return [...above, name ?? newName()].some(isClosed)
  }

  #walk(path: string): Way {
    const chain = [this.#root]
    const parts: string[] = []
    const todo = path.split('/').reverse()
    let symlinks = 0
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      if (part === '' || part === '.') continue
      if (part === '..') {
        if (parts.pop() !== undefined) chain.pop()
        continue
      }
      const name = this.#child(chain.at(-1) ?? this.#root, part)
      const inode = todo.length === 0 ? undefined : name.now?.inode
      if (inode === undefined) {
        chain.push(name)
        parts.push(part)
        continue
      }
      symlinks += 1
      if (inode.symlink === undefined || symlinks > maxSymlinks) throw this.#noFolder(path, inode)
      if (inode.symlink.startsWith('/')) {
        chain.length = 1
        parts.length = 0
      }
      for (const step of inode.symlink.split('/').reverse()) todo.push(step)
    }
    return { chain, parts }
  }

  #place({ chain, parts }: Way): Place {
    const name = chain.at(-1) ?? this.#root
    const above = chain.slice(0, -1)
    const isHidden = name.isCovered || above.some(isClosed)
    return { name, parent: above.at(-1) ?? name, path: parts.join('/'), isHidden }
  }

  #noFolder(path: string, { symlink }: Inode): Error {
    const why = symlink === undefined ? 'something that is no folder' : 'symbolic links that lead in a circle'
    return tarFault(this.#layer, `entry ${quote(path)} lies below ${why}`)
  }

  #child(parent: Name, part: string): Name {
    const known = parent.children?.get(part)
    if (known !== undefined) return known
    this.#names += 1
    this.#characters += part.length
    if (this.#names > this.#maxNames || this.#characters > this.#maxCharacters) {
      const limits = `${this.#maxNames} names or ${this.#maxCharacters} characters in them`
      throw tarFault(this.#layer, `the image has more than ${limits}, which is the limit`)
    }
    const name = newName()
    parent.children ??= new Map()
    parent.children.set(part, name)
    return name
  }

  #now(name: Name): NewSayings {
    if (name.now === undefined) {
      name.now = newSayings()
      this.#touched.push(name)
    }
    return name.now
  }

  /** A name as far as there is one, and those above it. */
  #known(path: string): { readonly above: readonly Name[]; readonly name: Name | undefined } {
    const above: Name[] = []
    let name: Name | undefined = this.#root
    for (const part of path === '' ? [] : path.split('/')) {
      if (name === undefined) break
      above.push(name)
      name = name.children?.get(part)
    }
    return { above, name }
  }
}

function replaceInode(now: NewSayings, path: string, inode: Inode | undefined): void {
  now.inode?.unlink(path)
  now.inode = inode
}

function isClosed({ isCovered, isEmptied }: Name): boolean {
  return isCovered || isEmptied
}
