import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray, drayJson, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}`
const { digest } = fixtureDescriptor('hello', '1.0')

describe.skipIf(!requirePeers('docker-registry'))('a dry run', patience, () => {
  const opened = new AsyncDisposableStack()
  let registry: DockerRegistry
  let name = ''

  beforeAll(async () => {
    registry = opened.use(await startDockerRegistry())
    name = `${registry.host}/app/hello`
    await dray(['copy', `${hello}:1.0`, `${name}:1.0`])
  })
  afterAll(() => opened.disposeAsync())

  it.each<[string, string[], string]>([
    ['of a copy', ['copy', `${hello}:1.1`, 'NAME:1.1'], ''],
    ['of a copy that mounts', ['copy', 'NAME:1.0', 'NAME-mounted:1.0'], ''],
    ['of a tag', ['tag', 'NAME:1.0', 'stable'], `would tag NAME:stable@${digest}\n`],
    ['of a deletion', ['delete', 'NAME:1.0'], 'would delete NAME:1.0'],
    [
      'of a forced deletion',
      ['delete', '--force', `NAME@${digest}`],
      `would delete NAME:1.0\nwould delete NAME@${digest}\n`,
    ],
  ])('%s changes nothing in the registry', async (_, [verb = '', ...args], said) => {
    const before = await treeOf(registry.storage)
    const named = args.map(arg => arg.replace('NAME', name))
    const { stdout } = await dray([verb, '--dry-run', ...named])
    expect(stdout).toContain(said.replaceAll('NAME', name))
    expect(await treeOf(registry.storage)).toEqual(before)
    expect(before.size).toBeGreaterThan(20)
  })

  it('of a copy says what the copy then does', async () => {
    const copy = ['copy', '-t', 'extra', `${hello}:1.0`, `${registry.host}/foretold/hello:1.0`]
    const { plan, ...foretold } = (await drayJson([...copy, '--dry-run'])) as CopyDocument
    const { seconds: _, dryRun, plan: noPlan, ...done } = (await drayJson(copy)) as CopyDocument
    expect({ dryRun, noPlan }).toEqual({ dryRun: false, noPlan: null })
    expect(foretold).toMatchObject({ ...done, dryRun: true })
    expect(plan).toHaveLength(7 + 4)
    expect(plan?.filter(({ kind }) => kind === 'blob').every(({ how }) => how === 'copied')).toBe(true)
    expect(plan?.at(-1)).toMatchObject({ kind: 'manifest', digest, tags: ['1.0', 'extra'] })
  })

  it('of a copy into a layout makes no layout', async () => {
    await using folder = await makeTempDir()
    const { stdout } = await dray(['copy', '--dry-run', `${name}:1.0`, `oci:${folder.path}/new:1.0`])
    expect(stdout.match(/^would upload blob /gm)).toHaveLength(7)
    expect(stdout).toContain(`would write manifest ${digest}`)
    expect(await readdir(folder.path)).toEqual([])
  })

  it('of a tag and a deletion in a layout leaves it as it is', async () => {
    await using folder = await makeTempDir()
    await dray(['copy', `${name}:1.0`, `oci:${folder.path}/layout:1.0`])
    const before = await treeOf(folder.path)
    await dray(['tag', '--dry-run', `oci:${folder.path}/layout:1.0`, 'stable'])
    await dray(['delete', '--dry-run', `oci:${folder.path}/layout:1.0`])
    await dray(['delete', '--dry-run', '--force', `oci:${folder.path}/layout@${digest}`])
    expect(await treeOf(folder.path)).toEqual(before)
  })
})

interface CopyDocument {
  readonly seconds: number
  readonly dryRun: boolean
  readonly plan?: readonly { kind: string; how: string; digest: string; tags?: readonly string[] }[]
}

/** All that is in a folder, with sizes and times of change. */
async function treeOf(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder, { recursive: true })).sort()
  const entries = names.map(async name => {
    const { size, mtimeMs } = await stat(join(folder, name))
    return [name, `${size} bytes of ${mtimeMs}`] as const
  })
  return new Map(await Promise.all(entries))
}
