import { access, mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Credential } from '../../src/credential.ts'
import { openCredentials } from '../../src/credentials/credentials.ts'
import { keychainIndexFile } from '../../src/credentials/keychain-index.ts'
import {
  base64,
  callsOf,
  errorOf,
  everythingSaid,
  keepingScript,
  makeKeychainSandbox,
  makeSandbox,
  type Sandbox,
} from './sandbox.ts'

const login: Credential = { kind: 'basic', username: 'user', password: 'hunter2' }
const other: Credential = { kind: 'basic', username: 'other', password: 'hunter3' }
const auth = base64('user:hunter2')
const keychain = { kind: 'keychain' }

const indexFile = ({ home }: Sandbox) => join(home, '.config', 'dray', 'keychain.json')
const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'))

describe('a login into the keychain', () => {
  it('is kept there, and written down without its secret for the owner alone', async () => {
    await using sandbox = await makeKeychainSandbox()
    const credentials = openCredentials(sandbox.context)
    expect(await credentials.storeCredential('ghcr.io', login)).toEqual({
      place: keychain,
      plain: false,
      warnings: [],
    })
    expect(await readJson(indexFile(sandbox))).toEqual({
      logins: { 'ghcr.io': { user: 'user', kind: 'basic' } },
    })
    expect((await stat(indexFile(sandbox))).mode & 0o777).toBe(0o600)
    expect(await errorOf(access(sandbox.dockerConfig))).toMatchObject({ code: 'ENOENT' })
    expect(await callsOf(sandbox, 'keychain')).toEqual(['store ghcr.io'])
    expect(await credentials.findCredentialEntry({ registry: 'ghcr.io', repository: 'org/app' })).toEqual({
      credential: login,
      origin: 'keychain',
      key: 'ghcr.io',
    })
  })

  it('is found by the longest path, also before a login for the whole registry in a file', async () => {
    await using sandbox = await makeKeychainSandbox()
    await sandbox.write('.docker/config.json', { auths: { 'ghcr.io': { auth } } })
    const { storeCredential, findCredential } = openCredentials(sandbox.context)
    expect(await storeCredential('ghcr.io/org', other)).toEqual({
      place: keychain,
      plain: false,
      warnings: [],
    })
    await storeCredential('docker.io/user', other)
    expect(await findCredential({ registry: 'ghcr.io', repository: 'org/app' })).toEqual(other)
    expect(await findCredential({ registry: 'ghcr.io', repository: 'organ/app' })).toEqual(login)
    expect(await findCredential({ registry: 'docker.io', repository: 'user/app' })).toEqual(other)
    expect(await findCredential({ registry: 'docker.io', repository: 'library/app' })).toBeUndefined()
  })

  it('is an identity token where that was given', async () => {
    await using sandbox = await makeKeychainSandbox()
    const { storeCredential, findCredential } = openCredentials(sandbox.context)
    await storeCredential('ghcr.io', { kind: 'identity-token', token: 'hunter2' })
    expect(await readJson(indexFile(sandbox))).toEqual({ logins: { 'ghcr.io': { kind: 'identity-token' } } })
    expect(await findCredential({ registry: 'ghcr.io' })).toEqual({
      kind: 'identity-token',
      token: 'hunter2',
    })
  })

  it('takes the older plain one out of the file, and says so', async () => {
    await using sandbox = await makeKeychainSandbox()
    await sandbox.write('.docker/config.json', { a: 1, auths: { 'https://ghcr.io': { auth } } })
    const { storeCredential, findCredential } = openCredentials(sandbox.context)
    const { warnings } = await storeCredential('ghcr.io', other)
    expect(warnings).toEqual([expect.stringContaining(sandbox.dockerConfig)])
    expect(await readJson(sandbox.dockerConfig)).toEqual({ a: 1, auths: {} })
    expect(await findCredential({ registry: 'ghcr.io' })).toEqual(other)
  })

  it('tells of a place that comes before it', async () => {
    await using sandbox = await makeKeychainSandbox()
    const file = await sandbox.write('run/containers/auth.json', { auths: { 'ghcr.io': { auth } } })
    const { storeCredential } = openCredentials(sandbox.context)
    expect(await storeCredential('ghcr.io', other)).toMatchObject({ hiddenBy: `auths in ${file}` })
    await sandbox.write('run/containers/auth.json', 'broken')
    expect(await storeCredential('ghcr.io', other)).toMatchObject({ hiddenBy: file })
  })

  it('goes there in spite of --authfile and a helper when it is asked for', async () => {
    await using sandbox = await makeKeychainSandbox()
    await sandbox.write('.docker/config.json', { credsStore: 'not-installed' })
    const authFile = join(sandbox.home, 'auth.json')
    const { storeCredential } = openCredentials({ ...sandbox.context, authFile })
    expect(await storeCredential('ghcr.io', login, { store: 'keychain' })).toMatchObject({ place: keychain })
    expect(await storeCredential('ghcr.io', login)).toMatchObject({ place: { kind: 'file', path: authFile } })
  })

  it('is an error where no keychain is known, or where it fails', async () => {
    await using without = await makeSandbox()
    const asked = openCredentials(without.context).storeCredential('ghcr.io', login, { store: 'keychain' })
    expect(await errorOf(asked)).toMatchObject({ code: 'UNSUPPORTED' })
    await using failing = await makeKeychainSandbox('cat >&2; exit 1')
    const { storeCredential } = openCredentials(failing.context)
    const error = await errorOf(storeCredential('ghcr.io', login, { store: 'keychain' }))
    expect(error).toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/^docker-credential-dray store failed/),
    })
    expect(everythingSaid(error)).not.toContain('hunter2')
    expect(await errorOf(access(indexFile(failing)))).toMatchObject({ code: 'ENOENT' })
  })
})

describe('without being told where, a login goes', () => {
  it("to docker's file or helper when those are asked for", async () => {
    await using sandbox = await makeKeychainSandbox()
    const { storeCredential } = openCredentials(sandbox.context)
    const place = { kind: 'file', path: sandbox.dockerConfig }
    expect(await storeCredential('ghcr.io', login, { store: 'docker' })).toMatchObject({ place, plain: true })
    expect(await callsOf(sandbox, 'keychain')).toEqual([])
  })

  it('to the helper that the file names, if it is for a whole registry', async () => {
    await using sandbox = await makeKeychainSandbox()
    await sandbox.addHelper('x', keepingScript)
    await sandbox.write('.docker/config.json', { credsStore: 'x' })
    const { storeCredential } = openCredentials(sandbox.context)
    const helper = { kind: 'helper', program: 'docker-credential-x' }
    expect(await storeCredential('ghcr.io', login)).toMatchObject({ place: helper })
    const note = expect.stringMatching(/^docker-credential-x can keep logins for whole registries only/)
    const part = await storeCredential('ghcr.io/org', other)
    expect(part).toMatchObject({ place: keychain, warnings: [note] })
    const file = await storeCredential('ghcr.io/org/app', other, { store: 'docker' })
    expect(file).toMatchObject({ place: { kind: 'file', path: sandbox.dockerConfig }, warnings: [note] })
    expect(await callsOf(sandbox, 'x')).toEqual(['store'])
    expect(await callsOf(sandbox, 'keychain')).toEqual(['store ghcr.io/org'])
  })

  it('to the file where the keychain fails, with the reason', async () => {
    await using sandbox = await makeKeychainSandbox("echo 'no D-Bus'; exit 1")
    expect(await openCredentials(sandbox.context).storeCredential('ghcr.io', login)).toMatchObject({
      place: { kind: 'file', path: sandbox.dockerConfig },
      plain: true,
      warnings: [],
      keychainFault: { message: 'docker-credential-dray store failed: "no D-Bus"' },
    })
    expect(await readJson(sandbox.dockerConfig)).toEqual({ auths: { 'ghcr.io': { auth } } })
  })

  it('to the file where the keychain is locked, which is told', async () => {
    await using sandbox = await makeKeychainSandbox("echo 'the keychain is locked'; exit 1")
    expect(await openCredentials(sandbox.context).storeCredential('ghcr.io', login)).toMatchObject({
      plain: true,
      warnings: ['docker-credential-dray store failed: "the keychain is locked"'],
    })
  })

  it('to the file where the keychain does not answer, which is told as it took a while', async () => {
    await using sandbox = await makeKeychainSandbox('sleep 600')
    const context = { ...sandbox.context, helperTimeoutMs: 500 }
    expect(await openCredentials(context).storeCredential('ghcr.io', login)).toMatchObject({
      plain: true,
      warnings: ['docker-credential-dray store: no answer within 0.5 s'],
    })
  })
})

describe('the keychain is asked', () => {
  it('for nothing that was never put there', async () => {
    await using sandbox = await makeKeychainSandbox()
    const { storeCredential, findCredential, listLogins } = openCredentials(sandbox.context)
    await findCredential({ registry: 'quay.io', repository: 'org/app' })
    await storeCredential('ghcr.io/org', login)
    await findCredential({ registry: 'quay.io', repository: 'org/app' })
    await findCredential({ registry: 'ghcr.io', repository: 'other/app' })
    expect(await listLogins()).toEqual([
      { origin: 'keychain', key: 'ghcr.io/org', user: 'user', kind: 'basic' },
    ])
    expect(await callsOf(sandbox, 'keychain')).toEqual(['store ghcr.io/org'])
  })

  it('and may have lost it: then there is no login', async () => {
    await using sandbox = await makeKeychainSandbox()
    await sandbox.write('.config/dray/keychain.json', {
      logins: { 'ghcr.io': { kind: 'basic', user: 'user' } },
    })
    const { findCredential, eraseCredential } = openCredentials(sandbox.context)
    expect(await findCredential({ registry: 'ghcr.io' })).toBeUndefined()
    expect(await callsOf(sandbox, 'keychain')).toEqual(['get ghcr.io'])
    expect(await eraseCredential('ghcr.io')).toEqual([keychain])
    expect(await readJson(indexFile(sandbox))).toEqual({ logins: {} })
  })

  it('and its failure is an error, since a login was meant', async () => {
    await using sandbox = await makeKeychainSandbox("echo 'it is locked'; exit 1")
    await sandbox.write('.config/dray/keychain.json', { logins: { 'ghcr.io': { kind: 'basic' } } })
    const { findCredential } = openCredentials(sandbox.context)
    expect(await errorOf(findCredential({ registry: 'ghcr.io' }))).toMatchObject({
      code: 'IO',
      message: 'docker-credential-dray get failed: "it is locked"',
    })
    expect(await findCredential({ registry: 'quay.io' })).toBeUndefined()
  })
})

describe('a logout', () => {
  it('takes the login for a whole registry, and leaves those for its parts, which it can tell', async () => {
    await using sandbox = await makeKeychainSandbox()
    const { storeCredential, eraseCredential, narrowerLogins, findCredential } = openCredentials(
      sandbox.context,
    )
    await storeCredential('ghcr.io', login)
    await storeCredential('ghcr.io/org', other)
    await storeCredential('ghcr.io/org/app', other, { store: 'docker' })
    expect(await eraseCredential('ghcr.io', { dryRun: true })).toEqual([keychain])
    expect(await eraseCredential('ghcr.io')).toEqual([keychain])
    expect(await eraseCredential('ghcr.io')).toEqual([])
    expect(await narrowerLogins('ghcr.io')).toEqual(['ghcr.io/org', 'ghcr.io/org/app'])
    expect(await narrowerLogins('ghcr.io/org')).toEqual(['ghcr.io/org/app'])
    expect(await narrowerLogins('quay.io')).toEqual([])
    expect(await eraseCredential('ghcr.io/org')).toEqual([keychain])
    expect(await eraseCredential('ghcr.io/org/app')).toEqual([{ kind: 'file', path: sandbox.dockerConfig }])
    expect(await findCredential({ registry: 'ghcr.io', repository: 'org/app' })).toBeUndefined()
    const calls = await callsOf(sandbox, 'keychain')
    expect(calls.filter(call => call.startsWith('erase'))).toEqual(['erase ghcr.io', 'erase ghcr.io/org'])
  })

  it('with --authfile means that file alone, and with REGISTRY_AUTH_FILE the keychain too', async () => {
    await using sandbox = await makeKeychainSandbox()
    await openCredentials(sandbox.context).storeCredential('ghcr.io', login)
    const authFile = join(sandbox.home, 'auth.json')
    expect(await openCredentials({ ...sandbox.context, authFile }).eraseCredential('ghcr.io')).toEqual([])
    const env = { ...sandbox.context.env, REGISTRY_AUTH_FILE: authFile }
    expect(await openCredentials({ ...sandbox.context, env }).eraseCredential('ghcr.io')).toEqual([keychain])
  })

  it('that the keychain refuses leaves the login written down', async () => {
    await using sandbox = await makeKeychainSandbox('exit 1')
    await sandbox.write('.config/dray/keychain.json', { logins: { 'ghcr.io': { kind: 'basic' } } })
    expect(await errorOf(openCredentials(sandbox.context).eraseCredential('ghcr.io'))).toMatchObject({
      code: 'IO',
    })
    expect(await readJson(indexFile(sandbox))).toEqual({ logins: { 'ghcr.io': { kind: 'basic' } } })
  })
})

describe('what is written down of the keychain', () => {
  it.each(['broken', '[]', '{"logins":{"ghcr.io":{"kind":"other"}}}'])(
    'and is malformed is named, with what to do: %s',
    async content => {
      await using sandbox = await makeKeychainSandbox()
      const path = await sandbox.write('.config/dray/keychain.json', content)
      expect(
        await errorOf(openCredentials(sandbox.context).findCredential({ registry: 'ghcr.io' })),
      ).toMatchObject({
        code: 'INTEGRITY',
        message: `${path}: not a list of the logins in the keychain`,
        hint: expect.stringContaining('log in again'),
      })
    },
  )

  it('and is malformed keeps a login from being put into the file instead', async () => {
    await using sandbox = await makeKeychainSandbox()
    await sandbox.write('.config/dray/keychain.json', 'broken')
    const stored = openCredentials(sandbox.context).storeCredential('ghcr.io', login)
    expect(await errorOf(stored)).toMatchObject({ code: 'INTEGRITY' })
    expect(await errorOf(access(sandbox.dockerConfig))).toMatchObject({ code: 'ENOENT' })
  })

  it('and cannot be read is an error', async () => {
    await using sandbox = await makeKeychainSandbox()
    await mkdir(indexFile(sandbox), { recursive: true })
    expect(
      await errorOf(openCredentials(sandbox.context).findCredential({ registry: 'ghcr.io' })),
    ).toMatchObject({
      code: 'IO',
    })
  })

  it('keeps what a later version wrote, and many logins at once', async () => {
    await using sandbox = await makeKeychainSandbox()
    await sandbox.write('.config/dray/keychain.json', {
      version: 2,
      logins: { 'a.io': { kind: 'basic', x: 1 } },
    })
    const { storeCredential } = openCredentials(sandbox.context)
    await Promise.all(['b.io', 'c.io', 'd.io'].map(name => storeCredential(name, login)))
    const { logins, ...rest } = (await readJson(indexFile(sandbox))) as { logins: Record<string, unknown> }
    expect(rest).toEqual({ version: 2 })
    expect(logins['a.io']).toEqual({ kind: 'basic', x: 1 })
    expect(Object.keys(logins).sort()).toEqual(['a.io', 'b.io', 'c.io', 'd.io'])
  })

  it.each([
    ['linux', {}, '/h/.config/dray/keychain.json'],
    ['darwin', { XDG_CONFIG_HOME: '/c', APPDATA: '/a' }, '/c/dray/keychain.json'],
    ['linux', { XDG_CONFIG_HOME: 'relative' }, '/h/.config/dray/keychain.json'],
    ['win32', { APPDATA: '/a' }, '/a/dray/keychain.json'],
  ] as const)('lies, on %s with %o, in %s', (platform, env, path) => {
    expect(keychainIndexFile({ env, homeDir: '/h', platform })).toBe(path)
  })
})
