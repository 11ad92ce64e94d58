import { quote } from '../errors.ts'
import type { TarHeader } from '../tar/tar-header.ts'
import { tarFault } from '../tar/tar-limits.ts'
import { Inode } from './inode.ts'
import type { NameTree } from './name-tree.ts'

/** A hard link that is to be seen, to a name that was given out before it. */
export interface ShownLink {
  readonly path: string
  readonly header: TarHeader
  readonly linkTo: string
}

/**
 * The hard links of an image while its layers are read, the newest first. A link shares what its target is when the link's
 * layer is put on: an entry before it in the same layer, or else what older layers have there. Where newer layers hide
 * the target, its content is given out under the link's name; by then it has passed, so the layer is read once more.
 */
export class HardLinks {
  readonly #tree: NameTree
  /** What links of newer layers lead to, by its path. */
  readonly #awaited = new Map<string, Inode>()
  /** What links of the layer being read lead to in older ones, by its path. */
  readonly #older = new Map<string, Inode>()
  readonly #wanted = new Set<Inode>()

  constructor(tree: NameTree) {
    this.#tree = tree
  }

  /** What a link of this layer to `path` leads to. */
  targetOf(path: string): Inode {
    const { name, path: target } = this.#tree.find(path)
    if (name.now?.inode !== undefined) return name.now.inode.share(target, name.now.isShown)
    const older = this.#older.get(target) ?? new Inode()
    this.#older.set(target, older)
    return older
  }

  /** A link that is to be seen; undefined where it has to wait for a name to lead to. */
  show(path: string, header: TarHeader, inode: Inode): ShownLink | undefined {
    const linkTo = inode.link(path, header)
    if (linkTo !== undefined) return { path, header, linkTo }
    if (inode.ordinal !== undefined) this.#wanted.add(inode)
    return undefined
  }

  /**
   * At the end of a layer: the links of newer ones that lead to it.
   * @throws DrayError `INTEGRITY` where it takes away what a link leads to
   */
  *settle(layer: string): Generator<ShownLink, void> {
    for (const [path, { waiting }] of this.#awaited) {
      const now = this.#tree.saidNow(path)
      if (now?.inode !== undefined) {
        const inode = now.inode.share(path, now.isShown)
        for (const [name, header] of waiting) {
          const shown = this.show(name, header, inode)
          if (shown !== undefined) yield shown
        }
      } else if (this.#tree.takesAway(path)) refuseWaiting(waiting, path, layer)
      else continue
      this.#awaited.delete(path)
    }
    for (const [path, inode] of this.#older) {
      const awaited = this.#awaited.get(path) ?? inode
      for (const [name, header] of inode.waiting) awaited.link(name, header)
      this.#awaited.set(path, awaited)
    }
    this.#older.clear()
  }

  /** The links that wait for content of this layer, by the place of the entry that has it. */
  takeWanted(): ReadonlyMap<number, ReadonlyMap<string, TarHeader>> {
    const wanted = [...this.#wanted].filter(({ waiting }) => waiting.size > 0)
    this.#wanted.clear()
    return new Map(wanted.map(({ ordinal = 0, waiting }) => [ordinal, waiting]))
  }

  /**
   * When the oldest layer has been read.
   * @throws DrayError `INTEGRITY` where a link leads nowhere
   */
  end(layer: string): void {
    for (const [path, { waiting }] of this.#awaited) refuseWaiting(waiting, path, layer)
  }
}

function refuseWaiting(waiting: ReadonlyMap<string, TarHeader>, path: string, layer: string): void {
  const [link] = waiting.keys()
  if (link === undefined) return
  throw tarFault(layer, `${quote(link)} is a hard link to ${quote(path)}, which is not there`)
}
