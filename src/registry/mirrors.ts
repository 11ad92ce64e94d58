import { isDrayError } from '../errors.ts'
import { type Chunks, flow, watched } from '../flow.ts'
import type { BlobRange, ImageSource, TagOrDigest } from '../image-store.ts'
import { collect, verified } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { RecentMap } from '../recent-map.ts'
import type { RegistryEvent } from './context.ts'

/** What can be read of a repository, by itself or with mirrors in front of it. */
export interface RepositorySource
  extends Required<Pick<ImageSource, 'resolve' | 'readManifest' | 'getManifest' | 'getBlob'>> {
  findBlob(digest: Digest): Promise<Descriptor | undefined>
}

/** A place that has what a repository has, or a part of it. */
export interface Mirror {
  /** For messages: `mirror.example/library/alpine`. */
  readonly name: string
  /** What it is asked for; all when absent, else only what is asked for by digest. */
  readonly pullFrom?: 'all' | 'digests' | undefined
  /** Opened when it is first asked, and once. */
  open(): Promise<RepositorySource>
}

/** A blob of a mirror's that is no larger is verified before any of it is given out. */
const maxHeldBytes = 1024 * 1024

/**
 * A repository that is read from its mirrors first, in order, and from itself last. What a mirror does not have (404) the
 * next one is asked for; a mirror that fails in another way is told of once and left out from then on. What only comes
 * wrong or broken of a blob is read elsewhere from then on.
 */
export class MirroredSource implements RepositorySource {
  readonly #own: RepositorySource
  readonly #places: readonly Place[]
  readonly #onEvent: ((event: RegistryEvent) => void) | undefined

  constructor(
    own: RepositorySource,
    mirrors: readonly Mirror[],
    onEvent?: ((event: RegistryEvent) => void) | undefined,
  ) {
    this.#own = own
    this.#places = mirrors.map(mirror => new Place(mirror))
    this.#onEvent = onEvent
  }

  /** True when a tag is looked for in a mirror first. */
  get readsTags(): boolean {
    return this.#places.some(place => place.isFor('latest'))
  }

  resolve(reference: TagOrDigest): Promise<Descriptor> {
    return this.#read(reference, source => source.resolve(reference))
  }

  readManifest(reference: TagOrDigest): Promise<Manifest> {
    return this.#read(reference, source => source.readManifest(reference))
  }

  getManifest(descriptor: Descriptor): Promise<Manifest> {
    return this.#read(descriptor.digest, source => source.getManifest(descriptor))
  }

  findBlob(digest: Digest): Promise<Descriptor | undefined> {
    return this.#read(digest, source => source.findBlob(digest))
  }

  getBlob(descriptor: Descriptor, range?: BlobRange): Promise<Chunks> {
    const read = (source: RepositorySource, place?: Place) => {
      const content = source.getBlob(descriptor, range)
      return place === undefined ? content : this.#watched(place, content, { descriptor, range })
    }
    return this.#read(descriptor.digest, read, range?.signal)
  }

  /** See `ImageSource`: what a mirror gave is read elsewhere from now on. */
  rejectBlob({ digest }: Descriptor): boolean {
    const givers = this.#places.filter(place => place.takeBack(digest))
    for (const place of givers) {
      place.doubt(digest)
      this.#warn(place, `what it gave as ${digest} is something else`)
    }
    return givers.length > 0
  }

  /** From the first place that has it; what is absent, as an error or undefined, may be at the next. */
  async #read<Result>(
    reference: TagOrDigest,
    read: (source: RepositorySource, place?: Place) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    for (const place of this.#places) {
      if (!place.isFor(reference)) continue
      try {
        const result = await read(await place.open(), place)
        if (result !== undefined) return result
      } catch (error) {
        if (!isDrayError(error) || error.code === 'ABORTED' || signal?.aborted) throw error
        if (error.code === 'NOT_FOUND') continue
        if (error.code === 'INTEGRITY') place.doubt(reference)
        else place.leaveOut()
        this.#warn(place, error.message)
      }
    }
    return read(this.#own)
  }

  /** A mirror's content. A small blob is verified here; of a large one it is remembered whose bytes went out. */
  async #watched(place: Place, opening: Promise<Chunks>, { descriptor, range }: WantedBlob): Promise<Chunks> {
    const { digest, size } = descriptor
    const expected = size - (range?.start ?? 0)
    const content = await opening
    if (expected === size && size <= maxHeldBytes) {
      const name = `${place.name}@${digest}`
      return once(await collect(verified(content, descriptor, name), size, name))
    }
    place.give(digest)
    let bytes = 0
    const faulty = watched(content, error => {
      if (!isDrayError(error) || error.code === 'ABORTED' || range?.signal?.aborted) return
      place.doubt(digest)
      this.#warn(place, error.message)
    })
    return flow(async take => {
      await faulty.pour(piece => {
        bytes += piece.length
        return take(piece)
      })
      if (bytes < expected) place.doubt(digest)
    })
  }

  #warn(place: Place, reason: string): void {
    if (!place.isFirstFault()) return
    const message = `the mirror ${place.name} failed: ${reason}; going on without it`
    this.#onEvent?.({ type: 'warning', message })
  }
}

interface WantedBlob {
  readonly descriptor: Descriptor
  readonly range: BlobRange | undefined
}

/** A mirror, and what was met there. */
class Place {
  readonly #mirror: Mirror
  readonly #given = new RecentMap<Digest, true>()
  readonly #doubted = new RecentMap<TagOrDigest, true>()
  #opened: Promise<RepositorySource> | undefined
  #isLeftOut = false
  #hasFailed = false

  constructor(mirror: Mirror) {
    this.#mirror = mirror
  }

  get name(): string {
    return this.#mirror.name
  }

  /** True where it may be asked for this. */
  isFor(reference: TagOrDigest): boolean {
    if (this.#isLeftOut || this.#doubted.has(reference)) return false
    return isDigest(reference) || this.#mirror.pullFrom !== 'digests'
  }

  open(): Promise<RepositorySource> {
    this.#opened ??= this.#mirror.open()
    return this.#opened
  }

  leaveOut(): void {
    this.#isLeftOut = true
  }

  /** Bytes of this blob go out that are not verified yet. */
  give(digest: Digest): void {
    this.#given.set(digest, true)
  }

  /** True when it gave bytes of this blob, since this was last asked. */
  takeBack(digest: Digest): boolean {
    return this.#given.delete(digest)
  }

  /** It is not asked for this any more. */
  doubt(reference: TagOrDigest): void {
    this.#doubted.set(reference, true)
  }

  isFirstFault(): boolean {
    const isFirst = !this.#hasFailed
    this.#hasFailed = true
    return isFirst
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}
