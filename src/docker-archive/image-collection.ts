import type { Layout } from '../layout/layout.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Platform } from '../oci/platform.ts'
import type { NamedImage } from './packed-image.ts'
import { findShownImage, type ShownImage } from './shown-image.ts'

/** An image that was put as one of its own. */
interface PutImage extends ShownImage {
  readonly root: Manifest
  /** True when it stays though its last name moves to another image. */
  readonly isKept: boolean
}

/** Images on their way into an archive: their content in a layout, their names in memory. */
export class ImageCollection {
  readonly #layout: Layout
  readonly #platform: Platform | undefined
  readonly #images = new Map<Digest, PutImage>()
  readonly #names = new Map<string, Digest>()
  #isClosed = false

  /** @param platform what an index stands for, where that was chosen */
  constructor(layout: Layout, platform?: Platform) {
    this.#layout = layout
    this.#platform = platform
  }

  /** Where the content is. */
  get layout(): Layout {
    this.#checkOpen()
    return this.#layout
  }

  /** After this nothing is taken any more. */
  close(): void {
    this.#isClosed = true
  }

  /** The digest of what has this name in full. */
  find(name: string): Digest | undefined {
    return this.#names.get(name)
  }

  /**
   * Takes a manifest in.
   * @param names its names with tags in full, which others lose; undefined for a child of an index
   * @throws DrayError `UNSUPPORTED` for what docker cannot load; `NOT_FOUND`, `INTEGRITY`, `IO`
   */
  async add(manifest: Manifest, names?: readonly string[]): Promise<void> {
    const { layout } = this
    const shown =
      names === undefined ? undefined : await findShownImage(manifest, { layout, platform: this.#platform })
    await layout.putManifest(manifest)
    if (names === undefined || shown === undefined) return
    const { digest } = manifest
    const isKept = names.length === 0 || this.#images.get(digest)?.isKept === true
    this.#images.set(digest, { ...shown, root: manifest, isKept })
    for (const name of names) this.#names.set(name, digest)
  }

  /** The images in order of their names, then of their digests. */
  list(): NamedImage[] {
    this.#checkOpen()
    const named = [...this.#images.values()].map(image => ({
      ...image,
      names: this.#namesOf(image.root.digest),
    }))
    const keyOf = ({ names: [first = ''], root }: NamedImage) => `${first} ${root.digest}`
    return named
      .filter(({ names, isKept }) => names.length > 0 || isKept)
      .toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new Error(`${this.#layout.name}: nothing can be put any more`)
  }

  #namesOf(digest: Digest): string[] {
    const names = [...this.#names].filter(([, other]) => other === digest)
    return names.map(([name]) => name).sort()
  }
}
