import { ifThere } from '../../files/io-error.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, digestFault, parseDigest } from '../../oci/digest.ts'
import { RegistryFault } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { checkRepository, type Storage } from '../storage/storage.ts'
import { type Chunk, type Upload, uploadProgress } from '../storage/upload-store.ts'
import type { Target } from '../target.ts'

/**
 * POST blobs/uploads/ (distribution-spec v1.1, end-4a to end-4c, end-11): starts an upload, takes a whole blob with
 * `?digest=`, or mounts a blob of another repository with `?mount=&from=`; without `from`, of any that was given it by this
 * server. A mount of a blob that is nowhere, or where one may not pull from, starts an upload.
 */
export async function startUpload(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const digest = digestIn(exchange, 'digest')
  const mount = digestIn(exchange, 'mount')
  if (mount !== undefined && (await mountBlob(exchange, mount, { target, storage }))) return
  const upload = await storage.uploads.start(target.repository, algorithmIn(exchange, digest ?? mount))
  if (digest === undefined) {
    exchange.send(202, uploadProgress(upload, 0))
    return
  }
  try {
    await finish(exchange, upload, { digest, storage })
  } catch (error) {
    // Nobody was told where to go on with this one.
    await storage.uploads.remove(upload)
    throw error
  }
}

/** PATCH blobs/uploads/ID (end-5): adds a chunk; one with a Content-Range must start where the upload stands. */
export async function appendChunk(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const upload = uploadOf(target)
  const { uploads } = storage
  const { size } = await uploads.exclusively(upload, () => uploads.append(upload, chunkOf(exchange)))
  exchange.send(202, uploadProgress(upload, size))
}

/** GET blobs/uploads/ID (end-13): how far the upload is. */
export async function getUpload(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const upload = uploadOf(target)
  exchange.send(204, uploadProgress(upload, await storage.uploads.size(upload)))
}

/** PUT blobs/uploads/ID?digest= (end-6): the last chunk, if any, and the end. Other content ends the upload too. */
export async function finishUpload(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const digest = digestIn(exchange, 'digest')
  if (digest === undefined) throw new RegistryFault('DIGEST_INVALID', 'the query must say ?digest=')
  const upload = uploadOf(target)
  await storage.uploads.exclusively(upload, () => finish(exchange, upload, { digest, storage }))
}

/** DELETE blobs/uploads/ID: gives an upload up. */
export async function cancelUpload(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const upload = uploadOf(target)
  const { uploads } = storage
  await uploads.exclusively(upload, async () => {
    await uploads.size(upload)
    await uploads.remove(upload)
  })
  exchange.send(204)
}

interface Ending {
  readonly digest: Digest
  readonly storage: Storage
}

async function finish(exchange: Exchange, upload: Upload, { digest, storage }: Ending): Promise<void> {
  const { uploads } = storage
  const written = await uploads.append(upload, chunkOf(exchange))
  // Reading a large blob back from disk may take longer than a connection may be idle.
  exchange.allowSilence()
  const [found, layout] = await Promise.all([
    uploads.digest(upload, written, algorithmOf(digest)),
    storage.openToWrite(upload.repository),
  ])
  if (found !== digest) {
    await uploads.remove(upload)
    throw new RegistryFault('DIGEST_INVALID', `the content has digest ${found}`, { detail: { digest } })
  }
  await layout.create()
  const { size } = written
  await uploads.giveAway(upload, written, path =>
    storage.sharedBlobs.bring({ path, digest, size }, layout.blobs),
  )
  sendCreated(exchange, upload.repository, digest)
}

interface Mounting {
  readonly target: Target
  readonly storage: Storage
}

async function mountBlob(exchange: Exchange, digest: Digest, mounting: Mounting): Promise<boolean> {
  const { target, storage } = mounting
  const source = await mountSource(exchange, digest, storage)
  if (source === undefined) return false
  const layout = await storage.openToWrite(target.repository)
  await layout.create()
  const isThere = await ifThere(layout.blobs.link(source.blobs, digest).then(() => true))
  if (isThere === undefined) return false // deleted just now
  sendCreated(exchange, target.repository, digest)
  return true
}

async function mountSource({ query, grant }: Exchange, digest: Digest, storage: Storage) {
  const from = query.get('from') || undefined
  if (from === undefined) {
    if (!(await storage.sharedBlobs.has(digest))) return undefined
    return storage.findWithBlob(digest, repository => grant.mayPull(repository))
  }
  checkRepository(from)
  const layout = grant.mayPull(from) ? await storage.find(from) : undefined
  return (await layout?.blobs.size(digest)) === undefined ? undefined : layout
}

function sendCreated(exchange: Exchange, repository: string, digest: Digest): void {
  exchange.send(201, { Location: `/v2/${repository}/blobs/${digest}`, 'Docker-Content-Digest': digest })
}

function uploadOf({ repository, reference }: Target): Upload {
  return { repository, id: reference }
}

function digestIn(exchange: Exchange, parameter: 'digest' | 'mount'): Digest | undefined {
  const text = exchange.query.get(parameter)
  if (text === null) return undefined
  const fault = digestFault(text)
  if (fault === undefined) return parseDigest(text)
  throw new RegistryFault('DIGEST_INVALID', `invalid ${parameter}: ${fault}`, { detail: { digest: text } })
}

/** What the upload's blob will be named by (end-4c). */
function algorithmIn({ query }: Exchange, digest: Digest | undefined): DigestAlgorithm | undefined {
  const named = query.get('digest-algorithm')
  if (named === null) return digest && algorithmOf(digest)
  if (named === 'sha256' || named === 'sha512') return named
  throw new RegistryFault('DIGEST_INVALID', 'digests are made by sha256 or sha512', {
    detail: { 'digest-algorithm': named },
  })
}

/** The body and where it belongs; the specification's `0-1023` and HTTP's `bytes 0-1023/*` are both understood. */
function chunkOf(exchange: Exchange): Chunk {
  const content = exchange.body()
  const header = exchange.request.headers['content-range']
  if (header === undefined) return { content }
  const match = /^(?:bytes[ =])?(\d{1,15})-(-1|\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header)
  const start = Number(match?.[1])
  const length = Number(match?.[2]) - start + 1
  // An empty last chunk cannot be written as a range; what some clients send there ("0--1" or "5-4") is let pass.
  if (!match || length < 0) {
    throw new RegistryFault('BLOB_UPLOAD_INVALID', 'the Content-Range is malformed', { status: 416 })
  }
  return { content, start, length }
}
