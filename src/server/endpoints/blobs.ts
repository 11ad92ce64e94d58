import { ifThere } from '../../files/io-error.ts'
import type { Layout } from '../../layout/layout.ts'
import { type Digest, digestFault, parseDigest } from '../../oci/digest.ts'
import { RegistryFault } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { findBlob as findMirroredBlob } from '../mirror/blobs.ts'
import type { FileRange } from '../mirror/growing-file.ts'
import type { Storage } from '../storage/storage.ts'
import type { Target } from '../target.ts'
import { entityTagOf, isNotModified, rangeIn } from './conditions.ts'
import { parseRange } from './range.ts'

/**
 * GET and HEAD blobs/DIGEST (distribution-spec v1.1, end-2), whole or one range of it. The bytes are sent as they are
 * on disk: the client checks them against the digest that it asked for.
 */
export async function getBlob(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const { digest, size, read } = await openBlob(exchange, target, storage)
  const entityTag = entityTagOf(digest)
  const identity = { 'Docker-Content-Digest': digest, ETag: entityTag }
  if (isNotModified(exchange.request, entityTag)) {
    exchange.send(304, identity)
    return
  }
  const range = parseRange(rangeIn(exchange.request, entityTag), size)
  if (range === 'unsatisfiable') {
    const headers = { 'Content-Range': `bytes */${size}` }
    throw new RegistryFault('SIZE_INVALID', `the blob has ${size} bytes`, { status: 416, headers })
  }
  const { start, end } = range ?? { start: 0, end: size - 1 }
  const headers = {
    ...identity,
    'Content-Type': 'application/octet-stream',
    'Content-Length': end - start + 1,
    'Accept-Ranges': 'bytes',
    ...(range === undefined ? {} : { 'Content-Range': `bytes ${start}-${end}/${size}` }),
  }
  const status = range === undefined ? 200 : 206
  await storage.sending.send(pieceBytes => exchange.stream(status, headers, read({ start, end, pieceBytes })))
}

/** DELETE blobs/DIGEST (end-10). A manifest is refused: it is deleted as one, so that its tags go too. */
export async function deleteBlob(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const { layout, digest } = await findBlob(target, storage)
  if ((await ifThere(layout.resolve(digest))) !== undefined) {
    throw new RegistryFault('UNSUPPORTED', `${digest} is a manifest: delete it under manifests/`)
  }
  await layout.blobs.delete(digest)
  await storage.sharedBlobs.release(digest)
  exchange.send(202)
}

interface FoundBlob {
  readonly layout: Layout
  readonly digest: Digest
  /** In bytes. */
  readonly size: number
}

/** A blob to read, which may come from another registry only now. */
async function openBlob(exchange: Exchange, target: Target, storage: Storage) {
  const { mirrored } = target
  if (mirrored !== undefined) {
    const digest = digestOf(target)
    const blob = await findMirroredBlob(mirrored, digest, exchange.method === 'GET')
    return { digest, size: blob.size, read: (range: FileRange) => blob.read(range) }
  }
  const { layout, digest, size } = await findBlob(target, storage)
  return { digest, size, read: (range: FileRange) => layout.blobs.read(digest, range) }
}

function digestOf({ reference }: Target): Digest {
  const fault = digestFault(reference)
  if (fault === undefined) return parseDigest(reference)
  throw new RegistryFault('DIGEST_INVALID', `invalid digest: ${fault}`)
}

async function findBlob(target: Target, storage: Storage): Promise<FoundBlob> {
  const { repository } = target
  const digest = digestOf(target)
  const layout = await storage.open(repository)
  const size = await storage.use(layout, digest)
  if (size !== undefined) return { layout, digest, size }
  throw new RegistryFault('BLOB_UNKNOWN', `${repository} has no blob ${digest}`, { detail: { digest } })
}
