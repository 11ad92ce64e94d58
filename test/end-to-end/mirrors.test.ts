import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')

/** A registry that knows one user, with an observer in front of it. */
interface Site {
  readonly registry: EmbeddedRegistry
  readonly front: FaultyProxy
  readonly auth: string
}

describe('a mirror', patience, () => {
  const opened = new AsyncDisposableStack()
  let folder: TempDir
  let mirror: Site
  let upstream: Site
  /** Both logins. */
  let logins: Record<string, string> = {}

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    mirror = await openSite('mira')
    upstream = await openSite('anna')
    logins = await dockerConfig([mirror, upstream])
    for (const image of [
      `${mirror.front.host}/cache/team/hello:1.0`,
      `${mirror.front.host}/library/hello:1.0`,
    ])
      await dray(['copy', hello, image], { env: logins })
  })
  afterAll(() => opened.disposeAsync())
  beforeEach(() => {
    mirror.front.requests.splice(0)
    upstream.front.requests.splice(0)
  })

  async function openSite(user: string): Promise<Site> {
    const users = { check: async (name: string, word: string) => name === user && word === `${user}s word` }
    const registry = opened.use(await startEmbeddedRegistry({ auth: { kind: 'basic', users } }))
    const front = opened.use(await startFaultyProxy(`http://${registry.host}`))
    return { registry, front, auth: Buffer.from(`${user}:${user}s word`).toString('base64') }
  }

  async function dockerConfig(sites: readonly Site[]): Promise<{ DOCKER_CONFIG: string }> {
    const DOCKER_CONFIG = join(folder.path, `docker-${sites.length}`)
    const auths = Object.fromEntries(sites.map(({ front, auth }) => [front.host, { auth }]))
    await mkdir(DOCKER_CONFIG, { recursive: true })
    await writeFile(join(DOCKER_CONFIG, 'config.json'), JSON.stringify({ auths }))
    return { DOCKER_CONFIG }
  }

  async function configured(registries: object): Promise<Record<string, string>> {
    const DRAY_CONFIG = join(folder.path, 'dray.yaml')
    await writeFile(DRAY_CONFIG, JSON.stringify({ registries }))
    return { ...logins, DRAY_CONFIG }
  }

  const cached = () => configured({ [upstream.front.host]: { mirrors: [`${mirror.front.host}/cache`] } })
  const image = (tag = '1.0') => `${upstream.front.host}/team/hello:${tag}`
  const authorizations = ({ front }: Site) =>
    new Set(front.requests.map(({ headers }) => headers.authorization).filter(one => one !== undefined))

  it('is read in place of the registry that was named, which --debug shows', async () => {
    const env = await cached()
    const { stdout, stderr } = await dray(['digest', '--full-ref', '--debug', image()], { env })
    expect(stdout).toBe(`${image().replace(':1.0', '')}@${digest}\n`)
    expect(stderr).toContain(
      `> HEAD http://${mirror.front.host}/v2/cache/team/hello/manifests/1.0 (Basic) → 200`,
    )
    await dray(['inspect', image()], { env })
    await dray(['copy', image(), `oci:${join(folder.path, 'layout')}:1.0`], { env })
    expect(upstream.front.requests).toEqual([])
  })

  it('is read for docker.io too, under the whole name that an image has there', async () => {
    const env = await configured({ 'docker.io': { mirrors: [mirror.front.host] } })
    expect((await dray(['digest', 'hello:1.0'], { env })).stdout).toBe(`${digest}\n`)
    await dray(['copy', 'hello:1.0', `oci:${join(folder.path, 'hub')}:1.0`], { env })
    expect(mirror.front.requests.map(({ path }) => path)).toContain('/v2/library/hello/manifests/1.0')
  })

  it('sees no credential of the registry, and the registry none of the mirror', async () => {
    const env = await cached()
    await dray(['copy', image(), `${upstream.front.host}/team/copied:1.0`], { env })
    await dray(['digest', '--username', 'anna', '--password', 'annas word', image()], { env })
    expect(authorizations(mirror)).toEqual(new Set([`Basic ${mirror.auth}`]))
    expect(authorizations(upstream)).toEqual(new Set([`Basic ${upstream.auth}`]))
  })

  it('that lets nobody in is left out, with a warning, and gets no credential', async () => {
    await dray(['copy', hello, image('2.0')], { env: logins })
    mirror.front.requests.splice(0)
    const env = { ...(await cached()), ...(await dockerConfig([upstream])) }
    const { stdout, stderr } = await dray(['digest', image('2.0')], { env })
    expect(stdout).toBe(`${digest}\n`)
    expect(stderr).toMatch(/^warning: the mirror .*\/cache\/team\/hello failed: .*; going on without it\n$/)
    const given = { ...env, DRAY_USERNAME: 'anna', DRAY_PASSWORD: 'annas word' }
    await dray(['digest', '--header', 'X-Secret: x', image('2.0')], { env: given })
    expect(mirror.front.requests.length).toBeGreaterThan(1)
    expect(authorizations(mirror)).toEqual(new Set())
    expect(mirror.front.requests.filter(({ headers }) => 'x-secret' in headers)).toEqual([])
  })

  it('that is down, or has an image not, is no hindrance', async () => {
    await dray(['copy', hello, image('3.0')], { env: logins })
    const env = await configured({ [upstream.front.host]: { mirrors: ['127.0.0.1:1', mirror.front.host] } })
    const { stderr, stdout } = await dray(['digest', image('3.0')], { env })
    expect(stdout).toBe(`${digest}\n`)
    expect(stderr).toMatch(
      /^warning: the mirror 127\.0\.0\.1:1\/team\/hello failed: .*connection refused.*\n$/,
    )
    expect(await drayFails(3, ['digest', image('absent')], { env })).toContain(
      `dray: cannot find ${image('absent')}: `,
    )
  })

  it('is asked for nothing that writes, lists or deletes', async () => {
    const env = await cached()
    await dray(['copy', hello, image('new')], { env })
    await dray(['tag', image('new'), 'newer'], { env })
    expect((await dray(['ls', '--digests', image('').slice(0, -1)], { env })).stdout).toContain('newer')
    await dray(['delete', image('newer')], { env })
    await drayFails(3, ['delete', image('1.0')], { env })
    expect(mirror.front.requests).toEqual([])
  })

  describe('of a registries.conf', () => {
    async function containers(text: string): Promise<Record<string, string>> {
      const CONTAINERS_REGISTRIES_CONF = join(folder.path, 'registries.conf')
      await writeFile(CONTAINERS_REGISTRIES_CONF, text)
      return { ...logins, CONTAINERS_REGISTRIES_CONF }
    }

    it('is read as containers do', async () => {
      const env = await containers(
        `[[registry]]\nprefix = "${upstream.front.host}/team"\nlocation = "${upstream.front.host}/team"\n[[registry.mirror]]\nlocation = "${mirror.front.host}/cache/team"\ninsecure = true\n`,
      )
      expect((await dray(['digest', image()], { env })).stdout).toBe(`${digest}\n`)
      expect(upstream.front.requests).toEqual([])
    })

    it('and a place that stands for another are read, and only that place', async () => {
      const env = await containers(
        `[[registry]]\nprefix = "*.moved.invalid"\nlocation = "${mirror.front.host}/cache"\n`,
      )
      expect((await dray(['digest', '--full-ref', 'a.moved.invalid/team/hello:1.0'], { env })).stdout).toBe(
        `a.moved.invalid/team/hello@${digest}\n`,
      )
      const said = await drayFails(3, ['digest', 'a.moved.invalid/team/absent:1.0'], { env })
      expect(said).toContain('cannot find a.moved.invalid/team/absent:1.0: ')
    })

    it('does not stand in front of what is blocked', async () => {
      const env = await containers(`[[registry]]\nlocation = "${upstream.front.host}"\nblocked = true\n`)
      const said = await drayFails(1, ['digest', image()], { env })
      expect(said).toContain(
        `is blocked: blocked of ${upstream.front.host} in ${env.CONTAINERS_REGISTRIES_CONF}`,
      )
    })
  })
})
