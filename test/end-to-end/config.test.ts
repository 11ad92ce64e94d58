import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')

describe('the configuration', patience, () => {
  const opened = new AsyncDisposableStack()
  let registry: EmbeddedRegistry
  let front: FaultyProxy
  let folder: TempDir
  let image = ''

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    const users = { check: async (name: string, word: string) => name === 'anna' && word === 'secret word' }
    registry = opened.use(await startEmbeddedRegistry({ auth: { kind: 'basic', users } }))
    front = opened.use(await startFaultyProxy(`http://${registry.host}`))
    image = `${front.host}/team/hello:1.0`
    const login = { username: 'anna', passwordEnv: 'WORD' }
    const env = { ...(await configured({ [`${front.host}/team`]: login })), WORD: 'secret word' }
    await dray(['copy', hello, image], { env })
  })
  afterAll(() => opened.disposeAsync())

  /** JSON is YAML too. */
  async function configured(registries: object): Promise<{ DRAY_CONFIG: string }> {
    const DRAY_CONFIG = join(folder.path, 'dray.yaml')
    await writeFile(DRAY_CONFIG, JSON.stringify({ registries }), { mode: 0o600 })
    return { DRAY_CONFIG }
  }

  const login = { username: 'anna', password: 'secret word' }

  it('logs in to the part of a registry that it names', async () => {
    const env = await configured({ [`${front.host}/team`]: login })
    expect(await dray(['digest', image], { env })).toMatchObject({ stdout: `${digest}\n`, stderr: '' })
    expect(await drayFails(4, ['digest', image.replace('team', 'other')], { env })).not.toContain('secret')
  })

  it('has its logins listed, without their secrets', async () => {
    const env = await configured({
      [`${front.host}/team`]: login,
      'other.example': { identityTokenEnv: 'TOKEN' },
      'third.example': { helper: 'pass' },
    })
    const { stdout } = await dray(['auth', 'list', '--format', 'json'], { env })
    expect(stdout).not.toContain('secret')
    const origin = (key: string) => `registries["${key}"] in ${env.DRAY_CONFIG}`
    expect(JSON.parse(stdout).logins).toEqual([
      { registry: `${front.host}/team`, user: 'anna', kind: 'basic', origin: origin(`${front.host}/team`) },
      { registry: 'other.example', user: null, kind: 'identity-token', origin: origin('other.example') },
      {
        registry: 'third.example',
        user: null,
        kind: null,
        origin: `helper docker-credential-pass, of ${origin('third.example')}`,
      },
    ])
  })

  it('comes behind the flags', async () => {
    const env = await configured({ [front.host]: { ...login, plainHttp: false, headers: { 'X-Team': 'a' } } })
    expect(await drayFails(5, ['digest', image], { env })).toContain('it does not speak TLS')
    front.requests.splice(0)
    await dray(['digest', '--plain-http', '--header', 'X-More: b', image], { env })
    await dray(['digest', '--plain-http', '--header', 'x-team: c', image], { env })
    await drayFails(4, ['digest', '--plain-http', '-u', 'anna', '-p', 'wrong', image], { env })
    const sent = front.requests.map(({ headers }) => `${headers['x-team']} ${headers['x-more']}`)
    expect(new Set(sent)).toEqual(new Set(['a b', 'c undefined', 'a undefined']))
  })

  it('bounds how much is done at a time at a registry', async () => {
    const env = await configured({ [front.host]: { ...login, jobs: 1 } })
    front.requests.splice(0)
    await dray(['copy', image, `${front.host}/team/again:1.0`], { env })
    const waits = front.requests.map(({ cameAt, answeredAt = Number.POSITIVE_INFINITY }) => ({
      cameAt,
      answeredAt,
    }))
    expect(waits.length).toBeGreaterThan(5)
    waits.sort((a, b) => a.cameAt - b.cameAt)
    for (const [at, { cameAt }] of waits.entries()) {
      expect(waits[at - 1]?.answeredAt ?? 0).toBeLessThanOrEqual(cameAt)
    }
  })

  it('refuses what it blocks, before anything is asked', async () => {
    const env = await configured({ [`${front.host}/team`]: { ...login, blocked: true } })
    front.requests.splice(0)
    const said = await drayFails(1, ['copy', hello, image], { env })
    expect(said).toContain(`is blocked: registries["${front.host}/team"].blocked in ${env.DRAY_CONFIG}`)
    await drayFails(1, ['ls', image.replace(':1.0', '')], { env })
    expect(front.requests).toEqual([])
  })

  it('that is wrong is an error with its line, for a verb that needs it alone', async () => {
    const env = { DRAY_CONFIG: join(folder.path, 'wrong.yaml') }
    await writeFile(env.DRAY_CONFIG, 'registries:\n  ghcr.io:\n    mirorrs: [a.test]\n')
    expect(await drayFails(2, ['digest', image], { env })).toBe(
      `dray: ${env.DRAY_CONFIG}, line 3: registries["ghcr.io"].mirorrs: there is no such key\n`,
    )
    expect((await dray(['digest', hello], { env })).stdout).toBe(`${digest}\n`)
    await drayFails(4, ['digest', image], { env: { DRAY_CONFIG: '/dev/null' } })
  })
})
