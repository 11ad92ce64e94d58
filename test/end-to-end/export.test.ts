import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CliContext } from '../../src/cli/context.ts'
import { createProgram } from '../../src/cli/program.ts'
import { chunksOf, entriesOf, imageOfTexts, layerOf, type ReadEntry, shortOf } from '../filesystem/layers.ts'
import { treeOf, unpack } from '../filesystem/unpacked.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { startFaultyProxy } from '../support/faulty-proxy.ts'
import { fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { run, runDray } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'
import { pushImage } from './looking-inside.ts'

describe('dray export', patience, () => {
  const opened = new AsyncDisposableStack()
  let registry: EmbeddedRegistry
  let folder: TempDir
  beforeAll(async () => {
    registry = opened.use(await startEmbeddedRegistry())
    await dray(['copy', '--quiet', `oci:${fixturePath('hello')}:latest`, `${registry.host}/hello:latest`])
  })
  beforeEach(async () => {
    folder = opened.use(await makeTempDir())
  })
  afterAll(() => opened.disposeAsync())

  const at = (name: string) => join(folder.path, name)

  it('writes the filesystem of an image to a file, or to standard output', async () => {
    const image = `${registry.host}/hello:latest`
    const { stdout, stderr } = await dray(['export', '--platform', 'linux/amd64', image, at('hello.tar')])
    expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' })
    const tar = await readFile(at('hello.tar'))
    expect((await entriesOf(chunksOf(tar))).map(({ name }) => name)).toEqual([
      'etc/',
      'bin/',
      'bin/hello',
      'etc/os-release',
      'etc/passwd',
      'LICENSE',
    ])
    for (const file of [[], ['-']]) {
      const { stdoutBytes } = await dray(['export', '--platform', 'linux/amd64', image, ...file])
      expect(stdoutBytes.equals(tar)).toBe(true)
    }
    await mkdir(at('rootfs'))
    await unpack(tar, at('rootfs'))
    expect((await treeOf(at('rootfs'))).map(line => line.split(' ', 1)[0])).toEqual([
      'LICENSE',
      'bin',
      'bin/hello',
      'etc',
      'etc/os-release',
      'etc/passwd',
    ])
  })

  it('takes the image of a platform, out of an OCI layout too', async () => {
    const [amd64, arm64] = await Promise.all(
      ['linux/amd64', 'linux/arm64'].map(async platform => {
        const { stdoutBytes } = await dray([
          'export',
          '--platform',
          platform,
          `oci:${fixturePath('hello')}:latest`,
        ])
        return (await entriesOf(chunksOf(stdoutBytes))).find(({ name }) => name === 'bin/hello')?.bytes
      }),
    )
    expect(amd64?.readUInt16LE(18)).toBe(62) // e_machine of ELF: x86-64, AArch64
    expect(arm64?.readUInt16LE(18)).toBe(183)
  })

  it('writes one layer as it is, but not compressed', async () => {
    const layers = [['a = 1'], ['.wh.a', '/b = 2']]
    const image = await pushImage(registry, 'layers', await imageOfTexts(...layers))
    const { stdoutBytes } = await dray(['export', '--layer', '2', image])
    expect(stdoutBytes).toEqual(await layerOf('.wh.a', '/b = 2'))
    expect(await drayFails(3, ['export', '--layer', '3', image])).toContain('the image has no layer "3"')
  })

  it.each([
    ['leads out of the image', ['../../outside = x']],
    ['has a link that leads out', ['a = 1', 'b => ../../../etc/passwd']],
    ['has a link to nothing', ['a => b']],
  ])('writes nothing of an image that %s, and leaves what was there', async (_, layer) => {
    const image = await pushImage(registry, 'hostile', await imageOfTexts([], ['good = 1'], layer, []))
    await mkdir(at('in'))
    expect(await drayFails(6, ['export', image, at('in/new.tar')])).toMatch(/^dray: /)
    expect(await readdir(at('in'))).toEqual([])
    await writeFile(at('in/old.tar'), 'old')
    await drayFails(6, ['export', image, at('in/old.tar')])
    expect(await readFile(at('in/old.tar'), 'utf8')).toBe('old')
    expect(await readdir(folder.path)).toEqual(['in'])
  })

  it('leaves nothing behind when it is interrupted', async () => {
    const image = await imageOfTexts([{ name: 'a', content: Buffer.alloc(3_000_000, 'abc') }])
    await pushImage(registry, 'slow', image)
    await using proxy = await startFaultyProxy(`http://${registry.host}`)
    const digest = image.blobs[0]?.descriptor.digest ?? ''
    proxy.spoil({ path: new RegExp(digest), fault: { kind: 'stall', afterBytes: 1000 } })
    const args = ['export', '--debug', `${proxy.host}/slow:latest`, at('slow.tar')]
    const result = await runDray(args, {
      signalAfter: { signal: 'SIGINT', printed: new RegExp(`${digest}.* 200`) },
    })
    expect(result.code).toBe(130)
    expect(await readdir(folder.path)).toEqual([])
  })

  it('goes on with a layer whose transfer breaks', async () => {
    const image = await imageOfTexts([{ name: 'a', content: randomBytes(200_000) }])
    await pushImage(registry, 'broken', image)
    await using proxy = await startFaultyProxy(`http://${registry.host}`)
    const digest = image.blobs[0]?.descriptor.digest ?? ''
    proxy.spoil({ path: new RegExp(digest), fault: { kind: 'cut', afterBytes: 20_000 } })
    const { stdoutBytes, stderr } = await dray(['export', `${proxy.host}/broken:latest`])
    expect((await entriesOf(chunksOf(stdoutBytes))).map(({ size }) => size)).toEqual([200_000])
    const asked = proxy.requests.filter(({ path }) => path.endsWith(digest))
    expect(asked.map(({ status }) => status)).toEqual([200, 206])
    expect(stderr).toMatch(/^127\.0\.0\.1:\d+\/broken@sha256:.*; trying again in \d+m?s\n$/)
  })

  it('writes into a device or a named pipe, and through a symbolic link', async () => {
    const image = await pushImage(registry, 'special', await imageOfTexts(['a = 1']))
    await dray(['export', image, '/dev/null'])
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true)
    await run('mkfifo', [at('pipe')])
    const [{ stdoutBytes }] = await Promise.all([
      run('cat', [at('pipe')]),
      dray(['export', image, at('pipe')]),
    ])
    expect((await entriesOf(chunksOf(stdoutBytes))).map(shortOf)).toEqual(['a = 1'])
    await symlink('file', at('link'))
    await dray(['export', image, at('link')])
    expect(await readFile(at('file'))).toEqual(stdoutBytes)
    expect((await lstat(at('link'))).isSymbolicLink()).toBe(true)
    expect(await drayFails(1, ['export', image, folder.path])).toContain('it is a folder')
  })

  it('writes no archive on a terminal', async () => {
    const context = { stdout: { isTerminal: true } } as CliContext
    const program = await createProgram(['export', 'alpine'], { context, onHelp: () => {} })
    await expect(program.parseAsync(['export', 'alpine'], { from: 'user' })).rejects.toMatchObject({
      code: 'USAGE',
    })
  })

  it('has nothing to write of an artifact', async () => {
    const image = await imageOfTexts(['a = 1'])
    await pushImage(registry, 'artifact', image)
    const document = {
      ...image.manifest.content,
      artifactType: 'application/vnd.example',
      config: { ...image.config.descriptor, mediaType: 'application/vnd.oci.empty.v1+json' },
    }
    const headers = { 'Content-Type': image.manifest.mediaType }
    await registry.ask('PUT', '/v2/artifact/manifests/other', { headers, body: JSON.stringify(document) })
    const said = await drayFails(1, ['export', `${registry.host}/artifact:other`])
    expect(said).toMatch(/is no container image: it holds "application\/vnd\.example"\nhint: /)
  })

  describe.skipIf(!requirePeers('crane'))('beside crane', () => {
    /** What crane and dray agree on, in any order. */
    const told = ({ name, type, size, mode, linkname, bytes }: ReadEntry) =>
      `${name.replace(/\/$/, '')} ${type} ${size} ${mode.toString(8)} ${linkname} ${bytes.toString('base64')}`

    it.each(['hello', 'rich'])('writes the same files of the image %s', async name => {
      const rich = await imageOfTexts(
        [
          './',
          'etc/',
          'etc/a = 1',
          'etc/motd = x',
          'usr/',
          'usr/bin/',
          'usr/bin/x = run',
          'bin -> usr/bin',
          'old/',
          'old/x = 1',
        ],
        [
          'etc/.wh.motd',
          `${'long/'.repeat(50)}name = 2`,
          { name: 'usr/bin/su', content: 'su', mode: 0o4755 },
          '.wh.old',
          'ç = 3',
        ],
        ['etc/', 'etc/a = 22', 'h = 1', 'i => h', 'p | fifo', 'bin/ 0700', 'bin/y = 1'],
      )
      const image = name === 'hello' ? `${registry.host}/hello:latest` : await pushImage(registry, name, rich)
      const ours = await dray(['export', '--platform', 'linux/amd64', image])
      const theirs = await run('crane', ['export', '--platform', 'linux/amd64', image, '-'])
      expect(theirs.stderr).toBe('')
      const [our, their] = await Promise.all(
        [ours, theirs].map(async ({ stdoutBytes }) =>
          (await entriesOf(chunksOf(stdoutBytes))).map(told).sort(),
        ),
      )
      expect(our?.length).toBeGreaterThan(5)
      expect(our).toEqual(their)
    })
  })
})
