import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readServeConfig } from '../../../src/server/settings/config-file.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

async function read(text: string) {
  await using folder = await makeTempDir()
  const file = join(folder.path, 'serve.yaml')
  await writeFile(file, text)
  return { folder: folder.path, config: await readServeConfig(file, '/home/ann') }
}

describe('the configuration of a served folder', () => {
  it('may be empty', async () => {
    expect((await read('')).config).toEqual({})
    expect((await read('# nothing\n')).config).toEqual({})
  })

  it('has paths that start from its own folder, or from the user’s', async () => {
    const { folder, config } = await read(`
tls: { cert: tls/server.pem, key: /etc/server.key, clientCa: ~/clients.pem, clientUser: dns }
auth:
  htpasswd: users
  token: { service: me, keyFile: token.key, jwksFile: ~/jwks, lifetimeSeconds: 60 }
`)
    expect(config).toEqual({
      tls: {
        cert: join(folder, 'tls/server.pem'),
        key: '/etc/server.key',
        clientCa: '/home/ann/clients.pem',
        clientUser: 'dns',
      },
      auth: {
        htpasswd: join(folder, 'users'),
        token: {
          service: 'me',
          keyFile: join(folder, 'token.key'),
          jwksFile: '/home/ann/jwks',
          lifetimeSeconds: 60,
        },
      },
    })
  })

  it('takes all its keys', async () => {
    const { folder, config } = await read(`
address: '[::1]:5000'
readOnly: true
log: json
auth: { external: { realm: https://auth.test/token, service: me, issuer: them, keys: keys.json } }
groups: { devs: [ann, bob] }
rules:
  - { repositories: [a, 'b/**'], allow: [pull, push, delete], users: ['*'], groups: [devs], anonymous: true }
metrics: { address: 127.0.0.1:9100 }
trustedProxies: [127.0.0.1, 10.0.0.0/8, 'fd00::/8']
limits: { connections: 1, headersSeconds: 1.5, idleSeconds: 2, keepAliveSeconds: 3, bytesPerSecond: 0, graceSeconds: 0 }
`)
    expect(Object.keys(config).sort()).toEqual(
      ['address', 'auth', 'groups', 'limits', 'log', 'metrics', 'readOnly', 'rules', 'trustedProxies'].sort(),
    )
    expect(config.auth?.external?.keys).toBe(join(folder, 'keys.json'))
  })

  it('says what is mirrored', async () => {
    const { config } = await read(`
mirrors: [{ name: docker.io, url: https://registry-1.docker.io, freshSeconds: 0 }]
mirrorLimits: { maxBytes: 5e10, maxAgeDays: 0 }
`)
    expect(config).toEqual({
      mirrors: [{ name: 'docker.io', url: 'https://registry-1.docker.io', freshSeconds: 0 }],
      mirrorLimits: { maxBytes: 5e10, maxAgeDays: 0 },
    })
    const reading = read('mirrors: [{ name: localhost:5000, url: http://localhost:5000 }]')
    await expect(reading).rejects.toThrow('no mirror can have the name "localhost:5000"')
  })

  it.each([
    ['adress: x', 1, 'adress: there is no such key'],
    ['address: 5000', 1, 'address: it must be a text'],
    ['address: localhost', 1, 'address: "localhost" is not of the form host:port'],
    ['address: a:70000', 1, 'address: "a:70000" is not of the form host:port'],
    ['\nreadOnly: yes please', 2, 'readOnly: it must be true or false'],
    ['log: xml', 1, 'log: it must be one of text, json, none'],
    ['tls: { cert: x }', 1, 'tls.key: it must be a text'],
    ["tls: { cert: '', key: x }", 1, 'tls.cert: it is empty'],
    ['tls:\n  cert: x\n  key: y\n  clientUser: cn', 4, 'tls.clientUser: it must be one of commonName, dns'],
    ['auth:\n  anonymousPull: true', 1, 'auth: users are needed for this: htpasswd'],
    ['auth: {}', 1, 'auth: users are needed for this: htpasswd'],
    ['auth:\n  htpasswd: x\n  token: {}', 3, 'auth.token.service: it must be a text'],
    ['auth: { htpasswd: x, token: { service: x, algorithm: HS256 } }', 1, 'auth.token.algorithm: it must be'],
    ['auth: { htpasswd: x, token: { service: x, realm: nowhere } }', 1, 'auth.token.realm: '],
    [
      'auth: { htpasswd: x, external: { realm: https://x, service: a, issuer: b, keys: c } }',
      1,
      'auth: an external token service has users and rules of its own',
    ],
    ['rules:\n  devs: x', 1, 'rules: it must be a list'],
    ['rules:\n  - repositories: [a]', 2, 'rules[0].allow: it must be a list'],
    [
      'rules:\n  - { repositories: [a], allow: [write], users: [x] }',
      2,
      'rules[0].allow[0]: it must be one of',
    ],
    ['rules:\n  - { repositories: [a], allow: [pull] }', 2, 'rules[0]: it is for nobody'],
    [
      'rules:\n  - { repositories: [a], allow: [pull], users: [x] }\n  - { repositories: [A], allow: [pull], users: [x] }',
      3,
      'rules[1]: "A" is no pattern of repositories',
    ],
    [
      'rules:\n  - repositories: [a]\n    allow: [pull]\n    groups: [x]',
      2,
      'rules[0]: there is no group "x"',
    ],
    ['metrics: true', 1, 'metrics: it must be a map of keys'],
    ['limits: { idleSeconds: 0 }', 1, 'limits.idleSeconds: it must be more than 0'],
    ['limits: { connections: 1.5 }', 1, 'limits.connections: it must be a whole number'],
  ])('is refused where it says %s', async (text, line, message) => {
    const error = await read(text).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'USAGE' })
    expect((error as Error).message).toMatch(/serve\.yaml, line \d+: /)
    expect((error as Error).message).toContain(`serve.yaml, line ${line}: ${message}`)
  })

  it('has to be there', async () => {
    await expect(readServeConfig('/nowhere/serve.yaml', '/')).rejects.toMatchObject({
      code: 'IO',
      message: '/nowhere/serve.yaml: there is no such file or folder',
    })
  })
})
