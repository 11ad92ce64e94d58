import { isDrayError } from '../../errors.ts'
import { ifThere } from '../../files/io-error.ts'
import { nothing } from '../../flow.ts'
import type { Layout } from '../../layout/layout.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { algorithmOf, type Digest, digestFault, digestOf, isDigest } from '../../oci/digest.ts'
import { childBlobs, type Manifest, maxManifestBytes } from '../../oci/manifest.ts'
import { essenceOf, isForeignLayerType } from '../../oci/media-types.ts'
import { parseManifest } from '../../oci/parse-manifest.ts'
import { tagFault } from '../../oci/reference.ts'
import { RegistryFault } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { findManifest as findMirroredManifest } from '../mirror/manifests.ts'
import { type MirroredRepository, staleHeaders } from '../mirror/repository.ts'
import type { Storage } from '../storage/storage.ts'
import type { Target } from '../target.ts'
import { entityTagOf, isNotModified } from './conditions.ts'

/**
 * GET and HEAD manifests/REFERENCE (distribution-spec v1.1, end-3). `Accept` does not matter: there is one form of each
 * manifest, and a client that cannot read it learns so from its Content-Type.
 */
export async function getManifest(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  checkDigest(target.reference)
  const { mirrored } = target
  if (mirrored !== undefined) return getMirrored(exchange, mirrored, target)
  const { reference } = target
  const layout = await storage.open(target.repository)
  if (isDigest(reference)) await storage.use(layout, reference)
  const descriptor = await ifThere(layout.resolve(reference))
  if (descriptor === undefined) throw unknownManifest(target)
  const { mediaType, digest } = descriptor
  const identity = identityOf(digest)
  if (isNotModified(exchange.request, identity.ETag)) {
    exchange.send(304, identity)
    return
  }
  const { bytes } = await storage.manifests.read(layout, descriptor)
  exchange.send(200, { ...identity, 'Content-Type': mediaType }, bytes)
}

/** A HEAD fetches no manifest: some registries count those that they send. */
async function getMirrored(exchange: Exchange, mirrored: MirroredRepository, { reference }: Target) {
  const isWhole = exchange.method === 'GET'
  const { descriptor, manifest, isStale } = await findMirroredManifest(mirrored, reference, isWhole)
  const { digest, size } = descriptor
  const headers = { ...identityOf(digest), ...staleHeaders(isStale) }
  if (isNotModified(exchange.request, headers.ETag)) return exchange.send(304, headers)
  const mediaType = manifest?.mediaType ?? descriptor.mediaType
  const contentHeaders = { ...headers, 'Content-Type': mediaType }
  if (manifest !== undefined) return exchange.send(200, contentHeaders, manifest.bytes)
  await exchange.stream(200, { ...contentHeaders, 'Content-Length': size }, nothing())
}

function identityOf(digest: Digest) {
  return { 'Docker-Content-Digest': digest, ETag: entityTagOf(digest) }
}

/**
 * PUT manifests/REFERENCE (end-7a, end-7b), by digest also with `?tag=` once for each tag. What the manifest refers to may
 * be absent, as in a mirror of some platforms alone; the answer then warns of blobs that are not there, foreign layers
 * aside, or refuses where the registry wants them all.
 */
export async function putManifest(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const { repository, reference } = target
  checkDigest(reference)
  const extraTags = isDigest(reference) ? [...new Set(exchange.query.getAll('tag'))] : []
  const tags = isDigest(reference) ? extraTags : [reference]
  tags.forEach(checkTag)
  const bytes = await exchange.collectBody(maxManifestBytes)
  const manifest = readManifest(bytes, reference, essenceOf(exchange.request.headers['content-type']))
  const layout = await storage.openToWrite(repository)
  let absent: readonly Descriptor[] = []
  const check = async () => {
    absent = await absentBlobs(layout, manifest)
    if (storage.requireBlobs) refuseWithout(absent)
  }
  await layout.putManifest(manifest, tags, { check })
  const { subject } = manifest.content
  exchange.send(201, {
    Location: `/v2/${repository}/manifests/${manifest.digest}`,
    'Docker-Content-Digest': manifest.digest,
    ...(subject === undefined ? {} : { 'OCI-Subject': subject.digest }),
    ...(extraTags.length === 0 ? {} : { 'OCI-Tag': extraTags.join(', ') }),
    ...warningOf(absent),
  })
}

/** DELETE manifests/REFERENCE (end-9): a tag alone, or a manifest with all its tags. */
export async function deleteManifest(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const { repository, reference } = target
  checkDigest(reference)
  const layout = await storage.open(repository)
  try {
    await (isDigest(reference) ? layout.deleteManifest(reference) : layout.deleteTag(reference))
  } catch (error) {
    throw isDrayError(error, 'NOT_FOUND') ? unknownManifest(target) : error
  }
  exchange.send(202)
}

function unknownManifest({ repository, reference }: Target): RegistryFault {
  return new RegistryFault('MANIFEST_UNKNOWN', `${repository} has no manifest ${reference}`, {
    detail: { reference },
  })
}

function checkDigest(reference: string): void {
  const fault = reference.includes(':') ? digestFault(reference) : undefined
  if (fault !== undefined) throw new RegistryFault('DIGEST_INVALID', `invalid digest: ${fault}`)
}

function checkTag(tag: string): void {
  const fault = tagFault(tag)
  if (fault !== undefined) throw new RegistryFault('MANIFEST_INVALID', `invalid tag: ${fault}`)
}

function readManifest(bytes: Buffer, reference: string, contentType: string): Manifest {
  const digest = isDigest(reference) ? reference : undefined
  const found = digestOf(bytes, digest === undefined ? 'sha256' : algorithmOf(digest))
  if (digest !== undefined && digest !== found) {
    throw new RegistryFault('DIGEST_INVALID', `the manifest has digest ${found}`, { detail: { digest } })
  }
  const manifest = parse(() => parseManifest(bytes, { digest: found, mediaType: contentType }))
  if (contentType !== '' && contentType !== manifest.mediaType.toLowerCase()) {
    const message = `the Content-Type is ${contentType}, but the manifest says ${manifest.mediaType}`
    throw new RegistryFault('MANIFEST_INVALID', message)
  }
  return manifest
}

function parse(read: () => Manifest): Manifest {
  try {
    return read()
  } catch (cause) {
    if (!isDrayError(cause)) throw cause
    throw new RegistryFault('MANIFEST_INVALID', cause.message, { cause })
  }
}

async function absentBlobs(layout: Layout, manifest: Manifest): Promise<Descriptor[]> {
  const blobs = childBlobs(manifest).filter(({ mediaType }) => !isForeignLayerType(mediaType))
  const absent: Descriptor[] = []
  for (let at = 0; at < blobs.length; at += blobsAtOnce) {
    const some = blobs.slice(at, at + blobsAtOnce)
    const there = await Promise.all(some.map(blob => layout.hasBlob(blob)))
    absent.push(...some.filter((_, index) => !there[index]))
  }
  return absent
}

/** A manifest may name thousands, and they are not to keep the disk from everybody else. */
const blobsAtOnce = 16

function refuseWithout([first]: readonly Descriptor[]): void {
  if (first === undefined) return
  const { digest, size } = first
  throw new RegistryFault('MANIFEST_BLOB_UNKNOWN', `there is no blob ${digest} of ${size} bytes`, {
    detail: { digest },
  })
}

/** Distribution-spec v1.1, "Warnings". */
function warningOf([first, ...others]: readonly Descriptor[]): Record<string, string> {
  if (first === undefined) return {}
  const more = others.length === 0 ? '' : ` and ${others.length} more`
  return { Warning: `299 - "stored without blobs that it refers to: ${first.digest}${more}"` }
}
