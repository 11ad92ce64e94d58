import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
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
import { runDray } from '../support/run.ts'
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
    await mkdir(elsewhere, { recursive: true })
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
    await mkdir(home.folder, { recursive: true })
    const names = Array.from({ length: 30 }, (_, at) => `copy-v${at}`)
    for (const [at, name] of names.entries()) {
      await writeFile(join(home.folder, name), '')
      await utimes(join(home.folder, name), 1000 + at, 1000 + at)
    }
    await home.digest()
    const left = await home.list()
    expect(left).toHaveLength(16)
    expect(left).toContain('copy-v29')
    expect(left).not.toContain('copy-v14')
    expect(left.filter(name => name.startsWith('digest-'))).toHaveLength(1)
  })
})
