import { type HttpResponse, withHeaders } from '../http/message.ts'
import type { TagOrDigest } from '../image-store.ts'
import { collect } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { digestOf, isDigest } from '../oci/digest.ts'
import { descriptorOf, type Manifest, maxManifestBytes } from '../oci/manifest.ts'
import { essenceOf, isSchema1Type, manifestAccept } from '../oci/media-types.ts'
import { nameOf, type RepositoryContext, repositoryRequest } from './context.ts'
import { expectStatus, registryError } from './registry-error.ts'

/**
 * What a tag or digest stands for, by HEAD (distribution-spec v1.1 end-3); where the answer holds no digest or no
 * length, by a verified GET.
 * @throws DrayError `NOT_FOUND`, `UNAUTHORIZED`, `UNSUPPORTED` for a schema 1 image
 */
export async function resolveManifest(
  context: RepositoryContext,
  reference: TagOrDigest,
): Promise<Descriptor> {
  const response = await context.send(manifestRequest(context, 'HEAD', reference))
  await response.discard()
  if (response.status === 405) return descriptorOf(await fetchManifest(context, reference))
  await expectStatus(response, [200], `find ${nameOf(context, reference)}`)
  const digest = isDigest(reference) ? reference : (response.headers.get('docker-content-digest') ?? '')
  const length = response.headers.get('content-length') ?? ''
  const mediaType = essenceOf(response.headers.get('content-type'))
  const isUsable = isDigest(digest) && /^\d+$/.test(length) && !isSchema1Type(mediaType)
  if (!isUsable) return descriptorOf(await fetchManifest(context, reference))
  return { mediaType, digest, size: Number(length) }
}

/**
 * A manifest by tag or digest (distribution-spec v1.1 end-3), verified against the digest that is asked for, or, by
 * tag, against the one that the registry names.
 * @throws DrayError `NOT_FOUND`, `UNAUTHORIZED`, `INTEGRITY`
 */
export async function fetchManifest(
  context: RepositoryContext,
  reference: TagOrDigest,
  expected?: Descriptor,
): Promise<Manifest> {
  return (await fetchManifestState(context, reference, expected)).manifest
}

/** As `fetchManifest`, with the `ETag` of the answer (RFC 9110, section 8.8.3), for who wants to change it. */
export async function fetchManifestState(
  context: RepositoryContext,
  reference: TagOrDigest,
  expected?: Descriptor,
): Promise<{ readonly manifest: Manifest; readonly etag: string | undefined }> {
  const name = nameOf(context, reference)
  const asked = context.send(manifestRequest(context, 'GET', reference, expected?.mediaType))
  const response = await whileLoading(asked)
  await expectStatus(response, [200], `read ${name}`)
  const bytes = await collect(response.body, maxManifestBytes, name)
  const told = response.headers.get('docker-content-digest') ?? ''
  const { parseManifest } = await import('../oci/parse-manifest.ts')
  const manifest = parseManifest(bytes, {
    name,
    mediaType: expected?.mediaType || essenceOf(response.headers.get('content-type')),
    digest: isDigest(reference) ? reference : isDigest(told) ? told : undefined,
  })
  return { manifest, etag: response.headers.get('etag') }
}

/**
 * Stores a manifest under a tag or its digest (distribution-spec v1.1 end-7), byte for byte.
 * @returns false when the manifest refers to another, and the registry does not say that it lists it there
 * (distribution-spec v1.1, "Pushing Manifests with Subject"); see {@link addReferrer}
 */
export async function pushManifest(
  context: RepositoryContext,
  manifest: Manifest,
  reference: TagOrDigest,
): Promise<boolean> {
  const request = repositoryRequest(context, 'PUT', `manifests/${reference}`)
  const headers = { 'content-type': manifest.mediaType }
  const response = await context.send(withHeaders({ ...request, body: manifest.bytes }, headers))
  await expectStatus(response, [200, 201, 202], `write ${nameOf(context, reference)}`)
  await response.discard()
  return manifest.content.subject === undefined || response.headers.get('oci-subject') !== undefined
}

/**
 * Deletes by tag or digest (distribution-spec v1.1 end-9). By digest a registry takes all its tags along.
 * The request names no manifest types to accept: Artifactory answers 406 to them.
 */
export async function deleteManifest(context: RepositoryContext, reference: TagOrDigest): Promise<void> {
  const request = repositoryRequest(context, 'DELETE', `manifests/${reference}`)
  const response = await context.send({ ...request, scopes: [] })
  if (response.status >= 300) throw await registryError(response, `delete ${nameOf(context, reference)}`)
  await response.discard()
}

/** By then a request that goes out at once has gone out. */
const goneOutMs = 5

/** Waits for an answer; what it will be read with takes 30 ms to load the first time, and is loaded meanwhile. */
async function whileLoading(asked: Promise<HttpResponse>): Promise<HttpResponse> {
  const load = () => {
    digestOf('')
    // What is wrong with it shows when it is used.
    import('../oci/parse-manifest.ts').catch(() => undefined)
  }
  const timer = setTimeout(load, goneOutMs)
  try {
    return await asked
  } finally {
    clearTimeout(timer)
  }
}

function manifestRequest(
  context: RepositoryContext,
  method: 'GET' | 'HEAD',
  reference: TagOrDigest,
  mediaType?: string,
) {
  // What an index says of an entry may be text that no header can hold.
  const isUnlisted = /^[\x21-\x7e]+$/.test(mediaType ?? '') && !manifestAccept.includes(mediaType ?? '')
  const accept = isUnlisted ? `${mediaType}, ${manifestAccept}` : manifestAccept
  return withHeaders(repositoryRequest(context, method, `manifests/${reference}`), { accept })
}
