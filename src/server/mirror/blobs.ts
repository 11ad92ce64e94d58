import { ifThere } from '../../files/io-error.ts'
import { type Chunks, flow, nothing, pour } from '../../flow.ts'
import type { Layout } from '../../layout/layout.ts'
import { algorithmOf, type Digest, digestOf } from '../../oci/digest.ts'
import { RegistryFault } from '../errors.ts'
import { Download } from './download.ts'
import { createFetched } from './fetched-mark.ts'
import type { FileRange } from './growing-file.ts'
import { layoutOf, type MirroredRepository } from './repository.ts'
import { upstreamFault } from './upstream-fault.ts'

/** A blob of a mirrored repository. */
export interface FoundBlob {
  /** In bytes. */
  readonly size: number
  /** A part of it, some of which may still be on its way. */
  read(range: FileRange): Chunks
}

/**
 * A blob: from here, from a download that is under way, or from one that begins now. All that ask at the same time share
 * one download, which goes on to its end when they leave.
 * @param isWanted whether its bytes are; its size alone is asked for and nothing kept
 * @throws RegistryFault `BLOB_UNKNOWN`, and others for what went wrong at the upstream
 */
export async function findBlob(
  repository: MirroredRepository,
  digest: Digest,
  isWanted: boolean,
): Promise<FoundBlob> {
  const layout = await layoutOf(repository)
  const size = await layout.blobs.use(digest)
  const wanted = { repository, digest, layout }
  if (size !== undefined) {
    tell(repository, 'hit')
    return { size, read: range => readStored(wanted, size, range) }
  }
  if (!isWanted) return { size: await sizeOf(wanted), read: () => nothing() }
  tell(repository, 'miss')
  return bring(wanted)
}

interface Wanted {
  readonly repository: MirroredRepository
  readonly digest: Digest
  /** What is here. */
  readonly layout: Layout
}

/** What is removed between the look at it and the reading is fetched again. */
function readStored(wanted: Wanted, size: number, range: FileRange): Chunks {
  const { layout, digest } = wanted
  return flow(async take => {
    const isThere = await ifThere(pour(layout.blobs.read(digest, range), take).then(() => true))
    if (isThere) return
    wanted.repository.mirror.sizes.set(keyOf(wanted), size)
    await pour((await bring(wanted)).read(range), take)
  })
}

/** Begins to fetch a blob, or waits for who does. */
async function bring(wanted: Wanted): Promise<FoundBlob> {
  const { mirror } = wanted.repository
  const running = mirror.downloads.find(keyOf(wanted))
  const found = running ?? (await mirror.flights.run(`blob ${keyOf(wanted)}`, () => start(wanted)))
  if (!(found instanceof Download)) return found
  try {
    await found.ready()
    return found
  } catch (error) {
    throw upstreamFault(mirror.name, error, 'BLOB_UNKNOWN')
  }
}

async function start(wanted: Wanted): Promise<FoundBlob> {
  const { repository, digest, layout } = wanted
  const { mirror, path } = repository
  const key = keyOf(wanted)
  const told = mirror.sizes.get(key)
  // A manifest that was wrong about it is not believed a second time.
  mirror.sizes.delete(key)
  if (await mirror.storage.sharedBlobs.has(digest)) {
    const size = await borrow(wanted)
    if (size !== undefined) return { size, read: range => readStored(wanted, size, range) }
  }
  const size = told ?? (await sizeOf(wanted))
  const upstream = await mirror.open(path)
  const descriptor = { mediaType: '', digest, size }
  return mirror.downloads.start({ key, descriptor, upstream, layout })
}

/** Takes what another repository here has, once the upstream has said that it is in this one too. */
async function borrow(wanted: Wanted): Promise<number | undefined> {
  const { repository, digest, layout } = wanted
  const size = await sizeOf(wanted)
  await createFetched(layout)
  const { sharedBlobs } = repository.mirror.storage
  return (await sharedBlobs.lend(digest, size, layout.blobs)) ? size : undefined
}

/** As the upstream tells it, in bytes. */
async function sizeOf({ repository, digest }: Wanted): Promise<number> {
  const { mirror, path, name } = repository
  const descriptor = await mirror.ask(path, 'BLOB_UNKNOWN', upstream => upstream.findBlob(digest))
  if (descriptor === undefined) {
    throw new RegistryFault('BLOB_UNKNOWN', `${name} has no blob ${digest}`, { detail: { digest } })
  }
  const { size } = descriptor
  if (size > 0 || digest === digestOf('', algorithmOf(digest))) return size
  throw new RegistryFault('UNKNOWN', `${mirror.name} does not tell the size of ${digest}`, { status: 502 })
}

function tell({ mirror }: MirroredRepository, result: 'hit' | 'miss'): void {
  mirror.tell({ type: 'request', mirror: mirror.name, kind: 'blob', result })
}

function keyOf({ repository, digest }: Wanted): string {
  return `${repository.path}@${digest}`
}
