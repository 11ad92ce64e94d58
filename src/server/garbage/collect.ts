import { lstat, readdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DrayError, isDrayError } from '../../errors.ts'
import { ifThere, onDisk } from '../../files/io-error.ts'
import { BlobStore, markedMs } from '../../layout/blob-store.ts'
import { KeyedLock } from '../../layout/keyed-lock.ts'
import { isLayout } from '../../layout/layout-file.ts'
import { folderNames, repositoryFolders } from '../storage/repository-folders.ts'
import { collectRepository, type RepositoryOptions } from './collect-repository.ts'
import { throwIfEnded } from './ended.ts'
import { collectBesideRepositories, collectInLayout } from './leftovers.ts'
import { type Removal, Tally } from './tally.ts'

export type { Removal } from './tally.ts'

/** What is collected, and what others are left the time for. */
export interface CollectOptions {
  /**
   * What was written or used in so many milliseconds stays, so that a push has the time to come to its end; a day when
   * absent. With 0 nothing stays that no manifest needs: for folders that nobody pushes to.
   */
  readonly graceMs?: number | undefined
  /** Remove manifests too that have no tag, and are not part of nor refer to what stays. */
  readonly untagged?: boolean | undefined
  /** Say what would go, and change nothing. */
  readonly dryRun?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** What a collection has done, or would do. */
export interface Collection {
  readonly dir: string
  readonly dryRun: boolean
  /** In how many repositories was looked; 1 in a folder that is one layout. */
  readonly repositories: number
  readonly removed: readonly Removal[]
  /** How much of the disk is free now: a file that has more names is only freed with the last of them. */
  readonly freedBytes: number
  /** Repositories of which nothing was removed, or not all. */
  readonly failures: readonly CollectionFailure[]
}

/** A repository that could not be collected in. */
export interface CollectionFailure {
  readonly repository: string
  readonly error: DrayError
}

const defaultGraceMs = 24 * 3600 * 1000

/**
 * Removes what nothing refers to in a folder of repositories, as `startServer` serves it, or in one OCI layout: blobs, and what
 * killed writers left. Others may serve the folder and write to it at the same time. Where it cannot be told what a repository
 * needs, as with a damaged manifest, nothing of it is removed. Symbolic links are not followed.
 * @throws DrayError `USAGE` for the root of the file system, `NOT_FOUND` for a folder that is neither, `IO`, `ABORTED`; for one layout also what it fails with
 */
export async function collectGarbage(dir: string, options: CollectOptions = {}): Promise<Collection> {
  if (dirname(resolve(dir)) === resolve(dir)) {
    throw new DrayError('USAGE', `${dir} is the whole file system, and no folder of repositories`)
  }
  if (await isLayout(dir)) return collectLayout(dir, options)
  const names = await onDisk(dir, readdir(dir))
  const collection = await collectRegistry(dir, options)
  const isRegistry = collection.repositories > 0 || names.some(name => ownFolders.includes(name))
  if (isRegistry || names.length === 0) return collection
  throw new DrayError('NOT_FOUND', `${dir}: neither an OCI image layout nor a folder of repositories`)
}

const ownFolders: readonly string[] = Object.values(folderNames)

/** What a server has that collects in its own folder. */
export interface CollectRegistryOptions extends CollectOptions {
  readonly locks?: KeyedLock | undefined
}

/** As `collectGarbage`, in a folder that is known to be one of repositories. @throws DrayError `IO`, `ABORTED` */
export async function collectRegistry(dir: string, options: CollectRegistryOptions): Promise<Collection> {
  const { untagged = false, signal, locks = new KeyedLock() } = options
  const { tally, since } = start(options)
  const { sharedBlobs, uploads } = folderNames
  await refuseLinks(dir, [uploads, sharedBlobs, `${sharedBlobs}/sha256`, `${sharedBlobs}/sha512`])
  const failures: CollectionFailure[] = []
  let repositories = 0
  for await (const repository of repositoryFolders(dir)) {
    throwIfEnded(signal)
    const path = join(dir, repository)
    try {
      if (!(await isLayout(path))) continue
      await collectIn(path, { repository, tally, since, untagged, locks, signal })
    } catch (error) {
      if (!isDrayError(error) || isDrayError(error, 'ABORTED')) throw error
      failures.push({ repository, error })
    }
    repositories += 1
  }
  await collectShared(join(dir, sharedBlobs), tally)
  await collectBesideRepositories(dir, { tally, since })
  return collectionOf(dir, tally, { repositories, failures })
}

async function collectLayout(dir: string, options: CollectOptions): Promise<Collection> {
  const { untagged = false, signal } = options
  const { tally, since } = start(options)
  const locks = new KeyedLock()
  await collectIn(dir, { repository: undefined, tally, since, untagged, locks, signal })
  return collectionOf(dir, tally, { repositories: 1, failures: [] })
}

function start({ graceMs = defaultGraceMs, dryRun = false }: CollectOptions) {
  // A mark may be as old as it is good for when somebody relies on it.
  const since = Date.now() - (graceMs === 0 ? 0 : graceMs + markedMs)
  return { tally: new Tally(dryRun), since }
}

function collectionOf(
  dir: string,
  { dryRun, removed, freedBytes }: Tally,
  found: Pick<Collection, 'repositories' | 'failures'>,
): Collection {
  return { dir, dryRun, removed, freedBytes, ...found }
}

async function collectIn(dir: string, options: RepositoryOptions): Promise<void> {
  await refuseLinks(dir, ['blobs', 'blobs/sha256', 'blobs/sha512', '.partial'])
  await collectRepository(dir, options)
  await collectInLayout(dir, options)
}

/** Of a blob that no repository has any more. One that gets it just now has it by a name of its own. */
async function collectShared(dir: string, tally: Tally): Promise<void> {
  const blobs = new BlobStore(dir, dir)
  for (const digest of await blobs.list()) {
    const status = await blobs.status(digest)
    if (status === undefined || !tally.isLastName(status)) continue
    if (!tally.dryRun) await blobs.delete(digest)
    tally.addFile(status, { kind: 'shared-blob', digest })
  }
}

/** What is behind a link may be needed by others. */
async function refuseLinks(dir: string, folders: readonly string[]): Promise<void> {
  for (const path of folders.map(folder => join(dir, folder))) {
    const status = await ifThere(onDisk(path, lstat(path)))
    if (status === undefined || status.isDirectory()) continue
    throw new DrayError(
      'UNSUPPORTED',
      `${path}: it is no folder, and links are not followed where files are removed`,
    )
  }
}
