import { setTimeout as delay } from 'node:timers/promises'
import { DrayError, isDrayError } from '../../errors.ts'
import { ifThere } from '../../files/io-error.ts'
import type { Layout } from '../../layout/layout.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { isDigest } from '../../oci/digest.ts'
import { childBlobs, type Manifest } from '../../oci/manifest.ts'
import { RegistryFault } from '../errors.ts'
import { createFetched } from './fetched-mark.ts'
import type { KnownTag, Mirror } from './mirror.ts'
import { layoutOf, type MirroredRepository } from './repository.ts'
import type { Upstream } from './upstream.ts'

/** So long an answer that is stale is good for more requests, where that is longer than what is fresh lasts. */
const staleMs = 10_000
/** So long after a client was told what a tag stands for it may ask for that by its digest. */
const awaitedMs = 60_000

/** A manifest of a mirrored repository. */
export interface FoundManifest {
  readonly descriptor: Descriptor
  /** Only where it is wanted. */
  readonly manifest?: Manifest | undefined
  /** There may be a newer one, but the upstream does not answer. */
  readonly isStale: boolean
}

interface Asked {
  readonly repository: MirroredRepository
  readonly reference: string
  /** What is here. */
  readonly layout: Layout
  readonly local: Descriptor | undefined
}

/**
 * A manifest: from here where it is known to be right, else from the upstream, whose answer is kept. When that cannot be
 * had, what is here is better than nothing.
 * @param isWhole whether its bytes are wanted
 * @throws RegistryFault `MANIFEST_UNKNOWN`, and others for what went wrong at the upstream
 */
export async function findManifest(
  repository: MirroredRepository,
  reference: string,
  isWhole: boolean,
): Promise<FoundManifest> {
  const layout = await layoutOf(repository)
  const local = await layout.find(reference)
  const asked = { repository, reference, layout, local }
  const known = isDigest(reference) ? await describe(asked, isWhole) : await lookAtTag(asked)
  if (!isWhole) {
    await keepTag(asked, known)
    return known
  }
  try {
    return { ...known, manifest: await obtain(asked, known) }
  } catch (error) {
    const isOlder = local !== undefined && local.digest !== known.descriptor.digest
    if (!(error instanceof RegistryFault) || !isOlder) throw error
    const stale = rememberStale(asked, local)
    return { ...stale, manifest: await obtain(asked, stale) }
  }
}

/** What a digest stands for; of one that is not here nothing needs to be known before it is fetched. */
async function describe({ repository, reference, local }: Asked, isWhole: boolean): Promise<KnownTag> {
  const { mirror, path } = repository
  if (!isDigest(reference)) throw new Error(`${reference} is no digest`)
  if (local !== undefined) return { descriptor: local, isStale: false }
  if (isWhole) return { descriptor: { mediaType: '', digest: reference, size: 0 }, isStale: false }
  const resolve = (upstream: Upstream) => upstream.resolve(reference)
  return { descriptor: await mirror.ask(path, 'MANIFEST_UNKNOWN', resolve), isStale: false }
}

/** What a tag stands for: as it was known a moment ago, or as the upstream says now. */
async function lookAtTag(asked: Asked): Promise<KnownTag> {
  const { repository, reference, layout, local } = asked
  const { mirror } = repository
  const known = mirror.tags.get(keyOf(asked))
  if (known !== undefined) return known
  const answer = mirror.flights.run(`tag ${keyOf(asked)}`, () => askForTag(asked))
  try {
    return await (local === undefined ? answer : withPatience(answer, mirror))
  } catch (error) {
    if (!(error instanceof RegistryFault)) throw error
    if (error.status !== 404 && local !== undefined) return rememberStale(asked, local)
    if (local !== undefined) await ifThere(layout.deleteTag(reference))
    throw error
  }
}

async function askForTag(asked: Asked): Promise<KnownTag> {
  const { mirror, path } = asked.repository
  const resolve = (upstream: Upstream) => upstream.resolve(asked.reference)
  const descriptor = await mirror.ask(path, 'MANIFEST_UNKNOWN', resolve)
  const known = { descriptor, isStale: false }
  mirror.tags.set(keyOf(asked), known, mirror.freshMs)
  const key = `${path}@${descriptor.digest}`
  const awaited = new Set(mirror.awaitedTags.get(key)).add(asked.reference)
  mirror.awaitedTags.set(key, awaited, awaitedMs)
  mirror.latest.set(keyOf(asked), descriptor.digest)
  return known
}

/** Docker asks for no manifest by its tag: the tag that it was told of is all that leads to what is here. */
async function keepTag(asked: Asked, { descriptor, isStale }: KnownTag): Promise<void> {
  const { reference, local } = asked
  if (isDigest(reference) || isStale || local?.digest === descriptor.digest) return
  const stored = await readStored(asked, descriptor)
  if (stored !== undefined) await store(asked, stored)
}

/** The answer, unless it takes so long that an older one is better. */
async function withPatience<Result>(answer: Promise<Result>, mirror: Mirror): Promise<Result> {
  const settled = new AbortController()
  const late = async (): Promise<Result> => {
    await delay(mirror.patienceMs, undefined, { signal: settled.signal, ref: false })
    const fault = new DrayError('TIMEOUT', 'no answer came in time')
    mirror.health.failed(fault)
    throw new RegistryFault('UNKNOWN', fault.message, { status: 504, cause: fault })
  }
  try {
    return await Promise.race([answer, late()])
  } finally {
    settled.abort()
  }
}

function rememberStale(asked: Asked, descriptor: Descriptor): KnownTag {
  const { mirror } = asked.repository
  const known = { descriptor, isStale: true }
  mirror.tags.set(keyOf(asked), known, Math.max(mirror.freshMs, staleMs))
  return known
}

/** The bytes of what a reference stands for, and the tag on it here. */
async function obtain(asked: Asked, { descriptor, isStale }: KnownTag): Promise<Manifest> {
  const { repository, reference, local } = asked
  const { mirror, path, name } = repository
  const stored = await readStored(asked, descriptor)
  const tell = (result: 'hit' | 'miss' | 'stale') =>
    mirror.tell({ type: 'request', mirror: mirror.name, kind: 'manifest', result })
  tell(isStale ? 'stale' : stored === undefined ? 'miss' : 'hit')
  const manifest =
    stored ?? (await mirror.flights.run(`manifest ${name}@${descriptor.digest}`, () => fetch()))
  for (const blob of childBlobs(manifest)) mirror.sizes.set(`${path}@${blob.digest}`, blob.size)
  const isTagged = isDigest(reference) || local?.digest === descriptor.digest
  if (stored === undefined || !isTagged) await store(asked, manifest)
  return manifest

  function fetch(): Promise<Manifest> {
    return mirror.ask(path, 'MANIFEST_UNKNOWN', upstream =>
      descriptor.mediaType === ''
        ? upstream.readManifest(descriptor.digest)
        : upstream.getManifest(descriptor),
    )
  }
}

/** Under the tag by which it was asked for, or those that it was found by just before. A full disk keeps it from nobody. */
async function store({ repository, reference, layout }: Asked, manifest: Manifest): Promise<void> {
  const { mirror, path } = repository
  const awaited = mirror.awaitedTags.get(`${path}@${manifest.digest}`)
  const isLatest = (tag: string) => mirror.latest.get(`${path}:${tag}`) === manifest.digest
  const tags = isDigest(reference) ? awaited && [...awaited].filter(isLatest) : [reference]
  try {
    await createFetched(layout)
    await layout.putManifest(manifest, tags)
  } catch (error) {
    if (!isDrayError(error, 'IO', 'TIMEOUT')) throw error
    mirror.health.warn(`not stored: ${error.message}`)
  }
}

/** Undefined for what is not here, or not any more. */
async function readStored({ repository, layout }: Asked, { digest }: Descriptor) {
  const descriptor = await layout.find(digest)
  if (descriptor === undefined) return undefined
  return ifThere(repository.mirror.storage.manifests.read(layout, descriptor))
}

function keyOf({ repository, reference }: Asked): string {
  return `${repository.path}:${reference}`
}
