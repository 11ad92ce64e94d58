import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixturePath } from '../support/fixtures.ts'
import { projectFolder, run, runDray } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray } from './dray.ts'

const image = `oci:${fixturePath('hello')}:1.0`

/** A user's home, and what a run in it leaves in the cache. */
async function makeHome() {
  const home: TempDir = await makeTempDir()
  const env = { HOME: home.path, XDG_CACHE_HOME: '' }
  const folder = join(home.path, '.cache/dray')
  return {
    folder,
    env,
    digest: () => dray(['digest', image], { env }),
    list: () => readdir(folder).catch(() => []),
    /** The one file that is there. */
    file: async () => {
      const files = await readdir(folder)
      expect(files).toHaveLength(1)
      return join(folder, files[0] ?? '')
    },
    [Symbol.asyncDispose]: () => home.remove(),
  }
}

/** Makes a file older than all that a test writes, so that it shows whether it was written again. */
async function age(file: string): Promise<void> {
  await utimes(file, 1, 1)
}

async function isAged(file: string): Promise<boolean> {
  return (await stat(file)).mtimeMs === 1000
}

describe('compiled code', () => {
  it('is left by the first run of a verb for nobody but the user, and taken by the next', async () => {
    await using home = await makeHome()
    const first = await home.digest()
    const file = await home.file()
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await stat(home.folder)).mode & 0o777).toBe(0o700)
    await age(file)
    const second = await home.digest()
    expect(second.stdout).toBe(first.stdout)
    expect(await isAged(file)).toBe(true)
    await dray(['ls', image.slice(0, -4)], { env: home.env })
    expect(await home.list()).toHaveLength(2)
  })

  it('is taken after a run that changed flags of V8 on its way, as all do that ask a registry', async () => {
    await using home = await makeHome()
    await using registry = await startEmbeddedRegistry()
    const name = `${registry.host}/hello:1.0`
    await dray(['copy', '--quiet', image, name])
    await dray(['digest', name], { env: home.env })
    const file = await home.file()
    await age(file)
    await dray(['digest', name], { env: home.env })
    expect(await isAged(file)).toBe(true)
  })

  it('is written anew when the file is not what it should be', async () => {
    await using home = await makeHome()
    const { stdout } = await home.digest()
    const file = await home.file()
    const good = await readFile(file)
    const spoilt = Buffer.from(good)
    spoilt.writeUInt8(spoilt.readUInt8(good.length >> 2) ^ 1, good.length >> 2)
    const torn = good.subarray(0, good.length / 2)
    for (const bad of [Buffer.from('what?'), Buffer.alloc(0), Buffer.alloc(good.length), torn, spoilt]) {
      await writeFile(file, bad)
      await age(file)
      expect((await home.digest()).stdout).toBe(stdout)
      expect(await isAged(file)).toBe(false)
      expect((await readFile(file)).length).toBeGreaterThan(good.length / 2)
    }
  })

  it('is not taken from a file that others may write', async () => {
    await using home = await makeHome()
    await home.digest()
    const file = await home.file()
    await chmod(file, 0o666)
    await age(file)
    await home.digest()
    expect(await isAged(file)).toBe(false)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  it('is neither taken from nor left in a folder that others may write to, above it or in it', async () => {
    await using home = await makeHome()
    await home.digest()
    const file = await home.file()
    for (const folder of [home.folder, join(home.folder, '..'), home.env.HOME]) {
      const { mode } = await stat(folder)
      await writeFile(file, 'no code, which would be written anew')
      await age(file)
      await chmod(folder, 0o777)
      await home.digest()
      expect(await isAged(file), folder).toBe(true)
      await chmod(folder, mode)
    }
    await home.digest()
    expect(await isAged(file)).toBe(false)
  })

  it('is not taken through a link, and a pipe in its place holds nobody up', async () => {
    await using home = await makeHome()
    const { stdout } = await home.digest()
    const file = await home.file()
    await rename(file, join(home.env.HOME, 'download'))
    await symlink(join(home.env.HOME, 'download'), file)
    await home.digest()
    expect((await lstat(file)).isFile()).toBe(true)
    await rm(file)
    await run('mkfifo', [file])
    expect((await home.digest()).stdout).toBe(stdout)
  })

  it('is that of the program that runs, though another has its size and time', async () => {
    await using home = await makeHome()
    await using copies = await makeTempDir()
    for (const name of ['one', 'two']) {
      const folder = join(copies.path, name)
      await cp(join(projectFolder, 'bin'), join(folder, 'bin'), { recursive: true })
      await mkdir(join(folder, 'dist/cli'), { recursive: true })
      await writeFile(join(folder, 'dist/cli/main.cjs'), `exports.main = () => console.log('${name}')`)
      await age(join(folder, 'dist/cli/main.cjs'))
    }
    for (const name of ['one', 'two', 'one']) {
      const starter = join(copies.path, name, 'bin/dray.js')
      const { stdout } = await run(process.execPath, [starter, 'digest'], { env: home.env })
      expect(stdout).toBe(`${name}\n`)
    }
    expect(await home.list()).toHaveLength(2)
  })

  it.runIf(process.getuid?.() === 0)(
    'is neither taken from nor left for another user, as under sudo',
    async () => {
      await using home = await makeHome()
      await home.digest()
      const file = await home.file()
      await chown(file, 65534, 65534)
      await chown(home.folder, 65534, 65534)
      await age(file)
      await home.digest()
      expect(await isAged(file)).toBe(true)
      await rm(file)
      await home.digest()
      expect(await home.list()).toEqual([])
    },
  )

  it('is not left by a run that failed, by one that only helped, or without a verb', async () => {
    await using home = await makeHome()
    const { env } = home
    expect((await runDray(['digest', 'oci:/nowhere'], { env })).code).toBeGreaterThan(0)
    await dray(['digest', '--help'], { env })
    await dray(['--help'], { env })
    await runDray(['no-such-verb'], { env })
    await runDray(['../../escape'], { env })
    expect(await home.list()).toEqual([])
  })

  it('is not left where the environment forbids it, and goes where XDG_CACHE_HOME says', async () => {
    await using home = await makeHome()
    await dray(['digest', image], { env: { ...home.env, NODE_DISABLE_COMPILE_CACHE: '1' } })
    expect(await home.list()).toEqual([])
    const elsewhere = join(home.folder, '../elsewhere')
    await mkdir(elsewhere, { recursive: true, mode: 0o700 })
    await dray(['digest', image], { env: { ...home.env, XDG_CACHE_HOME: elsewhere } })
    expect(await readdir(join(elsewhere, 'dray'))).toHaveLength(1)
    expect(await home.list()).toEqual([])
  })

  it('is no reason to fail where there is no home, or the cache is no folder', async () => {
    await using home = await makeHome()
    const { stdout, stderr } = await dray(['digest', image], {
      env: { HOME: '/nowhere/at/all', XDG_CACHE_HOME: '' },
    })
    expect(stderr).toBe('')
    await writeFile(join(home.folder, '../../.cache'), '')
    expect(await dray(['digest', image], { env: home.env })).toMatchObject({ stdout, stderr: '' })
    await using full = await makeTempDir()
    await symlink('/dev/full', join(full.path, 'dray'))
    const env = { ...home.env, XDG_CACHE_HOME: full.path }
    expect(await dray(['digest', image], { env })).toMatchObject({ stdout, stderr: '' })
  })

  it('does not pile up: the oldest files of many go', async () => {
    await using home = await makeHome()
    await mkdir(home.folder, { recursive: true, mode: 0o700 })
    const names = Array.from({ length: 30 }, (_, at) => `copy-v24.0.0-x64-1-1-${at}`)
    for (const [at, name] of names.entries()) {
      await writeFile(join(home.folder, name), '')
      await utimes(join(home.folder, name), 1000 + at, 1000 + at)
    }
    await writeFile(join(home.folder, 'not-ours.txt'), '')
    await utimes(join(home.folder, 'not-ours.txt'), 1, 1)
    await home.digest()
    const left = await home.list()
    expect(left).toHaveLength(17)
    expect(left).toContain('not-ours.txt')
    expect(left).toContain('copy-v24.0.0-x64-1-1-29')
    expect(left).not.toContain('copy-v24.0.0-x64-1-1-14')
    expect(left.filter(name => name.startsWith('digest-'))).toHaveLength(1)
  })
})
