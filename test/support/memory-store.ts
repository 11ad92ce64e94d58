import { DrayError } from '../../src/errors.ts'
import type { Chunks } from '../../src/flow.ts'
import type {
  BlobRange,
  ImageDestination,
  ImageSource,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from '../../src/image-store.ts'
import { collect } from '../../src/oci/content.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../../src/oci/digest.ts'
import { descriptorOf, type Manifest } from '../../src/oci/manifest.ts'

/** Answers that a test puts in the place of the store's own. */
export interface Faults {
  /** Changes what a reading gives; may throw, break off, or wait. */
  getBlob?: (content: Chunks, descriptor: Descriptor, range: BlobRange) => Chunks | Promise<Chunks>
  /** Called before a blob is stored. */
  putBlob?: (
    descriptor: Descriptor,
    open: OpenContent,
    options: PutBlobOptions,
  ) => Promise<PutBlobResult | undefined>
  /** Called before a manifest is stored. */
  putManifest?: (manifest: Manifest, tags: readonly string[] | undefined) => Promise<void>
  /** Called before any question is answered. */
  ask?: (call: string) => Promise<void>
}

/** An image store in memory that writes down each call in order and can be told to fail. */
export class MemoryStore implements ImageSource, ImageDestination {
  readonly name: string
  readonly manifests = new Map<Digest, Manifest>()
  readonly blobs = new Map<Digest, Uint8Array>()
  readonly tags = new Map<string, Digest>()
  /** `resolve latest`, `getBlob sha256:… 0`, `putManifest sha256:… 1.0,latest`, in the order in which they began. */
  readonly calls: string[] = []
  readonly faults: Faults = {}
  /** Stores whose blobs this one takes over without reading them. */
  readonly mountable = new Set<ImageSource>()
  /** Streams that were opened and not yet closed, and uploads that have not ended. */
  openStreams = 0
  runningPuts = 0
  mostRunningPuts = 0
  /** How long the pieces are that blobs are read in, in bytes. */
  chunkBytes = 1024
  /** As Docker Hub: to read a manifest costs the user something. */
  metersReads = false
  /** As a layout: it checks what it is given. */
  verifiesBlobs = false
  /** As a registry: a manifest comes with the answer to what its tag stands for. See {@link readsAtOnce}. */
  readManifest?: (reference: TagOrDigest) => Promise<Manifest>

  constructor(name: string) {
    this.name = name
  }

  async resolve(reference: TagOrDigest): Promise<Descriptor> {
    await this.#asked(`resolve ${reference}`)
    return descriptorOf(this.#manifest(isDigest(reference) ? reference : this.tags.get(reference), reference))
  }

  /** Lets manifests be read by their tag. */
  readsAtOnce(): void {
    this.readManifest = async reference => {
      await this.#asked(`readManifest ${reference}`)
      return this.#manifest(isDigest(reference) ? reference : this.tags.get(reference), reference)
    }
  }

  async getManifest({ digest }: Descriptor): Promise<Manifest> {
    await this.#asked(`getManifest ${digest}`)
    return this.#manifest(digest, digest)
  }

  async getBlob(descriptor: Descriptor, range: BlobRange = { start: 0 }): Promise<Chunks> {
    await this.#asked(`getBlob ${descriptor.digest} ${range.start}`)
    const bytes = this.blobs.get(descriptor.digest)
    if (bytes === undefined) throw new DrayError('NOT_FOUND', `${this.name}@${descriptor.digest}: not found`)
    const content = pieces(bytes.subarray(range.start), this.chunkBytes)
    return this.#counted((await this.faults.getBlob?.(content, descriptor, range)) ?? content)
  }

  async find(reference: TagOrDigest): Promise<Descriptor | undefined> {
    await this.#asked(`find ${reference}`)
    const digest = isDigest(reference) ? reference : this.tags.get(reference)
    const manifest = digest === undefined ? undefined : this.manifests.get(digest)
    return manifest && descriptorOf(manifest)
  }

  async hasBlob({ digest }: Descriptor): Promise<boolean> {
    await this.#asked(`hasBlob ${digest}`)
    return this.blobs.has(digest)
  }

  canMountFrom(source: ImageSource): boolean {
    return this.mountable.has(source)
  }

  async putBlob(
    descriptor: Descriptor,
    open: OpenContent,
    options: PutBlobOptions = {},
  ): Promise<PutBlobResult> {
    this.calls.push(`putBlob ${descriptor.digest}`)
    this.runningPuts += 1
    this.mostRunningPuts = Math.max(this.mostRunningPuts, this.runningPuts)
    try {
      const other = await this.faults.putBlob?.(descriptor, open, options)
      return other ?? (await this.#store(descriptor, open, options))
    } finally {
      this.runningPuts -= 1
    }
  }

  async putManifest(manifest: Manifest, tags?: readonly string[]): Promise<void> {
    this.calls.push(`putManifest ${manifest.digest}${tags === undefined ? '' : ` ${tags.join(',')}`}`)
    await this.faults.putManifest?.(manifest, tags)
    this.manifests.set(manifest.digest, manifest)
    for (const tag of tags ?? []) this.tags.set(tag, manifest.digest)
  }

  /** The calls whose first word is one of these; with none, all that write. */
  callsOf(...verbs: string[]): string[] {
    const wanted = verbs.length > 0 ? verbs : ['putBlob', 'putManifest']
    return this.calls.filter(call => wanted.includes(call.split(' ', 1)[0] ?? ''))
  }

  async #store(
    descriptor: Descriptor,
    open: OpenContent,
    { mountFrom }: PutBlobOptions,
  ): Promise<PutBlobResult> {
    const { digest, size } = descriptor
    const mounted = mountFrom instanceof MemoryStore ? mountFrom.blobs.get(digest) : undefined
    if (mounted === undefined && this.blobs.has(digest)) return 'present'
    const bytes = mounted ?? (await collect(await open(), size, digest))
    if (digestOf(bytes, algorithmOf(digest)) !== digest) throw new Error(`${digest}: other bytes were put`)
    this.blobs.set(digest, bytes)
    return mounted === undefined ? 'copied' : 'mounted'
  }

  #manifest(digest: Digest | undefined, reference: string): Manifest {
    const manifest = digest === undefined ? undefined : this.manifests.get(digest)
    if (manifest === undefined) throw new DrayError('NOT_FOUND', `${this.name}: ${reference} not found`)
    return manifest
  }

  async #asked(call: string): Promise<void> {
    this.calls.push(call)
    await this.faults.ask?.(call)
  }

  async *#counted(content: Chunks): AsyncGenerator<Uint8Array> {
    this.openStreams += 1
    try {
      yield* content
    } finally {
      this.openStreams -= 1
    }
  }
}

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += length) yield bytes.subarray(start, start + length)
}
