import { quote } from '../errors.ts'
import { type Chunks, type Flow, flow, pour, type Take } from '../flow.ts'
import { blockBytes, paddingOf } from './blocks.ts'
import { encodeHead, type WholeHeader } from './encode-head.ts'
import type { TarItem } from './tar-header.ts'
import { tarFault } from './tar-limits.ts'
import { loadTarStream, type TarStream } from './tar-stream.ts'

/**
 * An entry to be written. What is left out is fixed: a file of 0 bytes, owned by user 0 and group 0 without names,
 * changed in 1970, with mode 0644 (folders 0755, symlinks 0777).
 */
export type NewTarHeader = Pick<WholeHeader, 'name'> & {
  readonly [Field in keyof WholeHeader]?: WholeHeader[Field] | undefined
}

/**
 * An archive with the entries that `fill` adds, and two blocks of zeros at its end (POSIX.1-2017 pax). The same entries
 * give the same bytes. It flows when it is asked to, once for each time, and is never whole in memory.
 * @param name what the archive is called in messages
 */
export function tarOf(name: string, fill: (tar: TarWriter) => Promise<void>): Flow {
  return flow(async take => {
    await fill(new TarWriter(name, take))
    await take(Buffer.alloc(2 * blockBytes))
  })
}

/** Writes entries one behind the other; each must be written before the next is added. */
export class TarWriter {
  readonly #name: string
  readonly #take: Take
  #isWriting = false
  #tarStream: TarStream | undefined

  constructor(name: string, take: Take) {
    this.#name = name
    this.#take = take
  }

  /**
   * Adds an entry. Names of folders get the slash that tar gives them.
   * @throws DrayError `INTEGRITY` where the content is shorter or longer than the header's size; what the content throws
   */
  async add(header: NewTarHeader, content?: Chunks): Promise<void> {
    const whole = wholeHeader(header)
    this.#tarStream ??= await loadTarStream()
    await this.#write(whole.name, await encodeHead(whole, this.#tarStream), { size: whole.size, content })
  }

  /**
   * Adds an entry of another archive as it stands there: its header byte for byte, and its stored content.
   * @throws DrayError `INTEGRITY` as `add`; what the content throws
   */
  async pass(item: Pick<TarItem, 'name' | 'head' | 'storedSize' | 'content'>): Promise<void> {
    await this.#write(item.name, item.head, { size: item.storedSize, content: item.content })
  }

  async #write(
    name: string,
    head: Uint8Array,
    { size, content }: { size: number; content: Chunks | undefined },
  ): Promise<void> {
    if (this.#isWriting) throw new Error(`${this.#name}: an entry came before the last was written`)
    this.#isWriting = true
    await this.#take(head)
    const fault = (text: string) => tarFault(this.#name, `entry ${quote(name)} ${text}`)
    let length = 0
    await pour(content ?? flow(async () => {}), piece => {
      length += piece.length
      if (length > size) throw fault(`has more content than the ${size} bytes that were announced`)
      return this.#take(piece)
    })
    if (length < size) throw fault(`ended after ${length} of ${size} bytes`)
    const padding = paddingOf(size)
    if (padding > 0) await this.#take(Buffer.alloc(padding))
    this.#isWriting = false
  }
}

function wholeHeader({ type = 'file', name, ...header }: NewTarHeader): WholeHeader {
  const isLink = type === 'link' || type === 'symlink'
  const leadsSomewhere = header.linkname !== undefined && header.linkname !== ''
  if (isLink !== leadsSomewhere) throw new Error(`${name}: a link leads somewhere, and nothing else does`)
  if (type !== 'file' && (header.size ?? 0) !== 0) throw new Error(`${name}: only a file has content`)
  return {
    type,
    name: type === 'directory' && !name.endsWith('/') ? `${name}/` : name,
    size: header.size ?? 0,
    mode: header.mode ?? defaultModes[type] ?? 0o644,
    uid: header.uid ?? 0,
    gid: header.gid ?? 0,
    uname: header.uname ?? '',
    gname: header.gname ?? '',
    mtime: header.mtime ?? 0,
    linkname: header.linkname ?? '',
    devmajor: header.devmajor ?? 0,
    devminor: header.devminor ?? 0,
    xattrs: header.xattrs ?? new Map(),
  }
}

const defaultModes: Readonly<Record<string, number>> = { directory: 0o755, symlink: 0o777 }
