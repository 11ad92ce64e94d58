import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { imageOfTexts } from '../filesystem/layers.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixturePath } from '../support/fixtures.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'
import { pushImage } from './looking-inside.ts'

describe('dray ls-files', patience, () => {
  const opened = new AsyncDisposableStack()
  const hello = `oci:${fixturePath('hello')}:1.1`
  let registry: EmbeddedRegistry
  beforeAll(async () => {
    registry = opened.use(await startEmbeddedRegistry())
  })
  afterAll(() => opened.disposeAsync())

  it('lists the files of an image, a line each', async () => {
    const { stdout } = await dray(['ls-files', hello])
    expect(stdout).toBe('LICENSE\nbin/\nbin/hello\netc/\netc/os-release\netc/passwd\n')
    expect((await dray(['ls-files', hello, '/etc/passwd'])).stdout).toBe('etc/passwd\n')
  })

  it('shows what is known of each with --long', async () => {
    const { stdout } = await dray(['ls-files', '--long', hello, 'bin'])
    expect(stdout).toBe(
      'drwxr-xr-x  0:0    0  2025-01-15 12:00  2  bin/\n-rwxr-xr-x  0:0  536  2025-01-15 12:00  2  bin/hello\n',
    )
  })

  it('shows what a layer takes away', async () => {
    const { stdout } = await dray(['ls-files', '--long', '--layer', '3', hello])
    expect(stdout.split('\n').map(line => line.replace(/ .* /, ' '))).toEqual([
      'drwxr-xr-x etc/',
      'wrw-r--r-- etc/.wh.motd',
      '',
    ])
  })

  it('prints one JSON document, or one a line', async () => {
    const files = await drayJson(['ls-files', hello])
    expect(files).toHaveLength(6)
    expect(files).toContainEqual({
      path: 'bin/hello',
      type: 'file',
      mode: '0755',
      uid: 0,
      gid: 0,
      user: null,
      group: null,
      size: 536,
      mtime: '2025-01-15T12:00:00.000Z',
      target: null,
      layer: 2,
      layerDigest: expect.stringMatching(/^sha256:9ecc21aa/),
    })
    const { stdout } = await dray(['ls-files', '--format', 'jsonl', hello])
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line)),
    ).toEqual(files)
    const { stdout: paths } = await dray([
      'ls-files',
      '--format',
      '{{range .}}{{.path}} {{end}}',
      hello,
      'etc',
    ])
    expect(paths).toBe('etc etc/os-release etc/passwd \n')
  })

  it('escapes what a terminal would obey', async () => {
    const image = await pushImage(
      registry,
      'odd',
      await imageOfTexts([
        { name: 'a\u001b[2J\nb\u202e' },
        { name: 'l', type: 'symlink', linkname: 'x\u0007' },
      ]),
    )
    const { stdout } = await dray(['ls-files', '--long', image])
    expect(stdout).toContain('a\\u{1b}[2J\\nb\\u{202e}\n')
    expect(stdout).toContain('l -> x\\u{7}\n')
  })

  it('tells of what is not there', async () => {
    expect(await drayFails(3, ['ls-files', hello, 'nope'])).toContain('"nope" is not in the image')
  })
})
