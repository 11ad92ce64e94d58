import type { Layout } from '../../layout/layout.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Manifest } from '../../oci/manifest.ts'

/** Of all manifests together, in their own bytes; what they say takes a few times as much. */
const maxKeptBytes = 16 * 1024 * 1024

/** Manifests that were read and verified, for as long as there is room. A digest stands for the same bytes everywhere. */
export class ManifestCache {
  /** The longest unused first. */
  readonly #kept = new Map<string, Manifest>()
  #bytes = 0

  /**
   * A manifest that the layout lists or was asked for and has.
   * @throws DrayError `NOT_FOUND`, `INTEGRITY`, `UNSUPPORTED` for schema 1, `IO`
   */
  async read(layout: Layout, descriptor: Descriptor): Promise<Manifest> {
    const key = `${descriptor.digest} ${descriptor.mediaType}`
    const manifest = this.#kept.get(key) ?? (await layout.getManifest(descriptor))
    this.#forget(key)
    this.#kept.set(key, manifest)
    this.#bytes += manifest.bytes.length
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= maxKeptBytes) break
      this.#forget(oldest)
    }
    return manifest
  }

  #forget(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes.length ?? 0
    this.#kept.delete(key)
  }
}
