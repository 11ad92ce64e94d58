import { lstat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere, onDisk } from '../../files/io-error.ts'
import { makeFolder } from '../../files/make-folder.ts'
import type { Layout } from '../../layout/layout.ts'
import { isLayout } from '../../layout/layout-file.ts'

/** A layout that has this file was made by a mirror: all of it can be fetched again. */
const markName = '.mirrored'

/** Makes a layout for what is fetched, unless there is one, which may be somebody's who keeps in it what is nowhere else. */
export async function createFetched(layout: Layout): Promise<void> {
  if (await isLayout(layout.dir)) return
  await makeFolder(layout.dir)
  const mark = join(layout.dir, markName)
  await onDisk(mark, writeFile(mark, ''))
  await layout.create()
}

/** True for a layout that a mirror has made. */
export async function isFetched({ dir }: Layout): Promise<boolean> {
  const mark = join(dir, markName)
  return (await ifThere(onDisk(mark, lstat(mark)))) !== undefined
}
