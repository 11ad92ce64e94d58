import { DrayError, isDrayError } from '../errors.ts'
import type { ImageSource } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { formatPlatform } from '../oci/platform.ts'

/** How many indexes may stand inside one another below the first. */
export const maxIndexDepth = 8
/** How many manifests one copy may read, and how many bytes they may have together: they are held in memory. */
const maxManifests = 10_000
const maxBytes = 128 * 1024 * 1024

/** The manifests of one source: each is read once, and those that were made here stand beside them. */
export class ManifestReader {
  readonly #source: ImageSource
  readonly #known = new Map<Digest, Manifest>()
  #bytes = 0

  constructor(source: ImageSource) {
    this.#source = source
  }

  /** @throws DrayError what the source throws; `UNSUPPORTED` when the image is larger than any image should be */
  async read(descriptor: Descriptor): Promise<Manifest> {
    const manifest = this.#known.get(descriptor.digest) ?? (await this.#source.getManifest(descriptor))
    this.add(manifest)
    return manifest
  }

  /**
   * Reads the manifest of an index's entry.
   * @throws DrayError `NOT_FOUND` that names the platform where the index lists what the source does not have;
   * `INTEGRITY` when the size is not what the entry says
   */
  async readEntry(entry: Descriptor): Promise<Manifest> {
    const manifest = await this.read(entry).catch(error => {
      throw isDrayError(error, 'NOT_FOUND') ? this.#missing(entry, error) : error
    })
    if (manifest.bytes.length === entry.size) return manifest
    throw new DrayError(
      'INTEGRITY',
      `${this.#source.name}@${entry.digest}: the manifest has ${manifest.bytes.length} bytes, its index says ${entry.size}`,
    )
  }

  /** Makes a manifest known that the source does not have. */
  add(manifest: Manifest): void {
    if (this.#known.has(manifest.digest)) return
    this.#known.set(manifest.digest, manifest)
    this.#bytes += manifest.bytes.length
    if (this.#known.size <= maxManifests && this.#bytes <= maxBytes) return
    throw new DrayError(
      'UNSUPPORTED',
      `${this.#source.name}: the image has more than ${maxManifests} manifests or ${maxBytes} bytes of them`,
    )
  }

  #missing(entry: Descriptor, cause: DrayError): DrayError {
    const platform = entry.platform === undefined ? 'an entry' : formatPlatform(entry.platform)
    return new DrayError(
      'NOT_FOUND',
      `${this.#source.name}: the index lists ${platform} (${entry.digest}), but its manifest is not there`,
      { hint: 'the index is sparse: copy only the platforms that are there, with --platform', cause },
    )
  }
}

/** `INTEGRITY`: indexes stand deeper inside one another than any image needs. */
export function tooDeep(name: string): DrayError {
  return new DrayError('INTEGRITY', `${name}: more than ${maxIndexDepth} indexes stand inside one another`)
}
