import { access, chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Credential } from '../../src/credential.ts'
import { openCredentials } from '../../src/credentials/credentials.ts'
import { run } from '../support/run.ts'
import { base64, errorOf, everythingSaid, keepingScript, makeSandbox } from './sandbox.ts'

const login: Credential = { kind: 'basic', username: 'user', password: 'hunter2' }
const auth = base64('user:hunter2')
const program = join(import.meta.dirname, 'login-process.ts')

const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'))
const mode = async (path: string) => (await stat(path)).mode & 0o777

describe('a login into a file', () => {
  it('makes the file and its folder, for their owner alone, and says that it is plain', async () => {
    await using sandbox = await makeSandbox()
    const { storeCredential, findCredentialEntry } = openCredentials(sandbox.context)
    expect(await storeCredential('ghcr.io', login)).toEqual({
      place: { kind: 'file', path: sandbox.dockerConfig },
      plain: true,
      warnings: [],
    })
    expect(await readFile(sandbox.dockerConfig, 'utf8')).toBe(
      `{\n\t"auths": {\n\t\t"ghcr.io": {\n\t\t\t"auth": "${auth}"\n\t\t}\n\t}\n}`,
    )
    expect(await mode(sandbox.dockerConfig)).toBe(0o600)
    expect(await mode(dirname(sandbox.dockerConfig))).toBe(0o700)
    expect(await readdir(dirname(sandbox.dockerConfig))).toEqual(['config.json'])
    expect(await findCredentialEntry({ registry: 'ghcr.io' })).toEqual({
      credential: login,
      origin: `auths in ${sandbox.dockerConfig}`,
      key: 'ghcr.io',
    })
  })

  it("goes under Docker Hub's old key, by whatever name Hub is called", async () => {
    await using sandbox = await makeSandbox()
    await openCredentials(sandbox.context).storeCredential('https://registry-1.docker.io/', login)
    expect(await readJson(sandbox.dockerConfig)).toEqual({
      auths: { 'https://index.docker.io/v1/': { auth } },
    })
  })

  it('takes away the rights of others and keeps all else that the file held', async () => {
    await using sandbox = await makeSandbox()
    const other = {
      HttpHeaders: { 'User-Agent': 'x' },
      auths: { 'quay.io': { auth: 'eDp5' } },
      detachKeys: 'a',
    }
    await sandbox.write('.docker/config.json', other)
    await chmod(sandbox.dockerConfig, 0o644)
    await openCredentials(sandbox.context).storeCredential('ghcr.io', login)
    expect(await mode(sandbox.dockerConfig)).toBe(0o600)
    const after = await readFile(sandbox.dockerConfig, 'utf8')
    const auths = { ...other.auths, 'ghcr.io': { auth } }
    expect(after).toBe(JSON.stringify({ ...other, auths }, null, '\t'))
  })

  it('goes to --authfile, without a change to the config of docker', async () => {
    await using sandbox = await makeSandbox()
    const path = join(sandbox.home, 'new', 'auth.json')
    await sandbox.write('.docker/config.json', { credsStore: 'not-installed' })
    const { storeCredential } = openCredentials({ ...sandbox.context, authFile: path })
    const place = { kind: 'file', path }
    expect(await storeCredential('ghcr.io', login)).toEqual({ place, plain: true, warnings: [] })
    expect(await readJson(path)).toEqual({ auths: { 'ghcr.io': { auth } } })
    expect(await readJson(sandbox.dockerConfig)).toEqual({ credsStore: 'not-installed' })
  })

  it.each([
    ['that exists', '{"a":1}', { a: 1, auths: { 'ghcr.io': { auth } } }],
    ['that is yet to be made', undefined, { auths: { 'ghcr.io': { auth } } }],
  ])('keeps a link a link and writes to its target %s', async (_what, content, after) => {
    await using sandbox = await makeSandbox()
    const target = join(sandbox.home, 'dotfiles', 'docker.json')
    await mkdir(dirname(target))
    await mkdir(dirname(sandbox.dockerConfig))
    if (content !== undefined) await writeFile(target, content)
    await symlink('../dotfiles/docker.json', sandbox.dockerConfig)
    await openCredentials(sandbox.context).storeCredential('ghcr.io', login)
    expect((await lstat(sandbox.dockerConfig)).isSymbolicLink()).toBe(true)
    expect(await readJson(target)).toEqual(after)
    expect(await mode(target)).toBe(0o600)
  })

  it('leaves a malformed file as it is', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write('.docker/config.json', '{"auths": hunter2')
    const error = await errorOf(openCredentials(sandbox.context).storeCredential('ghcr.io', login))
    expect(error).toMatchObject({ code: 'INTEGRITY' })
    expect(everythingSaid(error)).not.toContain('hunter2')
    expect(await readFile(sandbox.dockerConfig, 'utf8')).toBe('{"auths": hunter2')
  })

  it('that cannot be written to its end leaves the old file, and nothing beside it', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write('.docker/config.json', '{"old": true}')
    const limited = `ulimit -f 0; exec "$0" "$@"`
    const result = await run('sh', ['-c', limited, process.execPath, program, sandbox.home, 'a', '1'])
    expect(result.stderr).toContain(`${sandbox.dockerConfig}: the file would be too large`)
    expect(result.stderr).not.toContain('hunter2')
    expect(await readFile(sandbox.dockerConfig, 'utf8')).toBe('{"old": true}')
    expect(await readdir(dirname(sandbox.dockerConfig))).toEqual(['config.json'])
  })

  it('below something that is no folder is an error that names it', async () => {
    await using sandbox = await makeSandbox()
    const homeDir = await sandbox.write('no-folder', '')
    const stored = openCredentials({ ...sandbox.context, homeDir }).storeCredential('ghcr.io', login)
    expect(await errorOf(stored)).toMatchObject({ code: 'IO', message: expect.stringContaining(homeDir) })
  })

  it('wants the name of a registry or a part of it', async () => {
    await using sandbox = await makeSandbox()
    const { storeCredential, eraseCredential } = openCredentials(sandbox.context)
    expect(await errorOf(storeCredential('ghcr.io/Org', login))).toMatchObject({ code: 'INVALID_REFERENCE' })
    expect(await errorOf(eraseCredential('__proto__'))).toMatchObject({ code: 'INVALID_REFERENCE' })
  })
})

describe('logins at the same time', () => {
  it('in one process are all kept', async () => {
    await using sandbox = await makeSandbox()
    const { storeCredential } = openCredentials(sandbox.context)
    const names = Array.from({ length: 12 }, (_, number) => `r${number}.example`)
    await Promise.all(names.map(name => storeCredential(name, login)))
    const { auths } = (await readJson(sandbox.dockerConfig)) as { auths: object }
    expect(Object.keys(auths).sort()).toEqual(names.sort())
  })

  it('in several processes are all kept', async () => {
    await using sandbox = await makeSandbox()
    const processes = ['a', 'b', 'c'].map(name => run(process.execPath, [program, sandbox.home, name, '15']))
    expect(await Promise.all(processes)).toMatchObject([{ code: 0 }, { code: 0 }, { code: 0 }])
    const { auths } = (await readJson(sandbox.dockerConfig)) as { auths: object }
    expect(Object.keys(auths)).toHaveLength(45)
    expect(await readdir(dirname(sandbox.dockerConfig))).toEqual(['config.json'])
  })
})

describe('a login with a helper', () => {
  it.each([
    ['credsStore', { credsStore: 'x' }],
    ['credHelpers', { credHelpers: { 'ghcr.io': 'x' }, credsStore: 'not-installed' }],
  ])('of %s is kept there, and an older plain one goes', async (_what, config) => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', keepingScript)
    const auths = { 'https://ghcr.io': { auth: 'b2xkOm9sZA==', email: 'e' }, 'quay.io': { auth: 'eDp5' } }
    await sandbox.write('.docker/config.json', { auths, ...config })
    const { storeCredential, findCredentialEntry } = openCredentials(sandbox.context)
    expect(await storeCredential('ghcr.io', login)).toEqual({
      place: { kind: 'helper', program: 'docker-credential-x' },
      plain: false,
      warnings: [],
    })
    expect(await readJson(sandbox.dockerConfig)).toEqual({
      auths: { 'ghcr.io': { email: 'e' }, 'quay.io': { auth: 'eDp5' } },
      ...config,
    })
    expect(await findCredentialEntry({ registry: 'ghcr.io' })).toEqual({
      credential: login,
      origin: 'helper docker-credential-x',
      key: 'ghcr.io',
    })
  })

  it('that fails leaves the file as it was', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', 'exit 1')
    const config = JSON.stringify({ auths: { 'ghcr.io': { auth: 'eDp5' } }, credsStore: 'x' })
    await sandbox.write('.docker/config.json', config)
    const stored = openCredentials(sandbox.context).storeCredential('ghcr.io', login)
    expect(await errorOf(stored)).toMatchObject({ code: 'IO' })
    expect(await readFile(sandbox.dockerConfig, 'utf8')).toBe(config)
  })
})

describe('a logout', () => {
  it('removes the entry of the registry, however it is spelt, and no other', async () => {
    await using sandbox = await makeSandbox()
    const kept = { 'docker.io/team': { auth: 'eDp5' }, 'quay.io': { auth: 'eDp5' } }
    const auths = { 'docker.io': { auth }, ...kept, 'https://index.docker.io/v1/': { auth: 'broken' } }
    await sandbox.write('.docker/config.json', { a: 1, auths, b: 2 })
    const { eraseCredential } = openCredentials(sandbox.context)
    expect(await eraseCredential('docker.io')).toEqual([{ kind: 'file', path: sandbox.dockerConfig }])
    expect(await readFile(sandbox.dockerConfig, 'utf8')).toBe(
      JSON.stringify({ a: 1, auths: kept, b: 2 }, null, '\t'),
    )
    expect(await eraseCredential('docker.io')).toEqual([])
  })

  it.each(['{}', '{"credHelpers": {}, "auths": {"quay.io": {"auth": "eDp5"}}}'])(
    'without a login changes nothing in %s',
    async content => {
      await using sandbox = await makeSandbox()
      await sandbox.write('.docker/config.json', content)
      expect(await openCredentials(sandbox.context).eraseCredential('ghcr.io')).toEqual([])
      expect(await readFile(sandbox.dockerConfig, 'utf8')).toBe(content)
    },
  )

  it('without a file makes none', async () => {
    await using sandbox = await makeSandbox()
    expect(await openCredentials(sandbox.context).eraseCredential('ghcr.io')).toEqual([])
    expect(await errorOf(access(dirname(sandbox.dockerConfig)))).toMatchObject({ code: 'ENOENT' })
  })

  it('erases from the helper and from the file, and tells both', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', keepingScript)
    await sandbox.write('.docker/config.json', { credsStore: 'x' })
    const { storeCredential, eraseCredential, findCredential } = openCredentials(sandbox.context)
    await storeCredential('ghcr.io', login)
    const helper = { kind: 'helper', program: 'docker-credential-x' }
    expect(await eraseCredential('ghcr.io')).toEqual([helper])
    expect(await readJson(sandbox.dockerConfig)).toEqual({ credsStore: 'x', auths: {} })
    expect(await findCredential({ registry: 'ghcr.io' })).toBeUndefined()

    await storeCredential('ghcr.io', login)
    await sandbox.write('.docker/config.json', { credsStore: 'x', auths: { 'ghcr.io': { auth } } })
    expect(await eraseCredential('ghcr.io')).toEqual([{ kind: 'file', path: sandbox.dockerConfig }, helper])
    expect(await eraseCredential('ghcr.io')).toEqual([])
  })

  it('removes the plain entry even when the helper then fails', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write('.docker/config.json', {
      auths: { 'ghcr.io': { auth } },
      credsStore: 'not-installed',
    })
    const erased = openCredentials(sandbox.context).eraseCredential('ghcr.io')
    expect(await errorOf(erased)).toMatchObject({ code: 'UNSUPPORTED' })
    expect(await readJson(sandbox.dockerConfig)).toEqual({ auths: {}, credsStore: 'not-installed' })
  })
})
