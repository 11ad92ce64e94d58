import { lstat, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { run } from '../support/run.ts'
import type { Entry } from './layers.ts'

/** Unpacks an archive into a folder by GNU tar. */
export async function unpack(tar: Buffer, folder: string): Promise<void> {
  const { code, stderr } = await run('tar', ['-x', '-p', '-C', folder], { input: tar })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}

/**
 * Makes room in a real folder for a layer, by what the specification says and not by the program's code: takes away what
 * whiteouts name, and what is of another type than the entry that comes in its place. Names are in their plain form.
 * @param described the folders that an entry told of; kept up to date
 */
export async function makeRoom(
  entries: readonly Entry[],
  folder: string,
  described: Set<string>,
): Promise<void> {
  const remove = async (path: string) => {
    await rm(join(folder, path), { recursive: true, force: true })
    for (const one of described) if (one === path || one.startsWith(`${path}/`)) described.delete(one)
  }
  for (const { name, type } of entries) {
    const parts = name.split('/').filter(part => part !== '')
    const last = parts.pop() ?? ''
    const above = parts.map((_, at) => parts.slice(0, at + 1).join('/'))
    for (const path of above) if ((await typeOf(join(folder, path))) === 'other') await remove(path)
    const parent = parts.join('/')
    const path = [...parts, last].join('/')
    if (last === '.wh..wh..opq') {
      for (const child of await childrenOf(join(folder, parent))) await remove(join(parent, child))
    } else if (last.startsWith('.wh.')) {
      await remove([...parts, last.slice(4)].join('/'))
    } else if (type !== 'directory' || (await typeOf(join(folder, path))) === 'other') {
      await remove(path)
    }
  }
}

/** Takes away the empty folders that no entry told of. */
export async function prune(folder: string, described: ReadonlySet<string>, path = ''): Promise<void> {
  for (const child of await childrenOf(join(folder, path))) {
    const own = join(path, child)
    if ((await typeOf(join(folder, own))) !== 'folder') continue
    await prune(folder, described, own)
    const isEmpty = (await childrenOf(join(folder, own))).length === 0
    if (isEmpty && !described.has(own)) await rm(join(folder, own), { recursive: true })
  }
}

/** All that is in a folder, a line each: type, mode, owner, time, content, and the names that share an inode. */
export async function treeOf(folder: string): Promise<readonly string[]> {
  const names = await namesIn(folder)
  const inodes = new Map<number, string[]>()
  const lines: (readonly [string, number])[] = []
  for (const name of names) {
    const path = join(folder, name)
    const stats = await lstat(path)
    const { mode, uid, gid, mtimeMs, ino } = stats
    const what = `${name} ${mode.toString(8)} ${uid}:${gid}`
    if (stats.isDirectory()) {
      lines.push([what, 0])
      continue
    }
    inodes.set(ino, [...(inodes.get(ino) ?? []), name])
    const content = stats.isSymbolicLink() ? await readlink(path) : stats.isFile() ? await readFile(path) : ''
    lines.push([`${what} ${mtimeMs / 1000} ${content}`, ino])
  }
  return lines.map(([line, ino]) => `${line} ${inodes.get(ino)?.join('=') ?? ''}`)
}

/** All names in a folder and below, in order; symlinks are not followed, as `readdir` alone would. */
export async function namesIn(folder: string, path = ''): Promise<readonly string[]> {
  const names: string[] = []
  for (const child of [...(await childrenOf(join(folder, path)))].sort()) {
    const own = join(path, child)
    names.push(own, ...(await namesIn(folder, own)))
  }
  return names
}

/** What is at a path, without following it. */
export async function typeOf(path: string): Promise<'folder' | 'other' | undefined> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats === undefined) return undefined
  return stats.isDirectory() ? 'folder' : 'other'
}

async function childrenOf(path: string): Promise<readonly string[]> {
  return (await typeOf(path)) === 'folder' ? readdir(path) : []
}
