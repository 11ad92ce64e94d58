import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { type GeneratedLayout, generateLayout } from '../support/generated-layout.ts'
import { projectFolder, run, runDray } from '../support/run.ts'
import { dray, drayJson, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}`
const { digest, size, mediaType } = fixtureDescriptor('hello', '1.0')
const colour = /\u001b\[\d*[1-9][\d;]*m/

describe('what dray prints', patience, () => {
  const opened = new AsyncDisposableStack()
  let registry: EmbeddedRegistry
  let big: GeneratedLayout
  let name = ''

  beforeAll(async () => {
    registry = opened.use(await startEmbeddedRegistry())
    big = opened.use(await generateLayout(2_000_000))
    name = `${registry.host}/app/hello`
    await dray(['copy', '-t', 'stable', `${hello}:1.0`, `${name}:1.0`])
  })
  afterAll(() => opened.disposeAsync())

  describe('with --format json', () => {
    it.each<[string, (name: string) => string[], unknown]>([
      [
        'digest',
        name => [`${name}:1.0`],
        { reference: 'string', digest: 'string', mediaType: 'string', size: 'number' },
      ],
      ['ls', name => [name], { repository: 'string', tags: ['string'] }],
      [
        'ls',
        name => ['--digests', name],
        { repository: 'string', tags: [{ tag: 'string', digest: 'string' }] },
      ],
      ['catalog', name => [name.split('/')[0] ?? ''], { registry: 'string', repositories: ['string'] }],
      [
        'tag',
        name => [`${name}:1.0`, 'new'],
        { repository: 'string', digest: 'string', tags: ['string'], dryRun: 'boolean' },
      ],
      [
        'delete',
        name => ['--dry-run', `${name}:1.0`],
        {
          repository: 'string',
          digest: 'string',
          tags: ['string'],
          siblings: ['string'],
          manifest: 'boolean',
          dryRun: 'boolean',
        },
      ],
      ['version', () => [], { version: 'string', node: 'string', platform: 'string' }],
      [
        'copy',
        name => ['--dry-run', `${hello}:1.1`, `${name}:1.1`],
        {
          source: 'string',
          destination: 'string',
          sourceDigest: 'string',
          digest: 'string',
          mediaType: 'string',
          size: 'number',
          changed: 'boolean',
          tags: ['string'],
          platforms: ['string'],
          manifests: { copied: 'number', present: 'number' },
          blobs: { copied: 'number', mounted: 'number', present: 'number', foreign: 'number' },
          bytes: 'number',
          seconds: 'number',
          dryRun: 'boolean',
          plan: [{ kind: 'string', how: 'string', digest: 'string', mediaType: 'string', size: 'number' }],
        },
      ],
      [
        'inspect',
        name => ['--platform', 'linux/amd64', `${name}:1.0`],
        {
          reference: 'string',
          digest: 'string',
          mediaType: 'string',
          kind: 'string',
          artifactType: 'null',
          imageDigest: 'string',
          platform: 'string',
          created: 'string',
          size: 'number',
          subject: 'null',
          annotations: expect.any(Object),
          platforms: [
            {
              platform: 'string',
              digest: 'string',
              mediaType: 'string',
              artifactType: 'null',
              size: 'number',
              annotations: {},
            },
          ],
          config: {
            user: 'string',
            entrypoint: ['string'],
            cmd: 'null',
            env: ['string'],
            workingDir: 'string',
            exposedPorts: [],
            volumes: [],
            stopSignal: 'null',
            author: 'string',
            labels: expect.any(Object),
          },
          layers: [
            { digest: 'string', mediaType: 'string', size: 'number', annotations: {}, createdBy: 'string' },
          ],
          history: [
            {
              created: 'string',
              createdBy: 'string',
              comment: 'string',
              emptyLayer: 'boolean',
              layer: 'number',
            },
          ],
        },
      ],
    ])('of %s has just these fields', async (verb, args, shape) => {
      expect(shapeOf(await drayJson([verb, ...args(name)]))).toEqual(shape)
    })

    it('of a copy has the same fields where there is nothing to do', async () => {
      const copy = ['copy', `${hello}:1.0`, `${name}:1.0`]
      const planned = (await drayJson([...copy, '--force', '--dry-run'])) as object
      const done = (await drayJson(copy)) as object
      expect(done).toMatchObject({ manifests: { copied: 0 }, platforms: null, plan: null })
      expect(Object.keys(done)).toEqual(Object.keys(planned))
    })

    it('tells an error as JSON on stderr too', async () => {
      const result = await runDray(['digest', '--format', 'json', `${name}:none`])
      expect(result).toMatchObject({ code: 3, stdout: '' })
      expect(JSON.parse(result.stderr)).toEqual({
        error: { code: 'NOT_FOUND', message: expect.stringContaining(`${name}:none`), exitCode: 3 },
      })
    })
  })

  it('fills a template from the same document', async () => {
    const filled = async (template: string) =>
      (await dray(['inspect', '--format', template, '--platform', 'linux/amd64', `${name}:1.0`])).stdout
    expect(await filled('{{.Digest}}')).toBe(`${digest}\n`)
    expect(await filled('{{range .Platforms}}{{.Platform}} {{end}}')).toBe(
      'linux/amd64 linux/arm64 linux/arm/v7 \n',
    )
    expect(await filled('{{json .Config.Entrypoint}}')).toBe('["/bin/hello"]\n')
    const copied = await dray(['copy', '--format', '{{.Digest}}', `${hello}:1.0`, `${name}:1.0`])
    expect(copied.stdout).toBe(`${digest}\n`)
  })

  it('is a line for each with --format jsonl', async () => {
    const { stdout } = await dray(['digest', '--format', 'jsonl', `${name}:1.0`])
    expect(stdout).toBe(`${JSON.stringify({ reference: `${name}:1.0`, digest, mediaType, size })}\n`)
  })

  it('keeps progress to stderr, without colour or cursor movement in a pipe', async () => {
    const to = `${registry.host}/piped/hello:1.0`
    const { stdout, stderr } = await dray(['copy', `${hello}:1.0`, to], { env: { TERM: 'xterm' } })
    expect(stdout).toBe(`${to}@${digest}\n`)
    const lines = stderr.trimEnd().split('\n')
    expect(lines).toHaveLength(8)
    for (const line of lines.slice(0, -1))
      expect(line).toMatch(/^copied [0-9a-f]{12} \(.*B\), \d+%, .* of 7 blobs$/)
    expect(lines.at(-1)).toMatch(/^blobs: 7 copied \(.*\); manifests: 4 written; [\d.]+m?s$/)
    expect(stderr).not.toMatch(/[\r\u001b]/)
  })

  it('is the result alone with --quiet', async () => {
    const to = `${registry.host}/quiet/hello:1.0`
    const { stdout, stderr } = await dray(['copy', '--quiet', `${hello}:1.0`, to])
    expect({ stdout, stderr }).toEqual({ stdout: `${to}@${digest}\n`, stderr: '' })
  })

  it('shows progress as JSON lines for programs', async () => {
    const to = `${registry.host}/json/hello:1.0`
    const { stderr } = await dray(['copy', '--progress', 'json', `${hello}:1.0`, to])
    const events = stderr
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line) as { type: string })
    expect(events.map(event => event.type)).toContain('blob-done')
  })

  // `script` of util-linux gives the program a terminal; others have a program of that name with other options.
  const hasScript = process.platform === 'linux'
  it.runIf(hasScript)(
    'has colour and bars on a terminal, and neither with NO_COLOR, TERM=dumb or no width',
    async () => {
      const [bars, plain, dumb, narrow] = [
        await copyOnTerminal('bars', 80, { TERM: 'xterm-256color' }),
        await copyOnTerminal('plain', 80, { TERM: 'xterm-256color', NO_COLOR: '1' }),
        await copyOnTerminal('dumb', 80, { TERM: 'dumb' }),
        await copyOnTerminal('narrow', 0, { TERM: 'xterm-256color' }),
      ]
      for (const shown of [bars, plain, dumb, narrow]) expect(shown).toContain(`@${big.manifest.digest}`)
      expect(bars).toMatch(colour)
      expect(plain).not.toMatch(colour)
      for (const shown of [dumb, narrow]) expect(shown).not.toContain('\u001b')
    },
  )

  /** What a copy shows on a terminal of so many columns; 0 is what a terminal has whose size nobody has set. */
  async function copyOnTerminal(to: string, columns: number, env: Record<string, string>): Promise<string> {
    const copy = `copy oci:${big.path}:big ${registry.host}/${to}:1`
    const command = `stty cols ${columns}; ${process.execPath} ${join(projectFolder, 'bin/dray.js')} ${copy}`
    const args = ['--quiet', '--return', '--command', command, '/dev/null']
    const { code, stdout } = await run('script', args, { env, timeoutMs: 20_000 })
    expect(code).toBe(0)
    return stdout
  }

  it('ends in silence when its reader goes away', async () => {
    const [layer] = big.layers
    await dray(['copy', `oci:${big.path}:big`, `${registry.host}/big:1`])
    const command = `"$@" | head -c 10 | wc -c; echo "\${PIPESTATUS[0]}"`
    for (const args of [
      ['blob', `${registry.host}/big@${layer?.digest}`],
      ['blob', `oci:${big.path}@${layer?.digest}`],
    ]) {
      const dray = [process.execPath, join(projectFolder, 'bin/dray.js'), ...args]
      const { stdout, stderr } = await run('bash', ['-c', command, 'bash', ...dray])
      expect({ stdout, stderr }).toEqual({ stdout: '10\n0\n', stderr: '' })
    }
  })

  it('shows help with examples for each verb, and says the version without more', async () => {
    expect((await dray(['version'])).stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/)
    const { stdout, stderr } = await dray(['--help'])
    expect(stderr).toBe('')
    const verbs = stdout.match(/^ {2}([a-z]+)(?=[| ])/gm)?.map(line => line.trim()) ?? []
    expect(verbs).toContain('copy')
    const helps = await Promise.all(verbs.filter(verb => verb !== 'help').map(verb => dray([verb, '--help'])))
    for (const help of helps) expect(help.stdout).toMatch(/\nExamples:\n.*dray /s)
  })
})

/** A document with the names of the types in place of its values, and of each list the first element only. */
function shapeOf(value: unknown): unknown {
  if (value === null) return 'null'
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object') return typeof value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]))
}
