import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import type { FaultCode } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'
import { Downloads } from './downloads.ts'
import { Flights } from './flights.ts'
import { Health } from './health.ts'
import { Recent } from './recent.ts'
import type { MirrorSurroundings } from './surroundings.ts'
import type { MirrorEvent, MirroredRegistry, Upstream } from './upstream.ts'
import { upstreamFault } from './upstream-fault.ts'

const defaultFreshMs = 30_000
const defaultPatienceMs = 10_000
/** What a client learns of its mirrors' mirrors is forgotten with the repository that it has opened. */
const openMs = 300_000

/** What a tag stood for when it was looked at last. */
export interface KnownTag {
  readonly descriptor: Descriptor
  /** That was all that could be had. */
  readonly isStale: boolean
}

/** A registry that is answered for, and what is known of it. Paths are those of its repositories there. */
export class Mirror {
  readonly name: string
  readonly freshMs: number
  readonly patienceMs: number
  readonly storage: Storage
  readonly health: Health
  readonly flights = new Flights()
  readonly downloads: Downloads
  /** By `path:tag`. */
  readonly tags: Recent<KnownTag>
  /** What a tag was last seen to stand for, by `path:tag`. */
  readonly latest: Recent<Digest>
  /** Tags that a manifest was just found by, by `path@digest`. */
  readonly awaitedTags: Recent<ReadonlySet<string>>
  /** Sizes of blobs, in bytes, by `path@digest`, as manifests tell them; each is believed once. */
  readonly sizes: Recent<number>
  /** By path. */
  readonly tagLists: Recent<readonly string[]>
  /** By `path@subject`. */
  readonly referrerLists: Recent<readonly Descriptor[]>
  readonly tell: (event: MirrorEvent) => void
  readonly #open: MirroredRegistry['open']
  readonly #opened: Recent<Upstream>

  constructor(registry: MirroredRegistry, surroundings: MirrorSurroundings) {
    const { name, freshMs = defaultFreshMs, patienceMs = defaultPatienceMs } = registry
    const { storage, clock, onWarning, onEvent } = surroundings
    this.name = name
    this.freshMs = freshMs
    this.patienceMs = patienceMs
    this.storage = storage
    this.health = new Health({ name, clock, onWarning })
    this.downloads = new Downloads(name, this.health, surroundings)
    this.tags = new Recent(10_000, clock)
    this.latest = new Recent(10_000, clock)
    this.awaitedTags = new Recent(10_000, clock)
    this.sizes = new Recent(50_000, clock)
    this.tagLists = new Recent(100, clock)
    this.referrerLists = new Recent(1000, clock)
    this.tell = event => onEvent?.(event)
    this.#open = path => registry.open(path)
    this.#opened = new Recent(1000, clock)
  }

  /**
   * One of its repositories, unless it did not answer a moment ago.
   * @throws RegistryFault
   */
  open(path: string): Promise<Upstream> {
    return this.#orFault('NAME_UNKNOWN', async () => {
      this.health.throwIfAway()
      return this.#openOnce(path)
    })
  }

  /**
   * Asks one of its repositories for something, unless it did not answer a moment ago.
   * @throws RegistryFault `absent` with status 404 for what it does not have, others for what went wrong there
   */
  ask<Result>(
    path: string,
    absent: FaultCode,
    work: (upstream: Upstream) => Promise<Result>,
  ): Promise<Result> {
    return this.#orFault(absent, async () => {
      this.health.throwIfAway()
      const result = await work(await this.#openOnce(path))
      this.health.answered()
      return result
    })
  }

  async #orFault<Result>(absent: FaultCode, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      this.health.failed(error)
      throw upstreamFault(this.name, error, absent)
    }
  }

  async #openOnce(path: string): Promise<Upstream> {
    const known = this.#opened.get(path)
    if (known !== undefined) return known
    const upstream = await this.#open(path)
    this.#opened.set(path, upstream, openMs)
    return upstream
  }
}
