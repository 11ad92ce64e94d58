import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')

describe.skipIf(!requirePeers('docker-registry'))('with distribution 2.8, dray delete', patience, () => {
  let deletes: DockerRegistry
  let keeps: DockerRegistry

  beforeAll(async () => {
    const registries = [startDockerRegistry(), startDockerRegistry({ delete: false })] as const
    ;[deletes, keeps] = await Promise.all(registries)
  })
  afterAll(async () => {
    await deletes.stop()
    await keeps.stop()
  })

  /** The same image under two tags. */
  async function twoTags(registry: DockerRegistry, repository: string): Promise<string> {
    const image = `${registry.host}/${repository}`
    await dray(['copy', hello, `${image}:keep`])
    await dray(['tag', `${image}:keep`, 'doomed'])
    return image
  }

  it('11. refuses a tag whose image has another tag, and says what could be done', async () => {
    const image = await twoTags(deletes, 'refused/app')
    const said = await drayFails(1, ['delete', `${image}:doomed`])
    expect(said).toMatch(/:doomed is not deleted: .* has the tags: keep\nhint: .*--force.*--via-dummy/)
    expect((await dray(['digest', `${image}:doomed`])).stdout).toBe(`${digest}\n`)
  })

  it('deletes one tag alone with --via-dummy, and the image stays whole', async () => {
    const image = await twoTags(deletes, 'dummy/app')
    expect(await drayJson(['delete', '--via-dummy', `${image}:doomed`])).toMatchObject({
      digest,
      tags: ['doomed'],
      manifest: false,
    })
    await drayFails(3, ['digest', `${image}:doomed`])
    expect((await dray(['ls', image])).stdout).toBe('keep\n')
    const copied = `${deletes.host}/dummy/copied:1.0`
    expect(await drayJson(['copy', `${image}:keep`, copied])).toMatchObject({ digest })
  })

  it('deletes a second tag with --via-dummy as well as the first', async () => {
    const image = await twoTags(deletes, 'twice/app')
    await dray(['tag', `${image}:keep`, 'doomed-too'])
    await dray(['delete', '--via-dummy', `${image}:doomed`])
    await dray(['delete', '--via-dummy', `${image}:doomed-too`])
    expect((await dray(['ls', image])).stdout).toBe('keep\n')
  })

  it('takes both tags along with --force', async () => {
    const image = await twoTags(deletes, 'forced/app')
    const { tags } = (await drayJson(['delete', '--force', `${image}:doomed`])) as { tags: string[] }
    expect(tags.toSorted()).toEqual(['doomed', 'keep'])
    await drayFails(3, ['digest', `${image}:keep`])
  })

  it('leaves all as it is where the registry deletes nothing, and says how it could', async () => {
    const image = await twoTags(keeps, 'kept/app')
    for (const flag of ['--via-dummy', '--force']) {
      const said = await drayFails(1, ['delete', flag, `${image}:doomed`])
      expect(said).toMatch(/\nhint: .*REGISTRY_STORAGE_DELETE_ENABLED=true/)
    }
    expect((await dray(['digest', `${image}:doomed`])).stdout).toBe(`${digest}\n`)
    expect((await dray(['ls', image])).stdout.split('\n').toSorted()).toEqual(['', 'doomed', 'keep'])
  })

  it('touches nothing in a dry run', async () => {
    const image = await twoTags(deletes, 'dry/app')
    expect(await drayJson(['delete', '--dry-run', '--via-dummy', `${image}:doomed`])).toMatchObject({
      tags: ['doomed'],
      siblings: ['keep'],
      dryRun: true,
    })
    const tellings: [flags: string[], what: string][] = [
      [[], 'refuses'],
      [['--force'], 'deletes them too'],
      [['--via-dummy'], 'at a registry that cannot delete a tag alone this one is moved'],
    ]
    for (const [flags, what] of tellings) {
      const { stderr } = await dray(['delete', '--dry-run', ...flags, `${image}:doomed`])
      expect(stderr).toMatch(/^other tags of the same image: keep; /)
      expect(stderr).toContain(what)
    }
    expect((await dray(['ls', image])).stdout.split('\n').toSorted()).toEqual(['', 'doomed', 'keep'])
  })
})
