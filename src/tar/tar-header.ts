import type { Flow } from '../flow.ts'
import type { SparseMap } from './sparse-map.ts'

/** What an entry of an archive is. A contiguous file and a sparse file are files. */
export type TarType = 'file' | 'link' | 'symlink' | 'directory' | 'character-device' | 'block-device' | 'fifo'

/** What an archive tells of one entry; of a name that occurs several times, the last entry counts. */
export interface TarHeader {
  /**
   * The name as it stands in the archive, not checked: it may be absolute or lead out of the tree (see `safePath`). Bytes
   * that are no UTF-8 are kept apart as lone surrogates (see `decodeName`), so different names stay different.
   */
  readonly name: string
  readonly type: TarType
  /** The bytes of the file as it is unpacked, holes included; 0 for what is no file. */
  readonly size: number
  /** The bytes of the content as it is stored in the archive, without padding. */
  readonly storedSize: number
  /** Where the stored bytes of a sparse file belong; undefined for every other entry. See `realContent`. */
  readonly sparse: SparseMap | undefined
  /** The permissions with setuid, setgid and sticky, as chmod takes them. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Empty where the archive names none. */
  readonly uname: string
  readonly gname: string
  /** Seconds since 1970, perhaps with a fraction, perhaps negative. */
  readonly mtime: number
  /** Where a link or symlink leads, not checked; empty for every other type. */
  readonly linkname: string
  readonly devmajor: number
  readonly devminor: number
  /** Extended attributes by their name, such as `security.capability`. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>
}

/** An entry of an archive that is passing by. */
export interface TarItem extends TarHeader {
  /**
   * The header as it stood in the archive: PAX and GNU long headers with the ustar block, a multiple of 512 bytes. With
   * the content and its padding behind it, it is the same entry in another archive. Where a global PAX header says
   * something of the entry, its records are the entry's own here; and where what is no file claims to have content, the
   * header is written anew without.
   */
  readonly head: Uint8Array
  /**
   * The stored bytes. They flow once, and only until the next item is asked for; what is not taken is skipped. Fails with
   * `INTEGRITY` where the archive ends too early.
   */
  readonly content: Flow
}

/** An entry of an archive on disk, whose content can be read at any time and in any order. */
export interface TarFileEntry extends TarHeader {
  /** Where the header begins in the archive, in bytes. */
  readonly headOffset: number
  /** Where the stored content begins in the archive, in bytes. */
  readonly contentOffset: number
}
