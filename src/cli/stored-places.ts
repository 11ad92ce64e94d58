import { NamedDestination } from '../bundle/named-destination.ts'
import type { DockerArchiveFormat } from '../docker-archive/docker-archive-destination.ts'
import type { Engine } from '../docker-daemon/engine.ts'
import { DrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import type { ImageDestination, ImageSource, TagOrDigest } from '../image-store.ts'
import type { Digest } from '../oci/digest.ts'
import type { Platform } from '../oci/platform.ts'
import type { TarFile } from '../tar/tar-file.ts'
import type { ArchiveStreams } from './archive-streams.ts'
import { digestIn, type EngineLocation, type FileLocation, type Location, nameIn } from './location.ts'

/** A place that is open to read from, and what is meant there. */
export interface OpenSource {
  readonly store: ImageSource
  readonly reference: TagOrDigest
  /** How many transfers at a time the configuration allows a registry. */
  readonly jobs?: number | undefined
}

/** A place that is open to write to, and the tags that its location asks for. */
export interface OpenDestination {
  readonly store: ImageDestination
  readonly tags: readonly string[]
  readonly jobs?: number | undefined
}

/** What folders and archives need of the program's run. */
export interface StorageContext {
  readonly tmpDir: string
  readonly signal: AbortSignal
  readonly streams: ArchiveStreams
  /** @param timeoutMs how long it may be silent */
  readonly openEngine: (timeoutMs?: number) => Promise<Engine>
  /** Takes what has to be closed however the run ends. */
  readonly closeLater: (place: AsyncDisposable) => void
  readonly warn: (message: string) => void
}

/** Opens a folder, an archive or an image of the engine to read from; a tag and a digest are checked against each other. */
export async function openStoredSource(
  location: FileLocation | EngineLocation,
  context: StorageContext,
  timeoutMs?: number,
): Promise<OpenSource> {
  if (location.kind === 'docker-daemon') {
    const { image } = location
    const { DaemonImage } = await import('../docker-daemon/daemon-image.ts')
    const engine = await context.openEngine(timeoutMs)
    return { store: closed(new DaemonImage(engine, image, context), context), reference: image }
  }
  const store = await openStore(location, context)
  const { name, digest } = location
  if (name === undefined) return { store, reference: digest ?? (await soleReference(store)) }
  const reference = await referenceTo(name, store)
  return { store, reference: digest === undefined ? reference : await pinned(store, { reference, digest }) }
}

/**
 * A tag or name must stand for the digest beside it.
 * @throws DrayError `INTEGRITY`
 */
export async function pinned(
  store: ImageSource,
  { reference, digest }: { readonly reference: TagOrDigest; readonly digest: Digest },
): Promise<Digest> {
  const found = await store.resolve(reference)
  if (found.digest === digest) return digest
  throw new DrayError('INTEGRITY', `${store.name}:${reference} stands for ${found.digest}, not for ${digest}`)
}

/** A folder or archive, which may be open already as `tar`. */
export type StoredPlace = Pick<FileLocation, 'kind' | 'path'> & { readonly tar?: TarFile }

/** Opens a folder or archive, and warns of what is odd about it. */
export async function openStore(place: StoredPlace, context: StorageContext): Promise<OpenStore> {
  const store = await openKind(place, context)
  for (const oddity of 'oddities' in store ? store.oddities : []) context.warn(oddity)
  return store
}

async function openKind({ kind, path, tar }: StoredPlace, context: StorageContext) {
  const { tmpDir, signal } = context
  const content = () => tar ?? (path === '-' ? context.streams.readStdin(`${kind}:-`) : path)
  switch (kind) {
    case 'oci':
      return (await import('../layout/layout.ts')).openLayout(path)
    case 'dir':
      return (await import('../dir/image-folder.ts')).openImageFolder(path)
    case 'oci-archive': {
      const { openLayoutArchive } = await import('../layout/layout-archive.ts')
      return closed(await openLayoutArchive(content(), { tmpDir, signal }), context)
    }
    case 'docker-archive': {
      const { openDockerArchive } = await import('../docker-archive/docker-archive.ts')
      return closed(await openDockerArchive(content(), { tmpDir, signal }), context)
    }
  }
}

/** A folder or archive that is open. */
export type OpenStore = Awaited<ReturnType<typeof openKind>>

async function soleReference(store: OpenStore): Promise<TagOrDigest> {
  if (!('listEntries' in store)) return store.soleReference()
  return (await import('../bundle/find-image.ts')).soleImage(store)
}

async function referenceTo(name: string, store: OpenStore): Promise<TagOrDigest> {
  return 'listEntries' in store ? (await import('../bundle/find-image.ts')).findNamed(store, name) : name
}

export interface OpenStoredDestinationOptions {
  /** The location of what will be written, whose name is kept where the destination says none. */
  readonly from?: Location | undefined
  /** The image of an index that an engine loads. */
  readonly platform?: Platform | undefined
  readonly format?: DockerArchiveFormat | undefined
  /** How long an engine may be silent. */
  readonly timeoutMs?: number | undefined
}

/** Opens a folder or archive to write to, which is made where it is missing. */
export async function openStoredDestination(
  location: FileLocation | EngineLocation,
  options: OpenStoredDestinationOptions,
  context: StorageContext,
): Promise<OpenDestination> {
  if (location.kind === 'docker-daemon') return openEngineDestination(location, options, context)
  const { kind, path, text } = location
  if (kind === 'dir') {
    const { openImageFolder } = await import('../dir/image-folder.ts')
    return { store: await openImageFolder(path, { create: true }), tags: [] }
  }
  const kept = options.from === undefined || digestIn(location) !== undefined ? {} : nameIn(options.from)
  const target = path === '-' ? context.streams.writeStdout(text) : path
  if (kind === 'docker-archive') {
    if (location.name?.startsWith('@'))
      throw new DrayError('USAGE', `${text}: an image that is written has a name and no place`)
    const archive = await openDockerArchiveTarget(target, options, context)
    const { repository, tag } = location.name === undefined ? kept : nameIn(location)
    const isNamed = repository !== undefined && tag !== undefined
    return { store: archive.repository(repository), tags: isNamed ? [tag] : [] }
  }
  const layout =
    kind === 'oci' ? await openLayoutTarget(path) : await openLayoutArchiveTarget(target, context)
  const { repository, tag } = nameIn(location)
  const store = repository === undefined ? layout : new NamedDestination(layout, repository)
  const wanted = location.name === undefined ? kept.tag : (tag ?? location.name)
  return { store, tags: wanted === undefined ? [] : [wanted] }
}

async function openEngineDestination(
  location: EngineLocation,
  { timeoutMs, ...options }: OpenStoredDestinationOptions,
  context: StorageContext,
): Promise<OpenDestination> {
  const { repository, tag } = nameIn(location)
  if (repository === undefined || tag === undefined)
    throw new DrayError('USAGE', `${location.text}: an image gets a name and a tag there, and no digest`)
  const { openDaemonDestination } = await import('../docker-daemon/daemon-destination.ts')
  const engine = await context.openEngine(timeoutMs)
  const destination = closed(await openDaemonDestination(engine, { ...options, ...context }), context)
  return { store: destination.repository(repository), tags: [tag] }
}

/** A layout to write to, in a folder. */
export async function openLayoutTarget(dir: string): Promise<ImageDestination> {
  return (await import('../layout/layout.ts')).openLayout(dir, { create: true })
}

type ArchiveTarget = string | ((content: Chunks) => Promise<void>)

/** A layout to write to, in an archive. */
export async function openLayoutArchiveTarget(
  target: ArchiveTarget,
  context: StorageContext,
): Promise<ImageDestination> {
  const { openLayoutArchiveDestination } = await import('../layout/layout-archive-destination.ts')
  const { tmpDir, signal } = context
  return closed(await openLayoutArchiveDestination(target, { tmpDir, signal }), context)
}

/** An archive of docker's to write to. */
export async function openDockerArchiveTarget(
  target: ArchiveTarget,
  { platform, format }: OpenStoredDestinationOptions,
  context: StorageContext,
) {
  const { openDockerArchiveDestination } = await import('../docker-archive/docker-archive-destination.ts')
  const { tmpDir, signal } = context
  return closed(await openDockerArchiveDestination(target, { tmpDir, signal, platform, format }), context)
}

function closed<Place extends AsyncDisposable>(place: Place, context: StorageContext): Place {
  context.closeLater(place)
  return place
}
