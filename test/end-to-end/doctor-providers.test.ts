import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { type Internet, startInternet } from '../support/internet.ts'
import { requirePeers } from '../support/peers.ts'
import { dockerHub } from '../support/registries/docker-hub.ts'
import { ecr } from '../support/registries/ecr.ts'
import type { Emulate, Emulation } from '../support/registries/emulation.ts'
import { emulations } from '../support/registries/emulations.ts'
import { gitlab } from '../support/registries/gitlab.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray, patience } from './dray.ts'
import { examined } from './examined.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')

/** A provider with an image in it, reached through a proxy, and who is logged in there. */
interface Stay extends AsyncDisposable {
  readonly provider: Emulation
  readonly internet: Internet
  readonly image: string
  readonly env: Readonly<Record<string, string>>
  /** Without the login. */
  readonly nobody: Readonly<Record<string, string>>
}

async function stayAt(emulate: Emulate): Promise<Stay> {
  await using starting = new AsyncDisposableStack()
  const folder = starting.use(await makeTempDir())
  const store = starting.use(await startEmbeddedRegistry())
  const provider = emulate(store)
  const internet = starting.use(await startInternet(provider.hosts))
  const image = `${provider.registry}/${provider.repository}:1.0`
  const { username, password } = provider.credential
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  const key = provider.registry === 'docker.io' ? 'https://index.docker.io/v1/' : provider.registry
  const DOCKER_CONFIG = join(folder.path, 'docker')
  await mkdir(DOCKER_CONFIG)
  await writeFile(join(DOCKER_CONFIG, 'config.json'), JSON.stringify({ auths: { [key]: { auth } } }))
  const nobody = { HTTPS_PROXY: internet.proxy, SSL_CERT_FILE: internet.caFile }
  const env = { ...provider.env, ...nobody, DOCKER_CONFIG }
  await dray(['copy', hello, image], { env })
  const started = starting.move()
  return {
    provider,
    internet,
    image,
    env,
    nobody,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

describe.skipIf(!requirePeers('openssl'))('the doctor at', patience, () => {
  it.each(
    emulations.map(emulate => [emulate({ host: 'nowhere:0' } as EmbeddedRegistry).name, emulate] as const),
  )('%s finds what can be done', async (_, emulate) => {
    await using stay = await stayAt(emulate)
    const { image, env, provider } = stay
    const result = await examined(['--for', 'push', image], { env })
    expect(result.code, result.printed).toBe(0)
    expect(result.step('proxy')).toMatchObject({ details: { variable: 'HTTPS_PROXY' } })
    expect(result.step('tcp').details).toMatchObject({ tunnel: true })
    expect(result.step('tls').details).toMatchObject({ anchor: { file: stay.internet.caFile } })
    expect(result.step('pull').details).toMatchObject({ digest })
    expect(result.step('push').status).toBe('ok')
    expect(result.step('delete').status).toMatch(/^(?:ok|skipped)$/)
    expect(result.printed).not.toContain(provider.credential.password)
    expect((await dray(['digest', image], { env })).stdout).toBe(`${digest}\n`)
  })

  it('Docker Hub tells its hosts and its limit, and who may not push there', async () => {
    await using stay = await stayAt(dockerHub)
    const { image, env, nobody } = stay
    const { step } = await examined([image], { env })
    expect(step('http')).toMatchObject({
      message: expect.stringContaining('Docker Hub (by its name)'),
      details: { provider: 'docker-hub' },
    })
    expect(step('challenge').details).toMatchObject({ realm: 'https://auth.docker.io/token' })
    expect(step('pull').details).toMatchObject({ blobHost: 'production.cloudflare.docker.com' })
    expect(step('rate-limit')).toMatchObject({
      status: 'ok',
      details: { limited: true, limit: 200, windowSeconds: 21600 },
    })
    expect((await examined([image], { env: nobody })).code).toBe(0)
    const foreign = await examined(['--for', 'push', 'docker.io/another/app'], { env })
    expect(foreign.code).toBe(4)
    expect(foreign.step('push').status).toBe('failed')
  })

  it('GitLab shows that a right was left out of the token', async () => {
    await using stay = await stayAt(gitlab)
    const { code, step } = await examined(['registry.gitlab.com/other/app:1.0'], { env: stay.env })
    expect(code).toBe(4)
    expect(step('challenge').message).toContain('gitlab.com')
    expect(step('pull')).toMatchObject({ status: 'failed', hint: expect.stringContaining('dray login') })
  })

  it('Amazon ECR says that a repository must be made before the first push', async () => {
    await using stay = await stayAt(ecr)
    const name = `${stay.provider.registry}/team/absent`
    const { code, step } = await examined(['--for', 'push', name], { env: stay.env })
    expect(code).toBe(3)
    expect(step('push')).toMatchObject({ status: 'failed', hint: expect.stringContaining('made before') })
    expect(step('delete')).toMatchObject({
      status: 'skipped',
      message: expect.stringContaining('Amazon ECR deletes in a way of its own'),
    })
  })

  it('a registry whose token service cannot be reached says where that is', async () => {
    const challenge = 'Bearer realm="https://token.example/jwt",service="registry"'
    await using internet = await startInternet({
      'registry.example': (_, response) => response.writeHead(401, { 'www-authenticate': challenge }).end(),
    })
    const env = { HTTPS_PROXY: internet.proxy, SSL_CERT_FILE: internet.caFile }
    const { code, step } = await examined(['registry.example/org/app:1.0'], { env })
    expect(code).toBe(5)
    expect(step('challenge')).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('token.example'),
    })
  })
})
