import type { EmbeddedRegistry } from '../embedded-registry.ts'

/** A manifest of a repository, and the tags that stand for it. */
export interface StoredImage {
  readonly digest: string
  readonly tags: readonly string[]
}

/** The tagged images of a repository behind an emulation, and what their indexes list. */
export async function storedImages(store: EmbeddedRegistry, repository: string): Promise<StoredImage[]> {
  const list = await store.ask('GET', `/v2/${repository}/tags/list`)
  const { tags } = (list.status === 200 ? list.json() : {}) as { tags?: string[] }
  const images = new Map<string, string[]>()
  for (const tag of tags ?? []) {
    const { headers, json } = await store.ask('GET', `/v2/${repository}/manifests/${tag}`)
    const digest = String(headers['docker-content-digest'])
    images.set(digest, [...(images.get(digest) ?? []), tag])
    for (const child of (json() as { manifests?: { digest: string }[] }).manifests ?? []) {
      if (!images.has(child.digest)) images.set(child.digest, [])
    }
  }
  return [...images].map(([digest, itsTags]) => ({ digest, tags: itsTags }))
}

/** The repositories behind an emulation. */
export async function storedRepositories(store: EmbeddedRegistry): Promise<string[]> {
  const { repositories } = (await store.ask('GET', '/v2/_catalog')).json() as { repositories: string[] }
  return repositories
}
