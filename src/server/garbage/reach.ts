import { DrayError, isDrayError } from '../../errors.ts'
import type { BlobStore } from '../../layout/blob-store.ts'
import { collect } from '../../oci/content.ts'
import { algorithmOf, type Digest, digestOf, parseDigest } from '../../oci/digest.ts'
import { childBlobs, childManifests, maxManifestBytes } from '../../oci/manifest.ts'
import { parseManifest } from '../../oci/parse-manifest.ts'

/** What a blob leads to, if it is a manifest. */
export interface Links {
  /** What may be manifests in turn. */
  readonly manifests: readonly Digest[]
  readonly blobs: readonly Digest[]
  readonly subject?: Digest | undefined
}

/** What a blob leads to that is no manifest. */
export const noLinks: Links = { manifests: [], blobs: [] }

/**
 * What the manifests of a repository lead to. Each is read once and verified, and what it says is remembered. What has its
 * digest but cannot be understood leads to every digest that stands in it, so that nothing is missed.
 */
export class Reach {
  readonly #blobs: BlobStore
  readonly #name: string
  readonly #known = new Map<Digest, Links>()

  /** @param name what the repository is called in messages */
  constructor(blobs: BlobStore, name: string) {
    this.#blobs = blobs
    this.#name = name
  }

  /**
   * The manifests themselves and all that they lead to; what is not there leads to nothing. A `subject` is not followed.
   * @throws DrayError `INTEGRITY` for a manifest that does not have its digest, `IO`
   */
  async from(manifests: Iterable<Digest>): Promise<Set<Digest>> {
    const read = new Set<Digest>()
    const blobs = new Set<Digest>()
    const left = [...manifests]
    for (let digest = left.pop(); digest !== undefined; digest = left.pop()) {
      if (read.has(digest)) continue
      read.add(digest)
      const links = await this.links(digest)
      left.push(...links.manifests)
      for (const blob of links.blobs) blobs.add(blob)
    }
    return new Set([...read, ...blobs])
  }

  /** What one blob leads to. @throws DrayError as `from` */
  async links(digest: Digest): Promise<Links> {
    const known = this.#known.get(digest)
    if (known !== undefined) return known
    const size = await this.#blobs.size(digest)
    if (size === undefined) return noLinks
    const links = size > maxManifestBytes ? noLinks : await this.#read(digest)
    this.#known.set(digest, links)
    return links
  }

  async #read(digest: Digest): Promise<Links> {
    const name = `${this.#name}@${digest}`
    const bytes = await collect(this.#blobs.read(digest), maxManifestBytes, name)
    const found = digestOf(bytes, algorithmOf(digest))
    if (found !== digest) throw new DrayError('INTEGRITY', `${name}: the content has digest ${found}`)
    return linksIn(bytes, digest)
  }
}

function linksIn(bytes: Buffer, digest: Digest): Links {
  try {
    const manifest = parseManifest(bytes, { digest })
    return {
      manifests: childManifests(manifest).map(child => child.digest),
      blobs: childBlobs(manifest).map(child => child.digest),
      subject: manifest.content.subject?.digest,
    }
  } catch (error) {
    if (!isDrayError(error, 'INTEGRITY', 'UNSUPPORTED')) throw error
    const mentioned = bytes.toString('latin1').match(/sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}/g) ?? []
    return { manifests: [...new Set(mentioned.map(parseDigest))], blobs: [] }
  }
}
