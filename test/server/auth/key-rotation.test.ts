import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { TokenKey } from '../../../src/server/auth/token-key.ts'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const users = { check: async () => true }
const login = { Authorization: `Basic ${Buffer.from('ann:any').toString('base64')}` }

it('a token key that is replaced signs no more, and its tokens are good until they expire', async () => {
  await using folder = await makeTempDir()
  const path = (name: string) => join(folder.path, name)
  let now = Date.UTC(2026, 0, 1)
  const warnings: string[] = []
  const key = await TokenKey.open(path('token.key'))
  const named = { service: 'me', tokenTtlSeconds: 60, jwksFile: path('jwks') }
  await using registry = await startEmbeddedRegistry({
    auth: { kind: 'token', users, key, ...named },
    clock: () => now,
    onWarning: message => warnings.push(message),
  })
  const obtain = async () => {
    const answer = await registry.ask('GET', '/token?offline_token=true', { headers: login })
    return answer.json() as { token: string; refresh_token: string }
  }
  const statusWith = async (token: string) =>
    (await registry.ask('GET', '/v2/', { headers: { Authorization: `Bearer ${token}` } })).status
  const trade = async (refresh_token: string) => {
    const body = String(new URLSearchParams({ grant_type: 'refresh_token', refresh_token }))
    return (await registry.ask('POST', '/token', { body })).status
  }
  const published = async () => {
    const { keys } = (await registry.ask('GET', '/token/jwks')).json() as { keys: { alg: string }[] }
    expect(JSON.parse(await readFile(path('jwks'), 'utf8'))).toEqual({ keys })
    return keys.map(({ alg }) => alg)
  }
  const old = await obtain()
  expect(await published()).toEqual(['ES256'])

  await writeFile(path('token.key'), 'nonsense')
  await registry.server.reload()
  await registry.server.reload()
  expect(warnings).toEqual([
    expect.stringMatching(/token\.key: it holds no private key .*what was read before/),
  ])
  expect(await statusWith((await obtain()).token)).toBe(200)

  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await writeFile(path('token.key'), privateKey.export({ format: 'pem', type: 'pkcs8' }))
  now += 30_000
  await registry.server.reload()
  expect(await published()).toEqual(['RS256', 'ES256'])
  expect(await statusWith(old.token)).toBe(200)
  const young = await obtain()
  expect(await statusWith(young.token)).toBe(200)

  now += 60_000
  await registry.server.reload()
  expect(await published()).toEqual(['RS256'])
  expect(await statusWith(old.token)).toBe(401)
  expect([await trade(old.refresh_token), await trade(young.refresh_token)]).toEqual([200, 200])
  expect(warnings).toHaveLength(1)
})
