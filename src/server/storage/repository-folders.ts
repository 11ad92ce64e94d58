import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere, onDisk } from '../../files/io-error.ts'
import { repositoryFault } from '../../oci/reference.ts'

/** What is in a served folder beside the repositories; no repository can have such a name. */
export const folderNames = { uploads: '_uploads', sharedBlobs: '_blobs', mirrored: '_mirror' } as const

/** The names that a layout's own files have, and its locks; as a part of a repository's name they would collide with them. */
const layoutNames: readonly string[] = [
  'blobs',
  'index.json',
  'index.json.lock',
  'index.json.lock.break',
  'oci-layout',
]

/**
 * The names of the folders that could be repositories of a served folder. Symbolic links are not followed.
 * @throws DrayError `IO`
 */
export async function* repositoryFolders(dir: string, prefix = ''): AsyncGenerator<string> {
  const folder = join(dir, prefix)
  // Not there any more, perhaps.
  for (const entry of (await ifThere(onDisk(folder, readdir(folder, { withFileTypes: true })))) ?? []) {
    const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`
    if (!entry.isDirectory() || repositoryNameFault(name) !== undefined) continue
    yield name
    yield* repositoryFolders(dir, name)
  }
}

/** What is wrong with a repository's name, or undefined. */
export function repositoryNameFault(name: string): string | undefined {
  const taken = name.split('/').find(component => layoutNames.includes(component))
  return taken === undefined ? repositoryFault(name) : `"${taken}" is a name that this registry needs itself`
}
