import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCredentials } from '../../src/credentials/credentials.ts'
import { loginFile, podmanAuthFiles } from '../../src/credentials/sources.ts'
import { maxFileBytes } from '../../src/credentials/text-file.ts'
import { base64, errorOf, everythingSaid, keepingScript, makeSandbox } from './sandbox.ts'

const target = { registry: 'ghcr.io', repository: 'org/app' }
const login = (username: string) => ({ auths: { 'ghcr.io': { auth: base64(`${username}:hunter2`) } } })

describe('the places are asked in order', () => {
  it('and each answers only when those before it have no entry', async () => {
    await using sandbox = await makeSandbox()
    const { home, write } = sandbox
    const files = [
      await write('flag.json', login('flag')),
      await write('docker/config.json', login('docker')),
      await write('run/containers/auth.json', login('run')),
      await write('.config/containers/auth.json', login('config')),
    ] as const
    let env: Record<string, string | undefined> = {
      ...sandbox.context.env,
      DRAY_USERNAME: 'environment',
      DRAY_PASSWORD: 'hunter2',
      DRAY_REGISTRY: 'ghcr.io',
      DOCKER_AUTH_CONFIG: JSON.stringify(login('text')),
      DOCKER_CONFIG: join(home, 'docker'),
    }
    const ask = () =>
      openCredentials({ ...sandbox.context, env, authFile: files[0] }).findCredentialEntry(target)
    const answer = (username: string, origin: string) => ({
      credential: { kind: 'basic', username, password: 'hunter2' },
      origin,
      key: 'ghcr.io',
    })

    expect(await ask()).toEqual(answer('environment', 'DRAY_USERNAME and DRAY_PASSWORD'))
    env = { ...env, DRAY_USERNAME: undefined, DRAY_PASSWORD: undefined }
    expect(await ask()).toEqual(answer('flag', `auths in ${files[0]}`))
    await rm(files[0])
    expect(await ask()).toEqual(answer('text', 'auths in DOCKER_AUTH_CONFIG'))
    env = { ...env, DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'quay.io': { auth: 'x' } } }) }
    expect(await ask()).toEqual(answer('docker', `auths in ${files[1]}`))
    await rm(files[1])
    expect(await ask()).toEqual(answer('run', `auths in ${files[2]}`))
    await rm(files[2])
    expect(await ask()).toEqual(answer('config', `auths in ${files[3]}`))
    await rm(files[3])
    expect(await ask()).toBeUndefined()
  })

  it('with REGISTRY_AUTH_FILE where --authfile is not given, and ~/.docker where DOCKER_CONFIG is not', async () => {
    await using sandbox = await makeSandbox()
    const authFile = await sandbox.write('auth.json', login('file'))
    await sandbox.write('.docker/config.json', login('docker'))
    const env = { ...sandbox.context.env, REGISTRY_AUTH_FILE: authFile }
    expect(await openCredentials({ ...sandbox.context, env }).findCredential(target)).toMatchObject({
      username: 'file',
    })
    expect(await openCredentials(sandbox.context).findCredential(target)).toMatchObject({
      username: 'docker',
    })
  })

  it("with dray's own configuration behind --authfile and before DOCKER_AUTH_CONFIG", async () => {
    const findConfigured = async () => ({
      origin: 'registries["ghcr.io"]',
      credential: { kind: 'identity-token', token: 'hunter2' } as const,
    })
    const env = { DOCKER_AUTH_CONFIG: JSON.stringify(login('text')) }
    await using sandbox = await makeSandbox({ env, findConfigured })
    expect(await openCredentials(sandbox.context).findCredentialEntry(target)).toMatchObject({
      origin: 'registries["ghcr.io"]',
    })
    const authFile = await sandbox.write('flag.json', login('flag'))
    const { findCredential } = openCredentials({ ...sandbox.context, authFile })
    expect(await findCredential(target)).toMatchObject({ username: 'flag' })
  })

  it("and a helper that dray's own configuration names is asked; its failure is an error", async () => {
    const findConfigured = async () => ({ origin: 'registries["ghcr.io"]', helper: 'x' })
    await using sandbox = await makeSandbox({ findConfigured })
    await sandbox.write('.docker/config.json', login('docker'))
    await sandbox.addHelper('x', `[ -f "$dir/fails" ] && exit 1; cat "$dir/kept" 2>/dev/null; exit 0`)
    const ask = () => openCredentials(sandbox.context).findCredentialEntry(target)
    expect(await ask()).toMatchObject({ credential: { username: 'docker' } })
    await writeFile(sandbox.helperFile('x', 'kept'), '{"Username":"cloud","Secret":"s"}')
    expect(await ask()).toEqual({
      credential: { kind: 'basic', username: 'cloud', password: 's' },
      origin: 'helper docker-credential-x, of registries["ghcr.io"]',
      key: 'ghcr.io',
    })
    await writeFile(sandbox.helperFile('x', 'fails'), '')
    expect(await errorOf(ask())).toMatchObject({ code: 'IO' })
  })

  it('but where logins are kept, the longest path that fits comes first', async () => {
    await using sandbox = await makeSandbox()
    const entry = (key: string, username: string) => ({ auths: { [key]: { auth: base64(`${username}:x`) } } })
    await sandbox.write('.docker/config.json', entry('ghcr.io', 'all'))
    await sandbox.write('run/containers/auth.json', entry('ghcr.io/org', 'org'))
    await sandbox.write('.config/containers/auth.json', { auths: { 'ghcr.io/org/app': {} } })
    const { findCredential } = openCredentials(sandbox.context)
    expect(await findCredential(target)).toMatchObject({ username: 'org' })
    expect(await findCredential({ registry: 'ghcr.io', repository: 'other' })).toMatchObject({
      username: 'all',
    })
    const authFile = await sandbox.write('flag.json', login('flag'))
    const given = openCredentials({ ...sandbox.context, authFile })
    expect(await given.findCredential(target)).toMatchObject({ username: 'flag' })
  })

  it('and one with an entry keeps a broken one behind it from being read', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write('.docker/config.json', login('docker'))
    await sandbox.write('run/containers/auth.json', 'broken')
    expect(await openCredentials(sandbox.context).findCredential(target)).toMatchObject({
      username: 'docker',
    })
  })
})

describe('within one file', () => {
  const hubKey = 'https://index.docker.io/v1/'

  it('the longest matching path wins', async () => {
    await using sandbox = await makeSandbox()
    const auths = {
      'ghcr.io': { auth: base64('all:1') },
      'ghcr.io/org': { auth: base64('org:2') },
      'ghcr.io/org/app': {},
    }
    await sandbox.write('.docker/config.json', { auths })
    const { findCredential } = openCredentials(sandbox.context)
    expect(await findCredential(target)).toMatchObject({ username: 'org' })
    expect(await findCredential({ registry: 'ghcr.io', repository: 'organ/app' })).toMatchObject({
      username: 'all',
    })
    expect(await findCredential({ registry: 'ghcr.io' })).toMatchObject({ username: 'all' })
    expect(await findCredential({ registry: 'quay.io', repository: 'org/app' })).toBeUndefined()
  })

  it('the helper named for the registry wins over auths, and is asked for the host', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('own', 'read -r key; printf \'{"Username":"%s","Secret":"s"}\' "$key"')
    await sandbox.write('.docker/config.json', {
      auths: { 'ghcr.io': { auth: base64('plain:1') }, 'docker.io': { auth: base64('plain:1') } },
      credHelpers: { 'ghcr.io': 'own', 'docker.io': 'own' },
    })
    const { findCredentialEntry } = openCredentials(sandbox.context)
    expect(await findCredentialEntry(target)).toEqual({
      credential: { kind: 'basic', username: 'ghcr.io', password: 's' },
      origin: 'helper docker-credential-own',
      key: 'ghcr.io',
    })
    expect(await findCredentialEntry({ registry: 'docker.io' })).toMatchObject({
      credential: { username: hubKey },
    })
  })

  it('an entry for a part of the registry wins over the helper, which knows whole registries only', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('own', 'echo \'{"Username":"helper","Secret":"s"}\'')
    const auths = { 'ghcr.io/org': { auth: base64('part:1') }, 'ghcr.io': { auth: base64('plain:1') } }
    await sandbox.write('.docker/config.json', { auths, credHelpers: { 'ghcr.io': 'own' } })
    const { findCredential } = openCredentials(sandbox.context)
    expect(await findCredential(target)).toMatchObject({ username: 'part' })
    expect(await findCredential({ registry: 'ghcr.io', repository: 'other/app' })).toMatchObject({
      username: 'helper',
    })
  })

  it('auths with content win over credsStore, which is asked for all the rest', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('all', 'echo \'{"Username":"helper","Secret":"s"}\'')
    await sandbox.write('.docker/config.json', {
      auths: { 'ghcr.io': {}, 'quay.io': { auth: base64('plain:1') } },
      credsStore: 'all',
    })
    const { findCredential } = openCredentials(sandbox.context)
    expect(await findCredential(target)).toMatchObject({ username: 'helper' })
    expect(await findCredential({ registry: 'quay.io' })).toMatchObject({ username: 'plain' })
    expect(await findCredential({ registry: 'other.io' })).toMatchObject({ username: 'helper' })
  })

  it('a registry that has a helper of its own is never asked for in credsStore', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('own', keepingScript)
    await sandbox.write('.docker/config.json', {
      credHelpers: { 'ghcr.io': 'own', 'quay.io': '' },
      credsStore: 'not-installed',
    })
    const { findCredential } = openCredentials(sandbox.context)
    expect(await findCredential(target)).toBeUndefined()
    expect(await findCredential({ registry: 'quay.io' })).toBeUndefined()
  })
})

describe('a file', () => {
  it('that is malformed is named, and its content is not shown', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write('.docker/config.json', '{"auths": {"ghcr.io": {"auth": "hunter2"')
    const error = await errorOf(openCredentials(sandbox.context).findCredential(target))
    expect(error).toMatchObject({ code: 'INTEGRITY', message: `${sandbox.dockerConfig}: not valid JSON` })
    expect(everythingSaid(error)).not.toContain('hunter2')
  })

  it('with a malformed entry is named with the entry', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write('.docker/config.json', { auths: { 'ghcr.io': { auth: 'hunter2!' } } })
    const { findCredential } = openCredentials(sandbox.context)
    const error = await errorOf(findCredential(target))
    expect(error).toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(`${sandbox.dockerConfig}: auths["ghcr.io"]`),
    })
    expect(everythingSaid(error)).not.toContain('hunter2')
    expect(await findCredential({ registry: 'quay.io' })).toBeUndefined()
  })

  it('that cannot be read is an error', async () => {
    await using sandbox = await makeSandbox()
    await mkdir(sandbox.dockerConfig, { recursive: true })
    expect(await errorOf(openCredentials(sandbox.context).findCredential(target))).toMatchObject({
      code: 'IO',
      message: `${sandbox.dockerConfig}: it is a folder`,
    })
  })

  it('is read up to a limit', async () => {
    await using sandbox = await makeSandbox()
    const { findCredential } = openCredentials(sandbox.context)
    await sandbox.write('.docker/config.json', JSON.stringify(login('big')).padEnd(maxFileBytes))
    expect(await findCredential(target)).toMatchObject({ username: 'big' })
    await sandbox.write('.docker/config.json', JSON.stringify(login('big')).padEnd(maxFileBytes + 1))
    expect(await errorOf(findCredential(target))).toMatchObject({ code: 'INTEGRITY' })
  })

  it('may start with a byte order mark, as some editors write it', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write('.docker/config.json', `\ufeff${JSON.stringify(login('bom'))}`)
    expect(await openCredentials(sandbox.context).findCredential(target)).toMatchObject({ username: 'bom' })
  })

  it('below something that is no folder counts as missing', async () => {
    await using sandbox = await makeSandbox()
    const homeDir = await sandbox.write('no-folder', '')
    expect(await openCredentials({ ...sandbox.context, homeDir }).findCredential(target)).toBeUndefined()
  })
})

describe('DOCKER_AUTH_CONFIG', () => {
  it('that is malformed is named, and its content is not shown', async () => {
    await using sandbox = await makeSandbox({ env: { DOCKER_AUTH_CONFIG: '{"auths": hunter2' } })
    const error = await errorOf(openCredentials(sandbox.context).findCredential(target))
    expect(error).toMatchObject({ code: 'INTEGRITY', message: 'DOCKER_AUTH_CONFIG: not valid JSON' })
    expect(everythingSaid(error)).not.toContain('hunter2')
  })
})

describe("Podman's files", () => {
  it.each([
    [
      'linux',
      { XDG_RUNTIME_DIR: '/run/user/7' },
      ['/run/user/7/containers/auth.json', '/h/.config/containers/auth.json'],
    ],
    ['linux', {}, ['/run/containers/7/auth.json', '/h/.config/containers/auth.json']],
    [
      'linux',
      { XDG_RUNTIME_DIR: 'relative' },
      ['/run/containers/7/auth.json', '/h/.config/containers/auth.json'],
    ],
    ['darwin', { XDG_RUNTIME_DIR: '/run/user/7' }, ['/h/.config/containers/auth.json']],
    ['darwin', { XDG_CONFIG_HOME: '/c' }, ['/c/containers/auth.json']],
  ] as const)('on %s with %o are %o', (platform, env, paths) => {
    expect(podmanAuthFiles({ env, homeDir: '/h', platform, uid: 7 })).toEqual(paths)
  })
})

it.each([
  [{ authFile: '/a', env: { REGISTRY_AUTH_FILE: '/b' } }, '/a'],
  [{ env: { REGISTRY_AUTH_FILE: '/b', DOCKER_CONFIG: '/d' } }, '/b'],
  [{ env: { DOCKER_CONFIG: '/d', DOCKER_AUTH_CONFIG: '{}' } }, '/d/config.json'],
  [{ env: { DOCKER_CONFIG: '', REGISTRY_AUTH_FILE: '' } }, '/h/.docker/config.json'],
])('login with %o changes %s', (settings, path) => {
  expect(loginFile({ homeDir: '/h', platform: 'linux', ...settings })).toBe(path)
})
