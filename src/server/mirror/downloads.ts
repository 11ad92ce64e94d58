import { isDrayError } from '../../errors.ts'
import type { Layout } from '../../layout/layout.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { Download } from './download.ts'
import type { Health } from './health.ts'
import type { MirrorSurroundings } from './surroundings.ts'
import { Turns } from './turns.ts'
import type { Upstream } from './upstream.ts'

/** Downloads at a time from one upstream. */
const maxDownloads = 16

/** A blob that is to be fetched, and where it belongs. */
export interface WantedBlob {
  /** The same for the same blob of the same repository. */
  readonly key: string
  readonly descriptor: Descriptor
  readonly upstream: Upstream
  readonly layout: Layout
}

/** The downloads from one upstream that are under way. */
export class Downloads {
  readonly #running = new Map<string, Download>()
  readonly #settling = new Set<Promise<void>>()
  readonly #turns = new Turns(maxDownloads)
  readonly #health: Health
  readonly #surroundings: MirrorSurroundings

  readonly #name: string

  /** @param name the upstream's */
  constructor(name: string, health: Health, surroundings: MirrorSurroundings) {
    this.#name = name
    this.#health = health
    this.#surroundings = surroundings
  }

  find(key: string): Download | undefined {
    const running = this.#running.get(key)
    return running?.hasFailed ? undefined : running
  }

  /** Starts one, or answers with that which is under way. */
  start({ key, descriptor, upstream, layout }: WantedBlob): Download {
    const running = this.find(key)
    if (running !== undefined) return running
    const { storage, partials, signal } = this.#surroundings
    const { sharedBlobs } = storage
    const onUnstored = ({ message }: Error) => this.#health.warn(`not stored: ${message}`)
    const onFetched = () => this.#health.answered()
    const about = { descriptor, upstream, layout, sharedBlobs, partials, signal, onFetched, onUnstored }
    const download = new Download(about)
    this.#running.set(key, download)
    const settling = this.#carryOut(download, { descriptor, upstream }).finally(() => {
      if (this.#running.get(key) === download) this.#running.delete(key)
      this.#settling.delete(settling)
    })
    this.#settling.add(settling)
    return download
  }

  /** Waits for all of them to end, which the signal makes them do. */
  async settle(): Promise<void> {
    await Promise.all(this.#settling)
  }

  async #carryOut(
    download: Download,
    { descriptor, upstream }: Pick<WantedBlob, 'descriptor' | 'upstream'>,
  ): Promise<void> {
    try {
      await this.#turns.run(() => download.run())
      this.#surroundings.onEvent?.({ type: 'fetched', mirror: this.#name, bytes: descriptor.size })
    } catch (error) {
      // Who reads is told by the download itself.
      this.#health.failed(error)
      if (isDrayError(error, 'INTEGRITY')) upstream.rejectBlob?.(descriptor)
    }
  }
}
