import type { Inode } from './inode.ts'

/** What layers say of a name. */
export interface Sayings {
  /** Something else than a folder is here, or what was here is taken away: nothing older is to be seen here and below. */
  isCovered: boolean
  /** Nothing older is to be seen below. */
  isEmptied: boolean
  /** A folder is here, because an entry says so or lies below. */
  isFolder: boolean
  /** An entry is to be seen here. */
  isShown: boolean
}

/** What the layer that is being read says; it counts for older layers, and within this one in the order of its entries. */
export interface NewSayings extends Sayings {
  /** Entries of the layer lie below. */
  hasEntries: boolean
  inode: Inode | undefined
}

/** A name in the tree of an image, with what the layers say that are newer than the one being read. */
export interface Name extends Sayings {
  children: Map<string, Name> | undefined
  now: NewSayings | undefined
}

const nothing: Readonly<Sayings> = { isCovered: false, isEmptied: false, isFolder: false, isShown: false }

/** A name that no layer has told of. */
export function newName(): Name {
  return { ...nothing, children: undefined, now: undefined }
}

/** What a layer says of a name before it has said something. */
export function newSayings(): NewSayings {
  return { ...nothing, hasEntries: false, inode: undefined }
}

/** Lets what the layer being read says count for older ones. */
export function endSayings(name: Name): void {
  const { now } = name
  if (now === undefined) return
  name.isCovered ||= now.isCovered
  name.isEmptied ||= now.isEmptied
  name.isFolder ||= now.isFolder
  name.isShown ||= now.isShown
  name.now = undefined
}
