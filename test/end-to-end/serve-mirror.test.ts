import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { type Running, run, startDray } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')
const password = 'miras word'
const users = { check: async (name: string, word: string) => name === 'mira' && word === password }

describe('dray serve as a mirror', patience, () => {
  const opened = new AsyncDisposableStack()
  let folder: TempDir
  let upstream: EmbeddedRegistry
  let mirror: Running
  let host = ''

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    upstream = opened.use(await startEmbeddedRegistry({ auth: { kind: 'token', service: 'up', users } }))
    const env = { DOCKER_CONFIG: join(folder.path, 'docker') }
    await dray(['login', '-u', 'mira', '--password-stdin', upstream.host], { env, input: password })
    for (const image of ['library/hello', 'team/hello']) {
      await dray(['copy', hello, `${upstream.host}/${image}:1.0`], { env })
    }
    const config = join(folder.path, 'serve.yaml')
    const mirrors = [{ name: 'proxied', url: `http://${upstream.host}/team` }]
    await writeFile(config, JSON.stringify({ mirrors, mirrorLimits: { maxBytes: 1e9, maxAgeDays: 7 } }))
    const own = ['--address', '127.0.0.1:0', '--format', 'json', '--config', config]
    const flags = ['--mirror', `docker.io=http://${upstream.host}`, '--mirror-fresh', '0s', '--retries', '0']
    mirror = opened.use(await startDray(['serve', join(folder.path, 'store'), ...own, ...flags], { env }))
    await mirror.printed(/^\}$/m)
    host = JSON.parse(mirror.stdout).url.replace('http://', '')
  })
  afterAll(() => opened.disposeAsync())

  it.each([
    ['its name in full', 'docker.io/library/hello'],
    ['its name at Docker Hub', 'hello'],
    ['the name of a proxy project', 'proxied/hello'],
  ])('gives an image by %s, with a login that its clients do not have', async (_, name) => {
    const to = `oci:${folder.path}/${name.replaceAll('/', '-')}:1.0`
    await dray(['copy', `${host}/${name}:1.0`, to])
    expect((await dray(['digest', to])).stdout).toBe(`${digest}\n`)
    await drayFails(4, ['digest', `${upstream.host}/library/hello:1.0`])
  })

  it('is a mirror to dray, by its configuration', async () => {
    const DRAY_CONFIG = join(folder.path, 'dray.yaml')
    await writeFile(
      DRAY_CONFIG,
      JSON.stringify({ registries: { 'docker.io': { mirrors: [`${host}/docker.io`] } } }),
    )
    const { stdout } = await dray(['digest', 'hello:1.0'], { env: { DRAY_CONFIG } })
    expect(stdout).toBe(`${digest}\n`)
  })

  it.skipIf(!requirePeers('skopeo'))('is a mirror to skopeo, by registries.conf', async () => {
    const conf = join(folder.path, 'registries.conf')
    await writeFile(
      conf,
      `[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "${host}/docker.io"
insecure = true
`,
    )
    const to = `oci:${folder.path}/skopeo:1.0`
    const image = 'docker://docker.io/library/hello:1.0'
    const settings = ['--insecure-policy', '--registries-conf', conf]
    const { code, stderr } = await run('skopeo', [...settings, 'copy', '--all', image, to])
    expect(code, stderr).toBe(0)
    expect((await dray(['digest', to])).stdout).toBe(`${digest}\n`)
  })

  it('cannot be pushed to under a mirrored name', async () => {
    const said = await drayFails(1, ['copy', hello, `${host}/docker.io/library/hello:2.0`])
    expect(said).toContain('docker.io/library/hello, a mirror of another registry, is read-only')
  })

  it('goes on alone when the other registry has gone, and says so', async () => {
    await dray(['copy', `${host}/docker.io/library/hello:1.0`, `oci:${folder.path}/before:1.0`])
    await upstream.server.close()
    await dray(['copy', `${host}/docker.io/library/hello:1.0`, `oci:${folder.path}/after:1.0`])
    expect((await dray(['ls', `${host}/docker.io/library/hello`])).stdout).toBe('1.0\n')
    await drayFails(5, ['digest', '--retries', '0', `${host}/docker.io/library/other:1.0`])
    await mirror.printed(/the mirror of docker\.io: cannot reach 127\.0\.0\.1/)
    mirror.kill('SIGTERM')
    expect((await mirror.ended).code).toBe(0)
  })
})

describe('dray serve --mirror', patience, () => {
  it.each([
    ['docker.io', /is no mirror/],
    ['localhost:5000=http://localhost:5000', /no mirror can have the name "localhost:5000"/],
    ['docker.io=registry-1.docker.io', /must be an https:\/\/ or http:\/\/ URL/],
    ['docker.io=https://mira:word@registry-1.docker.io', /must hold no login/],
    ['docker.io=https://harbor.example.com/No', /must be lower case/],
  ])('does not take %s', async (mirror, reason) => {
    const said = await drayFails(2, ['serve', 'store', '--mirror', mirror])
    expect(said).toMatch(reason)
    expect(said).not.toContain('word@')
  })
})
