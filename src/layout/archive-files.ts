import { DrayError, quote } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import { algorithmOf, type Digest, hexOf, isDigest } from '../oci/digest.ts'
import type { TarFile } from '../tar/tar-file.ts'
import type { TarFileEntry } from '../tar/tar-header.ts'
import { type IndexDocument, maxIndexBytes, parseIndex } from './index-document.ts'
import { checkLayoutFile, maxLayoutFileBytes } from './layout-file.ts'
import type { BlobFiles, ByteRange, LayoutFiles } from './layout-files.ts'

/**
 * The files of a layout in an archive. Of several entries with one name the last counts, and only an entry that is a file
 * is a blob: a link is as good as absent, as in a folder.
 */
export class ArchiveFiles implements LayoutFiles, BlobFiles {
  readonly indexPath: string
  readonly blobs = this
  readonly #tar: TarFile
  readonly #index: IndexDocument

  private constructor(tar: TarFile, index: IndexDocument) {
    this.indexPath = pathIn(tar, 'index.json')
    this.#tar = tar
    this.#index = index
  }

  /**
   * Finds the layout in an archive.
   * @throws DrayError `NOT_FOUND` where it holds something else, `UNSUPPORTED` for another layout version, `INTEGRITY`, `IO`
   */
  static async open(tar: TarFile): Promise<ArchiveFiles> {
    const layoutFile = await readFile(tar, 'oci-layout', maxLayoutFileBytes)
    if (layoutFile === undefined) throw noLayout(tar)
    checkLayoutFile(layoutFile, pathIn(tar, 'oci-layout'))
    const index = await readFile(tar, 'index.json', maxIndexBytes)
    return new ArchiveFiles(tar, parseIndex(index, pathIn(tar, 'index.json')))
  }

  async index(): Promise<IndexDocument> {
    return this.#index
  }

  async list(): Promise<Digest[]> {
    const digests = this.#tar.entries.map(entry => digestIn(entry)).filter(digest => digest !== undefined)
    return [...new Set(digests)]
  }

  async size(digest: Digest): Promise<number | undefined> {
    return this.#find(digest)?.size
  }

  read(digest: Digest, range?: ByteRange): Chunks {
    const entry = this.#find(digest)
    if (entry !== undefined) return this.#tar.read(entry, range)
    throw new DrayError('NOT_FOUND', `${this.#tar.name}: there is no blob ${digest}`)
  }

  /** The name of an entry that is no part of a layout, if there is one. */
  findForeign(): string | undefined {
    const isForeign = (entry: TarFileEntry) =>
      digestIn(entry) === undefined && !layoutNames.has(plainName(entry))
    return this.#tar.entries.find(isForeign)?.name
  }

  #find(digest: Digest): TarFileEntry | undefined {
    return findFile(this.#tar, `blobs/${algorithmOf(digest)}/${hexOf(digest)}`)
  }
}

const layoutNames: ReadonlySet<string> = new Set([
  '',
  '.',
  'oci-layout',
  'index.json',
  'blobs',
  'blobs/sha256',
  'blobs/sha512',
])

/** Without what programs put around a name. */
function plainName({ name }: TarFileEntry): string {
  return name.replace(/^(?:\.\/+)+|\/+$/g, '')
}

function digestIn(entry: TarFileEntry): Digest | undefined {
  const [, algorithm, hex] = /^blobs\/([^/]+)\/([^/]+)$/.exec(plainName(entry)) ?? []
  const digest = `${algorithm}:${hex}`
  return isDigest(digest) ? digest : undefined
}

function findFile(tar: TarFile, name: string): TarFileEntry | undefined {
  const entry = tar.find(name)
  return entry?.type === 'file' ? entry : undefined
}

async function readFile(tar: TarFile, name: string, limit: number): Promise<Buffer | undefined> {
  const entry = findFile(tar, name)
  return entry && (await tar.readBytes(entry, limit))
}

function pathIn(tar: TarFile, name: string): string {
  return `${tar.name}/${name}`
}

function noLayout(tar: TarFile): DrayError {
  return new DrayError('NOT_FOUND', `${tar.name}: not an OCI image layout, there is no oci-layout file`, {
    hint: likelyReason(tar),
  })
}

function likelyReason(tar: TarFile): string | undefined {
  const nested = tar.entries.map(plainName).find(name => name.endsWith('/oci-layout'))
  if (nested !== undefined) {
    return `the layout is in the archive's folder ${quote(nested.slice(0, nested.lastIndexOf('/')))}; pack it from within`
  }
  if (tar.find('manifest.json') === undefined) return undefined
  return tar.find('version') === undefined
    ? 'it looks like an archive of docker save, which docker-archive: reads'
    : 'it looks like a folder of images that dir: reads, and has to be unpacked first'
}
