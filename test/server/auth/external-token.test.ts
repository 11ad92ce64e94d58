import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Access } from '../../../src/server/auth/access.ts'
import { readPublicKeys } from '../../../src/server/auth/public-keys.ts'
import { TokenKey } from '../../../src/server/auth/token-key.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { sampleImage } from '../../support/sample-image.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const image = sampleImage('one')
const now = Date.UTC(2026, 0, 1)
const realm = 'https://auth.example.com/token'

describe('a registry with tokens of another service', () => {
  const opened = new AsyncDisposableStack()
  let key: TokenKey
  let registry: EmbeddedRegistry

  beforeAll(async () => {
    const folder = opened.use(await makeTempDir())
    key = await TokenKey.generate('RS256')
    const file = join(folder.path, 'jwks.json')
    await writeFile(file, JSON.stringify(key.jwks()))
    const filled = opened.use(await startEmbeddedRegistry())
    for (const name of ['a', 'b']) await filled.putImage(name, image, 'v1')
    const keys = await readPublicKeys(file)
    const auth = { kind: 'external-token', realm, service: 'us', issuer: 'them', keys } as const
    registry = opened.use(await startEmbeddedRegistry({ dir: filled.dir, auth, clock: () => now }))
  })
  afterAll(() => opened.disposeAsync())

  const bearer = (access: readonly Access[], changed = {}) => {
    const claims = { sub: 'ann', iss: 'them', aud: 'us', exp: now / 1000 + 300, access, ...changed }
    return { headers: { Authorization: `Bearer ${key.sign(claims, now / 1000)}` } }
  }
  const repository = (name: string, ...actions: string[]): Access => ({ type: 'repository', name, actions })

  it('says where tokens are to be had, and has none itself', async () => {
    const answer = await registry.ask('PUT', '/v2/a/manifests/v1')
    expect(answer.status).toBe(401)
    const challenge = `Bearer realm="${realm}",service="us",scope="repository:a:pull,push"`
    expect(answer.headers['www-authenticate']).toBe(challenge)
    expect((await registry.ask('GET', '/token')).status).toBe(404)
    expect((await registry.ask('GET', '/token/jwks')).status).toBe(404)
  })

  it('lets a token do what it names, and no more', async () => {
    const ask = (method: string, path: string) =>
      registry.ask(method, path, bearer([repository('a', 'pull')]))
    expect((await ask('GET', '/v2/')).status).toBe(200)
    expect((await ask('GET', '/v2/a/manifests/v1')).status).toBe(200)
    expect(await registry.ended(({ path }) => path.includes('/a/'))).toBeDefined()
    expect(await registry.ended(({ user }) => user === 'ann')).toBeDefined()
    for (const [method, path] of [
      ['GET', '/v2/b/manifests/v1'],
      ['DELETE', '/v2/a/manifests/v1'],
      ['GET', '/v2/_catalog'],
    ] as const) {
      const answer = await ask(method, path)
      expect(answer.status).toBe(401)
      expect(answer.headers['www-authenticate']).toContain('error="insufficient_scope"')
    }
  })

  it('lists everything to who may list', async () => {
    const token = bearer([{ type: 'registry', name: 'catalog', actions: ['*'] }])
    expect((await registry.ask('GET', '/v2/_catalog', token)).json()).toEqual({ repositories: ['a', 'b'] })
  })

  it('mounts from where the token lets it pull', async () => {
    const mount = `/v2/c/blobs/uploads/?mount=${image.layer.descriptor.digest}&from=a`
    const push = repository('c', 'pull', 'push')
    expect((await registry.ask('POST', mount, bearer([push]))).status).toBe(202)
    expect((await registry.ask('POST', mount, bearer([push, repository('a', 'pull')]))).status).toBe(201)
  })

  it.each([
    ['from another', { iss: 'others' }],
    ['for another', { aud: 'others' }],
    ['that has expired', { exp: now / 1000 - 60 }],
  ])('refuses a token %s', async (_, changed) => {
    const answer = await registry.ask('GET', '/v2/', bearer([], changed))
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toContain('error="invalid_token"')
  })
})
