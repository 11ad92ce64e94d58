import { lstat, readdir, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { ifThere, onDisk } from '../../files/io-error.ts'
import { temporaryName } from '../../files/temporary-name.ts'
import { PartialFolder, partName } from '../../layout/partial-folder.ts'
import { folderNames } from '../storage/repository-folders.ts'
import { uploadName } from '../storage/upload-store.ts'
import type { Removal, Tally } from './tally.ts'

/** How files are collected that killed writers have left. */
export interface LeftoverOptions {
  readonly repository?: string | undefined
  readonly tally: Tally
  /** What was written since then stays, in milliseconds since 1970. */
  readonly since: number
}

/** In a layout: parts of blobs, and files that were not in their place yet. @throws DrayError `IO` */
export async function collectInLayout(dir: string, options: LeftoverOptions): Promise<void> {
  await collectAll(dir, ['', 'blobs/sha256', 'blobs/sha512'], temporary, options)
  await collectAll(dir, [partials], { name: partName, kind: 'part' }, options)
  if (!options.tally.dryRun) await new PartialFolder(join(dir, partials)).removeEmpty()
}

/** In the folder that holds the repositories: uploads, and files that were not in their place yet. @throws DrayError `IO` */
export async function collectBesideRepositories(dir: string, options: LeftoverOptions): Promise<void> {
  const { sharedBlobs, uploads } = folderNames
  await collectAll(dir, [`${sharedBlobs}/sha256`, `${sharedBlobs}/sha512`, uploads], temporary, options)
  await collectAll(dir, [uploads], { name: uploadName, kind: 'upload' }, options)
}

/** What is looked for. */
interface Leftover {
  readonly name: RegExp
  readonly kind: Removal['kind']
}

const temporary: Leftover = { name: temporaryName, kind: 'temporary' }

const partials = '.partial'

/** What is younger may have a writer, whatever the grace time is. */
const writingMs = 60_000

async function collectAll(
  dir: string,
  folders: readonly string[],
  { name, kind }: Leftover,
  { repository, tally, since }: LeftoverOptions,
): Promise<void> {
  const before = Math.min(since, Date.now() - writingMs)
  for (const folder of folders) {
    const path = join(dir, folder)
    const names = (await ifThere(onDisk(path, readdir(path)))) ?? []
    for (const file of names.filter(one => name.test(one)).map(one => join(path, one))) {
      const status = await ifThere(onDisk(file, lstat(file)))
      if (!status?.isFile() || status.mtimeMs > before) continue
      if (!tally.dryRun) await onDisk(file, rm(file, { force: true }))
      const { size, nlink: links, dev, ino } = status
      const named = { size, links, file: `${dev}:${ino}` }
      tally.addFile(named, { kind, repository, path: relative(dir, file) })
    }
  }
}
